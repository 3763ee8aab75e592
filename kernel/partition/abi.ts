/**
 * What a partition and the hypervisor agree on: hypercalls, error codes, virtual interrupts, the time page. The kernel, the
 * SDK of TypeScript programs (partitions/sdk) and the header of native ones (partitions/native) follow this file.
 *
 * A hypercall is VMMCALL in ring 0 with HYPERCALL.x in RAX and arguments in RDI, RSI, RDX, RCX. It returns a status in RAX (0, or one of
 * ERROR, negative) and a value in RDX; all other registers are kept. Outside long mode registers have 32 bits: EBX is the
 * high half of the second argument, and ECX that of the value. Addresses are guest-physical.
 */

export const ABI_VERSION = 1;
const call = (number: number): number => (ABI_VERSION << 16) | number;

/** Numbers carry the version: another version's are refused as such. */
export const HYPERCALL = {
  /** () -> ABI_VERSION */
  VERSION: call(0),
  /** (clock) -> ns. CLOCK.x */
  GET_TIME: call(1),
  /** (timer + clock * 65536, deadline ns, period ns or 0; from TIMER_PERIOD_MIN): absolute on HW or EXEC. A deadline that has passed expires at once. */
  SET_TIMER: call(2),
  /** (timer) */
  CANCEL_TIMER: call(3),
  /** (): gives the rest of the slot away, until the next virtual interrupt. */
  IDLE: call(4),
  /** (address, length): at most CONSOLE_MAX bytes, one or several lines. */
  CONSOLE: call(5),
  /** (code, value): a record in the trace. */
  TRACE: call(6),
  /** (partition or SELF) */
  HALT: call(7),
  SUSPEND: call(8),
  RESUME: call(9),
  /** (partition or SELF, RESET.x) */
  RESET: call(10),
  /** (plan): at the end of the major frame; a maintenance plan at once. */
  SWITCH_PLAN: call(11),
  /** (partition or SELF, address): writes STATUS there. */
  STATUS: call(12),
  /** (address of a name, its length) -> port */
  PORT_OPEN: call(13),
  /** (port, address, length) */
  PORT_WRITE: call(14),
  /** (port, address, room) -> length + PORT_VALID if it is valid */
  PORT_READ: call(15),
  /** (bits): the lines that are delivered; all others wait. At first none is. */
  SET_ENABLED: call(16),
  /** (vector): line n comes as vector + n. DEFAULT_VECTOR_BASE at first. */
  SET_VECTOR_BASE: call(17),
  /** (partition, line 8 to 31): a virtual interrupt there. */
  SEND_INTERRUPT: call(18),
  /** (code): tells the health monitor of a partition-error. */
  RAISE_HEALTH: call(19),
  /** (address, room) -> entries written: HEALTH_ENTRY each, oldest first, from those not yet read. */
  READ_HEALTH: call(20),
  /** (ns): a sign of life; the next one is due by then. 0 switches the watchdog off. */
  WATCHDOG: call(21),
  /** (partition, CLOCK_OPERATION.x, ns): a system partition's experiment on a clock. */
  CONTROL_CLOCK: call(22),
  /** (address, count): entries of BATCH_ENTRY bytes, each one hypercall; interruptible between two. -> done */
  BATCH: call(23),
  /** (code): ends the run. A system partition's. */
  STOP: call(24),
} as const;

export const ERROR = {
  OK: 0,
  /** There is no such hypercall. */
  UNKNOWN: -1,
  /** An argument is out of its range. */
  INVALID: -2,
  /** An address is outside of the partition's memory. */
  ADDRESS: -3,
  /** Only a system partition may. */
  PERMISSION: -4,
  /** No such partition, plan, port or timer. */
  NONE: -5,
  /** A queue is full, or the message too long. */
  FULL: -6,
  /** A queue is empty, or nothing was written yet. */
  EMPTY: -7,
  /** The number is of another version of this interface. */
  VERSION: -8,
  /** Not in this direction, or not in this state. */
  STATE: -9,
} as const;

/** Instead of a partition's number. */
export const SELF = 0xffff;

export const CLOCK = {
  /** Since the epoch, the start of the first major frame. */
  HW: 0,
  /** Runs while the partition does: neither in others' slots nor while it idles. */
  EXEC: 1,
  /** Since 1970-01-01 00:00 UTC. Not for timers. */
  WALL: 2,
} as const;

export const RESET = { COLD: 0, WARM: 1 } as const;
export const CLOCK_OPERATION = { FREEZE: 0, THAW: 1, OFFSET: 2 } as const;

/** Virtual interrupts: edges; a line is pending or not. */
export const LINE = {
  HW_TIMER: 0,
  EXEC_TIMER: 1,
  SLOT_START: 2,
  /** A message came to an empty queuing port. */
  PORT: 3,
  /** A health event, propagated. */
  HEALTH: 4,
  /** What the partition's virtual interrupt controllers ask for, whose vector it is; always enabled, and not to be masked here. */
  CONTROLLER: 5,
  /** This and above: between partitions. */
  FIRST_FREE: 8,
  COUNT: 32,
} as const;
export const DEFAULT_VECTOR_BASE = 0x40;

export const TIMERS_MAX = 512;
/** ns; a shorter period is INVALID: expiries would take all of a slot. */
export const TIMER_PERIOD_MIN = 50_000;
export const CONSOLE_MAX = 256;
export const BATCH_MAX = 4096;
/** Number, four arguments, status, value: 8 bytes each; and 8 unused. */
export const BATCH_ENTRY = 64;
export const PORT_VALID = 0x1_0000;

/**
 * The time page: 4 KiB, read-only to the partition, right behind its memory. Byte offsets; little-endian. A reader takes SEQUENCE, which is
 * odd while the page changes, then what it wants, then SEQUENCE again. While the partition runs,
 * HW = HW_BASE + ((TSC - TSC_BASE) * HW_MULTIPLIER >> SHIFT), and EXEC likewise.
 */
export const TIME_PAGE = {
  LENGTH: 4096,
  SEQUENCE: 0x00, // 32 bits
  VERSION: 0x04, // 32 bits, ABI_VERSION
  TSC_BASE: 0x08, // 64 bits
  HW_BASE: 0x10, // 64 bits, ns
  EXEC_BASE: 0x18, // 64 bits, ns
  HW_MULTIPLIER: 0x20, // 32 bits; 0 while the clock is frozen
  EXEC_MULTIPLIER: 0x24, // 32 bits
  SHIFT: 0x28, // 32 bits
  PARTITION: 0x2c, // 32 bits, its own number
  SLOT_START: 0x30, // 64 bits, nominal instant on HW
  SLOT_END: 0x38, // 64 bits
  SLOT: 0x40, // 32 bits, index in the plan
  PLAN: 0x44, // 32 bits
  WALL_OFFSET: 0x48, // 64 bits, ns: WALL = HW + this
  FRAME: 0x50, // 32 bits, major frames since the epoch
  RESETS: 0x54, // 32 bits, of this partition
  /** 32 bits each: how often timer n has expired, periods counted that fell outside of the slots. */
  TIMER_COUNTS: 0x400,
} as const;

/** CPUID 4000_0000h: the hypervisor's leaves. */
export const CPUID_LEAF = {
  /** EAX: highest leaf; EBX, ECX, EDX: SIGNATURE. */
  BASE: 0x4000_0000,
  /** EAX: ABI_VERSION; EBX: the time page's address; ECX: the partition's number; EDX: bytes of its memory. */
  PARTITION: 0x4000_0001,
  /** EAX: TSC frequency in kHz. The number that VMware and KVM use. */
  FREQUENCY: 0x4000_0010,
} as const;
export const SIGNATURE = 'Chronovisor\0';

/** STATUS, 64-bit fields. */
export const STATUS = {
  STATE: 0x00, // PARTITION_STATE.x
  HW_CLOCK: 0x08,
  EXEC_CLOCK: 0x10,
  RESETS: 0x18,
  EXITS: 0x20,
  SLOTS: 0x28,
  LATE_SLOTS: 0x30,
  HYPERCALLS: 0x38,
  LENGTH: 0x40,
} as const;
export const PARTITION_STATE = { READY: 0, IDLE: 1, SUSPENDED: 2, HALTED: 3 } as const;

/** An entry of the health log, 64-bit fields. */
export const HEALTH_ENTRY = {
  AT: 0x00, // ns since the epoch
  PARTITION: 0x08,
  EVENT: 0x10, // index in HEALTH_EVENTS
  ACTION: 0x18, // index in HEALTH_ACTIONS
  DETAIL: 0x20, // vector, exit code, address: whatever the event is about
  LENGTH: 0x28,
} as const;
