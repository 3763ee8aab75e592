import type { Shims } from './shims.ts';

/** A device's registers in memory, seen as byte offsets from its base: the only way a driver reaches them. */
export interface Mmio {
  readonly base: number;
  read32(offset: number): number;
  read64(offset: number): bigint;
  write32(offset: number, value: number): void;
  write64(offset: number, value: bigint): void;
  /** read32 of one register, for hot paths: half of what it costs. */
  reader32(offset: number): () => number;
  reader64(offset: number): () => bigint;
  /** write32 of one register. */
  writer32(offset: number): (value: number) => void;
}

/**
 * @param base physical address of the first register
 * @param length in bytes; an access that does not lie within throws RangeError
 */
export function createMmio(shims: Shims, base: number, length: number): Mmio {
  const { mmioRead32, mmioRead64, mmioWrite32, mmioWrite64 } = shims;
  const last32 = length - 4;
  const last64 = length - 8;
  function outside(offset: number): never {
    throw new RangeError(
      `register offset 0x${offset.toString(16)} of a device with 0x${length.toString(16)} bytes at 0x${base.toString(16)}`,
    );
  }
  /** Once, instead of at each access; so is the sum, which the engine takes long for. */
  function addressOf(offset: number, last = last32): number {
    return offset < 0 || offset > last ? outside(offset) : base + offset;
  }
  return {
    base,
    read32: (offset) => (offset < 0 || offset > last32 ? outside(offset) : mmioRead32(base + offset)),
    read64: (offset) => (offset < 0 || offset > last64 ? outside(offset) : mmioRead64(base + offset)),
    write32: (offset, value) => (offset < 0 || offset > last32 ? outside(offset) : mmioWrite32(base + offset, value)),
    reader32: (offset) => {
      const address = addressOf(offset);
      return () => mmioRead32(address);
    },
    reader64: (offset) => {
      const address = addressOf(offset, last64);
      return () => mmioRead64(address);
    },
    writer32: (offset) => {
      const address = addressOf(offset);
      return (value) => mmioWrite32(address, value);
    },
    write64: (offset, value) => (offset < 0 || offset > last64 ? outside(offset) : mmioWrite64(base + offset, value)),
  };
}
