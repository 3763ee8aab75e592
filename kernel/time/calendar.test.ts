import { describe, expect, it } from 'vitest';
import {
  civilFromDays,
  civilFromSeconds,
  dayOfWeek,
  daysFromCivil,
  daysInMonth,
  formatIso8601,
  isLeapYear,
  secondsFromCivil,
  wallNanos,
} from './calendar.ts';

const MS_PER_DAY = 86_400_000;

describe('days', () => {
  it('go round for every day of 1970 to 2100, as Date has them', () => {
    const last = Date.UTC(2100, 11, 31) / MS_PER_DAY;
    const wrong: string[] = [];
    for (let days = 0; days <= last; days++) {
      const date = new Date(days * MS_PER_DAY);
      const civil = civilFromDays(days);
      const isRight =
        civil.year === date.getUTCFullYear() &&
        civil.month === date.getUTCMonth() + 1 &&
        civil.day === date.getUTCDate() &&
        daysFromCivil(civil) === days &&
        dayOfWeek(days) % 7 === date.getUTCDay();
      if (!isRight) wrong.push(date.toISOString());
    }
    expect(last).toBe(47_846);
    expect(wrong).toEqual([]);
  });

  it('go round at every edge of a month in the years 1 to 9999', () => {
    const wrong: string[] = [];
    const date = new Date(0);
    for (let year = 1; year <= 9999; year++) {
      for (const [month, day] of [
        [1, 1],
        [2, 28],
        [3, 1],
        [12, 31],
      ] as const) {
        date.setUTCFullYear(year, month - 1, day);
        const days = daysFromCivil({ year, month, day });
        const back = civilFromDays(days);
        if (days !== date.getTime() / MS_PER_DAY || back.year !== year || back.month !== month || back.day !== day)
          wrong.push(date.toISOString());
      }
    }
    expect(wrong).toEqual([]);
  });

  it.each([
    [{ year: 1970, month: 1, day: 1 }, 0, 4],
    [{ year: 1969, month: 12, day: 31 }, -1, 3],
    [{ year: 1969, month: 7, day: 20 }, -165, 7],
    [{ year: 2000, month: 2, day: 29 }, 11_016, 2],
    [{ year: 2000, month: 3, day: 1 }, 11_017, 3],
    [{ year: 2038, month: 1, day: 19 }, 24_855, 2],
    [{ year: 2100, month: 2, day: 28 }, 47_540, 7],
    [{ year: 2100, month: 3, day: 1 }, 47_541, 1],
    [{ year: 1, month: 1, day: 1 }, -719_162, 1],
    [{ year: 9999, month: 12, day: 31 }, 2_932_896, 5],
  ])('know %o as day %i, day %i of the week', (civil, days, weekday) => {
    expect(daysFromCivil(civil)).toBe(days);
    expect(civilFromDays(days)).toEqual(civil);
    expect(dayOfWeek(days)).toBe(weekday);
  });

  it.each([
    [1900, false],
    [1970, false],
    [2000, true],
    [2024, true],
    [2100, false],
    [2400, true],
  ])('of year %i have a leap day: %s', (year, isLeap) => {
    expect(isLeapYear(year)).toBe(isLeap);
    expect(daysInMonth(year, 2)).toBe(isLeap ? 29 : 28);
  });

  it.each([
    [{ year: 2023, month: 2, day: 29 }, 'day 29 is not within 1..28'],
    [{ year: 2100, month: 2, day: 29 }, 'day 29 is not within 1..28'],
    [{ year: 2024, month: 2, day: 30 }, 'day 30 is not within 1..29'],
    [{ year: 2024, month: 4, day: 31 }, 'day 31 is not within 1..30'],
    [{ year: 2024, month: 1, day: 0 }, 'day 0 is not within 1..31'],
    [{ year: 2024, month: 1, day: 1.5 }, 'day 1.5 is not within 1..31'],
    [{ year: 2024, month: 0, day: 1 }, 'month 0 is not within 1..12'],
    [{ year: 2024, month: 13, day: 1 }, 'month 13 is not within 1..12'],
    [{ year: 0, month: 1, day: 1 }, 'year 0 is not within 1..9999'],
    [{ year: 10_000, month: 1, day: 1 }, 'year 10000 is not within 1..9999'],
    [{ year: NaN, month: 1, day: 1 }, 'year NaN is not within 1..9999'],
  ])('do not exist: %o', (civil, message) => {
    expect(() => daysFromCivil(civil)).toThrow(new RangeError(message));
  });

  it.each([-719_163, 2_932_897, 0.5, NaN, Infinity])('of number %d are not in the calendar', (days) => {
    expect(() => civilFromDays(days)).toThrow(RangeError);
  });

  it('of the week are known of integers only', () => {
    expect(dayOfWeek(-4)).toBe(7);
    expect(dayOfWeek(-10)).toBe(1);
    expect(() => dayOfWeek(0.5)).toThrow(RangeError);
  });
});

describe('seconds', () => {
  it.each([
    [{ year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0 }, 0n],
    [{ year: 1969, month: 12, day: 31, hour: 23, minute: 59, second: 59 }, -1n],
    [{ year: 2001, month: 9, day: 9, hour: 1, minute: 46, second: 40 }, 1_000_000_000n],
    [{ year: 2038, month: 1, day: 19, hour: 3, minute: 14, second: 8 }, 0x8000_0000n],
    [{ year: 2106, month: 2, day: 7, hour: 6, minute: 28, second: 16 }, 0x1_0000_0000n],
    [{ year: 1, month: 1, day: 1, hour: 0, minute: 0, second: 0 }, -62_135_596_800n],
    [{ year: 9999, month: 12, day: 31, hour: 23, minute: 59, second: 59 }, 253_402_300_799n],
  ])('know %o as %i', (civil, seconds) => {
    expect(secondsFromCivil(civil)).toBe(seconds);
    expect(civilFromSeconds(seconds)).toEqual(civil);
  });

  it('go on from each second of two days to the next', () => {
    let seconds = secondsFromCivil({ year: 2024, month: 2, day: 28, hour: 23, minute: 59, second: 0 });
    const end = seconds + 2n * 86_400n;
    const wrong: bigint[] = [];
    for (; seconds < end; seconds += 7n) {
      const { year, month, day, hour, minute, second } = civilFromSeconds(seconds);
      if (Date.UTC(year, month - 1, day, hour, minute, second) !== Number(seconds) * 1000) wrong.push(seconds);
    }
    expect(wrong).toEqual([]);
  });

  it.each([
    [{ hour: 24 }, 'hour 24 is not within 0..23'],
    [{ hour: -1 }, 'hour -1 is not within 0..23'],
    [{ minute: 60 }, 'minute 60 is not within 0..59'],
    [{ second: 60 }, 'second 60 is not within 0..59'],
    [{ day: 32 }, 'day 32 is not within 1..31'],
  ])('do not exist: %o', (part, message) => {
    const civil = { year: 2016, month: 12, day: 31, hour: 23, minute: 59, second: 59, ...part };
    expect(() => secondsFromCivil(civil)).toThrow(new RangeError(message));
  });

  it.each([-62_135_596_801n, 253_402_300_800n, 10n ** 30n])('%i are outside of the years', (seconds) => {
    expect(() => civilFromSeconds(seconds)).toThrow(RangeError);
  });
});

describe('ISO 8601', () => {
  it.each([
    [0n, '1970-01-01T00:00:00.000000000Z'],
    [1n, '1970-01-01T00:00:00.000000001Z'],
    [-1n, '1969-12-31T23:59:59.999999999Z'],
    [-1_000_000_000n, '1969-12-31T23:59:59.000000000Z'],
    [1_709_251_199_999_999_999n, '2024-02-29T23:59:59.999999999Z'],
    [-62_135_596_800_000_000_000n, '0001-01-01T00:00:00.000000000Z'],
  ])('%i ns is %s', (time, text) => {
    expect(formatIso8601(wallNanos(time))).toBe(text);
  });

  it('is refused beyond the year 9999', () => {
    expect(() => formatIso8601(wallNanos(253_402_300_800_000_000_000n))).toThrow(RangeError);
  });
});
