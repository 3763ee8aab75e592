/**
 * Reads the health log at the start of each of its slots, and says what it holds. Code 1 of the trace: an entry's instant.
 *
 * Program: TypeScript. Memory: 16 MiB. A system partition. Plan: a slot in each frame. Ports, health rules: none.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { LINE } from '../../kernel/partition/abi.ts';
import { openPartition } from '../sdk/partition.ts';

const ENTRY = 1;

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  partition.events.on(LINE.SLOT_START, () => {
    for (const { at, partition: number, event, action, detail } of partition.health.readLog()) {
      partition.trace(ENTRY, at);
      partition.console.line(`health: partition ${number}, ${event} -> ${action} at ${at} ns, detail 0x${detail.toString(16)}`);
    }
  });
  partition.run();
}
