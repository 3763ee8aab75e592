/**
 * The bytes of the instruction at RIP, and afterwards whether what was decoded at an address is still what stands there, at a fraction of the cost of reading it again.
 *
 * Compared are RIP, CS, EFER and CR3 (outside of 64-bit code also CR0, CR4 and the base of CS), the low halves of the page-table entries that led
 * from there to the instruction, and its bytes in the guest's memory. That suffices:
 * - In 64-bit code (CS.L and EFER.LMA) paging is on with tables of four levels; otherwise CR0 and CR4 say what there is. With the same CR3,
 *   the same linear address and the same kind of tables the walk begins at the same entry, and as long as an entry leads to the same
 *   table it comes to the same next one.
 * - An entry's high half is its address from bit 32 on, and NX. The CPU has just fetched the instruction through these entries, from the
 *   guest's memory, which ends below 4 GiB: that part of each address is 0 and NX is clear, or the guest has changed entries without
 *   invalidating them, and which of the two the CPU goes by is open ("Implicit Invalidations").
 * - Bits that do not matter (accessed, dirty) may make it look changed. Then it is read anew.
 */
import { SEGMENT, VMCB } from '../regs/vmcb.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { GuestWalk } from './guest-walk.ts';
import { isCode64, LENGTH_MAX } from './instruction-length.ts';
import type { Vcpu } from './vcpu.ts';

export const NEVER = (): boolean => false;

const PAGE = 4096;
const RIP = VMCB.RIP >> 3;
const CR3 = VMCB.CR3 >> 2;
const CS = VMCB.CS >> 2;
const CS_BASE = (VMCB.CS + SEGMENT.BASE) >> 2;
const EFER = VMCB.EFER >> 2;
const CR0 = VMCB.CR0 >> 2;
const CR4 = VMCB.CR4 >> 2;

/** Words that are compared one by one; a loop over them costs the engine three times as much. Four levels and two of the instruction. */
const UNROLLED = 6;

export interface InstructionReader {
  /** Up to 15 bytes from RIP on: fewer where the guest maps no more. They are its memory: to be looked at now. */
  read(): ArrayLike<number>;
  /** @param length of the instruction that was just read; @returns a function that says whether it is still there */
  witness(length: number): () => boolean;
}

export function createInstructionReader(vcpu: Vcpu, memory: GuestMemory, { walk, visited }: GuestWalk): InstructionReader {
  const { vmcb, vmcb32 } = vcpu;
  const { bytes } = memory;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, memory.length >> 2);
  /** Of what was read last: its linear and physical address, -1 if there is none. */
  let linear = 0n;
  let physical = -1;
  /** Words that the walk to it went by, then those with its bytes. */
  const places: number[] = [];

  /** @returns the physical address */
  function find(address: bigint): number {
    const found = walk(address, 'fetch').physical;
    for (let level = 0; level < visited.length; level++) places.push(visited[level]!);
    return found === undefined || found >= memory.length ? -1 : found;
  }

  function addWords(first: number, size: number): void {
    const last = (first + size - 1) >> 2;
    for (let word = first >> 2; word <= last; word++) places.push(word);
  }

  /** @returns whether all of its bytes were found */
  function findRest(length: number): boolean {
    if (physical < 0) return false;
    const inPage = PAGE - (physical & (PAGE - 1));
    addWords(physical, Math.min(length, inPage));
    if (length <= inPage) return true;
    const second = find(linear + BigInt(inPage));
    if (second < 0) return false;
    addWords(second, length - inPage);
    return true;
  }

  return {
    read() {
      places.length = 0;
      linear = memory.instructionAddress();
      physical = find(linear);
      if (physical >= 0 && (physical & (PAGE - 1)) <= PAGE - LENGTH_MAX) return bytes.subarray(physical, physical + LENGTH_MAX);
      return memory.instructionBytes(LENGTH_MAX);
    },

    witness(length) {
      if (!findRest(length)) return NEVER;
      const rest = places.slice(UNROLLED);
      // One that is compared twice does no harm.
      while (places.length < UNROLLED) places.push(places[0]!);
      const p0 = places[0]!;
      const p1 = places[1]!;
      const p2 = places[2]!;
      const p3 = places[3]!;
      const p4 = places[4]!;
      const p5 = places[5]!;
      const w0 = words[p0];
      const w1 = words[p1];
      const w2 = words[p2];
      const w3 = words[p3];
      const w4 = words[p4];
      const w5 = words[p5];
      const isRestSame = rest.length === 0 ? undefined : createRestWitness(rest);

      const rip = vmcb[RIP]!;
      const cr3 = vmcb32[CR3]!;
      const cs = vmcb32[CS]!;
      const efer = vmcb32[EFER]!;
      const cr0 = vmcb32[CR0]!;
      const cr4 = vmcb32[CR4]!;
      const csBase = vmcb32[CS_BASE]!;
      const isSameLegacy = isCode64(vcpu)
        ? undefined
        : (): boolean => vmcb32[CR0] === cr0 && vmcb32[CR4] === cr4 && vmcb32[CS_BASE] === csBase;

      return () =>
        vmcb[RIP] === rip &&
        vmcb32[CR3] === cr3 &&
        vmcb32[CS] === cs &&
        vmcb32[EFER] === efer &&
        words[p0] === w0 &&
        words[p1] === w1 &&
        words[p2] === w2 &&
        words[p3] === w3 &&
        words[p4] === w4 &&
        words[p5] === w5 &&
        (isRestSame === undefined || isRestSame()) &&
        (isSameLegacy === undefined || isSameLegacy());
    },
  };

  function createRestWitness(rest: readonly number[]): () => boolean {
    const then = rest.map((place) => words[place]);
    return () => rest.every((place, index) => words[place] === then[index]);
  }
}
