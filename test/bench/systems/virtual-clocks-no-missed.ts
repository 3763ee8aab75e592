import { virtualClocks } from './virtual-clocks.ts';

export default virtualClocks('virtual-clocks-no-missed', 'no_missed_ticks_pending', 50, 100);
