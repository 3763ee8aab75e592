/** The first light: each timer of the machine interrupts a thousand times at 1 ms, and every interrupt is measured. */
import type { InterruptLine } from '../interrupts/router.ts';
import type { CommandLine } from '../command-line.ts';
import type { Machine } from '../machine.ts';
import { convertTicks, ticksToNanos } from '../time/frequency.ts';
import type { TimerName } from '../time/hw-timer.ts';
import { millis, ticks, type Nanos } from '../time/units.ts';
import { EVENTS } from '../trace/events.ts';
import { createTimekeeping } from '../timekeeping.ts';
import { compareClocks } from './clocks.ts';
import { measureLateness } from './lateness.ts';
import { createPeriodicTimer, type PeriodicTimer } from './periodic-timer.ts';
import { showUsesOfTime } from './uses-of-time.ts';

type DemonstrationOptions = Pick<CommandLine, 'count' | 'clock' | 'timer'>;

/** In the order in which they are shown. */
const SHOWN: readonly TimerName[] = ['pit', 'hpet', 'lapic'];
const PERIOD = millis(1);
/** Garbage is collected between interrupts every so many of them: its effect belongs into the figures. */
const INTERRUPTS_PER_COLLECTION = 100;
/** Interrupts without a period's time behind them before the timer is given up. */
const SPURIOUS_LIMIT = 1000;
/** A way is good if this many interrupts arrive (one may be left from before) within so many periods. */
const ARRIVALS = 2;
const ARRIVAL_PERIODS = 5n;
/** And so many looks: on a busy host without -icount, periods pass in which the machine does not run. */
const ARRIVAL_POLLS = 200_000;

/**
 * The timers on their own, then the clocks side by side, then the machine's time as the rules choose it, and what it is used for.
 * @param count interrupts to take from each timer, at least 2
 * @returns what was wrong
 */
export function runDemonstration(machine: Machine, { count, clock, timer }: DemonstrationOptions): string[] {
  let isComplete = true;
  for (const name of SHOWN) {
    const periodic = createPeriodicTimer(machine, name, PERIOD);
    if (periodic) isComplete = measureTimer(machine, periodic, count) && isComplete;
    else machine.trace.record(EVENTS.timerSkipped, name, 'the machine has no such timer, or no reference to measure it against');
    machine.trace.flush();
  }
  if (!isComplete) return ['a timer that the machine has did not give all its interrupts'];
  const created = createTimekeeping(machine, { clock, timer });
  if (!created.ok) return [...created.problems];
  compareClocks(machine, created.timekeeping);
  measureLateness(machine, created.timekeeping);
  showUsesOfTime(machine, created.timekeeping);
  created.timekeeping.stop();
  return [];
}

function measureTimer(machine: Machine, timer: PeriodicTimer, count: number): boolean {
  const { shims, trace, dispatcher, tscFrequency } = machine;
  const { rdtsc } = shims;
  const { name, period, frequency } = timer;
  // Ticks of the timer in ticks of the TSC, exactly: index * numerator / denominator.
  const numerator = period * frequency.denominator * tscFrequency.numerator;
  const denominator = frequency.numerator * tscFrequency.denominator;
  const periodTsc = convertTicks(period, frequency, tscFrequency);
  // What the TSC's measured frequency may be wrong by, and much more.
  let tolerance = periodTsc / 100n;

  let isMeasuring = false;
  let arrived = 0;
  let start = 0n;
  let index = 0;
  let spurious = 0;
  let previous = 0n;
  let intervalMin = 1n << 60n;
  let intervalMax = 0n;
  let errorMin = 1n << 60n;
  let errorMax = -(1n << 60n);
  let latencyMin = 1n << 60n;
  let latencyMax = 0n;

  const onInterrupt = (taken: bigint): void => {
    const entered = rdtsc();
    if (!isMeasuring) {
      timer.continue?.();
      arrived++;
      return;
    }
    const nominal = start + (BigInt(index + 1) * numerator) / denominator;
    // No timer is early: this is an edge that was pending before it was programmed, or one too many.
    if (taken < nominal - tolerance) {
      spurious++;
      return;
    }
    timer.continue?.();
    const error = taken - nominal;
    const latency = entered - taken;
    if (index > 0) {
      const interval = taken - previous;
      if (interval < intervalMin) intervalMin = interval;
      if (interval > intervalMax) intervalMax = interval;
    }
    if (error < errorMin) errorMin = error;
    if (error > errorMax) errorMax = error;
    if (latency < latencyMin) latencyMin = latency;
    if (latency > latencyMax) latencyMax = latency;
    previous = taken;
    trace.recordAt(entered, EVENTS.timerInterrupt, name, index, nominal, taken);
    index++;
  };

  const inNanos = (tsc: bigint): Nanos => ticksToNanos(tscFrequency, ticks(tsc));
  const line = findWay();
  if (!line) {
    trace.record(EVENTS.timerSkipped, name, 'its interrupt arrives nowhere');
    return false;
  }
  trace.record(EVENTS.timerStart, name, line.route, line.vector, period, ticksToNanos(frequency, period), count);
  trace.flush();
  shims.collectGarbage();
  isMeasuring = true;
  const before = rdtsc();
  start = timer.start(line);
  // The stamp is of an access that ends this, and the timer may have begun at its start: in a partition that is a difference.
  tolerance += rdtsc() - before;
  let collected = 0;
  while (index < count && spurious < SPURIOUS_LIMIT) {
    dispatcher.waitAndDispatch();
    if (index - collected >= INTERRUPTS_PER_COLLECTION) {
      collected = index;
      shims.collectGarbage();
    }
  }
  stop(line);
  trace.record(EVENTS.timerInterval, name, inNanos(intervalMin), inNanos(intervalMax), inNanos(errorMin), inNanos(errorMax), spurious);
  trace.record(EVENTS.timerLatency, name, inNanos(latencyMin), inNanos(latencyMax));
  return index === count;

  /** Connects the timer in a way that its interrupt is seen to arrive. Waits awake: a HLT that nothing ends has no limit. */
  function findWay(): InterruptLine | undefined {
    for (let attempt = 0; ; attempt++) {
      const line = timer.connect(onInterrupt, attempt);
      if (!line) return undefined;
      const limit = timer.start(line) + periodTsc * ARRIVAL_PERIODS;
      for (let poll = 0; arrived < ARRIVALS && (poll < ARRIVAL_POLLS || rdtsc() < limit); poll++) dispatcher.pollAndDispatch();
      timer.stop();
      if (arrived >= ARRIVALS) return line;
      line.disconnect();
      trace.record(EVENTS.timerSilent, name, line.route);
      arrived = 0;
    }
  }

  function stop(line: InterruptLine): void {
    // The line first: when the HPET gives IRQ 0 back, a PIT whose time has passed fires at once.
    line.disconnect();
    timer.stop();
  }
}
