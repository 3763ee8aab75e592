/** All that a log says of the run, from one pass over its lines: the same for a stored log, for `run` and for a log that still grows. */
import type { EventName } from '../../kernel/trace/events.ts';
import { liveLine, type ReadLine } from '../log/read.ts';
import { createKeptRecords, type KeptRecords } from './accumulator.ts';
import { clockTable, latenessTable, selectionLines } from './clocks.ts';
import { createLosses, lossLines, type LossesReport } from './losses.ts';
import { createOtherSeries } from './other-series.ts';
import { createOutputs, outputTable, type OutputReport } from './outputs.ts';
import { costLines, createPartitions, exitLines, healthTable, partitionTable, type PartitionsReport } from './partitions.ts';
import type { NamedSeries } from './samples.ts';
import { createSlots, slotTable, type SlotReport } from './slots.ts';
import { showNanos } from './statistics.ts';
import { createSystem, type System } from './system.ts';
import { cut, fitted, sections } from './table.ts';
import { createTimers, timerTable, type TimerReport } from './timers.ts';
import { usesReport } from './uses.ts';
import { createVirtualDevices, deviceTable, tickTable, type VirtualDevicesReport } from './virtual-devices.ts';

/** Events of which a run has a few, and which are shown one by one. */
const SINGLE_EVENTS = [
  ...['time.selected', 'clock.compared', 'timer.lateness', 'time.timer'],
  ...['interval.recorded', 'output.signal', 'time.absolute', 'use.skipped'],
] as const satisfies readonly EventName[];

export interface Report {
  /** Records that this program knows. */
  readonly records: number;
  /** Nanoseconds since boot; undefined without records. */
  readonly from: bigint | undefined;
  readonly to: bigint | undefined;
  readonly system: System;
  readonly single: KeptRecords;
  readonly timers: readonly TimerReport[];
  readonly slots: readonly SlotReport[];
  readonly outputs: readonly OutputReport[];
  readonly partitions: PartitionsReport;
  readonly virtualDevices: VirtualDevicesReport;
  readonly series: readonly NamedSeries[];
  readonly losses: LossesReport;
}

export interface ReportBuilder {
  push(line: ReadLine): void;
  /** Of what was pushed so far. */
  result(): Report;
}

export function createReport(): ReportBuilder {
  let records = 0;
  let from: bigint | undefined;
  let to: bigint | undefined;
  const system = createSystem();
  const single = createKeptRecords(SINGLE_EVENTS);
  const timers = createTimers();
  const slots = createSlots(system);
  const outputs = createOutputs(system);
  const partitions = createPartitions(system);
  const virtualDevices = createVirtualDevices(system);
  const others = createOtherSeries(system);
  const losses = createLosses();
  return {
    push: (line) => {
      losses.push(line);
      if (line.parsed.kind !== 'record') return;
      const { record } = line.parsed;
      records++;
      if (from === undefined || record.at < from) from = record.at;
      if (to === undefined || record.at > to) to = record.at;
      system.push(record);
      single.push(record);
      for (const each of [timers, slots, outputs, partitions, virtualDevices, others]) each.push(record, line.number);
    },
    result: () => ({
      ...{ records, from, to, system, single },
      timers: timers.result(),
      slots: slots.result(),
      outputs: outputs.result(),
      partitions: partitions.result(),
      virtualDevices: virtualDevices.result(),
      series: [...slots.series(), ...timers.series(), ...outputs.series(), ...virtualDevices.series(), ...others.result()],
      losses: losses.result(),
    }),
  };
}

/** For a log that may have several boots: of the last one. */
export function createLastBootReport(): ReportBuilder & { readonly boot: number } {
  let boot = 0;
  let report = createReport();
  return {
    push: (line) => {
      if (line.boot !== boot) {
        boot = line.boot;
        report = createReport();
      }
      report.push(line);
    },
    result: () => report.result(),
    get boot() {
      return boot;
    },
  };
}

/** Of a run whose lines are all there. */
export function reportOf(lines: readonly string[]): Report {
  const report = createReport();
  lines.forEach((line, index) => report.push(liveLine(line, index + 1)));
  return report.result();
}

/** Here figures lose digits before names lose letters. */
const SERIES_LAYOUTS = [10, 7, 5, 4].map((digits) => ({ digits, name: 44 })).concat({ digits: 4, name: 28 });

/** A row per series, with the line of what is farthest from zero. */
export function seriesTable(series: readonly NamedSeries[]): string[] {
  if (series.length === 0) return [];
  return fitted(({ digits, name }) => {
    const show = (value: number): string => showNanos(Math.round(value), digits);
    return [
      ['series', 'count', 'min', 'mean', 'p99', 'p99.9', 'max', 'worst line'],
      ...series.map(({ quantity, subject, summary: { count, min, mean, p99, p999, max, worst } }) => [
        cut(`${quantity} ${subject}`, name),
        String(count),
        ...[min, mean, p99, p999, max].map(show),
        String(worst[0]!.line),
      ]),
    ];
  }, SERIES_LAYOUTS);
}

/** All tables, each under its heading, at most 100 columns wide. */
export function reportLines(report: Report): string[] {
  const { system, single, timers, slots, outputs, partitions, virtualDevices, series, losses } = report;
  return sections([
    ['Intervals from interrupt to interrupt, and latency from the stub to the handler in TypeScript', timerTable(timers)],
    ['What time is made of', selectionLines(single)],
    ['Clocks side by side', clockTable(single)],
    ['Kernel timers, from the deadline to the stub', latenessTable(single)],
    ['Uses of time', usesReport(single)],
    [system.name === undefined ? 'Partitions' : `Partitions of ${system.name}`, partitionTable(partitions)],
    ['Slots: starts from the nominal instant to the first instruction of the guest', slotTable(slots, system)],
    ['Outputs: writes to traced ports, from the nominal instant', outputTable(outputs, system)],
    ['Virtual timers: what became of their ticks', tickTable(virtualDevices, system)],
    ['Virtual devices: accesses of programs', deviceTable(virtualDevices, system)],
    ['Exits by reason', exitLines(partitions)],
    ['Health', healthTable(partitions, system)],
    ['The kernel between two runs of guests', costLines(partitions)],
    ['Series, from single records', seriesTable(series)],
    ['Losses', lossLines(losses)],
  ]);
}
