/** chronovisor run: boots a bundle, shows its trace, ends with an exit code that says how it went. */
import type { Command } from 'commander';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Option } from 'commander';
import { LEVELS, type Level } from '../../kernel/trace/event.ts';
import { levelRank } from '../../kernel/trace/text.ts';
import { STATUS, UsageError } from '../errors.ts';
import { buildFolder, shown } from '../paths.ts';
import { findQemu } from '../qemu/find.ts';
import { shellText } from '../qemu/options.ts';
import { describeOutcome, isHeld, statusOf, type Outcome } from '../qemu/outcome.ts';
import { startRun, type RunResult } from '../qemu/run.ts';
import { consoleLines } from '../report/console.ts';
import { liveLine } from '../log/read.ts';
import { createCheck } from '../promises/check.ts';
import type { Promises } from '../promises/define.ts';
import { loadPromises } from '../promises/load.ts';
import { asJson } from '../report/data.ts';
import { histogramLines } from '../report/histogram.ts';
import { createReport } from '../report/report.ts';
import { DEFAULT_BAUD, requireDevice, startSerialRun } from '../serial/run.ts';
import { createPainter } from '../terminal.ts';
import { createStackMapper, hasProgramPosition } from '../trace/stacks.ts';
import { bootModule, commandLineOf, memoryFor, requireRuntime, type BootModule } from './boot-module.ts';
import { addMachineOptions, machineOf, whole, type MachineFlags } from './options.ts';
import { promiseLines } from './check.ts';
import { showTables } from './report.ts';

interface RunFlags extends MachineFlags {
  level: Level | 'none';
  json?: boolean;
  /** Not set by the command if it is not asked for. */
  then?: string;
  /** A device: the trace comes from there, and nothing is booted. */
  serial?: string;
  baud: number;
  against?: string;
}

/** One boot of several. */
interface Part {
  readonly module: BootModule;
  /** Words for the kernel's command line. */
  readonly append: string;
  /** QEMU's own options. */
  readonly extra: readonly string[];
  /** MiB of RAM that were asked for. */
  readonly memory: number | undefined;
  readonly log: string;
  readonly promises: Promises | undefined;
}

interface Ended {
  readonly name: string;
  readonly outcome: Outcome;
  /** It ended well, and kept what was promised. */
  readonly held: boolean;
  /** For --json. */
  readonly summary: Readonly<Record<string, unknown>>;
}

const EXAMPLES = `
Examples:
  chronovisor run                                   the kernel's demonstration
  chronovisor run test/bundles/shims.ts             another bundle
  chronovisor run partitions/hello/system.ts        a system of partitions
  chronovisor run --machine q35 --no-hpet           another machine
  chronovisor run --then partitions/demonstration/system.ts
                                                    the demonstration, then a system, on the same machine
  chronovisor run --append "count=100 heap=8M"      words for the kernel's command line
  chronovisor run --level debug --log run.log       every record; the log in a file of your choice
  chronovisor run -- -d int -D qemu.log             options for QEMU itself
  chronovisor run --serial /dev/ttyUSB0             a machine's own serial line in place of QEMU

Exit codes: 0 held, 1 an assertion or the kernel failed, 2 usage, 3 can't run, 124 time limit, 130 Ctrl-C.`;

export function addRunCommand(program: Command, setStatus: (status: number) => void): void {
  const command = program
    .command('run')
    .description('boot a bundle or a system of partitions in QEMU, stream its trace, end with an exit code')
    .argument('[bundle]', 'TypeScript entry, system file or boot module (.tar); default: the kernel')
    .argument('[qemu...]', "after --: QEMU's own options")
    .addOption(new Option('--level <level>', 'least weighty records shown').choices([...LEVELS, 'none']).default('info'))
    .option('--then <bundle>', 'boot this one afterwards, without --append, --log and options of QEMU; both have to hold')
    .option('--serial <device>', 'take the trace from a serial line, of a machine that runs the kernel; the bundle only maps stacks')
    .option('--baud <rate>', 'of the serial line', whole(50, 4_000_000), DEFAULT_BAUD)
    .option('--against <file>', 'promises about timing that the (first) run has to keep: see chronovisor check')
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

/** What a machine runs of which nothing is known but its serial line. */
const SERIAL_MODULE: BootModule = { archive: '', sourceMaps: undefined, name: 'serial', append: '', memory: 0, warnings: [] };

/** Ends with Ctrl-C or SIGTERM, politely: the run is stopped and its result is shown. */
export function interruptible(): { signal: AbortSignal; done: () => void } {
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
  const say = (text: string): void => {
    if (!flags.json) process.stdout.write(`${text}\n`);
  };
  const memory = isMemoryAsked ? flags.memory : undefined;
  const logOf = (module: BootModule): string => join(buildFolder(), 'logs', `${module.name}.log`);
  if (flags.serial !== undefined && flags.then !== undefined) throw new UsageError('--then boots a second one, which --serial can not');
  const module = flags.serial !== undefined && given === undefined ? SERIAL_MODULE : await bootModule(given);
  const promises = flags.against === undefined ? undefined : await loadPromises(flags.against);
  const first: Part = { module, append: flags.append ?? '', extra, memory, log: flags.log ?? logOf(module), promises };

  const interrupt = interruptible();
  // What the second one says while the first one runs waits until that has ended.
  const waiting: string[] = [];
  let isFirstOver = false;
  const sayLater = (text: string): void => {
    if (isFirstOver) say(text);
    else waiting.push(text);
  };
  async function bootNext(bundle: string): Promise<Ended> {
    const next = await bootModule(bundle);
    sayLater(`\n${paint('bold', next.name)}`);
    return boot({ module: next, append: '', extra: [], memory, log: logOf(next), promises: undefined }, flags, interrupt.signal, sayLater);
  }
  try {
    // Beside the first one: their times are virtual, so neither notices.
    let second: Promise<Ended> | undefined;
    const begun = await boot(first, flags, interrupt.signal, say, () => {
      second = flags.then === undefined ? undefined : bootNext(flags.then);
      // Its error is told when it is waited for.
      second?.catch(() => undefined);
    });
    isFirstOver = true;
    waiting.forEach(say);
    const ended = second ? [begun, await second] : [begun];
    const [summary, then] = ended.map((each) => each.summary);
    if (flags.json) process.stdout.write(`${asJson(then ? { ...summary, then } : summary, 2)}\n`);
    if (ended.length > 1) {
      const verdicts = ended.map(({ name, held }) => `${name} ${held ? paint('green', 'held') : paint('red', 'failed')}`);
      say(`\n${verdicts.join(', ')}`);
    }
    const failed = ended.find(({ held }) => !held);
    return failed && isHeld(failed.outcome) ? STATUS.FAILED : statusOf((failed ?? begun).outcome);
  } finally {
    interrupt.done();
  }
}

async function boot(
  { module, append, extra, memory, log: logFile, promises }: Part,
  flags: RunFlags,
  signal: AbortSignal,
  say: (text: string) => void,
  onStarted: () => void = () => undefined,
): Promise<Ended> {
  const paint = createPainter(process.stdout);
  const machine = { ...machineOf(flags, extra), memory: memoryFor(module, memory) };
  for (const warning of module.warnings) process.stderr.write(`warning: ${warning}\n`);
  const mapStack = createStackMapper(module.sourceMaps);
  const { serial } = flags;
  // Before the log of an earlier run is overwritten.
  const runtime = serial === undefined ? requireRuntime() : '';
  if (serial === undefined) findQemu(flags.qemu);
  else requireDevice(serial);
  const log = openLog(logFile);
  const report = createReport();
  const check = promises && createCheck(promises);
  let number = 0;
  const partitions = new Map<number, string>();

  function showLine(line: string): void {
    writeSync(log, `${line}\n`);
    const live = liveLine(line, ++number);
    report.push(live);
    const { parsed } = live;
    if (parsed.kind === 'record') {
      const { record } = parsed;
      check?.push(record, number);
      if (record.event === 'partition.created') partitions.set(record.fields.partition, record.fields.name);
      const { level } = record;
      if (flags.level === 'none' || levelRank(level) > levelRank(flags.level)) return;
      // At level debug it is about when, not only about what.
      if (record.event === 'partition.console' && flags.level !== 'debug') consoleLines(record, partitions).forEach(say);
      else {
        const mapped = hasProgramPosition(line) ? mapStack(line) : line;
        say(level === 'error' ? paint('red', mapped) : level === 'warn' ? paint('yellow', mapped) : mapped);
      }
    } else if (parsed.kind === 'diagnostic') {
      say(paint('red', mapStack(line)));
    } else if (parsed.kind !== 'comment' && flags.level !== 'none') {
      say(paint('dim', line));
    }
  }

  let result: RunResult;
  try {
    const common = { seconds: flags.timeout, signal, onLine: showLine };
    const started =
      serial === undefined
        ? await startRun({
            ...common,
            runtime,
            archive: module.archive,
            commandLine: commandLineOf(module, append),
            machine,
            ...(flags.qemu === undefined ? {} : { qemu: flags.qemu }),
          })
        : await startSerialRun({ ...common, device: serial, baud: flags.baud });
    if (serial !== undefined) say(paint('dim', `listening to ${serial} at ${flags.baud} baud`));
    else if (flags.showCommand) say(shellText(started.command));
    onStarted();
    result = await started.result;
  } finally {
    closeSync(log);
  }

  const { outcome } = result;
  const seen = report.result();
  const kept = check?.result();
  const held = isHeld(outcome) && (kept ?? []).every(({ holds }) => holds);
  const virtualSeconds = seen.to === undefined ? undefined : Number(seen.to) / 1e9;
  const summary = {
    outcome,
    held,
    virtualSeconds,
    wallSeconds: result.wallMs / 1000,
    log: shown(logFile),
    records: seen.records,
    diagnostics: result.lines.filter((line) => line.startsWith('! ')).map((line) => mapStack(line.slice(2))),
    command: shellText(result.command),
    timers: seen.timers,
    promises: kept,
  };
  const ended = { name: module.name, outcome, held, summary };
  if (flags.json) return ended;

  if (seen.records > 0) showTables(seen, say);
  for (const series of seen.series.filter(({ quantity }) => quantity === 'interrupt.latency')) {
    histogramLines(series).forEach((line, index) => say(index === 0 ? `\n${paint('bold', line)}` : line));
  }
  if (kept) ['', ...promiseLines(kept, shown(logFile))].forEach(say);
  const verdict = isHeld(outcome) ? paint('green', 'held') : paint('red', 'failed');
  const wall = `${(result.wallMs / 1000).toFixed(1)} s`;
  const took = virtualSeconds === undefined ? wall : `${virtualSeconds.toFixed(3)} s of virtual time in ${wall}`;
  say(`\n${verdict}: ${describeOutcome(outcome)}; ${took}`);
  say(`log: ${shown(logFile)}`);
  if (!isHeld(outcome)) {
    if (result.lines.length === 0 && result.serial.trim() !== '') say(`COM1 said:\n${result.serial.trimEnd()}`);
    say(`command: ${shellText(result.command)}`);
  }
  return ended;
}

function openLog(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, 'w');
  } catch (error) {
    throw new UsageError(`--log ${path}: ${(error as Error).message}`);
  }
}
