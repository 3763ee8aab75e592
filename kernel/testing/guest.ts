/** Physical memory and guest CPUs on the host: nothing runs there, but all that the kernel reads and writes of them is as on the machine. */
import { createPages, type Pages } from '../vm/pages.ts';
import { createVcpu, resetVcpu, type EntryState, type Vcpu } from '../vm/vcpu.ts';
import { PAGE } from '../vm/pages.ts';

export interface FakeMemory {
  readonly pages: Pages;
  /** What stands at a physical address. */
  at(address: number): DataView;
}

/** As unkind as real memory: what nobody has cleared is not 0. */
export function createFakeMemory(first = 0x10_0000, length = 0x40_0000): FakeMemory {
  const blocks = new Map<number, ArrayBuffer>();
  return {
    pages: createPages([{ address: first, length }], (address, size) => {
      const memory = new ArrayBuffer(size);
      new Uint8Array(memory).fill(0xa5);
      blocks.set(address, memory);
      return memory;
    }),
    at: (address) => {
      for (const [base, memory] of blocks)
        if (address >= base && address < base + memory.byteLength) return new DataView(memory, address - base);
      throw new RangeError(`nobody has taken the memory at 0x${address.toString(16)}`);
    },
  };
}

export const REAL_ENTRY: EntryState = { mode: 'real', entry: 0x7c00 };

/** A guest CPU at its beginning. */
export function createFakeVcpu(entry: EntryState = REAL_ENTRY, exceptions = 0, { pages } = createFakeMemory()): Vcpu {
  const vcpu = createVcpu({
    pages,
    openGuest: () => 0,
    hostVmcb: pages.take(PAGE).address,
    asid: 1,
    nestedRoot: 0x1000,
    ioMap: 0x2000,
    msrMap: 0x5000,
    exceptions,
  });
  resetVcpu(vcpu, entry);
  return vcpu;
}
