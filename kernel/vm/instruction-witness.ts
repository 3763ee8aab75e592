/**
 * Whether what was decoded at an address is still what stands there, at a fraction of the cost of reading it again.
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
import { isCode64 } from './instruction-length.ts';
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

/** @returns a function that makes, of the instruction at RIP of so many bytes, one that says whether it is still there */
export function createInstructionWitness(vcpu: Vcpu, memory: GuestMemory, { walk, visited }: GuestWalk): (length: number) => () => boolean {
  const { vmcb, vmcb32 } = vcpu;
  const words = new Int32Array(memory.bytes.buffer, memory.bytes.byteOffset, memory.length >> 2);

  /** @returns indices of the words on the way to it, and those with its bytes: undefined if the way is gone */
  function placesOf(length: number): number[] | undefined {
    const linear = memory.instructionAddress();
    const places: number[] = [];
    for (let at = 0; at < length;) {
      const from = linear + BigInt(at);
      const { physical } = walk(from, 'fetch');
      if (physical === undefined || physical >= memory.length) return undefined;
      places.push(...visited);
      const size = Math.min(length - at, PAGE - (physical % PAGE));
      for (let word = physical >> 2; word <= (physical + size - 1) >> 2; word++) places.push(word);
      at += size;
    }
    return places;
  }

  return (length) => {
    const places = placesOf(length);
    if (places === undefined) return NEVER;
    const rest = places.splice(UNROLLED);
    // One that is compared twice does no harm.
    while (places.length < UNROLLED) places.push(places[0]!);
    const [p0, p1, p2, p3, p4, p5] = places as [number, number, number, number, number, number];
    const [w0, w1, w2, w3, w4, w5] = [words[p0], words[p1], words[p2], words[p3], words[p4], words[p5]];
    const restWords = rest.map((place) => words[place]);
    const isRestSame = rest.length === 0 ? undefined : (): boolean => rest.every((place, index) => words[place] === restWords[index]);

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
  };
}
