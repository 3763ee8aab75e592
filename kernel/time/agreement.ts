/** Which of several measurements of one counter to believe: what only one reference says is not known. */
import { frequency, type Frequency } from './frequency.ts';

/** Two measurements agree within their uncertainties and this: what crystals may differ by, and a tenth of what PRTOS was off by. */
const TOLERANCE_PPB = 50_000;

export interface Judgement {
  /** What to believe. Of a disagreement: the best reference's, with an uncertainty that covers the others. */
  readonly frequency: Frequency;
  /** The measurement that was believed, as it was. */
  readonly first: Frequency;
  readonly verdict: 'agree' | 'disagree' | 'alone';
  /** The other measurement that was compared with it, if there is one. */
  readonly second: Frequency | undefined;
  /** Between the two, relative. */
  readonly differencePpb: number;
}

/** @param candidates the best reference's first. A majority outvotes it. @returns undefined if there is none */
export function judge(candidates: readonly Frequency[]): Judgement | undefined {
  const [best] = candidates;
  if (!best) return undefined;
  for (const [index, first] of candidates.entries()) {
    for (const second of candidates.slice(index + 1)) {
      if (agree(first, second)) return { frequency: first, first, verdict: 'agree', second, differencePpb: differencePpb(first, second) };
    }
  }
  if (candidates.length === 1) return { frequency: best, first: best, verdict: 'alone', second: undefined, differencePpb: 0 };
  const [second] = [...candidates.slice(1)].sort((a, b) => differencePpb(best, b) - differencePpb(best, a));
  const difference = differencePpb(best, second!);
  const uncertain = frequency(best.numerator, best.denominator, best.provenance, best.source, best.uncertaintyPpb + difference);
  return { frequency: uncertain, first: best, verdict: 'disagree', second, differencePpb: difference };
}

/** Of what the hardware tells about itself. */
export interface Check {
  readonly enumerated: Frequency;
  readonly verdict: 'agree' | 'disagree';
  readonly differencePpb: number;
}

/**
 * Measurements together with what the hardware tells of itself. It settles what the references do not; where it agrees with them and is the
 * more certain, it is what is believed; where it disagrees with references that agree, they are.
 * @param measured the best reference's first
 * @param enumerated the most certain first
 * @returns undefined if there is neither; `checks` compare with `first` each of `enumerated` that is not one of the two compared already
 */
export function judgeWithEnumerated(
  measured: readonly Frequency[],
  enumerated: readonly Frequency[],
): (Judgement & { readonly checks: readonly Check[] }) | undefined {
  const own = judge(measured);
  const judgement = own?.verdict === 'agree' ? own : judge([...measured, ...enumerated]);
  if (!judgement) return undefined;
  const { frequency, first, second } = judgement;
  const checks = enumerated
    .filter((one) => one !== first && one !== second)
    .map((one): Check => {
      const verdict = agree(first, one) ? 'agree' : 'disagree';
      return { enumerated: one, verdict, differencePpb: differencePpb(first, one) };
    });
  if (judgement.verdict !== 'agree') return { ...judgement, checks };
  const better = enumerated.find((one) => agree(frequency, one) && one.uncertaintyPpb < frequency.uncertaintyPpb);
  return { ...judgement, frequency: better ?? frequency, checks };
}

function agree(a: Frequency, b: Frequency): boolean {
  return differencePpb(a, b) <= a.uncertaintyPpb + b.uncertaintyPpb + TOLERANCE_PPB;
}

function differencePpb(a: Frequency, b: Frequency): number {
  const ratio = (Number(b.numerator) * Number(a.denominator)) / (Number(b.denominator) * Number(a.numerator));
  return Math.abs(ratio - 1) * 1e9;
}
