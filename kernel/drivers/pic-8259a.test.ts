import { describe, expect, it } from 'vitest';
import { createPorts } from '../hw/ports.ts';
import { PIC } from '../regs/i8259a.ts';
import { createFakeBus } from '../testing/bus.ts';
import { createFakePicPair } from '../testing/pic-8259a.ts';
import { PIC_BASE, probePic } from './pic-8259a.ts';

const VECTOR = 0x20;

function createPc() {
  const pair = createFakePicPair();
  const bus = createFakeBus({
    ports: [
      { base: PIC_BASE.MASTER, length: PIC.COUNT, device: pair.master },
      { base: PIC_BASE.SLAVE, length: PIC.COUNT, device: pair.slave },
    ],
  });
  const probe = () =>
    probePic(createPorts(bus.shims, PIC_BASE.MASTER, PIC.COUNT), createPorts(bus.shims, PIC_BASE.SLAVE, PIC.COUNT), VECTOR);
  const pic = probe()!;
  bus.takeAccesses();
  return { pair, bus, pic };
}

describe('probing', () => {
  it('finds nothing where nobody drives the bus', () => {
    const bus = createFakeBus({});
    const ports = (base: number) => createPorts(bus.shims, base, PIC.COUNT);
    expect(probePic(ports(PIC_BASE.MASTER), ports(PIC_BASE.SLAVE), VECTOR)).toBeUndefined();
  });

  it('finds nothing where the slave is missing', () => {
    const { master } = createFakePicPair();
    const bus = createFakeBus({ ports: [{ base: PIC_BASE.MASTER, length: PIC.COUNT, device: master }] });
    const ports = (base: number) => createPorts(bus.shims, base, PIC.COUNT);
    expect(probePic(ports(PIC_BASE.MASTER), ports(PIC_BASE.SLAVE), VECTOR)).toBeUndefined();
  });

  it('initializes both: edges, vectors, cascade, 8086 mode', () => {
    expect(createPc().pair.initialization()).toEqual([
      [0x11, VECTOR, 0b100, 0x01],
      [0x11, VECTOR + 8, 2, 0x01],
    ]);
  });

  it('masks all lines but the cascade, and forgets what the firmware had in service', () => {
    const { pair } = createPc();
    expect(pair.masks()).toBe(0xffff & ~(1 << 2));
    expect(pair.inService()).toBe(0);
  });
});

describe('masks', () => {
  it.each([0, 1, 7, 8, 12, 15])('line %i is silent until it is unmasked, and again when it is masked', (line) => {
    const { pair, pic } = createPc();
    pair.raise(line);
    expect(pair.isRequesting()).toBe(false);
    pic.unmask(line);
    pair.raise(line);
    expect(pair.acknowledge()).toBe(VECTOR + line);
    pic.endOfInterrupt(line);
    pic.mask(line);
    pair.raise(line);
    expect(pair.isRequesting()).toBe(false);
  });

  it('of one line leave those of others', () => {
    const { pair, pic } = createPc();
    pic.unmask(0);
    pic.unmask(9);
    pic.mask(0);
    expect(pair.masks()).toBe(0xffff & ~(1 << 2) & ~(1 << 9));
  });
});

describe('the end of an interrupt', () => {
  it.each([
    [0, ['out 20 60']],
    [7, ['out 20 67']],
    [8, ['out a0 60', 'out 20 62']],
    [15, ['out a0 67', 'out 20 62']],
  ])('of line %i is specific: the slave first, then the cascade', (line, accesses) => {
    const { bus, pic } = createPc();
    pic.endOfInterrupt(line);
    expect(bus.takeAccesses()).toEqual(accesses);
  });

  it('ends that line only, not the one of highest priority', () => {
    const { pair, pic } = createPc();
    for (const line of [5, 1]) {
      pic.unmask(line);
      pair.raise(line);
      pair.acknowledge();
    }
    pic.endOfInterrupt(5);
    expect(pair.inService()).toBe(1 << 1);
  });

  it.each([3, 11])('of line %i lets it come again', (line) => {
    const { pair, pic } = createPc();
    pic.unmask(line);
    for (let time = 0; time < 3; time++) {
      pair.raise(line);
      expect(pair.acknowledge()).toBe(VECTOR + line);
      pair.raise(line);
      expect(pair.isRequesting(), 'while it is in service').toBe(false);
      pair.withdraw(line);
      pic.endOfInterrupt(line);
      expect(pair.inService()).toBe(0);
    }
  });
});

describe('in service', () => {
  it.each([0, 7, 8, 15])('is line %i from its acknowledge to its end', (line) => {
    const { pair, pic } = createPc();
    pic.unmask(line);
    pair.raise(line);
    expect(pic.isInService(line)).toBe(false);
    pair.acknowledge();
    expect(pic.isInService(line)).toBe(true);
    pic.endOfInterrupt(line);
    expect(pic.isInService(line)).toBe(false);
  });

  it('is not line 7 of a spurious interrupt', () => {
    const { pair, pic } = createPc();
    pic.unmask(7);
    pair.raise(7);
    pair.withdraw(7);
    expect(pair.acknowledge()).toBe(VECTOR + 7);
    expect(pic.isInService(7)).toBe(false);
  });

  it('is not line 15 of a spurious interrupt, but the cascade is', () => {
    const { pair, pic } = createPc();
    pic.unmask(15);
    pair.raise(15);
    pair.withdraw(15);
    expect(pair.acknowledge()).toBe(VECTOR + 15);
    expect(pic.isInService(15)).toBe(false);
    expect(pic.isInService(2)).toBe(true);
  });
});
