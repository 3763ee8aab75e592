import { describe, expect, it } from 'vitest';
import { createFakeBus, fakeShims, type FakeDevice } from '../testing/bus.ts';
import { createMmio } from './mmio.ts';
import { createMsr } from './msr.ts';
import { createPorts } from './ports.ts';

/** Remembers what was written where, of every width. */
function createMemory(): FakeDevice {
  const numbers = new Map<number, number>();
  const bigints = new Map<number, bigint>();
  const read = (offset: number): number => numbers.get(offset) ?? 0;
  const write = (offset: number, value: number): void => void numbers.set(offset, value);
  return {
    read8: read,
    read32: read,
    write8: write,
    write32: write,
    read64: (offset) => bigints.get(offset) ?? 0n,
    write64: (offset, value) => void bigints.set(offset, value),
  };
}

describe('ports', () => {
  const BASE = 0x3f8;
  const COUNT = 8;
  function create() {
    const bus = createFakeBus({ ports: [{ base: BASE, length: COUNT, device: createMemory() }] });
    return { bus, ports: createPorts(bus.shims, BASE, COUNT) };
  }

  it('are reached by their offsets from the base', () => {
    const { bus, ports } = create();
    ports.write8(0, 1);
    ports.write8(7, 2);
    expect([ports.read8(0), ports.read8(7)]).toEqual([1, 2]);
    expect(ports.base).toBe(BASE);
    ports.read32(4);
    expect(bus.takeAccesses()).toEqual(['out 3f8 1', 'out 3ff 2', 'in 3f8 1', 'in 3ff 2', 'in 3fc 0']);
  });

  it('take a part of a buffer at one of them', () => {
    const { bus, ports } = create();
    ports.writeBlock8(1, Uint8Array.of(9, 8, 7, 6).buffer, 1, 2);
    expect(bus.takeAccesses()).toEqual(['out 3f9 8', 'out 3f9 7']);
  });

  it.each([-1, 8, 9, 0x1_0000, -0x3f8])(
    'at offset %i are another device’s: a RangeError names offset and base, and nothing is accessed',
    (offset) => {
      const { bus, ports } = create();
      const error = new RangeError(`port offset ${offset} of a device with 8 ports at 0x3f8`);
      expect(() => ports.read8(offset)).toThrow(error);
      expect(() => ports.read32(offset)).toThrow(error);
      expect(() => ports.write8(offset, 0)).toThrow(error);
      expect(() => ports.writeBlock8(offset, new ArrayBuffer(1), 0, 1)).toThrow(error);
      expect(bus.takeAccesses()).toEqual([]);
    },
  );
});

describe('registers in memory', () => {
  const BASE = 0xfed0_0000;
  const LENGTH = 0x400;
  function create() {
    const bus = createFakeBus({ memory: [{ base: BASE, length: LENGTH, device: createMemory() }] });
    return { bus, mmio: createMmio(bus.shims, BASE, LENGTH) };
  }

  it('are reached by their offsets from the base, up to the last that lies within', () => {
    const { bus, mmio } = create();
    mmio.write32(0, 1);
    mmio.write32(0x3fc, 0xffff_ffff);
    mmio.write64(0x3f8, 2n ** 64n - 1n);
    expect([mmio.read32(0), mmio.read32(0x3fc), mmio.read64(0x3f8)]).toEqual([1, 0xffff_ffff, 2n ** 64n - 1n]);
    expect(mmio.base).toBe(BASE);
    expect(bus.takeAccesses().slice(0, 3)).toEqual(['write fed00000 1', 'write fed003fc ffffffff', 'write fed003f8 ffffffffffffffff']);
  });

  it('have accessors of their own, which check their place once', () => {
    const { bus, mmio } = create();
    mmio.writer32(0x3fc)(0x8000_0001);
    expect(mmio.readerInt32(0x3fc)()).toBe(-0x7fff_ffff);
    mmio.writer32(0x3fc)(-2);
    expect(mmio.read32(0x3fc)).toBe(0xffff_fffe);
    expect(bus.takeAccesses()[0]).toBe('write fed003fc 80000001');
    mmio.write64(0x3f8, 2n ** 63n + 1n);
    expect(mmio.reader64(0x3f8)()).toBe(2n ** 63n + 1n);
    expect(() => mmio.reader64(0x3fc)).toThrow(RangeError);
    expect(() => mmio.readerInt32(0x400)).toThrow(RangeError);
    expect(() => mmio.writer32(-4)).toThrow(RangeError);
  });

  const outside = (offset: string): RangeError => new RangeError(`register offset ${offset} of a device with 0x400 bytes at 0xfed00000`);

  it.each([
    [0x3fd, '0x3fd'],
    [0x400, '0x400'],
    [0x1_0000_0000, '0x100000000'],
    [-1, '0x-1'],
    [-4, '0x-4'],
    [-BASE, '0x-fed00000'],
  ])('at offset %i are not the device’s: a RangeError names offset and base, and nothing is accessed', (offset, shown) => {
    const { bus, mmio } = create();
    expect(() => mmio.read32(offset)).toThrow(outside(shown));
    expect(() => mmio.write32(offset, 0)).toThrow(outside(shown));
    expect(() => mmio.read64(offset)).toThrow(outside(shown));
    expect(() => mmio.write64(offset, 0n)).toThrow(outside(shown));
    expect(bus.takeAccesses()).toEqual([]);
  });

  it('of 64 bits that begin within and end beyond are not the device’s', () => {
    const { bus, mmio } = create();
    expect(() => mmio.read64(0x3fc)).toThrow(outside('0x3fc'));
    expect(() => mmio.write64(0x3f9, 0n)).toThrow(outside('0x3f9'));
    expect(bus.takeAccesses()).toEqual([]);
  });
});

describe('a model-specific register', () => {
  it('is always the one it was created for', () => {
    const values = new Map<number, bigint>([[0x1b, 0xfee0_0900n]]);
    const msr = createMsr(
      fakeShims({ rdmsr: (index) => values.get(index)!, wrmsr: (index, value) => void values.set(index, value) }),
      0x1b,
    );
    expect(msr.read()).toBe(0xfee0_0900n);
    msr.write(5n);
    expect([...values]).toEqual([[0x1b, 5n]]);
  });
});
