/**
 * Virtual platform timers: deadlines in guest time, and what becomes of them while the guest does not have the CPU (timer-modes.ts).
 *
 * One rule of order: ticks are delivered in the order of their deadlines. A tick is due when guest time is at its deadline. In mode
 * delay_for_missed_ticks it is due already when platform time is, and delivering it steps guest time to the deadline. Such a step waits until
 * the CPU has taken every tick before it, because that one's handler would find itself late by the step, and until it is ready for this one; but
 * for HOLD_MAX at most, so that an interrupt that the guest never takes does not hold its time back for ever.
 *
 * Where missed ticks are all delivered, a source's next tick waits until the CPU has taken its last: a backlog, bounded, and what is lost by
 * the bound is counted. Elsewhere ticks that the CPU has not taken merge, as in hardware. A tick that nobody hears of (masked, or merged
 * with another source's) is not owed to anybody: until its source is heard again, its ticks come by guest time alone.
 */
import { instant, millis, type Instant } from '../time/units.ts';
import { NEVER_DUE, REQUEST, type Beat, type PlatformTimer, type TimerSource } from './device.ts';
import type { GuestTime } from './guest-time.ts';
import { TIMER_MODES, type TimerModeName } from './timer-modes.ts';

export interface PlatformTimersOptions {
  readonly guestTime: GuestTime;
  /** The one that guestTime has. */
  readonly mode: TimerModeName;
  /** Ticks of one source that are due and not delivered, at most; from 1 on. What is more is lost, the earliest first. */
  readonly backlogMax?: number;
  /** Whether the CPU would take an interrupt now: only then a step is made for it, for a handler does not see its time jump. */
  readonly isReady?: () => boolean;
}

export interface SourceOptions {
  /**
   * No register shows the phase of this source: its periodic ticks may be moved to the next whole multiple of the period in guest time, so
   * that those of several sources come together (Xen's vpt_align). Later by less than a period, never earlier.
   */
  readonly isAligned?: boolean;
}

export interface SourceAccounts {
  readonly name: string;
  /** Ticks that the line accepted. */
  readonly accepted: number;
  /** Ticks that the line merged with one before. */
  readonly merged: number;
  /** Ticks that the line dropped, and those that went the same way without being asked for. */
  readonly dropped: number;
  /** Ticks that were never offered to the line: missed by the mode's rule, or beyond the backlog. */
  readonly lost: number;
}

interface TimerState {
  readonly origin: Instant;
  readonly phase: bigint;
  readonly numerator: bigint;
  readonly denominator: bigint;
  readonly index: bigint;
  readonly isRunning: boolean;
  readonly isWaiting: boolean;
  readonly heldUntil: bigint;
  readonly isUnheard: boolean;
  readonly keepsNext: boolean;
}

export interface PlatformTimersState {
  readonly leftAt: bigint;
  /** In the order of creation. */
  readonly timers: readonly TimerState[];
}

export interface PlatformTimers {
  readonly create: (source: TimerSource, options?: SourceOptions) => PlatformTimer;
  /** Host TSC at which the next tick is to be delivered, maybe a past one; NEVER_DUE if there is none, or all wait for the CPU. */
  dueTsc(): bigint;
  /** Whether a step waits for the CPU to be ready: it is to be asked for again when that is so. */
  isHeld(hostTsc: bigint): boolean;
  /**
   * Delivers what is due, at most DELIVERIES_MAX ticks: dueTsc() tells whether that was all. To be called before a guest's access reaches a
   * device, too: on real hardware what is due would have happened before. Guest time may have been set after it, and with it TSC_OFFSET.
   * @param hostTsc not before that of an earlier call
   */
  deliver(hostTsc: bigint): void;
  /** The vCPU has the CPU again: thaws guest time, and treats missed ticks as the mode says. */
  beforeRun(hostTsc: bigint): void;
  /** The vCPU loses the CPU. One that waits (HLT) need not be told of, as in Xen: its time goes on then, and what comes wakes it. */
  afterRun(hostTsc: bigint): void;
  /** Between afterRun and beforeRun. */
  isAbsent(): boolean;
  accounts(): readonly SourceAccounts[];
  save(): PlatformTimersState;
  /** Into timers that were created for the same sources in the same order; guest time and the devices are restored before. */
  restore(state: PlatformTimersState): void;
}

// Names are read one by one here, where others would be destructured: in the engine that costs more than a microsecond a name.

/** Ticks of one call, some 25 us each: a guest that sets a period of some nanoseconds gets what there is time for (LEADS.DELIVER in scheduler.ts). */
export const DELIVERIES_MAX = 3;

export const BACKLOG_MAX = 1000;

/** Guest time: longer than a system that cares for its ticks keeps interrupts off. */
export const HOLD_MAX = millis(1);

interface Timer {
  readonly source: TimerSource;
  readonly isAligned: boolean;
  readonly acknowledged: () => void;
  origin: Instant;
  phase: bigint;
  numerator: bigint;
  denominator: bigint;
  index: bigint;
  /** The next tick's deadline, and the same in ticks of guest time; NEVER_DUE if it is stopped. */
  deadline: Instant;
  due: bigint;
  /** Ticks of guest time that the backlog may be long. */
  backlog: bigint;
  /** For the CPU to take the last tick. */
  isWaiting: boolean;
  /** Until then (ticks of guest time) no step is made while it waits. */
  heldUntil: bigint;
  /** The last tick was dropped or merged. */
  isUnheard: boolean;
  /** no_missed_ticks_pending: ticks were missed and forgotten, and none has come since. */
  keepsNext: boolean;
  /** The tick that is being delivered was taken at once. */
  isTaken: boolean;
  /** It has been started once: `look` looks at it. */
  isListed: boolean;
  /** How often the device has started or stopped it. */
  settings: number;
  accepted: number;
  merged: number;
  dropped: number;
  lost: number;
}

/** @throws RangeError for a backlogMax under 1 */
export function createPlatformTimers({
  guestTime,
  mode,
  backlogMax = BACKLOG_MAX,
  isReady = () => true,
}: PlatformTimersOptions): PlatformTimers {
  if (!Number.isInteger(backlogMax) || backlogMax < 1)
    throw new RangeError(`a backlog of ${backlogMax} ticks can't hold the one that is due`);
  const { freezes, missed } = TIMER_MODES[mode];
  const waits = missed === 'all';
  const backlogTicks = BigInt(backlogMax);
  const holdMax = guestTime.toTicks(instant(HOLD_MAX));
  const timers: Timer[] = [];
  /** Those that were ever started, in the order of creation. */
  let listed: Timer[] = [];
  /** Guest time when the vCPU lost the CPU, NEVER_DUE while it has it. */
  let leftAt: bigint = NEVER_DUE;
  /** What `look` found. */
  let isLooked = false;
  let next: Timer | undefined;
  /** What dueTsc tells, if the CPU is ready and if it is not. */
  let dueAt: bigint = NEVER_DUE;
  let dueUnready: bigint = NEVER_DUE;
  /** Deadline of the next tick that platform time makes due, and when the step to it may be made; both in ticks of guest time. */
  let nextByPlatform: bigint = NEVER_DUE;
  let heldUntil = 0n;
  /** Until then (ticks of guest time) no step is made unless the CPU is ready. */
  let unreadyUntil = 0n;

  function look(): void {
    isLooked = true;
    next = undefined;
    dueAt = NEVER_DUE;
    dueUnready = NEVER_DUE;
    if (leftAt !== NEVER_DUE) return;
    let earliest: bigint = NEVER_DUE;
    nextByPlatform = NEVER_DUE;
    heldUntil = 0n;
    // By index: an iterator costs as much as the rest of the turn.
    for (let place = 0; place < listed.length; place++) {
      const timer = listed[place]!;
      const due = timer.due;
      if (timer.isWaiting) {
        if (timer.heldUntil > heldUntil) heldUntil = timer.heldUntil;
      } else if (due < NEVER_DUE) {
        if (due < earliest) {
          earliest = due;
          next = timer;
        }
        if (freezes && due < nextByPlatform && !timer.isUnheard) nextByPlatform = due;
      }
    }
    if (next === undefined) return;
    const offset = guestTime.offset;
    dueAt = earliest - offset;
    dueUnready = dueAt;
    if (nextByPlatform === NEVER_DUE) return;
    const unheld = heldUntil - offset;
    const byPlatform = nextByPlatform - guestTime.platformOffset;
    const stepped = byPlatform > unheld ? byPlatform : unheld;
    const ready = unreadyUntil - offset;
    const unready = stepped > ready ? stepped : ready;
    dueUnready = unready < dueAt ? unready : dueAt;
    if (stepped < dueAt) dueAt = stepped;
  }

  function list(timer: Timer): void {
    if (timer.isListed) return;
    timer.isListed = true;
    listed = timers.filter(({ isListed }) => isListed);
  }

  function setDeadline(timer: Timer): void {
    const denominator = timer.denominator;
    timer.deadline = instant(timer.origin + (timer.phase + timer.index * timer.numerator + denominator - 1n) / denominator);
    timer.due = guestTime.toTicks(timer.deadline);
    isLooked = false;
  }

  function clear(timer: Timer): void {
    timer.deadline = NEVER_DUE;
    timer.due = NEVER_DUE;
    isLooked = false;
  }

  /** Of a periodic timer: the first tick whose deadline is after `until`, in ticks of guest time. */
  function indexAfter(timer: Timer, until: bigint): bigint {
    const elapsed = (guestTime.toNanos(until) - timer.origin) * timer.denominator - timer.phase;
    return elapsed < 0n ? 0n : elapsed / timer.numerator + 1n;
  }

  /** @returns how many ticks are skipped by that */
  function skipTo(timer: Timer, index: bigint): number {
    const count = index - timer.index;
    if (count <= 0n) return 0;
    timer.index = index;
    setDeadline(timer);
    return Number(count);
  }

  /**
   * @param guest guest time
   * @param reach guest time up to which ticks are due, or will be by the step
   */
  function deliverOne(timer: Timer, hostTsc: bigint, guest: bigint, reach: bigint): void {
    // A single deadline is no backlog, however long ago it was: a guest's TSC may put one anywhere.
    if (waits && timer.numerator !== 0n) {
      const until = timer.isUnheard ? guest : hostTsc + guestTime.platformOffset;
      if (until - timer.due >= timer.backlog) timer.lost += skipTo(timer, indexAfter(timer, until) - backlogTicks);
    }
    const deadline = timer.deadline;
    const due = timer.due;
    if (due > guest) {
      if (due > reach) return;
      guestTime.stepTo(due, hostTsc);
      unreadyUntil = due + holdMax;
    }
    const isPeriodic = timer.numerator !== 0n;
    if (isPeriodic) {
      timer.index++;
      if (timer.denominator === 1n) {
        // The same as below, without a division.
        timer.deadline = instant(deadline + timer.numerator);
        timer.due = guestTime.toTicks(timer.deadline);
      } else setDeadline(timer);
    } else clear(timer);
    timer.keepsNext = false;
    timer.isTaken = false;
    const settings = timer.settings;
    const request = timer.source.tick(deadline, timer.acknowledged);
    timer.isUnheard = request !== REQUEST.ACCEPTED;
    timer.isWaiting = waits && request === REQUEST.ACCEPTED && !timer.isTaken;
    if (timer.isWaiting) timer.heldUntil = (due > guest ? due : guest) + holdMax;
    isLooked = false;
    // A backlog keeps what is due for later, unless nobody hears of it; a device that has started its timer anew wants it as it is.
    const skipped = !isPeriodic || timer.settings !== settings || (waits && !timer.isUnheard) ? 0 : skipTo(timer, indexAfter(timer, reach));
    if (request === REQUEST.ACCEPTED) {
      timer.accepted++;
      timer.lost += skipped;
    } else if (request === REQUEST.MERGED) timer.merged += 1 + skipped;
    else timer.dropped += 1 + skipped;
  }

  function start(timer: Timer, beat: Beat): void {
    timer.settings++;
    timer.isWaiting = false;
    timer.isUnheard = false;
    timer.keepsNext = false;
    const origin = beat.origin;
    const phase = beat.phase ?? 0n;
    const numerator = beat.numerator;
    const denominator = beat.denominator;
    timer.numerator = numerator;
    timer.denominator = denominator;
    if (timer.isAligned && numerator > 0n && origin > 0n) {
      timer.origin = instant(0n);
      timer.phase = 0n;
      timer.index = (origin * denominator + phase + numerator - 1n) / numerator;
    } else {
      timer.origin = origin;
      timer.phase = phase;
      timer.index = 0n;
    }
    list(timer);
    setBacklog(timer);
    setDeadline(timer);
  }

  function setBacklog(timer: Timer): void {
    timer.backlog =
      timer.numerator === 0n ? NEVER_DUE : guestTime.toTicks(instant((backlogTicks * timer.numerator) / timer.denominator)) - 1n;
  }

  return {
    create: (source, { isAligned = false } = {}) => {
      const timer: Timer = {
        source,
        isListed: false,
        isAligned,
        acknowledged: () => {
          timer.isTaken = true;
          timer.isWaiting = false;
          isLooked = false;
        },
        origin: instant(0n),
        phase: 0n,
        numerator: 0n,
        denominator: 1n,
        index: 0n,
        deadline: NEVER_DUE,
        due: NEVER_DUE,
        backlog: NEVER_DUE,
        isWaiting: false,
        heldUntil: 0n,
        isUnheard: false,
        keepsNext: false,
        isTaken: false,
        settings: 0,
        accepted: 0,
        merged: 0,
        dropped: 0,
        lost: 0,
      };
      timers.push(timer);
      return {
        start: (beat) => start(timer, beat),
        stop: () => {
          timer.settings++;
          timer.isWaiting = false;
          clear(timer);
        },
      };
    },

    dueTsc: () => {
      if (!isLooked) look();
      return dueAt === dueUnready || isReady() ? dueAt : dueUnready;
    },

    isHeld: (hostTsc) => {
      if (leftAt !== NEVER_DUE) return false;
      if (!isLooked) look();
      const guest = hostTsc + guestTime.offset;
      return nextByPlatform > guest && nextByPlatform <= hostTsc + guestTime.platformOffset && unreadyUntil > guest && !isReady();
    },

    deliver: (hostTsc) => {
      for (let count = 0; count < DELIVERIES_MAX; count++) {
        if (!isLooked) look();
        if (next === undefined) return;
        const guest = hostTsc + guestTime.offset;
        const isStep =
          nextByPlatform > guest &&
          nextByPlatform <= hostTsc + guestTime.platformOffset &&
          heldUntil <= guest &&
          (unreadyUntil <= guest || isReady());
        const reach = isStep ? nextByPlatform : guest;
        if (next.due > reach) return;
        deliverOne(next, hostTsc, guest, reach);
      }
    },

    beforeRun: (hostTsc) => {
      guestTime.thaw(hostTsc);
      if (leftAt === NEVER_DUE) return;
      const now = guestTime.at(hostTsc);
      if (missed === 'none') {
        for (const timer of timers) {
          if (timer.numerator === 0n || timer.due <= leftAt || timer.due > now || timer.keepsNext) continue;
          timer.lost += skipTo(timer, indexAfter(timer, now));
          timer.keepsNext = true;
        }
      }
      leftAt = NEVER_DUE;
      unreadyUntil = now + holdMax;
      isLooked = false;
    },

    afterRun: (hostTsc) => {
      if (leftAt !== NEVER_DUE) return;
      leftAt = guestTime.at(hostTsc);
      isLooked = false;
      guestTime.freeze(hostTsc);
    },

    isAbsent: () => leftAt !== NEVER_DUE,

    accounts: () => timers.map(({ source, accepted, merged, dropped, lost }) => ({ name: source.name, accepted, merged, dropped, lost })),

    save: () => ({
      leftAt,
      timers: timers.map(({ origin, phase, numerator, denominator, index, due, isWaiting, heldUntil: held, isUnheard, keepsNext }) => ({
        origin,
        phase,
        numerator,
        denominator,
        index,
        isRunning: due !== NEVER_DUE,
        isWaiting,
        heldUntil: held,
        isUnheard,
        keepsNext,
      })),
    }),

    restore: (state) => {
      if (state.timers.length !== timers.length)
        throw new RangeError(`a state of ${state.timers.length} timers does not fit ${timers.length}`);
      leftAt = state.leftAt;
      state.timers.forEach((saved, place) => {
        const timer = timers[place]!;
        timer.origin = saved.origin;
        timer.phase = saved.phase;
        timer.numerator = saved.numerator;
        timer.denominator = saved.denominator;
        timer.index = saved.index;
        timer.heldUntil = saved.heldUntil;
        timer.isUnheard = saved.isUnheard;
        timer.keepsNext = saved.keepsNext;
        setBacklog(timer);
        if (saved.isRunning || saved.isWaiting) list(timer);
        if (saved.isRunning) setDeadline(timer);
        else clear(timer);
        timer.isWaiting = saved.isWaiting && (timer.source.reclaim?.(timer.acknowledged) ?? false);
        list(timer);
      });
      isLooked = false;
    },
  };
}
