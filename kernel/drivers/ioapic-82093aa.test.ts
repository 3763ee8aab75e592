import { describe, expect, it } from 'vitest';
import { createMmio } from '../hw/mmio.ts';
import { IOAPIC, REDIRECTION } from '../regs/i82093aa.ts';
import { createFakeBus } from '../testing/bus.ts';
import { createFakeIoApic } from '../testing/ioapic-82093aa.ts';
import { probeIoApic } from './ioapic-82093aa.ts';

const BASE = 0xfec0_0000;
const EDGE = { isLevel: false, isActiveLow: false };

function createPc({ gsiBase = 0, ...options }: { gsiBase?: number; inputs?: number; version?: number; identity?: number } = {}) {
  const device = createFakeIoApic(options);
  const bus = createFakeBus({ memory: [{ base: BASE, length: IOAPIC.LENGTH, device }] });
  const ioApic = probeIoApic(createMmio(bus.shims, BASE, IOAPIC.LENGTH), gsiBase);
  return { device, bus, ioApic: ioApic!, probing: bus.takeAccesses() };
}

describe('probing', () => {
  it.each([
    ['all ones: nobody drives the bus', undefined],
    ['0', 0],
  ])('finds nothing where the version reads %s', (_, identity) => {
    const bus = createFakeBus(
      identity === undefined ? {} : { memory: [{ base: BASE, length: IOAPIC.LENGTH, device: createFakeIoApic({ identity }) }] },
    );
    expect(probeIoApic(createMmio(bus.shims, BASE, IOAPIC.LENGTH), 0)).toBeUndefined();
    // IOREGSEL was written, as there is no other way to ask; nothing else.
    expect(bus.takeAccesses().filter((access) => access.startsWith('write'))).toEqual(['write fec00000 1']);
  });

  it.each([
    [24, 0x11, 0],
    [1, 0x20, 24],
    // All that the index register, of 8 bits, can name.
    [120, 0x20, 16],
  ])('tells of %i inputs, version %i, from GSI %i', (inputs, version, gsiBase) => {
    expect(createPc({ inputs, version, gsiBase }).ioApic).toMatchObject({ inputCount: inputs, version, gsiBase });
  });

  it('masks every input that the firmware left open', () => {
    const { device } = createPc({ inputs: 24 });
    for (let input = 0; input < 24; input++) expect(device.raise(input), `input ${input}`).toBeUndefined();
  });
});

describe('a route', () => {
  it('is set masked', () => {
    const { device, ioApic } = createPc();
    ioApic.setRoute(2, { vector: 0x32, destination: 0, ...EDGE });
    expect(device.raise(2)).toBeUndefined();
  });

  it('is masked before either half changes, and as long as they do not fit each other', () => {
    const { bus, ioApic } = createPc();
    ioApic.setRoute(3, { vector: 0x33, destination: 5, isLevel: true, isActiveLow: true });
    const masked = REDIRECTION.MASKED.toString(16);
    expect(bus.takeAccesses()).toEqual([
      'write fec00000 16',
      `write fec00010 ${masked}`,
      'write fec00000 17',
      'write fec00010 5000000',
      'write fec00000 16',
      `write fec00010 ${(REDIRECTION.MASKED | 0x33 | REDIRECTION.TRIGGER_LEVEL | REDIRECTION.INTPOL_LOW).toString(16)}`,
    ]);
  });

  it.each([
    [{ vector: 0x30, destination: 0, isLevel: false, isActiveLow: false }],
    [{ vector: 0xdf, destination: 255, isLevel: true, isActiveLow: false }],
    [{ vector: 0x45, destination: 128, isLevel: false, isActiveLow: true }],
    [{ vector: 0x46, destination: 1, isLevel: true, isActiveLow: true }],
  ])('that is unmasked is what was set: %j', (route) => {
    const { device, ioApic } = createPc();
    ioApic.setRoute(23, route);
    ioApic.unmask(23);
    expect(device.raise(23)).toEqual(route);
  });

  it('leaves the others alone', () => {
    const { device, ioApic } = createPc();
    const routes = [0, 1, 2].map((input) => ({ vector: 0x30 + input, destination: input, ...EDGE }));
    routes.forEach((route, input) => ioApic.setRoute(input, route));
    ioApic.unmask(1);
    expect([0, 1, 2].map((input) => device.raise(input))).toEqual([undefined, routes[1], undefined]);
  });

  it('survives being masked and unmasked', () => {
    const { device, ioApic } = createPc();
    const route = { vector: 0x51, destination: 3, isLevel: true, isActiveLow: true };
    ioApic.setRoute(9, route);
    ioApic.unmask(9);
    ioApic.mask(9);
    expect(device.raise(9)).toBeUndefined();
    ioApic.mask(9);
    ioApic.unmask(9);
    ioApic.unmask(9);
    expect(device.raise(9)).toEqual(route);
  });

  it('that is set anew replaces all of the one before', () => {
    const { device, ioApic } = createPc();
    ioApic.setRoute(0, { vector: 0xff, destination: 255, isLevel: true, isActiveLow: true });
    ioApic.unmask(0);
    ioApic.setRoute(0, { vector: 0x30, destination: 0, ...EDGE });
    expect(device.raise(0)).toBeUndefined();
    ioApic.unmask(0);
    expect(device.raise(0)).toEqual({ vector: 0x30, destination: 0, ...EDGE });
  });
});
