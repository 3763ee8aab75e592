/**
 * Timers on both clocks of a partition that runs half of the time: its HW clock goes on in the other half, and what expired there is told
 * with a count at the next slot's start; its EXEC clock stands, and misses nothing.
 */
import { defineSystem, kib, mib, ms, native, typescript } from '../define.ts';

export default defineSystem({
  name: 'timers',
  partitions: {
    timers: { program: typescript('timers.ts'), memory: mib(16) },
    other: { program: native('../spin/spin.S'), memory: kib(64) },
  },
  plans: {
    normal: {
      majorFrame: ms(50),
      slots: [
        { partition: 'timers', start: ms(0), duration: ms(25) },
        { partition: 'other', start: ms(25), duration: ms(25) },
      ],
    },
  },
  duration: ms(350),
});
