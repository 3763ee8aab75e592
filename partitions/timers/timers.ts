/**
 * The same period on both clocks, side by side: the HW clock goes on while others run and while this partition idles, the EXEC clock does not. Each
 * expiry on HW is followed by WORK of the partition's own time. Each expiry is a trace record: code 1 for HW, 2 for EXEC, the value its
 * deadline in ns; and a line with both clocks and what was missed. Ends after TIMES expiries on EXEC.
 *
 * Program: TypeScript. Memory: 16 MiB. Plan: about half of the time, with gaps longer than 10 ms, so that expiries are missed. Ports, health
 * rules: none.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { instant, millis } from '../../kernel/time/units.ts';
import { openPartition } from '../sdk/partition.ts';
import type { TimerClock } from '../sdk/timers.ts';

const PERIOD = millis(10);
const WORK = millis(3);
const TIMES = 4;
const CODES: Readonly<Record<TimerClock, number>> = { hw: 1, exec: 2 };

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  const { time, timers } = partition;

  function tell(clock: TimerClock, deadline: bigint, missed: number): void {
    partition.trace(CODES[clock], deadline);
    partition.console.line(`${clock} timer: due at ${deadline}, ${missed} missed; hw ${time.now()}, exec ${time.executed()} ns`);
  }

  let count = 0;
  const exec = timers.create('exec', (deadline, missed) => {
    tell('exec', deadline, missed);
    count++;
    if (count === TIMES) partition.stop();
  });
  const hw = timers.create('hw', (deadline, missed) => {
    tell('hw', deadline, missed);
    const end = time.executed() + WORK;
    while (time.executed() < end);
  });
  exec.armEvery(instant(time.executed() + PERIOD), PERIOD);
  hw.armEvery(instant(time.now() + PERIOD), PERIOD);
  partition.run();
}
