/**
 * The local APIC's timer (AMD64 APM vol. 2, "APIC Timer Interrupt"; Intel SDM vol. 3A, "APIC Timer", "TSC-Deadline Mode"): counts, and asks for
 * its interrupts through a platform timer. Counting is measured from the instant the count is, was or will be 0, so that an interrupt at that
 * instant and the current count never contradict each other. Not modelled: the phase of the bus clock; each write of the initial count or of
 * the divisor starts a tick.
 */
import { LVT } from '../regs/local-apic.ts';
import { reducedPerNano, type Frequency } from '../time/frequency.ts';
import { instant, type Instant } from '../time/units.ts';
import type { CreatePlatformTimer, GuestClock, Request, Savable } from './device.ts';

/** The guest's TSC, as far as a deadline needs it. */
export interface DeadlineTsc {
  read(): bigint;
  /** The first instant at which `read` gives `tsc` or more; an instant that is past if it does already. */
  instantOf(tsc: bigint): Instant;
}

export interface LapicTimerState {
  readonly initial: number;
  readonly divisor: number;
  /** LVT.TIMER_MODE and LVT.MASKED of its entry. */
  readonly mode: number;
  readonly isMasked: boolean;
  readonly zeroAt: bigint;
  /** The count can't be more than this before `zeroAt`. */
  readonly from: number;
  readonly isCounting: boolean;
  readonly deadline: bigint;
}

export interface LapicTimer extends Savable<LapicTimerState> {
  initialCount(): number;
  currentCount(): number;
  setInitialCount(count: number): void;
  setDivisor(divisor: number): void;
  /** @param lvt the entry, as it was accepted */
  setEntry(lvt: number): void;
  /** TSC_DEADLINE_MSR. */
  readDeadline(): bigint;
  writeDeadline(tsc: bigint): void;
  /** The guest's TSC was written: the deadline comes at another instant. */
  tscChanged(): void;
  reset(): void;
}

export interface LapicTimerOptions {
  readonly clock: GuestClock;
  readonly createTimer: CreatePlatformTimer;
  readonly bus: Frequency;
  readonly tsc: DeadlineTsc;
  /** Requests the entry's interrupt. */
  readonly request: (acknowledged: () => void) => Request;
  readonly reclaim: (acknowledged: () => void) => boolean;
}

const RESET_STATE: LapicTimerState = {
  initial: 0,
  divisor: 2,
  mode: LVT.TIMER_ONE_SHOT,
  isMasked: true,
  zeroAt: 0n,
  from: 0,
  isCounting: false,
  deadline: 0n,
};

export function createLapicTimer({ clock, createTimer, bus, tsc, request, reclaim }: LapicTimerOptions): LapicTimer {
  let { initial, divisor, mode, isMasked, from, isCounting, deadline } = RESET_STATE;
  let zeroAt = instant(RESET_STATE.zeroAt);
  /** Nanoseconds of `count` ticks are count * numerator / denominator. */
  const { multiply: denominator, divide } = reducedPerNano(bus);
  let numerator = 0n;
  const timer = createTimer({ name: 'lapic', tick, reclaim });

  function scale(): void {
    numerator = BigInt(divisor) * divide;
  }
  scale();

  const isPeriodic = (): boolean => mode === LVT.TIMER_PERIODIC;
  const isByDeadline = (): boolean => mode === LVT.TIMER_TSC_DEADLINE;

  /** Rounded up: the count is not 0 too early. */
  const nanosOf = (count: number): bigint => (BigInt(count) * numerator + denominator - 1n) / denominator;

  function currentCount(): number {
    if (!isCounting) return 0;
    const left = zeroAt - clock.now();
    if (left > 0n) {
      // A tick that has begun counts as a whole one still to come.
      const count = Number((left * denominator + numerator - 1n) / numerator);
      return count < from ? count : from;
    }
    if (!isPeriodic()) return 0;
    return initial - Number(((-left * denominator) / numerator) % BigInt(initial));
  }

  /** Counting goes on from `count` at this instant: a tick begins. */
  function countFrom(count: number, now: Instant): void {
    zeroAt = instant(now + nanosOf(count));
    from = count;
  }

  /** Has the platform timer wait for what comes next of what the registers say. @param now asked for once, because a call is dear */
  function arm(now: Instant): void {
    if (isMasked) {
      timer.stop();
    } else if (isByDeadline()) {
      if (deadline === 0n) timer.stop();
      else timer.start({ origin: tsc.instantOf(deadline), numerator: 0n, denominator: 1n });
    } else if (!isCounting) {
      timer.stop();
    } else if (isPeriodic()) {
      const period = BigInt(initial) * numerator;
      const past = (now - zeroAt) * denominator;
      // Deadlines that passed while the entry was masked are not made up for.
      if (past >= 0n) {
        const periods = past / period + 1n;
        zeroAt = instant(zeroAt + (periods * period + denominator - 1n) / denominator);
        from = initial;
      }
      timer.start({ origin: zeroAt, numerator: period, denominator });
    } else if (zeroAt > now) {
      timer.start({ origin: zeroAt, numerator: 0n, denominator: 1n });
    } else {
      timer.stop();
    }
  }

  function tick(_due: Instant, acknowledged: () => void): Request {
    // "When the timer generates an interrupt, it disarms itself and clears the MSR": at its expiry, whenever the interrupt is taken.
    if (isByDeadline()) deadline = 0n;
    return request(acknowledged);
  }

  return {
    initialCount: () => initial,
    currentCount,
    setInitialCount: (count) => {
      // "In TSC-deadline mode, writes to the initial-count register are ignored."
      if (isByDeadline()) return;
      const now = clock.now();
      initial = count;
      isCounting = count !== 0;
      countFrom(count, now);
      arm(now);
    },
    setDivisor: (next) => {
      if (next === divisor) return;
      const count = currentCount();
      divisor = next;
      scale();
      // A one-shot that has come to 0 stays there.
      if (count === 0) return;
      const now = clock.now();
      countFrom(count, now);
      arm(now);
    },
    setEntry: (lvt) => {
      const nextMode = lvt & LVT.TIMER_MODE;
      const willBeMasked = (lvt & LVT.MASKED) !== 0;
      // What is owed of earlier ticks is lost by nothing but a change of these.
      if (nextMode === mode && willBeMasked === isMasked) return;
      // "Transitioning between TSC-deadline mode and other timer modes also disarms the timer."
      if (nextMode !== mode && (isByDeadline() || nextMode === LVT.TIMER_TSC_DEADLINE)) {
        deadline = 0n;
        initial = 0;
        isCounting = false;
      } else if (nextMode !== mode && isCounting) {
        // The present period is the last one, or the first; a one-shot that is over starts nothing.
        const count = currentCount();
        isCounting = count !== 0;
        countFrom(count, clock.now());
      }
      mode = nextMode;
      isMasked = willBeMasked;
      // What passed while the entry was masked is over, as a one-shot that did.
      if (isByDeadline() && tsc.read() >= deadline) deadline = 0n;
      arm(clock.now());
    },
    // "In other timer modes, the register reads zero and writes are ignored."
    readDeadline: () => (!isByDeadline() || tsc.read() >= deadline ? 0n : deadline),
    writeDeadline: (value) => {
      if (!isByDeadline()) return;
      deadline = value;
      arm(clock.now());
    },
    tscChanged: () => {
      if (isByDeadline() && deadline !== 0n) arm(clock.now());
    },
    reset: () => {
      restore(RESET_STATE);
      timer.stop();
    },
    save: () => ({ initial, divisor, mode, isMasked, zeroAt, from, isCounting, deadline }),
    restore,
  };

  /** The platform timer keeps its own state: what is owed of it is not the registers' affair. */
  function restore(state: LapicTimerState): void {
    ({ initial, divisor, mode, isMasked, from, isCounting, deadline } = state);
    zeroAt = instant(state.zeroAt);
    scale();
  }
}
