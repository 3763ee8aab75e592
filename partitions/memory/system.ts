/**
 * Memory separation: the owner fills its memory with a pattern and looks after it; the trespasser reaches behind its own and is halted.
 */
import { defineSystem, kib, mib, ms, native, typescript } from '../define.ts';

export default defineSystem({
  name: 'memory',
  partitions: {
    owner: { program: typescript('owner.ts'), memory: mib(16) },
    trespasser: { program: native('trespasser.S', { mode: 'protected' }), memory: kib(64), health: { 'memory-violation': 'halt' } },
  },
  plans: {
    normal: {
      majorFrame: ms(10),
      slots: [
        { partition: 'owner', start: ms(0), duration: ms(8) },
        { partition: 'trespasser', start: ms(8), duration: ms(2) },
      ],
    },
  },
});
