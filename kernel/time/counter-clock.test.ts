import { describe, expect, it } from 'vitest';
import { createCounterClock } from './counter-clock.ts';
import { frequency } from './frequency.ts';
import { instant } from './units.ts';

describe.each([
  ['hpet', 100_000_000n, 32],
  ['pm-timer', 3_579_545n, 24],
  ['tsc', 2_399_999_999n, 64],
] as const)('a clock over the %s', (name, hz, width) => {
  function create(start: bigint, epoch = 0n): { now(): bigint; set(ticks: bigint): void; clock: ReturnType<typeof createCounterClock> } {
    let ticks = start;
    const counter = { name, frequency: frequency(hz, 1n, 'architectural', 'test'), width, read: () => BigInt.asUintN(width, ticks) };
    const clock = createCounterClock(name, counter, instant(epoch), () => 0n);
    return { now: clock.now, set: (value) => (ticks = value), clock };
  }

  it('starts at its epoch', () => {
    expect(create(123n, 777n).now()).toBe(777n);
  });

  it('counts nanoseconds, rounded down', () => {
    const { now, set } = create(0n);
    for (const ticks of [1n, 2n, 3n, 1000n, hz - 1n, hz, 3n * hz + 1n]) {
      set(ticks);
      expect(now()).toBe((ticks * 1_000_000_000n) / hz);
    }
  });

  it('does not see a wrap', () => {
    // A counter of 64 bits wraps in centuries; what seems to is a reading gone wrong, see below.
    if (width === 64) return;
    const wrap = 1n << BigInt(width);
    const { now, set } = create(wrap - 10n);
    set(wrap - 1n);
    const before = now();
    set(wrap + 10n);
    expect(before).toBe((9n * 1_000_000_000n) / hz);
    expect(now()).toBe((20n * 1_000_000_000n) / hz);
  });

  it('does not drift over a hundred thousand readings', () => {
    const { now, set } = create(0n);
    const step = 1193n;
    for (let reading = 1n; reading <= 100_000n; reading++) {
      set(reading * step);
      now();
    }
    expect(now()).toBe((100_000n * step * 1_000_000_000n) / hz);
  });

  it('states its resolution and its reach', () => {
    const { clock } = create(0n);
    expect(clock.resolution * hz >= 1_000_000_000n).toBe(true);
    expect((clock.resolution - 1n) * hz < 1_000_000_000n).toBe(true);
    if (width < 64) expect(clock.reach).toBe(((1n << BigInt(width)) * 1_000_000_000n) / hz);
  });
});

describe('a clock over a counter of 64 bits', () => {
  function create(...readings: bigint[]): ReturnType<typeof createCounterClock> {
    const counter = { name: 'hpet', frequency: frequency(1_000_000_000n, 1n, 'architectural', 'test'), width: 64 };
    return createCounterClock('hpet', { ...counter, read: () => readings.shift()! }, instant(0n), () => 0n);
  }

  it('reads again what is far ahead: the high half was read after a carry, the low one before', () => {
    const clock = create(0xffff_0000n, 0x1_ffff_ffffn, 0x1_0000_0005n);
    expect(clock.now()).toBe(0x1_0005n);
  });

  it('believes a long time without readings', () => {
    const clock = create(0n, 1n << 40n, (1n << 40n) + 7n, (1n << 40n) + 8n);
    expect(clock.now()).toBe((1n << 40n) + 7n);
    expect(clock.now()).toBe((1n << 40n) + 8n);
  });

  it('stands, and does not go back, while the counter is behind', () => {
    const clock = create(100n, 200n, 150n, 160n, 201n);
    expect([clock.now(), clock.now(), clock.now()]).toEqual([100n, 100n, 101n]);
  });
});
