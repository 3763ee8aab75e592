/**
 * Keeps everything it allocates, until its heap is exhausted: "out of memory" is an error like another, and this partition's affair alone.
 *
 * Program: TypeScript. Memory: 16 MiB. Plan: any slot. Ports: none. Health: partition-error.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { openPartition } from '../sdk/partition.ts';

const PIECE = 64 * 1024;

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  partition.console.line(`hoarder: ${shims.heapLimit()} bytes of heap`);
  const kept: Uint8Array[] = [];
  for (;;) kept.push(new Uint8Array(PIECE));
}
