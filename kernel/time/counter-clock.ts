/** A clock over a free-running counter: HPET main counter, TSC, PM timer. */
import type { ReferenceCounter } from './calibration.ts';
import { createTickScale } from './frequency.ts';
import type { ClockName, HwClock } from './hw-clock.ts';
import { instant, nanos, NANOS_PER_SECOND, ticks, type Instant } from './units.ts';

/** A reach beyond a century is as good as none. */
const FOREVER = nanos(1n << 62n);

/**
 * @param epoch what the clock shows now
 * @param readingTsc TSC of the counter's last reading, see HwClock
 */
export function createCounterClock(name: ClockName, counter: ReferenceCounter, epoch: Instant, readingTsc: () => bigint): HwClock {
  const { frequency, width, read } = counter;
  const toNanos = createTickScale(frequency);
  let last = read();
  let elapsed = 0n;
  const wrap = ((NANOS_PER_SECOND * frequency.denominator) << BigInt(width)) / frequency.numerator;

  return {
    name,
    frequency,
    width,
    resolution: nanos((NANOS_PER_SECOND * frequency.denominator + frequency.numerator - 1n) / frequency.numerator),
    reach: wrap < FOREVER ? nanos(wrap) : FOREVER,
    readingTsc,
    now: () => {
      const value = read();
      // Modulo the width: a wrap is a step like any other, and no step is negative.
      elapsed += BigInt.asUintN(width, value - last);
      last = value;
      return instant(epoch + toNanos(ticks(elapsed)));
    },
  };
}
