import { describe, expect, it } from 'vitest';
import { createRandom } from '../testing/random.ts';
import { measureReload } from './reload.ts';

interface Machine {
  readonly reload: 0 | 1;
  readonly timerHz: number;
  readonly tscHz: number;
  /** An access takes this long, and the device answers somewhere within. */
  readonly accessNanos: number;
  /** Uniform, on top. */
  readonly jitterNanos: number;
  readonly seed: number;
}

/** A timer and a TSC on one time line; every access takes time, never the same. */
function measure({ reload, timerHz, tscHz, accessNanos, jitterNanos, seed }: Machine): number {
  const random = createRandom(seed);
  let now = random.integer(1000);
  let started = 0;
  let count = 0;
  let stamp = 0n;
  let took = 0;
  const tsc = (nanos: number): bigint => BigInt(Math.floor((nanos * tscHz) / 1e9));
  function access(): number {
    const begun = now;
    const takes = accessNanos + random.integer(jitterNanos + 1);
    now += takes;
    stamp = tsc(now);
    took = Number(tsc(now) - tsc(begun));
    return begun + random.integer(takes + 1);
  }
  const timer = {
    start: (value: number) => {
      started = access();
      count = value;
    },
    left: () => {
      const elapsed = Math.floor(((access() - started) * timerHz) / 1e9);
      return count - (elapsed % (count + reload));
    },
  };
  const stamps = {
    accessTsc: () => stamp,
    accessTicks: () => took,
    rdtsc: () => {
      now += 150 + random.integer(jitterNanos + 1);
      return tsc(now);
    },
  };
  return measureReload(timer, stamps, tscHz / timerHz);
}

describe('the ticks that a reload takes', () => {
  const MACHINES: readonly (readonly [string, Omit<Machine, 'reload' | 'seed'>])[] = [
    ['1 GHz, steady', { timerHz: 1e9, tscHz: 1e9, accessNanos: 150, jitterNanos: 0 }],
    ['1 GHz, 200 ns of jitter', { timerHz: 1e9, tscHz: 1e9, accessNanos: 700, jitterNanos: 200 }],
    ['1 GHz, 2 us of jitter', { timerHz: 1e9, tscHz: 2.7e9, accessNanos: 500, jitterNanos: 2000 }],
    ['100 MHz', { timerHz: 1e8, tscHz: 3e9, accessNanos: 700, jitterNanos: 500 }],
    ['24 MHz', { timerHz: 2.4e7, tscHz: 2e9, accessNanos: 700, jitterNanos: 500 }],
  ];

  it.each(MACHINES)('are found, whether none or one (%s)', (_, machine) => {
    for (let seed = 1; seed <= 10; seed++) {
      expect(measure({ ...machine, reload: 0, seed }), `none, seed ${seed}`).toBe(0);
      expect(measure({ ...machine, reload: 1, seed }), `one, seed ${seed}`).toBe(1);
    }
  });
});
