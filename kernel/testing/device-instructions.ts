/**
 * Random instructions of 64-bit code with an operand in device memory, as text for an assembler, and the registers they need to find it: what an
 * interpreter of them is compared with the CPU by. One seed, one list.
 */
import { FLAG, STATUS_FLAGS } from '../vm/arithmetic.ts';
import { LENGTH_MAX } from '../vm/instruction-length.ts';
import type { Random } from './random.ts';

/** Where everything is, on the host and in the guest alike: addresses below 2 GiB, so that they fit any form. */
export const PLACE = { CODE: 0x4_0800, RAM: 0x5_0800, DEVICE: 0x2000_0800 } as const;
/** Bytes at RAM and at DEVICE that are compared; operands are near the middle. */
export const WINDOW = 256;
const MIDDLE = WINDOW / 2;
const DF = 1 << 10;

const WIDTHS = [1, 2, 4, 8] as const;
type Width = (typeof WIDTHS)[number];
const KEYWORDS: Readonly<Record<Width, string>> = { 1: 'byte ptr', 2: 'word ptr', 4: 'dword ptr', 8: 'qword ptr' };
const LEGACY_64 = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'];
const NUMBERED = [8, 9, 10, 11, 12, 13, 14, 15];
const NAMES: Readonly<Record<Width, readonly string[]>> = {
  1: ['al', 'cl', 'dl', 'bl', 'spl', 'bpl', 'sil', 'dil', ...NUMBERED.map((number) => `r${number}b`)],
  2: ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di', ...NUMBERED.map((number) => `r${number}w`)],
  4: ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi', ...NUMBERED.map((number) => `r${number}d`)],
  8: [...LEGACY_64, ...NUMBERED.map((number) => `r${number}`)],
};
const HIGH_BYTES = ['ah', 'ch', 'dh', 'bh'];
const CONDITIONS = ['o', 'no', 'b', 'nb', 'z', 'nz', 'be', 'nbe', 's', 'ns', 'p', 'np', 'l', 'nl', 'le', 'nle'];
const RCX = 1;
const RSP = 4;
const RSI = 6;
const RDI = 7;

/** What an instruction is tried with. */
export interface Operands {
  readonly registers: bigint[];
  readonly flags: number;
  readonly gsBase: bigint;
  /** Where its operand in device memory begins; of strings it is told by RSI or RDI. */
  readonly target: number;
}

export interface DeviceInstruction {
  readonly text: string;
  /** Flags that the manual leaves undefined. */
  readonly undefinedFlags: number;
  /** @param length of its encoding */
  operands(length: number): Operands;
}

/** A register in the text, and what it must not be. */
interface Register {
  readonly name: string;
  readonly number: number;
  readonly isHigh: boolean;
}

export function createDeviceInstructions(random: Random) {
  const pick = <T>(choices: readonly T[]): T => choices[random.integer(choices.length)]!;
  const chance = (one: number): boolean => random.integer(one) === 0;
  const bits = (width: number): bigint => random.bytes(width).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  /** Often at the edges, where carries and signs are. */
  const value = (width: Width): bigint =>
    chance(3) ? pick([0n, 1n, 0x7fn, 0x80n, 0xffn, (1n << BigInt(8 * width - 1)) - 1n]) : bits(width);
  const asImmediate = (width: Width): string => {
    const size = Math.min(width, 4);
    const number = BigInt.asIntN(8 * size, chance(2) ? BigInt.asIntN(8, bits(1)) : bits(size));
    return String(number);
  };

  function register(width: Width): Register {
    if (width === 1 && chance(4)) {
      const number = random.integer(4);
      return { name: HIGH_BYTES[number]!, number, isHigh: true };
    }
    const number = random.integer(16);
    return { name: NAMES[width][number]!, number, isHigh: false };
  }

  const randomRegisters = (): bigint[] => Array.from({ length: 16 }, () => (chance(4) ? value(1) : bits(8)));
  const randomFlags = (): number => 2 | (random.integer(0x1000) & STATUS_FLAGS);

  interface Address {
    readonly text: string;
    /** Sets what it is made of such that it leads to `target`, less what is added by the instruction. @returns where it leads */
    aim(registers: bigint[], length: number, target: number, gsBase: bigint): number;
  }

  /** @param taken registers whose values are given already; @param withoutRex as AH to BH want it */
  function address(taken: readonly number[], withoutRex: boolean): Address {
    const free = NAMES[8].map((_, number) => number).filter((number) => !taken.includes(number) && (!withoutRex || number < 8));
    const form = random.integer(8);
    if (form === 0) {
      const to = PLACE.DEVICE + MIDDLE;
      const displacement = to - (PLACE.CODE + LENGTH_MAX);
      return { text: `[rip + ${displacement}]`, aim: (_, length) => to - LENGTH_MAX + length };
    }
    if (form === 1) return { text: `ds:[${PLACE.DEVICE + MIDDLE}]`, aim: () => PLACE.DEVICE + MIDDLE };
    const isGs = chance(6);
    const isShort = chance(4);
    const names = isShort ? NAMES[4] : NAMES[8];
    // What the address does not use of a register is anything.
    const sized = (offset: bigint): bigint => (isShort ? BigInt.asUintN(32, offset) | (bits(4) << 32n) : BigInt.asUintN(64, offset));
    const displacement = pick([0, 0, 1, -1, 127, -128, 128, 0x1234, -0x12_3456, 0x7fff_ffff]);
    const base = pick(free);
    const index = chance(2) ? undefined : pick(free.filter((number) => number !== base && number !== RSP));
    const scale = pick([1, 2, 4, 8]);
    const indexed = index === undefined ? '' : ` + ${names[index]!} * ${scale}`;
    return {
      text: `${isGs ? 'gs:' : ''}[${names[base]!}${indexed} + ${displacement}]`,
      aim(registers, _length, target, gsBase) {
        const other = (index === undefined ? 0n : registers[index]! * BigInt(scale)) + (isGs ? gsBase : 0n);
        registers[base] = sized(BigInt(target - displacement) - other);
        return target;
      },
    };
  }

  /**
   * @param used registers of the text
   * @param adjust changes registers before the address is aimed, and says by how much the target moves
   * @param fixed those that it changes
   */
  function make(
    text: (memory: string) => string,
    used: readonly Register[],
    undefinedFlags = 0,
    adjust: (registers: bigint[]) => number = () => 0,
    fixed: readonly number[] = [],
  ): DeviceInstruction {
    const where = address(
      fixed,
      used.some(({ isHigh }) => isHigh),
    );
    return {
      text: text(where.text),
      undefinedFlags,
      operands(length) {
        const registers = randomRegisters();
        const gsBase = BigInt(random.integer(0x1000_0000));
        const moved = adjust(registers);
        const target = where.aim(registers, length, PLACE.DEVICE + MIDDLE + random.integer(16) - 8, gsBase) + moved;
        return { registers, flags: randomFlags(), gsBase, target };
      },
    };
  }

  const locked = (text: string): string => (chance(3) ? `lock ${text}` : text);
  const oneOf = (mnemonics: readonly string[]): string => pick(mnemonics);
  const LOGICAL = ['and', 'or', 'xor', 'test'];
  const ofLogical = (mnemonic: string): number => (LOGICAL.includes(mnemonic) ? FLAG.AF : 0);
  const ARITHMETIC = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor'];

  function arithmetic(): DeviceInstruction {
    const width = pick(WIDTHS);
    const mnemonic = oneOf([...ARITHMETIC, 'cmp', 'test']);
    const one = register(width);
    const keyword = KEYWORDS[width];
    const lock = (text: string): string => (ARITHMETIC.includes(mnemonic) ? locked(text) : text);
    switch (random.integer(mnemonic === 'test' ? 2 : 3)) {
      case 0:
        return make((memory) => lock(`${mnemonic} ${keyword} ${memory}, ${asImmediate(width)}`), [], ofLogical(mnemonic));
      case 1:
        return make((memory) => lock(`${mnemonic} ${keyword} ${memory}, ${one.name}`), [one], ofLogical(mnemonic));
      default:
        return make((memory) => `${mnemonic} ${one.name}, ${keyword} ${memory}`, [one], ofLogical(mnemonic));
    }
  }

  function move(): DeviceInstruction {
    const width = pick(WIDTHS);
    const one = register(width);
    const keyword = KEYWORDS[width];
    switch (random.integer(4)) {
      case 0:
        return make((memory) => `mov ${keyword} ${memory}, ${asImmediate(width)}`, []);
      case 1: {
        const accumulator = NAMES[width][0]!;
        const at = `[${PLACE.DEVICE + MIDDLE}]`;
        return {
          text: chance(2) ? `movabs ${accumulator}, ${at}` : `movabs ${at}, ${accumulator}`,
          undefinedFlags: 0,
          operands: () => ({ registers: randomRegisters(), flags: randomFlags(), gsBase: 0n, target: PLACE.DEVICE + MIDDLE }),
        };
      }
      case 2:
        return make((memory) => `mov ${keyword} ${memory}, ${one.name}`, [one]);
      default:
        return make((memory) => `mov ${one.name}, ${keyword} ${memory}`, [one]);
    }
  }

  function extended(): DeviceInstruction {
    const width = pick([1, 2, 4] as const);
    const wide = pick(width === 1 ? ([2, 4, 8] as const) : ([4, 8] as const));
    const one = register(wide);
    const mnemonic = width === 4 ? 'movsxd' : oneOf(['movzx', 'movsx']);
    return make((memory) => `${mnemonic} ${one.name}, ${KEYWORDS[width]} ${memory}`, [one]);
  }

  function unary(): DeviceInstruction {
    const width = pick(WIDTHS);
    return make((memory) => locked(`${oneOf(['not', 'neg', 'inc', 'dec'])} ${KEYWORDS[width]} ${memory}`), []);
  }

  function exchange(): DeviceInstruction {
    const width = pick(WIDTHS);
    const one = register(width);
    return make((memory) => locked(`${oneOf(['xchg', 'cmpxchg', 'xadd'])} ${KEYWORDS[width]} ${memory}, ${one.name}`), [one]);
  }

  function exchange8(): DeviceInstruction {
    return make((memory) => locked(`cmpxchg8b ${KEYWORDS[8]} ${memory}`), []);
  }

  const BIT_UNDEFINED = FLAG.OF | FLAG.SF | FLAG.AF | FLAG.PF;
  function bit(): DeviceInstruction {
    const width = pick([2, 4, 8] as const);
    const mnemonic = oneOf(['bt', 'bts', 'btr', 'btc']);
    const lock = (text: string): string => (mnemonic === 'bt' ? text : locked(text));
    if (chance(2)) return make((memory) => lock(`${mnemonic} ${KEYWORDS[width]} ${memory}, ${random.integer(256)}`), [], BIT_UNDEFINED);
    const one = register(width);
    return make(
      (memory) => lock(`${mnemonic} ${KEYWORDS[width]} ${memory}, ${one.name}`),
      [one],
      BIT_UNDEFINED,
      (registers) => {
        const position = random.integer(1024) - 512;
        const size = BigInt(8 * width);
        registers[one.number] = BigInt.asUintN(Number(size), BigInt(position)) | (width === 8 ? 0n : (bits(8) >> size) << size);
        return Math.floor(position / (8 * width)) * width;
      },
      [one.number],
    );
  }

  function conditional(): DeviceInstruction {
    const condition = oneOf(CONDITIONS);
    if (chance(2)) return make((memory) => `set${condition} ${KEYWORDS[1]} ${memory}`, []);
    const width = pick([2, 4, 8] as const);
    const one = register(width);
    return make((memory) => `cmov${condition} ${one.name}, ${KEYWORDS[width]} ${memory}`, [one]);
  }

  function nonTemporal(): DeviceInstruction {
    const width = pick([4, 8] as const);
    const one = register(width);
    return make((memory) => `movnti ${KEYWORDS[width]} ${memory}, ${one.name}`, [one]);
  }

  function stack(): DeviceInstruction {
    const width = pick([2, 8] as const);
    const mnemonic = oneOf(['push', 'pop']);
    if (chance(4)) {
      // From the stack pointer: POP takes it as it is afterwards.
      const distance = PLACE.DEVICE - PLACE.RAM;
      return {
        text: `${mnemonic} ${KEYWORDS[width]} [rsp + ${distance}]`,
        undefinedFlags: 0,
        operands() {
          const registers = randomRegisters();
          const top = PLACE.RAM + MIDDLE + random.integer(16);
          registers[RSP] = BigInt(top);
          return { registers, flags: randomFlags(), gsBase: 0n, target: top + distance + (mnemonic === 'pop' ? width : 0) };
        },
      };
    }
    return make(
      (memory) => `${mnemonic} ${KEYWORDS[width]} ${memory}`,
      [],
      0,
      (registers) => {
        registers[RSP] = BigInt(PLACE.RAM + MIDDLE + random.integer(16));
        return 0;
      },
      [RSP],
    );
  }

  /** One operand in RAM and one in the device, or the only one in the device. */
  function string(): DeviceInstruction {
    const width = pick(WIDTHS);
    const suffix = { 1: 'b', 2: 'w', 4: 'd', 8: 'q' }[width];
    const mnemonic = oneOf(['movs', 'cmps', 'stos', 'lods', 'scas']);
    const prefix = chance(3) ? '' : mnemonic === 'cmps' || mnemonic === 'scas' ? oneOf(['repe ', 'repne ']) : 'rep ';
    const isShort = chance(3);
    const isSourceDevice = mnemonic === 'lods' || (mnemonic !== 'stos' && mnemonic !== 'scas' && chance(2));
    const most = Math.floor(MIDDLE / width) - 4;
    return {
      text: `${isShort ? 'addr32 ' : ''}${prefix}${mnemonic}${suffix}`,
      undefinedFlags: 0,
      operands() {
        const registers = randomRegisters();
        const above = (): bigint => (isShort ? bits(4) << 32n : 0n);
        const [from, to] = isSourceDevice ? [PLACE.DEVICE, PLACE.RAM] : [PLACE.RAM, PLACE.DEVICE];
        const at = MIDDLE + random.integer(8);
        // Some have as few elements as none, none of the windows as many as to leave it.
        registers[RCX] = BigInt(1 + random.integer(Math.min(most, 60))) | above();
        registers[RSI] = BigInt(from + at) | above();
        registers[RDI] = BigInt(to + at) | above();
        return { registers, flags: randomFlags() | (chance(2) ? DF : 0), gsBase: 0n, target: PLACE.DEVICE + at };
      },
    };
  }

  const KINDS = [arithmetic, arithmetic, move, move, extended, unary, exchange, exchange8, bit, conditional, nonTemporal, stack, string];
  return { next: (): DeviceInstruction => pick(KINDS)() };
}
