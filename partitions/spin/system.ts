/**
 * Two partitions that never give the CPU back: nothing but the plan decides who runs. The system that slot starts are measured on.
 */
import { defineSystem, kib, ms, native, seconds } from '../define.ts';

export default defineSystem({
  name: 'spin',
  partitions: {
    first: { program: native('spin.S'), memory: kib(64) },
    second: { program: native('spin.S'), memory: kib(64) },
  },
  plans: {
    normal: {
      majorFrame: ms(2),
      slots: [
        { partition: 'first', start: ms(0), duration: ms(1) },
        { partition: 'second', start: ms(1), duration: ms(1) },
      ],
    },
  },
  duration: seconds(0.4),
});
