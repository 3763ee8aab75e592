/** The sentences of the contract in hw-timer.ts, on every kind of timer hardware, late as it can be, and a clock that moves at every reading. */
import { describe, expect, it } from 'vitest';
import { probeHpet } from '../drivers/hpet.ts';
import { probeLocalApic } from '../drivers/local-apic.ts';
import { PIT_BASE, probePit } from '../drivers/pit-8254.ts';
import { createMmio } from '../hw/mmio.ts';
import { createPorts } from '../hw/ports.ts';
import type { Shims } from '../hw/shims.ts';
import { PIT, PIT_HZ } from '../regs/i8254.ts';
import { HPET } from '../regs/ia-pc-hpet.ts';
import { DIVISORS, LAPIC, type Divisor } from '../regs/local-apic.ts';
import { createFakeBus } from '../testing/bus.ts';
import { createFakeClock, PICOSECONDS_PER_NANO, PICOSECONDS_PER_SECOND, type FakeClock } from '../testing/clock.ts';
import { createFakeHpet, type FakeHpetOptions } from '../testing/hpet.ts';
import { createFakeLocalApic } from '../testing/local-apic.ts';
import { createFakePit } from '../testing/pit-8254.ts';
import { createCounterClock } from './counter-clock.ts';
import { frequency, type Frequency } from './frequency.ts';
import { createHwTimer, type ConnectedHwTimer } from './hw-timer.ts';
import { hpetOneShot, localApicOneShot, pickDivisor, pitOneShot, tscDeadlineOneShot, type OneShot } from './one-shot.ts';
import { instant } from './units.ts';

/** What a reading of the clock, and an access to a device, take, in nanoseconds. */
const READING = 300n;
const ACCESS = 700n;
/** What starting a one-shot of no device takes. */
const STARTING = 2_000n;

const known = (hz: bigint): Frequency => frequency(hz, 1n, 'architectural', 'test');

/** A one-shot, and when its interrupt comes or came, of those not taken yet. */
interface Hardware {
  readonly oneShot: OneShot;
  expiry(): bigint | undefined;
  take(): void;
}

interface Variant {
  readonly create: (clock: FakeClock) => Hardware;
  /** Late by at most, besides what the timer itself takes as margin: a tick, and an access in which the start lies somewhere. */
  readonly lateBy: bigint;
  readonly tscHz?: bigint;
}

const GHZ = 1_000_000_000n;

/** No device: the least that a one-shot has to do. */
function plain(hz: bigint, maxTicks: number): Variant {
  return {
    lateBy: (GHZ + hz - 1n) / hz,
    create: (clock) => {
      let started = 0n;
      let fires: bigint | undefined;
      let isPrepared = false;
      return {
        expiry: () => fires,
        take: () => (fires = undefined),
        oneShot: {
          name: 'lapic',
          frequency: known(hz),
          minTicks: 1,
          maxTicks,
          prepare: () => (isPrepared = true),
          start: (ticks) => {
            expect(isPrepared).toBe(true);
            expect(Number.isInteger(ticks) && ticks >= 1 && ticks <= maxTicks, `${ticks} ticks`).toBe(true);
            clock.pass(STARTING * PICOSECONDS_PER_NANO);
            started = clock.now();
            // Up to the next tick: hardware is never early.
            fires = started + (BigInt(ticks) * PICOSECONDS_PER_SECOND + hz - 1n) / hz;
          },
          date: () => undefined,
          startTsc: () => started / PICOSECONDS_PER_NANO,
          stop: () => {
            fires = undefined;
            isPrepared = false;
          },
        },
      };
    },
  };
}

const pit: Variant = {
  // By the data sheet a count is a clock late.
  lateBy: 2n * 839n + ACCESS,
  create: (clock) => {
    const device = createFakePit(clock);
    const { shims } = createFakeBus({ clock, ports: [{ base: PIT_BASE, length: PIT.COUNT, device }], accessNanos: ACCESS });
    return { ...device, oneShot: pitOneShot(probePit(createPorts(shims, PIT_BASE, PIT.COUNT))!, shims) };
  },
};

function hpet(options: FakeHpetOptions, tickNanos = 10n): Variant {
  const BASE = 0xfed0_0000;
  return {
    // What has begun of a tick when the counter is read counts as a whole one.
    lateBy: 2n * tickNanos + ACCESS,
    create: (clock) => {
      const device = createFakeHpet(clock, options);
      const { shims } = createFakeBus({ clock, memory: [{ base: BASE, length: HPET.LENGTH, device }], accessNanos: ACCESS });
      const probe = probeHpet(createMmio(shims, BASE, HPET.LENGTH));
      if (!probe.found) throw new Error(probe.reason);
      return { ...device, oneShot: hpetOneShot(probe.hpet, 20, shims) };
    },
  };
}

const APIC = 0xfee0_0000;
const VECTOR = 0xe0;

function localApicOn(clock: FakeClock, tscHz: bigint, lostDeadlines = 0) {
  const device = createFakeLocalApic(clock, { tscHz, lostDeadlines });
  const { shims } = createFakeBus({ clock, memory: [{ base: APIC, length: LAPIC.LENGTH, device }], accessNanos: ACCESS, tscHz });
  return { device, shims, localApic: probeLocalApic(createMmio(shims, APIC, LAPIC.LENGTH), 0xff)! };
}

const lapic = (divisor: Divisor): Variant => ({
  lateBy: BigInt(divisor) + ACCESS,
  create: (clock) => {
    const { device, shims, localApic } = localApicOn(clock, GHZ);
    return { ...device, oneShot: localApicOneShot(localApic, known(GHZ), VECTOR, shims, divisor) };
  },
});

/** With MSRs that take as long as registers. */
const tscDeadline = (tscHz: bigint, lostDeadlines: number): Variant => ({
  lateBy: 1n,
  tscHz,
  create: (clock) => {
    const { device, localApic } = localApicOn(clock, tscHz, lostDeadlines);
    const pass = (): void => clock.pass(ACCESS * PICOSECONDS_PER_NANO);
    const msr = {
      read: () => (pass(), device.tscDeadline.read()),
      write: (value: bigint) => (pass(), device.tscDeadline.write(value)),
    };
    const rdtsc: Shims['rdtsc'] = () => (clock.pass(100n * PICOSECONDS_PER_NANO), clock.ticks(tscHz));
    return { ...device, oneShot: tscDeadlineOneShot(localApic, msr, known(tscHz), VECTOR, rdtsc)! };
  },
});

interface Bench {
  readonly timer: ConnectedHwTimer;
  readonly expiries: bigint[];
  now(): bigint;
  /** Lets time pass; interrupts are taken when they come, late by `late`. */
  pass(nanos: bigint, late?: bigint): void;
  /** What the handler does besides noting the instant. */
  onExpire: (timer: ConnectedHwTimer) => void;
}

function createBench({ create, tscHz = GHZ }: Variant): Bench {
  const clock = createFakeClock(1_000_000n * PICOSECONDS_PER_NANO);
  const { oneShot, expiry, take } = create(clock);
  const now = (): bigint => clock.now() / PICOSECONDS_PER_NANO;
  let reading = 0n;
  const read = (): bigint => {
    clock.pass(READING * PICOSECONDS_PER_NANO);
    return (reading = clock.ticks(tscHz));
  };
  const counter = { name: 'tsc', frequency: known(tscHz), width: 64, read };
  const hwClock = createCounterClock('tsc', counter, instant(now() + READING), () => reading);
  const expiries: bigint[] = [];
  const bench: Bench = {
    timer: createHwTimer({
      clock: hwClock,
      oneShot,
      tscFrequency: known(tscHz),
      poll: () => undefined,
      onExpire: (taken) => {
        expiries.push(taken);
        bench.onExpire(bench.timer);
      },
    }),
    expiries,
    now,
    onExpire: () => undefined,
    pass: (nanos, late = 0n) => {
      const end = clock.now() + nanos * PICOSECONDS_PER_NANO;
      for (;;) {
        const at = expiry();
        const taken = at === undefined ? undefined : at + late * PICOSECONDS_PER_NANO;
        if (taken === undefined || taken > end) break;
        if (taken > clock.now()) clock.passUntil(taken);
        take();
        bench.timer.onInterrupt(now());
      }
      if (end > clock.now()) clock.passUntil(end);
    },
  };
  return bench;
}

const VARIANTS: readonly (readonly [string, Variant])[] = [
  ['1 GHz, 32 bits', plain(1_000_000_000n, 0xffff_ffff)],
  ['100 MHz, 31 bits', plain(100_000_000n, 0x7fff_ffff)],
  ['1.193182 MHz, 16 bits', plain(PIT_HZ, 0xffff)],
  ['the PIT', pit],
  ['the HPET', hpet({})],
  ['an HPET of 32 bits before its wrap', hpet({ is64Bit: false, firstCount: 0xffff_8000n })],
  ['an HPET before its low half changes its sign', hpet({ firstCount: 0x5_7fff_8000n })],
  ['an HPET of 14.3 MHz', hpet({ periodFemtos: 69_841_279 }, 70n)],
  ...DIVISORS.map((divisor) => [`the local APIC by divisor ${divisor}`, lapic(divisor)] as const),
  ['the local APIC by TSC deadline', tscDeadline(GHZ, 0)],
  ['the local APIC by TSC deadline, of 2.4 GHz, its register slow to arrive', tscDeadline(2_400_000_001n, 3)],
];

describe.each(VARIANTS)('a hardware timer on %s', (_, variant) => {
  const lateBy = variant.lateBy + 50n;
  it('expires at its deadline or later, by a tick and its margin at most', () => {
    for (const interval of [20_000n, 100_000n, 1_234_567n, 20_000_000n, 50_000_000n]) {
      const bench = createBench(variant);
      const deadline = bench.now() + interval;
      bench.timer.arm(instant(deadline));
      bench.pass(2n * interval);
      expect(bench.expiries).toHaveLength(1);
      const late = bench.expiries[0]! - deadline;
      expect(late >= 0n && late <= lateBy, `${late} ns late after ${interval} ns`).toBe(true);
    }
  });

  it('is disarmed when the handler runs, which may arm it again', () => {
    const bench = createBench(variant);
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
    const bench = createBench(variant);
    bench.timer.arm(instant(1n));
    bench.pass(10_000n);
    expect(bench.expiries).toHaveLength(1);
  });

  it("expires once, at its time, when the deadline is beyond the counter's reach", () => {
    const bench = createBench(variant);
    for (const runs of [1.01, 1.5, 2, 7.3]) {
      const before = bench.expiries.length;
      const deadline = bench.now() + BigInt(Math.round(Number(bench.timer.maxInterval) * runs));
      bench.timer.arm(instant(deadline));
      bench.pass(deadline - bench.now() - 1n);
      expect(bench.expiries, 'a nanosecond before').toHaveLength(before);
      bench.pass(10_000n);
      expect(bench.expiries).toHaveLength(before + 1);
      expect(bench.expiries.at(-1)! - deadline <= lateBy, `${runs} runs`).toBe(true);
    }
  });

  it('has its deadline replaced when it is armed again', () => {
    const bench = createBench(variant);
    const deadline = bench.now() + 3_000_000n;
    bench.timer.arm(instant(bench.now() + 1_000_000n));
    bench.timer.arm(instant(deadline));
    bench.pass(5_000_000n);
    expect(bench.expiries).toHaveLength(1);
    expect(bench.expiries[0]! >= deadline).toBe(true);
  });

  it('does not expire when it is disarmed, nor by an interrupt that was on its way', () => {
    const bench = createBench(variant);
    bench.timer.arm(instant(bench.now() + 1_000_000n));
    bench.timer.disarm();
    bench.timer.onInterrupt(bench.now());
    bench.pass(5_000_000n);
    expect(bench.expiries).toEqual([]);
    expect(bench.timer.isArmed()).toBe(false);
  });

  it('is not early for an interrupt that comes too soon, and still comes', () => {
    const bench = createBench(variant);
    const deadline = bench.now() + 2_000_000n;
    bench.timer.arm(instant(deadline));
    bench.timer.onInterrupt(bench.now());
    expect(bench.expiries).toEqual([]);
    bench.pass(4_000_000n);
    expect(bench.expiries).toHaveLength(1);
    expect(bench.expiries[0]! >= deadline).toBe(true);
  });

  it('is late when its interrupt is, once', () => {
    const bench = createBench(variant);
    bench.timer.arm(instant(bench.now() + 1_000_000n));
    bench.pass(10_000_000n, 500_000n);
    expect(bench.expiries).toHaveLength(1);
  });

  it('refuses deadlines that no clock will show', () => {
    const { timer } = createBench(variant);
    expect(() => timer.arm(instant(-1n))).toThrow(/deadline -1 ns/);
    expect(() => timer.arm(instant(1n << 63n))).toThrow(RangeError);
  });
});

describe('the divisor', () => {
  it.each([
    [24_000_000n, 1],
    [1_000_000_000n, 1],
    [2_147_483_647n, 1],
    [2_147_483_648n, 2],
    [5_000_000_000n, 4],
    [400_000_000_000n, 128],
    [4_000_000_000_000n, 128],
  ])('of a bus of %i Hz is %i: the finest tick with which a run reaches a second, as far as there is one', (hz, divisor) => {
    expect(pickDivisor(known(hz))).toBe(divisor);
  });
});

describe('TSC-deadline mode', () => {
  it('is not used where its register takes nothing', () => {
    const { localApic, device } = localApicOn(createFakeClock(), GHZ);
    const stuck = { read: () => 0n, write: () => undefined };
    expect(tscDeadlineOneShot(localApic, stuck, known(GHZ), VECTOR, () => 0n)).toBeUndefined();
    expect(device.expiry()).toBeUndefined();
  });
});
