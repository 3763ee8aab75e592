import { describe, expect, it } from 'vitest';
import type { KernelTimer, KernelTimers } from './kernel-timers.ts';
import { createTimedOutput, type OutputEdge } from './timed-output.ts';
import { instant, micros, type Instant } from './units.ts';

const LEAD = micros(20);
/** Ticks by which an edge is late rather than early: see timed-output.ts. */
const MARGIN = 8;

/** One kernel timer on a manual clock, a TSC of a tick per nanosecond that is 500 ahead of it, an output that takes 300 ns to set. `upNanos` if to 1. */
function createBench(lateBy: (index: number) => bigint = () => 0n, upNanos = 300n) {
  let now = 1_000n;
  let armed: Instant | undefined;
  let expire = (): void => undefined;
  const edges: OutputEdge[] = [];
  const levels: number[] = [];
  const timer = {
    arm: (deadline: Instant) => (armed = deadline),
    cancel: () => {
      const was = armed !== undefined;
      armed = undefined;
      return was;
    },
    isPending: () => armed !== undefined,
  } as unknown as KernelTimer;
  const timers = {
    createTimer: (callback: () => void) => {
      expire = callback;
      return timer;
    },
  } as unknown as KernelTimers;
  const output = createTimedOutput({
    timers,
    set: (level) => {
      now += level === 1 ? upNanos : 300n;
      levels.push(level);
    },
    accessTsc: () => now + 500n,
    toTsc: (when) => when + 500n,
    spinUntil: (tsc) => {
      if (tsc - 500n > now) now = tsc - 500n;
      return now + 500n;
    },
    lead: LEAD,
    onEdge: (edge) => edges.push(edge),
  });
  levels.length = 0;
  return {
    output,
    edges,
    levels,
    now: () => now,
    /** Lets the timer expire as long as it is armed. */
    run: (limit = Infinity) => {
      for (let index = 0; armed !== undefined && index < limit; index++) {
        if (armed > now) now = armed;
        now += lateBy(index);
        armed = undefined;
        expire();
      }
    },
    lateness: () => edges.map(({ nominal, written }) => Number(written - 500n - nominal)),
  };
}

describe('a timed output', () => {
  it('changes its level at exact instants, without drift', () => {
    const bench = createBench();
    bench.output.start(instant(1_000_000n), micros(50), 100_000);
    bench.run();
    expect(bench.edges).toHaveLength(100_000);
    expect(new Set(bench.lateness())).toEqual(new Set([MARGIN]));
    expect(bench.edges.at(-1)!.nominal).toBe(1_000_000n + 99_999n * 50_000n);
    expect(bench.levels.slice(0, 4)).toEqual([1, 0, 1, 0]);
    expect(bench.output.isRunning()).toBe(false);
  });

  it('is exact although its timer is late within the lead', () => {
    const bench = createBench((index) => BigInt((index * 7_001) % 19_000));
    bench.output.start(instant(1_000_000n), micros(50), 1_000);
    bench.run();
    expect(new Set(bench.lateness())).toEqual(new Set([MARGIN]));
  });

  it('is not early although one level takes a little less to set than the other, which was measured', () => {
    const bench = createBench(() => 0n, 293n);
    bench.output.start(instant(1_000_000n), micros(50), 100);
    bench.run();
    expect(new Set(bench.lateness())).toEqual(new Set([1, MARGIN]));
  });

  it('puts out an edge that is too late at once, and the next one on the beat', () => {
    const bench = createBench((index) => (index === 1 ? 30_000n : 0n));
    bench.output.start(instant(1_000_000n), micros(50), 4);
    bench.run();
    expect(bench.lateness()).toEqual([MARGIN, 10_300, MARGIN, MARGIN]);
  });

  it('stops', () => {
    const bench = createBench();
    bench.output.start(instant(1_000_000n), micros(50), 100);
    bench.run(3);
    bench.output.stop();
    bench.run();
    expect(bench.edges).toHaveLength(3);
    expect(bench.output.isRunning()).toBe(false);
  });

  it('refuses periods that leave no time, and counts that are none', () => {
    const { output } = createBench();
    expect(() => output.start(instant(0n), micros(40), 2)).toThrow('a period of 40000 ns is not longer than two leads of 20000 ns');
    for (const count of [0, -1, 0.5, NaN]) expect(() => output.start(instant(0n), micros(50), count)).toThrow(RangeError);
  });
});
