/** One that spins, beside as much console output as fits. */
import { kib, native } from '../../../partitions/define.ts';
import { SPIN, two } from './two.ts';

const FLOOD = { program: native('../../../partitions/floods/console.S'), memory: kib(64) };

export default two('flood-console', SPIN, FLOOD, { seconds: 0.2 });
