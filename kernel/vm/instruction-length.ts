/**
 * Going on behind the instructions that end in a #VMEXIT without telling the next RIP (CPUs without nRIP save, as QEMU's): an opcode of
 * known length behind any number of prefixes (AMD64 Architecture Programmer's Manual volume 3, "Instruction Prefixes").
 */
import { EFER, SEGMENT_ATTRIBUTES, VMCB } from '../regs/vmcb.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { Vcpu } from './vcpu.ts';

/** Longest instruction there is. */
export const LENGTH_MAX = 15;
/** By byte: 1 if it is one. An index costs the engine a tenth of what a look into a set does. */
const LEGACY_PREFIXES = new Uint8Array(256);
for (const byte of [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]) LEGACY_PREFIXES[byte] = 1;

/**
 * @param from index of the instruction's first byte
 * @returns how many bytes of prefixes there are; REX counts in 64-bit code only, where one before other prefixes is taken and ignored
 */
export function countPrefixes(bytes: ArrayLike<number>, isCode64: boolean, from = 0): number {
  const end = Math.min(from + LENGTH_MAX, bytes.length);
  const prefixes = LEGACY_PREFIXES;
  let at = from;
  while (at < end && (prefixes[bytes[at]!] === 1 || (isCode64 && (bytes[at]! & 0xf0) === 0x40))) at++;
  return at - from;
}

const PAGE = 4096;
const CS_WORD = VMCB.CS >> 2;
/** The attribute L of CS in that word. */
const CS_LONG = SEGMENT_ATTRIBUTES.LONG << 16;
const EFER_WORD = VMCB.EFER >> 2;
const LMA = Number(EFER.LMA);
/** The attribute says something in long mode only ("Code-Segment Descriptor Attributes"). */
export const isCode64 = ({ vmcb32 }: Pick<Vcpu, 'vmcb32'>): boolean =>
  (vmcb32[CS_WORD]! & CS_LONG) !== 0 && (vmcb32[EFER_WORD]! & LMA) !== 0;

/** Places of instructions that are remembered: a power of two. */
const REMEMBERED = 64;

/**
 * @returns a function that moves the guest behind the instruction at its RIP, whose opcode has `opcodeLength` bytes, the first of them
 * `first`. Where an instruction lies in memory is remembered, what it says is read each time.
 */
export function createSkip({ vmcb, vmcb32 }: Vcpu, memory: GuestMemory): (first: number, opcodeLength: number) => void {
  const { bytes } = memory;
  const RIP = VMCB.RIP >> 3;
  const RIP_LOW = VMCB.RIP >> 2;
  const CR3 = VMCB.CR3 >> 3;
  const SHADOW = VMCB.INTERRUPT_SHADOW >> 2;
  const rips = new BigInt64Array(REMEMBERED).fill(-1n);
  const tables = new BigInt64Array(REMEMBERED);
  const places = new Int32Array(REMEMBERED);
  /** Lengths as bigints: making one costs more than reading it. */
  const lengths = BigInt64Array.from({ length: LENGTH_MAX + 1 }, (_, length) => BigInt(length));

  function decode(first: number, opcodeLength: number): number {
    const physical = memory.translate(memory.instructionAddress());
    if (physical !== undefined && bytes[physical] === first) {
      const slot = vmcb32[RIP_LOW]! & (REMEMBERED - 1);
      rips[slot] = vmcb[RIP]!;
      tables[slot] = vmcb[CR3]!;
      places[slot] = physical;
      return opcodeLength;
    }
    // The CPU has decoded it: if its bytes are not to be had, the guest changed its own tables, and nobody else is harmed.
    const is64 = isCode64({ vmcb32 });
    const isWithinPage = physical !== undefined && (physical & (PAGE - 1)) <= PAGE - LENGTH_MAX;
    const prefixes = isWithinPage ? countPrefixes(bytes, is64, physical) : countPrefixes(memory.instructionBytes(LENGTH_MAX), is64);
    return prefixes + opcodeLength <= LENGTH_MAX ? prefixes + opcodeLength : opcodeLength;
  }

  return (first, opcodeLength) => {
    const rip = vmcb[RIP]!;
    const slot = vmcb32[RIP_LOW]! & (REMEMBERED - 1);
    const isKnown = rips[slot] === rip && bytes[places[slot]!] === first && tables[slot] === vmcb[CR3];
    vmcb[RIP] = rip + lengths[isKnown ? opcodeLength : decode(first, opcodeLength)]!;
    vmcb32[SHADOW] = 0;
  };
}
