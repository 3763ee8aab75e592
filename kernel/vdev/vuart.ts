/**
 * UART (National Semiconductor PC16550D) as a PC's serial port: OUT2 gates its interrupt line. What the guest transmits becomes lines of text. Not
 * modelled: DMA pins, parity and framing of what is received (the host says which errors it has), the baud rate of the other side. By option
 * a byte takes its time on the line, both ways of it (start bit to stop bits by LCR, divisor, crystal; a divisor of 0 is one of 65536); or
 * none: it has left when the write returns, and the character timeout comes with the character.
 */
import { getField } from '../regs/bits.ts';
import {
  CLOCKS_PER_BIT,
  FCR,
  IER,
  IIR,
  LCR,
  LSR,
  MCR,
  MSR,
  RCVR_TRIGGERS,
  RECEIVE_FIFO_DEPTH,
  TRANSMIT_FIFO_DEPTH,
  UART,
  UART_CRYSTAL_HZ,
} from '../regs/pc16550d.ts';
import { instant, NANOS_PER_SECOND, type Instant } from '../time/units.ts';
import { bytePorts } from './byte-ports.ts';
import {
  REQUEST,
  type CreatePlatformTimer,
  type GuestClock,
  type InterruptLine,
  type OnMisuse,
  type PortDevice,
  type Savable,
} from './device.ts';

export interface VirtualUart extends PortDevice, Savable<UartState> {
  /**
   * A byte has come in.
   * @param errors LSR's PE, FE, BI that came with it
   */
  receive(byte: number, errors?: number): void;
  /** Whether a byte that comes in now finds room: false, and it is an overrun. */
  hasRoom(): boolean;
  /** What the modem's inputs carry: MSR's CTS, DSR, RI, DCD. CTS, DSR and DCD until it is told otherwise. */
  setModem(inputs: number): void;
  /** Gives out the line that is begun, if any. */
  flush(): void;
  reset(): void;
}

export interface UartState {
  readonly registers: Readonly<Record<'ier' | 'fcr' | 'lcr' | 'mcr' | 'lsr' | 'msr' | 'scratch' | 'divisor' | 'last' | 'modem', number>>;
  readonly received: readonly (readonly [byte: number, errors: number])[];
  readonly waiting: readonly number[];
  /** In the shift register; -1 for none. */
  readonly shifting: number;
  readonly isThrPending: boolean;
  readonly isTimedOut: boolean;
  readonly text: readonly number[];
}

export interface UartOptions {
  readonly clock: GuestClock;
  readonly createTimer: CreatePlatformTimer;
  readonly line: InterruptLine;
  /**
   * What was transmitted up to a line feed, without it and without carriage returns.
   * @param bytes valid during the call only
   * @param isCut the line goes on: LINE_MAX bytes came without a line feed, or `flush` was called
   */
  readonly onLine: (bytes: Uint8Array, isCut: boolean) => void;
  readonly onMisuse: OnMisuse;
  /** Whether bytes take their time. */
  readonly takesTime: boolean;
}

/** Bytes of a line that are given out at once. */
export const LINE_MAX = 256;

const ERRORS = LSR.OE | LSR.PE | LSR.FE | LSR.BI;
const BYTE_ERRORS = LSR.PE | LSR.FE | LSR.BI;
const DELTAS = MSR.DCTS | MSR.DDSR | MSR.TERI | MSR.DDCD;
const INPUTS = MSR.CTS | MSR.DSR | MSR.RI | MSR.DCD;
/** "Time-out": 4 character times without a character or a read. */
const TIMEOUT_CHARACTERS = 4n;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const NOTHING = -1;

export function createVirtualUart({ clock, createTimer, line, onLine, onMisuse, takesTime }: UartOptions): VirtualUart {
  let ier = 0;
  let fcr = 0;
  let lcr = 0;
  let mcr = 0;
  /** ERRORS, THRE and TEMT; the other bits are computed. */
  let lsr = LSR.THRE | LSR.TEMT;
  let msr = 0;
  let scratch = 0;
  let divisor = 0;
  /** What RBR shows while nothing is there. */
  let last = 0;
  let modem = MSR.CTS | MSR.DSR | MSR.DCD;
  const received: [byte: number, errors: number][] = [];
  const waiting: number[] = [];
  let shifting = NOTHING;
  /** THRE was set, and neither IIR was read for it nor THR written since. */
  let isThrPending = false;
  let isTimedOut = false;
  const text = new Uint8Array(LINE_MAX);
  let textLength = 0;

  const shiftTimer = createTimer({ name: 'uart', tick: (due) => (shifted(due), REQUEST.DROPPED) });
  const timeoutTimer = createTimer({ name: 'uart-timeout', tick: () => (timedOut(), REQUEST.DROPPED) });

  const hasFifos = (): boolean => (fcr & FCR.FIFO_ENABLE) !== 0;
  const isLooped = (): boolean => (mcr & MCR.LOOP) !== 0;
  const isLatchOpen = (): boolean => (lcr & LCR.DLAB) !== 0;

  /** Rounded up. */
  function characterNanos(): bigint {
    const dataBits = 5 + getField(lcr, LCR.WORD_LENGTH);
    const stopHalves = (lcr & LCR.STB) === 0 ? 2 : dataBits === 5 ? 3 : 4;
    const halves = 2 * (1 + dataBits + ((lcr & LCR.PEN) === 0 ? 0 : 1)) + stopHalves;
    const clocks = BigInt(halves * (divisor === 0 ? 0x1_0000 : divisor)) * (CLOCKS_PER_BIT / 2n);
    return (clocks * NANOS_PER_SECOND + UART_CRYSTAL_HZ - 1n) / UART_CRYSTAL_HZ;
  }
  const once = (origin: bigint) => ({ origin: instant(origin), numerator: 0n, denominator: 1n });

  /** "Interrupt Identification": the highest priority of what is pending and enabled. */
  function identify(): number {
    if ((ier & IER.ELSI) !== 0 && (lsr & ERRORS) !== 0) return IIR.LINE_STATUS;
    if ((ier & IER.ERBFI) !== 0 && received.length > 0) {
      if (!hasFifos() || received.length >= RCVR_TRIGGERS[getField(fcr, FCR.RCVR_TRIGGER)]!) return IIR.DATA_AVAILABLE;
      if (isTimedOut) return IIR.CHARACTER_TIMEOUT;
    }
    if ((ier & IER.ETBEI) !== 0 && isThrPending) return IIR.THR_EMPTY;
    if ((ier & IER.EDSSI) !== 0 && (msr & DELTAS) !== 0) return IIR.MODEM_STATUS;
    return IIR.NONE;
  }
  function update(): void {
    // "Loopback": the outputs are forced to their inactive state, OUT2 too.
    line.setLevel(identify() !== IIR.NONE && (mcr & (MCR.OUT2 | MCR.LOOP)) === MCR.OUT2);
  }

  function emit(isCut: boolean): void {
    onLine(text.subarray(0, textLength), isCut);
    textLength = 0;
  }
  function leave(byte: number): void {
    const bits = byte & ((1 << (5 + getField(lcr, LCR.WORD_LENGTH))) - 1);
    if (isLooped()) {
      receive(bits, 0);
    } else if (bits === LINE_FEED) {
      emit(false);
    } else if (bits !== CARRIAGE_RETURN) {
      text[textLength++] = bits;
      if (textLength === LINE_MAX) emit(true);
    }
  }

  function emptied(): void {
    lsr |= LSR.THRE;
    isThrPending = true;
  }
  function shift(from: bigint): void {
    shifting = waiting.shift()!;
    if (waiting.length === 0) emptied();
    shiftTimer.start(once(from + characterNanos()));
  }
  function shifted(due: Instant): void {
    const byte = shifting;
    shifting = NOTHING;
    if (waiting.length > 0) shift(due);
    else lsr |= LSR.TEMT;
    leave(byte);
    update();
  }
  function transmit(byte: number): void {
    lsr &= ~LSR.THRE;
    isThrPending = false;
    // The line falls in between, which makes an edge of the next interrupt.
    update();
    if (!takesTime) {
      leave(byte);
      emptied();
      update();
      return;
    }
    lsr &= ~LSR.TEMT;
    if (waiting.length === (hasFifos() ? TRANSMIT_FIFO_DEPTH : 1)) {
      onMisuse('UART: a byte written over one that was not sent', UART.THR, 1);
      waiting.pop();
    }
    waiting.push(byte);
    if (shifting === NOTHING) shift(clock.now());
    update();
  }

  /** What came with the byte that is the next to be read shows in LSR. */
  function reveal(): void {
    const top = received[0];
    if (top) lsr |= top[1];
  }
  /** The time without a character or a read begins. */
  function awaitTimeout(): void {
    isTimedOut = !takesTime && received.length > 0;
    if (takesTime && hasFifos() && received.length > 0) timeoutTimer.start(once(clock.now() + TIMEOUT_CHARACTERS * characterNanos()));
    else timeoutTimer.stop();
  }
  function timedOut(): void {
    isTimedOut = received.length > 0;
    update();
  }
  const hasRoom = (): boolean => received.length < (hasFifos() ? RECEIVE_FIFO_DEPTH : 1);
  function receive(byte: number, errors: number): void {
    if (!hasRoom()) {
      lsr |= LSR.OE;
      // "FIFO mode": the character in the shift register is lost; without FIFOs the one in the buffer.
      if (!hasFifos()) received.length = 0;
    }
    if (hasRoom()) {
      received.push([byte & 0xff, errors & BYTE_ERRORS]);
      if (received.length === 1) reveal();
      awaitTimeout();
    }
    update();
  }
  function readBuffer(): number {
    const top = received.shift();
    if (top) {
      last = top[0];
      reveal();
      awaitTimeout();
      update();
    }
    return last;
  }

  function readLineStatus(): number {
    const hasFifoError = hasFifos() && received.some(([, errors]) => errors !== 0);
    const value = lsr | (received.length > 0 ? LSR.DR : 0) | (hasFifoError ? LSR.RCVR_FIFO_ERROR : 0);
    lsr &= ~ERRORS;
    if (received[0]) received[0][1] = 0;
    update();
    return value;
  }

  function readIdentification(): number {
    const found = identify();
    if (found === IIR.THR_EMPTY) {
      isThrPending = false;
      update();
    }
    return found | (hasFifos() ? IIR.FIFOS_ENABLED : 0);
  }

  /** What the status inputs see: the modem, or in loopback the control outputs. */
  function modemInputs(): number {
    if (!isLooped()) return modem;
    return (
      ((mcr & MCR.RTS) !== 0 ? MSR.CTS : 0) |
      ((mcr & MCR.DTR) !== 0 ? MSR.DSR : 0) |
      ((mcr & MCR.OUT1) !== 0 ? MSR.RI : 0) |
      ((mcr & MCR.OUT2) !== 0 ? MSR.DCD : 0)
    );
  }
  function updateModem(): void {
    const inputs = modemInputs();
    const changed = (msr & INPUTS) ^ inputs;
    if ((changed & MSR.CTS) !== 0) msr |= MSR.DCTS;
    if ((changed & MSR.DSR) !== 0) msr |= MSR.DDSR;
    if ((changed & MSR.DCD) !== 0) msr |= MSR.DDCD;
    if ((changed & MSR.RI) !== 0 && (inputs & MSR.RI) === 0) msr |= MSR.TERI;
    msr = (msr & DELTAS) | inputs;
    update();
  }

  function clearReceived(): void {
    received.length = 0;
    awaitTimeout();
  }
  function clearWaiting(): void {
    waiting.length = 0;
    emptied();
    if (shifting === NOTHING) lsr |= LSR.TEMT;
  }
  function writeFifoControl(value: number): void {
    const hadFifos = hasFifos();
    // "Bit 0 must be a 1 when other FCR bits are written to or they will not be programmed."
    if ((value & FCR.FIFO_ENABLE) === 0) {
      fcr = 0;
      if (hadFifos) {
        clearReceived();
        if (waiting.length > 0) clearWaiting();
      }
    } else {
      fcr = value & (FCR.FIFO_ENABLE | FCR.DMA_MODE | (FCR.RCVR_TRIGGER.mask << FCR.RCVR_TRIGGER.shift));
      if (!hadFifos || (value & FCR.RCVR_RESET) !== 0) clearReceived();
      if ((!hadFifos || (value & FCR.XMIT_RESET) !== 0) && waiting.length > 0) clearWaiting();
    }
    update();
  }
  function writeEnable(value: number): void {
    const enabled = value & ~ier;
    ier = value & IER.ALL;
    if ((enabled & IER.ETBEI) !== 0 && (lsr & LSR.THRE) !== 0) isThrPending = true;
    update();
  }
  function writeLineControl(value: number): void {
    const begun = value & ~lcr;
    lcr = value;
    // "Break control": SOUT is forced to the spacing state, which in loopback SIN sees.
    if ((begun & LCR.BREAK) !== 0 && isLooped()) receive(0, LSR.BI);
  }

  function read(offset: number): number {
    switch (offset) {
      case UART.LSR:
        return readLineStatus();
      case UART.RBR:
        return isLatchOpen() ? divisor & 0xff : readBuffer();
      case UART.IIR:
        return readIdentification();
      case UART.IER:
        return isLatchOpen() ? divisor >> 8 : ier;
      case UART.LCR:
        return lcr;
      case UART.MCR:
        return mcr;
      case UART.MSR: {
        const value = msr;
        msr &= ~DELTAS;
        update();
        return value;
      }
      default:
        return scratch;
    }
  }
  function write(offset: number, value: number): void {
    switch (offset) {
      case UART.THR:
        if (isLatchOpen()) divisor = (divisor & 0xff00) | value;
        else transmit(value);
        break;
      case UART.IER:
        if (isLatchOpen()) divisor = (divisor & 0xff) | (value << 8);
        else writeEnable(value);
        break;
      case UART.FCR:
        writeFifoControl(value);
        break;
      case UART.LCR:
        writeLineControl(value);
        break;
      case UART.MCR:
        mcr = value & MCR.ALL;
        updateModem();
        break;
      case UART.SCR:
        scratch = value;
        break;
      default:
        onMisuse('UART: a write of a status register', offset, 1);
    }
  }

  function reset(): void {
    ier = fcr = lcr = mcr = 0;
    lsr = LSR.THRE | LSR.TEMT;
    msr = modem;
    received.length = waiting.length = 0;
    shifting = NOTHING;
    isThrPending = isTimedOut = false;
    shiftTimer.stop();
    timeoutTimer.stop();
    update();
  }
  msr = modem;

  return {
    ...bytePorts('UART', UART.COUNT, read, write, onMisuse),
    receive: (byte, errors = 0) => {
      // "Loopback": SIN is disconnected.
      if (!isLooped()) receive(byte, errors);
    },
    hasRoom: () => !isLooped() && hasRoom(),
    setModem: (inputs) => {
      modem = inputs & INPUTS;
      updateModem();
    },
    flush: () => {
      if (textLength > 0) emit(true);
    },
    reset,
    save: () => ({
      registers: { ier, fcr, lcr, mcr, lsr, msr, scratch, divisor, last, modem },
      received: received.map(([byte, errors]) => [byte, errors] as const),
      waiting: [...waiting],
      shifting,
      isThrPending,
      isTimedOut,
      text: [...text.subarray(0, textLength)],
    }),
    restore: (state) => {
      ({ ier, fcr, lcr, mcr, lsr, msr, scratch, divisor, last, modem } = state.registers);
      ({ shifting, isThrPending, isTimedOut } = state);
      received.splice(0, Infinity, ...state.received.map(([byte, errors]): [number, number] => [byte, errors]));
      waiting.splice(0, Infinity, ...state.waiting);
      text.set(state.text);
      textLength = state.text.length;
    },
  };
}
