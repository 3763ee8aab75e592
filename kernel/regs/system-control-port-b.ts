/** IBM PC/AT Technical Reference, "System Board", "Speaker": System Control Port B at 61h. */
import { bit } from './bits.ts';

export const PORT_B = {
  TIMER_2_GATE: bit(0), // counter 2 of the 8254 counts
  SPEAKER_DATA: bit(1), // gates counter 2 to the speaker; with counter 2 standing high, the speaker's level itself
  PARITY_CHECK: bit(2), // 0 = enabled
  CHANNEL_CHECK: bit(3), // 0 = enabled
  // 4 to 7 are read only: refresh, OUT of counter 2, channel check, parity check
} as const;
