/** What most of these systems are: two partitions in slots that follow one another. */
import { defineSystem, kib, ms, native, type DefinedSystem, type Duration, type PartitionFile } from '../../../partitions/define.ts';

export const SPIN: PartitionFile<'normal'> = { program: native('../spin.S'), memory: kib(64) };

/** @param slot of each of the two; the frame is both */
export function two(
  name: string,
  first: PartitionFile<'normal'>,
  second: PartitionFile<'normal'>,
  { slot = 1, seconds }: { readonly slot?: number; readonly seconds: number },
): DefinedSystem {
  const duration: Duration = ms(slot);
  return defineSystem({
    name,
    partitions: { first, second },
    plans: {
      normal: {
        majorFrame: ms(2 * slot),
        slots: [
          { partition: 'first', start: ms(0), duration },
          { partition: 'second', start: duration, duration },
        ],
      },
    },
    duration: ms(seconds * 1000),
  });
}
