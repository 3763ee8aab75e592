/**
 * An output signal at exact instants. Lead, don't chase: a kernel timer comes early, and the last instructions before the edge wait
 * for it, so that what the interpreter takes is not seen outside.
 */
import type { KernelTimers } from './kernel-timers.ts';
import { instant, nanos, type Instant, type Nanos } from './units.ts';

export interface OutputEdge {
  readonly index: number;
  readonly level: 0 | 1;
  readonly nominal: Instant;
  /** TSC right after the access that set the level. */
  readonly written: bigint;
}

export interface TimedOutputParts {
  readonly timers: KernelTimers;
  set(level: 0 | 1): void;
  /** TSC right after the access of the last `set`. */
  accessTsc(): bigint;
  /** TSC at an instant of the clock. */
  toTsc(when: Instant): bigint;
  /** Returns when the TSC has reached a value, at once if it has: the TSC then. */
  spinUntil(tsc: bigint): bigint;
  /** How early the timer comes: what its latest expiry and its callback take. */
  readonly lead: Nanos;
  readonly onEdge: (edge: OutputEdge) => void;
}

export interface TimedOutput {
  /** `count` edges, up first, at `first`, `first + period` and so on. An edge whose instant has passed is put out at once; none is left out. */
  start(first: Instant, period: Nanos, count: number): void;
  stop(): void;
  isRunning(): boolean;
}

/** What is from the end of the wait to the access is measured by so many settings of the low level, when it is created: the least counts. */
const COST_RUNS = 8;
/** TSC ticks that the way to the other level may be shorter, so that no edge is early. */
const MARGIN = 8n;

export function createTimedOutput({ timers, set, accessTsc, toTsc, spinUntil, lead, onEdge }: TimedOutputParts): TimedOutput {
  let nominal = instant(0n);
  let period = nanos(0n);
  let total = 0;
  let index = 0;

  let cost = 1n << 62n;
  for (let run = 0; run < COST_RUNS; run++) {
    const reached = spinUntil(0n);
    set(0);
    const took = accessTsc() - reached;
    if (took < cost) cost = took;
  }
  cost = cost > MARGIN ? cost - MARGIN : 0n;

  const timer = timers.createTimer(() => {
    const level = index % 2 === 0 ? 1 : 0;
    spinUntil(toTsc(nominal) - cost);
    set(level);
    const edge: OutputEdge = { index, level, nominal, written: accessTsc() };
    index++;
    if (index < total) {
      nominal = instant(nominal + period);
      timer.arm(early(nominal));
    }
    onEdge(edge);
  });
  const early = (when: Instant): Instant => instant(when > lead ? when - lead : 0n);

  return {
    start: (first, every, count) => {
      if (!Number.isInteger(count) || count < 1) throw new RangeError(`timed output: ${count} edges are not a positive number`);
      if (every <= 2n * lead) throw new RangeError(`timed output: a period of ${every} ns is not longer than two leads of ${lead} ns`);
      nominal = first;
      period = every;
      total = count;
      index = 0;
      timer.arm(early(first));
    },
    stop: () => {
      total = 0;
      timer.cancel();
    },
    isRunning: timer.isPending,
  };
}
