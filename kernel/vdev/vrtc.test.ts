import { describe, expect, it } from 'vitest';
import { testConformance } from '../../test/conformance.ts';
import { probeRtc } from '../drivers/rtc-mc146818.ts';
import type { Ports } from '../hw/ports.ts';
import { CMOS } from '../regs/mc146818.ts';
import { createManualGuestClock, type ManualGuestClock } from '../testing/guest-clock.ts';
import { createModelTarget, type ModelTarget } from '../testing/model-target.ts';
import { NANOS_PER_SECOND, type Instant } from '../time/units.ts';
import { RTC_CASES } from './conformance/rtc.ts';
import { REQUEST } from './device.ts';
import { createRtc, RTC_LINE, RTC_PORTS, type Rtc, type RtcOptions } from './vrtc.ts';

const START = { year: 2024, month: 7, day: 15, hour: 8, minute: 30, second: 0 };
const MILLISECOND = 1_000_000n;

function createTarget(): ModelTarget {
  const target = createModelTarget();
  const rtc = createRtc({
    clock: target.clock,
    createTimer: target.clock.createTimer,
    line: target.line(RTC_LINE),
    onMisuse: () => undefined,
    start: START,
  });
  target.placePorts(RTC_PORTS, 2, rtc);
  return target;
}

describe('the MC146818A', () => {
  testConformance(RTC_CASES, createTarget);
});

interface Bench {
  readonly clock: ManualGuestClock;
  readonly rtc: Rtc;
  readonly requests: Instant[];
  readonly misuses: string[];
  read(register: number): number;
  write(register: number, value: number): void;
  /** hours:minutes:seconds, as in the registers. */
  time(): string;
}

function createBench(options: Partial<RtcOptions> = {}, clock = createManualGuestClock()): Bench {
  const requests: Instant[] = [];
  const misuses: string[] = [];
  const rtc = createRtc({
    clock,
    createTimer: clock.createTimer,
    line: {
      pulse: () => {
        requests.push(clock.now());
        return REQUEST.ACCEPTED;
      },
      setLevel: () => undefined,
    },
    onMisuse: (what, offset, width) => misuses.push(`${what}: ${width} at ${(RTC_PORTS + offset).toString(16)}h`),
    start: START,
    ...options,
  });
  const bench: Bench = {
    clock,
    rtc,
    requests,
    misuses,
    read: (register) => {
      rtc.write(0, 1, register);
      return rtc.read(1, 1);
    },
    write: (register, value) => {
      rtc.write(0, 1, register);
      rtc.write(1, 1, value);
    },
    time: () => [4, 2, 0].map((register) => bench.read(register).toString(16).padStart(2, '0')).join(':'),
  };
  return bench;
}

describe('where Xen falls short', () => {
  it("19: an alarm with don't care in the seconds comes in its minute, and in all of that", () => {
    const { clock, read, write } = createBench();
    write(5, 0x08);
    write(3, 0x31);
    write(1, 0xff);
    const alarms: number[] = [];
    for (let second = 1; second <= 180; second++) {
      clock.pass(NANOS_PER_SECOND);
      if ((read(0xc) & 0x20) !== 0) alarms.push(second);
    }
    expect(alarms).toEqual(Array.from({ length: 60 }, (_, n) => 60 + n));
  });

  it('19: SET stops the time, and nothing of it is made up for afterwards', () => {
    const { clock, time, write } = createBench();
    write(0xb, 0x82);
    clock.pass(10n * NANOS_PER_SECOND);
    expect(time()).toBe('08:30:00');
    write(0xb, 0x02);
    clock.pass(NANOS_PER_SECOND);
    expect(time()).toBe('08:30:01');
  });

  it('19: a divider in reset stops the time', () => {
    const { clock, time, write } = createBench();
    write(0xa, 0x66);
    clock.pass(10n * NANOS_PER_SECOND);
    expect(time()).toBe('08:30:00');
  });

  it('19: seconds follow guest time: where that stands, they do', () => {
    const { clock, time, read } = createBench();
    clock.pass(59n * NANOS_PER_SECOND + 999_999_999n);
    for (let look = 0; look < 1000; look++) expect(time()).toBe('08:30:59');
    expect(read(0xa) & 0x80).toBe(0x80);
    clock.pass(1n);
    expect(time()).toBe('08:31:00');
  });

  it('21: a restored one has the phases it had', () => {
    const { clock, rtc, write } = createBench();
    write(0xa, 0x2d);
    write(0xb, 0x52);
    clock.pass(123_456_789n);
    const other = createBench({}, createManualGuestClock(clock.now()));
    other.rtc.restore(structuredClone(rtc.save()));
    for (let n = 0; n < 400; n++) {
      other.read(0xc);
      other.clock.pass(5n * MILLISECOND);
    }
    // 8 Hz, half a period before and after each update; and the updates.
    const whole = other.requests.filter((at) => at % NANOS_PER_SECOND === 0n);
    expect(whole).toEqual([NANOS_PER_SECOND, 2n * NANOS_PER_SECOND]);
    const periodic = other.requests.filter((at) => at % NANOS_PER_SECOND !== 0n);
    expect(new Set(periodic.map((at) => (at + 501_984_000n - 62_500_000n) % 125_000_000n))).toEqual(new Set([0n]));
    expect(periodic).toHaveLength(16);
  });
});

describe('drift', () => {
  it('of the periodic interrupt, 8192 Hz, is exactly 0 after a million periods', () => {
    const { clock, requests, read, write } = createBench();
    write(0xa, 0x60);
    write(0xb, 0x42);
    write(0xa, 0x23);
    const crystal = 4n;
    for (let period = 0n; period < 1_000_000n; period++) {
      // Half a period after the release first.
      const due = ((2n * period + 1n) * crystal * NANOS_PER_SECOND + 2n * 32_768n - 1n) / (2n * 32_768n);
      clock.pass(due - clock.now());
      if (requests.at(-1) !== due) throw new Error(`interrupt ${period} is not at ${due} ns but at ${requests.at(-1)}`);
      read(0xc);
    }
  });

  it('of the update-ended interrupt is exactly 0 after a million seconds', () => {
    const { clock, requests, read, write } = createBench();
    write(0xb, 0x12);
    for (let second = 1n; second <= 1_000_000n; second++) {
      clock.pass(second * NANOS_PER_SECOND - clock.now());
      if (requests.at(-1) !== clock.now()) throw new Error(`no interrupt at second ${second}`);
      read(0xc);
    }
  });

  it('of the time is 0 after 70 years without a look', () => {
    const { clock, time, read } = createBench();
    clock.pass(25_567n * 86_400n * NANOS_PER_SECOND + 12n * NANOS_PER_SECOND);
    expect([time(), ...[7, 8, 9, 0x32].map((register) => read(register).toString(16))]).toEqual(['08:30:12', '15', '7', '94', '20']);
  });
});

describe('at the start', () => {
  it('it has the time it was given, with the day of the week', () => {
    const { time, read } = createBench({ start: { year: 1999, month: 12, day: 31, hour: 23, minute: 59, second: 58 } });
    expect(time()).toBe('23:59:58');
    // A Friday.
    expect([6, 7, 8, 9, 0x32].map((register) => read(register).toString(16))).toEqual(['6', '31', '12', '99', '19']);
  });

  it('Register A has the divider run and 1024 Hz, B has 24 hours and BCD, C has nothing, D has VRT', () => {
    const { read } = createBench();
    expect([0xa, 0xb, 0xc, 0xd].map(read)).toEqual([0x26, 0x02, 0, 0x80]);
  });

  it('VRT is 0 after a loss of power, until Register D has been read', () => {
    const { read } = createBench({ hadPower: false });
    expect(read(0xd)).toBe(0);
    expect(read(0xd)).toBe(0x80);
  });

  it.each([
    [64, [640, 64 * 1024 - 1024, (48 << 20) >> 16]],
    [8, [640, 7 * 1024, 0]],
    [0.25, [256, 0, 0]],
    [16_384, [640, 0xffff, 0xffff]],
  ])('the RAM says what firmware would have found of %d MiB, with a checksum', (mebibytes, expected) => {
    const { read } = createBench({ memoryBytes: mebibytes * 2 ** 20 });
    const word = (register: number): number => read(register) | (read(register + 1) << 8);
    expect([CMOS.BASE_MEMORY, CMOS.EXTENDED_MEMORY, CMOS.MEMORY_ABOVE_16M].map(word)).toEqual(expected);
    expect(word(CMOS.EXTENDED_MEMORY_FOUND)).toBe(word(CMOS.EXTENDED_MEMORY));
    let sum = 0;
    for (let register = 0x10; register <= 0x2d; register++) sum += read(register);
    expect((read(0x2e) << 8) | read(0x2f)).toBe(sum);
  });

  it('guest time may have gone on for long before', () => {
    const clock = createManualGuestClock();
    clock.pass(3600n * NANOS_PER_SECOND);
    expect(createBench({}, clock).time()).toBe('09:30:00');
  });
});

describe('reset', () => {
  it('takes the enables and flags away, and leaves time, modes, SET and RAM', () => {
    const { clock, rtc, requests, read, write, time } = createBench();
    write(0x40, 0x5a);
    write(0xa, 0x2a);
    write(0xb, 0x7a);
    clock.pass(1500n * MILLISECOND);
    requests.length = 0;
    rtc.reset();
    expect(read(0xc)).toBe(0);
    expect(read(0xb)).toBe(0x02);
    expect(read(0xa) & 0x7f).toBe(0x2a);
    expect(read(0x40)).toBe(0x5a);
    clock.pass(NANOS_PER_SECOND);
    expect(requests).toEqual([]);
    expect(time()).toBe('08:30:02');
  });
});

describe('daylight savings', () => {
  it('the last Sunday in October has its hour from 1 to 2 twice, and not three times', () => {
    const { clock, time, write } = createBench({ start: { year: 2024, month: 10, day: 27, hour: 0, minute: 59, second: 59 } });
    write(0xb, 0x03);
    const hours: string[] = [];
    for (let hour = 0; hour < 4; hour++) {
      clock.pass((hour === 0 ? 1n : 3600n) * NANOS_PER_SECOND);
      hours.push(time());
    }
    // "When the time first reaches 1:59:59 AM it changes to 1:00:00 AM": the next update after that second.
    expect(hours).toEqual(['01:00:00', '01:00:00', '02:00:00', '03:00:00']);
  });

  it('is there for a guest that was away for a year', () => {
    const { clock, time, write, read } = createBench({ start: { year: 2024, month: 4, day: 1, hour: 12, minute: 0, second: 0 } });
    write(0xb, 0x03);
    clock.pass(30n * 86_400n * NANOS_PER_SECOND);
    expect(time()).toBe('13:00:00');
    clock.pass(335n * 86_400n * NANOS_PER_SECOND);
    expect([time(), read(7), read(8), read(9)]).toEqual(['12:00:00', 0x01, 0x04, 0x25]);
  });
});

describe('a misuse is harmless, and counted', () => {
  it.each([
    ['read of the index', 'RTC: read of the index, which is write only: 1 at 70h', ({ rtc }: Bench) => expect(rtc.read(0, 1)).toBe(0xff)],
    ['write of Register C', 'RTC: write of Register C, which is read only: 1 at 71h', ({ write }: Bench) => write(0xc, 0xff)],
    ['write of Register D', 'RTC: write of Register D, which is read only: 1 at 71h', ({ write }: Bench) => write(0xd, 0)],
    ['DV for another crystal', 'RTC: DV 0b is not for its crystal: 1 at 71h', ({ write }: Bench) => write(0xa, 0x06)],
    ['DV of a factory test', 'RTC: DV 101b is not for its crystal: 1 at 71h', ({ write }: Bench) => write(0xa, 0x56)],
    ['month 13', "RTC: register 8h can't be 13h in this data mode: 1 at 71h", ({ write }: Bench) => write(8, 0x13)],
    ['hour 99', "RTC: register 4h can't be 99h in this data mode: 1 at 71h", ({ write }: Bench) => write(4, 0x99)],
    ['minutes that are no BCD', "RTC: register 2h can't be 1fh in this data mode: 1 at 71h", ({ write }: Bench) => write(2, 0x1f)],
    ['day of the week 0', "RTC: register 6h can't be 0h in this data mode: 1 at 71h", ({ write }: Bench) => write(6, 0)],
    ['alarm second 60', "RTC: register 1h can't be 60h in this data mode: 1 at 71h", ({ write }: Bench) => write(1, 0x60)],
    ['century that is no BCD', "RTC: register 32h can't be aah in this data mode: 1 at 71h", ({ write }: Bench) => write(0x32, 0xaa)],
    [
      'read of 16 bits',
      'RTC: a read that is not of one of its bytes: 2 at 70h',
      ({ rtc }: Bench) => expect(rtc.read(0, 2) & 0xff).toBe(0xff),
    ],
    [
      'read beyond the ports',
      'RTC: a read that is not of one of its bytes: 2 at 71h',
      ({ rtc }: Bench) => expect(rtc.read(1, 2) >> 8).toBe(0xff),
    ],
    ['write beyond the ports', 'RTC: a write that is not of one of its bytes: 4 at 71h', ({ rtc }: Bench) => rtc.write(1, 4, 0)],
  ])('%s', (_name, misuse, access) => {
    const bench = createBench();
    access(bench);
    expect(bench.misuses).toContain(misuse);
  });

  it("what is right is not counted: don't care, 12 PM, 31, 99", () => {
    const { write, misuses } = createBench();
    write(0xb, 0x00);
    for (const [register, value] of [
      [1, 0xff],
      [3, 0xc0],
      [4, 0x92],
      [5, 0x81],
      [6, 7],
      [7, 0x31],
      [8, 0x12],
      [9, 0x99],
      [0x33, 0xaa],
    ] as const)
      write(register, value);
    write(0xa, 0x70);
    expect(misuses).toEqual([]);
  });

  it('a 16-bit write of index and value is what a PC makes of it: two of a byte, and counted', () => {
    const { rtc, read, misuses } = createBench();
    rtc.write(0, 2, 0x5a40);
    expect(read(0x40)).toBe(0x5a);
    expect(misuses).toEqual(['RTC: a write that is not of one of its bytes: 2 at 70h']);
  });

  it('month 13 lasts for a month of 31 days, and is followed by January of the next year', () => {
    const { clock, read, write } = createBench({ start: { year: 2024, month: 12, day: 31, hour: 0, minute: 0, second: 0 } });
    write(8, 0x13);
    clock.pass(86_400n * NANOS_PER_SECOND);
    expect([7, 8, 9].map((register) => read(register).toString(16))).toEqual(['1', '1', '25']);
  });

  it('hour 99 lasts to its end, and the day after it begins', () => {
    const { clock, read, write, time } = createBench();
    write(4, 0x99);
    clock.pass(29n * 60n * NANOS_PER_SECOND + 59n * NANOS_PER_SECOND);
    expect(time()).toBe('99:59:59');
    clock.pass(NANOS_PER_SECOND);
    expect(time()).toBe('00:00:00');
    expect(read(7)).toBe(0x16);
  });

  it('an alarm that is no time never comes, and one that is comes as soon as the time is one', () => {
    const { clock, read, write } = createBench();
    write(5, 0xff);
    write(3, 0xff);
    write(1, 0x60);
    clock.pass(200n * NANOS_PER_SECOND);
    expect(read(0xc) & 0x20).toBe(0);
    write(1, 0x00);
    write(0, 0x77);
    clock.pass(NANOS_PER_SECOND);
    expect(read(0xc) & 0x20).toBe(0x20);
  });

  it('bit 7 of the index is the NMI mask of the machine', () => {
    const { rtc } = createBench();
    rtc.write(0, 1, 0x8a);
    expect(rtc.isNmiMasked()).toBe(true);
    rtc.write(0, 1, 0x0a);
    expect(rtc.isNmiMasked()).toBe(false);
  });
});

describe('what an interrupt request says', () => {
  it('a periodic one that finds IRQ low already merges, one without its enable is dropped', () => {
    const clock = createManualGuestClock();
    const requests: number[] = [];
    const bench = createBench(
      {
        createTimer: (source) =>
          clock.createTimer({
            ...source,
            tick: (deadline, acknowledged) => {
              const request = source.tick(deadline, acknowledged);
              requests.push(request);
              return request;
            },
          }),
      },
      clock,
    );
    bench.write(0xa, 0x2d);
    bench.write(0xb, 0x42);
    clock.pass(300n * MILLISECOND);
    expect(requests).toEqual([REQUEST.ACCEPTED, REQUEST.MERGED]);
  });
});

describe('the driver of the real one', () => {
  const createPorts = ({ clock, rtc }: Bench): Ports =>
    ({
      read8: (offset: number) => {
        clock.pass(500n);
        return rtc.read(offset, 1);
      },
      write8: (offset: number, value: number) => {
        clock.pass(500n);
        rtc.write(offset, 1, value);
      },
    }) as Ports;

  it.each([0x00, 0x02, 0x04, 0x06])('reads its time in data mode %i, at any moment of a second', (mode) => {
    const bench = createBench({ start: { year: 2024, month: 2, day: 29, hour: 0, minute: 59, second: 50 } });
    bench.write(0xb, 0x80 | mode);
    const encode = (value: number): number => ((mode & 4) !== 0 ? value : Math.floor(value / 10) * 16 + (value % 10));
    for (const [register, value] of [
      [0, 50],
      [2, 59],
      [7, 29],
      [8, 2],
      [9, 24],
      [0x32, 20],
    ] as const)
      bench.write(register, encode(value));
    bench.write(4, (mode & 2) !== 0 ? encode(12) : 0x80 | encode(12));
    bench.write(0xb, mode);
    const probe = probeRtc(createPorts(bench), 0x32);
    if (!probe.found) throw new Error(probe.reason);
    let last = 0;
    for (let read = 0; read < 200; read++) {
      bench.clock.pass(97_003_001n);
      const time = probe.rtc.readTime();
      if (!time.ok) throw new Error(time.reason);
      const { hour, minute, second, day, month, year } = time.civil;
      expect([year, month, day]).toEqual([2024, 2, 29]);
      const ofDay = (hour * 60 + minute) * 60 + second;
      // By guest time, which its updates follow.
      expect(ofDay).toBe((12 * 60 + 59) * 60 + 50 + Number(bench.clock.now() / NANOS_PER_SECOND));
      expect(ofDay).toBeGreaterThanOrEqual(last);
      last = ofDay;
    }
  });

  it('has its periodic and update-ended interrupts', () => {
    const bench = createBench();
    const probe = probeRtc(createPorts(bench), 0x32);
    if (!probe.found) throw new Error(probe.reason);
    probe.rtc.enablePeriodic(13);
    probe.rtc.enableUpdateEnded();
    const seen = { periods: 0, updates: 0 };
    for (let n = 0; n < 20_000; n++) {
      bench.clock.pass(MILLISECOND / 2n);
      if (bench.requests.splice(0).length === 0) continue;
      const flags = probe.rtc.acknowledge();
      expect(flags.isRequesting).toBe(true);
      if (flags.periodOver) seen.periods++;
      if (flags.updateEnded) seen.updates++;
    }
    expect(seen).toEqual({ periods: 80, updates: 10 });
  });
});
