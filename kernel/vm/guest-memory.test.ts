import { describe, expect, it } from 'vitest';
import { CR0, CR4 } from '../regs/paging.ts';
import { EFER, SEGMENT, SEGMENT_ATTRIBUTES, VMCB } from '../regs/vmcb.ts';
import { createFakeVcpu } from '../testing/guest.ts';
import { createGuestMemory } from './guest-memory.ts';

const MEMORY = 0x80_0000;
const P = 1n;
const PS = 0x80n;
const GIB = 1n << 30n;

type Mode = 'real' | 'protected' | 'legacy' | 'pse' | 'pae' | 'long';

function createGuest(mode: Mode, cr3 = 0x1000n) {
  const vcpu = createFakeVcpu({ mode: mode === 'long' ? 'long' : mode === 'real' ? 'real' : 'protected', entry: 0x4000 });
  const { vmcb } = vcpu;
  const memory = createGuestMemory(vcpu, new ArrayBuffer(MEMORY));
  const view = new DataView(memory.bytes.buffer);
  if (mode !== 'real' && mode !== 'protected') vmcb[VMCB.CR0 >> 3] = vmcb[VMCB.CR0 >> 3]! | CR0.PG;
  if (mode === 'pse') vmcb[VMCB.CR4 >> 3] = CR4.PSE;
  if (mode === 'pae') vmcb[VMCB.CR4 >> 3] = CR4.PAE;
  vmcb[VMCB.CR3 >> 3] = cr3;
  return {
    ...memory,
    vmcb,
    put32: (address: number, value: number) => view.setUint32(address, value, true),
    put64: (address: number, value: bigint) => view.setBigUint64(address, value, true),
    jump: (rip: bigint, csBase = 0n) => {
      vmcb[VMCB.RIP >> 3] = rip;
      vmcb[(VMCB.CS + SEGMENT.BASE) >> 3] = csBase;
    },
  };
}

describe('addresses without paging', () => {
  it('are those of the memory, up to its last byte', () => {
    for (const mode of ['real', 'protected'] as const) {
      const { translate } = createGuest(mode);
      expect([0n, 0x1234n, BigInt(MEMORY) - 1n].map(translate)).toEqual([0, 0x1234, MEMORY - 1]);
      expect(translate(BigInt(MEMORY))).toBeUndefined();
      expect(translate(-1n)).toBeUndefined();
      expect(translate(1n << 60n)).toBeUndefined();
    }
  });
});

describe('addresses by tables of 32 bits', () => {
  it('go by two levels of 4 KiB', () => {
    const { translate, put32 } = createGuest('legacy');
    put32(0x1000 + 4 * 0x2a, 0x3000 | 1);
    put32(0x3000 + 4 * 0x155, 0x6000 | 1);
    const linear = (0x2an << 22n) | (0x155n << 12n) | 0x789n;
    expect(translate(linear)).toBe(0x6789);
    expect(translate(linear ^ (1n << 12n))).toBeUndefined();
    expect(translate(linear ^ (1n << 22n))).toBeUndefined();
  });

  it('ignore the low bits of CR3', () => {
    const { translate, put32 } = createGuest('legacy', 0x1018n);
    put32(0x1000, 0x3001);
    put32(0x3000, 0x5001);
    expect(translate(0x10n)).toBe(0x5010);
  });

  it('have pages of 4 MiB with PSE only, with their bits 32 to 39 in the entry', () => {
    for (const mode of ['pse', 'legacy'] as const) {
      const { translate, put32 } = createGuest(mode);
      put32(0x1004, 0x40_0000 | 0x81);
      // Without PSE the entry is a table's, at 40_0000h.
      put32(0x40_0000 + 4 * 1, 0x7001);
      expect(translate(0x40_1abcn)).toBe(mode === 'pse' ? 0x40_1abc : 0x7abc);
      put32(0x1004, 0x40_2000 | 0x81);
      if (mode === 'pse') expect(translate(0x40_1abcn)).toBeUndefined();
    }
  });

  it('end where a table or a page is outside of the memory', () => {
    const { translate, put32, vmcb } = createGuest('legacy');
    put32(0x1000, 0x80_0001);
    put32(0x1004, 0x3001);
    put32(0x3000, 0x80_0001);
    put32(0x3004, 0x7f_f001);
    expect([0n, 0x40_0000n, 0x40_1fffn].map(translate)).toEqual([undefined, undefined, MEMORY - 1]);
    vmcb[VMCB.CR3 >> 3] = 0xffff_f000n;
    expect(translate(0x40_1fffn)).toBeUndefined();
  });
});

describe('addresses by tables of 64 bits', () => {
  it('go by three levels with PAE, from a table aligned to 32 bytes', () => {
    const { translate, put64 } = createGuest('pae', 0x1020n);
    put64(0x1020 + 8 * 2, 0x2000n | P);
    put64(0x2000 + 8 * 0x101, 0x3000n | P);
    put64(0x3000 + 8 * 0x1f0, 0x9000n | P | (1n << 63n));
    const linear = (2n << 30n) | (0x101n << 21n) | (0x1f0n << 12n) | 0xfffn;
    expect(translate(linear)).toBe(0x9fff);
    put64(0x2000 + 8 * 0x102, 0x40_0000n | P | PS);
    expect(translate((2n << 30n) | (0x102n << 21n) | 0x1_2345n)).toBe(0x41_2345);
    // "Page-Directory-Pointer Entry": no page, whatever bit 7 says.
    put64(0x1020, 0x2000n | P | PS);
    expect(translate((0x101n << 21n) | (0x1f0n << 12n))).toBe(0x9000);
  });

  const linear = (0x1ffn << 39n) | (0x101n << 30n) | (0x42n << 21n) | (0x77n << 12n) | 0x123n;
  function createLong() {
    const guest = createGuest('long');
    guest.put64(0x1000 + 8 * 0x1ff, 0x2000n | P);
    guest.put64(0x2000 + 8 * 0x101, 0x3000n | P);
    guest.put64(0x3000 + 8 * 0x42, 0x4000n | P);
    guest.put64(0x4000 + 8 * 0x77, 0x5000n | P);
    return guest;
  }

  it('go by four levels in long mode, whether the address is written signed or not', () => {
    const { translate } = createLong();
    expect(translate(linear)).toBe(0x5123);
    expect(translate(BigInt.asIntN(64, linear | (0xffffn << 48n)))).toBe(0x5123);
  });

  it('have pages of 2 MiB and 1 GiB', () => {
    const { translate, put64 } = createLong();
    put64(0x3000 + 8 * 0x42, 0x60_0000n | P | PS | (1n << 12n));
    expect(translate(linear)).toBe(0x60_0000 + 0x7_7123);
    put64(0x2000 + 8 * 0x101, P | PS);
    expect(translate(linear)).toBeUndefined();
    expect(translate(linear & ~((0x1ffn << 21n) | 0x1f_f000n))).toBe(0x123);
    put64(0x2000 + 8 * 0x101, GIB | P | PS);
    expect(translate(linear & ~((0x1ffn << 21n) | 0x1f_f000n))).toBeUndefined();
  });

  it('have no pages of 512 GiB', () => {
    const { translate, put64 } = createLong();
    put64(0x1000 + 8 * 0x1ff, 0x2000n | P | PS);
    expect(translate(linear)).toBe(0x5123);
  });

  it.each([0x1000 + 8 * 0x1ff, 0x2000 + 8 * 0x101, 0x3000 + 8 * 0x42, 0x4000 + 8 * 0x77])(
    'end at an entry that is not there (%i)',
    (entry) => {
      const { translate, put64 } = createLong();
      put64(entry, 0x5000n);
      expect(translate(linear)).toBeUndefined();
    },
  );

  it.each([0x1000 + 8 * 0x1ff, 0x2000 + 8 * 0x101, 0x3000 + 8 * 0x42, 0x4000 + 8 * 0x77])(
    'end at one that leads out of the memory (%i)',
    (entry) => {
      const { translate, put64 } = createLong();
      for (const address of [BigInt(MEMORY), 0x000f_ffff_ffff_f000n]) {
        put64(entry, address | P);
        expect(translate(linear)).toBeUndefined();
      }
    },
  );
});

describe('the next instruction', () => {
  it('is at RIP in 64-bit code, whatever the base of CS is, and at their sum of 32 bits elsewhere', () => {
    const long = createGuest('long');
    long.jump(0x1234_5678_9abcn, 0x5000n);
    expect(long.instructionAddress()).toBe(0x1234_5678_9abcn);
    // Compatibility mode: long, but not this segment.
    new DataView(long.vmcb.buffer).setUint16(VMCB.CS + SEGMENT.ATTRIBUTES, SEGMENT_ATTRIBUTES.CODE_32, true);
    expect(long.instructionAddress()).toBe(0x5678_eabcn);
    const real = createGuest('real');
    real.jump(0xfff0n, 0xf_0000n);
    expect(real.instructionAddress()).toBe(0xf_fff0n);
    const flat = createGuest('protected');
    flat.jump(0x2000n, 0xffff_f000n);
    expect(flat.instructionAddress()).toBe(0x1000n);
    // The attribute L alone does not make 64-bit code.
    new DataView(flat.vmcb.buffer).setUint16(VMCB.CS + SEGMENT.ATTRIBUTES, SEGMENT_ATTRIBUTES.CODE_64, true);
    expect(flat.instructionAddress()).toBe(0x1000n);
    flat.vmcb[VMCB.EFER >> 3] = EFER.SVME | EFER.LME | EFER.LMA;
    expect(flat.instructionAddress()).toBe(0x2000n);
  });

  it('has its bytes gathered across pages that lie apart', () => {
    const { put32, jump, bytes, instructionBytes } = createGuest('legacy');
    put32(0x1000, 0x3001);
    put32(0x3000 + 4 * 5, 0x9001);
    put32(0x3000 + 4 * 6, 0x7001);
    bytes.set([1, 2, 3], 0x9ffd);
    bytes.set([4, 5, 6, 7], 0x7000);
    jump(0x5ffdn);
    expect(instructionBytes(6)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(instructionBytes(3)).toEqual([1, 2, 3]);
    put32(0x3000 + 4 * 6, 0);
    expect(instructionBytes(6)).toEqual([1, 2, 3]);
    jump(0x6000n);
    expect(instructionBytes(6)).toEqual([]);
  });

  it('ends with the memory', () => {
    const { jump, bytes, instructionBytes } = createGuest('protected');
    bytes.set([8, 9], MEMORY - 2);
    jump(BigInt(MEMORY) - 2n);
    expect(instructionBytes(15)).toEqual([8, 9]);
    jump(BigInt(MEMORY));
    expect(instructionBytes(15)).toEqual([]);
  });
});
