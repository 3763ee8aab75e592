/** A report as data: JSON for programs, CSV for spreadsheets. All times are nanoseconds. */
import type { Report } from './report.ts';

/** JSON has no integers beyond 2^53; nanoseconds since boot get there after 104 days. */
export const asJson = (value: unknown, space?: number): string =>
  JSON.stringify(value, (_, own: unknown) => (typeof own === 'bigint' ? Number(own) : own), space);

export function reportData(report: Report) {
  const { records, from, to, system, single, timers, slots, outputs, partitions, series, losses } = report;
  return {
    ...{ records, from, to },
    system: system.name === undefined ? undefined : { name: system.name, epoch: system.epoch },
    clocks: single.of('clock.compared'),
    kernelTimers: single.of('timer.lateness'),
    timers,
    slots: slots.map((slot) => ({ ...slot, name: system.nameOf(slot.partition) })),
    outputs: outputs.map((output) => ({ ...output, name: system.nameOf(output.partition) })),
    ...partitions,
    series: series.map(({ quantity, subject, summary }) => ({ quantity, subject, ...summary })),
    losses,
  };
}

type Cell = string | number | bigint | undefined;

/** RFC 4180, "Definition of the CSV Format". */
export function csvLine(cells: readonly Cell[]): string {
  return cells
    .map((cell) => String(cell ?? ''))
    .map((text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text))
    .join(',');
}

/** One figure per row, so that a spreadsheet's pivot makes any table of it. `line` is the log's, of a worst sample. */
export function reportCsv(report: Report): string[] {
  const { system, single, slots, partitions, series, losses } = report;
  const rows: Cell[][] = [['table', 'subject', 'quantity', 'value', 'unit', 'line']];
  for (const { quantity, subject, summary } of series) {
    const { count, min, mean, p50, p99, p999, max, worst } = summary;
    rows.push([quantity, subject, 'count', count, '', undefined]);
    for (const [name, value] of Object.entries({ min, mean, p50, p99, 'p99.9': p999, max }))
      rows.push([quantity, subject, name, value, 'ns']);
    for (const sample of worst) rows.push([quantity, subject, 'worst', sample.value, 'ns', sample.line]);
  }
  for (const { partition, slot, planned, runs, woken, share, overruns } of slots) {
    const subject = `${system.nameOf(partition)}/${slot}`;
    for (const [name, value] of Object.entries({ planned, runs, woken, overruns })) rows.push(['slot', subject, name, value]);
    rows.push(['slot', subject, 'share', share, '%']);
  }
  for (const { name, late, exits = [], healthEvents } of partitions.partitions) {
    rows.push(['partition', name, 'late', late], ['partition', name, 'health events', healthEvents]);
    for (const { reason, count } of exits) rows.push(['exits', name, reason, count]);
  }
  for (const { partition, event, action, count, line } of partitions.health)
    rows.push(['health', system.nameOf(partition), `${event} ${action}`, count, '', line]);
  for (const fields of single.of('clock.compared')) rows.push(['clock', fields.clock, 'drift', fields['drift-ppb'], 'ppb']);
  if (partitions.costs) rows.push(['kernel', '', 'longest stretch', partitions.costs['longest-stretch'], 'ns']);
  for (const name of ['dropped', 'missing', 'errors', 'warnings', 'diagnostics'] as const) rows.push(['losses', '', name, losses[name]]);
  return rows.map((row) => csvLine([...row, ...Array.from({ length: 6 - row.length }, () => undefined)]));
}
