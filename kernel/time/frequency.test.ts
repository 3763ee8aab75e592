import { describe, expect, it } from 'vitest';
import { FEMTOSECONDS_PER_SECOND } from '../regs/ia-pc-hpet.ts';
import { PM_TIMER_HZ } from '../regs/acpi.ts';
import { PIT_HZ } from '../regs/i8254.ts';
import { createRandom } from '../testing/random.ts';
import { convertTicks, frequency, hertz, nanosToTicks, ticksToNanos, type Frequency } from './frequency.ts';
import { micros, millis, nanos, ticks } from './units.ts';

const known = (numerator: bigint, denominator = 1n): Frequency => frequency(numerator, denominator, 'architectural', 'test');
const PIT = known(PIT_HZ);
/** QEMU's: 10 ns. */
const HPET_10_NS = known(FEMTOSECONDS_PER_SECOND, 10_000_000n);
/** Of an Intel chipset: 69.841279 ns, 14.318180 MHz and a little. */
const HPET_INTEL = known(FEMTOSECONDS_PER_SECOND, 69_841_279n);
const TSC = known(2_999_999_877n);
const CLOCKS: readonly (readonly [string, Frequency])[] = [
  ['PIT', PIT],
  ['HPET of 10 ns', HPET_10_NS],
  ['HPET of 69.841279 ns', HPET_INTEL],
  ['PM timer', known(PM_TIMER_HZ)],
  ['TSC', TSC],
  ['1 Hz', known(1n)],
  ['1/3 Hz', known(1n, 3n)],
];

describe('a frequency', () => {
  it.each([
    [0n, 1n],
    [-1n, 1n],
    [1n, 0n],
    [1n, -1n],
    [-1n, -1n],
  ])('of %d/%d Hz is refused, and the message names both and the source', (numerator, denominator) => {
    expect(() => frequency(numerator, denominator, 'measured', 'a broken counter')).toThrow(
      new RangeError(`frequency ${numerator}/${denominator} Hz from a broken counter is not positive`),
    );
  });

  it('that is not measured has no uncertainty unless it is told', () => {
    expect(frequency(7n, 3n, 'enumerated', 'register')).toEqual({
      numerator: 7n,
      denominator: 3n,
      provenance: 'enumerated',
      source: 'register',
      uncertaintyPpb: 0,
    });
    expect(frequency(7n, 3n, 'measured', 'x', 12).uncertaintyPpb).toBe(12);
  });
});

describe('hertz', () => {
  it.each([
    [10n, 1n, 10n],
    [149n, 100n, 1n],
    [3n, 2n, 2n],
    [5n, 2n, 3n],
    [249n, 100n, 2n],
    [1n, 3n, 0n],
    [1n, 2n, 1n],
    [FEMTOSECONDS_PER_SECOND, 69_841_279n, 14_318_180n],
  ])('of %d/%d are rounded to the nearest, halves up: %d', (numerator, denominator, expected) => {
    expect(hertz(known(numerator, denominator))).toBe(expected);
  });
});

describe('ticks to nanoseconds', () => {
  it.each([
    [0n, 0n],
    [1n, 838n], // 838.095...
    [2n, 1676n],
    [1193n, 999_847n], // 999,847.46...
    [PIT_HZ, 1_000_000_000n],
    [-1n, -839n],
    [-2n, -1677n],
    [-1193n, -999_848n],
    [-PIT_HZ, -1_000_000_000n],
  ])('round down, also before the epoch: %d ticks of the PIT are %d ns', (count, expected) => {
    expect(ticksToNanos(PIT, ticks(count))).toBe(expected);
  });

  it('are exact beyond 2^64', () => {
    expect(ticksToNanos(HPET_10_NS, ticks(2n ** 80n))).toBe(2n ** 80n * 10n);
    expect(ticksToNanos(HPET_10_NS, ticks(-(2n ** 80n)))).toBe(-(2n ** 80n) * 10n);
  });
});

describe('nanoseconds to ticks', () => {
  it.each([
    [0n, 0n],
    [1n, 1n],
    [838n, 1n],
    [839n, 2n],
    [999_847n, 1193n],
    [999_848n, 1194n],
    [1_000_000_000n, PIT_HZ],
    [-1n, 0n],
    [-838n, 0n],
    [-839n, -1n],
    [-1_000_000_000n, -PIT_HZ],
  ])('round up, also before the epoch: %d ns are %d ticks of the PIT', (duration, expected) => {
    expect(nanosToTicks(PIT, nanos(duration))).toBe(expected);
  });

  it('of a whole number of ticks are that number', () => {
    expect(nanosToTicks(HPET_10_NS, millis(1))).toBe(100_000n);
    expect(nanosToTicks(HPET_10_NS, micros(3))).toBe(300n);
  });
});

describe.each(CLOCKS)('a round trip through the %s', (_, clock) => {
  const random = createRandom(1);
  const durations = Array.from({ length: 500 }, () => BigInt(random.integer(2 ** 31)) * BigInt(random.integer(1000)) - 10n ** 11n);

  it('never makes a duration shorter, and longer by less than a tick', () => {
    for (const duration of durations) {
      const count = nanosToTicks(clock, nanos(duration));
      const back = ticksToNanos(clock, count);
      expect(back, `${duration} ns`).toBeGreaterThanOrEqual(duration);
      const oneLess = ticksToNanos(clock, ticks(count - 1n));
      expect(oneLess, `${duration} ns, one tick less`).toBeLessThan(duration);
    }
  });

  it('never makes a count of ticks larger', () => {
    for (const count of durations) {
      expect(nanosToTicks(clock, ticksToNanos(clock, ticks(count))), `${count} ticks`).toBeLessThanOrEqual(count);
    }
  });
});

describe('drift', () => {
  it.each([
    ['1193 ticks of the PIT', PIT, 1193n],
    ['65536 ticks of the PIT', PIT, 65_536n],
    ['100,000 ticks of an HPET of 10 ns', HPET_10_NS, 100_000n],
    ['14,319 ticks of an HPET of 69.841279 ns', HPET_INTEL, 14_319n],
  ])('is zero after a million periods of %s: deadlines stay within a nanosecond of the exact ones', (_, clock, period) => {
    for (const index of [1n, 2n, 3n, 999n, 65_537n, 999_999n, 1_000_000n]) {
      const deadline = ticksToNanos(clock, ticks(index * period));
      // deadline <= exact < deadline + 1, exact = index * period * denominator * 10^9 / numerator, without a division:
      const exact = index * period * clock.denominator * 1_000_000_000n;
      expect(deadline * clock.numerator, `period ${index}`).toBeLessThanOrEqual(exact);
      expect((deadline + 1n) * clock.numerator, `period ${index}`).toBeGreaterThan(exact);
    }
  });

  it('is zero after a million steps that are carried in ticks: the sum is the product', () => {
    let deadline = ticks(0n);
    for (let index = 0; index < 1_000_000; index++) deadline = ticks(deadline + 1193n);
    expect(ticksToNanos(PIT, deadline)).toBe((1_193_000_000n * 1_000_000_000n) / PIT_HZ);
  });
});

describe('ticks of one counter in ticks of another', () => {
  const twice = known(2n);
  const once = known(1n);

  it.each([
    [3n, twice, once, 2n],
    [1n, twice, once, 1n],
    [5n, twice, once, 3n],
    [-1n, twice, once, 0n],
    [-3n, twice, once, -1n],
    [-5n, twice, once, -2n],
    [7n, once, twice, 14n],
    [-7n, once, twice, -14n],
  ])('are rounded to the nearest, halves up: %d', (count, from, to, expected) => {
    expect(convertTicks(ticks(count), from, to)).toBe(expected);
  });

  it('are exact for rational frequencies', () => {
    // 69.841279 ns at 2,999,999,877 Hz.
    expect(convertTicks(ticks(FEMTOSECONDS_PER_SECOND), HPET_INTEL, TSC)).toBe(69_841_279n * 2_999_999_877n);
    expect(convertTicks(ticks(1n), HPET_INTEL, TSC)).toBe(210n); // 209.52...
  });

  it('stay what they are between equal frequencies that are written differently', () => {
    expect(convertTicks(ticks(-12_345n), known(100_000_000n), HPET_10_NS)).toBe(-12_345n);
  });
});
