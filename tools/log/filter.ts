/** Which records of a log are wanted. */
import type { Level } from '../../kernel/trace/event.ts';
import { levelRank } from '../../kernel/trace/text.ts';
import { valueOfWord, type Condition, type Subject } from './expression.ts';
import type { ReadLine } from './read.ts';
import type { Instant } from './times.ts';

export interface Wanted {
  readonly level: Level;
  readonly isEvent: (event: string) => boolean;
  readonly cpu: number | undefined;
  /** By its name or its number. */
  readonly partition: string | undefined;
  readonly since: Instant | undefined;
  readonly until: Instant | undefined;
  /** The last record's stamp, where an instant is relative to it. */
  readonly end: bigint;
  readonly where: Condition | undefined;
}

/** A record, known or not, as a filter sees it; undefined for any other line. */
export function subjectOf({ parsed, number }: ReadLine): Subject | undefined {
  if (parsed.kind === 'record') {
    const { at, cpu, level, event, fields } = parsed.record;
    return { at, cpu, level, event, line: number, fields };
  }
  if (parsed.kind !== 'unknown-record') return undefined;
  const { at, cpu, level, event, fields } = parsed;
  return {
    at,
    cpu,
    level,
    event,
    line: number,
    fields: Object.fromEntries(Object.entries(fields).map(([name, word]) => [name, valueOfWord(word)])),
  };
}

/** For the lines of one log, in order: it learns from them what names and the epoch mean. */
export function createFilter(wanted: Wanted): (line: ReadLine, subject: Subject) => boolean {
  const numbers = new Map<string, number>();
  let epoch: bigint | undefined;
  let boot = 0;

  function learn({ parsed, boot: own }: ReadLine): void {
    if (own !== boot) {
      boot = own;
      epoch = undefined;
      numbers.clear();
    }
    if (parsed.kind !== 'record') return;
    if (parsed.record.event === 'system.started') epoch = parsed.record.fields.epoch;
    if (parsed.record.event === 'partition.created') numbers.set(parsed.record.fields.name, parsed.record.fields.partition);
  }

  /** Undefined before the system has started: all that comes later is later. */
  function nanosOf({ from, offset }: Instant): bigint | undefined {
    if (from === 'boot') return offset;
    if (from === 'end') return wanted.end + offset;
    return epoch === undefined ? undefined : epoch + offset;
  }

  function isInTime(at: bigint): boolean {
    const since = wanted.since && nanosOf(wanted.since);
    const until = wanted.until && nanosOf(wanted.until);
    if (wanted.since && (since === undefined || at < since)) return false;
    return until === undefined || at <= until;
  }

  function isOfPartition({ fields }: Subject): boolean {
    const { partition } = wanted;
    if (partition === undefined) return true;
    const number = numbers.get(partition) ?? (/^\d+$/.test(partition) ? Number(partition) : undefined);
    return number !== undefined && fields['partition'] === number;
  }

  return (line, subject) => {
    learn(line);
    return (
      levelRank(subject.level as Level) <= levelRank(wanted.level) &&
      wanted.isEvent(subject.event) &&
      (wanted.cpu === undefined || subject.cpu === wanted.cpu) &&
      isInTime(subject.at) &&
      isOfPartition(subject) &&
      (wanted.where === undefined || wanted.where(subject))
    );
  };
}
