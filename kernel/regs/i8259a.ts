/** Intel 8259A, "Programming the 8259A". Two on a PC, cascaded: ports 20h and A0h, the second on the first's IR2. */
import { bit, field } from './bits.ts';

export const PIC_PORTS = { MASTER: 0x20, SLAVE: 0xa0, ELCR: 0x4d0 } as const;

export const PIC = {
  COMMAND: 0, // ICW1, OCW2, OCW3
  DATA: 1, // ICW2-4 after ICW1; OCW1 (the mask) otherwise
  COUNT: 2,
} as const;

export const ICW1 = {
  IC4: bit(0), // ICW4 follows
  SNGL: bit(1), // the only 8259A: no ICW3
  ADI: bit(2), // MCS-80/85 only
  LTIM: bit(3), // level-triggered mode
  INIT: bit(4),
} as const;

export const ICW2 = {
  VECTOR: 0xf8, // T7-T3; the level takes the low three bits
} as const;

export const ICW3 = {
  SLAVE_ID: field(0, 3), // of a slave; of the master: one bit per input with a slave
} as const;

export const ICW4 = {
  UPM: bit(0), // 8086 mode
  AEOI: bit(1), // automatic end of interrupt
  MS: bit(2), // buffered mode: master
  BUF: bit(3), // buffered mode
  SFNM: bit(4), // special fully nested mode
} as const;

export const OCW2 = {
  LEVEL: field(0, 3),
  EOI: bit(5),
  SL: bit(6), // with EOI: specific, level in bits 0-2
  R: bit(7), // rotate
} as const;

export const OCW3 = {
  ID: bit(3),
  ESMM: bit(6), // SMM counts
  SMM: bit(5), // special mask mode
  P: bit(2), // poll: the next read acknowledges
  RR: bit(1), // read register at next read of COMMAND
  RIS: bit(0), // which: 1 = ISR, 0 = IRR
} as const;

/** What a poll reads. */
export const POLL = {
  I: bit(7), // there was an interrupt
  LEVEL: field(0, 3),
} as const;

/**
 * Edge/Level Control Registers, one bit per line, 1 = level (Intel 82371SB PIIX3, "ELCR1", "ELCR2"): IRQ 0, 1, 2, 8, 13 are edges
 * for ever.
 */
export const ELCR = { MASTER: 0, SLAVE: 1, COUNT: 2, WRITABLE: [0xf8, 0xde] } as const;

export const CASCADE_LINE = 2;
/** What a request that is gone at its acknowledgement is taken for. */
export const SPURIOUS_LEVEL = 7;
