/** What the demonstration of partitions promises about its timing: `chronovisor check build/logs/demonstration.log --against` this file. */
import { definePromises, inOrder, ms, ns, partition, records, us } from '../promises.ts';

export default definePromises({
  'a slot begins within 100 ns of its instant': records('slot.run')
    .spans(({ entered, nominal }) => entered - nominal)
    .stayWithin(0n, ns(100)),

  'slots do not drift': records('slot.run')
    .spans(({ entered, nominal }) => entered - nominal)
    .haveDriftAtMost(0.01),

  // The first of them follows the controller's start, by 2 us.
  'the controller puts its signal out every 10 ms': records('port.output')
    .instants(({ written }) => written)
    .havePeriod(ms(10), us(3)),

  'the victim is reset by its watchdog, and goes on': records('health.event', ({ event }) => event === 'watchdog').haveCount(5, 10),
  'nothing else goes wrong': records('health.event', ({ event }) => event !== 'watchdog').haveCount(0),
  'the sensor has its share': partition('sensor').hasShareWithin(3, 10),
  'the system starts and ends': inOrder('kernel.start', 'system.started', 'slot.run', 'system.costs', 'kernel.exit'),
});
