/**
 * Throws an error that nobody catches: the runtime prints it with its TypeScript stack, tells the health monitor, and halts.
 *
 * Program: TypeScript. Memory: 16 MiB. Plan: any slot. Ports: none. Health: partition-error.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { openPartition } from '../sdk/partition.ts';

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  partition.console.line('thrower: about to throw');
  throw new Error('thrower: on purpose');
}
