import { describe, expect, it } from 'vitest';
import { showNanos, statistics } from './statistics.ts';

/** Park and Miller's generator: the same samples at every run. */
function createRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => (state = (state * 48_271) % 0x7fff_ffff) % limit;
}

describe('statistics', () => {
  it('are those of known samples', () => {
    expect(statistics([4, -2, 7, 3])).toEqual({ count: 4, min: -2, mean: 3, max: 7, jitter: 9 });
  });

  it('of one sample have no jitter', () => {
    expect(statistics([5])).toEqual({ count: 1, min: 5, mean: 5, max: 5, jitter: 0 });
  });

  it('of no samples are none', () => {
    expect(statistics([])).toBeUndefined();
  });

  it('take more samples than a call has arguments', () => {
    const samples = Array.from({ length: 300_000 }, (_, index) => index);
    expect(statistics(samples)).toEqual({ count: 300_000, min: 0, mean: 149_999.5, max: 299_999, jitter: 299_999 });
  });
});

describe('a duration for people', () => {
  it.each([
    [0, '0 ns'],
    [-0, '0 ns'],
    [0.04, '0 ns'],
    [0.5, '0.5 ns'],
    [1, '1 ns'],
    [-1, '-1 ns'],
    [999, '999 ns'],
    [1_000, '1 us'],
    [1_001, '1.001 us'],
    [-1_001, '-1.001 us'],
    [999_999, '999.999 us'],
    [1_000_000, '1 ms'],
    [1_000_001, '1.000001 ms'],
    [9_999_999, '9.999999 ms'],
    [10_000_000, '10 ms'],
    [999_999_900, '999.9999 ms'],
    [1_000_000_000, '1 s'],
    [-1_000_000_001, '-1.000000001 s'],
    [86_400_000_000_000, '86400 s'],
  ])('%d is %s', (value, text) => {
    expect(showNanos(value)).toBe(text);
  });

  it('is exact to the nanosecond below 10 ms', () => {
    const random = createRandom(1);
    for (let count = 0; count < 2_000; count++) {
      const value = random(10_000_000);
      const [number, unit] = showNanos(value).split(' ') as [string, 'ns' | 'us' | 'ms'];
      expect(Math.round(Number(number) * { ns: 1, us: 1e3, ms: 1e6 }[unit])).toBe(value);
    }
  });

  it.each([
    [1_234_567, 4, '1.235 ms'],
    [999_847, 4, '999.8 us'],
    [123_456, 5, '123.46 us'],
    [12_345_678_901, 6, '12.3457 s'],
    [999, 4, '999 ns'],
  ])('%d with at most %i digits is %s', (value, digits, text) => {
    expect(showNanos(value, digits)).toBe(text);
  });
});
