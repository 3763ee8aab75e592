/** Reads the trace as text (line.ts). */
import type { Level } from './event.ts';
import { EVENT_BY_NAME, type TraceRecord } from './events.ts';

export { formatLine, GRAMMAR_VERSION, HEADER_LINE, levelRank } from './line.ts';

/** A line of a log, whatever it is: nothing is lost, nothing throws. */
export type LogLine =
  | { readonly kind: 'record'; readonly record: TraceRecord }
  /** A well-formed record of an event that this version does not know, or whose fields are not the known ones. */
  | {
      readonly kind: 'unknown-record';
      readonly at: bigint;
      readonly cpu: number;
      readonly level: Level;
      readonly event: string;
      readonly fields: Readonly<Record<string, string>>;
      readonly problem: string;
    }
  /** The runtime's own words: `! ...`. */
  | { readonly kind: 'diagnostic'; readonly text: string }
  /** A comment; the header is one. */
  | { readonly kind: 'comment'; readonly text: string; readonly version?: number }
  /** Anything else: firmware's chatter, a cut or damaged line. */
  | { readonly kind: 'other'; readonly text: string };

const RECORD = /^ *(\d+) cpu(\d+) (error|warn|info|debug) +([a-z][a-z0-9.-]*)((?: [a-z][a-z0-9-]*=(?:"(?:[^"\\]|\\.)*"|[^\s"]+))*) *$/;
const FIELD = / ([a-z][a-z0-9-]*)=("(?:[^"\\]|\\.)*"|[^\s"]+)/g;
const HEADER = /^# chronovisor-trace (\d+)$/;

/** @param text one line without its line end; a carriage return at its end is ignored */
export function parseLine(text: string): LogLine {
  const line = text.endsWith('\r') ? text.slice(0, -1) : text;
  if (line.startsWith('! ')) return { kind: 'diagnostic', text: line.slice(2) };
  if (line.startsWith('#')) {
    const header = HEADER.exec(line);
    return header ? { kind: 'comment', text: line, version: Number(header[1]) } : { kind: 'comment', text: line };
  }
  return parseKnown(line) ?? parseRecord(line);
}

const HEAD = /^ *(\d+) cpu(\d+) (error|warn|info|debug) +([a-z][a-z0-9.-]*)/;

/**
 * The way of nearly all lines of a log, twice as fast as by the whole grammar: a known event with its fields in the order in which they
 * are written. Undefined for anything else.
 */
function parseKnown(line: string): LogLine | undefined {
  const head = HEAD.exec(line);
  const event = head ? EVENT_BY_NAME.get(head[4]!) : undefined;
  if (!head || !event) return undefined;
  const fields: Record<string, unknown> = {};
  let at = head[0].length;
  for (const [name, type] of event.fields) {
    if (line.charCodeAt(at) !== SPACE || !line.startsWith(name, at + 1) || line.charCodeAt(at + 1 + name.length) !== EQUALS)
      return undefined;
    const start = at + name.length + 2;
    const end = line.charCodeAt(start) === QUOTE ? endOfQuoted(line, start) : endOfBare(line, start);
    if (end <= start) return undefined;
    const value: unknown = type.fromText(line.slice(start, end));
    if (value === undefined) return undefined;
    fields[name] = value;
    at = end;
  }
  if (at !== line.length) return undefined;
  const level = head[3] === event.level ? event.level : (head[3] as Level);
  return {
    kind: 'record',
    record: { event: event.name, at: BigInt(head[1]!), cpu: Number(head[2]), level, fields } as unknown as TraceRecord,
  };
}

const SPACE = 0x20;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = '\\';

/** Behind the quote that ends the string which begins at `start`; -1 if none does. */
function endOfQuoted(line: string, start: number): number {
  let end = start;
  for (;;) {
    end = line.indexOf('"', end + 1);
    if (end < 0) return -1;
    let backslashes = 0;
    while (line[end - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end + 1;
  }
}

const NOT_BARE = /[\s"]/;

/** Behind the bare value that begins at `start`; -1 if there is none. */
function endOfBare(line: string, start: number): number {
  const space = line.indexOf(' ', start);
  const end = space < 0 ? line.length : space;
  return NOT_BARE.test(line.slice(start, end)) ? -1 : end;
}

function parseRecord(line: string): LogLine {
  const match = RECORD.exec(line);
  if (!match) return { kind: 'other', text: line };
  const at = BigInt(match[1]!);
  const cpu = Number(match[2]);
  const level = match[3] as Level;
  const name = match[4]!;
  const words: Record<string, string> = {};
  for (const [, key, value] of match[5]!.matchAll(FIELD)) words[key!] = value!;
  const event = EVENT_BY_NAME.get(name);
  const unknown = (problem: string): LogLine => ({ kind: 'unknown-record', at, cpu, level, event: name, fields: words, problem });
  if (!event) return unknown(`there is no event ${name}`);
  if (Object.keys(words).length !== event.fields.length)
    return unknown(`${name} has ${event.fields.length} fields, not ${Object.keys(words).length}`);
  const fields: Record<string, unknown> = {};
  for (const [key, type] of event.fields) {
    const word = words[key];
    const value: unknown = word === undefined ? undefined : type.fromText(word);
    if (value === undefined) return unknown(word === undefined ? `${key} is missing` : `${key}=${word} is not a value of that field`);
    fields[key] = value;
  }
  return { kind: 'record', record: { event: name, at, cpu, level, fields } as unknown as TraceRecord };
}
