/**
 * Time and calendar of an MC146818A (Motorola, "Real-Time Clock plus RAM (RTC)"): ten bytes of RAM that an update adds a second to, by any
 * number of updates at once, and the alarm.
 *
 * What the data sheet leaves open, and what is done here:
 * - a byte that is out of its range or no BCD stays as it is until it is carried into; then, at or beyond its last value, it starts over and
 *   carries itself;
 * - a month that does not exist has 31 days;
 * - there is no alarm while seconds, minutes or hours are out of range;
 * - the year 00 is a leap year, as the chip knows no century; the century byte of a PC counts up after the year 99, and from 99 to 00.
 */
import { ALARM_DONT_CARE, B, CMOS, HOURS_PM, REGISTER } from '../regs/mc146818.ts';

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
const APRIL = 4;
const OCTOBER = 10;
const SUNDAY = 1;
const HOUR = 3600;
const DAY = 24 * HOUR;
/** "Daylight savings enable": the special updates are those of 1:59:59 AM. */
const DAYLIGHT_SECOND = 2 * HOUR - 1;

export const NO_ALARM = Number.POSITIVE_INFINITY;

export interface RtcCalendar {
  /** @returns whether the alarm matched after one of the updates */
  advance(updates: number): boolean;
  /** Updates until the alarm matches: from 1 on, NO_ALARM if it never does. With daylight savings, or bytes out of range, 1: it has to be looked at again. */
  updatesToAlarm(): number;
  /** A byte that is no time, date or alarm in the present data mode. */
  isNonsense(register: number, byte: number): boolean;
  encode(value: number): number;
  encodeHour(hour: number): number;
  /** October's hour has been repeated: part of the state. */
  hasFallenBack(): boolean;
  setFallenBack(toFallenBack: boolean): void;
}

/**
 * @param ram of which bytes 0 to 9 and 32h are the time
 * @param registerB its present value
 */
export function createRtcCalendar(ram: Uint8Array, registerB: () => number): RtcCalendar {
  let fellBack = false;

  const isBinary = (): boolean => (registerB() & B.DM) !== 0;
  const is24Hour = (): boolean => (registerB() & B.HOURS_24) !== 0;
  const decode = (byte: number): number => (isBinary() ? byte : (byte >> 4) * 10 + (byte & 0xf));
  const encode = (value: number): number => (isBinary() ? value : (((value / 10) | 0) << 4) | (value % 10));
  const isBcd = (byte: number): boolean => isBinary() || ((byte & 0xf) <= 9 && byte >> 4 <= 9);

  /** 0 to 23, or -1. */
  function decodeHour(byte: number): number {
    if (is24Hour()) return isBcd(byte) && decode(byte) <= 23 ? decode(byte) : -1;
    const hour = decode(byte & ~HOURS_PM);
    if (!isBcd(byte & ~HOURS_PM) || hour < 1 || hour > 12) return -1;
    return (hour % 12) + ((byte & HOURS_PM) !== 0 ? 12 : 0);
  }
  function encodeHour(hour: number): number {
    if (is24Hour()) return encode(hour);
    return encode(hour % 12 === 0 ? 12 : hour % 12) | (hour >= 12 ? HOURS_PM : 0);
  }
  /** 0 to 59, or -1. */
  function decodeSixty(byte: number): number {
    const value = decode(byte);
    return isBcd(byte) && value < 60 ? value : -1;
  }

  /** Of the day, or -1. */
  function secondOfDay(): number {
    const second = decodeSixty(ram[REGISTER.SECONDS]!);
    const minute = decodeSixty(ram[REGISTER.MINUTES]!);
    const hour = decodeHour(ram[REGISTER.HOURS]!);
    return second < 0 || minute < 0 || hour < 0 ? -1 : hour * HOUR + minute * 60 + second;
  }
  function setSecondOfDay(second: number): void {
    ram[REGISTER.SECONDS] = encode(second % 60);
    ram[REGISTER.MINUTES] = encode(((second / 60) | 0) % 60);
    ram[REGISTER.HOURS] = encodeHour((second / HOUR) | 0);
  }

  /** Updates from a second of the day until the alarm bytes match: 1 to 86,400, or NO_ALARM. */
  function toMatch(from: number): number {
    const isWild = (register: number): boolean => (ram[register]! & ALARM_DONT_CARE) === ALARM_DONT_CARE;
    const anySecond = isWild(REGISTER.SECONDS_ALARM);
    const anyMinute = isWild(REGISTER.MINUTES_ALARM);
    const anyHour = isWild(REGISTER.HOURS_ALARM);
    const second = decodeSixty(ram[REGISTER.SECONDS_ALARM]!);
    const minute = decodeSixty(ram[REGISTER.MINUTES_ALARM]!);
    const hour = decodeHour(ram[REGISTER.HOURS_ALARM]!);
    if ((!anySecond && second < 0) || (!anyMinute && minute < 0) || (!anyHour && hour < 0)) return NO_ALARM;
    let at = from + 1;
    // From the hour down, each to the first moment that can still match: what a finer field then adds carries into the coarser one at most once.
    for (;;) {
      const ofHour = at % HOUR;
      const ofMinute = at % 60;
      const hours = ((at / HOUR) | 0) % 24;
      const minutes = (ofHour / 60) | 0;
      if (!anyHour && hours !== hour) at += ((hour - hours + 24) % 24) * HOUR - ofHour;
      else if (!anyMinute && minutes !== minute) at += ((minute - minutes + 60) % 60) * 60 - ofMinute;
      else if (!anySecond && ofMinute !== second) at += (second - ofMinute + 60) % 60;
      else return at - from;
    }
  }

  function carryDay(): void {
    fellBack = false;
    const dayOfWeek = decode(ram[REGISTER.DAY_OF_WEEK]!);
    ram[REGISTER.DAY_OF_WEEK] = encode(dayOfWeek >= 7 ? 1 : dayOfWeek + 1);
    const date = decode(ram[REGISTER.DATE_OF_MONTH]!);
    const month = decode(ram[REGISTER.MONTH]!);
    const year = decode(ram[REGISTER.YEAR]!);
    const days = month === 2 && year % 4 === 0 ? 29 : (MONTH_DAYS[month - 1] ?? 31);
    if (date < days) {
      ram[REGISTER.DATE_OF_MONTH] = encode(date + 1);
      return;
    }
    ram[REGISTER.DATE_OF_MONTH] = encode(1);
    if (month < 12) {
      ram[REGISTER.MONTH] = encode(month + 1);
      return;
    }
    ram[REGISTER.MONTH] = encode(1);
    if (year < 99) {
      ram[REGISTER.YEAR] = encode(year + 1);
      return;
    }
    ram[REGISTER.YEAR] = encode(0);
    const century = decode(ram[CMOS.CENTURY]!);
    ram[CMOS.CENTURY] = encode(century >= 99 ? 0 : century + 1);
  }

  /** One update where a byte is out of range: each counts by itself. */
  function step(): void {
    const second = decode(ram[REGISTER.SECONDS]!);
    if (second < 59) {
      ram[REGISTER.SECONDS] = encode(second + 1);
      return;
    }
    ram[REGISTER.SECONDS] = encode(0);
    const minute = decode(ram[REGISTER.MINUTES]!);
    if (minute < 59) {
      ram[REGISTER.MINUTES] = encode(minute + 1);
      return;
    }
    ram[REGISTER.MINUTES] = encode(0);
    const hour = decodeHour(ram[REGISTER.HOURS]!);
    if (hour >= 0 && hour < 23) {
      ram[REGISTER.HOURS] = encodeHour(hour + 1);
      return;
    }
    ram[REGISTER.HOURS] = encodeHour(0);
    carryDay();
  }

  /** The special update that this one is, at 1:59:59 AM with daylight savings enabled: the second of the day it leads to, or -1. */
  function daylightSecond(): number {
    if (decode(ram[REGISTER.DAY_OF_WEEK]!) !== SUNDAY) return -1;
    const month = decode(ram[REGISTER.MONTH]!);
    const date = decode(ram[REGISTER.DATE_OF_MONTH]!);
    if (month === APRIL && date > 30 - 7) return 3 * HOUR;
    if (month === OCTOBER && date > 31 - 7 && !fellBack) {
      fellBack = true;
      return HOUR;
    }
    return -1;
  }

  function advance(updates: number): boolean {
    let hasMatched = false;
    let left = updates;
    while (left > 0) {
      const from = secondOfDay();
      if (from < 0) {
        step();
        left--;
        const to = secondOfDay();
        if (to >= 0 && toMatch((to + DAY - 1) % DAY) === 1) hasMatched = true;
        continue;
      }
      if (from === DAYLIGHT_SECOND && (registerB() & B.DSE) !== 0) {
        const to = daylightSecond();
        if (to >= 0) {
          setSecondOfDay(to);
          left--;
          if (toMatch(to - 1) === 1) hasMatched = true;
          continue;
        }
      }
      // To midnight, or to where a special update may be, at a stretch.
      const stretch = from < DAYLIGHT_SECOND ? DAYLIGHT_SECOND - from : DAY - from;
      const steps = Math.min(left, stretch);
      if (toMatch(from) <= steps) hasMatched = true;
      setSecondOfDay((from + steps) % DAY);
      if (from + steps === DAY) carryDay();
      left -= steps;
    }
    return hasMatched;
  }

  return {
    advance,
    updatesToAlarm: () => {
      const from = secondOfDay();
      return from < 0 || (registerB() & B.DSE) !== 0 ? 1 : toMatch(from);
    },
    isNonsense: (register, byte) => {
      switch (register) {
        case REGISTER.SECONDS:
        case REGISTER.MINUTES:
          return decodeSixty(byte) < 0;
        case REGISTER.HOURS:
          return decodeHour(byte) < 0;
        case REGISTER.SECONDS_ALARM:
        case REGISTER.MINUTES_ALARM:
          return (byte & ALARM_DONT_CARE) !== ALARM_DONT_CARE && decodeSixty(byte) < 0;
        case REGISTER.HOURS_ALARM:
          return (byte & ALARM_DONT_CARE) !== ALARM_DONT_CARE && decodeHour(byte) < 0;
        case REGISTER.DAY_OF_WEEK:
          return !isBcd(byte) || decode(byte) < 1 || decode(byte) > 7;
        case REGISTER.DATE_OF_MONTH:
          return !isBcd(byte) || decode(byte) < 1 || decode(byte) > 31;
        case REGISTER.MONTH:
          return !isBcd(byte) || decode(byte) < 1 || decode(byte) > 12;
        default:
          return !isBcd(byte) || decode(byte) > 99;
      }
    },
    encode,
    encodeHour,
    hasFallenBack: () => fellBack,
    setFallenBack: (toFallenBack) => {
      fellBack = toFallenBack;
    },
  };
}
