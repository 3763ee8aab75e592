/**
 * Does its rounds, a sign of life in each, and after ROUNDS of them falls into an endless loop: its watchdog finds that. What follows is the
 * system file's affair; after a reset it says so and works on in the same way.
 *
 * Program: TypeScript. Memory: 16 MiB. Plan: any slot. Ports: none. Health: watchdog, for instance cold-reset.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { millis } from '../../kernel/time/units.ts';
import { openPartition } from '../sdk/partition.ts';

const PERIOD = millis(20);
/** Longer than the period by more than a slot comes late. */
const SIGN_OF_LIFE = millis(60);
const ROUNDS = 5;
/** Trace codes: a round with its number; the last thing before the loop. */
const ROUND = 1;
const STUCK = 2;

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  partition.console.line(`victim: starts, ${partition.time.resets()} resets so far`);
  let rounds = 0;
  const timer = partition.timers.create('hw', () => {
    rounds++;
    partition.trace(ROUND, rounds);
    partition.watchdog.kick(SIGN_OF_LIFE);
    if (rounds < ROUNDS) return;
    partition.console.line('victim: stuck');
    partition.trace(STUCK, rounds);
    for (;;);
  });
  partition.watchdog.kick(SIGN_OF_LIFE);
  timer.armEvery(partition.time.now(), PERIOD);
  partition.run();
}
