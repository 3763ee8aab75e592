/** What a run's records say of what time was used for: intervals of external events, output signals, absolute time. */
import type { KeptRecords } from './accumulator.ts';
import { showNanos } from './statistics.ts';
import { alignColumns } from './table.ts';

const show = (value: bigint): string => showNanos(Number(value));

/** A row per source of events; empty if none was recorded. */
export function intervalTable(records: KeptRecords): string[] {
  const recorded = records.of('interval.recorded');
  if (recorded.length === 0) return [];
  return alignColumns([
    ['events', 'intervals', 'min', 'mean', 'max', 'jitter'],
    ...recorded.map(({ source, count, min, mean, max }) => [source, String(count), show(min), show(mean), show(max), show(max - min)]),
  ]);
}

/** A row per output signal; empty if there was none. */
export function outputTable(records: KeptRecords): string[] {
  const signals = records.of('output.signal');
  if (signals.length === 0) return [];
  return alignColumns([
    ['output', 'edges', 'period', 'least late', 'most late'],
    ...signals.map((fields) => [
      fields.output,
      String(fields.edges),
      show(fields.period),
      show(fields['error-min']),
      show(fields['error-max']),
    ]),
  ]);
}

/** Absolute time, with the instant of the kernel's at which it was. */
export function absoluteLines(records: KeptRecords): string[] {
  return records
    .of('time.absolute')
    .map(({ source, time, instant, uncertainty }) => `${time} by ${source}, to ${show(uncertainty)}, ${show(instant)} after boot`);
}

const NAMES = { interval: 'intervals', output: 'signal', absolute: 'absolute time' } as const;

/** What the machine had nothing for. */
export function skippedLines(records: KeptRecords): string[] {
  return records.of('use.skipped').map(({ use, source, reason }) => `no ${NAMES[use]} of ${source}: ${reason}`);
}

/** All of it, with an empty line between its parts; nothing if there was nothing. */
export function usesReport(records: KeptRecords): string[] {
  const parts = [intervalTable(records), outputTable(records), absoluteLines(records), skippedLines(records)];
  return parts.filter((part) => part.length > 0).flatMap((part, index) => (index === 0 ? part : ['', ...part]));
}
