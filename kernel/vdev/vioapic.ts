/**
 * I/O APIC with 24 inputs (Intel 82093AA), for one local APIC. Not modelled: SMI and INIT entries (counted), the 8259A's interrupt by anything but
 * an ExtINT entry of input 0, the serial bus and its arbitration (the ID is kept), delivery status (0: nothing waits to be sent). Inputs are
 * given as asserted or not, so that polarity is kept for reading back, and decides nothing.
 */
import { getField } from '../regs/bits.ts';
import { INDEX, INPUT_COUNT, IOAPIC, IOAPICID, IOAPICVER, REDIRECTION } from '../regs/i82093aa.ts';
import { BROADCAST, DELIVERY } from '../regs/local-apic.ts';
import { REQUEST, type MemoryDevice, type OnMisuse, type Request, type Savable, type Width } from './device.ts';

export interface VirtualIoApic extends MemoryDevice, Savable<IoApicState> {
  /**
   * An edge at an input, 0 to 23. Masked: nobody hears of it. At a level-triggered entry it is a level that is there for as long as it takes to be
   * seen: not at all while the remote IRR is set.
   */
  pulse(input: number, acknowledged?: () => void): Request;
  /** After a restore: of a pulse that was accepted before. @returns false if none of this input waits for the CPU */
  reclaim(input: number, acknowledged: () => void): boolean;
  /**
   * A level that stays high is delivered again with each end of interrupt, and at no other time: a guest that never acknowledges hurts itself. One
   * that nobody accepts is offered again when its entry is written, or it rises.
   */
  setLevel(input: number, isAsserted: boolean): void;
  /** A local APIC ends a level-triggered interrupt. */
  endOfInterrupt(vector: number): void;
  reset(): void;
}

export interface IoApicState {
  readonly index: number;
  readonly id: number;
  readonly arbitration: number;
  readonly low: readonly number[];
  readonly high: readonly number[];
  /** By input: the vector of the last pulse whose source waits, whatever the entry has since. */
  readonly sent: readonly number[];
  readonly wires: number;
}

/** What an I/O APIC knows of the local one. */
export interface InterruptMessages {
  accept(vector: number, isLevel: boolean, acknowledged?: () => void): Request;
  reclaim(vector: number, acknowledged: () => void): boolean;
  isAddressed(destination: number, isLogical: boolean): boolean;
  requestNmi(): void;
  setExtIntFromIoApic(isOpen: boolean): void;
}

export interface IoApicOptions {
  readonly localApic: InterruptMessages;
  /** An entry that was masked is not any more. */
  readonly onUnmasked: (input: number) => void;
  readonly onMisuse: OnMisuse;
}

const VERSION = 0x11;
const READ_ONLY = REDIRECTION.DELIVS | REDIRECTION.REMOTE_IRR;
const WRITABLE =
  (REDIRECTION.INTVEC.mask << REDIRECTION.INTVEC.shift) |
  (REDIRECTION.DELMOD.mask << REDIRECTION.DELMOD.shift) |
  REDIRECTION.DESTMOD_LOGICAL |
  REDIRECTION.INTPOL_LOW |
  REDIRECTION.TRIGGER_LEVEL |
  REDIRECTION.MASKED;
/** The 8259A's INT is wired to it, as to LINT0. */
const PIC_INPUT = 0;
const ALL_ONES = { 1: 0xffn, 2: 0xffffn, 4: 0xffff_ffffn, 8: 0xffff_ffff_ffff_ffffn } as const;
/** "In physical mode bits 59-56 contain an APIC ID": four bits, all ones of which mean all. */
const PHYSICAL = 0xf;

export function createVirtualIoApic({ localApic, onUnmasked, onMisuse }: IoApicOptions): VirtualIoApic {
  const low = new Int32Array(INPUT_COUNT);
  const high = new Int32Array(INPUT_COUNT);
  const sent = new Int32Array(INPUT_COUNT);
  /** One bit per input that is asserted. */
  let wires = 0;
  let index = 0;
  let id = 0;
  let arbitration = 0;

  /** Sends an entry's message. The remote IRR is the caller's affair. */
  function send(input: number, entry: number, acknowledged?: () => void): Request {
    const destination = high[input]! >>> 24;
    const isForThis =
      (entry & REDIRECTION.DESTMOD_LOGICAL) !== 0
        ? localApic.isAddressed(destination, true)
        : localApic.isAddressed((destination & PHYSICAL) === PHYSICAL ? BROADCAST : destination & PHYSICAL, false);
    if (!isForThis) {
      onMisuse('I/O APIC: an entry for an APIC that does not exist', IOAPIC.IOWIN, 4);
      return REQUEST.DROPPED;
    }
    const mode = (entry >> REDIRECTION.DELMOD.shift) & REDIRECTION.DELMOD.mask;
    if (mode === DELIVERY.FIXED || mode === DELIVERY.LOWEST_PRIORITY)
      return localApic.accept(entry & 0xff, (entry & REDIRECTION.TRIGGER_LEVEL) !== 0, acknowledged);
    // Nothing acknowledges an NMI, and ExtINT is a level that the local APIC sees by itself.
    if (mode === DELIVERY.NMI) localApic.requestNmi();
    else if (mode !== DELIVERY.EXTINT) onMisuse('I/O APIC: an entry of a kind that this CPU does not take', IOAPIC.IOWIN, 4);
    return REQUEST.DROPPED;
  }

  function sendLevel(input: number, entry: number, acknowledged?: () => void): Request {
    if ((entry & REDIRECTION.REMOTE_IRR) !== 0) return REQUEST.MERGED;
    // Before the message: the CPU may end it before this returns.
    low[input] = entry | REDIRECTION.REMOTE_IRR;
    const request = send(input, entry, acknowledged);
    if (request === REQUEST.DROPPED) low[input] &= ~REDIRECTION.REMOTE_IRR;
    return request;
  }

  function pulse(input: number, acknowledged?: () => void): Request {
    const entry = low[input]!;
    if ((entry & REDIRECTION.MASKED) !== 0) return REQUEST.DROPPED;
    const request = (entry & REDIRECTION.TRIGGER_LEVEL) !== 0 ? sendLevel(input, entry, acknowledged) : send(input, entry, acknowledged);
    if (request === REQUEST.ACCEPTED && acknowledged) sent[input] = entry & 0xff;
    return request;
  }

  /** What an asserted input does at a level-triggered entry that is not masked. */
  function look(input: number): void {
    const entry = low[input]!;
    if ((wires & (1 << input)) !== 0 && (entry & (REDIRECTION.MASKED | REDIRECTION.TRIGGER_LEVEL)) === REDIRECTION.TRIGGER_LEVEL)
      sendLevel(input, entry);
  }

  function setLevel(input: number, isAsserted: boolean): void {
    const bit = 1 << input;
    if (((wires & bit) !== 0) === isAsserted) return;
    wires ^= bit;
    if (isAsserted) pulse(input);
  }

  function endOfInterrupt(vector: number): void {
    for (let input = 0; input < INPUT_COUNT; input++) {
      const entry = low[input]!;
      if ((entry & REDIRECTION.REMOTE_IRR) === 0 || (entry & 0xff) !== vector) continue;
      low[input] = entry & ~REDIRECTION.REMOTE_IRR;
      look(input);
    }
  }

  function writeLow(input: number, value: number): void {
    const before = low[input]!;
    let entry = (value & WRITABLE) | (before & READ_ONLY);
    // "This bit is defined for level triggered interrupts [...] undefined for edge": systems clear it by such a detour.
    if ((entry & REDIRECTION.TRIGGER_LEVEL) === 0) entry &= ~REDIRECTION.REMOTE_IRR;
    low[input] = entry;
    const isMasked = (entry & REDIRECTION.MASKED) !== 0;
    if (input === PIC_INPUT) localApic.setExtIntFromIoApic(!isMasked && getField(entry, REDIRECTION.DELMOD) === DELIVERY.EXTINT);
    if (isMasked) return;
    if ((before & REDIRECTION.MASKED) !== 0) onUnmasked(input);
    look(input);
  }

  const entryOf = (): number => (index - INDEX.IOREDTBL) >> 1;
  const isEntry = (): boolean => index >= INDEX.IOREDTBL && entryOf() < INPUT_COUNT;
  const isHigh = (): boolean => (index & 1) !== 0;

  function readWindow(): number {
    if (isEntry()) return (isHigh() ? high : low)[entryOf()]!;
    if (index === INDEX.IOAPICID) return id << IOAPICID.ID.shift;
    if (index === INDEX.IOAPICVER) return ((INPUT_COUNT - 1) << IOAPICVER.MAX_REDIRECTION_ENTRY.shift) | VERSION;
    if (index === INDEX.IOAPICARB) return arbitration << IOAPICID.ID.shift;
    onMisuse('I/O APIC: a read of a reserved register', index, 4);
    return 0xffff_ffff;
  }
  function writeWindow(value: number): void {
    if (isEntry()) {
      if (isHigh()) high[entryOf()] = value & 0xff00_0000;
      else writeLow(entryOf(), value);
    } else if (index === INDEX.IOAPICID) {
      // "The Arbitration ID is loaded when the APIC ID is."
      id = arbitration = getField(value, IOAPICID.ID);
    } else {
      onMisuse('I/O APIC: a write of a register that is read-only or reserved', index, 4);
    }
  }

  function isWellFormed(offset: number, width: Width): boolean {
    return width === 4 && (offset === IOAPIC.IOREGSEL || offset === IOAPIC.IOWIN);
  }

  function reset(): void {
    index = id = arbitration = 0;
    low.fill(REDIRECTION.MASKED);
    high.fill(0);
    localApic.setExtIntFromIoApic(false);
  }
  low.fill(REDIRECTION.MASKED);

  return {
    read: (offset, width) => {
      if (isWellFormed(offset, width)) return BigInt((offset === IOAPIC.IOWIN ? readWindow() : index) >>> 0);
      onMisuse('I/O APIC: a read that is not of 32 bits of one of its two registers', offset, width);
      return ALL_ONES[width];
    },
    write: (offset, width, value) => {
      if (!isWellFormed(offset, width)) onMisuse('I/O APIC: a write that is not of 32 bits of one of its two registers', offset, width);
      else if (offset === IOAPIC.IOWIN) writeWindow(Number(value));
      else index = Number(value) & 0xff;
    },
    pulse,
    reclaim: (input, acknowledged) => localApic.reclaim(sent[input]!, acknowledged),
    setLevel,
    endOfInterrupt,
    reset,
    save: () => ({ index, id, arbitration, low: [...low], high: [...high], sent: [...sent], wires }),
    restore: (state) => {
      ({ index, id, arbitration, wires } = state);
      low.set(state.low);
      high.set(state.high);
      sent.set(state.sent);
    },
  };
}
