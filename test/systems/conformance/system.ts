/**
 * A partition with virtual devices that runs the conformance cases of one of them (test/bundles/conformance.ts), and has the CPU all the time, in
 * slots after each of which the console takes lines again.
 */
import { defineSystem, mib, pc, seconds, typescript, type DefinedSystem } from '../../../partitions/define.ts';

export const conformanceSystem = (device: string): DefinedSystem =>
  defineSystem({
    name: `conformance-${device}`,
    partitions: {
      guest: {
        program: typescript('../../bundles/conformance.ts', { commandLine: `device=${device}` }),
        memory: mib(16),
        platform: pc({ lineDriver: true }),
      },
    },
    plans: { normal: { majorFrame: seconds(1), slots: [{ partition: 'guest', start: seconds(0), duration: seconds(1) }] } },
  });
