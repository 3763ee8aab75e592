/** 16550 UART (National Semiconductor PC16550D). Not used: modem lines, break, parity, FIFO trigger levels above one byte. */
import type { Ports } from '../hw/ports.ts';
import { FCR, IER, LCR, LSR, MCR, TRANSMIT_FIFO_DEPTH, UART } from '../regs/pc16550d.ts';

export const COM1 = { BASE: 0x3f8, IRQ: 4 } as const;
/** 1.8432 MHz / 16 / 115,200. */
const DIVISOR_115200 = 1;
/**
 * Reads of the line status before the transmitter is taken for stuck. A byte takes 87 us at 115,200 baud
 * and a port read about 1 us on a PC, so this is a wait of two full FIFOs and more.
 */
const READY_POLLS = 5_000;

export interface Uart {
  /** Sends bytes. Bytes that a stuck transmitter does not take are counted in `lost`, never waited for again and again. */
  write(bytes: Uint8Array): void;
  /** Next received byte, or -1. */
  read(): number;
  /** Bytes that could not be sent. */
  lost(): number;
  enableReceiveInterrupt(): void;
}

/** @returns undefined if no 16550 answers at these ports */
export function probeUart(ports: Ports): Uart | undefined {
  // The scratch register does nothing but remember: an empty bus does not.
  for (const pattern of [0x5a, 0xa5]) {
    ports.write8(UART.SCR, pattern);
    if (ports.read8(UART.SCR) !== pattern) return undefined;
  }
  ports.write8(UART.IER, 0);
  ports.write8(UART.LCR, LCR.DLAB | LCR.WORD_8);
  ports.write8(UART.DLL, DIVISOR_115200 & 0xff);
  ports.write8(UART.DLM, DIVISOR_115200 >> 8);
  ports.write8(UART.LCR, LCR.WORD_8);
  ports.write8(UART.FCR, FCR.FIFO_ENABLE);
  ports.write8(UART.MCR, MCR.DTR | MCR.RTS | MCR.OUT2);

  let isStuck = false;
  let lost = 0;

  function waitUntilReady(): boolean {
    // Once stuck, one look per call: a terminal that comes back is noticed, one that does not costs nothing.
    const polls = isStuck ? 1 : READY_POLLS;
    for (let poll = 0; poll < polls; poll++) {
      if ((ports.read8(UART.LSR) & LSR.THRE) !== 0) {
        isStuck = false;
        return true;
      }
    }
    isStuck = true;
    return false;
  }

  return {
    write: (bytes) => {
      const buffer = bytes.buffer as ArrayBuffer;
      for (let start = 0; start < bytes.length; start += TRANSMIT_FIFO_DEPTH) {
        const length = Math.min(TRANSMIT_FIFO_DEPTH, bytes.length - start);
        if (waitUntilReady()) ports.writeBlock8(UART.THR, buffer, bytes.byteOffset + start, length);
        else lost += length;
      }
    },
    read: () => ((ports.read8(UART.LSR) & LSR.DR) === 0 ? -1 : ports.read8(UART.RBR)),
    lost: () => lost,
    enableReceiveInterrupt: () => ports.write8(UART.IER, IER.ERBFI),
  };
}
