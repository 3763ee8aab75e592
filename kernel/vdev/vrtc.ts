/**
 * Motorola MC146818A (Real-Time Clock plus RAM) as wired in a PC: index at port 70h, data at 71h, a crystal of 32.768 kHz, IRQ 8, 128 bytes with
 * the century at 32h. Its seconds are guest time: until somebody resets the divider, the time changes at whole seconds of it.
 *
 * The divider chain runs from an instant on ("Register A": it was released from reset). An update begins half a second after that and each
 * second from there on, and ends 1984 us later: then the bytes change, UF and AF are set. UIP is set from 244 us before its beginning to its
 * end. Each tap of the chain falls half a period before the update begins, and sets PF ("Update Cycle", the figure).
 *
 * What the data sheet leaves open, and what is done here (more in vrtc-calendar.ts):
 * - the bytes of the time, undefined during an update, are those from before it;
 * - an update that SET or the divider aborts does not happen, one whose beginning falls into SET neither;
 * - SET inhibits updates only: the divider, and PF with it, go on;
 * - DV other than 010b, which are for other crystals and for tests, hold the divider in reset as 11Xb do; the former are a misuse;
 * - PF with PIE set comes with its tick (a guest that was away may have missed it, by the timer mode), without PIE by guest time alone;
 * - writes of Registers C and D go nowhere, reads of port 70h are all ones; both are misuses.
 * Not modelled: the pins SQW (SQWE is a bit), CKFS, PS, RESET as a pin (there is `reset`), standby; port 70h's NMI mask is kept and shown.
 * An interrupt is an edge, when IRQF rises; what is left of the wire afterwards is not seen. It counts as acknowledged when IRQF falls.
 */
import { dayOfWeek, daysFromCivil, type Civil } from '../time/calendar.ts';
import { instant, NANOS_PER_SECOND, type Instant } from '../time/units.ts';
import { getField } from '../regs/bits.ts';
import { A, B, C, CMOS, D, DV, FIRST_UPDATE_NS, INDEX, REGISTER, RS_FASTEST, RTC, T_BUC_NS, T_UC_NS } from '../regs/mc146818.ts';
import { bytePorts } from './byte-ports.ts';
import {
  NEVER_DUE,
  REQUEST,
  type CreatePlatformTimer,
  type GuestClock,
  type InterruptLine,
  type OnMisuse,
  type PortDevice,
  type Request,
  type Savable,
} from './device.ts';
import { createRtcCalendar } from './vrtc-calendar.ts';

export const RTC_PORTS = 0x70;
export const RTC_LINE = 8;

export interface RtcOptions {
  readonly clock: GuestClock;
  readonly createTimer: CreatePlatformTimer;
  /** IRQ 8. */
  readonly line: InterruptLine;
  readonly onMisuse: OnMisuse;
  /** Date and time at guest time 0, years 1 to 9999. */
  readonly start: Civil;
  /** Bytes of memory that firmware would have found, all from address 0 on. */
  readonly memoryBytes?: number;
  /** VRT: false as after a battery that failed. True unless given. */
  readonly hadPower?: boolean;
}

export interface RtcState {
  readonly ram: readonly number[];
  readonly index: number;
  readonly isNmiMasked: boolean;
  readonly registerA: number;
  readonly registerB: number;
  readonly flags: number;
  readonly isRequesting: boolean;
  readonly isValid: boolean;
  readonly fellBack: boolean;
  readonly chainStart: Instant;
  readonly nextEnd: Instant;
  readonly seenEdges: bigint;
  readonly periodicAfter: Instant;
}

export interface Rtc extends PortDevice, Savable<RtcState> {
  /** "RESET": interrupts and the square wave are off, flags clear; time, RAM and modes stay. */
  reset(): void;
  isNmiMasked(): boolean;
}

/** From the release of the divider to the end of the first update. */
const FIRST_END = BigInt(FIRST_UPDATE_NS + T_UC_NS);
const UPDATE = BigInt(T_UC_NS);
const UIP = BigInt(T_BUC_NS + T_UC_NS);
/** Half a period of the crystal in 128ths of a nanosecond, which is a whole number of them. */
const CRYSTAL_HALF_PERIOD = 1_953_125n;
const HALVES = 128n;

const ENABLES = B.PIE | B.AIE | B.UIE;
const KIB = 1024;
const MIB = 1024 * KIB;

export function createRtc({ clock, createTimer, line, onMisuse, start, memoryBytes = 0, hadPower = true }: RtcOptions): Rtc {
  const ram = new Uint8Array(REGISTER.LAST + 1);
  // As firmware leaves them: 24 hours, BCD, 1024 Hz.
  let registerA: number = (DV.HZ_32768 << A.DV.shift) | 6;
  let registerB: number = B.HOURS_24;
  let flags = 0;
  let isValid = hadPower;
  let index = 0;
  let isNmiMasked = false;
  /** IRQF, as the line has it. */
  let isRequesting = false;
  /** Of the tick that made it so. The next one has to wait until IRQ is let go of, or it would merge with this one: not until the CPU takes it. */
  let unacknowledged: (() => void) | undefined;

  const calendar = createRtcCalendar(ram, () => registerB);
  setTime(start);
  setConfiguration();

  /** The divider was released then; it stands in reset unless isDividing. */
  let chainStart = instant(-FIRST_END);
  let isDividing = true;
  let isUpdating = true;
  /** The end of the next update, which settle() has not done yet. */
  let nextEnd = instant(NANOS_PER_SECOND);

  // The tap of RS, whose edges are odd multiples of half a period after the release. In 128ths of a nanosecond; 0 = none.
  let halfPeriod = tapHalf();
  /** Edges that PF has been set for. */
  let seenEdges = 0n;
  /** The instant up to which periodic interrupts have been asked for. */
  let periodicAfter = instant(0n);
  seenEdges = edgesUntil(clock.now());

  const periodic = createTimer({
    name: 'rtc',
    tick: (deadline, acknowledged) => {
      periodicAfter = deadline;
      flags |= C.PF;
      return drive(acknowledged);
    },
    reclaim,
  });
  let plannedEvent: Instant = NEVER_DUE;
  const event = createTimer({
    name: 'rtc-update',
    tick: (_deadline, acknowledged) => {
      plannedEvent = NEVER_DUE;
      settle(clock.now());
      const request = drive(acknowledged);
      plan();
      return request;
    },
    reclaim,
  });

  function reclaim(acknowledged: () => void): boolean {
    if (isRequesting) unacknowledged = acknowledged;
    return isRequesting;
  }

  function setTime({ year, month, day, hour, minute, second }: Civil): void {
    ram[REGISTER.SECONDS] = calendar.encode(second);
    ram[REGISTER.MINUTES] = calendar.encode(minute);
    ram[REGISTER.HOURS] = calendar.encodeHour(hour);
    // ISO 8601's Sunday is 7.
    ram[REGISTER.DAY_OF_WEEK] = calendar.encode((dayOfWeek(daysFromCivil({ year, month, day })) % 7) + 1);
    ram[REGISTER.DATE_OF_MONTH] = calendar.encode(day);
    ram[REGISTER.MONTH] = calendar.encode(month);
    ram[REGISTER.YEAR] = calendar.encode(year % 100);
    ram[CMOS.CENTURY] = calendar.encode(Math.floor(year / 100));
  }

  function setConfiguration(): void {
    function set16(register: number, value: number): void {
      const held = Math.max(0, Math.min(Math.floor(value), 0xffff));
      ram[register] = held & 0xff;
      ram[register + 1] = held >> 8;
    }
    ram[CMOS.EQUIPMENT] = 0b10; // coprocessor; no floppy disk
    set16(CMOS.BASE_MEMORY, Math.min(memoryBytes / KIB, 640));
    set16(CMOS.EXTENDED_MEMORY, (memoryBytes - MIB) / KIB);
    set16(CMOS.EXTENDED_MEMORY_FOUND, (memoryBytes - MIB) / KIB);
    set16(CMOS.MEMORY_ABOVE_16M, (memoryBytes - 16 * MIB) / (64 * KIB));
    let sum = 0;
    for (let at: number = CMOS.CHECKSUM_FIRST; at <= CMOS.CHECKSUM_LAST; at++) sum += ram[at]!;
    ram[CMOS.CHECKSUM] = sum >> 8;
    ram[CMOS.CHECKSUM + 1] = sum & 0xff;
  }

  function tapHalf(): bigint {
    const rs = getField(registerA, A.RS);
    if (rs === 0) return 0n;
    // "Periodic Interrupt Rate": 1 and 2 repeat 8 and 9.
    return CRYSTAL_HALF_PERIOD << BigInt((rs < RS_FASTEST ? rs + 7 : rs) - 1);
  }
  function edgesUntil(now: Instant): bigint {
    if (halfPeriod === 0n || !isDividing) return 0n;
    return (((now - chainStart) * HALVES) / halfPeriod + 1n) / 2n;
  }
  /** Updates that have ended. */
  function settle(now: Instant): void {
    if (!isUpdating || now < nextEnd) return;
    const updates = (now - nextEnd) / NANOS_PER_SECOND + 1n;
    nextEnd = instant(nextEnd + updates * NANOS_PER_SECOND);
    flags |= calendar.advance(Number(updates)) ? C.UF | C.AF : C.UF;
  }
  /** Edges of the tap that no tick tells of. */
  function collectEdges(now: Instant): void {
    if ((registerB & B.PIE) !== 0) return;
    const edges = edgesUntil(now);
    if (edges !== seenEdges) flags |= C.PF;
    seenEdges = edges;
  }

  /** IRQF is what the flags and the enables say. @returns what came of its rise */
  function drive(acknowledged?: () => void): Request {
    const was = isRequesting;
    isRequesting = (flags & registerB & ENABLES) !== 0;
    if (!isRequesting) {
      const taken = unacknowledged;
      unacknowledged = undefined;
      if (was) taken?.();
      return REQUEST.DROPPED;
    }
    if (was) return REQUEST.MERGED;
    const request = line.pulse();
    if (request === REQUEST.ACCEPTED) unacknowledged = acknowledged;
    return request;
  }

  /** The next update that is to interrupt. */
  function plan(): void {
    let due: Instant = NEVER_DUE;
    if (isUpdating) {
      if ((registerB & B.UIE) !== 0 && (flags & C.UF) === 0) due = nextEnd;
      else if ((registerB & B.AIE) !== 0 && (flags & C.AF) === 0) {
        const updates = calendar.updatesToAlarm();
        if (updates < Number.POSITIVE_INFINITY) due = instant(nextEnd + BigInt(updates - 1) * NANOS_PER_SECOND);
      }
    }
    if (due === plannedEvent) return;
    plannedEvent = due;
    if (due === NEVER_DUE) event.stop();
    else event.start({ origin: due, numerator: 0n, denominator: 1n });
  }

  function planPeriodic(after: Instant): void {
    periodicAfter = after;
    if ((registerB & B.PIE) === 0 || halfPeriod === 0n || !isDividing) periodic.stop();
    else
      periodic.start({
        origin: chainStart,
        phase: (2n * edgesUntil(after) + 1n) * halfPeriod,
        numerator: 2n * halfPeriod,
        denominator: HALVES,
      });
  }

  /** Whether updates happen from now on; an update that is on is aborted. */
  function startOrStopUpdates(now: Instant): void {
    const was = isUpdating;
    isUpdating = isDividing && (registerB & B.SET) === 0;
    if (!isUpdating || was) return;
    // The first one that has not begun.
    const first = chainStart + FIRST_END;
    const since = now + UPDATE - first;
    nextEnd = instant(since < 0n ? first : first + (since / NANOS_PER_SECOND + 1n) * NANOS_PER_SECOND);
  }

  function writeRegisterA(now: Instant, value: number): void {
    const before = registerA;
    registerA = value & ~A.UIP;
    if (registerA === before) return;
    const dv = getField(value, A.DV);
    if (dv !== DV.HZ_32768 && (dv & DV.RESET) !== DV.RESET) onMisuse(`RTC: DV ${dv.toString(2)}b is not for its crystal`, RTC.DATA, 1);
    const wasDividing = isDividing;
    isDividing = dv === DV.HZ_32768;
    if (isDividing && !wasDividing) chainStart = now;
    halfPeriod = tapHalf();
    seenEdges = edgesUntil(now);
    startOrStopUpdates(now);
    planPeriodic(now);
  }

  function writeRegisterB(now: Instant, value: number): void {
    const before = registerB;
    registerB = value;
    // "The SET bit going high clears the UIE bit."
    if ((value & ~before & B.SET) !== 0) registerB &= ~B.UIE;
    startOrStopUpdates(now);
    if (((before ^ value) & B.PIE) !== 0) {
      seenEdges = edgesUntil(now);
      planPeriodic(now);
    }
  }

  function readRegister(register: number): number {
    const now = clock.now();
    settle(now);
    switch (register) {
      case REGISTER.A:
        return isUpdating && now >= nextEnd - UIP ? registerA | A.UIP : registerA;
      case REGISTER.B:
        return registerB;
      case REGISTER.C: {
        collectEdges(now);
        const value = (flags & registerB & ENABLES) !== 0 ? flags | C.IRQF : flags;
        flags = 0;
        drive();
        plan();
        return value;
      }
      case REGISTER.D: {
        const value = isValid ? D.VRT : 0;
        isValid = true;
        return value;
      }
      default:
        return ram[register]!;
    }
  }

  function writeRegister(register: number, value: number): void {
    const now = clock.now();
    settle(now);
    collectEdges(now);
    switch (register) {
      case REGISTER.A:
        writeRegisterA(now, value);
        break;
      case REGISTER.B:
        writeRegisterB(now, value);
        break;
      case REGISTER.C:
      case REGISTER.D:
        onMisuse(`RTC: write of Register ${register === REGISTER.C ? 'C' : 'D'}, which is read only`, RTC.DATA, 1);
        break;
      default:
        if ((register < REGISTER.A || register === CMOS.CENTURY) && calendar.isNonsense(register, value))
          onMisuse(`RTC: register ${register.toString(16)}h can't be ${value.toString(16)}h in this data mode`, RTC.DATA, 1);
        // "Address Map": the high-order bit of the seconds byte is read only.
        ram[register] = register === REGISTER.SECONDS ? value & 0x7f : value;
    }
    drive();
    plan();
  }

  const bus = bytePorts(
    'RTC',
    RTC.COUNT,
    (offset) => {
      if (offset === RTC.DATA) return readRegister(index);
      onMisuse('RTC: read of the index, which is write only', offset, 1);
      return 0xff;
    },
    (offset, value) => {
      if (offset === RTC.DATA) writeRegister(index, value);
      else {
        index = value & INDEX.REGISTER.mask;
        isNmiMasked = (value & INDEX.NMI_MASK) !== 0;
      }
    },
    onMisuse,
  );

  return {
    ...bus,
    isNmiMasked: () => isNmiMasked,
    reset: () => {
      const now = clock.now();
      settle(now);
      registerB &= ~(ENABLES | B.SQWE);
      seenEdges = edgesUntil(now);
      flags = 0;
      drive();
      plan();
      planPeriodic(now);
    },
    save: () => ({
      ram: [...ram],
      index,
      isNmiMasked,
      registerA,
      registerB,
      flags,
      isRequesting,
      isValid,
      fellBack: calendar.hasFallenBack(),
      chainStart,
      nextEnd,
      seenEdges,
      periodicAfter,
    }),
    restore: (state) => {
      ram.set(state.ram);
      ({ index, isNmiMasked, registerA, registerB, flags, isRequesting, isValid, chainStart, nextEnd, seenEdges } = state);
      unacknowledged = undefined;
      calendar.setFallenBack(state.fellBack);
      isDividing = getField(registerA, A.DV) === DV.HZ_32768;
      isUpdating = isDividing && (registerB & B.SET) === 0;
      halfPeriod = tapHalf();
      planPeriodic(state.periodicAfter);
      plannedEvent = NEVER_DUE;
      plan();
    },
  };
}
