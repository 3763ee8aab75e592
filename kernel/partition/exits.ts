/**
 * What a guest was stopped for, one small handler each (AMD64 Architecture Programmer's Manual volume 2, "SVM Intercept Codes"). A guest's
 * mistake is a value here: counted, told to the health monitor, harmless to others.
 */
import { CR4, PAGING_CR4, RFLAGS } from '../regs/paging.ts';
import {
  EFER,
  EVENT,
  EXIT_CODE,
  IOIO_INFO,
  MSR_INFO_WRITE,
  NPF_INFO,
  SEGMENT_ATTRIBUTES,
  TLB_CONTROL_FLUSH_ALL,
  VMCB,
} from '../regs/vmcb.ts';
import { EVENTS } from '../trace/events.ts';
import { exitIndex, NAMED_EXITS } from '../trace/exit-names.ts';
import type { Trace } from '../trace/trace.ts';

export { exitIndex, exitName } from '../trace/exit-names.ts';
import { AREA } from '../vm/guest-area.ts';
import type { Platform } from '../vdev/platform.ts';
import { placeOf } from '../vm/guest-registers.ts';
import { PAGE_FAULT } from '../vm/guest-walk.ts';
import { countPrefixes, isCode64, LENGTH_MAX } from '../vm/instruction-length.ts';
import { PARTITION_STATE } from './abi.ts';
import type { HealthMonitor } from './health-monitor.ts';
import type { Partition } from './partition.ts';
import { movePortString } from './port-string.ts';
import type { HealthAction } from './system.ts';

/** Enter again as it is, or look first: state, timers or interrupts may have changed. */
export const AFTER = { RESUME: 0, REPLAN: 1 } as const;
export type ExitHandler = (partition: Partition) => number;

/** The machine's ports, for the grants that are traced. */
export interface PortAccess {
  read(port: number, bytes: 1 | 2 | 4): number;
  write(port: number, bytes: 1 | 2 | 4, value: number): void;
}

export interface ExitParts {
  readonly partitions: readonly Partition[];
  readonly trace: Trace;
  readonly health: HealthMonitor;
  readonly ports: PortAccess;
  readonly onHypercall: ExitHandler;
  /** Virtual interrupts can go in now. */
  readonly onWindow: ExitHandler;
  readonly halt: (partition: Partition, reason: string) => void;
  /** The guest's TSC was written. */
  readonly onTscWritten: (partition: Partition) => void;
  /** Whether an exit that began in time still is, and whether there is time to decode; if not, nothing more is handled in this slot. */
  readonly hasTime: () => boolean;
  readonly mayDecode: () => boolean;
  /** A partition's virtual devices may be in another state than before. @returns AFTER.x */
  readonly onDevices: (partition: Partition, platform: Platform) => number;
}

const VECTOR_UD = 6;
const VECTOR_GP = 13;
const VECTOR_PF = 14;
const VECTOR_BP = 3;
const VECTOR_OF = 4;
const OPCODE_INT3 = 0xcc;
const OPCODE_INTO = 0xce;
/** Behind 0Fh: RDTSCP is 0Fh 01h F9h, RDTSC 0Fh 31h. */
const OPCODE_GROUP_7 = 0x01;

const RIP = VMCB.RIP >> 3;
const SHADOW = VMCB.INTERRUPT_SHADOW >> 2;
const FLAGS = VMCB.RFLAGS >> 2;
const IF = Number(RFLAGS.IF);
const DF = Number(RFLAGS.DF);
/** Prefix. */
const ADDRESS_SIZE = 0x67;
const EXITINFO_2_LOW = VMCB.EXITINFO2 >> 2;
const PAGE = 4096;
const VECTOR_DB = 1;

/** The guest goes on behind an instruction of this length, which was done for it. */
function advance({ vcpu }: Partition, length: number): void {
  vcpu.vmcb[RIP] = vcpu.vmcb[RIP]! + BigInt(length);
  vcpu.vmcb32[SHADOW] = 0;
}

const EXCEPTIONS = Array.from({ length: 32 }, (_, vector) => EXIT_CODE.EXCEPTION + vector);

/** Of all that are counted: those that guests leave for. */
export const EXIT_INDICES: readonly number[] = [...new Set([...Object.values(EXIT_CODE).map(exitIndex), ...NAMED_EXITS, ...EXCEPTIONS])];

/** CR4 bits that a guest may set, by the register and bit of its CPUID that offers them (APM volume 2, "CR4 Register"). Not OSXSAVE. */
const CR4_BITS: readonly { readonly bit: bigint; readonly leaf: 1 | 7; readonly register: 1 | 2 | 3; readonly feature: number }[] = [
  { bit: CR4.VME, leaf: 1, register: 3, feature: 1 },
  { bit: CR4.PVI, leaf: 1, register: 3, feature: 1 },
  { bit: CR4.TSD, leaf: 1, register: 3, feature: 4 },
  { bit: CR4.DE, leaf: 1, register: 3, feature: 2 },
  { bit: CR4.PSE, leaf: 1, register: 3, feature: 3 },
  { bit: CR4.PAE, leaf: 1, register: 3, feature: 6 },
  { bit: CR4.MCE, leaf: 1, register: 3, feature: 7 },
  { bit: CR4.PGE, leaf: 1, register: 3, feature: 13 },
  { bit: CR4.OSFXSR, leaf: 1, register: 3, feature: 24 },
  { bit: CR4.OSXMMEXCPT, leaf: 1, register: 3, feature: 25 },
  { bit: CR4.FSGSBASE, leaf: 7, register: 1, feature: 0 },
  { bit: CR4.SMEP, leaf: 7, register: 1, feature: 7 },
  { bit: CR4.SMAP, leaf: 7, register: 1, feature: 20 },
];

function writableCr4({ cpuid }: Partition): bigint {
  let writable: bigint = CR4.PCE;
  for (const { bit, leaf, register, feature } of CR4_BITS)
    if (((cpuid(leaf, 0)[register]! >> BigInt(feature)) & 1n) !== 0n) writable |= bit;
  return writable;
}

const isReset = (action: HealthAction): boolean => action === 'cold-reset' || action === 'warm-reset';
/** Whether the health monitor has left it as it was. */
const runsOn = ({ state, loading }: Partition): boolean => state === PARTITION_STATE.READY && loading === undefined;
const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
/** What a register holds after a write of so many bits: 32 of them clear the upper half, 16 leave the rest. */
const narrowed = (old: bigint, value: bigint, width: number): bigint =>
  width === 16 ? (old & ~0xffffn) | (value & 0xffffn) : width === 32 ? value & 0xffff_ffffn : BigInt.asIntN(64, value);
const low32 = (value: bigint): number => Number(BigInt.asUintN(32, value));

export function createExitHandlers(parts: ExitParts): (ExitHandler | undefined)[] {
  const { trace, health, ports } = parts;
  const handlers: (ExitHandler | undefined)[] = new Array<ExitHandler | undefined>(256).fill(undefined);
  const on = (code: number, handler: ExitHandler): void => {
    handlers[exitIndex(code)] = handler;
  };

  /** @param isEnd whether the guest would leave for the same again if it were entered: then it is halted, unless something is done about it anyway */
  const unexpected =
    (what: string, isEnd: boolean): ExitHandler =>
    (partition) => {
      const rip = partition.vcpu.vmcb[RIP]!;
      health.raise(
        partition,
        'unexpected-exit',
        BigInt(partition.vcpu.vmcb32[VMCB.EXITCODE >> 2]!),
        `${what}, rip ${hex(BigInt.asUintN(64, rip))}`,
      );
      if (isEnd && runsOn(partition)) parts.halt(partition, what);
      return AFTER.REPLAN;
    };

  /** What the VMCB holds now is not defined: without a reset there is nothing to go on with. */
  function shutDown(partition: Partition): number {
    const action = health.raise(partition, 'shutdown', 0n, 'the guest shut down: a triple fault, most likely');
    if (!isReset(action)) parts.halt(partition, 'it shut down');
    return AFTER.REPLAN;
  }

  /** Raises an exception in the guest, as the CPU would. */
  function fault(partition: Partition, vector: number, errorCode?: number): number {
    return partition.interrupts.injectException(vector, errorCode) ? AFTER.REPLAN : shutDown(partition);
  }

  on(EXIT_CODE.VMMCALL, parts.onHypercall);
  on(EXIT_CODE.VINTR, parts.onWindow);

  on(EXIT_CODE.CPUID, (partition) => {
    const { area } = partition.vcpu;
    const registers = partition.cpuid(low32(area[AREA.RAX]!), low32(area[AREA.RCX]!));
    area[AREA.RAX] = registers[0]!;
    area[AREA.RBX] = registers[1]!;
    area[AREA.RCX] = registers[2]!;
    area[AREA.RDX] = registers[3]!;
    partition.skip(0x0f, 2);
    return AFTER.RESUME;
  });

  on(EXIT_CODE.HLT, (partition) => {
    const { interrupts, vcpu } = partition;
    partition.skip(0xf4, 1);
    if ((vcpu.vmcb32[FLAGS]! & IF) === 0) {
      health.raise(partition, 'shutdown', BigInt.asUintN(64, vcpu.vmcb[RIP]!), 'HLT with interrupts off');
      if (runsOn(partition)) {
        // Nothing that this machine has would end it: no line does either. Its watchdog still may.
        partition.state = PARTITION_STATE.IDLE;
        interrupts.enabled = 0;
      }
    } else if (!interrupts.isDeliverable()) partition.state = PARTITION_STATE.IDLE;
    return AFTER.REPLAN;
  });

  on(EXIT_CODE.MSR, (partition) => {
    const { area, vmcb32 } = partition.vcpu;
    const index = low32(area[AREA.RCX]!);
    const { platform } = partition;
    platform?.setTsc(area[AREA.LEFT]!);
    let after: number = AFTER.RESUME;
    if (vmcb32[VMCB.EXITINFO1 >> 2] === MSR_INFO_WRITE) {
      const value = (BigInt.asUintN(32, area[AREA.RDX]!) << 32n) | BigInt.asUintN(32, area[AREA.RAX]!);
      const taken = platform?.writeMsr(index, value);
      if (!(taken ?? partition.msrs.write(index, value))) return fault(partition, VECTOR_GP, 0);
      if (taken !== undefined) after = parts.onDevices(partition, platform!);
      else if (index === 0x10) parts.onTscWritten(partition);
    } else {
      const value = platform?.readMsr(index) ?? partition.msrs.read(index);
      if (value === undefined) return fault(partition, VECTOR_GP, 0);
      area[AREA.RAX] = value & 0xffff_ffffn;
      area[AREA.RDX] = (value >> 32n) & 0xffff_ffffn;
    }
    partition.skip(0x0f, 2);
    return after;
  });

  /** INS and OUTS of nothing: the registers are as after all of it. Memory stays as it is, also where INS would have put ones. */
  function moveString({ vcpu, memory }: Partition, isIn: boolean, isRepeated: boolean, bytes: number): void {
    const { area, vmcb32 } = vcpu;
    const is64 = isCode64(vcpu);
    const code = memory.instructionBytes(LENGTH_MAX);
    const isOther = code.slice(0, countPrefixes(code, is64)).includes(ADDRESS_SIZE);
    const is32 = ((vmcb32[VMCB.CS >> 2]! >>> 16) & SEGMENT_ATTRIBUTES.DEFAULT_32) !== 0;
    const width = is64 ? (isOther ? 32 : 64) : is32 !== isOther ? 32 : 16;
    const count = isRepeated ? BigInt.asUintN(width, area[AREA.RCX]!) : 1n;
    const index = isIn ? AREA.RDI : AREA.RSI;
    const distance = count * BigInt(bytes) * ((vmcb32[FLAGS]! & DF) !== 0 ? -1n : 1n);
    area[index] = narrowed(area[index]!, area[index]! + distance, width);
    if (isRepeated) area[AREA.RCX] = narrowed(area[AREA.RCX]!, 0n, width);
  }

  /** EAX, AX or AL: 32-bit results clear the upper half, narrower ones leave the rest. */
  function setAccumulator(area: BigInt64Array, bytes: 1 | 2 | 4, value: number): void {
    const old = area[AREA.RAX]!;
    area[AREA.RAX] =
      bytes === 4 ? BigInt(value >>> 0) : bytes === 2 ? (old & ~0xffffn) | BigInt(value & 0xffff) : (old & ~0xffn) | BigInt(value & 0xff);
  }

  /** IN and OUT at a virtual device. */
  function accessPort(partition: Partition, platform: Platform, port: number, bytes: 1 | 2 | 4, isIn: boolean): number {
    const { area, area32, vmcb, vmcb32 } = partition.vcpu;
    platform.setTsc(area[AREA.LEFT]!);
    if (isIn) setAccumulator(area, bytes, platform.in(port, bytes));
    else platform.out(port, bytes, (area32[AREA.RAX * 2]! & (bytes === 4 ? -1 : bytes === 2 ? 0xffff : 0xff)) >>> 0);
    vmcb[RIP] = vmcb[VMCB.EXITINFO2 >> 3]!;
    vmcb32[SHADOW] = 0;
    return parts.onDevices(partition, platform);
  }

  /** INS and OUTS there. */
  function accessPortString(
    partition: Partition,
    platform: Platform,
    port: number,
    bytes: 1 | 2 | 4,
    isIn: boolean,
    isRepeated: boolean,
  ): number {
    const { area, vmcb, vmcb32 } = partition.vcpu;
    platform.setTsc(area[AREA.LEFT]!);
    const progress = movePortString(partition, platform, port, bytes, isIn, isRepeated);
    const after = parts.onDevices(partition, platform);
    if (typeof progress === 'bigint') {
      vmcb[VMCB.CR2 >> 3] = progress;
      return fault(partition, VECTOR_PF, isIn ? PAGE_FAULT.WRITE : 0);
    }
    if (progress === 'over') vmcb[RIP] = vmcb[VMCB.EXITINFO2 >> 3]!;
    vmcb32[SHADOW] = 0;
    return after;
  }

  on(EXIT_CODE.IOIO, (partition) => {
    const { area, vmcb, vmcb32 } = partition.vcpu;
    const info = vmcb32[VMCB.EXITINFO1 >> 2]!;
    const port = info >>> IOIO_INFO.PORT_SHIFT;
    const bytes = (info & IOIO_INFO.SIZE_8) !== 0 ? 1 : (info & IOIO_INFO.SIZE_16) !== 0 ? 2 : 4;
    const isIn = (info & IOIO_INFO.IN) !== 0;
    const isString = (info & IOIO_INFO.STRING) !== 0;
    const { platform } = partition;
    if (platform !== undefined && platform.hasPort(port))
      return isString
        ? accessPortString(partition, platform, port, bytes, isIn, (info & IOIO_INFO.REP) !== 0)
        : accessPort(partition, platform, port, bytes, isIn);
    const grant = partition.description.ioPorts.find(
      ({ first, count, isTraced }) => isTraced && port >= first && port + bytes <= first + count,
    );
    // IOIO is the one exit of QEMU's that tells the next instruction.
    const next = vmcb[VMCB.EXITINFO2 >> 3]!;
    if (isString) moveString(partition, isIn, (info & IOIO_INFO.REP) !== 0, bytes);
    else if (isIn) {
      setAccumulator(area, bytes, grant ? ports.read(port, bytes) : 0xffff_ffff);
    } else if (grant) {
      const value = low32(area[AREA.RAX]!) & (bytes === 4 ? -1 : bytes === 2 ? 0xffff : 0xff);
      ports.write(port, bytes, value >>> 0);
      trace.record(EVENTS.portOutput, partition.index, port, value >>> 0, area[AREA.LEFT]!);
    }
    vmcb[RIP] = next;
    vmcb32[SHADOW] = 0;
    if (grant && !isString) return AFTER.RESUME;
    partition.unclaimedAccesses++;
    // A PC's software looks for devices where there are none.
    if (platform !== undefined) return AFTER.RESUME;
    const reason = grant ? 'which is traced: strings are not modelled' : 'which it was not given';
    const text = health.wantsText(partition, 'port-misuse') ? `${isIn ? 'IN' : 'OUT'} of ${bytes} at port ${hex(port)}, ${reason}` : '';
    health.raise(partition, 'port-misuse', BigInt(port), text);
    return AFTER.REPLAN;
  });

  /** Where a guest with a platform has devices, or nothing: not in its memory, nor in its time page. */
  function isBeyondMemory({ vcpu: { vmcb32 }, memory }: Partition): boolean {
    return vmcb32[EXITINFO_2_LOW + 1] !== 0 || vmcb32[EXITINFO_2_LOW]! >>> 0 >= memory.length + PAGE;
  }

  /** The guest's instruction on a virtual device in memory. */
  function accessMemory(partition: Partition, platform: Platform): number {
    const { vcpu, interrupts } = partition;
    platform.setTsc(vcpu.area[AREA.LEFT]!);
    const outcome = partition.mmio!.execute(parts);
    if (outcome.kind === 'done') return parts.onDevices(partition, platform);
    // The guest comes back with the same instruction.
    if (outcome.kind === 'postponed') return AFTER.REPLAN;
    if (outcome.kind === 'fault') {
      if (outcome.vector === VECTOR_DB) parts.onDevices(partition, platform);
      return interrupts.injectException(outcome.vector, outcome.errorCode) ? AFTER.REPLAN : shutDown(partition);
    }
    const bytes = outcome.bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const address = BigInt.asUintN(64, vcpu.vmcb[VMCB.EXITINFO2 >> 3]!);
    const text = `an instruction on device memory at ${hex(address)}: ${outcome.why}; ${bytes}, of which ${outcome.read} were looked at`;
    health.raise(partition, 'unexpected-exit', address, `${text}, rip ${hex(BigInt.asUintN(64, vcpu.vmcb[RIP]!))}`);
    if (runsOn(partition)) parts.halt(partition, 'an instruction on device memory that is not done for a guest');
    return AFTER.REPLAN;
  }

  on(EXIT_CODE.NPF, (partition) => {
    const { vmcb, vmcb32 } = partition.vcpu;
    const info = vmcb32[VMCB.EXITINFO1 >> 2]!;
    const { platform } = partition;
    if (platform !== undefined && (info & NPF_INFO.FETCH) === 0 && isBeyondMemory(partition)) return accessMemory(partition, platform);
    const address = BigInt.asUintN(64, vmcb[VMCB.EXITINFO2 >> 3]!);
    const how = (info & NPF_INFO.FETCH) !== 0 ? 'instruction fetch' : (info & NPF_INFO.WRITE) !== 0 ? 'write' : 'read';
    const text = health.wantsText(partition, 'memory-violation')
      ? `${how} at ${hex(address)}, which is not its memory, rip ${hex(BigInt.asUintN(64, vmcb[RIP]!))}`
      : '';
    const action = health.raise(partition, 'memory-violation', address, text);
    if (action !== 'propagate') return AFTER.REPLAN;
    // As the page fault that it would have been if the guest's own tables had ended there.
    vmcb[VMCB.CR2 >> 3] = BigInt.asIntN(64, address);
    return fault(partition, VECTOR_PF, info & (NPF_INFO.WRITE | NPF_INFO.USER | NPF_INFO.FETCH));
  });

  on(EXIT_CODE.SHUTDOWN, shutDown);

  for (let vector = 0; vector < 32; vector++)
    on(EXIT_CODE.EXCEPTION + vector, (partition) => {
      const { vmcb, vmcb32 } = partition.vcpu;
      const errorCode = vmcb32[VMCB.EXITINFO1 >> 2]!;
      const rip = hex(BigInt.asUintN(64, vmcb[RIP]!));
      health.raise(partition, 'fault', BigInt(vector), `exception ${vector}, error code ${hex(errorCode >>> 0)}, rip ${rip}`);
      if (!runsOn(partition)) return AFTER.REPLAN;
      // Traps, of which the CPU leaves the guest at the instruction: it is to come back behind it.
      if (vector === VECTOR_BP) partition.skip(OPCODE_INT3, 1);
      else if (vector === VECTOR_OF) partition.skip(OPCODE_INTO, 1);
      if (vector === VECTOR_PF) vmcb[VMCB.CR2 >> 3] = vmcb[VMCB.EXITINFO2 >> 3]!;
      return fault(partition, vector, HAS_ERROR_CODE.has(vector) ? errorCode : undefined);
    });

  on(EXIT_CODE.SWINT, (partition) => {
    const { vmcb, vmcb32 } = partition.vcpu;
    const bytes = partition.memory.instructionBytes(LENGTH_MAX);
    const prefixes = countPrefixes(bytes, isCode64(partition.vcpu));
    const isShort = bytes[prefixes] === OPCODE_INT3;
    const vector = isShort ? VECTOR_BP : (bytes[prefixes + 1] ?? 0);
    if (vector === VECTOR_BP) {
      health.raise(partition, 'fault', BigInt(VECTOR_BP), `exception 3, rip ${hex(BigInt.asUintN(64, vmcb[RIP]!))}`);
      if (!runsOn(partition)) return AFTER.REPLAN;
    }
    advance(partition, prefixes + (isShort ? 1 : 2));
    vmcb32[VMCB.EVENTINJ >> 2] = EVENT.VALID | EVENT.TYPE_SOFTWARE | vector;
    return AFTER.REPLAN;
  });

  /** MOV to a control register: which of the guest's registers it is from, QEMU does not tell. */
  function movedValue(partition: Partition): { readonly value: bigint; readonly length: number } | undefined {
    const is64 = isCode64(partition.vcpu);
    const bytes = partition.memory.instructionBytes(LENGTH_MAX);
    const prefixes = countPrefixes(bytes, is64);
    if (bytes[prefixes] !== 0x0f || bytes[prefixes + 1] !== 0x22) return undefined;
    const rex = is64 && prefixes > 0 && (bytes[prefixes - 1]! & 0xf0) === 0x40 ? bytes[prefixes - 1]! : 0;
    const number = (bytes[prefixes + 2]! & 7) | ((rex & 1) << 3);
    const { words, word } = placeOf(partition.vcpu, number);
    return { value: BigInt.asUintN(is64 ? 64 : 32, words[word]!), length: prefixes + 3 };
  }

  /** By partition, made beforehand: five CPUID leaves take as long as an exit may altogether. */
  const cr4Writable = parts.partitions.map(writableCr4);

  on(EXIT_CODE.CR_WRITE + 4, (partition) => {
    const moved = movedValue(partition);
    if (!moved) return fault(partition, VECTOR_UD);
    const { vmcb, vmcb32 } = partition.vcpu;
    if ((moved.value & ~cr4Writable[partition.index]!) !== 0n) return fault(partition, VECTOR_GP, 0);
    // "Physical-Address Extensions (PAE) Bit": long mode does not go without.
    if ((moved.value & CR4.PAE) === 0n && (vmcb[VMCB.EFER >> 3]! & EFER.LMA) !== 0n) return fault(partition, VECTOR_GP, 0);
    // "Implicit Invalidations": guests write CR4 in order to have translations thrown away.
    if (((moved.value ^ vmcb[VMCB.CR4 >> 3]!) & PAGING_CR4) !== 0n) vmcb32[VMCB.TLB_CONTROL >> 2] = TLB_CONTROL_FLUSH_ALL;
    vmcb[VMCB.CR4 >> 3] = moved.value;
    advance(partition, moved.length);
    return AFTER.RESUME;
  });

  on(EXIT_CODE.CR_WRITE + 8, (partition) => {
    const moved = movedValue(partition);
    if (!moved) return fault(partition, VECTOR_UD);
    if (moved.value > 15n) return fault(partition, VECTOR_GP, 0);
    const { vmcb32 } = partition.vcpu;
    const word = VMCB.V_INTR >> 2;
    vmcb32[word] = (vmcb32[word]! & ~0xff) | Number(moved.value);
    advance(partition, moved.length);
    const { platform } = partition;
    if (platform === undefined) return AFTER.RESUME;
    platform.setTsc(partition.vcpu.area[AREA.LEFT]!);
    platform.writeCr8(Number(moved.value));
    return parts.onDevices(partition, platform);
  });

  /** Of a guest whose platform emulates its TSC. RDTSCP's intercept is ignored by QEMU 7.2: this one catches both. */
  function readTsc(partition: Partition): number {
    const { vcpu, platform, memory } = partition;
    const { area } = vcpu;
    platform!.setTsc(area[AREA.LEFT]!);
    const value = platform!.readTsc();
    area[AREA.RAX] = value & 0xffff_ffffn;
    area[AREA.RDX] = (value >> 32n) & 0xffff_ffffn;
    const bytes = memory.instructionBytes(LENGTH_MAX);
    const prefixes = countPrefixes(bytes, isCode64(vcpu));
    const isRdtscp = bytes[prefixes + 1] === OPCODE_GROUP_7;
    if (isRdtscp) area[AREA.RCX] = area[AREA.TSC_AUX]! & 0xffff_ffffn;
    advance(partition, prefixes + (isRdtscp ? 3 : 2));
    return AFTER.RESUME;
  }
  on(EXIT_CODE.RDTSC, readTsc);
  on(EXIT_CODE.RDTSCP, readTsc);

  // Instructions that this guest's CPU does not have.
  for (const code of [
    EXIT_CODE.VMRUN,
    EXIT_CODE.VMLOAD,
    EXIT_CODE.VMSAVE,
    EXIT_CODE.STGI,
    EXIT_CODE.CLGI,
    EXIT_CODE.SKINIT,
    EXIT_CODE.INVLPGA,
    EXIT_CODE.MONITOR,
    EXIT_CODE.MWAIT,
    EXIT_CODE.MWAIT_ARMED,
    EXIT_CODE.XSETBV,
  ])
    on(code, (partition) => fault(partition, VECTOR_UD));
  on(EXIT_CODE.RDPMC, (partition) => fault(partition, VECTOR_GP, 0));

  // Caches are the machine's: left alone.
  for (const code of [EXIT_CODE.INVD, EXIT_CODE.WBINVD])
    on(code, (partition) => {
      partition.skip(0x0f, 2);
      return AFTER.RESUME;
    });

  on(EXIT_CODE.INVALID, unexpected('VMRUN refused its state', true));
  on(EXIT_CODE.TASK_SWITCH, unexpected('a task switch, which is not modelled', true));
  // The machine's affair, and over: the guest can go on.
  on(EXIT_CODE.SMI, unexpected('SMI', false));
  on(EXIT_CODE.INIT, unexpected('INIT', false));
  on(EXIT_CODE.NMI, unexpected('NMI', false));
  for (let index = 0; index < handlers.length; index++) handlers[index] ??= unexpected(`exit code ${hex(index)}`, true);
  return handlers;
}

/** APM volume 2, "Error Codes": #DF, #TS, #NP, #SS, #GP, #PF, #AC. */
const HAS_ERROR_CODE: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17]);
