/**
 * The SDK's composition root. A program of a partition exports `main`:
 *
 *     export function main(shims: Shims): void {
 *       const partition = openPartition(shims);
 *       const timer = partition.timers.create('hw', (deadline) => partition.console.line(`due at ${deadline} ns`));
 *       timer.armEvery(instant(0n), millis(10));
 *       partition.run();
 *     }
 *
 * When main returns the partition halts; an error that it throws goes to the console and to the health monitor.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { ABI_VERSION, CPUID_LEAF, HYPERCALL, SIGNATURE, TIME_PAGE } from '../../kernel/partition/abi.ts';
import { createConsole, type PartitionConsole } from './console.ts';
import { HypercallError } from './errors.ts';
import { createEventLoop, type EventLoop } from './events.ts';
import { createHealth, createWatchdog, type Health, type Watchdog } from './health.ts';
import { createHypervisor, createSharedMemory, type Hypervisor, type SharedMemory } from './hypervisor.ts';
import { createManagement, type Management, type PartitionControl } from './management.ts';
import { createPorts, type Ports } from './ports.ts';
import { createTime, type PartitionTime } from './time.ts';
import { createTimers, type Timers } from './timers.ts';

export interface Partition {
  /** As the system file names it. */
  readonly name: string;
  readonly number: number;
  /** Frequency of the TSC in kHz, as the hypervisor tells it. */
  readonly tscKilohertz: number;
  readonly time: PartitionTime;
  readonly timers: Timers;
  readonly events: EventLoop;
  readonly ports: Ports;
  readonly console: PartitionConsole;
  readonly health: Health;
  readonly watchdog: Watchdog;
  readonly management: Management;
  /** This partition, for status, reset and the like. */
  readonly self: PartitionControl;
  readonly memory: SharedMemory;
  /** For hypercalls that have no function of their own here. */
  readonly hypervisor: Hypervisor;
  /** A record in the trace, dated by the hypervisor. */
  trace(code: number, value: number | bigint): void;
  /** The event loop: waits and dispatches until stop(). */
  run(): void;
  stop(): void;
}

const COMMAND_LINE_NAME = /(?:^| )partition=([^ ]*)/;

function signatureOf(registers: readonly number[]): string {
  let text = '';
  for (const register of registers) for (let shift = 0; shift < 32; shift += 8) text += String.fromCharCode((register >>> shift) & 0xff);
  return text;
}

/** Error if this is no partition of Chronovisor, or one of another version. */
export function openPartition(shims: Shims): Partition {
  if (signatureOf(shims.cpuid(CPUID_LEAF.BASE, 0).slice(1)) !== SIGNATURE)
    throw new Error('openPartition: no Chronovisor below: this program runs in a partition, by a system file');
  const [version, timePage, number] = shims.cpuid(CPUID_LEAF.PARTITION, 0);
  if (version !== ABI_VERSION)
    throw new Error(`openPartition: the hypervisor speaks version ${version} of the interface, this program ${ABI_VERSION}`);

  const { hypercall } = shims;
  const hypervisor = createHypervisor(shims);
  const memory = createSharedMemory(shims);
  const time = createTime(shims.physicalView(timePage, TIME_PAGE.LENGTH), shims.rdtsc);
  const events = createEventLoop(shims, hypervisor);
  const management = createManagement(hypervisor, memory);
  return {
    name: COMMAND_LINE_NAME.exec(shims.commandLine())?.[1] ?? '',
    number,
    tscKilohertz: shims.cpuid(CPUID_LEAF.FREQUENCY, 0)[0],
    time,
    timers: createTimers(hypervisor, time, events),
    events,
    ports: createPorts(hypervisor, memory, events),
    console: createConsole(hypervisor, memory),
    health: createHealth(hypervisor, memory, events),
    watchdog: createWatchdog(hypervisor),
    management,
    self: management.partition(number),
    memory,
    hypervisor,
    // Not through hypervisor.call: it costs as much as the hypercall, and a record tells when something happened.
    trace: (code, value) => {
      const status = hypercall(HYPERCALL.TRACE, code, value);
      if (status !== 0) throw new HypercallError(HYPERCALL.TRACE, status, `code ${code}`);
    },
    run: events.run,
    stop: events.stop,
  };
}
