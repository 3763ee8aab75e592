/**
 * Conformance cases of the UART: National Semiconductor PC16550D, "Registers" and "FIFO Operation". What is received is looped back. Line
 * and modem interrupts are seen in IIR; the wire in the IRR of the 8259A, which needs no CPU.
 */
import { FCR, IER, IIR, LCR, LSR, MCR, MSR, RCVR_TRIGGERS, RECEIVE_FIFO_DEPTH, UART } from '../../regs/pc16550d.ts';
import { instant, micros } from '../../time/units.ts';
import { list, type InterruptCase, type InterruptTarget } from './interrupt-target.ts';
import { finishPic, MASTER, preparePic, readIrr } from './pic.ts';

interface Serial {
  readonly target: InterruptTarget;
  readonly read: (register: number) => number;
  readonly write: (register: number, value: number) => void;
  /** A byte is transmitted, and has left. */
  readonly send: (...bytes: readonly number[]) => void;
  /** What is pending, without the FIFOs' bits. */
  readonly pending: () => number;
  /** Whether the interrupt line is high: it is edge-triggered, and IRR follows it down. */
  readonly isLineHigh: () => boolean;
  /** Time in which all that is under way has come to its end, character timeouts included. */
  readonly settle: () => void;
}

const FIFOS = FCR.FIFO_ENABLE;
const trigger = (index: number): number => FIFOS | (index << FCR.RCVR_TRIGGER.shift);
/** A character of 10 bits takes 87 us at the divisor of 1 that cases use. */
const SETTLED = micros(2500);

function serialOf(target: InterruptTarget, port: number, irq: number): Serial {
  const read = (register: number): number => target.in(port + register, 1);
  const write = (register: number, value: number): void => target.out(port + register, 1, value);
  const settle = (): void => target.waitUntil(instant(target.now() + SETTLED));
  return {
    target,
    read,
    write,
    settle,
    send: (...bytes) => {
      for (const byte of bytes) {
        write(UART.THR, byte);
        settle();
      }
    },
    pending: () => read(UART.IIR) & 0x0f,
    isLineHigh: () => (readIrr(target, MASTER) & (1 << irq)) !== 0,
  };
}

function prepare(serial: Serial): void {
  const { read, write, settle } = serial;
  preparePic(serial.target);
  settle();
  write(UART.LCR, LCR.DLAB | LCR.WORD_8);
  write(UART.DLL, 1);
  write(UART.DLM, 0);
  write(UART.LCR, LCR.WORD_8);
  write(UART.IER, 0);
  write(UART.FCR, FIFOS | FCR.RCVR_RESET | FCR.XMIT_RESET);
  write(UART.FCR, 0);
  write(UART.MCR, MCR.LOOP);
  for (const register of [UART.RBR, UART.LSR, UART.MSR, UART.IIR]) read(register);
}

interface SerialCase extends Pick<InterruptCase, 'name' | 'qemuDiffers' | 'notOn'> {
  readonly run: (serial: Serial, expect: Parameters<InterruptCase['run']>[1]) => void;
}

const LINE: readonly SerialCase[] = [
  {
    name: 'Line Control Register: reads back',
    run: ({ read, write }, expect) => {
      for (const value of [0x5a, 0x25]) {
        write(UART.LCR, value);
        expect.equal('LCR', read(UART.LCR), value);
      }
      write(UART.LCR, LCR.WORD_8);
    },
  },
  {
    name: 'Line Control Register: DLAB puts the divisor latches in the place of RBR, THR and IER, which it leaves',
    run: ({ read, write }, expect) => {
      write(UART.IER, IER.ERBFI | IER.ELSI);
      write(UART.LCR, LCR.DLAB | LCR.WORD_8);
      write(UART.DLL, 0x34);
      write(UART.DLM, 0x12);
      const latch = [read(UART.DLL), read(UART.DLM)];
      write(UART.LCR, LCR.WORD_8);
      expect.equal('latches and IER', list([...latch, read(UART.IER)]), list([0x34, 0x12, IER.ERBFI | IER.ELSI]));
    },
  },
  {
    name: 'Line Control Register: bits 1-0 are the length of what is transmitted',
    run: ({ read, write, send }, expect) => {
      const received = [0, 1, 2, 3].map((length) => {
        write(UART.LCR, length);
        send(0xff);
        return read(UART.RBR);
      });
      write(UART.LCR, LCR.WORD_8);
      expect.equal('5 to 8 bits', list(received), list([0x1f, 0x3f, 0x7f, 0xff]));
    },
    qemuDiffers: '"Bits 0 and 1 specify the number of bits in each transmitted or received serial character": QEMU passes 8 on',
  },
  {
    name: 'Line Control Register: the break control bit makes the receiver see a break in loopback',
    run: ({ read, write, settle }, expect) => {
      write(UART.LCR, LCR.BREAK | LCR.WORD_8);
      settle();
      const status = read(UART.LSR);
      write(UART.LCR, LCR.WORD_8);
      settle();
      expect.equal('BI and DR', status & (LSR.BI | LSR.DR), LSR.BI | LSR.DR);
      expect.equal('character', read(UART.RBR), 0);
    },
    qemuDiffers: '"causes a break condition to be transmitted": QEMU does not loop it back',
  },
  {
    name: 'Line Status Register: idle, the transmitter is empty and nothing has come',
    run: ({ read }, expect) => expect.equal('LSR', read(UART.LSR), LSR.THRE | LSR.TEMT),
  },
  {
    name: 'Line Status Register: DR from the receiving of a character to the reading of RBR',
    run: ({ read, send }, expect) => {
      send(0x41);
      const before = read(UART.LSR) & LSR.DR;
      const byte = read(UART.RBR);
      expect.equal('DR, character, DR', list([before, byte, read(UART.LSR) & LSR.DR]), list([LSR.DR, 0x41, 0]));
    },
  },
  {
    name: 'Line Status Register: OE without FIFOs: the character that was not read is gone',
    run: ({ read, send }, expect) => {
      send(0x41, 0x42);
      const status = read(UART.LSR);
      expect.equal('OE', status & LSR.OE, LSR.OE);
      expect.equal('character', read(UART.RBR), 0x42);
      expect.equal('DR', read(UART.LSR) & LSR.DR, 0);
    },
  },
  {
    name: 'Line Status Register: OE with FIFOs: the FIFO keeps what it has',
    run: ({ read, write, send }, expect) => {
      write(UART.FCR, FIFOS);
      send(...Array.from({ length: RECEIVE_FIFO_DEPTH + 1 }, (_, index) => 0x41 + index));
      expect.equal('OE', read(UART.LSR) & LSR.OE, LSR.OE);
      const received = Array.from({ length: RECEIVE_FIFO_DEPTH }, () => read(UART.RBR));
      expect.equal('FIFO', list(received), list(received.map((_, index) => 0x41 + index)));
      expect.equal('DR', read(UART.LSR) & LSR.DR, 0);
    },
  },
  {
    name: 'Line Status Register: reading it resets OE',
    run: ({ read, send }, expect) => {
      send(0x41, 0x42);
      read(UART.LSR);
      expect.equal('OE', read(UART.LSR) & LSR.OE, 0);
    },
  },
  {
    name: 'Line Status Register: read only, as the modem status',
    run: ({ read, write }, expect) => {
      write(UART.LSR, LSR.OE | LSR.DR);
      write(UART.MSR, 0xff);
      expect.equal('LSR', read(UART.LSR), LSR.THRE | LSR.TEMT);
      expect.equal('deltas', read(UART.MSR) & 0x0f, 0);
    },
    notOn: { guest: 'the shim of the guest has no such write' },
  },
  {
    name: 'Scratch Register: holds a byte, and does nothing',
    run: ({ read, write, pending }, expect) => {
      for (const value of [0x55, 0xaa]) {
        write(UART.SCR, value);
        expect.equal('SCR', read(UART.SCR), value);
      }
      expect.equal('pending', pending(), IIR.NONE);
    },
  },
];

const QEMU_TIMEOUT =
  '"The receive data available interrupt [...] when the number of characters is at the trigger level": after a timeout QEMU names that';

const FIFO: readonly SerialCase[] = [
  {
    name: 'FIFO Control Register: bit 0 enables the FIFOs, which IIR bits 7 and 6 show',
    run: ({ read, write }, expect) => {
      const off = read(UART.IIR);
      write(UART.FCR, FIFOS);
      const on = read(UART.IIR);
      write(UART.FCR, 0);
      expect.equal('IIR', list([off, on, read(UART.IIR)]), list([IIR.NONE, IIR.FIFOS_ENABLED | IIR.NONE, IIR.NONE]));
    },
  },
  {
    name: 'FIFO Control Register: other bits are programmed with bit 0 only',
    run: ({ write, send, pending }, expect) => {
      write(UART.FCR, trigger(2));
      write(UART.IER, IER.ERBFI);
      write(UART.FCR, 0);
      write(UART.FCR, FIFOS);
      send(0x41);
      expect.equal('trigger of 1', pending(), IIR.DATA_AVAILABLE);
    },
    qemuDiffers: QEMU_TIMEOUT,
  },
  {
    name: 'FIFO Control Register: bit 1 clears the receiver FIFO',
    run: ({ read, write, send }, expect) => {
      write(UART.FCR, FIFOS);
      send(0x41, 0x42);
      write(UART.FCR, FIFOS | FCR.RCVR_RESET);
      expect.equal('DR', read(UART.LSR) & LSR.DR, 0);
    },
  },
  {
    name: 'FIFO Control Register: changing bit 0 clears the FIFOs',
    run: ({ read, write, send }, expect) => {
      write(UART.FCR, FIFOS);
      send(0x41, 0x42);
      write(UART.FCR, 0);
      const off = read(UART.LSR) & LSR.DR;
      send(0x43);
      write(UART.FCR, FIFOS);
      expect.equal('DR', list([off, read(UART.LSR) & LSR.DR]), list([0, 0]));
    },
  },
  {
    name: 'FIFO Control Register: bit 2 leaves the receiver FIFO, bit 1 is no state of its own',
    run: ({ read, write, send }, expect) => {
      write(UART.FCR, FIFOS | FCR.RCVR_RESET);
      send(0x41);
      write(UART.FCR, FIFOS | FCR.XMIT_RESET);
      send(0x42);
      expect.equal('characters', list([read(UART.RBR), read(UART.RBR)]), list([0x41, 0x42]));
    },
  },
  ...RCVR_TRIGGERS.map((level, index): SerialCase => ({
    name: `FIFO Interrupt Mode: received data is available from a trigger level of ${level} on, and not below it any more`,
    run: ({ read, write, send, pending }, expect) => {
      write(UART.FCR, trigger(index));
      write(UART.IER, IER.ERBFI);
      const seen: number[] = [];
      for (let count = 1; count <= level; count++) {
        send(0x40 + count);
        seen.push(pending());
      }
      expect.equal('at the level', seen.pop()!, IIR.DATA_AVAILABLE);
      expect.equal('below', list(seen), list(seen.map(() => IIR.CHARACTER_TIMEOUT)));
      read(UART.RBR);
      expect.equal('after a read', pending() === IIR.DATA_AVAILABLE, false);
    },
    qemuDiffers: QEMU_TIMEOUT,
  })),
  {
    name: 'FIFO Interrupt Mode: characters below the trigger level time out, and reading one of them ends that',
    run: ({ read, write, send, pending, settle }, expect) => {
      write(UART.FCR, trigger(3));
      write(UART.IER, IER.ERBFI);
      send(0x41, 0x42);
      settle();
      const first = pending();
      read(UART.RBR);
      read(UART.RBR);
      expect.equal('before and after', list([first, pending()]), list([IIR.CHARACTER_TIMEOUT, IIR.NONE]));
    },
  },
  {
    name: 'FIFO Interrupt Mode: a timeout needs ERBFI',
    run: ({ write, send, pending }, expect) => {
      write(UART.FCR, trigger(3));
      write(UART.IER, IER.ETBEI);
      send(0x41);
      pending();
      expect.equal('pending', pending(), IIR.NONE);
    },
  },
  {
    name: 'FIFO Polled Mode: characters come out in the order they came in',
    run: ({ read, write, send }, expect) => {
      write(UART.FCR, FIFOS);
      const sent = [0x30, 0x00, 0xff, 0x0d, 0x0a];
      send(...sent);
      expect.equal('received', list(sent.map(() => read(UART.RBR))), list(sent));
    },
  },
];

const INTERRUPTS: readonly SerialCase[] = [
  {
    name: 'Interrupt Enable Register: bits 3-0 are kept, the others are 0',
    run: ({ read, write }, expect) => {
      write(UART.IER, 0xff);
      expect.equal('IER', read(UART.IER), 0x0f);
    },
  },
  {
    name: 'Interrupt Enable Register: a source that is not enabled is not identified',
    run: ({ write, send, pending }, expect) => {
      send(0x41, 0x42);
      write(UART.MCR, MCR.LOOP | MCR.RTS);
      expect.equal('pending', pending(), IIR.NONE);
    },
  },
  {
    name: 'Interrupt Identification Register: received data, until RBR is read',
    run: ({ read, write, send, pending }, expect) => {
      write(UART.IER, IER.ERBFI);
      send(0x41);
      const before = [pending(), pending()];
      read(UART.RBR);
      expect.equal('pending', list([...before, pending()]), list([IIR.DATA_AVAILABLE, IIR.DATA_AVAILABLE, IIR.NONE]));
    },
  },
  {
    name: 'Interrupt Identification Register: line status, until LSR is read',
    run: ({ read, write, send, pending }, expect) => {
      write(UART.IER, IER.ELSI);
      send(0x41, 0x42);
      const before = pending();
      read(UART.LSR);
      expect.equal('pending', list([before, pending()]), list([IIR.LINE_STATUS, IIR.NONE]));
    },
  },
  {
    name: 'Interrupt Identification Register: THR empty, until IIR is read and names it',
    run: ({ write, pending }, expect) => {
      write(UART.IER, IER.ETBEI);
      expect.equal('pending', list([pending(), pending()]), list([IIR.THR_EMPTY, IIR.NONE]));
    },
  },
  {
    name: 'Interrupt Identification Register: a read that names another source leaves THR empty pending',
    run: ({ read, write, send, pending }, expect) => {
      send(0x41);
      write(UART.IER, IER.ERBFI | IER.ETBEI);
      const first = pending();
      read(UART.RBR);
      expect.equal('pending', list([first, pending()]), list([IIR.DATA_AVAILABLE, IIR.THR_EMPTY]));
    },
  },
  {
    name: 'Interrupt Identification Register: THR empty again with each character that has left it',
    run: ({ write, send, pending }, expect) => {
      write(UART.IER, IER.ETBEI);
      const seen = [0x41, 0x42].map((byte) => {
        pending();
        send(byte);
        return pending();
      });
      expect.equal('pending', list(seen), list([IIR.THR_EMPTY, IIR.THR_EMPTY]));
    },
  },
  {
    name: 'Interrupt Enable Register: enabling ETBEI with THR empty interrupts at once',
    run: ({ write, pending }, expect) => {
      write(UART.IER, IER.ETBEI);
      pending();
      write(UART.IER, 0);
      write(UART.IER, IER.ETBEI);
      expect.equal('pending', pending(), IIR.THR_EMPTY);
    },
  },
  {
    name: 'Interrupt Identification Register: modem status, until MSR is read',
    run: ({ read, write, pending }, expect) => {
      write(UART.IER, IER.EDSSI);
      write(UART.MCR, MCR.LOOP | MCR.DTR);
      const before = pending();
      read(UART.MSR);
      expect.equal('pending', list([before, pending()]), list([IIR.MODEM_STATUS, IIR.NONE]));
    },
    qemuDiffers: '"modem control interrupts are also operational" in loopback: QEMU has no modem changes there',
  },
  {
    name: 'Interrupt Identification Register: line status before data before THR empty before modem status',
    run: ({ read, write, send, pending }, expect) => {
      send(0x41, 0x42);
      write(UART.MCR, MCR.LOOP | MCR.DTR);
      write(UART.IER, IER.ALL);
      const seen = [pending()];
      read(UART.LSR);
      seen.push(pending());
      read(UART.RBR);
      seen.push(pending(), pending());
      read(UART.MSR);
      seen.push(pending());
      expect.equal('pending', list(seen), list([IIR.LINE_STATUS, IIR.DATA_AVAILABLE, IIR.THR_EMPTY, IIR.MODEM_STATUS, IIR.NONE]));
    },
    qemuDiffers: '"modem control interrupts are also operational" in loopback: QEMU has no modem changes there',
  },
];

const MODEM: readonly SerialCase[] = [
  {
    name: 'Modem Control Register: bits 4-0 are kept, the others are 0',
    run: ({ read, write }, expect) => {
      write(UART.MCR, 0xff);
      expect.equal('MCR', read(UART.MCR), 0x1f);
      write(UART.MCR, MCR.LOOP);
    },
  },
  {
    name: 'Modem Control Register, loopback: DTR, RTS, OUT1 and OUT2 are DSR, CTS, RI and DCD',
    run: ({ read, write }, expect) => {
      const seen = [0, MCR.DTR, MCR.RTS, MCR.OUT1, MCR.OUT2].map((output) => {
        write(UART.MCR, MCR.LOOP | output);
        return read(UART.MSR) & 0xf0;
      });
      expect.equal('MSR', list(seen), list([0, MSR.DSR, MSR.CTS, MSR.RI, MSR.DCD]));
    },
  },
  {
    name: 'Modem Status Register: DCTS, DDSR and DDCD with each change, both ways',
    run: ({ read, write }, expect) => {
      const seen = [MCR.RTS, MCR.DTR, MCR.OUT2].flatMap((output) =>
        [MCR.LOOP | output, MCR.LOOP].map((value) => {
          write(UART.MCR, value);
          return read(UART.MSR) & 0x0f;
        }),
      );
      expect.equal('deltas', list(seen), list([MSR.DCTS, MSR.DCTS, MSR.DDSR, MSR.DDSR, MSR.DDCD, MSR.DDCD]));
    },
    qemuDiffers: '"Delta" bits of what changed: QEMU has none in loopback',
  },
  {
    name: 'Modem Status Register: TERI at the end of RI only',
    run: ({ read, write }, expect) => {
      write(UART.MCR, MCR.LOOP | MCR.OUT1);
      const begun = read(UART.MSR) & 0x0f;
      write(UART.MCR, MCR.LOOP);
      expect.equal('begun and ended', list([begun, read(UART.MSR) & 0x0f]), list([0, MSR.TERI]));
    },
    qemuDiffers: '"Trailing Edge of Ring Indicator": QEMU has no changes in loopback',
  },
  {
    name: 'Modem Status Register: changes gather until it is read, and are gone then',
    run: ({ read, write }, expect) => {
      write(UART.MCR, MCR.LOOP | MCR.RTS);
      write(UART.MCR, MCR.LOOP | MCR.RTS | MCR.DTR);
      write(UART.MCR, MCR.LOOP | MCR.DTR);
      const seen = read(UART.MSR);
      expect.equal('once and again', list([seen, read(UART.MSR)]), list([MSR.DSR | MSR.DCTS | MSR.DDSR, MSR.DSR]));
    },
    qemuDiffers: '"Delta" bits of what changed: QEMU has none in loopback',
  },
];

const WIRE: readonly SerialCase[] = [
  {
    name: 'INTR (on a PC): high while an interrupt is pending and OUT2 is set, outside loopback',
    run: ({ write, pending, isLineHigh }, expect) => {
      write(UART.MCR, MCR.OUT2);
      const idle = isLineHigh();
      write(UART.IER, IER.ETBEI);
      const high = isLineHigh();
      pending();
      expect.equal('line', [idle, high, isLineHigh()].join(), 'false,true,false');
    },
    qemuDiffers: 'an edge that has fallen is no request of the 8259A any more: QEMU keeps its latch',
  },
  {
    name: 'INTR (on a PC): without OUT2 the line stays low',
    run: ({ write, isLineHigh }, expect) => {
      write(UART.MCR, 0);
      write(UART.IER, IER.ETBEI);
      expect.equal('line', isLineHigh(), false);
    },
    qemuDiffers: 'OUT2 gates the interrupt on a PC: QEMU does not look at it',
  },
  {
    name: 'INTR (on a PC): in loopback OUT2 is inactive, whatever MCR says',
    run: ({ write, isLineHigh }, expect) => {
      write(UART.MCR, MCR.LOOP | MCR.OUT2);
      write(UART.IER, IER.ETBEI);
      expect.equal('line', isLineHigh(), false);
    },
    qemuDiffers: '"the MODEM Control output pins are forced to their inactive state": QEMU does not look at OUT2',
  },
  {
    name: 'INTR (on a PC): it falls when the interrupt is disabled',
    run: ({ write, isLineHigh }, expect) => {
      write(UART.MCR, MCR.OUT2);
      write(UART.IER, IER.ETBEI);
      write(UART.IER, 0);
      expect.equal('line', isLineHigh(), false);
    },
    qemuDiffers: 'an edge that has fallen is no request of the 8259A any more: QEMU keeps its latch',
  },
];

/** @param at base port and ISA line of a UART that the cases have for themselves */
export const uartCases = (at: { readonly PORT: number; readonly IRQ: number }): readonly InterruptCase[] =>
  [...LINE, ...FIFO, ...INTERRUPTS, ...MODEM, ...WIRE].map(({ run, ...rest }) => ({
    ...rest,
    run: (target, expect) => {
      const serial = serialOf(target, at.PORT, at.IRQ);
      prepare(serial);
      run(serial, expect);
      prepare(serial);
      finishPic(target);
    },
  }));
