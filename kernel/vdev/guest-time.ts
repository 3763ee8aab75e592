/**
 * A guest's time: the host's TSC plus an offset. All its clocks derive from it, the TSC that it reads itself included, so that they never
 * disagree. Beside it runs platform time: what guest time would be had it never been frozen. It is what the guest is owed.
 *
 * Guest time is counted in TSC ticks. An instant in nanoseconds is reached in the first tick at or after it (rounded up); a tick's own
 * nanoseconds are rounded down. So whoever waits for an instant, and then asks, is never told an earlier one.
 */
import { createTickScale, reducedPerNano, type Frequency } from '../time/frequency.ts';
import { instant, ticks, type Instant } from '../time/units.ts';
import type { GuestClock } from './device.ts';
import { TIMER_MODES, type TimerModeName } from './timer-modes.ts';

/**
 * `guest time`: guest time plus what the guest wrote itself, whether RDTSC is intercepted or not. `host`: Xen's native TSC, which runs on
 * while guest time is frozen.
 */
export type TscRule = 'guest time' | 'host';

export interface GuestTimeOptions {
  /** Reads the host's TSC, which never goes backwards. */
  readonly hostTsc: () => bigint;
  readonly frequency: Frequency;
  /** Host TSC at which guest time is 0. */
  readonly startTsc: bigint;
  readonly mode: TimerModeName;
  readonly tsc?: TscRule;
  /** Shows what goes wrong when the rules are broken: clocks that disagree are refused otherwise. */
  readonly isExperiment?: boolean;
  /** Experiment: whether thawing sets guest time to where it was frozen (pt_thaw_time of Xen). */
  readonly setsOnThaw?: boolean;
  /** Experiment: whether a tick sets guest time to its deadline (pt_intr_post of Xen). */
  readonly setsOnPost?: boolean;
}

export interface GuestTimeState {
  /** Guest time, in ticks. */
  readonly ticks: bigint;
  readonly owed: bigint;
  readonly isFrozen: boolean;
  readonly tscAdjust: bigint;
  /** Of the `host` rule: TSC without adjustment. */
  readonly hostTsc: bigint;
}

export interface GuestTime extends GuestClock {
  /** Guest time minus host TSC, in ticks, unless it is frozen. Open, as is the next, because a call is dear. */
  readonly offset: bigint;
  /** Platform time minus host TSC, in ticks. Never less than `offset`. */
  readonly platformOffset: bigint;
  /** Guest time in ticks. */
  at(hostTsc: bigint): bigint;
  /** By how many ticks the guest is behind platform time. */
  owed(hostTsc: bigint): bigint;
  /** The vCPU loses the CPU; nothing happens if it has lost it already. */
  freeze(hostTsc: bigint): void;
  /** The vCPU has the CPU again. */
  thaw(hostTsc: bigint): void;
  /** If guest time is behind a deadline (in ticks, at most platform time), it is set there. */
  stepTo(deadline: bigint, hostTsc: bigint): void;
  toNanos(count: bigint): Instant;
  toTicks(at: Instant): bigint;

  /** What the guest's RDTSC gives when it is emulated. */
  tsc(hostTsc: bigint): bigint;
  /** What makes a native RDTSC give the same: for TSC_OFFSET of the VMCB. It changes when guest time is set, and when the guest writes. */
  tscOffset(): bigint;
  /** A guest's WRMSR of TSC (10h), and of TSC_ADJUST (3Bh): its TSC moves, its devices don't. */
  writeTsc(value: bigint, hostTsc: bigint): void;
  writeTscAdjust(value: bigint): void;
  tscAdjust(): bigint;

  save(hostTsc: bigint): GuestTimeState;
  /** @param savedAt host TSC at which it was saved: if the guest was frozen then, what has passed since is part of its absence */
  restore(state: GuestTimeState, savedAt: bigint): void;
}

/** Why a guest can't have this TSC, or undefined. */
export function refuseTsc(mode: TimerModeName, tsc: TscRule, isExperiment = false): string | undefined {
  if (tsc === 'guest time' || isExperiment || !TIMER_MODES[mode].freezes) return undefined;
  return `a TSC that follows the host runs on while timer mode ${mode} holds all other clocks of the guest: they would disagree by each absence`;
}

/** @throws RangeError for a TSC that is refused (refuseTsc) */
export function createGuestTime(options: GuestTimeOptions): GuestTime {
  const { hostTsc, frequency, startTsc, mode, tsc = 'guest time', isExperiment, setsOnThaw = true, setsOnPost = true } = options;
  const refused = refuseTsc(mode, tsc, isExperiment);
  if (refused !== undefined) throw new RangeError(refused);
  const { freezes } = TIMER_MODES[mode];
  const followsHost = tsc === 'host';
  const scale = createTickScale(frequency);
  const { multiply, divide } = reducedPerNano(frequency);
  const isNanos = multiply === divide;
  /** Guest time in ticks where it stands, if it does. */
  let frozenAt = -1n;
  let isFrozen = false;
  let hostOffset = -startTsc;
  let adjust = 0n;

  const at = (host: bigint): bigint => (isFrozen ? frozenAt : host + own.offset);

  const own = {
    offset: -startTsc,
    platformOffset: -startTsc,
    now: (): Instant => {
      const count = isFrozen ? frozenAt : hostTsc() + own.offset;
      return instant(isNanos ? count : scale(ticks(count)));
    },
    at,
    owed: (host: bigint) => host + own.platformOffset - at(host),
    freeze: (host: bigint) => {
      if (!freezes || isFrozen) return;
      frozenAt = host + own.offset;
      isFrozen = true;
    },
    thaw: (host: bigint) => {
      if (!isFrozen) return;
      isFrozen = false;
      if (setsOnThaw) own.offset = frozenAt - host;
    },
    stepTo: (deadline: bigint, host: bigint) => {
      if (!setsOnPost || deadline <= at(host)) return;
      if (isFrozen) frozenAt = deadline;
      else own.offset = deadline - host;
    },
    toNanos: (count: bigint) => instant(isNanos ? count : scale(ticks(count))),
    toTicks: (nanos: Instant) => (isNanos ? nanos : nanos > 0n ? (nanos * multiply + divide - 1n) / divide : (nanos * multiply) / divide),
    tsc: (host: bigint) => BigInt.asUintN(64, (followsHost ? host + hostOffset : at(host)) + adjust),
    tscOffset: () => BigInt.asIntN(64, (followsHost ? hostOffset : own.offset) + adjust),
    writeTsc: (value: bigint, host: bigint) => {
      adjust = BigInt.asIntN(64, value - (followsHost ? host + hostOffset : at(host)));
    },
    writeTscAdjust: (value: bigint) => {
      adjust = BigInt.asIntN(64, value);
    },
    tscAdjust: () => BigInt.asUintN(64, adjust),
    save: (host: bigint): GuestTimeState => ({
      ticks: at(host),
      owed: own.owed(host),
      isFrozen,
      tscAdjust: adjust,
      hostTsc: host + hostOffset,
    }),
    restore: (state: GuestTimeState, savedAt: bigint) => {
      isFrozen = state.isFrozen;
      frozenAt = state.ticks;
      own.offset = state.ticks - savedAt;
      own.platformOffset = own.offset + state.owed;
      adjust = state.tscAdjust;
      hostOffset = state.hostTsc - savedAt;
    },
  };
  return own;
}
