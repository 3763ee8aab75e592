/**
 * What a promise about timing means, sample by sample, in memory that does not grow with their number: the one implementation, for
 * `chronovisor check` on a stored log and for vitest matchers on a run.
 */
import { createSamples } from '../report/samples.ts';
import { showNanos } from '../report/statistics.ts';

/** One instant or span of a log, and where it stands. */
export interface Sample {
  /** Nanoseconds. */
  readonly value: bigint;
  /** Counted from 1. */
  readonly line: number;
  /** Of its record, nanoseconds since boot. */
  readonly at: bigint;
}

export interface WorstSample {
  readonly line: number;
  readonly at: bigint;
  readonly text: string;
}

export interface Verdict {
  readonly holds: boolean;
  readonly expected: string;
  readonly seen: string;
  /** At most three, the worst first; also where all is well. */
  readonly worst: readonly WorstSample[];
}

export interface Judge {
  push(sample: Sample): void;
  verdict(): Verdict;
}

const WORST = 3;

export const absolute = (value: bigint): bigint => (value < 0n ? -value : value);
const show = (value: bigint | number): string => showNanos(Number(value));

interface Judged extends WorstSample {
  /** How far it is from what it should be; nanoseconds, not negative. */
  readonly off: bigint;
}

/** Keeps the worst: of equals, the one that came first. */
export function createWorst(): { push(off: bigint, sample: Sample, text: () => string): void; readonly worst: readonly Judged[] } {
  const worst: Judged[] = [];
  return {
    push: (off, { line, at }, text) => {
      if (worst.length === WORST && off <= worst.at(-1)!.off) return;
      const place = worst.findIndex((other) => other.off < off);
      worst.splice(place < 0 ? worst.length : place, 0, { off, line, at, text: text() });
      if (worst.length > WORST) worst.pop();
    },
    worst,
  };
}

/** Of a judgement of each sample: what is off by more than `limit` is bad. Nothing to judge is no success. */
function createSampleJudge(
  expected: string,
  limit: bigint,
  judged: (sample: Sample) => { off: bigint; text: () => string } | undefined,
): Judge {
  const worst = createWorst();
  let samples = 0;
  let count = 0;
  let bad = 0;
  return {
    push: (sample) => {
      samples++;
      const own = judged(sample);
      if (!own) return;
      count++;
      if (own.off > limit) bad++;
      worst.push(own.off, sample, own.text);
    },
    verdict: () => ({
      holds: count > 0 && bad === 0,
      expected,
      seen: count === 0 ? `there is nothing to judge: ${samples} samples` : bad === 0 ? `all ${count} are` : `${bad} of ${count} are not`,
      worst: [...worst.worst],
    }),
  };
}

/** Each sample with the interval since the one before. */
function intervals(): (sample: Sample) => bigint | undefined {
  let last: bigint | undefined;
  return ({ value }) => {
    const interval = last === undefined ? undefined : value - last;
    last = value;
    return interval;
  };
}

/** Of instants: all intervals between neighbours lie within `tolerance` of `nominal` (ns). */
export function judgePeriod(nominal: bigint, tolerance: bigint): Judge {
  const intervalOf = intervals();
  return createSampleJudge(`every interval to be ${nominal} ns within ${tolerance} ns`, tolerance, (sample) => {
    const interval = intervalOf(sample);
    if (interval === undefined) return undefined;
    return { off: absolute(interval - nominal), text: () => `interval ${interval} ns, ${show(interval - nominal)} from nominal` };
  });
}

/** Of spans: each is from `least` to `most` (ns). */
export function judgeWithin(least: bigint, most: bigint): Judge {
  return createSampleJudge(`every value to be within ${least}..${most} ns`, 0n, ({ value }) => ({
    off: value < least ? least - value : value > most ? value - most : 0n,
    text: () => `${value} ns`,
  }));
}

/** Of instants: the longest interval minus the shortest is at most `limit` (ns). */
export function judgeJitter(limit: bigint): Judge {
  const intervalOf = intervals();
  const samples = createSamples();
  let pushed = 0;
  return {
    push: (sample) => {
      pushed++;
      const interval = intervalOf(sample);
      if (interval !== undefined) samples.push(Number(interval), sample.line, sample.at);
    },
    verdict: () => {
      const summary = samples.summary();
      const expected = `intervals to differ by at most ${limit} ns`;
      if (!summary) return { holds: false, expected, seen: `there is nothing to judge: ${pushed} samples`, worst: [] };
      const { min, jitter, count, worst } = summary;
      const bad = samples.distribution().reduce((sum, [value, times]) => sum + (value - min > Number(limit) ? times : 0), 0);
      return {
        holds: jitter <= Number(limit),
        expected,
        seen: `they differ by ${jitter} ns${bad === 0 ? '' : `; ${bad} of ${count} are not`}`,
        worst: worst.map(({ value, line, at }) => ({ line, at, text: `interval ${value} ns, ${value - min} ns above the shortest` })),
      };
    },
  };
}

const PER_MILLION = 1e6;

/** Of distances from nominal instants: what they gain or lose from the first to the last is at most `ppm` of the time between. */
export function judgeDrift(ppm: number): Judge {
  const worst = createWorst();
  let first: Sample | undefined;
  let last: Sample | undefined;
  return {
    push: (sample) => {
      first ??= sample;
      last = sample;
      const moved = sample.value - first.value;
      worst.push(absolute(moved), sample, () => `${sample.value} ns, ${show(moved)} from the first`);
    },
    verdict: () => {
      const expected = `a drift of at most ${ppm} ppm`;
      const elapsed = first && last ? last.at - first.at : 0n;
      if (elapsed <= 0n) return { holds: false, expected, seen: 'there is nothing to judge: less than two samples', worst: [] };
      const drift = (Number(last!.value - first!.value) / Number(elapsed)) * PER_MILLION;
      return { holds: Math.abs(drift) <= ppm, expected, seen: `${drift.toFixed(3)} ppm over ${show(elapsed)}`, worst: [...worst.worst] };
    },
  };
}

/** There are from `least` to `most` samples. The worst are the last ones. */
export function judgeCount(least: number, most: number): Judge {
  let count = 0;
  let last: Sample[] = [];
  return {
    push: (sample) => {
      count++;
      last = [sample, ...last.slice(0, WORST - 1)];
    },
    verdict: () => ({
      holds: count >= least && count <= most,
      expected: least === most ? `${least} samples` : `${least} to ${most} samples`,
      seen: `saw ${count}`,
      worst: last.map(({ line, at }, index) => ({ line, at, text: index === 0 ? 'the last one' : `the last but ${index}` })),
    }),
  };
}
