/** The first light: each timer of the machine interrupts a thousand times at 1 ms, and every interrupt is measured. */
import type { Machine } from '../machine.ts';
import { convertTicks, ticksToNanos } from '../time/frequency.ts';
import { millis, ticks, type Nanos } from '../time/units.ts';
import { EVENTS } from '../trace/events.ts';
import { createPeriodicTimer, type PeriodicTimer, type TimerName } from './periodic-timer.ts';

export const TIMER_NAMES: readonly TimerName[] = ['pit', 'hpet', 'lapic'];
const PERIOD = millis(1);
/** Garbage is collected between interrupts every so many of them: its effect belongs into the figures. */
const INTERRUPTS_PER_COLLECTION = 100;
/** Interrupts without a period's time behind them before the timer is given up. */
const SPURIOUS_LIMIT = 1000;

/** @param count interrupts to take from each timer, at least 2 */
export function runDemonstration(machine: Machine, count: number): void {
  for (const name of TIMER_NAMES) {
    const timer = createPeriodicTimer(machine, name, PERIOD);
    if (timer) measureTimer(machine, timer, count);
    else machine.trace.record(EVENTS.timerSkipped, name, 'the machine has no such timer, or no reference to measure it against');
    machine.trace.flush();
  }
}

function measureTimer(machine: Machine, timer: PeriodicTimer, count: number): void {
  const { shims, trace, dispatcher, tscFrequency } = machine;
  const { rdtsc } = shims;
  const { name, period, frequency } = timer;
  // Ticks of the timer in ticks of the TSC, exactly: index * numerator / denominator.
  const numerator = period * frequency.denominator * tscFrequency.numerator;
  const denominator = frequency.numerator * tscFrequency.denominator;
  const halfPeriod = convertTicks(period, frequency, tscFrequency) / 2n;

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

  const line = timer.connect((taken) => {
    const entered = rdtsc();
    const nominal = start + (BigInt(index + 1) * numerator) / denominator;
    // An edge that was pending before the timer was programmed comes long before its time.
    if (taken < nominal - halfPeriod) {
      spurious++;
      return;
    }
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
  });
  if (!line) {
    trace.record(EVENTS.timerSkipped, name, 'no interrupt controller takes its line');
    return;
  }

  const inNanos = (tsc: bigint): Nanos => ticksToNanos(tscFrequency, ticks(tsc));
  trace.record(EVENTS.timerStart, name, line.route, line.vector, period, ticksToNanos(frequency, period), count);
  trace.flush();
  shims.collectGarbage();
  start = timer.start(line);
  let collected = 0;
  while (index < count && spurious < SPURIOUS_LIMIT) {
    dispatcher.waitAndDispatch();
    if (index - collected >= INTERRUPTS_PER_COLLECTION) {
      collected = index;
      shims.collectGarbage();
    }
  }
  timer.stop();
  line.disconnect();
  trace.record(EVENTS.timerInterval, name, inNanos(intervalMin), inNanos(intervalMax), inNanos(errorMin), inNanos(errorMax), spurious);
  trace.record(EVENTS.timerLatency, name, inNanos(latencyMin), inNanos(latencyMax));
}
