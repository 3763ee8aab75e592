/** One case of the experiment, tried: a system made in memory, booted in QEMU, its trace made into figures and held against the prediction. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TraceRecord } from '../../kernel/trace/events.ts';
import { parseLine } from '../../kernel/trace/text.ts';
import { buildSystem } from '../build/system.ts';
import { commandLineOf, memoryFor, requireRuntime } from '../commands/boot-module.ts';
import { buildFolder, projectRoot, shown } from '../paths.ts';
import { DEFAULT_MACHINE } from '../qemu/options.ts';
import { describeOutcome, isHeld } from '../qemu/outcome.ts';
import { startRun, type RunResult } from '../qemu/run.ts';
import { analyse, analysePrediction, differences, observe, type Figures, type Observation, type Predicted } from './analysis.ts';
import { nameOf, PLANS, systemOf, type Case } from './matrix.ts';
import { predict } from './prediction.ts';

export interface Trial {
  readonly tried: Case;
  readonly name: string;
  readonly observation: Observation;
  readonly figures: Figures;
  readonly predicted: Predicted;
  /** What is other than predicted. */
  readonly differences: readonly string[];
  readonly log: string;
}

/** The guest's sources are beside it. */
const SYSTEM_FILE = join('partitions', 'tsc-sync', 'system.ts');
const LIMIT_SECONDS = 300;

export class TrialError extends Error {}

/** Three at the least: figures are taken from the second to the last. */
export const framesIn = (tried: Case, seconds: number): number => Math.floor((seconds * 1e9) / PLANS[tried.plan].frame);

/**
 * @param seconds virtual ones: as many frames as fit
 * @throws TrialError if the run did not end well
 */
export async function runTrial(tried: Case, seconds: number, signal?: AbortSignal): Promise<Trial> {
  const name = nameOf(tried);
  const frames = framesIn(tried, seconds);
  const folder = join(buildFolder(), 'experiment', `${name}-${process.pid}`);
  let result: RunResult;
  try {
    const { system } = systemOf(tried, frames);
    const built = await buildSystem({ file: join(projectRoot(), SYSTEM_FILE), system }, folder);
    const module = { ...built, name, append: 'run=system', warnings: [] };
    const run = await startRun({
      runtime: requireRuntime(),
      archive: module.archive,
      // Text on COM1 is nobody's here.
      commandLine: commandLineOf(module, 'serial=off'),
      machine: { ...DEFAULT_MACHINE, memory: memoryFor(module, undefined) },
      seconds: LIMIT_SECONDS,
      ...(signal === undefined ? {} : { signal }),
    });
    result = await run.result;
  } finally {
    // Of the matrix they would be some hundred MB.
    await rm(folder, { recursive: true, force: true });
  }
  const { lines, outcome } = result;
  const log = join(buildFolder(), 'logs', 'experiment', `${name}.log`);
  mkdirSync(dirname(log), { recursive: true });
  writeFileSync(log, lines.map((line) => `${line}\n`).join(''));
  if (!isHeld(outcome)) throw new TrialError(`${name}: ${describeOutcome(outcome)}; log: ${shown(log)}`);
  return trialOf(tried, frames, recordsOf(lines), log);
}

function* recordsOf(lines: readonly string[]): Generator<TraceRecord> {
  for (const line of lines) {
    const parsed = parseLine(line);
    if (parsed.kind === 'record') yield parsed.record;
  }
}

function trialOf(tried: Case, frames: number, records: Iterable<TraceRecord>, log: string): Trial {
  const name = nameOf(tried);
  try {
    const plan = PLANS[tried.plan];
    const observation = observe(records);
    const figures = analyse(observation, plan);
    const predicted = analysePrediction(predict(tried, { start: observation.start, frames }), plan);
    return { tried, name, observation, figures, predicted, differences: differences(figures, predicted, observation.resolution), log };
  } catch (error) {
    throw new TrialError(`${name}: ${(error as Error).message}; log: ${shown(log)}`);
  }
}

/** All of them, some at a time, in their order. @param onDone after each */
export async function runTrials(
  cases: readonly Case[],
  seconds: number,
  jobs: number,
  signal?: AbortSignal,
  onDone: (trial: Trial) => void = () => undefined,
): Promise<Trial[]> {
  const trials = new Map<Case, Trial>();
  const waiting = [...cases];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next && !signal?.aborted; next = waiting.shift()) {
      const trial = await runTrial(next, seconds, signal);
      trials.set(next, trial);
      onDone(trial);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: jobs }, work));
  const failed = ends.find((end): end is PromiseRejectedResult => end.status === 'rejected');
  if (failed) throw failed.reason;
  return cases.flatMap((own) => trials.get(own) ?? []);
}
