/** Random sequences of accesses and time on the 8254, against one that is stepped CLK by CLK; the state put away and taken up anywhere between. */
import { expect, it } from 'vitest';
import { createManualGuestClock, type ManualGuestClock } from '../testing/guest-clock.ts';
import { createSteppedPit } from '../testing/pit-8254-stepped.ts';
import { createRandom, type Random } from '../testing/random.ts';
import { PIT_HZ } from '../regs/i8254.ts';
import { instant, type Instant } from '../time/units.ts';
import { REQUEST } from './device.ts';
import { createPit, type Pit } from './vpit.ts';

const SEQUENCES = 10_000;
const STEPS = 40;
const CLK_NANOS = 838n;

/** At its end all of a sequence's log is in the message. */
function run(seed: number, restores: boolean): void {
  const random = createRandom(seed);
  const reference = createSteppedPit();
  const edges: Instant[] = [];
  let clock = createManualGuestClock();
  let pit = create(clock);
  let pulses = 0n;
  const log: string[] = [];

  function create(on: ManualGuestClock): Pit {
    return createPit({
      clock: on,
      createTimer: on.createTimer,
      line: {
        pulse: () => {
          edges.push(on.now());
          return REQUEST.ACCEPTED;
        },
        setLevel: () => {
          throw new Error('IRQ 0 is an edge');
        },
      },
      onMisuse: () => undefined,
    });
  }
  const tickAt = (when: Instant): bigint => (when * PIT_HZ) / 1_000_000_000n;

  function pass(nanos: bigint): void {
    clock.pass(nanos);
    for (; pulses < tickAt(clock.now()); pulses++) reference.clk();
  }
  function read(port: number): void {
    const expected = reference.read(port);
    const seen = port === 0x61 ? pit.portB.read(0, 1) : pit.ports.read(port - 0x40, 1);
    log.push(`in ${port.toString(16)}: ${seen.toString(16)}, expected ${expected.toString(16)}`);
    if (seen !== expected) throw new Error(`seed ${seed}:\n${log.join('\n')}`);
  }
  function write(port: number, value: number): void {
    log.push(`out ${port.toString(16)} ${value.toString(16)}`);
    if (port === 0x61) pit.portB.write(0, 1, value);
    else pit.ports.write(port - 0x40, 1, value);
    reference.write(port, value);
  }

  for (let step = 0; step < STEPS; step++) {
    if (restores && random.integer(4) === 0) {
      const state = structuredClone(pit.save());
      clock = createManualGuestClock(clock.now());
      pit = create(clock);
      pit.restore(state);
      log.push('restored');
    }
    randomStep(random, { pass, read, write, setGate });
    const rises = reference.takeRises().map(BigInt);
    const seen = edges.splice(0).map(tickAt);
    if (seen.join() !== rises.join())
      throw new Error(`seed ${seed}: OUT of counter 0 rose at ${rises.join()}, interrupts at ${seen.join()}\n${log.join('\n')}`);
  }

  function setGate(counter: number, isHigh: boolean): void {
    log.push(`gate ${counter} ${isHigh ? 'high' : 'low'}`);
    pit.setGate(counter, isHigh);
    reference.setGate(counter, isHigh);
  }
}

interface Machine {
  pass(nanos: bigint): void;
  read(port: number): void;
  write(port: number, value: number): void;
  setGate(counter: number, isHigh: boolean): void;
}

function randomStep(random: Random, { pass, read, write, setGate }: Machine): void {
  const counter = [0, 0, 2, 2, 1][random.integer(5)]!;
  const small = (): number => (random.integer(8) === 0 ? random.integer(256) : random.integer(8));
  switch (random.integer(12)) {
    case 0:
    case 1: {
      const rw = 1 + random.integer(3);
      write(0x43, (counter << 6) | (rw << 4) | (random.integer(8) << 1) | (random.integer(4) === 0 ? 1 : 0));
      if (random.integer(2) === 0) return;
      // Mostly with a count at once, and a short one.
      write(0x40 + counter, rw === 2 ? random.integer(2) : small());
      if (rw === 3) write(0x40 + counter, random.integer(8) === 0 ? 1 : 0);
      return;
    }
    case 2:
    case 3:
      write(0x40 + counter, random.integer(3) === 0 ? 0 : small());
      return;
    case 4:
      read(0x40 + counter);
      return;
    case 5:
      write(0x43, counter << 6);
      return;
    case 6:
      write(0x43, 0xc0 | random.integer(64));
      return;
    case 7:
      if (counter === 0) setGate(0, random.integer(2) === 0);
      else write(0x61, random.integer(256));
      return;
    case 8:
      read(0x61);
      return;
    case 9:
      // A status is what shows most.
      write(0x43, 0xc0 | 0x20 | (2 << counter));
      read(0x40 + counter);
      return;
    case 10:
      pass(CLK_NANOS * BigInt(random.integer(random.integer(20) === 0 ? 600 : 24)));
      return;
    default:
      pass(BigInt(random.integer(2000)));
  }
}

it(`does as the stepped one in ${SEQUENCES} random sequences`, () => {
  for (let seed = 1; seed <= SEQUENCES; seed++) run(seed, false);
});

it(`does as the stepped one in ${SEQUENCES} random sequences in which it is saved and restored anywhere`, () => {
  for (let seed = 1; seed <= SEQUENCES; seed++) run(1_000_000 + seed, true);
});

it('wraps around as the stepped one does, in both number systems and all modes', () => {
  for (let word = 0x30; word < 0x40; word++) {
    const clock = createManualGuestClock();
    const rises: number[] = [];
    const pit = createPit({
      clock,
      createTimer: clock.createTimer,
      line: {
        pulse: () => {
          rises.push(Number((clock.now() * PIT_HZ) / 1_000_000_000n));
          return REQUEST.ACCEPTED;
        },
        setLevel: () => undefined,
      },
      onMisuse: () => undefined,
    });
    const reference = createSteppedPit();
    for (const [port, value] of [
      [0x43, word],
      [0x40, 0],
      [0x40, 0],
    ] as const) {
      pit.ports.write(port - 0x40, 1, value);
      reference.write(port, value);
    }
    pit.setGate(0, false);
    pit.setGate(0, true);
    reference.setGate(0, false);
    reference.setGate(0, true);
    for (let tick = 1; tick <= 140_000; tick++) {
      reference.clk();
      if (tick % 777 !== 0) continue;
      clock.passUntil(instant((BigInt(tick) * 1_000_000_000n + PIT_HZ - 1n) / PIT_HZ));
      const seen = pit.ports.read(0, 1) | (pit.ports.read(0, 1) << 8);
      const expected = reference.read(0x40) | (reference.read(0x40) << 8);
      expect(seen, `control word ${word.toString(16)}, tick ${tick}`).toBe(expected);
    }
    const expected = reference.takeRises().filter((tick) => tick <= 140_000 - (140_000 % 777));
    expect(rises, `control word ${word.toString(16)}`).toEqual(expected);
  }
});
