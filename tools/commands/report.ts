/** chronovisor report: what a stored log says of its run, in tables. */
import type { Command } from 'commander';
import { basename } from 'node:path';
import { writeOutput } from '../log/output.ts';
import { readingRemarks, readLog, requireLog } from '../log/read.ts';
import { duration } from '../log/times.ts';
import { CannotRunError, STATUS, UsageError } from '../errors.ts';
import { asJson, reportCsv, reportData } from '../report/data.ts';
import { histogramHtml, reportHtml } from '../report/html.ts';
import { histogramLines, type HistogramOptions } from '../report/histogram.ts';
import { createLastBootReport, reportLines, type Report } from '../report/report.ts';
import type { NamedSeries } from '../report/samples.ts';
import { createPainter } from '../terminal.ts';
import { nameMatcher, namePattern, whole } from './options.ts';

interface ReportFlags {
  boot?: number;
  json?: boolean;
  csv?: boolean;
  histogram?: string | true;
  limit?: bigint;
  over?: string;
  html?: string;
}

const EXAMPLES = `
Examples:
  chronovisor report build/logs/kernel.log
  chronovisor report build/logs/demonstration.log --histogram 'slot.start*' --limit 100ns
  chronovisor report new.log --histogram timer.lateness --over old.log
  chronovisor report build/logs/kernel.log --html report.html
  chronovisor report build/logs/kernel.log --csv > figures.csv`;

export function addReportCommand(program: Command, setStatus: (status: number) => void): void {
  program
    .command('report')
    .description('what a log says: timers, clocks, partitions, slots, exits, health, worst cases with their lines')
    .argument('<log>', 'a log, or a capture of COM1 as it came from the line; - is standard input')
    .option('--boot <n>', 'the nth boot of a log that has several, counted from 1 (default: the last one)', whole(1, 1_000_000))
    .option('--json', 'one JSON object')
    .option('--csv', 'one figure per row')
    .option('--histogram [series]', 'histograms of these series, such as slot.start or timer.* (default: all)', namePattern)
    .option('--limit <duration>', 'a line at this value in the histograms, such as 100ns or 1.5us', duration)
    .option('--over <log>', "lays another log's histograms over them")
    .option('--html <file>', 'writes a page with the tables and the histograms')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, flags: ReportFlags) => {
      await report(file, flags);
      setStatus(STATUS.HELD);
    });
}

/** One pass over a log. @param boot counted from 1; by default the last one */
export async function readReport(file: string, boot?: number): Promise<{ readonly report: Report; readonly remarks: readonly string[] }> {
  const builder = createLastBootReport();
  const counts = await readLog(file, (line) => {
    if (boot === undefined || line.boot === boot - 1) builder.push(line);
  });
  requireLog(file, counts);
  if (boot !== undefined && boot > counts.boots) throw new UsageError(`${file}: there is no boot ${boot}; the log has ${counts.boots}`);
  const choice = counts.boots > 1 ? [`the log has ${counts.boots} boots; this is number ${builder.boot + 1} (--boot)`] : [];
  return { report: builder.result(), remarks: [...readingRemarks(counts), ...choice] };
}

async function report(file: string, flags: ReportFlags): Promise<void> {
  const { report: own, remarks } = await readReport(file, flags.boot);
  const over = flags.over === undefined ? undefined : (await readReport(flags.over)).report;
  for (const remark of remarks) process.stderr.write(`${file}: ${remark}\n`);

  const isWanted = nameMatcher(flags.histogram === true ? undefined : flags.histogram);
  const shown = own.series.filter(({ quantity }) => isWanted(quantity));
  const optionsFor = ({ quantity, subject }: NamedSeries): HistogramOptions => ({
    limit: flags.limit === undefined ? undefined : Number(flags.limit),
    other: over?.series.find((other) => other.quantity === quantity && other.subject === subject),
  });
  if (flags.html !== undefined) {
    const figures = shown.map((series) => histogramHtml(series, optionsFor(series)));
    writeOutput('--html', flags.html, reportHtml(basename(file), own, figures));
    return;
  }
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  if (flags.json) return say(asJson({ log: file, ...reportData(own) }, 2));
  if (flags.csv) return reportCsv(own).forEach(say);
  if (flags.histogram === undefined) return showTables(own, say);
  if (shown.length === 0) {
    const names = [...new Set(own.series.map(({ quantity }) => quantity))];
    const choice = names.length === 0 ? 'the log has none' : `the log has ${names.join(', ')}`;
    throw new CannotRunError(`${file}: there is no series ${flags.histogram === true ? '' : flags.histogram}; ${choice}`);
  }
  shown.forEach((series, index) =>
    histogramLines(series, optionsFor(series)).forEach((line, row) => say(index > 0 && row === 0 ? `\n${line}` : line)),
  );
}

/** Headings bold: the lines behind an empty one. */
export function showTables(report: Report, say: (line: string) => void): void {
  const paint = createPainter(process.stdout);
  const lines = reportLines(report);
  lines.forEach((line, index) => say(index > 0 && lines[index - 1] === '' && /^[A-Z]/.test(line) ? paint('bold', line) : line));
}
