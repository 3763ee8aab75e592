import { reducedPerNano, ticksToNanos, type Frequency } from './frequency.ts';
import type { HwClock } from './hw-clock.ts';
import type { OneShot } from './one-shot.ts';
import { instant, millis, nanos, ticks, type Instant, type Nanos } from './units.ts';

export type TimerName = 'pit' | 'hpet' | 'lapic';

/**
 * A hardware timer: one deadline, one interrupt. The contract; each sentence has a case in hw-timer.test.ts that runs on fakes of
 * every timer in every mode, and the first, third to fifth in test/timers.test.ts on QEMU's devices:
 *
 * - It expires at its deadline or later, never earlier (by the clock it was created with).
 * - It is disarmed when the handler runs; the handler may arm it again.
 * - A deadline that has passed expires at once: as soon as interrupts are taken.
 * - A deadline beyond the counter's reach expires once, at its time; what happens in between is not seen.
 * - Arming an armed timer replaces its deadline. A disarmed timer does not expire.
 * - `arm` throws RangeError for a deadline that no clock of this machine will ever show (negative, beyond 2^63 ns).
 */
export interface HwTimer {
  readonly name: TimerName;
  readonly frequency: Frequency;
  /** Shortest interval that is kept to a tick; a nearer deadline expires after this interval. */
  readonly minInterval: Nanos;
  /** Longest interval of one run of the counter; a later deadline takes several. */
  readonly maxInterval: Nanos;
  arm(deadline: Instant): void;
  disarm(): void;
  isArmed(): boolean;
}

/** @param taken TSC at the first instructions of the interrupt's stub */
export type ExpiryHandler = (taken: bigint) => void;

/** Runs by which the lead is measured. */
const LEAD_RUNS = 16;
/** Taken off the measured lead: a run may be so many nanoseconds quicker than the quickest one measured. */
const LEAD_MARGIN = 40;
/** Largest number that the engine has as an integer. */
const INTEGER_MAX = 0x7fff_ffff;
/** Of arming: one may take so much longer than those that were measured. */
const SLOWER = 1.03;
const NEAR_MOST = 0x7fff_ffffn;
/** An interval as most are. */
const NEAR = millis(1);
/** No clock shows more. */
const LAST_INSTANT = (1n << 63n) - 1n;

export interface HwTimerParts {
  readonly clock: HwClock;
  readonly oneShot: OneShot;
  readonly tscFrequency: Frequency;
  readonly onExpire: ExpiryHandler;
  /** Takes pending interrupts, as the kernel's loop does: part of the shortest interval is the way there. */
  poll(): void;
}

/** An `HwTimer`, and what its interrupt has to be connected to. */
export interface ConnectedHwTimer extends HwTimer {
  /** Time from the reading of the clock to the start of the hardware, which `arm` allows for. */
  readonly lead: Nanos;
  onInterrupt(taken: bigint): void;
}

/**
 * Starting the hardware takes microseconds after the clock was read, in which the deadline comes nearer. That lead is always
 * nearly the same, so it is measured here and taken off every interval: a deadline is met to a tick and some
 * nanoseconds although TypeScript arms it. While it is created it takes interrupts, and its own may be among them: whatever its line
 * is connected to has to end them.
 */
export function createHwTimer(parts: HwTimerParts): ConnectedHwTimer {
  const { clock, oneShot, tscFrequency, onExpire } = parts;
  const { frequency, minTicks } = oneShot;
  const maxTicks = oneShot.maxTicks < INTEGER_MAX ? oneShot.maxTicks : INTEGER_MAX;
  const { prepare, start, stop } = oneShot;
  const { now } = clock;
  const { poll } = parts;
  // The engine looks a global up at each use.
  const toNumber = Number;
  const maxInterval = ticksToNanos(frequency, ticks(BigInt(maxTicks - 1)));
  // Bigints throughout: numbers would be integers to the engine in one case and fractions in the next, which takes it up to a microsecond
  // longer, and the lead has to be the same in all cases.
  const { multiply, divide } = reducedPerNano(frequency);
  /** A nearer deadline takes one run, which is so short that the two frequencies, known to some parts in a billion, differ by nanoseconds. */
  const near = maxInterval < NEAR_MOST ? maxInterval : NEAR_MOST;
  let lead = 0n;
  let laterLead = 0n;
  let deadline = instant(0n);
  let armed = false;
  let prepared = false;

  /** From an interrupt, or beyond the near. */
  function program(): void {
    const remaining = deadline - now() - laterLead;
    if (remaining <= 0n) start(minTicks);
    else if (remaining <= near) {
      // The whole ticks and one more: rounded up.
      const count = toNumber((remaining * multiply) / divide) + 1;
      start(count > minTicks ? count : minTicks);
    } else {
      const run = remaining - near / 2n;
      start(toNumber(((run < maxInterval ? run : maxInterval) * multiply) / divide));
    }
  }

  function arm(when: Instant): void {
    // What takes long is done before the clock is read.
    if (!prepared) {
      prepare();
      prepared = true;
    }
    // As in `program`, without its calls and checks: the shortest interval is what this takes.
    const remaining = when - now() - lead;
    if (remaining > 0n && remaining <= near) {
      const count = toNumber((remaining * multiply) / divide) + 1;
      start(count > minTicks ? count : minTicks);
      deadline = when;
      armed = true;
    } else armFar(when);
  }

  /** Beyond one run, or past. */
  function armFar(when: Instant): void {
    if (when < 0n || when > LAST_INSTANT)
      throw new RangeError(`${oneShot.name}: deadline ${when} ns is not within 0..2^63 - 1 ns since boot`);
    deadline = when;
    armed = true;
    program();
  }

  function disarm(): void {
    armed = false;
    prepared = false;
    stop();
  }

  const nanosPerTick = toNumber(divide) / toNumber(multiply);
  const toNanos = (tsc: bigint): number => Number(ticksToNanos(tscFrequency, ticks(tsc)));
  /** From the last reading of the clock to the start that followed. */
  const sinceReading = (): number => toNanos(oneShot.startTsc() - clock.readingTsc());
  let shortest = INTEGER_MAX;
  let shortestLater = INTEGER_MAX;
  let longestStart = 0;
  let longestArm = 0;
  oneShot.date(true);
  prepare();
  prepared = true;
  for (let run = 0; run < LEAD_RUNS; run++) {
    deadline = instant(now() + NEAR);
    program();
    const later = sinceReading();
    if (later < shortestLater) shortestLater = later;

    const when = instant(now() + NEAR);
    const called = clock.readingTsc();
    arm(when);
    const sooner = sinceReading();
    if (sooner < shortest) shortest = sooner;
    // The first runs are not like the later ones.
    const starts = toNanos(oneShot.startTsc() - called);
    if (run > 1 && starts > longestStart) longestStart = starts;
  }
  oneShot.date(false);
  for (let run = 0; run < LEAD_RUNS; run++) {
    // As a caller does it: read the clock, arm, take interrupts. These are open about half way from one reading to the next.
    const when = instant(now() + NEAR);
    const called = clock.readingTsc();
    arm(when);
    poll();
    now();
    const polled = clock.readingTsc();
    poll();
    now();
    const takes = toNanos(polled - called) - toNanos(clock.readingTsc() - polled) / 2;
    if (run > 1 && takes > longestArm) longestArm = takes;
  }
  disarm();
  // By a caller who reads the clock, arms, and takes interrupts; meanwhile the shortest run of the hardware goes by too.
  const withRun = longestStart + minTicks * nanosPerTick;
  const keeps = longestArm > withRun ? longestArm : withRun;
  const withMargin = (measured: number): bigint => BigInt(measured > LEAD_MARGIN ? measured - LEAD_MARGIN : 0);
  lead = withMargin(shortest);
  laterLead = withMargin(shortestLater);

  return {
    name: oneShot.name,
    frequency,
    lead: nanos(lead),
    minInterval: nanos(BigInt(Math.ceil(keeps * SLOWER + 2 * nanosPerTick))),
    maxInterval,
    arm,
    disarm,
    isArmed: () => armed,
    onInterrupt: (taken) => {
      if (!armed) {
        // Of a run that was replaced or stopped while its interrupt was on the way, or of a comparator after a wrap.
        if (prepared) disarm();
        return;
      }
      if (now() < deadline) {
        program();
        return;
      }
      armed = false;
      onExpire(taken);
    },
  };
}
