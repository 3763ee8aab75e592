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
  /** What instants are relative to, as far as they are: the log's first epoch, 0 without a system, and its last record's stamp. */
  readonly epoch: bigint;
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
  let { epoch } = wanted;
  let boot = 0;

  function learn({ parsed, boot: own }: ReadLine): void {
    if (own !== boot) {
      boot = own;
      epoch = wanted.epoch;
      numbers.clear();
    }
    if (parsed.kind !== 'record') return;
    if (parsed.record.event === 'system.started') epoch = parsed.record.fields.epoch;
    if (parsed.record.event === 'partition.created') numbers.set(parsed.record.fields.name, parsed.record.fields.partition);
  }

  const ORIGIN = { boot: () => 0n, epoch: () => epoch, end: () => wanted.end } as const;
  const nanosOf = ({ from, offset }: Instant): bigint => ORIGIN[from]() + offset;

  function isInTime(at: bigint): boolean {
    const { since, until } = wanted;
    return (since === undefined || at >= nanosOf(since)) && (until === undefined || at <= nanosOf(until));
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
