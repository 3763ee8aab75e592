/** Intel 8259A, "Programming the 8259A". Two on a PC, cascaded: ports 20h and A0h, the second on the first's IR2. */
import { bit } from './bits.ts';

export const PIC = {
  COMMAND: 0, // ICW1, OCW2, OCW3
  DATA: 1, // ICW2-4 after ICW1; OCW1 (the mask) otherwise
  COUNT: 2,
} as const;

export const ICW1 = {
  IC4: bit(0), // ICW4 follows
  INIT: bit(4),
} as const;

export const ICW4 = {
  UPM: bit(0), // 8086 mode
} as const;

export const OCW2 = {
  EOI: bit(5),
  SL: bit(6), // with EOI: specific, level in bits 0-2
} as const;

export const OCW3 = {
  ID: bit(3),
  RR: bit(1), // read register at next read of COMMAND
  RIS: bit(0), // which: 1 = ISR, 0 = IRR
} as const;

export const CASCADE_LINE = 2;
