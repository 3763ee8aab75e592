/** Ways to reset a PC: the keyboard controller's output port, and Intel 82371SB PIIX3, "RC—Reset Control Register". */
import { bit } from './bits.ts';

export const KEYBOARD_CONTROLLER = {
  /** Command, written; status, read. */
  PORT: 0x64,
  /** Commands F0h-FFh: the bits that are 0 pulse lines of the output port; bit 0 is the CPU's reset. */
  PULSE: 0xf0,
  RESET_LINE: bit(0),
} as const;

export const RESET_CONTROL = {
  PORT: 0xcf9,
  SRST: bit(1), // a hard reset, not one of the CPU alone
  RCPU: bit(2), // resets when it goes from 0 to 1
  WRITABLE: bit(1) | bit(2),
} as const;
