/**
 * Statistics of a series of any length. Count, least, most and mean are exact. Of the values each is kept with its count as long as there
 * are few different ones, as under QEMU's instruction count; beyond that they are put into bins of 1/128 of their size, as the HDR
 * histogram's are (hdrhistogram.org), so that percentiles are at most 0.4 % off. Of the packages for it none counts values below zero.
 */
import type { Statistics } from './statistics.ts';

export interface Sample {
  /** Nanoseconds. */
  readonly value: number;
  /** Of the log, counted from 1. */
  readonly line: number;
  /** Nanoseconds since boot. */
  readonly at: bigint;
}

export interface Summary extends Statistics {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** Farthest from zero first, at most three. */
  readonly worst: readonly Sample[];
}

/** How often each value, or bin of values, occurred; ascending. */
export type Distribution = readonly (readonly [value: number, count: number])[];

export interface Samples {
  push(value: number, line: number, at: bigint): void;
  readonly count: number;
  /** Undefined for no samples. */
  summary(): Summary | undefined;
  distribution(): Distribution;
}

export const WORST_KEPT = 3;
/** Different values that are kept as they are. */
const EXACT_VALUES = 4_096;
/** Bins per power of two. */
const BINS = 128;

/** The middle of the value's bin. */
function binned(value: number): number {
  const magnitude = Math.abs(value);
  const width = 2 ** Math.floor(Math.log2(magnitude / BINS));
  if (!(width > 1)) return Math.round(value);
  return Math.sign(value) * (Math.floor(magnitude / width) + 0.5) * width;
}

export function createSamples(): Samples {
  let count = 0;
  let min = Infinity;
  let max = -Infinity;
  let sum = 0;
  let isExact = true;
  let counts = new Map<number, number>();
  const worst: Sample[] = [];

  function add(value: number): void {
    counts.set(value, (counts.get(value) ?? 0) + 1);
    if (!isExact || counts.size <= EXACT_VALUES) return;
    isExact = false;
    const exact = counts;
    counts = new Map();
    for (const [own, times] of exact) counts.set(binned(own), (counts.get(binned(own)) ?? 0) + times);
  }

  function rank(sample: Sample): void {
    if (worst.length === WORST_KEPT && Math.abs(sample.value) <= Math.abs(worst.at(-1)!.value)) return;
    const place = worst.findIndex(({ value }) => Math.abs(value) < Math.abs(sample.value));
    worst.splice(place < 0 ? worst.length : place, 0, sample);
    if (worst.length > WORST_KEPT) worst.pop();
  }

  const distribution = (): Distribution => [...counts].sort(([a], [b]) => a - b);

  return {
    push: (value, line, at) => {
      count++;
      sum += value;
      if (value < min) min = value;
      if (value > max) max = value;
      add(isExact ? value : binned(value));
      rank({ value, line, at });
    },
    get count() {
      return count;
    },
    summary: () => {
      if (count === 0) return undefined;
      const entries = distribution();
      const within = (value: number): number => Math.min(max, Math.max(min, value));
      const [p50, p99, p999] = [0.5, 0.99, 0.999].map((part) => within(percentile(entries, count, part)));
      return { count, min, mean: sum / count, max, jitter: max - min, p50: p50!, p99: p99!, p999: p999!, worst: [...worst] };
    },
    distribution,
  };
}

/** The least value that at least this part of all samples does not exceed ("nearest rank"). */
function percentile(entries: Distribution, count: number, part: number): number {
  let left = Math.ceil(part * count);
  for (const [value, times] of entries) {
    left -= times;
    if (left <= 0) return value;
  }
  return entries.at(-1)![0];
}

/** A series with what it is of: `slot.start` of `victim/1`. */
export interface NamedSeries {
  readonly quantity: Quantity;
  readonly subject: string;
  readonly summary: Summary;
  readonly distribution: Distribution;
}

export const QUANTITIES = {
  'slot.start': 'from the nominal start to the first instruction of the guest',
  'slot.ran': 'from the first entry to the last exit',
  'timer.lateness': "from the nominal instant to the interrupt's stub",
  'timer.interval': "from one interrupt's stub to the next one's",
  'interrupt.latency': 'from the stub to the handler in TypeScript',
  'output.lateness': "from the nominal instant to the output's edge",
  'port.lateness': 'from the nominal instant to the write',
  'tick.lateness': "from a virtual timer's deadline to its tick, in guest time",
  'exit.took': 'from an exit to the end of what was done about it',
  'gc.duration': 'garbage collections',
} as const;
export type Quantity = keyof typeof QUANTITIES;

/** Empty series are left out. */
export function namedSeries(quantity: Quantity, subject: string, samples: Samples): NamedSeries[] {
  const summary = samples.summary();
  return summary ? [{ quantity, subject, summary, distribution: samples.distribution() }] : [];
}
