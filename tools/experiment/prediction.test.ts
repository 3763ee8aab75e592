import { describe, expect, it } from 'vitest';
import { analysePrediction } from './analysis.ts';
import { nameOf, PERIOD, PLAN_NAMES, PLANS, selectCases, type Case } from './matrix.ts';
import { predict } from './prediction.ts';

const MS = 1_000_000;
const START = 960_000;
const FRAMES = 10;
const of = (own: Case, service?: number) =>
  analysePrediction(predict(own, { start: START, frames: FRAMES, ...(service === undefined ? {} : { service }) }), PLANS[own.plan]);
const regular = (selection: Parameters<typeof selectCases>[0]): Case =>
  selectCases({ plans: ['regular'], tscs: ['native'], ...selection })[0]!;

/** Ten frames: 19 ticks in the first slot, and per frame after it what the rules make of 20 that come due in it and 20 in the absence before. */
const FIRST = 19;
const AFTER = FRAMES - 1;

it.each([
  ['mode 0 as is: all, a period apart', { modes: [0] }, FIRST + 40 * AFTER, 0, 0, 1, 1],
  [
    'mode 0, post: all, at twice the pace of an HPET that lost the absences',
    { modes: [0], variants: ['post'] },
    FIRST + 40 * AFTER,
    180,
    0,
    0.5,
    2,
  ],
  ['mode 0, thaw: all, 20 in a burst', { modes: [0], variants: ['thaw'] }, FIRST + 40 * AFTER, 180, 9, 1, 1],
  ['mode 0, patch: the same', { modes: [0], variants: ['patch'] }, FIRST + 40 * AFTER, 180, 9, 1, 1],
  ['mode 1: the same', { modes: [1] }, FIRST + 40 * AFTER, 180, 9, 1, 1],
  ['mode 2: half of them, on the beat', { modes: [2] }, FIRST + 20 * AFTER, 0, 9, 1, 0.5],
  ['mode 3: one more per absence', { modes: [3] }, FIRST + 21 * AFTER, 9, 9, 1, 0.525],
  ['2007 as is: the same, on an HPET that lost the absences', { eras: ['2007'] }, FIRST + 21 * AFTER, 9, 0, 0.5, 1.05],
  ['2007, patch: the same, on an HPET that is right', { eras: ['2007'], variants: ['patch'] }, FIRST + 21 * AFTER, 9, 9, 1, 0.525],
] as const)('%s', (_what, selection, ticks, early, late, hpetVsWall, ticksVsHpet) => {
  expect(of(regular(selection))).toMatchObject({ ticks, gaps: { early, late }, wholeFrames: { hpetVsWall, ticksVsHpet } });
});

it('mode 2 keeps a tick through a slice in which none is due', () => {
  const seen = predict(selectCases({ plans: ['irregular'], modes: [2], tscs: ['native'] })[0]!, { start: START, frames: 1 });
  // 193 to 200 ms has none; the absence after it ends at 238.
  expect(seen.map(({ wall }) => wall).filter((wall) => wall > 160 * MS && wall < 250 * MS)).toEqual(
    [160, 170, 237.04, 240].map((ms) => ms * MS + START),
  );
});

describe.each(PLAN_NAMES)('in the plan %s', (plan) => {
  it('no count depends on how long a tick of a burst takes, nor on the moment at which the guest starts its HPET', () => {
    for (const own of selectCases({ plans: [plan] })) {
      const counts = [20_000, 150_000, 240_000].flatMap((service) =>
        [700_000, START, 1_300_000].map((start) => {
          const { ticks, gaps, wholeFrames } = analysePrediction(predict(own, { start, frames: 3, service }), PLANS[plan]);
          return { ticks, early: gaps.early, late: gaps.late, whole: wholeFrames.ticks };
        }),
      );
      expect(counts, nameOf(own)).toEqual(counts.map(() => counts[0]));
    }
  });

  it('no two slots touch, and the frame is a whole number of ticks', () => {
    const { frame, slots } = PLANS[plan];
    expect(frame % PERIOD).toBe(0);
    slots.forEach(([from, to], index) => expect(from < to && to < (slots[index + 1]?.[0] ?? frame)).toBe(true));
  });
});

it('the whole matrix: 4 modes x 2 TSCs x 4 variants and 4 of 2007, in two plans', () => {
  expect(selectCases()).toHaveLength(2 * (4 * 2 * 4 + 4));
  expect(new Set(selectCases().map(nameOf)).size).toBe(72);
  expect(selectCases({ modes: [2], tscs: ['emulated'], variants: ['patch'], plans: ['irregular'] }).map(nameOf)).toEqual([
    'today-mode2-emulated-patch-irregular',
  ]);
});
