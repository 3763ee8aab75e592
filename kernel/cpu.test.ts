import { describe, expect, it } from 'vitest';
import { describeCpu } from './cpu.ts';

type Leaves = Readonly<Record<number, readonly [number, number, number, number]>>;

/** Four characters, the first in the lowest byte. */
const word = (text: string): number =>
  [...text.padEnd(4, '\0')].reduce((sum, character, index) => sum + character.charCodeAt(0) * 256 ** index, 0);
const words = (text: string, count: number): number[] =>
  Array.from({ length: count }, (_, index) => word(text.slice(4 * index, 4 * index + 4)));
/** EBX, EDX, ECX in that order. */
const vendor = (text: string, eax: number): [number, number, number, number] => {
  const [b, d, c] = words(text, 3) as [number, number, number];
  return [eax, b, c, d];
};
const brand = (text: string): Leaves =>
  Object.fromEntries([0, 1, 2].map((part) => [0x8000_0002 + part, words(text.slice(16 * part, 16 * part + 16), 4)])) as unknown as Leaves;

/** As an EPYC under KVM, as far as it is asked. */
const EPYC: Leaves = {
  0: vendor('AuthenticAMD', 0x10),
  1: [0x0083_0f10, 0x0302_0800, 0x8120_0000, 0x0000_0230],
  0x4000_0000: [0x4000_0001, ...words('KVMKVMKVM', 3)] as unknown as [number, number, number, number],
  0x8000_0000: vendor('AuthenticAMD', 0x8000_001f),
  0x8000_0001: [0x0083_0f10, 0, 0x0000_0004, 0],
  ...brand('AMD EPYC 7702 64-Core Processor                '),
  0x8000_0007: [0, 0, 0, 0x0000_0100],
};

function cpu(leaves: Leaves) {
  const asked: number[] = [];
  const described = describeCpu((leaf) => {
    asked.push(leaf);
    // Intel's processors answer leaves that they lack with those of the highest basic one: anything.
    return leaves[leaf] ?? [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff];
  });
  return { ...described, asked };
}

describe('a CPU', () => {
  it('tells all that its leaves tell', () => {
    expect(cpu(EPYC)).toMatchObject({
      vendor: 'AuthenticAMD',
      brand: 'AMD EPYC 7702 64-Core Processor',
      hypervisor: 'KVMKVMKVM',
      hasTsc: true,
      hasLocalApic: true,
      hasTscDeadline: true,
      hasInvariantTsc: true,
      hasSvm: true,
      localApicId: 3,
    });
  });

  it.each([
    ['hasTsc', 1, 3, 4],
    ['hasLocalApic', 1, 3, 9],
    ['hasTscDeadline', 1, 2, 24],
    ['hasInvariantTsc', 0x8000_0007, 3, 8],
    ['hasSvm', 0x8000_0001, 2, 2],
  ] as const)('%s follows its one bit', (name, leaf, register, bit) => {
    const only = (value: number): Leaves => {
      const registers = [0, 0, 0, 0] as [number, number, number, number];
      registers[register] = value;
      return { ...EPYC, [leaf]: registers };
    };
    expect(cpu(only(2 ** bit))[name]).toBe(true);
    expect(cpu(only(0xffff_ffff - 2 ** bit))[name]).toBe(false);
  });

  it('without a hypervisor is not asked for its name', () => {
    const bare = cpu({ ...EPYC, 1: [0, 0, 0x0120_0000, 0x230] });
    expect(bare.hypervisor).toBe('none');
    expect(bare.asked).not.toContain(0x4000_0000);
  });

  it('with a hypervisor without a name has none', () => {
    expect(cpu({ ...EPYC, 0x4000_0000: [0, 0, 0, 0] }).hypervisor).toBe('none');
  });

  it.each([0, 0x8000_0000])('whose extended leaves end at %i is asked for none of them, and has no brand, SVM or invariant TSC', (max) => {
    const old = cpu({ ...EPYC, 0x8000_0000: [max, 0, 0, 0] });
    expect(old).toMatchObject({ brand: 'unnamed', hasSvm: false, hasInvariantTsc: false });
    expect(old.asked.filter((leaf) => leaf > 0x8000_0000)).toEqual([]);
  });

  it('whose extended leaves end before the last part of the brand has none', () => {
    const old = cpu({ ...EPYC, 0x8000_0000: [0x8000_0003, 0, 0, 0] });
    expect(old).toMatchObject({ brand: 'unnamed', hasSvm: true, hasInvariantTsc: false });
    expect(old.asked.filter((leaf) => leaf > 0x8000_0003)).toEqual([]);
  });

  it.each([
    ['   Intel(R) Xeon(R)   ', 'Intel(R) Xeon(R)'],
    ['QEMU Virtual\0CPU', 'QEMU VirtualCPU'],
    ['\x01\x1b[2J\xff', '[2J'],
    ['', 'unnamed'],
  ])('has a brand without control characters and outer spaces: %j', (text, shown) => {
    expect(cpu({ ...EPYC, ...brand(text) }).brand).toBe(shown);
  });

  it('has a local APIC ID up to 255', () => {
    expect(cpu({ ...EPYC, 1: [0, 0xff00_0000, 0, 0] }).localApicId).toBe(255);
  });
});
