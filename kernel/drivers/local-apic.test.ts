import { describe, expect, it } from 'vitest';
import { createMmio } from '../hw/mmio.ts';
import { DIVIDE, DIVISORS, LAPIC, LVT, SVR } from '../regs/local-apic.ts';
import { createFakeBus } from '../testing/bus.ts';
import { createFakeClock } from '../testing/clock.ts';
import { createFakeLocalApic, type FakeLocalApicOptions } from '../testing/local-apic.ts';
import { probeLocalApic } from './local-apic.ts';

const BASE = 0xfee0_0000;
const SPURIOUS = 0xff;
const VECTOR = 0xe0;
/** Of a bus of 1 GHz. */
const TICK = 1_000n;

function createPc({ accessNanos = 700n, ...options }: FakeLocalApicOptions & { readonly accessNanos?: bigint } = {}) {
  const clock = createFakeClock();
  const device = createFakeLocalApic(clock, options);
  const bus = createFakeBus({ clock, memory: [{ base: BASE, length: LAPIC.LENGTH, device }], accessNanos });
  const localApic = probeLocalApic(createMmio(bus.shims, BASE, LAPIC.LENGTH), SPURIOUS);
  bus.takeAccesses();
  const advanceToTick = (tick: bigint): void => clock.pass((tick - device.elapsed()) * TICK - (clock.now() % TICK));
  return { clock, device, bus, localApic: localApic!, advanceToTick };
}

describe('probing', () => {
  it('finds nothing where nobody drives the bus, and writes nothing', () => {
    const bus = createFakeBus({});
    expect(probeLocalApic(createMmio(bus.shims, BASE, LAPIC.LENGTH), SPURIOUS)).toBeUndefined();
    expect(bus.takeAccesses()).toEqual(['read fee00030 ffffffff']);
  });

  it.each([
    ['0', 0],
    ['a highest entry of 2: no error entry', 0x0002_0010],
  ])('finds nothing where the version reads %s', (_, identity) => {
    expect(createPc({ identity }).localApic).toBeUndefined();
  });

  it.each([
    [0, 0x0005_0014, 0x14],
    [255, 0x0006_0015, 0x15],
    [128, 0x8003_0010, 0x10],
  ])('tells its ID %i and its version', (id, identity, version) => {
    expect(createPc({ id, identity }).localApic).toMatchObject({ id, version });
  });

  it('switches it on, lets every priority through, and leaves its entries masked but for NMI', () => {
    const { device } = createPc();
    expect(device.register(LAPIC.SVR)).toBe(SVR.ENABLE | SPURIOUS);
    expect(device.register(LAPIC.TPR)).toBe(0);
    expect(device.register(LAPIC.LVT_TIMER)).toBe(LVT.MASKED);
    expect(device.register(LAPIC.LVT_LINT0)).toBe(LVT.MASKED);
    expect(device.register(LAPIC.LVT_LINT1)).toBe(LVT.DELIVERY_NMI);
    expect(device.register(LAPIC.LVT_ERROR)).toBe(LVT.MASKED);
    expect(device.register(LAPIC.TIMER_DCR)).toBe(DIVIDE[1]);
  });
});

describe('interrupts', () => {
  it('are ended by a 0', () => {
    const { bus, device, localApic } = createPc();
    localApic.endOfInterrupt();
    expect(bus.takeAccesses()).toEqual(['write fee000b0 0']);
    expect(device.endsOfInterrupt()).toBe(1);
  });

  it.each([
    [0x20, 1, 0x0],
    [0x3f, 1, 0x1f],
    [0xe0, 7, 0x0],
    [0xff, 7, 0x1f],
  ])('of vector %i are requested when its bit is set in the IRR, and no other', (vector, bank, bit) => {
    const { device, localApic } = createPc();
    const isRequested = localApic.requestOf(vector);
    expect(isRequested()).toBe(false);
    const register = LAPIC.IRR + bank * LAPIC.BANK_STRIDE;
    device.write32!(register, (0xffff_ffff ^ (1 << bit)) >>> 0);
    expect(isRequested()).toBe(false);
    device.write32!(register, (1 << bit) >>> 0);
    expect(isRequested()).toBe(true);
  });

  it('of the 8259A come through LINT0 as ExtINT', () => {
    const { device, localApic } = createPc();
    localApic.acceptPic();
    expect(device.register(LAPIC.LVT_LINT0)).toBe(LVT.DELIVERY_EXTINT);
  });
});

describe('the periodic timer', () => {
  it.each([
    ['one tick longer than the count', 1],
    ['the count', 0],
  ] as const)('has the period that was asked for where a period is %s, and no drift after a million', (_, reloadTicks) => {
    const { device, localApic, advanceToTick } = createPc({ reloadTicks });
    localApic.setReloadTicks(reloadTicks);
    localApic.armPeriodic(VECTOR, 1_000_000);
    for (const index of [1n, 2n, 1000n, 1_000_000n]) {
      advanceToTick(index * 1_000_000n - 1n);
      expect(device.interrupts(), `a tick before interrupt ${index}`).toBe(index - 1n);
      advanceToTick(index * 1_000_000n);
      expect(device.interrupts(), `at interrupt ${index}`).toBe(index);
    }
  });

  it('has its entry before its count: counting starts with the last access', () => {
    const { bus, localApic } = createPc();
    localApic.armPeriodic(VECTOR, 0xffff_ffff);
    expect(bus.takeAccesses()).toEqual([
      'write fee003e0 b',
      `write fee00320 ${(LVT.TIMER_PERIODIC | VECTOR).toString(16)}`,
      'write fee00380 ffffffff',
    ]);
  });

  it('that is stopped is masked, and counts no more', () => {
    const { clock, device, localApic } = createPc();
    localApic.armPeriodic(VECTOR, 1000);
    clock.pass(10_500n * TICK);
    expect(device.interrupts()).toBeGreaterThan(5n);
    localApic.stop();
    expect(device.register(LAPIC.LVT_TIMER)).toBe(LVT.MASKED);
    expect(localApic.currentCount()).toBe(0);
    clock.pass(10_000n * TICK);
    expect(device.interrupts()).toBe(0n);
  });
});

describe('the one-shot timer', () => {
  it.each(DIVISORS)('with divisor %i interrupts once, that many bus ticks after the count, not one earlier', (divisor) => {
    const { clock, device, localApic } = createPc();
    localApic.armOneShot(VECTOR, 1000, divisor);
    const start = clock.now() - (clock.now() % TICK);
    const expected = start + 1000n * BigInt(divisor) * TICK;
    // What is left of the access in which the count was written, half of 700 ns.
    expect(device.expiry()! - expected).toBe(-350n * TICK);
    clock.passUntil(device.expiry()! - 1n);
    expect(device.interrupts()).toBe(0n);
    clock.pass(1n);
    expect(device.interrupts()).toBe(1n);
  });

  it('counts by 1 again after another divisor', () => {
    const { device, localApic } = createPc();
    localApic.armOneShot(VECTOR, 1000, 128);
    localApic.armPeriodic(VECTOR, 1000);
    expect(device.register(LAPIC.TIMER_DCR)).toBe(DIVIDE[1]);
    localApic.armOneShot(VECTOR, 1000, 64);
    localApic.startSilent(1000, false);
    expect(device.register(LAPIC.TIMER_DCR)).toBe(DIVIDE[1]);
  });
});

describe('TSC-deadline mode', () => {
  it.each([0, 1, 7])('is armed when the register has taken a value, be it that %i writes before are lost', (lostDeadlines) => {
    const { clock, device, localApic } = createPc({ lostDeadlines });
    expect(localApic.armTscDeadline(VECTOR, device.tscDeadline)).toBe(true);
    expect(device.register(LAPIC.LVT_TIMER)).toBe(LVT.TIMER_TSC_DEADLINE | VECTOR);
    // Nothing is to come yet.
    expect(device.tscDeadline.read()).toBe(0n);
    expect(device.expiry()).toBeUndefined();
    device.tscDeadline.write(123_456n);
    expect(device.expiry()).toBe(123_456_000n);
    clock.passUntil(123_456_000n);
    expect(device.tscDeadline.read()).toBe(0n);
  });

  it('is not there where the register takes nothing, and the attempts end', () => {
    const { localApic } = createPc();
    let writes = 0;
    expect(localApic.armTscDeadline(VECTOR, { read: () => 0n, write: () => writes++ })).toBe(false);
    expect(writes).toBeLessThan(10_000);
  });

  it('is left by stop: nothing comes any more, and the count works again', () => {
    const { device, localApic } = createPc();
    localApic.armTscDeadline(VECTOR, device.tscDeadline);
    device.tscDeadline.write(1n << 40n);
    localApic.stop();
    expect(device.expiry()).toBeUndefined();
    localApic.armOneShot(VECTOR, 1000);
    expect(device.expiry()).toBeDefined();
    expect(device.tscDeadline.read()).toBe(0n);
  });
});

describe('the free-running counter', () => {
  it('counts down without interrupts', () => {
    const { clock, device, localApic } = createPc();
    localApic.startSilent(0xffff_ffff, false);
    const before = localApic.currentCount();
    expect(before).toBeGreaterThan(0xffff_0000);
    clock.pass(5000n * TICK);
    expect(before - localApic.currentCount()).toBe(5700);
    expect(device.interrupts()).toBe(0n);
  });
});
