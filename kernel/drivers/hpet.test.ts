import { describe, expect, it } from 'vitest';
import { createMmio } from '../hw/mmio.ts';
import { FEMTOSECONDS_PER_SECOND, GEN_CONF, HPET, PERIOD_MAX_FS, TN_CONF } from '../regs/ia-pc-hpet.ts';
import { createFakeBus } from '../testing/bus.ts';
import { createFakeClock } from '../testing/clock.ts';
import { createFakeHpet, type FakeHpetOptions } from '../testing/hpet.ts';
import { ticks } from '../time/units.ts';
import { probeHpet } from './hpet.ts';

const BASE = 0xfed0_0000;
/** Of a counter of 10 ns. */
const TICK = 10_000n;

function createPc(options: FakeHpetOptions = {}) {
  const clock = createFakeClock();
  const device = createFakeHpet(clock, options);
  const bus = createFakeBus({ clock, memory: [{ base: BASE, length: HPET.LENGTH, device }], accessNanos: 100n });
  const probe = probeHpet(createMmio(bus.shims, BASE, HPET.LENGTH));
  const probing = bus.takeAccesses();
  const writes = (): string[] => bus.takeAccesses().filter((access) => access.startsWith('write'));
  return {
    clock,
    device,
    bus,
    probe,
    probing,
    writes,
    get hpet() {
      if (!probe.found) throw new Error(`no HPET: ${probe.reason}`);
      return probe.hpet;
    },
  };
}

describe('probing', () => {
  it('finds nothing where nobody drives the bus, and writes nothing', () => {
    const bus = createFakeBus({});
    expect(probeHpet(createMmio(bus.shims, BASE, HPET.LENGTH))).toEqual({
      found: false,
      reason: 'its capabilities read all ones: nothing answers at that address',
    });
    expect(bus.takeAccesses().filter((access) => access.startsWith('write'))).toEqual([]);
  });

  it.each([
    ['revision 0', { revision: 0 }, 'revision is 0 (capabilities 0x8086a200)'],
    ['a period of 0', { periodFemtos: 0 }, 'COUNTER_CLK_PERIOD is 0 fs, not within 1..100000000'],
    ['a period above the most allowed', { periodFemtos: PERIOD_MAX_FS + 1 }, 'COUNTER_CLK_PERIOD is 100000001 fs, not within 1..100000000'],
    ['a period of all ones', { periodFemtos: 0xffff_ffff }, 'COUNTER_CLK_PERIOD is 4294967295 fs, not within 1..100000000'],
  ])('refuses %s with its reason, and writes nothing', (_, options, reason) => {
    const { probe, probing } = createPc(options);
    expect(probe).toEqual({ found: false, reason });
    expect(probing.filter((access) => access.startsWith('write'))).toEqual([]);
  });

  it.each([1, 10_000_000, 69_841_279, PERIOD_MAX_FS])('takes a period of %i fs as the exact frequency', (periodFemtos) => {
    expect(createPc({ periodFemtos }).hpet.frequency).toMatchObject({
      numerator: FEMTOSECONDS_PER_SECOND,
      denominator: BigInt(periodFemtos),
      provenance: 'enumerated',
    });
  });

  it.each([
    [
      { timers: 1, is64Bit: false, canReplaceLegacy: false, routes: 0 },
      { timerCount: 1, width: 32, canReplaceLegacy: false, routes: 0 },
    ],
    [{ timers: 3 }, { timerCount: 3, width: 64, canReplaceLegacy: true, routes: 0x00f0_0000 }],
    [
      { timers: 24, routes: 0xffff_ffff },
      { timerCount: 24, width: 64, canReplaceLegacy: true, routes: 0xffff_ffff },
    ],
  ] as const)('tells what the capabilities say: %j', (options, expected) => {
    expect(createPc(options).hpet).toMatchObject(expected);
  });

  it('takes no more timers than the register block has room for, whatever the capabilities say', () => {
    expect(createPc({ timers: 32 }).hpet.timerCount).toBe(24);
  });

  it('turns off every timer that the firmware left on, and only then starts the main counter', () => {
    const { device, probing } = createPc({ timers: 4 });
    expect(device.configurations()).toEqual([0, 0, 0, 0]);
    expect(probing.filter((access) => access.startsWith('write'))).toEqual([
      'write fed00100 0',
      'write fed00120 0',
      'write fed00140 0',
      'write fed00160 0',
      'write fed00010 1',
    ]);
  });
});

describe('the main counter', () => {
  it('runs', () => {
    const { clock, hpet } = createPc();
    const before = hpet.counter();
    clock.pass(1000n * TICK);
    expect(hpet.counter() - before).toBeGreaterThanOrEqual(1000n);
    expect(hpet.counter() - before).toBeLessThan(1050n);
  });

  it('of 64 bits is read in one access of 64 bits', () => {
    const { bus, hpet } = createPc({ firstCount: 0x1_2345_6789_abcdn });
    expect(hpet.counter()).toBeGreaterThanOrEqual(0x1_2345_6789_abcdn);
    expect(bus.takeAccesses()).toHaveLength(1);
  });

  it('of 32 bits is read by 32 bits: what stands above is not its own', () => {
    const { hpet } = createPc({ is64Bit: false, firstCount: 0xffff_ff00n });
    const value = hpet.counter();
    expect(value).toBeGreaterThanOrEqual(0xffff_ff00n);
    expect(value).toBeLessThanOrEqual(0xffff_ffffn);
  });
});

describe('timer 0', () => {
  it('is configured in the order that VAL_SET asks for: route, VAL_SET, accumulator, period', () => {
    const { hpet, writes } = createPc();
    hpet.armPeriodic(ticks(0x1_0000_5000n), 0x2000, 20);
    const configuration = TN_CONF.B32MODE_CNF | TN_CONF.TYPE_CNF | TN_CONF.INT_ENB_CNF | (20 << 9);
    expect(writes()).toEqual([
      'write fed00010 1',
      `write fed00100 ${(configuration | TN_CONF.VAL_SET_CNF).toString(16)}`,
      'write fed00108 5000',
      `write fed00100 ${configuration.toString(16)}`,
      'write fed00108 2000',
    ]);
  });

  it.each([
    ['64 bits', { is64Bit: true }],
    ['64 bits, above 2^32', { is64Bit: true, firstCount: 0x7_ffff_f000n }],
    ['32 bits, near its wrap', { is64Bit: false, firstCount: 0xffff_f000n }],
  ])('of a counter of %s interrupts first at `first`, then every period: a tick before, at, and a million periods later', (_, options) => {
    const { clock, device, hpet } = createPc(options);
    const start = hpet.counter();
    const first = start + 10_000n;
    hpet.armPeriodic(ticks(first), 1000, 20);
    /** Not through the driver: reading takes time. */
    const advanceTo = (tick: bigint): void => {
      const now = BigInt.asUintN(32, device.count() - start);
      clock.pass((tick - now) * TICK - (clock.now() % TICK));
    };
    advanceTo(9_999n);
    expect(device.interrupts(), 'a tick before').toBe(0n);
    clock.pass(TICK);
    expect(device.interrupts(), 'at').toBe(1n);
    clock.pass(999n * TICK);
    expect(device.interrupts(), 'a tick before the second').toBe(1n);
    clock.pass(TICK);
    expect(device.interrupts(), 'at the second').toBe(2n);
    clock.pass(1_000_000n * 1000n * TICK);
    expect(device.interrupts(), 'a million periods later').toBe(1_000_002n);
  });

  it('goes to IRQ 0 by legacy replacement', () => {
    const { bus, device, hpet } = createPc();
    hpet.armPeriodic(ticks(hpet.counter() + 1000n), 1000, 'legacy');
    expect(device.route()).toBe('IRQ 0');
    expect(bus.shims.mmioRead32(BASE + HPET.GEN_CONF)).toBe(GEN_CONF.ENABLE_CNF | GEN_CONF.LEG_RT_CNF);
  });

  it.each([20, 23])('goes to I/O APIC input %i, and IRQ 0 stays the PIT’s', (input) => {
    const { bus, device, hpet } = createPc();
    hpet.armPeriodic(ticks(hpet.counter() + 1000n), 1000, input);
    expect(device.route()).toBe(input);
    expect(bus.shims.mmioRead32(BASE + HPET.GEN_CONF)).toBe(GEN_CONF.ENABLE_CNF);
  });

  it('goes from legacy replacement to an input of its own when it is started anew', () => {
    const { device, hpet } = createPc();
    hpet.armPeriodic(ticks(hpet.counter() + 1000n), 1000, 'legacy');
    hpet.stop();
    hpet.armPeriodic(ticks(hpet.counter() + 1000n), 1000, 21);
    expect(device.route()).toBe(21);
  });

  it('that is stopped interrupts no more, and the main counter runs on', () => {
    const { clock, device, hpet } = createPc();
    hpet.armPeriodic(ticks(hpet.counter() + 100n), 100, 'legacy');
    hpet.stop();
    const before = hpet.counter();
    clock.pass(1_000_000n * TICK);
    expect(device.interrupts()).toBe(0n);
    expect(device.route()).toBe('off');
    expect(hpet.counter()).toBeGreaterThan(before);
  });
});
