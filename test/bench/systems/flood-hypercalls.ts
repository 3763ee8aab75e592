/** One that spins, beside as many hypercalls as fit. */
import { kib, native } from '../../../partitions/define.ts';
import { SPIN, two } from './two.ts';

const FLOOD = { program: native('../../../partitions/floods/hypercalls.S'), memory: kib(64) };

export default two('flood-hypercalls', SPIN, FLOOD, { seconds: 0.3 });
