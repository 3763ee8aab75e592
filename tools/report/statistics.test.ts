import { describe, expect, it } from 'vitest';
import { histogram, histogramLines, showNanos, statistics, type Bin } from './statistics.ts';

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

describe('a histogram', () => {
  it('has one bin per nanosecond while they are few', () => {
    expect(histogram([3, 5, 5], 12)).toEqual([
      { from: 3, to: 4, count: 1 },
      { from: 4, to: 5, count: 0 },
      { from: 5, to: 6, count: 2 },
    ]);
  });

  it('has bins that begin at multiples of their width', () => {
    expect(histogram([1_222, 1_245], 12).map(({ from, to }) => [from, to])).toEqual(
      Array.from({ length: 12 }, (_, index) => [1_222 + 2 * index, 1_224 + 2 * index]),
    );
  });

  it('puts a sample at a bound into the bin above', () => {
    expect(histogram([0, 10, 19, 20, 30], 4)).toEqual([
      { from: 0, to: 10, count: 1 },
      { from: 10, to: 20, count: 2 },
      { from: 20, to: 30, count: 1 },
      { from: 30, to: 40, count: 1 },
    ]);
  });

  it('of no samples has no bins, of equal samples one', () => {
    expect(histogram([], 12)).toEqual([]);
    expect(histogram([7, 7, 7], 12)).toEqual([{ from: 7, to: 8, count: 3 }]);
  });

  it('takes samples below zero', () => {
    expect(histogram([-3, -1, 2], 4)).toEqual([
      { from: -4, to: -2, count: 1 },
      { from: -2, to: 0, count: 1 },
      { from: 0, to: 2, count: 0 },
      { from: 2, to: 4, count: 1 },
    ]);
  });

  it('loses no sample, keeps its bounds and has no more bins than asked for, whatever the samples', () => {
    const random = createRandom(20_260_101);
    for (let round = 0; round < 1_000; round++) {
      const range = 10 ** random(10);
      const offset = random(2 * range + 1) - range;
      const samples = Array.from({ length: 1 + random(50) }, () => offset + random(range + 1) + (round % 3 === 0 ? random(100) / 100 : 0));
      const most = 2 + random(20);
      const bins = histogram(samples, most);
      const context = `round ${round}: ${JSON.stringify({ samples, most, bins })}`;

      expect(bins.length, context).toBeLessThanOrEqual(most);
      const width = bins[0]!.to - bins[0]!.from;
      expect(String(width), context).toMatch(/^[125]0*$/);
      for (const [index, { from, to, count }] of bins.entries()) {
        expect(to - from, context).toBe(width);
        expect(Math.abs(from % width), context).toBe(0);
        if (index > 0) expect(from, context).toBe(bins[index - 1]!.to);
        expect(count, context).toBe(samples.filter((sample) => from <= sample && sample < to).length);
      }
      expect(
        bins.reduce((sum, { count }) => sum + count, 0),
        context,
      ).toBe(samples.length);
      expect([bins[0]!.count > 0, bins.at(-1)!.count > 0], context).toEqual([true, true]);
    }
  });
});

describe("a histogram's lines", () => {
  const binsOf = (...counts: readonly number[]): Bin[] => counts.map((count, index) => ({ from: 10 * index, to: 10 * index + 10, count }));
  /** "..." or the count of each line. */
  const shapeOf = (lines: readonly string[]): string[] =>
    lines.map((line) => /^ *\.\.\.$/.exec(line)?.[0].trim() ?? / (\d+)(?: #*)?$/.exec(line)![1]!);

  it('name the bin, its count, and show a bar', () => {
    expect(histogramLines(histogram([5, 6, 6, 6, 6], 12))).toEqual([`5 ns     1 ${'#'.repeat(20)}`, `6 ns     4 ${'#'.repeat(40)}`]);
  });

  it('name the last nanosecond of a wider bin, and align', () => {
    expect(histogramLines([binsOf(1, 1, 1)[0]!, { from: 10, to: 20, count: 1 }]).map((line) => line.replace(/ #+$/, ''))).toEqual([
      '  0..9 ns     1',
      '10..19 ns     1',
    ]);
  });

  it('let a single sample among very many be seen', () => {
    expect(histogramLines(binsOf(1_000_000, 1))[1]).toMatch(/ 1 #$/);
  });

  it('show one empty bin as a bin', () => {
    expect(histogramLines(binsOf(1, 0, 1))[1]).toBe('10..19 ns     0');
  });

  it.each([
    [
      [1, 0, 0, 1],
      ['1', '...', '1'],
    ],
    [
      [1, 0, 0, 0, 0, 0, 1],
      ['1', '...', '1'],
    ],
    [
      [1, 0, 0, 2, 0, 3, 0, 0, 0, 4],
      ['1', '...', '2', '0', '3', '...', '4'],
    ],
    [
      [1, 2, 3],
      ['1', '2', '3'],
    ],
    [
      [0, 0, 1, 0, 0],
      ['...', '1', '...'],
    ],
  ])('of the counts %j are %j', (counts, shape) => {
    expect(shapeOf(histogramLines(binsOf(...counts)))).toEqual(shape);
  });

  it('put the dots where the bins are named', () => {
    expect(histogramLines(binsOf(1, 0, 0, 1))[1]).toBe('      ...');
  });

  it('of no bins are none', () => {
    expect(histogramLines([])).toEqual([]);
  });
});
