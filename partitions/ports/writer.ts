/**
 * Writes a number and its instant to a sampling port, and to a queuing port in bursts, some of them longer than the queue: what does not fit
 * is told, not lost silently.
 *
 * Program: TypeScript. Memory: 16 MiB. Plan: a slot in each frame. Ports: `sample` (sampling, from here, 16 bytes, valid for 15 ms), `queue`
 * (queuing, from here, 16 bytes, 4 deep). Health rules: none.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { LINE } from '../../kernel/partition/abi.ts';
import { openPartition } from '../sdk/partition.ts';

const MESSAGE = 16;
const SLOTS = 20;
/** Messages in a slot's burst: the last of these is more than the queue holds. */
const BURSTS = [1, 2, 4, 6] as const;
/** Trace code: messages that the queue did not take. */
const REFUSED = 1;

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  const sample = partition.ports.writer('sample', MESSAGE);
  const queue = partition.ports.writer('queue', MESSAGE);
  let slots = 0;
  let number = 0;

  partition.events.on(LINE.SLOT_START, () => {
    sample.view.setBigInt64(0, partition.time.now(), true);
    sample.view.setUint32(8, slots, true);
    sample.write(MESSAGE);

    let refused = 0;
    for (let left = BURSTS[slots % BURSTS.length]!; left > 0; left--) {
      queue.view.setBigInt64(0, partition.time.now(), true);
      queue.view.setUint32(8, number, true);
      if (queue.write(MESSAGE)) number++;
      else refused++;
    }
    if (refused > 0) partition.trace(REFUSED, refused);
    slots++;
    if (slots === SLOTS) partition.stop();
  });
  partition.run();
}
