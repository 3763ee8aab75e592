/**
 * Local APIC of the one CPU, in xAPIC mode (AMD64 APM vol. 2, "Local APIC"; Intel SDM vol. 3A, chapter "APIC"). Not modelled: x2APIC, a page that
 * moves, SMI, INIT and STARTUP messages (counted), LINT1's and the thermal and performance entries' sources, focus CPU, AMD's extended space
 * from 400h on. Interrupts are never sent late, so that delivery status reads 0 always.
 */
import { getField } from '../regs/bits.ts';
import {
  APIC_BASE,
  BROADCAST,
  DELIVERY,
  DFR,
  ESR,
  FIRST_LEGAL_VECTOR,
  ICR,
  LAPIC,
  LAPIC_ADDRESS,
  LVT,
  SHORTHAND,
  SVR,
  type Divisor,
  DIVIDE,
  DIVISORS,
} from '../regs/local-apic.ts';
import type { Frequency } from '../time/frequency.ts';
import {
  REQUEST,
  type CreatePlatformTimer,
  type GuestClock,
  type MemoryDevice,
  type OnMisuse,
  type Request,
  type Savable,
} from './device.ts';
import { UNCLAIMED } from './unclaimed.ts';
import { createLapicTimer, type DeadlineTsc, type LapicTimerState } from './lapic-timer.ts';

/** What `pending` says when the 8259A's interrupt would be taken: its vector is known by the acknowledgement only. */
export const PENDING_EXTINT = 0x100;

export interface VirtualLocalApic extends MemoryDevice, Savable<LocalApicState> {
  /**
   * A message with a vector, from an I/O APIC or an entry of its own.
   * @param acknowledged called once, when the CPU takes it; also if a reset of the APIC discards it. Not if it was not ACCEPTED
   */
  accept(vector: number, isLevel: boolean, acknowledged?: () => void): Request;
  /** After a restore: of a request that was accepted with `acknowledged` before. @returns false if none with this vector waits for the CPU */
  reclaim(vector: number, acknowledged: () => void): boolean;
  /** The vector that the CPU would take now if its flags let it, PENDING_EXTINT, or -1. */
  pending(): number;
  /** The CPU takes what is pending, as its interrupt acknowledge cycle does. @returns the vector; the spurious one if nothing is pending */
  acknowledge(): number;
  /** Whether an interrupt that the CPU took has not ended. */
  isServing(): boolean;
  endOfInterrupt(): void;
  /** Bits 7-0 of TPR. */
  taskPriority(): number;
  setTaskPriority(value: number): void;
  /** CR8, bits 3-0: bits 7-4 of TPR. */
  readCr8(): number;
  writeCr8(value: number): void;
  /** MSR 1Bh. */
  readBase(): bigint;
  /** @returns false if the value is refused with #GP(0): x2APIC, reserved bits, another address; nothing has changed then */
  writeBase(value: bigint): boolean;
  isEnabled(): boolean;
  /** MSR 6E0h. */
  readTscDeadline(): bigint;
  writeTscDeadline(tsc: bigint): void;
  /** The guest's TSC jumped. */
  tscChanged(): void;
  /** Whether a message with this destination is for this APIC. */
  isAddressed(destination: number, isLogical: boolean): boolean;
  /** The 8259A's INTR, which is wired to LINT0. */
  setLint0(isHigh: boolean): void;
  /** An I/O APIC's input 0 passes the 8259A's INTR on, too. */
  setExtIntFromIoApic(isOpen: boolean): void;
  requestNmi(): void;
  reset(): void;
}

export interface LocalApicState {
  readonly base: number;
  readonly id: number;
  readonly taskPriority: number;
  readonly logicalDestination: number;
  readonly destinationFormat: number;
  readonly spurious: number;
  readonly command: readonly [low: number, high: number];
  readonly lvt: readonly number[];
  readonly divide: number;
  readonly errors: readonly [shown: number, logged: number];
  readonly isErrorArmed: boolean;
  readonly irr: readonly number[];
  readonly isr: readonly number[];
  readonly tmr: readonly number[];
  readonly timerVector: number;
  readonly lint0: boolean;
  readonly fromIoApic: boolean;
  /** Vectors of requests whose source waits for the acknowledge. */
  readonly outstanding: readonly number[];
  readonly timer: LapicTimerState;
}

export interface LocalApicOptions {
  readonly clock: GuestClock;
  readonly createTimer: CreatePlatformTimer;
  /** What the timer counts, before its divisor. */
  readonly bus: Frequency;
  readonly tsc: DeadlineTsc;
  /** Whether the timer has TSC-deadline mode. */
  readonly hasTscDeadline: boolean;
  /** The 8259A pair's interrupt acknowledge, for ExtINT. */
  readonly acknowledgePic: () => number;
  /** Whether ExtINT interrupts get through to the CPU from now on. */
  readonly onPicConnected: (isConnected: boolean) => void;
  /** The end of a level-triggered interrupt, for I/O APICs. */
  readonly broadcastEoi: (vector: number) => void;
  readonly onNmi: () => void;
  readonly onMisuse: OnMisuse;
  readonly id?: number;
}

const IDENTITY = 0x0005_0014; // entries 0-5, version 14h
const VECTORS = 256;
const BANKS = VECTORS / 32;
const { clz32 } = Math;

/** Entries of the vector table by (offset - LVT_TIMER) / 10h, and the bits of each that can be written. */
const ENTRY = { TIMER: 0, THERMAL: 1, PERF: 2, LINT0: 3, LINT1: 4, ERROR: 5 } as const;
const LOCAL = 0x700 | 0xff | LVT.MASKED;
const LINT = LOCAL | LVT.POLARITY_LOW | LVT.TRIGGER_LEVEL;
const WRITABLE = [0xff | LVT.MASKED | LVT.TIMER_MODE, LOCAL, LOCAL, LINT, LINT, 0xff | LVT.MASKED] as const;

const SPURIOUS_WRITABLE = 0xff | SVR.ENABLE | SVR.FOCUS_DISABLE;
const COMMAND_WRITABLE = 0xff | 0x700 | ICR.LOGICAL | ICR.ASSERT | ICR.TRIGGER_LEVEL | (ICR.SHORTHAND.mask << ICR.SHORTHAND.shift);
const DIVIDE_WRITABLE = 0b1011;
const ALL_ONES = { 1: 0xffn, 2: 0xffffn, 4: 0xffff_ffffn, 8: 0xffff_ffff_ffff_ffffn } as const;
const RESERVED_BASE = ~(APIC_BASE.ADDRESS | APIC_BASE.ENABLE | APIC_BASE.BSC);

const DIVISOR_OF = new Map<number, Divisor>(DIVISORS.map((divisor) => [DIVIDE[divisor], divisor]));

export function createVirtualLocalApic(options: LocalApicOptions): VirtualLocalApic {
  const { acknowledgePic, onPicConnected, broadcastEoi, onNmi, onMisuse, hasTscDeadline } = options;

  const irr = new Int32Array(BANKS);
  const isr = new Int32Array(BANKS);
  const tmr = new Int32Array(BANKS);
  /** One bit per bank that is not empty, so that the highest vector is two steps away. */
  let requestedBanks = 0;
  let servedBanks = 0;
  const outstanding: ((() => void) | undefined)[] = new Array<(() => void) | undefined>(VECTORS).fill(undefined);

  let isOn = true;
  let id = 0;
  let tpr = 0;
  let logicalDestination = 0;
  let destinationFormat = 0;
  let spurious = 0;
  let command = 0;
  let commandHigh = 0;
  let divide = 0;
  let shownErrors = 0;
  let loggedErrors = 0;
  /** "A write [of ESR] also rearms the APIC error interrupt triggering mechanism." */
  let isErrorArmed = true;
  const lvt = new Int32Array(WRITABLE.length);
  /** Of the timer's last request, whatever its entry has since. */
  let timerVector = 0;
  let lint0 = false;
  let fromIoApic = false;

  /** Of what is in service, the highest; -1 for none. */
  let inService = -1;
  /** What `pending` says as far as IRR, ISR and TPR go. */
  let deliverable = -1;
  let hasExtInt = false;
  let isPicConnected = false;

  const timer = createLapicTimer({
    ...options,
    request: (acknowledged) => {
      const request = requestLocal(ENTRY.TIMER, acknowledged);
      if (request === REQUEST.ACCEPTED) timerVector = lvt[ENTRY.TIMER]! & 0xff;
      return request;
    },
    reclaim: (acknowledged) => reclaim(timerVector, acknowledged),
  });

  /** -1 for none. */
  function highest(banks: number, words: Int32Array): number {
    if (banks === 0) return -1;
    const bank = 31 - clz32(banks);
    return (bank << 5) | (31 - clz32(words[bank]!));
  }
  /** After any change of IRR, ISR or TPR. */
  function prioritize(): void {
    const requested = highest(requestedBanks, irr);
    // "The processor's priority class": the higher one of TPR's and of what is in service.
    deliverable = requested >> 4 > tpr >> 4 && requested >> 4 > inService >> 4 ? requested : -1;
  }
  function processorPriority(): number {
    return tpr >> 4 >= inService >> 4 ? tpr : inService & 0xf0;
  }
  function arbitrationPriority(): number {
    const requested = highest(requestedBanks, irr);
    if (tpr >> 4 >= requested >> 4 && tpr >> 4 > inService >> 4) return tpr;
    return Math.max(tpr >> 4, inService >> 4, requested >> 4) << 4;
  }

  const isSoftwareEnabled = (): boolean => (spurious & SVR.ENABLE) !== 0;

  function accept(vector: number, isLevel: boolean, acknowledged?: () => void): Request {
    if (vector < FIRST_LEGAL_VECTOR) {
      logError(ESR.RECEIVED_ILLEGAL_VECTOR);
      onMisuse('LAPIC: an interrupt with a vector under 16', LAPIC.ESR, 4);
      return REQUEST.DROPPED;
    }
    if (!isOn || !isSoftwareEnabled()) return REQUEST.DROPPED;
    const bank = vector >> 5;
    const mask = 1 << (vector & 31);
    if (isLevel) tmr[bank]! |= mask;
    else tmr[bank]! &= ~mask;
    if ((irr[bank]! & mask) !== 0) return REQUEST.MERGED;
    irr[bank]! |= mask;
    requestedBanks |= 1 << bank;
    outstanding[vector] = acknowledged;
    prioritize();
    return REQUEST.ACCEPTED;
  }

  function reclaim(vector: number, acknowledged: () => void): boolean {
    if (outstanding[vector] !== UNCLAIMED) return false;
    outstanding[vector] = acknowledged;
    return true;
  }

  function acknowledge(): number {
    if (hasExtInt) return acknowledgePic();
    const vector = deliverable;
    // "Spurious Interrupts": the CPU's acknowledge finds nothing above its priority; ISR is not affected.
    if (vector < 0) return getField(spurious, SVR.VECTOR);
    const bank = vector >> 5;
    const mask = 1 << (vector & 31);
    const left = irr[bank]! & ~mask;
    irr[bank] = left;
    if (left === 0) requestedBanks &= ~(1 << bank);
    isr[bank]! |= mask;
    servedBanks |= 1 << bank;
    inService = vector;
    prioritize();
    const acknowledged = outstanding[vector];
    if (acknowledged !== undefined) {
      outstanding[vector] = undefined;
      acknowledged();
    }
    return vector;
  }

  function endOfInterrupt(): void {
    const vector = inService;
    if (vector < 0) return;
    const bank = vector >> 5;
    const mask = 1 << (vector & 31);
    const left = isr[bank]! & ~mask;
    isr[bank] = left;
    if (left === 0) servedBanks &= ~(1 << bank);
    inService = highest(servedBanks, isr);
    prioritize();
    if ((tmr[bank]! & mask) === 0) return;
    if (vector === (lvt[ENTRY.LINT0]! & 0xff)) endLint0();
    broadcastEoi(vector);
  }

  function setTaskPriority(value: number): void {
    tpr = value;
    prioritize();
  }

  /** What an entry with a vector of its own does. */
  function requestLocal(entry: number, acknowledged?: () => void): Request {
    const value = lvt[entry]!;
    if ((value & LVT.MASKED) !== 0) return REQUEST.DROPPED;
    return accept(value & 0xff, false, acknowledged);
  }

  function logError(error: number): void {
    loggedErrors |= error;
    if (!isErrorArmed) return;
    isErrorArmed = false;
    requestLocal(ENTRY.ERROR);
  }

  /** Whether the 8259A's INTR reaches the CPU: always while the APIC is off, as if it were not there. */
  function connectPic(): void {
    const entry = lvt[ENTRY.LINT0]!;
    const isOpen =
      !isOn || fromIoApic || ((entry & LVT.MASKED) === 0 && getField(entry, LVT.DELIVERY) === DELIVERY.EXTINT && isSoftwareEnabled());
    hasExtInt = isOpen && lint0;
    if (isOpen === isPicConnected) return;
    isPicConnected = isOpen;
    onPicConnected(isOpen);
  }
  function setLint0(isHigh: boolean): void {
    if (isHigh === lint0) return;
    lint0 = isHigh;
    hasExtInt = isHigh && isPicConnected;
    if (isHigh) requestLint0(true);
  }
  /** Delivery modes but ExtINT, which is a level that the CPU sees. @param isEdge whether the line has just risen */
  function requestLint0(isEdge: boolean): void {
    const entry = lvt[ENTRY.LINT0]!;
    if (!isOn || (entry & LVT.MASKED) !== 0) return;
    const mode = getField(entry, LVT.DELIVERY);
    if (mode === DELIVERY.NMI && isEdge) onNmi();
    if (mode !== DELIVERY.FIXED) return;
    const isLevel = (entry & LVT.TRIGGER_LEVEL) !== 0;
    if (isLevel ? (entry & LVT.REMOTE_IRR) !== 0 : !isEdge) return;
    const request = accept(entry & 0xff, isLevel);
    if (isLevel && request !== REQUEST.DROPPED) lvt[ENTRY.LINT0] = entry | LVT.REMOTE_IRR;
  }
  function endLint0(): void {
    lvt[ENTRY.LINT0]! &= ~LVT.REMOTE_IRR;
    if (lint0) requestLint0(false);
  }

  function writeEntry(entry: number, value: number): void {
    let accepted = value & WRITABLE[entry]!;
    // "While the APIC is software disabled, all LVT mask bits are set, and attempts to clear them are ignored."
    if (!isSoftwareEnabled()) accepted |= LVT.MASKED;
    if (entry === ENTRY.TIMER) {
      if (!hasTscDeadline) accepted &= ~LVT.TIMER_TSC_DEADLINE;
      if ((accepted & LVT.TIMER_MODE) === LVT.TIMER_MODE) {
        onMisuse('LAPIC: the reserved timer mode', LAPIC.LVT_TIMER, 4);
        accepted &= ~LVT.TIMER_PERIODIC;
      }
    }
    if ((accepted & 0xff) < FIRST_LEGAL_VECTOR && (accepted & (LVT.MASKED | 0x700)) === 0)
      onMisuse('LAPIC: an entry with a vector under 16', LAPIC.LVT_TIMER + entry * LAPIC.BANK_STRIDE, 4);
    if (entry === ENTRY.LINT0 && (accepted & LVT.TRIGGER_LEVEL) !== 0) accepted |= lvt[entry]! & LVT.REMOTE_IRR;
    lvt[entry] = accepted;
    if (entry === ENTRY.TIMER) timer.setEntry(accepted);
    if (entry !== ENTRY.LINT0) return;
    connectPic();
    if (lint0) requestLint0(false);
  }

  function writeSpurious(value: number): void {
    spurious = value & SPURIOUS_WRITABLE;
    if (!isSoftwareEnabled()) for (let entry = 0; entry < lvt.length; entry++) writeEntry(entry, lvt[entry]!);
    connectPic();
  }

  function writeDivide(value: number): void {
    divide = value & DIVIDE_WRITABLE;
    if (divide !== value) onMisuse('LAPIC: reserved bits of the divide configuration', LAPIC.TIMER_DCR, 4);
    timer.setDivisor(DIVISOR_OF.get(divide)!);
  }

  function isAddressed(destination: number, isLogical: boolean): boolean {
    if (destination === BROADCAST) return true;
    if (!isLogical) return destination === id;
    if (destinationFormat === DFR.FLAT) return (destination & logicalDestination) !== 0;
    if (destinationFormat !== DFR.CLUSTER) return false;
    // "Cluster model": bits 7-4 are the cluster, Fh all of them; bits 3-0 its members.
    const isCluster = destination >> 4 === 0xf || destination >> 4 === logicalDestination >> 4;
    return isCluster && (destination & logicalDestination & 0xf) !== 0;
  }

  function writeCommand(value: number): void {
    command = value & COMMAND_WRITABLE;
    const vector = getField(command, ICR.VECTOR);
    const mode = getField(command, ICR.DELIVERY);
    const shorthand = getField(command, ICR.SHORTHAND);
    const isForThis =
      shorthand === SHORTHAND.DESTINATION
        ? isAddressed(commandHigh >>> 24, (command & ICR.LOGICAL) !== 0)
        : shorthand !== SHORTHAND.ALL_BUT_SELF;
    if (!isForThis) {
      // The only other thing there could be is another CPU.
      if (shorthand === SHORTHAND.DESTINATION) logError(ESR.SENT_ACCEPT);
      onMisuse('LAPIC: an interprocessor interrupt to nobody', LAPIC.ICR_LOW, 4);
    } else if (mode === DELIVERY.FIXED || mode === DELIVERY.LOWEST_PRIORITY) {
      if (vector >= FIRST_LEGAL_VECTOR) {
        // "Trigger Mode": of anything but INIT it is an edge.
        accept(vector, false);
        return;
      }
      logError(ESR.SENT_ILLEGAL_VECTOR);
      onMisuse('LAPIC: an interprocessor interrupt with a vector under 16', LAPIC.ICR_LOW, 4);
    } else if (mode === DELIVERY.NMI && shorthand === SHORTHAND.DESTINATION) {
      onNmi();
    } else {
      onMisuse('LAPIC: an interprocessor interrupt of a kind that this CPU does not take from itself', LAPIC.ICR_LOW, 4);
    }
  }

  function illegal(what: string, offset: number, width: 1 | 2 | 4 | 8): void {
    logError(ESR.ILLEGAL_REGISTER);
    onMisuse(what, offset, width);
  }
  function readRegister(offset: number): number {
    switch (offset) {
      case LAPIC.TIMER_CCR:
        return timer.currentCount();
      case LAPIC.TPR:
        return tpr;
      case LAPIC.ID:
        return id << 24;
      case LAPIC.VERSION:
        return IDENTITY;
      case LAPIC.APR:
        return arbitrationPriority();
      case LAPIC.PPR:
        return processorPriority();
      case LAPIC.LDR:
        return logicalDestination << 24;
      case LAPIC.DFR:
        return (destinationFormat << 28) | 0x0fff_ffff;
      case LAPIC.SVR:
        return spurious;
      case LAPIC.ESR:
        return shownErrors;
      case LAPIC.ICR_LOW:
        return command;
      case LAPIC.ICR_HIGH:
        return commandHigh;
      case LAPIC.TIMER_ICR:
        return timer.initialCount();
      case LAPIC.TIMER_DCR:
        return divide;
      case LAPIC.EOI:
        // "EOI Register": write only.
        illegal('LAPIC: a read of EOI', offset, 4);
        return 0;
      case LAPIC.RRD:
        return 0;
      default:
    }
    if (offset >= LAPIC.LVT_TIMER && offset <= LAPIC.LVT_ERROR) return lvt[(offset - LAPIC.LVT_TIMER) >> 4]!;
    const bank = (offset >> 4) & (BANKS - 1);
    if (offset >= LAPIC.ISR && offset < LAPIC.TMR) return isr[bank]!;
    if (offset >= LAPIC.TMR && offset < LAPIC.IRR) return tmr[bank]!;
    if (offset >= LAPIC.IRR && offset < LAPIC.ESR) return irr[bank]!;
    illegal('LAPIC: a read of a reserved register', offset, 4);
    return 0;
  }

  function writeRegister(offset: number, value: number): void {
    switch (offset) {
      case LAPIC.TIMER_ICR:
        timer.setInitialCount(value);
        break;
      case LAPIC.ICR_LOW:
        writeCommand(value);
        break;
      case LAPIC.ICR_HIGH:
        commandHigh = value & 0xff00_0000;
        break;
      case LAPIC.ID:
        id = value >>> 24;
        break;
      case LAPIC.LDR:
        logicalDestination = value >>> 24;
        break;
      case LAPIC.DFR:
        destinationFormat = value >>> 28;
        break;
      case LAPIC.SVR:
        writeSpurious(value);
        break;
      case LAPIC.ESR:
        // "Before attempting to read from the ESR, software should first write to it": what was logged since the last write is shown.
        shownErrors = loggedErrors;
        loggedErrors = 0;
        isErrorArmed = true;
        break;
      case LAPIC.TIMER_DCR:
        writeDivide(value);
        break;
      default:
        if (offset >= LAPIC.LVT_TIMER && offset <= LAPIC.LVT_ERROR) writeEntry((offset - LAPIC.LVT_TIMER) >> 4, value);
        else if (isReadOnly(offset)) onMisuse('LAPIC: a write of a read-only register', offset, 4);
        else illegal('LAPIC: a write of a reserved register', offset, 4);
    }
  }

  /** To power-up state, but for what the wires carry. */
  function clear(): void {
    tpr = logicalDestination = command = commandHigh = shownErrors = loggedErrors = 0;
    divide = DIVIDE[2];
    destinationFormat = DFR.FLAT;
    spurious = 0xff;
    isErrorArmed = true;
    lvt.fill(LVT.MASKED);
    for (const words of [irr, isr, tmr]) words.fill(0);
    const banks = requestedBanks;
    requestedBanks = servedBanks = 0;
    inService = -1;
    timer.reset();
    prioritize();
    connectPic();
    // Only what is requested is outstanding: a look at all vectors takes as long as ten exits.
    for (let bank = 0; bank < VECTORS >> 5; bank++) {
      if ((banks & (1 << bank)) === 0) continue;
      for (let vector = bank << 5; vector < (bank + 1) << 5; vector++) {
        const acknowledged = outstanding[vector];
        outstanding[vector] = undefined;
        acknowledged?.();
      }
    }
  }
  function reset(): void {
    isOn = true;
    id = options.id ?? 0;
    clear();
  }
  reset();

  return {
    // "32-bit loads and stores, aligned on 128-bit boundaries."
    read: (offset, width) => {
      if (width === 4 && (offset & 0xf) === 0 && isOn) return BigInt(readRegister(offset) >>> 0);
      onMisuse('LAPIC: a read that is not of 32 bits at a multiple of 16, or while it is off', offset, width);
      return ALL_ONES[width];
    },
    write: (offset, width, value) => {
      if (width !== 4 || (offset & 0xf) !== 0 || !isOn)
        onMisuse('LAPIC: a write that is not of 32 bits at a multiple of 16, or while it is off', offset, width);
      else if (offset === LAPIC.EOI) endOfInterrupt();
      else if (offset === LAPIC.TPR) setTaskPriority(Number(value) & 0xff);
      else writeRegister(offset, Number(value));
    },
    accept,
    reclaim,
    pending: () => (hasExtInt ? PENDING_EXTINT : deliverable),
    isServing: () => inService >= 0,
    acknowledge,
    endOfInterrupt,
    taskPriority: () => tpr,
    setTaskPriority,
    readCr8: () => tpr >> 4,
    writeCr8: (value) => setTaskPriority(value << 4),
    readBase: () => BigInt(LAPIC_ADDRESS) | APIC_BASE.BSC | (isOn ? APIC_BASE.ENABLE : 0n),
    writeBase: (value) => {
      if ((value & RESERVED_BASE) !== 0n || (value & APIC_BASE.ADDRESS) !== BigInt(LAPIC_ADDRESS)) {
        onMisuse('LAPIC: a base of another address, with x2APIC or with reserved bits', 0, 8);
        return false;
      }
      const willBeOn = (value & APIC_BASE.ENABLE) !== 0n;
      if (willBeOn === isOn) return true;
      isOn = willBeOn;
      // "Local APIC Status": enabled again, it is in its power-up state.
      clear();
      return true;
    },
    isEnabled: () => isOn,
    readTscDeadline: timer.readDeadline,
    writeTscDeadline: timer.writeDeadline,
    tscChanged: timer.tscChanged,
    isAddressed,
    setLint0,
    setExtIntFromIoApic: (isOpen) => {
      fromIoApic = isOpen;
      connectPic();
    },
    requestNmi: onNmi,
    reset,
    save: () => ({
      base: isOn ? 1 : 0,
      id,
      taskPriority: tpr,
      logicalDestination,
      destinationFormat,
      spurious,
      command: [command, commandHigh],
      lvt: [...lvt],
      divide,
      errors: [shownErrors, loggedErrors],
      isErrorArmed,
      irr: [...irr],
      isr: [...isr],
      tmr: [...tmr],
      timerVector,
      lint0,
      fromIoApic,
      outstanding: [...outstanding.keys()].filter((vector) => outstanding[vector]),
      timer: timer.save(),
    }),
    restore: (state) => {
      isOn = state.base !== 0;
      tpr = state.taskPriority;
      ({ id, logicalDestination, destinationFormat, spurious, divide, isErrorArmed, timerVector, lint0, fromIoApic } = state);
      [command, commandHigh] = state.command;
      [shownErrors, loggedErrors] = state.errors;
      lvt.set(state.lvt);
      irr.set(state.irr);
      isr.set(state.isr);
      tmr.set(state.tmr);
      requestedBanks = servedBanks = 0;
      for (let bank = 0; bank < BANKS; bank++) {
        if (irr[bank] !== 0) requestedBanks |= 1 << bank;
        if (isr[bank] !== 0) servedBanks |= 1 << bank;
      }
      inService = highest(servedBanks, isr);
      outstanding.fill(undefined);
      for (const vector of state.outstanding) outstanding[vector] = UNCLAIMED;
      timer.restore(state.timer);
      prioritize();
      connectPic();
    },
  };
}

const isReadOnly = (offset: number): boolean =>
  offset === LAPIC.VERSION ||
  offset === LAPIC.APR ||
  offset === LAPIC.PPR ||
  offset === LAPIC.RRD ||
  offset === LAPIC.TIMER_CCR ||
  (offset >= LAPIC.ISR && offset < LAPIC.ESR);
