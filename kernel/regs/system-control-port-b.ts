/** IBM PC/AT Technical Reference, "System Board", "Speaker": System Control Port B at 61h. */
import { bit } from './bits.ts';

export const PORT_B = {
  TIMER_2_GATE: bit(0), // counter 2 of the 8254 counts
  SPEAKER_DATA: bit(1), // gates counter 2 to the speaker; with counter 2 standing high, the speaker's level itself
  PARITY_CHECK: bit(2), // 0 = enabled
  CHANNEL_CHECK: bit(3), // 0 = enabled
  // Read only:
  REFRESH: bit(4), // toggles with each refresh of the memory
  TIMER_2_OUT: bit(5), // OUT of counter 2
  // 6 and 7 are channel check and parity check: an error, where its check is enabled
} as const;

/** What software can set; the rest is read only. */
export const PORT_B_WRITABLE = PORT_B.TIMER_2_GATE | PORT_B.SPEAKER_DATA | PORT_B.PARITY_CHECK | PORT_B.CHANNEL_CHECK;
/** "System Timers": counter 1 asks for a refresh every 18 counts of the 8254's clock, about 15 us. */
export const REFRESH_COUNT = 18;
