/**
 * Fills all memory that nobody else uses with a pattern, and at the start of each slot looks whether it is still there: nobody reaches it.
 * Trace codes: 1 a look that held, 2 the address of a word that changed.
 *
 * Program: TypeScript. Memory: 16 MiB. Plan: a slot in each frame, beside one of ./trespasser.S. Ports, health rules: none.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { LINE } from '../../kernel/partition/abi.ts';
import { openPartition } from '../sdk/partition.ts';

const LENGTH = 64 * 1024;
const LOOKS = 5;
const HELD = 1;
const CHANGED = 2;
const pattern = (index: number): number => (index * 0x9e37_79b1) >>> 0;

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  const { address, buffer } = partition.memory.allocate(LENGTH);
  const words = new Uint32Array(buffer);
  for (let index = 0; index < words.length; index++) words[index] = pattern(index);
  let looks = 0;

  partition.events.on(LINE.SLOT_START, () => {
    const changed = words.findIndex((word, index) => word !== pattern(index));
    if (changed < 0) partition.trace(HELD, looks);
    else partition.trace(CHANGED, address + 4 * changed);
    looks++;
    if (looks === LOOKS) partition.stop();
  });
  partition.run();
}
