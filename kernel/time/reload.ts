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
  timer.start(COUNT);
  const start = accessTsc();
  const end = start + BigInt(Math.ceil(PERIODS * COUNT * tscPerTick));
  while (rdtsc() < end);

  let quickest = Infinity;
  let slips = false;
  for (let reading = 0; reading < READINGS; reading++) {
    const left = timer.left();
    const elapsed = Number(accessTsc() - start) / tscPerTick;
    // The reading that was held up least is dated best.
    if (accessTicks() >= quickest) continue;
    quickest = accessTicks();
    const distance = (period: number): number => {
      const off = Math.abs(left - (COUNT - (elapsed % period)));
      return Math.min(off, period - off);
    };
    slips = distance(COUNT + 1) < distance(COUNT);
  }
  return slips ? 1 : 0;
}
