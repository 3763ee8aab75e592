import type { Shims } from './shims.ts';

/** A device's registers in memory, seen as byte offsets from its base: the only way a driver reaches them. */
export interface Mmio {
  readonly base: number;
  read32(offset: number): number;
  read64(offset: number): bigint;
  write32(offset: number, value: number): void;
  write64(offset: number, value: bigint): void;
  /** One register, for hot paths: a quarter of what read32 costs. In two's complement, -2^31 to 2^31 - 1. */
  readerInt32(offset: number): () => number;
  reader64(offset: number): () => bigint;
  /** Takes -2^31 to 2^32 - 1. */
  writer32(offset: number): (value: number) => void;
}

/**
 * @param base physical address of the first register
 * @param length in bytes; an access that does not lie within throws RangeError
 */
export function createMmio(shims: Shims, base: number, length: number): Mmio {
  const { mmioRead32, mmioRead64, mmioWrite32, mmioWrite64, mmioReaderInt32, mmioReader64, mmioWriter32 } = shims;
  const last32 = length - 4;
  const last64 = length - 8;
  function outside(offset: number): never {
    throw new RangeError(
      `register offset 0x${offset.toString(16)} of a device with 0x${length.toString(16)} bytes at 0x${base.toString(16)}`,
    );
  }
  function addressOf(offset: number, last = last32): number {
    return offset < 0 || offset > last ? outside(offset) : base + offset;
  }
  return {
    base,
    read32: (offset) => (offset < 0 || offset > last32 ? outside(offset) : mmioRead32(base + offset)),
    read64: (offset) => (offset < 0 || offset > last64 ? outside(offset) : mmioRead64(base + offset)),
    write32: (offset, value) => (offset < 0 || offset > last32 ? outside(offset) : mmioWrite32(base + offset, value)),
    readerInt32: (offset) => mmioReaderInt32(addressOf(offset)),
    reader64: (offset) => mmioReader64(addressOf(offset, last64)),
    writer32: (offset) => mmioWriter32(addressOf(offset)),
    write64: (offset, value) => (offset < 0 || offset > last64 ? outside(offset) : mmioWrite64(base + offset, value)),
  };
}
