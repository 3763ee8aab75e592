import type { Shims } from './shims.ts';

/** A device's ports, seen as offsets from its base: the only way a driver reaches them. */
export interface Ports {
  readonly base: number;
  read8(offset: number): number;
  write8(offset: number, value: number): void;
  read32(offset: number): number;
  /** `length` bytes of `buffer`, from `start` on, to one port. */
  writeBlock8(offset: number, buffer: ArrayBuffer, start: number, length: number): void;
}

/** @param base first port; offsets from 0 to `count` - 1 are the device's, others throw RangeError */
export function createPorts(shims: Shims, base: number, count: number): Ports {
  const { in8, out8, in32, outBlock8 } = shims;
  function port(offset: number): number {
    if (offset < 0 || offset >= count)
      throw new RangeError(`port offset ${offset} of a device with ${count} ports at 0x${base.toString(16)}`);
    return base + offset;
  }
  return {
    base,
    read8: (offset) => in8(port(offset)),
    write8: (offset, value) => out8(port(offset), value),
    read32: (offset) => in32(port(offset)),
    writeBlock8: (offset, buffer, start, length) => outBlock8(port(offset), buffer, start, length),
  };
}
