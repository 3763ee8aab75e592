import { describe, expect, it } from 'vitest';
import { CR0, CR4 } from '../regs/paging.ts';
import { VMCB } from '../regs/vmcb.ts';
import { createFakeVcpu } from '../testing/guest.ts';
import { createGuestMemory } from './guest-memory.ts';
import { countPrefixes, createSkip, isCode64 } from './instruction-length.ts';

const LEGACY = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];
const REX = Array.from({ length: 16 }, (_, low) => 0x40 + low);
const CPUID = [0x0f, 0xa2];
const RIP = VMCB.RIP >> 3;

describe('prefixes', () => {
  it('are the eleven legacy ones in all code, and REX in 64-bit code', () => {
    for (let byte = 0; byte < 256; byte++) {
      expect(countPrefixes([byte, ...CPUID], false), byte.toString(16)).toBe(LEGACY.includes(byte) ? 1 : 0);
      expect(countPrefixes([byte, ...CPUID], true), byte.toString(16)).toBe(LEGACY.includes(byte) || REX.includes(byte) ? 1 : 0);
    }
  });

  it('come in any number and order', () => {
    expect(countPrefixes([...LEGACY, ...CPUID], false)).toBe(11);
    expect(countPrefixes([0x66, 0x48, ...CPUID], true)).toBe(2);
    // A REX before another prefix is taken and ignored.
    expect(countPrefixes([0x48, 0x66, ...CPUID], true)).toBe(2);
    expect(countPrefixes([0x66, 0x48, ...CPUID], false)).toBe(1);
  });

  it('end with the bytes', () => {
    expect(countPrefixes([], true)).toBe(0);
    expect(countPrefixes([0x66, 0x66], true)).toBe(2);
  });
});

function createGuest(mode: 'long' | 'protected', at = 0x4000) {
  const vcpu = createFakeVcpu({ mode, entry: at });
  if (mode === 'long') vcpu.vmcb[VMCB.CR0 >> 3] = vcpu.vmcb[VMCB.CR0 >> 3]! & ~CR0.PG;
  const memory = createGuestMemory(vcpu, new ArrayBuffer(0x10_0000));
  const skip = createSkip(vcpu, memory);
  return {
    ...memory,
    vcpu,
    /** @returns by how much the guest moves at this instruction */
    moved: (code: readonly number[], first = 0x0f, opcode = 2, place = at): number => {
      memory.bytes.set(code, place);
      vcpu.vmcb[RIP] = BigInt(place);
      skip(first, opcode);
      return Number(vcpu.vmcb[RIP] - BigInt(place));
    },
    skip,
  };
}

describe('going on behind an instruction', () => {
  it('counts its opcode and its prefixes', () => {
    const { moved } = createGuest('long');
    expect(moved(CPUID)).toBe(2);
    for (const prefix of [...LEGACY, ...REX]) expect(moved([prefix, ...CPUID])).toBe(3);
    expect(moved([0xf3, 0x66, 0x48, ...CPUID])).toBe(5);
    expect(moved([0xf4], 0xf4, 1)).toBe(1);
    expect(moved([0x66, 0xf4], 0xf4, 1)).toBe(2);
    expect(moved([0x0f, 0x01, 0xd9], 0x0f, 3)).toBe(3);
  });

  it('takes 40h to 4Fh for INC and DEC outside of 64-bit code', () => {
    const { moved, vcpu } = createGuest('protected');
    expect(moved([0x66, ...CPUID])).toBe(3);
    expect(moved([0x66, 0x48, ...CPUID])).toBe(3);
    expect(isCode64(vcpu)).toBe(false);
    expect(isCode64(createGuest('long').vcpu)).toBe(true);
  });

  it('is never further than an instruction can be long', () => {
    const { moved } = createGuest('long');
    expect(moved([...new Array<number>(13).fill(0x66), ...CPUID])).toBe(15);
    expect(moved(new Array<number>(15).fill(0x66))).toBe(2);
  });

  it('ends the interrupt shadow', () => {
    const { moved, vcpu } = createGuest('long');
    vcpu.vmcb32[VMCB.INTERRUPT_SHADOW >> 2] = 1;
    moved(CPUID);
    expect(vcpu.vmcb32[VMCB.INTERRUPT_SHADOW >> 2]).toBe(0);
    vcpu.vmcb32[VMCB.INTERRUPT_SHADOW >> 2] = 1;
    moved([0x66, ...CPUID]);
    expect(vcpu.vmcb32[VMCB.INTERRUPT_SHADOW >> 2]).toBe(0);
  });

  it('reads the place again each time: what stands there may have changed', () => {
    const { moved } = createGuest('long');
    expect(moved(CPUID)).toBe(2);
    expect(moved([0x66, ...CPUID])).toBe(3);
    expect(moved(CPUID)).toBe(2);
  });

  it('remembers by the whole address, not by what it shares with others', () => {
    const { moved } = createGuest('long');
    // 64 places: these two share one.
    expect(moved(CPUID, 0x0f, 2, 0x4000)).toBe(2);
    expect(moved([0x66, ...CPUID], 0x0f, 2, 0x4040)).toBe(3);
    expect(moved(CPUID, 0x0f, 2, 0x4000)).toBe(2);
    expect(moved([0x66, 0x66, ...CPUID], 0x0f, 2, 0x4040)).toBe(4);
  });

  it('looks again under another CR3', () => {
    const { vcpu, bytes, skip } = createGuest('protected');
    const { vmcb } = vcpu;
    const view = new DataView(bytes.buffer);
    for (const [table, page] of [
      [0x1000, 0x4000],
      [0x2000, 0x5000],
    ] as const) {
      // 4 KiB pages by one table each, and both map linear 0x7000.
      view.setUint32(table, (table + 0x8000) | 1, true);
      view.setUint32(table + 0x8000 + 7 * 4, page | 1, true);
    }
    bytes.set(CPUID, 0x4000);
    bytes.set([0x66, ...CPUID], 0x5000);
    vmcb[VMCB.CR0 >> 3] = CR0.PE | CR0.PG;
    vmcb[VMCB.CR4 >> 3] = CR4.PSE;
    const lengths = [0x1000n, 0x2000n, 0x1000n].map((cr3) => {
      vmcb[VMCB.CR3 >> 3] = cr3;
      vmcb[RIP] = 0x7000n;
      skip(0x0f, 2);
      return Number(vmcb[RIP] - 0x7000n);
    });
    expect(lengths).toEqual([2, 3, 2]);
  });

  it('moves by the opcode alone where the guest has taken its own code away', () => {
    const { vcpu, skip } = createGuest('protected');
    vcpu.vmcb[RIP] = 0x20_0000n;
    skip(0x0f, 2);
    expect(vcpu.vmcb[RIP]).toBe(0x20_0002n);
  });
});
