/** Histograms of one run, or of two laid over each other. Counts are drawn on a logarithmic scale: one outlier among millions is seen. */
import type { Distribution, NamedSeries, Summary } from './samples.ts';
import { QUANTITIES } from './samples.ts';
import { showNanos } from './statistics.ts';

export interface Bin {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** Edges in steps of 1, 2 and 5 between powers of ten: their number grows with the logarithm of the range. */
function stepsBeyond(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((own) => own * decade > value)!;
  return step * decade;
}

/** Bins of one width over the whole range, at most `most`; widths are 1, 2 or 5 times a power of ten. */
export function evenBins(min: number, max: number, most: number): Bin[] {
  let width = 1;
  for (let step = 0; (max - Math.floor(min / width) * width) / width >= most; step++) {
    width = [2, 5, 10][step % 3]! * 10 ** Math.floor(step / 3);
  }
  const first = Math.floor(min / width);
  return Array.from({ length: Math.floor(max / width) - first + 1 }, (_, index) => ({
    from: (first + index) * width,
    to: (first + index + 1) * width,
  }));
}

/** Bins that grow with the distance from zero: 0, 1, 2, 5, 10 and so on, to both sides. */
export function growingBins(min: number, max: number): Bin[] {
  const up = [0];
  for (let edge = 1; up.at(-1)! <= max; edge = stepsBeyond(edge)) up.push(edge);
  const down = [];
  for (let edge = 1; (down.at(-1) ?? 0) > min; edge = stepsBeyond(-down.at(-1)!)) down.push(-edge);
  const edges = [...down.reverse(), ...up];
  const bins = edges.slice(1).map((to, index) => ({ from: edges[index]!, to }));
  return bins.filter(({ from, to }) => to > min && from <= max);
}

const MOST_BINS = 16;

/**
 * Even bins where they tell something; growing ones where all but the farthest hundredth of what varies would be in one of them.
 * @param distributions at least one that is not empty
 */
export function binsFor(distributions: readonly Distribution[]): Bin[] {
  const values = distributions.flatMap((entries) => entries.map(([value]) => value));
  const min = values.reduce((least, value) => Math.min(least, value), Infinity);
  const max = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const even = evenBins(min, max, MOST_BINS);
  const isCrowded = distributions.some((entries) => {
    const counts = countsIn(even, entries);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const fullest = Math.max(...counts);
    const { from, to } = even[counts.indexOf(fullest)]!;
    return fullest >= 0.99 * total && entries.filter(([value]) => value >= from && value < to).length > 2;
  });
  return isCrowded ? growingBins(min, max) : even;
}

/** @param bins ascending, without gaps, over all of the entries */
export function countsIn(bins: readonly Bin[], entries: Distribution): number[] {
  const counts = bins.map(() => 0);
  let at = 0;
  for (const [value, count] of entries) {
    while (value >= bins[at]!.to) at++;
    counts[at]! += count;
  }
  return counts;
}

/** From 0 to 1: a single one is a tenth at least, and each factor of ten adds the same. */
export function logarithmic(count: number, most: number): number {
  if (count === 0) return 0;
  return most === 1 ? 1 : 0.1 + (0.9 * Math.log(count)) / Math.log(most);
}

/** Edges of bins for people, with no more digits than it takes to tell them apart. */
export function edgeText(bins: readonly Bin[]): (edge: number) => string {
  const edges = [...bins.map(({ from }) => from), bins.at(-1)!.to];
  const digits = [4, 5, 6].find((own) => new Set(edges.map((edge) => showNanos(edge, own))).size === edges.length);
  return (edge) => showNanos(edge, digits);
}

export interface HistogramOptions {
  /** Drawn as a line between the bins. Nanoseconds. */
  readonly limit?: number | undefined;
  /** Laid over: the same series of another run. */
  readonly other?: NamedSeries | undefined;
}

const BAR_WIDTH = 40;
/** The run's own bar, the other one's, and both. */
const MARKS = { own: '#', other: 'o', both: '%' } as const;

/** Six digits: with more the line has not room for itself. */
export const show = (value: number): string => showNanos(value, 6);

const summaryLine = ({ count, min, mean, p99, p999, max }: Summary): string =>
  `count ${count}, min ${show(min)}, mean ${show(mean)}, p99 ${show(p99)}, p99.9 ${show(p999)}, max ${show(max)}`;

function bar(own: number, other: number): string {
  const [short, long] = own < other ? [own, other] : [other, own];
  return MARKS.both.repeat(short) + (own > other ? MARKS.own : MARKS.other).repeat(long - short);
}

/** One line per bin, one "..." for several empty bins in a row. */
export function histogramLines(series: NamedSeries, { limit, other }: HistogramOptions = {}): string[] {
  const bins = binsFor(other ? [series.distribution, other.distribution] : [series.distribution]);
  const own = countsIn(bins, series.distribution);
  const others = other ? countsIn(bins, other.distribution) : own.map(() => 0);
  const most = Math.max(...own, ...others);
  const edge = edgeText(bins);
  const labels = bins.map(({ from, to }) => (to - from === 1 ? `${from} ns` : `${edge(from)} to ${edge(to)}`));
  const width = Math.max(...labels.map((text) => text.length));
  const digits = String(most).length;
  const cells = (count: number): number => Math.round(logarithmic(count, most) * BAR_WIDTH);
  const isEmpty = (index: number): boolean => own[index] === 0 && others[index] === 0;
  const limitLine = (value: number): string =>
    `${'limit'.padStart(width)} ${'-'.repeat(digits)} ${showNanos(value)} ${'-'.repeat(BAR_WIDTH / 2)}`;

  const lines: string[] = [];
  let isLimitDrawn = limit === undefined;
  bins.forEach((bin, index) => {
    if (!isLimitDrawn && limit! < bin.from) {
      lines.push(limitLine(limit!));
      isLimitDrawn = true;
    }
    if (isEmpty(index) && isEmpty(index - 1)) return;
    if (isEmpty(index) && isEmpty(index + 1)) return void lines.push('...'.padStart(width));
    const counts = [own[index]!, ...(other ? [others[index]!] : [])].map((count) => String(count).padStart(digits)).join(' ');
    lines.push(
      `${labels[index]!.padStart(width)} ${counts} ${other ? bar(cells(own[index]!), cells(others[index]!)) : MARKS.own.repeat(cells(own[index]!))}`.trimEnd(),
    );
  });
  if (!isLimitDrawn) lines.push(limitLine(limit!));
  return [
    `${series.quantity} of ${series.subject}: ${QUANTITIES[series.quantity]}`,
    `${other ? `${MARKS.own} ` : ''}${summaryLine(series.summary)}`,
    ...(other ? [`${MARKS.other} ${summaryLine(other.summary)}`] : []),
    ...lines,
  ];
}
