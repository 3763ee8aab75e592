/** chronovisor log: reads a log again: filtered, aligned, with stacks of the sources, as it grows. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { LEVELS, type Level } from '../../kernel/trace/event.ts';
import { CannotRunError, STATUS, UsageError } from '../errors.ts';
import { createColumns } from '../log/columns.ts';
import { ExpressionError, parseExpression, type Condition, type Subject } from '../log/expression.ts';
import { createFilter, subjectOf, type Wanted } from '../log/filter.ts';
import { pagedOutput, standardOutput } from '../log/pager.ts';
import { firstEpoch, followLog, lastStamp, readingRemarks, readLog, type ReadLine } from '../log/read.ts';
import { printable } from '../log/salvage.ts';
import { instant, INSTANTS, type Instant } from '../log/times.ts';
import { asJson } from '../report/data.ts';
import { createPainter } from '../terminal.ts';
import { createStackMapper } from '../trace/stacks.ts';
import { nameMatcher, namePattern, whole } from './options.ts';

interface LogFlags {
  level: Level;
  event?: readonly string[];
  partition?: string;
  cpu?: number;
  since?: Instant;
  until?: Instant;
  where?: Condition;
  follow?: boolean;
  columns?: boolean;
  relative?: boolean;
  map?: string;
  json?: boolean;
  pager: boolean;
}

function condition(text: string): Condition {
  try {
    return parseExpression(text);
  } catch (error) {
    if (error instanceof ExpressionError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

const EXAMPLES = `
${INSTANTS}

Conditions compare fields of the record, and at, cpu, level, event, line, with and, or, not and abs():
  entered - nominal > 20us    timer = pit    event = slot.run    message ~ "TSC|HPET"    at > 3.2s

Examples:
  chronovisor log build/logs/kernel.log --event 'machine.*'
  chronovisor log build/logs/demonstration.log --partition victim --since 100ms --until 200ms --columns
  chronovisor log build/logs/demonstration.log --where 'abs(entered - nominal) > 3ns and event = slot.run'
  chronovisor log build/logs/kernel.log --follow --relative
  chronovisor log capture.txt --level warn`;

export function addLogCommand(program: Command, setStatus: (status: number) => void): void {
  const several = (text: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), namePattern(text)];
  program
    .command('log')
    .description('read a log: filter it, follow it, make JSON of it')
    .argument('<log>', 'a log, or a capture of COM1 as it came from the line; - is standard input')
    .addOption(new Option('--level <level>', 'least weighty records shown').choices([...LEVELS]).default('debug'))
    .option('--event <name>', 'only this event; timer.* for all that begin so; may be given several times', several)
    .option('--partition <name>', "only this partition's records, by its name or number")
    .option('--cpu <n>', "only this CPU's records", whole(0, 255))
    .option('--since <instant>', 'from then on: see below', instant)
    .option('--until <instant>', 'up to then', instant)
    .option('--where <condition>', 'only records for which it holds: see below', condition)
    .option('-f, --follow', 'go on as the log grows, until Ctrl-C')
    .option('--columns', 'records in columns, with line numbers (default: where a terminal shows them)')
    .option('--no-columns', 'lines as they are in the log')
    .option('--relative', 'columns with times since the record shown before')
    .option('--map <folder>', 'source maps for stacks (build/bundles/...)')
    .option('--json', 'one JSON object per record')
    .option('--no-pager', 'no pager (PAGER, else less) where a terminal shows the lines')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, flags: LogFlags) => setStatus(await show(file, flags)));
}

async function wantedOf(file: string, flags: LogFlags): Promise<Wanted> {
  const { level, event, cpu, partition, since, until, where } = flags;
  const matchers = event?.map(nameMatcher);
  const origins = [since?.from, until?.from];
  const isRelative = origins.some((from) => from === 'epoch' || from === 'end');
  if (file === '-' && isRelative)
    throw new UsageError('epoch and end of standard input are not known beforehand: give instants such as @2158063080');
  const epoch = origins.includes('epoch') ? ((await firstEpoch(file)) ?? 0n) : 0n;
  const end = origins.includes('end') ? await lastStamp(file) : 0n;
  if (end === undefined) throw new CannotRunError(`${file}: there is no record near the end to count from`);
  return { level, cpu, partition, since, until, where, epoch, end, isEvent: (name) => matchers?.some((matches) => matches(name)) ?? true };
}

async function show(file: string, flags: LogFlags): Promise<number> {
  if (flags.follow && file === '-') throw new UsageError('standard input is followed as it is: leave --follow away');
  const wanted = await wantedOf(file, flags);
  const isWanted = createFilter(wanted);
  const isFiltered = [flags.event, flags.partition, flags.cpu, flags.since, flags.until, flags.where].some((own) => own !== undefined);
  const isSeen = process.stdout.isTTY && !flags.json;
  const isInColumns = !flags.json && (flags.columns ?? (isSeen || flags.relative === true));
  const paint = createPainter(process.stdout);
  const mapStack = createStackMapper(flags.map);
  const columns = createColumns(paint, { isRelative: flags.relative ?? false });
  const controller = new AbortController();
  const { signal } = controller;
  const output = isSeen && flags.pager && !flags.follow ? await pagedOutput() : standardOutput();

  function showRecord(line: ReadLine, subject: Subject): void {
    const { at, cpu, level, event, fields } = subject;
    const { text } = line;
    if (flags.json) {
      if (line.parsed.kind === 'record') output.write(asJson({ line: line.number, at, cpu, level, event, fields }));
    } else if (isInColumns) {
      output.write(columns(subject, mapStack(text.slice(text.indexOf(event) + event.length).trim())));
    } else {
      const mapped = level === 'error' ? mapStack(text) : text;
      const colour = line.parsed.kind === 'unknown-record' ? 'dim' : level === 'error' ? 'red' : level === 'warn' ? 'yellow' : undefined;
      output.write(colour ? paint(colour, mapped) : mapped);
    }
  }

  function showLine(line: ReadLine): void {
    const subject = subjectOf(line);
    if (subject) {
      if (isWanted(line, subject)) showRecord(line, subject);
    } else if (!flags.json && !isFiltered && line.text !== '') {
      const text = isSeen ? printable(line.text) : line.text;
      output.write(paint(line.parsed.kind === 'diagnostic' ? 'red' : 'dim', mapStack(text)));
    }
  }

  const interrupt = (): void => controller.abort();
  process.once('SIGINT', interrupt);
  const pause = async (): Promise<void> => {
    await output.drained();
    if (output.isClosed) controller.abort();
  };
  try {
    const counts = await (flags.follow ? followLog : readLog)(file, showLine, { signal, pause });
    await output.end();
    for (const remark of readingRemarks(counts)) process.stderr.write(`${file}: ${remark}\n`);
  } finally {
    process.off('SIGINT', interrupt);
  }
  return signal.aborted && !output.isClosed ? STATUS.INTERRUPTED : STATUS.HELD;
}
