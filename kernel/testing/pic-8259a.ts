/**
 * Two fake 8259As (Intel), cascaded as in a PC, edge-triggered. Modelled: initialization, masks, priorities, in-service
 * bits, specific and non-specific EOI, reading IRR and ISR, spurious interrupts. Not modelled: rotation, polling,
 * special mask mode, automatic EOI.
 */
import { CASCADE_LINE, ICW1, OCW2, OCW3, PIC } from '../regs/i8259a.ts';
import type { FakeDevice } from './bus.ts';

interface Chip extends FakeDevice {
  irr: number;
  isr: number;
  imr: number;
  vector: number;
  readonly initialization: number[];
  /** What it wants served now; undefined if nothing, or nothing of higher priority than what is in service. */
  wanted(): number | undefined;
}

export interface FakePicPair {
  readonly master: FakeDevice;
  readonly slave: FakeDevice;
  /** A device's line goes from low to high. */
  raise(line: number): void;
  /** The line goes low before it is acknowledged: what makes an interrupt spurious. */
  withdraw(line: number): void;
  /** Whether the CPU's INTR pin is up. */
  isRequesting(): boolean;
  /** The CPU's interrupt acknowledge: the vector. */
  acknowledge(): number;
  /** In-service bits, line 0 to 15. */
  inService(): number;
  /** Masks, line 0 to 15. */
  masks(): number;
  /** ICW1 to ICW4 as they came: of the master, of the slave. */
  initialization(): [number[], number[]];
}

function createChip(): Chip {
  let expecting = 0;
  let readsIsr = false;
  const chip: Chip = {
    // As a firmware left it: the vectors of real mode, something in service.
    irr: 0,
    isr: 0x81,
    imr: 0,
    vector: 8,
    initialization: [],
    wanted: () => {
      for (let line = 0; line < 8 && (chip.isr & (1 << line)) === 0; line++) if ((chip.irr & ~chip.imr & (1 << line)) !== 0) return line;
      return undefined;
    },
    read8: (offset) => (offset === PIC.DATA ? chip.imr : readsIsr ? chip.isr : chip.irr),
    write8: (offset, value) => {
      if (offset === PIC.DATA) {
        if (expecting === 0) {
          chip.imr = value;
          return;
        }
        chip.initialization.push(value);
        if (expecting === 3) chip.vector = value & 0xf8;
        expecting--;
      } else if ((value & ICW1.INIT) !== 0) {
        chip.initialization.splice(0, Infinity, value);
        chip.imr = chip.isr = chip.irr = 0;
        readsIsr = false;
        expecting = 3;
      } else if ((value & OCW3.ID) !== 0) {
        if ((value & OCW3.RR) !== 0) readsIsr = (value & OCW3.RIS) !== 0;
      } else if ((value & OCW2.EOI) !== 0) {
        if ((value & OCW2.SL) !== 0) chip.isr &= ~(1 << (value & 7));
        else chip.isr &= chip.isr - 1;
      }
    },
  };
  return chip;
}

export function createFakePicPair(): FakePicPair {
  const master = createChip();
  const slave = createChip();
  function serve(chip: Chip): number | undefined {
    const line = chip.wanted();
    if (line === undefined) return undefined;
    chip.isr |= 1 << line;
    chip.irr &= ~(1 << line);
    return line;
  }
  /** The slave's INT is the master's line 2. */
  function cascade(): void {
    if (slave.wanted() !== undefined) master.irr |= 1 << CASCADE_LINE;
  }
  return {
    master,
    slave,
    raise: (line) => {
      if (line < 8) master.irr |= 1 << line;
      else slave.irr |= 1 << (line - 8);
      cascade();
    },
    withdraw: (line) => {
      if (line < 8) master.irr &= ~(1 << line);
      else slave.irr &= ~(1 << (line - 8));
    },
    isRequesting: () => master.wanted() !== undefined,
    acknowledge: () => {
      cascade();
      const line = serve(master);
      // "If the IR input is not high at the acknowledge, the 8259A acts as if line 7 had asked": in service it is not.
      if (line === undefined) return master.vector + 7;
      if (line !== CASCADE_LINE) return master.vector + line;
      return slave.vector + (serve(slave) ?? 7);
    },
    inService: () => master.isr | (slave.isr << 8),
    masks: () => master.imr | (slave.imr << 8),
    initialization: () => [[...master.initialization], [...slave.initialization]],
  };
}
