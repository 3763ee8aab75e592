/** The chosen timer by many intervals: how late each is, by the stub's stamp. */
import type { Machine } from '../machine.ts';
import { instant, micros, nanos } from '../time/units.ts';
import type { Timekeeping } from '../timekeeping.ts';
import { EVENTS } from '../trace/events.ts';

const COUNT = 200;
/** Microseconds above the shortest interval; all different, as the stride is a prime. */
const LONGEST = 20_000;
const STRIDE = 7_919;

export function measureLateness({ trace }: Machine, { clock, timers, timerName, wait, toInstant }: Timekeeping): void {
  let min = 1n << 62n;
  let max = -(1n << 62n);
  let isOver = false;
  const timer = timers.createTimer((deadline, _, taken) => {
    const late = toInstant(taken) - deadline;
    if (late < min) min = late;
    if (late > max) max = late;
    isOver = true;
  });
  for (let index = 0; index < COUNT; index++) {
    isOver = false;
    timer.arm(instant(clock.now() + timers.minPeriod + micros((index * STRIDE) % LONGEST)));
    while (!isOver) wait();
  }
  trace.record(EVENTS.timerLateness, timerName, COUNT, nanos(min), nanos(max), 0);
}
