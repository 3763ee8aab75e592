/** A device of 8 bits on a PC's bus: a wider access is split into one for each byte, from the lowest address on. Harmless, but counted. */
import type { OnMisuse, PortDevice } from './device.ts';

export function createByteBus(
  name: string,
  onMisuse: OnMisuse,
  read: (offset: number) => number,
  write: (offset: number, value: number) => void,
): PortDevice {
  return {
    read: (offset, width) => {
      if (width === 1) return read(offset);
      onMisuse(`${name}: read wider than a byte`, offset, width);
      let value = 0;
      for (let byte = 0; byte < width; byte++) value += read(offset + byte) * 2 ** (8 * byte);
      return value;
    },
    write: (offset, width, value) => {
      if (width === 1) {
        write(offset, value & 0xff);
        return;
      }
      onMisuse(`${name}: write wider than a byte`, offset, width);
      for (let byte = 0; byte < width; byte++) write(offset + byte, (value >>> (8 * byte)) & 0xff);
    },
  };
}
