/** What leaving a guest costs. */
import { kib, native } from '../../../partitions/define.ts';
import { SPIN, two } from './two.ts';

const COSTS = {
  program: native(['../../guests/costs.c', '../../../partitions/native/start.S']),
  memory: kib(64),
  ioPorts: [{ first: 0x80, traced: true }],
  health: { 'memory-violation': 'propagate' },
} as const;

export default two('exits', COSTS, SPIN, { slot: 5, seconds: 0.2 });
