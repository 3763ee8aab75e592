/** Random sequences of accesses and time on the MC146818A, against one that goes from event to event; the state put away and taken up anywhere between. */
import { expect, it } from 'vitest';
import { createManualGuestClock, type ManualGuestClock } from '../testing/guest-clock.ts';
import { createRandom, type Random } from '../testing/random.ts';
import { createSteppedRtc } from '../testing/rtc-mc146818-stepped.ts';
import { civilFromSeconds, secondsFromCivil } from '../time/calendar.ts';
import type { Instant } from '../time/units.ts';
import { REQUEST } from './device.ts';
import { createRtcCalendar } from './vrtc-calendar.ts';
import { createRtc, type Rtc } from './vrtc.ts';

const SEQUENCES = 10_000;
/** Fewer, as each is made anew many times. */
const RESTORED_SEQUENCES = 5000;
const STEPS = 40;
const START = { year: 2000, month: 1, day: 1, hour: 0, minute: 0, second: 0 };

function run(seed: number, restores: boolean): void {
  const random = createRandom(seed);
  const reference = createSteppedRtc();
  const requests: Instant[] = [];
  let clock = createManualGuestClock();
  let rtc = create(clock);
  const log: string[] = [];

  function create(on: ManualGuestClock): Rtc {
    return createRtc({
      clock: on,
      createTimer: on.createTimer,
      line: {
        pulse: () => {
          requests.push(on.now());
          return REQUEST.ACCEPTED;
        },
        setLevel: () => {
          throw new Error('IRQ 8 is an edge');
        },
      },
      onMisuse: () => undefined,
      start: START,
    });
  }
  function fail(what: string): never {
    throw new Error(`seed ${seed}: ${what}\n${log.join('\n')}`);
  }
  function pass(nanos: bigint): void {
    clock.pass(nanos);
    reference.passUntil(clock.now());
    log.push(`at ${clock.now()}`);
  }
  function read(register: number): void {
    const expected = reference.read(register);
    rtc.write(0, 1, register);
    const seen = rtc.read(1, 1);
    log.push(`read ${register.toString(16)}: ${seen.toString(16)}`);
    if (seen !== expected) fail(`register ${register.toString(16)} reads ${seen.toString(16)}, not ${expected.toString(16)}`);
  }
  function write(register: number, value: number): void {
    log.push(`write ${register.toString(16)}: ${value.toString(16)}`);
    rtc.write(0, 1, register);
    rtc.write(1, 1, value);
    reference.write(register, value);
  }

  // Both have the same bytes, whatever firmware had there.
  for (const [register, value] of [0, 0, 0, 0, 0, 0, 7, 1, 1, 0].entries()) write(register, value);
  write(0x32, 0x20);
  for (let step = 0; step < STEPS; step++) {
    if (restores && random.integer(4) === 0) {
      const state = structuredClone(rtc.save());
      clock = createManualGuestClock(clock.now());
      rtc = create(clock);
      rtc.restore(state);
      log.push('restored');
    }
    randomStep(random, { pass, read, write });
    const expected = reference.takeRequests();
    const seen = requests.splice(0);
    if (seen.join() !== expected.join()) fail(`IRQ went low at ${expected.join()}, interrupts at ${seen.join()}`);
  }
}

interface Machine {
  pass(nanos: bigint): void;
  read(register: number): void;
  write(register: number, value: number): void;
}

function randomStep(random: Random, { pass, read, write }: Machine): void {
  const millis = (count: number): bigint => BigInt(count) * 1_000_000n + BigInt(random.integer(1000));
  switch (random.integer(11)) {
    case 0:
      read(random.integer(14));
      return;
    case 1:
      read(0xc);
      return;
    case 2:
      read(0xa);
      return;
    case 3:
      // A slow tap most of the time: those of 8 kHz are many events.
      write(
        0xa,
        (random.integer(4) === 0 ? random.integer(256) & 0xf0 : 0x20) |
          (random.integer(10) === 0 ? random.integer(16) : 10 + random.integer(6)),
      );
      return;
    case 4:
    case 5:
      write(0xb, random.integer(3) === 0 ? random.integer(256) : random.integer(128));
      return;
    case 6:
      write(
        random.integer(10),
        [0x59, 0x23, 59, 23, 0xc0 | random.integer(64), random.integer(256), 0x31, 0x12, random.integer(3)][random.integer(9)]!,
      );
      return;
    case 7:
      write([1, 3, 5][random.integer(3)]!, [0xff, 0xc0, 0, 1, 2][random.integer(5)]!);
      return;
    case 8:
      pass(millis(random.integer(random.integer(10) === 0 ? 5000 : 1200)));
      return;
    case 9:
      pass(millis(random.integer(20)));
      return;
    default:
      // Around the edges of UIP and of an update.
      pass([243_999n, 244_000n, 244_001n, 1_984_000n, 1_983_999n, 499_755_999n, 1n][random.integer(7)]!);
  }
}

it(`does as the stepped one in ${SEQUENCES} random sequences`, () => {
  for (let seed = 1; seed <= SEQUENCES; seed++) run(seed, false);
});

it(`does as the stepped one in ${RESTORED_SEQUENCES} random sequences in which it is saved and restored anywhere`, () => {
  for (let seed = 1; seed <= RESTORED_SEQUENCES; seed++) run(1_000_000 + seed, true);
});

it('advances by many seconds as by so many single ones, alarm included, whatever the bytes are', () => {
  const random = createRandom(1);
  for (let round = 0; round < 3000; round++) {
    const bytes = random.bytes(128);
    const b = random.integer(8);
    if (round % 2 === 0) {
      // Valid ones, mostly near the end of something.
      bytes.set([
        0x59,
        0xff,
        0x59,
        0xff,
        (b & 2) !== 0 ? 0x23 : 0x91,
        0xff,
        random.integer(8),
        0x28 + random.integer(10),
        random.integer(0x13),
        0x99,
      ]);
      for (const alarm of [1, 3, 5]) if (random.integer(2) === 0) bytes[alarm] = random.integer(0x60);
    }
    const once = Uint8Array.from(bytes);
    const singly = Uint8Array.from(bytes);
    const updates = random.integer(random.integer(100) === 0 ? 100_000 : 200);
    const calendarOnce = createRtcCalendar(once, () => b);
    const calendarSingly = createRtcCalendar(singly, () => b);
    const seen = calendarOnce.advance(updates);
    let expected = false;
    for (let n = 0; n < updates; n++) expected = calendarSingly.advance(1) || expected;
    expect({ seen, once: [...once] }, `round ${round}`).toEqual({ seen: expected, once: [...singly] });
  }
});

it('keeps the Gregorian calendar from 1980 to 2099, at one step of any length', () => {
  const random = createRandom(2);
  for (let round = 0; round < 1000; round++) {
    const first = secondsFromCivil({
      year: 1980 + random.integer(100),
      month: 1 + random.integer(12),
      day: 1 + random.integer(28),
      hour: random.integer(24),
      minute: 59,
      second: 59,
    });
    const updates = random.integer(60_000_000);
    const last = civilFromSeconds(first + BigInt(updates));
    const { year, month, day, hour, minute, second } = civilFromSeconds(first);
    const ram = new Uint8Array(128);
    ram.set([second, 0, minute, 0, hour, 0, 1, day, month, year % 100]);
    ram[0x32] = Math.floor(year / 100);
    createRtcCalendar(ram, () => 6).advance(updates);
    expect([ram[0], ram[2], ram[4], ram[7], ram[8], ram[0x32] * 100 + ram[9]!], `${updates} s after second ${first}`).toEqual([
      last.second,
      last.minute,
      last.hour,
      last.day,
      last.month,
      last.year,
    ]);
  }
});
