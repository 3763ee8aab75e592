/** Bounds of a system that are not the kernel's own (those are in kernel/partition/system.ts and abi.ts). */
import { PORT_VALID } from '../../kernel/partition/abi.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** QEMU's q35 machine moves memory beyond 4 GiB when it has more than this, and the kernel does not reach it there. */
export const MACHINE_MEMORY_MAX = 2048 * MIB;
/** What the kernel keeps for itself: image, stacks, 32 MiB of heap, nested page tables, buffers. */
export const KERNEL_MEMORY = 64 * MIB;
/** A length shares its register with PORT_VALID. */
export const MESSAGE_MAX = PORT_VALID - 1;
export const DEPTH_MAX = 4096;
/** Of all messages that wait in one channel. */
export const QUEUE_BYTES_MAX = MIB;
/** A word in the trace, a column in a table. */
export const NAME_MAX = 32;
export const NAME_FORM = /^[A-Za-z][A-Za-z0-9_-]*$/;

/** I/O ports that the hypervisor uses itself. */
export const RESERVED_PORTS: readonly { readonly first: number; readonly last: number; readonly what: string }[] = [
  { first: 0x20, last: 0x21, what: 'the master 8259A' },
  { first: 0x40, last: 0x43, what: 'the 8254' },
  { first: 0xa0, last: 0xa1, what: 'the slave 8259A' },
  { first: 0xe9, last: 0xe9, what: "QEMU's debug console, the trace channel" },
  { first: 0xf4, last: 0xf4, what: "QEMU's exit device" },
  { first: 0x3f8, last: 0x3ff, what: 'COM1' },
];
/** Only where there is an input of it. */
export const RTC_PORTS = { first: 0x70, last: 0x71, what: 'the MC146818, whose periodic interrupt is an input' } as const;
