/** Options that timelines and exports share: which part of a log is meant. */
import { InvalidArgumentError, type Command } from 'commander';
import { basename } from 'node:path';
import { UsageError } from '../errors.ts';
import { loadRecords } from '../timeline/load.ts';
import { timelineOf, type LoggedRecord, type Timeline } from '../timeline/model.ts';
import { whole } from './options.ts';

/** ns, since boot or since the system's epoch. */
export interface Instant {
  readonly nanos: number;
  readonly isSinceBoot: boolean;
}

export interface WindowFlags {
  from?: Instant;
  to?: Instant;
  boot?: number;
}

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

export function instant(text: string): Instant {
  const boot = /^@(\d{1,15})$/.exec(text);
  if (boot) return { nanos: Number(boot[1]), isSinceBoot: true };
  const epoch = /^(-?\d{1,12}(?:\.\d{1,9})?)(ns|us|ms|s)$/.exec(text);
  if (epoch) return { nanos: Math.round(Number(epoch[1]) * UNITS[epoch[2]!]!), isSinceBoot: false };
  throw new InvalidArgumentError('expected an instant such as 153.6ms (since the epoch) or @2158063080 (ns since boot).');
}

export const INSTANTS =
  "An instant is 153.6ms, 2s or 1500us after the system's epoch (after boot, where there is no system), or @2158063080, as the log has it.";

export function addWindowOptions(command: Command): Command {
  return command
    .option('--from <instant>', 'leave out what is earlier', instant)
    .option('--to <instant>', 'leave out what is later', instant)
    .option('--boot <n>', 'the nth boot of a log that has several, counted from 1 (default: the last one)', whole(1, 1_000_000));
}

export interface Part {
  readonly timeline: Timeline;
  readonly logged: readonly LoggedRecord[];
  /** ns since boot. */
  readonly from: number | undefined;
  readonly to: number | undefined;
  sinceBoot(given: Instant): number;
}

/** Reads the part of a log that is meant; says what is odd about the log on standard error. */
export async function partOf(log: string, flags: WindowFlags): Promise<Part> {
  const { logged: all, remarks } = await loadRecords(log, flags.boot);
  for (const remark of remarks) process.stderr.write(`${log}: ${remark}\n`);
  const epoch = epochOf(all);
  const sinceBoot = ({ nanos, isSinceBoot }: Instant): number => nanos + (isSinceBoot ? 0 : epoch);
  const from = flags.from && sinceBoot(flags.from);
  const to = flags.to && sinceBoot(flags.to);
  if (from !== undefined && to !== undefined && from >= to) throw new UsageError('--from has to be before --to');
  const window = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  const logged = all.filter(({ record: { at } }) => Number(at) >= (from ?? -Infinity) && Number(at) <= (to ?? Infinity));
  const timeline = timelineOf(all, basename(log), window);
  if (timeline.lanes.length === 0) throw new UsageError(`${log}: there is nothing between --from and --to`);
  return { timeline, logged, from, to, sinceBoot };
}

const epochOf = (logged: readonly LoggedRecord[]): number => {
  const started = logged.find(({ record }) => record.event === 'system.started')?.record;
  return started?.event === 'system.started' ? Number(started.fields.epoch) : 0;
};
