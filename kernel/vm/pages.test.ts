import { describe, expect, it } from 'vitest';
import { createFakeMemory } from '../testing/guest.ts';
import { createPages, PAGE } from './pages.ts';

const view = (_: number, length: number): ArrayBuffer => new ArrayBuffer(length);

describe('free memory', () => {
  it('is given out cleared, in whole pages, none twice', () => {
    const { pages } = createFakeMemory(0x10_0000, 64 * PAGE);
    const blocks = Array.from({ length: 16 }, (_, index) => pages.take(index * 700 + 1));
    for (const { address, length, memory } of blocks) {
      expect(address % PAGE).toBe(0);
      expect(length % PAGE).toBe(0);
      expect(memory.byteLength).toBe(length);
      expect(new Uint8Array(memory).every((byte) => byte === 0)).toBe(true);
    }
    for (const [index, { address }] of blocks.entries())
      if (index > 0) expect(address).toBeGreaterThanOrEqual(blocks[index - 1]!.address + blocks[index - 1]!.length);
    expect(blocks[1]!.length).toBe(PAGE);
    expect(blocks[6]!.length).toBe(2 * PAGE);
  });

  it('keeps what was asked for aligned', () => {
    const pages = createPages([{ address: 0x10_0000, length: 0x80_0000 }], view);
    pages.take(PAGE);
    expect(pages.take(PAGE, 0x20_0000).address).toBe(0x20_0000);
    expect(pages.take(PAGE).address).toBe(0x20_1000);
  });

  it('does not touch what of a range is no whole page', () => {
    const pages = createPages([{ address: 0x1800, length: 0x2000 }], view);
    expect(pages.largest()).toBe(PAGE);
    expect(pages.take(1).address).toBe(0x2000);
    expect(pages.largest()).toBe(0);
    expect(createPages([{ address: 0x1001, length: 0x1ffe }], view).largest()).toBe(0);
  });

  it('takes from the first range that has room', () => {
    const pages = createPages(
      [
        { address: 0x1000, length: PAGE },
        { address: 0x10_0000, length: 4 * PAGE },
      ],
      view,
    );
    expect(pages.take(2 * PAGE).address).toBe(0x10_0000);
    expect(pages.take(PAGE).address).toBe(0x1000);
    expect(pages.take(2 * PAGE).address).toBe(0x10_2000);
  });

  it('says how much is left when there is not enough', () => {
    const pages = createPages([{ address: 0x1000, length: 3 * PAGE }], view);
    pages.take(PAGE);
    expect(() => pages.take(3 * PAGE)).toThrow(
      '12 KiB of memory are wanted, the largest free block has 8 KiB: give the machine more (--memory)',
    );
    expect(pages.take(2 * PAGE).address).toBe(0x2000);
    expect(() => createPages([], view).take(1)).toThrow(RangeError);
  });
});
