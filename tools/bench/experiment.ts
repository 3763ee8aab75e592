/** Figures of the experiment tsc-sync, 4 virtual seconds of the regular plan: `xen.mode0.` as is, and what its variants and the other modes make of it. */
import { modeNumber, selectCases } from '../experiment/matrix.ts';
import { runTrials, type Trial } from '../experiment/trial.ts';
import type { Figure } from './figure.ts';

const SECONDS = 4;
const JOBS = 2;
const MS = 1e6;
/** Of mode 0 as is: gaps from 9.9 to 10.1 ms, ratios of 1 within a part in a million. */
const GAP_LIMIT_MS = 0.1;
const RATIO_LIMIT_PPM = 1;

/** `xen.mode0`, `xen.mode0.patch`, `xen.2007`. */
const prefixOf = ({ tried }: Trial): string =>
  ['xen', tried.era === '2007' ? '2007' : `mode${modeNumber(tried)}`, ...(tried.variant === 'as-is' ? [] : [tried.variant])].join('.');

/** A bar of `make bench` is an upper one: what has to be near 10 ms, or 1, is told by how far it is off. */
function barsOf({ figures: { hpetGaps, wholeFrames } }: Trial): Figure[] {
  const off = (ratio: number): number => Math.abs(ratio - 1) * 1e6;
  return [
    { name: 'xen.mode0.gap_error_ms', value: Math.max(10 - hpetGaps.least / MS, hpetGaps.most / MS - 10), unit: 'ms', limit: GAP_LIMIT_MS },
    { name: 'xen.mode0.hpet_vs_wall_error_ppm', value: off(wholeFrames.hpetVsWall), unit: 'ppm', limit: RATIO_LIMIT_PPM },
    { name: 'xen.mode0.ticks_vs_hpet_error_ppm', value: off(wholeFrames.ticksVsHpet), unit: 'ppm', limit: RATIO_LIMIT_PPM },
  ];
}

function figuresOf(trial: Trial): Figure[] {
  const { hpetGaps, wholeFrames } = trial.figures;
  const prefix = prefixOf(trial);
  const isAsIs = prefix === 'xen.mode0';
  const none = isAsIs ? { limit: 0 } : {};
  return [
    { name: `${prefix}.gap_early`, value: hpetGaps.early, unit: 'gaps', ...none },
    { name: `${prefix}.gap_late`, value: hpetGaps.late, unit: 'gaps', ...none },
    { name: `${prefix}.gap_min_ms`, value: hpetGaps.least / MS, unit: 'ms' },
    { name: `${prefix}.gap_max_ms`, value: hpetGaps.most / MS, unit: 'ms' },
    { name: `${prefix}.hpet_vs_wall`, value: wholeFrames.hpetVsWall, unit: '' },
    { name: `${prefix}.ticks_vs_hpet`, value: wholeFrames.ticksVsHpet, unit: '' },
    ...(isAsIs ? barsOf(trial) : []),
    { name: `${prefix}.not_as_predicted`, value: trial.differences.length, unit: 'figures', limit: 0 },
  ];
}

export async function experimentFigures(): Promise<Figure[]> {
  const cases = selectCases({ plans: ['regular'], tscs: ['native'] });
  // In modes 1 to 3 the variants are the same.
  const own = cases.filter(({ mode, variant }) => mode === undefined || mode === 'delay_for_missed_ticks' || variant === 'as-is');
  return (await runTrials(own, SECONDS, JOBS)).flatMap(figuresOf);
}
