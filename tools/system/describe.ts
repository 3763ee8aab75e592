/** A valid system file as the kernel takes it: names become indices, durations nanoseconds. */
import {
  SYSTEM_FORMAT,
  type PlatformDescription,
  type ChannelDescription,
  type PortEnd,
  type ProgramDescription,
  type SystemDescription,
} from '../../kernel/partition/system.ts';
import { portNames } from './channels.ts';
import type { PlatformFile, SystemFile } from './define.ts';
import { readHealth } from './health.ts';

const HPET_PERIOD_FS = 16_000_000;
const HPET_TIMERS = 3;

function describePlatform({ timerMode, tsc, hpet = {}, date, lineDriver, rules }: PlatformFile): PlatformDescription {
  return {
    timerMode: timerMode ?? 'delay_for_missed_ticks',
    tsc: tsc ?? 'native',
    ...(hpet === false ? {} : { hpet: { period: hpet.period ?? HPET_PERIOD_FS, timers: hpet.timers ?? HPET_TIMERS } }),
    date: Date.parse(`${date ?? '2026-01-01T00:00:00'}Z`) / 1000,
    ...(lineDriver === true ? { lineDriver } : {}),
    rules: { setOnThaw: true, setOnPost: true, era: 'today', ...rules },
  };
}

/**
 * @param system as validate() found it to be without problems
 * @param programs of its partitions, by name
 */
export function describeSystem(system: SystemFile, programs: ReadonlyMap<string, ProgramDescription>): SystemDescription {
  const partitionNames = Object.keys(system.partitions);
  const planNames = Object.keys(system.plans);
  const end = (text: string, channel: string): PortEnd => {
    const { partition, port } = portNames(text, channel);
    return { partition: partitionNames.indexOf(partition), port };
  };
  return {
    format: SYSTEM_FORMAT,
    name: system.name,
    partitions: Object.entries(system.partitions).map(([name, file]) => ({
      name,
      program: programs.get(name)!,
      memory: file.memory.bytes,
      isSystem: file.system ?? false,
      ioPorts: (file.ioPorts ?? []).map(({ first, count = 1, traced = false }) => ({ first, count, isTraced: traced })),
      watchdog: file.watchdog?.nanos ?? 0,
      health: readHealth(file.health ?? {}, planNames, [], () => undefined),
      ...(file.platform === undefined ? {} : { platform: describePlatform(file.platform) }),
    })),
    plans: Object.entries(system.plans).map(([name, file]) => ({
      name,
      majorFrame: file.majorFrame.nanos,
      isMaintenance: file.maintenance ?? false,
      slots: file.slots.map(({ partition, start, duration }) => ({
        partition: partitionNames.indexOf(partition),
        start: start.nanos,
        duration: duration.nanos,
      })),
    })),
    channels: Object.entries(system.channels ?? {}).map(([name, file]): ChannelDescription => {
      const common = { name, size: file.size, from: end(file.from, name), to: file.to.map((to) => end(to, name)) };
      return file.kind === 'sampling'
        ? { kind: 'sampling', ...common, validity: file.validity?.nanos ?? 0 }
        : { kind: 'queuing', ...common, depth: file.depth };
    }),
    inputs: Object.entries(system.inputs ?? {}).map(([name, { source, hertz, depth, to }]) => ({
      name,
      source,
      hertz,
      depth,
      to: end(to, name),
    })),
    absoluteTime: system.absoluteTime ?? false,
    duration: system.duration?.nanos ?? 0,
  };
}
