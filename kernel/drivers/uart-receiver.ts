/**
 * The receiver of a 16550 UART (National Semiconductor PC16550D) that uart-16550.ts has found and set up: interrupts, overruns,
 * loopback. A file of its own, so that a boot which records no serial line does not load it. Not used: modem lines, break, parity, framing
 * errors, FIFO trigger levels above one byte.
 */
import type { Ports } from '../hw/ports.ts';
import { IER, LSR, MCR, UART } from '../regs/pc16550d.ts';

export const COM2 = { BASE: 0x2f8, IRQ: 3 } as const;

export interface UartReceiver {
  /** Next received byte, or -1. */
  read(): number;
  /** Times that bytes came in and found the receiver full, as far as `read` has seen. */
  overruns(): number;
  /** The interrupt line rises when a byte comes into an empty receiver, and falls when all have been read. */
  enableInterrupt(): void;
  disableInterrupt(): void;
  /**
   * "Loopback mode": what is sent is received, nothing leaves and nothing comes in. OUT2 is inactive meanwhile: on a PC whose interrupt
   * is gated by it there are no interrupts then. In QEMU a byte is received as soon as it is sent.
   */
  setLoopback(isOn: boolean): void;
  /** Sends one byte by one access, into a transmitter that is known to be idle: for an exact instant. */
  put(byte: number): void;
}

export function createUartReceiver({ read8, write8 }: Ports): UartReceiver {
  let overruns = 0;
  return {
    read: () => {
      const status = read8(UART.LSR);
      // Reading the line status has cleared it.
      if ((status & LSR.OE) !== 0) overruns++;
      return (status & LSR.DR) === 0 ? -1 : read8(UART.RBR);
    },
    overruns: () => overruns,
    enableInterrupt: () => write8(UART.IER, IER.ERBFI),
    disableInterrupt: () => write8(UART.IER, 0),
    setLoopback: (isOn) => write8(UART.MCR, MCR.DTR | MCR.RTS | MCR.OUT2 | (isOn ? MCR.LOOP : 0)),
    put: (byte) => write8(UART.THR, byte),
  };
}
