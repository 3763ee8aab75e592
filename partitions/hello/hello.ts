/**
 * Says hello from TypeScript, once a second of its HW clock, three times, and then is done.
 *
 * Program: TypeScript. Memory: 16 MiB. Plan: any slot. Ports, health rules: none.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { nanos, NANOS_PER_SECOND } from '../../kernel/time/units.ts';
import { openPartition } from '../sdk/partition.ts';

const TIMES = 3;

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  let count = 0;
  const timer = partition.timers.create('hw', (deadline, missed) => {
    count++;
    partition.console.line(`hello from ${partition.name}: due at ${deadline} ns, ${missed} missed`);
    if (count === TIMES) partition.stop();
  });
  timer.armEvery(partition.time.now(), nanos(NANOS_PER_SECOND));
  partition.run();
}
