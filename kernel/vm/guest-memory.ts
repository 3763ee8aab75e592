/**
 * A guest's memory: its physical one, which is contiguous from 0, and the way there from its linear addresses in every paging mode
 * (AMD64 Architecture Programmer's Manual volume 2, "Page Translation and Protection"). Rights are not looked at: what is
 * read is what the guest has just executed.
 */
import { CR0, CR4, PTE } from '../regs/paging.ts';
import { EFER, SEGMENT, VMCB } from '../regs/vmcb.ts';
import type { Vcpu } from './vcpu.ts';

export interface GuestMemory {
  readonly bytes: Uint8Array;
  readonly length: number;
  /** @returns the physical address; undefined if the guest maps none there, or one outside of its memory */
  translate(linear: bigint): number | undefined;
  /** Linear address of the guest's next instruction. */
  instructionAddress(): bigint;
  /** Up to `most` bytes of it: fewer where the guest maps no more. */
  instructionBytes(most: number): number[];
}

const PAGE = 4096;

export function createGuestMemory({ vmcb }: Vcpu, memory: ArrayBuffer): GuestMemory {
  const bytes = new Uint8Array(memory);
  const view = new DataView(memory);
  const length = bytes.length;
  const within = (address: bigint, size: number): number | undefined =>
    address >= 0n && address <= BigInt(length - size) ? Number(address) : undefined;

  /** Tables of 32-bit entries: two levels, 4 KiB and, with PSE, 4 MiB. */
  function walk32(linear: bigint): number | undefined {
    const top = within((vmcb[VMCB.CR3 >> 3]! & 0xffff_f000n) + ((linear >> 22n) & 0x3ffn) * 4n, 4);
    if (top === undefined) return undefined;
    const directory = BigInt(view.getUint32(top, true));
    if ((directory & PTE.P) === 0n) return undefined;
    if ((directory & PTE.PS) !== 0n && (vmcb[VMCB.CR4 >> 3]! & CR4.PSE) !== 0n)
      // Bits 13-20 of the entry are bits 32-39 of the address.
      return within((directory & 0xffc0_0000n) | (((directory >> 13n) & 0xffn) << 32n) | (linear & 0x3f_ffffn), 1);
    const low = within((directory & 0xffff_f000n) + ((linear >> 12n) & 0x3ffn) * 4n, 4);
    if (low === undefined) return undefined;
    const entry = BigInt(view.getUint32(low, true));
    return (entry & PTE.P) === 0n ? undefined : within((entry & 0xffff_f000n) | (linear & 0xfffn), 1);
  }

  /** Tables of 64-bit entries: four levels in long mode, three with PAE. */
  function walk64(linear: bigint, levels: 3 | 4): number | undefined {
    let table = vmcb[VMCB.CR3 >> 3]! & (levels === 4 ? PTE.ADDRESS : 0xffff_ffe0n);
    for (let level = levels - 1; level >= 0; level--) {
      const shift = BigInt(12 + 9 * level);
      const index = (linear >> shift) & (levels === 3 && level === 2 ? 3n : 0x1ffn);
      const at = within(table + index * 8n, 8);
      if (at === undefined) return undefined;
      const entry = view.getBigUint64(at, true);
      if ((entry & PTE.P) === 0n) return undefined;
      const isPage = level === 0 || (level < levels - 1 && (entry & PTE.PS) !== 0n);
      if (isPage) {
        const offset = (1n << shift) - 1n;
        return within((entry & PTE.ADDRESS & ~offset) | (linear & offset), 1);
      }
      table = entry & PTE.ADDRESS;
    }
    return undefined;
  }

  const isLong = (): boolean => (vmcb[VMCB.EFER >> 3]! & EFER.LMA) !== 0n;

  function translate(linear: bigint): number | undefined {
    if ((vmcb[VMCB.CR0 >> 3]! & CR0.PG) === 0n) return within(linear, 1);
    if (isLong()) return walk64(linear, 4);
    return (vmcb[VMCB.CR4 >> 3]! & CR4.PAE) !== 0n ? walk64(linear, 3) : walk32(linear);
  }

  function instructionAddress(): bigint {
    const rip = vmcb[VMCB.RIP >> 3]!;
    const base = vmcb[(VMCB.CS + SEGMENT.BASE) >> 3]!;
    // In 64-bit mode the base is 0 whatever the register says; elsewhere addresses have 32 bits.
    const isCode64 = isLong() && ((vmcb[VMCB.CS >> 3]! >> 16n) & 0x200n) !== 0n;
    return isCode64 ? rip : (base + rip) & 0xffff_ffffn;
  }

  return {
    bytes,
    length,
    translate,
    instructionAddress,
    instructionBytes: (most) => {
      const found: number[] = [];
      let linear = instructionAddress();
      let inPage = PAGE - Number(linear & 0xfffn);
      // A look at the tables for each page, not for each byte: this is a part of exits that are to take tens of microseconds.
      for (;;) {
        const physical = translate(linear);
        if (physical === undefined) return found;
        const end = Math.min(physical + Math.min(inPage, most - found.length), length);
        for (let at = physical; at < end; at++) found.push(bytes[at]!);
        if (found.length === most || end < physical + inPage) return found;
        linear += BigInt(inPage);
        inPage = PAGE;
      }
    },
  };
}
