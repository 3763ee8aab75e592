/** Records as comma-separated values, after RFC 4180: a row each, a column for every field that occurs. Instants and durations are whole nanoseconds. */
import { EVENT_BY_NAME } from '../../kernel/trace/events.ts';
import type { LoggedRecord } from '../timeline/model.ts';

/** What a field of a record may be. */
type Value = string | number | bigint | boolean;

const LEADING = ['line', 'at', 'cpu', 'level', 'event'] as const;

/** Row by row. */
export function* csv(logged: readonly LoggedRecord[]): Generator<string> {
  const events = new Set(logged.map(({ record }) => record.event));
  // In the order of the list of events, whatever the log's is: the columns of two runs are the same.
  const fields = [...EVENT_BY_NAME]
    .filter(([name]) => (events as ReadonlySet<string>).has(name))
    .flatMap(([, event]) => event.fields.map(([name]) => name));
  const columns = [...new Set(fields)];
  // A field that is called as a leading column is, like a health event's `event`, is told from it.
  const names = columns.map((name) => ((LEADING as readonly string[]).includes(name) ? `${name}-field` : name));
  yield `${[...LEADING, ...names].join(',')}\r\n`;
  for (const { record, line } of logged) {
    const values = record.fields as Readonly<Record<string, Value>>;
    const leading = [line, record.at, record.cpu, record.level, record.event];
    yield `${[...leading, ...columns.map((name) => values[name])].map(cell).join(',')}\r\n`;
  }
}

function cell(value: Value | undefined): string {
  if (value === undefined) return '';
  const text = typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
