/** Conformance cases of the 8259A pair: Intel 8259A, "Interrupt Sequence" to "Cascade Mode", and the ELCR of Intel 82371SB PIIX3. */
import { CASCADE_LINE, ELCR, ICW1, ICW4, OCW2, OCW3, PIC, PIC_PORTS, POLL } from '../../regs/i8259a.ts';
import { LAPIC, LVT } from '../../regs/local-apic.ts';
import { drive, list, type InterruptCase, type InterruptTarget } from './interrupt-target.ts';
import { end, NO_NMI, prepareLapic, write as writeLapic } from './lapic.ts';

export const MASTER = PIC_PORTS.MASTER;
export const SLAVE = PIC_PORTS.SLAVE;
/** Vectors of IRQ 0 and 8. */
export const MASTER_BASE = 0x50;
export const SLAVE_BASE = 0x58;
const ALL = 0xff;

export const command = (target: InterruptTarget, chip: number, value: number): void => target.out(chip + PIC.COMMAND, 1, value);
export const data = (target: InterruptTarget, chip: number, value: number): void => target.out(chip + PIC.DATA, 1, value);
export function readIrr(target: InterruptTarget, chip: number): number {
  command(target, chip, OCW3.ID | OCW3.RR);
  return target.in(chip + PIC.COMMAND, 1);
}
export function readIsr(target: InterruptTarget, chip: number): number {
  command(target, chip, OCW3.ID | OCW3.RR | OCW3.RIS);
  return target.in(chip + PIC.COMMAND, 1);
}
const readImr = (target: InterruptTarget, chip: number): number => target.in(chip + PIC.DATA, 1);
function poll(target: InterruptTarget, chip: number): number {
  command(target, chip, OCW3.ID | OCW3.P);
  return target.in(chip + PIC.COMMAND, 1);
}

interface Setup {
  readonly icw4?: number;
  readonly slaveIcw4?: number;
  readonly icw1?: number;
  readonly masks?: number;
}
/** Initializes both. @param masks lines that are masked then, IRQ 0 to 15 */
function initialize(target: InterruptTarget, { icw4 = 0, slaveIcw4 = icw4, icw1 = 0, masks = 0 }: Setup = {}): void {
  for (const [chip, base, cascade, further] of [
    [MASTER, MASTER_BASE, 1 << CASCADE_LINE, icw4],
    [SLAVE, SLAVE_BASE, CASCADE_LINE, slaveIcw4],
  ] as const) {
    command(target, chip, ICW1.INIT | ICW1.IC4 | icw1);
    data(target, chip, base);
    data(target, chip, cascade);
    data(target, chip, ICW4.UPM | further);
  }
  data(target, MASTER, masks & ALL);
  data(target, SLAVE, masks >> 8);
}
/** Lines that cases drive: no device of the targets has them. */
const FREE = [3, 5, 6, 7, 9, 10, 11, 12] as const;
/** All but them and the cascade are masked. */
const OTHERS = 0xffff & ~FREE.reduce((bits, line) => bits | (1 << line), 1 << CASCADE_LINE);

export function preparePic(target: InterruptTarget): void {
  prepareLapic(target);
  target.out(PIC_PORTS.ELCR + ELCR.MASTER, 1, 0);
  target.out(PIC_PORTS.ELCR + ELCR.SLAVE, 1, 0);
  for (const line of FREE) drive(target, line, false);
  initialize(target, { masks: OTHERS });
  writeLapic(target, LAPIC.LVT_LINT0, LVT.DELIVERY_EXTINT);
}
export function finishPic(target: InterruptTarget): void {
  preparePic(target);
  for (const chip of [MASTER, SLAVE]) data(target, chip, ALL);
  prepareLapic(target);
}

const rise = (target: InterruptTarget, ...lines: readonly number[]): void => lines.forEach((line) => drive(target, line, true));
const fall = (target: InterruptTarget, ...lines: readonly number[]): void => lines.forEach((line) => drive(target, line, false));
function edge(target: InterruptTarget, line: number): void {
  fall(target, line);
  rise(target, line);
}
const vectorOf = (line: number): number => (line < 8 ? MASTER_BASE + line : SLAVE_BASE + line - 8);
/** Non-specific. */
const eoi = (target: InterruptTarget, chip: number): void => command(target, chip, OCW2.EOI);
/** Takes all that are deliverable, and ends each without a choice of level. @returns their lines */
function serveAll(target: InterruptTarget): number[] {
  const lines: number[] = [];
  for (let vector = target.takeVector(); vector >= 0 && lines.length < 32; vector = target.takeVector()) {
    lines.push(vector - MASTER_BASE);
    if (vector >= SLAVE_BASE) eoi(target, SLAVE);
    eoi(target, MASTER);
  }
  return lines;
}

const INITIALIZATION: readonly InterruptCase[] = [
  {
    name: 'Initialization Command Words: ICW2 is the vector of IR0, its bits 7-3 count',
    run: (target, expect) => {
      command(target, MASTER, ICW1.INIT | ICW1.IC4);
      data(target, MASTER, 0x67);
      data(target, MASTER, 1 << CASCADE_LINE);
      data(target, MASTER, ICW4.UPM);
      rise(target, 5);
      expect.equal('vector', target.takeVector(), 0x65);
    },
  },
  {
    name: 'ICW1: clears the mask register',
    run: (target, expect) => {
      data(target, MASTER, 0xa5);
      command(target, MASTER, ICW1.INIT | ICW1.IC4);
      expect.equal('IMR', readImr(target, MASTER), 0);
    },
  },
  {
    name: 'ICW1: the edge sense circuit is reset: an input has to rise again',
    run: (target, expect) => {
      rise(target, 5);
      initialize(target, { masks: OTHERS });
      expect.equal('IRR', readIrr(target, MASTER), 0);
      expect.equal('taken', target.takeVector(), -1);
      edge(target, 5);
      expect.equal('after another edge', target.takeVector(), vectorOf(5));
    },
  },
  {
    name: 'ICW1: IR7 gets the lowest priority',
    run: (target, expect) => {
      command(target, MASTER, OCW2.R | OCW2.SL | 5);
      initialize(target, { masks: OTHERS });
      rise(target, 3, 5, 6, 7);
      expect.equal('lines', list(serveAll(target)), list([3, 5, 6, 7]));
    },
  },
  {
    name: 'ICW1: special mask mode is cleared',
    run: (target, expect) => {
      command(target, MASTER, OCW3.ID | OCW3.ESMM | OCW3.SMM);
      initialize(target, { masks: OTHERS });
      rise(target, 3);
      target.takeVector();
      data(target, MASTER, 1 << 3);
      rise(target, 6);
      expect.equal('taken', target.takeVector(), -1);
    },
  },
  {
    name: 'ICW1: reads are of IRR',
    run: (target, expect) => {
      readIsr(target, MASTER);
      initialize(target, { masks: 0xffff });
      rise(target, 6);
      expect.equal('register', target.in(MASTER + PIC.COMMAND, 1), 1 << 6);
    },
  },
  {
    name: 'ICW1: nothing is in service any more',
    run: (target, expect) => {
      rise(target, 3);
      target.takeVector();
      initialize(target, { masks: OTHERS });
      expect.equal('ISR', readIsr(target, MASTER), 0);
    },
  },
  {
    name: 'ICW1: without IC4 all functions of ICW4 are off',
    run: (target, expect) => {
      initialize(target, { icw4: ICW4.AEOI, masks: OTHERS });
      command(target, MASTER, ICW1.INIT);
      data(target, MASTER, MASTER_BASE);
      data(target, MASTER, 1 << CASCADE_LINE);
      data(target, MASTER, OTHERS & ALL);
      expect.equal('IMR', readImr(target, MASTER), OTHERS & ALL);
      rise(target, 6);
      target.takeVector();
      expect.equal('ISR', readIsr(target, MASTER), 1 << 6);
    },
  },
  {
    name: 'ICW1: SNGL leaves ICW3 out',
    run: (target, expect) => {
      command(target, MASTER, ICW1.INIT | ICW1.IC4 | ICW1.SNGL);
      data(target, MASTER, 0x70);
      data(target, MASTER, ICW4.UPM);
      data(target, MASTER, OTHERS & ALL);
      rise(target, 6);
      expect.equal('vector', target.takeVector(), 0x76);
    },
  },
  {
    name: 'ICW1: begins a sequence anew that is under way',
    run: (target, expect) => {
      command(target, MASTER, ICW1.INIT | ICW1.IC4);
      data(target, MASTER, 0x70);
      command(target, MASTER, ICW1.INIT | ICW1.IC4);
      data(target, MASTER, 0x78);
      data(target, MASTER, 1 << CASCADE_LINE);
      data(target, MASTER, ICW4.UPM);
      rise(target, 3);
      expect.equal('vector', target.takeVector(), 0x7b);
    },
  },
  {
    name: 'ICW1: LTIM makes all inputs level-triggered',
    run: (target, expect) => {
      initialize(target, { icw1: ICW1.LTIM, masks: OTHERS });
      rise(target, 5);
      target.takeVector();
      expect.equal('still requested', readIrr(target, MASTER), 1 << 5);
      fall(target, 5);
      expect.equal('no more', readIrr(target, MASTER), 0);
    },
    qemuDiffers: '"If LTIM = 1, then the 8259A will operate in the level interrupt mode": QEMU has no such mode but for the ELCR',
  },
  {
    name: 'ICW1: what the slave is to the master is the business of the master only: each is initialized by itself',
    run: (target, expect) => {
      command(target, SLAVE, ICW1.INIT | ICW1.IC4);
      data(target, SLAVE, 0x88);
      data(target, SLAVE, CASCADE_LINE);
      data(target, SLAVE, ICW4.UPM);
      rise(target, 3, 10);
      const first = target.takeVector();
      eoi(target, SLAVE);
      eoi(target, MASTER);
      expect.equal('vectors', list([first, target.takeVector()]), list([0x8a, vectorOf(3)]));
    },
  },
];

const OPERATION: readonly InterruptCase[] = [
  {
    name: 'OCW1: the mask register reads back',
    run: (target, expect) => {
      for (const value of [0x5a, 0xa5]) {
        data(target, MASTER, value);
        data(target, SLAVE, value ^ ALL);
        expect.equal('master and slave', list([readImr(target, MASTER), readImr(target, SLAVE)]), list([value, value ^ ALL]));
      }
    },
  },
  {
    name: 'OCW1: a masked input is latched in IRR, and not delivered',
    run: (target, expect) => {
      data(target, MASTER, ALL);
      rise(target, 5);
      expect.equal('IRR', readIrr(target, MASTER), 1 << 5);
      expect.equal('taken', target.takeVector(), -1);
    },
  },
  {
    name: 'OCW1: a masked input that was latched is delivered once it is not masked any more',
    run: (target, expect) => {
      data(target, MASTER, ALL);
      rise(target, 5);
      data(target, MASTER, OTHERS & ALL);
      expect.equal('taken', target.takeVector(), vectorOf(5));
    },
  },
  {
    name: 'OCW1: masking a higher level does not hold back lower ones',
    run: (target, expect) => {
      data(target, MASTER, (OTHERS | (1 << 3)) & ALL);
      rise(target, 3, 6);
      expect.equal('taken', target.takeVector(), vectorOf(6));
    },
  },
  {
    name: 'OCW1: the mask of IR2 holds the whole slave back',
    run: (target, expect) => {
      data(target, MASTER, (OTHERS | (1 << CASCADE_LINE)) & ALL);
      rise(target, 10);
      const held = target.takeVector();
      data(target, MASTER, OTHERS & ALL);
      expect.equal('held and let through', list([held, target.takeVector()]), list([-1, vectorOf(10)]));
    },
  },
  {
    name: 'Interrupt Sequence: the acknowledge sets the ISR bit and resets the edge',
    run: (target, expect) => {
      rise(target, 5);
      target.takeVector();
      expect.equal('ISR, IRR', list([readIsr(target, MASTER), readIrr(target, MASTER)]), list([1 << 5, 0]));
    },
  },
  {
    name: 'Interrupt Sequence: a request that is gone at the acknowledge is no request',
    run: (target, expect) => {
      rise(target, 5);
      fall(target, 5);
      expect.equal('IRR', readIrr(target, MASTER), 0);
      expect.equal('taken', target.takeVector(), -1);
    },
    qemuDiffers: '"the IR inputs must remain high until after the falling edge of the first INTA": QEMU keeps the latch of a fallen edge',
  },
  {
    name: 'Fully Nested Mode: IR0 has the highest priority, IR7 the lowest, the slave that of IR2',
    run: (target, expect) => {
      rise(target, ...FREE.toReversed());
      expect.equal('lines', list(serveAll(target)), list([9, 10, 11, 12, 3, 5, 6, 7]));
    },
  },
  {
    name: 'Fully Nested Mode: a level in service holds back itself and lower ones, and no higher',
    run: (target, expect) => {
      rise(target, 5);
      target.takeVector();
      edge(target, 5);
      rise(target, 6);
      const held = target.takeVector();
      rise(target, 3);
      expect.equal('same and lower, higher', list([held, target.takeVector()]), list([-1, vectorOf(3)]));
    },
  },
  {
    name: 'Fully Nested Mode: a slave in service holds back all of its own, and what is below IR2',
    run: (target, expect) => {
      rise(target, 11);
      target.takeVector();
      rise(target, 9, 3);
      expect.equal('taken', target.takeVector(), -1);
      expect.equal('ISR of both', list([readIsr(target, MASTER), readIsr(target, SLAVE)]), list([1 << CASCADE_LINE, 1 << 3]));
    },
  },
  {
    name: 'End of Interrupt: the non-specific one resets the highest level in service',
    run: (target, expect) => {
      rise(target, 6);
      target.takeVector();
      rise(target, 3);
      target.takeVector();
      eoi(target, MASTER);
      const first = readIsr(target, MASTER);
      eoi(target, MASTER);
      expect.equal('ISR', list([first, readIsr(target, MASTER)]), list([1 << 6, 0]));
    },
  },
  {
    name: 'End of Interrupt: the specific one resets its level, whatever else is in service',
    run: (target, expect) => {
      rise(target, 6);
      target.takeVector();
      rise(target, 3);
      target.takeVector();
      command(target, MASTER, OCW2.EOI | OCW2.SL | 6);
      expect.equal('ISR', readIsr(target, MASTER), 1 << 3);
    },
  },
  {
    name: 'End of Interrupt: of a level that is not in service it does nothing',
    run: (target, expect) => {
      rise(target, 6);
      target.takeVector();
      command(target, MASTER, OCW2.EOI | OCW2.SL | 3);
      expect.equal('ISR', readIsr(target, MASTER), 1 << 6);
    },
  },
  {
    name: 'End of Interrupt: one for the slave does not end the master, and the other way round',
    run: (target, expect) => {
      rise(target, 12);
      target.takeVector();
      eoi(target, MASTER);
      const first = [readIsr(target, MASTER), readIsr(target, SLAVE)];
      eoi(target, SLAVE);
      expect.equal('ISR', list([...first, readIsr(target, SLAVE)]), list([0, 1 << 4, 0]));
    },
  },
  {
    name: 'End of Interrupt: a level that waited is delivered after it',
    run: (target, expect) => {
      rise(target, 5);
      target.takeVector();
      rise(target, 7);
      eoi(target, MASTER);
      expect.equal('taken', target.takeVector(), vectorOf(7));
    },
  },
  {
    name: 'Automatic End of Interrupt: nothing stays in service, and lower levels go on',
    run: (target, expect) => {
      initialize(target, { icw4: ICW4.AEOI, masks: OTHERS });
      rise(target, 5, 7, 9, 10);
      const taken = [target.takeVector(), target.takeVector(), target.takeVector(), target.takeVector(), target.takeVector()];
      expect.equal('vectors', list(taken), list([...[9, 10, 5, 7].map(vectorOf), -1]));
      expect.equal('ISR', list([readIsr(target, MASTER), readIsr(target, SLAVE)]), list([0, 0]));
    },
    qemuDiffers: "INT falls with the acknowledge: that of QEMU's slave stays high in AEOI mode, and the master sees no second edge",
  },
  {
    name: 'Automatic Rotation: on a non-specific EOI the level that was served gets the lowest priority',
    run: (target, expect) => {
      rise(target, 5);
      target.takeVector();
      command(target, MASTER, OCW2.R | OCW2.EOI);
      edge(target, 5);
      rise(target, 3, 6);
      expect.equal('lines', list(serveAll(target)), list([6, 3, 5]));
    },
  },
  {
    name: 'Automatic Rotation: in AEOI mode with each acknowledge, from the set command to the clear command on',
    run: (target, expect) => {
      initialize(target, { icw4: ICW4.AEOI, masks: OTHERS });
      command(target, MASTER, OCW2.R);
      rise(target, 3);
      target.takeVector();
      edge(target, 3);
      rise(target, 5);
      const rotated = [target.takeVector(), target.takeVector()];
      command(target, MASTER, 0);
      // The lowest is 3 now; without rotation it stays so.
      edge(target, 6);
      target.takeVector();
      edge(target, 6);
      edge(target, 7);
      expect.equal('vectors', list([...rotated, target.takeVector(), target.takeVector()]), list([5, 3, 6, 7].map(vectorOf)));
    },
  },
  {
    name: 'Specific Rotation: the set priority command names the lowest level',
    run: (target, expect) => {
      command(target, MASTER, OCW2.R | OCW2.SL | 5);
      rise(target, 3, 5, 6, 7);
      expect.equal('lines', list(serveAll(target)), list([6, 7, 3, 5]));
    },
  },
  {
    name: 'Specific Rotation: with a specific EOI',
    run: (target, expect) => {
      rise(target, 6);
      target.takeVector();
      command(target, MASTER, OCW2.R | OCW2.SL | OCW2.EOI | 6);
      const served = readIsr(target, MASTER);
      edge(target, 6);
      rise(target, 7, 3);
      expect.equal('ISR and lines', list([served, ...serveAll(target)]), list([0, 7, 3, 6]));
    },
  },
  {
    name: 'Specific Rotation: what is in service is ranked anew too',
    run: (target, expect) => {
      rise(target, 5);
      target.takeVector();
      // IR6 is the highest, IR5 the lowest: anything interrupts it.
      command(target, MASTER, OCW2.R | OCW2.SL | 5);
      rise(target, 7);
      expect.equal('taken', target.takeVector(), vectorOf(7));
    },
  },
  {
    name: 'OCW2: SL without R and EOI is no operation',
    run: (target, expect) => {
      rise(target, 5);
      target.takeVector();
      command(target, MASTER, OCW2.SL | 5);
      rise(target, 6, 3);
      expect.equal('ISR', readIsr(target, MASTER), 1 << 5);
      expect.equal('taken', target.takeVector(), vectorOf(3));
    },
  },
  {
    name: 'Special Mask Mode: a masked level in service holds nothing back, higher or lower',
    run: (target, expect) => {
      rise(target, 5);
      target.takeVector();
      data(target, MASTER, (OTHERS | (1 << 5)) & ALL);
      command(target, MASTER, OCW3.ID | OCW3.ESMM | OCW3.SMM);
      rise(target, 7);
      expect.equal('taken', target.takeVector(), vectorOf(7));
    },
  },
  {
    name: 'Special Mask Mode: a level in service that is not masked holds back as ever',
    run: (target, expect) => {
      rise(target, 5);
      target.takeVector();
      command(target, MASTER, OCW3.ID | OCW3.ESMM | OCW3.SMM);
      rise(target, 7);
      expect.equal('taken', target.takeVector(), -1);
    },
  },
  {
    name: 'Special Mask Mode: SMM counts with ESMM only',
    run: (target, expect) => {
      rise(target, 5);
      target.takeVector();
      data(target, MASTER, (OTHERS | (1 << 5)) & ALL);
      rise(target, 7);
      command(target, MASTER, OCW3.ID | OCW3.SMM);
      const without = target.takeVector();
      command(target, MASTER, OCW3.ID | OCW3.ESMM | OCW3.SMM);
      command(target, MASTER, OCW3.ID);
      expect.equal('without ESMM, with it', list([without, target.takeVector()]), list([-1, vectorOf(7)]));
    },
    qemuDiffers: '"Special Mask Mode is set by OCW3": QEMU looks at its INT again at the next change only',
  },
  {
    name: 'Special Mask Mode: a non-specific EOI does not reset a level that is masked',
    run: (target, expect) => {
      rise(target, 5);
      target.takeVector();
      data(target, MASTER, (OTHERS | (1 << 5)) & ALL);
      command(target, MASTER, OCW3.ID | OCW3.ESMM | OCW3.SMM);
      eoi(target, MASTER);
      expect.equal('ISR', readIsr(target, MASTER), 1 << 5);
    },
    qemuDiffers: '"an IS bit that is masked by an IMR bit will not be cleared by a non-specific EOI": QEMU clears it',
  },
  {
    name: 'Poll Command: the next read is the acknowledge: bit 7 and the level',
    run: (target, expect) => {
      rise(target, 6);
      rise(target, 5);
      expect.equal('poll', poll(target, MASTER), POLL.I | 5);
      expect.equal('ISR, IRR', list([readIsr(target, MASTER), readIrr(target, MASTER)]), list([1 << 5, 1 << 6]));
    },
  },
  {
    name: 'Poll Command: without a request bit 7 is 0',
    run: (target, expect) => {
      expect.equal('bit 7', poll(target, MASTER) & POLL.I, 0);
      expect.equal('ISR', readIsr(target, MASTER), 0);
    },
  },
  {
    name: 'Poll Command: one read only; the read after it is as before',
    run: (target, expect) => {
      readIrr(target, MASTER);
      rise(target, 6);
      const polled = poll(target, MASTER);
      rise(target, 7);
      expect.equal('reads', list([polled, target.in(MASTER + PIC.COMMAND, 1)]), list([POLL.I | 6, 1 << 7]));
    },
  },
  {
    name: 'Poll Command: masks and what is in service count',
    run: (target, expect) => {
      rise(target, 5);
      poll(target, MASTER);
      rise(target, 6);
      data(target, MASTER, (OTHERS | (1 << 3)) & ALL);
      rise(target, 3);
      expect.equal('poll', poll(target, MASTER) & POLL.I, 0);
    },
  },
  {
    name: 'Poll Command: the slave is polled by itself',
    run: (target, expect) => {
      rise(target, 10);
      expect.equal('master, slave', list([poll(target, MASTER), poll(target, SLAVE)]), list([POLL.I | CASCADE_LINE, POLL.I | 2]));
      expect.equal('taken', target.takeVector(), -1);
    },
  },
  {
    name: 'Poll Command: with RR it comes first',
    run: (target, expect) => {
      rise(target, 5);
      command(target, MASTER, OCW3.ID | OCW3.P | OCW3.RR | OCW3.RIS);
      expect.equal('read', target.in(MASTER + PIC.COMMAND, 1), POLL.I | 5);
    },
  },
  {
    name: 'Reading the Status: the choice of register is remembered',
    run: (target, expect) => {
      rise(target, 5);
      target.takeVector();
      rise(target, 6);
      const served = [readIsr(target, MASTER), target.in(MASTER + PIC.COMMAND, 1)];
      const requested = [readIrr(target, MASTER), target.in(MASTER + PIC.COMMAND, 1)];
      expect.equal('ISR, IRR', list([...served, ...requested]), list([1 << 5, 1 << 5, 1 << 6, 1 << 6]));
    },
  },
  {
    name: 'Reading the Status: an OCW3 without RR leaves the choice',
    run: (target, expect) => {
      rise(target, 5);
      target.takeVector();
      readIsr(target, MASTER);
      command(target, MASTER, OCW3.ID | OCW3.RIS);
      command(target, MASTER, OCW3.ID);
      expect.equal('ISR', target.in(MASTER + PIC.COMMAND, 1), 1 << 5);
    },
  },
  {
    name: 'Reading the Status: IMR is read without a command',
    run: (target, expect) => {
      data(target, SLAVE, 0x3c);
      readIsr(target, SLAVE);
      expect.equal('IMR', readImr(target, SLAVE), 0x3c);
    },
  },
];

const TRIGGERING: readonly InterruptCase[] = [
  {
    name: 'Edge Triggered Mode: an input that stays high requests once',
    run: (target, expect) => {
      rise(target, 5);
      const lines = serveAll(target);
      rise(target, 5);
      expect.equal('lines', list([...lines, ...serveAll(target)]), list([5]));
    },
  },
  {
    name: 'Edge Triggered Mode: an edge while in service requests again after the end',
    run: (target, expect) => {
      rise(target, 5);
      target.takeVector();
      edge(target, 5);
      const during = target.takeVector();
      eoi(target, MASTER);
      expect.equal('during and after', list([during, target.takeVector()]), list([-1, vectorOf(5)]));
    },
  },
  {
    name: 'Edge Triggered Mode: edges before the acknowledge are one',
    run: (target, expect) => {
      for (let count = 0; count < 3; count++) edge(target, 5);
      expect.equal('lines', list(serveAll(target)), list([5]));
    },
  },
  {
    name: 'ELCR: a level-triggered input requests for as long as it is high',
    run: (target, expect) => {
      target.out(PIC_PORTS.ELCR + ELCR.MASTER, 1, 1 << 5);
      rise(target, 5);
      target.takeVector();
      const irr = readIrr(target, MASTER);
      eoi(target, MASTER);
      const again = target.takeVector();
      fall(target, 5);
      eoi(target, MASTER);
      expect.equal('IRR, taken', list([irr, again, target.takeVector()]), list([1 << 5, vectorOf(5), -1]));
    },
  },
  {
    name: 'ELCR: a level that falls unserved requests nothing',
    run: (target, expect) => {
      target.out(PIC_PORTS.ELCR + ELCR.SLAVE, 1, 1 << 3);
      data(target, SLAVE, ALL);
      rise(target, 11);
      const high = readIrr(target, SLAVE);
      fall(target, 11);
      expect.equal('IRR', list([high, readIrr(target, SLAVE)]), list([1 << 3, 0]));
    },
  },
  {
    name: 'ELCR: each line has its own bit, and IRQ 0, 1, 2, 8 and 13 are edges for ever',
    run: (target, expect) => {
      target.out(PIC_PORTS.ELCR + ELCR.MASTER, 1, ALL);
      target.out(PIC_PORTS.ELCR + ELCR.SLAVE, 1, ALL);
      const seen = [target.in(PIC_PORTS.ELCR + ELCR.MASTER, 1), target.in(PIC_PORTS.ELCR + ELCR.SLAVE, 1)];
      expect.equal('ELCR', list(seen), list([0xf8, 0xde]));
    },
  },
  {
    name: 'ELCR: a change counts for an input that is in use at once [Xen 9: it is ignored]',
    run: (target, expect) => {
      rise(target, 5);
      target.takeVector();
      target.out(PIC_PORTS.ELCR + ELCR.MASTER, 1, 1 << 5);
      eoi(target, MASTER);
      const byLevel = target.takeVector();
      target.out(PIC_PORTS.ELCR + ELCR.MASTER, 1, 0);
      eoi(target, MASTER);
      fall(target, 5);
      expect.equal('by level, by edge', list([byLevel, target.takeVector()]), list([vectorOf(5), -1]));
    },
    qemuDiffers: 'a level is what the input carries: QEMU looks at it when it changes only',
  },
  {
    name: 'ELCR: an initialization leaves it',
    run: (target, expect) => {
      target.out(PIC_PORTS.ELCR + ELCR.MASTER, 1, 1 << 5);
      initialize(target, { masks: OTHERS });
      expect.equal('ELCR', target.in(PIC_PORTS.ELCR + ELCR.MASTER, 1), 1 << 5);
    },
  },
  {
    name: 'ELCR: a level-triggered input that is high requests after an initialization too',
    run: (target, expect) => {
      target.out(PIC_PORTS.ELCR + ELCR.MASTER, 1, 1 << 5);
      rise(target, 5);
      initialize(target, { masks: OTHERS });
      expect.equal('taken', target.takeVector(), vectorOf(5));
    },
  },
];

const CASCADE: readonly InterruptCase[] = [
  {
    name: 'Cascade Mode: an interrupt of the slave is in service in both',
    run: (target, expect) => {
      rise(target, 12);
      expect.equal('vector', target.takeVector(), vectorOf(12));
      expect.equal('ISR', list([readIsr(target, MASTER), readIsr(target, SLAVE)]), list([1 << CASCADE_LINE, 1 << 4]));
    },
  },
  {
    name: 'Cascade Mode: further requests of the slave are edges to the master',
    run: (target, expect) => {
      rise(target, 9, 10, 11, 12);
      expect.equal('lines', list(serveAll(target)), list([9, 10, 11, 12]));
    },
  },
  {
    name: 'Cascade Mode: the slave requests again after its end, though the master was ended before',
    run: (target, expect) => {
      rise(target, 9, 12);
      const first = target.takeVector();
      eoi(target, MASTER);
      const between = target.takeVector();
      eoi(target, SLAVE);
      expect.equal('taken', list([first, between, target.takeVector()]), list([vectorOf(9), -1, vectorOf(12)]));
    },
  },
  {
    name: 'Cascade Mode: a slave whose INT falls before the acknowledge requests nothing any more',
    run: (target, expect) => {
      rise(target, 10);
      data(target, SLAVE, ALL);
      expect.equal('IRR', readIrr(target, MASTER), 0);
      expect.equal('taken', target.takeVector(), -1);
    },
    qemuDiffers:
      '"the IR inputs must remain high until after the falling edge of the first INTA": QEMU keeps the latch, and takes level 7 of the slave',
  },
  {
    name: 'Special Fully Nested Mode: a slave in service does not hold back higher levels of its own',
    run: (target, expect) => {
      initialize(target, { icw4: ICW4.SFNM, slaveIcw4: 0, masks: OTHERS });
      rise(target, 11);
      target.takeVector();
      rise(target, 12);
      const lower = target.takeVector();
      rise(target, 9);
      expect.equal('lower and higher', list([lower, target.takeVector()]), list([-1, vectorOf(9)]));
    },
  },
  {
    name: 'Special Fully Nested Mode: a slave in service holds back what is below IR2',
    run: (target, expect) => {
      initialize(target, { icw4: ICW4.SFNM, slaveIcw4: 0, masks: OTHERS });
      rise(target, 11);
      target.takeVector();
      rise(target, 3);
      expect.equal('taken', target.takeVector(), -1);
    },
    qemuDiffers: '"the slave is not locked out": QEMU leaves IR2 out of the comparison as a whole, and lets lower levels through',
  },
];

const LINT0: readonly InterruptCase[] = [
  {
    name: 'LINT0 (local APIC): ExtINT gives the vector of the 8259A, at every priority, and the APIC has nothing in service',
    run: (target, expect) => {
      writeLapic(target, LAPIC.TPR, 0xff);
      rise(target, 5);
      expect.equal('taken', target.takeVector(), vectorOf(5));
      expect.equal('ISR', target.read(0xfee0_0120, 4), 0n);
    },
  },
  {
    name: 'LINT0 (local APIC): masked, nothing comes; unmasked, what waits does',
    run: (target, expect) => {
      writeLapic(target, LAPIC.LVT_LINT0, LVT.MASKED | LVT.DELIVERY_EXTINT);
      rise(target, 5);
      const masked = target.takeVector();
      writeLapic(target, LAPIC.LVT_LINT0, LVT.DELIVERY_EXTINT);
      expect.equal('masked and not', list([masked, target.takeVector()]), list([-1, vectorOf(5)]));
    },
  },
  {
    name: 'LINT0 (local APIC): Fixed, an edge of INT is an interrupt of the entry, and the 8259A waits for its acknowledge',
    run: (target, expect) => {
      writeLapic(target, LAPIC.LVT_LINT0, 0x91);
      rise(target, 5);
      const taken = target.takeVector();
      end(target);
      expect.equal('taken', list([taken, target.takeVector()]), list([0x91, -1]));
      expect.equal('poll', poll(target, MASTER), POLL.I | 5);
    },
    qemuDiffers: '"Fixed: delivers the interrupt specified in the vector field": QEMU passes the 8259A\'s on by every mode',
  },
  {
    name: 'LINT0 (local APIC): NMI, an edge of INT is one',
    run: (target, expect) => {
      writeLapic(target, LAPIC.LVT_LINT0, LVT.DELIVERY_NMI);
      rise(target, 5);
      expect.equal('NMIs', target.takeNmis(), 1);
    },
    notOn: NO_NMI,
  },
];

export const PIC_CASES: readonly InterruptCase[] = [...INITIALIZATION, ...OPERATION, ...TRIGGERING, ...CASCADE, ...LINT0].map((one) => ({
  ...one,
  run: (target, expect) => {
    preparePic(target);
    one.run(target, expect);
    finishPic(target);
  },
}));
