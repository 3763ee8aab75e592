/** Virtual timers inside a slot, 50 us to 1 ms ahead. */
import { kib, native } from '../../../partitions/define.ts';
import { SPIN, two } from './two.ts';

const TIMERS = {
  program: native(['../../guests/timer-lateness.c', '../../../partitions/native/start.S'], { defines: { COUNT: 500 } }),
  memory: kib(64),
};

export default two('timers', TIMERS, SPIN, { slot: 5, seconds: 1 });
