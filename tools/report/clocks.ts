/** What a run's records say of its clocks and of what its time is made of. */
import type { TraceRecord } from '../../kernel/trace/events.ts';
import { fieldsOf } from './records.ts';
import { showNanos } from './statistics.ts';
import { alignColumns } from './table.ts';

/** Each part that was chosen, with the reason. */
export function selectionLines(records: readonly TraceRecord[]): string[] {
  return fieldsOf(records, 'time.selected').map(({ what, name, reason }) => `${what.padEnd(5)}  ${name}: ${reason}`);
}

/** Clocks side by side; empty if none were compared. */
export function clockTable(records: readonly TraceRecord[]): string[] {
  const compared = fieldsOf(records, 'clock.compared');
  if (compared.length === 0) return [];
  return alignColumns([
    ['clock', 'against', 'over', 'offset', 'drift', 'a reading takes'],
    ...compared.map((fields) => [
      fields.clock,
      fields.against,
      showNanos(Number(fields.elapsed), 4),
      showNanos(Number(fields.offset), 10),
      `${(fields['drift-ppb'] / 1000).toFixed(3)} ppm`,
      showNanos(Number(fields.read), 10),
    ]),
  ]);
}

/** The chosen timer; empty if it was not measured. */
export function latenessTable(records: readonly TraceRecord[]): string[] {
  const measured = fieldsOf(records, 'timer.lateness');
  if (measured.length === 0) return [];
  const bounds = fieldsOf(records, 'time.timer');
  return alignColumns([
    ['timer', 'deadlines', 'least late', 'most late', 'shortest interval', 'longest run'],
    ...measured.map(({ timer, count, min, max }) => {
      const own = bounds.find((fields) => fields.timer === timer);
      const show = (value: bigint | undefined, digits: number): string => (value === undefined ? '' : showNanos(Number(value), digits));
      return [timer, String(count), show(min, 10), show(max, 10), show(own?.min, 10), show(own?.max, 4)];
    }),
  ]);
}

/** All of it, each table under its heading. */
export function timeReport(records: readonly TraceRecord[]): string[] {
  const parts: [string, string[]][] = [
    ['What time is made of', selectionLines(records)],
    ['Clocks side by side', clockTable(records)],
    ['Kernel timers, from the deadline to the stub', latenessTable(records)],
  ];
  return parts.flatMap(([heading, lines]) => (lines.length > 0 ? ['', heading, ...lines] : []));
}
