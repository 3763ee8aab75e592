/** Conformance cases of the I/O APIC: Intel 82093AA, "Register Description" and "Functional Description". */
import { getField } from '../../regs/bits.ts';
import { INDEX, INPUT_COUNT, IOAPIC, IOAPIC_ADDRESS, IOAPICVER, REDIRECTION } from '../../regs/i82093aa.ts';
import { OCW2, PIC } from '../../regs/i8259a.ts';
import { DELIVERY, LAPIC } from '../../regs/local-apic.ts';
import type { Width } from '../device.ts';
import { drive, list, takeAll, type InterruptCase, type InterruptTarget } from './interrupt-target.ts';
import { end, isIn, NO_LOW_VECTORS, NO_NMI, raise, read as readLapic, write as writeLapic } from './lapic.ts';
import { finishPic, MASTER, MASTER_BASE, preparePic } from './pic.ts';

const { MASKED, TRIGGER_LEVEL, REMOTE_IRR, DESTMOD_LOGICAL } = REDIRECTION;
const LEVEL = TRIGGER_LEVEL;
/** An input that no device of a target has, and its ISA line. */
const INPUT = 10;
const OTHER = 11;
const VECTOR = 0x61;
const FREE = [3, 5, 6, 7, 9, 10, 11, 12] as const;

function readIndex(target: InterruptTarget, index: number): number {
  target.write(IOAPIC_ADDRESS + IOAPIC.IOREGSEL, 4, BigInt(index));
  return Number(target.read(IOAPIC_ADDRESS + IOAPIC.IOWIN, 4));
}
function writeIndex(target: InterruptTarget, index: number, value: number): void {
  target.write(IOAPIC_ADDRESS + IOAPIC.IOREGSEL, 4, BigInt(index));
  target.write(IOAPIC_ADDRESS + IOAPIC.IOWIN, 4, BigInt(value >>> 0));
}
const low = (input: number): number => INDEX.IOREDTBL + 2 * input;
const readEntry = (target: InterruptTarget, input: number): number => readIndex(target, low(input));
const writeEntry = (target: InterruptTarget, input: number, value: number): void => writeIndex(target, low(input), value);
const setDestination = (target: InterruptTarget, input: number, destination: number): void =>
  writeIndex(target, low(input) + 1, destination << 24);
const mode = (delivery: number): number => delivery << REDIRECTION.DELMOD.shift;

export function prepareIoApic(target: InterruptTarget): void {
  for (const input of FREE) drive(target, input, false);
  const id = readLapic(target, LAPIC.ID) >>> 24;
  for (let input = 0; input < INPUT_COUNT; input++) {
    writeEntry(target, input, MASKED);
    setDestination(target, input, id);
  }
  finishPic(target);
}

function edge(target: InterruptTarget, input: number): void {
  drive(target, input, false);
  drive(target, input, true);
}
/** Takes and ends all that is deliverable, at most `most`. */
function serveAll(target: InterruptTarget, most = 50): number[] {
  const taken: number[] = [];
  for (let vector = target.takeVector(); vector >= 0; vector = target.takeVector()) {
    taken.push(vector);
    if (taken.length === most) break;
    end(target);
  }
  return taken;
}
const hasRemoteIrr = (target: InterruptTarget, input: number): boolean => (readEntry(target, input) & REMOTE_IRR) !== 0;

const REGISTERS: readonly InterruptCase[] = [
  {
    name: 'IOREGSEL: bits 7-0 are kept, the others are 0',
    run: (target, expect) => {
      target.write(IOAPIC_ADDRESS + IOAPIC.IOREGSEL, 4, 0xffff_ff15n);
      expect.equal('IOREGSEL', target.read(IOAPIC_ADDRESS + IOAPIC.IOREGSEL, 4), 0x15n);
    },
  },
  {
    name: 'IOWIN: must be accessed as a Dword: other widths change nothing',
    run: (target, expect) => {
      writeEntry(target, INPUT, MASKED | 0x44);
      const widths: Width[] = [1, 2];
      for (const width of widths) target.write(IOAPIC_ADDRESS + IOAPIC.IOWIN, width, 0x55n);
      expect.equal('entry', readEntry(target, INPUT), MASKED | 0x44);
    },
  },
  {
    name: 'IOAPICID: bits 27-24 are kept, the others are 0',
    run: (target, expect) => {
      writeIndex(target, INDEX.IOAPICID, 0xfaff_ffff);
      const seen = readIndex(target, INDEX.IOAPICID);
      writeIndex(target, INDEX.IOAPICID, 0);
      expect.equal('ID', seen, 0x0a00_0000);
    },
  },
  {
    name: 'IOAPICVER: version 11h, 24 entries, read only',
    run: (target, expect) => {
      writeIndex(target, INDEX.IOAPICVER, 0);
      expect.equal('IOAPICVER', readIndex(target, INDEX.IOAPICVER), 0x0017_0011);
    },
    qemuDiffers: '"APIC Version: 11h": QEMU is version 20h, which has an EOI register',
  },
  {
    name: 'IOAPICVER: the number of entries less one, read only',
    run: (target, expect) => {
      writeIndex(target, INDEX.IOAPICVER, 0);
      expect.equal('last entry', getField(readIndex(target, INDEX.IOAPICVER), IOAPICVER.MAX_REDIRECTION_ENTRY), INPUT_COUNT - 1);
    },
  },
  {
    name: 'IOAPICARB: is loaded with the ID, and read only',
    run: (target, expect) => {
      writeIndex(target, INDEX.IOAPICID, 0x0500_0000);
      writeIndex(target, INDEX.IOAPICARB, 0x0900_0000);
      const seen = readIndex(target, INDEX.IOAPICARB);
      writeIndex(target, INDEX.IOAPICID, 0);
      expect.equal('IOAPICARB', seen, 0x0500_0000);
    },
  },
  {
    name: 'IOREDTBL: each entry has its own two halves',
    run: (target, expect) => {
      for (let input = 0; input < INPUT_COUNT; input++) {
        writeEntry(target, input, MASKED | (0x40 + input));
        setDestination(target, input, 0x80 + input);
      }
      for (let input = 0; input < INPUT_COUNT; input++)
        expect.equal(
          `entry ${input}`,
          list([readEntry(target, input), readIndex(target, low(input) + 1)]),
          list([MASKED | (0x40 + input), ((0x80 + input) << 24) >>> 0]),
        );
    },
  },
  {
    name: 'IOREDTBL: delivery status and remote IRR can only be read, reserved bits are 0',
    run: (target, expect) => {
      writeEntry(target, INPUT, 0xffff_ffff);
      expect.equal('low', readEntry(target, INPUT), 0x0001_afff);
      writeIndex(target, low(INPUT) + 1, 0xffff_ffff);
      expect.equal('high', readIndex(target, low(INPUT) + 1), 0xff00_0000);
    },
    qemuDiffers: '"Reserved" bits of the high half: QEMU keeps them',
  },
  {
    name: 'IOREDTBL: polarity, trigger mode, destination mode and delivery mode read back',
    run: (target, expect) => {
      for (const field of [REDIRECTION.INTPOL_LOW, LEVEL, DESTMOD_LOGICAL, mode(DELIVERY.LOWEST_PRIORITY), mode(DELIVERY.EXTINT)]) {
        writeEntry(target, OTHER, MASKED | field | VECTOR);
        expect.equal('entry', readEntry(target, OTHER), MASKED | field | VECTOR);
      }
    },
  },
];

const EDGES: readonly InterruptCase[] = [
  {
    name: 'Interrupt Mask: an edge at a masked input is ignored, and is not delivered later [Xen 14: it is kept]',
    run: (target, expect) => {
      writeEntry(target, INPUT, MASKED | VECTOR);
      edge(target, INPUT);
      writeEntry(target, INPUT, VECTOR);
      expect.equal('taken', target.takeVector(), -1);
    },
  },
  {
    name: 'Trigger Mode, edge: one interrupt for each edge',
    run: (target, expect) => {
      writeEntry(target, INPUT, VECTOR);
      const counts = [1, 2, 3].map(() => {
        edge(target, INPUT);
        return serveAll(target).length;
      });
      drive(target, INPUT, false);
      expect.equal('interrupts, and after the fall', list([...counts, serveAll(target).length]), list([1, 1, 1, 0]));
    },
  },
  {
    name: 'Trigger Mode, edge: an input that stays high interrupts once',
    run: (target, expect) => {
      writeEntry(target, INPUT, VECTOR);
      drive(target, INPUT, true);
      const first = serveAll(target);
      drive(target, INPUT, true);
      expect.equal('taken', list([...first, ...serveAll(target)]), list([VECTOR]));
    },
    qemuDiffers: '"edge sensitive": QEMU takes each report of a high level for an edge',
  },
  {
    name: 'Trigger Mode, edge: TMR is 0, remote IRR stays 0',
    run: (target, expect) => {
      writeEntry(target, INPUT, VECTOR);
      edge(target, INPUT);
      target.takeVector();
      expect.equal('TMR', isIn(target, LAPIC.TMR, VECTOR), false);
      expect.equal('remote IRR', hasRemoteIrr(target, INPUT), false);
    },
  },
  {
    name: 'Trigger Mode, edge: edges that the CPU has not taken are one; one in service and one requested are two',
    run: (target, expect) => {
      writeEntry(target, INPUT, VECTOR);
      edge(target, INPUT);
      edge(target, INPUT);
      const first = target.takeVector();
      edge(target, INPUT);
      end(target);
      expect.equal('taken', list([first, ...serveAll(target)]), list([VECTOR, VECTOR]));
    },
  },
  {
    name: 'Interrupt Vector: 10h to FEh; two inputs may share one',
    run: (target, expect) => {
      writeEntry(target, INPUT, VECTOR);
      writeEntry(target, OTHER, VECTOR);
      edge(target, INPUT);
      const first = serveAll(target);
      edge(target, OTHER);
      expect.equal('taken', list([...first, ...serveAll(target)]), list([VECTOR, VECTOR]));
    },
  },
  {
    name: 'Interrupt Vector: under 10h nothing is delivered',
    run: (target, expect) => {
      for (const trigger of [0, LEVEL]) {
        writeEntry(target, INPUT, trigger | 0x0f);
        edge(target, INPUT);
        expect.equal('IRR', readLapic(target, LAPIC.IRR), 0);
        expect.equal('remote IRR', hasRemoteIrr(target, INPUT), false);
        drive(target, INPUT, false);
      }
    },
    notOn: NO_LOW_VECTORS,
  },
];

const LEVELS: readonly InterruptCase[] = [
  {
    name: 'Remote IRR: set when the local APIC accepts a level, reset by its EOI',
    run: (target, expect) => {
      writeEntry(target, INPUT, LEVEL | VECTOR);
      const before = hasRemoteIrr(target, INPUT);
      drive(target, INPUT, true);
      const accepted = hasRemoteIrr(target, INPUT);
      target.takeVector();
      drive(target, INPUT, false);
      const serving = hasRemoteIrr(target, INPUT);
      end(target);
      expect.equal('remote IRR', [before, accepted, serving, hasRemoteIrr(target, INPUT)].join(), 'false,true,true,false');
    },
  },
  {
    name: 'Trigger Mode, level: TMR is 1',
    run: (target, expect) => {
      writeEntry(target, INPUT, LEVEL | VECTOR);
      drive(target, INPUT, true);
      expect.equal('TMR', isIn(target, LAPIC.TMR, VECTOR), true);
      target.takeVector();
      drive(target, INPUT, false);
      end(target);
      raise(target, VECTOR);
      expect.equal('TMR of an edge after it', isIn(target, LAPIC.TMR, VECTOR), false);
    },
  },
  {
    name: 'Trigger Mode, level: a level that is still high at the EOI is delivered again, and once',
    run: (target, expect) => {
      writeEntry(target, INPUT, LEVEL | VECTOR);
      drive(target, INPUT, true);
      const first = target.takeVector();
      const during = target.takeVector();
      end(target);
      const second = target.takeVector();
      drive(target, INPUT, false);
      end(target);
      expect.equal('taken', list([first, during, second, target.takeVector()]), list([VECTOR, -1, VECTOR, -1]));
    },
  },
  {
    name: 'Trigger Mode, level: a level that fell after it was accepted is delivered all the same',
    run: (target, expect) => {
      writeEntry(target, INPUT, LEVEL | VECTOR);
      writeLapic(target, LAPIC.TPR, 0xf0);
      drive(target, INPUT, true);
      drive(target, INPUT, false);
      writeLapic(target, LAPIC.TPR, 0);
      expect.equal('taken', list(serveAll(target)), list([VECTOR]));
    },
  },
  {
    name: 'Trigger Mode, level: nothing more is sent while remote IRR is set, whatever the input does',
    run: (target, expect) => {
      writeEntry(target, INPUT, LEVEL | VECTOR);
      drive(target, INPUT, true);
      target.takeVector();
      edge(target, INPUT);
      expect.equal('IRR', isIn(target, LAPIC.IRR, VECTOR), false);
    },
  },
  {
    name: 'Interrupt Mask: a level at a masked input is delivered when it is not masked any more',
    run: (target, expect) => {
      writeEntry(target, INPUT, MASKED | LEVEL | VECTOR);
      drive(target, INPUT, true);
      const masked = target.takeVector();
      writeEntry(target, INPUT, LEVEL | VECTOR);
      expect.equal('masked and not', list([masked, target.takeVector()]), list([-1, VECTOR]));
    },
  },
  {
    name: 'Interrupt Mask: a level that came and went masked is nothing',
    run: (target, expect) => {
      writeEntry(target, INPUT, MASKED | LEVEL | VECTOR);
      drive(target, INPUT, true);
      drive(target, INPUT, false);
      writeEntry(target, INPUT, LEVEL | VECTOR);
      expect.equal('taken', target.takeVector(), -1);
    },
  },
  {
    name: 'Interrupt Mask: setting it does not take back what was accepted, and the EOI resets remote IRR',
    run: (target, expect) => {
      writeEntry(target, INPUT, LEVEL | VECTOR);
      drive(target, INPUT, true);
      writeEntry(target, INPUT, MASKED | LEVEL | VECTOR);
      const taken = target.takeVector();
      const remote = hasRemoteIrr(target, INPUT);
      end(target);
      expect.equal('taken', list([taken, target.takeVector()]), list([VECTOR, -1]));
      expect.equal('remote IRR', [remote, hasRemoteIrr(target, INPUT)].join(), 'true,false');
    },
  },
  {
    name: 'Remote IRR: an entry that is made edge-triggered loses it [Xen 9: a GSI can stay stuck]',
    run: (target, expect) => {
      writeEntry(target, INPUT, LEVEL | VECTOR);
      drive(target, INPUT, true);
      target.takeVector();
      writeEntry(target, INPUT, MASKED | VECTOR);
      writeEntry(target, INPUT, MASKED | LEVEL | VECTOR);
      expect.equal('remote IRR', hasRemoteIrr(target, INPUT), false);
    },
  },
  {
    name: 'Remote IRR: writing the entry leaves it',
    run: (target, expect) => {
      writeEntry(target, INPUT, LEVEL | VECTOR);
      drive(target, INPUT, true);
      target.takeVector();
      writeEntry(target, INPUT, LEVEL | VECTOR);
      setDestination(target, INPUT, readLapic(target, LAPIC.ID) >>> 24);
      expect.equal('remote IRR', hasRemoteIrr(target, INPUT), true);
      expect.equal('IRR', isIn(target, LAPIC.IRR, VECTOR), false);
    },
  },
  {
    name: 'EOI: it is for all inputs with the vector, and for no other',
    run: (target, expect) => {
      writeEntry(target, INPUT, LEVEL | VECTOR);
      writeEntry(target, OTHER, LEVEL | VECTOR);
      writeEntry(target, 12, LEVEL | (VECTOR + 0x10));
      for (const input of [INPUT, OTHER, 12]) drive(target, input, true);
      for (const input of [INPUT, OTHER, 12]) drive(target, input, false);
      const first = target.takeVector();
      end(target);
      const afterFirst = [INPUT, OTHER, 12].map((input) => hasRemoteIrr(target, input));
      target.takeVector();
      end(target);
      const afterSecond = [INPUT, OTHER, 12].map((input) => hasRemoteIrr(target, input));
      expect.equal('first', first, VECTOR + 0x10);
      expect.equal('remote IRR', [...afterFirst, ...afterSecond].join(), 'true,true,false,false,false,false');
    },
  },
  {
    name: 'EOI: the end of an edge-triggered interrupt of the same vector is none of a level',
    run: (target, expect) => {
      raise(target, VECTOR);
      target.takeVector();
      writeEntry(target, INPUT, LEVEL | (VECTOR + 0x10));
      drive(target, INPUT, true);
      drive(target, INPUT, false);
      target.takeVector();
      writeEntry(target, OTHER, LEVEL | VECTOR);
      drive(target, OTHER, true);
      drive(target, OTHER, false);
      end(target);
      expect.equal('the higher one', [hasRemoteIrr(target, INPUT), hasRemoteIrr(target, OTHER)].join(), 'false,true');
    },
  },
  {
    name: 'Trigger Mode: a high input that is made level-triggered is delivered at once',
    run: (target, expect) => {
      writeEntry(target, INPUT, MASKED | VECTOR);
      drive(target, INPUT, true);
      writeEntry(target, INPUT, LEVEL | VECTOR);
      expect.equal('taken', target.takeVector(), VECTOR);
    },
    qemuDiffers: 'a level is what the input carries: QEMU has forgotten it while the entry was edge-triggered and masked',
  },
  {
    name: 'Trigger Mode, level: a storm that nobody takes away goes on by its ends, one interrupt each',
    run: (target, expect) => {
      writeEntry(target, INPUT, LEVEL | VECTOR);
      drive(target, INPUT, true);
      expect.equal('interrupts', serveAll(target, 40).length, 40);
      drive(target, INPUT, false);
      end(target);
      expect.equal('afterwards', target.takeVector(), -1);
    },
  },
];

const DESTINATIONS: readonly InterruptCase[] = [
  {
    name: 'Destination Field, physical: the APIC with that ID, and it alone',
    run: (target, expect) => {
      const id = readLapic(target, LAPIC.ID) >>> 24;
      writeEntry(target, INPUT, VECTOR);
      setDestination(target, INPUT, id ^ 0x06);
      edge(target, INPUT);
      const other = target.takeVector();
      setDestination(target, INPUT, id);
      edge(target, INPUT);
      expect.equal('another ID, its own', list([other, target.takeVector()]), list([-1, VECTOR]));
    },
  },
  {
    name: 'Destination Field, physical: FFh is all',
    run: (target, expect) => {
      writeEntry(target, INPUT, VECTOR);
      setDestination(target, INPUT, 0xff);
      edge(target, INPUT);
      expect.equal('taken', target.takeVector(), VECTOR);
    },
  },
  {
    name: 'Destination Field, physical: only bits 59-56 of the entry are compared',
    run: (target, expect) => {
      writeEntry(target, INPUT, VECTOR);
      setDestination(target, INPUT, (readLapic(target, LAPIC.ID) >>> 24) | 0x70);
      edge(target, INPUT);
      expect.equal('taken', target.takeVector(), VECTOR);
    },
    qemuDiffers: '"In physical mode bits 59-56 contain an APIC ID": QEMU compares eight bits',
  },
  {
    name: 'Destination Field, logical: a set of APICs by LDR',
    run: (target, expect) => {
      writeLapic(target, LAPIC.LDR, 0x1000_0000);
      writeEntry(target, INPUT, DESTMOD_LOGICAL | VECTOR);
      setDestination(target, INPUT, 0xef);
      edge(target, INPUT);
      const none = target.takeVector();
      setDestination(target, INPUT, 0x30);
      edge(target, INPUT);
      expect.equal('without its bit, with it', list([none, target.takeVector()]), list([-1, VECTOR]));
    },
  },
  {
    name: 'Destination Field: a level for nobody is delivered when it is for somebody and the entry is written',
    run: (target, expect) => {
      writeEntry(target, INPUT, LEVEL | VECTOR);
      setDestination(target, INPUT, (readLapic(target, LAPIC.ID) >>> 24) ^ 0x06);
      drive(target, INPUT, true);
      const none = [target.takeVector(), hasRemoteIrr(target, INPUT) ? 1 : 0];
      setDestination(target, INPUT, readLapic(target, LAPIC.ID) >>> 24);
      writeEntry(target, INPUT, LEVEL | VECTOR);
      expect.equal('for nobody, for this one', list([...none, target.takeVector()]), list([-1, 0, VECTOR]));
    },
    qemuDiffers: '"Remote IRR is set when local APICs accept": QEMU sets it though nobody does',
  },
  {
    name: 'Delivery Mode: lowest priority is delivered as fixed where there is one APIC',
    run: (target, expect) => {
      writeLapic(target, LAPIC.LDR, 0x0100_0000);
      writeEntry(target, INPUT, DESTMOD_LOGICAL | mode(DELIVERY.LOWEST_PRIORITY) | VECTOR);
      setDestination(target, INPUT, 0xff);
      edge(target, INPUT);
      expect.equal('taken', target.takeVector(), VECTOR);
    },
  },
  {
    name: 'Delivery Mode: NMI ignores the vector',
    run: (target, expect) => {
      writeEntry(target, INPUT, mode(DELIVERY.NMI) | 2);
      edge(target, INPUT);
      expect.equal('NMIs', target.takeNmis(), 1);
      expect.equal('taken', target.takeVector(), -1);
    },
    notOn: NO_NMI,
  },
  {
    name: 'Delivery Mode: ExtINT of input 0 passes the 8259A on, whose vector it is',
    run: (target, expect) => {
      preparePic(target);
      writeLapic(target, LAPIC.LVT_LINT0, 1 << 16);
      writeEntry(target, 0, mode(DELIVERY.EXTINT));
      drive(target, 5, true);
      const taken = target.takeVector();
      target.out(MASTER + PIC.COMMAND, 1, OCW2.EOI);
      writeEntry(target, 0, MASKED);
      expect.equal('taken', taken, MASTER_BASE + 5);
    },
    qemuDiffers: 'the 8259A is wired to input 0 of a PC: in QEMU it is to LINT0 only',
  },
];

const WIRING: readonly InterruptCase[] = [
  {
    name: 'ISA lines (MADT): each reaches the input of its number',
    run: (target, expect) => {
      const taken = FREE.map((line) => {
        writeEntry(target, line, 0x40 + line);
        edge(target, line);
        return serveAll(target);
      });
      expect.equal('vectors', list(taken.flat()), list(FREE.map((line) => 0x40 + line)));
    },
  },
  {
    name: 'ISA lines (MADT): a line reaches the 8259A and the I/O APIC at once',
    run: (target, expect) => {
      preparePic(target);
      writeEntry(target, 5, VECTOR);
      drive(target, 5, true);
      const taken = takeAll(target, 5);
      target.out(MASTER + PIC.COMMAND, 1, OCW2.EOI);
      expect.equal('vectors', list(taken), list([MASTER_BASE + 5, VECTOR]));
    },
  },
];

export const IOAPIC_CASES: readonly InterruptCase[] = [...REGISTERS, ...EDGES, ...LEVELS, ...DESTINATIONS, ...WIRING].map((one) => ({
  ...one,
  run: (target, expect) => {
    prepareIoApic(target);
    one.run(target, expect);
    prepareIoApic(target);
  },
}));
