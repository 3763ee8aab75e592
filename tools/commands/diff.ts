/** chronovisor diff: two logs beside each other. */
import type { Command } from 'commander';
import { STATUS } from '../errors.ts';
import { readBatches, readingRemarks, requireLog, type ReadingCounts, type ReadLine } from '../log/read.ts';
import { createFollower, divergenceLines, figureTable, isOfRun } from '../report/comparison.ts';
import { asJson, reportFigures } from '../report/data.ts';
import { createLastBootReport } from '../report/report.ts';
import { createPainter } from '../terminal.ts';

interface DiffFlags {
  figures?: boolean;
  json?: boolean;
}

const EXAMPLES = `
Runs with one seed under QEMU's instruction count are the same to the last line, until a program is another: where they part, it shows.
Of other runs the figures are compared.

Examples:
  chronovisor diff build/logs/kernel.log old.log
  chronovisor diff before.log after.log --figures

Exit codes: 0 the runs are the same (with --figures: were compared), 1 they part, 2 usage, 3 a log can't be read.`;

export function addDiffCommand(program: Command, setStatus: (status: number) => void): void {
  program
    .command('diff')
    .description('compare two logs: where two runs part, and figures that are not the same')
    .argument('<a>', 'a log')
    .argument('<b>', 'another one')
    .option('--figures', 'only the figures: for runs that are not meant to be the same')
    .option('--json', 'one JSON object')
    .addHelpText('after', EXAMPLES)
    .action(async (a: string, b: string, flags: DiffFlags) => setStatus(await diff(a, b, flags)));
}

/** One log's lines, one at a time; all of them go into its report. */
function createCursor(file: string) {
  const batches = readBatches(file);
  const report = createLastBootReport();
  let batch: readonly ReadLine[] = [];
  let at = 0;
  let counts: ReadingCounts | undefined;

  /** A line of the run that is there already; undefined if more has to be read. */
  function buffered(): ReadLine | undefined {
    while (at < batch.length) {
      const line = batch[at++]!;
      report.push(line);
      if (isOfRun(line)) return line;
    }
    return undefined;
  }
  /** Undefined at the log's end. */
  async function read(): Promise<ReadLine | undefined> {
    for (;;) {
      const { done, value } = await batches.next();
      if (done) {
        // The counts come once, at the end; whoever asks again gets nothing.
        if (counts === undefined) {
          counts = value;
          requireLog(file, counts);
        }
        return undefined;
      }
      batch = value;
      at = 0;
      const line = buffered();
      if (line) return line;
    }
  }
  return {
    buffered,
    read,
    result: () => ({ report: report.result(), remarks: counts ? readingRemarks(counts) : [] }),
  };
}

async function diff(a: string, b: string, { figures, json }: DiffFlags): Promise<number> {
  const [one, other] = [createCursor(a), createCursor(b)];
  const follower = createFollower();
  for (;;) {
    const line = one.buffered() ?? (await one.read());
    const counterpart = other.buffered() ?? (await other.read());
    follower.push(line, counterpart);
    if (!line && !counterpart) break;
  }
  const { divergence, same } = follower;
  const [left, right] = [one.result(), other.result()];
  for (const remark of left.remarks) process.stderr.write(`${a}: ${remark}\n`);
  for (const remark of right.remarks) process.stderr.write(`${b}: ${remark}\n`);

  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  const paint = createPainter(process.stdout);
  const table = figureTable(left.report, right.report);
  if (json) {
    const place = (line: ReadLine | undefined) => line && { line: line.number, text: line.text };
    say(
      asJson(
        {
          same,
          divergence: divergence && { a: place(divergence.a), b: place(divergence.b) },
          figures: { a: reportFigures(left.report), b: reportFigures(right.report) },
        },
        2,
      ),
    );
  } else {
    if (!figures && divergence) divergenceLines(divergence, [a, b]).forEach(say);
    if (table.length > 0) [...(figures ? [] : ['']), paint('bold', `Figures that differ: < ${a}, > ${b}`), ...table].forEach(say);
    if (figures && table.length === 0) say('No figure differs.');
    if (!figures)
      say(
        divergence
          ? `\n${paint('red', 'failed')}: the runs part after ${same} lines`
          : `${paint('green', 'held')}: the runs are the same, ${same} lines`,
      );
  }
  return divergence && !figures ? STATUS.FAILED : STATUS.HELD;
}
