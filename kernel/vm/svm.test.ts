import { describe, expect, it } from 'vitest';
import { EFER, EFER_MSR, VM_CR, VM_CR_MSR, VM_HSAVE_PA_MSR } from '../regs/vmcb.ts';
import { detectSvm, enableSvm, type SvmAccess } from './svm.ts';

type Registers = readonly [number, number, number, number];

/** CPUID as QEMU's EPYC has it, as far as it matters. */
const EPYC: Readonly<Record<number, Registers>> = {
  0x8000_0000: [0x8000_001e, 0, 0, 0],
  0x8000_0001: [0, 0, 1 << 2, (1 << 27) | (1 << 26)],
  0x8000_000a: [1, 16, 0, 1],
};

function access(changes: Readonly<Record<number, Registers>> = {}, vmCr = 0n): Pick<SvmAccess, 'cpuid' | 'rdmsr'> {
  const leaves: Readonly<Record<number, Registers>> = { ...EPYC, ...changes };
  return {
    cpuid: (leaf) => {
      const [highest] = leaves[0x8000_0000]!;
      // Beyond the highest leaf a CPU says anything.
      return leaf === 0x8000_0000 || leaf <= highest ? (leaves[leaf] ?? [0, 0, 0, 0]) : [-1 >>> 0, -1 >>> 0, -1 >>> 0, -1 >>> 0];
    },
    rdmsr: (index) => {
      if (index !== VM_CR_MSR) throw new RangeError(`MSR ${index.toString(16)}`);
      return vmCr;
    },
  };
}

const problemOf = (changes: Readonly<Record<number, Registers>>, vmCr?: bigint): string => {
  const result = detectSvm(access(changes, vmCr));
  return result.ok ? 'none' : result.problem;
};

describe('whether guests can run', () => {
  it('is so on a CPU with SVM, nested paging and RDTSCP', () => {
    expect(detectSvm(access())).toEqual({ ok: true, svm: { asids: 16, hasGigabytePages: true } });
    expect(detectSvm(access({ 0x8000_0001: [0, 0, 1 << 2, 1 << 27] }))).toMatchObject({ svm: { hasGigabytePages: false } });
  });

  it.each([
    ['has no extended leaves', { 0x8000_0000: [0, 0, 0, 0] }, /SVM/],
    ['has no SVM', { 0x8000_0001: [0, 0, 0, 1 << 27] }, /8000_0001h ECX bit 2 \(SVM\) is 0/],
    ['has no RDTSCP', { 0x8000_0001: [0, 0, 1 << 2, 0] }, /RDTSCP/],
    ['has no leaf of SVM', { 0x8000_0000: [0x8000_0008, 0, 0, 0] }, /8000_000Ah.*absent/],
    ['has no nested paging', { 0x8000_000a: [1, 16, 0, ~1 >>> 0] }, /nested paging/],
  ] as const)('is not, with a word on what to choose, if the CPU %s', (_, changes, words) => {
    expect(problemOf(changes)).toMatch(words);
    expect(problemOf(changes)).toMatch(/choose a CPU model with SVM and nested paging \(QEMU: --cpu EPYC\)$/);
  });

  it('is not if the firmware has switched it off: another CPU would not help', () => {
    expect(problemOf({}, VM_CR.SVMDIS)).toMatch(/firmware .*VM_CR\.SVMDIS.*set-up/);
    expect(problemOf({}, ~VM_CR.SVMDIS & 0x1fn)).toBe('none');
  });
});

it('is switched on in EFER first: before that the other register does not exist', () => {
  const written: [number, bigint][] = [];
  enableSvm({ rdmsr: () => 0xd01n, wrmsr: (index, value) => written.push([index, value]) }, 0x12_3000);
  expect(written).toEqual([
    [EFER_MSR, 0xd01n | EFER.SVME],
    [VM_HSAVE_PA_MSR, 0x12_3000n],
  ]);
});
