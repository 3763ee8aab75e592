/** Intervals between external events, from the TSC stamps of their interrupts' stubs: serial input, the real-time clock, anything with an edge. */
import { nanos, type Nanos } from './units.ts';

export interface IntervalStatistics {
  /** Intervals, one less than edges. */
  readonly count: number;
  readonly min: Nanos;
  readonly max: Nanos;
  /** Rounded down. */
  readonly mean: Nanos;
}

export interface IntervalRecorder {
  /** An event. @returns the time since the one before, undefined for the first. @throws RangeError if it was before that */
  edge(taken: bigint): Nanos | undefined;
  /** Undefined before the second event. */
  statistics(): IntervalStatistics | undefined;
  /** The last intervals, the oldest first: as many as the recorder keeps. */
  recent(): Nanos[];
}

/**
 * @param toNanos a number of TSC ticks as time
 * @param capacity intervals to keep; the statistics are of all
 */
export function createIntervalRecorder(toNanos: (tscTicks: bigint) => Nanos, capacity: number): IntervalRecorder {
  if (!Number.isInteger(capacity) || capacity < 1)
    throw new RangeError(`interval recorder: capacity ${capacity} is not a positive integer`);
  const kept: Nanos[] = [];
  let last: bigint | undefined;
  let first = 0n;
  let count = 0;
  let min = nanos(0n);
  let max = nanos(0n);

  return {
    edge: (taken) => {
      const before = last;
      if (before !== undefined && taken < before) throw new RangeError(`interval recorder: an event at ${taken} after one at ${before}`);
      last = taken;
      if (before === undefined) {
        first = taken;
        return undefined;
      }
      const interval = toNanos(taken - before);
      if (count === 0 || interval < min) min = interval;
      if (count === 0 || interval > max) max = interval;
      kept[count++ % capacity] = interval;
      return interval;
    },
    // The mean of the intervals is exact: their sum is the time from the first event to the last.
    statistics: () =>
      last === undefined || count === 0 ? undefined : { count, min, max, mean: nanos(toNanos(last - first) / BigInt(count)) },
    recent: () => (count <= capacity ? kept.slice() : [...kept.slice(count % capacity), ...kept.slice(0, count % capacity)]),
  };
}
