/**
 * Three plans: two that follow each other at the end of a major frame, and one for maintenance, which begins the moment it is asked for and
 * whatever the frame still held.
 */
import { defineSystem, kib, mib, ms, native, typescript } from '../define.ts';

export default defineSystem({
  name: 'plans',
  partitions: {
    switcher: { program: typescript('switcher.ts'), memory: mib(16), system: true },
    other: { program: native('../spin/spin.S'), memory: kib(64) },
  },
  plans: {
    even: {
      majorFrame: ms(4),
      slots: [
        { partition: 'switcher', start: ms(0), duration: ms(2) },
        { partition: 'other', start: ms(2), duration: ms(2) },
      ],
    },
    uneven: {
      majorFrame: ms(10),
      slots: [
        { partition: 'other', start: ms(0), duration: ms(7) },
        { partition: 'switcher', start: ms(7), duration: ms(3) },
      ],
    },
    maintenance: { majorFrame: ms(5), maintenance: true, slots: [{ partition: 'switcher', start: ms(0), duration: ms(5) }] },
  },
  duration: ms(260),
});
