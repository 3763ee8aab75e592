/**
 * A fake PC16550D (National Semiconductor). Modelled: divisor latch, both FIFOs, the time that a byte takes on the
 * line, loopback, overruns both ways. Not modelled: interrupts, modem status, parity, trigger levels.
 */
import { FCR, LCR, LSR, MCR, RECEIVE_FIFO_DEPTH, TRANSMIT_FIFO_DEPTH, UART } from '../regs/pc16550d.ts';
import type { FakeDevice } from './bus.ts';
import { PICOSECONDS_PER_SECOND, type FakeClock } from './clock.ts';

export interface FakeUart extends FakeDevice {
  read8(offset: number): number;
  write8(offset: number, value: number): void;
  /** What left on the line, or waits in the FIFO to do so. In loopback nothing does. */
  transmitted(): number[];
  /** Bytes that were written to a full FIFO. */
  overruns(): number;
  /** Bytes come in. */
  receive(...bytes: readonly number[]): void;
  /** The line takes nothing any more, or takes again. */
  setStuck(isStuck: boolean): void;
  readonly registers: { IER: number; FCR: number; LCR: number; MCR: number; divisor: number };
}

const CRYSTAL_HZ = 1_843_200n;
/** Start bit, 8 data bits, stop bit. */
const BITS = 10n;

export function createFakeUart(clock: FakeClock): FakeUart {
  // As a firmware left it: 9600 baud, interrupts on, FIFOs off.
  const registers: FakeUart['registers'] = { IER: 0x0f, FCR: 0, LCR: LCR.WORD_8, MCR: 0, divisor: 12 };
  const sent: number[] = [];
  const received: number[] = [];
  let scratch = 0;
  /** In the transmitter's FIFO. */
  const waiting: number[] = [];
  let hasOverrun = false;
  let isStuck = false;
  let overruns = 0;
  /** When the next byte leaves the FIFO. */
  let nextAt = 0n;

  const bytePicoseconds = (): bigint => (BITS * 16n * BigInt(registers.divisor) * PICOSECONDS_PER_SECOND) / CRYSTAL_HZ;
  function drain(): void {
    while (waiting.length > 0 && !isStuck && clock.now() >= nextAt) {
      const byte = waiting.shift()!;
      if (isLooped()) take(byte);
      nextAt += bytePicoseconds();
    }
  }
  const hasFifos = (): boolean => (registers.FCR & FCR.FIFO_ENABLE) !== 0;
  const isLooped = (): boolean => (registers.MCR & MCR.LOOP) !== 0;
  function take(byte: number): void {
    if (received.length < (hasFifos() ? RECEIVE_FIFO_DEPTH : 1)) received.push(byte);
    else hasOverrun = true;
  }
  /** "Reading the LSR" clears OE. */
  function takeOverrun(): number {
    const overrun = hasOverrun ? LSR.OE : 0;
    hasOverrun = false;
    return overrun;
  }
  const hasLatch = (): boolean => (registers.LCR & LCR.DLAB) !== 0;

  return {
    registers,
    read8: (offset) => {
      drain();
      switch (offset) {
        case UART.RBR:
          return hasLatch() ? registers.divisor & 0xff : (received.shift() ?? 0);
        case UART.IER:
          return hasLatch() ? registers.divisor >> 8 : registers.IER;
        case UART.IIR:
          return hasFifos() ? 0xc1 : 0x01;
        case UART.LCR:
          return registers.LCR;
        case UART.MCR:
          return registers.MCR;
        case UART.LSR:
          return (waiting.length === 0 ? LSR.THRE : 0) | (received.length > 0 ? LSR.DR : 0) | takeOverrun();
        case UART.MSR:
          return 0xb0;
        default:
          return scratch;
      }
    },
    write8: (offset, value) => {
      drain();
      switch (offset) {
        case UART.THR:
          if (hasLatch()) {
            registers.divisor = (registers.divisor & 0xff00) | value;
          } else if (waiting.length === (hasFifos() ? TRANSMIT_FIFO_DEPTH : 1)) {
            overruns++;
          } else {
            if (waiting.length === 0) nextAt = clock.now() + bytePicoseconds();
            waiting.push(value);
            if (!isLooped()) sent.push(value);
          }
          break;
        case UART.IER:
          if (hasLatch()) registers.divisor = (registers.divisor & 0xff) | (value << 8);
          else registers.IER = value;
          break;
        case UART.FCR:
          // "Writing to FCR0 ... clears all bytes in both FIFOs" when it changes.
          if (((registers.FCR ^ value) & FCR.FIFO_ENABLE) !== 0) received.length = 0;
          registers.FCR = value;
          break;
        case UART.LCR:
          registers.LCR = value;
          break;
        case UART.MCR:
          registers.MCR = value;
          break;
        case UART.SCR:
          scratch = value;
          break;
        default:
      }
    },
    transmitted: () => [...sent],
    overruns: () => overruns,
    receive: (...bytes) => bytes.forEach(take),
    setStuck: (stuck) => {
      isStuck = stuck;
      // A line that goes on starts the byte that waits anew.
      if (!stuck) nextAt = clock.now() + bytePicoseconds();
    },
  };
}
