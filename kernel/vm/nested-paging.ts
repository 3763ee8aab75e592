/**
 * Nested page tables: what a guest takes for physical memory (AMD64 Architecture Programmer's Manual volume 2, "Nested Paging"). Four
 * levels in the long-mode format. Every entry is a user one: nested walks count as user accesses.
 */
import { PTE } from '../regs/paging.ts';
import { PAGE, type Pages } from './pages.ts';

export interface Rights {
  readonly isWritable: boolean;
  readonly isExecutable: boolean;
}

export interface NestedPaging {
  /** Physical address of the top table: the VMCB's N_CR3. */
  readonly root: number;
  /**
   * Maps guest-physical to physical memory, by the largest pages (4 KiB, 2 MiB, 1 GiB) that both addresses allow.
   * @throws RangeError for addresses that are not whole pages, or a range that is mapped already
   */
  map(guest: number, physical: number, length: number, rights: Rights): void;
}

const ENTRIES = 512;
/** Bytes that one entry maps, from the last table up; the fourth level has no pages. */
const SPANS = [PAGE, PAGE * ENTRIES, PAGE * ENTRIES * ENTRIES, PAGE * ENTRIES * ENTRIES * ENTRIES] as const;
/** Highest level whose entries may be pages. */
const LARGEST = 2;

/** @param largest highest level whose entries may be pages: 0 for 4 KiB only, 1 with 2 MiB, 2 with 1 GiB where the CPU has them */
export function createNestedPaging(pages: Pages, largest: 0 | 1 | 2 = LARGEST): NestedPaging {
  const tables = new Map<number, BigInt64Array>();

  function createTable(): number {
    const { address, memory } = pages.take(PAGE);
    tables.set(address, new BigInt64Array(memory));
    return address;
  }

  const root = createTable();

  function mapOne(guest: number, physical: number, level: number, rights: Rights): void {
    let table = tables.get(root)!;
    for (let at = 3; at > level; at--) {
      const index = Math.floor(guest / SPANS[at]!) % ENTRIES;
      let entry = BigInt.asUintN(64, table[index]!);
      if ((entry & PTE.P) === 0n) {
        entry = BigInt(createTable()) | PTE.P | PTE.RW | PTE.US;
        table[index] = entry;
      } else if (at <= LARGEST && (entry & PTE.PS) !== 0n) throw new RangeError(`nested paging: 0x${guest.toString(16)} is mapped already`);
      table = tables.get(Number(entry & PTE.ADDRESS))!;
    }
    const index = Math.floor(guest / SPANS[level]!) % ENTRIES;
    if ((table[index]! & PTE.P) !== 0n) throw new RangeError(`nested paging: 0x${guest.toString(16)} is mapped already`);
    const entry =
      BigInt(physical) |
      PTE.P |
      PTE.US |
      (rights.isWritable ? PTE.RW : 0n) |
      (rights.isExecutable ? 0n : PTE.NX) |
      (level > 0 ? PTE.PS : 0n);
    table[index] = BigInt.asIntN(64, entry);
  }

  return {
    root,
    map: (guest, physical, length, rights) => {
      if (guest % PAGE !== 0 || physical % PAGE !== 0 || length % PAGE !== 0 || length <= 0)
        throw new RangeError(`nested paging: 0x${guest.toString(16)} to 0x${physical.toString(16)}, length ${length}: not whole pages`);
      for (let done = 0; done < length;) {
        let level: number = largest;
        for (; level > 0; level--) {
          const span = SPANS[level]!;
          if ((guest + done) % span === 0 && (physical + done) % span === 0 && length - done >= span) break;
        }
        mapOne(guest + done, physical + done, level, rights);
        done += SPANS[level]!;
      }
    },
  };
}
