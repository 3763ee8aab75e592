/**
 * The words of a file of promises: TypeScript whose default export is `definePromises({...})`, checked by the compiler against the list of
 * events. `chronovisor check` holds a stored log against it, `expect(run).toKeep(promises)` a run of a test.
 */
import type { EventName, RecordOf, TraceRecord } from '../../kernel/trace/events.ts';
import type { Duration } from '../system/define.ts';
import {
  createWorst,
  judgeCount,
  judgeDrift,
  judgeJitter,
  judgePeriod,
  judgeWithin,
  type Judge,
  type Sample,
  type Verdict,
} from './judge.ts';

export { ms, ns, seconds, us } from '../system/define.ts';

/** A duration, or whole nanoseconds: what is below zero has no other form. */
export type Time = Duration | bigint;

/** What a promise may ask about a system of partitions. */
export interface Names {
  nameOf(partition: number): string;
}

/** Judges the records of a log, in order. */
export interface RecordJudge {
  push(record: TraceRecord, line: number, names: Names): void;
  verdict(): Verdict;
}

export interface TimingPromise {
  readonly kind: 'promise';
  /** A new one per log. */
  begin(): RecordJudge;
}

export interface Promises {
  readonly kind: 'promises';
  readonly promises: Readonly<Record<string, TimingPromise>>;
}

/** By what is promised, as a sentence: it is what a failure begins with. */
export const definePromises = (promises: Readonly<Record<string, TimingPromise>>): Promises => ({ kind: 'promises', promises });

type Fields<Name extends EventName> = RecordOf<Name>['fields'];
type Where<Name extends EventName> = (fields: Fields<Name>, names: Names) => boolean;
type ValueOf<Name extends EventName> = (fields: Fields<Name>, at: bigint) => bigint;

export interface Instants {
  /** All intervals lie within `tolerance` of `nominal`. */
  havePeriod(nominal: Time, tolerance: Time): TimingPromise;
  /** Longest minus shortest interval. */
  haveJitterAtMost(limit: Time): TimingPromise;
}

export interface Spans {
  stayWithin(least: Time, most: Time): TimingPromise;
  /** Of distances from nominal instants: what they gain or lose over the run, in millionths of it. */
  haveDriftAtMost(ppm: number): TimingPromise;
}

export interface Records<Name extends EventName> {
  /** Nanoseconds since boot, of each of the records. */
  instants(value: ValueOf<Name>): Instants;
  /** Nanoseconds: a latency, a distance from a nominal instant. */
  spans(value: ValueOf<Name>): Spans;
  haveCount(least: number, most?: number): TimingPromise;
}

/** The records of an event; those for which `where` holds. */
export function records<Name extends EventName>(event: Name, where: Where<Name> = () => true): Records<Name> {
  function promise(value: ValueOf<Name>, judge: () => Judge): TimingPromise {
    return {
      kind: 'promise',
      begin: () => {
        const { push, verdict } = judge();
        return {
          push: (record, line, names) => {
            if (record.event !== event) return;
            const fields = record.fields as Fields<Name>;
            if (where(fields, names)) push({ value: value(fields, record.at), line, at: record.at });
          },
          verdict,
        };
      },
    };
  }
  return {
    instants: (value) => ({
      havePeriod: (nominal, tolerance) => promise(value, () => judgePeriod(nanos(nominal), nanos(tolerance))),
      haveJitterAtMost: (limit) => promise(value, () => judgeJitter(nanos(limit))),
    }),
    spans: (value) => ({
      stayWithin: (least, most) => promise(value, () => judgeWithin(nanos(least), nanos(most))),
      haveDriftAtMost: (ppm) => promise(value, () => judgeDrift(ppm)),
    }),
    haveCount: (least, most = least) =>
      promise(
        (_, at) => at,
        () => judgeCount(least, most),
      ),
  };
}

/** A clock's drift against the one it was compared with, in millionths; what it was is in the log. */
export function clock(name: Fields<'clock.compared'>['clock']): { hasDriftAtMost(ppm: number): TimingPromise } {
  return {
    hasDriftAtMost: (ppm) => ({
      kind: 'promise',
      begin: () => {
        const seen: (Sample & { readonly ppm: number; readonly against: string })[] = [];
        return {
          push: (record, line) => {
            if (record.event !== 'clock.compared' || record.fields.clock !== name) return;
            const { offset, against } = record.fields;
            seen.push({ value: offset, line, at: record.at, ppm: record.fields['drift-ppb'] / 1_000, against });
          },
          verdict: () => {
            const ordered = seen.toSorted((a, b) => Math.abs(b.ppm) - Math.abs(a.ppm));
            const [worst] = ordered;
            return {
              holds: worst !== undefined && Math.abs(worst.ppm) <= ppm,
              expected: `a drift of at most ${ppm} ppm`,
              seen: worst
                ? `${worst.ppm.toFixed(3)} ppm against ${worst.against}`
                : `there is nothing to judge: ${name} was compared with nothing`,
              worst: ordered
                .slice(0, 3)
                .map((own) => ({ line: own.line, at: own.at, text: `${own.ppm.toFixed(3)} ppm against ${own.against}` })),
            };
          },
        };
      },
    }),
  };
}

/** A partition's share of the time from the system's epoch to the last slot's end: in its slots, from the first entry to the last exit. */
export function partition(name: string): { hasShareWithin(least: number, most: number): TimingPromise } {
  return { hasShareWithin: (least, most) => ({ kind: 'promise', begin: () => judgeShare(name, least, most) }) };
}

function judgeShare(name: string, least: number, most: number): RecordJudge {
  const shortest = createWorst();
  const longest = createWorst();
  let epoch: bigint | undefined;
  let end = 0n;
  let total = 0n;
  let runs = 0;
  return {
    push: (record, line, names) => {
      if (record.event === 'system.started') epoch ??= record.fields.epoch;
      if (record.event !== 'slot.run' && record.event !== 'slot.woken') return;
      const { fields, at } = record;
      epoch ??= fields.nominal;
      if (fields.left > end) end = fields.left;
      if (names.nameOf(fields.partition) !== name) return;
      const ran = fields.left - fields.entered;
      runs++;
      total += ran;
      const text = (): string => `ran ${ran} ns in frame ${fields.frame}`;
      shortest.push(BigInt(Number.MAX_SAFE_INTEGER) - ran, { value: ran, line, at }, text);
      longest.push(ran, { value: ran, line, at }, text);
    },
    verdict: () => {
      const expected = `a share of ${least} to ${most} %`;
      if (epoch === undefined || end <= epoch || runs === 0)
        return { holds: false, expected, seen: `there is nothing to judge: ${runs} slots of ${name}`, worst: [] };
      const share = (Number(total) / Number(end - epoch)) * 100;
      const holds = share >= least && share <= most;
      return { holds, expected, seen: `${share.toFixed(2)} % in ${runs} slots`, worst: [...(share < least ? shortest : longest).worst] };
    },
  };
}

/** The events occur in this order, with others between them. */
export function inOrder(...events: readonly EventName[]): TimingPromise {
  return {
    kind: 'promise',
    begin: () => {
      let found = 0;
      let last: { readonly line: number; readonly at: bigint } | undefined;
      return {
        push: ({ event, at }, line) => {
          if (event !== events[found]) return;
          last = { line, at };
          found++;
        },
        verdict: () => ({
          holds: found === events.length,
          expected: `${events.join(', ')} in this order`,
          seen:
            found === events.length ? 'so they are' : `after ${found > 0 ? events[found - 1]! : 'the start'} there is no ${events[found]!}`,
          worst: last ? [{ ...last, text: `the last one of them, ${events[found - 1]!}` }] : [],
        }),
      };
    },
  };
}

/** @throws RangeError for a duration that can't be */
function nanos(time: Time): bigint {
  if (typeof time === 'bigint') return time;
  if (time.problem !== undefined) throw new RangeError(time.problem);
  return BigInt(time.nanos);
}
