import { describe, expect, it } from 'vitest';
import { CR0 } from '../regs/paging.ts';
import { EFER, EFER_MSR, VMCB } from '../regs/vmcb.ts';
import { createFakeVcpu } from '../testing/guest.ts';
import { createGuestMsrs, DIRECT_MSRS, MSR } from './guest-msr.ts';

const ALL = (1n << 64n) - 1n;

function create(mode: 'protected' | 'long' = 'protected') {
  const vcpu = createFakeVcpu({ mode, entry: 0x4000 });
  let tsc = 1000n;
  const msrs = createGuestMsrs(vcpu, () => (tsc += 10n));
  return {
    ...msrs,
    vmcb: vcpu.vmcb,
    efer: () => vcpu.vmcb[VMCB.EFER >> 3]!,
    setTsc: (value: bigint) => {
      tsc = value;
    },
  };
}

describe('EFER', () => {
  it('does not show that the CPU has SVM, and keeps what VMRUN wants', () => {
    const { read, write, efer } = create();
    expect(read(EFER_MSR)).toBe(0n);
    expect(write(EFER_MSR, EFER.SCE | EFER.NXE)).toBe(true);
    expect(read(EFER_MSR)).toBe(EFER.SCE | EFER.NXE);
    expect(efer()).toBe(EFER.SCE | EFER.NXE | EFER.SVME);
  });

  it('raises #GP for each bit but SCE, LME, LMA and NXE, and is not changed', () => {
    const { read, write } = create();
    for (let bit = 0n; bit < 64n; bit++) {
      const isAllowed = ([EFER.SCE, EFER.LME, EFER.LMA, EFER.NXE] as bigint[]).includes(1n << bit);
      expect(write(EFER_MSR, 1n << bit), `bit ${bit}`).toBe(isAllowed);
      write(EFER_MSR, 0n);
      expect(read(EFER_MSR)).toBe(0n);
    }
  });

  it('changes LME while paging is off only', () => {
    const { read, write, vmcb } = create();
    expect(write(EFER_MSR, EFER.LME)).toBe(true);
    expect(write(EFER_MSR, 0n)).toBe(true);
    vmcb[VMCB.CR0 >> 3] = CR0.PE | CR0.PG;
    expect(write(EFER_MSR, EFER.LME)).toBe(false);
    expect(write(EFER_MSR, EFER.NXE)).toBe(true);
    expect(read(EFER_MSR)).toBe(EFER.NXE);
    const long = create('long');
    expect(long.write(EFER_MSR, EFER.LMA)).toBe(false);
    expect(long.write(EFER_MSR, EFER.LME | EFER.SCE)).toBe(true);
    expect(long.read(EFER_MSR)).toBe(EFER.LME | EFER.LMA | EFER.SCE);
  });

  it('takes LMA for what the CPU says, whatever is written', () => {
    const { read, write } = create();
    expect(write(EFER_MSR, EFER.LMA)).toBe(true);
    expect(read(EFER_MSR)).toBe(0n);
  });
});

describe('PAT', () => {
  it('is as after reset, and takes the types that there are', () => {
    const { read, write, vmcb } = create();
    expect(read(MSR.PAT)).toBe(0x0007_0406_0007_0406n);
    for (const type of [0n, 1n, 4n, 5n, 6n, 7n])
      for (let entry = 0n; entry < 8n; entry++) {
        const value = (0x0606_0606_0606_0606n & ~(0xffn << (entry * 8n))) | (type << (entry * 8n));
        expect(write(MSR.PAT, value)).toBe(true);
        expect(read(MSR.PAT)).toBe(value);
        expect(BigInt.asUintN(64, vmcb[VMCB.G_PAT >> 3]!)).toBe(value);
      }
  });

  it('refuses all others in every entry', () => {
    const { read, write } = create();
    for (const type of [2n, 3n, 8n, 0x80n, 0xffn])
      for (let entry = 0n; entry < 8n; entry++) expect(write(MSR.PAT, type << (entry * 8n)), `${type} in ${entry}`).toBe(false);
    expect(read(MSR.PAT)).toBe(0x0007_0406_0007_0406n);
  });
});

describe('the TSC', () => {
  it("is the machine's plus the offset, in 64 bits", () => {
    const { read, vmcb, setTsc } = create();
    setTsc(5000n);
    expect(read(MSR.TSC)).toBe(5010n);
    vmcb[VMCB.TSC_OFFSET >> 3] = -6000n;
    expect(read(MSR.TSC)).toBe(ALL + 1n - 980n);
  });

  it.each([0n, 1n, 1n << 63n, ALL])('runs on from what is written: %i', (value) => {
    const { read, write, setTsc } = create();
    setTsc(123_456_789n);
    expect(write(MSR.TSC, value)).toBe(true);
    expect(read(MSR.TSC)).toBe(BigInt.asUintN(64, value + 10n));
  });

  it('has a second register, TSC_AUX, of 32 bits', () => {
    const { read, write } = create();
    expect(read(MSR.TSC_AUX)).toBe(0n);
    expect(write(MSR.TSC_AUX, 0xffff_ffffn)).toBe(true);
    expect(write(MSR.TSC_AUX, 0x1_0000_0000n)).toBe(false);
    expect(read(MSR.TSC_AUX)).toBe(0xffff_ffffn);
  });
});

describe('other registers', () => {
  it('are empty where software looks before it asks whether there are any', () => {
    const { read, write } = create();
    for (const index of [MSR.APIC_BASE, MSR.MTRR_CAP, MSR.MCG_CAP, MSR.MCG_STATUS]) expect(read(index)).toBe(0n);
    expect([write(MSR.APIC_BASE, 0n), write(MSR.APIC_BASE, 0xfee0_0800n)]).toEqual([true, false]);
    expect([write(MSR.MCG_STATUS, 0n), write(MSR.MCG_STATUS, 1n)]).toEqual([true, false]);
    expect([write(MSR.MTRR_CAP, 0n), write(MSR.MCG_CAP, 0n)]).toEqual([false, false]);
  });

  it('do not exist', () => {
    const { read, write } = create();
    for (const index of [
      0, 0x48, 0x49, 0x8b, 0x1d9, 0x200, 0x2ff, 0x6e0, 0x830, 0xc000_0104, 0xc001_0015, 0xc001_0114, 0xc001_0117, 0xffff_ffff,
    ]) {
      expect(read(index), index.toString(16)).toBeUndefined();
      expect(write(index, 0n), index.toString(16)).toBe(false);
    }
  });

  it('are not intercepted where VMLOAD and VMSAVE move them, and only there', () => {
    // APM volume 2, "VMSAVE": and FS, GS, TR, LDTR with their hidden parts.
    expect(new Set(DIRECT_MSRS)).toEqual(
      new Set([0x174, 0x175, 0x176, 0xc000_0081, 0xc000_0082, 0xc000_0083, 0xc000_0084, 0xc000_0100, 0xc000_0101, 0xc000_0102]),
    );
  });
});
