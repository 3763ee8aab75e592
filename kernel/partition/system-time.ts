/** Time since the epoch, the start of the first major frame, and the TSC values that it is at. */
import { reducedPerNano, type Frequency } from '../time/frequency.ts';
import type { HwClock } from '../time/hw-clock.ts';

export interface SystemTime {
  /** TSC at which an instant has come: rounded up, so never before it. */
  toTsc(instant: bigint): bigint;
  /** Instant of a TSC value, rounded down. */
  toInstant(tsc: bigint): bigint;
  now(): bigint;
  /** TSC ticks of a duration, rounded up. */
  toTicks(duration: bigint): bigint;
  /** Duration of so many TSC ticks, rounded down. */
  toNanos(ticks: bigint): bigint;
  /** Where the machine's clock is not the TSC, follows that clock. */
  follow(): void;
}

/** A followed rate is in steps of 2^-30 ticks per ns, a nanosecond in a second. Products stay below 2^63 for two seconds of a TSC of 4 GHz. */
const RATE_BITS = 30n;
/** Over less time a rate is a guess, ns. */
const FOLLOWED_FROM = 1_000_000n;

/**
 * @param clock the machine's clock; where it is the TSC, nothing is ever followed and nothing rounds twice
 * @param epochTsc TSC of the epoch
 */
export function createSystemTime(rdtsc: () => bigint, tscFrequency: Frequency, clock: HwClock, epochTsc: bigint): SystemTime {
  // Durations are by the rate of the start, always: a partition's execution clock is one, and does not go back.
  const nominal = reducedPerNano(tscFrequency);
  let { multiply, divide } = nominal;
  let anchorTsc = epochTsc;
  let anchor = 0n;
  const isTsc = clock.name === 'tsc';
  const clockNow = clock.now();
  const clockEpoch: bigint = clockNow + ((epochTsc - clock.readingTsc()) * divide) / multiply;
  const firstTsc = clock.readingTsc();

  function toTsc(instant: bigint): bigint {
    const ahead = (instant - anchor) * multiply;
    // Truncation rounds towards the anchor; before it that is up.
    return anchorTsc + (divide === 1n ? ahead : ahead > 0n ? (ahead + divide - 1n) / divide : ahead / divide);
  }
  function toInstant(tsc: bigint): bigint {
    const ahead = (tsc - anchorTsc) * divide;
    // Truncation rounds towards the anchor; before it that is up.
    return anchor + (multiply === 1n ? ahead : ahead >= 0n ? ahead / multiply : -((-ahead + multiply - 1n) / multiply));
  }

  return {
    toTsc,
    toInstant,
    now: () => toInstant(rdtsc()),
    toTicks: (duration) => (duration * nominal.multiply + nominal.divide - 1n) / nominal.divide,
    toNanos: (ticks) => (nominal.multiply === 1n ? ticks * nominal.divide : (ticks * nominal.divide) / nominal.multiply),
    follow: () => {
      if (isTsc) return;
      const reading = clock.now();
      const tsc = clock.readingTsc();
      const elapsed = reading - clockNow;
      // The rate over the whole run: a reading's own error becomes nothing in seconds.
      if (elapsed > FOLLOWED_FROM) {
        multiply = ((tsc - firstTsc) << RATE_BITS) / elapsed;
        divide = 1n << RATE_BITS;
      }
      anchorTsc = tsc;
      anchor = reading - clockEpoch;
    },
  };
}
