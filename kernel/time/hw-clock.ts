import type { Frequency } from './frequency.ts';
import type { Instant, Nanos } from './units.ts';

export type ClockName = 'pit' | 'tsc' | 'hpet' | 'pm-timer';

/**
 * A hardware clock: the machine's one source of time. The contract; each sentence has a case in
 * counter-clock.test.ts:
 *
 * - It never goes backwards, whatever happens between two readings.
 * - It counts from 0 at its creation plus the `epoch` it was given, in nanoseconds, rounded down.
 * - Two readings differ by the time between them, to one resolution: it neither jumps nor slides.
 * - A wrap of the counter is not seen, as long as it is read once per `reach`.
 */
export interface HwClock {
  readonly name: ClockName;
  readonly frequency: Frequency;
  /** Of the hardware counter, in bits. */
  readonly width: number;
  /** One tick, rounded up to nanoseconds. */
  readonly resolution: Nanos;
  /** Longest time between two readings. Beyond it a narrow counter has wrapped unseen. */
  readonly reach: Nanos;
  now(): Instant;
  /** TSC at the last reading, to a few instructions: valid right after `now`. What is done about a reading starts there. */
  readingTsc(): bigint;
}
