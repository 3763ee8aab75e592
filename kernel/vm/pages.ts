/** Physical memory that nobody uses: taken once, never given back, since a system is made once. */
export interface FreeRange {
  readonly address: number;
  readonly length: number;
}

/** Memory and where it is. */
export interface Block {
  readonly address: number;
  readonly length: number;
  readonly memory: ArrayBuffer;
}

export interface Pages {
  /**
   * Takes whole pages, cleared.
   * @param length bytes, rounded up to pages
   * @param alignment bytes, a power of two from 4096
   * @throws RangeError that says how much is left, if there is no such block
   */
  take(length: number, alignment?: number): Block;
  /** Bytes of the largest block that is left. */
  largest(): number;
}

export const PAGE = 4096;

/** @param view memory at a physical address, as it is (Shims.physicalView) */
export function createPages(free: readonly FreeRange[], view: (address: number, length: number) => ArrayBuffer): Pages {
  const ranges = free
    .map(({ address, length }) => ({ next: Math.ceil(address / PAGE) * PAGE, end: Math.floor((address + length) / PAGE) * PAGE }))
    .filter(({ next, end }) => next < end);
  const largest = (): number => ranges.reduce((most, { next, end }) => Math.max(most, end - next), 0);
  return {
    take: (length, alignment = PAGE) => {
      const size = Math.ceil(length / PAGE) * PAGE;
      for (const range of ranges) {
        const address = Math.ceil(range.next / alignment) * alignment;
        if (address + size > range.end) continue;
        // What alignment skips is lost: a few pages of a machine's megabytes.
        range.next = address + size;
        const memory = view(address, size);
        new Uint8Array(memory).fill(0);
        return { address, length: size, memory };
      }
      throw new RangeError(
        `${Math.ceil(size / 1024)} KiB of memory are wanted, the largest free block has ${largest() / 1024} KiB: give the machine more (--memory)`,
      );
    },
    largest,
  };
}
