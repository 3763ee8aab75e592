/** 2,400 switches between two that spin. */
import { SPIN, two } from './two.ts';

export default two('slots', SPIN, SPIN, { seconds: 2.4 });
