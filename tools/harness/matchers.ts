/**
 * vitest matchers for runs and their timing. A failure says what was expected, what was seen, the three worst
 * samples with their lines in the log, and where the log is. Importing this file registers them.
 */
import { expect } from 'vitest';
import type { EventName } from '../../kernel/trace/events.ts';
import { createCheck, failureLines } from '../promises/check.ts';
import { inOrder, type Promises } from '../promises/define.ts';
import { judgeCount, judgeDrift, judgeJitter, judgePeriod, judgeWithin, type Judge } from '../promises/judge.ts';
import type { BootedRun, Series } from './boot.ts';

interface Result {
  readonly pass: boolean;
  message(): string;
}

function resultOf({ what, log, samples }: Series, judge: Judge): Result {
  samples.forEach(judge.push);
  const verdict = judge.verdict();
  return { pass: verdict.holds, message: () => failureLines({ promise: what, ...verdict }, log).join('\n') };
}

function keeps(run: BootedRun, promises: Promises): Result {
  const check = createCheck(promises);
  for (const record of run.records) check.push(record, run.lineOf(record));
  const kept = check.result();
  const broken = kept.filter(({ holds }) => !holds);
  return {
    pass: broken.length === 0,
    message: () =>
      broken.length === 0
        ? `expected ${run.log} not to keep: ${kept.map(({ promise }) => promise).join(', ')}`
        : broken.flatMap((own) => failureLines(own, run.log)).join('\n'),
  };
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
  toHavePeriod: (series: Series, nominal: bigint, tolerance: bigint): Result => resultOf(series, judgePeriod(nominal, tolerance)),

  /** Longest minus shortest interval is at most `limit` (ns). */
  toHaveJitterAtMost: (series: Series, limit: bigint): Result => resultOf(series, judgeJitter(limit)),

  /** Every span is from `least` to `most` (ns): latencies, distances from a nominal instant. */
  toStayWithin: (series: Series, least: bigint, most: bigint): Result => resultOf(series, judgeWithin(least, most)),

  /** What distances from nominal instants gain or lose over the run is at most `ppm` millionths of it. */
  toHaveDriftAtMost: (series: Series, ppm: number): Result => resultOf(series, judgeDrift(ppm)),

  toHaveCount: (series: Series, count: number): Result => resultOf(series, judgeCount(count, count)),

  /** The events occur in this order, with others between them. */
  toShowInOrder: (run: BootedRun, events: readonly EventName[]): Result =>
    keeps(run, { kind: 'promises', promises: { 'the order of events': inOrder(...events) } }),

  /** Each promise of a file (tools/promises/define.ts) is kept. */
  toKeep: (run: BootedRun, promises: Promises): Result => keeps(run, promises),
};

expect.extend(matchers);

interface TimingMatchers<Returned> {
  toHold(): Returned;
  toExitWith(name: string): Returned;
  toHavePeriod(nominal: bigint, tolerance: bigint): Returned;
  toHaveJitterAtMost(limit: bigint): Returned;
  toStayWithin(least: bigint, most: bigint): Returned;
  toHaveDriftAtMost(ppm: number): Returned;
  toHaveCount(count: number): Returned;
  toShowInOrder(events: readonly EventName[]): Returned;
  toKeep(promises: Promises): Returned;
}

declare module 'vitest' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type, @typescript-eslint/no-explicit-any -- how vitest's types are extended
  interface Assertion<T = any> extends TimingMatchers<T> {}
}
