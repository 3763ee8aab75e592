/**
 * Where an instruction's operand in memory lies: from its registers to linear addresses, through the guest's tables to its memory, to devices,
 * or to some of both.
 */
import { SEGMENT, SEGMENT_ATTRIBUTES, VMCB } from '../regs/vmcb.ts';
import type { MemoryDevice, Width } from '../vdev/device.ts';
import type { GuestMemory } from './guest-memory.ts';
import { MASKS, placeOf, registerReader, RSP } from './guest-registers.ts';
import type { Access, GuestWalk } from './guest-walk.ts';
import { isCode64 } from './instruction-length.ts';
import { BASE_RIP, NO_REGISTER, TWO_BYTE, type Instruction } from './instruction-decode.ts';
import type { Vcpu } from './vcpu.ts';

export const PAGE = 4096;

/** The device at a guest-physical page (address / 4096); its offsets count from the page's first byte. Never asked for pages of the
 * guest's memory, and always to give the same. */
export type DeviceAt = (page: number) => MemoryDevice;

/** An exception that the guest is to get. CR2 is set already where it is a page fault. */
export interface Fault {
  readonly kind: 'fault';
  readonly vector: number;
  readonly errorCode?: number;
}

const VECTOR_SS = 12;
const VECTOR_GP = 13;
const VECTOR_PF = 14;

/** BT, BTS, BTR and BTC with a register: its bits above those of one operand count operands. */
export const isBitString = ({ opcode }: Instruction): boolean => opcode >= TWO_BYTE && ((opcode - TWO_BYTE) & 0xe7) === 0xa3;

/** In 64-bit code the others have base 0, whatever is in the register. */
const hasBase = (codeSize: number, segment: number): boolean => codeSize !== 8 || segment === VMCB.FS || segment === VMCB.GS;

/** Linear address of an offset in a segment. */
export function inSegment({ vmcb }: Vcpu, codeSize: number, segment: number, offset: bigint): bigint {
  if (!hasBase(codeSize, segment)) return offset;
  const sum = offset + vmcb[(segment + SEGMENT.BASE) >> 3]!;
  return codeSize === 8 ? BigInt.asUintN(64, sum) : BigInt.asUintN(32, sum);
}

/** @param more added to the offset; @param next where RIP is behind the instruction */
export function linearAddress(vcpu: Vcpu, instruction: Instruction, next: bigint, more = 0n): bigint {
  const { base, index, scale, displacement, addressSize, operandSize, codeSize, segment, reg } = instruction;
  let offset = displacement + more;
  if (base === BASE_RIP) offset += next;
  else if (base !== NO_REGISTER) offset += registerReader(vcpu, base, 8, true)();
  if (index !== NO_REGISTER) offset += registerReader(vcpu, index, 8, true)() << BigInt(scale);
  if (isBitString(instruction)) {
    const bits = 8 * operandSize;
    const first = BigInt.asIntN(bits, registerReader(vcpu, reg, operandSize, true)());
    offset += (first >> (operandSize === 2 ? 4n : operandSize === 4 ? 5n : 6n)) * BigInt(operandSize);
  }
  return inSegment(vcpu, codeSize, segment, offset & MASKS[addressSize]);
}

/** In place of a register: 0. */
const ZERO = { words32: new Int32Array(1), word: 0 } as const;

/** @returns a function that gives the low 12 bits of linearAddress, for a fraction of its cost */
export function createPageOffset(vcpu: Vcpu, instruction: Instruction, next: bigint): () => number {
  const { base, index, scale, displacement, operandSize, codeSize, segment, reg } = instruction;
  const isRip = base === BASE_RIP;
  const constant = Number((displacement + (isRip ? next : 0n)) & 0xfffn);
  const isBits = isBitString(instruction);
  const isPlain = !hasBase(codeSize, segment) && index === NO_REGISTER && !isBits;
  if (isPlain && (isRip || base === NO_REGISTER)) return () => constant;
  const ofBase = isRip || base === NO_REGISTER ? ZERO : placeOf(vcpu, base);
  const baseWords = ofBase.words32;
  const baseHalf = 2 * ofBase.word;
  if (isPlain) return () => (baseWords[baseHalf]! + constant) & 0xfff;
  const ofIndex = index === NO_REGISTER ? ZERO : placeOf(vcpu, index);
  const indexWords = ofIndex.words32;
  const indexHalf = 2 * ofIndex.word;
  const segmentWords = hasBase(codeSize, segment) ? vcpu.vmcb32 : ZERO.words32;
  const segmentHalf = hasBase(codeSize, segment) ? (segment + SEGMENT.BASE) >> 2 : 0;
  const sum = (): number => (baseWords[baseHalf]! + (indexWords[indexHalf]! << scale) + segmentWords[segmentHalf]! + constant) & 0xfff;
  if (!isBits) return sum;
  const bits = placeOf(vcpu, reg);
  const bitsHalf = 2 * bits.word;
  // Of operands of 2 bytes: 16 bits of the register, signed.
  const [up, down, bytes] = operandSize === 2 ? [16, 20, 1] : operandSize === 4 ? [0, 5, 2] : [0, 6, 3];
  return () => (sum() + (((bits.words32[bitsHalf]! << up) >> down) << bytes)) & 0xfff;
}

/** Bytes of the stack pointer that count. */
export function stackSize({ vmcb32 }: Vcpu, codeSize: number): 2 | 4 | 8 {
  if (codeSize === 8) return 8;
  return ((vmcb32[VMCB.SS >> 2]! >>> 16) & SEGMENT_ATTRIBUTES.DEFAULT_32) !== 0 ? 4 : 2;
}
export const stackPointer = (vcpu: Vcpu, size: 2 | 4 | 8): bigint => registerReader(vcpu, RSP, size, true)();

/**
 * An operand that has been located: reads and writes of it go to where it lies; the offset that they name is not looked at. One that crosses
 * into another page is accessed in its two parts, the lower first, a device's part in the largest powers of two from its beginning.
 */
export interface Located extends MemoryDevice {
  /** What is known of the way is used for one exit only. */
  forget(): void;
  /** @returns why there is none: 'no-table' if a page table is not in the guest's memory */
  locate(linear: bigint, width: Width, access: Access): Fault | 'no-table' | undefined;
  /** Whether this guest-physical address is the first of a part of it: the one that a fault tells. */
  isAt(address: number): boolean;
  isInDevice(): boolean;
}

export interface OperandParts {
  readonly vcpu: Vcpu;
  readonly memory: GuestMemory;
  readonly guestWalk: GuestWalk;
  readonly deviceAt: DeviceAt;
}

export function createLocated({ vcpu, memory, guestWalk, deviceAt }: OperandParts): Located {
  const { vmcb } = vcpu;
  const { bytes, length } = memory;
  let first = 0;
  let firstBytes = 0;
  /** Page-aligned; -1 if there is no second part. */
  let second = -1;
  const pageOf = (physical: number): number => Math.floor(physical / PAGE);

  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  function readWhole(physical: number, width: Width): bigint {
    if (physical >= length) return deviceAt(pageOf(physical)).read(physical % PAGE, width);
    if (width === 1) return BigInt(bytes[physical]!);
    if (width === 2) return BigInt(view.getUint16(physical, true));
    return width === 4 ? BigInt(view.getUint32(physical, true)) : view.getBigUint64(physical, true);
  }
  function writeWhole(physical: number, width: Width, value: bigint): void {
    if (physical >= length) deviceAt(pageOf(physical)).write(physical % PAGE, width, value);
    else if (width === 1) view.setUint8(physical, Number(value));
    else if (width === 2) view.setUint16(physical, Number(value), true);
    else if (width === 4) view.setUint32(physical, Number(value), true);
    else view.setBigUint64(physical, value, true);
  }

  /** Calls back for each access that a part is made of. */
  function eachAccess(
    physical: number,
    size: number,
    access: (device: MemoryDevice, offset: number, width: Width, done: number) => void,
  ): void {
    const device = deviceAt(pageOf(physical));
    const offset = physical % PAGE;
    for (let done = 0; done < size;) {
      const left = size - done;
      const width = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
      access(device, offset + done, width, done);
      done += width;
    }
  }

  function readPart(physical: number, size: number): bigint {
    let value = 0n;
    if (physical < length) for (let at = size - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[physical + at]!);
    else
      eachAccess(physical, size, (device, offset, width, done) => {
        value |= device.read(offset, width) << BigInt(8 * done);
      });
    return value;
  }

  function writePart(physical: number, size: number, value: bigint): void {
    if (physical < length) for (let at = 0; at < size; at++) bytes[physical + at] = Number((value >> BigInt(8 * at)) & 0xffn);
    else
      eachAccess(physical, size, (device, offset, width, done) => {
        device.write(offset, width, (value >> BigInt(8 * done)) & MASKS[width]);
      });
  }

  /** The last page that was found, and where: elements of strings lie side by side. */
  let knownPage = -1n;
  let knownAccess: Access = 'read';
  let knownBase = 0;

  /** @returns the physical address, -1 if `refused` says why there is none */
  let refused: Fault | 'no-table' | undefined;
  function physicalOf(linear: bigint, offset: number, access: Access): number {
    const page = linear >> 12n;
    if (page === knownPage && access === knownAccess) return knownBase + offset;
    const walked = guestWalk.walk(linear, access);
    if (walked.physical !== undefined) {
      knownPage = page;
      knownAccess = access;
      knownBase = walked.physical - offset;
      return walked.physical;
    }
    const { errorCode } = walked;
    if (errorCode === undefined) refused = 'no-table';
    else {
      vmcb[VMCB.CR2 >> 3] = isCode64(vcpu) ? linear : linear & MASKS[4];
      refused = { kind: 'fault', vector: VECTOR_PF, errorCode };
    }
    return -1;
  }

  return {
    forget() {
      knownPage = -1n;
    },
    locate(linear, width, access) {
      refused = undefined;
      const offset = Number(linear & 0xfffn);
      const inPage = PAGE - offset;
      firstBytes = Math.min(width, inPage);
      second = -1;
      first = physicalOf(linear, offset, access);
      if (first >= 0 && firstBytes < width) second = physicalOf(linear + BigInt(inPage), 0, access);
      return refused;
    },
    isAt: (address) => first === address || second === address,
    isInDevice: () => first >= length || second >= length,
    read: (_offset, width) =>
      second < 0 ? readWhole(first, width) : readPart(first, firstBytes) | (readPart(second, width - firstBytes) << BigInt(8 * firstBytes)),
    write(_offset, width, value) {
      if (second < 0) return writeWhole(first, width, value);
      writePart(first, firstBytes, value & ((1n << BigInt(8 * firstBytes)) - 1n));
      writePart(second, width - firstBytes, value >> BigInt(8 * firstBytes));
    },
  };
}

/** "Canonical Address Form": #GP, or #SS on the stack, where an address of 64-bit code is not in it. */
export function checkCanonical(linear: bigint, codeSize: number, segment: number): Fault | undefined {
  if (codeSize !== 8 || BigInt.asUintN(64, BigInt.asIntN(48, linear)) === linear) return undefined;
  return { kind: 'fault', vector: segment === VMCB.SS ? VECTOR_SS : VECTOR_GP, errorCode: 0 };
}
