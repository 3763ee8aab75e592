/** For the console: two partitions that count their slots, in frames of two lengths. */
import { defineSystem, kib, ms, native } from '../../partitions/define.ts';

const COUNTER = { program: native(['../guests/slot-counter.c', '../../partitions/native/start.S']), memory: kib(64) };

export default defineSystem({
  name: 'two-plans',
  partitions: { first: COUNTER, second: COUNTER },
  plans: {
    short: {
      majorFrame: ms(2),
      slots: [
        { partition: 'first', start: ms(0), duration: ms(1) },
        { partition: 'second', start: ms(1), duration: ms(1) },
      ],
    },
    long: {
      majorFrame: ms(5),
      slots: [
        { partition: 'first', start: ms(0), duration: ms(2) },
        { partition: 'second', start: ms(2), duration: ms(3) },
      ],
    },
  },
  duration: ms(100),
});
