/** Encodings by the machine's assembler, read in every mode. What is done with them: mmio-instruction.test.ts. */
import { describe, expect, it } from 'vitest';
import { assemble } from '../../tools/harness/assemble.ts';
import { SEGMENT_ATTRIBUTES, VMCB } from '../regs/vmcb.ts';
import { createFakeVcpu } from '../testing/guest.ts';
import { createRandom } from '../testing/random.ts';
import { BASE_RIP, codeSizeOf, decodeInstruction, NO_REGISTER, TWO_BYTE, type CodeSize, type Instruction } from './instruction-decode.ts';

const [AX, CX, BX, SP, BP, SI, DI, R12, R13] = [0, 1, 3, 4, 5, 6, 7, 12, 13];
const { CS, DS, ES, FS, GS, SS } = VMCB;
const NONE = NO_REGISTER;

const decode = (bytes: ArrayLike<number>, codeSize: CodeSize): Instruction => {
  const decoded = decodeInstruction(bytes, codeSize);
  if ('problem' in decoded) throw new Error(`${decoded.problem} after ${decoded.read} bytes`);
  return decoded;
};
/** Whatever stands behind it. */
function decodeText(text: string, bits: 16 | 32 | 64): Instruction {
  const [code] = assemble([text], bits);
  const bytes = createRandom(code!.length).bytes(15);
  bytes.set(code!);
  const decoded = decode(bytes, (bits / 8) as CodeSize);
  expect(decoded.length, text).toBe(code!.length);
  expect(decode(code!, (bits / 8) as CodeSize), text).toEqual(decoded);
  return decoded;
}

/** Segment, base, index, scale (a power of 2), displacement. */
type Address = readonly [number, number, number, number, bigint];
const addressOf = ({ segment, base, index, scale, displacement }: Instruction): Address => [segment, base, index, scale, displacement];

describe('addresses', () => {
  it.each<[string, Address]>([
    ['[bx + si]', [DS, BX, SI, 0, 0n]],
    ['[bx + di + 5]', [DS, BX, DI, 0, 5n]],
    ['[bp + si - 0x80]', [SS, BP, SI, 0, -0x80n]],
    ['[bp + di + 0x1234]', [SS, BP, DI, 0, 0x1234n]],
    ['[si]', [DS, SI, NONE, 0, 0n]],
    ['[di - 1]', [DS, DI, NONE, 0, -1n]],
    ['[bp]', [SS, BP, NONE, 0, 0n]],
    ['[bx + 0x7fff]', [DS, BX, NONE, 0, 0x7fffn]],
    ['es:[bx]', [ES, BX, NONE, 0, 0n]],
    ['ds:[bp + 2]', [DS, BP, NONE, 0, 2n]],
    ['cs:[si]', [CS, SI, NONE, 0, 0n]],
    ['[eax + ebx * 4 + 3]', [DS, AX, BX, 2, 3n]],
    ['fs:[esp + 0x12345678]', [FS, SP, NONE, 0, 0x1234_5678n]],
  ])('of 16-bit code: %s', (text, address) => {
    const whole = decodeText(`mov cl, byte ptr ${text}`, 16);
    expect(addressOf(whole)).toEqual(address);
    expect(whole.addressSize).toBe(text.includes('e') && !text.startsWith('es') ? 4 : 2);
  });
  it('of 16-bit code: nothing but an offset', () => {
    expect(addressOf(decodeText('mov cx, word ptr ds:[0x8123]', 16))).toEqual([DS, NONE, NONE, 0, -0x7eddn]);
  });

  it.each<[string, Address]>([
    ['[eax]', [DS, AX, NONE, 0, 0n]],
    ['[ebp]', [SS, BP, NONE, 0, 0n]],
    ['[esp]', [SS, SP, NONE, 0, 0n]],
    ['[ebp + ecx * 8 - 4]', [SS, BP, CX, 3, -4n]],
    ['[ecx * 2 + 0x1000]', [DS, NONE, CX, 1, 0x1000n]],
    ['[ebx + ebp]', [DS, BX, BP, 0, 0n]],
    ['[edi + 0x80]', [DS, DI, NONE, 0, 0x80n]],
    ['gs:[ebp + 0x7f]', [GS, BP, NONE, 0, 0x7fn]],
    ['ss:[ebx]', [SS, BX, NONE, 0, 0n]],
    ['[bp + si + 1]', [SS, BP, SI, 0, 1n]],
  ])('of 32-bit code: %s', (text, address) => {
    const whole = decodeText(`add dword ptr ${text}, 0x12345678`, 32);
    expect(addressOf(whole)).toEqual(address);
    expect(whole).toMatchObject({ addressSize: text.includes('[bp') ? 2 : 4, immediate: 0x1234_5678n });
  });
  it('of 32-bit code: nothing but an offset', () => {
    expect(addressOf(decodeText('mov ecx, dword ptr ds:[0xfed000f0]', 32))).toEqual([DS, NONE, NONE, 0, BigInt.asIntN(32, 0xfed0_00f0n)]);
  });

  it.each<[string, Address]>([
    ['[rip + 0x100]', [DS, BASE_RIP, NONE, 0, 0x100n]],
    ['[r12]', [DS, R12, NONE, 0, 0n]],
    ['[r13]', [DS, R13, NONE, 0, 0n]],
    ['[r13 + r12 * 2 - 0x1000]', [DS, R13, R12, 1, -0x1000n]],
    ['[rsp + r12]', [SS, SP, R12, 0, 0n]],
    ['[rbp]', [SS, BP, NONE, 0, 0n]],
    ['[r12 * 4 + 8]', [DS, NONE, R12, 2, 8n]],
    ['gs:[rax]', [GS, AX, NONE, 0, 0n]],
    ['fs:[ecx - 1]', [FS, CX, NONE, 0, -1n]],
    ['ds:[0x7ed000f0]', [DS, NONE, NONE, 0, 0x7ed0_00f0n]],
  ])('of 64-bit code: %s', (text, address) => {
    const whole = decodeText(`mov edx, dword ptr ${text}`, 64);
    expect(addressOf(whole)).toEqual(address);
    expect(whole).toMatchObject({ addressSize: text.includes('ecx') ? 4 : 8, reg: 2, width: 4 });
  });

  it.each([
    [16, 'mov ax, word ptr ds:[0xff00]', 2, -0x100n],
    [16, 'addr32 mov al, byte ptr ds:[0xfed000f0]', 4, BigInt.asIntN(32, 0xfed0_00f0n)],
    [32, 'mov dword ptr ds:[0xfed000f0], eax', 4, BigInt.asIntN(32, 0xfed0_00f0n)],
    [64, 'movabs rax, [0xffffffffff5fb0f0]', 8, -0xa0_4f10n],
    [64, 'addr32 mov eax, ds:[0xfed000f0]', 4, BigInt.asIntN(32, 0xfed0_00f0n)],
  ] as const)('without ModRM, of %i bits: %s', (bits, text, addressSize, displacement) => {
    const decoded = decodeText(text, bits);
    expect(decoded.addressSize).toBe(addressSize);
    expect(addressOf(decoded)).toEqual([DS, NONE, NONE, 0, displacement]);
  });

  it('ignore the four old segment prefixes in 64-bit code', () => {
    for (const prefix of [0x26, 0x2e, 0x36, 0x3e]) {
      expect(decode([prefix, 0x8b, 0x03], 8).segment).toBe(DS);
      expect(decode([0x64, prefix, 0x8b, 0x03], 8).segment).toBe(FS);
      expect(decode([prefix, 0x8b, 0x03], 4).segment).not.toBe(FS);
    }
    expect(decode([0x64, 0x65, 0x8b, 0x03], 8).segment).toBe(GS);
  });
});

describe('sizes', () => {
  it.each([
    [16, 'mov cx, word ptr [bx]', 2],
    [16, 'mov ecx, dword ptr [bx]', 4],
    [32, 'mov cx, word ptr [ebx]', 2],
    [32, 'mov ecx, dword ptr [ebx]', 4],
    [64, 'mov cx, word ptr [rbx]', 2],
    [64, 'mov ecx, dword ptr [rbx]', 4],
    [64, 'mov rcx, qword ptr [rbx]', 8],
    [64, 'mov cl, byte ptr [rbx]', 1],
    [16, 'movzx ecx, word ptr [bx]', 2],
    [64, 'movsx rcx, byte ptr [rbx]', 1],
    [64, 'movsxd rcx, dword ptr [rbx]', 4],
    [16, 'push word ptr [bx]', 2],
    [32, 'pop dword ptr [ebx]', 4],
    [64, 'push qword ptr [rbx]', 8],
    [64, 'pop word ptr [rbx]', 2],
    [64, 'movnti dword ptr [rbx], ecx', 4],
    [32, 'cmpxchg8b qword ptr [ebx]', 8],
    [64, 'rep stosq', 8],
    [16, 'stosw', 2],
    [32, 'movsw', 2],
  ] as const)('of operands of %i-bit code: %s', (bits, text, width) => {
    expect(decodeText(text, bits).width).toBe(width);
  });

  it('the last of several prefixes of one kind counts, and REX right before the opcode only', () => {
    expect(decode([0x48, 0x66, 0x8b, 0x03], 8)).toMatchObject({ width: 2, hasRex: false, length: 4 });
    expect(decode([0x66, 0x48, 0x8b, 0x03], 8)).toMatchObject({ width: 8, hasRex: true, length: 4 });
    expect(decode([0x48, 0x44, 0x8b, 0x03], 8)).toMatchObject({ width: 4, reg: 8 });
    expect(decode([0xf2, 0xf3, 0xa4], 8)).toMatchObject({ repeat: 0xf3 });
  });

  it.each([
    ['CODE_16', 'protected', 2],
    ['CODE_32', 'protected', 4],
    ['CODE_64', 'long', 8],
    ['CODE_32', 'long', 4],
    ['CODE_16', 'long', 2],
    ['CODE_64', 'protected', 2],
  ] as const)('come from the code segment: %s in %s mode', (attributes, mode, size) => {
    const vcpu = createFakeVcpu({ mode, entry: 0x4000 });
    new DataView(vcpu.vmcb.buffer).setUint16(VMCB.CS + 2, SEGMENT_ATTRIBUTES[attributes], true);
    expect(codeSizeOf(vcpu)).toBe(size);
  });
});

describe('no instruction', () => {
  const [whole] = assemble(['lock add dword ptr gs:[r12 + r13 * 8 + 0x12345678], 0x12345678'], 64);
  it('comes of less than all of its bytes', () => {
    for (let length = 0; length < whole!.length; length++)
      expect(decodeInstruction(whole!.subarray(0, length), 8)).toEqual({ problem: 'truncated', read: length });
  });

  it('is longer than 15 bytes', () => {
    const long = [...new Array<number>(9).fill(0x3e), ...whole!.subarray(2)];
    expect(decode(long.slice(-15), 8).length).toBeLessThanOrEqual(15);
    expect(decodeInstruction([0x3e, 0x3e, 0x3e, ...long], 8)).toEqual({ problem: 'too-long', read: 15 });
    expect(decodeInstruction(new Array<number>(15).fill(0x66), 8)).toEqual({ problem: 'too-long', read: 15 });
  });

  it.each([
    ['a move', [0xf0, 0x89, 0x03]],
    ['a comparison', [0xf0, 0x39, 0x03]],
    ['an operation whose target is a register', [0xf0, 0x03, 0x03]],
    ['TEST', [0xf0, 0xf7, 0x03, 0, 0, 0, 0]],
    ['BT', [0xf0, 0x0f, 0xa3, 0x03]],
    ['a string', [0xf0, 0xa4]],
    ['registers alone', [0xf0, 0x01, 0xc3]],
  ])('is %s with LOCK', (_, bytes) => {
    expect(decodeInstruction(bytes, 8)).toMatchObject({ problem: 'undefined' });
  });

  it.each([
    ['without an operand in memory', 8, [0x89, 0xc3]],
    ['of a group that has none there', 8, [0xc7, 0x0b, 0, 0, 0, 0]],
    ['that divides', 8, [0xf7, 0x33]],
    ['that calls', 8, [0xff, 0x13]],
    ['of SSE', 8, [0x0f, 0x11, 0x03]],
    ['CMPXCHG16B', 8, [0x48, 0x0f, 0xc7, 0x0b]],
    ['ARPL, which is MOVSXD in 64-bit code', 4, [0x63, 0x03]],
  ] as const)('is taken for one %s', (_, codeSize, bytes) => {
    expect(decodeInstruction(bytes, codeSize)).toMatchObject({ problem: 'unsupported' });
    expect(decodeInstruction([0x8b, 0x03], codeSize)).toMatchObject({ opcode: 0x8b });
  });

  it('makes the decoder read beyond its bytes, or throw', () => {
    const random = createRandom(7);
    const seen = new Set<string>();
    for (let round = 0; round < 50_000; round++) {
      const bytes = random.bytes(random.integer(18));
      if (round % 2 === 0) bytes[0] = [0x0f, 0x66, 0xf0, 0x48, 0x81, 0xf7, 0xff, 0x67][random.integer(8)]!;
      const codeSize = ([2, 4, 8] as const)[random.integer(3)]!;
      const decoded = decodeInstruction(bytes, codeSize);
      const length = 'problem' in decoded ? decoded.read : decoded.length;
      seen.add('problem' in decoded ? decoded.problem : String(decoded.opcode));
      expect(length).toBeLessThanOrEqual(Math.min(15, bytes.length));
    }
    expect(seen.size).toBeGreaterThan(100);
    expect(seen.has(String(TWO_BYTE + 0xb6))).toBe(true);
  });
});
