/** Conformance cases of the local APIC: AMD64 APM vol. 2, "Local APIC", and of TSC-deadline mode Intel SDM vol. 3A, "TSC-Deadline Mode". */
import { getField } from '../../regs/bits.ts';
import {
  APIC_BASE,
  APIC_BASE_MSR,
  DELIVERY,
  DIVIDE,
  DIVISORS,
  ESR,
  ICR,
  LAPIC,
  LAPIC_ADDRESS,
  LVT,
  SHORTHAND,
  SVR,
  TSC_DEADLINE_MSR,
  VERSION,
} from '../../regs/local-apic.ts';
import { instant, NANOS_PER_SECOND } from '../../time/units.ts';
import type { Width } from '../device.ts';
import { list, type InterruptCase, type InterruptTarget } from './interrupt-target.ts';

const TSC_MSR = 0x10;
const SPURIOUS = 0xff;
const ENTRIES = [LAPIC.LVT_TIMER, LAPIC.LVT_THERMAL, LAPIC.LVT_PERF, LAPIC.LVT_LINT0, LAPIC.LVT_LINT1, LAPIC.LVT_ERROR] as const;
const NO_DEADLINE_MODE = { qemu: 'TCG offers no TSC-deadline mode' } as const;
/** "Send illegal vector", "Receive illegal vector". */
export const NO_LOW_VECTORS = { qemu: 'QEMU delivers vectors under 16, and the kernel takes them for exceptions' } as const;
/** Of the kernel that runs the cases there. */
export const NO_NMI = { qemu: 'the kernel takes an NMI for a failure' } as const;

export function read(target: InterruptTarget, offset: number): number {
  return Number(target.read(LAPIC_ADDRESS + offset, 4));
}
export function write(target: InterruptTarget, offset: number, value: number): void {
  target.write(LAPIC_ADDRESS + offset, 4, BigInt(value >>> 0));
}
export const end = (target: InterruptTarget): void => write(target, LAPIC.EOI, 0);

const SELF = SHORTHAND.SELF << ICR.SHORTHAND.shift;
const ALL = SHORTHAND.ALL << ICR.SHORTHAND.shift;
const ALL_BUT_SELF = SHORTHAND.ALL_BUT_SELF << ICR.SHORTHAND.shift;
const delivery = (mode: number): number => mode << ICR.DELIVERY.shift;
/** An interrupt of a vector, by the shortest way. */
export const raise = (target: InterruptTarget, vector: number): void => write(target, LAPIC.ICR_LOW, SELF | ICR.ASSERT | vector);
function sendTo(target: InterruptTarget, destination: number, low: number): void {
  write(target, LAPIC.ICR_HIGH, destination << 24);
  write(target, LAPIC.ICR_LOW, ICR.ASSERT | low);
}
const idOf = (target: InterruptTarget): number => read(target, LAPIC.ID) >>> 24;

export const isIn = (target: InterruptTarget, banks: number, vector: number): boolean =>
  (read(target, banks + (vector >> 5) * LAPIC.BANK_STRIDE) & (1 << (vector & 31))) !== 0;
const banksOf = (target: InterruptTarget, banks: number): string =>
  list(Array.from({ length: 8 }, (_, bank) => read(target, banks + bank * LAPIC.BANK_STRIDE)));
const EMPTY = list([0, 0, 0, 0, 0, 0, 0, 0]);

function isServing(target: InterruptTarget): boolean {
  for (let bank = 7; bank >= 0; bank--) if (read(target, LAPIC.ISR + bank * LAPIC.BANK_STRIDE) !== 0) return true;
  return false;
}

/** A state that every case starts from: enabled, nothing requested or in service, all entries masked, timer stopped. */
export function prepareLapic(target: InterruptTarget): void {
  write(target, LAPIC.SVR, SVR.ENABLE | SPURIOUS);
  for (const entry of ENTRIES) write(target, entry, LVT.MASKED);
  write(target, LAPIC.TIMER_ICR, 0);
  write(target, LAPIC.TIMER_DCR, DIVIDE[1]);
  write(target, LAPIC.TPR, 0);
  write(target, LAPIC.DFR, 0xffff_ffff);
  write(target, LAPIC.LDR, 1 << 24);
  for (let vector = 0; vector < 256 && isServing(target); vector++) end(target);
  for (let vector = 0; vector < 256 && target.takeVector() >= 0; vector++) end(target);
  target.takeNmis();
  for (let twice = 0; twice < 2; twice++) write(target, LAPIC.ESR, 0);
}

const VECTOR = 0x61;
/** Of the same priority class as VECTOR, and of the next. */
const [SAME_CLASS, HIGHER] = [0x6e, 0x72];

/** Nanoseconds of `ticks` of the timer, rounded up. */
const nanosOf = (target: InterruptTarget, ticks: bigint, divisor = 1n): bigint =>
  (ticks * divisor * NANOS_PER_SECOND + target.busHz - 1n) / target.busHz;
/** Ticks by which a count that was read may be off. */
const slackTicks = (target: InterruptTarget): number => Number((target.slack * target.busHz) / NANOS_PER_SECOND);
function pass(target: InterruptTarget, duration: bigint): void {
  target.waitUntil(instant(target.now() + duration));
}
/** Takes and ends the timer's interrupts. @returns how many there were */
function countInterrupts(target: InterruptTarget): number {
  let count = 0;
  while (target.takeVector() === VECTOR) {
    end(target);
    count++;
  }
  return count;
}
/** Ticks of a count that a target with slack counts exactly enough. */
const COUNT = 1_000_000;

function startTimer(target: InterruptTarget, mode: number, count = COUNT): void {
  write(target, LAPIC.LVT_TIMER, mode | VECTOR);
  write(target, LAPIC.TIMER_ICR, count);
}

/** The errors since this was last asked. */
function takeErrors(target: InterruptTarget): number {
  write(target, LAPIC.ESR, 0);
  return read(target, LAPIC.ESR);
}

const REGISTERS: readonly InterruptCase[] = [
  {
    name: 'APIC Registers: an access that is not of 32 bits on a 128-bit boundary changes nothing',
    run: (target, expect) => {
      write(target, LAPIC.TPR, 0x50);
      const accesses: [number, Width][] = [
        [0, 1],
        [0, 2],
        [1, 1],
        [2, 2],
        [4, 4],
        [8, 4],
        [12, 4],
      ];
      for (const [within, width] of accesses) target.write(LAPIC_ADDRESS + LAPIC.TPR + within, width, 0x30n);
      expect.equal('TPR', read(target, LAPIC.TPR), 0x50);
    },
    qemuDiffers: '"32-bit loads and stores, aligned on 128-bit boundaries": QEMU ignores bits 3-0 of the address of a 32-bit access',
  },
  {
    name: 'Local APIC ID Register: bits 31-24 can be written, the others are 0',
    run: (target, expect) => {
      const before = read(target, LAPIC.ID);
      write(target, LAPIC.ID, 0x2bff_ffff);
      const seen = read(target, LAPIC.ID);
      write(target, LAPIC.ID, before);
      expect.equal('ID', seen, 0x2b00_0000);
    },
  },
  {
    name: 'APIC Version Register: an integrated APIC with entries 0 to 5, and read only',
    run: (target, expect) => {
      const version = read(target, LAPIC.VERSION);
      write(target, LAPIC.VERSION, 0);
      expect.equal('version', getField(version, VERSION.VERSION) >> 4, 1);
      expect.equal('last entry', getField(version, VERSION.MAX_LVT_ENTRY), 5);
      expect.equal('after a write', read(target, LAPIC.VERSION), version);
    },
  },
  {
    name: 'Task Priority Register: bits 7-0 are kept, the others are 0',
    run: (target, expect) => {
      for (const value of [0x00, 0x5a, 0xa5, 0xff]) {
        write(target, LAPIC.TPR, 0xffff_ff00 | value);
        expect.equal('TPR', read(target, LAPIC.TPR), value);
      }
    },
  },
  {
    name: 'Task Priority Register: interrupts of its class and below wait, those above are taken',
    run: (target, expect) => {
      write(target, LAPIC.TPR, VECTOR & 0xf0);
      raise(target, VECTOR);
      raise(target, SAME_CLASS);
      expect.equal('of its class', target.takeVector(), -1);
      raise(target, HIGHER);
      expect.equal('above', target.takeVector(), HIGHER);
    },
  },
  {
    name: 'Task Priority Register: what waited is taken once it is lowered',
    run: (target, expect) => {
      write(target, LAPIC.TPR, 0xff);
      raise(target, 0xfe);
      expect.equal('at FFh', target.takeVector(), -1);
      write(target, LAPIC.TPR, 0xef);
      expect.equal('at EFh', target.takeVector(), 0xfe);
    },
  },
  {
    name: 'Task Priority Register: the subclass, bits 3-0, holds nothing back',
    run: (target, expect) => {
      write(target, LAPIC.TPR, 0x5f);
      raise(target, VECTOR);
      expect.equal('vector', target.takeVector(), VECTOR);
    },
  },
  {
    name: 'Task Priority Register: CR8 is its bits 7-4, and clears bits 3-0',
    run: (target, expect) => {
      write(target, LAPIC.TPR, 0x7c);
      expect.equal('CR8', target.readCr8(), 7);
      target.writeCr8(9);
      expect.equal('TPR', read(target, LAPIC.TPR), 0x90);
      target.writeCr8(0);
    },
  },
  {
    name: 'Task Priority Register: CR8 holds interrupts back as TPR does',
    run: (target, expect) => {
      target.writeCr8(VECTOR >> 4);
      raise(target, VECTOR);
      const held = target.takeVector();
      target.writeCr8((VECTOR >> 4) - 1);
      expect.equal('held and let through', list([held, target.takeVector()]), list([-1, VECTOR]));
    },
  },
  {
    name: 'Arbitration Priority Register: TPR while it is of a higher class than all else, the highest class otherwise',
    run: (target, expect) => {
      write(target, LAPIC.TPR, 0x87);
      const byTask = read(target, LAPIC.APR);
      raise(target, 0xb3);
      const byRequest = read(target, LAPIC.APR);
      target.takeVector();
      expect.equal('by TPR, IRR, ISR', list([byTask, byRequest, read(target, LAPIC.APR)]), list([0x87, 0xb0, 0xb0]));
    },
    qemuDiffers: '"Arbitration priority" is compared from TPR, ISR and IRR: QEMU reads 0 always',
  },
  {
    name: 'Processor Priority Register: TPR, or the class of what is in service if that is higher',
    run: (target, expect) => {
      write(target, LAPIC.TPR, 0x23);
      const idle = read(target, LAPIC.PPR);
      raise(target, VECTOR);
      const requested = read(target, LAPIC.PPR);
      target.takeVector();
      const serving = read(target, LAPIC.PPR);
      write(target, LAPIC.TPR, 0x6b);
      const sameClass = read(target, LAPIC.PPR);
      end(target);
      expect.equal('PPR', list([idle, requested, serving, sameClass]), list([0x23, 0x23, 0x60, 0x6b]));
    },
  },
  {
    name: 'Processor Priority Register: read only',
    run: (target, expect) => {
      write(target, LAPIC.TPR, 0x23);
      write(target, LAPIC.PPR, 0xf0);
      expect.equal('PPR', read(target, LAPIC.PPR), 0x23);
    },
  },
  {
    name: 'End of Interrupt Register: ends the highest of what is in service, and no other',
    run: (target, expect) => {
      raise(target, VECTOR);
      target.takeVector();
      raise(target, HIGHER);
      target.takeVector();
      end(target);
      expect.equal('first', isIn(target, LAPIC.ISR, HIGHER), false);
      expect.equal('second', isIn(target, LAPIC.ISR, VECTOR), true);
      end(target);
      expect.equal('all', banksOf(target, LAPIC.ISR), EMPTY);
    },
  },
  {
    name: 'End of Interrupt Register: with nothing in service it does nothing',
    run: (target, expect) => {
      write(target, LAPIC.TPR, 0xf0);
      raise(target, VECTOR);
      end(target);
      expect.equal('requested', isIn(target, LAPIC.IRR, VECTOR), true);
    },
  },
  {
    name: 'End of Interrupt Register: any value ends',
    run: (target, expect) => {
      raise(target, VECTOR);
      target.takeVector();
      write(target, LAPIC.EOI, 0xffff_ffff);
      expect.equal('in service', isIn(target, LAPIC.ISR, VECTOR), false);
    },
  },
  {
    name: 'End of Interrupt Register: a read is an illegal one',
    run: (target, expect) => {
      read(target, LAPIC.EOI);
      expect.equal('errors', takeErrors(target), ESR.ILLEGAL_REGISTER);
    },
    qemuDiffers: '"Illegal Register Address": EOI can only be written; QEMU reads 0 and logs nothing',
  },
  {
    name: 'Logical Destination Register: bits 31-24 are kept, the others are 0',
    run: (target, expect) => {
      write(target, LAPIC.LDR, 0x5aff_ffff);
      expect.equal('LDR', read(target, LAPIC.LDR), 0x5a00_0000);
    },
  },
  {
    name: 'Destination Format Register: bits 31-28 are kept, the others are 1',
    run: (target, expect) => {
      write(target, LAPIC.DFR, 0);
      expect.equal('cluster', read(target, LAPIC.DFR), 0x0fff_ffff);
      write(target, LAPIC.DFR, 0xf000_0000);
      expect.equal('flat', read(target, LAPIC.DFR), 0xffff_ffff);
    },
  },
  {
    name: 'Spurious Interrupt Register: vector, software enable and focus checking are kept, the others are 0',
    run: (target, expect) => {
      write(target, LAPIC.SVR, 0xffff_efef);
      expect.equal('SVR', read(target, LAPIC.SVR), SVR.ENABLE | SVR.FOCUS_DISABLE | 0xef);
    },
    qemuDiffers: '"Bit 9: FCC" can be written: QEMU keeps bits 8-0 only',
  },
  {
    name: 'Spurious Interrupt Register: software disable masks all entries, and they stay so until it is enabled',
    run: (target, expect) => {
      for (const entry of ENTRIES) write(target, entry, 0x40);
      write(target, LAPIC.SVR, SPURIOUS);
      for (const entry of ENTRIES) write(target, entry, 0x40);
      for (const entry of ENTRIES) expect.equal(`entry ${entry.toString(16)}`, read(target, entry), LVT.MASKED | 0x40);
      write(target, LAPIC.SVR, SVR.ENABLE | SPURIOUS);
      expect.equal('enabled', read(target, LAPIC.LVT_TIMER), LVT.MASKED | 0x40);
    },
    qemuDiffers: '"all LVT entry mask bits are set and attempts to clear them are ignored": QEMU leaves them',
  },
  {
    name: 'Spurious Interrupt Register: while software disabled nothing more is accepted',
    run: (target, expect) => {
      write(target, LAPIC.SVR, SPURIOUS);
      raise(target, VECTOR);
      expect.equal('requested', isIn(target, LAPIC.IRR, VECTOR), false);
    },
    qemuDiffers: '"further fixed, lowest-priority, and ExtInt interrupts are not accepted": QEMU sets the IRR bit',
  },
  {
    name: 'Spurious Interrupt Register: what was requested before a software disable is held, and taken',
    run: (target, expect) => {
      write(target, LAPIC.TPR, 0xf0);
      raise(target, VECTOR);
      write(target, LAPIC.SVR, SPURIOUS);
      expect.equal('requested', isIn(target, LAPIC.IRR, VECTOR), true);
      write(target, LAPIC.TPR, 0);
      expect.equal('taken', target.takeVector(), VECTOR);
    },
    qemuDiffers: '"Pending interrupts in the IRR and ISR are held, but require masking or handling by the CPU": QEMU delivers none',
  },
  {
    name: 'Spurious Interrupt Register: a timer that is software disabled counts without an interrupt',
    run: (target, expect) => {
      startTimer(target, LVT.TIMER_ONE_SHOT);
      write(target, LAPIC.SVR, SPURIOUS);
      pass(target, nanosOf(target, BigInt(2 * COUNT)));
      expect.equal('count', read(target, LAPIC.TIMER_CCR), 0);
      write(target, LAPIC.SVR, SVR.ENABLE | SPURIOUS);
      expect.equal('taken', target.takeVector(), -1);
    },
    qemuDiffers: '"all LVT entry mask bits are set": QEMU requests the interrupt',
  },
];

const PRIORITIES: readonly InterruptCase[] = [
  {
    name: 'Interrupt Request Register: each vector has its bit',
    run: (target, expect) => {
      write(target, LAPIC.TPR, 0xff);
      // Those below are the CPU's exceptions, for which systems have no interrupt handlers.
      for (let vector = 32; vector <= 255; vector++) {
        raise(target, vector);
        if (!isIn(target, LAPIC.IRR, vector)) expect.equal('vector without its bit', vector, -1);
      }
      expect.equal('IRR', banksOf(target, LAPIC.IRR), list([0, ...Array<number>(7).fill(0xffff_ffff)]));
    },
  },
  {
    name: 'Interrupt Request Register: all that wait are taken, the highest vector first',
    run: (target, expect) => {
      write(target, LAPIC.TPR, 0xff);
      const vectors = [0x31, 0xf0, 0x42, 0x9f, 0x5e, 0x80];
      for (const vector of vectors) raise(target, vector);
      write(target, LAPIC.TPR, 0);
      const taken: number[] = [];
      for (let vector = target.takeVector(); vector >= 0; vector = target.takeVector()) {
        taken.push(vector);
        end(target);
      }
      expect.equal('taken', list(taken), list([0xf0, 0x9f, 0x80, 0x5e, 0x42, 0x31]));
    },
  },
  {
    name: 'Interrupt Request Register: an interrupt that is taken leaves it for ISR',
    run: (target, expect) => {
      raise(target, VECTOR);
      const before = [isIn(target, LAPIC.IRR, VECTOR), isIn(target, LAPIC.ISR, VECTOR)];
      target.takeVector();
      const after = [isIn(target, LAPIC.IRR, VECTOR), isIn(target, LAPIC.ISR, VECTOR)];
      expect.equal('IRR, ISR before and after', [...before, ...after].join(), 'true,false,false,true');
    },
  },
  {
    name: 'Interrupt Request Register: two of one vector that both wait are one',
    run: (target, expect) => {
      write(target, LAPIC.TPR, 0xf0);
      raise(target, VECTOR);
      raise(target, VECTOR);
      write(target, LAPIC.TPR, 0);
      const first = target.takeVector();
      end(target);
      expect.equal('taken', list([first, target.takeVector()]), list([VECTOR, -1]));
    },
  },
  {
    name: 'Interrupt Request Register: one of a vector that is in service waits for its end',
    run: (target, expect) => {
      raise(target, VECTOR);
      target.takeVector();
      raise(target, VECTOR);
      const during = target.takeVector();
      expect.equal('IRR and ISR', isIn(target, LAPIC.IRR, VECTOR) && isIn(target, LAPIC.ISR, VECTOR), true);
      end(target);
      expect.equal('during and after', list([during, target.takeVector()]), list([-1, VECTOR]));
    },
  },
  {
    name: 'Interrupt Request Register: read only, as are ISR and TMR',
    run: (target, expect) => {
      for (const banks of [LAPIC.ISR, LAPIC.TMR, LAPIC.IRR])
        for (let bank = 0; bank < 8; bank++) {
          const before = read(target, banks + bank * LAPIC.BANK_STRIDE);
          write(target, banks + bank * LAPIC.BANK_STRIDE, ~before);
          expect.equal(`${banks.toString(16)}, bank ${bank}`, read(target, banks + bank * LAPIC.BANK_STRIDE), before);
        }
    },
  },
  {
    name: 'Interrupt priority: a higher vector of the class in service waits',
    run: (target, expect) => {
      raise(target, VECTOR);
      target.takeVector();
      raise(target, SAME_CLASS);
      expect.equal('taken', target.takeVector(), -1);
    },
  },
  {
    name: 'Interrupt priority: each higher class interrupts the one in service',
    run: (target, expect) => {
      const classes = Array.from({ length: 14 }, (_, index) => ((index + 2) << 4) | (13 - index));
      const taken = classes.map((vector) => {
        raise(target, vector);
        return target.takeVector();
      });
      expect.equal('taken', list(taken), list(classes));
      for (const vector of classes.toReversed()) {
        expect.equal('PPR', read(target, LAPIC.PPR), vector & 0xf0);
        end(target);
      }
    },
  },
  {
    name: 'Interrupt priority: what a class kept waiting is taken at its end, and no lower',
    run: (target, expect) => {
      raise(target, VECTOR);
      target.takeVector();
      raise(target, HIGHER);
      target.takeVector();
      raise(target, VECTOR - 0x20);
      raise(target, SAME_CLASS);
      end(target);
      const afterFirst = target.takeVector();
      end(target);
      expect.equal('taken', list([afterFirst, target.takeVector()]), list([-1, SAME_CLASS]));
    },
  },
];

const ERRORS: readonly InterruptCase[] = [
  {
    name: 'Error Status Register: a reserved register is an illegal address, read or written',
    run: (target, expect) => {
      read(target, 0x040);
      expect.equal('read', takeErrors(target), ESR.ILLEGAL_REGISTER);
      write(target, 0x3a0, 0);
      expect.equal('written', takeErrors(target), ESR.ILLEGAL_REGISTER);
    },
  },
  {
    name: 'Error Status Register: errors show after a write, and go with the next',
    run: (target, expect) => {
      read(target, 0x040);
      const unasked = read(target, LAPIC.ESR);
      write(target, LAPIC.ESR, 0);
      const asked = [read(target, LAPIC.ESR), read(target, LAPIC.ESR)];
      write(target, LAPIC.ESR, 0);
      expect.equal('errors', list([unasked, ...asked, read(target, LAPIC.ESR)]), list([0, ESR.ILLEGAL_REGISTER, ESR.ILLEGAL_REGISTER, 0]));
    },
    qemuDiffers: '"write the register first": QEMU ignores writes, and shows what it logs at once',
  },
  {
    name: 'Error Status Register: a sent vector under 16 is illegal, and is not delivered',
    run: (target, expect) => {
      for (const vector of [0, 1, 15]) raise(target, vector);
      expect.equal('errors', takeErrors(target), ESR.SENT_ILLEGAL_VECTOR);
      expect.equal('IRR', banksOf(target, LAPIC.IRR), EMPTY);
    },
    notOn: NO_LOW_VECTORS,
  },
  {
    name: 'Error Status Register: an entry with a vector under 16 is illegal when it requests',
    run: (target, expect) => {
      write(target, LAPIC.LVT_TIMER, 7);
      write(target, LAPIC.TIMER_ICR, COUNT);
      const before = takeErrors(target);
      pass(target, nanosOf(target, BigInt(COUNT + 1)));
      expect.equal('errors', list([before, takeErrors(target)]), list([0, ESR.RECEIVED_ILLEGAL_VECTOR]));
    },
    notOn: NO_LOW_VECTORS,
  },
  {
    name: 'Error Status Register: what nobody accepts is a send accept error',
    run: (target, expect) => {
      sendTo(target, idOf(target) ^ 0x0e, VECTOR);
      expect.equal('errors', takeErrors(target), ESR.SENT_ACCEPT);
    },
    qemuDiffers: '"Sent accept error": QEMU logs nothing',
  },
  {
    name: 'Error Status Register: errors of several kinds gather',
    run: (target, expect) => {
      read(target, 0x040);
      raise(target, 3);
      expect.equal('errors', takeErrors(target), ESR.ILLEGAL_REGISTER | ESR.SENT_ILLEGAL_VECTOR);
    },
    notOn: NO_LOW_VECTORS,
  },
  {
    name: 'LVT Error: an error requests its interrupt; a write of ESR arms the next',
    run: (target, expect) => {
      write(target, LAPIC.LVT_ERROR, VECTOR);
      read(target, 0x040);
      const first = target.takeVector();
      end(target);
      read(target, 0x040);
      const second = target.takeVector();
      write(target, LAPIC.ESR, 0);
      read(target, 0x040);
      expect.equal('taken', list([first, second, target.takeVector()]), list([VECTOR, -1, VECTOR]));
    },
    qemuDiffers: '"APIC error interrupt": QEMU never requests one',
  },
  {
    name: 'LVT Error: masked, there is no interrupt',
    run: (target, expect) => {
      write(target, LAPIC.LVT_ERROR, LVT.MASKED | VECTOR);
      read(target, 0x040);
      expect.equal('taken', target.takeVector(), -1);
    },
  },
  {
    name: 'LVT Error: one with a vector under 16 is an error, and not one without end',
    run: (target, expect) => {
      write(target, LAPIC.LVT_ERROR, 9);
      read(target, 0x040);
      expect.equal('errors', takeErrors(target), ESR.ILLEGAL_REGISTER | ESR.RECEIVED_ILLEGAL_VECTOR);
    },
    qemuDiffers: '"APIC error interrupt": QEMU never requests one',
  },
];

const COMMANDS: readonly InterruptCase[] = [
  {
    name: 'Interrupt Command Register: both halves are kept; delivery status and reserved bits are 0',
    run: (target, expect) => {
      write(target, LAPIC.ICR_HIGH, 0xfeff_ffff);
      write(target, LAPIC.ICR_LOW, ALL_BUT_SELF | 0xfff0_0000 | 0x3000 | ICR.ASSERT | VECTOR);
      expect.equal('high', read(target, LAPIC.ICR_HIGH), 0xfe00_0000);
      expect.equal('low', read(target, LAPIC.ICR_LOW), ALL_BUT_SELF | ICR.ASSERT | VECTOR);
    },
    qemuDiffers: '"Reserved, MBZ": QEMU keeps all bits of both halves',
  },
  {
    name: 'Interrupt Command Register: writing the high half sends nothing',
    run: (target, expect) => {
      sendTo(target, idOf(target), VECTOR);
      target.takeVector();
      end(target);
      write(target, LAPIC.ICR_HIGH, idOf(target) << 24);
      expect.equal('taken', target.takeVector(), -1);
    },
  },
  {
    name: 'Destination Shorthand: self',
    run: (target, expect) => {
      write(target, LAPIC.ICR_LOW, SELF | VECTOR);
      expect.equal('taken', target.takeVector(), VECTOR);
    },
  },
  {
    name: 'Destination Shorthand: all including self',
    run: (target, expect) => {
      write(target, LAPIC.ICR_LOW, ALL | ICR.ASSERT | VECTOR);
      expect.equal('taken', target.takeVector(), VECTOR);
    },
  },
  {
    name: 'Destination Shorthand: all excluding self',
    run: (target, expect) => {
      write(target, LAPIC.ICR_LOW, ALL_BUT_SELF | ICR.ASSERT | VECTOR);
      expect.equal('requested', isIn(target, LAPIC.IRR, VECTOR), false);
    },
  },
  {
    name: 'Destination Shorthand: the destination field does not count then',
    run: (target, expect) => {
      write(target, LAPIC.ICR_HIGH, (idOf(target) ^ 0x0e) << 24);
      write(target, LAPIC.ICR_LOW, SELF | VECTOR);
      expect.equal('taken', target.takeVector(), VECTOR);
    },
  },
  {
    name: 'Destination, physical: the APIC of that ID, and it alone',
    run: (target, expect) => {
      sendTo(target, idOf(target) ^ 0x0e, VECTOR);
      const other = target.takeVector();
      sendTo(target, idOf(target), VECTOR);
      expect.equal('another ID, its own', list([other, target.takeVector()]), list([-1, VECTOR]));
    },
  },
  {
    name: 'Destination, physical: the ID is what was written to its register',
    run: (target, expect) => {
      const before = read(target, LAPIC.ID);
      write(target, LAPIC.ID, 0x0d00_0000);
      sendTo(target, 0x0d, VECTOR);
      write(target, LAPIC.ID, before);
      expect.equal('taken', target.takeVector(), VECTOR);
    },
  },
  {
    name: 'Destination, physical: FFh is all',
    run: (target, expect) => {
      sendTo(target, 0xff, VECTOR);
      expect.equal('taken', target.takeVector(), VECTOR);
    },
  },
  {
    name: 'Destination, logical flat: an APIC with one of the bits in LDR',
    run: (target, expect) => {
      write(target, LAPIC.LDR, 0x2400_0000);
      sendTo(target, 0xdb, ICR.LOGICAL | VECTOR);
      const none = target.takeVector();
      sendTo(target, 0x20, ICR.LOGICAL | VECTOR);
      expect.equal('no bit, one bit', list([none, target.takeVector()]), list([-1, VECTOR]));
    },
  },
  {
    name: 'Destination, logical flat: an LDR of 0 is no destination',
    run: (target, expect) => {
      write(target, LAPIC.LDR, 0);
      sendTo(target, 0x7f, ICR.LOGICAL | VECTOR);
      expect.equal('taken', target.takeVector(), -1);
    },
  },
  {
    name: 'Destination, logical cluster: the cluster in bits 7-4, its members in bits 3-0',
    run: (target, expect) => {
      write(target, LAPIC.DFR, 0);
      write(target, LAPIC.LDR, 0x3400_0000);
      const taken = [0x24, 0x3b, 0x36].map((destination) => {
        sendTo(target, destination, ICR.LOGICAL | VECTOR);
        return target.takeVector();
      });
      expect.equal('another cluster, another member, both', list(taken), list([-1, -1, VECTOR]));
    },
  },
  {
    name: 'Destination, logical cluster: cluster Fh is all clusters',
    run: (target, expect) => {
      write(target, LAPIC.DFR, 0);
      write(target, LAPIC.LDR, 0x3400_0000);
      sendTo(target, 0xf4, ICR.LOGICAL | VECTOR);
      expect.equal('taken', target.takeVector(), VECTOR);
    },
    qemuDiffers: '"broadcast to all clusters": QEMU compares the cluster as any other',
  },
  {
    name: 'Destination, logical: FFh is all',
    run: (target, expect) => {
      write(target, LAPIC.LDR, 0);
      sendTo(target, 0xff, ICR.LOGICAL | VECTOR);
      expect.equal('taken', target.takeVector(), VECTOR);
    },
    qemuDiffers: '"logical destination of all 1s" is a broadcast: QEMU looks for a common bit',
  },
  {
    name: 'Message Type: lowest priority is delivered as fixed where there is one APIC',
    run: (target, expect) => {
      sendTo(target, 0x01, ICR.LOGICAL | delivery(DELIVERY.LOWEST_PRIORITY) | VECTOR);
      expect.equal('taken', target.takeVector(), VECTOR);
    },
  },
  {
    name: 'Message Type: NMI takes no vector, and no priority holds it back',
    run: (target, expect) => {
      write(target, LAPIC.TPR, 0xff);
      sendTo(target, idOf(target), delivery(DELIVERY.NMI) | VECTOR);
      expect.equal('NMIs', target.takeNmis(), 1);
      expect.equal('IRR', banksOf(target, LAPIC.IRR), EMPTY);
    },
    notOn: NO_NMI,
  },
  {
    name: 'Trigger Mode: of a fixed message it does not count, and no end of interrupt is broadcast',
    run: (target, expect) => {
      write(target, LAPIC.ICR_LOW, SELF | ICR.ASSERT | ICR.TRIGGER_LEVEL | VECTOR);
      expect.equal('TMR', isIn(target, LAPIC.TMR, VECTOR), false);
    },
    qemuDiffers: '"Trigger Mode": for INIT level de-assert only; QEMU sets the TMR bit',
  },
  {
    name: 'Message Type: INIT de-assert does nothing',
    run: (target, expect) => {
      sendTo(target, idOf(target) ^ 0x0e, delivery(DELIVERY.INIT) | ICR.TRIGGER_LEVEL);
      expect.equal('IRR', banksOf(target, LAPIC.IRR), EMPTY);
    },
  },
];

const LOCAL_WRITABLE = 0x700 | 0xff | LVT.MASKED;
const LINT_WRITABLE = LOCAL_WRITABLE | LVT.POLARITY_LOW | LVT.TRIGGER_LEVEL;

const LOCAL_VECTORS: readonly InterruptCase[] = [
  ...(
    [
      ['APIC Timer', LAPIC.LVT_TIMER, 0xff | LVT.MASKED | LVT.TIMER_PERIODIC],
      ['Thermal', LAPIC.LVT_THERMAL, LOCAL_WRITABLE],
      ['Performance Counter', LAPIC.LVT_PERF, LOCAL_WRITABLE],
      ['LINT0', LAPIC.LVT_LINT0, LINT_WRITABLE],
      ['LINT1', LAPIC.LVT_LINT1, LINT_WRITABLE],
      ['Error', LAPIC.LVT_ERROR, 0xff | LVT.MASKED],
    ] as const
  ).map(([entry, offset, writable]): InterruptCase => ({
    name: `Local Vector Table, ${entry}: its fields are kept, delivery status, remote IRR and reserved bits are 0`,
    run: (target, expect) => {
      write(target, offset, 0xffff_ffff & ~LVT.TIMER_TSC_DEADLINE);
      expect.equal('all', read(target, offset), writable);
      write(target, offset, LVT.MASKED | 0x5a);
      expect.equal('vector', read(target, offset), LVT.MASKED | 0x5a);
    },
    qemuDiffers: '"Reserved, MBZ" and read-only bits: QEMU keeps what is written',
  })),
  {
    name: 'Local Vector Table: a masked entry may have any vector',
    run: (target, expect) => {
      for (const entry of ENTRIES) write(target, entry, LVT.MASKED);
      expect.equal('errors', takeErrors(target) & (ESR.SENT_ILLEGAL_VECTOR | ESR.RECEIVED_ILLEGAL_VECTOR), 0);
    },
  },
];

const TIMER: readonly InterruptCase[] = [
  {
    name: 'Initial Count Register: is kept, and reads back while the timer counts',
    run: (target, expect) => {
      write(target, LAPIC.TIMER_ICR, 0xfedc_ba98);
      pass(target, nanosOf(target, 1000n));
      expect.equal('initial', read(target, LAPIC.TIMER_ICR), 0xfedc_ba98);
    },
  },
  {
    name: 'Current Count Register: counts down from the initial count, a tick of the bus at a time',
    run: (target, expect) => {
      write(target, LAPIC.TIMER_ICR, COUNT);
      pass(target, nanosOf(target, 400_000n));
      expect.within('count', read(target, LAPIC.TIMER_CCR), 600_000 - slackTicks(target), 600_000);
    },
  },
  {
    name: 'Current Count Register: read only',
    run: (target, expect) => {
      write(target, LAPIC.TIMER_ICR, COUNT);
      write(target, LAPIC.TIMER_CCR, 5);
      expect.within('count', read(target, LAPIC.TIMER_CCR), COUNT - 3 * slackTicks(target), COUNT);
    },
  },
  {
    name: 'Initial Count Register: 0 stops the timer',
    run: (target, expect) => {
      startTimer(target, LVT.TIMER_PERIODIC);
      write(target, LAPIC.TIMER_ICR, 0);
      pass(target, nanosOf(target, BigInt(3 * COUNT)));
      expect.equal('count', read(target, LAPIC.TIMER_CCR), 0);
      expect.equal('taken', target.takeVector(), -1);
    },
  },
  {
    name: 'Initial Count Register: writing it starts a count anew',
    run: (target, expect) => {
      startTimer(target, LVT.TIMER_ONE_SHOT);
      pass(target, nanosOf(target, 900_000n));
      write(target, LAPIC.TIMER_ICR, COUNT);
      pass(target, nanosOf(target, 900_000n));
      const early = target.takeVector();
      pass(target, nanosOf(target, 110_000n));
      expect.equal('before and after', list([early, target.takeVector()]), list([-1, VECTOR]));
    },
  },
  {
    name: 'APIC Timer, one-shot: one interrupt when the count is 0, where it stays',
    run: (target, expect) => {
      startTimer(target, LVT.TIMER_ONE_SHOT);
      pass(target, nanosOf(target, BigInt(COUNT)) - 1n - target.slack);
      const early = target.takeVector();
      pass(target, 2n + 2n * target.slack);
      expect.equal('before and after', list([early, countInterrupts(target)]), list([-1, 1]));
      pass(target, nanosOf(target, BigInt(5 * COUNT)));
      expect.equal('later', countInterrupts(target), 0);
      expect.equal('count', read(target, LAPIC.TIMER_CCR), 0);
    },
  },
  {
    name: 'APIC Timer, one-shot: masked, it counts without an interrupt; unmasked after its end, it has none either',
    run: (target, expect) => {
      startTimer(target, LVT.MASKED);
      pass(target, nanosOf(target, 500_000n));
      expect.within('count', read(target, LAPIC.TIMER_CCR), 500_000 - slackTicks(target), 500_000);
      pass(target, nanosOf(target, BigInt(COUNT)));
      write(target, LAPIC.LVT_TIMER, VECTOR);
      expect.equal('taken', target.takeVector(), -1);
    },
  },
  {
    name: 'APIC Timer, one-shot: unmasked before its end, it interrupts then',
    run: (target, expect) => {
      startTimer(target, LVT.MASKED);
      pass(target, nanosOf(target, 500_000n));
      write(target, LAPIC.LVT_TIMER, VECTOR);
      const early = target.takeVector();
      pass(target, nanosOf(target, 500_001n));
      expect.equal('before and after', list([early, target.takeVector()]), list([-1, VECTOR]));
    },
  },
  {
    name: 'APIC Timer, one-shot: a count of 1 interrupts a tick later',
    run: (target, expect) => {
      startTimer(target, LVT.TIMER_ONE_SHOT, 1);
      pass(target, nanosOf(target, 1n) + target.slack);
      expect.equal('taken', countInterrupts(target), 1);
    },
  },
  {
    name: 'APIC Timer, one-shot: the vector is the one that the entry has when it interrupts',
    run: (target, expect) => {
      startTimer(target, LVT.TIMER_ONE_SHOT);
      write(target, LAPIC.LVT_TIMER, HIGHER);
      pass(target, nanosOf(target, BigInt(COUNT + 1)));
      expect.equal('taken', target.takeVector(), HIGHER);
    },
  },
  ...DIVISORS.map((divisor): InterruptCase => ({
    name: `Divide Configuration Register: ${DIVIDE[divisor].toString(2).padStart(4, '0')}b divides by ${divisor}`,
    run: (target, expect) => {
      write(target, LAPIC.TIMER_DCR, DIVIDE[divisor]);
      expect.equal('register', read(target, LAPIC.TIMER_DCR), DIVIDE[divisor]);
      write(target, LAPIC.TIMER_ICR, 100_000);
      pass(target, nanosOf(target, 40_000n, BigInt(divisor)));
      expect.within('count', read(target, LAPIC.TIMER_CCR), 60_000 - Math.ceil(slackTicks(target) / divisor), 60_000);
    },
  })),
  {
    name: 'Divide Configuration Register: bit 2 and bits above 3 are 0',
    run: (target, expect) => {
      write(target, LAPIC.TIMER_DCR, 0xffff_ffff);
      expect.equal('register', read(target, LAPIC.TIMER_DCR), 0b1011);
    },
  },
  {
    name: 'Divide Configuration Register: a count that is under way goes on from where it is, at the new rate',
    run: (target, expect) => {
      startTimer(target, LVT.TIMER_ONE_SHOT);
      pass(target, nanosOf(target, 500_000n));
      write(target, LAPIC.TIMER_DCR, DIVIDE[4]);
      expect.within('count', read(target, LAPIC.TIMER_CCR), 500_000 - slackTicks(target), 500_000);
      pass(target, nanosOf(target, 499_000n, 4n));
      const early = target.takeVector();
      pass(target, nanosOf(target, 1001n, 4n));
      expect.equal('before and after', list([early, target.takeVector()]), list([-1, VECTOR]));
    },
    qemuDiffers: '"Divide Configuration Register" sets the rate: QEMU divides the time since the start by the new one',
  },
  {
    name: 'APIC Timer, periodic: the first interrupt comes after one period [Xen 20: after 1.5]',
    run: (target, expect) => {
      startTimer(target, LVT.TIMER_PERIODIC);
      pass(target, nanosOf(target, BigInt(COUNT)) - 1n - target.slack);
      const early = target.takeVector();
      pass(target, 2n + 2n * target.slack);
      expect.equal('before and after', list([early, target.takeVector()]), list([-1, VECTOR]));
    },
  },
  {
    name: 'APIC Timer, periodic: an interrupt every initial count, without drift',
    run: (target, expect) => {
      const start = target.now();
      const count = Math.max(10_000, 10 * slackTicks(target));
      startTimer(target, LVT.TIMER_PERIODIC, count);
      const after = (periods: bigint): bigint => nanosOf(target, periods * BigInt(count));
      let interrupts = 0;
      for (let period = 1n; period <= 500n; period++) {
        target.waitUntil(instant(start + after(period) + 2n * target.slack));
        interrupts += countInterrupts(target);
      }
      expect.equal('interrupts of 500 periods', interrupts, 500);
      target.waitUntil(instant(start + after(501n) - 1n - target.slack));
      expect.equal('before the next', countInterrupts(target), 0);
    },
  },
  {
    name: 'APIC Timer, periodic: the current count starts again from the initial count',
    run: (target, expect) => {
      startTimer(target, LVT.TIMER_PERIODIC);
      pass(target, nanosOf(target, BigInt(COUNT) + 300_000n));
      expect.within('count', read(target, LAPIC.TIMER_CCR), 700_000 - slackTicks(target), 700_000 + slackTicks(target));
    },
  },
  {
    name: 'APIC Timer, periodic: periods that pass masked are not made up for, and the beat is kept',
    run: (target, expect) => {
      const start = target.now();
      startTimer(target, LVT.MASKED | LVT.TIMER_PERIODIC);
      target.waitUntil(instant(start + nanosOf(target, BigInt(5 * COUNT + 500_000))));
      write(target, LAPIC.LVT_TIMER, LVT.TIMER_PERIODIC | VECTOR);
      const atOnce = target.takeVector();
      target.waitUntil(instant(start + nanosOf(target, BigInt(6 * COUNT) + 100n) + 2n * target.slack));
      expect.equal('at once, and on the beat', list([atOnce, target.takeVector()]), list([-1, VECTOR]));
    },
  },
  {
    name: 'APIC Timer, periodic: changed to one-shot, the period under way is the last',
    run: (target, expect) => {
      startTimer(target, LVT.TIMER_PERIODIC);
      pass(target, nanosOf(target, BigInt(COUNT) + 500_000n));
      const first = countInterrupts(target);
      write(target, LAPIC.LVT_TIMER, LVT.TIMER_ONE_SHOT | VECTOR);
      pass(target, nanosOf(target, BigInt(4 * COUNT)));
      expect.equal('interrupts', list([first, countInterrupts(target)]), list([1, 1]));
    },
    qemuDiffers: '"one-shot": QEMU takes the first period for the only one, and it is over',
  },
  {
    name: 'APIC Timer, one-shot: changed to periodic, the count under way is the first period',
    run: (target, expect) => {
      const start = target.now();
      startTimer(target, LVT.TIMER_ONE_SHOT);
      target.waitUntil(instant(start + nanosOf(target, 500_000n)));
      write(target, LAPIC.LVT_TIMER, LVT.TIMER_PERIODIC | VECTOR);
      let count = 0;
      for (let period = 1n; period <= 3n; period++) {
        target.waitUntil(instant(start + nanosOf(target, period * BigInt(COUNT) + 100n) + 2n * target.slack));
        count += countInterrupts(target);
      }
      expect.equal('interrupts', count, 3);
    },
  },
  {
    name: 'APIC Timer, one-shot: changed to periodic after its end, it starts nothing',
    run: (target, expect) => {
      startTimer(target, LVT.TIMER_ONE_SHOT);
      pass(target, nanosOf(target, BigInt(COUNT + 10)));
      const first = countInterrupts(target);
      write(target, LAPIC.LVT_TIMER, LVT.TIMER_PERIODIC | VECTOR);
      pass(target, nanosOf(target, BigInt(3 * COUNT)));
      expect.equal('interrupts', list([first, countInterrupts(target)]), list([1, 0]));
    },
    qemuDiffers: '"writing the initial count" starts the timer: QEMU goes on as if it had been periodic from the start',
  },
  {
    name: 'APIC Timer: interrupts of periods in which the CPU took none are one',
    run: (target, expect) => {
      startTimer(target, LVT.TIMER_PERIODIC, 100_000);
      pass(target, nanosOf(target, 550_000n));
      expect.equal('interrupts', countInterrupts(target), 1);
    },
    notOn: { guest: 'missed ticks are an affair of the timer mode' },
  },
];

/** A deadline mode's entry, with its MSR 0. */
function startDeadline(target: InterruptTarget, ahead: bigint): bigint {
  write(target, LAPIC.LVT_TIMER, LVT.TIMER_TSC_DEADLINE | VECTOR);
  const deadline = target.readMsr(TSC_MSR) + ahead;
  target.writeMsr(TSC_DEADLINE_MSR, deadline);
  return deadline;
}
/** TSC ticks that are long for all targets. */
const AHEAD = 1_000_000n;
function passTsc(target: InterruptTarget, until: bigint): void {
  while (target.readMsr(TSC_MSR) < until) pass(target, 100n);
}

const DEADLINES: readonly InterruptCase[] = [
  {
    name: 'TSC-Deadline Mode: the MSR reads back what was written until the deadline',
    run: (target, expect) => {
      expect.equal('deadline', startDeadline(target, AHEAD), target.readMsr(TSC_DEADLINE_MSR));
    },
    notOn: NO_DEADLINE_MODE,
  },
  {
    name: 'TSC-Deadline Mode: one interrupt when the TSC is at the deadline',
    run: (target, expect) => {
      const deadline = startDeadline(target, AHEAD);
      passTsc(target, deadline - AHEAD / 10n);
      const early = target.takeVector();
      passTsc(target, deadline);
      pass(target, 1n + target.slack);
      const interrupts = countInterrupts(target);
      passTsc(target, deadline + AHEAD);
      expect.equal('before, at and after', list([early, interrupts, countInterrupts(target)]), list([-1, 1, 0]));
    },
    notOn: NO_DEADLINE_MODE,
  },
  {
    name: 'TSC-Deadline Mode: the MSR is 0 from its expiry on, not from the delivery on [Xen 20]',
    run: (target, expect) => {
      write(target, LAPIC.TPR, 0xf0);
      passTsc(target, startDeadline(target, AHEAD));
      expect.equal('deadline', target.readMsr(TSC_DEADLINE_MSR), 0n);
      write(target, LAPIC.TPR, 0);
      expect.equal('taken', target.takeVector(), VECTOR);
    },
    notOn: NO_DEADLINE_MODE,
  },
  {
    name: 'TSC-Deadline Mode: a deadline that is past interrupts at once',
    run: (target, expect) => {
      pass(target, 10_000n);
      write(target, LAPIC.LVT_TIMER, LVT.TIMER_TSC_DEADLINE | VECTOR);
      target.writeMsr(TSC_DEADLINE_MSR, 1n);
      pass(target, 1n + target.slack);
      expect.equal('taken', target.takeVector(), VECTOR);
      expect.equal('deadline', target.readMsr(TSC_DEADLINE_MSR), 0n);
    },
    notOn: NO_DEADLINE_MODE,
  },
  {
    name: 'TSC-Deadline Mode: 0 disarms',
    run: (target, expect) => {
      const deadline = startDeadline(target, AHEAD);
      target.writeMsr(TSC_DEADLINE_MSR, 0n);
      passTsc(target, deadline + AHEAD);
      expect.equal('taken', target.takeVector(), -1);
    },
    notOn: NO_DEADLINE_MODE,
  },
  {
    name: 'TSC-Deadline Mode: another deadline takes the place of the first',
    run: (target, expect) => {
      const first = startDeadline(target, AHEAD);
      target.writeMsr(TSC_DEADLINE_MSR, first + AHEAD);
      passTsc(target, first + AHEAD / 2n);
      const early = target.takeVector();
      passTsc(target, first + AHEAD);
      pass(target, 1n + target.slack);
      expect.equal('at the first and at the second', list([early, target.takeVector()]), list([-1, VECTOR]));
    },
    notOn: NO_DEADLINE_MODE,
  },
  {
    name: 'TSC-Deadline Mode: a write of the TSC moves the instant [Xen 20: it does not arm again]',
    run: (target, expect) => {
      const deadline = startDeadline(target, 1000n * AHEAD);
      target.writeMsr(TSC_MSR, deadline - AHEAD);
      passTsc(target, deadline - AHEAD / 2n);
      const early = target.takeVector();
      passTsc(target, deadline);
      pass(target, 1n + target.slack);
      expect.equal('before and at', list([early, target.takeVector()]), list([-1, VECTOR]));
    },
    notOn: NO_DEADLINE_MODE,
  },
  {
    name: 'TSC-Deadline Mode: a write of the TSC backwards puts it off',
    run: (target, expect) => {
      target.writeMsr(TSC_MSR, 100n * AHEAD);
      const deadline = startDeadline(target, AHEAD);
      target.writeMsr(TSC_MSR, deadline - 5n * AHEAD);
      passTsc(target, deadline - AHEAD);
      const early = target.takeVector();
      passTsc(target, deadline);
      pass(target, 1n + target.slack);
      expect.equal('before and at', list([early, target.takeVector()]), list([-1, VECTOR]));
    },
    notOn: NO_DEADLINE_MODE,
  },
  {
    name: 'TSC-Deadline Mode: a write of the TSC past the deadline interrupts at once',
    run: (target, expect) => {
      const deadline = startDeadline(target, 1000n * AHEAD);
      target.writeMsr(TSC_MSR, deadline + 1n);
      pass(target, 1n + target.slack);
      expect.equal('taken', target.takeVector(), VECTOR);
    },
    notOn: NO_DEADLINE_MODE,
  },
  {
    name: 'TSC-Deadline Mode: in other modes the MSR reads 0 and ignores writes',
    run: (target, expect) => {
      for (const mode of [LVT.TIMER_ONE_SHOT, LVT.TIMER_PERIODIC]) {
        write(target, LAPIC.LVT_TIMER, mode | VECTOR);
        target.writeMsr(TSC_DEADLINE_MSR, 1n);
        expect.equal('deadline', target.readMsr(TSC_DEADLINE_MSR), 0n);
      }
      pass(target, 1n + target.slack);
      expect.equal('taken', target.takeVector(), -1);
    },
    notOn: NO_DEADLINE_MODE,
  },
  {
    name: 'TSC-Deadline Mode: the initial count ignores writes, and the current count reads 0',
    run: (target, expect) => {
      startTimer(target, LVT.TIMER_TSC_DEADLINE);
      expect.equal('initial and current', list([read(target, LAPIC.TIMER_ICR), read(target, LAPIC.TIMER_CCR)]), list([0, 0]));
    },
    notOn: NO_DEADLINE_MODE,
  },
  {
    name: 'TSC-Deadline Mode: leaving it disarms the deadline',
    run: (target, expect) => {
      const deadline = startDeadline(target, AHEAD);
      write(target, LAPIC.LVT_TIMER, LVT.TIMER_ONE_SHOT | VECTOR);
      write(target, LAPIC.LVT_TIMER, LVT.TIMER_TSC_DEADLINE | VECTOR);
      expect.equal('deadline', target.readMsr(TSC_DEADLINE_MSR), 0n);
      passTsc(target, deadline);
      expect.equal('taken', target.takeVector(), -1);
    },
    notOn: NO_DEADLINE_MODE,
  },
  {
    name: 'TSC-Deadline Mode: entering it stops a count',
    run: (target, expect) => {
      startTimer(target, LVT.TIMER_PERIODIC);
      write(target, LAPIC.LVT_TIMER, LVT.TIMER_TSC_DEADLINE | VECTOR);
      write(target, LAPIC.LVT_TIMER, LVT.TIMER_PERIODIC | VECTOR);
      pass(target, nanosOf(target, BigInt(3 * COUNT)));
      expect.equal('taken', target.takeVector(), -1);
    },
    notOn: NO_DEADLINE_MODE,
  },
  {
    name: 'TSC-Deadline Mode: a deadline that passed masked is over',
    run: (target, expect) => {
      const deadline = startDeadline(target, AHEAD);
      write(target, LAPIC.LVT_TIMER, LVT.MASKED | LVT.TIMER_TSC_DEADLINE | VECTOR);
      passTsc(target, deadline + 1n);
      write(target, LAPIC.LVT_TIMER, LVT.TIMER_TSC_DEADLINE | VECTOR);
      expect.equal('taken', target.takeVector(), -1);
      expect.equal('deadline', target.readMsr(TSC_DEADLINE_MSR), 0n);
    },
    notOn: NO_DEADLINE_MODE,
  },
];

const BASE: readonly InterruptCase[] = [
  {
    name: 'APIC Base Address Register: enabled at FEE00000h, on the boot core',
    run: (target, expect) => {
      const base = target.readMsr(APIC_BASE_MSR);
      expect.equal('base', base, BigInt(LAPIC_ADDRESS) | APIC_BASE.ENABLE | APIC_BASE.BSC);
    },
  },
  {
    name: 'APIC Base Address Register: x2APIC mode without its feature, and reserved bits, are #GP',
    run: (target, expect) => {
      const base = target.readMsr(APIC_BASE_MSR);
      for (const bit of [APIC_BASE.EXTD, 1n << 9n, 1n << 63n, 1n])
        expect.equal(`bit ${bit.toString(16)}`, target.writeMsr(APIC_BASE_MSR, base | bit), false);
      expect.equal('base', target.readMsr(APIC_BASE_MSR), base);
    },
    qemuDiffers: '"Reserved, MBZ": QEMU ignores them',
  },
  {
    name: 'APIC Base Address Register: disabled, the page is none of the APIC, and it forgets all; enabled again, it is as after a reset',
    run: (target, expect) => {
      const base = target.readMsr(APIC_BASE_MSR);
      write(target, LAPIC.TPR, 0xf0);
      raise(target, VECTOR);
      target.writeMsr(APIC_BASE_MSR, base & ~APIC_BASE.ENABLE);
      const whileOff = read(target, LAPIC.TPR);
      target.writeMsr(APIC_BASE_MSR, base);
      expect.equal('off', whileOff, 0xffff_ffff);
      expect.equal(
        'TPR, SVR, LVT timer, DFR',
        list([read(target, LAPIC.TPR), read(target, LAPIC.SVR), read(target, LAPIC.LVT_TIMER), read(target, LAPIC.DFR)]),
        list([0, 0xff, LVT.MASKED, 0xffff_ffff]),
      );
      expect.equal('IRR', banksOf(target, LAPIC.IRR), EMPTY);
    },
    notOn: { qemu: 'QEMU enables it no more, by "if disabled, cannot be enabled again" of the Pentium' },
  },
];

export const LAPIC_CASES: readonly InterruptCase[] = [
  ...REGISTERS,
  ...PRIORITIES,
  ...ERRORS,
  ...COMMANDS,
  ...LOCAL_VECTORS,
  ...TIMER,
  ...DEADLINES,
  ...BASE,
].map((one) => ({
  ...one,
  run: (target, expect) => {
    prepareLapic(target);
    one.run(target, expect);
    prepareLapic(target);
  },
}));
