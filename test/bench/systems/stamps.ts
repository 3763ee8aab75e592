/** Slots as two partitions see them from within. */
import { kib, native } from '../../../partitions/define.ts';
import { two } from './two.ts';

const STAMPS = { program: native('../../guests/slot-stamps.S', { defines: { GAPS: 300 } }), memory: kib(128) };

export default two('stamps', STAMPS, STAMPS, { seconds: 1 });
