import { describe, expect, it } from 'vitest';
import { createPorts } from '../hw/ports.ts';
import { PM_TIMER_HZ } from '../regs/acpi.ts';
import { createFakeBus } from '../testing/bus.ts';
import { createFakeClock, PICOSECONDS_PER_SECOND } from '../testing/clock.ts';
import { createFakePmTimer } from '../testing/pm-timer.ts';
import { probePmTimer } from './pm-timer.ts';

const PORT = 0x608;

function createPc(width: 24 | 32, first = 0n) {
  const clock = createFakeClock();
  const device = createFakePmTimer(clock, width, first);
  const bus = createFakeBus({ clock, ports: [{ base: PORT, length: 4, device }] });
  return { clock, device, pmTimer: probePmTimer(createPorts(bus.shims, PORT, 4), width)! };
}

describe('probing', () => {
  it.each([24, 32] as const)('finds nothing where nobody drives the bus (%i bits)', (width) => {
    const bus = createFakeBus({});
    expect(probePmTimer(createPorts(bus.shims, PORT, 4), width)).toBeUndefined();
    expect(bus.takeAccesses().length).toBeLessThan(100);
  });

  it('finds nothing where the counter stands still, whatever the bits above it do', () => {
    let reads = 0;
    const device = { read32: () => ((reads++ << 24) | 0x12_3456) >>> 0 };
    const bus = createFakeBus({ ports: [{ base: PORT, length: 4, device }] });
    expect(probePmTimer(createPorts(bus.shims, PORT, 4), 24)).toBeUndefined();
  });

  it('finds a counter that moves, with the frequency that ACPI gives it', () => {
    const { pmTimer } = createPc(24);
    expect(pmTimer.width).toBe(24);
    expect(pmTimer.frequency).toMatchObject({ numerator: 3_579_545n, denominator: 1n, provenance: 'architectural' });
  });
});

describe('the counter', () => {
  it('of 24 bits shows nothing above them', () => {
    const { clock, device, pmTimer } = createPc(24, 0xff_0000n);
    for (let read = 0; read < 100; read++) {
      clock.pass(PICOSECONDS_PER_SECOND / 1000n);
      const before = device.count();
      const value = pmTimer.counter();
      expect(value).toBeLessThanOrEqual(0xff_ffff);
      expect((value - before) & 0xff_ffff).toBeLessThanOrEqual(4);
    }
  });

  it('of 32 bits is a positive number above 2^31', () => {
    const { pmTimer } = createPc(32, 0xf000_0000n);
    expect(pmTimer.counter()).toBeGreaterThanOrEqual(0xf000_0000);
  });

  it.each([
    [24, 0xff_ff00n],
    [32, 0xffff_ff00n],
  ] as const)('of %i bits wraps to 0', (width, first) => {
    const { clock, pmTimer } = createPc(width, first);
    const before = pmTimer.counter();
    clock.pass((0x200n * PICOSECONDS_PER_SECOND) / PM_TIMER_HZ);
    expect(pmTimer.counter()).toBeLessThan(before);
  });
});
