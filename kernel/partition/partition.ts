/** A partition at run time: what scheduler, hypercalls, exits and health monitor share of it. */
import type { GuestMemory } from '../vm/guest-memory.ts';
import type { Platform } from '../vdev/platform.ts';
import type { GuestMsrs } from '../vm/guest-msr.ts';
import type { MmioInstructions } from '../vm/mmio-instruction.ts';
import type { Vcpu } from '../vm/vcpu.ts';
import type { Image, Loading } from './loader.ts';
import type { PartitionDescription } from './system.ts';
import type { TimePage } from './time-page.ts';
import type { VirtualInterrupts } from './virtual-interrupts.ts';
import type { VirtualTimers } from './virtual-timers.ts';

/** In the order of PARTITION_STATE in abi.ts. */
export const STATE_NAMES = ['ready', 'idle', 'suspended', 'halted'] as const;

export interface Partition {
  readonly index: number;
  readonly description: PartitionDescription;
  readonly vcpu: Vcpu;
  readonly memory: GuestMemory;
  readonly interrupts: VirtualInterrupts;
  readonly timers: VirtualTimers;
  readonly page: TimePage;
  readonly msrs: GuestMsrs;
  /** EAX, EBX, ECX, EDX of a leaf. */
  readonly cpuid: (leaf: number, subleaf: number) => BigInt64Array;
  /** Moves it behind the instruction at its RIP, whose opcode has so many bytes, the first of which is told. */
  readonly skip: (first: number, opcodeLength: number) => void;
  readonly image: Image;
  /** Puts its CPU back to the program's entry. */
  readonly restart: () => void;
  /** Its virtual devices, if it has any, and what does its instructions on those in memory. */
  readonly platform: Platform | undefined;
  readonly mmio: MmioInstructions | undefined;
  /** What its virtual machine asked for: a reset, to be switched off. */
  readonly requests: { isReset: boolean; isOff: boolean };

  /** PARTITION_STATE.x */
  state: number;
  /** What is still to be put into its memory before it can run. */
  loading: Loading | undefined;
  resets: number;
  /** An exit that came too late in a slot and can't be provoked again. */
  deferredCode: number | undefined;

  /** EXEC clock, TSC ticks, up to the last time it stopped running. */
  exec: bigint;
  /** TSC since which it runs; undefined while it does not. */
  runningSince: bigint | undefined;
  /** TSC that its page's TSC_BASE stands for. */
  pageTsc: bigint;
  /** HW clock: added to the time since the epoch. */
  hwOffset: bigint;
  /** HW clock: where it stands; undefined unless it is frozen. */
  frozenAt: bigint | undefined;
  /** Instant since the epoch by which a sign of life is due; undefined without a watchdog. */
  watchdogDue: bigint | undefined;
  watchdogInterval: bigint;
  /** TSC at which its next virtual timer, tick of a virtual device or its watchdog is due, as far as its clocks run; NEVER if none is. */
  dueAt: bigint;
  /** Of that, the part of its devices. */
  platformDueAt: bigint;
  /** TSC ticks from an interrupt for what is due to being ready to enter at its instant. */
  timerLead: bigint;
  /** TSC ticks that handling any one of its exits takes at most. */
  exitLead: bigint;
  /** Of timerLead, ticks that expiring takes at most: what is due already expires so much later, when it is seen by the guest. 0 if that is of no account. */
  expiryWork: bigint;
  /** Whether a timer on its EXEC clock is armed: when that is due changes whenever it begins to run. */
  hasExecTimer: boolean;

  // ---- counted
  /** Exits by their index (exits.ts). */
  readonly exits: Int32Array;
  slots: number;
  lateSlots: number;
  deferredExits: number;
  unclaimedAccesses: number;
  /** Console bytes in this slot. */
  consoleBytes: number;
}

/** Later than any TSC value. */
export const NEVER = 1n << 62n;
