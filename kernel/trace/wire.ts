/**
 * The trace on its own channel: binary frames, rendered to text by the tools (kernel/trace/text.ts), because
 * a record of 64 bytes by REP OUTSB costs the kernel some hundred instructions and its text some ten thousand
 * (`make bench`: trace.record_ns, trace.flush_record_ns, trace.text_ns).
 *
 * Every frame starts with 8 bytes, little-endian: kind, CPU, a 16-bit and a 32-bit number.
 *
 *   H  trace starts            version, 0                  + TSC at boot, 8 bytes
 *   R  record                  event id, sequence number   + TSC + 6 lanes of 8 bytes
 *   S  text of the next record length in bytes, lane       + bytes, UTF-8
 *   D  diagnostic              length in bytes, 0          + bytes, one line; written by boot/diagnostic.c
 */
export const WIRE_VERSION = 1;
export const FRAME = { START: 0x48, RECORD: 0x52, TEXT: 0x53, DIAGNOSTIC: 0x44 } as const;
export const FRAME_HEADER_BYTES = 8;
/** A record's cell: header, stamp, lanes. The same in the ring and on the wire. */
export const CELL_BYTES = 64;
export const LANES_OFFSET = 16;

/** Port of QEMU's isa-debugcon and of Bochs: reads back as its own number where it exists. */
export const DEBUG_CONSOLE_PORT = 0xe9;
