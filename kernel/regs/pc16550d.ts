/** National Semiconductor PC16550D, "Registers". Offsets from the base port; DLL and DLM lie under RBR and IER while DLAB is set. */
import { bit } from './bits.ts';

export const UART = {
  RBR: 0, // receiver buffer, read
  THR: 0, // transmitter holding, write
  DLL: 0, // divisor latch, low
  IER: 1, // interrupt enable
  DLM: 1, // divisor latch, high
  IIR: 2, // interrupt identification, read
  FCR: 2, // FIFO control, write
  LCR: 3, // line control
  MCR: 4, // modem control
  LSR: 5, // line status
  MSR: 6, // modem status
  SCR: 7, // scratch
  COUNT: 8,
} as const;

export const IER = {
  ERBFI: bit(0), // received data available
} as const;

export const FCR = {
  FIFO_ENABLE: bit(0),
  RCVR_RESET: bit(1),
  XMIT_RESET: bit(2),
} as const;

export const LCR = {
  WORD_8: 0b11, // 8 data bits, 1 stop bit, no parity
  DLAB: bit(7), // divisor latch access
} as const;

export const MCR = {
  DTR: bit(0),
  RTS: bit(1),
  OUT2: bit(3), // on a PC: gates the interrupt line
  LOOP: bit(4), // the transmitter's output is the receiver's input
} as const;

export const LSR = {
  DR: bit(0), // data ready
  OE: bit(1), // overrun
  THRE: bit(5), // transmitter holding register (with FIFOs: transmit FIFO) empty
} as const;

/** "FIFO": 16 bytes may be written when THRE is set. */
export const TRANSMIT_FIFO_DEPTH = 16;
export const RECEIVE_FIFO_DEPTH = 16;
