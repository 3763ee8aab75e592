/** Ports of a device with an 8-bit data path: a wider access is what the ISA bus makes of it, bytes one after the other, and counted. */
import type { OnMisuse, PortDevice } from './device.ts';

/** @param count ports of the device; beyond them nothing answers: all ones */
export function bytePorts(
  name: string,
  count: number,
  read: (offset: number) => number,
  write: (offset: number, value: number) => void,
  onMisuse: OnMisuse,
): PortDevice {
  const isOwn = (offset: number): boolean => offset >= 0 && offset < count;
  return {
    read: (offset, width) => {
      if (width === 1 && isOwn(offset)) return read(offset);
      onMisuse(`${name}: a read that is not of one of its bytes`, offset, width);
      let value = 0;
      for (let byte = 0; byte < width; byte++) value |= (isOwn(offset + byte) ? read(offset + byte) : 0xff) << (8 * byte);
      return value >>> 0;
    },
    write: (offset, width, value) => {
      if (width === 1 && isOwn(offset)) {
        write(offset, value & 0xff);
        return;
      }
      onMisuse(`${name}: a write that is not of one of its bytes`, offset, width);
      for (let byte = 0; byte < width; byte++) if (isOwn(offset + byte)) write(offset + byte, (value >>> (8 * byte)) & 0xff);
    },
  };
}
