/** A partition on the host: its CPU, memory, timers, interrupts and page are the kernel's own; what happens to it is written down. */
import { PARTITION_STATE } from '../partition/abi.ts';
import { NEVER, type Partition } from '../partition/partition.ts';
import type { HealthRule, PartitionDescription } from '../partition/system.ts';
import { createTimePage } from '../partition/time-page.ts';
import { createVirtualInterrupts } from '../partition/virtual-interrupts.ts';
import { createVirtualTimers } from '../partition/virtual-timers.ts';
import type { EventDefinition } from '../trace/event.ts';
import type { Trace } from '../trace/trace.ts';
import { createGuestMemory } from '../vm/guest-memory.ts';
import { createGuestMsrs } from '../vm/guest-msr.ts';
import { createSkip } from '../vm/instruction-length.ts';
import { rememberVcpu, type EntryState } from '../vm/vcpu.ts';
import { createFakeVcpu } from './guest.ts';

export interface FakeTrace {
  readonly trace: Trace;
  /** Name and values of what was recorded since the last call. */
  take(): (readonly [name: string, ...values: unknown[]])[];
  /** What `pending` says. */
  setPending(count: number): void;
}

export function createFakeTrace(): FakeTrace {
  let records: (readonly [string, ...unknown[]])[] = [];
  let pending = 0;
  const put = ({ name }: EventDefinition, values: readonly unknown[]): void => {
    records.push([name, ...values]);
  };
  const own: Partial<Trace> = {
    record: (event, ...values) => put(event, values),
    recordAt: (_, event, ...values) => put(event, values),
    recorder:
      (event) =>
      (_, ...values) =>
        put(event, values),
    learn: () => undefined,
    pending: () => pending,
  };
  return {
    trace: own as Trace,
    take: () => {
      const taken = records;
      records = [];
      return taken;
    },
    setPending: (count) => {
      pending = count;
    },
  };
}

export interface FakePartitionOptions {
  readonly index?: number;
  readonly entry?: EntryState;
  readonly memory?: number;
  readonly isSystem?: boolean;
  readonly health?: readonly HealthRule[];
  readonly ioPorts?: PartitionDescription['ioPorts'];
  /** What its CPUID says. */
  readonly cpuid?: Partition['cpuid'];
  /** TSC, of 1 GHz. */
  readonly rdtsc?: () => bigint;
  readonly platform?: Partition['platform'];
  readonly mmio?: Partition['mmio'];
}

export function createFakePartition({
  index = 0,
  entry = { mode: 'protected', entry: 0x4000 },
  memory: length = 0x1_0000,
  isSystem = false,
  health = [],
  ioPorts = [],
  cpuid = (leaf, subleaf) => BigInt64Array.of(BigInt(leaf), BigInt(subleaf), 0xccn, 0xddn),
  rdtsc = () => 0n,
  platform,
  mmio,
}: FakePartitionOptions = {}): Partition {
  let exceptions = 0;
  for (const { event, vector } of health) if (event === 'fault' && vector !== undefined) exceptions |= 1 << vector;
  const vcpu = createFakeVcpu(entry, exceptions);
  const memory = createGuestMemory(vcpu, new ArrayBuffer(length));
  const page = createTimePage(new ArrayBuffer(4096), index, { numerator: 1n, denominator: 1n });
  return {
    index,
    description: {
      name: `p${index}`,
      program: { kind: 'flat', file: 'f', address: 0, entry: 0, mode: 'protected' },
      memory: length,
      isSystem,
      ioPorts,
      watchdog: 0,
      health,
    },
    vcpu,
    memory,
    interrupts: createVirtualInterrupts(vcpu),
    timers: createVirtualTimers(page.counts),
    page,
    msrs: createGuestMsrs(vcpu, rdtsc),
    cpuid,
    skip: createSkip(vcpu, memory),
    image: { segments: [], entry },
    restart: rememberVcpu(vcpu),
    platform,
    mmio,
    requests: { isReset: false, isOff: false },
    state: PARTITION_STATE.READY,
    loading: undefined,
    resets: 0,
    deferredCode: undefined,
    exec: 0n,
    runningSince: undefined,
    pageTsc: 0n,
    hwOffset: 0n,
    frozenAt: undefined,
    watchdogDue: undefined,
    watchdogInterval: 0n,
    dueAt: 0n,
    platformDueAt: NEVER,
    timerLead: 0n,
    exitLead: 0n,
    expiryWork: 0n,
    hasExecTimer: false,
    exits: new Int32Array(256),
    slots: 0,
    lateSlots: 0,
    deferredExits: 0,
    unclaimedAccesses: 0,
    consoleBytes: 0,
  };
}
