/**
 * What clocks a device: a crystal of a whole number of hertz that has run since guest time 0. Its ticks are numbers, and exact: up to 2^53 of
 * them, which is 79 years at 3.6 MHz.
 */
import { instant, NANOS_PER_SECOND, type Instant } from '../time/units.ts';
import type { Beat, GuestClock } from './device.ts';

export interface Crystal {
  /** Ticks up to now, one that is due at this very nanosecond included. */
  now(): number;
  /** Ticks up to an instant from 0 on. */
  at(when: Instant): number;
  /** The first whole nanosecond at which there have been so many. */
  instantOf(ticks: number): Instant;
  /** Deadlines at a tick, and at each `period` ticks after it; a period of 0 is a single one. */
  beat(first: number, period: number): Beat;
}

const SECOND = Number(NANOS_PER_SECOND);

/**
 * @param hertz a whole number, up to 9 MHz: times the nanoseconds of a second it is below 2^53
 * @throws RangeError for others
 */
export function createCrystal(clock: GuestClock, hertz: number): Crystal {
  if (!Number.isInteger(hertz) || hertz < 1 || hertz * SECOND > Number.MAX_SAFE_INTEGER)
    throw new RangeError(`a crystal of ${hertz} Hz can't be computed exactly`);
  /** The second that the last question was about, which has a whole number of ticks before it: of what is left, numbers hold all products. */
  let second = 0n;
  let ticksBefore = 0;

  function at(when: Instant): number {
    let rest = Number(when - second);
    if (rest < 0 || rest >= SECOND) {
      const seconds = when / NANOS_PER_SECOND;
      second = seconds * NANOS_PER_SECOND;
      ticksBefore = Number(seconds) * hertz;
      rest = Number(when - second);
    }
    // The quotient is at least 1/SECOND below the next whole number, which is more than a double of this size is off: nothing rounds up to it.
    return ticksBefore + (((rest * hertz) / SECOND) | 0);
  }

  return {
    // Without a further call while it is still the same second: this is in every read of a counter.
    now: () => {
      const when = clock.now();
      const rest = Number(when - second);
      return rest >= 0 && rest < SECOND ? ticksBefore + (((rest * hertz) / SECOND) | 0) : at(when);
    },
    at,
    instantOf: (ticks) => {
      const seconds = Math.floor(ticks / hertz);
      return instant(BigInt(seconds) * NANOS_PER_SECOND + BigInt(Math.ceil(((ticks - seconds * hertz) * SECOND) / hertz)));
    },
    beat: (first, period) => {
      const seconds = Math.floor(first / hertz);
      return {
        origin: instant(BigInt(seconds) * NANOS_PER_SECOND),
        phase: BigInt(first - seconds * hertz) * NANOS_PER_SECOND,
        numerator: BigInt(period) * NANOS_PER_SECOND,
        denominator: BigInt(hertz),
      };
    },
  };
}
