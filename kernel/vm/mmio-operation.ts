/**
 * What instructions with one operand in memory do with it (AMD64 Architecture Programmer's Manual volume 3, "General-Purpose Instruction
 * Reference"). Each becomes a function once, when it is decoded: what can be known then is not asked at every exit.
 */
import { VMCB } from '../regs/vmcb.ts';
import type { MemoryDevice } from '../vdev/device.ts';
import { add, and, COMPARE, decrement, FLAG, holds, increment, OPERATIONS, STATUS_FLAGS, subtract, type Result } from './arithmetic.ts';
import { MASKS, placeOf, RAX, RBX, RCX, RDX, registerReader, registerWriter } from './guest-registers.ts';
import { TWO_BYTE, type Instruction } from './instruction-decode.ts';
import type { Vcpu } from './vcpu.ts';

/** @param memory where the operand lies, `at` this offset */
export type Operate = (memory: MemoryDevice, at: number) => void;

export interface Operation {
  readonly operate: Operate;
  /** Of its operand in memory. */
  readonly access: 'read' | 'write' | 'modify';
}

const FLAGS = VMCB.RFLAGS >> 2;

/** MOV between a register and memory: nearly all of the accesses that there are, with as few calls as can be, also to get here. */
function compileMove(vcpu: Vcpu, { opcode, width, reg, hasRex }: Instruction): Operation {
  const isLoad = (opcode | 1) === 0x8b;
  if (width === 4) {
    const { words, word } = placeOf(vcpu, reg);
    return isLoad
      ? { operate: (memory, at) => void (words[word] = memory.read(at, 4)), access: 'read' }
      : { operate: (memory, at) => memory.write(at, 4, words[word]! & 0xffff_ffffn), access: 'write' };
  }
  if (isLoad) {
    const set = registerWriter(vcpu, reg, width, hasRex);
    return { operate: (memory, at) => set(memory.read(at, width)), access: 'read' };
  }
  const get = registerReader(vcpu, reg, width, hasRex);
  return { operate: (memory, at) => memory.write(at, width, get()), access: 'write' };
}

const isMove = (opcode: number): boolean => (opcode >= 0x88 && opcode <= 0x8b) || opcode === TWO_BYTE + 0xc3;

export function compileOperation(vcpu: Vcpu, instruction: Instruction): Operation {
  return isMove(instruction.opcode) ? compileMove(vcpu, instruction) : compileOther(vcpu, instruction);
}

function compileOther(vcpu: Vcpu, instruction: Instruction): Operation {
  const { vmcb32 } = vcpu;
  const { opcode, width, operandSize, reg, hasRex } = instruction;
  const mask = MASKS[width];
  const immediate = instruction.immediate & mask;
  const getReg = registerReader(vcpu, reg, width, hasRex);
  const setReg = registerWriter(vcpu, reg, width, hasRex);
  const getAccumulator = registerReader(vcpu, RAX, width, hasRex);
  const setAccumulator = registerWriter(vcpu, RAX, width, hasRex);

  const flags = (): number => vmcb32[FLAGS]!;
  function setFlags(values: number, which: number): void {
    vmcb32[FLAGS] = (vmcb32[FLAGS]! & ~which) | (values & which);
  }
  /** Sets all six. @returns the value */
  function kept(result: Result): bigint {
    setFlags(result.flags, STATUS_FLAGS);
    return result.value;
  }
  const reads = (operate: Operate): Operation => ({ operate, access: 'read' });
  const writes = (operate: Operate): Operation => ({ operate, access: 'write' });
  const modifies = (change: (old: bigint) => bigint): Operation => ({
    operate: (memory, at) => memory.write(at, width, change(memory.read(at, width))),
    access: 'modify',
  });

  function binary(number: number, other: () => bigint): Operation {
    const compute = OPERATIONS[number]!;
    if (number === COMPARE) return reads((memory, at) => void kept(compute(memory.read(at, width), other(), width, 0)));
    return modifies((old) => kept(compute(old, other(), width, flags())));
  }

  /** BT, BTS, BTR, BTC by number. The other flags stay as they are: the manual leaves them undefined. */
  function bit(number: number, position: () => bigint): Operation {
    const ofOperand = BigInt(8 * width - 1);
    function changed(old: bigint): bigint {
      const one = 1n << (position() & ofOperand);
      setFlags((old & one) === 0n ? 0 : FLAG.CF, FLAG.CF);
      return number === 1 ? old | one : number === 2 ? old & ~one : old ^ one;
    }
    return number === 0 ? reads((memory, at) => void changed(memory.read(at, width))) : modifies(changed);
  }

  /** The one operand of these goes on with ModRM's `reg`. */
  function unary(): Operation {
    switch (reg & 7) {
      case 0:
      case 1:
        return reads((memory, at) => void kept(and(memory.read(at, width), immediate, width, 0)));
      case 2:
        return modifies((old) => old ^ mask);
      default:
        return modifies((old) => kept(subtract(0n, old, width, 0)));
    }
  }

  function compareAndExchange(): Operation {
    return modifies((old) => {
      const { value, flags: compared } = subtract(getAccumulator(), old, width, 0);
      setFlags(compared, STATUS_FLAGS);
      if (value === 0n) return getReg();
      setAccumulator(old);
      return old;
    });
  }

  function compareAndExchange8(): Operation {
    const half = (register: number): (() => bigint) => registerReader(vcpu, register, 4, true);
    const [getA, getB, getC, getD] = [half(RAX), half(RBX), half(RCX), half(RDX)];
    const [setA, setD] = [registerWriter(vcpu, RAX, 4, true), registerWriter(vcpu, RDX, 4, true)];
    return modifies((old) => {
      const isEqual = old === ((getD() << 32n) | getA());
      setFlags(isEqual ? FLAG.ZF : 0, FLAG.ZF);
      if (isEqual) return (getC() << 32n) | getB();
      setA(old & 0xffff_ffffn);
      setD(old >> 32n);
      return old;
    });
  }

  function twoBytes(second: number): Operation {
    if (second >> 4 === 0x4) {
      const condition = second & 15;
      // It is read all the same; and 32 bits that are not moved clear the upper half.
      return reads((memory, at) => {
        const value = memory.read(at, width);
        setReg(holds(condition, flags()) ? value : getReg());
      });
    }
    if (second >> 4 === 0x9) {
      const condition = second & 15;
      return writes((memory, at) => memory.write(at, 1, holds(condition, flags()) ? 1n : 0n));
    }
    const setWide = registerWriter(vcpu, reg, operandSize, hasRex);
    switch (second) {
      case 0xa3:
      case 0xab:
      case 0xb3:
      case 0xbb:
        return bit((second >> 3) & 3, getReg);
      case 0xba:
        return bit(reg & 3, () => immediate);
      case 0xb0:
      case 0xb1:
        return compareAndExchange();
      case 0xb6:
      case 0xb7:
        return reads((memory, at) => setWide(memory.read(at, width)));
      case 0xbe:
      case 0xbf:
        return signExtended();
      case 0xc0:
      case 0xc1:
        return modifies((old) => {
          const added = kept(add(old, getReg(), width, 0));
          setReg(old);
          return added;
        });
      default:
        return compareAndExchange8();
    }
  }

  function signExtended(): Operation {
    const bits = 8 * width;
    const all = MASKS[operandSize];
    const setWide = registerWriter(vcpu, reg, operandSize, hasRex);
    return reads((memory, at) => setWide(BigInt.asIntN(bits, memory.read(at, width)) & all));
  }

  if (opcode >= TWO_BYTE) return twoBytes(opcode - TWO_BYTE);
  if (opcode < 0x40) {
    const number = opcode >> 3;
    if ((opcode & 2) === 0) return binary(number, getReg);
    const compute = OPERATIONS[number]!;
    return reads((memory, at) => {
      const value = kept(compute(getReg(), memory.read(at, width), width, flags()));
      if (number !== COMPARE) setReg(value);
    });
  }
  switch (opcode) {
    case 0x63:
      return signExtended();
    case 0x80:
    case 0x81:
    case 0x83:
      return binary(reg & 7, () => immediate);
    case 0x84:
    case 0x85:
      return reads((memory, at) => void kept(and(memory.read(at, width), getReg(), width, 0)));
    case 0x86:
    case 0x87:
      return modifies((old) => {
        const value = getReg();
        setReg(old);
        return value;
      });
    case 0xa0:
    case 0xa1:
      return reads((memory, at) => setAccumulator(memory.read(at, width)));
    case 0xa2:
    case 0xa3:
      return writes((memory, at) => memory.write(at, width, getAccumulator()));
    case 0xc6:
    case 0xc7:
      return writes((memory, at) => memory.write(at, width, immediate));
    case 0xf6:
    case 0xf7:
      return unary();
    default: {
      const step = (reg & 7) === 0 ? increment : decrement;
      return modifies((old) => kept(step(old, width, flags())));
    }
  }
}
