/**
 * The calendar: dates and times of day against seconds and nanoseconds since 1970-01-01T00:00:00Z. Proleptic
 * Gregorian, years 1 to 9999 (what ISO 8601 writes with four digits), days of 86,400 seconds: as POSIX counts, leap
 * seconds do not exist.
 */
import { NANOS_PER_SECOND } from './units.ts';

declare const wall: unique symbol;
/** A point in absolute time: nanoseconds since 1970-01-01T00:00:00Z. */
export type WallNanos = bigint & { readonly [wall]: true };
export const wallNanos = (value: bigint): WallNanos => value as WallNanos;

export interface CivilDate {
  /** 1 to 9999. */
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** 1 to the month's last. */
  readonly day: number;
}

export interface Civil extends CivilDate {
  /** 0 to 23. */
  readonly hour: number;
  /** 0 to 59. */
  readonly minute: number;
  /** 0 to 59. */
  readonly second: number;
}

const YEAR_MAX = 9999;
const SECONDS_PER_DAY = 86_400n;

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

// The year is counted from March: then the leap day is the last of its year, of its four, of its four hundred, and
// only ever makes the last group one day longer.
const YEAR_DAYS = 365;
const FOUR_YEARS_DAYS = 4 * YEAR_DAYS + 1;
const CENTURY_DAYS = 25 * FOUR_YEARS_DAYS - 1;
const ERA_DAYS = 4 * CENTURY_DAYS + 1; // 400 years, after which everything repeats

/** From 0000-03-01, the first day of an era, to 1970-01-01: 1970 years less two months, and the leap days of them. */
const EPOCH_DAYS = 1970 * YEAR_DAYS + Math.floor(1970 / 4) - Math.floor(1970 / 100) + Math.floor(1970 / 400) - (31 + 28);

/** Days from March 1 to the first of the `n`th month after it: five months have 153 days, spread so that floor gives 31, 30, 31, 30, 31. */
const daysBeforeMonth = (n: number): number => Math.floor((153 * n + 2) / 5);

function assertWithin(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) throw new RangeError(`${name} ${value} is not within ${min}..${max}`);
}

/** @param year any integer */
export const isLeapYear = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

/**
 * @param year any integer
 * @param month 1 to 12
 * @throws RangeError for another month
 */
export function daysInMonth(year: number, month: number): number {
  assertWithin('month', month, 1, 12);
  return month === 2 && isLeapYear(year) ? 29 : MONTH_DAYS[month - 1]!;
}

/**
 * Days since 1970-01-01, negative before it.
 * @throws RangeError for a day that is not in the calendar
 */
export function daysFromCivil({ year, month, day }: CivilDate): number {
  assertWithin('year', year, 1, YEAR_MAX);
  assertWithin('day', day, 1, daysInMonth(year, month));
  const monthsSinceMarch = (month + 9) % 12;
  const marchYear = month > 2 ? year : year - 1;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return marchYear * YEAR_DAYS + leapDays + daysBeforeMonth(monthsSinceMarch) + (day - 1) - EPOCH_DAYS;
}

const FIRST_DAY = daysFromCivil({ year: 1, month: 1, day: 1 });
const LAST_DAY = daysFromCivil({ year: YEAR_MAX, month: 12, day: 31 });

/**
 * @param days since 1970-01-01: -719162 (0001-01-01) to 2932896 (9999-12-31)
 * @throws RangeError beyond
 */
export function civilFromDays(days: number): CivilDate {
  assertWithin('day number', days, FIRST_DAY, LAST_DAY);
  let rest = days + EPOCH_DAYS;
  const eras = Math.floor(rest / ERA_DAYS);
  rest -= eras * ERA_DAYS;
  // The day that makes the last century, and the last year of four, longer would count as a fifth one.
  const centuries = Math.min(Math.floor(rest / CENTURY_DAYS), 3);
  rest -= centuries * CENTURY_DAYS;
  const fours = Math.floor(rest / FOUR_YEARS_DAYS);
  rest -= fours * FOUR_YEARS_DAYS;
  const years = Math.min(Math.floor(rest / YEAR_DAYS), 3);
  rest -= years * YEAR_DAYS;
  // The inverse of daysBeforeMonth: the largest n for which (153 n + 2) / 5 is not beyond.
  const monthsSinceMarch = Math.floor((5 * rest + 2) / 153);
  const month = ((monthsSinceMarch + 2) % 12) + 1;
  const marchYear = 400 * eras + 100 * centuries + 4 * fours + years;
  return { year: month > 2 ? marchYear : marchYear + 1, month, day: rest - daysBeforeMonth(monthsSinceMarch) + 1 };
}

/**
 * ISO 8601: 1 = Monday to 7 = Sunday. (The MC146818A's register has 1 = Sunday.)
 * @param days since 1970-01-01, which was a Thursday: any integer that a number holds exactly
 * @throws RangeError for others
 */
export function dayOfWeek(days: number): number {
  if (!Number.isSafeInteger(days)) throw new RangeError(`day number ${days} is no integer`);
  return ((((days + 3) % 7) + 7) % 7) + 1;
}

/**
 * Seconds since 1970-01-01T00:00:00Z, negative before it.
 * @throws RangeError for a date or time that does not exist; second 60 is one of those
 */
export function secondsFromCivil(civil: Civil): bigint {
  assertWithin('hour', civil.hour, 0, 23);
  assertWithin('minute', civil.minute, 0, 59);
  assertWithin('second', civil.second, 0, 59);
  return BigInt(daysFromCivil(civil)) * SECONDS_PER_DAY + BigInt((civil.hour * 60 + civil.minute) * 60 + civil.second);
}

/**
 * @param seconds since 1970-01-01T00:00:00Z: -62135596800 (0001-01-01T00:00:00Z) to 253402300799 (9999-12-31T23:59:59Z)
 * @throws RangeError beyond
 */
export function civilFromSeconds(seconds: bigint): Civil {
  const [days, rest] = divideFloor(seconds, SECONDS_PER_DAY);
  if (days < BigInt(FIRST_DAY) || days > BigInt(LAST_DAY))
    throw new RangeError(`second ${seconds} since 1970 is not within the years 1..${YEAR_MAX}`);
  const ofDay = Number(rest);
  return {
    ...civilFromDays(Number(days)),
    hour: Math.floor(ofDay / 3600),
    minute: Math.floor(ofDay / 60) % 60,
    second: ofDay % 60,
  };
}

/**
 * ISO 8601 with nine decimals: `2024-02-29T23:59:59.999999999Z`. Nothing is rounded.
 * @throws RangeError outside of the years 1 to 9999
 */
export function formatIso8601(time: WallNanos): string {
  const [seconds, fraction] = divideFloor(time, NANOS_PER_SECOND);
  const { year, month, day, hour, minute, second } = civilFromSeconds(seconds);
  const date = `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}`;
  return `${date}T${digits(hour, 2)}:${digits(minute, 2)}:${digits(second, 2)}.${digits(fraction, 9)}Z`;
}

const digits = (value: number | bigint, count: number): string => value.toString().padStart(count, '0');

/** Quotient and remainder, which is never negative: what is before 1970 belongs to the second that began before it. */
function divideFloor(value: bigint, divisor: bigint): [bigint, bigint] {
  const remainder = ((value % divisor) + divisor) % divisor;
  return [(value - remainder) / divisor, remainder];
}
