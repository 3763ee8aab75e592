/**
 * A partition's virtual timers: up to TIMERS_MAX on its two clocks, absolute deadlines in nanoseconds, one-shot or periodic. How often one
 * has expired stands in the time page, where the partition reads it without asking.
 */
import { instant, type Instant } from '../time/units.ts';
import { CLOCK, LINE, TIMERS_MAX } from './abi.ts';

export interface VirtualTimers {
  /** The next deadline on each clock, NEVER_DUE if there is none; open, so that the scheduler need not call. */
  nextHw: Instant;
  nextExec: Instant;
  /**
   * Arms a timer; one that is armed already is armed anew.
   * @param timer 0 to TIMERS_MAX - 1
   * @param period ns, 0: once
   */
  arm(timer: number, clock: typeof CLOCK.HW | typeof CLOCK.EXEC, deadline: Instant, period: bigint): void;
  disarm(timer: number): void;
  /**
   * Expires what is due on the two clocks by what they show, at most EXPIRIES_MAX timers: a periodic one counts all its periods up to now,
   * and goes on at its beat.
   * @param hwNow BEFORE_ALL: the clock stands, as for `execNow`
   * @returns bits of the lines that they raise; 0 if none has expired
   */
  expire(hwNow: Instant, execNow: Instant): number;
  /** Disarms all and puts the counts to 0. */
  reset(): void;
  armed(): number;
}

/**
 * Timers that one call of `expire` handles, both clocks taken together: what is left is handled at the next, so that no partition holds the
 * kernel up. Each takes some 10 us among hundreds (LEADS.EXPIRE).
 */
export const EXPIRIES_MAX = 2;

/** Later than every deadline, and before each: none is due on a clock that shows it. */
export const NEVER_DUE = instant(1n << 62n);
export const BEFORE_ALL = instant(-1n);

const HW_BIT = 1 << LINE.HW_TIMER;
const EXEC_BIT = 1 << LINE.EXEC_TIMER;
/** Counts are modulo 2^32. */
const COUNT_MASK = 0xffff_ffffn;
const toNumber = Number;

/** A binary heap of one clock's deadlines, the earliest first; of its arrays only the first `size` places count. */
interface Deadlines {
  readonly due: BigInt64Array;
  /** The timer that each place belongs to. */
  readonly timer: Int32Array;
  size: number;
}

const createDeadlines = (): Deadlines => ({ due: new BigInt64Array(TIMERS_MAX), timer: new Int32Array(TIMERS_MAX), size: 0 });

/**
 * Deadlines are kept in a heap of this module's own: time/deadline-queue.ts has objects for entries and calls for steps, which make an
 * expiry among hundreds take twice as long.
 * @param counts one word per timer: the time page's TIMER_COUNTS
 */
export function createVirtualTimers(counts: Int32Array): VirtualTimers {
  const heaps: readonly [Deadlines, Deadlines] = [createDeadlines(), createDeadlines()];
  /** By timer: which clock's heap it was put into last, where, and its period. It is armed if the heap has it there. */
  const clocks = new Int32Array(TIMERS_MAX);
  const places = new Int32Array(TIMERS_MAX);
  const periods = new BigInt64Array(TIMERS_MAX);
  /** The line of the clock whose timer expired last. */
  let last = EXEC_BIT;

  /** Puts a deadline into the heap's hole at `place`, or further towards the root. */
  function siftUp({ due: dues, timer: timers }: Deadlines, place: number, due: bigint, timer: number): void {
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const parentDue = dues[parent]!;
      if (parentDue <= due) break;
      const moved = timers[parent]!;
      dues[place] = parentDue;
      timers[place] = moved;
      places[moved] = place;
      place = parent;
    }
    dues[place] = due;
    timers[place] = timer;
    places[timer] = place;
  }

  /** The same, or further towards the leaves. */
  function siftDown({ due: dues, timer: timers, size }: Deadlines, place: number, due: bigint, timer: number): void {
    for (;;) {
      let child = 2 * place + 1;
      if (child >= size) break;
      let childDue = dues[child]!;
      if (child + 1 < size) {
        const right = dues[child + 1]!;
        if (right < childDue) {
          child++;
          childDue = right;
        }
      }
      if (due <= childDue) break;
      const moved = timers[child]!;
      dues[place] = childDue;
      timers[place] = moved;
      places[moved] = place;
      place = child;
    }
    dues[place] = due;
    timers[place] = timer;
    places[timer] = place;
  }

  /** Takes out what stands at a place. */
  function remove(heap: Deadlines, place: number): void {
    const size = heap.size - 1;
    heap.size = size;
    if (place === size) return;
    const due = heap.due[size]!;
    const timer = heap.timer[size]!;
    if (place > 0 && heap.due[(place - 1) >> 1]! > due) siftUp(heap, place, due, timer);
    else siftDown(heap, place, due, timer);
  }

  /** After a change of a clock's heap. */
  function look(clock: number): void {
    const heap = heaps[clock]!;
    const next = heap.size === 0 ? NEVER_DUE : instant(heap.due[0]!);
    if (clock === CLOCK.HW) own.nextHw = next;
    else own.nextExec = next;
  }

  /** Expires the first timer of a clock, which is due. */
  function expireFirst(clock: number, now: bigint): void {
    const heap = heaps[clock]!;
    const timer = heap.timer[0]!;
    const period = periods[timer]!;
    if (period === 0n) {
      counts[timer] = counts[timer]! + 1;
      remove(heap, 0);
    } else {
      let due = heap.due[0]! + period;
      let expiries = 1;
      if (due <= now) {
        const missed = (now - due) / period + 1n;
        due += missed * period;
        expiries += toNumber(missed & COUNT_MASK);
      }
      counts[timer] = counts[timer]! + expiries;
      siftDown(heap, 0, due, timer);
    }
    look(clock);
  }

  function disarm(timer: number): void {
    const clock = clocks[timer]!;
    const heap = heaps[clock]!;
    const place = places[timer]!;
    if (place >= heap.size || heap.timer[place] !== timer) return;
    remove(heap, place);
    look(clock);
  }

  const own: VirtualTimers = {
    nextHw: NEVER_DUE,
    nextExec: NEVER_DUE,
    arm: (timer, clock, deadline, period) => {
      disarm(timer);
      clocks[timer] = clock;
      periods[timer] = period;
      const heap = heaps[clock];
      siftUp(heap, heap.size++, deadline, timer);
      look(clock);
    },
    disarm,
    expire: (hwNow, execNow) => {
      let raised = 0;
      for (let handled = 0; handled < EXPIRIES_MAX; handled++) {
        const isHwDue = own.nextHw <= hwNow;
        const isExecDue = own.nextExec <= execNow;
        if (!isHwDue && !isExecDue) break;
        // In turns, from call to call too: a clock with more timers than there is time for is not to keep the other one's waiting.
        const isHw = isHwDue && (!isExecDue || last === EXEC_BIT);
        last = isHw ? HW_BIT : EXEC_BIT;
        raised |= last;
        if (isHw) expireFirst(CLOCK.HW, hwNow);
        else expireFirst(CLOCK.EXEC, execNow);
      }
      return raised;
    },
    reset: () => {
      heaps[CLOCK.HW].size = 0;
      heaps[CLOCK.EXEC].size = 0;
      own.nextHw = NEVER_DUE;
      own.nextExec = NEVER_DUE;
      counts.fill(0);
    },
    armed: () => heaps[CLOCK.HW].size + heaps[CLOCK.EXEC].size,
  };
  return own;
}
