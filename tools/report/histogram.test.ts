import { describe, expect, it } from 'vitest';
import { binsFor, countsIn, evenBins, growingBins, histogramLines, logarithmic } from './histogram.ts';
import { histogramHtml } from './html.ts';
import { createSamples, namedSeries, type NamedSeries } from './samples.ts';

/** Park and Miller's generator: the same samples at every run. */
function createRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => (state = (state * 48_271) % 0x7fff_ffff) % limit;
}

function series(values: readonly number[]): NamedSeries {
  const samples = createSamples();
  values.forEach((value, index) => samples.push(value, index + 1, BigInt(index)));
  return namedSeries('timer.lateness', 'pit', samples)[0]!;
}

describe('bins of one width', () => {
  const edges = (min: number, max: number, most: number): number[][] => evenBins(min, max, most).map(({ from, to }) => [from, to]);

  it.each([
    ['a nanosecond each while they are few', 3, 5, 12, [3, 4, 5]],
    ['at multiples of their width', 1_222, 1_245, 12, Array.from({ length: 12 }, (_, index) => 1_222 + 2 * index)],
    ['also below zero', -3, 2, 4, [-4, -2, 0, 2]],
    ['one for equal samples', 7, 7, 12, [7]],
  ])('are %s', (_, min, max, most, starts) => {
    const width = starts.length > 1 ? starts[1]! - starts[0]! : 1;
    expect(edges(min, max, most)).toEqual(starts.map((from) => [from, from + width]));
  });
});

describe('growing bins', () => {
  it('are 1, 2 and 5 times powers of ten, to both sides of zero', () => {
    expect(growingBins(-3, 12).map(({ from, to }) => [from, to])).toEqual([
      [-5, -2],
      [-2, -1],
      [-1, 0],
      [0, 1],
      [1, 2],
      [2, 5],
      [5, 10],
      [10, 20],
    ]);
  });

  it('have no more than what is there', () => {
    expect(growingBins(150, 160).map(({ from, to }) => [from, to])).toEqual([[100, 200]]);
    expect(growingBins(-160, -150).map(({ from, to }) => [from, to])).toEqual([[-200, -100]]);
  });
});

describe('whatever the samples', () => {
  it('no sample is lost, each is within the bounds of its bin, and the outer bins are not empty', () => {
    const random = createRandom(20_260_101);
    for (let round = 0; round < 500; round++) {
      const range = 10 ** random(10);
      const offset = random(2 * range + 1) - range;
      const values = Array.from({ length: 1 + random(200) }, () => offset + random(round % 2 === 0 ? range + 1 : 10));
      if (round % 3 === 0) values.push(offset + 1_000 * range);
      const { distribution } = series(values);
      const bins = binsFor([distribution]);
      const context = `round ${round}`;
      expect(countsIn(bins, distribution), context).toEqual(
        bins.map(({ from, to }) => values.filter((value) => from <= value && value < to).length),
      );
      expect(
        countsIn(bins, distribution).reduce((sum, count) => sum + count, 0),
        context,
      ).toBe(values.length);
      for (let index = 1; index < bins.length; index++) expect(bins[index]!.from, context).toBe(bins[index - 1]!.to);
    }
  });
});

describe('the scale', () => {
  it('is logarithmic: each factor of ten adds the same, and one is seen among millions', () => {
    const [one, ten, hundred] = [1, 10, 100].map((count) => logarithmic(count, 1_000_000));
    expect(one).toBe(0.1);
    expect(hundred! - ten!).toBeCloseTo(ten! - one!);
    expect(logarithmic(1_000_000, 1_000_000)).toBe(1);
    expect(logarithmic(0, 5)).toBe(0);
  });
});

describe("a histogram's lines", () => {
  it('say what it is, count, least, mean, percentiles and most, and show a bar per bin', () => {
    expect(histogramLines(series([5, 6, 6, 6, 6]))).toEqual([
      "timer.lateness of pit: from the nominal instant to the interrupt's stub",
      'count 5, min 5 ns, mean 5.8 ns, p99 6 ns, p99.9 6 ns, max 6 ns',
      `5 ns 1 ${'#'.repeat(4)}`,
      `6 ns 4 ${'#'.repeat(40)}`,
    ]);
  });

  it('have a line at the limit, between the bins or behind them', () => {
    const limits = (limit: number): string[] =>
      histogramLines(series([5, 6, 9]), { limit })
        .slice(2)
        .map((line) => line.trim().split(/ (?:\d|-)/)[0]!);
    expect(limits(7)).toEqual(['5 ns', '6 ns', '...', 'limit', '9 ns']);
    expect(limits(100).at(-1)).toBe('limit');
  });

  it('grow with the distance where one outlier is far away', () => {
    const lines = histogramLines(series([...Array.from({ length: 1_000 }, (_, index) => 40 + (index % 40)), 50_000_000]));
    expect(lines.slice(2).map((line) => line.trim().replace(/ +\d+ #+$/, ''))).toEqual([
      '20 ns to 50 ns',
      '50 ns to 100 ns',
      '...',
      '50 ms to 100 ms',
    ]);
  });

  it('name edges with as many digits as tell them apart', () => {
    const labels = (values: readonly number[]): string[] =>
      histogramLines(series(values))
        .slice(2)
        .map((line) => line.replace(/ +\d+ #+$/, '').trim());
    expect(labels([999_847, 999_890])).toEqual(['999.845 us to 999.85 us', '...', '999.89 us to 999.895 us']);
    expect(labels([1_000_000, 1_200_000])).toEqual(['1 ms to 1.02 ms', '...', '1.2 ms to 1.22 ms']);
  });

  it('show two runs over each other', () => {
    const lines = histogramLines(series([1, 1, 1, 1, 2]), { other: series([1, 2, 2, 2, 2, 3]) });
    expect(lines.slice(1, 3)).toEqual([expect.stringMatching(/^# count 5, /), expect.stringMatching(/^o count 6, /)]);
    expect(lines.slice(3)).toEqual([`1 ns 4 1 %%%%${'#'.repeat(36)}`, `2 ns 1 4 %%%%${'o'.repeat(36)}`, '3 ns 0 1 oooo']);
  });
});

describe('a histogram as HTML', () => {
  const count = (text: string, part: string): number => text.split(part).length - 1;

  it('has a bar per bin that is not empty, its count to read, and the limit', () => {
    const html = histogramHtml(series([5, 6, 6, 6, 6]), { limit: 6 });
    expect(count(html, '<rect class="own"')).toBe(2);
    expect(html).toContain('<title>4 from 6 ns to below 7 ns</title>');
    expect(html).toContain('class="limit"');
    expect(html).toContain('p99.9 6 ns');
    expect(html).not.toContain('http');
  });

  it.each([
    [4, '← limit 4 ns'],
    [100, 'limit 100 ns →'],
  ])('has an arrow where the limit of %i ns lies beyond all there is', (limit, text) => {
    const html = histogramHtml(series([5, 6]), { limit });
    expect(html).toContain(`>${text}</text>`);
    expect(html).not.toContain('class="limit"');
  });

  it('has the other run as outlines', () => {
    const html = histogramHtml(series([1, 2]), { other: series([2, 3]) });
    expect([count(html, 'class="own"'), count(html, 'class="other"')]).toEqual([2, 2]);
  });
});
