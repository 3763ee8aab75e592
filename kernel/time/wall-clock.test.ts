import { describe, expect, it } from 'vitest';
import { probeRtc, RTC_BASE } from '../drivers/rtc-mc146818.ts';
import type { Ports } from '../hw/ports.ts';
import { REGISTER } from '../regs/mc146818.ts';
import { createFakeClock, PICOSECONDS_PER_NANO, PICOSECONDS_PER_SECOND, type FakeClock } from '../testing/clock.ts';
import type { FakeDevice } from '../testing/bus.ts';
import { createFakeRtc, type FakeRtcOptions } from '../testing/rtc-mc146818.ts';
import { formatIso8601, type Civil } from './calendar.ts';
import { frequency, ticksToNanos } from './frequency.ts';
import { instant, nanos, NANOS_PER_SECOND, ticks } from './units.ts';
import { createWallClock, type SecondsClock, type WallClock, type WallClockParts } from './wall-clock.ts';

/** A hardware clock of the fake machine: shows whole ticks, and moves by reading. */
function createFakeHwClock(clock: FakeClock, hz: bigint, readNanos = 500n): WallClockParts['clock'] {
  const f = frequency(hz, 1n, 'enumerated', 'test');
  return {
    name: 'hpet',
    resolution: nanos((NANOS_PER_SECOND + hz - 1n) / hz),
    now: () => {
      clock.pass(readNanos * PICOSECONDS_PER_NANO);
      return instant(ticksToNanos(f, ticks(clock.ticks(hz))));
    },
  };
}

/** A bus that keeps no record: there are a million accesses to a second. */
function createFakePorts(clock: FakeClock, device: FakeDevice, accessNanos: bigint): Ports {
  const half = (accessNanos * PICOSECONDS_PER_NANO) / 2n;
  const none = (): never => {
    throw new Error('this clock has registers of 8 bits');
  };
  return {
    base: RTC_BASE,
    read8: (offset) => {
      clock.pass(half);
      const value = device.read8!(offset);
      clock.pass(half);
      return value;
    },
    write8: (offset, value) => {
      clock.pass(half);
      device.write8!(offset, value);
      clock.pass(half);
    },
    read32: none,
    writeBlock8: none,
  };
}

interface PcOptions extends FakeRtcOptions {
  readonly accessNanos?: bigint;
  readonly clockHz?: bigint;
  /** Something holds up each so manyth look at the second, for so long. */
  readonly heldUp?: { readonly every: number; readonly nanos: bigint };
}

function createPc({ accessNanos = 1000n, clockHz = 100_000_000n, heldUp, ...options }: PcOptions = {}) {
  const clock = createFakeClock();
  const device = createFakeRtc(clock, { phaseNanos: 985_000_000n, ...options });
  const probe = probeRtc(createFakePorts(clock, device, accessNanos), options.centuryIndex ?? 0);
  if (!probe.found) throw new Error(probe.reason);
  let looks = 0;
  const rtc: SecondsClock = {
    ...probe.rtc,
    second: () => {
      if (heldUp && ++looks % heldUp.every === 0) clock.pass(heldUp.nanos * PICOSECONDS_PER_NANO);
      return probe.rtc.second();
    },
  };
  return { clock, device, rtc, hwClock: createFakeHwClock(clock, clockHz) };
}

function create(options: PcOptions = {}) {
  const pc = createPc(options);
  const creation = createWallClock({ clock: pc.hwClock, rtc: pc.rtc });
  if (!creation.ok) throw new Error(creation.reason);
  return { ...pc, wallClock: creation.wallClock };
}

/** What it is wrong by now: between the least and the most, as far as reading the clock takes time. */
function wrongBy(wallClock: WallClock, { clock, now }: { clock: FakeClock; now: () => bigint }): { least: bigint; most: bigint } {
  const before = now() / PICOSECONDS_PER_NANO;
  const wall = wallClock.at(instant(clock.now() / PICOSECONDS_PER_NANO));
  const by = wall - before;
  return { least: by - 1n, most: by + 1n };
}

function expectRight(pc: ReturnType<typeof create>, extraNanos = 0n): void {
  const { least, most } = wrongBy(pc.wallClock, { clock: pc.clock, now: pc.device.now });
  expect(least).toBeLessThanOrEqual(pc.wallClock.uncertainty + extraNanos);
  expect(most).toBeGreaterThanOrEqual(0n - pc.wallClock.uncertainty - extraNanos);
}

describe('the wall clock is right to its uncertainty', () => {
  describe.each([
    ['an emulator', { update: 'emulator' }],
    ['an emulator with UIP 300 us late', { update: 'emulator', uipLagNanos: 300_000n }],
    ['a clock without UIP', { update: 'no UIP' }],
    ['the data sheet, random in the update', { update: 'datasheet', duringUpdate: 'random' }],
    ['the data sheet, old in the update', { update: 'datasheet', duringUpdate: 'old' }],
    ['the data sheet, ones in the update', { update: 'datasheet', duringUpdate: 'ones' }],
  ] satisfies [string, FakeRtcOptions][])('with %s', (_name, options) => {
    it.each([
      [1000n, 100_000_000n],
      [1000n, 3_579_545n],
      [1000n, 1_193_182n],
      [200n, 1_000_000_000n],
      [8000n, 14_318_180n],
    ])(
      'accesses of %i ns, a clock of %i Hz',
      (accessNanos, clockHz) => {
        // Shortly before the update. From within it there is a second to wait, which only slow accesses make short here.
        const within = accessNanos < 8000n ? [] : [997_700_001n, 998_900_000n, 999_757_000n];
        for (const phaseNanos of [985_000_000n, ...within]) {
          const pc = create({ ...options, accessNanos, clockHz, phaseNanos });
          expectRight(pc);
          // Two polls: each four accesses and two readings of the clock, and one tick.
          expect(pc.wallClock.uncertainty).toBeLessThan(4n * accessNanos + 3000n);
        }
      },
      30_000,
    );
  });

  it('with a register that shows the new second through all of the update: it began with that', () => {
    const pc = create({ update: 'datasheet', duringUpdate: 'new' });
    expectRight(pc, 1_984_000n);
    expect(pc.wallClock.uncertainty).toBeLessThan(10_000n);
  });

  it.each([
    ['2023-12-31T23:59:59', '2024-01-01T00:00:00'],
    ['2024-02-28T23:59:59', '2024-02-29T00:00:00'],
    ['1999-12-31T23:59:59', '2000-01-01T00:00:00'],
  ])('when %s ends', (before, after) => {
    const [year, month, day, hour, minute, second] = before.split(/[-T:]/).map(Number) as [number, number, number, number, number, number];
    const start: Civil = { year, month, day, hour, minute, second };
    const pc = create({ start, phaseNanos: 990_000_000n, centuryIndex: 0x32, is24Hour: false });
    expectRight(pc);
    expect(formatIso8601(pc.wallClock.now()).slice(0, 19)).toBe(after);
  });

  it('though it is held up for milliseconds at every other edge', () => {
    let isWide = false;
    for (const nanosLong of [400_000n, 3_000_000n, 40_000_000n]) {
      for (let every = 3; every < 1000; every += 149) {
        const pc = create({ accessNanos: 8000n, heldUp: { every, nanos: nanosLong }, update: 'datasheet' });
        expectRight(pc, 0n);
        isWide ||= pc.wallClock.uncertainty > 100_000n;
      }
    }
    // Where the machine is held up all the time, there is nothing better to be had; it is told.
    expect(isWide).toBe(true);
  });

  it('though it is held up for more than a second', () => {
    const pc = createPc({ accessNanos: 8000n, heldUp: { every: 2_500, nanos: 1_700_000_000n } });
    const creation = createWallClock({ clock: pc.hwClock, rtc: pc.rtc });
    if (creation.ok) expectRight({ ...pc, wallClock: creation.wallClock });
    else expect(creation.reason).toMatch(/^no second began within 2500 ms/);
  });

  it('after a day, and has not drifted by a nanosecond', () => {
    const pc = create({ clockHz: 14_318_180n });
    const { least } = wrongBy(pc.wallClock, { clock: pc.clock, now: pc.device.now });
    for (let hour = 0; hour < 24; hour++) {
      pc.clock.pass(3600n * PICOSECONDS_PER_SECOND);
      expect(wrongBy(pc.wallClock, { clock: pc.clock, now: pc.device.now }).least).toBe(least);
    }
  });
});

describe('absolute time', () => {
  it('never goes backwards and moves as the hardware clock does', () => {
    const { wallClock } = create();
    let last = wallClock.now();
    for (let read = 0; read < 1000; read++) {
      const now = wallClock.now();
      expect(now - last).toBe(500n);
      last = now;
    }
  });

  it('of an instant before the edge is before the second', () => {
    const { wallClock, device } = create();
    const atStart = device.now() / PICOSECONDS_PER_SECOND - 1n;
    expect(wallClock.at(instant(0n)) / NANOS_PER_SECOND).toBe(atStart);
  });

  it('has its next edge within a second, never at once', () => {
    const { wallClock } = create();
    for (const when of [0n, 1n, 14_999_000n, 15_001_000n, 5_123_456_789n]) {
      const edge = wallClock.nextEdge(instant(when));
      expect(wallClock.at(edge) % NANOS_PER_SECOND).toBe(0n);
      expect(edge - when).toBeGreaterThan(0n);
      expect(edge - when).toBeLessThanOrEqual(NANOS_PER_SECOND);
      expect(wallClock.nextEdge(edge) - edge).toBe(NANOS_PER_SECOND);
    }
  });

  it('before 1970 has edges too', () => {
    const rtc = createSecondsClock('1969-12-31T12:00:00');
    const creation = createWallClock(rtc);
    if (!creation.ok) throw new Error(creation.reason);
    const { wallClock } = creation;
    const when = instant(0n);
    const edge = wallClock.nextEdge(when);
    expect(wallClock.at(edge) % NANOS_PER_SECOND).toBe(0n);
    expect(edge - when).toBeGreaterThan(0n);
    expect(edge - when).toBeLessThanOrEqual(NANOS_PER_SECOND);
  });
});

describe('drift', () => {
  it.each([
    ['none', 0n, 10n, 0n],
    ['fast by 20 ppm', 20_000n, 1000n, 20_000_000n],
    ['slow by 50 ppm', -50_000n, 100n, -5_000_000n],
  ])('%s is reported, not followed', (_name, fastPpb, seconds, expected) => {
    for (const update of ['emulator', 'datasheet'] as const) {
      const { wallClock, clock } = create({ fastPpb, update, accessNanos: 4000n });
      const before = wallClock.at(instant(0n));
      clock.pass(seconds * PICOSECONDS_PER_SECOND);
      const report = wallClock.check();
      if (!report.ok) throw new Error(report.reason);
      // Until its next edge, up to a second more of drift.
      const more = fastPpb < 0n ? -fastPpb : fastPpb;
      expect(report.drift).toBeGreaterThanOrEqual(expected - report.uncertainty - more);
      expect(report.drift).toBeLessThanOrEqual(expected + report.uncertainty + more);
      expect(report.uncertainty).toBeLessThan(40_000n);
      expect(report.elapsed).toBeGreaterThan((seconds - 1n) * NANOS_PER_SECOND);
      expect(wallClock.at(instant(0n))).toBe(before);
    }
  });

  it.each([3600n, -7n])('of someone setting the clock by %i s is reported', (step) => {
    const { wallClock, device } = create({ accessNanos: 8000n });
    device.step(step);
    const report = wallClock.check();
    if (!report.ok) throw new Error(report.reason);
    const wrong = report.drift - step * NANOS_PER_SECOND;
    expect(wrong < 0n ? -wrong : wrong).toBeLessThanOrEqual(report.uncertainty);
  });

  it('takes milliseconds when asked for shortly before the edge', () => {
    const { wallClock, clock, hwClock } = create();
    const edge = wallClock.nextEdge(hwClock.now());
    clock.passUntil((edge - 3_000_000n) * PICOSECONDS_PER_NANO);
    const before = hwClock.now();
    expect(wallClock.check().ok).toBe(true);
    expect(hwClock.now() - before).toBeLessThan(5_000_000n);
  });

  it('that can not be known is a reason', () => {
    const wrong: Record<number, number> = {};
    const { wallClock } = create({ wrong });
    wrong[REGISTER.MONTH] = 0x13;
    expect(wallClock.check()).toEqual({ ok: false, reason: 'Month (register 08h) reads 13h, which is not within 1..12' });
  });
});

describe('no wall clock', () => {
  it.each([
    [{ isUipStuck: true }, /^Register A reads a6h: UIP is stuck/],
    [{ wrong: { [REGISTER.MONTH]: 0x13 } }, /^Month \(register 08h\) reads 13h/],
    [{ wrong: { [REGISTER.SECONDS]: 0x30 } }, /^no second began within 2500 ms: the seconds read 30$/],
  ] satisfies [FakeRtcOptions, RegExp][])('of %o', (options, reason) => {
    const { hwClock, rtc, clock } = createPc({ accessNanos: 8000n, ...options });
    const creation = createWallClock({ clock: hwClock, rtc });
    expect(creation.ok ? 'one' : creation.reason).toMatch(reason);
    expect(clock.now()).toBeLessThan(3n * PICOSECONDS_PER_SECOND);
  });

  it('with a hardware clock that stands', () => {
    const { hwClock, rtc } = createPc();
    const creation = createWallClock({ clock: { ...hwClock, now: () => instant(42n) }, rtc });
    expect(creation).toEqual({ ok: false, reason: 'the hpet clock stands at 42 ns' });
  });

  it('with a real-time clock that fails at the edge', () => {
    const { clock, rtc } = createSecondsClock('2024-05-17T13:45:30');
    let reads = 0;
    const creation = createWallClock({
      clock,
      rtc: { ...rtc, readTime: () => (reads++ === 0 ? rtc.readTime() : { ok: false, reason: 'gone' }) },
    });
    expect(creation).toEqual({ ok: false, reason: 'gone' });
  });
});

/** A real-time clock that is none of the PC's. */
function createSecondsClock(text: string): WallClockParts {
  const fake = createFakeClock();
  const start = BigInt(new Date(`${text}.300Z`).getTime()) * 1_000_000_000n;
  const date = (): Date => {
    fake.pass(1_000_000n);
    return new Date(Math.floor(Number((start + fake.now()) / 1_000_000_000n)));
  };
  const rtc: SecondsClock = {
    isUpdating: () => false,
    second: () => date().getUTCSeconds(),
    readTime: () => {
      const now = date();
      const civil = {
        year: now.getUTCFullYear(),
        month: now.getUTCMonth() + 1,
        day: now.getUTCDate(),
        hour: now.getUTCHours(),
        minute: now.getUTCMinutes(),
        second: now.getUTCSeconds(),
      };
      return { ok: true, civil };
    },
  };
  return { clock: createFakeHwClock(fake, 100_000_000n), rtc };
}
