/**
 * Four partitions that keep the hypervisor as busy as they can, each in its way, and one that only wants its slots at their instants: it
 * has one behind each of the floods.
 */
import { defineSystem, kib, ms, native } from '../define.ts';

export default defineSystem({
  name: 'floods',
  partitions: {
    quiet: { program: native('../spin/spin.S'), memory: kib(64) },
    console: { program: native('console.S'), memory: kib(64) },
    hypercalls: { program: native('hypercalls.S'), memory: kib(64) },
    'port-io': { program: native('port-io.S'), memory: kib(64), health: { 'port-misuse': 'ignore' } },
    'page-faults': { program: native('page-faults.S', { mode: 'protected' }), memory: kib(64), health: { 'memory-violation': 'log' } },
  },
  plans: {
    normal: {
      majorFrame: ms(8),
      slots: [
        { partition: 'console', start: ms(0), duration: ms(1) },
        { partition: 'quiet', start: ms(1), duration: ms(1) },
        { partition: 'hypercalls', start: ms(2), duration: ms(1) },
        { partition: 'quiet', start: ms(3), duration: ms(1) },
        { partition: 'port-io', start: ms(4), duration: ms(1) },
        { partition: 'quiet', start: ms(5), duration: ms(1) },
        { partition: 'page-faults', start: ms(6), duration: ms(1) },
        { partition: 'quiet', start: ms(7), duration: ms(1) },
      ],
    },
  },
  duration: ms(240),
});
