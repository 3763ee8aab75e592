import type { Frequency } from './frequency.ts';
import type { Instant, Nanos } from './units.ts';

export type TimerName = 'pit' | 'hpet' | 'lapic';

/**
 * A hardware timer: one deadline, one interrupt. The contract, of which each sentence is a case in
 * kernel/time/hw-timer.contract.ts that every timer and the host's fake runs:
 *
 * - It expires at its deadline or later, never earlier (by the clock it was created with).
 * - It is disarmed when the handler runs; the handler may arm it again.
 * - A deadline that has passed expires at once: as soon as interrupts are taken.
 * - A deadline beyond the counter's reach expires once, at its time; what happens in between is not seen.
 * - Arming an armed timer replaces its deadline. A disarmed timer does not expire.
 * - `arm` throws RangeError for a deadline that no clock of this machine will ever show (negative, beyond 2^63 ns).
 */
export interface HwTimer {
  readonly name: TimerName;
  readonly frequency: Frequency;
  /** Shortest interval that is kept to a tick; a nearer deadline expires after this interval. */
  readonly minInterval: Nanos;
  /** Longest interval of one run of the counter; a later deadline takes several. */
  readonly maxInterval: Nanos;
  arm(deadline: Instant): void;
  disarm(): void;
  isArmed(): boolean;
}

/** @param taken TSC at the first instructions of the interrupt's stub */
export type ExpiryHandler = (taken: bigint) => void;
