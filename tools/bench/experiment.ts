/** Figures of the experiment tsc-sync, 4 virtual seconds of the regular plan: `xen.mode0.` as is, and what its variants and the other modes make of it. */
import { modeNumber, selectCases } from '../experiment/matrix.ts';
import { runTrials, type Trial } from '../experiment/trial.ts';
import type { Figure } from './figure.ts';

const SECONDS = 4;
const JOBS = 2;
const MS = 1e6;
/** Of mode 0 as is: from 9.9 to 10.1 ms, 1 within a part in a million. */
const GAP_LIMIT_MS = 0.1;
const RATIO_LIMIT = 1e-6;

/** `xen.mode0`, `xen.mode0.patch`, `xen.2007`. */
const prefixOf = ({ tried }: Trial): string =>
  ['xen', tried.era === '2007' ? '2007' : `mode${modeNumber(tried)}`, ...(tried.variant === 'as-is' ? [] : [tried.variant])].join('.');

/** Nothing here has room: a bar of 0 is one, and figures that are as predicted have one by that. */
function figuresOf(trial: Trial): Figure[] {
  const { hpetGaps, wholeFrames } = trial.figures;
  const prefix = prefixOf(trial);
  const isAsIs = prefix === 'xen.mode0';
  const limit = (value: number): Pick<Figure, 'limit'> => (isAsIs ? { limit: value } : {});
  return [
    { name: `${prefix}.gap_early`, value: hpetGaps.early, unit: 'gaps', ...limit(0) },
    { name: `${prefix}.gap_late`, value: hpetGaps.late, unit: 'gaps', ...limit(0) },
    { name: `${prefix}.gap_min_ms`, value: hpetGaps.least / MS, unit: 'ms' },
    { name: `${prefix}.gap_max_ms`, value: hpetGaps.most / MS, unit: 'ms', ...limit(10 + GAP_LIMIT_MS) },
    { name: `${prefix}.hpet_vs_wall_ppm`, value: 1e6 * wholeFrames.hpetVsWall, unit: 'ppm', ...limit(1e6 * (1 + RATIO_LIMIT)) },
    { name: `${prefix}.ticks_vs_hpet_ppm`, value: 1e6 * wholeFrames.ticksVsHpet, unit: 'ppm', ...limit(1e6 * (1 + RATIO_LIMIT)) },
    { name: `${prefix}.not_as_predicted`, value: trial.differences.length, unit: 'figures', limit: 0 },
  ];
}

export async function experimentFigures(): Promise<Figure[]> {
  const cases = selectCases({ plans: ['regular'], tscs: ['native'] });
  // In modes 1 to 3 the variants are the same.
  const own = cases.filter(({ mode, variant }) => mode === undefined || mode === 'delay_for_missed_ticks' || variant === 'as-is');
  return (await runTrials(own, SECONDS, JOBS)).flatMap(figuresOf);
}
