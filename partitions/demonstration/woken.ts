/**
 * Is woken at preset times: by the plan, at each slot's start, and by a timer. Trace codes: 1 a slot's nominal start, 2 how many ns after it this
 * program noticed, 3 a timer's deadline, 4 how many ns after it. A line for the first slots.
 *
 * Program: TypeScript. Memory: 16 MiB. Plan: slots at instants of one's choice. Ports, health rules: none.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { LINE } from '../../kernel/partition/abi.ts';
import { instant, millis } from '../../kernel/time/units.ts';
import { openPartition } from '../sdk/partition.ts';

const LINES = 5;
const TIMER_PERIOD = millis(25);
const SLOT_START = 1;
const SLOT_NOTICED = 2;
const TIMER_DEADLINE = 3;
const TIMER_NOTICED = 4;

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  const { time } = partition;
  let slots = 0;

  partition.events.on(LINE.SLOT_START, () => {
    const now = time.now();
    const start = time.slotStart();
    partition.trace(SLOT_START, start);
    partition.trace(SLOT_NOTICED, now - start);
    slots++;
    if (slots <= LINES) partition.console.line(`woken: slot ${time.slot()} of frame ${time.frame()}, due at ${start} ns`);
  });
  const timer = partition.timers.create('hw', (deadline) => {
    const now = time.now();
    partition.trace(TIMER_DEADLINE, deadline);
    partition.trace(TIMER_NOTICED, now - deadline);
  });
  timer.armEvery(instant((time.now() / TIMER_PERIOD + 1n) * TIMER_PERIOD), TIMER_PERIOD);
  partition.run();
}
