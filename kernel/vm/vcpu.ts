/** A guest CPU: its VMCB, its page of registers, and the states it can begin in. */
import { CR0, CR4, RFLAGS } from '../regs/paging.ts';
import { EFER, INTERCEPT_1, INTERCEPT_2, SEGMENT, SEGMENT_ATTRIBUTES, TLB_CONTROL_FLUSH_ALL, V_INTR, VMCB } from '../regs/vmcb.ts';
import { AREA, AREA_FX, AREA_LENGTH } from './guest-area.ts';
import type { Pages } from './pages.ts';

export interface Vcpu {
  /** What runGuest knows it by. */
  readonly guest: number;
  /** Its page (guest-area.ts), as words of 64 bits; and as words of 32, the low half of word n at 2 * n. */
  readonly area: BigInt64Array;
  readonly area32: Int32Array;
  /** The VMCB as words of 64 and of 32 bits: index is offset / 8 or / 4. */
  readonly vmcb: BigInt64Array;
  readonly vmcb32: Int32Array;
}

export interface VcpuParts {
  readonly pages: Pages;
  openGuest(address: number): number;
  /** Page in which the host's part of what VMLOAD and VMSAVE move is kept. */
  readonly hostVmcb: number;
  /** From 1. */
  readonly asid: number;
  /** Nested page table. */
  readonly nestedRoot: number;
  /** I/O permission map, 12 KiB, and MSR permission map, 8 KiB: set bits are intercepted. */
  readonly ioMap: number;
  readonly msrMap: number;
  /** Exceptions that are intercepted, by vector. */
  readonly exceptions: number;
  /** Whether reading the TSC is. */
  readonly interceptsTsc?: boolean;
}

/**
 * What a guest is stopped for. CR8 writes: one that unblocks a pending virtual interrupt aborts QEMU 7.2. CR4 writes: OSXSAVE is not to be
 * set, as QEMU lets a guest change XCR0, which is not in the VMCB. RDTSC mostly is not: the guest's is the host's plus an offset.
 */
const INTERCEPTS_1 =
  INTERCEPT_1.INTR |
  INTERCEPT_1.NMI |
  INTERCEPT_1.SMI |
  INTERCEPT_1.INIT |
  INTERCEPT_1.CPUID |
  INTERCEPT_1.INVD |
  INTERCEPT_1.HLT |
  INTERCEPT_1.INVLPGA |
  INTERCEPT_1.IOIO_PROT |
  INTERCEPT_1.MSR_PROT |
  INTERCEPT_1.TASK_SWITCH |
  INTERCEPT_1.RDPMC |
  INTERCEPT_1.SHUTDOWN;
const INTERCEPTS_2 =
  INTERCEPT_2.VMRUN |
  INTERCEPT_2.VMMCALL |
  INTERCEPT_2.VMLOAD |
  INTERCEPT_2.VMSAVE |
  INTERCEPT_2.STGI |
  INTERCEPT_2.CLGI |
  INTERCEPT_2.SKINIT |
  INTERCEPT_2.WBINVD |
  INTERCEPT_2.MONITOR |
  INTERCEPT_2.MWAIT |
  INTERCEPT_2.MWAIT_ARMED |
  INTERCEPT_2.XSETBV;
const CR_WRITES = (1 << (16 + 4)) | (1 << (16 + 8));

/** Vector 3 by INT3 is missed by the exception intercept on QEMU 7.2: INTn is intercepted where that exception is. */
const BREAKPOINT = 3;

export function createVcpu({
  pages,
  openGuest,
  hostVmcb,
  asid,
  nestedRoot,
  ioMap,
  msrMap,
  exceptions,
  interceptsTsc = false,
}: VcpuParts): Vcpu {
  const areaBlock = pages.take(AREA_LENGTH);
  const vmcbBlock = pages.take(VMCB.LENGTH);
  const area = new BigInt64Array(areaBlock.memory);
  const vmcb = new BigInt64Array(vmcbBlock.memory);
  const vmcb32 = new Int32Array(vmcbBlock.memory);
  area[AREA.VMCB] = BigInt(vmcbBlock.address);
  area[AREA.HOST_VMCB] = BigInt(hostVmcb);

  vmcb32[VMCB.INTERCEPT_CR >> 2] = CR_WRITES;
  vmcb32[VMCB.INTERCEPT_EXCEPTIONS >> 2] = exceptions;
  vmcb32[VMCB.INTERCEPT_1 >> 2] =
    INTERCEPTS_1 | (interceptsTsc ? INTERCEPT_1.RDTSC : 0) | ((exceptions & (1 << BREAKPOINT)) !== 0 ? INTERCEPT_1.INTN : 0);
  vmcb32[VMCB.INTERCEPT_2 >> 2] = INTERCEPTS_2;
  vmcb[VMCB.IOPM_BASE_PA >> 3] = BigInt(ioMap);
  vmcb[VMCB.MSRPM_BASE_PA >> 3] = BigInt(msrMap);
  vmcb32[VMCB.GUEST_ASID >> 2] = asid;
  vmcb32[VMCB.V_INTR >> 2] = V_INTR.MASKING;
  vmcb[VMCB.NP_ENABLE >> 3] = 1n;
  vmcb[VMCB.N_CR3 >> 3] = BigInt(nestedRoot);
  return { guest: openGuest(areaBlock.address), area, area32: new Int32Array(areaBlock.memory), vmcb, vmcb32 };
}

/** Where and how a guest begins. */
export interface EntryState {
  readonly mode: 'real' | 'protected' | 'long';
  /** Physical address of the first instruction. In real mode CS is its paragraph. */
  readonly entry: number;
  /** Of long mode: the page table. */
  readonly cr3?: number;
  readonly rbx?: number;
  readonly rsi?: number;
  readonly rdi?: number;
}

/** As after reset (APM volume 2, "Processor Initialization State"): x87 and SSE control words. */
const FCW = 0x037f;
const MXCSR = 0x1f80;
const FX_MXCSR = 24;
const FX_LENGTH = 512;
/** PAT after reset: write-back, write-through, uncached minus, uncached, twice. */
const PAT = 0x0007_0406_0007_0406n;
const DR6 = 0xffff_0ff0n;
const DR7 = 0x400n;

/** Puts a guest CPU at its beginning. Registers that are not named are 0. */
export function resetVcpu({ area, vmcb, vmcb32 }: Vcpu, { mode, entry, cr3 = 0, rbx = 0, rsi = 0, rdi = 0 }: EntryState): void {
  area.fill(0n, AREA.RAX, AREA.TSC_AUX + 1);
  area.fill(0n, AREA_FX >> 3, (AREA_FX + FX_LENGTH) >> 3);
  const fx = new DataView(area.buffer, area.byteOffset + AREA_FX, FX_LENGTH);
  fx.setUint16(0, FCW, true);
  fx.setUint32(FX_MXCSR, MXCSR, true);
  area[AREA.RBX] = BigInt(rbx);
  area[AREA.RSI] = BigInt(rsi);
  area[AREA.RDI] = BigInt(rdi);

  vmcb[VMCB.TSC_OFFSET >> 3] = 0n;
  // Nothing that was translated before holds any more. The world switch takes it back after the first entry.
  vmcb32[VMCB.TLB_CONTROL >> 2] = TLB_CONTROL_FLUSH_ALL;
  vmcb.fill(0n, VMCB.ES >> 3, VMCB.LENGTH >> 3);
  const view = new DataView(vmcb.buffer, vmcb.byteOffset, VMCB.LENGTH);
  function setSegment(offset: number, selector: number, attributes: number, limit: number, base: number): void {
    view.setUint16(offset + SEGMENT.SELECTOR, selector, true);
    view.setUint16(offset + SEGMENT.ATTRIBUTES, attributes, true);
    view.setUint32(offset + SEGMENT.LIMIT, limit, true);
    view.setBigUint64(offset + SEGMENT.BASE, BigInt(base), true);
  }
  const isReal = mode === 'real';
  const codeBase = isReal ? entry - (entry % 16) : 0;
  const limit = isReal ? 0xffff : 0xffff_ffff;
  const code = isReal ? SEGMENT_ATTRIBUTES.CODE_16 : mode === 'long' ? SEGMENT_ATTRIBUTES.CODE_64 : SEGMENT_ATTRIBUTES.CODE_32;
  setSegment(VMCB.CS, isReal ? codeBase / 16 : 0x08, code, limit, codeBase);
  for (const segment of [VMCB.ES, VMCB.SS, VMCB.DS, VMCB.FS, VMCB.GS])
    setSegment(segment, isReal ? 0 : 0x10, isReal ? SEGMENT_ATTRIBUTES.DATA_16 : SEGMENT_ATTRIBUTES.DATA_32, limit, 0);
  setSegment(VMCB.GDTR, 0, 0, 0, 0);
  setSegment(VMCB.IDTR, 0, 0, isReal ? 0x3ff : 0, 0);
  setSegment(VMCB.LDTR, 0, SEGMENT_ATTRIBUTES.LDT, 0, 0);
  setSegment(VMCB.TR, 0, SEGMENT_ATTRIBUTES.TSS, 0x67, 0);

  const isLong = mode === 'long';
  // VMRUN wants EFER.SVME set in a guest, too; it is hidden from it.
  vmcb[VMCB.EFER >> 3] = EFER.SVME | (isLong ? EFER.LME | EFER.LMA : 0n);
  vmcb[VMCB.CR0 >> 3] = CR0.ET | (isReal ? 0n : CR0.PE) | (isLong ? CR0.PG | CR0.NE | CR0.MP : 0n);
  vmcb[VMCB.CR4 >> 3] = isLong ? CR4.PAE | CR4.OSFXSR | CR4.OSXMMEXCPT : 0n;
  vmcb[VMCB.CR3 >> 3] = BigInt(cr3);
  vmcb[VMCB.RFLAGS >> 3] = RFLAGS.ALWAYS;
  vmcb[VMCB.RIP >> 3] = BigInt(entry - codeBase);
  vmcb[VMCB.DR6 >> 3] = DR6;
  vmcb[VMCB.DR7 >> 3] = DR7;
  vmcb[VMCB.G_PAT >> 3] = PAT;
  vmcb[VMCB.EVENTINJ >> 3] = 0n;
  vmcb[VMCB.EXITINTINFO >> 3] = 0n;
  vmcb[VMCB.INTERRUPT_SHADOW >> 3] = 0n;
  vmcb32[VMCB.V_INTR >> 2] = V_INTR.MASKING;
  vmcb32[VMCB.INTERCEPT_1 >> 2] = vmcb32[VMCB.INTERCEPT_1 >> 2]! & ~INTERCEPT_1.VINTR;
}

/** Puts a guest CPU back to where it is now: quicker than resetVcpu. @returns the function that does it */
export function rememberVcpu({ area, vmcb }: Vcpu): () => void {
  const areaThen = area.slice();
  const vmcbThen = vmcb.slice();
  return () => {
    area.set(areaThen);
    vmcb.set(vmcbThen);
  };
}
