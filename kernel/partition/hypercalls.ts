/**
 * Hypercalls (abi.ts): a table of small handlers. Each is bounded; what a partition passes is checked, and a mistake is a status.
 */
import { EXIT_CODE, SEGMENT_ATTRIBUTES, VMCB } from '../regs/vmcb.ts';
import { EVENTS } from '../trace/events.ts';
import type { Trace } from '../trace/trace.ts';
import type { Platform } from '../vdev/platform.ts';
import { AREA } from '../vm/guest-area.ts';
import {
  ABI_VERSION,
  BATCH_ENTRY,
  BATCH_MAX,
  CLOCK,
  CLOCK_OPERATION,
  CONSOLE_MAX,
  ERROR,
  HEALTH_ENTRY,
  HYPERCALL,
  LINE,
  PARTITION_STATE,
  RESET,
  SELF,
  STATUS,
  TIMER_PERIOD_MIN,
  TIMERS_MAX,
} from './abi.ts';
import { AFTER, EXIT_INDICES, exitIndex, type ExitHandler } from './exits.ts';
import type { HealthActions, HealthMonitor } from './health-monitor.ts';
import type { Partition } from './partition.ts';
import type { Ports } from './ports.ts';
import type { SystemTime } from './system-time.ts';
import type { Instant, Ticks } from '../time/units.ts';

/** What hypercalls ask of the scheduler. */
export interface SchedulerCalls extends Omit<HealthActions, 'switchPlan'> {
  /** @returns false if there is no such plan */
  switchPlan(plan: number): boolean;
  /** Whether the partition that runs may go on with work of its own for a while: not near its slot's end. */
  hasTime(): boolean;
  /** Whether there is time in the slot to make an instruction ready; if not, nothing more is handled in it. */
  mayDecode(): boolean;
  /** HW clock of a partition. */
  hwClock(partition: Partition): bigint;
  execClock(partition: Partition): bigint;
  /** Writes its clocks into its time page anew. */
  refreshClocks(partition: Partition): void;
  /** Its virtual devices may be in another state than before. @returns AFTER.x */
  settle(partition: Partition, platform: Platform): number;
}

export interface HypercallParts {
  readonly partitions: readonly Partition[];
  readonly trace: Trace;
  readonly time: SystemTime;
  readonly health: HealthMonitor;
  readonly ports: Ports;
  readonly scheduler: SchedulerCalls;
  /** ns since 1970 at the epoch; undefined if the machine has no real-time clock. */
  readonly wallOffset: bigint | undefined;
  /** Records in the trace's ring beyond which no console output is taken. */
  readonly consoleRoom: number;
}

/** @param call its arguments, where the registers are that carry them: FIRST, SECOND, THIRD */
type Handler = (partition: Partition, call: BigInt64Array) => number;
const FIRST = AREA.RDI;
const SECOND = AREA.RSI;
const THIRD = AREA.RDX;

/** Deadlines beyond are none that a clock ever shows. */
const LAST_INSTANT = (1n << 62n) - 1n;
const PERIOD_MIN = BigInt(TIMER_PERIOD_MIN);
/** Entries of a batch that are done without a look at interrupts. */
const BATCH_TURN = 8;
const HEALTH_READ_MAX = 16;
/** Console bytes that a partition may write in a slot: sixteen calls of CONSOLE_MAX. */
const CONSOLE_SLOT_MAX = 16 * CONSOLE_MAX;
const NAME_MAX = 64n;
const VECTOR_UD = 6;
const CPL_WORD = (VMCB.CPL & ~3) >> 2;
const CPL_MASK = 0xff << 24;
const CS_WORD = VMCB.CS >> 2;
const CS_LONG = SEGMENT_ATTRIBUTES.LONG << 16;
const NUMBER_MASK = 0xffff;

export interface Hypercalls {
  readonly onHypercall: ExitHandler;
  /** A line of a partition's console. @returns false if there is no room for it */
  writeConsole(partition: Partition, bytes: Uint8Array): boolean;
}

export function createHypercalls(parts: HypercallParts): Hypercalls {
  const { partitions, trace, time, health, ports, scheduler, wallOffset, consoleRoom } = parts;
  const toNumber = Number;
  /** What goes into RDX. */
  let value = 0n;
  /** Whether timers, interrupts or a state may have changed. */
  let after: number = AFTER.RESUME;

  const scratch = new BigInt64Array(8);
  const recordTrace = trace.recorder(EVENTS.partitionTrace);
  const table: (Handler | undefined)[] = [];
  const on = (number: number, handler: Handler): void => {
    table[number & NUMBER_MASK] = handler;
  };

  /** A range of the caller's memory. @returns its address, or undefined */
  function range({ memory }: Partition, address: bigint, length: bigint): number | undefined {
    const size = BigInt(memory.length);
    return address >= 0n && length >= 0n && length <= size && address <= size - length ? toNumber(address) : undefined;
  }

  /** The partition that a number means, if the caller may manage it. */
  function target(caller: Partition, number: bigint): Partition | number {
    if (number === BigInt(SELF) || number === BigInt(caller.index)) return caller;
    if (!caller.description.isSystem) return ERROR.PERMISSION;
    return number >= 0n && number < BigInt(partitions.length) ? partitions[toNumber(number)]! : ERROR.NONE;
  }

  on(HYPERCALL.VERSION, () => {
    value = BigInt(ABI_VERSION);
    return ERROR.OK;
  });

  on(HYPERCALL.GET_TIME, (partition, call) => {
    const clock = call[FIRST]!;
    if (clock === BigInt(CLOCK.HW)) value = scheduler.hwClock(partition);
    else if (clock === BigInt(CLOCK.EXEC)) value = scheduler.execClock(partition);
    else if (clock === BigInt(CLOCK.WALL)) {
      if (wallOffset === undefined) return ERROR.NONE;
      value = scheduler.hwClock(partition) + wallOffset;
    } else return ERROR.INVALID;
    return ERROR.OK;
  });

  on(HYPERCALL.SET_TIMER, (partition, call) => {
    const which = call[FIRST]!;
    const deadline = call[SECOND]!;
    const period = call[THIRD]!;
    const timer = toNumber(which & 0xffffn);
    const clock = which >> 16n;
    if (timer >= TIMERS_MAX) return ERROR.NONE;
    if (clock !== BigInt(CLOCK.HW) && clock !== BigInt(CLOCK.EXEC)) return ERROR.INVALID;
    if (deadline < 0n || deadline > LAST_INSTANT || period < 0n || period > LAST_INSTANT) return ERROR.INVALID;
    if (period !== 0n && period < PERIOD_MIN) return ERROR.INVALID;
    partition.timers.arm(timer, clock === 0n ? CLOCK.HW : CLOCK.EXEC, deadline as Instant, period);
    after = AFTER.REPLAN;
    return ERROR.OK;
  });

  on(HYPERCALL.CANCEL_TIMER, (partition, call) => {
    const timer = call[FIRST]!;
    if (timer < 0n || timer >= BigInt(TIMERS_MAX)) return ERROR.NONE;
    partition.timers.disarm(toNumber(timer));
    after = AFTER.REPLAN;
    return ERROR.OK;
  });

  on(HYPERCALL.IDLE, (partition) => {
    if (!partition.interrupts.isDeliverable()) partition.state = PARTITION_STATE.IDLE;
    after = AFTER.REPLAN;
    return ERROR.OK;
  });

  /** @returns false if there is no room: one that writes as much as it can is not to drown what others have to say */
  function writeConsole(partition: Partition, bytes: Uint8Array): boolean {
    if (partition.consoleBytes + bytes.length > CONSOLE_SLOT_MAX || trace.pending() > consoleRoom) return false;
    partition.consoleBytes += bytes.length;
    // A copy: the partition may write over it before it is sent.
    trace.record(EVENTS.partitionConsole, partition.index, bytes.slice());
    return true;
  }

  on(HYPERCALL.CONSOLE, (partition, call) => {
    const address = call[FIRST]!;
    const length = call[SECOND]!;
    if (length < 0n || length > BigInt(CONSOLE_MAX)) return ERROR.INVALID;
    const at = range(partition, address, length);
    if (at === undefined) return ERROR.ADDRESS;
    return writeConsole(partition, partition.memory.bytes.subarray(at, at + toNumber(length))) ? ERROR.OK : ERROR.FULL;
  });

  on(HYPERCALL.TRACE, (partition, call) => {
    recordTrace(partition.vcpu.area[AREA.LEFT]!, partition.index, call[FIRST] as Ticks, call[SECOND] as Ticks);
    return ERROR.OK;
  });

  /** Suspend, resume, halt: which states each may be called in. */
  function changeState(number: number, state: number, from: readonly number[]): void {
    on(number, (caller, call) => {
      const partition = target(caller, call[FIRST]!);
      if (typeof partition === 'number') return partition;
      if (!from.includes(partition.state)) return ERROR.STATE;
      scheduler.setState(partition, state, caller === partition ? 'by itself' : `by partition ${caller.index}`);
      after = AFTER.REPLAN;
      return ERROR.OK;
    });
  }
  const { READY, IDLE, SUSPENDED, HALTED } = PARTITION_STATE;
  changeState(HYPERCALL.HALT, HALTED, [READY, IDLE, SUSPENDED]);
  changeState(HYPERCALL.SUSPEND, SUSPENDED, [READY, IDLE]);
  changeState(HYPERCALL.RESUME, READY, [SUSPENDED]);

  on(HYPERCALL.RESET, (caller, call) => {
    const partition = target(caller, call[FIRST]!);
    const kind = call[SECOND]!;
    if (typeof partition === 'number') return partition;
    if (kind !== BigInt(RESET.COLD) && kind !== BigInt(RESET.WARM)) return ERROR.INVALID;
    scheduler.reset(partition, kind === BigInt(RESET.COLD), caller === partition ? 'by itself' : `by partition ${caller.index}`);
    after = AFTER.REPLAN;
    return ERROR.OK;
  });

  on(HYPERCALL.SWITCH_PLAN, (caller, call) => {
    const plan = call[FIRST]!;
    if (!caller.description.isSystem) return ERROR.PERMISSION;
    after = AFTER.REPLAN;
    return plan >= 0n && plan < 0xffffn && scheduler.switchPlan(toNumber(plan)) ? ERROR.OK : ERROR.NONE;
  });

  on(HYPERCALL.STATUS, (caller, call) => {
    const partition = target(caller, call[FIRST]!);
    if (typeof partition === 'number') return partition;
    const at = range(caller, call[SECOND]!, BigInt(STATUS.LENGTH));
    if (at === undefined) return ERROR.ADDRESS;
    const { bytes } = caller.memory;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, STATUS.LENGTH);
    const put = (offset: number, content: bigint): void => view.setBigInt64(offset, content, true);
    let exits = 0;
    // By number, and those only that guests leave for: an iterator over all of them takes longer than an exit may.
    for (let at = 0; at < EXIT_INDICES.length; at++) exits += partition.exits[EXIT_INDICES[at]!]!;
    put(STATUS.STATE, BigInt(partition.state));
    put(STATUS.HW_CLOCK, scheduler.hwClock(partition));
    put(STATUS.EXEC_CLOCK, scheduler.execClock(partition));
    put(STATUS.RESETS, BigInt(partition.resets));
    put(STATUS.EXITS, BigInt(exits));
    put(STATUS.SLOTS, BigInt(partition.slots));
    put(STATUS.LATE_SLOTS, BigInt(partition.lateSlots));
    put(STATUS.HYPERCALLS, BigInt(partition.exits[exitIndex(EXIT_CODE.VMMCALL)]!));
    return ERROR.OK;
  });

  on(HYPERCALL.PORT_OPEN, (partition, call) => {
    const address = call[FIRST]!;
    const length = call[SECOND]!;
    if (length <= 0n || length > NAME_MAX) return ERROR.INVALID;
    const at = range(partition, address, length);
    if (at === undefined) return ERROR.ADDRESS;
    let name = '';
    for (let index = 0; index < toNumber(length); index++) name += String.fromCharCode(partition.memory.bytes[at + index]!);
    const port = ports.open(partition.index, name);
    if (port === undefined) return ERROR.NONE;
    value = BigInt(port);
    return ERROR.OK;
  });

  on(HYPERCALL.PORT_WRITE, (partition, call) => {
    const number = call[FIRST]!;
    const length = call[THIRD]!;
    const port = number >= 0n && number < 0xffffn ? ports.find(partition.index, toNumber(number)) : undefined;
    if (!port) return ERROR.NONE;
    const at = range(partition, call[SECOND]!, length);
    if (at === undefined) return ERROR.ADDRESS;
    after = AFTER.REPLAN;
    return port.write(partition.memory.bytes, at, toNumber(length), time.toInstant(partition.vcpu.area[AREA.LEFT]!));
  });

  on(HYPERCALL.PORT_READ, (partition, call) => {
    const number = call[FIRST]!;
    const room = call[THIRD]!;
    const port = number >= 0n && number < 0xffffn ? ports.find(partition.index, toNumber(number)) : undefined;
    if (!port) return ERROR.NONE;
    const at = range(partition, call[SECOND]!, room);
    if (at === undefined) return ERROR.ADDRESS;
    const result = port.read(partition.memory.bytes, at, toNumber(room), time.toInstant(partition.vcpu.area[AREA.LEFT]!));
    if (result < 0) return result;
    value = BigInt(result);
    return ERROR.OK;
  });

  on(HYPERCALL.SET_ENABLED, (partition, call) => {
    partition.interrupts.setEnabled(toNumber(BigInt.asIntN(32, call[FIRST]!)));
    after = AFTER.REPLAN;
    return ERROR.OK;
  });

  on(HYPERCALL.SET_VECTOR_BASE, (partition, call) => {
    const base = call[FIRST]!;
    if (base < 32n || base > BigInt(256 - LINE.COUNT)) return ERROR.INVALID;
    partition.interrupts.vectorBase = toNumber(base);
    return ERROR.OK;
  });

  on(HYPERCALL.SEND_INTERRUPT, (_, call) => {
    const which = call[FIRST]!;
    const line = call[SECOND]!;
    if (which < 0n || which >= BigInt(partitions.length)) return ERROR.NONE;
    if (line < BigInt(LINE.FIRST_FREE) || line >= BigInt(LINE.COUNT)) return ERROR.INVALID;
    partitions[toNumber(which)]!.interrupts.raise(toNumber(line));
    after = AFTER.REPLAN;
    return ERROR.OK;
  });

  on(HYPERCALL.RAISE_HEALTH, (partition, call) => {
    const code = call[FIRST]!;
    health.raise(partition, 'partition-error', code, `code ${code}`);
    after = AFTER.REPLAN;
    return ERROR.OK;
  });

  on(HYPERCALL.READ_HEALTH, (caller, call) => {
    const room = call[SECOND]!;
    if (!caller.description.isSystem) return ERROR.PERMISSION;
    const at = range(caller, call[FIRST]!, room);
    if (at === undefined) return ERROR.ADDRESS;
    const { bytes } = caller.memory;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, toNumber(room));
    let count = 0;
    // Bounded: what is left is read by the next call.
    while (count < HEALTH_READ_MAX && (count + 1) * HEALTH_ENTRY.LENGTH <= toNumber(room)) {
      const entry = health.read();
      if (!entry) break;
      const base = count * HEALTH_ENTRY.LENGTH;
      view.setBigInt64(base + HEALTH_ENTRY.AT, entry.at, true);
      view.setBigInt64(base + HEALTH_ENTRY.PARTITION, BigInt(entry.partition), true);
      view.setBigInt64(base + HEALTH_ENTRY.EVENT, BigInt(entry.event), true);
      view.setBigInt64(base + HEALTH_ENTRY.ACTION, BigInt(entry.action), true);
      view.setBigInt64(base + HEALTH_ENTRY.DETAIL, BigInt.asIntN(64, entry.detail), true);
      count++;
    }
    value = BigInt(count);
    return ERROR.OK;
  });

  on(HYPERCALL.WATCHDOG, (partition, call) => {
    const interval = call[FIRST]!;
    if (interval < 0n || interval > LAST_INSTANT) return ERROR.INVALID;
    partition.watchdogInterval = interval;
    partition.watchdogDue = interval === 0n ? undefined : time.toInstant(partition.vcpu.area[AREA.LEFT]!) + interval;
    after = AFTER.REPLAN;
    return ERROR.OK;
  });

  on(HYPERCALL.CONTROL_CLOCK, (caller, call) => {
    const operation = call[SECOND]!;
    const amount = call[THIRD]!;
    if (!caller.description.isSystem) return ERROR.PERMISSION;
    const partition = target(caller, call[FIRST]!);
    if (typeof partition === 'number') return partition;
    if (operation === BigInt(CLOCK_OPERATION.FREEZE)) {
      if (partition.frozenAt !== undefined) return ERROR.STATE;
      partition.frozenAt = scheduler.hwClock(partition);
      partition.page.setFrozen(true);
    } else if (operation === BigInt(CLOCK_OPERATION.THAW)) {
      if (partition.frozenAt === undefined) return ERROR.STATE;
      // It goes on from where it stood.
      partition.hwOffset = partition.frozenAt - time.now();
      partition.frozenAt = undefined;
      partition.page.setFrozen(false);
    } else if (operation === BigInt(CLOCK_OPERATION.OFFSET)) {
      const sum = amount + (partition.frozenAt ?? partition.hwOffset);
      if (sum > LAST_INSTANT || sum < -LAST_INSTANT) return ERROR.INVALID;
      if (partition.frozenAt === undefined) partition.hwOffset = sum;
      else partition.frozenAt = sum;
    } else return ERROR.INVALID;
    scheduler.refreshClocks(partition);
    after = AFTER.REPLAN;
    return ERROR.OK;
  });

  on(HYPERCALL.STOP, (caller, call) => {
    if (!caller.description.isSystem) return ERROR.PERMISSION;
    scheduler.stop(`partition ${caller.index}: code ${call[FIRST]!}`);
    after = AFTER.REPLAN;
    return ERROR.OK;
  });

  function callOf(number: number): Handler | undefined {
    return number >>> 16 === ABI_VERSION ? table[number & NUMBER_MASK] : undefined;
  }

  /**
   * Like a string instruction: between two entries it can be left, with the registers saying how far it is, and is begun again at the
   * same RIP. RDX counts the entries that are done.
   * @returns whether it is finished
   */
  function batch(partition: Partition, is64: boolean): { readonly isFinished: boolean; readonly status: number } {
    const { area } = partition.vcpu;
    const mask = is64 ? -1n : 0xffff_ffffn;
    const address = area[FIRST]! & mask;
    const count = area[SECOND]! & mask;
    let done = area[THIRD]! & mask;
    if (count < 0n || count > BigInt(BATCH_MAX) || done < 0n || done > count) return { isFinished: true, status: ERROR.INVALID };
    const at = range(partition, address, count * BigInt(BATCH_ENTRY));
    if (at === undefined) return { isFinished: true, status: ERROR.ADDRESS };
    const { bytes } = partition.memory;
    for (let turn = 0; done < count; turn++) {
      if (turn === BATCH_TURN || !scheduler.hasTime()) {
        area[AREA.RDX] = done;
        return { isFinished: false, status: ERROR.OK };
      }
      const offset = at + toNumber(done) * BATCH_ENTRY;
      const view = new DataView(bytes.buffer, bytes.byteOffset + offset, BATCH_ENTRY);
      const number = toNumber(view.getBigInt64(0, true) & 0xffff_ffffn);
      const handler = number === HYPERCALL.BATCH ? undefined : callOf(number);
      value = 0n;
      scratch[FIRST] = view.getBigInt64(8, true);
      scratch[SECOND] = view.getBigInt64(16, true);
      scratch[THIRD] = view.getBigInt64(24, true);
      const status = handler ? handler(partition, scratch) : number >>> 16 === ABI_VERSION ? ERROR.UNKNOWN : ERROR.VERSION;
      view.setBigInt64(40, BigInt(status), true);
      view.setBigInt64(48, value, true);
      done++;
      // It is put back to its beginning: what comes behind is not its own any more.
      if (partition.loading !== undefined) return { isFinished: false, status: ERROR.OK };
      // It gave the CPU away, or lost it: the rest comes when it runs again.
      if (partition.state !== READY) {
        area[AREA.RDX] = done;
        if (done < count) return { isFinished: false, status: ERROR.OK };
      }
    }
    value = count;
    return { isFinished: true, status: ERROR.OK };
  }

  /** Out of long mode registers have 32 bits; EBX is the high half of the second argument. */
  function narrow(area: BigInt64Array): BigInt64Array {
    scratch[FIRST] = area[FIRST]! & 0xffff_ffffn;
    scratch[SECOND] = (area[AREA.RBX]! << 32n) | (area[SECOND]! & 0xffff_ffffn);
    scratch[THIRD] = area[THIRD]! & 0xffff_ffffn;
    return scratch;
  }

  function onHypercall(partition: Partition): number {
    const vcpu = partition.vcpu;
    const area = vcpu.area;
    const vmcb32 = vcpu.vmcb32;
    // From user mode there is no such instruction: what runs there is the guest's own affair.
    if ((vmcb32[CPL_WORD]! & CPL_MASK) !== 0) {
      partition.interrupts.injectException(VECTOR_UD);
      return AFTER.REPLAN;
    }
    after = AFTER.RESUME;
    value = 0n;
    const is64 = (vmcb32[CS_WORD]! & CS_LONG) !== 0;
    const number = vcpu.area32[AREA.RAX * 2]!;
    let status: number;
    if (number === HYPERCALL.BATCH) {
      const result = batch(partition, is64);
      if (!result.isFinished) return AFTER.REPLAN;
      status = result.status;
    } else {
      const handler = number >>> 16 === ABI_VERSION ? table[number & NUMBER_MASK] : undefined;
      if (handler !== undefined) status = handler(partition, is64 ? area : narrow(area));
      else status = number >>> 16 === ABI_VERSION ? ERROR.UNKNOWN : ERROR.VERSION;
    }
    // A partition that was put back to its beginning has no result to receive.
    if (partition.loading !== undefined) return AFTER.REPLAN;
    const result = status === 0 ? 0n : BigInt(status);
    if (is64) {
      area[AREA.RAX] = result;
      area[AREA.RDX] = value;
    } else {
      area[AREA.RAX] = result & 0xffff_ffffn;
      area[AREA.RDX] = value & 0xffff_ffffn;
      area[AREA.RCX] = (value >> 32n) & 0xffff_ffffn;
    }
    partition.skip(0x0f, 3);
    return after;
  }

  return { onHypercall, writeConsole };
}
