/** A clock's instants of TSC values and the other way round: stamps are TSC values, deadlines are instants of the clock. */
import { nanosToTicks, ticksToNanos, type Frequency } from './frequency.ts';
import type { HwClock } from './hw-clock.ts';
import { instant, nanos, ticks, type Instant } from './units.ts';

export interface TscInstants {
  /** Rounded down. */
  toInstant(tsc: bigint): Instant;
  /** Rounded up: what is done then is not early. */
  toTsc(when: Instant): bigint;
  /**
   * Compares the clock with the TSC and follows it. Two crystals drift: what is between two calls is the most that the others are
   * wrong by, beside the clock's resolution. Within that it stays as it is, so that intervals are the TSC's.
   */
  follow(): void;
}

/** @param tscFrequency may be wrong by its uncertainty */
export function createTscInstants(clock: Pick<HwClock, 'now' | 'readingTsc' | 'resolution'>, tscFrequency: Frequency): TscInstants {
  let origin = clock.now();
  let originTsc = clock.readingTsc();
  const toInstant = (tsc: bigint): Instant => instant(origin + ticksToNanos(tscFrequency, ticks(tsc - originTsc)));
  return {
    toInstant,
    toTsc: (when) => originTsc + nanosToTicks(tscFrequency, nanos(when - origin)),
    follow: () => {
      const now = clock.now();
      const tsc = clock.readingTsc();
      const off = now - toInstant(tsc);
      if (off <= clock.resolution && -off <= clock.resolution) return;
      origin = now;
      originTsc = tsc;
    },
  };
}
