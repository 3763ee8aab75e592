/** Whether the slots of a plan can be kept: of numbers in nanoseconds alone, whoever they belong to. */
import { SLOT_MIN_NS } from '../../kernel/partition/system.ts';
import { showNanos } from '../report/statistics.ts';

export interface Slot {
  /** In the plan's list. */
  readonly index: number;
  readonly start: number;
  readonly duration: number;
}

export interface ScheduleProblem {
  readonly kind: 'too-short' | 'outside' | 'overlap' | 'order' | 'gap';
  /** Of the slot that is to be changed; undefined for the plan as a whole. */
  readonly slot: number | undefined;
  readonly message: string;
}

const ends = ({ start, duration }: Slot): number => start + duration;

/** Every problem there is. Slots have durations above 0. */
export function findScheduleProblems(frame: number, slots: readonly Slot[], isIdleAllowed: boolean): ScheduleProblem[] {
  const problems: ScheduleProblem[] = [];
  for (const slot of slots) {
    if (slot.duration < SLOT_MIN_NS) {
      const message = `${showNanos(slot.duration)} are too short for a slot: at least ${showNanos(SLOT_MIN_NS)} are needed to prepare the next one`;
      problems.push({ kind: 'too-short', slot: slot.index, message });
    }
    if (ends(slot) > frame) {
      const message = `ends at ${showNanos(ends(slot))}, ${showNanos(ends(slot) - frame)} behind the end of the major frame of ${showNanos(frame)}`;
      problems.push({ kind: 'outside', slot: slot.index, message });
    }
  }

  for (const [position, slot] of slots.entries()) {
    const before = slots[position - 1];
    if (!before || before.start <= slot.start) continue;
    const message = `begins at ${showNanos(slot.start)}, before slots[${before.index}] (${showNanos(before.start)}): write slots in the order of their starts`;
    problems.push({ kind: 'order', slot: slot.index, message });
  }

  // In the order of time, against the one that reaches farthest of those before.
  const sorted = [...slots].sort((a, b) => a.start - b.start || a.index - b.index);
  const gaps: string[] = [];
  let farthest: Slot | undefined;
  for (const slot of sorted) {
    const covered = farthest ? ends(farthest) : 0;
    if (farthest && slot.start < covered) {
      const message = `begins at ${showNanos(slot.start)}, while slots[${farthest.index}] runs until ${showNanos(covered)}: they overlap by ${showNanos(Math.min(covered, ends(slot)) - slot.start)}`;
      problems.push({ kind: 'overlap', slot: slot.index, message });
    }
    if (slot.start > covered && covered < frame) gaps.push(span(covered, Math.min(slot.start, frame)));
    if (!farthest || ends(slot) > covered) farthest = slot;
  }
  const covered = farthest ? ends(farthest) : 0;
  if (covered < frame) gaps.push(span(covered, frame));
  if (gaps.length > 0 && !isIdleAllowed) {
    const message = `the major frame of ${showNanos(frame)} is not filled: nobody has ${gaps.join(', ')}. Add slots, or say idle: 'allowed' if that is meant`;
    problems.push({ kind: 'gap', slot: undefined, message });
  }
  return problems;
}

const span = (from: number, to: number): string => `${showNanos(from)} to ${showNanos(to)}`;

/**
 * Longest time in which a partition has no slot, from frame to frame, in nanoseconds.
 * @param slots the partition's own, sorted and not overlapping; at least one
 */
export function longestAbsence(frame: number, slots: readonly Slot[]): number {
  const first = slots[0]!.start + frame;
  return Math.max(...slots.map((slot, index) => (slots[index + 1]?.start ?? first) - ends(slot)));
}
