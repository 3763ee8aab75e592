/** Bytes as people read them. */

const PER_LINE = 16;
const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** 16 bytes a line, each line with its address, the bytes in hexadecimal and as ASCII. */
export function hexDump(bytes: Uint8Array, address: number, length: number): string {
  const lines: string[] = [];
  for (let start = address; start < address + length; start += PER_LINE) {
    const own = [...bytes.subarray(start, Math.min(start + PER_LINE, address + length))];
    const codes = own.map((byte) => hex(byte, 2)).join(' ');
    const text = own.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${hex(start, 8)}  ${codes.padEnd(PER_LINE * 3 - 1)}  ${text}`);
  }
  return lines.join('\n');
}
