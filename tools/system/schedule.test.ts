import { describe, expect, it } from 'vitest';
import { SLOT_MIN_NS } from '../../kernel/partition/system.ts';
import { createRandom, type Random } from '../../kernel/testing/random.ts';
import { findScheduleProblems, longestAbsence, type ScheduleProblem, type Slot } from './schedule.ts';

/** Slots as [start, duration] in units of the shortest slot. */
const UNIT = SLOT_MIN_NS;
const slotsOf = (...pairs: readonly (readonly [number, number])[]): Slot[] =>
  pairs.map(([start, duration], index) => ({ index, start: start * UNIT, duration: duration * UNIT }));
const kindsOf = (problems: readonly ScheduleProblem[]): string[] => problems.map(({ kind, slot }) => `${kind} ${slot ?? 'plan'}`);
const find = (frame: number, slots: readonly Slot[], idle = false): string[] => kindsOf(findScheduleProblems(frame * UNIT, slots, idle));

describe('a schedule', () => {
  it('that fills its frame has no problems', () => {
    expect(find(10, slotsOf([0, 4], [4, 6]))).toEqual([]);
    expect(find(1, slotsOf([0, 1]))).toEqual([]);
  });

  it.each<[string, number, Slot[], string[]]>([
    ['overlap', 10, slotsOf([0, 5], [4, 6]), ['overlap 1']],
    ['overlap by a nanosecond', 10, [...slotsOf([0, 5]), { index: 1, start: 5 * UNIT - 1, duration: 5 * UNIT + 1 }], ['overlap 1']],
    ['a long slot over several', 10, slotsOf([0, 10], [2, 2], [6, 2]), ['overlap 1', 'overlap 2']],
    ['the same slot twice', 10, slotsOf([0, 10], [0, 10]), ['overlap 1']],
    ['a slot beyond the frame', 10, slotsOf([0, 4], [4, 7]), ['outside 1']],
    ['a slot that begins behind the frame', 10, slotsOf([0, 10], [10, 1]), ['outside 1']],
    [
      'a slot too short',
      10,
      [
        { index: 0, start: 0, duration: UNIT - 1 },
        { index: 1, start: UNIT - 1, duration: 9 * UNIT + 1 },
      ],
      ['too-short 0'],
    ],
    ['slots out of order', 10, slotsOf([4, 6], [0, 4]), ['order 1']],
    ['a gap at the start', 10, slotsOf([1, 9]), ['gap plan']],
    ['a gap between', 10, slotsOf([0, 4], [5, 5]), ['gap plan']],
    ['a gap at the end', 10, slotsOf([0, 9]), ['gap plan']],
    ['a gap of a nanosecond', 10, [...slotsOf([0, 5]), { index: 1, start: 5 * UNIT + 1, duration: 5 * UNIT - 1 }], ['gap plan']],
    ['all at once', 10, slotsOf([3, 4], [0, 2], [6, 5]), ['outside 2', 'order 1', 'overlap 2', 'gap plan']],
  ])('with %s', (_, frame, slots, expected) => {
    expect(find(frame, slots)).toEqual(expected);
  });

  it('may have gaps where that is said, and nothing else', () => {
    expect(find(10, slotsOf([1, 2], [5, 2]), true)).toEqual([]);
    expect(find(10, slotsOf([1, 5], [5, 2]), true)).toEqual(['overlap 1']);
  });

  it('is told of in instants', () => {
    expect(
      findScheduleProblems(
        10_000_000,
        [
          { index: 0, start: 0, duration: 4_000_000 },
          { index: 1, start: 3_900_000, duration: 6_000_001 },
        ],
        false,
      ),
    ).toEqual([
      { kind: 'overlap', slot: 1, message: 'begins at 3.9 ms, while slots[0] runs until 4 ms: they overlap by 100 us' },
      { kind: 'gap', slot: undefined, message: expect.stringContaining('nobody has 9.900001 ms to 10 ms. ') },
    ]);
  });

  it('keeps a partition away at most from one slot to the next, over the end of the frame', () => {
    expect(
      longestAbsence(
        10,
        slotsOf([0, 1]).map((slot) => ({ ...slot, start: 2, duration: 3 })),
      ),
    ).toBe(7);
    expect(longestAbsence(100 * UNIT, slotsOf([10, 10], [50, 10]))).toBe(50 * UNIT);
  });
});

describe('whatever the slots', () => {
  /** Without ends and sorting: how many slots have each unit of time. */
  function counted(frame: number, slots: readonly Slot[]): { isOverlapping: boolean; isFilled: boolean } {
    const units = Array.from(
      { length: 3 * frame },
      (_, unit) => slots.filter(({ start, duration }) => start <= unit * UNIT && unit * UNIT < start + duration).length,
    );
    return { isOverlapping: units.some((count) => count > 1), isFilled: units.slice(0, frame).every((count) => count > 0) };
  }

  const anySlots = (random: Random, frame: number): Slot[] =>
    slotsOf(...Array.from({ length: 1 + random.integer(6) }, () => [random.integer(frame), 1 + random.integer(frame)] as const));

  it('overlap, gap, order and end are found exactly where counting finds them', () => {
    const random = createRandom(20_260_101);
    const seen = new Set<string>();
    for (let round = 0; round < 5_000; round++) {
      const frame = 1 + random.integer(12);
      const slots = anySlots(random, frame);
      const context = `round ${round}: frame ${frame}, ${JSON.stringify(slots)}`;
      const kinds = new Set(findScheduleProblems(frame * UNIT, slots, false).map(({ kind }) => kind));
      const { isOverlapping, isFilled } = counted(frame, slots);
      expect(kinds.has('overlap'), context).toBe(isOverlapping);
      expect(kinds.has('gap'), context).toBe(!isFilled);
      expect(kinds.has('outside'), context).toBe(slots.some(({ start, duration }) => start + duration > frame * UNIT));
      expect(kinds.has('order'), context).toBe(slots.some(({ start }, index) => index > 0 && start < slots[index - 1]!.start));
      kinds.forEach((kind) => seen.add(kind));
    }
    expect([...seen].sort()).toEqual(['gap', 'order', 'outside', 'overlap']);
  });

  it('a frame that is cut into slots has no problem, and has one as soon as one slot is moved, longer or shorter', () => {
    const random = createRandom(7);
    for (let round = 0; round < 2_000; round++) {
      const slots: Slot[] = [];
      let end = 0;
      for (let index = 0; index <= random.integer(8); index++) {
        const duration = UNIT + random.integer(10 * UNIT);
        slots.push({ index, start: end, duration });
        end += duration;
      }
      expect(findScheduleProblems(end, slots, false)).toEqual([]);
      const victim = random.integer(slots.length);
      const by = (1 + random.integer(UNIT)) * (random.integer(2) === 0 ? 1 : -1);
      const changed = slots.map((slot) => {
        if (slot.index !== victim) return slot;
        return round % 2 === 0 ? { ...slot, start: Math.max(0, slot.start + by) } : { ...slot, duration: Math.max(1, slot.duration + by) };
      });
      if (changed[victim]!.start === slots[victim]!.start && changed[victim]!.duration === slots[victim]!.duration) continue;
      expect(findScheduleProblems(end, changed, false), `round ${round}: ${JSON.stringify(changed)}`).not.toEqual([]);
    }
  });
});
