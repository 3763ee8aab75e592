import { describe, expect, it } from 'vitest';
import { createRandom } from '../testing/random.ts';
import { frequency, type Frequency } from '../time/frequency.ts';
import type { HwClock } from '../time/hw-clock.ts';
import { instant, nanos } from '../time/units.ts';
import { createSystemTime } from './system-time.ts';

const hz = (numerator: bigint, denominator = 1n): Frequency => frequency(numerator, denominator, 'measured', 'test');

/** A clock that shows what it is told, with the TSC of the reading a little after that. */
function createClock(name: HwClock['name'], read: () => { now: bigint; tsc: bigint }): HwClock {
  let tsc = read().tsc;
  return {
    name,
    frequency: hz(100_000_000n),
    width: 64,
    resolution: nanos(10n),
    reach: nanos(1n << 62n),
    readingTsc: () => tsc,
    now: () => {
      const reading = read();
      tsc = reading.tsc;
      return instant(reading.now);
    },
  };
}

function createByTsc(tscFrequency: Frequency, epoch = 1_000_000n) {
  let tsc = 0n;
  const clock = createClock('tsc', () => ({ now: 0n, tsc: 0n }));
  return { ...createSystemTime(() => tsc, tscFrequency, clock, epoch), setTsc: (value: bigint) => (tsc = value) };
}

const FREQUENCIES: readonly (readonly [string, Frequency])[] = [
  ['1 GHz', hz(1_000_000_000n)],
  ['2 GHz', hz(2_000_000_000n)],
  ['500 MHz', hz(500_000_000n)],
  ['2,399,987,654 Hz', hz(2_399_987_654n)],
  ['3579545000/3 Hz', hz(3_579_545_000n, 3n)],
];

describe.each(FREQUENCIES)('system time by a TSC of %s', (_, tscFrequency) => {
  const { toTsc, toInstant, toTicks, toNanos } = createByTsc(tscFrequency);
  const { numerator, denominator } = tscFrequency;
  const random = createRandom(3);
  const instants = [
    0n,
    1n,
    -1n,
    999n,
    -999n,
    3_600_000_000_000n,
    ...Array.from({ length: 300 }, () => BigInt(random.integer(2 ** 40)) - (1n << 39n)),
  ];

  it('begins at the epoch', () => {
    expect([toTsc(0n), toInstant(1_000_000n)]).toEqual([1_000_000n, 0n]);
  });

  it('has the first tick at which an instant has come, before the epoch as well', () => {
    for (const at of instants) {
      const ticks = toTsc(at) - 1_000_000n;
      // Exactly: ticks / frequency >= at, and one tick less is too early.
      const isThere = (count: bigint): boolean => count * denominator * 1_000_000_000n >= at * numerator;
      if (!isThere(ticks) || isThere(ticks - 1n)) expect.fail(`${at} ns at tick ${ticks}`);
    }
  });

  it('has the last whole nanosecond of a tick, before the epoch as well', () => {
    for (const ticks of instants) {
      const at = toInstant(1_000_000n + ticks);
      const isOver = (value: bigint): boolean => value * numerator <= ticks * denominator * 1_000_000_000n;
      if (!isOver(at) || isOver(at + 1n)) expect.fail(`tick ${ticks} at ${at} ns`);
    }
  });

  it('is never early on the way there and back', () => {
    for (const at of instants) if (toInstant(toTsc(at)) < at) expect.fail(`${at}`);
    for (const tsc of instants) if (toTsc(toInstant(tsc)) > tsc) expect.fail(`${tsc}`);
  });

  it('has durations of ticks rounded up, and of nanoseconds rounded down', () => {
    for (const length of instants.filter((value) => value >= 0n)) {
      expect(toTicks(length)).toBe((length * numerator + denominator * 1_000_000_000n - 1n) / (denominator * 1_000_000_000n));
      expect(toNanos(length)).toBe((length * denominator * 1_000_000_000n) / numerator);
    }
  });
});

it('by the TSC does not follow anything', () => {
  const { follow, toTsc, now, setTsc } = createByTsc(hz(1_000_000_000n));
  follow();
  setTsc(1_000_777n);
  expect([toTsc(5n), now()]).toEqual([1_000_005n, 777n]);
});

describe('system time by another clock', () => {
  /** A TSC that is believed to run at 1 GHz and is faster by `ppm`, and an HPET that is right, by steps of 10 ns. */
  function createDrifting(ppm: bigint) {
    let real = 0n;
    const tscOf = (at: bigint): bigint => 77_000n + (at * (1_000_000n + ppm)) / 1_000_000n;
    const rdtsc = (): bigint => tscOf(real);
    const clock = createClock('hpet', () => ({ now: 5_000_000n + (real / 10n) * 10n, tsc: tscOf(real) }));
    const time = createSystemTime(rdtsc, hz(1_000_000_000n), clock, tscOf(0n));
    return { ...time, tscOf, pass: (by: bigint) => (real += by), real: () => real };
  }

  it.each([100n, -100n, 0n])('stays with it, over an hour of a TSC that is wrong by %i ppm', (ppm) => {
    const { follow, toTsc, toInstant, now, tscOf, pass, real } = createDrifting(ppm);
    const random = createRandom(9);
    for (let frame = 0; frame < 3600; frame++) {
      pass(999_000_000n + BigInt(random.integer(2_000_000)));
      follow();
      if (frame < 10) continue;
      // An instant half a second ahead, by the real time at which its tick comes.
      const ahead = real() + 500_000_000n;
      const error = toTsc(ahead) - tscOf(ahead);
      if (error > 30n || error < -30n) expect.fail(`frame ${frame}: ${error} ticks`);
      const shown = now() - real();
      if (shown > 10n || shown < -30n) expect.fail(`frame ${frame}: ${shown} ns`);
      if (toInstant(toTsc(ahead)) < ahead) expect.fail(`frame ${frame}: early`);
    }
  });

  it('has durations by one rate for ever: an execution clock does not go back', () => {
    const { follow, toNanos, toTicks, pass } = createDrifting(500n);
    const before = [toNanos(123_456_789_012n), toTicks(987_654_321n)];
    for (let frame = 0; frame < 20; frame++) {
      pass(100_000_000n);
      follow();
    }
    expect([toNanos(123_456_789_012n), toTicks(987_654_321n)]).toEqual(before);
  });

  it('does not take a rate from two readings that are next to each other', () => {
    const { follow, toTsc, tscOf, pass } = createDrifting(0n);
    pass(15n);
    follow();
    expect(toTsc(1_000_000_000n) - tscOf(1_000_000_000n)).toBeLessThan(20n);
    expect(toTsc(1_000_000_000n) - tscOf(1_000_000_000n)).toBeGreaterThan(-20n);
  });
});
