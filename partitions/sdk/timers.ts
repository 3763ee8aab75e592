/** Virtual timers: absolute deadlines on the HW or the EXEC clock, in nanoseconds. May be late, never early. */
import { CLOCK, HYPERCALL, LINE, TIMER_PERIOD_MIN, TIMERS_MAX } from '../../kernel/partition/abi.ts';
import { instant, type Instant, type Nanos } from '../../kernel/time/units.ts';
import type { EventLoop } from './events.ts';
import type { Hypervisor } from './hypervisor.ts';
import type { PartitionTime } from './time.ts';

export type TimerClock = 'hw' | 'exec';

/**
 * @param deadline the latest that has passed, on the timer's clock
 * @param missed how many before it have passed since the last call, without a call of their own: the partition did not run
 */
export type TimerCallback = (deadline: Instant, missed: number) => void;

export interface Timer {
  readonly clock: TimerClock;
  /** Once, at a deadline on the timer's clock; at once if it has passed. Replaces what was armed. */
  armAt(deadline: Instant): void;
  /** At `first`, and then every `period` (from TIMER_PERIOD_MIN on) after it: the n-th is due at first + n * period, however late the callbacks are. */
  armEvery(first: Instant, period: Nanos): void;
  /** From now on there are no calls, not even of what has expired already. */
  cancel(): void;
  /** Between arming and the last expiry. A one-shot is not armed any more while its callback runs. */
  isArmed(): boolean;
  /** Cancels it and gives its number back. */
  release(): void;
}

export interface Timers {
  /** RangeError if there are TIMERS_MAX already. */
  create(clock: TimerClock, callback: TimerCallback): Timer;
}

interface Entry {
  readonly index: number;
  readonly callback: TimerCallback;
  isArmed: boolean;
  /** Count on the time page up to which expiries were told. */
  seen: number;
  next: bigint;
  period: bigint;
}

export function createTimers(hypervisor: Hypervisor, time: PartitionTime, events: EventLoop): Timers {
  const isUsed: boolean[] = [];
  const entries: Record<TimerClock, readonly Entry[]> = { hw: [], exec: [] };
  const isConnected: Record<TimerClock, boolean> = { hw: false, exec: false };

  function dispatch(clock: TimerClock): void {
    // A list that changes meanwhile is another list: those of this one are all looked at once.
    for (const entry of entries[clock]) {
      if (!entry.isArmed) continue;
      const count = time.timerCount(entry.index);
      const expired = (count - entry.seen) >>> 0;
      if (expired === 0) continue;
      entry.seen = count;
      const missed = expired - 1;
      const deadline = missed === 0 ? entry.next : entry.next + BigInt(missed) * entry.period;
      if (entry.period === 0n) entry.isArmed = false;
      else entry.next = deadline + entry.period;
      entry.callback(instant(deadline), missed);
    }
  }

  return {
    create: (clock, callback) => {
      let index = 0;
      while (isUsed[index]) index++;
      if (index === TIMERS_MAX) throw new RangeError(`timers.create: all ${TIMERS_MAX} timers are in use: release some`);
      isUsed[index] = true;
      if (!isConnected[clock]) {
        isConnected[clock] = true;
        events.on(clock === 'hw' ? LINE.HW_TIMER : LINE.EXEC_TIMER, () => dispatch(clock));
      }
      const entry: Entry = { index, callback, isArmed: false, seen: 0, next: 0n, period: 0n };
      entries[clock] = [...entries[clock], entry];
      const timerAndClock = index + (clock === 'hw' ? CLOCK.HW : CLOCK.EXEC) * 0x1_0000;

      function cancel(): void {
        if (!entry.isArmed) return;
        entry.isArmed = false;
        hypervisor.call(HYPERCALL.CANCEL_TIMER, index);
      }
      function arm(deadline: bigint, period: bigint): void {
        if (!isUsed[index]) throw new Error('timer: it was released: create another one');
        // An old deadline that passes between the two calls must not count as the new one's.
        cancel();
        entry.seen = time.timerCount(index);
        entry.next = deadline;
        entry.period = period;
        entry.isArmed = true;
        try {
          hypervisor.call(
            HYPERCALL.SET_TIMER,
            timerAndClock,
            deadline,
            period,
            0,
            () => `timer ${index} on clock ${clock}, deadline ${deadline} ns, period ${period} ns`,
          );
        } catch (error) {
          entry.isArmed = false;
          throw error;
        }
      }

      return {
        clock,
        armAt: (deadline) => arm(deadline, 0n),
        armEvery: (first, period) => {
          if (period < TIMER_PERIOD_MIN) throw new RangeError(`timer: period ${period} ns: expected at least ${TIMER_PERIOD_MIN}`);
          arm(first, period);
        },
        cancel,
        isArmed: () => entry.isArmed,
        release: () => {
          cancel();
          entries[clock] = entries[clock].filter((other) => other !== entry);
          isUsed[index] = false;
        },
      };
    },
  };
}
