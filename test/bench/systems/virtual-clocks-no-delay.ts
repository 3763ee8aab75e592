import { virtualClocks } from './virtual-clocks.ts';

export default virtualClocks('virtual-clocks-no-delay', 'no_delay_for_missed_ticks', 50, 100);
