/**
 * Records the intervals of an external event: its instants come through a queuing port, each dated by the hypervisor when it happened, not
 * when this partition runs. At the end it tells the least, the most and the mean, in ns. Trace code 1: an interval.
 *
 * Program: TypeScript. Memory: 16 MiB. Plan: a slot in each frame. Ports: `events` (an input's queuing port, 8 bytes, deep enough for a frame).
 * Health rules: none.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { openPartition } from '../sdk/partition.ts';

const INSTANT = 8;
const COUNT = 100;
const INTERVAL = 1;

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  let previous: bigint | undefined;
  let count = 0;
  let sum = 0n;
  let least: bigint | undefined;
  let most = 0n;

  partition.ports.queuing('events', INSTANT).onMessage((message) => {
    const at = message.getBigInt64(0, true);
    const interval = previous === undefined ? undefined : at - previous;
    previous = at;
    if (interval === undefined || count === COUNT) return;
    partition.trace(INTERVAL, interval);
    sum += interval;
    if (least === undefined || interval < least) least = interval;
    if (interval > most) most = interval;
    count++;
    if (count < COUNT) return;
    partition.console.line(`sensor: ${count} intervals, least ${least} most ${most} mean ${sum / BigInt(count)} ns`);
  });
  partition.run();
}
