/** The sentences of the contract in hw-timer.ts, on a one-shot that is late, and a clock that moves at every reading. */
import { describe, expect, it } from 'vitest';
import { createCounterClock } from './counter-clock.ts';
import { frequency } from './frequency.ts';
import { createHwTimer, type ConnectedHwTimer } from './hw-timer.ts';
import type { OneShot } from './one-shot.ts';
import { instant } from './units.ts';

const GHZ = frequency(1_000_000_000n, 1n, 'architectural', 'test');
/** What a reading of the clock, and starting the hardware, take: in nanoseconds, which are ticks of the TSC here. */
const READING = 300n;
const STARTING = 2_000n;

interface Bench {
  readonly timer: ConnectedHwTimer;
  readonly expiries: bigint[];
  now(): bigint;
  /** Lets time pass; interrupts are taken when they come, late by `late`. */
  pass(nanos: bigint, late?: bigint): void;
  starts(): number;
  /** What the handler does besides noting the instant. */
  onExpire: (timer: ConnectedHwTimer) => void;
}

function createBench(hz: bigint, maxTicks: number): Bench {
  const tickHz = frequency(hz, 1n, 'architectural', 'test');
  let now = 1_000_000n;
  let reading = 0n;
  let started = 0n;
  let fires: bigint | undefined;
  let starts = 0;
  let isPrepared = false;
  const oneShot: OneShot = {
    name: 'lapic',
    frequency: tickHz,
    minTicks: 1,
    maxTicks,
    prepare: () => (isPrepared = true),
    start: (ticks) => {
      expect(isPrepared).toBe(true);
      expect(Number.isInteger(ticks) && ticks >= 1 && ticks <= maxTicks, `${ticks} ticks`).toBe(true);
      starts++;
      now += STARTING;
      started = now;
      // Up to the next tick: hardware is never early.
      fires = now + (BigInt(ticks) * 1_000_000_000n + hz - 1n) / hz;
    },
    date: () => undefined,
    startTsc: () => started,
    stop: () => {
      fires = undefined;
      isPrepared = false;
    },
  };
  const counter = { name: 'tsc', frequency: GHZ, width: 64, read: () => (reading = now += READING) };
  const clock = createCounterClock('tsc', counter, instant(now + READING), () => reading);
  const expiries: bigint[] = [];
  const bench: Bench = {
    timer: createHwTimer({
      clock,
      oneShot,
      tscFrequency: GHZ,
      poll: () => undefined,
      onExpire: (taken) => {
        expiries.push(taken);
        bench.onExpire(bench.timer);
      },
    }),
    expiries,
    now: () => now,
    starts: () => starts,
    onExpire: () => undefined,
    pass: (nanos, late = 0n) => {
      const end = now + nanos;
      while (fires !== undefined && fires + late <= end) {
        if (fires + late > now) now = fires + late;
        fires = undefined;
        bench.timer.onInterrupt(now);
      }
      if (end > now) now = end;
    },
  };
  return bench;
}

describe.each([
  ['1 GHz, 32 bits', 1_000_000_000n, 0xffff_ffff, 1n],
  ['100 MHz, 31 bits', 100_000_000n, 0x7fff_ffff, 10n],
  ['1.193182 MHz, 16 bits', 1_193_182n, 0xffff, 839n],
] as const)('a hardware timer on %s', (_, hz, maxTicks, tick) => {
  it('expires at its deadline or later, by a tick and its margin at most', () => {
    for (const interval of [20_000n, 100_000n, 1_234_567n, 20_000_000n, 50_000_000n]) {
      const bench = createBench(hz, maxTicks);
      const deadline = bench.now() + interval;
      bench.timer.arm(instant(deadline));
      bench.pass(2n * interval);
      expect(bench.expiries).toHaveLength(1);
      const late = bench.expiries[0]! - deadline;
      expect(late >= 0n && late <= tick + 50n, `${late} ns late after ${interval} ns`).toBe(true);
    }
  });

  it('is disarmed when the handler runs, which may arm it again', () => {
    const bench = createBench(hz, maxTicks);
    const armed: boolean[] = [];
    bench.onExpire = (timer) => {
      armed.push(timer.isArmed());
      if (armed.length < 3) timer.arm(instant(bench.now() + 1_000_000n));
    };
    bench.timer.arm(instant(bench.now() + 1_000_000n));
    bench.pass(10_000_000n);
    expect(armed).toEqual([false, false, false]);
  });

  it('expires at once when its deadline has passed', () => {
    const bench = createBench(hz, maxTicks);
    bench.timer.arm(instant(1n));
    bench.pass(10_000n);
    expect(bench.expiries).toHaveLength(1);
  });

  it("expires once, at its time, when the deadline is beyond the counter's reach", () => {
    const bench = createBench(hz, maxTicks);
    for (const runs of [1.01, 1.5, 2, 7.3]) {
      const before = bench.expiries.length;
      const deadline = bench.now() + BigInt(Math.round(Number(bench.timer.maxInterval) * runs));
      bench.timer.arm(instant(deadline));
      bench.pass(deadline - bench.now() - 1n);
      expect(bench.expiries, 'a nanosecond before').toHaveLength(before);
      bench.pass(10_000n);
      expect(bench.expiries).toHaveLength(before + 1);
      expect(bench.expiries.at(-1)! - deadline <= tick + 50n, `${runs} runs`).toBe(true);
    }
  });

  it('has its deadline replaced when it is armed again', () => {
    const bench = createBench(hz, maxTicks);
    const deadline = bench.now() + 3_000_000n;
    bench.timer.arm(instant(bench.now() + 1_000_000n));
    bench.timer.arm(instant(deadline));
    bench.pass(5_000_000n);
    expect(bench.expiries).toHaveLength(1);
    expect(bench.expiries[0]! >= deadline).toBe(true);
  });

  it('does not expire when it is disarmed, nor by an interrupt that was on its way', () => {
    const bench = createBench(hz, maxTicks);
    bench.timer.arm(instant(bench.now() + 1_000_000n));
    bench.timer.disarm();
    bench.timer.onInterrupt(bench.now());
    bench.pass(5_000_000n);
    expect(bench.expiries).toEqual([]);
    expect(bench.timer.isArmed()).toBe(false);
  });

  it('is not early for an interrupt that comes too soon, and still comes', () => {
    const bench = createBench(hz, maxTicks);
    const deadline = bench.now() + 2_000_000n;
    bench.timer.arm(instant(deadline));
    bench.timer.onInterrupt(bench.now());
    expect(bench.expiries).toEqual([]);
    bench.pass(4_000_000n);
    expect(bench.expiries).toHaveLength(1);
    expect(bench.expiries[0]! >= deadline).toBe(true);
  });

  it('is late when its interrupt is, once', () => {
    const bench = createBench(hz, maxTicks);
    bench.timer.arm(instant(bench.now() + 1_000_000n));
    bench.pass(10_000_000n, 500_000n);
    expect(bench.expiries).toHaveLength(1);
  });

  it('refuses deadlines that no clock will show', () => {
    const { timer } = createBench(hz, maxTicks);
    expect(() => timer.arm(instant(-1n))).toThrow(/deadline -1 ns/);
    expect(() => timer.arm(instant(1n << 63n))).toThrow(RangeError);
  });
});
