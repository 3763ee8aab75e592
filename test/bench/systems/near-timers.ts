/** Virtual timers inside a slot, nearer than they can be led by. */
import { kib, native } from '../../../partitions/define.ts';
import { SPIN, two } from './two.ts';

const TIMERS = {
  program: native(['../../guests/timer-lateness.c', '../../../partitions/native/start.S'], {
    defines: { COUNT: 500, NEAREST: 1_000, FARTHEST: 50_000 },
  }),
  memory: kib(64),
};

export default two('near-timers', TIMERS, SPIN, { slot: 5, seconds: 0.5 });
