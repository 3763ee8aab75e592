/** The kernel itself as a partition's program, on virtual devices: its trace goes to its COM1, which the hypervisor's console shows. */
import { defineSystem, mib, ms, pc, typescript } from '../../../partitions/define.ts';

export default defineSystem({
  name: 'kernel-in-a-partition',
  partitions: {
    inner: {
      program: typescript('../../../kernel/main.ts', { commandLine: 'run=demonstration count=20 serial=info' }),
      memory: mib(24),
      platform: pc(),
    },
  },
  plans: { normal: { majorFrame: ms(200), slots: [{ partition: 'inner', start: ms(0), duration: ms(200) }] } },
});
