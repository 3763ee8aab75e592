/** A report as data: JSON for programs, CSV for spreadsheets. All times are nanoseconds. */
import type { Report } from './report.ts';

/** JSON has no integers beyond 2^53; nanoseconds since boot get there after 104 days. */
export const asJson = (value: unknown, space?: number): string =>
  JSON.stringify(value, (_, own: unknown) => (typeof own === 'bigint' ? Number(own) : own), space);

export function reportData(report: Report) {
  const { records, from, to, system, single, timers, slots, outputs, partitions, virtualDevices, series, losses } = report;
  return {
    ...{ records, from, to },
    system: system.name === undefined ? undefined : { name: system.name, epoch: system.epoch },
    clocks: single.of('clock.compared'),
    kernelTimers: single.of('timer.lateness'),
    timers,
    slots: slots.map((slot) => ({ ...slot, name: system.nameOf(slot.partition) })),
    outputs: outputs.map((output) => ({ ...output, name: system.nameOf(output.partition) })),
    ...partitions,
    ...virtualDevices,
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

/** One figure of a report: `slot.start victim/1 p99` is 4 ns. */
export interface Figure {
  readonly table: string;
  readonly subject: string;
  readonly quantity: string;
  /** Undefined where the log does not have it. */
  readonly value: number | bigint | undefined;
  readonly unit: 'ns' | 'ppb' | '%' | '';
  /** Of the log, for a worst sample. */
  readonly line?: number;
}

export function reportFigures(report: Report): Figure[] {
  const { system, single, slots, partitions, virtualDevices, series, losses } = report;
  const figures: Figure[] = [];
  function add(table: string, subject: string, unit: Figure['unit'], values: Readonly<Record<string, Figure['value']>>): void {
    for (const [quantity, value] of Object.entries(values)) figures.push({ table, subject, quantity, value, unit });
  }
  for (const { quantity, subject, summary } of series) {
    const { count, min, mean, p50, p99, p999, max, worst } = summary;
    add(quantity, subject, '', { count });
    add(quantity, subject, 'ns', { min, mean, p50, p99, 'p99.9': p999, max });
    for (const { value, line } of worst) figures.push({ table: quantity, subject, quantity: 'worst', value, unit: 'ns', line });
  }
  for (const { partition, slot, planned, runs, woken, share, overruns } of slots) {
    const subject = `${system.nameOf(partition)}/${slot}`;
    add('slot', subject, '', { planned, runs, woken, overruns });
    add('slot', subject, '%', { share });
  }
  for (const { name, late, exits = [], healthEvents } of partitions.partitions) {
    add('partition', name, '', { late, 'health events': healthEvents });
    add('exits', name, '', Object.fromEntries(exits.map(({ reason, count }) => [reason, count])));
  }
  for (const { partition, event, action, count, line } of partitions.health)
    figures.push({ table: 'health', subject: system.nameOf(partition), quantity: `${event} ${action}`, value: count, unit: '', line });
  for (const { partition, source, accepted, merged, dropped, lost } of virtualDevices.accounts)
    add('ticks', `${system.nameOf(partition)}/${source}`, '', { accepted, merged, dropped, lost });
  for (const { partition, device, reads, writes, misuses } of virtualDevices.devices)
    add('device', `${system.nameOf(partition)}/${device}`, '', { reads, writes, misuses });
  for (const fields of single.of('clock.compared')) add('clock', fields.clock, 'ppb', { drift: fields['drift-ppb'] });
  if (partitions.costs) add('kernel', '', 'ns', { 'longest stretch': partitions.costs['longest-stretch'] });
  const { dropped, missing, errors, warnings, diagnostics } = losses;
  add('losses', '', '', { dropped, missing, errors, warnings, diagnostics });
  return figures;
}

/** One figure per row, so that a spreadsheet's pivot makes any table of it. `line` is the log's, of a worst sample. */
export function reportCsv(report: Report): string[] {
  const rows = reportFigures(report).map(({ table, subject, quantity, value, unit, line }) => [
    table,
    subject,
    quantity,
    value,
    unit,
    line,
  ]);
  return [['table', 'subject', 'quantity', 'value', 'unit', 'line'], ...rows].map(csvLine);
}
