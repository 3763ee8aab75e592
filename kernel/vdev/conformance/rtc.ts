/**
 * Motorola MC146818A, "Real-Time Clock plus RAM (RTC)", in the order of its data sheet, as wired in a PC: crystal of 32.768 kHz, IRQ 8. Cases set
 * the clock and release its divider, so that all is at known distances from then: the first update begins after 500 ms and ends 1984 us later.
 */
import { A, ALARM_DONT_CARE, B, C, CMOS, CRYSTAL_HZ, D, DV, HOURS_PM, INDEX, REGISTER } from '../../regs/mc146818.ts';
import { instant, type Instant } from '../../time/units.ts';
import type { ConformanceCase, Expect, Target } from './target.ts';

const INDEX_PORT = 0x70;
const DATA_PORT = 0x71;
const IRQ = 8;
const MODE_24_BCD = B.HOURS_24;
const RUN = DV.HZ_32768 << A.DV.shift;
const RESET = DV.RESET << A.DV.shift;
const FLAGS = C.UF | C.AF | C.PF;
const ANY = ALARM_DONT_CARE;

const TIME = [
  REGISTER.HOURS,
  REGISTER.MINUTES,
  REGISTER.SECONDS,
  REGISTER.DAY_OF_WEEK,
  REGISTER.YEAR,
  REGISTER.MONTH,
  REGISTER.DATE_OF_MONTH,
] as const;
const ALARM = [REGISTER.HOURS_ALARM, REGISTER.MINUTES_ALARM, REGISTER.SECONDS_ALARM] as const;

/** Bytes as they are in the registers: hours, minutes, seconds, day of the week, year, month, date. */
type TimeBytes = readonly [number, number, number, number?, number?, number?, number?];
const NOON: TimeBytes = [0x12, 0x00, 0x00, 2, 0x24, 0x07, 0x15];

interface Rtc {
  read(register: number): number;
  write(register: number, value: number): void;
  flags(): number;
  time(): string;
  /** Divider in reset, SET clear, no alarm before the day is over, no flag; then nothing moves. @param b Register B */
  set(bytes: TimeBytes, b?: number, rs?: number): void;
  alarm(hours: number, minutes: number, seconds: number): void;
  /** Starts the divider: what `at` counts from. */
  release(rs?: number): void;
  /** To an instant after the release, in milliseconds. */
  at(milliseconds: number): void;
  /** Milliseconds after the release. */
  since(when: Instant): number;
  readonly slackMs: number;
}

const hex = (bytes: readonly number[]): string => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');

function rtcOf(target: Target): Rtc {
  let released = target.now();
  function read(register: number): number {
    target.out(INDEX_PORT, 1, register);
    return target.in(DATA_PORT, 1);
  }
  function write(register: number, value: number): void {
    target.out(INDEX_PORT, 1, register);
    target.out(DATA_PORT, 1, value);
  }
  return {
    read,
    write,
    flags: () => read(REGISTER.C),
    time: () => hex(TIME.map(read)),
    set: (bytes, b = MODE_24_BCD, rs = 0) => {
      write(REGISTER.B, B.SET | (b & (B.DM | B.HOURS_24 | B.DSE)));
      write(REGISTER.A, RESET | rs);
      for (const [n, register] of TIME.entries()) write(register, bytes[n] ?? NOON[n]!);
      // Where it is part of the date, it is a number as the others are.
      write(CMOS.CENTURY, (b & B.DM) !== 0 ? 20 : 0x20);
      // No hour is 0 minutes and 99.
      for (const register of ALARM) write(register, 0x7f);
      write(REGISTER.B, b);
      read(REGISTER.C);
    },
    alarm: (hours, minutes, seconds) => {
      write(REGISTER.HOURS_ALARM, hours);
      write(REGISTER.MINUTES_ALARM, minutes);
      write(REGISTER.SECONDS_ALARM, seconds);
    },
    release: (rs = 0) => {
      write(REGISTER.A, RUN | rs);
      released = target.now();
    },
    at: (milliseconds) => target.waitUntil(instant(released + BigInt(Math.round(milliseconds * 1e6)))),
    since: (when) => Number(when - released) / 1e6,
    slackMs: Number(target.slack) / 1e6,
  };
}

function rtcCase(
  name: string,
  run: (rtc: Rtc, expect: Expect, target: Target) => void,
  more: Pick<ConformanceCase, 'qemuDiffers' | 'notOn'> = {},
): ConformanceCase {
  return {
    name,
    run: (target, expect) => {
      const rtc = rtcOf(target);
      run(rtc, expect, target);
      // No interrupts of a case that is over.
      rtc.write(REGISTER.B, MODE_24_BCD);
      rtc.flags();
    },
    ...more,
  };
}

/** Interrupts of a line whose handler reads Register C, as milliseconds after the release. */
function watch(rtc: Rtc, target: Target): () => readonly number[] {
  target.watch(IRQ, 'edge', () => rtc.flags());
  target.takeInterrupts();
  return () => target.takeInterrupts().map(({ at }) => rtc.since(at));
}

function expectAt(expect: Expect, rtc: Rtc, what: string, seen: number | undefined, milliseconds: number): void {
  expect.equal(`${what}: there is one`, seen !== undefined, true);
  const nanos = Math.round(seen! * 1e6);
  const slack = Math.round(rtc.slackMs * 1e6) + 1;
  expect.within(what, nanos, Math.round(milliseconds * 1e6) - slack, Math.round(milliseconds * 1e6) + slack);
}

/** An update and what it makes of the time. */
function updateCase(name: string, before: TimeBytes, after: readonly number[], b = MODE_24_BCD): ConformanceCase {
  return rtcCase(name, (rtc, expect) => {
    rtc.set(before, b);
    rtc.release();
    rtc.at(510);
    expect.equal('hours minutes seconds, day, year month date', rtc.time(), hex(after));
  });
}

const addressMap: readonly ConformanceCase[] = [
  rtcCase('Address Map: the RAM from 0Eh on is read and written', (rtc, expect) => {
    // Not the bytes that firmware keeps, nor the century.
    const free = [0x40, 0x41, 0x55, 0x6a, 0x7e, 0x7f];
    const before = free.map((register) => rtc.read(register));
    for (const pattern of [0x00, 0xff, 0x55, 0xaa]) {
      for (const register of free) rtc.write(register, pattern ^ register);
      for (const register of free) expect.equal(`byte ${register.toString(16)}h`, rtc.read(register), pattern ^ register);
    }
    for (const [n, register] of free.entries()) rtc.write(register, before[n]!);
  }),
  rtcCase('Address Map: an update leaves the RAM alone', (rtc, expect) => {
    rtc.set([0x23, 0x59, 0x59]);
    const before = rtc.read(0x40);
    rtc.write(0x40, 0x5a);
    rtc.release();
    rtc.at(510);
    expect.equal('byte 40h', rtc.read(0x40), 0x5a);
    rtc.write(0x40, before);
  }),
  rtcCase('Address Map: Registers C and D are read only', (rtc, expect) => {
    rtc.set(NOON);
    rtc.write(REGISTER.C, 0xff);
    expect.equal('Register C', rtc.read(REGISTER.C), 0);
    rtc.write(REGISTER.D, 0x7f);
    expect.equal('Register D', rtc.read(REGISTER.D), D.VRT);
  }),
  rtcCase('Address Map: bit 7 of Register A is read only', (rtc, expect) => {
    rtc.set(NOON);
    rtc.write(REGISTER.A, A.UIP | RESET | 3);
    expect.equal('Register A', rtc.read(REGISTER.A), RESET | 3);
  }),
  rtcCase(
    'Address Map: the high-order bit of the seconds byte is read only',
    (rtc, expect) => {
      rtc.set(NOON);
      rtc.write(REGISTER.SECONDS, 0x85);
      expect.equal('seconds', rtc.read(REGISTER.SECONDS), 0x05);
    },
    { qemuDiffers: '"the high-order bit of the seconds byte is read only": it is kept as written' },
  ),
  rtcCase('PC/AT: the index is the low 7 bits of port 70h', (rtc, expect, target) => {
    rtc.set([0x12, 0x34, 0x56]);
    target.out(INDEX_PORT, 1, INDEX.NMI_MASK | REGISTER.MINUTES);
    expect.equal('minutes', target.in(DATA_PORT, 1), 0x34);
    target.out(INDEX_PORT, 1, REGISTER.MINUTES);
  }),
  rtcCase('PC/AT: the index stays for further accesses', (rtc, expect, target) => {
    rtc.set([0x12, 0x34, 0x56]);
    target.out(INDEX_PORT, 1, REGISTER.MINUTES);
    target.out(DATA_PORT, 1, 0x21);
    expect.equal('minutes', target.in(DATA_PORT, 1), 0x21);
    expect.equal('minutes again', target.in(DATA_PORT, 1), 0x21);
  }),
];

const time: readonly ConformanceCase[] = [
  rtcCase('Time, Calendar and Alarm Locations: what is written while nothing updates is read back', (rtc, expect) => {
    rtc.set([0x21, 0x43, 0x57, 5, 0x76, 0x11, 0x28]);
    rtc.alarm(0x19, 0x28, 0x37);
    expect.equal('time and date', rtc.time(), '21 43 57 05 76 11 28');
    expect.equal('alarm', hex(ALARM.map(rtc.read)), '19 28 37');
  }),
  updateCase('Time, BCD: a digit carries: 09 to 10', [0x12, 0x00, 0x09], [0x12, 0x00, 0x10, 2, 0x24, 0x07, 0x15]),
  updateCase('Time, BCD: 59 seconds carry into the minutes', [0x12, 0x39, 0x59], [0x12, 0x40, 0x00, 2, 0x24, 0x07, 0x15]),
  updateCase('Time, BCD, 24 hours: 19:59:59 is followed by 20:00:00', [0x19, 0x59, 0x59], [0x20, 0x00, 0x00, 2, 0x24, 0x07, 0x15]),
  updateCase('Time, binary: seconds are those numbers', [12, 0, 57, 2, 24, 7, 15], [12, 0, 58, 2, 24, 7, 15], B.HOURS_24 | B.DM),
  updateCase(
    'Time, binary, 24 hours: all carry at the end of a year',
    [23, 59, 59, 3, 24, 12, 31],
    [0, 0, 0, 4, 25, 1, 1],
    B.HOURS_24 | B.DM,
  ),
  updateCase('Time, 12 hours: 11:59:59 AM is followed by 12:00:00 PM', [0x11, 0x59, 0x59], [0x12 | HOURS_PM, 0, 0, 2, 0x24, 0x07, 0x15], 0),
  updateCase(
    'Time, 12 hours: 12:59:59 PM is followed by 1:00:00 PM',
    [0x12 | HOURS_PM, 0x59, 0x59],
    [0x01 | HOURS_PM, 0, 0, 2, 0x24, 0x07, 0x15],
    0,
  ),
  updateCase(
    'Time, 12 hours: 11:59:59 PM is followed by 12:00:00 AM of the next day',
    [0x11 | HOURS_PM, 0x59, 0x59],
    [0x12, 0, 0, 3, 0x24, 0x07, 0x16],
    0,
  ),
  updateCase('Time, 12 hours: 12:59:59 AM is followed by 1:00:00 AM', [0x12, 0x59, 0x59], [0x01, 0, 0, 2, 0x24, 0x07, 0x15], 0),
  updateCase(
    'Time, binary, 12 hours: PM is the high bit there too',
    [9 | HOURS_PM, 59, 59, 2, 24, 7, 15],
    [10 | HOURS_PM, 0, 0, 2, 24, 7, 15],
    B.DM,
  ),
  updateCase('Calendar: Saturday, 7, is followed by Sunday, 1', [0x23, 0x59, 0x59, 7, 0x24, 0x07, 0x20], [0, 0, 0, 1, 0x24, 0x07, 0x21]),
  updateCase('Calendar: a month of 31 days', [0x23, 0x59, 0x59, 2, 0x23, 0x07, 0x31], [0, 0, 0, 3, 0x23, 0x08, 0x01]),
  updateCase('Calendar: a month of 30 days', [0x23, 0x59, 0x59, 1, 0x23, 0x04, 0x30], [0, 0, 0, 2, 0x23, 0x05, 0x01]),
  updateCase('Calendar: February of a common year', [0x23, 0x59, 0x59, 3, 0x23, 0x02, 0x28], [0, 0, 0, 4, 0x23, 0x03, 0x01]),
  updateCase('Calendar: February 28 of a leap year', [0x23, 0x59, 0x59, 4, 0x24, 0x02, 0x28], [0, 0, 0, 5, 0x24, 0x02, 0x29]),
  updateCase('Calendar: February 29', [0x23, 0x59, 0x59, 5, 0x24, 0x02, 0x29], [0, 0, 0, 6, 0x24, 0x03, 0x01]),
  updateCase(
    'Calendar: the year follows the month, digit by digit',
    [0x23, 0x59, 0x59, 2, 0x29, 0x12, 0x31],
    [0, 0, 0, 3, 0x30, 0x01, 0x01],
  ),
  rtcCase('Calendar: the year 99 is followed by 00, and a PC counts its century', (rtc, expect) => {
    const before = rtc.read(CMOS.CENTURY);
    rtc.set([0x23, 0x59, 0x59, 6, 0x99, 0x12, 0x31]);
    rtc.write(CMOS.CENTURY, 0x19);
    rtc.release();
    rtc.at(510);
    expect.equal('time and date', rtc.time(), '00 00 00 07 00 01 01');
    expect.equal('century', rtc.read(CMOS.CENTURY), 0x20);
    rtc.write(CMOS.CENTURY, before);
  }),
  rtcCase('Calendar: the year 00 of a century that is a multiple of 400 is a leap year', (rtc, expect) => {
    const before = rtc.read(CMOS.CENTURY);
    rtc.set([0x23, 0x59, 0x59, 2, 0x00, 0x02, 0x28]);
    rtc.write(CMOS.CENTURY, 0x20);
    rtc.release();
    rtc.at(510);
    expect.equal('time and date', rtc.time(), '00 00 00 03 00 02 29');
    rtc.write(CMOS.CENTURY, before);
  }),
  rtcCase(
    'Calendar: the day of the week is counted, whatever the date',
    (rtc, expect) => {
      // 2024-07-15 was a Monday.
      rtc.set([0x23, 0x59, 0x59, 6, 0x24, 0x07, 0x15]);
      rtc.release();
      rtc.at(510);
      expect.equal('day of the week', rtc.read(REGISTER.DAY_OF_WEEK), 7);
    },
    { qemuDiffers: '"increment the seconds byte, check for overflow ... and so forth": the day of the week is computed from the date' },
  ),
  rtcCase('Time: the seconds go on one by one', (rtc, expect) => {
    rtc.set([0x12, 0x00, 0x57]);
    rtc.release();
    for (const [second, seen] of ['00 57', '00 58', '00 59', '01 00', '01 01'].entries()) {
      rtc.at(1000 * second + 100);
      expect.equal(`after ${second} s`, hex([rtc.read(REGISTER.MINUTES), rtc.read(REGISTER.SECONDS)]), seen);
    }
  }),
];

/** Set at 12:00:00, so that after `seconds` updates the time is known; whether the alarm came at each. */
function alarmCase(
  name: string,
  from: TimeBytes,
  alarm: readonly [number, number, number],
  seconds: string,
  b = MODE_24_BCD,
  qemuDiffers?: string,
): ConformanceCase {
  return rtcCase(
    name,
    (rtc, expect) => {
      rtc.set(from, b);
      rtc.alarm(...alarm);
      rtc.release();
      let seen = '';
      for (let update = 1; update <= seconds.length; update++) {
        rtc.at(1000 * update);
        seen += (rtc.flags() & C.AF) !== 0 ? 'A' : '-';
      }
      expect.equal('AF after each update', seen, seconds);
    },
    qemuDiffers === undefined ? {} : { qemuDiffers },
  );
}

const alarm: readonly ConformanceCase[] = [
  alarmCase('Alarm: it comes at its hours, minutes and seconds, at no other time', [0x12, 0x00, 0x00], [0x12, 0x00, 0x02], '-A-'),
  alarmCase('Alarm: the hour has to match', [0x12, 0x00, 0x00], [0x13, 0x00, 0x02], '---'),
  alarmCase('Alarm: the minute has to match', [0x12, 0x00, 0x00], [0x12, 0x01, 0x02], '---'),
  alarmCase("Alarm: don't care in the hours is once an hour", [0x17, 0x29, 0x58], [ANY, 0x30, 0x00], '-A-'),
  alarmCase("Alarm: don't care in hours and minutes is once a minute", [0x17, 0x29, 0x58], [ANY, ANY, 0x59], 'A--'),
  alarmCase("Alarm: don't care in hours and minutes, the next minute", [0x17, 0x29, 0x58], [ANY, ANY, 0x01], '--A'),
  alarmCase("Alarm: don't care in all three is once a second", [0x12, 0x00, 0x58], [ANY, ANY, ANY], 'AAAA'),
  alarmCase("Alarm: don't care in the seconds is each second of its minute", [0x12, 0x09, 0x57], [0x12, 0x10, ANY], '--AA'),
  alarmCase("Alarm: don't care in the seconds ends with its minute", [0x12, 0x09, 0x57], [0x12, 0x09, ANY], 'AA--'),
  alarmCase("Alarm: don't care in minutes and seconds is each second of its hour", [0x12, 0x59, 0x58], [0x13, ANY, ANY], '-AA'),
  alarmCase("Alarm: don't care in minutes and seconds ends with its hour", [0x12, 0x59, 0x58], [0x12, ANY, ANY], 'A--'),
  alarmCase("Alarm: don't care in the minutes is once a minute of its hour", [0x12, 0x00, 0x58], [0x12, ANY, 0x00], '-A--'),
  alarmCase("Alarm: don't care in the minutes is not in another hour", [0x12, 0x59, 0x58], [0x12, ANY, 0x00], '---'),
  alarmCase("Alarm: don't care is any code of 11XXXXXXb", [0x12, 0x00, 0x00], [0xff, 0xd5, 0xea], 'AA'),
  alarmCase('Alarm: at midnight', [0x23, 0x59, 0x58], [0x00, 0x00, 0x00], '-A-'),
  alarmCase(
    'Alarm: PM has to match in 12-hour mode',
    [0x11, 0x59, 0x58],
    [0x12 | HOURS_PM, 0x00, 0x00],
    '-A-',
    0,
    '"the high-order bit of the hours byte represents PM when it is a 1": it takes the one of the time, not of the alarm',
  ),
  alarmCase('Alarm: AM is not PM in 12-hour mode', [0x11, 0x59, 0x58], [0x12, 0x00, 0x00], '---', 0),
  alarmCase('Alarm: in binary', [12, 0, 57, 2, 24, 7, 15], [12, 0, 59], '-A-', B.HOURS_24 | B.DM),
  rtcCase('Alarm: the bytes stay as they are when it comes', (rtc, expect) => {
    rtc.set(NOON);
    rtc.alarm(ANY, 0x00, 0x01);
    rtc.release();
    rtc.at(510);
    expect.equal('alarm', hex(ALARM.map(rtc.read)), 'c0 00 01');
  }),
  rtcCase('Alarm: a time that is set to the alarm is none; an update has to make it', (rtc, expect) => {
    rtc.set(NOON);
    rtc.alarm(0x12, 0x00, 0x00);
    rtc.release();
    rtc.at(400);
    expect.equal('AF', rtc.flags() & C.AF, 0);
  }),
  rtcCase('Alarm: it interrupts each second that matches', (rtc, expect, target) => {
    const interrupts = watch(rtc, target);
    rtc.set(NOON, MODE_24_BCD | B.AIE);
    rtc.alarm(ANY, ANY, ANY);
    rtc.release();
    rtc.at(3400);
    expect.equal('interrupts', interrupts().length, 3);
  }),
  rtcCase('Alarm: it interrupts when the time is there', (rtc, expect, target) => {
    const interrupts = watch(rtc, target);
    rtc.set(NOON, MODE_24_BCD | B.AIE);
    rtc.alarm(0x12, 0x00, 0x03);
    rtc.release();
    rtc.at(4000);
    const seen = interrupts();
    expect.equal('interrupts', seen.length, 1);
    const slack = rtc.slackMs * 1000;
    expect.within('microseconds after the release', Math.round(seen[0]! * 1000), 2_500_000 - slack, 2_502_100 + slack);
  }),
];

const interrupts: readonly ConformanceCase[] = [
  rtcCase('Interrupts: a flag that is set already interrupts at once when it is enabled', (rtc, expect, target) => {
    const seen = watch(rtc, target);
    rtc.set(NOON);
    rtc.release();
    rtc.at(700);
    rtc.write(REGISTER.B, MODE_24_BCD | B.UIE);
    rtc.at(701);
    const taken = seen();
    expect.equal('interrupts', taken.length, 1);
    expect.within('microseconds after the release', Math.round(taken[0]! * 1000), 700_000, 701_000);
  }),
  rtcCase('Interrupts: reading Register C before an enable prevents that', (rtc, expect, target) => {
    const seen = watch(rtc, target);
    rtc.set(NOON);
    rtc.release();
    rtc.at(700);
    rtc.flags();
    rtc.write(REGISTER.B, MODE_24_BCD | B.UIE);
    rtc.at(900);
    expect.equal('interrupts', seen().length, 0);
  }),
  rtcCase('Interrupts: IRQ stays until Register C is read: what comes meanwhile makes no second one', (rtc, expect, target) => {
    target.watch(IRQ, 'edge');
    rtc.set(NOON, MODE_24_BCD | B.UIE);
    target.takeInterrupts();
    rtc.release();
    rtc.at(3700);
    expect.equal('interrupts', target.takeInterrupts().length, 1);
    rtc.flags();
    rtc.at(4700);
    expect.equal('interrupts after Register C was read', target.takeInterrupts().length, 1);
  }),
  rtcCase('Interrupts: one read of Register C clears several flags', (rtc, expect) => {
    rtc.set(NOON);
    rtc.alarm(ANY, ANY, ANY);
    rtc.release();
    rtc.at(600);
    expect.equal('flags', rtc.flags() & (C.UF | C.AF), C.UF | C.AF);
    expect.equal('flags then', rtc.flags() & (C.UF | C.AF | C.IRQF), 0);
  }),
  rtcCase('Interrupts: of several enabled ones one interrupt tells, and Register C which', (rtc, expect, target) => {
    const causes: number[] = [];
    target.watch(IRQ, 'edge', () => causes.push(rtc.flags()));
    rtc.set(NOON, MODE_24_BCD | B.UIE | B.AIE);
    target.takeInterrupts();
    rtc.alarm(ANY, ANY, 0x02);
    rtc.release();
    rtc.at(1700);
    expect.equal('Register C at each', hex(causes), hex([C.IRQF | C.UF, C.IRQF | C.UF | C.AF]));
  }),
  rtcCase('Interrupts: a disabled one leaves the flag, and IRQF goes', (rtc, expect) => {
    rtc.set(NOON, MODE_24_BCD | B.UIE);
    rtc.release();
    rtc.at(600);
    rtc.write(REGISTER.B, MODE_24_BCD);
    expect.equal('Register C', rtc.flags() & (C.UF | C.IRQF), C.UF);
  }),
];

const divider: readonly ConformanceCase[] = [
  rtcCase('Divider Control: held in reset, the time stands', (rtc, expect) => {
    rtc.set([0x12, 0x00, 0x00]);
    rtc.at(2500);
    expect.equal('seconds', rtc.read(REGISTER.SECONDS), 0x00);
  }),
  rtcCase('Divider Control: held in reset, no flag is set', (rtc, expect) => {
    rtc.set(NOON, MODE_24_BCD, 15);
    rtc.alarm(ANY, ANY, ANY);
    rtc.at(2500);
    expect.equal('flags', rtc.flags() & FLAGS, 0);
  }),
  rtcCase(
    'Divider Control: held in reset, no periodic interrupt comes',
    (rtc, expect, target) => {
      const seen = watch(rtc, target);
      rtc.set(NOON, MODE_24_BCD | B.PIE, 10);
      rtc.at(300);
      expect.equal('interrupts', seen().length, 0);
    },
    { qemuDiffers: '"Holding the dividers in reset prevents interrupts from operating": the periodic ones go on' },
  ),
  rtcCase('Divider Control: 111b resets too', (rtc, expect) => {
    rtc.set([0x12, 0x00, 0x00]);
    rtc.write(REGISTER.A, 0b111 << A.DV.shift);
    rtc.at(1700);
    expect.equal('seconds', rtc.read(REGISTER.SECONDS), 0x00);
  }),
  rtcCase('Divider Control: from reset to a time base, the first update is half a second later', (rtc, expect) => {
    rtc.set([0x12, 0x00, 0x00]);
    rtc.at(700);
    rtc.release();
    rtc.at(499);
    expect.equal('seconds before', rtc.read(REGISTER.SECONDS), 0x00);
    rtc.at(503);
    expect.equal('seconds after', rtc.read(REGISTER.SECONDS), 0x01);
    rtc.at(1499);
    expect.equal('seconds before the next', rtc.read(REGISTER.SECONDS), 0x01);
    rtc.at(1503);
    expect.equal('seconds after it', rtc.read(REGISTER.SECONDS), 0x02);
  }),
  rtcCase('Divider Control: reset in the midst of a second starts the half second anew', (rtc, expect) => {
    rtc.set([0x12, 0x00, 0x00]);
    rtc.release();
    rtc.at(900);
    rtc.write(REGISTER.A, RESET);
    rtc.at(2000);
    expect.equal('seconds', rtc.read(REGISTER.SECONDS), 0x01);
    rtc.release();
    rtc.at(499);
    expect.equal('seconds before', rtc.read(REGISTER.SECONDS), 0x01);
    rtc.at(503);
    expect.equal('seconds after', rtc.read(REGISTER.SECONDS), 0x02);
  }),
  rtcCase('Divider Control: changing RS alone does not disturb the divider', (rtc, expect) => {
    rtc.set([0x12, 0x00, 0x00]);
    rtc.release();
    rtc.at(300);
    rtc.write(REGISTER.A, RUN | 9);
    rtc.at(503);
    expect.equal('seconds', rtc.read(REGISTER.SECONDS), 0x01);
  }),
];

const periodic: readonly ConformanceCase[] = [
  rtcCase('Periodic Interrupt Selection: RS 3 to 15 are 32768 / 2^(RS - 1) Hz', (rtc, expect, target) => {
    for (let rs = 15; rs >= 3; rs--) {
      const seen = watch(rtc, target);
      rtc.set(NOON, MODE_24_BCD, rs);
      rtc.write(REGISTER.B, MODE_24_BCD | B.PIE);
      seen();
      rtc.release(rs);
      const period = (1000 * 2 ** (rs - 1)) / CRYSTAL_HZ;
      // A handler that takes longer than a period is late more and more.
      if (period < 5 * rtc.slackMs) break;
      rtc.at(10 * period);
      const taken = seen().slice(-9);
      expect.equal(`RS ${rs}: interrupts in 10 periods, at least`, taken.length, 9);
      expectAt(expect, rtc, `RS ${rs}: 8 periods`, taken[8]! - taken[0]!, 8 * period);
      rtc.write(REGISTER.B, MODE_24_BCD);
    }
  }),
  rtcCase('Periodic Interrupt Selection: with 32.768 kHz RS 1 and 2 are 256 and 128 Hz', (rtc, expect, target) => {
    for (const [rs, hertz] of [
      [1, 256],
      [2, 128],
    ] as const) {
      const seen = watch(rtc, target);
      rtc.set(NOON, MODE_24_BCD | B.PIE, rs);
      seen();
      rtc.release(rs);
      rtc.at(10_500 / hertz);
      expect.within(`RS ${rs}: interrupts in 10.5 periods`, seen().length, 10, 11);
      rtc.write(REGISTER.B, MODE_24_BCD);
    }
  }),
  rtcCase('Periodic Interrupt Selection: RS 0 is none', (rtc, expect, target) => {
    const seen = watch(rtc, target);
    rtc.set(NOON, MODE_24_BCD | B.PIE, 0);
    rtc.release(0);
    rtc.at(400);
    expect.equal('interrupts', seen().length, 0);
    expect.equal('PF', rtc.flags() & C.PF, 0);
  }),
  rtcCase('Periodic Interrupt Selection: the rate changes with RS', (rtc, expect, target) => {
    const seen = watch(rtc, target);
    rtc.set(NOON, MODE_24_BCD | B.PIE, 13);
    rtc.release(13);
    rtc.at(1000);
    seen();
    rtc.write(REGISTER.A, RUN | 10);
    rtc.at(2000);
    expect.within('interrupts of 64 Hz in a second', seen().length, 63, 65);
  }),
  rtcCase('Periodic Interrupt Selection: it goes on through SET', (rtc, expect, target) => {
    const seen = watch(rtc, target);
    rtc.set(NOON, MODE_24_BCD | B.PIE, 10);
    rtc.release(10);
    rtc.write(REGISTER.B, MODE_24_BCD | B.PIE | B.SET);
    seen();
    rtc.at(1000);
    expect.within('interrupts of 64 Hz in a second', seen().length, 63, 65);
  }),
  rtcCase(
    'Update Cycle: PF is set half a period before an update begins',
    (rtc, expect, target) => {
      const seen = watch(rtc, target);
      rtc.set(NOON, MODE_24_BCD | B.PIE, 15);
      seen();
      rtc.release(15);
      rtc.at(1900);
      const taken = seen();
      expect.equal('interrupts', taken.length, 4);
      for (const [n, at] of taken.entries()) expectAt(expect, rtc, `interrupt ${n}`, at, 250 + 500 * n);
    },
    { qemuDiffers: '"Reads should be completed within (T_PI / 2) + t_BUC": its periods begin where they are enabled' },
  ),
];

const update: readonly ConformanceCase[] = [
  rtcCase('Update Cycle: UIP is clear until 244 us before an update', (rtc, expect) => {
    rtc.set(NOON);
    rtc.release();
    rtc.at(499.5);
    expect.equal('UIP', rtc.read(REGISTER.A) & A.UIP, 0);
  }),
  rtcCase('Update Cycle: UIP is set within 244 us before an update', (rtc, expect) => {
    rtc.set(NOON);
    rtc.release();
    rtc.at(499.85);
    expect.equal('UIP', rtc.read(REGISTER.A) & A.UIP, A.UIP);
  }),
  rtcCase(
    'Update Cycle: UIP rises exactly 244 us before an update, and falls with its end, 1984 us after its beginning',
    (rtc, expect) => {
      rtc.set(NOON);
      rtc.release();
      for (const [at, uip] of [
        [499.755_999, 0],
        [499.756, A.UIP],
        [501.983_999, A.UIP],
        [501.984, 0],
      ] as const) {
        rtc.at(at);
        expect.equal(`UIP ${at} ms after the release`, rtc.read(REGISTER.A) & A.UIP, uip);
      }
    },
    { notOn: { guest: 'an access takes longer than a microsecond', qemu: 'an access takes longer than a nanosecond' } },
  ),
  rtcCase(
    'Update Cycle: with 32.768 kHz an update takes 1984 us, in which UIP is set',
    (rtc, expect) => {
      rtc.set(NOON);
      rtc.release();
      rtc.at(500.5);
      expect.equal('UIP', rtc.read(REGISTER.A) & A.UIP, A.UIP);
      rtc.at(501.5);
      expect.equal('UIP a millisecond later', rtc.read(REGISTER.A) & A.UIP, A.UIP);
    },
    { qemuDiffers: '"a 32.768 kHz time base update cycle takes 1984 us": it takes no time' },
  ),
  rtcCase('Update Cycle: UIP is clear after it', (rtc, expect) => {
    rtc.set(NOON);
    rtc.release();
    rtc.at(502.1);
    expect.equal('UIP', rtc.read(REGISTER.A) & A.UIP, 0);
  }),
  rtcCase('Update Cycle: it comes once a second', (rtc, expect, target) => {
    const seen = watch(rtc, target);
    rtc.set(NOON, MODE_24_BCD | B.UIE);
    rtc.release();
    rtc.at(5900);
    const taken = seen();
    expect.equal('interrupts', taken.length, 6);
    expectAt(expect, rtc, '5 s', taken[5]! - taken[0]!, 5000);
  }),
  rtcCase(
    'Update Cycle: the update-ended interrupt comes when the new time is there, and leaves more than 999 ms less an update to read it',
    (rtc, expect, target) => {
      const seconds: number[] = [];
      target.watch(IRQ, 'edge', () => {
        rtc.flags();
        seconds.push(rtc.read(REGISTER.SECONDS));
      });
      rtc.set([0x12, 0x00, 0x41], MODE_24_BCD | B.UIE);
      target.takeInterrupts();
      rtc.release();
      rtc.at(502.1);
      expect.equal('seconds in the handler', hex(seconds), '42');
      rtc.at(1499.5);
      expect.equal('seconds shortly before the next update', rtc.read(REGISTER.SECONDS), 0x42);
      expect.equal('UIP then', rtc.read(REGISTER.A) & A.UIP, 0);
    },
  ),
  rtcCase(
    'Update Cycle: the time, UF and UIP change at one instant, at the end of the update',
    (rtc, expect) => {
      rtc.set([0x12, 0x00, 0x41]);
      rtc.release();
      rtc.at(501.983_999);
      expect.equal('seconds', rtc.read(REGISTER.SECONDS), 0x41);
      expect.equal('UF', rtc.flags() & C.UF, 0);
      rtc.at(501.984);
      expect.equal('seconds at the end', rtc.read(REGISTER.SECONDS), 0x42);
      expect.equal('UF at the end', rtc.flags() & C.UF, C.UF);
    },
    { notOn: { guest: 'an access takes longer than a microsecond', qemu: 'an access takes longer than a nanosecond' } },
  ),
];

const registers: readonly ConformanceCase[] = [
  rtcCase('Register A: DV and RS are read as written', (rtc, expect) => {
    rtc.set(NOON);
    for (const value of [RESET, RESET | 0xf, RUN | 5, (0b111 << A.DV.shift) | 0xa]) {
      rtc.write(REGISTER.A, value);
      expect.equal('Register A', rtc.read(REGISTER.A) & ~A.UIP, value);
    }
  }),
  rtcCase('Register B: all bits are read as written, but for UIE while SET goes high', (rtc, expect) => {
    rtc.set(NOON);
    for (const value of [0, B.DSE, B.HOURS_24, B.DM, B.SQWE, B.UIE, B.AIE, B.PIE, B.SET, 0x7f]) {
      rtc.write(REGISTER.B, value);
      expect.equal('Register B', rtc.read(REGISTER.B), value);
      rtc.flags();
    }
  }),
  rtcCase('Register B, SET: 0, the update cycle advances the counts once a second', (rtc, expect) => {
    rtc.set([0x12, 0x00, 0x41]);
    rtc.release();
    rtc.at(2510);
    expect.equal('seconds', rtc.read(REGISTER.SECONDS), 0x44);
  }),
  rtcCase('Register B, SET: 1, no update occurs', (rtc, expect) => {
    rtc.set([0x12, 0x00, 0x41]);
    rtc.release();
    rtc.at(100);
    rtc.write(REGISTER.B, MODE_24_BCD | B.SET);
    rtc.at(3000);
    expect.equal('seconds', rtc.read(REGISTER.SECONDS), 0x41);
  }),
  rtcCase('Register B, SET: 1, UIP is cleared, and stays so', (rtc, expect) => {
    rtc.set(NOON);
    rtc.release();
    rtc.at(499.8);
    rtc.write(REGISTER.B, MODE_24_BCD | B.SET);
    expect.equal('UIP', rtc.read(REGISTER.A) & A.UIP, 0);
    rtc.at(1499.85);
    expect.equal('UIP a second later', rtc.read(REGISTER.A) & A.UIP, 0);
  }),
  rtcCase(
    'Register B, SET: 1, an update in progress is aborted',
    (rtc, expect) => {
      rtc.set([0x12, 0x00, 0x41]);
      rtc.release();
      rtc.at(501);
      rtc.write(REGISTER.B, MODE_24_BCD | B.SET);
      rtc.at(503);
      expect.equal('seconds', rtc.read(REGISTER.SECONDS), 0x41);
      rtc.write(REGISTER.B, MODE_24_BCD);
      rtc.at(1499);
      expect.equal('seconds after SET is cleared, before the next', rtc.read(REGISTER.SECONDS), 0x41);
    },
    { qemuDiffers: '"any update cycle in progress is aborted": it takes no time, and is over' },
  ),
  rtcCase(
    'Register B, SET: 1, UF is not set: it follows an update cycle, and there is none',
    (rtc, expect) => {
      rtc.set(NOON);
      rtc.release();
      rtc.write(REGISTER.B, MODE_24_BCD | B.SET);
      rtc.at(1700);
      expect.equal('UF', rtc.flags() & C.UF, 0);
    },
    { qemuDiffers: '"UF bit is set after each update cycle": it is set each second with SET too' },
  ),
  rtcCase(
    'Register B, SET: 1, no alarm comes',
    (rtc, expect) => {
      rtc.set(NOON);
      rtc.alarm(0x12, 0x00, 0x01);
      rtc.release();
      rtc.write(REGISTER.B, MODE_24_BCD | B.SET);
      rtc.at(1700);
      expect.equal('AF', rtc.flags() & C.AF, 0);
    },
    { qemuDiffers: '"The update cycle also compares each alarm byte with the corresponding time byte": it comes without an update' },
  ),
  rtcCase('Register B, SET: once it is cleared, updates come where they would have come: the divider went on', (rtc, expect) => {
    rtc.set([0x12, 0x00, 0x41]);
    rtc.release();
    rtc.at(100);
    rtc.write(REGISTER.B, MODE_24_BCD | B.SET);
    rtc.at(1300);
    rtc.write(REGISTER.B, MODE_24_BCD);
    rtc.at(1499);
    expect.equal('seconds before', rtc.read(REGISTER.SECONDS), 0x41);
    rtc.at(1503);
    expect.equal('seconds after', rtc.read(REGISTER.SECONDS), 0x42);
  }),
  rtcCase('Register B, SET: what is written meanwhile is what the next update advances', (rtc, expect) => {
    rtc.set([0x12, 0x00, 0x41]);
    rtc.release();
    rtc.at(700);
    rtc.write(REGISTER.B, MODE_24_BCD | B.SET);
    rtc.write(REGISTER.MINUTES, 0x33);
    rtc.write(REGISTER.SECONDS, 0x59);
    rtc.write(REGISTER.B, MODE_24_BCD);
    rtc.at(1510);
    expect.equal('minutes and seconds', hex([rtc.read(REGISTER.MINUTES), rtc.read(REGISTER.SECONDS)]), '34 00');
  }),
  rtcCase(
    'Register B, PIE: 0, PF is still set at the periodic rate',
    (rtc, expect) => {
      rtc.set(NOON, MODE_24_BCD, 10);
      rtc.release(10);
      rtc.at(100);
      expect.equal('PF', rtc.flags() & C.PF, C.PF);
    },
    { qemuDiffers: '"A zero in PIE blocks IRQ ..., but the periodic flag (PF) bit is still set at the periodic rate": it is not' },
  ),
  rtcCase('Register B, PIE: 0, no interrupt', (rtc, expect, target) => {
    const seen = watch(rtc, target);
    rtc.set(NOON, MODE_24_BCD, 10);
    rtc.release(10);
    rtc.at(400);
    expect.equal('interrupts', seen().length, 0);
  }),
  rtcCase('Register B, PIE: cleared, it interrupts no more', (rtc, expect, target) => {
    const seen = watch(rtc, target);
    rtc.set(NOON, MODE_24_BCD | B.PIE, 10);
    rtc.release(10);
    rtc.at(100);
    rtc.write(REGISTER.B, MODE_24_BCD);
    expect.equal('some came', seen().length > 0, true);
    rtc.at(400);
    expect.equal('interrupts then', seen().length, 0);
  }),
  rtcCase('Register B, AIE: 0, AF is set and does not interrupt', (rtc, expect, target) => {
    const seen = watch(rtc, target);
    rtc.set(NOON);
    rtc.alarm(ANY, ANY, ANY);
    rtc.release();
    rtc.at(700);
    expect.equal('interrupts', seen().length, 0);
    expect.equal('AF and IRQF', rtc.flags() & (C.AF | C.IRQF), C.AF);
  }),
  rtcCase('Register B, UIE: 0, UF is set and does not interrupt', (rtc, expect, target) => {
    const seen = watch(rtc, target);
    rtc.set(NOON);
    rtc.release();
    rtc.at(700);
    expect.equal('interrupts', seen().length, 0);
    expect.equal('UF and IRQF', rtc.flags() & (C.UF | C.IRQF), C.UF);
  }),
  rtcCase('Register B, UIE: SET going high clears it', (rtc, expect) => {
    rtc.set(NOON, MODE_24_BCD | B.UIE | B.AIE);
    rtc.write(REGISTER.B, MODE_24_BCD | B.SET | B.UIE | B.AIE);
    expect.equal('Register B', rtc.read(REGISTER.B), MODE_24_BCD | B.SET | B.AIE);
  }),
  rtcCase('Register B, SQWE: it has no effect on time and interrupts', (rtc, expect, target) => {
    const seen = watch(rtc, target);
    rtc.set([0x12, 0x00, 0x41], MODE_24_BCD | B.SQWE, 10);
    rtc.release(10);
    rtc.at(700);
    expect.equal('seconds', rtc.read(REGISTER.SECONDS), 0x42);
    expect.equal('interrupts', seen().length, 0);
  }),
  rtcCase('Register B, DM and 24/12: updates do not change them', (rtc, expect) => {
    for (const mode of [0, B.DM, B.HOURS_24, B.DM | B.HOURS_24]) {
      rtc.set([1, 2, 3, 4, 5, 6, 7], mode);
      rtc.release();
      rtc.at(510);
      expect.equal('Register B', rtc.read(REGISTER.B), mode);
    }
  }),
  rtcCase('Register B, DM: while SET is on, the bytes stay as they are when it changes', (rtc, expect) => {
    rtc.set([0x12, 0x34, 0x56]);
    rtc.write(REGISTER.B, B.SET | B.HOURS_24 | B.DM);
    expect.equal('time', hex(TIME.slice(0, 3).map(rtc.read)), '12 34 56');
  }),
  rtcCase(
    'Register B, DSE: on the last Sunday in April 1:59:59 AM is followed by 3:00:00 AM',
    (rtc, expect) => {
      rtc.set([0x01, 0x59, 0x59, 1, 0x24, 0x04, 0x28], MODE_24_BCD | B.DSE);
      rtc.release();
      rtc.at(510);
      expect.equal('time and date', rtc.time(), '03 00 00 01 24 04 28');
    },
    { qemuDiffers: '"On the last Sunday in April the time increments from 1:59:59 AM to 3:00:00 AM": DSE has no effect' },
  ),
  rtcCase('Register B, DSE: not on another Sunday', (rtc, expect) => {
    rtc.set([0x01, 0x59, 0x59, 1, 0x24, 0x04, 0x21], MODE_24_BCD | B.DSE);
    rtc.release();
    rtc.at(510);
    expect.equal('time and date', rtc.time(), '02 00 00 01 24 04 21');
  }),
  rtcCase('Register B, DSE: not if it is 0', (rtc, expect) => {
    rtc.set([0x01, 0x59, 0x59, 1, 0x24, 0x04, 0x28]);
    rtc.release();
    rtc.at(510);
    expect.equal('time and date', rtc.time(), '02 00 00 01 24 04 28');
  }),
  rtcCase(
    'Register B, DSE: on the last Sunday in October 1:59:59 AM is followed by 1:00:00 AM',
    (rtc, expect) => {
      rtc.set([0x01, 0x59, 0x59, 1, 0x24, 0x10, 0x27], MODE_24_BCD | B.DSE);
      rtc.release();
      rtc.at(510);
      expect.equal('time and date', rtc.time(), '01 00 00 01 24 10 27');
    },
    { qemuDiffers: '"On the last Sunday in October when the time first reaches 1:59:59 AM it changes to 1:00:00 AM": DSE has no effect' },
  ),
  rtcCase('Register C: bits 0 to 3 are zeros', (rtc, expect) => {
    rtc.set(NOON, MODE_24_BCD, 10);
    rtc.alarm(ANY, ANY, ANY);
    rtc.release(10);
    rtc.at(700);
    expect.equal('bits', rtc.flags() & C.ZERO.mask, 0);
  }),
  rtcCase('Register C, IRQF: set while a flag and its enable are', (rtc, expect, target) => {
    // Nobody takes the interrupt: Register C is polled.
    target.watch(IRQ, 'edge');
    for (const [enable, flag] of [
      [B.UIE, C.UF],
      [B.AIE, C.AF],
      [B.PIE, C.PF],
    ] as const) {
      rtc.set(NOON, MODE_24_BCD | enable, 15);
      rtc.alarm(ANY, ANY, ANY);
      rtc.release(15);
      rtc.at(700);
      expect.equal('IRQF and its flag', rtc.flags() & (C.IRQF | flag), C.IRQF | flag);
      expect.equal('after the read', rtc.flags() & (C.IRQF | flag), 0);
    }
  }),
  rtcCase('Register C, UF: set after each update cycle', (rtc, expect) => {
    rtc.set(NOON);
    rtc.release();
    for (let second = 0; second < 3; second++) {
      rtc.at(1000 * second + 400);
      expect.equal('UF before', rtc.flags() & C.UF, 0);
      rtc.at(1000 * second + 600);
      expect.equal('UF after', rtc.flags() & C.UF, C.UF);
    }
  }),
  rtcCase('Register D: VRT is set, the other bits are zeros', (rtc, expect) => {
    rtc.read(REGISTER.D);
    expect.equal('Register D', rtc.read(REGISTER.D), D.VRT);
  }),
];

export const RTC_CASES: readonly ConformanceCase[] = [
  ...addressMap,
  ...time,
  ...alarm,
  ...interrupts,
  ...divider,
  ...periodic,
  ...update,
  ...registers,
];
