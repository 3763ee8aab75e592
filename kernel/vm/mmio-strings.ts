/**
 * Instructions with two operands in memory, one of which is a device's: MOVS, CMPS, STOS, LODS, SCAS with and without REP; PUSH and POP of an
 * operand in memory (AMD64 Architecture Programmer's Manual volume 3, "Repeat Prefixes" and the pages of the instructions).
 *
 * Both operands are located, and their rights checked, before the first of them is accessed: a read of a device can't be taken back.
 */
import { RFLAGS } from '../regs/paging.ts';
import { VMCB } from '../regs/vmcb.ts';
import { COMPARE, FLAG, OPERATIONS, STATUS_FLAGS } from './arithmetic.ts';
import { MASKS, RAX, RCX, RDI, registerReader, registerWriter, RSI, RSP } from './guest-registers.ts';
import { REPEAT, type Instruction } from './instruction-decode.ts';
import { checkCanonical, inSegment, linearAddress, stackPointer, stackSize, type Fault, type Located } from './mmio-operands.ts';
import type { Vcpu } from './vcpu.ts';

/** Elements that one exit does: what it takes is time of which the machine's other guests know nothing. */
export const ELEMENTS_MAX = 4;

/**
 * The instruction is over, or it goes on at the same RIP: the registers are as after some of its elements, as an interrupt would find them.
 * Or neither: it gets a fault, or can't be done.
 */
export type Progress = 'over' | 'again' | Fault | { readonly kind: 'refused'; readonly why: string };

export interface TwoOperands {
  readonly vcpu: Vcpu;
  readonly source: Located;
  readonly destination: Located;
  /** Guest-physical address of the fault that the instruction was stopped for. */
  faultAddress(): number;
}

const FLAGS = VMCB.RFLAGS >> 2;
const DF = Number(RFLAGS.DF);
const TF = Number(RFLAGS.TF);

const NO_TABLE = { kind: 'refused', why: 'a page table of its other operand is not in memory' } as const;
const ELSEWHERE = { kind: 'refused', why: 'its operands are elsewhere' } as const;

function locate(
  located: Located,
  linear: bigint,
  { codeSize, width }: Instruction,
  segment: number,
  access: 'read' | 'write',
): Progress | undefined {
  const refused = checkCanonical(linear, codeSize, segment) ?? located.locate(linear, width, access);
  return refused === 'no-table' ? NO_TABLE : refused;
}

const STRING = { MOVS: 0xa4, CMPS: 0xa6, STOS: 0xaa, LODS: 0xac, SCAS: 0xae } as const;
export const isString = ({ opcode }: Instruction): boolean => (opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf);

export function compileString({ vcpu, source, destination, faultAddress }: TwoOperands, instruction: Instruction): () => Progress {
  const { vmcb32 } = vcpu;
  const { opcode, width, addressSize, codeSize, segment, repeat } = instruction;
  const kind = opcode & ~1;
  const hasSource = kind === STRING.MOVS || kind === STRING.CMPS || kind === STRING.LODS;
  const hasDestination = kind !== STRING.LODS;
  const destinationAccess = kind === STRING.MOVS || kind === STRING.STOS ? 'write' : 'read';
  const isRepeated = repeat !== REPEAT.NONE;
  const isCompared = kind === STRING.CMPS || kind === STRING.SCAS;
  const mask = MASKS[addressSize];
  const [getCount, setCount] = [registerReader(vcpu, RCX, addressSize, true), registerWriter(vcpu, RCX, addressSize, true)];
  const [getSource, setSource] = [registerReader(vcpu, RSI, addressSize, true), registerWriter(vcpu, RSI, addressSize, true)];
  const [getDestination, setDestination] = [registerReader(vcpu, RDI, addressSize, true), registerWriter(vcpu, RDI, addressSize, true)];
  const [getAccumulator, setAccumulator] = [registerReader(vcpu, RAX, width, true), registerWriter(vcpu, RAX, width, true)];

  function element(): void {
    if (kind === STRING.MOVS) destination.write(0, width, source.read(0, width));
    else if (kind === STRING.STOS) destination.write(0, width, getAccumulator());
    else if (kind === STRING.LODS) setAccumulator(source.read(0, width));
    else {
      const left = kind === STRING.CMPS ? source.read(0, width) : getAccumulator();
      const { flags } = OPERATIONS[COMPARE]!(left, destination.read(0, width), width, 0);
      vmcb32[FLAGS] = (vmcb32[FLAGS]! & ~STATUS_FLAGS) | flags;
    }
  }

  /** "REPE" goes on while they are equal, "REPNE" while they are not; others do not ask. */
  const isEnough = (): boolean => isCompared && ((vmcb32[FLAGS]! & FLAG.ZF) !== 0) !== (repeat === REPEAT.WHILE_ZERO);

  return () => {
    const flags = vmcb32[FLAGS]!;
    const step = BigInt((flags & DF) === 0 ? width : -width);
    // A trap is due behind each element.
    const most = (flags & TF) !== 0 ? 1 : ELEMENTS_MAX;
    if (isRepeated && getCount() === 0n) return 'over';
    for (let done = 0; done < most; done++) {
      let refused: Progress | undefined;
      if (hasSource) refused = locate(source, inSegment(vcpu, codeSize, segment, getSource()), instruction, segment, 'read');
      if (hasDestination)
        refused ??= locate(destination, inSegment(vcpu, codeSize, VMCB.ES, getDestination()), instruction, VMCB.ES, destinationAccess);
      if (refused !== undefined) return typeof refused !== 'string' && refused.kind === 'refused' && done > 0 ? 'again' : refused;
      if (done === 0) {
        const address = faultAddress();
        if (!(hasSource && source.isAt(address)) && !(hasDestination && destination.isAt(address))) return ELSEWHERE;
      } else if (!(hasSource && source.isInDevice()) && !(hasDestination && destination.isInDevice())) return 'again';
      element();
      if (hasSource) setSource((getSource() + step) & mask);
      if (hasDestination) setDestination((getDestination() + step) & mask);
      if (!isRepeated) return 'over';
      const left = getCount() - 1n;
      setCount(left);
      if (left === 0n || isEnough()) return 'over';
    }
    return 'again';
  };
}

const PUSH = 0xff;
export const isStack = ({ opcode, reg }: Instruction): boolean => opcode === 0x8f || (opcode === PUSH && (reg & 7) === 6);

export function compileStack(
  { vcpu, source, destination, faultAddress }: TwoOperands,
  instruction: Instruction,
  next: bigint,
): () => Progress {
  const { opcode, width, codeSize, segment, base } = instruction;
  const isPush = opcode === PUSH;
  const size = BigInt(width);
  return () => {
    const stackWidth = stackSize(vcpu, codeSize);
    const moved = (stackPointer(vcpu, stackWidth) + (isPush ? -size : size)) & MASKS[stackWidth];
    const top = inSegment(vcpu, codeSize, VMCB.SS, isPush ? moved : stackPointer(vcpu, stackWidth));
    // "POP": an address that counts from RSP counts from it as it is afterwards.
    const operand = linearAddress(vcpu, instruction, next, !isPush && base === RSP ? size : 0n);
    const refused = isPush
      ? (locate(source, operand, instruction, segment, 'read') ?? locate(destination, top, instruction, VMCB.SS, 'write'))
      : (locate(source, top, instruction, VMCB.SS, 'read') ?? locate(destination, operand, instruction, segment, 'write'));
    if (refused !== undefined) return refused;
    const address = faultAddress();
    if (!source.isAt(address) && !destination.isAt(address)) return ELSEWHERE;
    destination.write(0, width, source.read(0, width));
    registerWriter(vcpu, RSP, stackWidth, true)(moved);
    return 'over';
  };
}
