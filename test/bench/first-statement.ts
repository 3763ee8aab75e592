/** Tells the TSC at its first statement, and at the runtime's first instruction; then halts. Trace codes 1 and 2. */
import type { Shims } from '../../kernel/hw/shims.ts';
import { openPartition } from '../../partitions/sdk/partition.ts';

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  partition.trace(1, shims.typescriptTsc());
  partition.trace(2, shims.entryTsc());
}
