import type { RecordOf } from '../../kernel/trace/events.ts';

/**
 * What a partition writes, for people: each of its lines with its name before it, unless the program itself puts it there.
 * @param names of the partitions, by index
 */
export function consoleLines({ fields }: RecordOf<'partition.console'>, names: ReadonlyMap<number, string>): string[] {
  const name = names.get(fields.partition) ?? `#${fields.partition}`;
  const lines = fields.text.replace(/\n$/, '').split('\n');
  return lines.map((line) => (line.startsWith(`${name}: `) ? line : `${name}: ${line}`));
}
