/** The partitions of a system, each with all that is its own: memory, nested pages, CPU, permission maps, time page, lines and timers. */
import type { Machine } from '../machine.ts';
import { hertz } from '../time/frequency.ts';
import { EVENTS } from '../trace/events.ts';
import { createGuestCpuid } from '../vm/guest-cpuid.ts';
import { createGuestMemory } from '../vm/guest-memory.ts';
import { createGuestMsrs, DIRECT_MSRS } from '../vm/guest-msr.ts';
import { createSkip } from '../vm/instruction-length.ts';
import { createNestedPaging } from '../vm/nested-paging.ts';
import { createPages, PAGE, type Pages } from '../vm/pages.ts';
import { enableSvm, type Svm } from '../vm/svm.ts';
import { createVcpu, rememberVcpu, resetVcpu } from '../vm/vcpu.ts';
import { PARTITION_STATE } from './abi.ts';
import { createImage, createLoading } from './loader.ts';
import { NEVER, type Partition } from './partition.ts';
import type { PartitionDescription, SystemDescription } from './system.ts';
import { createTimePage } from './time-page.ts';
import { createVirtualInterrupts } from './virtual-interrupts.ts';
import { createVirtualTimers } from './virtual-timers.ts';

const IO_MAP_BYTES = 12 * 1024;
const MSR_MAP_BYTES = 8 * 1024;

/** I/O permission map (APM volume 2, "I/O Intercepts"): a bit per port, set for those that are intercepted. */
function createIoMap(pages: Pages, { ioPorts }: PartitionDescription): number {
  const { address, memory } = pages.take(IO_MAP_BYTES);
  const bytes = new Uint8Array(memory).fill(0xff);
  for (const { first, count, isTraced } of ioPorts)
    if (!isTraced) for (let port = first; port < first + count; port++) bytes[port >> 3]! &= ~(1 << (port & 7));
  return address;
}

/** MSR permission map ("MSR Intercepts"): two bits per register, read and write, in ranges of 8192. */
function createMsrMap(pages: Pages): number {
  const { address, memory } = pages.take(MSR_MAP_BYTES);
  const bytes = new Uint8Array(memory).fill(0xff);
  for (const index of DIRECT_MSRS) {
    const range = index >= 0xc000_0000 ? 0x800 : 0;
    const bit = (index & 0x1fff) * 2;
    bytes[range + (bit >> 3)]! &= ~(3 << (bit & 7));
  }
  return address;
}

type PlatformProgram = typeof import('./virtual-platform.ts');

interface Common {
  readonly machine: Machine;
  readonly onLine: (partition: number, bytes: Uint8Array) => void;
  readonly pages: Pages;
  readonly svm: Svm;
  readonly msrMap: number;
  readonly hostVmcb: number;
}

function createPartition(common: Common, description: PartitionDescription, index: number): Partition {
  const { machine, pages, svm, msrMap, hostVmcb, onLine } = common;
  const { shims, tscFrequency } = machine;
  const LARGE = 2 * 1024 * 1024;
  const block = pages.take(description.memory, description.memory >= LARGE ? LARGE : PAGE);
  const pageBlock = pages.take(PAGE);
  const nested = createNestedPaging(pages, svm.hasGigabytePages ? 2 : 1);
  nested.map(0, block.address, description.memory, { isWritable: true, isExecutable: true });
  nested.map(description.memory, pageBlock.address, PAGE, { isWritable: false, isExecutable: false });
  let exceptions = 0;
  for (const rule of description.health) if (rule.event === 'fault' && rule.vector !== undefined) exceptions |= 1 << rule.vector;
  const vcpu = createVcpu({
    pages,
    openGuest: shims.openGuest,
    hostVmcb,
    asid: index + 1,
    nestedRoot: nested.root,
    ioMap: createIoMap(pages, description),
    msrMap,
    exceptions,
    interceptsTsc: description.platform?.tsc === 'emulated',
  });
  const memory = createGuestMemory(vcpu, block.memory);
  const virtual =
    description.platform &&
    (shims.loadProgram('platform') as PlatformProgram).createVirtualPlatform(
      machine,
      description,
      description.platform,
      index,
      vcpu,
      memory,
      () => interrupts.isInterruptible(),
      (bytes) => onLine(index, bytes),
    );
  const interrupts = createVirtualInterrupts(vcpu, virtual?.platform);
  const page = createTimePage(pageBlock.memory, index, {
    numerator: tscFrequency.denominator * 1_000_000_000n,
    denominator: tscFrequency.numerator,
  });
  const image = createImage(
    description.program,
    description.name,
    description.memory,
    (name) => {
      const file = shims.moduleFile(name);
      return file && new Uint8Array(file);
    },
    virtual?.tables,
  );
  // Before the epoch nobody's slots are to be kept.
  const loading = createLoading(image, memory.bytes, false, [() => resetVcpu(vcpu, image.entry)]);
  while (!loading.step());
  return {
    index,
    description,
    vcpu,
    memory,
    interrupts,
    timers: createVirtualTimers(page.counts),
    page,
    msrs: createGuestMsrs(vcpu, shims.rdtsc),
    cpuid: createGuestCpuid(shims.cpuid, {
      partition: index,
      timePage: description.memory,
      memory: description.memory,
      tscKilohertz: Number(hertz(tscFrequency) / 1000n),
      hasLocalApic: virtual !== undefined,
    }),
    skip: createSkip(vcpu, memory),
    image,
    restart: rememberVcpu(vcpu),
    platform: virtual?.platform,
    mmio: virtual?.mmio,
    requests: virtual?.requests ?? { isReset: false, isOff: false },
    state: PARTITION_STATE.READY,
    loading: undefined,
    resets: 0,
    deferredCode: undefined,
    exec: 0n,
    runningSince: undefined,
    pageTsc: 0n,
    hwOffset: 0n,
    frozenAt: undefined,
    watchdogDue: description.watchdog === 0 ? undefined : BigInt(description.watchdog),
    watchdogInterval: BigInt(description.watchdog),
    // Until the scheduler has looked.
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

/**
 * Switches SVM on and makes a system's partitions, each loaded and at its program's entry.
 * @param onLine what a partition wrote to its virtual COM1; the bytes are valid during the call only
 * @throws RangeError without the memory or a program's file
 */
export function createPartitions(
  machine: Machine,
  svm: Svm,
  { partitions }: SystemDescription,
  onLine: (partition: number, bytes: Uint8Array) => void,
): Partition[] {
  const { shims, trace } = machine;
  const free = shims.memoryMap().filter(({ kind }) => kind === 'free');
  const pages = createPages(free, shims.physicalView);
  enableSvm(shims, pages.take(PAGE).address);
  const common: Common = { machine, onLine, pages, svm, msrMap: createMsrMap(pages), hostVmcb: pages.take(PAGE).address };
  return partitions.map((description, index) => {
    const partition = createPartition(common, description, index);
    const { name, program, memory } = description;
    trace.record(EVENTS.partitionCreated, index, name, `${program.kind} ${program.file}`, memory);
    return partition;
  });
}
