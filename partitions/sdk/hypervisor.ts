/** Hypercalls, with statuses as exceptions; and memory that the hypervisor can be given the address of. */
import type { Shims } from '../../kernel/hw/shims.ts';
import { HypercallError } from './errors.ts';

export type Word = number | bigint;

export interface Hypervisor {
  /** One of HYPERCALL. Throws HypercallError unless the status is 0; `detail` is for its message, made only then. */
  call(number: number, a?: Word, b?: Word, c?: Word, d?: Word, detail?: () => string): void;
  /** The same, for those whose status is an answer: 0 or one of ERROR. */
  attempt(number: number, a?: Word, b?: Word, c?: Word, d?: Word): number;
  /** The value that the last hypercall returned. */
  value(): number;
  value64(): bigint;
}

export function createHypervisor(shims: Shims): Hypervisor {
  const { hypercall } = shims;
  return {
    call: (number, a, b, c, d, detail) => {
      const status = hypercall(number, a, b, c, d);
      if (status !== 0) throw new HypercallError(number, status, detail?.() ?? '');
    },
    attempt: hypercall,
    value: shims.hypercallNumber,
    value64: shims.hypercallValue,
  };
}

/** Bytes that TypeScript and the hypervisor both see. */
export interface SharedBuffer {
  /** Guest-physical. */
  readonly address: number;
  readonly buffer: ArrayBuffer;
}

/** Hands out pieces of the partition's free memory, for good. */
export interface SharedMemory {
  /** `length` bytes, aligned to 64, of unspecified content. RangeError if that much is not left. */
  allocate(length: number): SharedBuffer;
}

const ALIGNMENT = 64;

export function createSharedMemory(shims: Shims): SharedMemory {
  // The end of the largest range: what the runtime takes later, it takes from the start.
  let length = 0;
  let start = 0;
  for (const range of shims.memoryMap()) {
    if (range.kind !== 'free' || range.length <= length) continue;
    ({ address: start, length } = range);
  }
  let end = start + length;
  return {
    allocate: (wanted) => {
      const address = end - Math.ceil(wanted / ALIGNMENT) * ALIGNMENT;
      if (address < start || !(wanted > 0)) {
        throw new RangeError(
          `memory.allocate: ${wanted} bytes wanted, ${end - start} are free: give the partition more memory, or a smaller heap=`,
        );
      }
      end = address;
      return { address, buffer: shims.physicalView(address, wanted) };
    },
  };
}
