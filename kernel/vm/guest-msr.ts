/** Model-specific registers as a guest sees them. What is not here does not exist: #GP, as on a CPU without it. */
import { CR0 } from '../regs/paging.ts';
import { EFER, EFER_MSR, VMCB } from '../regs/vmcb.ts';
import { AREA } from './guest-area.ts';
import type { Vcpu } from './vcpu.ts';

export const MSR = {
  TSC: 0x10,
  APIC_BASE: 0x1b,
  MTRR_CAP: 0xfe,
  MCG_CAP: 0x179,
  MCG_STATUS: 0x17a,
  SYSENTER_CS: 0x174,
  SYSENTER_ESP: 0x175,
  SYSENTER_EIP: 0x176,
  PAT: 0x277,
  STAR: 0xc000_0081,
  LSTAR: 0xc000_0082,
  CSTAR: 0xc000_0083,
  SFMASK: 0xc000_0084,
  FS_BASE: 0xc000_0100,
  GS_BASE: 0xc000_0101,
  KERNEL_GS_BASE: 0xc000_0102,
  TSC_AUX: 0xc000_0103,
} as const;

/** The VMCB holds them for the guest, VMLOAD and VMSAVE move them: no intercept is needed. */
export const DIRECT_MSRS = [
  MSR.SYSENTER_CS,
  MSR.SYSENTER_ESP,
  MSR.SYSENTER_EIP,
  MSR.STAR,
  MSR.LSTAR,
  MSR.CSTAR,
  MSR.SFMASK,
  MSR.FS_BASE,
  MSR.GS_BASE,
  MSR.KERNEL_GS_BASE,
] as const;

export interface GuestMsrs {
  /** @returns undefined: #GP */
  read(index: number): bigint | undefined;
  /** @returns false: #GP */
  write(index: number, value: bigint): boolean;
}

/** Bits that a guest may set; all others are reserved to it. */
const EFER_WRITABLE = EFER.SCE | EFER.LME | EFER.NXE;
/** Memory types that a PAT entry may have: UC, WC, WT, WP, WB, UC-. */
const PAT_TYPES: ReadonlySet<bigint> = new Set([0n, 1n, 4n, 5n, 6n, 7n]);

const isPat = (value: bigint): boolean => {
  for (let entry = 0n; entry < 8n; entry++) if (!PAT_TYPES.has((value >> (entry * 8n)) & 0xffn)) return false;
  return true;
};

export function createGuestMsrs({ area, vmcb }: Vcpu, rdtsc: () => bigint): GuestMsrs {
  return {
    read: (index) => {
      switch (index) {
        case MSR.TSC:
          return BigInt.asUintN(64, rdtsc() + vmcb[VMCB.TSC_OFFSET >> 3]!);
        case EFER_MSR:
          return vmcb[VMCB.EFER >> 3]! & ~EFER.SVME;
        case MSR.PAT:
          return BigInt.asUintN(64, vmcb[VMCB.G_PAT >> 3]!);
        case MSR.TSC_AUX:
          return area[AREA.TSC_AUX];
        // There, and empty: software asks for them before it looks whether they are.
        case MSR.APIC_BASE:
        case MSR.MTRR_CAP:
        case MSR.MCG_CAP:
        case MSR.MCG_STATUS:
          return 0n;
        default:
          return undefined;
      }
    },
    write: (index, value) => {
      switch (index) {
        case MSR.TSC:
          vmcb[VMCB.TSC_OFFSET >> 3] = BigInt.asIntN(64, value - rdtsc());
          return true;
        case EFER_MSR: {
          const old = vmcb[VMCB.EFER >> 3]!;
          if ((value & ~(EFER_WRITABLE | EFER.LMA)) !== 0n) return false;
          // "Long Mode Enable (LME) Bit": it is not changed while paging is on. LMA is the CPU's own: what is written there is ignored.
          if (((value ^ old) & EFER.LME) !== 0n && (vmcb[VMCB.CR0 >> 3]! & CR0.PG) !== 0n) return false;
          vmcb[VMCB.EFER >> 3] = (value & EFER_WRITABLE) | (old & EFER.LMA) | EFER.SVME;
          return true;
        }
        case MSR.PAT:
          if (!isPat(value)) return false;
          vmcb[VMCB.G_PAT >> 3] = BigInt.asIntN(64, value);
          return true;
        case MSR.TSC_AUX:
          if (value > 0xffff_ffffn) return false;
          area[AREA.TSC_AUX] = value;
          return true;
        case MSR.APIC_BASE:
        case MSR.MCG_STATUS:
          return value === 0n;
        default:
          return false;
      }
    },
  };
}
