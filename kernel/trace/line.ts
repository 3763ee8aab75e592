/**
 * The trace as text: one line per record, for `less` and `grep`. The grammar stands in
 * kernel/trace/GRAMMAR.md; its version is in the first line of every log. Reading it is text.ts's, which a kernel has no use for.
 */
import { LEVELS, type EventDefinition, type Level } from './event.ts';

export const GRAMMAR_VERSION = 1;
export const HEADER_LINE = `# chronovisor-trace ${GRAMMAR_VERSION}`;
/** Stamps are padded to this many digits: columns align for the first 1,000 seconds. */
const STAMP_WIDTH = 12;

/** `values` are decoded ones, in the order of the event's fields. */
export function formatLine(event: EventDefinition, at: bigint, cpu: number, values: readonly unknown[]): string {
  let line = `${String(at).padStart(STAMP_WIDTH)} cpu${cpu} ${event.level.padEnd(5)} ${event.name}`;
  for (let index = 0; index < event.fields.length; index++) {
    const [name, type] = event.fields[index]!;
    line += ` ${name}=${type.toText(values[index])}`;
  }
  return line;
}

/** Position in order of weight: error 0, debug 3. */
export const levelRank = (level: Level): number => LEVELS.indexOf(level);
