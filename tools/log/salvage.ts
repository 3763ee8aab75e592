/**
 * Records within lines that are none: behind a stamp that the capturing program put there, behind the firmware's last words, behind bytes
 * of a line that is being connected, and behind a record whose line end was lost.
 */
import { parseLine, type LogLine } from '../../kernel/trace/text.ts';

export interface Piece {
  readonly before: string;
  /** What stands before it was put there by the capturing program, to each line: nothing is damaged. */
  readonly isStamped: boolean;
  readonly text: string;
  readonly parsed: LogLine;
}

/**
 * What capturing programs put before a line: `[12:34:56.789] ` (tio, in all its formats; grabserial, minicom), `Nov 25 00:52:14 ` and
 * what else the formats of moreutils' ts are mostly made of.
 */
const CAPTURE_STAMP = new RegExp(
  `^(?:${[
    String.raw`\[[\d :.TZ+-]{1,40}\]`,
    String.raw`[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?`,
    String.raw`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?`,
    String.raw`\d\d:\d\d:\d\d(?:\.\d+)?`,
    String.raw`\d+\.\d+`,
  ].join('|')}) `,
);
/** Colours and movements of a terminal; bytes that no text has; the mark that some systems put before UTF-8. */
const NOISE = /\x1b\[[0-9;?]*[A-Za-z]|\x1b(?:[()][A-Z0-9]|[c78=>DEHM])|[\x00-\x08\x0b-\x1f\x7f\ufeff]/g;
/** Without what would move a terminal's cursor, or clear it. */
export const printable = (text: string): string => text.replaceAll(NOISE, '');

const RECORD_HEAD = / cpu\d+ (?:error|warn|info|debug) +[a-z]/g;
/** Digits of a stamp: 10^20 ns are 3,000 years. */
const STAMP_DIGITS = 20;

const UNSTAMPED = { before: '', isStamped: false } as const;

/** @returns at least one piece; the text whole, as `other`, where there is nothing of the grammar in it */
export function recordsWithin(text: string): readonly Piece[] {
  const clean = printable(text);
  const stamp = CAPTURE_STAMP.exec(clean)?.[0] ?? '';
  const behind = clean.slice(stamp.length);
  const parsed = parseLine(behind);
  if (parsed.kind !== 'other') return [{ before: stamp, isStamped: stamp !== '', text: behind, parsed }];

  const header = clean.indexOf('# chronovisor-trace ');
  if (header >= 0)
    return [{ ...UNSTAMPED, before: clean.slice(0, header), text: clean.slice(header), parsed: parseLine(clean.slice(header)) }];

  const starts = recordStarts(clean);
  const pieces = starts.map((start, index): Piece => {
    // What stands before the first record belongs to nothing; what stands between two of them belongs to the earlier one.
    const own = clean.slice(start, starts[index + 1]);
    return { ...UNSTAMPED, before: index === 0 ? clean.slice(0, start) : '', text: own, parsed: parseLine(own.trimEnd()) };
  });
  return pieces.some(({ parsed: own }) => own.kind !== 'other') ? pieces : [{ ...UNSTAMPED, text, parsed: { kind: 'other', text } }];
}

/** Where in a line records may begin: at the blanks before a stamp. */
function recordStarts(text: string): number[] {
  const starts: number[] = [];
  for (const { index } of text.matchAll(RECORD_HEAD)) {
    let start = index;
    while (start > 0 && index - start < STAMP_DIGITS && isDigit(text, start - 1)) start--;
    if (start === index) continue;
    while (text[start - 1] === ' ') start--;
    starts.push(start);
  }
  return starts;
}

function isDigit(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 0x30 && code <= 0x39;
}
