/**
 * Lengths of the instructions that end in a #VMEXIT without telling the next RIP (CPUs without nRIP save, as QEMU's): an opcode of known
 * length behind any number of prefixes (AMD64 Architecture Programmer's Manual volume 3, "Instruction Prefixes").
 */
import { SEGMENT_ATTRIBUTES, VMCB } from '../regs/vmcb.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { Vcpu } from './vcpu.ts';

/** Longest instruction there is. */
const LENGTH_MAX = 15;
const LEGACY_PREFIXES: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

/** @returns how many bytes of prefixes there are; REX counts in 64-bit code only */
export function countPrefixes(bytes: readonly number[], isCode64: boolean): number {
  let count = 0;
  while (count < bytes.length && LEGACY_PREFIXES.has(bytes[count]!)) count++;
  if (isCode64 && count < bytes.length && (bytes[count]! & 0xf0) === 0x40) count++;
  return count;
}

export const isCode64 = ({ vmcb32 }: Vcpu): boolean => ((vmcb32[VMCB.CS >> 2]! >>> 16) & SEGMENT_ATTRIBUTES.LONG) !== 0;

/** Places of instructions that are remembered. */
const REMEMBERED = 32;

/**
 * @returns the length of the instruction at the guest's RIP, whose opcode has `opcodeLength` bytes, the first of them `first`. Where an
 * instruction lies is remembered, what it says is read each time.
 */
export function createInstructionLengths(vcpu: Vcpu, memory: GuestMemory): (first: number, opcodeLength: number) => number {
  const { vmcb } = vcpu;
  const { bytes } = memory;
  const RIP = VMCB.RIP >> 3;
  const CR3 = VMCB.CR3 >> 3;
  const rips = new BigInt64Array(REMEMBERED).fill(-1n);
  const tables = new BigInt64Array(REMEMBERED);
  const places = new Int32Array(REMEMBERED);
  const toNumber = Number;

  function decode(first: number, opcodeLength: number): number {
    const rip = vmcb[RIP]!;
    const found = memory.instructionBytes(LENGTH_MAX);
    const prefixes = countPrefixes(found, isCode64(vcpu));
    if (prefixes === 0 && found[0] === first) {
      const place = toNumber(BigInt.asUintN(5, rip));
      rips[place] = rip;
      tables[place] = vmcb[CR3]!;
      places[place] = memory.translate(memory.instructionAddress()) ?? 0;
    }
    // The CPU has decoded it: if its bytes are not to be had, it changed its own tables, and nobody but the guest is harmed.
    return prefixes + opcodeLength;
  }

  return (first, opcodeLength) => {
    const rip = vmcb[RIP]!;
    const place = toNumber(rip & 31n);
    if (rips[place] === rip && tables[place] === vmcb[CR3] && bytes[places[place]!] === first) return opcodeLength;
    return decode(first, opcodeLength);
  };
}
