/** Records for people: aligned, with units, and with times since boot or since the record shown before. */
import { showNanos } from '../report/statistics.ts';
import type { createPainter } from '../terminal.ts';
import type { Subject } from './expression.ts';

type Painter = ReturnType<typeof createPainter>;

const TIME_WIDTH = 16;
const LINE_WIDTH = 6;
/** The longest name of an event there is has 21 characters; most are shorter. */
const EVENT_WIDTH = 18;

export interface ColumnOptions {
  /** Times since the record shown before, in place of times since boot. */
  readonly isRelative: boolean;
}

export function createColumns(paint: Painter, { isRelative }: ColumnOptions): (subject: Subject, fieldsText: string) => string {
  let last: bigint | undefined;
  return ({ at, cpu, level, event, line }, fieldsText) => {
    const time = isRelative ? relative(at, last) : absolute(at);
    last = at;
    const head = `${String(line).padStart(LINE_WIDTH)} ${time.padStart(TIME_WIDTH)} cpu${cpu} `;
    const name = event.padEnd(EVENT_WIDTH);
    const painted = level === 'error' ? paint('red', name) : level === 'warn' ? paint('yellow', name) : paint('cyan', name);
    return `${paint('dim', head)}${painted} ${fieldsText}`.trimEnd();
  };
}

/** Seconds with all nanoseconds, in groups of three: 3.258 003 663 s. */
function absolute(at: bigint): string {
  const digits = String(at % 1_000_000_000n).padStart(9, '0');
  return `${at / 1_000_000_000n}.${digits.slice(0, 3)} ${digits.slice(3, 6)} ${digits.slice(6)}`;
}

function relative(at: bigint, last: bigint | undefined): string {
  if (last === undefined) return absolute(at);
  const since = Number(at - last);
  return `${since < 0 ? '' : '+'}${showNanos(since)}`;
}
