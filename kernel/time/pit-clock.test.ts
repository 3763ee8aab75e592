import { describe, expect, it } from 'vitest';
import { createFakeClock, PICOSECONDS_PER_NANO } from '../testing/clock.ts';
import { createRandom } from '../testing/random.ts';
import { frequency } from './frequency.ts';
import { createPitClock } from './pit-clock.ts';
import { instant } from './units.ts';

const PIT_HZ = 1_193_182n;
const TSC = frequency(1_000_000_000n, 1n, 'architectural', 'test');

/**
 * Counter 0 in mode 2 and one interrupt request that remembers one edge. Every access takes `accessNanos`.
 * @param delay counts by which the interrupt follows the reload: 0 by the data sheet, 1 in QEMU
 */
function createFakePit(delay: number, accessNanos = 400n) {
  const time = createFakeClock();
  let reload = 0n;
  let start = 0n;
  let acknowledged = 0n;
  const access = (): void => time.pass(accessNanos * PICOSECONDS_PER_NANO);
  const edges = (): bigint => {
    const counts = time.ticks(PIT_HZ) - start - BigInt(delay);
    return counts < 0n ? 0n : counts / reload;
  };
  const lost: number[] = [];
  const clock = createPitClock({
    pit: {
      frequency: frequency(PIT_HZ, 1n, 'architectural', 'test'),
      armPeriodic: (count) => {
        access();
        reload = BigInt(count);
        start = time.ticks(PIT_HZ);
      },
      counter: () => {
        access();
        const count = Number(reload - ((time.ticks(PIT_HZ) - start) % reload));
        access();
        return count;
      },
    },
    isRequested: () => {
      access();
      return edges() > acknowledged;
    },
    accessTsc: () => time.now() / PICOSECONDS_PER_NANO,
    tscFrequency: TSC,
    epoch: instant(1_000n),
    onLost: (count) => lost.push(count),
  });
  return {
    clock,
    lost,
    time,
    passNanos: (nanos: number) => time.pass(BigInt(Math.round(nanos * 1000))),
    /** Takes what is requested, as the dispatcher does. */
    interrupt: () => {
      if (edges() <= acknowledged) return;
      // However many edges there were: one interrupt.
      acknowledged = edges();
      clock.onTick();
    },
    /** What the clock should show. */
    exact: () => 1_000n + ((time.ticks(PIT_HZ) - start) * 1_000_000_000n) / PIT_HZ,
  };
}

describe.each([
  ['with the reload, as the data sheet has it', 0],
  ['a count after the reload, as QEMU has it', 1],
])('a PIT clock whose interrupt rises %s', (_, delay) => {
  function mustBeRight(pit: ReturnType<typeof createFakePit>): bigint {
    const before = pit.exact();
    const now = pit.clock.now();
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(pit.exact());
    return now;
  }

  it('is right at every place of the period, with interrupts taken late', () => {
    const pit = createFakePit(delay, 97n);
    const random = createRandom(3);
    let last = 0n;
    for (let read = 0; read < 6_000; read++) {
      pit.passNanos(random.integer(900));
      const now = mustBeRight(pit);
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
      if (random.integer(200) === 0) pit.interrupt();
    }
  });

  it('is right when interrupts were off up to the edge after the next one and nobody read it', () => {
    const pit = createFakePit(delay);
    const random = createRandom(4);
    for (let turn = 0; turn < 5_000; turn++) {
      pit.passNanos(500_000 + random.integer(495_000));
      mustBeRight(pit);
      pit.interrupt();
    }
    expect(pit.clock.lost()).toBe(0);
  });

  it('polled with interrupts off for 900 us, across each edge, loses nothing', () => {
    const pit = createFakePit(delay);
    for (let turn = 0; turn < 50; turn++) {
      const end = pit.time.now() + 900_000_000n;
      while (pit.time.now() < end) mustBeRight(pit);
      pit.interrupt();
      pit.passNanos(turn * 2_000);
      pit.interrupt();
    }
    expect(pit.lost).toEqual([]);
  });

  it('loses nothing when an interrupt is taken as late as can be and the next one at once', () => {
    const pit = createFakePit(delay);
    for (let turn = 0; turn < 200; turn++) {
      // Up to shortly before the next edge, and shortly after it.
      const place = Number(pit.exact() - 1_000n) % 999_847;
      pit.passNanos(2 * 999_847 - place - 30_000);
      mustBeRight(pit);
      pit.interrupt();
      pit.passNanos(40_000 + turn * 1_000);
      mustBeRight(pit);
      pit.interrupt();
      mustBeRight(pit);
    }
    expect(pit.lost).toEqual([]);
  });

  it('tells of lost interrupts and makes up for their periods', () => {
    const pit = createFakePit(delay);
    pit.passNanos(500_000);
    mustBeRight(pit);
    pit.passNanos(5_000_000);
    pit.interrupt();
    expect(pit.lost).toEqual([4]);
    mustBeRight(pit);
    for (let turn = 0; turn < 100; turn++) {
      pit.passNanos(999_847);
      pit.interrupt();
      mustBeRight(pit);
    }
    expect(pit.clock.lost()).toBe(4);
  });

  it('makes up for lost periods also where a reading comes before the interrupt', () => {
    const pit = createFakePit(delay);
    const random = createRandom(5);
    for (let turn = 0; turn < 500; turn++) {
      pit.passNanos(random.integer(9_000_000));
      mustBeRight(pit);
      if (random.integer(2) === 0) pit.interrupt();
      mustBeRight(pit);
    }
    expect(pit.clock.lost()).toBeGreaterThan(500);
  });

  it('loses none of two interrupts that are taken close to each other', () => {
    const pit = createFakePit(delay);
    const PERIOD_PICOSECONDS = 999_847_466;
    const passUntil = (periods: number): void => pit.time.passUntil(BigInt(Math.round(periods * PERIOD_PICOSECONDS)));
    // Every other interrupt is taken late, shortly before the next one rises.
    for (let edge = 1; edge < 200; edge += 2) {
      passUntil(edge + 0.8);
      pit.interrupt();
      passUntil(edge + 1.1);
      pit.interrupt();
      mustBeRight(pit);
    }
    expect(pit.lost).toEqual([]);
  });

  it('tells of interrupts lost while it was read often, and loses no time', () => {
    const pit = createFakePit(delay);
    const end = pit.time.now() + 3_300_000_000n;
    while (pit.time.now() < end) mustBeRight(pit);
    pit.interrupt();
    expect(pit.lost).toEqual([2]);
    mustBeRight(pit);
  });

  it('neither slides nor slips in a million periods', () => {
    const pit = createFakePit(delay);
    for (let turn = 0; turn < 1_000_000; turn++) {
      pit.passNanos(990_000);
      pit.interrupt();
    }
    mustBeRight(pit);
    expect(pit.clock.lost()).toBe(0);
  });
});

describe('a PIT that does not count', () => {
  /** The whole contract is the one that can be kept: it neither goes back nor hangs. */
  it.each([
    ['stands at its reload value', () => 1193],
    ['reads all ones', () => 0xffff],
    ['reads 0', () => 0],
    ['stands in the middle', () => 600],
    [
      'reads anything',
      (
        (random) => () =>
          random.integer(0x1_0000)
      )(createRandom(6)),
    ],
  ])('that %s does not make its clock go back, nor hold it up', (_, counter) => {
    let tsc = 0n;
    const clock = createPitClock({
      pit: { frequency: frequency(PIT_HZ, 1n, 'architectural', 'test'), armPeriodic: () => undefined, counter },
      isRequested: () => false,
      accessTsc: () => (tsc += 900n),
      tscFrequency: TSC,
      epoch: instant(0n),
      onLost: () => undefined,
    });
    let last = clock.now();
    for (let read = 0; read < 3_000; read++) {
      if (read % 100 === 99) clock.onTick();
      const now = clock.now();
      if (now < last) expect(now).toBe(last);
      last = now;
    }
  });

  it('is not carried on by the witness: the clock stands when the counter does, and no interrupt comes', () => {
    let tsc = 0n;
    const clock = createPitClock({
      pit: { frequency: frequency(PIT_HZ, 1n, 'architectural', 'test'), armPeriodic: () => undefined, counter: () => 600 },
      isRequested: () => false,
      accessTsc: () => tsc,
      tscFrequency: TSC,
      epoch: instant(0n),
      onLost: () => undefined,
    });
    const first = clock.now();
    tsc += 250_000_000n;
    expect(clock.now()).toBe(first);
  });
});
