import { describe, expect, it } from 'vitest';
import { createRandom } from '../testing/random.ts';
import { createGuestCpuid } from './guest-cpuid.ts';

type Registers = readonly [number, number, number, number];
const ALL = 0xffff_ffff;
const IDENTITY = { partition: 3, timePage: 0x1_0000, memory: 0x1_0000, tscKilohertz: 2_400_000 };

/** A CPU that says yes to everything. */
const everything = (leaf: number): Registers => (leaf === 0 || leaf === 0x8000_0000 ? [leaf + 0x1f, 1, 2, 3] : [ALL, ALL, ALL, ALL]);

function create(host: (leaf: number, subleaf: number) => Registers = everything) {
  const asked: string[] = [];
  const cpuid = createGuestCpuid((leaf, subleaf) => {
    asked.push(`${leaf.toString(16)}/${subleaf}`);
    return host(leaf, subleaf);
  }, IDENTITY);
  return { asked, cpuid, look: (leaf: number, subleaf = 0): number[] => Array.from(cpuid(leaf, subleaf), Number) };
}

const EAX = 0;
const EBX = 1;
const ECX = 2;
const EDX = 3;
const has = (value: number | undefined, bit: number): boolean => ((value! >>> bit) & 1) === 1;

/** Register, bit and name, leaf 1 and the others in turn. */
const HIDDEN: readonly (readonly [leaf: number, register: number, bit: number, name: string])[] = [
  [1, ECX, 3, 'MONITOR'],
  [1, ECX, 12, 'FMA'],
  [1, ECX, 17, 'PCID'],
  [1, ECX, 21, 'x2APIC'],
  [1, ECX, 24, 'TSC-deadline'],
  [1, ECX, 26, 'XSAVE'],
  [1, ECX, 27, 'OSXSAVE'],
  [1, ECX, 28, 'AVX'],
  [1, ECX, 29, 'F16C'],
  [1, EDX, 9, 'APIC'],
  [1, EDX, 12, 'MTRR'],
  [1, EDX, 28, 'HTT'],
  [7, EBX, 5, 'AVX2'],
  [7, EBX, 10, 'INVPCID'],
  [7, EBX, 16, 'AVX512F'],
  [7, ECX, 3, 'PKU'],
  [7, ECX, 16, 'LA57'],
  [0x8000_0001, ECX, 2, 'SVM'],
  [0x8000_0001, ECX, 3, 'extended APIC space'],
  [0x8000_0001, ECX, 10, 'IBS'],
  [0x8000_0001, ECX, 11, 'XOP'],
  [0x8000_0001, ECX, 12, 'SKINIT'],
  [0x8000_0001, ECX, 15, 'LWP'],
  [0x8000_0001, ECX, 16, 'FMA4'],
  [0x8000_0001, ECX, 17, 'TCE'],
  [0x8000_0001, ECX, 22, 'topology extensions'],
  [0x8000_0001, ECX, 23, 'core performance counters'],
  [0x8000_0001, ECX, 29, 'MWAITX'],
  [0x8000_0001, EDX, 9, 'APIC'],
  [0x8000_0001, EDX, 12, 'MTRR'],
  [0x8000_0001, EDX, 25, 'FFXSR'],
  [0x8000_0008, EBX, 3, 'INVLPGB'],
  [0x8000_0008, EBX, 4, 'RDPRU'],
  [0x8000_0008, EBX, 12, 'IBPB'],
  [0x8000_0008, EBX, 14, 'IBRS'],
  [0x8000_0008, EBX, 24, 'SSBD'],
];

const SHOWN: typeof HIDDEN = [
  [1, ECX, 0, 'SSE3'],
  [1, ECX, 23, 'POPCNT'],
  [1, ECX, 31, 'hypervisor'],
  [1, EDX, 4, 'TSC'],
  [1, EDX, 6, 'PAE'],
  [1, EDX, 16, 'PAT'],
  [1, EDX, 25, 'SSE'],
  [7, EBX, 0, 'FSGSBASE'],
  [7, EBX, 7, 'SMEP'],
  [7, EBX, 20, 'SMAP'],
  [0x8000_0001, ECX, 4, 'AltMovCr8'],
  [0x8000_0001, EDX, 11, 'SYSCALL'],
  [0x8000_0001, EDX, 20, 'NX'],
  [0x8000_0001, EDX, 27, 'RDTSCP'],
  [0x8000_0001, EDX, 29, 'long mode'],
  [0x8000_0008, EBX, 0, 'CLZERO'],
];

describe('CPUID of a guest', () => {
  it.each(HIDDEN)('leaf %i, register %i, bit %i: hides %s', (leaf, register, bit) => {
    expect(has(create().look(leaf)[register], bit)).toBe(false);
  });

  it.each(SHOWN)('leaf %i, register %i, bit %i: shows %s', (leaf, register, bit) => {
    expect(has(create().look(leaf)[register], bit)).toBe(true);
  });

  it('has the hypervisor bit even where the machine has nothing else', () => {
    const { look } = create(() => [0, 0, 0, 0]);
    expect(look(1)).toEqual([0, 0, 0x8000_0000, 0]);
    expect(look(0x8000_0001)).toEqual([0, 0, 0, 0]);
  });

  it("hides the APIC's number and how many there are", () => {
    expect(create().look(1)[EBX]).toBe(0xffff);
    expect(create().look(0x8000_0008).slice(ECX)).toEqual([0, 0]);
  });

  it('has leaves up to 7 and 8000_0008h, or fewer if the machine has fewer', () => {
    const { look } = create();
    expect([look(0)[EAX], look(0x8000_0000)[EAX]]).toEqual([7, 0x8000_0008]);
    expect(look(0).slice(EBX)).toEqual([1, 2, 3]);
    const small = create((leaf) => [leaf === 0 ? 5 : 0x8000_0004, 0, 0, 0]);
    expect([small.look(0)[EAX], small.look(0x8000_0000)[EAX]]).toEqual([5, 0x8000_0004]);
  });

  it.each([8, 0xb, 0xd, 0x1_0000, 0x3fff_ffff, 0x4000_0100, 0x7fff_ffff, 0x8000_0009, 0x8000_000a, 0x8000_001e, ALL])(
    'has nothing at leaf %i, and does not ask the machine',
    (leaf) => {
      const { look, asked } = create();
      expect(look(leaf)).toEqual([0, 0, 0, 0]);
      expect(asked).toEqual([]);
    },
  );

  it('has nothing of MONITOR and of power management', () => {
    expect([create().look(5), create().look(6)]).toEqual([
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ]);
  });

  it('has one subleaf of leaf 7', () => {
    expect(create().look(7)[EAX]).toBe(0);
    expect(create().look(7, 1)).toEqual([0, 0, 0, 0]);
    expect(create().look(7, 0x8000_0000)).toEqual([0, 0, 0, 0]);
  });

  it('has our signature, and says who the partition is and how fast its TSC runs', () => {
    const { look } = create();
    const [highest, ...words] = look(0x4000_0000);
    expect(highest).toBe(0x4000_0010);
    const text = new Uint8Array(Uint32Array.from(words).buffer);
    expect(String.fromCharCode(...text)).toBe('Chronovisor\0');
    expect(look(0x4000_0001)).toEqual([1, 0x1_0000, 3, 0x1_0000]);
    expect(look(0x4000_0010)).toEqual([2_400_000, 0, 0, 0]);
    expect(look(0x4000_0002)).toEqual([0, 0, 0, 0]);
  });

  it('fills 32 bits of a register: the upper half is 0', () => {
    for (const leaf of [0, 1, 7, 0x4000_0000, 0x8000_0001, 0x8000_0007, 0x8000_0008])
      for (const value of create().cpuid(leaf, 0)) expect(value >= 0n && value <= 0xffff_ffffn, leaf.toString(16)).toBe(true);
  });

  it('asks the machine once for what is asked for again, and tells subleaves and leaves apart', () => {
    const { cpuid, asked } = create((leaf, subleaf) => [leaf, subleaf, 0, 0]);
    const random = createRandom(1);
    for (let turn = 0; turn < 1000; turn++) {
      const leaf = 2 + random.integer(3);
      const subleaf = random.integer(20);
      expect(cpuid(leaf, subleaf).slice(0, 2)).toEqual(BigInt64Array.of(BigInt(leaf), BigInt(subleaf)));
    }
    for (const times of [...new Set(asked)]
      .filter((key) => Number(key.split('/')[1]) < 16)
      .map((key) => asked.filter((each) => each === key).length))
      expect(times).toBe(1);
  });

  it('is right also for a guest that has asked for more than is kept', () => {
    const { cpuid, look } = create((leaf, subleaf) => [leaf, subleaf, 0, 0]);
    for (let leaf = 0x4000_0100; leaf < 0x4000_1000; leaf++) cpuid(leaf, 0);
    expect(look(4, 3)).toEqual([4, 3, 0, 0]);
    expect(look(4, 3)).toEqual([4, 3, 0, 0]);
  });
});
