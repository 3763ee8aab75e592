/**
 * From the trace of partitions/tsc-sync to figures. All times in ns, exact: the guest's HPET and TSC as it read them, the wall's from the
 * trace, where a record of the guest is dated to its instruction.
 */
import type { TraceRecord } from '../../kernel/trace/events.ts';
import { PERIOD, type Plan } from './matrix.ts';

/** One tick, as the guest saw it and when that was. */
export interface Tick {
  /** Since the epoch. */
  readonly wall: number;
  /** On the guest's HPET, since it was started. */
  readonly hpet: number;
  /** On the guest's TSC. */
  readonly tsc: number;
}

export interface Observation {
  /** One count of the HPET. */
  readonly resolution: number;
  /** From the epoch to the start of the HPET: nothing was missed yet, so its first tick was taken a period later. */
  readonly start: number;
  readonly ticks: readonly Tick[];
}

/** Codes of guest.c. */
const CODE = { PERIOD: 1n, TICK: 2n, STAMP: 3n, NO_HPET: 4n } as const;

const FEMTOS_PER_NANO = 1_000_000n;

/** @throws Error if records are missing: a figure made of what is left would be wrong */
export function observe(records: Iterable<TraceRecord>): Observation {
  let epoch: bigint | undefined;
  let nanosPerTick: readonly [bigint, bigint] | undefined;
  let period: bigint | undefined;
  const seen: { at: bigint; count: bigint }[] = [];
  const stamps: bigint[] = [];
  for (const { event, fields, at } of records) {
    if (event === 'trace.dropped') throw new Error('records were dropped from the trace');
    if (event === 'system.started') epoch = fields.epoch;
    else if (event === 'machine.frequency' && fields.clock === 'tsc')
      nanosPerTick = [1_000_000_000n * fields.denominator, fields.numerator];
    else if (event === 'partition.trace') {
      if (fields.code === CODE.PERIOD) period = fields.value;
      else if (fields.code === CODE.TICK) seen.push({ at, count: fields.value });
      else if (fields.code === CODE.STAMP) stamps.push(fields.value);
      else if (fields.code === CODE.NO_HPET) throw new Error('the guest found no HPET');
    }
  }
  if (epoch === undefined || nanosPerTick === undefined || period === undefined) throw new Error('the guest did not start');
  if (stamps.length !== seen.length || seen.length < 2) throw new Error(`${seen.length} ticks with ${stamps.length} stamps of the TSC`);
  const [multiply, divide] = nanosPerTick;
  const toNanos = (tsc: bigint): number => Number((tsc * multiply) / divide);
  return {
    resolution: Number(period / FEMTOS_PER_NANO),
    start: toNanos(stamps[0]!) - PERIOD,
    ticks: seen.map(({ at, count }, index) => ({
      wall: Number(at - epoch),
      hpet: Number((count * period) / FEMTOS_PER_NANO),
      tsc: toNanos(stamps[index]!),
    })),
  };
}

/** Lower ends of the histogram's bins, ms; below the second a burst, from 9.9 to 10.1 what the tick is to be. */
export const BINS = [0, 1, 5, 9, 9.9, 10.1, 11, 15, 20, 50, 100, 200] as const;

export interface Gaps {
  readonly least: number;
  readonly most: number;
  /** Under half a period. */
  readonly early: number;
  /** Over one and a half. */
  readonly late: number;
  /** Per bin. */
  readonly histogram: readonly number[];
}

export interface Span {
  readonly wall: number;
  readonly hpet: number;
  readonly ticks: number;
  readonly hpetVsWall: number;
  /** Ticks times the period, against what the HPET says has passed. */
  readonly ticksVsHpet: number;
}

export interface Figures {
  readonly ticks: number;
  readonly hpetGaps: Gaps;
  readonly tscGaps: Gaps;
  /** The most by which a gap on the TSC is another than on the HPET. */
  readonly disagreement: number;
  /**
   * From the last tick of the second frame to the last one of the last: the same phase of the plan, so nothing is cut off. In the first one
   * nothing was missed yet, so that the kernel does other work per tick.
   */
  readonly wholeFrames: Span;
  /** From the first tick to the last, as one would measure who does not know the plan. */
  readonly all: Span;
  /** What an operating system shows that counts ticks, minus what has passed, from the first tick to the last. */
  readonly clockError: number;
}

const EARLY = PERIOD / 2;
const LATE = (PERIOD * 3) / 2;
const MS = 1_000_000;

export function gapsOf(instants: readonly number[]): Gaps {
  const gaps = instants.slice(1).map((at, index) => at - instants[index]!);
  const histogram: number[] = BINS.map(() => 0);
  for (const gap of gaps) {
    // What went backwards is as early as can be.
    const bin = Math.max(
      0,
      BINS.findLastIndex((from) => gap >= from * MS),
    );
    histogram[bin] = histogram[bin]! + 1;
  }
  return {
    least: gaps.reduce((a, b) => Math.min(a, b), Infinity),
    most: gaps.reduce((a, b) => Math.max(a, b), -Infinity),
    early: gaps.filter((gap) => gap < EARLY).length,
    late: gaps.filter((gap) => gap > LATE).length,
    histogram,
  };
}

type Seen = Pick<Tick, 'wall' | 'hpet'>;

function span(seen: readonly Seen[], from: number, to: number): Span {
  const wall = seen[to]!.wall - seen[from]!.wall;
  const hpet = seen[to]!.hpet - seen[from]!.hpet;
  return { wall, hpet, ticks: to - from, hpetVsWall: hpet / wall, ticksVsHpet: ((to - from) * PERIOD) / hpet };
}

/** @throws Error unless there are ticks in three frames */
export function wholeFramesOf(seen: readonly Seen[], { frame }: Plan): Span {
  const lastOf = (index: number): number => seen.findLastIndex(({ wall }) => Math.floor(wall / frame) <= index);
  const from = lastOf(1);
  if (from < 0 || from === seen.length - 1)
    throw new Error('ticks in two frames at most: no whole one is between those with an absence before');
  return span(seen, from, seen.length - 1);
}

export function analyse({ ticks }: Observation, plan: Plan): Figures {
  const disagreements = ticks.slice(1).map((tick, index) => {
    const before = ticks[index]!;
    return Math.abs(tick.tsc - before.tsc - (tick.hpet - before.hpet));
  });
  const all = span(ticks, 0, ticks.length - 1);
  return {
    ticks: ticks.length,
    hpetGaps: gapsOf(ticks.map(({ hpet }) => hpet)),
    tscGaps: gapsOf(ticks.map(({ tsc }) => tsc)),
    disagreement: Math.max(...disagreements),
    wholeFrames: wholeFramesOf(ticks, plan),
    all,
    clockError: all.ticks * PERIOD - all.wall,
  };
}

/** Of the same kind, of ticks that are predicted. */
export interface Predicted {
  readonly ticks: number;
  readonly gaps: Gaps;
  readonly wholeFrames: Span;
  readonly all: Span;
}

export const analysePrediction = (seen: readonly Seen[], plan: Plan): Predicted => ({
  ticks: seen.length,
  gaps: gapsOf(seen.map(({ hpet }) => hpet)),
  wholeFrames: wholeFramesOf(seen, plan),
  all: span(seen, 0, seen.length - 1),
});

/** By how much a gap's end may be moved by the kernel's work, from a slot's start or a deadline to the guest's reading of its HPET. */
const GAP_TOLERANCE = 300_000;
/** By how much the same work takes longer at one tick than at another of the same phase. */
const WALL_TOLERANCE = 100;
const COUNTS = 1;

/** What is other than predicted, a line each. Counts are compared exactly, spans to a count of the HPET and the kernel's own work. */
export function differences(seen: Figures, predicted: Predicted, resolution: number): string[] {
  const found: string[] = [];
  function compare(what: string, own: number, expected: number, tolerance = 0): void {
    if (!(Math.abs(own - expected) <= tolerance))
      found.push(`${what}: ${own}, predicted ${expected}${tolerance > 0 ? ` within ${tolerance}` : ''}`);
  }
  compare('ticks', seen.ticks, predicted.ticks);
  compare('early gaps', seen.hpetGaps.early, predicted.gaps.early);
  compare('late gaps', seen.hpetGaps.late, predicted.gaps.late);
  compare('least gap, ns', seen.hpetGaps.least, predicted.gaps.least, GAP_TOLERANCE);
  compare('most gap, ns', seen.hpetGaps.most, predicted.gaps.most, GAP_TOLERANCE);
  compare('ticks in whole frames', seen.wholeFrames.ticks, predicted.wholeFrames.ticks);
  compare('HPET over whole frames, ns', seen.wholeFrames.hpet, predicted.wholeFrames.hpet, COUNTS * resolution);
  compare('wall over whole frames, ns', seen.wholeFrames.wall, predicted.wholeFrames.wall, WALL_TOLERANCE);
  return found;
}
