/**
 * The way from a guest's linear addresses to its physical ones with everything the CPU looks at and leaves behind on it: rights, accessed and
 * dirty bits (AMD64 Architecture Programmer's Manual volume 2, "Page Translation and Protection", "Page-Protection Checks"). Addresses may lead
 * anywhere, devices included; the tables have to be in the guest's memory.
 *
 * Not looked at: reserved bits of entries (no fault of theirs is raised), protection keys, PAT and PCD.
 */
import { CR0, CR4, RFLAGS } from '../regs/paging.ts';
import { EFER, VMCB } from '../regs/vmcb.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { Vcpu } from './vcpu.ts';

/** "Page-Fault Error Code". */
export const PAGE_FAULT = { PRESENT: 1, WRITE: 2, USER: 4, FETCH: 16 } as const;

export type Access = 'read' | 'write' | 'fetch';

/**
 * Where an address leads. Of a fault: the error code; undefined if a table is not in the guest's memory, which is no page fault.
 */
export type Walked = { readonly physical: number } | { readonly physical?: undefined; readonly errorCode: number | undefined };

export interface GuestWalk {
  /** Rights are checked for reads and writes; a fetch has been done by the CPU already, and leaves nothing behind. */
  walk(linear: bigint, access: Access): Walked;
  /** Of the last walk: its table entries' low words, as indices of 32-bit words of the guest's memory. */
  readonly visited: number[];
}

// Of an entry's low and high word.
const P = 1 << 0;
const RW = 1 << 1;
const US = 1 << 2;
const A = 1 << 5;
const D = 1 << 6;
const PS = 1 << 7;
const HIGH_ADDRESS = 0x000f_ffff;
const GIB_4 = 0x1_0000_0000;

const CR0_WORD = VMCB.CR0 >> 2;
const CR3_WORD = VMCB.CR3 >> 2;
const CR4_WORD = VMCB.CR4 >> 2;
const EFER_WORD = VMCB.EFER >> 2;
const FLAGS_WORD = VMCB.RFLAGS >> 2;
/** CPL is this word's highest byte. */
const CPL_WORD = VMCB.CPL >> 2;
const PG = Number(CR0.PG);
const WP = Number(CR0.WP);
const PSE = Number(CR4.PSE);
const PAE = Number(CR4.PAE);
const SMAP = Number(CR4.SMAP);
const LMA = Number(EFER.LMA);
const NXE = Number(EFER.NXE);
const AC = Number(RFLAGS.AC);

const cplOf = ({ vmcb32 }: Pick<Vcpu, 'vmcb32'>): number => (vmcb32[CPL_WORD]! >>> 24) & 3;

export function createGuestWalk({ vmcb32 }: Vcpu, { bytes }: GuestMemory): GuestWalk {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const visited: number[] = [];

  function refuse(access: Access, isPresent: boolean): Walked {
    return {
      errorCode:
        (isPresent ? PAGE_FAULT.PRESENT : 0) |
        (access === 'write' ? PAGE_FAULT.WRITE : 0) |
        (cplOf({ vmcb32 }) === 3 ? PAGE_FAULT.USER : 0) |
        (access === 'fetch' && (vmcb32[EFER_WORD]! & NXE) !== 0 ? PAGE_FAULT.FETCH : 0),
    };
  }

  /** @param rights P, RW and US as all entries have them */
  function isAllowed(access: Access, rights: number): boolean {
    const isWrite = access === 'write';
    if (cplOf({ vmcb32 }) === 3) return (rights & US) !== 0 && (!isWrite || (rights & RW) !== 0);
    if ((rights & US) !== 0 && (vmcb32[CR4_WORD]! & SMAP) !== 0 && (vmcb32[FLAGS_WORD]! & AC) === 0) return false;
    return !isWrite || (rights & RW) !== 0 || (vmcb32[CR0_WORD]! & WP) === 0;
  }

  /**
   * @param table physical address of the top table
   * @param levels how many there are; the tables have 1024 entries of 32 bits if `isNarrow`, else 512 of 64
   */
  function descend(low: number, high: number, access: Access, table: number, levels: number, isNarrow: boolean): Walked {
    let rights = P | RW | US;
    for (let level = levels - 1; ; level--) {
      const entry = (table >>> 2) + (isNarrow ? (low >>> (12 + 10 * level)) & 0x3ff : 2 * indexOf(low, high, level, levels));
      if (table >= bytes.length || entry >= words.length) return { errorCode: undefined };
      visited.push(entry);
      const lowWord = words[entry]!;
      const highWord = isNarrow ? 0 : words[entry + 1]!;
      if ((lowWord & P) === 0) return refuse(access, false);
      // "Page-Directory-Pointer Entry" of PAE: there are no rights in it.
      const hasRights = !(levels === 3 && level === 2);
      if (hasRights) rights &= lowWord;
      const isPage = level === 0 || ((lowWord & PS) !== 0 && (isNarrow ? (vmcb32[CR4_WORD]! & PSE) !== 0 : level < levels - 1));
      if (!isPage) {
        if (access !== 'fetch' && hasRights) words[entry] = lowWord | A;
        table = (lowWord & ~0xfff) + (highWord & HIGH_ADDRESS) * GIB_4;
        if ((lowWord & ~0xfff) < 0) table += GIB_4;
        continue;
      }
      if (access !== 'fetch') {
        if (!isAllowed(access, rights)) return refuse(access, true);
        words[entry] = lowWord | (access === 'write' ? A | D : A);
      }
      const offsetBits = isNarrow ? 12 + 10 * level : 12 + 9 * level;
      const mask = 2 ** offsetBits - 1;
      // Bits 13-20 of an entry for 4 MiB are bits 32-39 of the address.
      const above = isNarrow ? (level === 1 ? (lowWord >>> 13) & 0xff : 0) : highWord & HIGH_ADDRESS;
      return { physical: (((lowWord & ~mask & ~0xfff) | (low & mask)) >>> 0) + above * GIB_4 };
    }
  }

  return {
    visited,
    walk(linear, access) {
      visited.length = 0;
      const low = Number(BigInt.asIntN(32, linear));
      const high = Number(BigInt.asIntN(32, linear >> 32n));
      if ((vmcb32[CR0_WORD]! & PG) === 0) return { physical: low >>> 0 };
      const root = vmcb32[CR3_WORD]! >>> 0;
      const above = (vmcb32[CR3_WORD + 1]! & HIGH_ADDRESS) * GIB_4;
      if ((vmcb32[EFER_WORD]! & LMA) !== 0)
        return descend(low, high, access, (root & ~0xfff) + above + ((root & ~0xfff) < 0 ? GIB_4 : 0), 4, false);
      if ((vmcb32[CR4_WORD]! & PAE) !== 0) return descend(low, high, access, (root & ~0x1f) >>> 0, 3, false);
      return descend(low, high, access, (root & ~0xfff) >>> 0, 2, true);
    },
  };
}

function indexOf(low: number, high: number, level: number, levels: number): number {
  if (level === 3) return (high >>> 7) & 0x1ff;
  if (level === 2) return ((low >>> 30) | (high << 2)) & (levels === 3 ? 3 : 0x1ff);
  return (low >>> (12 + 9 * level)) & 0x1ff;
}
