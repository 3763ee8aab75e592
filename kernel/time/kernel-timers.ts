/**
 * Kernel timers: any number of deadlines on one hardware timer.
 *
 * The rules, each of them a test case:
 *
 * - A timer runs at its deadline or later, never earlier by the clock.
 * - Timers run in the order of their deadlines; those due at the same instant, in the order in which they were armed.
 *   A periodic timer was armed once, whatever its beat.
 * - An expiry reads the clock once, and runs what is due by that reading and was armed before the expiry began, each
 *   timer once. What a callback arms for the past runs in the next expiry, which follows at once. So an expiry ends,
 *   the kernel's loop gets its turn, and a callback that arms itself for the past again and again holds up nobody.
 * - For that, a deadline before the clock reading of the last expiry counts as due at that reading: who comes late does
 *   not jump the queue. The callback gets the deadline as it was asked for.
 * - A timer leaves the queue (a periodic one: moves on to its next deadline) before its callback runs; the callback may
 *   arm and cancel any timer. One that is cancelled does not run, not even if it was due in the same expiry.
 * - An error of a callback passes on to the caller of the expiry handler, at once, the queue consistent and the hardware
 *   armed. The other timers that are due run in the next expiry.
 * - Once stopped, no timer runs or can be armed.
 * - The hardware is armed or disarmed only if what it should wait for has changed, at most once per call from outside
 *   and once per expiry. An interrupt for which nothing is due is harmless.
 */
import { createDeadlineQueue, NOT_QUEUED, type QueueEntry } from './deadline-queue.ts';
import type { HwClock } from './hw-clock.ts';
import type { ExpiryHandler, HwTimer } from './hw-timer.ts';
import { instant, nanos, type Instant, type Nanos } from './units.ts';

/** The latest deadline: 2^63 - 1 ns after boot, 292 years. Beyond it the hardware timers take none. */
export const LATEST_DEADLINE = instant(2n ** 63n - 1n);

/**
 * @param deadline what the timer was armed for; of a periodic one, the deadline of this beat
 * @param missed deadlines after this one that had passed too when the expiry began and get no callback of their own;
 *   0 for a one-shot timer
 * @param taken TSC at the first instructions of the interrupt's stub
 */
export type TimerCallback = (deadline: Instant, missed: number, taken: bigint) => void;

/** Called before the callback of a timer that has missed deadlines. An error of it takes the place of the callback. */
export type OverrunHandler = (timer: KernelTimer, deadline: Instant, missed: number, taken: bigint) => void;

/** One timer. It can be armed any number of times, and allocates nothing when it is. */
export interface KernelTimer {
  /**
   * One-shot. Arming an armed timer replaces its deadline, and its place among those of the same deadline. A deadline
   * that has passed is due at once.
   *
   * @throws TypeError unless it is a bigint, RangeError unless it is 0 to LATEST_DEADLINE; the timer is as it was
   */
  arm(deadline: Instant): void;
  /**
   * Periodic: deadlines at `first`, `first + period`, `first + 2 * period` and so on, exactly. Deadlines that have passed
   * together get one callback, for the first of them. The last deadline is the last one up to LATEST_DEADLINE.
   *
   * @throws TypeError unless both are bigints, RangeError unless `first` is 0 to LATEST_DEADLINE and `period` is
   *   `KernelTimers.minPeriod` to LATEST_DEADLINE; the timer is as it was
   */
  armPeriodic(first: Instant, period: Nanos): void;
  /** Whether it was pending. */
  cancel(): boolean;
  /** Whether a callback is to come. Within its callback a one-shot timer is not pending, a periodic one is. */
  isPending(): boolean;
  /** Of the callback to come, as asked for; undefined if the timer is not pending. */
  deadline(): Instant | undefined;
}

export interface KernelTimers {
  /** Shortest period that is taken. */
  readonly minPeriod: Nanos;
  /**
   * A timer that is not armed yet.
   *
   * @throws TypeError unless the callback is a function; so do the next two
   */
  createTimer(callback: TimerCallback): KernelTimer;
  /** A new timer, armed; see KernelTimer.arm. */
  armOneShot(deadline: Instant, callback: TimerCallback): KernelTimer;
  /** A new timer, armed; see KernelTimer.armPeriodic. */
  armPeriodic(first: Instant, period: Nanos, callback: TimerCallback): KernelTimer;
  /** How many timers are pending. */
  pending(): number;
  /** Deadlines missed so far, of all timers. */
  missed(): number;
  /**
   * Cancels all timers, which disarms the hardware. From then on arming one throws an Error, and cancelling is harmless. May be called from
   * a callback: what is due in the same expiry does not run any more.
   */
  stop(): void;
}

export interface KernelTimersOptions {
  readonly clock: Pick<HwClock, 'now'>;
  /** Called once. The timer expires by `clock`; it calls `onExpire` from the dispatcher, never from within `arm`. */
  readonly createHwTimer: (onExpire: ExpiryHandler) => HwTimer;
  /**
   * Shortest period to take, 1 ns at least; the hardware timer's `minInterval` if that is longer, as it is by default.
   * It is no promise that the callbacks keep up with it: see `missed`.
   */
  readonly minPeriod?: Nanos;
  readonly onOverrun?: OverrunHandler;
}

interface Entry extends QueueEntry {
  deadline: Instant;
  /** 0 of a one-shot timer. */
  period: Nanos;
  readonly callback: TimerCallback;
  readonly timer: KernelTimer;
}

const ONE_SHOT = nanos(0n);
/** What the hardware waits for if it is disarmed: no deadline. */
const NOTHING = instant(-1n);

/** @throws RangeError unless `minPeriod` is positive */
export function createKernelTimers({ clock, createHwTimer, minPeriod: leastWanted, onOverrun }: KernelTimersOptions): KernelTimers {
  if (leastWanted !== undefined && leastWanted < 1n) throw new RangeError(`minPeriod ${leastWanted} ns is not positive`);
  const hwTimer = createHwTimer(expire);
  const minPeriod = longest(nanos(1n), hwTimer.minInterval, leastWanted ?? hwTimer.minInterval);
  const { enqueue, dequeue, reorder, head, size } = createDeadlineQueue<Entry>();
  /** What the hardware timer is armed for. */
  let awaited = NOTHING;
  /** Clock reading of the last expiry. */
  let horizon = instant(0n);
  /** Number of the next arming. */
  let nextOrder = 0;
  let missedInAll = 0;
  let isExpiring = false;
  /** The latest deadline that is taken: none any more once the timers are stopped. */
  let latest: bigint = LATEST_DEADLINE;

  function updateHardware(): void {
    const entry = head();
    const due = entry === undefined ? NOTHING : entry.due;
    if (due === awaited) return;
    if (entry === undefined) hwTimer.disarm();
    else hwTimer.arm(due);
    awaited = due;
  }

  function arm(entry: Entry, deadline: Instant, period: Nanos): void {
    const place = entry.place;
    entry.deadline = deadline;
    entry.period = period;
    entry.due = deadline < horizon ? horizon : deadline;
    entry.order = nextOrder++;
    if (place === NOT_QUEUED) enqueue(entry);
    else reorder(entry);
    // Only the queue's head matters: this one is it now, or has been until now.
    if ((entry.place === 0 || place === 0) && !isExpiring) updateHardware();
  }

  function cancel(entry: Entry): boolean {
    const place = entry.place;
    if (place === NOT_QUEUED) return false;
    dequeue(entry);
    if (place === 0 && !isExpiring) updateHardware();
    return true;
  }

  /** Takes the entry out of the queue, or on to its next deadline. Returns how many deadlines it skips on the way. */
  function advance(entry: Entry, now: Instant): number {
    const period = entry.period;
    if (period === ONE_SHOT) {
      dequeue(entry);
      return 0;
    }
    let missed = 0;
    let next = entry.deadline + period;
    if (next <= now) {
      const skipped = (now - entry.deadline) / period;
      next += skipped * period;
      missed = Number(skipped);
    }
    if (next > LATEST_DEADLINE) {
      dequeue(entry);
    } else {
      entry.deadline = entry.due = next as Instant;
      reorder(entry);
    }
    return missed;
  }

  function expire(taken: bigint): void {
    // An interrupt that was on its way when the timer was armed anew leaves it armed; any other has disarmed it.
    if (!hwTimer.isArmed()) awaited = NOTHING;
    // A callback that dispatches interrupts itself: the expiry that is under way arms the hardware when it ends.
    if (isExpiring) return;
    isExpiring = true;
    try {
      const now = clock.now();
      horizon = now;
      // Whatever is armed from here on is due at `now` at the earliest and numbered higher: behind all that is due.
      const end = nextOrder;
      for (let entry = head(); entry !== undefined && entry.due <= now && entry.order < end; entry = head()) {
        const deadline = entry.deadline;
        const missed = advance(entry, now);
        if (missed > 0) {
          missedInAll += missed;
          onOverrun?.(entry.timer, deadline, missed, taken);
        }
        const callback = entry.callback;
        callback(deadline, missed, taken);
      }
    } finally {
      isExpiring = false;
      updateHardware();
    }
  }

  function stop(): void {
    latest = -1n;
    for (let entry = head(); entry !== undefined; entry = head()) dequeue(entry);
    if (!isExpiring) updateHardware();
  }

  function refuseTime(what: string, least: bigint, value: unknown): never {
    if (latest < 0n) throw new Error(`${what} ${String(value)}: the kernel timers are stopped`);
    if (typeof value !== 'bigint') refuse(what, 'a bigint of nanoseconds', value);
    throw new RangeError(`${what} ${value} ns is not within ${least} to ${LATEST_DEADLINE} ns`);
  }

  function createTimer(callback: TimerCallback): KernelTimer {
    if (typeof callback !== 'function') refuse('callback', 'a function', callback);
    const timer: KernelTimer = {
      arm: (deadline) => {
        // The console's calls are not type-checked.
        if (typeof deadline !== 'bigint' || deadline < 0n || deadline > latest) refuseTime('deadline', 0n, deadline);
        arm(entry, deadline, ONE_SHOT);
      },
      armPeriodic: (first, period) => {
        if (typeof first !== 'bigint' || first < 0n || first > latest) refuseTime('first deadline', 0n, first);
        if (typeof period !== 'bigint' || period < minPeriod || period > LATEST_DEADLINE) refuseTime('period', minPeriod, period);
        arm(entry, first, period);
      },
      cancel: () => cancel(entry),
      isPending: () => entry.place !== NOT_QUEUED,
      deadline: () => (entry.place === NOT_QUEUED ? undefined : entry.deadline),
    };
    const entry: Entry = { due: NOTHING, order: 0, place: NOT_QUEUED, deadline: NOTHING, period: ONE_SHOT, callback, timer };
    return timer;
  }

  return {
    minPeriod,
    createTimer,
    armOneShot: (deadline, callback) => {
      const timer = createTimer(callback);
      timer.arm(deadline);
      return timer;
    },
    armPeriodic: (first, period, callback) => {
      const timer = createTimer(callback);
      timer.armPeriodic(first, period);
      return timer;
    },
    pending: size,
    missed: () => missedInAll,
    stop,
  };
}

const longest = (a: Nanos, b: Nanos, c: Nanos): Nanos => (a >= b && a >= c ? a : b >= c ? b : c);

function refuse(what: string, kind: string, value: unknown): never {
  throw new TypeError(`${what} must be ${kind}, not ${String(value)} (${typeof value})`);
}
