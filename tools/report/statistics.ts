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
