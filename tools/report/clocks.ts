/** What a run's records say of its clocks and of what its time is made of. */
import type { KeptRecords } from './accumulator.ts';
import { showNanos } from './statistics.ts';
import { alignColumns } from './table.ts';

/** Each part that was chosen, with the reason. */
export function selectionLines(records: KeptRecords): string[] {
  return records.of('time.selected').map(({ what, name, reason }) => `${what.padEnd(5)}  ${name}: ${reason}`);
}

/** Clocks side by side; empty if none were compared. */
export function clockTable(records: KeptRecords): string[] {
  const compared = records.of('clock.compared');
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
export function latenessTable(records: KeptRecords): string[] {
  const measured = records.of('timer.lateness');
  if (measured.length === 0) return [];
  const bounds = records.of('time.timer');
  return alignColumns([
    ['timer', 'deadlines', 'least late', 'most late', 'shortest interval', 'longest run'],
    ...measured.map(({ timer, count, min, max }) => {
      const own = bounds.find((fields) => fields.timer === timer);
      const show = (value: bigint | undefined, digits: number): string => (value === undefined ? '' : showNanos(Number(value), digits));
      return [timer, String(count), show(min, 10), show(max, 10), show(own?.min, 10), show(own?.max, 4)];
    }),
  ]);
}
