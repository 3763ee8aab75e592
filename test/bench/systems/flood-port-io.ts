/** One that spins, beside as much I/O at ports that it was not given as fits. */
import { kib, native } from '../../../partitions/define.ts';
import { SPIN, two } from './two.ts';

const FLOOD = { program: native('../../../partitions/floods/port-io.S'), memory: kib(64), health: { 'port-misuse': 'log' } as const };

export default two('flood-port-io', SPIN, FLOOD, { seconds: 0.3 });
