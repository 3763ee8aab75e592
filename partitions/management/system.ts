/**
 * Partition management: a system partition takes another one through its states (suspended, resumed, reset, halted) and moves its clock. If
 * a step does not hold, the run stops.
 */
import { defineSystem, mib, ms, typescript } from '../define.ts';

export default defineSystem({
  name: 'management',
  partitions: {
    supervisor: { program: typescript('supervisor.ts'), memory: mib(16), system: true, health: { 'partition-error': 'stop' } },
    worker: { program: typescript('worker.ts'), memory: mib(16) },
  },
  plans: {
    normal: {
      majorFrame: ms(10),
      slots: [
        { partition: 'supervisor', start: ms(0), duration: ms(5) },
        { partition: 'worker', start: ms(5), duration: ms(5) },
      ],
    },
  },
});
