import type { Stamps } from './stamps.ts';

/** A timer that counts down from an initial count and reloads itself. */
export interface ReloadingTimer {
  /** Starts it, without interrupts. Counting starts with this call's last access. */
  start(count: number): void;
  /** Ticks left. Ends with the access that reads them. */
  left(): number;
}

/** Short enough for thousands of periods in SPAN, long enough that half of it is no error of reading. */
const COUNT = 10_000;
const PERIODS = COUNT / 2;
const READINGS = 16;

/**
 * How many ticks a period has beyond the initial count: 0 or 1. The manuals do not say whether a reload takes a tick. QEMU's
 * local APIC does it, so that 1,000 periods of 1,000,000 ticks would come 1,000 ticks late.
 *
 * After n periods the count has slipped by n for each tick that a reload takes; with n half the count, the two cases are as
 * far apart as they can be.
 * @param tscPerTick ticks of the TSC per tick of the timer
 */
export function measureReload(timer: ReloadingTimer, { accessTsc, accessTicks, rdtsc }: Stamps, tscPerTick: number): 0 | 1 {
  /** The one that was held up least is dated best. */
  function read(): { readonly left: number; readonly at: bigint } {
    let best = { left: 0, at: 0n };
    let quickest = Infinity;
    for (let reading = 0; reading < READINGS; reading++) {
      const left = timer.left();
      const took = accessTicks();
      if (took >= quickest) continue;
      quickest = took;
      best = { left, at: accessTsc() };
    }
    return best;
  }

  timer.start(COUNT);
  // Not from the start on: where accesses take long, a write and a read take differently long.
  const first = read();
  const end = first.at + BigInt(Math.ceil(PERIODS * COUNT * tscPerTick));
  while (rdtsc() < end);
  const last = read();
  const elapsed = Number(last.at - first.at) / tscPerTick;
  const distance = (period: number): number => {
    const off = Math.abs(last.left - first.left + elapsed) % period;
    return Math.min(off, period - off);
  };
  return distance(COUNT + 1) < distance(COUNT) ? 1 : 0;
}
