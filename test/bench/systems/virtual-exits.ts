/** One that never loses the CPU: for what a tick and an exit take. */
import { virtualClocks } from './virtual-clocks.ts';

export default virtualClocks('virtual-exits', 'delay_for_missed_ticks', 100, 1);
