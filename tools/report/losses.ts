/** What a log lacks, and what went wrong in it: every report says so, also that nothing did. */
import type { ReadLine } from '../log/read.ts';
import { cut, COLUMNS } from './table.ts';

export interface LossesReport {
  /** Records that found the ring full. */
  readonly dropped: number;
  /** Records that were lost between the kernel and the tools, by their numbers. */
  readonly missing: number;
  readonly serialBytes: number;
  /** Interrupts beyond the list of taken ones. */
  readonly interrupts: number;
  readonly unexpectedInterrupts: number;
  readonly errors: number;
  readonly warnings: number;
  readonly diagnostics: number;
  /** Lines of the first error, warning or diagnostic. */
  readonly first: readonly { readonly line: number; readonly text: string }[];
}

const SHOWN = 3;
const MISSING = /^# (\d+) records of cpu\d+ are missing here$/;

export interface Losses {
  push(line: ReadLine): void;
  result(): LossesReport;
}

export function createLosses(): Losses {
  const counts = { dropped: 0, missing: 0, serialBytes: 0, interrupts: 0, unexpectedInterrupts: 0, errors: 0, warnings: 0, diagnostics: 0 };
  const first: { line: number; text: string }[] = [];

  function show({ number, text }: ReadLine): void {
    if (first.length < SHOWN) first.push({ line: number, text: text.trim() });
  }

  return {
    push: (line) => {
      const { parsed } = line;
      if (parsed.kind === 'diagnostic') {
        counts.diagnostics++;
        // What follows are the stack and the registers.
        if (counts.diagnostics === 1) show(line);
      } else if (parsed.kind === 'comment') {
        counts.missing += Number(MISSING.exec(parsed.text)?.[1] ?? 0);
      } else if (parsed.kind === 'record') {
        const { record } = parsed;
        if (record.event === 'trace.dropped') counts.dropped += record.fields.count;
        else if (record.event === 'interrupt.unexpected') counts.unexpectedInterrupts++;
        else if (record.event === 'kernel.lost') {
          counts.serialBytes += record.fields['serial-bytes'];
          counts.interrupts += record.fields.interrupts;
        }
        if (record.level === 'error') {
          counts.errors++;
          show(line);
        } else if (record.level === 'warn') {
          counts.warnings++;
        }
      }
    },
    result: () => ({ ...counts, first: [...first] }),
  };
}

export function lossLines(report: LossesReport): string[] {
  const { dropped, missing, serialBytes, interrupts, unexpectedInterrupts, errors, warnings, diagnostics, first } = report;
  const told: [number, string][] = [
    [missing, 'records missing on the way'],
    [serialBytes, 'bytes that COM1 did not take'],
    [interrupts, 'interrupts not listed'],
    [unexpectedInterrupts, 'interrupts that nobody expected'],
    [warnings, 'warnings'],
    [errors, 'errors'],
    [diagnostics, 'lines of the runtime'],
  ];
  const others = told.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return [[`${dropped} records dropped`, ...others].join(', '), ...first.map(({ line, text }) => cut(`line ${line}: ${text}`, COLUMNS))];
}
