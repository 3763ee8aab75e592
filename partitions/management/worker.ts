/**
 * What ./supervisor.ts manages: works all of its slots, and says when it starts.
 *
 * Program: TypeScript. Memory: 16 MiB. Plan: a slot in each frame. Ports, health rules: none.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { openPartition } from '../sdk/partition.ts';

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  partition.console.line(`worker: starts, ${partition.time.resets()} resets so far`);
  for (;;);
}
