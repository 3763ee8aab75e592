/**
 * What becomes of a guest's time and of its ticks while it does not have the CPU: Xen's timer modes (HVM_PARAM_TIMER_MODE), by its own names.
 *
 * | mode | guest time while it is absent | of n ticks missed meanwhile | ticks that the CPU has not taken |
 * | --- | --- | --- | --- |
 * | delay_for_missed_ticks | stands still | all are delivered, each steps guest time to its deadline, until it has caught up | wait |
 * | no_delay_for_missed_ticks | runs on | all are delivered, in a burst | wait |
 * | no_missed_ticks_pending | runs on | none; but the first one after that is kept, whenever it comes | merge |
 * | one_missed_tick_pending | runs on | one, at once | merge |
 *
 * In all of them ticks keep their beat, and a one-shot is never missed: it comes late, or in the first mode at its deadline.
 */
export interface TimerMode {
  readonly freezes: boolean;
  readonly missed: 'all' | 'none' | 'one';
}

export const TIMER_MODES = {
  delay_for_missed_ticks: { freezes: true, missed: 'all' },
  no_delay_for_missed_ticks: { freezes: false, missed: 'all' },
  no_missed_ticks_pending: { freezes: false, missed: 'none' },
  one_missed_tick_pending: { freezes: false, missed: 'one' },
} as const satisfies Record<string, TimerMode>;

export type TimerModeName = keyof typeof TIMER_MODES;

/** Xen's numbers of the modes are places in this list. */
export const TIMER_MODE_NAMES = Object.keys(TIMER_MODES) as readonly TimerModeName[];
