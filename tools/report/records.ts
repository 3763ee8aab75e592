import type { RecordOf, TraceRecord } from '../../kernel/trace/events.ts';

/** Fields of all records of one event, in order. */
export function fieldsOf<Name extends TraceRecord['event']>(records: readonly TraceRecord[], name: Name): RecordOf<Name>['fields'][] {
  return records
    .filter((record): record is RecordOf<Name> => record.event === name)
    .map(({ fields }) => fields as RecordOf<Name>['fields']);
}
