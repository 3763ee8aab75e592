/** Every pair of clock and timer on virtual devices (test/bundles/time.ts): what the machine itself has to hold, in a partition. */
import { defineSystem, mib, ms, pc, typescript } from '../../../partitions/define.ts';

export default defineSystem({
  name: 'pairs-in-a-partition',
  partitions: {
    inner: {
      program: typescript('../../bundles/time.ts', { commandLine: 'test=pairs seed=1 serial=info' }),
      memory: mib(24),
      platform: pc(),
    },
  },
  plans: { normal: { majorFrame: ms(200), slots: [{ partition: 'inner', start: ms(0), duration: ms(200) }] } },
});
