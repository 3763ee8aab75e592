/** For the console: two that spin until somebody stops them. */
import { kib, native } from '../../partitions/define.ts';
import { two } from '../bench/systems/two.ts';

const SPIN = { program: native('../bench/spin.S'), memory: kib(64) };

export default two('endless', SPIN, SPIN, { seconds: 3600 });
