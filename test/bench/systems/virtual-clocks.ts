/** A virtual PC whose clocks are looked at over some time. It has the first `slot` ms of each 100. */
import { defineSystem, mib, ms, native, pc, type DefinedSystem, type PcOptions } from '../../../partitions/define.ts';

export const virtualClocks = (name: string, timerMode: NonNullable<PcOptions['timerMode']>, slot: number, seconds: number): DefinedSystem =>
  defineSystem({
    name,
    partitions: {
      guest: { program: native('../platform.c', { defines: { SECONDS: seconds } }), memory: mib(2), platform: pc({ timerMode }) },
    },
    plans: { normal: { majorFrame: ms(100), slots: [{ partition: 'guest', start: ms(0), duration: ms(slot) }], idle: 'allowed' } },
    duration: ms((seconds + 5) * 1000),
  });
