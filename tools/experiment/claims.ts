/**
 * The document's two claims about the patch ("虚拟化开源xen下时钟机制的研究"): that intervals between timer interrupts come to differ, and that
 * the guest's time becomes wrong, maybe slow. Each confirmed, refined or refuted by figures of the regular plan.
 */
import type { Era, Variant } from './matrix.ts';
import { millis, ratio, wrapWords } from './table.ts';
import type { Trial } from './trial.ts';

export type Verdict = 'confirmed' | 'refined' | 'refuted';

export interface Claim {
  readonly claim: string;
  readonly era: Era;
  readonly verdict: Verdict;
  /** What the figures say. */
  readonly text: string;
}

/** Off by more is wrong: a tick of 10 ms in a second. */
const WRONG = 0.01;

const isEven = ({ figures }: Trial): boolean => figures.hpetGaps.early + figures.hpetGaps.late === 0;
/** Of the time that has passed: what the HPET shows, and what an operating system shows that counts ticks. */
const hpetRate = ({ figures }: Trial): number => figures.wholeFrames.hpetVsWall;
const tickRate = ({ figures }: Trial): number => figures.wholeFrames.hpetVsWall * figures.wholeFrames.ticksVsHpet;
const isWrong = (rate: number): boolean => Math.abs(rate - 1) > WRONG;

const gapsText = ({ figures: { hpetGaps, ticks } }: Trial): string =>
  `gaps on its HPET are ${millis(hpetGaps.least)} to ${millis(hpetGaps.most)} ms, ${hpetGaps.early} of ${ticks - 1} early and ${hpetGaps.late} late`;
const rateText = (own: Trial): string =>
  `its HPET runs at ${ratio(hpetRate(own))} of wall time, and an OS that counts ticks at ${ratio(tickRate(own))}`;

function intervals(era: Era, asIs: Trial, patch: Trial): Claim {
  const verdict = isEven(patch) ? 'refuted' : isEven(asIs) ? 'confirmed' : 'refined';
  const word = { refuted: 'and', confirmed: 'but', refined: 'and already' }[verdict];
  return {
    claim: 'intervals differ',
    era,
    verdict,
    text: `with the patch ${gapsText(patch)}; ${word} without it ${gapsText(asIs)}`,
  };
}

function time(era: Era, asIs: Trial, patch: Trial, post: Trial | undefined): Claim {
  const isPatchWrong = isWrong(hpetRate(patch)) || isWrong(tickRate(patch));
  const isOwnWrong = isWrong(hpetRate(asIs)) || isWrong(tickRate(asIs));
  const verdict = !isPatchWrong ? 'refuted' : isOwnWrong ? 'refined' : 'confirmed';
  const part = post && isWrong(hpetRate(post)) && !isPatchWrong ? `; its second half alone would do it: ${rateText(post)}` : '';
  return {
    claim: 'time is wrong, even slow',
    era,
    verdict,
    text: `with the patch ${rateText(patch)}; without it ${rateText(asIs)}${part}`,
  };
}

/** Of the rules for which a run with the patch and one without it are there. */
export function claimsOf(trials: readonly Trial[]): Claim[] {
  const find = (era: Era, variant: Variant): Trial | undefined =>
    trials.find(
      ({ tried }) =>
        tried.era === era &&
        tried.variant === variant &&
        tried.plan === 'regular' &&
        tried.tsc === 'native' &&
        (tried.mode === undefined || tried.mode === 'delay_for_missed_ticks'),
    );
  return (['today', '2007'] as const).flatMap((era) => {
    const [asIs, patch] = [find(era, 'as-is'), find(era, 'patch')];
    return asIs && patch ? [intervals(era, asIs, patch), time(era, asIs, patch, find(era, 'post'))] : [];
  });
}

const ERA_TEXT: Readonly<Record<Era, string>> = { today: "by today's rules (mode 0)", '2007': 'by the rules of 2007' };

export const claimText = ({ claim, era, verdict, text }: Claim): string => `"${claim}", ${ERA_TEXT[era]}: ${verdict}: ${text}.`;

export const claimLines = (claims: readonly Claim[]): string[] => [
  'What the document says of the patch, and what is seen (regular plan, native TSC):',
  ...claims.flatMap((claim) => wrapWords(claimText(claim))),
];
