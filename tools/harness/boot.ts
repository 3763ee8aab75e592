/**
 * For tests: boots a bundle on a machine and gives the run to assertions. The log is kept, and every
 * failure names it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { EventName, RecordOf, TraceRecord } from '../../kernel/trace/events.ts';
import { parseLine } from '../../kernel/trace/text.ts';
import { archiveModule, bootModule, commandLineOf, memoryFor, type BootModule } from '../commands/boot-module.ts';
import { UsageError } from '../errors.ts';
import { buildFolder, projectRoot, runtimeImage, shown } from '../paths.ts';
import type { Sample } from '../promises/judge.ts';
import { DEFAULT_MACHINE, type MachineOptions } from '../qemu/options.ts';
import { describeOutcome, isHeld, type Outcome } from '../qemu/outcome.ts';
import { startRun, type Run } from '../qemu/run.ts';
import { parseTarget, startSerialRun } from '../serial/run.ts';
import { createStackMapper } from '../trace/stacks.ts';

export interface BootOptions extends Partial<MachineOptions> {
  /** TypeScript entry, from the checkout's folder. Default: the kernel. */
  readonly bundle?: string;
  /** A system file, from the checkout's folder, in place of a bundle. */
  readonly system?: string;
  /** A boot module that is there already, in place of a bundle. */
  readonly archive?: string;
  /** The kernel's command line. */
  readonly append?: string;
  /** Wall-clock limit in seconds. */
  readonly seconds?: number;
  /** Distinguishes the logs of runs; by default made from the other options. */
  readonly name?: string;
  readonly qemu?: string;
}

/** Instants in order, or spans: what timing matchers look at. */
export interface Series {
  readonly what: string;
  readonly samples: readonly Sample[];
  /** For messages. */
  readonly log: string;
}

export interface BootedRun {
  readonly outcome: Outcome;
  readonly isHeld: boolean;
  /** The outcome in words, with the runtime's last words. */
  readonly ending: string;
  readonly lines: readonly string[];
  /** Lines of the runtime itself, without "! ", stacks mapped to the sources. */
  readonly diagnostics: readonly string[];
  readonly records: readonly TraceRecord[];
  readonly serial: string;
  readonly log: string;
  readonly wallMs: number;
  /** Records of one event. */
  of<Name extends EventName>(event: Name, where?: (fields: RecordOf<Name>['fields']) => boolean): RecordOf<Name>[];
  /** Instants or spans of one event's records. */
  series<Name extends EventName>(
    event: Name,
    value: (fields: RecordOf<Name>['fields'], at: bigint) => bigint,
    where?: (fields: RecordOf<Name>['fields']) => boolean,
  ): Series;
  /** Line number of a record, counted from 1. */
  lineOf(record: TraceRecord): number;
}

const DEFAULT_SECONDS = 60;

/** Boot modules are built once per process. */
const built = new Map<string, Promise<BootModule>>();

function moduleOf(file: string): Promise<BootModule> {
  let module = built.get(file);
  if (!module) built.set(file, (module = bootModule(file)));
  return module;
}

export async function boot(options: BootOptions = {}): Promise<BootedRun> {
  const { bundle, system, archive, append = '', seconds = DEFAULT_SECONDS, name, qemu, memory, ...machine } = options;
  const module =
    archive === undefined ? await moduleOf(resolve(projectRoot(), system ?? bundle ?? 'kernel/main.ts')) : archiveModule(archive);
  if (system !== undefined && module.append === '') throw new UsageError(`${system} is no system file`);
  const commandLine = commandLineOf(module, append);
  const target = process.env['TARGET'];
  const started =
    target === undefined
      ? await startRun({
          runtime: runtimeImage(),
          archive: module.archive,
          commandLine,
          machine: { ...DEFAULT_MACHINE, ...machine, memory: memoryFor(module, memory) },
          seconds,
          ...(qemu === undefined ? {} : { qemu }),
        })
      : await startOnTarget(target, system ?? bundle ?? archive ?? 'kernel/main.ts', commandLine, seconds);
  const result = await started.result;
  const log = join(buildFolder(), 'logs', 'tests', `${name ?? logName(options)}.log`);
  mkdirSync(dirname(log), { recursive: true });
  writeFileSync(log, result.lines.map((line) => `${line}\n`).join(''));

  const mapStack = createStackMapper(module.sourceMaps);
  const records: TraceRecord[] = [];
  const diagnostics: string[] = [];
  const numbers = new Map<TraceRecord, number>();
  result.lines.forEach((line, index) => {
    const parsed = parseLine(line);
    if (parsed.kind === 'diagnostic') diagnostics.push(mapStack(parsed.text));
    if (parsed.kind !== 'record') return;
    records.push(parsed.record);
    numbers.set(parsed.record, index + 1);
  });

  function of<Name extends EventName>(event: Name, where: (fields: RecordOf<Name>['fields']) => boolean = () => true): RecordOf<Name>[] {
    const named = records.filter((record): record is RecordOf<Name> => record.event === event);
    return named.filter((record) => where(record.fields as RecordOf<Name>['fields']));
  }
  const lineOf = (record: TraceRecord): number => numbers.get(record) ?? 0;

  return {
    outcome: result.outcome,
    isHeld: isHeld(result.outcome),
    ending: [describeOutcome(result.outcome), ...diagnostics, `log: ${shown(log)}`].join('\n'),
    lines: result.lines,
    diagnostics,
    records,
    serial: result.serial,
    log: shown(log),
    wallMs: result.wallMs,
    of,
    series: (event, value, where) => ({
      what: event,
      log: shown(log),
      samples: of(event, where).map((record) => ({
        value: value(record.fields as Parameters<typeof value>[0], record.at),
        line: lineOf(record),
        at: record.at,
      })),
    }),
    lineOf,
  };
}

/** A machine of its own boots what its owner gives it: it is said what that has to be. */
async function startOnTarget(target: string, name: string, commandLine: string, seconds: number): Promise<Run> {
  const line = parseTarget(target);
  const run = await startSerialRun({ ...line, seconds });
  process.stderr.write(`${line.device}: waiting for ${name}, booted with "${`${commandLine} serial=debug`.trim()}"\n`);
  return run;
}

function logName(options: BootOptions): string {
  const words = Object.entries(options).flatMap(([key, value]) => [key, typeof value === 'object' ? JSON.stringify(value) : String(value)]);
  return (
    words
      .join('-')
      .replace(/[^A-Za-z0-9]+/g, '-')
      .slice(0, 120) || 'kernel'
  );
}
