/** A plan as a picture of text: one row per partition, time from left to right over the major frame. */
import type { PlanDescription, SystemDescription } from '../../kernel/partition/system.ts';
import { showNanos } from '../report/statistics.ts';

const COLUMNS = 100;
const MARK = '█';
const NOTHING = '·';

/** At most 100 columns wide. A slot has at least one column, however short it is. */
export function pictureOfPlan(plan: PlanDescription, partitions: readonly string[]): string[] {
  const used = [...new Set(plan.slots.map(({ partition }) => partition))].sort((a, b) => a - b);
  const rows = used.map((partition) => ({
    name: partitions[partition]!,
    slots: plan.slots.filter((slot) => slot.partition === partition),
  }));
  const labelWidth = Math.max(...rows.map(({ name }) => name.length));
  const shares = rows.map(({ slots }) =>
    percent(
      slots.reduce((sum, { duration }) => sum + duration, 0),
      plan.majorFrame,
    ),
  );
  const shareWidth = Math.max(...shares.map((share) => share.length));
  const width = COLUMNS - labelWidth - shareWidth - 4;
  const column = (at: number): number => Math.floor((at / plan.majorFrame) * width);
  const start = '0';
  const end = showNanos(plan.majorFrame);
  return [
    `${' '.repeat(labelWidth + 2)}${start}${end.padStart(width - start.length)}`,
    ...rows.map(({ name, slots }, row) => {
      const cells = new Array<string>(width).fill(NOTHING);
      for (const { start: from, duration } of slots) cells.fill(MARK, column(from), Math.max(column(from) + 1, column(from + duration)));
      return `${name.padEnd(labelWidth)}  ${cells.join('')}  ${shares[row]!.padStart(shareWidth)}`;
    }),
  ];
}

const percent = (part: number, whole: number): string => `${Number(((part / whole) * 100).toFixed(1))} %`;

/** What a system is, in a few lines and a picture of each plan. */
export function summaryOfSystem(system: SystemDescription): string[] {
  const { partitions, plans, channels, inputs, duration } = system;
  const names = partitions.map(({ name }) => name);
  const count = (items: readonly unknown[], word: string): string => `${items.length} ${word}${items.length === 1 ? '' : 's'}`;
  const lines = [
    [
      `${system.name}: ${count(partitions, 'partition')}`,
      count(plans, 'plan'),
      ...(channels.length > 0 ? [count(channels, 'channel')] : []),
      ...(inputs.length > 0 ? [count(inputs, 'input')] : []),
      duration > 0 ? `runs for ${showNanos(duration)}` : 'runs until every partition has halted',
    ].join(', '),
  ];
  for (const [index, plan] of plans.entries()) {
    const notes = [...(index === 0 ? ['at the start'] : []), ...(plan.isMaintenance ? ['maintenance'] : [])];
    lines.push('', `plan ${plan.name}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}`, ...pictureOfPlan(plan, names));
  }
  return lines;
}
