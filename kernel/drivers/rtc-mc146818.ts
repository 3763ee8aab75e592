/**
 * MC146818A real-time clock as wired in a PC (Motorola, "Real-Time Clock plus RAM (RTC)"). Used here: the time, its
 * update cycle, the update-ended and the periodic interrupt. Not used: setting the time, the alarm, the square wave, the
 * day of the week (which firmware often leaves wrong), the RAM except for the century. Its IRQ 8 is cut off while an HPET
 * is in legacy replacement. Whether a PC has one at all, ACPI tells: IAPC_BOOT_ARCH, CMOS_RTC_NOT_PRESENT.
 */
import type { Ports } from '../hw/ports.ts';
import { getField } from '../regs/bits.ts';
import { A, B, C, CRYSTAL_HZ, D, DV, HOURS_PM, INDEX, REGISTER, RS_FASTEST, RS_SLOWEST, RTC } from '../regs/mc146818.ts';
import { daysInMonth, type Civil } from '../time/calendar.ts';
import { frequency, type Frequency } from '../time/frequency.ts';

export const RTC_BASE = 0x70;
export const RTC_IRQ = 8;

/**
 * Reads of UIP before it is called stuck. It is set for T_BUC + T_UC = 2.23 ms at most, and a read is two port
 * accesses, of about 1 us each on a PC and no less than 0.2 us anywhere.
 */
const UIP_POLLS = 10_000;
/** Readings of the time of which two in a row have to be equal. Two that differ have an update between them; a second one of those is a second away. */
const READINGS = 6;
/** Of a year without a century: 80 to 99 are 1980 (the first PC's epoch) to 1999, 00 to 79 are 2000 to 2079. */
const WINDOW_FIRST_YEAR = 1980;
/** Of what a century register can hold, what makes sense: the PC is of the 20th century. */
const CENTURY_MIN = 19;

export type RtcTime = { readonly ok: true; readonly civil: Civil } | { readonly ok: false; readonly reason: string };

/** Register C. A flag is set whether or not its interrupt is enabled. */
export interface RtcFlags {
  /** IRQF: one of the flags was set whose interrupt is enabled. */
  readonly isRequesting: boolean;
  /** UF. */
  readonly updateEnded: boolean;
  /** AF. */
  readonly alarm: boolean;
  /** PF. */
  readonly periodOver: boolean;
}

export interface Rtc {
  /** DM: what the registers hold. */
  readonly dataMode: 'BCD' | 'binary';
  /** 24/12. */
  readonly hourMode: 12 | 24;
  /** Register of the century, or 0: then years are 1980 to 2079. */
  readonly centuryIndex: number;
  /** VRT at the first reading: false if the battery failed and the time is what it came up with. Later readings no longer tell. */
  readonly hasValidTime: boolean;
  /** DSE: it moves its hours by itself in April and October, by the rules of the USA of its day. */
  readonly hasDaylightSaving: boolean;
  /**
   * Date and time, in whatever zone it was set to. Takes up to 2.3 ms if an update is on.
   * @returns a reason that names register and value, if UIP is stuck, if the clock stands, or if there is no such time
   */
  readTime(): RtcTime;
  /** UIP: the time registers are changing, or will within 244 us. */
  isUpdating(): boolean;
  /** The seconds register alone, 0 to 59: any value while an update is on, undefined if it holds none. */
  second(): number | undefined;
  /** UIE: IRQ 8 whenever an update has ended, once a second. Each has to be acknowledged, or there is no next one. */
  enableUpdateEnded(): void;
  /**
   * PIE: IRQ 8 at 32768 / 2^(`rateSelect` - 1) hertz: 3 is 8192 Hz, 15 is 2 Hz. The first one comes after any part of a
   * period: the divider runs on. Each has to be acknowledged, or there is no next one.
   * @throws RangeError unless `rateSelect` is 3 to 15
   */
  enablePeriodic(rateSelect: number): Frequency;
  /** Both interrupts, and whatever they have asked for. */
  disableInterrupts(): void;
  /** Reads Register C, which lets go of IRQ 8: what happened since the last time. */
  acknowledge(): RtcFlags;
}

export type RtcProbe = { readonly found: true; readonly rtc: Rtc } | { readonly found: false; readonly reason: string };

const TIME_REGISTERS = [REGISTER.SECONDS, REGISTER.MINUTES, REGISTER.HOURS, REGISTER.DATE_OF_MONTH, REGISTER.MONTH, REGISTER.YEAR] as const;

/**
 * Interrupts are off; time, mode and the other bits of Register B stay as firmware left them.
 * @param centuryIndex FADT, CENTURY: register of the century, 0 = none. One that is not in the RAM (0Eh to 7Fh) is taken for none.
 * @param nmi of every index written: bit 7 of port 70h masks NMI, and what it was can't be read
 */
export function probeRtc(ports: Ports, centuryIndex: number, nmi: 'enabled' | 'masked' = 'enabled'): RtcProbe {
  const nmiMask = nmi === 'masked' ? INDEX.NMI_MASK : 0;
  const century = centuryIndex >= REGISTER.RAM && centuryIndex <= REGISTER.LAST ? centuryIndex : 0;

  // One index for every access to the data, also where it would be the same: some chipsets fall back to Register D after each.
  function read(register: number): number {
    ports.write8(RTC.INDEX, nmiMask | register);
    return ports.read8(RTC.DATA);
  }
  function write(register: number, value: number): void {
    ports.write8(RTC.INDEX, nmiMask | register);
    ports.write8(RTC.DATA, value);
  }

  // Register D first: reading it is what makes VRT true again.
  const registerD = read(REGISTER.D);
  const registerC = read(REGISTER.C);
  const others = [REGISTER.A, REGISTER.B, ...TIME_REGISTERS].map(read);
  if (registerC === registerD && others.every((value) => value === registerD))
    return { found: false, reason: `every register reads ${hex(registerD)}: nothing answers` };
  if (getField(registerC, C.ZERO) !== 0)
    return { found: false, reason: `Register C reads ${hex(registerC)}: bits 0 to 3 of an MC146818A are 0` };

  let enabled = 0;
  /** Flags of enabled interrupts that had to be read away before they were acknowledged. */
  let unacknowledged = 0;
  let registerB = read(REGISTER.B);

  function setEnabled(interrupts: number): void {
    enabled = interrupts;
    registerB = (read(REGISTER.B) & ~(B.UIE | B.AIE | B.PIE)) | enabled;
    write(REGISTER.B, registerB);
  }
  function disableInterrupts(): void {
    setEnabled(0);
    read(REGISTER.C);
    unacknowledged = 0;
  }
  /** A flag that is set already would interrupt at once ("Interrupts"): Register C is read first. */
  function enable(interrupt: number): void {
    unacknowledged |= requested(read(REGISTER.C), enabled);
    setEnabled(enabled | interrupt);
  }
  disableInterrupts();

  const isUpdating = (): boolean => (read(REGISTER.A) & A.UIP) !== 0;

  function waitWhileUpdating(): boolean {
    for (let poll = 0; poll < UIP_POLLS; poll++) if (!isUpdating()) return true;
    return false;
  }

  function decode(register: number, name: string, value: number, min: number, max: number): number {
    const number = (registerB & B.DM) !== 0 ? value : fromBcd(value);
    if (number === undefined) throw new Nonsense(`${name} (register ${hex(register)}) reads ${hex(value)}, which is no BCD`);
    if (number < min || number > max)
      throw new Nonsense(`${name} (register ${hex(register)}) reads ${hex(value)}, which is not within ${min}..${max}`);
    return number;
  }

  function decodeHour(value: number): number {
    if ((registerB & B.HOURS_24) !== 0) return decode(REGISTER.HOURS, 'Hours', value, 0, 23);
    const hour = decode(REGISTER.HOURS, 'Hours', value & ~HOURS_PM, 1, 12);
    // 12 AM is midnight, 12 PM is noon.
    return (hour % 12) + ((value & HOURS_PM) !== 0 ? 12 : 0);
  }

  function decodeYear(year: number, value: number | undefined): number {
    const ofCentury = decode(REGISTER.YEAR, 'Year', year, 0, 99);
    if (value !== undefined) return 100 * decode(century, 'Century', value, CENTURY_MIN, 99) + ofCentury;
    const start = WINDOW_FIRST_YEAR % 100;
    return WINDOW_FIRST_YEAR - start + ofCentury + (ofCentury < start ? 100 : 0);
  }

  function decodeTime(values: readonly number[]): Civil {
    const [seconds, minutes, hours, date, months, years] = values as [number, number, number, number, number, number];
    const second = decode(REGISTER.SECONDS, 'Seconds', seconds, 0, 59);
    const minute = decode(REGISTER.MINUTES, 'Minutes', minutes, 0, 59);
    const hour = decodeHour(hours);
    const day = decode(REGISTER.DATE_OF_MONTH, 'Date of the Month', date, 1, 31);
    const month = decode(REGISTER.MONTH, 'Month', months, 1, 12);
    const year = decodeYear(years, values[TIME_REGISTERS.length]);
    const days = daysInMonth(year, month);
    if (day > days)
      throw new Nonsense(
        `Date of the Month (register ${hex(REGISTER.DATE_OF_MONTH)}) reads ${hex(date)}, but month ${month} of ${year} has ${days} days`,
      );
    return { year, month, day, hour, minute, second };
  }

  function readTime(): RtcTime {
    const registers = century === 0 ? TIME_REGISTERS : [...TIME_REGISTERS, century];
    let previous: number[] | undefined;
    for (let reading = 0; reading < READINGS; reading++) {
      registerB = read(REGISTER.B);
      if ((registerB & B.SET) !== 0) return { ok: false, reason: `Register B reads ${hex(registerB)}: SET is on, so the clock stands` };
      const registerA = read(REGISTER.A);
      if ((getField(registerA, A.DV) & DV.RESET) === DV.RESET)
        return { ok: false, reason: `Register A reads ${hex(registerA)}: DV holds the divider in reset, so the clock stands` };
      if (!waitWhileUpdating())
        return { ok: false, reason: `Register A reads ${hex(read(REGISTER.A))}: UIP is stuck, it was set ${UIP_POLLS} times in a row` };
      // UIP was clear, so there are 244 us left for this: enough, unless something holds the machine up. Hence the second time.
      const values = registers.map(read);
      if (previous?.every((value, n) => value === values[n])) {
        try {
          return { ok: true, civil: decodeTime(values) };
        } catch (error) {
          if (error instanceof Nonsense) return { ok: false, reason: error.message };
          throw error;
        }
      }
      previous = values;
    }
    return { ok: false, reason: `the time registers read differently ${READINGS} times in a row, at last ${previous!.map(hex).join(' ')}` };
  }

  return {
    found: true,
    rtc: {
      dataMode: (registerB & B.DM) !== 0 ? 'binary' : 'BCD',
      hourMode: (registerB & B.HOURS_24) !== 0 ? 24 : 12,
      centuryIndex: century,
      hasValidTime: (registerD & D.VRT) !== 0,
      hasDaylightSaving: (registerB & B.DSE) !== 0,
      readTime,
      isUpdating,
      second: () => {
        const value = read(REGISTER.SECONDS);
        const second = (registerB & B.DM) !== 0 ? value : fromBcd(value);
        return second !== undefined && second < 60 ? second : undefined;
      },
      enableUpdateEnded: () => enable(B.UIE),
      enablePeriodic: (rateSelect) => {
        if (!Number.isInteger(rateSelect) || rateSelect < RS_FASTEST || rateSelect > RS_SLOWEST)
          throw new RangeError(`RTC: rate select ${rateSelect} is not within ${RS_FASTEST}..${RS_SLOWEST}`);
        setEnabled(enabled & ~B.PIE);
        // DV has to stay: it is the time that runs through this divider. UIP can't be written.
        write(REGISTER.A, (read(REGISTER.A) & (A.DV.mask << A.DV.shift)) | rateSelect);
        enable(B.PIE);
        return frequency(BigInt(CRYSTAL_HZ), 1n << BigInt(rateSelect - 1), 'architectural', 'MC146818A, Register A: RS of 32.768 kHz');
      },
      disableInterrupts,
      acknowledge: () => {
        const registerC = read(REGISTER.C);
        const flags = registerC | unacknowledged;
        const isRequesting = (registerC & C.IRQF) !== 0 || unacknowledged !== 0;
        unacknowledged = 0;
        return {
          isRequesting,
          updateEnded: (flags & C.UF) !== 0,
          alarm: (flags & C.AF) !== 0,
          periodOver: (flags & C.PF) !== 0,
        };
      },
    },
  };
}

/** What the registers hold is no time. Never leaves this file. */
class Nonsense extends Error {}

/** Flags of Register C whose interrupts are enabled in Register B: they have the same places in both. */
const requested = (flags: number, enabled: number): number => flags & enabled & (C.UF | C.AF | C.PF);

function fromBcd(value: number): number | undefined {
  const tens = value >> 4;
  const ones = value & 0xf;
  return tens <= 9 && ones <= 9 ? tens * 10 + ones : undefined;
}

/** As data sheets write it: `0ah`. */
const hex = (value: number): string => `${value.toString(16).padStart(2, '0')}h`;
