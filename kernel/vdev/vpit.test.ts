import { describe, expect, it } from 'vitest';
import { testConformance } from '../../test/conformance.ts';
import { probePit } from '../drivers/pit-8254.ts';
import type { Ports } from '../hw/ports.ts';
import { PIT_HZ } from '../regs/i8254.ts';
import { createManualGuestClock, type ManualGuestClock } from '../testing/guest-clock.ts';
import { createModelTarget, type ModelTarget } from '../testing/model-target.ts';
import { instant, NANOS_PER_SECOND, type Instant } from '../time/units.ts';
import { PIT_CASES } from './conformance/pit.ts';
import { REQUEST } from './device.ts';
import { createPit, PIT_LINE, PIT_PORTS, PORT_B_PORT, type Pit } from './vpit.ts';

function createTarget(): ModelTarget {
  const target = createModelTarget();
  const pit = createPit({
    clock: target.clock,
    createTimer: target.clock.createTimer,
    line: target.line(PIT_LINE),
    onMisuse: () => undefined,
  });
  target.placePorts(PIT_PORTS, 4, pit.ports);
  target.placePorts(PORT_B_PORT, 1, pit.portB);
  return target;
}

describe('the 8254', () => {
  testConformance(PIT_CASES, createTarget);
});

interface Bench {
  readonly clock: ManualGuestClock;
  readonly pit: Pit;
  readonly edges: Instant[];
  readonly misuses: string[];
  program(word: number, ...bytes: readonly number[]): void;
}

function createBench(): Bench {
  const clock = createManualGuestClock();
  const edges: Instant[] = [];
  const misuses: string[] = [];
  const pit = createPit({
    clock,
    createTimer: clock.createTimer,
    line: {
      pulse: () => {
        edges.push(clock.now());
        return REQUEST.ACCEPTED;
      },
      setLevel: () => undefined,
    },
    onMisuse: (what, offset, width) => misuses.push(`${what}: ${width} at ${(PIT_PORTS + offset).toString(16)}h`),
  });
  return {
    clock,
    pit,
    edges,
    misuses,
    program: (word, ...bytes) => {
      pit.ports.write(3, 1, word);
      for (const byte of bytes) pit.ports.write(word >> 6, 1, byte);
    },
  };
}

/** The first whole nanosecond with so many CLK pulses before it. */
const clkInstant = (pulses: bigint): Instant => instant((pulses * NANOS_PER_SECOND + PIT_HZ - 1n) / PIT_HZ);

describe('where Xen falls short', () => {
  it('16: counter 0 interrupts in mode 0', () => {
    const { clock, edges, program } = createBench();
    program(0x30, 0x34, 0x12);
    clock.pass(NANOS_PER_SECOND);
    expect(edges).toEqual([clkInstant(0x1234n + 1n)]);
  });

  it('16: counter 0 interrupts in mode 5, at the end of the strobe, wherever its GATE has a wire', () => {
    const { clock, pit, edges, program } = createBench();
    program(0x3a, 0x34, 0x12);
    clock.pass(NANOS_PER_SECOND);
    expect(edges).toEqual([]);
    pit.setGate(0, false);
    pit.setGate(0, true);
    clock.pass(NANOS_PER_SECOND);
    expect(edges).toEqual([clkInstant(PIT_HZ + 1n + 0x1234n + 1n)]);
  });

  it('17: a BCD count is one', () => {
    const { clock, pit, program } = createBench();
    program(0x31, 0x00, 0x10);
    clock.passUntil(clkInstant(1n + 1n));
    expect(pit.ports.read(0, 1) | (pit.ports.read(0, 1) << 8)).toBe(0x999);
  });

  it('17: NULL COUNT is there', () => {
    const { clock, pit, program } = createBench();
    program(0x34, 0x34, 0x12);
    pit.ports.write(3, 1, 0xe2);
    expect(pit.ports.read(0, 1) & 0x40).toBe(0x40);
    clock.pass(1000n);
    pit.ports.write(3, 1, 0xe2);
    expect(pit.ports.read(0, 1) & 0x40).toBe(0);
  });

  it.each([
    [1, 'HHH'],
    [2, 'HHL'],
    [4, 'HHL'],
    [5, 'HHH'],
  ])('17: OUT in mode %i is not inverted', (mode, outs) => {
    const { clock, pit, program } = createBench();
    program(0x30 | (mode << 1), 2, 0);
    let seen = '';
    for (const pulse of [0n, 1n, mode === 2 ? 2n : 3n]) {
      clock.passUntil(clkInstant(pulse));
      seen += pit.out(0) ? 'H' : 'L';
    }
    expect(seen).toBe(outs);
  });

  it.each([2, 3])('17: a new count in mode %i waits for the end of its period', (mode) => {
    const { clock, edges, program, pit } = createBench();
    program(0x30 | (mode << 1), 0xe8, 0x03);
    clock.passUntil(clkInstant(400n));
    pit.ports.write(0, 1, 0xd0);
    pit.ports.write(0, 1, 0x07);
    clock.passUntil(clkInstant(6000n));
    // In mode 3 it is the low half-cycle that is the first of the new count.
    const first = mode === 2 ? 1001n : 501n + 1000n;
    expect(edges).toEqual([clkInstant(first), clkInstant(first + 2000n), clkInstant(first + 4000n)]);
  });

  it('18: the phase of the count follows CLK, not the interrupts and when they are taken', () => {
    const { clock, pit, program } = createBench();
    program(0x34, 0xe8, 0x03);
    for (let read = 1n; read < 2000n; read++) {
      const pulse = 7919n * read;
      clock.passUntil(clkInstant(pulse));
      pit.ports.write(3, 1, 0x00);
      expect(pit.ports.read(0, 1) | (pit.ports.read(0, 1) << 8)).toBe(Number(1000n - ((pulse - 1n) % 1000n)));
    }
  });

  it('21: a restored one has the phase it had, and interrupts when the other one does', () => {
    const { clock, pit, program } = createBench();
    program(0x34, 0xe8, 0x03);
    clock.pass(123_456_789n);
    const restored = createBench();
    restored.clock.passUntil(clock.now());
    restored.pit.restore(structuredClone(pit.save()));
    const { edges } = restored;
    restored.clock.passUntil(clkInstant(1_000_000n));
    const first = 1n + 1000n * ((147_306n - 1n) / 1000n + 1n);
    expect(edges[0]).toBe(clkInstant(first));
    expect(edges.at(-1)).toBe(clkInstant(999_001n));
    expect(edges).toHaveLength(Number((999_001n - first) / 1000n) + 1);
  });
});

describe('drift', () => {
  it.each([
    ['mode 2', 0x34],
    ['mode 3', 0x36],
  ])('in %s is exactly 0 after a million periods', (_name, word) => {
    const { clock, edges, program } = createBench();
    program(word, 0x03, 0x00);
    for (let period = 1n; period <= 1_000_000n; period++) {
      clock.passUntil(clkInstant(1n + 3n * period));
      if (edges.length !== Number(period)) throw new Error(`${edges.length} interrupts after ${period} periods`);
    }
    expect(edges.at(-1)).toBe(clkInstant(3_000_001n));
  });

  it('of the counter is 0 after ten years', () => {
    const { clock, pit, program } = createBench();
    program(0xb4, 0xe8, 0x03);
    pit.portB.write(0, 1, 1);
    const pulses = PIT_HZ * 86_400n * 3653n + 12_345n;
    clock.passUntil(clkInstant(pulses));
    // GATE's trigger and the count's first load are the same pulse.
    expect(pit.ports.read(2, 1) | (pit.ports.read(2, 1) << 8)).toBe(Number(1000n - ((pulses - 1n) % 1000n)));
  });
});

describe('a misuse is harmless, and counted', () => {
  it.each([
    [
      'read of the control word register',
      'PIT: read of the control word register: 1 at 43h',
      (pit: Pit) => expect(pit.ports.read(3, 1)).toBe(0xff),
    ],
    ['read of 16 bits', 'PIT: a read that is not of one of its bytes: 2 at 41h', (pit: Pit) => pit.ports.read(1, 2)],
    [
      'read of 32 bits',
      'PIT: a read that is not of one of its bytes: 4 at 40h',
      (pit: Pit) => expect(pit.ports.read(0, 4) >>> 24).toBe(0xff),
    ],
    ['write of 16 bits', 'PIT: a write that is not of one of its bytes: 2 at 42h', (pit: Pit) => pit.ports.write(2, 2, 0x3000)],
    [
      'read beyond the ports',
      'PIT: a read that is not of one of its bytes: 2 at 43h',
      (pit: Pit) => expect(pit.ports.read(3, 2)).toBe(0xffff),
    ],
    ['write beyond the ports', 'PIT: a write that is not of one of its bytes: 2 at 43h', (pit: Pit) => pit.ports.write(3, 2, 0x1234)],
    [
      'reserved bit of the read-back command',
      'PIT: read-back command with its reserved bit set: 1 at 43h',
      (pit: Pit) => pit.ports.write(3, 1, 0xc1),
    ],
    [
      'wide read of port 61h',
      'System Control Port B: a read that is not of one of its bytes: 2 at 61h',
      (pit: Pit) => expect(pit.portB.read(0, 2) >> 8).toBe(0xff),
    ],
    [
      'wide write of port 61h',
      'System Control Port B: a write that is not of one of its bytes: 2 at 61h',
      (pit: Pit) => pit.portB.write(0, 2, 0),
    ],
  ])('%s', (_name, misuse, access) => {
    const { pit, misuses } = createBench();
    access(pit);
    expect(misuses).toContain(misuse);
  });

  it.each([
    [2, 'L'],
    [3, 'H'],
  ])('a count of 1 in mode %i: OUT stays as the rules of the mode have it, and nothing interrupts', (mode, outs) => {
    const { clock, pit, edges, misuses, program } = createBench();
    program(0x30 | (mode << 1), 1, 0);
    expect(misuses).toEqual([`PIT: counter 0: a count of 1 in mode ${mode}: 1 at 40h`]);
    clock.pass(1000n);
    for (let read = 0; read < 5; read++) {
      clock.pass(900n);
      expect(pit.out(0) ? 'H' : 'L').toBe(outs);
    }
    clock.pass(NANOS_PER_SECOND);
    expect(edges).toEqual([]);
    // And it is taken out of that by the next count.
    pit.ports.write(0, 1, 4);
    pit.ports.write(0, 1, 0);
    const start = clock.now();
    clock.pass(100_000n);
    expect(edges.length).toBeGreaterThan(28);
    expect(edges[0]! - start).toBeLessThan(6n * 839n);
  });

  it('a BCD count with digits above 9 counts as the sum of its decades', () => {
    const { clock, pit, misuses, program } = createBench();
    program(0x31, 0x0f, 0x0a);
    expect(misuses).toEqual(['PIT: counter 0: count a0fh is no BCD: 1 at 40h']);
    clock.pass(1000n);
    expect(pit.ports.read(0, 1) | (pit.ports.read(0, 1) << 8)).toBe(0x1015);
  });

  it('nothing that can be written to the ports makes it throw or interrupt more often than half of CLK', () => {
    const { clock, pit, edges } = createBench();
    for (let word = 0; word < 256; word++)
      for (const byte of [0, 1, 2, 0xff]) {
        pit.ports.write(3, 1, word);
        for (const offset of [0, 1, 2, 0, 1, 2]) pit.ports.write(offset, 1, byte);
        edges.length = 0;
        clock.pass(20_000n);
        expect(edges.length, `control word ${word.toString(16)}`).toBeLessThanOrEqual(13);
        for (let offset = 0; offset < 4; offset++) expect(pit.ports.read(offset, 1)).toBeLessThan(256);
      }
  });
});

describe('the driver of the real one', () => {
  function portsOf({ clock, pit }: Bench): Ports {
    // An access takes some time, or a poll would never see the counter move.
    return {
      read8: (offset: number) => {
        clock.pass(500n);
        return pit.ports.read(offset, 1);
      },
      write8: (offset: number, value: number) => {
        clock.pass(500n);
        pit.ports.write(offset, 1, value);
      },
    } as Ports;
  }

  it('finds it, and has its periodic interrupts', () => {
    const bench = createBench();
    const driver = probePit(portsOf(bench))!;
    bench.edges.length = 0;
    driver.armPeriodic(11_932);
    bench.edges.length = 0;
    bench.clock.pass(NANOS_PER_SECOND);
    expect(bench.edges).toHaveLength(100 - 1);
    driver.stop();
    bench.edges.length = 0;
    bench.clock.pass(NANOS_PER_SECOND);
    expect(bench.edges).toEqual([]);
  });
});
