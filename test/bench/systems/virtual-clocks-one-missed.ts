import { virtualClocks } from './virtual-clocks.ts';

export default virtualClocks('virtual-clocks-one-missed', 'one_missed_tick_pending', 50, 100);
