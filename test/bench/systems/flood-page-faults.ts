/** One that spins, beside as many nested page faults as fit. */
import { kib, native } from '../../../partitions/define.ts';
import { SPIN, two } from './two.ts';

const FLOOD = {
  program: native('../../../partitions/floods/page-faults.S', { mode: 'protected' }),
  memory: kib(64),
  health: { 'memory-violation': 'log' } as const,
};

export default two('flood-page-faults', SPIN, FLOOD, { seconds: 0.3 });
