/** Times as people write them on a command line and in expressions. */
import { InvalidArgumentError } from 'commander';

const NANOS_PER: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, min: 60e9 };
const DURATION = /^(-?\d+(?:\.\d+)?) ?(ns|us|µs|ms|s|min)$/;

/** `1.5us`, `20 ms`, `-3ns` in whole nanoseconds; undefined for anything else. */
export function parseDuration(text: string): bigint | undefined {
  const match = DURATION.exec(text);
  return match ? BigInt(Math.round(Number(match[1]) * NANOS_PER[match[2]!]!)) : undefined;
}

/** For options. */
export function duration(text: string): bigint {
  const value = parseDuration(text);
  if (value === undefined) throw new InvalidArgumentError('expected a duration such as 100ns, 1.5us, 20ms or 2s.');
  return value;
}

/** An instant of a log, in nanoseconds: since boot, since the system's epoch, or from the last record on. */
export interface Instant {
  readonly from: 'boot' | 'epoch' | 'end';
  readonly offset: bigint;
}

/** For options: `153.6ms` since the epoch (since boot, where there is no system), `@2158063080` since boot, `end-1s`. */
export function instant(text: string): Instant {
  const stamp = /^@(\d{1,20})$/.exec(text);
  if (stamp) return { from: 'boot', offset: BigInt(stamp[1]!) };
  const isFromEnd = text.startsWith('end-');
  const offset = parseDuration(isFromEnd ? text.slice('end-'.length) : text);
  if (offset === undefined)
    throw new InvalidArgumentError(
      'expected an instant such as 153.6ms (since the epoch), @2158063080 (ns since boot) or end-1s (before the last record).',
    );
  return isFromEnd ? { from: 'end', offset: -offset } : { from: 'epoch', offset };
}

export const INSTANTS =
  "An instant is 153.6ms, 2s or 1500us after the system's epoch (after boot, where there is no system), @2158063080, as the log has it, or end-1s.";
