/**
 * What the CPU's arithmetic leaves in RFLAGS (AMD64 Architecture Programmer's Manual volume 1, "Flags Register"; volume 3, the pages of the
 * instructions). Operands and results are unsigned, of a width in bytes. Flags that the manual leaves undefined: AF of the logical
 * operations is cleared.
 */
import { MASKS } from './guest-registers.ts';
import type { Size } from './instruction-decode.ts';

export const FLAG = { CF: 1 << 0, PF: 1 << 2, AF: 1 << 4, ZF: 1 << 6, SF: 1 << 7, OF: 1 << 11 } as const;
/** All six. */
export const STATUS_FLAGS = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF;

/** @param flags the six, where nothing is said of the others */
export interface Result {
  readonly value: bigint;
  readonly flags: number;
}
/** @param flags before: CF is an operand of ADC and SBB, and stays as it was at INC and DEC */
export type Binary = (a: bigint, b: bigint, width: Size, flags: number) => Result;

const topBit = (value: bigint, width: Size): boolean => value >> BigInt(8 * width - 1) !== 0n;

function parity(value: bigint): number {
  let bits = Number(value & 0xffn);
  bits ^= bits >> 4;
  bits ^= bits >> 2;
  bits ^= bits >> 1;
  return (bits & 1) === 0 ? FLAG.PF : 0;
}
const ofResult = (value: bigint, width: Size): number =>
  parity(value) | (value === 0n ? FLAG.ZF : 0) | (topBit(value, width) ? FLAG.SF : 0);

function sum(a: bigint, b: bigint, carry: bigint, width: Size): Result {
  const whole = a + b + carry;
  const value = whole & MASKS[width];
  const flags =
    ofResult(value, width) |
    (whole === value ? 0 : FLAG.CF) |
    (((a ^ b ^ value) & 0x10n) === 0n ? 0 : FLAG.AF) |
    (topBit((a ^ value) & (b ^ value), width) ? FLAG.OF : 0);
  return { value, flags };
}

function difference(a: bigint, b: bigint, borrow: bigint, width: Size): Result {
  const value = (a - b - borrow) & MASKS[width];
  const flags =
    ofResult(value, width) |
    (a < b + borrow ? FLAG.CF : 0) |
    (((a ^ b ^ value) & 0x10n) === 0n ? 0 : FLAG.AF) |
    (topBit((a ^ b) & (a ^ value), width) ? FLAG.OF : 0);
  return { value, flags };
}

const logical = (value: bigint, width: Size): Result => ({ value, flags: ofResult(value, width) });
const carryOf = (flags: number): bigint => ((flags & FLAG.CF) === 0 ? 0n : 1n);

export const add: Binary = (a, b, width) => sum(a, b, 0n, width);
export const subtract: Binary = (a, b, width) => difference(a, b, 0n, width);
export const and: Binary = (a, b, width) => logical(a & b, width);

/** In the order of their opcodes: ADD, OR, ADC, SBB, AND, SUB, XOR, CMP. */
export const OPERATIONS: readonly Binary[] = [
  add,
  (a, b, width) => logical(a | b, width),
  (a, b, width, flags) => sum(a, b, carryOf(flags), width),
  (a, b, width, flags) => difference(a, b, carryOf(flags), width),
  and,
  subtract,
  (a, b, width) => logical(a ^ b, width),
  subtract,
];
/** Of these: the one whose result is not stored. */
export const COMPARE = 7;

function keepingCarry({ value, flags }: Result, before: number): Result {
  return { value, flags: (flags & ~FLAG.CF) | (before & FLAG.CF) };
}
export const increment = (a: bigint, width: Size, flags: number): Result => keepingCarry(sum(a, 1n, 0n, width), flags);
export const decrement = (a: bigint, width: Size, flags: number): Result => keepingCarry(difference(a, 1n, 0n, width), flags);

/** "Condition Codes": O, B, Z, BE, S, P, L, LE, each followed by its opposite. @param condition the opcode's low four bits */
export function holds(condition: number, flags: number): boolean {
  const isLess = ((flags & FLAG.SF) === 0) !== ((flags & FLAG.OF) === 0);
  let isTrue: boolean;
  switch (condition >> 1) {
    case 0:
      isTrue = (flags & FLAG.OF) !== 0;
      break;
    case 1:
      isTrue = (flags & FLAG.CF) !== 0;
      break;
    case 2:
      isTrue = (flags & FLAG.ZF) !== 0;
      break;
    case 3:
      isTrue = (flags & (FLAG.CF | FLAG.ZF)) !== 0;
      break;
    case 4:
      isTrue = (flags & FLAG.SF) !== 0;
      break;
    case 5:
      isTrue = (flags & FLAG.PF) !== 0;
      break;
    case 6:
      isTrue = isLess;
      break;
    default:
      isTrue = isLess || (flags & FLAG.ZF) !== 0;
  }
  return isTrue !== ((condition & 1) !== 0);
}
