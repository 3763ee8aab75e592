/**
 * A guest of 2007 that counts its HPET's ticks, and loses the CPU for 200 ms of every 400: one case of the experiment on a patch to Xen,
 * timer mode 0 as is. `chronovisor experiment tsc-sync` makes the other ones in memory, with the same guest (tools/experiment/matrix.ts).
 */
import { defineSystem, mib, ms, native, pc, seconds } from '../define.ts';

export default defineSystem({
  name: 'tsc-sync',
  partitions: { guest: { program: native('guest.c'), memory: mib(2), platform: pc() } },
  plans: { normal: { majorFrame: ms(400), slots: [{ partition: 'guest', start: ms(0), duration: ms(200) }], idle: 'allowed' } },
  duration: seconds(4),
});
