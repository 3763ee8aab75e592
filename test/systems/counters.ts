/** For the console: two partitions that count their slots. */
import { kib, native } from '../../partitions/define.ts';
import { two } from '../bench/systems/two.ts';

const COUNTER = { program: native(['../guests/slot-counter.c', '../../partitions/native/start.S']), memory: kib(64) };

export default two('counters', COUNTER, COUNTER, { seconds: 0.1 });
