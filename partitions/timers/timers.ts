/**
 * The same period on both clocks, side by side: the HW clock goes on while others run, the EXEC clock does not. Each expiry is a trace record:
 * code 1 for HW, 2 for EXEC, the value its deadline in ns; and a line with both clocks and what was missed.
 *
 * Program: TypeScript. Memory: 16 MiB. Plan: about half of the time, with gaps longer than 10 ms, so that expiries are missed. Ports, health
 * rules: none.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { instant, millis } from '../../kernel/time/units.ts';
import { openPartition } from '../sdk/partition.ts';
import type { TimerClock } from '../sdk/timers.ts';

const PERIOD = millis(10);
const TIMES = 10;
const CODES: Readonly<Record<TimerClock, number>> = { hw: 1, exec: 2 };

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  const { time, timers } = partition;
  let left = 2;

  for (const clock of ['hw', 'exec'] as const) {
    let count = 0;
    const timer = timers.create(clock, (deadline, missed) => {
      partition.trace(CODES[clock], deadline);
      partition.console.line(`${clock} timer: due at ${deadline}, ${missed} missed; hw ${time.now()}, exec ${time.executed()} ns`);
      count += 1 + missed;
      if (count < TIMES) return;
      timer.release();
      left--;
      if (left === 0) partition.stop();
    });
    timer.armEvery(instant((clock === 'hw' ? time.now() : time.executed()) + PERIOD), PERIOD);
  }
  partition.run();
}
