import { describe, expect, it } from 'vitest';
import { enumerateFrequencies } from './cpu-frequencies.ts';
import { hertz } from './time/frequency.ts';

type Registers = readonly [number, number, number, number];

function enumerated(vendor: string, under: 'bare' | 'hypervisor', leaves: Readonly<Record<number, Registers>>) {
  const asked: number[] = [];
  const { tsc, localApic } = enumerateFrequencies((leaf) => {
    asked.push(leaf);
    if (leaf === 1) return [0, 0, under === 'bare' ? 0x7fff_ffff : 0x8000_0000, 0];
    // Intel's processors answer leaves that they lack with those of the highest basic one: anything.
    return leaves[leaf] ?? [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff];
  }, vendor);
  const shown = (list: typeof tsc) => list.map((f) => `${f.source}: ${hertz(f)} Hz, ${f.uncertaintyPpb} ppb`);
  return { tsc, localApic, asked, tscShown: shown(tsc), localApicShown: shown(localApic) };
}

/** A crystal of 24 MHz; TSC 24 MHz * 216 / 2 = 2,592 MHz. */
const SKYLAKE = { 0: [0x16, 0, 0, 0], 0x15: [2, 216, 24_000_000, 0], 0x16: [2600, 3500, 100, 0] } as const;
const UNDER_VMWARE = { 0x4000_0000: [0x4000_0010, 0, 0, 0], 0x4000_0010: [2_592_012, 66_000, 0, 0] } as const;

describe('frequencies that CPUID tells', () => {
  it('are those of leaves 15h and 16h on an Intel processor, exactly and to a megahertz', () => {
    const { tscShown, localApicShown, tsc } = enumerated('GenuineIntel', 'bare', SKYLAKE);
    expect(tscShown).toEqual(['CPUID 15h: 2592000000 Hz, 0 ppb', 'CPUID 16h: 2600000000 Hz, 384616 ppb']);
    expect(localApicShown).toEqual(['CPUID 15h: 24000000 Hz, 0 ppb']);
    expect(tsc.every(({ provenance }) => provenance === 'enumerated')).toBe(true);
  });

  it('are exact where the ratio is none of whole hertz', () => {
    const { tsc } = enumerated('GenuineIntel', 'bare', { ...SKYLAKE, 0x15: [7, 541, 19_200_000, 0] });
    expect(tsc[0]).toMatchObject({ numerator: 19_200_000n * 541n, denominator: 7n });
  });

  it('are those of the hypervisor, to a kilohertz', () => {
    const { tscShown, localApicShown } = enumerated('AuthenticAMD', 'hypervisor', { 0: [0xd, 0, 0, 0], ...UNDER_VMWARE });
    expect(tscShown).toEqual(['CPUID 40000010h: 2592012000 Hz, 386 ppb']);
    expect(localApicShown).toEqual(['CPUID 40000010h: 66000000 Hz, 15152 ppb']);
  });

  it('come the most certain first', () => {
    const { tsc } = enumerated('GenuineIntel', 'hypervisor', { ...SKYLAKE, ...UNDER_VMWARE });
    expect(tsc.map(({ source }) => source)).toEqual(['CPUID 15h', 'CPUID 40000010h', 'CPUID 16h']);
  });

  it.each([
    ['an Intel processor whose leaves end before', 'GenuineIntel', 'bare', { ...SKYLAKE, 0: [0x14, 0, 0, 0] }, [0x15, 0x16]],
    ['AMD, which has them reserved', 'AuthenticAMD', 'bare', SKYLAKE, [0x15, 0x16]],
    ['a machine without hypervisor', 'AuthenticAMD', 'bare', UNDER_VMWARE, [0x4000_0000, 0x4000_0010]],
    ['a hypervisor whose leaves end before', 'x', 'hypervisor', { ...UNDER_VMWARE, 0x4000_0000: [0x4000_0001, 0, 0, 0] }, [0x4000_0010]],
    ['a hypervisor that tells no highest leaf', 'x', 'hypervisor', { ...UNDER_VMWARE, 0x4000_0000: [0, 0, 0, 0] }, [0x4000_0010]],
    ['a highest leaf that is none', 'x', 'hypervisor', { ...UNDER_VMWARE, 0x4000_0000: [0xffff_ffff, 0, 0, 0] }, [0x4000_0010]],
  ] as const)('are not asked of %s', (_, vendor, under, leaves, never) => {
    const { tsc, localApic, asked } = enumerated(vendor, under, { 0: [0x16, 0, 0, 0], ...leaves });
    expect([...tsc, ...localApic]).toEqual([]);
    expect(asked.filter((leaf) => (never as readonly number[]).includes(leaf))).toEqual([]);
  });

  it.each([
    ['a denominator of 0', { 0x15: [0, 216, 24_000_000, 0] }],
    ['a numerator of 0', { 0x15: [2, 0, 24_000_000, 0] }],
    ['no crystal', { 0x15: [2, 216, 0, 0] }],
  ] as const)('are none of a leaf 15h with %s; 16h still tells', (_, leaf) => {
    const { tsc, localApic } = enumerated('GenuineIntel', 'bare', { ...SKYLAKE, ...leaf });
    expect(tsc.map(({ source }) => source)).toEqual(['CPUID 16h']);
    expect(localApic).toEqual([]);
  });

  it('are none of leaves that read 0', () => {
    const zero = [0, 0, 0, 0] as const;
    const { tsc, localApic } = enumerated('GenuineIntel', 'hypervisor', {
      ...{ 0: [0x16, 0, 0, 0], 0x15: zero, 0x16: zero, 0x4000_0000: [0x4000_0010, 0, 0, 0], 0x4000_0010: zero },
    });
    expect([...tsc, ...localApic]).toEqual([]);
  });

  it('use bits 0 to 15 of leaf 16h only: the others are reserved', () => {
    const { tsc } = enumerated('GenuineIntel', 'bare', { ...SKYLAKE, 0x15: [0, 0, 0, 0], 0x16: [0xabcd_0a28, 0, 0, 0] });
    expect(tsc.map(hertz)).toEqual([2_600_000_000n]);
  });
});
