/** A guest's general registers by their number in instructions (AMD64 Architecture Programmer's Manual volume 3, "ModRM Byte"). */
import { VMCB } from '../regs/vmcb.ts';
import { AREA } from './guest-area.ts';
import type { Size } from './instruction-decode.ts';
import type { Vcpu } from './vcpu.ts';

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RSI = 6;
export const RDI = 7;

/** Where they are in the area. RSP is in the VMCB. */
const WORDS = [
  AREA.RAX,
  AREA.RCX,
  AREA.RDX,
  AREA.RBX,
  -1,
  AREA.RBP,
  AREA.RSI,
  AREA.RDI,
  AREA.R8,
  AREA.R9,
  AREA.R10,
  AREA.R11,
  AREA.R12,
  AREA.R13,
  AREA.R14,
  AREA.R15,
] as const;

/** By width in bytes: all ones. */
export const MASKS: Readonly<Record<Size, bigint>> = { 1: 0xffn, 2: 0xffffn, 4: 0xffff_ffffn, 8: 0xffff_ffff_ffff_ffffn };

/** Words of 64 bits, and the same as words of 32, in which a register is: the low half of word n at 2 * n. */
export interface RegisterPlace {
  readonly words: BigInt64Array;
  readonly words32: Int32Array;
  readonly word: number;
}
export const placeOf = ({ area, area32, vmcb, vmcb32 }: Vcpu, number: number): RegisterPlace =>
  number === RSP ? { words: vmcb, words32: vmcb32, word: VMCB.RSP >> 3 } : { words: area, words32: area32, word: WORDS[number]! };

/** "Byte registers without REX": 4 to 7 are AH to BH. */
const isHighByte = (number: number, width: Size, hasRex: boolean): boolean => width === 1 && !hasRex && number >= 4 && number < 8;

/** @returns a function that reads the low `width` bytes of it, unsigned */
export function registerReader(vcpu: Vcpu, number: number, width: Size, hasRex: boolean): () => bigint {
  const isHigh = isHighByte(number, width, hasRex);
  const { words, word } = placeOf(vcpu, isHigh ? number - 4 : number);
  const mask = MASKS[width];
  return isHigh ? () => (words[word]! >> 8n) & 0xffn : () => words[word]! & mask;
}

/** @returns a function that writes them, from a value of their width: 4 bytes clear the upper half, fewer leave the rest */
export function registerWriter(vcpu: Vcpu, number: number, width: Size, hasRex: boolean): (value: bigint) => void {
  const isHigh = isHighByte(number, width, hasRex);
  const { words, word } = placeOf(vcpu, isHigh ? number - 4 : number);
  if (isHigh) return (value) => void (words[word] = (words[word]! & ~0xff00n) | (value << 8n));
  if (width >= 4) return (value) => void (words[word] = value);
  const mask = MASKS[width];
  return (value) => void (words[word] = (words[word]! & ~mask) | value);
}
