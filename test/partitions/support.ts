/** What tests of systems have in common: slots at their instants, what a partition said, systems written by a test. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, expect } from 'vitest';
import type { BootedRun } from '../../tools/harness/boot.ts';
import '../../tools/harness/matchers.ts';
import { buildFolder, projectRoot } from '../../tools/paths.ts';

/** A partition that is ready is entered so long after its slot's instant at most, and never before (ns). */
export const START_ERROR_MAX = 100n;

/** The start of the first major frame, ns since boot. */
export function epochOf(run: BootedRun): bigint {
  const [started] = run.of('system.started');
  expect(started, `system.started in ${run.log}`).toBeDefined();
  return started!.fields.epoch;
}

/** All that began with a partition that could run began at its instant, nothing ended behind its end, and nothing of the trace is lost. */
export function expectSlotsExact(run: BootedRun): void {
  expect(run).toHold();
  expect(run.series('slot.run', ({ nominal, entered }) => entered - nominal)).toStayWithin(0n, START_ERROR_MAX);
  // Woken in the middle: at any time, but not before the slot.
  for (const { fields } of run.of('slot.woken')) expect(fields.entered, `slot.woken in ${run.log}`).toBeGreaterThanOrEqual(fields.nominal);
  expect(run.of('slot.late').map(({ fields }) => fields)).toEqual([]);
  expect(run.of('slot.worst', ({ overruns }) => overruns !== 0).map(({ fields }) => fields)).toEqual([]);
  expect(run.of('trace.dropped')).toEqual([]);
  expect(run.of('kernel.error')).toEqual([]);
}

/**
 * A partition that is always ready ran in each of its slots of the first plan, none left out.
 * @param starts of its slots, ns from the frame's start
 */
export function expectEverySlot(run: BootedRun, partition: number, frame: bigint, starts: readonly bigint[], frames: number): void {
  const epoch = epochOf(run);
  const seen = run.of('slot.run', (fields) => fields.partition === partition).map(({ fields }) => fields.nominal - epoch);
  const wanted = Array.from({ length: frames }, (_, index) => starts.map((start) => BigInt(index) * frame + start)).flat();
  expect(seen.length, `slots of partition ${partition} in ${run.log}`).toBe(wanted.length);
  // The epoch is cut to whole nanoseconds, and so is each instant.
  seen.forEach((nominal, index) =>
    expect(nominal - wanted[index]! <= 1n && wanted[index]! - nominal <= 1n, `slot ${index}: ${nominal}`).toBe(true),
  );
}

/** What a partition said, line by line. */
export const consoleOf = (run: BootedRun, partition: number): string[] =>
  run.of('partition.console', (fields) => fields.partition === partition).map(({ fields }) => fields.text.trimEnd());

/** Values of a partition's trace records of one code, as they stand in the trace. */
export const traced = (run: BootedRun, partition: number, code: bigint): bigint[] =>
  run.of('partition.trace', (fields) => fields.partition === partition && fields.code === code).map(({ fields }) => fields.value);

/** Changes of a partition's state, with their reasons. */
export const statesOf = (run: BootedRun, partition: number): string[] =>
  run.of('partition.state', (fields) => fields.partition === partition).map(({ fields }) => `${fields.state}: ${fields.reason}`);

export const healthOf = (run: BootedRun, partition: number): string[] =>
  run
    .of('health.event', (fields) => fields.partition === partition)
    .map(({ fields }) => `${fields.event} -> ${fields.action}: ${fields.detail}`);

export const exitsOf = (run: BootedRun, partition: number): Readonly<Record<string, number>> =>
  Object.fromEntries(
    run.of('exit.counts', (fields) => fields.partition === partition).map(({ fields: { reason, count } }) => [reason, count]),
  );

/** A folder for the systems that a test file writes; it goes when the tests are done. */
export function createSystems(name: string): { place(file: string, text: string): string } {
  const folder = join(buildFolder(), 'test', name);
  mkdirSync(folder, { recursive: true });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return {
    place: (file, text) => {
      writeFileSync(join(folder, file), text);
      return relative(projectRoot(), join(folder, file));
    },
  };
}
