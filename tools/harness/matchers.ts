/**
 * vitest matchers for runs and their timing. A failure says what was expected, what was seen, the three worst
 * samples with their lines in the log, and where the log is. Importing this file registers them.
 */
import { expect } from 'vitest';
import { statistics, showNanos } from '../report/statistics.ts';
import type { BootedRun, Sample, Series } from './boot.ts';

interface Result {
  readonly pass: boolean;
  message(): string;
}

/** A sample and how far it is from what it should be. */
interface Judged {
  readonly sample: Sample;
  /** Nanoseconds, not negative. */
  readonly off: bigint;
  readonly text: string;
}

const WORST = 3;

function judge(series: Series, expectation: string, judged: readonly Judged[], limit: bigint): Result {
  const bad = judged.filter(({ off }) => off > limit);
  const worst = [...judged].sort((a, b) => (b.off > a.off ? 1 : b.off < a.off ? -1 : a.sample.line - b.sample.line)).slice(0, WORST);
  return {
    pass: judged.length > 0 && bad.length === 0,
    message: () =>
      judged.length === 0
        ? `${series.what}: ${expectation}, but there is nothing to judge: ${series.samples.length} samples in ${series.log}`
        : [
            `${series.what}: expected ${expectation}; ${bad.length} of ${judged.length} are not. The worst:`,
            ...worst.map(({ sample, text }) => `  ${series.log}:${sample.line}: ${text}`),
          ].join('\n'),
  };
}

const absolute = (value: bigint): bigint => (value < 0n ? -value : value);
const text = (value: bigint): string => showNanos(Number(value));

function intervalsOf(series: Series): Sample[] {
  return series.samples.slice(1).map(({ value, line }, index) => ({ value: value - series.samples[index]!.value, line }));
}

const matchers = {
  /** The kernel ended by itself and well. */
  toHold(run: BootedRun): Result {
    return { pass: run.isHeld, message: () => `expected the run ${run.isHeld ? 'not ' : ''}to hold: ${run.ending}` };
  },

  /** The kernel ended with this exit code (EXIT in kernel/hw/exit.ts). */
  toExitWith(run: BootedRun, name: string): Result {
    const pass = run.outcome.kind === 'exit' && run.outcome.name === name;
    return { pass, message: () => `expected the run ${pass ? 'not ' : ''}to end with ${name}: ${run.ending}` };
  },

  /** All intervals between neighbouring instants lie within `tolerance` of `nominal` (ns). */
  toHavePeriod(series: Series, nominal: bigint, tolerance: bigint): Result {
    const judged = intervalsOf(series).map((sample) => ({
      sample,
      off: absolute(sample.value - nominal),
      text: `interval ${sample.value} ns, ${text(sample.value - nominal)} from nominal`,
    }));
    return judge(series, `every interval to be ${nominal} ns within ${tolerance} ns`, judged, tolerance);
  },

  /** Longest minus shortest interval is at most `limit` (ns). */
  toHaveJitterAtMost(series: Series, limit: bigint): Result {
    const intervals = intervalsOf(series);
    const whole = statistics(intervals.map(({ value }) => Number(value)));
    const shortest = BigInt(whole?.min ?? 0);
    const judged = intervals.map((sample) => ({
      sample,
      off: sample.value - shortest,
      text: `interval ${sample.value} ns, ${sample.value - shortest} ns above the shortest`,
    }));
    return judge(series, `intervals to differ by at most ${limit} ns (they differ by ${whole?.jitter ?? 0} ns)`, judged, limit);
  },

  /** Every span is from `least` to `most` (ns): latencies, distances from a nominal instant. */
  toStayWithin(series: Series, least: bigint, most: bigint): Result {
    const judged = series.samples.map((sample) => ({
      sample,
      off: sample.value < least ? least - sample.value : sample.value > most ? sample.value - most : 0n,
      text: `${sample.value} ns`,
    }));
    return judge(series, `every value to be within ${least}..${most} ns`, judged, 0n);
  },

  toHaveCount(series: Series, count: number): Result {
    const seen = series.samples.length;
    return {
      pass: seen === count,
      message: () =>
        `${series.what}: expected ${count} samples, saw ${seen}; the last is ${series.log}:${series.samples.at(-1)?.line ?? 0}`,
    };
  },

  /** The events occur in this order, with others between them. */
  toShowInOrder(run: BootedRun, events: readonly string[]): Result {
    let at = 0;
    let line = 0;
    for (const record of run.records) {
      if (record.event !== events[at]) continue;
      line = run.lineOf(record);
      at++;
    }
    return {
      pass: at === events.length,
      message: () =>
        at === events.length
          ? `${events.join(', ')} were not expected in this order, but occur so in ${run.log}`
          : `expected ${events.join(', ')} in this order: after ${at > 0 ? `${events[at - 1]} at ${run.log}:${line}` : `the start of ${run.log}`} there is no ${events[at]}`,
    };
  },
};

expect.extend(matchers);

interface TimingMatchers<Returned> {
  toHold(): Returned;
  toExitWith(name: string): Returned;
  toHavePeriod(nominal: bigint, tolerance: bigint): Returned;
  toHaveJitterAtMost(limit: bigint): Returned;
  toStayWithin(least: bigint, most: bigint): Returned;
  toHaveCount(count: number): Returned;
  toShowInOrder(events: readonly string[]): Returned;
}

declare module 'vitest' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type, @typescript-eslint/no-explicit-any -- how vitest's types are extended
  interface Assertion<T = any> extends TimingMatchers<T> {}
}
