/** National Semiconductor PC16550D, "Registers". Offsets from the base port; DLL and DLM lie under RBR and IER while DLAB is set. */
import { bit, field } from './bits.ts';

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

/** On a PC, the first serial port. */
export const COM1 = { PORT: 0x3f8, IRQ: 4 } as const;

export const IER = {
  ERBFI: bit(0), // received data available
  ETBEI: bit(1), // transmitter holding register empty
  ELSI: bit(2), // receiver line status
  EDSSI: bit(3), // modem status
  ALL: 0x0f,
} as const;

/** Bits 0-3; bits 6 and 7 are 1 while the FIFOs are enabled. In order of priority. */
export const IIR = {
  LINE_STATUS: 0b0110,
  DATA_AVAILABLE: 0b0100,
  CHARACTER_TIMEOUT: 0b1100,
  THR_EMPTY: 0b0010,
  MODEM_STATUS: 0b0000,
  NONE: 0b0001,
  FIFOS_ENABLED: 0b11 << 6,
} as const;

export const FCR = {
  FIFO_ENABLE: bit(0),
  RCVR_RESET: bit(1),
  XMIT_RESET: bit(2),
  DMA_MODE: bit(3),
  RCVR_TRIGGER: field(6, 2),
} as const;
/** Bytes at which received data is available, by FCR.RCVR_TRIGGER. */
export const RCVR_TRIGGERS = [1, 4, 8, 14] as const;

export const LCR = {
  WORD_LENGTH: field(0, 2), // 5 bits and more
  WORD_8: 0b11, // 8 data bits, 1 stop bit, no parity
  STB: bit(2), // 2 stop bits, 1.5 of 5 data bits
  PEN: bit(3), // parity
  EPS: bit(4), // even
  STICK: bit(5),
  BREAK: bit(6),
  DLAB: bit(7), // divisor latch access
} as const;

export const MCR = {
  DTR: bit(0),
  RTS: bit(1),
  OUT1: bit(2),
  OUT2: bit(3), // on a PC: gates the interrupt line
  LOOP: bit(4), // the transmitter's output is the receiver's input
  ALL: 0x1f,
} as const;

export const LSR = {
  DR: bit(0), // data ready
  OE: bit(1), // overrun
  PE: bit(2), // parity error
  FE: bit(3), // framing error
  BI: bit(4), // break
  THRE: bit(5), // transmitter holding register (with FIFOs: transmit FIFO) empty
  TEMT: bit(6), // and the shift register too
  RCVR_FIFO_ERROR: bit(7), // a byte in the FIFO has PE, FE or BI
} as const;

export const MSR = {
  DCTS: bit(0), // changed since MSR was read: CTS,
  DDSR: bit(1), // DSR,
  TERI: bit(2), // RI, at its end only,
  DDCD: bit(3), // DCD
  CTS: bit(4),
  DSR: bit(5),
  RI: bit(6),
  DCD: bit(7),
} as const;

/** "FIFO": 16 bytes may be written when THRE is set. */
export const TRANSMIT_FIFO_DEPTH = 16;
export const RECEIVE_FIFO_DEPTH = 16;

/** "Programmable Baud Generator", on a PC: of the crystal; a bit takes 16 divided clocks. */
export const UART_CRYSTAL_HZ = 1_843_200n;
export const CLOCKS_PER_BIT = 16n;
