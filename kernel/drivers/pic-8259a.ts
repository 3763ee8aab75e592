/** Two cascaded 8259As as in a PC (Intel 8259A). Not used: priority rotation, special mask, polling, automatic EOI. */
import type { Ports } from '../hw/ports.ts';
import { CASCADE_LINE, ICW1, ICW4, OCW2, OCW3, PIC } from '../regs/i8259a.ts';

export const PIC_BASE = { MASTER: 0x20, SLAVE: 0xa0 } as const;

export interface Pic {
  mask(line: number): void;
  unmask(line: number): void;
  /** Ends the interrupt of a line, 0 to 15 (specific EOI, the cascade's own included). */
  endOfInterrupt(line: number): void;
  /** Whether the line's interrupt is requested but not taken yet (IRR). */
  isRequested(line: number): boolean;
  /** Whether the line's interrupt is in service: a spurious interrupt 7 or 15 is not, and must not be ended. */
  isInService(line: number): boolean;
}

/**
 * @param firstVector vector of line 0, a multiple of 8; line 15 has firstVector + 15
 * @returns undefined if no 8259A answers. All lines are masked.
 */
export function probePic(master: Ports, slave: Ports, firstVector: number): Pic | undefined {
  // The mask can be read back; an empty bus reads FFh.
  master.write8(PIC.DATA, 0x5a);
  slave.write8(PIC.DATA, 0xa5);
  if (master.read8(PIC.DATA) !== 0x5a || slave.read8(PIC.DATA) !== 0xa5) return undefined;

  // "Initialization Command Words": ICW1 to ICW4 in this order, ICW2-4 through the data port.
  master.write8(PIC.COMMAND, ICW1.INIT | ICW1.IC4);
  master.write8(PIC.DATA, firstVector);
  master.write8(PIC.DATA, 1 << CASCADE_LINE);
  master.write8(PIC.DATA, ICW4.UPM);
  slave.write8(PIC.COMMAND, ICW1.INIT | ICW1.IC4);
  slave.write8(PIC.DATA, firstVector + 8);
  slave.write8(PIC.DATA, CASCADE_LINE);
  slave.write8(PIC.DATA, ICW4.UPM);

  let masks = 0xffff & ~(1 << CASCADE_LINE);
  function writeMasks(): void {
    master.write8(PIC.DATA, masks & 0xff);
    slave.write8(PIC.DATA, masks >> 8);
  }
  writeMasks();

  /** @param which OCW3.RIS for the ISR, 0 for the IRR */
  function readRegister(line: number, which: number): boolean {
    const ports = line >= 8 ? slave : master;
    ports.write8(PIC.COMMAND, OCW3.ID | OCW3.RR | which);
    return (ports.read8(PIC.COMMAND) & (1 << (line & 7))) !== 0;
  }

  return {
    mask: (line) => {
      masks |= 1 << line;
      writeMasks();
    },
    unmask: (line) => {
      masks &= ~(1 << line);
      writeMasks();
    },
    endOfInterrupt: (line) => {
      if (line >= 8) slave.write8(PIC.COMMAND, OCW2.EOI | OCW2.SL | (line & 7));
      master.write8(PIC.COMMAND, OCW2.EOI | OCW2.SL | (line >= 8 ? CASCADE_LINE : line));
    },
    isRequested: (line) => readRegister(line, 0),
    isInService: (line) => readRegister(line, OCW3.RIS),
  };
}
