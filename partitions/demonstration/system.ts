/**
 * The five uses of time (PRTOS, "Virtual clock service"), a partition each: a task in an endless loop is found and dealt with, a signal
 * is put out at required instants, a partition is woken at preset times, intervals of external events are recorded, absolute time is kept.
 */
import { defineSystem, mib, ms, typescript } from '../define.ts';

export default defineSystem({
  name: 'demonstration',
  partitions: {
    victim: { program: typescript('../health/victim.ts'), memory: mib(16), health: { watchdog: 'warm-reset' } },
    controller: { program: typescript('controller.ts'), memory: mib(16), ioPorts: [{ first: 0x80, traced: true }] },
    woken: { program: typescript('woken.ts'), memory: mib(16) },
    sensor: { program: typescript('sensor.ts'), memory: mib(16) },
    clock: { program: typescript('clock.ts'), memory: mib(16) },
  },
  plans: {
    normal: {
      majorFrame: ms(10),
      slots: [
        { partition: 'controller', start: ms(0), duration: ms(3) },
        { partition: 'victim', start: ms(3), duration: ms(2) },
        { partition: 'woken', start: ms(5), duration: ms(1) },
        { partition: 'sensor', start: ms(6), duration: ms(2) },
        { partition: 'clock', start: ms(8), duration: ms(2) },
      ],
    },
  },
  inputs: { events: { source: 'rtc', hertz: 256, depth: 16, to: 'sensor' } },
  absoluteTime: true,
  duration: ms(1250),
});
