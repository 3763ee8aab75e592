/**
 * Partitions, composed: from a system's description and the machine to a system that runs. The counterpart of machine.ts; a program of its
 * own, which the kernel loads for `run=system`.
 */
import { probeRtc, RTC_BASE, RTC_IRQ, type Rtc } from '../drivers/rtc-mc146818.ts';
import { createWallClock } from '../time/wall-clock.ts';
import { createMmio } from '../hw/mmio.ts';
import { createPorts as createHardwarePorts } from '../hw/ports.ts';
import type { Machine } from '../machine.ts';
import { LAPIC } from '../regs/local-apic.ts';
import { createClock, timeFacts } from '../timekeeping.ts';
import type { Wish } from '../time/selection.ts';
import { selectTime } from '../time/selection.ts';
import { EVENTS } from '../trace/events.ts';
import { decodeUtf8 } from '../trace/utf8.ts';
import { createGuestCpuid } from '../vm/guest-cpuid.ts';
import { createGuestMemory } from '../vm/guest-memory.ts';
import { createGuestMsrs, DIRECT_MSRS } from '../vm/guest-msr.ts';
import { createSkip } from '../vm/instruction-length.ts';
import { createNestedPaging } from '../vm/nested-paging.ts';
import { createPages, PAGE, type Pages } from '../vm/pages.ts';
import { detectSvm, enableSvm, type Svm } from '../vm/svm.ts';
import { createVcpu, rememberVcpu, resetVcpu } from '../vm/vcpu.ts';
import { hertz } from '../time/frequency.ts';
import { VECTOR } from '../interrupts/vectors.ts';
import { APIC_BASE, APIC_BASE_MSR } from '../regs/local-apic.ts';
import { PARTITION_STATE } from './abi.ts';
import { AFTER, createExitHandlers, exitName } from './exits.ts';
import { createHealthMonitor } from './health-monitor.ts';
import { createHypercalls } from './hypercalls.ts';
import { createImage, createLoading } from './loader.ts';
import type { Partition } from './partition.ts';
import { createPorts } from './ports.ts';
import { createScheduler } from './scheduler.ts';
import { createLocalApicSlotTimer, type SlotTimer } from './slot-timer.ts';
import { SYSTEM_FILE, SYSTEM_FORMAT, type PartitionDescription, type SystemDescription } from './system.ts';
import { createSystemTime } from './system-time.ts';
import { createTimePage } from './time-page.ts';
import { createVirtualInterrupts } from './virtual-interrupts.ts';
import { createVirtualTimers } from './virtual-timers.ts';

/** From the choice of the epoch to the first major frame: preparations that need to know it take some milliseconds. */
const EPOCH_AHEAD_NS = 10_000_000n;
const IO_MAP_BYTES = 12 * 1024;
const MSR_MAP_BYTES = 8 * 1024;
/** Records in the ring beyond which no console output is taken: half of what it holds. */
const CONSOLE_ROOM = 4096;
/** From one look at the machine's clock to the next: where that is not the TSC, the slots follow it. */
const LOOK_INTERVAL_NS = 250_000_000n;
/** Records in the ring from which on sending them is due. */
const FLUSH_FROM = 256;

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

/** @throws RangeError for what the tools should have found: the kernel's own safety rests on it */
function checkSystem(system: SystemDescription): void {
  const format: number = system.format;
  if (format !== SYSTEM_FORMAT) throw new RangeError(`${SYSTEM_FILE}: format ${format}; this kernel knows ${SYSTEM_FORMAT}`);
  if (system.partitions.length === 0 || system.plans.length === 0) throw new RangeError(`${SYSTEM_FILE}: it has no partition or no plan`);
  for (const { name, majorFrame, slots } of system.plans) {
    let end = 0;
    for (const slot of slots) {
      if (!system.partitions[slot.partition]) throw new RangeError(`${SYSTEM_FILE}: plan ${name}: there is no partition ${slot.partition}`);
      if (!(slot.start >= end) || !(slot.duration > 0))
        throw new RangeError(`${SYSTEM_FILE}: plan ${name}: slots overlap or are out of order`);
      end = slot.start + slot.duration;
    }
    if (!(end <= majorFrame)) throw new RangeError(`${SYSTEM_FILE}: plan ${name}: slots end after the major frame`);
  }
  for (const { name, memory } of system.partitions)
    if (memory % PAGE !== 0) throw new RangeError(`${SYSTEM_FILE}: partition ${name}: memory is no whole number of pages`);
}

function readSystem(machine: Machine): SystemDescription {
  const file = machine.shims.moduleFile(SYSTEM_FILE);
  if (!file) throw new RangeError(`the boot module has no ${SYSTEM_FILE}: boot a system file (chronovisor run partitions/hello/system.ts)`);
  const system = JSON.parse(decodeUtf8(new Uint8Array(file))) as SystemDescription;
  checkSystem(system);
  return system;
}

interface Common {
  readonly machine: Machine;
  readonly pages: Pages;
  readonly svm: Svm;
  readonly msrMap: number;
  readonly hostVmcb: number;
}

function createPartition(common: Common, description: PartitionDescription, index: number): Partition {
  const { machine, pages, svm, msrMap, hostVmcb } = common;
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
  });
  const memory = createGuestMemory(vcpu, block.memory);
  const page = createTimePage(pageBlock.memory, index, {
    numerator: tscFrequency.denominator * 1_000_000_000n,
    denominator: tscFrequency.numerator,
  });
  const image = createImage(description.program, description.name, description.memory, (name) => {
    const file = shims.moduleFile(name);
    return file && new Uint8Array(file);
  });
  // Before the epoch nobody's slots are to be kept.
  const loading = createLoading(image, memory.bytes, false, () => resetVcpu(vcpu, image.entry));
  while (!loading.step());
  return {
    index,
    description,
    vcpu,
    memory,
    interrupts: createVirtualInterrupts(vcpu),
    timers: createVirtualTimers(page.counts),
    page,
    msrs: createGuestMsrs(vcpu, shims.rdtsc),
    cpuid: createGuestCpuid(shims.cpuid, {
      partition: index,
      timePage: description.memory,
      memory: description.memory,
      tscKilohertz: Number(hertz(tscFrequency) / 1000n),
    }),
    skip: createSkip(vcpu, memory),
    image,
    restart: rememberVcpu(vcpu),
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
    hasExecTimer: false,
    exits: new Int32Array(256),
    slots: 0,
    lateSlots: 0,
    deferredExits: 0,
    unclaimedAccesses: 0,
    consoleBytes: 0,
  };
}

function findRtc({ shims, acpi }: Machine): Rtc | undefined {
  const probe = probeRtc(createHardwarePorts(shims, RTC_BASE, 2), acpi.found ? (acpi.fadt?.centuryIndex ?? 0) : 0);
  return probe.found ? probe.rtc : undefined;
}

/** Rate select of the real-time clock's periodic interrupt: 32,768 Hz divided by 2 to the power of it less one. */
const rateSelect = (hertz: number): number => 16 - Math.log2(hertz);

/** @returns how to stop them */
function startInputs(
  { router }: Machine,
  rtc: Rtc,
  { inputs }: SystemDescription,
  deliver: (input: number, taken: bigint) => void,
): () => void {
  if (inputs.length === 0) return () => undefined;
  const line = router.connectIsa(RTC_IRQ, (taken) => {
    rtc.acknowledge();
    for (let index = 0; index < inputs.length; index++) deliver(index, taken);
  });
  if (!line) throw new Error("inputs: the real-time clock's interrupt goes nowhere on this machine");
  rtc.enablePeriodic(rateSelect(inputs[0]!.hertz));
  line.enable();
  return () => {
    rtc.disableInterrupts();
    line.disconnect();
  };
}

/**
 * Runs the system of the boot module.
 * @returns what did not hold; nothing if the system ended as it was to
 */
export function runSystem(machine: Machine, wish: Wish): string[] {
  const { shims, trace, dispatcher, tscFrequency, localApic, localApicFrequency } = machine;
  const { rdtsc } = shims;
  const detected = detectSvm(shims);
  if (!detected.ok) return [detected.problem];
  const selection = selectTime(timeFacts(machine), wish);
  if (!selection.ok) return [...selection.problems];
  trace.record(EVENTS.timeSelected, 'clock', selection.clock.name, selection.clock.reason);
  trace.record(EVENTS.timeSelected, 'timer', selection.timer.name, selection.timer.reason);
  if (selection.timer.name !== 'lapic' || !localApic || !localApicFrequency)
    return [`timer=${selection.timer.name}: partitions are timed by the local APIC's timer only`];

  const system = readSystem(machine);
  const free = shims.memoryMap().filter(({ kind }) => kind === 'free');
  const pages = createPages(free, shims.physicalView);
  enableSvm(shims, pages.take(PAGE).address);
  const common: Common = {
    machine,
    pages,
    svm: detected.svm,
    msrMap: createMsrMap(pages),
    hostVmcb: pages.take(PAGE).address,
  };
  if (system.partitions.length >= detected.svm.asids)
    return [`${system.partitions.length} partitions: this CPU has ${detected.svm.asids} address-space identifiers, one of them the host's`];
  const partitions = system.partitions.map((description, index) => {
    const partition = createPartition(common, description, index);
    const { program } = description;
    trace.record(EVENTS.partitionCreated, index, description.name, `${program.kind} ${program.file}`, description.memory);
    return partition;
  });

  const clock = createClock(machine, selection.clock.name);
  const rtc = findRtc(machine);
  if (rtc === undefined && (system.absoluteTime || system.inputs.length > 0))
    return [`${SYSTEM_FILE}: it wants the real-time clock, which this machine has not`];
  const wallClock = system.absoluteTime && rtc ? createWallClock({ clock, rtc }) : undefined;
  if (wallClock && !wallClock.ok) return [`absolute time: ${wallClock.reason}`];
  let isFired = false;
  dispatcher.setHandler(
    VECTOR.LOCAL_TIMER,
    () => {
      isFired = true;
    },
    localApic.endOfInterrupt,
  );
  localApic.armOneShot(VECTOR.LOCAL_TIMER, 0x7fff_ffff);
  const apicBase = Number(shims.rdmsr(APIC_BASE_MSR) & APIC_BASE.ADDRESS);
  const timer: SlotTimer = createLocalApicSlotTimer(
    apicBase + LAPIC.TIMER_ICR,
    apicBase + LAPIC.EOI,
    {
      numerator: localApicFrequency.numerator * tscFrequency.denominator,
      denominator: localApicFrequency.denominator * tscFrequency.numerator,
    },
    localApic.rearmOneShot,
    rdtsc,
  );

  const epochTsc = rdtsc() + (EPOCH_AHEAD_NS * tscFrequency.numerator) / (tscFrequency.denominator * 1_000_000_000n);
  const time = createSystemTime(rdtsc, tscFrequency, clock, epochTsc);
  const reading = clock.now();
  const readAt = time.toInstant(clock.readingTsc());
  const wallOffset = wallClock?.ok ? wallClock.wallClock.at(reading) - readAt : undefined;
  for (const { page } of partitions) page.setWallOffset(wallOffset ?? 0n);
  const lookInterval = time.toTicks(LOOK_INTERVAL_NS);
  let lookAt = 0n;
  const scheduler = createScheduler({
    partitions,
    plans: system.plans,
    duration: BigInt(system.duration),
    time,
    timer,
    dispatcher,
    trace,
    rdtsc,
    runGuest: shims.runGuest,
    longestStretch: shims.longestStretch,
    takeFired: () => {
      const fired = isFired;
      isFired = false;
      return fired;
    },
    timerVector: VECTOR.LOCAL_TIMER,
    endTimerInterrupt: createMmio(shims, apicBase, LAPIC.LENGTH).writer32(LAPIC.EOI),
    chores: {
      isDue: (now) => now >= lookAt || trace.pending() > FLUSH_FROM,
      step: () => {
        const now = rdtsc();
        if (now < lookAt) trace.flushSome(1);
        else {
          lookAt = now + lookInterval;
          time.follow();
        }
      },
    },
  });
  const { calls } = scheduler;
  const health = createHealthMonitor({ trace, actions: calls, now: time.now });
  const ports = createPorts(system.channels, system.inputs, partitions);
  const { onHypercall } = createHypercalls({
    partitions,
    trace,
    time,
    health,
    ports,
    scheduler: calls,
    wallOffset,
    consoleRoom: CONSOLE_ROOM,
  });
  const hardware = createHardwarePorts(shims, 0, 0x1_0000);
  scheduler.connect(
    createExitHandlers({
      trace,
      health,
      ports: {
        read: (port, bytes) => (bytes === 1 ? hardware.read8(port) : bytes === 2 ? shims.in16(port) : shims.in32(port)),
        write: (port, bytes, value) => {
          if (bytes === 1) hardware.write8(port, value);
          else if (bytes === 2) shims.out16(port, value);
          else shims.out32(port, value);
        },
      },
      onHypercall,
      onWindow: () => AFTER.REPLAN,
      halt: (partition, reason) => calls.setState(partition, PARTITION_STATE.HALTED, reason),
      onTscWritten: calls.refreshClocks,
    }),
    health,
  );

  const stopInputs = rtc
    ? startInputs(machine, rtc, system, (input, taken) => ports.deliver(input, time.toInstant(taken)))
    : () => undefined;
  trace.record(EVENTS.systemStarted, system.name, epochTsc, partitions.length, system.plans.length);
  trace.flush();
  shims.collectGarbage();
  // What came before the epoch is nobody's.
  shims.longestStretch();
  const reason = scheduler.run();
  stopInputs();
  localApic.stop();
  dispatcher.removeHandler(VECTOR.LOCAL_TIMER);
  trace.flush();
  scheduler.report();
  for (const { index, exits } of partitions)
    exits.forEach((count, code) => {
      if (count > 0) trace.record(EVENTS.exitCounts, index, exitName(code), count);
    });
  if (health.untraced() > 0) trace.record(EVENTS.log, `${health.untraced()} more health events were counted, not traced`);
  trace.record(EVENTS.log, `the system ended: ${reason}`);
  return [];
}
