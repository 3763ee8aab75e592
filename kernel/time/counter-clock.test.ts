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
