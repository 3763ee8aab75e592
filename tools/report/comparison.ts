/** Two runs beside each other: where they part, if they are to be the same, and their figures. */
import type { TraceRecord } from '../../kernel/trace/events.ts';
import type { ReadLine } from '../log/read.ts';
import { reportFigures, type Figure } from './data.ts';
import type { Report } from './report.ts';
import { showNanos } from './statistics.ts';
import { cut, fitted } from './table.ts';

/** Where two runs part: the first line that one of them has otherwise, or not at all. */
export interface Divergence {
  /** Lines that are the same in both, counted from the beginning. */
  readonly same: number;
  /** The last ones of these, of the first run. */
  readonly before: readonly ReadLine[];
  /** Undefined where a log has ended. */
  readonly a: ReadLine | undefined;
  readonly b: ReadLine | undefined;
}

/** Two runs that are the same say the same: what the tools and the firmware say besides does not count. */
export const isOfRun = ({ parsed }: ReadLine): boolean => parsed.kind !== 'comment' && parsed.kind !== 'other';

const CONTEXT = 3;

export interface Follower {
  /** The next line of each run, undefined where it has ended. @returns whether they are still the same */
  push(a: ReadLine | undefined, b: ReadLine | undefined): boolean;
  readonly divergence: Divergence | undefined;
  readonly same: number;
}

export function createFollower(): Follower {
  let before: ReadLine[] = [];
  let same = 0;
  let divergence: Divergence | undefined;
  return {
    push: (a, b) => {
      if (a?.text.trim() !== b?.text.trim()) divergence ??= { same, before, a, b };
      if (divergence || !a) return false;
      same++;
      before = [...before.slice(1 - CONTEXT), a];
      return true;
    },
    get divergence() {
      return divergence;
    },
    get same() {
      return same;
    },
  };
}

/** What of two records is not the same: `at 12 ns later, taken 12 ns later, index 3 and 4`. */
function differences(a: ReadLine, b: ReadLine): string {
  if (a.parsed.kind !== 'record' || b.parsed.kind !== 'record') return 'the lines differ';
  const [one, other] = [a.parsed.record, b.parsed.record];
  if (one.event !== other.event) return `${one.event} in one, ${other.event} in the other`;
  const valuesOf = ({ at, cpu, fields }: TraceRecord): Readonly<Record<string, unknown>> => ({ at, cpu, ...fields });
  const [left, right] = [valuesOf(one), valuesOf(other)];
  const parts = Object.keys(left).flatMap((name) => {
    const [own, others] = [left[name], right[name]];
    if (own === others) return [];
    if (typeof own !== 'bigint' || typeof others !== 'bigint') return [`${name} ${String(own)} and ${String(others)}`];
    const difference = Number(others - own);
    return [`${name} ${showNanos(Math.abs(difference))} ${difference > 0 ? 'more' : 'less'}`];
  });
  return `${one.event}: ${parts.join(', ')}`;
}

/** @param names of the logs */
export function divergenceLines({ same, before, a, b }: Divergence, names: readonly [string, string]): string[] {
  const line = (mark: string, own: ReadLine | undefined): string =>
    own ? `${mark} ${String(own.number).padStart(6)}  ${own.text}` : `${mark} ${'end'.padStart(6)}`;
  const what = a && b ? differences(a, b) : `${names[a ? 1 : 0]} ends here`;
  return [
    `The runs are the same for ${same} lines, then part: ${what}`,
    ...before.map((own) => line(' ', own)),
    line('<', a),
    line('>', b),
  ];
}

const key = ({ table, subject, quantity }: Figure): string => `${table} ${subject} ${quantity}`.replaceAll('  ', ' ');

function shown({ value, unit }: Pick<Figure, 'value' | 'unit'>, digits: number): string {
  if (value === undefined) return '';
  if (unit === 'ns') return showNanos(Number(value), digits);
  return `${Number(Number(value).toPrecision(Math.min(digits, 7)))}${unit === '' ? '' : ` ${unit}`}`;
}

/** Figures that only one of the runs has, or that are not the same in both. Empty if there are none. */
export function figureTable(a: Report, b: Report): string[] {
  const rows = new Map<string, [Figure | undefined, Figure | undefined]>();
  [a, b].forEach((report, side) => {
    for (const figure of reportFigures(report)) {
      if (figure.quantity === 'worst') continue;
      const row = rows.get(key(figure)) ?? [undefined, undefined];
      row[side] = figure;
      rows.set(key(figure), row);
    }
  });
  const different = [...rows].filter(([, [one, other]]) => one?.value !== other?.value);
  if (different.length === 0) return [];
  return fitted(({ digits, name }) => [
    ['figure', '<', '>', 'difference'],
    ...different.map(([figure, [one, other]]) => {
      const known = one?.value !== undefined && other?.value !== undefined;
      const unit = (one ?? other)!.unit;
      const difference = known ? Number(other.value) - Number(one.value) : undefined;
      return [
        cut(figure, name + 20),
        ...[one, other].map((own) => (own ? shown(own, digits) : '')),
        difference === undefined ? '' : `${difference > 0 ? '+' : ''}${shown({ value: difference, unit }, digits)}`,
      ];
    }),
  ]);
}
