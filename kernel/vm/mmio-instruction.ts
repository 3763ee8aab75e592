/**
 * Does the instruction for which a guest left with a nested page fault at a device's address: on devices, registers, flags, and where it has
 * another operand on the guest's memory, as the CPU would (AMD64 Architecture Programmer's Manual volume 2, "Nested Paging"; volume 3). QEMU
 * tells neither its bytes nor its length.
 *
 * Not modelled: limits and types of segments of a second operand, faults for reserved bits of page-table entries, alignment checks (#AC), data
 * breakpoints. An access within one page is made as one, aligned or not; one that crosses a page is made of parts (mmio-operands.ts).
 * LOCK adds nothing: nobody else runs meanwhile.
 */
import { RFLAGS } from '../regs/paging.ts';
import { NPF_INFO, VMCB } from '../regs/vmcb.ts';
import type { MemoryDevice } from '../vdev/device.ts';
import type { GuestMemory } from './guest-memory.ts';
import { createGuestWalk } from './guest-walk.ts';
import { codeSizeOf, decodeInstruction, type Decoded, type Instruction } from './instruction-decode.ts';
import { createInstructionReader, NEVER } from './instruction-witness.ts';
import { LENGTH_MAX } from './instruction-length.ts';
import { createLocated, createPageOffset, linearAddress, PAGE, type DeviceAt, type Fault } from './mmio-operands.ts';
import { compileOperation, type Operate, type Operation } from './mmio-operation.ts';
import { compileStack, compileString, isStack, isString, type Progress } from './mmio-strings.ts';
import type { Vcpu } from './vcpu.ts';

/** An instruction that is not done: its event is the caller's affair. The guest is where it was. */
export interface Unsupported {
  readonly kind: 'unsupported';
  readonly why: string;
  /** Up to 15 from its first on, as far as they can be read: it may be shorter. */
  readonly bytes: readonly number[];
  /** How many of them were looked at: its length, where it was decoded. */
  readonly read: number;
}

/**
 * Done: the guest's RIP is behind the instruction (at it, where a repeated one has more to do), its interrupt shadow and RF are cleared. A fault is
 * one to inject; a #DB is the trap behind an instruction that was done with TF set, DR6 says so. Postponed: nothing was done, for want of time.
 */
export type MmioOutcome = { readonly kind: 'done' } | { readonly kind: 'postponed' } | Fault | Unsupported;
export const DONE: MmioOutcome = { kind: 'done' };
const POSTPONED: MmioOutcome = { kind: 'postponed' };

/** Making an instruction ready takes several times as long as doing one that is. */
export interface DecodeTime {
  /** Whether there is time to make one ready. */
  mayDecode(): boolean;
  /** Whether there is time left to do it, too: otherwise it is ready when the guest comes to it again. */
  hasTime(): boolean;
}
const ANY_TIME: DecodeTime = { mayDecode: () => true, hasTime: () => true };

const VECTOR_DB = 1;
const VECTOR_UD = 6;
const VECTOR_GP = 13;
const VECTOR_PF = 14;
const UNDEFINED: Fault = { kind: 'fault', vector: VECTOR_UD };
const TOO_LONG: Fault = { kind: 'fault', vector: VECTOR_GP, errorCode: 0 };
const TRAP: Fault = { kind: 'fault', vector: VECTOR_DB };
/** DR6, "Breakpoint Debug Status": a single step. */
const DR6_BS = 1 << 14;

const RIP = VMCB.RIP >> 3;
const RIP_LOW = VMCB.RIP >> 2;
const FLAGS = VMCB.RFLAGS >> 2;
const SHADOW = VMCB.INTERRUPT_SHADOW >> 2;
const DR6 = VMCB.DR6 >> 2;
const INFO = VMCB.EXITINFO1 >> 2;
const ADDRESS_LOW = VMCB.EXITINFO2 >> 2;
const ADDRESS_HIGH = ADDRESS_LOW + 1;
const DELIVERING = VMCB.EXITINTINFO >> 2;
const TF = Number(RFLAGS.TF);
const RF = Number(RFLAGS.RF);
/** What the high half counts, in addresses and in pages. */
const ADDRESSES_HIGH = 2 ** 32;
/** Never accessed. */
const NO_DEVICE: MemoryDevice = { read: () => 0n, write: () => undefined };
const PAGES_HIGH = ADDRESSES_HIGH / PAGE;

/** Instructions that are remembered: a power of two. */
const REMEMBERED = 256;

interface Prepared {
  /** Whether it is still what the guest's RIP leads to. */
  readonly isCurrent: () => boolean;
  /** Low 12 bits of its operand's address. */
  readonly pageOffset: () => number;
  /** Of those, the highest at which the operand does not cross into another page; -1 if it has to be done at length anyway. */
  readonly lastOffset: number;
  readonly isModify: boolean;
  readonly operate: Operate;
  readonly atLength: () => Progress;
  readonly next: bigint;
  readonly length: number;
  /** Guest-physical page that it was at, and the device there. */
  page: number;
  device: MemoryDevice;
}

/** One that is not an operation with an operand. */
const atLengthOnly = (atLength: () => Progress, isCurrent: () => boolean, next: bigint, length: number): Prepared => ({
  isCurrent,
  pageOffset: () => 0,
  lastOffset: -1,
  isModify: false,
  operate: () => undefined,
  atLength,
  next,
  length,
  page: -1,
  device: NO_DEVICE,
});

export interface MmioInstructions {
  /** Right after the exit: the fault's address and kind are the VMCB's. */
  execute(time?: DecodeTime): MmioOutcome;
}

export function createMmioInstructions(vcpu: Vcpu, memory: GuestMemory, deviceAt: DeviceAt): MmioInstructions {
  const { vmcb, vmcb32 } = vcpu;
  const guestWalk = createGuestWalk(vcpu, memory);
  const parts = { vcpu, memory, guestWalk, deviceAt };
  const source = createLocated(parts);
  const destination = createLocated(parts);
  const reader = createInstructionReader(vcpu, memory, guestWalk);
  const faultAddress = (): number => (vmcb32[ADDRESS_LOW]! >>> 0) + vmcb32[ADDRESS_HIGH]! * ADDRESSES_HIGH;
  const twoOperands = { vcpu, source, destination, faultAddress };

  const remembered = new Array<Prepared>(REMEMBERED).fill(atLengthOnly(() => 'again', NEVER, 0n, 0));

  function unsupported(why: string, read: number): Unsupported {
    return { kind: 'unsupported', why, bytes: memory.instructionBytes(LENGTH_MAX), read };
  }

  /** One operand, located through the guest's tables: it crosses a page, or its rights are still to be checked, or something does not fit. */
  function operandAtLength(instruction: Instruction, { operate, access }: Operation, next: bigint): () => Progress {
    return () => {
      const linear = linearAddress(vcpu, instruction, next);
      const refused = source.locate(linear, instruction.width, access === 'read' ? 'read' : 'write');
      if (refused === 'no-table') return { kind: 'refused', why: 'a page table of its operand is not in memory' };
      if (refused !== undefined) return refused;
      if (!source.isAt(faultAddress())) return { kind: 'refused', why: 'its operand is elsewhere' };
      operate(source, 0);
      return 'over';
    };
  }

  function prepare(instruction: Instruction): Prepared {
    const { codeSize, length, width } = instruction;
    const behind = vmcb[RIP]! + BigInt(length);
    const next = codeSize === 8 ? behind : behind & 0xffff_ffffn;
    const isCurrent = reader.witness(length);
    if (isString(instruction)) return atLengthOnly(compileString(twoOperands, instruction), isCurrent, next, length);
    if (isStack(instruction)) return atLengthOnly(compileStack(twoOperands, instruction, next), isCurrent, next, length);
    const operation = compileOperation(vcpu, instruction);
    return {
      isCurrent,
      pageOffset: createPageOffset(vcpu, instruction, next),
      lastOffset: PAGE - width,
      isModify: operation.access === 'modify',
      operate: operation.operate,
      atLength: operandAtLength(instruction, operation, next),
      next,
      length,
      page: -1,
      device: NO_DEVICE,
    };
  }

  /** Bytes are missing that the CPU has had: the guest has changed its tables since, and would now get a page fault for the fetch. */
  function missing(bytes: ArrayLike<number>): MmioOutcome {
    const linear = memory.instructionAddress() + BigInt(bytes.length);
    const walked = guestWalk.walk(linear, 'fetch');
    if (walked.physical !== undefined) return unsupported('it is not in memory', bytes.length);
    if (walked.errorCode === undefined) return unsupported('a page table of it is not in memory', bytes.length);
    vmcb[VMCB.CR2 >> 3] = linear;
    return { kind: 'fault', vector: VECTOR_PF, errorCode: walked.errorCode };
  }

  function withoutInstruction({ problem, read }: Exclude<Decoded, Instruction>, bytes: ArrayLike<number>): MmioOutcome {
    if (problem === 'truncated') return missing(bytes);
    if (problem === 'undefined') return UNDEFINED;
    if (problem === 'too-long') return TOO_LONG;
    return unsupported('it is not one that is done for a guest', read);
  }

  function prepareNew(): Prepared | MmioOutcome {
    const bytes = reader.read();
    const decoded = decodeInstruction(bytes, codeSizeOf(vcpu));
    if ('problem' in decoded) return withoutInstruction(decoded, bytes);
    const prepared = prepare(decoded);
    remembered[vmcb32[RIP_LOW]! & (REMEMBERED - 1)] = prepared;
    return prepared;
  }

  function atLength({ atLength, next, length }: Prepared): MmioOutcome {
    source.forget();
    destination.forget();
    const progress = atLength();
    if (progress === 'over') vmcb[RIP] = next;
    else if (progress !== 'again') return progress.kind === 'refused' ? unsupported(progress.why, length) : progress;
    vmcb32[SHADOW] = 0;
    return stepped();
  }

  /** "RFLAGS.RF" is cleared and "RFLAGS.TF" traps behind every instruction. */
  function stepped(): MmioOutcome {
    const flags = vmcb32[FLAGS]!;
    vmcb32[FLAGS] = flags & ~RF;
    if ((flags & TF) === 0) return DONE;
    vmcb32[DR6] = vmcb32[DR6]! | DR6_BS;
    return TRAP;
  }

  return {
    /**
     * The CPU has translated the operand's address and found that it leads here, so the way is not gone again, as long as the operand is all
     * in the page and the fault's is the address of its first byte. A write to a page the guest may not write has been a page fault of its
     * own; of operands that are read first QEMU reports the read, and the right to write is still to be checked.
     *
     * One function, as far as it goes for the usual instruction: a call costs as much as five comparisons.
     */
    execute(time = ANY_TIME) {
      if (vmcb32[DELIVERING]! < 0) return unsupported('an event was being delivered', 0);
      if ((vmcb32[INFO + 1]! & NPF_INFO.GUEST_TABLES_HIGH) !== 0) return unsupported('its page tables are at a device', 0);
      let prepared = remembered[vmcb32[RIP_LOW]! & (REMEMBERED - 1)]!;
      if (!prepared.isCurrent()) {
        if (!time.mayDecode()) return POSTPONED;
        const created = prepareNew();
        if ('kind' in created) return created;
        if (!time.hasTime()) return POSTPONED;
        prepared = created;
      }
      const low = vmcb32[ADDRESS_LOW]!;
      const offset = low & (PAGE - 1);
      if (prepared.pageOffset() !== offset || offset > prepared.lastOffset || (prepared.isModify && (vmcb32[INFO]! & NPF_INFO.WRITE) === 0))
        return atLength(prepared);
      const page = (low >>> 12) + vmcb32[ADDRESS_HIGH]! * PAGES_HIGH;
      if (prepared.page !== page) {
        prepared.page = page;
        prepared.device = deviceAt(page);
      }
      prepared.operate(prepared.device, offset);
      vmcb[RIP] = prepared.next;
      vmcb32[SHADOW] = 0;
      return (vmcb32[FLAGS]! & (TF | RF)) === 0 ? DONE : stepped();
    },
  };
}
