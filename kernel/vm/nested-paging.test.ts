/** The tables are walked here from their bytes, by the manual's words and none of the code's. */
import { describe, expect, it } from 'vitest';
import { createFakeMemory } from '../testing/guest.ts';
import { createNestedPaging } from './nested-paging.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const ALL = { isWritable: true, isExecutable: true };

interface Translation {
  readonly physical: number;
  readonly size: number;
  readonly isWritable: boolean;
  readonly isExecutable: boolean;
}

/** AMD64 Architecture Programmer's Manual volume 2, "4-Level Long-Mode Page Translation". Every level has to allow user accesses. */
function walk(memory: ReturnType<typeof createFakeMemory>, root: number, address: number): Translation | undefined {
  let table = root;
  let isWritable = true;
  let isExecutable = true;
  for (const [shift, size] of [
    [39, 0],
    [30, GIB],
    [21, 2 * MIB],
    [12, 4 * KIB],
  ] as const) {
    const index = Math.floor(address / 2 ** shift) % 512;
    const entry = memory.at(table + index * 8).getBigUint64(0, true);
    if ((entry & 1n) === 0n) return undefined;
    if ((entry & 4n) === 0n) throw new Error(`entry ${index} of ${table.toString(16)} is not a user one`);
    isWritable &&= (entry & 2n) !== 0n;
    isExecutable &&= entry >> 63n === 0n;
    const frame = Number(entry & 0x000f_ffff_ffff_f000n);
    if (shift === 12 || (entry & 0x80n) !== 0n) {
      if (size === 0) throw new Error('a page of 512 GiB');
      if (frame % size !== 0) throw new Error(`a page of ${size} bytes at ${frame.toString(16)}`);
      return { physical: frame + (address % size), size, isWritable, isExecutable };
    }
    table = frame;
  }
  throw new Error('not reached');
}

function create(largest?: 0 | 1 | 2) {
  const memory = createFakeMemory();
  const nested = largest === undefined ? createNestedPaging(memory.pages) : createNestedPaging(memory.pages, largest);
  return { map: nested.map, at: (address: number) => walk(memory, nested.root, address), root: nested.root };
}

describe('nested page tables', () => {
  it('map nothing at first', () => {
    const { at, root } = create();
    expect(root % 4096).toBe(0);
    for (const address of [0, 4096, MIB, GIB, 512 * GIB - 1]) expect(at(address)).toBeUndefined();
  });

  it.each([
    ['4 KiB', 0x3000, 0x7000, 3 * 4096, 4096],
    ['2 MiB', 4 * MIB, 6 * MIB, 8 * MIB, 2 * MIB],
    ['1 GiB', 2 * GIB, 3 * GIB, 2 * GIB, GIB],
  ])('map by pages of %s', (_, guest, physical, length, size) => {
    const { map, at } = create();
    map(guest, physical, length, ALL);
    for (let offset = 0; offset < length; offset += size)
      for (const within of [0, size / 2, size - 1])
        expect(at(guest + offset + within)).toEqual({ physical: physical + offset + within, size, ...ALL });
    expect(at(guest - 1)).toBeUndefined();
    expect(at(guest + length)).toBeUndefined();
  });

  it('map by the largest page that both addresses and what is left allow', () => {
    const { map, at } = create();
    // 4 KiB up to 2 MiB, 2 MiB up to 1 GiB, one of 1 GiB, then 2 MiB and 4 KiB again.
    map(2 * MIB - 4096, GIB + 2 * MIB - 4096, 2 * GIB + 4096 + 2 * MIB + 8192, ALL);
    const end = 2 * GIB + 4 * MIB;
    const sizes = [2 * MIB - 1, 2 * MIB, GIB - 1, GIB, 2 * GIB - 1, 2 * GIB, end - 1, end, end + 8192].map((a) => at(a)?.size);
    expect(sizes).toEqual([4096, 2 * MIB, 2 * MIB, GIB, GIB, 2 * MIB, 2 * MIB, 4096, undefined]);
    for (const address of [2 * MIB - 4096, 5 * MIB + 7, GIB + 12_345, end + 8191]) expect(at(address)?.physical).toBe(address + GIB);
  });

  it('map by small pages where the physical address is not aligned', () => {
    const { map, at } = create();
    map(0, 2 * MIB + 4096, 4 * MIB, ALL);
    for (const address of [0, 2 * MIB, 4 * MIB - 1]) expect(at(address)).toMatchObject({ size: 4096, physical: address + 2 * MIB + 4096 });
  });

  it('have no larger pages than the CPU has', () => {
    for (const [largest, size] of [
      [0, 4096],
      [1, 2 * MIB],
    ] as const) {
      const { map, at } = create(largest);
      map(0, GIB, largest === 0 ? 4 * MIB : GIB, ALL);
      expect(at(0)?.size).toBe(size);
    }
  });

  it('give the rights that were asked for, page by page', () => {
    const { map, at } = create();
    map(0, MIB, 4096, { isWritable: false, isExecutable: false });
    map(4096, 2 * MIB, 4096, { isWritable: true, isExecutable: false });
    map(8192, 3 * MIB, 4096, { isWritable: false, isExecutable: true });
    map(2 * MIB, 4 * MIB, 2 * MIB, { isWritable: false, isExecutable: false });
    expect([0, 4096, 8192, 2 * MIB].map((a) => [at(a)!.isWritable, at(a)!.isExecutable])).toEqual([
      [false, false],
      [true, false],
      [false, true],
      [false, false],
    ]);
  });

  it('refuse what is mapped already: the same page, a small one in a large one, a large one over small ones', () => {
    const { map, at } = create();
    map(0, 0, 4096, ALL);
    map(2 * MIB, 2 * MIB, 2 * MIB, ALL);
    map(GIB, GIB, GIB, ALL);
    for (const [guest, physical, length] of [
      [0, 0x9000, 4096],
      [0, 0, 2 * MIB],
      [2 * MIB + 4096, 0x9000, 4096],
      [2 * MIB, 4 * MIB, 2 * MIB],
      [GIB + 2 * MIB, 0, 2 * MIB],
      [GIB + 4096, 0x9000, 4096],
      [0, 0, GIB],
    ] as const)
      expect(() => map(guest, physical, length, ALL), guest.toString(16)).toThrow(/is mapped already/);
    expect(at(0)?.physical).toBe(0);
    expect(at(2 * MIB + 4096)?.physical).toBe(2 * MIB + 4096);
  });

  it.each([
    [1, 0, 4096],
    [0, 512, 4096],
    [0, 0, 4095],
    [0, 0, 0],
    [0, 0, -4096],
  ])('refuse %i to %i, length %i: not whole pages', (guest, physical, length) => {
    expect(() => create().map(guest, physical, length, ALL)).toThrow(/not whole pages/);
  });
});
