/**
 * A system as the kernel takes it: partitions, plans, channels. The tools make it of a system file (`defineSystem`), validate it
 * and put it into the boot module as SYSTEM_FILE; the kernel checks what its own safety rests on, and nothing else.
 * Durations and instants are whole nanoseconds, sizes bytes, and all numbers are below 2^53. Partitions and plans are named by index.
 */
import { TIMER_MODE_NAMES, type TimerModeName } from '../vdev/timer-modes.ts';

export const SYSTEM_FILE = 'system.json';
/** The DSDT of a virtual platform (kernel/vdev/dsdt.asl), compiled, in the boot module: with and without an HPET. */
export const DSDT_FILES = { withHpet: 'dsdt.aml', withoutHpet: 'dsdt-without-hpet.aml' } as const;
export const SYSTEM_FORMAT = 1;

/** A slot shorter than this leaves no time to prepare the next one. */
export const SLOT_MIN_NS = 50_000;
/** The same, to make an instruction on device memory ready that a guest with a platform comes to for the first time (LEADS in scheduler.ts). */
export const PLATFORM_SLOT_MIN_NS = 600_000;
export const PARTITIONS_MAX = 32;
/** Guest-physical memory of a partition: enough for real-mode code and stack, and a whole number of pages. */
export const MEMORY_MIN = 64 * 1024;
export const MEMORY_UNIT = 4096;

export interface SystemDescription {
  readonly format: typeof SYSTEM_FORMAT;
  readonly name: string;
  readonly partitions: readonly PartitionDescription[];
  /** The first one runs from the start. */
  readonly plans: readonly PlanDescription[];
  readonly channels: readonly ChannelDescription[];
  readonly inputs: readonly InputDescription[];
  /** Whether partitions may ask for the time of day (CLOCK.WALL): catching the real-time clock's edge takes a second at the start. */
  readonly absoluteTime: boolean;
  /** The kernel ends the run at this time after the epoch, at the end of a slot; 0: when every partition has halted. */
  readonly duration: number;
}

export interface PartitionDescription {
  readonly name: string;
  readonly program: ProgramDescription;
  readonly memory: number;
  /** Whether it may manage others: suspend, reset, switch plans, read the health log, control clocks. */
  readonly isSystem: boolean;
  readonly ioPorts: readonly IoPortGrant[];
  /** Longest time between two signs of life (hypercall WATCHDOG); 0: no watchdog until the partition arms one. */
  readonly watchdog: number;
  readonly health: readonly HealthRule[];
  /** A PC's devices, virtual ones; without it the partition has hypercalls and the ports it was given. */
  readonly platform?: PlatformDescription;
}

/** What becomes of a virtual timer's ticks that fall due while their partition does not run, in the order of Xen's numbers. */
export const TIMER_MODES = TIMER_MODE_NAMES;
export type TimerMode = TimerModeName;

/** A virtual PC: 8259As, local and I/O APIC, 8254, MC146818A, ACPI PM timer, HPET, 16550 at COM1, reset port, ACPI tables. */
export interface PlatformDescription {
  readonly timerMode: TimerMode;
  /** Whether RDTSC reads the CPU's counter plus the guest's offset, or ends in an exit. The guest reads the same either way. */
  readonly tsc: 'native' | 'emulated';
  /** COUNTER_CLK_PERIOD in femtoseconds, and how many timers; without it the guest finds no HPET. */
  readonly hpet?: { readonly period: number; readonly timers: number };
  /** What the real-time clock shows at the epoch: seconds since 1970. */
  readonly date: number;
  /** Ports by which the guest drives its interrupt lines itself, as those of QEMU's pc-testdev: for tests of interrupt controllers. */
  readonly lineDriver?: true;
  /** Rules other than today's, for experiments. */
  readonly rules: PlatformRules;
}

/** I/O ports of the virtual devices. A partition that has them can't be given the machine's own of the same number. */
export const PLATFORM_PORTS = {
  PIC_MASTER: { first: 0x20, count: 2 },
  PIT: { first: 0x40, count: 4 },
  SYSTEM_CONTROL_PORT_B: { first: 0x61, count: 1 },
  KEYBOARD_COMMAND: { first: 0x64, count: 1 },
  RTC: { first: 0x70, count: 2 },
  PIC_SLAVE: { first: 0xa0, count: 2 },
  UART: { first: 0x3f8, count: 8 },
  ELCR: { first: 0x4d0, count: 2 },
  /** ACPI's PM1 event block, PM1 control block and PM timer. */
  PM: { first: 0x600, count: 12 },
  RESET_CONTROL: { first: 0xcf9, count: 1 },
} as const;
/** ACPI tables lie below the first MiB's end. */
export const PLATFORM_MEMORY_MIN = 1024 * 1024;

/** The places at which Xen sets a guest's time, each of which the patch of 2007 took out; and whose rules hold. */
export interface PlatformRules {
  /** When the partition gets the CPU back, its time goes on where it stood (pt_thaw_time). */
  readonly setOnThaw: boolean;
  /** When a tick has been taken, guest time is set to its instant if it is behind (pt_intr_post). */
  readonly setOnPost: boolean;
  /** `2007`: HPET timers are plain timers of the host, and of those that fall due while the partition does not run one is kept. */
  readonly era: 'today' | '2007';
}

export type ProgramDescription =
  /** The runtime, with a boot module of its own: `file` is that ustar archive. The command line goes behind the partition's name. */
  | { readonly kind: 'typescript'; readonly file: string; readonly commandLine?: string }
  /** Bytes put at `address`, entered at `entry`, in this mode with paging off (real, protected) or one to one (long). */
  | { readonly kind: 'flat'; readonly file: string; readonly address: number; readonly entry: number; readonly mode: EntryMode }
  /** Segments put where the ELF file says (physical addresses), entered as a PVH loader does, or plainly in the mode of its class. */
  | { readonly kind: 'elf'; readonly file: string; readonly entry: 'pvh' | 'plain' };

export type EntryMode = 'real' | 'protected' | 'long';

/** I/O ports that a partition may use directly. Of traced ones each write is an event, dated to the instruction. */
export interface IoPortGrant {
  readonly first: number;
  readonly count: number;
  readonly isTraced: boolean;
}

export interface PlanDescription {
  readonly name: string;
  readonly majorFrame: number;
  /** A switch to a maintenance plan is made at once, to another one at the end of the major frame. */
  readonly isMaintenance: boolean;
  /** Sorted by start, not overlapping. What no slot covers is idle. */
  readonly slots: readonly SlotDescription[];
}

export interface SlotDescription {
  readonly partition: number;
  /** From the frame's start. */
  readonly start: number;
  readonly duration: number;
}

export interface PortEnd {
  readonly partition: number;
  readonly port: string;
}

export type ChannelDescription =
  /** The last message, for whoever reads. `validity`: how long after its writing it counts as valid; 0: for ever. */
  | {
      readonly kind: 'sampling';
      readonly name: string;
      readonly size: number;
      readonly validity: number;
      readonly from: PortEnd;
      readonly to: readonly PortEnd[];
    }
  /** Messages in order, at most `depth` of them. */
  | {
      readonly kind: 'queuing';
      readonly name: string;
      readonly size: number;
      readonly depth: number;
      readonly from: PortEnd;
      readonly to: readonly PortEnd[];
    };

/** An external event whose instants go to a partition: 8 bytes each, nanoseconds since the epoch, through a queuing port. */
export interface InputDescription {
  readonly name: string;
  readonly source: 'rtc';
  /** Of the real-time clock's periodic interrupt: a power of two from 2 to 8192. */
  readonly hertz: number;
  readonly depth: number;
  readonly to: PortEnd;
}

export const HEALTH_EVENTS = [
  /** The guest raised a CPU exception of a vector that has a rule; without one it is the guest's own affair. */
  'fault',
  'memory-violation',
  'unexpected-exit',
  'shutdown',
  'watchdog',
  'overrun',
  'port-misuse',
  'partition-error',
  'hypervisor-error',
] as const;
export type HealthEvent = (typeof HEALTH_EVENTS)[number];

export const HEALTH_ACTIONS = ['ignore', 'log', 'propagate', 'suspend', 'halt', 'cold-reset', 'warm-reset', 'switch-plan', 'stop'] as const;
export type HealthAction = (typeof HEALTH_ACTIONS)[number];

export interface HealthRule {
  readonly event: HealthEvent;
  /** Of a fault: the exception's vector, 0 to 31. */
  readonly vector?: number;
  readonly action: HealthAction;
  /** Of switch-plan. */
  readonly plan?: number;
}

/** What happens where a partition has no rule. */
export const HEALTH_DEFAULTS: Readonly<Record<HealthEvent, HealthAction>> = {
  fault: 'halt',
  'memory-violation': 'halt',
  'unexpected-exit': 'halt',
  shutdown: 'halt',
  watchdog: 'log',
  overrun: 'log',
  'port-misuse': 'log',
  'partition-error': 'log',
  'hypervisor-error': 'stop',
};
