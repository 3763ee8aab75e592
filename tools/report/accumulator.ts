/** How tables are made of a log of any length: record by record, in memory that does not grow with it. Live runs and stored logs alike. */
import type { EventName, RecordOf, TraceRecord } from '../../kernel/trace/events.ts';

export interface Accumulator<Result> {
  /** @param line where the record stands in its log, counted from 1 */
  push(record: TraceRecord, line: number): void;
  /** Of what was pushed so far; may be asked for again and again. */
  result(): Result;
}

/** Of records that are all there already, each in a line of its own. */
export function accumulated<Result>(accumulator: Accumulator<Result>, records: readonly TraceRecord[]): Result {
  records.forEach((record, index) => accumulator.push(record, index + 1));
  return accumulator.result();
}

/** Of the events that a table shows one by one, so many are kept: a kernel records each a few times. */
export const KEPT_MOST = 10_000;

/** Fields of the records of events that occur a few times in a run. */
export interface KeptRecords {
  push(record: TraceRecord): void;
  of<Name extends EventName>(event: Name): readonly RecordOf<Name>['fields'][];
}

export function createKeptRecords(events: readonly EventName[]): KeptRecords {
  const kept = new Map<EventName, TraceRecord['fields'][]>(events.map((event) => [event, []]));
  return {
    push: ({ event, fields }) => {
      const own = kept.get(event);
      if (own && own.length < KEPT_MOST) own.push(fields);
    },
    of: <Name extends EventName>(event: Name) => (kept.get(event) ?? []) as unknown as readonly RecordOf<Name>['fields'][],
  };
}
