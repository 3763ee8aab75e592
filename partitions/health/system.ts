/**
 * The health monitor: a partition that falls into an endless loop is reset whenever its watchdog finds it, one that throws and one that
 * exhausts its heap end with an error of their own, and a system partition reads in the log what became of them.
 */
import { defineSystem, mib, ms, typescript } from '../define.ts';

export default defineSystem({
  name: 'health',
  partitions: {
    victim: { program: typescript('victim.ts'), memory: mib(16), health: { watchdog: 'cold-reset' } },
    thrower: { program: typescript('thrower.ts'), memory: mib(16), health: { 'partition-error': 'halt' } },
    hoarder: { program: typescript('hoarder.ts'), memory: mib(16), health: { 'partition-error': 'suspend' } },
    monitor: { program: typescript('monitor.ts'), memory: mib(16), system: true },
  },
  plans: {
    normal: {
      majorFrame: ms(20),
      slots: [
        { partition: 'victim', start: ms(0), duration: ms(5) },
        { partition: 'thrower', start: ms(5), duration: ms(5) },
        { partition: 'hoarder', start: ms(10), duration: ms(5) },
        { partition: 'monitor', start: ms(15), duration: ms(5) },
      ],
    },
  },
  duration: ms(400),
});
