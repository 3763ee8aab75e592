/**
 * The least system: one program in C and one in TypeScript, each of which says hello once a second of its own clock. The run ends when
 * both are done.
 */
import { defineSystem, kib, mib, ms, native, typescript } from '../define.ts';

export default defineSystem({
  name: 'hello',
  partitions: {
    c: { program: native('hello.c'), memory: kib(64) },
    typescript: { program: typescript('hello.ts'), memory: mib(16) },
  },
  plans: {
    normal: {
      majorFrame: ms(10),
      slots: [
        { partition: 'c', start: ms(0), duration: ms(2) },
        { partition: 'typescript', start: ms(2), duration: ms(8) },
      ],
    },
  },
});
