/** Of samples in nanoseconds. */
export interface Statistics {
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly max: number;
  /** Peak to peak. */
  readonly jitter: number;
}

/** @returns undefined for no samples */
export function statistics(samples: readonly number[]): Statistics | undefined {
  if (samples.length === 0) return undefined;
  let min = Infinity;
  let max = -Infinity;
  let sum = 0;
  for (const sample of samples) {
    if (sample < min) min = sample;
    if (sample > max) max = sample;
    sum += sample;
  }
  return { count: samples.length, min, mean: sum / samples.length, max, jitter: max - min };
}

/**
 * A duration for people, with its unit: exact to the nanosecond below 10 ms, if not told to be shorter.
 * @param digits at most so many significant ones
 */
export function showNanos(value: number, digits = 10): string {
  const magnitude = Math.abs(value);
  if (magnitude < 1_000) return `${Number(value.toFixed(1))} ns`;
  if (magnitude < 1_000_000) return `${Number((value / 1_000).toPrecision(Math.min(digits, 6)))} us`;
  if (magnitude < 1_000_000_000) return `${Number((value / 1_000_000).toPrecision(Math.min(digits, 7)))} ms`;
  return `${Number((value / 1_000_000_000).toPrecision(digits))} s`;
}

export interface Bin {
  readonly from: number;
  /** Exclusive, but for the last bin. */
  readonly to: number;
  readonly count: number;
}

/** Bins of one width over the whole range, at most `most`; widths are 1, 2 or 5 times a power of ten. */
export function histogram(samples: readonly number[], most: number): Bin[] {
  const whole = statistics(samples);
  if (!whole) return [];
  let width = 1;
  for (let step = 0; (whole.max - Math.floor(whole.min / width) * width) / width >= most; step++) {
    width = [2, 5, 10][step % 3]! * 10 ** Math.floor(step / 3);
  }
  const first = Math.floor(whole.min / width);
  const counts: number[] = new Array<number>(Math.floor(whole.max / width) - first + 1).fill(0);
  for (const sample of samples) counts[Math.floor(sample / width) - first]!++;
  return counts.map((count, index) => ({ from: (first + index) * width, to: (first + index + 1) * width, count }));
}

const BAR_WIDTH = 40;

/**
 * One line per bin, one "..." for several empty bins in a row. Bars are scaled by the square root, so that a single
 * outlier among thousands is still seen.
 */
export function histogramLines(bins: readonly Bin[]): string[] {
  const most = Math.max(...bins.map(({ count }) => count));
  const labels = bins.map(({ from, to }) => (to - from === 1 ? `${from} ns` : `${from}..${to - 1} ns`));
  const width = Math.max(...labels.map((label) => label.length));
  const isEmpty = (index: number): boolean => bins[index]?.count === 0;
  return bins.flatMap(({ count }, index) => {
    if (isEmpty(index) && isEmpty(index - 1)) return [];
    if (isEmpty(index) && isEmpty(index + 1)) return ['...'.padStart(width)];
    const bar = '#'.repeat(Math.ceil(Math.sqrt(count / most) * BAR_WIDTH));
    return [`${labels[index]!.padStart(width)} ${String(count).padStart(5)} ${bar}`.trimEnd()];
  });
}
