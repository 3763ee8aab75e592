/** What the demonstration's records say of each timer. Computed from the single interrupts, not from the kernel's own sums. */
import type { RecordOf, TraceRecord } from '../../kernel/trace/events.ts';
import { alignColumns } from './table.ts';
import { histogram, histogramLines, showNanos, statistics, type Statistics } from './statistics.ts';

export interface TimerReport {
  readonly timer: RecordOf<'timer.start'>['fields']['timer'];
  readonly route: string;
  /** Nanoseconds. */
  readonly nominalPeriod: number;
  /** From one interrupt's stub to the next one's. */
  readonly intervals: Statistics;
  /** Of each interrupt's stub from its nominal instant. */
  readonly errors: Statistics;
  /** From the stub's first instructions to the handler's first statement in TypeScript. */
  readonly latencies: Statistics;
  readonly latencySamples: readonly number[];
}

export function timerReports(records: readonly TraceRecord[]): TimerReport[] {
  const starts = records.filter((record) => record.event === 'timer.start');
  return starts.flatMap(({ fields }) => {
    const own = records.filter(
      (record) => record.event === 'timer.interrupt' && record.fields.timer === fields.timer,
    ) as RecordOf<'timer.interrupt'>[];
    const intervals = statistics(own.slice(1).map((record, index) => Number(record.fields.taken - own[index]!.fields.taken)));
    const errors = statistics(own.map((record) => Number(record.fields.taken - record.fields.nominal)));
    const latencySamples = own.map((record) => Number(record.at - record.fields.taken));
    const latencies = statistics(latencySamples);
    if (!intervals || !errors || !latencies) return [];
    return [
      { timer: fields.timer, route: fields.route, nominalPeriod: Number(fields.period), intervals, errors, latencies, latencySamples },
    ];
  });
}

const TABLE_COLUMNS = 100;
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
  return tables.find(([head]) => head!.length <= TABLE_COLUMNS) ?? tables.at(-1)!;
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

const BINS = 12;

export function latencyHistogram(report: TimerReport): string[] {
  return histogramLines(histogram(report.latencySamples, BINS));
}
