import { describe, expect, it } from 'vitest';
import { SEGMENT, VMCB } from '../regs/vmcb.ts';
import { createFakeMemory, createFakeVcpu } from '../testing/guest.ts';
import { AREA, AREA_FX } from './guest-area.ts';
import { createVcpu, resetVcpu, type EntryState, type Vcpu } from './vcpu.ts';

const REAL: EntryState = { mode: 'real', entry: 0x1_2345 };
const PROTECTED: EntryState = { mode: 'protected', entry: 0x10_0010, rbx: 0x1000, rsi: 0x20_0000, rdi: 0x20_1000 };
const LONG: EntryState = { mode: 'long', entry: 0x10_0010, cr3: 0x1f_d000, rdi: 7 };

const viewOf = ({ vmcb }: Vcpu): DataView => new DataView(vmcb.buffer);
const segment = (vcpu: Vcpu, offset: number) => ({
  selector: viewOf(vcpu).getUint16(offset + SEGMENT.SELECTOR, true),
  attributes: viewOf(vcpu).getUint16(offset + SEGMENT.ATTRIBUTES, true),
  limit: viewOf(vcpu).getUint32(offset + SEGMENT.LIMIT, true),
  base: viewOf(vcpu).getBigUint64(offset + SEGMENT.BASE, true),
});
const quad = ({ vmcb }: Vcpu, offset: number): bigint => BigInt.asUintN(64, vmcb[offset >> 3]!);
const DATA = [VMCB.ES, VMCB.SS, VMCB.DS, VMCB.FS, VMCB.GS];

/** APM volume 2, "Canonicalization and Consistency Checks": what VMRUN refuses to enter. */
function expectConsistent(vcpu: Vcpu): void {
  const cr0 = quad(vcpu, VMCB.CR0);
  const efer = quad(vcpu, VMCB.EFER);
  const isLong = (efer & 0x100n) !== 0n && (cr0 & 0x8000_0000n) !== 0n;
  expect(efer & (1n << 12n), 'EFER.SVME').not.toBe(0n);
  expect(cr0 >> 32n, 'CR0[63:32]').toBe(0n);
  expect((cr0 & (3n << 29n)) === 1n << 29n, 'CR0.NW without CD').toBe(false);
  expect(quad(vcpu, VMCB.DR6) >> 32n, 'DR6[63:32]').toBe(0n);
  expect(quad(vcpu, VMCB.DR7) >> 32n, 'DR7[63:32]').toBe(0n);
  if (isLong) {
    expect(quad(vcpu, VMCB.CR4) & 0x20n, 'PAE').not.toBe(0n);
    expect(cr0 & 1n, 'PE').not.toBe(0n);
    const { attributes } = segment(vcpu, VMCB.CS);
    expect((attributes & 0x200) !== 0 && (attributes & 0x400) !== 0, 'CS.L and CS.D').toBe(false);
  }
  expect(viewOf(vcpu).getUint32(VMCB.INTERCEPT_2, true) & 1, 'VMRUN intercept').toBe(1);
  expect(viewOf(vcpu).getUint32(VMCB.GUEST_ASID, true), 'ASID').not.toBe(0);
}

describe('a guest CPU', () => {
  it.each([
    ['real', REAL],
    ['protected', PROTECTED],
    ['long', LONG],
  ])('begins in %s mode in a state that VMRUN takes', (_, entry) => expectConsistent(createFakeVcpu(entry)));

  it('begins in real mode with paragraphs', () => {
    const vcpu = createFakeVcpu(REAL);
    expect(segment(vcpu, VMCB.CS)).toEqual({ selector: 0x1234, attributes: 0x9b, limit: 0xffff, base: 0x1_2340n });
    expect(quad(vcpu, VMCB.RIP)).toBe(5n);
    for (const offset of DATA) expect(segment(vcpu, offset)).toEqual({ selector: 0, attributes: 0x93, limit: 0xffff, base: 0n });
    expect(segment(vcpu, VMCB.IDTR)).toMatchObject({ limit: 0x3ff, base: 0n });
    expect([quad(vcpu, VMCB.CR0), quad(vcpu, VMCB.CR4), quad(vcpu, VMCB.EFER)]).toEqual([0x10n, 0n, 0x1000n]);
  });

  it('begins in protected mode with flat segments and without paging', () => {
    const vcpu = createFakeVcpu(PROTECTED);
    expect(segment(vcpu, VMCB.CS)).toEqual({ selector: 8, attributes: 0xc9b, limit: 0xffff_ffff, base: 0n });
    for (const offset of DATA) expect(segment(vcpu, offset)).toEqual({ selector: 0x10, attributes: 0xc93, limit: 0xffff_ffff, base: 0n });
    expect([quad(vcpu, VMCB.RIP), quad(vcpu, VMCB.CR0), quad(vcpu, VMCB.CR3)]).toEqual([0x10_0010n, 0x11n, 0n]);
    expect([vcpu.area[AREA.RBX], vcpu.area[AREA.RSI], vcpu.area[AREA.RDI]]).toEqual([0x1000n, 0x20_0000n, 0x20_1000n]);
  });

  it('begins in long mode with paging, and with what SSE needs', () => {
    const vcpu = createFakeVcpu(LONG);
    expect(segment(vcpu, VMCB.CS)).toMatchObject({ selector: 8, attributes: 0xa9b, base: 0n });
    expect(quad(vcpu, VMCB.CR0)).toBe(0x8000_0033n);
    expect(quad(vcpu, VMCB.CR3)).toBe(0x1f_d000n);
    expect(quad(vcpu, VMCB.CR4)).toBe(0x620n);
    expect(quad(vcpu, VMCB.EFER)).toBe(0x1500n);
  });

  it('begins with interrupts off, and with the state that the manual gives after reset', () => {
    const vcpu = createFakeVcpu(LONG);
    expect(quad(vcpu, VMCB.RFLAGS)).toBe(2n);
    expect([quad(vcpu, VMCB.DR6), quad(vcpu, VMCB.DR7)]).toEqual([0xffff_0ff0n, 0x400n]);
    expect(quad(vcpu, VMCB.G_PAT)).toBe(0x0007_0406_0007_0406n);
    expect(viewOf(vcpu).getUint8(VMCB.CPL)).toBe(0);
    const fx = new DataView(vcpu.area.buffer, AREA_FX, 512);
    expect([fx.getUint16(0, true), fx.getUint32(24, true)]).toEqual([0x37f, 0x1f80]);
    for (let offset = 32; offset < 512; offset++) expect(fx.getUint8(offset)).toBe(0);
  });

  it('is stopped for what would reach the machine, and for what QEMU gets wrong', () => {
    const view = viewOf(createFakeVcpu(LONG));
    // CR8 writes, which may abort QEMU, and CR4 writes, which may set OSXSAVE; no reads, and no debug registers: those are its own.
    expect([view.getUint32(VMCB.INTERCEPT_CR, true), view.getUint32(VMCB.INTERCEPT_DR, true)]).toEqual([0x0110_0000, 0]);
    // INTR NMI SMI INIT, RDPMC, CPUID, INVD, HLT, INVLPGA, IOIO, MSR, task switch, shutdown; not VINTR, RDTSC, INTn.
    expect(view.getUint32(VMCB.INTERCEPT_1, true)).toBe(0xbd44_800f);
    // All of VMRUN to SKINIT, WBINVD, MONITOR, MWAIT twice, XSETBV; not RDTSCP.
    expect(view.getUint32(VMCB.INTERCEPT_2, true)).toBe(0x3e7f);
    expect(view.getUint32(VMCB.INTERCEPT_EXCEPTIONS, true)).toBe(0);
    expect(view.getUint32(VMCB.V_INTR, true)).toBe(1 << 24);
    expect(view.getBigUint64(VMCB.NP_ENABLE, true)).toBe(1n);
  });

  it('has its maps, its tables and the pages of the world switch where it was told', () => {
    const memory = createFakeMemory();
    let opened = 0;
    const vcpu = createVcpu({
      pages: memory.pages,
      openGuest: (address) => {
        opened = address;
        return 5;
      },
      hostVmcb: 0x77_0000,
      asid: 9,
      nestedRoot: 0x11_0000,
      ioMap: 0x22_0000,
      msrMap: 0x33_0000,
      exceptions: 0,
    });
    expect(vcpu.guest).toBe(5);
    expect(memory.at(opened).buffer).toBe(vcpu.area.buffer);
    expect(memory.at(Number(vcpu.area[AREA.VMCB])).buffer).toBe(vcpu.vmcb.buffer);
    expect(vcpu.area[AREA.HOST_VMCB]).toBe(0x77_0000n);
    expect([VMCB.N_CR3, VMCB.IOPM_BASE_PA, VMCB.MSRPM_BASE_PA].map((offset) => quad(vcpu, offset))).toEqual([
      0x11_0000n,
      0x22_0000n,
      0x33_0000n,
    ]);
    expect(viewOf(vcpu).getUint32(VMCB.GUEST_ASID, true)).toBe(9);
    // Both see the same words.
    vcpu.area32[AREA.RCX * 2] = 77;
    expect(vcpu.area[AREA.RCX]).toBe(77n);
    vcpu.vmcb32[VMCB.RAX >> 2] = 78;
    expect(vcpu.vmcb[VMCB.RAX >> 3]).toBe(78n);
  });

  it('is stopped for INTn where exception 3 is of interest: QEMU misses INT3', () => {
    const INTN = 1 << 21;
    expect(viewOf(createFakeVcpu(LONG, 1 << 3)).getUint32(VMCB.INTERCEPT_1, true) & INTN).toBe(INTN);
    expect(viewOf(createFakeVcpu(LONG, 1 << 3)).getUint32(VMCB.INTERCEPT_EXCEPTIONS, true)).toBe(8);
    expect(viewOf(createFakeVcpu(LONG, 1 << 13)).getUint32(VMCB.INTERCEPT_1, true) & INTN).toBe(0);
  });
});

describe('a reset', () => {
  it('leaves nothing of what the guest did, and is as the first time', () => {
    const fresh = createFakeVcpu(PROTECTED);
    const used = createFakeVcpu(LONG);
    const kept = [AREA.VMCB, AREA.HOST_VMCB];
    for (let index = 0; index <= AREA.TSC_AUX; index++) used.area[index] = 0x0123_4567_89ab_cdefn;
    new Uint8Array(used.area.buffer, AREA_FX, 512).fill(0xff);
    for (let index = VMCB.ES >> 3; index < used.vmcb.length; index++) used.vmcb[index] = 0x0123_4567_89ab_cdefn;
    for (const offset of [VMCB.TSC_OFFSET, VMCB.EVENTINJ, VMCB.EXITINTINFO, VMCB.INTERRUPT_SHADOW]) used.vmcb[offset >> 3] = -1n;
    used.vmcb32[VMCB.V_INTR >> 2] = 0x010f_010f;
    used.vmcb32[VMCB.INTERCEPT_1 >> 2] = used.vmcb32[VMCB.INTERCEPT_1 >> 2]! | (1 << 4);
    resetVcpu(used, PROTECTED);
    for (const [index, value] of used.area.entries()) if (!kept.includes(index)) expect(value, `area ${index * 8}`).toBe(fresh.area[index]);
    for (const [index, value] of used.vmcb.entries()) expect(value, `VMCB ${(index * 8).toString(16)}`).toBe(fresh.vmcb[index]);
  });

  it('has the translations of the time before thrown away', () => {
    const vcpu = createFakeVcpu(LONG);
    vcpu.vmcb32[VMCB.TLB_CONTROL >> 2] = 0;
    resetVcpu(vcpu, LONG);
    // "TLB Control": 1, all entries of all ASIDs, which every CPU knows.
    expect(viewOf(vcpu).getUint8(VMCB.TLB_CONTROL)).toBe(1);
  });
});
