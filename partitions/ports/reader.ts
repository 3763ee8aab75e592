/**
 * Reads both ports of ./writer.ts: each message of the queue once and in order, the sample at each slot's start with its age and whether it is
 * still valid. Trace codes: 1 the number of a message, 2 the age of a valid sample in ns, 3 that of one that is not valid any more.
 *
 * Program: TypeScript. Memory: 16 MiB. Plan: a slot in each frame, after the writer's, and some frames in which the writer has none. Ports:
 * `sample` and `queue`, to here. Health rules: none.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { LINE } from '../../kernel/partition/abi.ts';
import { openPartition } from '../sdk/partition.ts';

const MESSAGE = 16;
const RECEIVED = 1;
const SAMPLE_VALID = 2;
const SAMPLE_OLD = 3;

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  const sample = partition.ports.sampling('sample', MESSAGE);
  const queue = partition.ports.queuing('queue', MESSAGE);
  let next = 0;

  queue.onMessage((message) => {
    const number = message.getUint32(8, true);
    partition.trace(RECEIVED, number);
    if (number !== next) partition.console.line(`reader: message ${number}, expected ${next}`);
    next = number + 1;
  });
  partition.events.on(LINE.SLOT_START, () => {
    const message = sample.read();
    if (!message) return;
    const age = partition.time.now() - message.getBigInt64(0, true);
    partition.trace(sample.isValid() ? SAMPLE_VALID : SAMPLE_OLD, age);
  });
  partition.run();
}
