/** chronovisor log: reads a log again: filtered, with stacks of the sources, with its table. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { createReadStream } from 'node:fs';
import { LEVELS, type Level } from '../../kernel/trace/event.ts';
import type { TraceRecord } from '../../kernel/trace/events.ts';
import { GRAMMAR_VERSION, levelRank, parseLine } from '../../kernel/trace/text.ts';
import { CannotRunError, STATUS } from '../errors.ts';
import { timeReport } from '../report/clocks.ts';
import { partitionReport } from '../report/partitions.ts';
import { usesReport } from '../report/uses.ts';
import { latencyHistogram, timerReports, timerTable } from '../report/timers.ts';
import { createPainter } from '../terminal.ts';
import { createLineSplitter } from '../trace/lines.ts';
import { createStackMapper } from '../trace/stacks.ts';

interface LogFlags {
  level: Level;
  event?: string;
  map?: string;
  json?: boolean;
  report?: boolean;
}

function pattern(text: string): string {
  if (!/^[a-z0-9.*-]+$/.test(text)) throw new InvalidArgumentError('expected an event such as timer.interrupt or timer.*');
  return text;
}

export function addLogCommand(program: Command, setStatus: (status: number) => void): void {
  program
    .command('log')
    .description('read a log: filter it, show its table, make JSON of it')
    .argument('<file>', 'a log, or a capture of COM1 as it came from the line')
    .addOption(new Option('--level <level>', 'least weighty records shown').choices([...LEVELS]).default('debug'))
    .option('--event <name>', 'only this event; timer.* for all that begin so', pattern)
    .option('--map <folder>', 'source maps for stacks (build/bundles/...)')
    .option('--json', 'one JSON object per record')
    .option('--report', 'only the tables: timers, clocks, partitions')
    .addHelpText(
      'after',
      `
Examples:
  chronovisor log build/logs/kernel.log --event 'machine.*'
  chronovisor log build/logs/kernel.log --report
  chronovisor log capture.txt --level warn`,
    )
    .action(async (file: string, flags: LogFlags) => setStatus(await readLog(file, flags)));
}

function matches(event: string, wanted: string | undefined): boolean {
  if (wanted === undefined) return true;
  return wanted.endsWith('*') ? event.startsWith(wanted.slice(0, -1)) : event === wanted;
}

async function readLog(file: string, flags: LogFlags): Promise<number> {
  const paint = createPainter(process.stdout);
  const mapStack = createStackMapper(flags.map);
  const records: TraceRecord[] = [];
  let damaged = 0;
  let number = 0;
  const say = (text: string): void => void process.stdout.write(`${text}\n`);

  const splitter = createLineSplitter((line) => {
    number++;
    const parsed = parseLine(line);
    if (parsed.kind === 'record') {
      records.push(parsed.record);
      const { event, level, at, cpu, fields } = parsed.record;
      if (flags.report || levelRank(level) > levelRank(flags.level) || !matches(event, flags.event)) return;
      if (flags.json)
        say(
          JSON.stringify({ line: number, at, cpu, level, event, fields }, (_, value: unknown) =>
            typeof value === 'bigint' ? Number(value) : value,
          ),
        );
      else say(level === 'error' ? paint('red', mapStack(line)) : level === 'warn' ? paint('yellow', line) : line);
      return;
    }
    if ((parsed.kind === 'other' && line !== '') || parsed.kind === 'unknown-record') damaged++;
    if (parsed.kind === 'comment' && parsed.version !== undefined && parsed.version !== GRAMMAR_VERSION) {
      process.stderr.write(`${file}:${number}: the log has grammar version ${parsed.version}; this program knows ${GRAMMAR_VERSION}\n`);
    }
    if (!flags.json && !flags.report && flags.event === undefined && line !== '')
      say(paint(parsed.kind === 'diagnostic' ? 'red' : 'dim', mapStack(line)));
  });

  try {
    for await (const chunk of createReadStream(file)) splitter.push(chunk as Buffer);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new CannotRunError(missing ? `${file}: there is no such file` : `${file}: ${(error as Error).message}`);
  }
  splitter.end();
  if (flags.report) {
    const reports = timerReports(records);
    const partitions = partitionReport(records);
    if (reports.length === 0 && partitions.length === 0) say('The log has no timer runs and no partitions.');
    for (const line of [...timerTable(reports), ...timeReport(records), ...usesReport(records), ...partitions]) say(line);
    for (const report of reports) [`\nLatency of ${report.timer}`, ...latencyHistogram(report)].forEach((line) => say(line));
  }
  if (damaged > 0)
    process.stderr.write(`${file}: ${damaged} of ${number} lines are not records of this grammar; they are kept as they are\n`);
  return STATUS.HELD;
}
