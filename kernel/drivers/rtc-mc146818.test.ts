import { describe, expect, it } from 'vitest';
import { createPorts } from '../hw/ports.ts';
import { A, B, REGISTER, RTC } from '../regs/mc146818.ts';
import { createFakeBus, type FakeDevice } from '../testing/bus.ts';
import { createFakeClock, PICOSECONDS_PER_NANO, PICOSECONDS_PER_SECOND } from '../testing/clock.ts';
import { createFakeRtc, type FakeRtcOptions } from '../testing/rtc-mc146818.ts';
import { secondsFromCivil, type Civil } from '../time/calendar.ts';
import { probeRtc, RTC_BASE } from './rtc-mc146818.ts';

const CENTURY = 0x32;

function createPc(options: FakeRtcOptions = {}, accessNanos = 1000n, centuryIndex = options.centuryIndex ?? 0) {
  const clock = createFakeClock();
  const device = createFakeRtc(clock, options);
  const bus = createFakeBus({ clock, accessNanos, ports: [{ base: RTC_BASE, length: RTC.COUNT, device }] });
  const probe = probeRtc(createPorts(bus.shims, RTC_BASE, RTC.COUNT), centuryIndex);
  if (!probe.found) throw new Error(probe.reason);
  bus.takeAccesses();
  return { clock, device, bus, rtc: probe.rtc };
}

function probeDevice(device?: FakeDevice) {
  const bus = createFakeBus({ ports: device ? [{ base: RTC_BASE, length: RTC.COUNT, device }] : [] });
  return { probe: probeRtc(createPorts(bus.shims, RTC_BASE, RTC.COUNT), CENTURY), accesses: bus.takeAccesses() };
}

const civil = (text: string): Civil => {
  const [year, month, day, hour, minute, second] = text.split(/[-T:]/).map(Number) as [number, number, number, number, number, number];
  return { year, month, day, hour, minute, second };
};

describe('probing', () => {
  it('finds nothing where nobody drives the bus, and writes nothing there', () => {
    const { probe, accesses } = probeDevice();
    expect(probe).toEqual({ found: false, reason: 'every register reads ffh: nothing answers' });
    expect(accesses.filter((access) => access.startsWith('out 71'))).toEqual([]);
  });

  it('finds nothing where everything reads 0', () => {
    const { probe } = probeDevice({ read8: () => 0, write8: () => undefined });
    expect(probe).toEqual({ found: false, reason: 'every register reads 00h: nothing answers' });
  });

  it('finds nothing where the bus echoes what was last on it', () => {
    let last = 0;
    const { probe, accesses } = probeDevice({ read8: () => last, write8: (_offset, value) => void (last = value) });
    expect(probe).toEqual({ found: false, reason: 'Register C reads 0ch: bits 0 to 3 of an MC146818A are 0' });
    expect(accesses.filter((access) => access.startsWith('out 71'))).toEqual([]);
  });

  it('turns interrupts off and leaves everything else as it was', () => {
    const { device, rtc } = createPc({ registerB: B.PIE | B.AIE | B.UIE | B.SQWE | B.DSE });
    expect(device.registerB()).toBe(B.SQWE | B.DSE | B.HOURS_24);
    expect(device.registerA()).toBe(0x26);
    expect(device.isRequesting()).toBe(false);
    expect(rtc.hasDaylightSaving).toBe(true);
  });

  it.each([
    [0x0d, 0],
    [0x0e, 0x0e],
    [0x7f, 0x7f],
    [0x80, 0],
  ])('takes century index 0x%s for register %i', (told, taken) => {
    expect(createPc({}, 1000n, told).rtc.centuryIndex).toBe(taken);
  });

  it.each([true, false])('tells whether the battery held (%s), though only the first look shows it', (hadPower) => {
    const { rtc } = createPc({ hadPower });
    rtc.readTime();
    expect(rtc.hasValidTime).toBe(hadPower);
  });

  it.each(['enabled', 'masked'] as const)('and everything after it keeps NMI %s', (nmi) => {
    const clock = createFakeClock();
    const device = createFakeRtc(clock);
    const bus = createFakeBus({ clock, ports: [{ base: RTC_BASE, length: RTC.COUNT, device }] });
    const probe = probeRtc(createPorts(bus.shims, RTC_BASE, RTC.COUNT), 0, nmi);
    if (!probe.found) throw new Error(probe.reason);
    probe.rtc.readTime();
    probe.rtc.enablePeriodic(6);
    probe.rtc.acknowledge();
    const indices = bus.takeAccesses().filter((access) => access.startsWith('out 70'));
    expect(indices.every((access) => parseInt(access.slice(7), 16) >= 0x80 === (nmi === 'masked'))).toBe(true);
    expect(device.isNmiMasked()).toBe(nmi === 'masked');
  });
});

const MODES = [true, false].flatMap((isBinary) =>
  [true, false].flatMap((is24Hour) => [0, CENTURY].map((centuryIndex) => ({ isBinary, is24Hour, centuryIndex }))),
);

describe.each(MODES)('the time, %o', (mode) => {
  it.each([
    '2024-05-17T13:45:30',
    '2024-05-17T00:00:00',
    '2024-05-17T00:59:59',
    '2024-05-17T01:00:00',
    '2024-05-17T11:59:59',
    '2024-05-17T12:00:00',
    '2024-05-17T23:59:59',
    '2024-02-29T10:10:10',
    '2000-02-29T19:09:08',
    '1999-12-31T23:59:58',
    '1980-01-01T00:00:00',
    '2079-12-31T23:59:59',
  ])('%s is read', (text) => {
    const { rtc } = createPc({ ...mode, start: civil(text) });
    expect(rtc.readTime()).toEqual({ ok: true, civil: civil(text) });
    expect(rtc).toMatchObject({ dataMode: mode.isBinary ? 'binary' : 'BCD', hourMode: mode.is24Hour ? 24 : 12 });
  });

  it('has every hour of the day', () => {
    for (let hour = 0; hour < 24; hour++) {
      const start = { ...civil('2024-05-17T00:59:58'), hour };
      expect(createPc({ ...mode, start }).rtc.readTime()).toEqual({ ok: true, civil: start });
    }
  });

  it.each([
    ['2024-05-17T11:59:59', '2024-05-17T12:00:00'],
    ['2024-05-17T23:59:59', '2024-05-18T00:00:00'],
    ['2023-12-31T23:59:59', '2024-01-01T00:00:00'],
    ['1999-12-31T23:59:59', '2000-01-01T00:00:00'],
    ['2024-02-28T23:59:59', '2024-02-29T00:00:00'],
    ['2024-02-29T23:59:59', '2024-03-01T00:00:00'],
    ['2023-02-28T23:59:59', '2023-03-01T00:00:00'],
  ])('is %s or %s, whole, wherever between the accesses the update falls', (before, after) => {
    const allowed = [civil(before), civil(after)].map(secondsFromCivil);
    const wrong: string[] = [];
    for (const variant of ['datasheet', 'emulator', 'no UIP'] as const) {
      // Slow accesses: what UIP promises, 244 us, is too short for a reading.
      for (const accessNanos of [1000n, 50_000n]) {
        for (let access = 0n; access < 60n; access++) {
          const phaseNanos = 1_000_000_000n - access * accessNanos - accessNanos / 4n;
          const { rtc, device } = createPc({ ...mode, start: civil(before), update: variant, phaseNanos }, accessNanos);
          const earliest = device.now() / PICOSECONDS_PER_SECOND;
          const time = rtc.readTime();
          const seconds = time.ok ? secondsFromCivil(time.civil) : -1n;
          const isRight = allowed.includes(seconds) && seconds >= earliest && seconds <= device.now() / PICOSECONDS_PER_SECOND;
          if (!isRight) wrong.push(`${variant}, ${accessNanos} ns, access ${access}: ${time.ok ? seconds : time.reason}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('the year', () => {
  it.each([
    ['1980-06-01T12:00:00', '1980-06-01T12:00:00'],
    ['2079-06-01T12:00:00', '2079-06-01T12:00:00'],
    ['2080-06-01T12:00:00', '1980-06-01T12:00:00'],
    ['1979-06-01T12:00:00', '2079-06-01T12:00:00'],
  ])('%s without a century is read as %s', (start, read) => {
    expect(createPc({ start: civil(start) }).rtc.readTime()).toEqual({ ok: true, civil: civil(read) });
  });

  it.each(['1979-06-01T12:00:00', '2080-02-29T12:00:00', '2100-03-01T00:00:00', '2199-12-31T23:59:59'])('%s needs one', (start) => {
    expect(createPc({ start: civil(start), centuryIndex: CENTURY }).rtc.readTime()).toEqual({ ok: true, civil: civil(start) });
  });
});

describe('nonsense is named:', () => {
  it.each([
    ['seconds', { [REGISTER.SECONDS]: 0x5a }, 'Seconds (register 00h) reads 5ah, which is no BCD'],
    ['second 60', { [REGISTER.SECONDS]: 0x60 }, 'Seconds (register 00h) reads 60h, which is not within 0..59'],
    ['minutes', { [REGISTER.MINUTES]: 0xa0 }, 'Minutes (register 02h) reads a0h, which is no BCD'],
    ['hour 25', { [REGISTER.HOURS]: 0x25 }, 'Hours (register 04h) reads 25h, which is not within 0..23'],
    ['PM in 24 hours', { [REGISTER.HOURS]: 0x81 }, 'Hours (register 04h) reads 81h, which is not within 0..23'],
    ['day 0', { [REGISTER.DATE_OF_MONTH]: 0 }, 'Date of the Month (register 07h) reads 00h, which is not within 1..31'],
    ['day 32', { [REGISTER.DATE_OF_MONTH]: 0x32 }, 'Date of the Month (register 07h) reads 32h, which is not within 1..31'],
    ['month 13', { [REGISTER.MONTH]: 0x13 }, 'Month (register 08h) reads 13h, which is not within 1..12'],
    ['month 0', { [REGISTER.MONTH]: 0 }, 'Month (register 08h) reads 00h, which is not within 1..12'],
    ['year', { [REGISTER.YEAR]: 0xff }, 'Year (register 09h) reads ffh, which is no BCD'],
    ['century 0', { [CENTURY]: 0 }, 'Century (register 32h) reads 00h, which is not within 19..99'],
    ['century', { [CENTURY]: 0xff }, 'Century (register 32h) reads ffh, which is no BCD'],
    [
      'February 30',
      { [REGISTER.MONTH]: 2, [REGISTER.DATE_OF_MONTH]: 0x30 },
      'Date of the Month (register 07h) reads 30h, but month 2 of 2024 has 29 days',
    ],
    ['the clock being set', { [REGISTER.B]: B.SET | B.HOURS_24 }, 'Register B reads 82h: SET is on, so the clock stands'],
    ['the divider', { [REGISTER.A]: 0x66 }, 'Register A reads 66h: DV holds the divider in reset, so the clock stands'],
  ])('%s', (_name, wrong, reason) => {
    expect(createPc({ centuryIndex: CENTURY, wrong }).rtc.readTime()).toEqual({ ok: false, reason });
  });

  it.each([
    [{ [REGISTER.HOURS]: 0 }, 'Hours (register 04h) reads 00h, which is not within 1..12'],
    [{ [REGISTER.HOURS]: 0x13 }, 'Hours (register 04h) reads 13h, which is not within 1..12'],
  ])('%o of 12 hours', (wrong, reason) => {
    expect(createPc({ is24Hour: false, wrong }).rtc.readTime()).toEqual({ ok: false, reason });
  });

  it('binary month 13', () => {
    const reason = 'Month (register 08h) reads 0dh, which is not within 1..12';
    expect(createPc({ isBinary: true, wrong: { [REGISTER.MONTH]: 13 } }).rtc.readTime()).toEqual({ ok: false, reason });
  });

  it('a UIP that is stuck, in bounded time', () => {
    const { rtc, bus, clock } = createPc({ isUipStuck: true });
    expect(rtc.readTime()).toEqual({ ok: false, reason: 'Register A reads a6h: UIP is stuck, it was set 10000 times in a row' });
    expect(bus.takeAccesses().length).toBeLessThan(20_100);
    expect(clock.now() / PICOSECONDS_PER_NANO).toBeLessThan(25_000_000n);
  });

  it('registers that never stand still', () => {
    let register = 0;
    let count = 0;
    const fixed: Record<number, number> = { [REGISTER.A]: 0x26, [REGISTER.B]: B.HOURS_24, [REGISTER.C]: 0, [REGISTER.D]: 0x80 };
    const device: FakeDevice = {
      read8: () => fixed[register] ?? count++ % 10,
      write8: (offset, value) => void (offset === RTC.INDEX && (register = value)),
    };
    const { probe } = probeDevice(device);
    if (!probe.found) throw new Error(probe.reason);
    const time = probe.rtc.readTime();
    expect(time.ok ? 'a time' : time.reason).toMatch(/^the time registers read differently 6 times in a row, at last ([0-9]{2}h ?){7}$/);
  });

  it('and nothing is wrong with a time that is right again', () => {
    const wrong: Record<number, number> = { [REGISTER.MONTH]: 0x13 };
    const { rtc } = createPc({ wrong });
    expect(rtc.readTime().ok).toBe(false);
    wrong[REGISTER.MONTH] = 0x12;
    expect(rtc.readTime().ok).toBe(true);
  });
});

describe('the seconds alone', () => {
  it.each([true, false])('are a number (binary: %s)', (isBinary) => {
    expect(createPc({ isBinary, start: civil('2024-05-17T13:45:59') }).rtc.second()).toBe(59);
  });

  it.each([0x5a, 0x60, 0xff])('are undefined where they hold 0x%s', (value) => {
    expect(createPc({ wrong: { [REGISTER.SECONDS]: value } }).rtc.second()).toBeUndefined();
  });
});

describe('the update-ended interrupt', () => {
  it('asks once a second, at its end', () => {
    const { rtc, device, clock } = createPc();
    rtc.enableUpdateEnded();
    for (let second = 1n; second <= 3n; second++) {
      clock.passUntil(second * PICOSECONDS_PER_SECOND - 300n * 1_000_000_000n - 1n);
      expect(device.isRequesting()).toBe(false);
      clock.pass(1n);
      expect(device.isRequesting()).toBe(true);
      expect(rtc.acknowledge()).toEqual({ isRequesting: true, updateEnded: true, alarm: false, periodOver: true });
      expect(device.isRequesting()).toBe(false);
    }
  });

  it('does not ask for an update that ended before it was enabled', () => {
    const { rtc, device, clock } = createPc();
    clock.pass(5n * PICOSECONDS_PER_SECOND);
    rtc.enableUpdateEnded();
    expect(device.isRequesting()).toBe(false);
  });

  it('is silent when disabled', () => {
    const { rtc, device, clock } = createPc();
    rtc.enableUpdateEnded();
    clock.pass(PICOSECONDS_PER_SECOND);
    rtc.disableInterrupts();
    expect(device.isRequesting()).toBe(false);
    clock.pass(5n * PICOSECONDS_PER_SECOND);
    expect(device.isRequesting()).toBe(false);
    expect(rtc.acknowledge().isRequesting).toBe(false);
  });
});

describe('the periodic interrupt', () => {
  it.each([
    [3, 8192n],
    [6, 1024n],
    [10, 64n],
    [15, 2n],
  ])('of rate select %i asks %i times a second', (rateSelect, hz) => {
    const { rtc, device, clock } = createPc();
    const { numerator, denominator, provenance } = rtc.enablePeriodic(rateSelect);
    expect([numerator / denominator, numerator % denominator, provenance]).toEqual([hz, 0n, 'architectural']);
    expect(device.registerA()).toBe(0x20 | rateSelect);
    // The divider runs since the start: the first one comes after a part of a period.
    const boundary = (period: bigint): bigint => (period * PICOSECONDS_PER_SECOND + hz - 1n) / hz;
    const first = (clock.now() * hz) / PICOSECONDS_PER_SECOND + 1n;
    const wrong: bigint[] = [];
    for (let period = first; period < first + 2n * hz; period++) {
      clock.passUntil(boundary(period) - 1n);
      const isEarly = device.isRequesting();
      clock.pass(1n);
      const { isRequesting, periodOver } = rtc.acknowledge();
      if (isEarly || !isRequesting || !periodOver || device.isRequesting()) wrong.push(period);
    }
    expect(wrong).toEqual([]);
  });

  it.each([0, 1, 2, 16, 3.5, -3, NaN])('refuses rate select %d', (rateSelect) => {
    const { rtc, bus } = createPc();
    expect(() => rtc.enablePeriodic(rateSelect)).toThrow(RangeError);
    expect(bus.takeAccesses()).toEqual([]);
  });

  it('leaves the divider, the modes and the time alone', () => {
    const { rtc, device } = createPc({ isBinary: true, is24Hour: false, registerB: B.SQWE });
    rtc.enablePeriodic(15);
    expect(device.registerB()).toBe(B.PIE | B.SQWE | B.DM);
    expect(device.registerA() & (A.DV.mask << A.DV.shift)).toBe(0x20);
    rtc.disableInterrupts();
    expect(device.registerB()).toBe(B.SQWE | B.DM);
    expect(rtc.readTime().ok).toBe(true);
  });

  it('next to the update-ended one loses nothing that this had asked for', () => {
    const { rtc, device, clock } = createPc();
    rtc.enableUpdateEnded();
    clock.pass(PICOSECONDS_PER_SECOND);
    expect(device.isRequesting()).toBe(true);
    rtc.enablePeriodic(15);
    expect(rtc.acknowledge()).toEqual({ isRequesting: true, updateEnded: true, alarm: false, periodOver: false });
    clock.pass(PICOSECONDS_PER_SECOND / 2n);
    expect(rtc.acknowledge()).toMatchObject({ isRequesting: true, periodOver: true });
  });
});
