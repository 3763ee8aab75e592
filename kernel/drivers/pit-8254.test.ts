import { describe, expect, it } from 'vitest';
import { createPorts } from '../hw/ports.ts';
import { PIT, PIT_HZ } from '../regs/i8254.ts';
import { createFakeBus } from '../testing/bus.ts';
import { createFakeClock, PICOSECONDS_PER_SECOND, type FakeClock } from '../testing/clock.ts';
import { createFakePit, type FakePit } from '../testing/pit-8254.ts';
import { PIT_BASE, probePit } from './pit-8254.ts';

function createPc(isDead = false) {
  const clock = createFakeClock();
  const device = createFakePit(clock, isDead);
  const bus = createFakeBus({ clock, ports: [{ base: PIT_BASE, length: PIT.COUNT, device }] });
  const pit = probePit(createPorts(bus.shims, PIT_BASE, PIT.COUNT));
  const probing = bus.takeAccesses();
  return { clock, device, bus, pit: pit!, probing };
}

/** To the first moment at which the counter has counted this many ticks. */
function advanceToTick(clock: FakeClock, device: FakePit, tick: bigint): void {
  const base = clock.ticks(PIT_HZ) - device.elapsed()!;
  if (device.elapsed() !== tick) clock.passUntil(((base + tick) * PICOSECONDS_PER_SECOND + PIT_HZ - 1n) / PIT_HZ);
  expect(device.elapsed()).toBe(tick);
}

describe('probing', () => {
  it('finds nothing where nobody drives the bus', () => {
    const bus = createFakeBus({});
    expect(probePit(createPorts(bus.shims, PIT_BASE, PIT.COUNT))).toBeUndefined();
  });

  it('finds nothing where the counter never moves, and leaves it stopped', () => {
    const { pit, device, probing } = createPc(true);
    expect(pit).toBeUndefined();
    expect(device.elapsed()).toBeUndefined();
    expect(probing.length).toBeLessThan(500);
  });

  it('finds a counter that moves, and leaves it stopped', () => {
    const { pit, device } = createPc();
    expect(pit.frequency).toMatchObject({ numerator: PIT_HZ, denominator: 1n, provenance: 'architectural' });
    expect(device.elapsed()).toBeUndefined();
  });
});

describe('the periodic timer', () => {
  it('is counter 0 in mode 2, low byte first', () => {
    const { bus, pit } = createPc();
    pit.armPeriodic(0x1234);
    expect(bus.takeAccesses()).toEqual(['out 43 34', 'out 40 34', 'out 40 12']);
  });

  it('has 65536 written as 0', () => {
    const { bus, pit } = createPc();
    pit.armPeriodic(65_536);
    expect(bus.takeAccesses()).toEqual(['out 43 34', 'out 40 0', 'out 40 0']);
  });

  it.each([2, 3, 1193, 65_535, 65_536])('of %i ticks interrupts after that many, not one earlier, and so on', (count) => {
    const { clock, device, pit } = createPc();
    pit.armPeriodic(count);
    for (const period of [1n, 2n, 3n, 1000n]) {
      advanceToTick(clock, device, period * BigInt(count) - 1n);
      expect(device.interrupts(), `a tick before interrupt ${period}`).toBe(period - 1n);
      advanceToTick(clock, device, period * BigInt(count));
      expect(device.interrupts(), `at interrupt ${period}`).toBe(period);
    }
  });

  it.each([1, 0, -1, 65_537, NaN, Infinity])('of %d ticks is refused before anything is written', (count) => {
    const { bus, pit } = createPc();
    expect(() => pit.armPeriodic(count)).toThrow(new RangeError(`PIT: count ${count} is not within 2..65536 (mode 2)`));
    expect(bus.takeAccesses()).toEqual([]);
  });

  it('that is stopped counts nothing, and interrupts no more', () => {
    const { clock, device, pit } = createPc();
    pit.armPeriodic(100);
    clock.pass(PICOSECONDS_PER_SECOND);
    pit.stop();
    expect(device.elapsed()).toBeUndefined();
    clock.pass(PICOSECONDS_PER_SECOND);
    expect(device.interrupts()).toBe(0n);
  });

  it('starts again after it was stopped', () => {
    const { clock, device, pit } = createPc();
    pit.stop();
    pit.armPeriodic(1193);
    advanceToTick(clock, device, 1193n);
    expect(device.interrupts()).toBe(1n);
  });
});

describe('the counter', () => {
  it('is latched and then read, low byte first', () => {
    const { bus, pit } = createPc();
    pit.armPeriodic(65_536);
    bus.takeAccesses();
    pit.counter();
    expect(bus.takeAccesses().map((access) => access.split(' ').slice(0, 2).join(' '))).toEqual(['out 43', 'in 40', 'in 40']);
  });

  it('counts down once per tick, from the count to 1, and is never torn', () => {
    const { clock, device, pit } = createPc();
    pit.armPeriodic(1000);
    for (let read = 0; read < 3000; read++) {
      clock.pass(123_457n);
      const before = device.elapsed()!;
      const value = pit.counter();
      const after = device.elapsed()!;
      const possible: number[] = [];
      for (let passed = before; passed <= after; passed++) possible.push(Number(1000n - (passed % 1000n)));
      expect(possible, `read ${read}`).toContain(value);
    }
  });

  it('of 65536 shows 0 for 65536', () => {
    const { clock, device, pit } = createPc();
    pit.armPeriodic(65_536);
    advanceToTick(clock, device, 65_535n);
    expect(pit.counter()).toBeLessThanOrEqual(1);
  });

  it('is read right after a read by somebody else that was left half done, once the mode is set anew', () => {
    const { bus, pit } = createPc();
    pit.armPeriodic(0x8000);
    bus.shims.in8(PIT_BASE);
    pit.armPeriodic(0x8000);
    expect(pit.counter()).toBeGreaterThan(0x7f00);
    expect(pit.counter()).toBeLessThanOrEqual(0x8000);
  });
});
