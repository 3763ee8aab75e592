/** chronovisor run: boots a bundle, shows its trace, ends with an exit code that says how it went. */
import type { Command } from 'commander';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Option } from 'commander';
import { LEVELS, type Level } from '../../kernel/trace/event.ts';
import { levelRank, parseLine } from '../../kernel/trace/text.ts';
import type { TraceRecord } from '../../kernel/trace/events.ts';
import { UsageError } from '../errors.ts';
import { buildFolder, shown } from '../paths.ts';
import { findQemu } from '../qemu/find.ts';
import { shellText } from '../qemu/options.ts';
import { describeOutcome, isHeld, statusOf } from '../qemu/outcome.ts';
import { startRun, type RunResult } from '../qemu/run.ts';
import { timeReport } from '../report/clocks.ts';
import { partitionReport } from '../report/partitions.ts';
import { usesReport } from '../report/uses.ts';
import { latencyHistogram, timerReports, timerTable } from '../report/timers.ts';
import { createPainter } from '../terminal.ts';
import { createStackMapper, hasProgramPosition } from '../trace/stacks.ts';
import { bootModule, commandLineOf, memoryFor, requireRuntime } from './boot-module.ts';
import { addMachineOptions, machineOf, type MachineFlags } from './options.ts';

interface RunFlags extends MachineFlags {
  level: Level | 'none';
  json?: boolean;
}

const EXAMPLES = `
Examples:
  chronovisor run                                   the kernel's demonstration
  chronovisor run test/bundles/shims.ts             another bundle
  chronovisor run partitions/hello/system.ts        a system of partitions
  chronovisor run --machine q35 --no-hpet           another machine
  chronovisor run --append "count=100 heap=8M"      words for the kernel's command line
  chronovisor run --level debug --log run.log       every record; the log in a file of your choice
  chronovisor run -- -d int -D qemu.log             options for QEMU itself

Exit codes: 0 held, 1 an assertion or the kernel failed, 2 usage, 3 can't run, 124 time limit, 130 Ctrl-C.`;

export function addRunCommand(program: Command, setStatus: (status: number) => void): void {
  const command = program
    .command('run')
    .description('boot a bundle or a system of partitions in QEMU, stream its trace, end with an exit code')
    .argument('[bundle]', 'TypeScript entry, system file or boot module (.tar); default: the kernel')
    .argument('[qemu...]', "after --: QEMU's own options")
    .addOption(new Option('--level <level>', 'least weighty records shown').choices([...LEVELS, 'none']).default('info'))
    .option('--json', 'print one JSON object at the end, and nothing else on standard output')
    .addHelpText('after', EXAMPLES);
  addMachineOptions(command, { icount: 0, timeout: 120 });
  command.action(async (bundle: string | undefined, extra: string[], flags: RunFlags) => {
    // Commander can't tell "run -- -d int" from "run bundle": what begins with a dash is QEMU's.
    const isQemus = bundle?.startsWith('-') ?? false;
    const isMemoryAsked = command.getOptionValueSource('memory') === 'cli';
    setStatus(await run(isQemus ? undefined : bundle, isQemus ? [bundle!, ...extra] : extra, flags, isMemoryAsked));
  });
}

/** Ends with Ctrl-C or SIGTERM, politely: the run is stopped and its result is shown. */
function interruptible(): { signal: AbortSignal; done: () => void } {
  const controller = new AbortController();
  const onSignal = (): void => controller.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal).once('SIGHUP', onSignal);
  return {
    signal: controller.signal,
    done: () => process.off('SIGINT', onSignal).off('SIGTERM', onSignal).off('SIGHUP', onSignal),
  };
}

async function run(given: string | undefined, extra: readonly string[], flags: RunFlags, isMemoryAsked: boolean): Promise<number> {
  const paint = createPainter(process.stdout);
  const module = await bootModule(given);
  const memory = memoryFor(module, isMemoryAsked ? flags.memory : undefined);
  for (const warning of module.warnings) process.stderr.write(`warning: ${warning}\n`);
  const runtime = requireRuntime();
  const mapStack = createStackMapper(module.sourceMaps);
  // Before the log of an earlier run is overwritten.
  findQemu(flags.qemu);
  const logFile = flags.log ?? join(buildFolder(), 'logs', `${module.name}.log`);
  const log = openLog(logFile);
  const records: TraceRecord[] = [];
  const say = (text: string): void => {
    if (!flags.json) process.stdout.write(`${text}\n`);
  };

  function showLine(line: string): void {
    writeSync(log, `${line}\n`);
    const parsed = parseLine(line);
    if (parsed.kind === 'record') {
      records.push(parsed.record);
      const { level } = parsed.record;
      if (flags.level === 'none' || levelRank(level) > levelRank(flags.level)) return;
      const mapped = hasProgramPosition(line) ? mapStack(line) : line;
      say(level === 'error' ? paint('red', mapped) : level === 'warn' ? paint('yellow', mapped) : mapped);
    } else if (parsed.kind === 'diagnostic') {
      say(paint('red', mapStack(line)));
    } else if (parsed.kind !== 'comment' && flags.level !== 'none') {
      say(paint('dim', line));
    }
  }

  const interrupt = interruptible();
  let result: RunResult;
  try {
    const started = await startRun({
      runtime,
      archive: module.archive,
      commandLine: commandLineOf(module, flags.append ?? ''),
      machine: { ...machineOf(flags, extra), memory },
      seconds: flags.timeout,
      signal: interrupt.signal,
      onLine: showLine,
      ...(flags.qemu === undefined ? {} : { qemu: flags.qemu }),
    });
    if (flags.showCommand) say(shellText(started.command));
    result = await started.result;
  } finally {
    interrupt.done();
    closeSync(log);
  }

  const { outcome } = result;
  const reports = timerReports(records);
  const virtualSeconds = records.length > 0 ? Number(records.at(-1)!.at) / 1e9 : undefined;
  if (flags.json) {
    const timers = reports.map(({ latencySamples: _, ...report }) => report);
    const diagnostics = result.lines.filter((line) => line.startsWith('! ')).map((line) => mapStack(line.slice(2)));
    const summary = {
      outcome,
      held: isHeld(outcome),
      virtualSeconds,
      wallSeconds: result.wallMs / 1000,
      log: shown(logFile),
      records: records.length,
      diagnostics,
      command: shellText(result.command),
      timers,
    };
    process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
    return statusOf(outcome);
  }

  if (reports.length > 0) {
    say(`\n${paint('bold', 'Intervals from interrupt to interrupt, and latency from the stub to the handler in TypeScript')}`);
    timerTable(reports).forEach((line, index) => say(index === 0 ? paint('dim', line) : line));
    for (const report of reports) {
      say(`\n${paint('bold', `Latency of ${report.timer}`)} (${report.route})`);
      latencyHistogram(report).forEach(say);
    }
  }
  timeReport(records).forEach(say);
  partitionReport(records).forEach(say);
  usesReport(records).forEach(say);
  const verdict = isHeld(outcome) ? paint('green', 'held') : paint('red', 'failed');
  const wall = `${(result.wallMs / 1000).toFixed(1)} s`;
  const took = virtualSeconds === undefined ? wall : `${virtualSeconds.toFixed(3)} s of virtual time in ${wall}`;
  say(`\n${verdict}: ${describeOutcome(outcome)}; ${took}`);
  say(`log: ${shown(logFile)}`);
  if (!isHeld(outcome)) {
    if (result.lines.length === 0 && result.serial.trim() !== '') say(`COM1 said:\n${result.serial.trimEnd()}`);
    say(`command: ${shellText(result.command)}`);
  }
  return statusOf(outcome);
}

function openLog(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, 'w');
  } catch (error) {
    throw new UsageError(`--log ${path}: ${(error as Error).message}`);
  }
}
