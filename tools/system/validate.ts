/**
 * Says everything that is wrong with a system file, each with its place. The form is checked first; what parts say of each
 * other is checked of those parts whose form is right, so that one mistake is told once.
 */
import * as v from 'valibot';
import { TIME_PAGE } from '../../kernel/partition/abi.ts';
import { PLATFORM_SLOT_MIN_NS } from '../../kernel/partition/system.ts';
import { showNanos } from '../report/statistics.ts';
import { checkChannels } from './channels.ts';
import type { ChannelFile, InputFile, PartitionFile, PlanFile, ProgramFile, SystemFile } from './define.ts';
import { checkGrants, checkPlatform } from './grants.ts';
import { readHealth } from './health.ts';
import { KERNEL_MEMORY, MACHINE_MEMORY_MAX } from './limits.ts';
import { showPath, suggestion, type PathPart, type Problem, type Report } from './problem.ts';
import { findScheduleProblems, longestAbsence, type Slot } from './schedule.ts';
import { SYSTEM_SCHEMA } from './schema.ts';

export interface Validation {
  readonly problems: readonly Problem[];
  /** Odd, but it can be run. */
  readonly warnings: readonly Problem[];
  /** Only where there are no problems. */
  readonly system: SystemFile | undefined;
}

type Entries = readonly (readonly [name: string, value: unknown])[];
const entriesOf = (value: unknown): Entries =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
const listOf = <Item>(value: readonly Item[] | undefined): readonly Item[] => (Array.isArray(value) ? (value as readonly Item[]) : []);

/** @param isThere tells of a file, named from the system file's folder */
export function validate(given: unknown, isThere: (file: string) => boolean = () => true): Validation {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const report: Report = (path, message) => void problems.push({ path: showPath(path), message });
  const warn: Report = (path, message) => void warnings.push({ path: showPath(path), message });

  // ---- The form.
  const issues = v.safeParse(SYSTEM_SCHEMA, given).issues ?? [];
  const places = issues.map((issue) =>
    (issue.path ?? []).map((item): PathPart => (typeof item.key === 'number' ? item.key : String(item.key))),
  );
  places.forEach((path, index) => report(path, issues[index]!.message));
  /** Whether nothing is wrong with the form of a part, of what is in it, or of what it is in. */
  const isSound = (...path: readonly PathPart[]): boolean =>
    !places.some((place) => place.every((part, index) => index >= path.length || path[index] === part));
  const of = (part: 'partitions' | 'plans' | 'channels' | 'inputs'): Entries =>
    entriesOf((given as Readonly<Record<string, unknown>> | null)?.[part]);

  // ---- What parts say of each other. Names count also where what they name is wrong.
  const partitionNames = of('partitions').map(([name]) => name);
  const planNames = of('plans').map(([name]) => name);
  const inputs = of('inputs').flatMap(([name, file]) => (isSound('inputs', name) ? [{ name, file: file as InputFile<string> }] : []));
  const channels = of('channels').flatMap(([name, file]) =>
    isSound('channels', name) ? [{ name, file: file as ChannelFile<string> }] : [],
  );
  checkChannels(channels, inputs, partitionNames, report);

  const partitions = of('partitions') as readonly (readonly [string, PartitionFile<string>])[];
  for (const [name, file] of partitions) {
    const path = ['partitions', name, 'health'];
    if (isSound(...path)) readHealth(file.health ?? {}, planNames, path, report);
  }
  for (const [name, file] of partitions) {
    const path = ['partitions', name, 'program'];
    if (!isSound(...path)) continue;
    for (const source of filesOf(file.program)) if (!isThere(source)) report(path, `${source}: there is no such file`);
  }
  const grants = partitions.flatMap(([name, file]) => {
    const path = ['partitions', name, 'ioPorts'];
    const ranges = entriesOf(file).length > 0 ? listOf(file.ioPorts) : [];
    return ranges.map((ports, index) => ({ path: [...path, index], ports })).filter((grant) => isSound(...grant.path));
  });
  checkGrants(grants, inputs.length > 0, report);
  for (const [name, file] of partitions)
    if (isSound('partitions', name) && entriesOf(file).length > 0 && file.platform !== undefined)
      checkPlatform(
        name,
        file,
        grants.filter(({ path }) => path[1] === name),
        report,
      );
  const sizes = partitions.flatMap(([name, file]) =>
    isSound('partitions', name, 'memory') && entriesOf(file).length > 0 ? [file.memory.bytes] : [],
  );
  const needed = memoryOf(sizes);
  if (needed > MACHINE_MEMORY_MAX && sizes.every((bytes) => bytes <= MACHINE_MEMORY_MAX)) {
    const mib = (bytes: number): number => Math.ceil(bytes / 1024 ** 2);
    report(
      ['partitions'],
      `together they need ${mib(needed)} MiB with the kernel's ${mib(KERNEL_MEMORY)}; a machine here has at most ${mib(MACHINE_MEMORY_MAX)}`,
    );
  }

  const scheduled = new Set<string>();
  for (const [name, value] of of('plans')) {
    const plan = value as PlanFile<string>;
    if (entriesOf(value).length === 0) continue;
    const all = listOf(plan.slots);
    const path: readonly PathPart[] = ['plans', name];
    const sound = all.flatMap((slot, index) => (isSound(...path, 'slots', index) ? [{ slot, index }] : []));
    for (const { slot, index } of sound) {
      scheduled.add(slot.partition);
      if (!partitionNames.includes(slot.partition))
        report(
          [...path, 'slots', index, 'partition'],
          `there is no partition ${JSON.stringify(slot.partition)}${suggestion(slot.partition, partitionNames)}`,
        );
    }
    for (const { slot, index } of sound) {
      const file = partitions.find(([partition]) => partition === slot.partition)?.[1];
      if (file !== undefined && entriesOf(file).length > 0 && file.platform !== undefined && slot.duration.nanos < PLATFORM_SLOT_MIN_NS)
        warn(
          [...path, 'slots', index, 'duration'],
          `${slot.duration.text} are too short for a new access to device memory, which waits for a slot of ${showNanos(PLATFORM_SLOT_MIN_NS)}`,
        );
    }
    if (!isSound(...path, 'majorFrame')) continue;
    const slots: Slot[] = sound.map(({ slot, index }) => ({ index, start: slot.start.nanos, duration: slot.duration.nanos }));
    // What a slot leaves out whose form is wrong is nobody's gap.
    const isIdleAllowed = plan.idle === 'allowed' || slots.length < all.length || slots.length === 0 || !isSound(...path, 'idle');
    const found = findScheduleProblems(plan.majorFrame.nanos, slots, isIdleAllowed);
    for (const { slot, kind, message } of found) {
      const place = slot === undefined ? [] : ['slots', slot, ...(kind === 'outside' || kind === 'too-short' ? ['duration'] : ['start'])];
      report([...path, ...place], message);
    }
    if (found.length === 0) warnOfWatchdogs(name, plan, slots);
  }
  for (const name of partitionNames) if (!scheduled.has(name)) warn(['partitions', name], 'has no slot in any plan: it will never run');

  function warnOfWatchdogs(name: string, plan: PlanFile<string>, slots: readonly Slot[]): void {
    for (const [partition, file] of partitions) {
      if (!isSound('partitions', partition) || file.watchdog === undefined) continue;
      const own = slots.filter(({ index }) => plan.slots[index]!.partition === partition);
      const absence = own.length > 0 ? longestAbsence(plan.majorFrame.nanos, own) : 0;
      if (file.watchdog.nanos <= absence)
        warn(
          ['partitions', partition, 'watchdog'],
          `${file.watchdog.text} pass while the partition has no slot (up to ${showNanos(absence)} in the plan ${name}): it can give no sign of life in time`,
        );
    }
  }

  return { problems, warnings, system: problems.length === 0 ? (given as SystemFile) : undefined };
}

const filesOf = (program: ProgramFile): readonly string[] =>
  program.kind === 'native' ? program.sources : [program.kind === 'typescript' ? program.source : program.file];

/** Bytes of RAM for the kernel and partitions of these sizes, each with its time page. */
export const memoryOf = (partitions: readonly number[]): number =>
  partitions.reduce((sum, bytes) => sum + bytes + TIME_PAGE.LENGTH, KERNEL_MEMORY);
