/**
 * A partition's virtual timers: up to TIMERS_MAX on its two clocks, absolute deadlines in nanoseconds, one-shot or periodic. How often one
 * has expired stands in the time page, where the partition reads it without asking.
 */
import { createDeadlineQueue, NOT_QUEUED, type QueueEntry } from '../time/deadline-queue.ts';
import { instant, type Instant } from '../time/units.ts';
import { CLOCK, TIMERS_MAX } from './abi.ts';

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
   * Expires what is due on a clock by `now`, at most EXPIRIES_MAX timers: a periodic one counts all its periods up to now, and goes on at
   * its beat.
   * @returns whether one has expired
   */
  expire(clock: typeof CLOCK.HW | typeof CLOCK.EXEC, now: Instant): boolean;
  /** Disarms all and puts the counts to 0. */
  reset(): void;
  armed(): number;
}

/** Timers that one call of `expire` handles: what is left is handled at the next, so that no partition holds the kernel up. */
export const EXPIRIES_MAX = 2;

/** Later than every deadline. */
export const NEVER_DUE = instant(1n << 62n);

interface Timer extends QueueEntry {
  readonly id: number;
  clock: number;
  period: bigint;
  generation: number;
}

/** @param counts one word per timer: the time page's TIMER_COUNTS */
export function createVirtualTimers(counts: Int32Array): VirtualTimers {
  const timers: (Timer | undefined)[] = new Array<Timer | undefined>(TIMERS_MAX).fill(undefined);
  /** Since which reset a timer is armed: one of an earlier time is as good as never armed. */
  let generation = 0;
  let queues = [createDeadlineQueue<Timer>(), createDeadlineQueue<Timer>()];

  /** After a change of a clock's queue. */
  function look(clock: number): void {
    const head = queues[clock]!.head();
    const next = head === undefined ? NEVER_DUE : head.due;
    if (clock === CLOCK.HW) own.nextHw = next;
    else own.nextExec = next;
  }

  function disarm(id: number): void {
    const timer = timers[id];
    if (timer === undefined || timer.place === NOT_QUEUED || timer.generation !== generation) return;
    queues[timer.clock]!.dequeue(timer);
    look(timer.clock);
  }

  const own: VirtualTimers = {
    nextHw: NEVER_DUE,
    nextExec: NEVER_DUE,
    arm: (id, clock, deadline, period) => {
      const timer = (timers[id] ??= { id, clock, period, due: deadline, order: id, place: NOT_QUEUED, generation });
      disarm(id);
      timer.generation = generation;
      timer.clock = clock;
      timer.due = deadline;
      timer.period = period;
      queues[clock]!.enqueue(timer);
      look(clock);
    },
    disarm,
    expire: (clock, now) => {
      const queue = queues[clock]!;
      let handled = 0;
      for (; handled < EXPIRIES_MAX; handled++) {
        const timer = queue.head();
        if (timer === undefined || timer.due > now) break;
        const period = timer.period;
        if (period === 0n) {
          queue.dequeue(timer);
          counts[timer.id] = counts[timer.id]! + 1;
        } else {
          const next = (timer.due + period) as Instant;
          if (next > now) {
            timer.due = next;
            counts[timer.id] = counts[timer.id]! + 1;
          } else {
            const periods = (now - timer.due) / period + 1n;
            timer.due = instant(timer.due + periods * period);
            counts[timer.id] = counts[timer.id]! + Number(BigInt.asIntN(32, periods));
          }
          queue.reorder(timer);
        }
      }
      look(clock);
      return handled > 0;
    },
    reset: () => {
      // New ones: taking hundreds of timers out, or clearing their array, takes longer than the kernel has.
      generation++;
      queues = [createDeadlineQueue<Timer>(), createDeadlineQueue<Timer>()];
      own.nextHw = NEVER_DUE;
      own.nextExec = NEVER_DUE;
      counts.fill(0);
    },
    armed: () => queues[0]!.size() + queues[1]!.size(),
  };
  return own;
}
