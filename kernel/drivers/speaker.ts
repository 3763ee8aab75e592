/** The PC's speaker as an output of one bit (System Control Port B, IBM PC/AT Technical Reference). Not used: counter 2 of the 8254, whose tone it can pass on. */
import type { Ports } from '../hw/ports.ts';
import { PORT_B } from '../regs/system-control-port-b.ts';

export const SPEAKER_PORT = 0x61;

export interface Speaker {
  /** One access. */
  set(level: 0 | 1): void;
  /** As read back. */
  level(): 0 | 1;
}

/** The other bits of the port stay as firmware left them. The level is 0 then. @returns undefined if the bit can't be set and cleared */
export function probeSpeaker({ read8, write8 }: Ports): Speaker | undefined {
  const { TIMER_2_GATE, SPEAKER_DATA, PARITY_CHECK, CHANNEL_CHECK } = PORT_B;
  const low = read8(0) & (TIMER_2_GATE | PARITY_CHECK | CHANNEL_CHECK);
  const high = low | SPEAKER_DATA;
  const level = (): 0 | 1 => ((read8(0) & SPEAKER_DATA) !== 0 ? 1 : 0);
  for (const value of [high, low]) {
    write8(0, value);
    if (level() !== (value === high ? 1 : 0)) return undefined;
  }
  return { set: (wanted) => write8(0, wanted === 1 ? high : low), level };
}
