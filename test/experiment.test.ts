/** The experiment in QEMU: a part of its matrix, each figure against what the rules predict, which is said here once more in numbers. */
import { beforeAll, describe, expect, it } from 'vitest';
import { selectCases, type Selection } from '../tools/experiment/matrix.ts';
import { claimsOf } from '../tools/experiment/claims.ts';
import { experimentHtml } from '../tools/experiment/html.ts';
import { tableLines } from '../tools/experiment/table.ts';
import { runTrials, type Trial } from '../tools/experiment/trial.ts';

/** Five frames: what follows the first slot, whose ticks miss nothing, is four times the same. */
const SECONDS = 2;
const FIRST = 19;
const AFTER = 4;

const native = (selection: Selection): Selection => ({ tscs: ['native'], plans: ['regular'], ...selection });
const SELECTIONS: readonly Selection[] = [
  native({ modes: [0] }),
  { modes: [0], variants: ['as-is', 'post'], tscs: ['emulated'], plans: ['regular'] },
  native({ modes: [1, 2, 3], variants: ['as-is'] }),
  native({ eras: ['2007'], variants: ['as-is', 'patch'] }),
  native({ modes: [0], variants: ['as-is'], plans: ['irregular'] }),
  native({ modes: [2], variants: ['as-is'], plans: ['irregular'] }),
];

let trials: ReadonlyMap<string, Trial>;
beforeAll(async () => {
  const ran = await runTrials(SELECTIONS.flatMap(selectCases), SECONDS, 2);
  trials = new Map(ran.map((trial) => [trial.name, trial]));
}, 240_000);

function figuresOf(name: string) {
  const { figures } = trials.get(name)!;
  const { hpetGaps, wholeFrames } = figures;
  return { ticks: figures.ticks, early: hpetGaps.early, late: hpetGaps.late, hpet: wholeFrames.hpet, counted: wholeFrames.ticks };
}

/** Whole frames are three, 1.2 s of wall. */
const S = 1e9;

it.each([
  // All 40 ticks of a frame; the HPET is right, every gap a period.
  ['today-mode0-native-as-is-regular', { ticks: FIRST + 40 * AFTER, early: 0, late: 0, hpet: 1.2 * S, counted: 120 }],
  // 20 are taken in a burst behind each absence, which is a late gap on an HPET that has run on.
  ['today-mode0-native-thaw-regular', { ticks: FIRST + 40 * AFTER, early: 20 * AFTER, late: AFTER, hpet: 1.2 * S, counted: 120 }],
  // The HPET has the run fraction; no absence shows on it, the burst does.
  ['today-mode0-native-post-regular', { ticks: FIRST + 40 * AFTER, early: 20 * AFTER, late: 0, hpet: 0.6 * S, counted: 120 }],
  ['today-mode0-native-patch-regular', { ticks: FIRST + 40 * AFTER, early: 20 * AFTER, late: AFTER, hpet: 1.2 * S, counted: 120 }],
  ['today-mode1-native-as-is-regular', { ticks: FIRST + 40 * AFTER, early: 20 * AFTER, late: AFTER, hpet: 1.2 * S, counted: 120 }],
  // Half of the ticks, on the beat.
  ['today-mode2-native-as-is-regular', { ticks: FIRST + 20 * AFTER, early: 0, late: AFTER, hpet: 1.2 * S, counted: 60 }],
  // And one for each absence, just before the next on the beat.
  ['today-mode3-native-as-is-regular', { ticks: FIRST + 21 * AFTER, early: AFTER, late: AFTER, hpet: 1.2 * S, counted: 63 }],
  // The same ticks, on an HPET that stood still in the absences.
  ['2007-as-is-regular', { ticks: FIRST + 21 * AFTER, early: AFTER, late: 0, hpet: 0.6 * S, counted: 63 }],
  ['2007-patch-regular', { ticks: FIRST + 21 * AFTER, early: AFTER, late: AFTER, hpet: 1.2 * S, counted: 63 }],
] as const)('%s', (name, { hpet, ...counts }) => {
  const seen = figuresOf(name);
  expect(seen).toMatchObject(counts);
  expect(Math.abs(seen.hpet - hpet)).toBeLessThanOrEqual(trials.get(name)!.observation.resolution);
});

it('every run is what the model of the rules says, in irregular slices too', () => {
  const wrong = [...trials.values()].flatMap(({ name, differences }) => differences.map((text) => `${name}: ${text}`));
  expect(wrong).toEqual([]);
  expect(trials.size).toBe(SELECTIONS.flatMap(selectCases).length);
});

describe.each(['regular', 'irregular'])('xen.mode0 as is, %s', (plan) => {
  it('keeps its bars: gaps from 9.9 to 10.1 ms, ratios of 1 within a part in a million', () => {
    const { hpetGaps, wholeFrames, tscGaps } = trials.get(`today-mode0-native-as-is-${plan}`)!.figures;
    expect(hpetGaps.least).toBeGreaterThanOrEqual(9_900_000);
    expect(hpetGaps.most).toBeLessThanOrEqual(10_100_000);
    expect(Math.abs(wholeFrames.hpetVsWall - 1)).toBeLessThan(1e-6);
    expect(Math.abs(wholeFrames.ticksVsHpet - 1)).toBeLessThan(1e-6);
    // Xen's native TSC disagrees with its HPET here, by 220 ms.
    expect([tscGaps.early, tscGaps.late]).toEqual([0, 0]);
  });
});

it('the TSC shows what the HPET shows: within a count of each, and what lies between the two readings', () => {
  for (const { name, tried, figures } of trials.values()) if (tried.tsc === 'native') expect(figures.disagreement, name).toBeLessThan(100);
});

/** Of 62.5 MHz. */
const HPET_COUNT_NS = 16;

it('an emulated TSC counts the same', () => {
  for (const variant of ['as-is', 'post']) {
    const { hpet: emulated, ...counted } = figuresOf(`today-mode0-emulated-${variant}-regular`);
    const { hpet: native, ...alike } = figuresOf(`today-mode0-native-${variant}-regular`);
    expect(counted).toEqual(alike);
    // A reading that falls beside the next count.
    expect(Math.abs(emulated - native)).toBeLessThanOrEqual(HPET_COUNT_NS);
  }
});

it('says of both claims what the figures say', () => {
  const claims = claimsOf([...trials.values()]);
  expect(claims.map(({ claim, era, verdict }) => [era, claim, verdict])).toEqual([
    ['today', 'intervals differ', 'confirmed'],
    ['today', 'time is wrong, even slow', 'refuted'],
    ['2007', 'intervals differ', 'refined'],
    ['2007', 'time is wrong, even slow', 'refined'],
  ]);
  expect(claims[1]!.text).toContain('its second half alone would do it: its HPET runs at 0.500000 of wall time');
  expect(claims[3]!.text).toContain('an OS that counts ticks at 0.525000; without it its HPET runs at 0.500000');
});

it('has a table of 100 columns at most, and a page that needs no network', () => {
  const ran = [...trials.values()];
  const lines = tableLines(ran);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
  const page = experimentHtml(ran, claimsOf(ran));
  expect(page.match(/<svg/g)).toHaveLength(4 * ran.length);
  expect(page).not.toMatch(/https?:|<script|<link|NaN|undefined/);
});
