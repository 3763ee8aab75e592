/** The experiment's result as tables of text. */
import { alignColumns, COLUMNS } from '../report/table.ts';
import { modeNumber, PLAN_NAMES, PLANS, type Plan, type PlanName } from './matrix.ts';
import type { Trial } from './trial.ts';

const NS_PER_MS = 1e6;
const NS_PER_S = 1e9;

/** Digits enough for a part in a million. */
export const ratio = (value: number): string => value.toFixed(6);
export const millis = (value: number): string => {
  const ms = value / NS_PER_MS;
  return ms.toFixed(ms < 100 ? 3 : 1);
};
export const seconds = (value: number): string => `${value < 0 ? '-' : '+'}${Math.abs(value / NS_PER_S).toFixed(3)} s`;

const HEADINGS = [
  'rules',
  'mode',
  'TSC',
  'variant',
  'HPET/wall',
  'ticks/HPET',
  'gaps, ms',
  'early',
  'late',
  'of',
  'clock',
  'predicted',
] as const;

function rowOf({ tried, figures, differences }: Trial): string[] {
  const { hpetGaps, wholeFrames } = figures;
  return [
    tried.era,
    modeNumber(tried),
    tried.tsc,
    tried.variant,
    ratio(wholeFrames.hpetVsWall),
    ratio(wholeFrames.ticksVsHpet),
    `${millis(hpetGaps.least)}..${millis(hpetGaps.most)}`,
    String(hpetGaps.early),
    String(hpetGaps.late),
    String(figures.ticks - 1),
    seconds(figures.clockError),
    differences.length === 0 ? 'yes' : 'NO',
  ];
}

export const tableRows = (trials: readonly Trial[]): (readonly string[])[] => [HEADINGS, ...trials.map(rowOf)];

/** A sentence as lines of so many columns. */
export function wrapWords(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= COLUMNS) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** The slots of a plan in words. */
export function describePlan(name: PlanName): string {
  const { frame, slots }: Plan = PLANS[name];
  const had = slots.reduce((sum, [from, to]) => sum + to - from, 0);
  const spans = slots.map(([from, to]) => `${from / NS_PER_MS}-${to / NS_PER_MS}`).join(', ');
  return `${name}: ${ratio(had / frame)} of the time the guest has the CPU, at ${spans} of every ${frame / NS_PER_MS} ms`;
}

export const EXPLANATION =
  'HPET/wall, ticks/HPET: over whole frames, from the last tick of the second to the last tick of the last. ' +
  "gaps: between ticks on the guest's HPET; early: under 5 ms; late: over 15 ms. " +
  'clock: what an OS shows that counts ticks, minus what has passed. ' +
  'predicted: whether the rules say the same, counts exactly and spans to a count of the HPET.';

export function tableLines(trials: readonly Trial[]): string[] {
  return [
    ...PLAN_NAMES.flatMap((plan) => {
      const own = trials.filter(({ tried }) => tried.plan === plan);
      return own.length === 0 ? [] : [...wrapWords(describePlan(plan)), ...alignColumns(tableRows(own), ' '), ''];
    }),
    ...wrapWords(EXPLANATION),
  ];
}
