import { describe, expect, it } from 'vitest';
import { createIntervalRecorder } from './interval-recorder.ts';
import { nanos } from './units.ts';

/** A TSC of 2 GHz. */
const toNanos = (tsc: bigint) => nanos(tsc / 2n);

describe('an interval recorder', () => {
  it('has nothing to tell before the second event', () => {
    const recorder = createIntervalRecorder(toNanos, 4);
    expect(recorder.edge(1_000n)).toBeUndefined();
    expect(recorder.statistics()).toBeUndefined();
    expect(recorder.recent()).toEqual([]);
  });

  it('tells each interval, and the statistics of all', () => {
    const recorder = createIntervalRecorder(toNanos, 4);
    expect([1_000n, 3_000n, 4_000n, 8_000n].map(recorder.edge)).toEqual([undefined, 1_000n, 500n, 2_000n]);
    expect(recorder.statistics()).toEqual({ count: 3, min: 500n, max: 2_000n, mean: 1_166n });
  });

  it('keeps the last ones, the oldest first', () => {
    const recorder = createIntervalRecorder(toNanos, 3);
    let at = 0n;
    for (let step = 0n; step <= 5n; step++) recorder.edge((at += 2n * step));
    expect(recorder.recent()).toEqual([3n, 4n, 5n]);
    expect(recorder.statistics()!.count).toBe(5);
  });

  it('does not drift over a hundred thousand events', () => {
    const recorder = createIntervalRecorder(toNanos, 1);
    for (let index = 0n; index <= 100_000n; index++) recorder.edge((index * 1_953_125n) / 1_000n);
    expect(recorder.statistics()!.mean).toBe(976n);
  });

  it('refuses an event before the last one, and a capacity that is none', () => {
    const recorder = createIntervalRecorder(toNanos, 1);
    recorder.edge(5n);
    expect(() => recorder.edge(4n)).toThrow('an event at 4 after one at 5');
    for (const capacity of [0, -1, 1.5, NaN]) expect(() => createIntervalRecorder(toNanos, capacity)).toThrow(RangeError);
  });
});
