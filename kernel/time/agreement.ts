/** Which of several measurements of one counter to believe: what only one reference says is not known. */
import { frequency, type Frequency } from './frequency.ts';

/** Two measurements agree within their uncertainties and this: what crystals may differ by, and a tenth of what PRTOS was off by. */
const TOLERANCE_PPB = 50_000;

export interface Judgement {
  /** Of a disagreement: the best reference's, with an uncertainty that covers the others. */
  readonly frequency: Frequency;
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
      const difference = differencePpb(first, second);
      if (difference > first.uncertaintyPpb + second.uncertaintyPpb + TOLERANCE_PPB) continue;
      return { frequency: first, verdict: 'agree', second, differencePpb: difference };
    }
  }
  if (candidates.length === 1) return { frequency: best, verdict: 'alone', second: undefined, differencePpb: 0 };
  const [second] = [...candidates.slice(1)].sort((a, b) => differencePpb(best, b) - differencePpb(best, a));
  const difference = differencePpb(best, second!);
  const uncertain = frequency(best.numerator, best.denominator, best.provenance, best.source, best.uncertaintyPpb + difference);
  return { frequency: uncertain, verdict: 'disagree', second, differencePpb: difference };
}

function differencePpb(a: Frequency, b: Frequency): number {
  const ratio = (Number(b.numerator) * Number(a.denominator)) / (Number(b.denominator) * Number(a.numerator));
  return Math.abs(ratio - 1) * 1e9;
}
