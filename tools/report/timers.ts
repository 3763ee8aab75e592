/** What the demonstration's records say of each timer. Computed from the single interrupts, not from the kernel's own sums. */
import type { RecordOf } from '../../kernel/trace/events.ts';
import type { Accumulator } from './accumulator.ts';
import { createSamples, namedSeries, type NamedSeries, type Samples, type Summary } from './samples.ts';
import { showNanos } from './statistics.ts';
import { alignColumns, COLUMNS } from './table.ts';

type TimerName = RecordOf<'timer.start'>['fields']['timer'];

export interface TimerReport {
  readonly timer: TimerName;
  readonly route: string;
  /** Nanoseconds. */
  readonly nominalPeriod: number;
  /** From one interrupt's stub to the next one's. */
  readonly intervals: Summary;
  /** Of each interrupt's stub from its nominal instant. */
  readonly errors: Summary;
  /** From the stub's first instructions to the handler's first statement in TypeScript. */
  readonly latencies: Summary;
}

interface Timer {
  /** Undefined until its start is read. */
  start: RecordOf<'timer.start'>['fields'] | undefined;
  last: bigint | undefined;
  readonly intervals: Samples;
  readonly errors: Samples;
  readonly latencies: Samples;
}

export interface Timers extends Accumulator<TimerReport[]> {
  series(): NamedSeries[];
}

export function createTimers(): Timers {
  const timers = new Map<TimerName, Timer>();

  function timerOf(name: TimerName): Timer {
    let own = timers.get(name);
    if (!own) {
      own = { start: undefined, last: undefined, intervals: createSamples(), errors: createSamples(), latencies: createSamples() };
      timers.set(name, own);
    }
    return own;
  }

  function takeInterrupt({ at, fields }: RecordOf<'timer.interrupt'>, line: number): void {
    const { timer, nominal, taken } = fields;
    const own = timerOf(timer);
    if (own.last !== undefined) own.intervals.push(Number(taken - own.last), line, at);
    own.last = taken;
    own.errors.push(Number(taken - nominal), line, at);
    own.latencies.push(Number(at - taken), line, at);
  }

  return {
    push: (record, line) => {
      if (record.event === 'timer.interrupt') takeInterrupt(record, line);
      else if (record.event === 'timer.start') timerOf(record.fields.timer).start ??= record.fields;
    },
    result: () =>
      [...timers].flatMap(([timer, { start, intervals, errors, latencies }]) => {
        const [interval, error, latency] = [intervals.summary(), errors.summary(), latencies.summary()];
        if (!start || !interval || !error || !latency) return [];
        return [{ timer, route: start.route, nominalPeriod: Number(start.period), intervals: interval, errors: error, latencies: latency }];
      }),
    series: () =>
      [...timers].flatMap(([timer, { intervals, errors, latencies }]) => [
        ...namedSeries('timer.lateness', timer, errors),
        ...namedSeries('timer.interval', timer, intervals),
        ...namedSeries('interrupt.latency', timer, latencies),
      ]),
  };
}

/** Significant digits and the space between columns: what is tried until the table is narrow enough. */
const LAYOUTS = [
  { digits: 10, gap: '  ' },
  { digits: 10, gap: ' ' },
  { digits: 6, gap: ' ' },
  { digits: 5, gap: ' ' },
  { digits: 4, gap: '  ' },
] as const;
type Layout = (typeof LAYOUTS)[number];

/** The table as lines, at most 100 columns wide: figures lose digits where it would not fit otherwise. */
export function timerTable(reports: readonly TimerReport[]): string[] {
  if (reports.length === 0) return [];
  const tables = LAYOUTS.map((layout) => tableWith(layout, reports));
  return tables.find(([head]) => head!.length <= COLUMNS) ?? tables.at(-1)!;
}

function tableWith({ digits, gap }: Layout, reports: readonly TimerReport[]): string[] {
  const show = (value: number): string => showNanos(value, digits);
  const rows: string[][] = [
    ['timer', 'count', 'nominal', 'min', 'mean', 'max', 'jitter', 'worst error', 'latency', 'jitter'],
    ...reports.map(({ timer, nominalPeriod, intervals, errors, latencies }) => [
      timer,
      String(intervals.count + 1),
      show(nominalPeriod),
      show(intervals.min),
      show(Math.round(intervals.mean)),
      show(intervals.max),
      show(intervals.jitter),
      show(Math.abs(errors.min) > Math.abs(errors.max) ? errors.min : errors.max),
      show(latencies.max),
      show(latencies.jitter),
    ]),
  ];
  return alignColumns(rows, gap);
}
