import { reducedPerNano, ticksToNanos, type Frequency } from './frequency.ts';
import type { HwClock } from './hw-clock.ts';
import type { OneShot } from './one-shot.ts';
import { instant, nanos, ticks, type Instant, type Nanos } from './units.ts';

export type TimerName = 'pit' | 'hpet' | 'lapic';

/**
 * A hardware timer: one deadline, one interrupt. The contract; each sentence has a case in
 * hw-timer.test.ts on a fake, and the first, third to fifth in test/timers.test.ts on QEMU's devices:
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
/** Taken off the measured lead: a run may be that much quicker than the quickest one measured. */
const LEAD_MARGIN = 20n;
/** No clock shows more. */
const LAST_INSTANT = (1n << 63n) - 1n;

export interface HwTimerParts {
  readonly clock: HwClock;
  readonly oneShot: OneShot;
  readonly tscFrequency: Frequency;
  readonly onExpire: ExpiryHandler;
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
 * nanoseconds although TypeScript arms it. Interrupts have to be off, or the timer's line masked, while it is created.
 */
export function createHwTimer({ clock, oneShot, tscFrequency, onExpire }: HwTimerParts): ConnectedHwTimer {
  const { frequency, minTicks, maxTicks } = oneShot;
  const { start } = oneShot;
  const { now } = clock;
  const longest = ticksToNanos(frequency, ticks(BigInt(maxTicks)));
  // A product of a run's nanoseconds and a numerator below 2^30 or so stays below 2^63, and so a conversion takes the same number of
  // instructions for every interval, which the lead depends on.
  const perNano = reducedPerNano(frequency);
  const { multiply, divide } = perNano;
  const roundUp = divide - 1n;
  let lead = 0n;
  let deadline = instant(0n);
  let armed = false;

  function program(): void {
    const remaining = deadline - now() - lead;
    if (remaining <= longest) {
      const count = Number((remaining * multiply + roundUp) / divide);
      start(count > minTicks ? (count < maxTicks ? count : maxTicks) : minTicks);
    } else {
      // What is left for the last run must not be too short to be kept: two halves, if one run does not reach.
      start(remaining >= 2n * longest ? maxTicks : Number(((remaining / 2n) * multiply) / divide));
    }
  }

  function arm(when: Instant): void {
    if (when < 0n || when > LAST_INSTANT)
      throw new RangeError(`${oneShot.name}: deadline ${when} ns is not within 0..2^63 - 1 ns since boot`);
    deadline = when;
    armed = true;
    program();
  }

  const far = instant(now() + longest / 2n);
  let shortest = 1n << 62n;
  let longestArm = 0n;
  for (let run = 0; run < LEAD_RUNS; run++) {
    // As a caller does it: read the clock, then arm.
    now();
    const called = clock.readingTsc();
    arm(far);
    const started = oneShot.startTsc();
    const taken = started - clock.readingTsc();
    if (taken < shortest) shortest = taken;
    if (started - called > longestArm) longestArm = started - called;
  }
  armed = false;
  oneShot.stop();
  const toNanos = (tsc: bigint): Nanos => ticksToNanos(tscFrequency, ticks(tsc));
  lead = toNanos(shortest) > LEAD_MARGIN ? toNanos(shortest) - LEAD_MARGIN : 0n;

  return {
    name: oneShot.name,
    frequency,
    lead: nanos(lead),
    // By a caller who has read the clock just before.
    minInterval: nanos(toNanos(longestArm) + ticksToNanos(frequency, ticks(BigInt(minTicks) + 1n))),
    maxInterval: longest,
    arm,
    disarm: () => {
      armed = false;
      oneShot.stop();
    },
    isArmed: () => armed,
    onInterrupt: (taken) => {
      // Of a run that was replaced or stopped while its interrupt was on the way.
      if (!armed) return;
      if (clock.now() < deadline) {
        program();
        return;
      }
      armed = false;
      oneShot.stop();
      onExpire(taken);
    },
  };
}
