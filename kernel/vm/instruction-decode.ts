/**
 * Instructions with an operand in memory, from their bytes (AMD64 Architecture Programmer's Manual volume 3, "Instruction Encoding"): those
 * that compilers and operating systems use on device registers. What is done with them is mmio-instruction.ts' affair.
 *
 * Not decoded: x87, SSE and AVX, MUL and DIV, shifts and rotations, MOVBE, ARPL, BOUND, control transfers, pushes into and pops out of a
 * stack that is a device, moves of segment registers, CMPXCHG16B.
 */
import { SEGMENT_ATTRIBUTES, VMCB } from '../regs/vmcb.ts';
import { isCode64, LENGTH_MAX } from './instruction-length.ts';
import type { Vcpu } from './vcpu.ts';

/** Of addresses and operands, in bytes. */
export type Size = 1 | 2 | 4 | 8;

/** Of the code segment: what addresses and operands have without prefixes, in bytes. 8 is 64-bit code. */
export type CodeSize = 2 | 4 | 8;

/** "Instruction Prefixes". */
export const REPEAT = { NONE: 0, WHILE_NOT_ZERO: 0xf2, WHILE_ZERO: 0xf3 } as const;
/** No base, or no index. */
export const NO_REGISTER = -1;
/** RIP, as a base. */
export const BASE_RIP = 16;
/** Opcodes of two bytes, 0Fh first, are numbers from here on. */
export const TWO_BYTE = 0x100;

export interface Instruction {
  readonly length: number;
  /** The opcode's last byte, plus TWO_BYTE behind 0Fh. */
  readonly opcode: number;
  /** The field `reg` of ModRM with REX.R: a register, or more of the opcode. */
  readonly reg: number;
  readonly hasRex: boolean;
  readonly isLocked: boolean;
  readonly repeat: number;
  readonly codeSize: CodeSize;
  /** Of the operand in memory. */
  readonly width: Size;
  /** Of the operand that is not, where it has another: MOVZX and its like, the source of BTx. */
  readonly operandSize: 2 | 4 | 8;
  readonly addressSize: 2 | 4 | 8;
  /** The operand in memory: VMCB offset of its segment; registers by number, NO_REGISTER or BASE_RIP; the index times 2^scale. */
  readonly segment: number;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly displacement: bigint;
  /** Sign-extended. */
  readonly immediate: bigint;
}

/** Why there is none: bytes are missing; over 15 of them; the CPU has no such instruction; or it is not among those above. */
export type NoInstruction = 'truncated' | 'too-long' | 'undefined' | 'unsupported';

/** @param read how many bytes were looked at */
export type Decoded = Instruction | { readonly problem: NoInstruction; readonly read: number };

// What follows an opcode, and what it works on.
const MODRM = 1;
const IMMEDIATE_8 = 2;
/** Of the operand's size, of 4 bytes if that is 8. */
const IMMEDIATE = 4;
/** An address instead of ModRM. */
const OFFSET = 8;
/** The operand in memory has one byte. */
const BYTE = 16;
/** Two bytes. */
const WORD = 32;
/** Addressed by RSI or RDI. */
const STRING = 64;
/** 64 bits without REX.W in 64-bit code. */
const STACK = 128;
/** May be locked, if its operand in memory is written. */
const LOCKABLE = 256;
const EXISTS = 512;
/** 32 bits, or 64 with REX.W; never 16. */
const NOT_16 = 1024;

function opcodes(): Uint16Array {
  const forms = new Uint16Array(2 * TWO_BYTE);
  const set = (opcode: number, form: number): number => (forms[opcode] = form | EXISTS);
  // ADD, OR, ADC, SBB, AND, SUB, XOR, CMP.
  for (let operation = 0; operation < 0x40; operation += 8) {
    const lockable = operation === 0x38 ? 0 : LOCKABLE;
    set(operation, MODRM | BYTE | lockable);
    set(operation + 1, MODRM | lockable);
    set(operation + 2, MODRM | BYTE);
    set(operation + 3, MODRM);
  }
  set(0x63, MODRM);
  set(0x80, MODRM | BYTE | IMMEDIATE_8 | LOCKABLE);
  set(0x81, MODRM | IMMEDIATE | LOCKABLE);
  set(0x83, MODRM | IMMEDIATE_8 | LOCKABLE);
  for (const test of [0x84, 0x88, 0x8a]) set(test, MODRM | BYTE);
  for (const test of [0x85, 0x89, 0x8b]) set(test, MODRM);
  set(0x86, MODRM | BYTE | LOCKABLE);
  set(0x87, MODRM | LOCKABLE);
  set(0x8f, MODRM | STACK);
  for (const byte of [0xa0, 0xa2]) set(byte, OFFSET | BYTE);
  for (const whole of [0xa1, 0xa3]) set(whole, OFFSET);
  for (const byte of [0xa4, 0xa6, 0xaa, 0xac, 0xae]) {
    set(byte, STRING | BYTE);
    set(byte + 1, STRING);
  }
  set(0xc6, MODRM | BYTE | IMMEDIATE_8);
  set(0xc7, MODRM | IMMEDIATE);
  // TEST of these has an immediate operand besides.
  set(0xf6, MODRM | BYTE | LOCKABLE);
  set(0xf7, MODRM | LOCKABLE);
  set(0xfe, MODRM | BYTE | LOCKABLE);
  set(0xff, MODRM | LOCKABLE);
  for (let condition = 0; condition < 16; condition++) {
    set(TWO_BYTE + 0x40 + condition, MODRM);
    set(TWO_BYTE + 0x90 + condition, MODRM | BYTE);
  }
  set(TWO_BYTE + 0xa3, MODRM);
  for (const bits of [0xab, 0xb3, 0xbb]) set(TWO_BYTE + bits, MODRM | LOCKABLE);
  set(TWO_BYTE + 0xba, MODRM | IMMEDIATE_8 | LOCKABLE);
  for (const byte of [0xb0, 0xc0]) {
    set(TWO_BYTE + byte, MODRM | BYTE | LOCKABLE);
    set(TWO_BYTE + byte + 1, MODRM | LOCKABLE);
  }
  for (const extended of [0xb6, 0xbe]) {
    set(TWO_BYTE + extended, MODRM | BYTE);
    set(TWO_BYTE + extended + 1, MODRM | WORD);
  }
  set(TWO_BYTE + 0xc3, MODRM | NOT_16);
  set(TWO_BYTE + 0xc7, MODRM | LOCKABLE | NOT_16);
  return forms;
}
const FORMS = opcodes();

/** Of opcodes that ModRM's `reg` goes on with: the values that are decoded, and those that may be locked, a bit each. */
const GROUPS: Readonly<Record<number, { readonly decoded: number; readonly lockable: number }>> = {
  0x80: { decoded: 0xff, lockable: 0x7f },
  0x81: { decoded: 0xff, lockable: 0x7f },
  0x83: { decoded: 0xff, lockable: 0x7f },
  0x8f: { decoded: 0x01, lockable: 0 },
  0xc6: { decoded: 0x01, lockable: 0 },
  0xc7: { decoded: 0x01, lockable: 0 },
  0xf6: { decoded: 0x0f, lockable: 0x0c },
  0xf7: { decoded: 0x0f, lockable: 0x0c },
  0xfe: { decoded: 0x03, lockable: 0x03 },
  0xff: { decoded: 0x43, lockable: 0x03 },
  [TWO_BYTE + 0xba]: { decoded: 0xf0, lockable: 0xe0 },
  [TWO_BYTE + 0xc7]: { decoded: 0x02, lockable: 0x02 },
};

/** "ModRM Byte", effective addresses of 16 bits by `r/m`: base and index. */
const RBX = 3;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;
const BASES_16 = [RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX];
const INDICES_16 = [RSI, RDI, RSI, RDI, NO_REGISTER, NO_REGISTER, NO_REGISTER, NO_REGISTER];

export const SEGMENT_PREFIXES: Readonly<Record<number, number>> = {
  0x26: VMCB.ES,
  0x2e: VMCB.CS,
  0x36: VMCB.SS,
  0x3e: VMCB.DS,
  0x64: VMCB.FS,
  0x65: VMCB.GS,
};

/** "Operand-Size" and "Address-Size" defaults of the code segment. */
export function codeSizeOf(vcpu: Pick<Vcpu, 'vmcb32'>): CodeSize {
  if (isCode64(vcpu)) return 8;
  return ((vcpu.vmcb32[VMCB.CS >> 2]! >>> 16) & SEGMENT_ATTRIBUTES.DEFAULT_32) !== 0 ? 4 : 2;
}

/** @param bytes the instruction's first, and up to 15 of them as far as they can be read */
export function decodeInstruction(bytes: ArrayLike<number>, codeSize: CodeSize): Decoded {
  const is64 = codeSize === 8;
  const limit = Math.min(bytes.length, LENGTH_MAX);
  let at = 0;
  let missing = 0;
  /** The next byte, 0 if there is none. */
  function next(): number {
    if (at >= limit) {
      missing++;
      return 0;
    }
    return bytes[at++]!;
  }
  /** The next `size` bytes, with their sign. */
  function signed(size: number): bigint {
    if (size === 0) return 0n;
    if (size === 1) return BigInt((next() << 24) >> 24);
    if (size === 2) return BigInt(((next() | (next() << 8)) << 16) >> 16);
    const low = next() | (next() << 8) | (next() << 16) | (next() << 24);
    if (size === 4) return BigInt(low);
    const high = next() | (next() << 8) | (next() << 16) | (next() << 24);
    return (BigInt(high) << 32n) | BigInt(low >>> 0);
  }
  const none = (problem: NoInstruction): Decoded => ({
    problem: missing > 0 ? (bytes.length >= LENGTH_MAX ? 'too-long' : 'truncated') : problem,
    read: at,
  });

  let segment: number | undefined;
  let otherOperands = false;
  let otherAddresses = false;
  let isLocked = false;
  let repeat: number = REPEAT.NONE;
  let rex = 0;
  let byte: number;
  for (;;) {
    byte = next();
    const prefixed = SEGMENT_PREFIXES[byte];
    if (prefixed !== undefined) {
      // "Segment-Override Prefixes": in 64-bit mode the others are ignored.
      if (!is64 || byte === 0x64 || byte === 0x65) segment = prefixed;
    } else if (byte === 0x66) otherOperands = true;
    else if (byte === 0x67) otherAddresses = true;
    else if (byte === 0xf0) isLocked = true;
    else if (byte === REPEAT.WHILE_NOT_ZERO || byte === REPEAT.WHILE_ZERO) repeat = byte;
    else if (is64 && (byte & 0xf0) === 0x40) {
      rex = byte;
      continue;
    } else break;
    // "REX Prefix": one that is not right before the opcode is ignored.
    rex = 0;
  }
  const opcode = byte === 0x0f ? TWO_BYTE + next() : byte;
  const form = FORMS[opcode]!;
  if (missing > 0 || (form & EXISTS) === 0) return none('unsupported');
  // Outside of 64-bit code it is ARPL.
  if (opcode === 0x63 && !is64) return none('unsupported');
  // With these prefixes they are others, or none.
  if ((form & NOT_16) !== 0 && (repeat !== REPEAT.NONE || otherOperands)) return none('unsupported');

  const isWide = (rex & 8) !== 0;
  const shorter = codeSize === 2 ? !otherOperands : otherOperands;
  let operandSize: 2 | 4 | 8 = isWide ? 8 : shorter && (form & NOT_16) === 0 ? 2 : 4;
  const addressSize = is64 ? (otherAddresses ? 4 : 8) : (codeSize === 4) !== otherAddresses ? 4 : 2;
  const isStack = (form & STACK) !== 0;

  let reg = 0;
  let base = NO_REGISTER;
  let index = NO_REGISTER;
  let scale = 0;
  let displacement = 0n;
  let lockable = (form & LOCKABLE) !== 0;
  let immediateForm = form & (IMMEDIATE | IMMEDIATE_8);
  if ((form & OFFSET) !== 0) displacement = signed(addressSize);
  else if ((form & STRING) === 0) {
    const modrm = next();
    const mod = modrm >> 6;
    reg = ((modrm >> 3) & 7) | ((rex & 4) << 1);
    const rm = modrm & 7;
    const group = GROUPS[opcode];
    if (group !== undefined) {
      if (((group.decoded >> (reg & 7)) & 1) === 0) return none('unsupported');
      lockable = ((group.lockable >> (reg & 7)) & 1) !== 0;
      if ((opcode | 1) === 0xf7 && (reg & 7) < 2) immediateForm = opcode === 0xf6 ? IMMEDIATE_8 : IMMEDIATE;
      if (opcode === 0xff && (reg & 7) === 6 && is64 && operandSize === 4) operandSize = 8;
    }
    // No operand in memory.
    if (mod === 3) return none(isLocked ? 'undefined' : 'unsupported');
    let displacementSize = mod === 1 ? 1 : mod === 2 ? Math.min(addressSize, 4) : 0;
    if (addressSize === 2) {
      base = BASES_16[rm]!;
      index = INDICES_16[rm]!;
      if (mod === 0 && rm === 6) {
        base = NO_REGISTER;
        displacementSize = 2;
      }
    } else {
      base = rm | ((rex & 1) << 3);
      if (rm === RSP) {
        const sib = next();
        scale = sib >> 6;
        index = ((sib >> 3) & 7) | ((rex & 2) << 2);
        if (index === RSP) index = NO_REGISTER;
        base = (sib & 7) | ((rex & 1) << 3);
      }
      if (mod === 0 && (base & 7) === RBP) {
        base = rm === RBP && is64 ? BASE_RIP : NO_REGISTER;
        displacementSize = 4;
      }
    }
    segment ??= base === RSP || base === RBP ? VMCB.SS : VMCB.DS;
    displacement = signed(displacementSize);
  }
  if (isStack && is64 && operandSize === 4) operandSize = 8;
  let immediate = 0n;
  if (immediateForm === IMMEDIATE_8) immediate = signed(1);
  else if (immediateForm === IMMEDIATE) immediate = signed(Math.min(operandSize, 4));
  if (missing > 0) return none('truncated');
  if (isLocked && !lockable) return none('undefined');

  // CMPXCHG8B; MOVSXD's source; MOVSX's and MOVZX's.
  let width: Size = operandSize;
  if (opcode === TWO_BYTE + 0xc7) {
    if (isWide) return none('unsupported');
    width = 8;
  } else if (opcode === 0x63) width = operandSize === 2 ? 2 : 4;
  else if ((form & WORD) !== 0) width = 2;
  else if ((form & BYTE) !== 0) width = 1;
  return {
    length: at,
    opcode,
    reg,
    hasRex: rex !== 0,
    isLocked,
    repeat,
    codeSize,
    width,
    operandSize,
    addressSize,
    segment: segment ?? VMCB.DS,
    base,
    index,
    scale,
    displacement,
    immediate,
  };
}
