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

/** An instant of a log: since boot, or relative to the system's first slot (`epoch+`), or to the log's end (`end-`). */
export interface Instant {
  readonly from: 'boot' | 'epoch' | 'end';
  readonly offset: bigint;
}

/** `3.2s` and `@3200000000` since boot, `epoch+20ms`, `end-1s`. */
export function instant(text: string): Instant {
  const stamp = /^@(\d+)$/.exec(text);
  if (stamp) return { from: 'boot', offset: BigInt(stamp[1]!) };
  const relative = /^(epoch|end)([+-])(.+)$/.exec(text);
  const offset = parseDuration(relative ? relative[3]! : text);
  if (offset === undefined || offset < 0n)
    throw new InvalidArgumentError('expected an instant such as 3.2s or @3200000000 since boot, epoch+20ms, or end-1s.');
  if (!relative) return { from: 'boot', offset };
  return { from: relative[1] as 'epoch' | 'end', offset: relative[2] === '-' ? -offset : offset };
}
