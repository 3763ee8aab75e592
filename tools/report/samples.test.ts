import { describe, expect, it } from 'vitest';
import { createSamples, type Summary } from './samples.ts';

function summaryOf(values: readonly number[]): Summary {
  const samples = createSamples();
  values.forEach((value, index) => samples.push(value, index + 1, BigInt(index)));
  return samples.summary()!;
}

describe('a series', () => {
  it('of nothing has no summary', () => {
    expect(createSamples().summary()).toBeUndefined();
  });

  it('has the percentiles of the nearest rank', () => {
    const values = Array.from({ length: 1_000 }, (_, index) => index + 1);
    expect(summaryOf(values)).toMatchObject({ count: 1_000, min: 1, mean: 500.5, max: 1_000, jitter: 999, p50: 500, p99: 990, p999: 999 });
  });

  it('names the three farthest from zero with their lines, early ones too, and the first of equals first', () => {
    const { worst } = summaryOf([1, -9, 4, 9, 0, 8, 2]);
    expect(worst.map(({ value, line }) => [value, line])).toEqual([
      [-9, 2],
      [9, 4],
      [8, 6],
    ]);
  });

  it('of a million different values has exact bounds and mean, and percentiles within 0.4 %, in a few thousand bins', () => {
    const samples = createSamples();
    const COUNT = 1_000_000;
    // 7,919 is prime to the count: each value once, in no order; a third of them below zero.
    for (let index = 0; index < COUNT; index++) samples.push(((index * 7_919) % COUNT) * 3 - COUNT, index, 0n);
    const { min, max, mean, p50, p99, p999 } = samples.summary()!;
    expect([min, max, mean]).toEqual([-COUNT, 2 * COUNT - 3, COUNT / 2 - 1.5]);
    for (const [seen, part] of [
      [p50, 0.5],
      [p99, 0.99],
      [p999, 0.999],
    ] as const)
      expect(Math.abs(seen / (3 * COUNT * part - COUNT) - 1), `p${part * 100}`).toBeLessThan(0.004);
    expect(samples.distribution().length).toBeLessThan(5_000);
    expect(samples.distribution().reduce((sum, [, count]) => sum + count, 0)).toBe(COUNT);
  });
});
