/**
 * What a timeline is drawn from, in columns, with the searches that drawing needs: by instant, and over all that falls into one pixel.
 * Instants are ns since boot as numbers: exact up to 2^53 ns, which are 104 days.
 */
import { bisectLeft, bisectRight } from 'd3-array';

/** Stretches of time in the order of their starts. */
export interface Spans {
  readonly starts: number[];
  readonly ends: number[];
  /** Indices into the timeline's lines. */
  readonly lines: number[];
  /** Whose it is, for colour and pattern. */
  readonly looks: number[];
  /** 1: drawn lower, as it began later than it could have. */
  readonly lower: number[];
}

/** Instants of one kind, in order. */
export interface Marks<Kind extends string> {
  readonly kind: Kind;
  readonly at: number[];
  readonly lines: number[];
}

/** A value over time. */
export interface Curve {
  readonly unit: string;
  /** A step holds its value until the next one; points are only points in between. */
  readonly shape: 'step' | 'points';
  readonly at: number[];
  readonly values: number[];
  readonly lines: number[];
}

/** A slot of a plan: the stretches that it has in the frames of one stay in the plan. Nothing is stored per frame. */
export interface PlannedSlot {
  readonly slot: number;
  /** Of the first frame. */
  readonly start: number;
  readonly duration: number;
  /** 0 if there is but one frame. */
  readonly period: number;
  readonly frames: number;
  readonly firstFrame: number;
}

export const newSpans = (): Spans => ({ starts: [], ends: [], lines: [], looks: [], lower: [] });

/** Index of the first item at or after an instant. */
export const firstAtOrAfter = (sorted: readonly number[], instant: number): number => bisectLeft(sorted as number[], instant);

/** Index of the first span that ends after an instant; spans of a lane overlap by chance only, so that ends are in order as starts are. */
export const firstEndingAfter = (spans: Spans, instant: number): number => bisectRight(spans.ends, instant);

/** The time that spans fill, added up: `before[n]` is what the first n take. Made once, it tells the share of any stretch in two searches. */
export function filledBefore({ starts, ends }: Spans): Float64Array {
  const before = new Float64Array(starts.length + 1);
  for (let index = 0; index < starts.length; index++) before[index + 1] = before[index]! + ends[index]! - starts[index]!;
  return before;
}

/** ns of [from, to) that the spans fill. */
export function filledWithin(spans: Spans, before: Float64Array, from: number, to: number): number {
  const upTo = (instant: number): number => {
    const begun = bisectLeft(spans.starts, instant);
    if (begun === 0) return 0;
    const last = begun - 1;
    return before[last]! + Math.min(spans.ends[last]!, instant) - spans.starts[last]!;
  };
  return Math.max(0, upTo(to) - upTo(from));
}

const BLOCK = 64;

export interface Extremes {
  readonly min: number;
  readonly max: number;
}

/** Least and greatest of any stretch of values, without a look at each: blocks of them are known. */
export function extremesOf(values: readonly number[]): (first: number, end: number) => Extremes | undefined {
  const blocks = Math.ceil(values.length / BLOCK);
  const least = new Float64Array(blocks).fill(Infinity);
  const greatest = new Float64Array(blocks).fill(-Infinity);
  values.forEach((value, index) => {
    const block = Math.floor(index / BLOCK);
    if (value < least[block]!) least[block] = value;
    if (value > greatest[block]!) greatest[block] = value;
  });
  return (first, end) => {
    if (first >= end) return undefined;
    let min = Infinity;
    let max = -Infinity;
    for (let index = first; index < end;) {
      const isWholeBlock = index % BLOCK === 0 && index + BLOCK <= end;
      const block = index / BLOCK;
      min = Math.min(min, isWholeBlock ? least[block]! : values[index]!);
      max = Math.max(max, isWholeBlock ? greatest[block]! : values[index]!);
      index += isWholeBlock ? BLOCK : 1;
    }
    return { min, max };
  };
}

/** Frames of a slot that touch [from, to), as a range of indices. */
export function framesWithin({ start, duration, period, frames }: PlannedSlot, from: number, to: number): { first: number; end: number } {
  if (period === 0) return { first: 0, end: start < to && start + duration > from ? 1 : 0 };
  const first = Math.max(0, Math.floor((from - start - duration) / period) + 1);
  const end = Math.min(frames, Math.ceil((to - start) / period));
  return { first, end: Math.max(first, end) };
}

/** Whole numbers as differences: what a page has embedded gets small by it. */
export function toDifferences(values: readonly number[]): number[] {
  return values.map((value, index) => (index === 0 ? value : value - values[index - 1]!));
}

export function fromDifferences(differences: readonly number[]): number[] {
  let value = 0;
  return differences.map((difference) => (value += difference));
}
