import { describe, expect, it } from 'vitest';
import { testConformance } from '../../test/conformance.ts';
import { COM1, FCR, IER, IIR, LCR, LSR, MCR, MSR, RECEIVE_FIFO_DEPTH, TRANSMIT_FIFO_DEPTH, UART } from '../regs/pc16550d.ts';
import { createManualGuestClock } from '../testing/guest-clock.ts';
import { createInterruptPlatform } from '../testing/interrupt-platform.ts';
import { createRandom } from '../testing/random.ts';
import { instant } from '../time/units.ts';
import { uartCases } from './conformance/uart.ts';
import { REQUEST } from './device.ts';
import { createVirtualUart, LINE_MAX } from './vuart.ts';

describe.each([
  ['that takes no time', false],
  ['that takes its time', true],
])('conformance of one %s', (_, uartTakesTime) => {
  testConformance(uartCases(COM1), () => createInterruptPlatform({ uartTakesTime }).target);
});

function create(takesTime = false) {
  const clock = createManualGuestClock();
  const text: string[] = [];
  const misuses: string[] = [];
  /** Levels of the interrupt line, as they change. */
  const levels: boolean[] = [];
  const uart = createVirtualUart({
    clock,
    createTimer: clock.createTimer,
    line: {
      pulse: () => REQUEST.DROPPED,
      setLevel: (isHigh) => {
        if (isHigh !== (levels.at(-1) ?? false)) levels.push(isHigh);
      },
    },
    onLine: (bytes, isCut) => text.push(String.fromCharCode(...bytes) + (isCut ? '+' : '')),
    onMisuse: (what) => misuses.push(what),
    takesTime,
  });
  const write = (register: number, value: number): void => uart.write(register, 1, value);
  const read = (register: number): number => uart.read(register, 1);
  write(UART.LCR, LCR.WORD_8 | LCR.DLAB);
  write(UART.DLL, 1);
  write(UART.LCR, LCR.WORD_8);
  return {
    clock,
    text,
    misuses,
    levels,
    uart,
    write,
    read,
    print: (string: string) => {
      for (const character of string) write(UART.THR, character.charCodeAt(0));
    },
  };
}

describe('what is transmitted', () => {
  it('comes out in lines, without their ends', () => {
    const { print, text } = create();
    print('one\r\ntwo\n\nthree');
    expect(text).toEqual(['one', 'two', '']);
  });

  it('comes out at LINE_MAX bytes without an end, and on demand', () => {
    const { print, text, uart } = create();
    print('x'.repeat(LINE_MAX + 3));
    expect(text).toEqual([`${'x'.repeat(LINE_MAX)}+`]);
    uart.flush();
    uart.flush();
    expect(text.slice(1)).toEqual(['xxx+']);
  });

  it('is no line in loopback', () => {
    const { print, text, write } = create();
    write(UART.MCR, MCR.LOOP);
    print('secret\n');
    expect(text).toEqual([]);
  });

  it('is eight bits of a byte at most', () => {
    const { write, text } = create();
    write(UART.THR, 0xe9);
    write(UART.THR, 0x0a);
    expect(text).toEqual(['\u00e9']);
  });
});

describe('a byte that takes its time', () => {
  /** Bits of a character in halves, at a divisor of 1: 8 clocks of 1.8432 MHz each. */
  const halvesToNanos = (halves: bigint): bigint => (halves * 8n * 1_000_000_000n + 1_843_199n) / 1_843_200n;

  it.each([
    ['8 data bits', LCR.WORD_8, 20n],
    ['5 data bits', 0, 14n],
    ['5 data bits, 1.5 stop bits', LCR.STB, 15n],
    ['7 data bits, parity, 2 stop bits', 2 | LCR.PEN | LCR.STB, 22n],
  ])('has left after start, data, parity and stop bits, and not a nanosecond before: %s', (_, lcr, halves) => {
    const { clock, read, write } = create(true);
    write(UART.LCR, lcr);
    write(UART.THR, 0x41);
    expect(read(UART.LSR)).toBe(LSR.THRE);
    clock.pass(halvesToNanos(halves) - 1n);
    expect(read(UART.LSR)).toBe(LSR.THRE);
    clock.pass(1n);
    expect(read(UART.LSR)).toBe(LSR.THRE | LSR.TEMT);
  });

  it('takes 16 clocks for each unit of the divisor, 65536 of them if it is 0', () => {
    const { clock, read, write } = create(true);
    write(UART.LCR, LCR.WORD_8 | LCR.DLAB);
    write(UART.DLL, 0);
    write(UART.LCR, LCR.WORD_8);
    write(UART.THR, 0x41);
    const due = (10n * 16n * 65_536n * 1_000_000_000n + 1_843_199n) / 1_843_200n;
    clock.pass(due - 1n);
    expect(read(UART.LSR)).toBe(LSR.THRE);
    clock.pass(1n);
    expect(read(UART.LSR)).toBe(LSR.THRE | LSR.TEMT);
  });

  it('is followed by those in the FIFO without a gap', () => {
    const { clock, print, write, text, read, levels } = create(true);
    write(UART.FCR, FCR.FIFO_ENABLE);
    write(UART.MCR, MCR.OUT2);
    write(UART.IER, IER.ETBEI);
    read(UART.IIR);
    print(`${'a'.repeat(TRANSMIT_FIFO_DEPTH - 1)}\n`);
    expect(levels).toEqual([true, false, true, false]);
    const byte = halvesToNanos(20n);
    clock.pass(byte * 15n - 1n);
    expect([read(UART.LSR) & LSR.THRE, levels.at(-1)]).toEqual([0, false]);
    clock.pass(1n);
    // The last is in the shift register.
    expect([read(UART.LSR), levels.at(-1), text.length]).toEqual([LSR.THRE, true, 0]);
    clock.pass(byte);
    expect([read(UART.LSR), text]).toEqual([LSR.THRE | LSR.TEMT, ['aaaaaaaaaaaaaaa']]);
  });

  it('is lost and counted if it is written over one that waits, and the rest is kept', () => {
    const { clock, print, write, text, misuses } = create(true);
    write(UART.FCR, FCR.FIFO_ENABLE);
    print('0123456789abcdefg');
    expect(misuses).toEqual([]);
    print('h\n');
    expect(misuses).toHaveLength(2);
    clock.pass(10_000_000n);
    expect(text).toEqual(['0123456789abcdef']);
  });

  it('waits no more after the transmitter FIFO was reset', () => {
    const { clock, print, write, read, uart, text } = create(true);
    write(UART.FCR, FCR.FIFO_ENABLE);
    print('abc');
    write(UART.FCR, FCR.FIFO_ENABLE | FCR.XMIT_RESET);
    expect(read(UART.LSR)).toBe(LSR.THRE);
    clock.pass(10_000_000n);
    uart.flush();
    expect([read(UART.LSR), text]).toEqual([LSR.THRE | LSR.TEMT, ['a+']]);
  });

  it('that came in times out four characters later, and each read or character begins that anew', () => {
    const { clock, write, read, uart } = create(true);
    const character = halvesToNanos(20n);
    write(UART.FCR, FCR.FIFO_ENABLE | (2 << FCR.RCVR_TRIGGER.shift));
    write(UART.IER, IER.ERBFI);
    const pending = (): number => read(UART.IIR) & 0x0f;
    uart.receive(0x41);
    clock.pass(4n * character - 1n);
    uart.receive(0x42);
    clock.pass(4n * character - 1n);
    expect(pending()).toBe(IIR.NONE);
    clock.pass(1n);
    expect(pending()).toBe(IIR.CHARACTER_TIMEOUT);
    read(UART.RBR);
    expect(pending()).toBe(IIR.NONE);
    clock.pass(4n * character);
    expect(pending()).toBe(IIR.CHARACTER_TIMEOUT);
  });
});

describe('what is received', () => {
  it('shows its errors when it is the next to be read, and that there are some before', () => {
    const { uart, write, read } = create();
    write(UART.FCR, FCR.FIFO_ENABLE);
    uart.receive(0x41);
    uart.receive(0x42, LSR.PE | LSR.FE);
    expect(read(UART.LSR)).toBe(LSR.THRE | LSR.TEMT | LSR.DR | LSR.RCVR_FIFO_ERROR);
    read(UART.RBR);
    expect(read(UART.LSR)).toBe(LSR.THRE | LSR.TEMT | LSR.DR | LSR.PE | LSR.FE | LSR.RCVR_FIFO_ERROR);
    expect(read(UART.LSR)).toBe(LSR.THRE | LSR.TEMT | LSR.DR);
  });

  it('finds room while there is some, and is an overrun otherwise', () => {
    const { uart, write, read } = create();
    write(UART.FCR, FCR.FIFO_ENABLE);
    for (let count = 0; count < RECEIVE_FIFO_DEPTH; count++) {
      expect(uart.hasRoom()).toBe(true);
      uart.receive(count);
    }
    expect([uart.hasRoom(), read(UART.LSR) & LSR.OE]).toEqual([false, 0]);
    uart.receive(0xff);
    expect(read(UART.LSR) & LSR.OE).toBe(LSR.OE);
  });

  it('goes nowhere in loopback', () => {
    const { uart, write, read } = create();
    write(UART.MCR, MCR.LOOP);
    uart.receive(0x41);
    expect([uart.hasRoom(), read(UART.LSR) & LSR.DR]).toEqual([false, 0]);
  });
});

describe('the modem', () => {
  it('is there from the start, and its changes are seen', () => {
    const { uart, read } = create();
    expect(read(UART.MSR)).toBe(MSR.CTS | MSR.DSR | MSR.DCD);
    uart.setModem(MSR.CTS | MSR.RI);
    expect(read(UART.MSR)).toBe(MSR.CTS | MSR.RI | MSR.DDSR | MSR.DDCD);
    uart.setModem(MSR.CTS);
    expect(read(UART.MSR)).toBe(MSR.CTS | MSR.TERI);
  });
});

describe('misuse', () => {
  it('is counted: accesses of more than a byte, which act as their bytes', () => {
    const { uart, misuses } = create();
    uart.write(UART.MSR, 2, 0x5a_00);
    expect(uart.read(UART.MSR, 2)).toBe(0x5ab0);
    expect(uart.read(UART.SCR, 4)).toBe(0xffff_ff5a);
    expect(misuses).toHaveLength(4);
  });

  it('of any kind leaves a UART that works', () => {
    const random = createRandom(17);
    for (const takesTime of [false, true])
      for (let round = 0; round < 50; round++) {
        const { uart, clock, write, read, print, text } = create(takesTime);
        for (let count = 0; count < 200; count++) {
          write(random.integer(UART.COUNT), random.integer(256));
          read(random.integer(UART.COUNT));
          uart.receive(random.integer(256), random.integer(256));
          if (random.integer(4) === 0) clock.pass(BigInt(random.integer(1_000_000)));
        }
        uart.reset();
        uart.flush();
        text.length = 0;
        write(UART.LCR, LCR.WORD_8 | LCR.DLAB);
        write(UART.DLL, 1);
        write(UART.DLM, 0);
        write(UART.LCR, LCR.WORD_8);
        write(UART.FCR, FCR.FIFO_ENABLE);
        print('works\n');
        clock.passUntil(instant(clock.now() + 10_000_000n));
        expect(text).toEqual(['works']);
      }
  });
});
