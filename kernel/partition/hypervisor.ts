/**
 * Partitions, composed: from a system's description and the machine to a system that runs. The counterpart of machine.ts; a program of its
 * own, which the kernel loads for `run=system`.
 */
import { probeRtc, RTC_BASE, RTC_IRQ, type Rtc } from '../drivers/rtc-mc146818.ts';
import type { LocalApic } from '../drivers/local-apic.ts';
import { createMmio } from '../hw/mmio.ts';
import { createPorts as createHardwarePorts } from '../hw/ports.ts';
import { VECTOR } from '../interrupts/vectors.ts';
import type { CommandLine } from '../command-line.ts';
import type { Machine } from '../machine.ts';
import { APIC_BASE, APIC_BASE_MSR, LAPIC } from '../regs/local-apic.ts';
import { ArrivesNowhere, createClock, timeFacts } from '../timekeeping.ts';
import { hertz, type Frequency } from '../time/frequency.ts';
import type { ClockName, HwClock } from '../time/hw-clock.ts';
import { selectTime, type Wish } from '../time/selection.ts';
import { nanos } from '../time/units.ts';
import { createWallClock } from '../time/wall-clock.ts';
import { EVENTS } from '../trace/events.ts';
import { decodeUtf8 } from '../trace/utf8.ts';
import { PAGE } from '../vm/pages.ts';
import { detectSvm, type Svm } from '../vm/svm.ts';
import { PARTITION_STATE } from './abi.ts';
import type { Supervisor } from './control.ts';
import { createPartitions } from './create-partitions.ts';
import { AFTER, createExitHandlers, exitName, type ExitHandler } from './exits.ts';
import { createHealthMonitor, type HealthMonitor } from './health-monitor.ts';
import { createHypercalls, type SchedulerCalls } from './hypercalls.ts';
import type { Partition } from './partition.ts';
import { createPorts } from './ports.ts';
import { createScheduler, type Chores } from './scheduler.ts';
import { createLocalApicSlotTimer, type SlotTimer } from './slot-timer.ts';
import { createSupervision } from './supervision.ts';
import { SYSTEM_FILE, SYSTEM_FORMAT, type SystemDescription } from './system.ts';
import { createSystemTime, type HoldableTime } from './system-time.ts';

/** From the choice of the epoch to the first major frame: preparations that need to know it take some milliseconds. */
const EPOCH_AHEAD_NS = 20_000_000n;
/** Records in the ring beyond which no console output is taken: half of what it holds. */
const CONSOLE_ROOM = 4096;
/** From one look at the machine's clock to the next: where that is not the TSC, the slots follow it. */
const LOOK_INTERVAL_NS = 250_000_000n;
/** Records in the ring from which on sending them is due. */
const FLUSH_FROM = 256;

interface Problem {
  readonly ok: false;
  readonly problems: readonly string[];
}
const problem = (...problems: readonly string[]): Problem => ({ ok: false, problems });

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

interface Hardware {
  readonly ok: true;
  readonly svm: Svm;
  readonly clockName: ClockName;
  readonly localApic: LocalApic;
  readonly localApicFrequency: Frequency;
}

/** What partitions need of the machine, and what is chosen where there is a choice. */
function chooseHardware(machine: Machine, wish: Wish): Hardware | Problem {
  const { shims, trace, localApic, localApicFrequency } = machine;
  const detected = detectSvm(shims);
  if (!detected.ok) return problem(detected.problem);
  const selection = selectTime(timeFacts(machine), wish);
  if (!selection.ok) return selection;
  const { clock, timer } = selection;
  trace.record(EVENTS.timeSelected, 'clock', clock.name, clock.reason);
  trace.record(EVENTS.timeSelected, 'timer', timer.name, timer.reason);
  if (timer.name !== 'lapic' || !localApic || !localApicFrequency)
    return problem(`timer=${timer.name}: partitions are timed by the local APIC's timer only`);
  return { ok: true, svm: detected.svm, clockName: clock.name, localApic, localApicFrequency };
}

interface ConnectedTimer {
  readonly timer: SlotTimer;
  /** Whether its interrupt was taken since this was last asked. */
  takeFired(): boolean;
  /** Ends its interrupt, if that is in service. */
  endInterrupt(value: 0): void;
  wait(millis: number): void;
  stop(): void;
}

function connectTimer({ shims, dispatcher, tscFrequency }: Machine, { localApic, localApicFrequency }: Hardware): ConnectedTimer {
  const base = Number(shims.rdmsr(APIC_BASE_MSR) & APIC_BASE.ADDRESS);
  const perMilli = Number(hertz(localApicFrequency)) / 1000;
  let isFired = false;
  dispatcher.setHandler(
    VECTOR.LOCAL_TIMER,
    () => {
      isFired = true;
    },
    localApic.endOfInterrupt,
  );
  // Its vector and mode; the count is of no account.
  localApic.armOneShot(VECTOR.LOCAL_TIMER, 0x7fff_ffff);
  return {
    timer: createLocalApicSlotTimer(
      base + LAPIC.TIMER_ICR,
      base + LAPIC.EOI,
      {
        numerator: localApicFrequency.numerator * tscFrequency.denominator,
        denominator: localApicFrequency.denominator * tscFrequency.numerator,
      },
      localApic.rearmOneShot,
      shims.rdtsc,
    ),
    takeFired: () => {
      const fired = isFired;
      isFired = false;
      return fired;
    },
    endInterrupt: createMmio(shims, base, LAPIC.LENGTH).writer32(LAPIC.EOI),
    wait: (millis) => {
      isFired = false;
      localApic.rearmOneShot(Math.ceil(perMilli * millis));
      while (!isFired) dispatcher.waitAndDispatch();
      isFired = false;
    },
    stop: () => {
      localApic.stop();
      dispatcher.removeHandler(VECTOR.LOCAL_TIMER);
    },
  };
}

function findRtc({ shims, acpi }: Machine): Rtc | undefined {
  const probe = probeRtc(createHardwarePorts(shims, RTC_BASE, 2), acpi.found ? (acpi.fadt?.centuryIndex ?? 0) : 0);
  return probe.found ? probe.rtc : undefined;
}

/** A look at the real-time clock's second, while it is not near. */
const LOOK_MS = 10;
/** Two seconds and a half of looks: one may begin unseen. */
const LOOKS = 250;
/** From the look that saw a second begin to shortly before the next one. */
const NEAR_MS = 1000 - 2 * LOOK_MS;

/** Returns shortly before a second begins. Catching that polls, and a second of polling is most of a short run's wall time. */
function approachSecond(rtc: Rtc, wait: (millis: number) => void): void {
  const first = rtc.second();
  for (let look = 0; look < LOOKS; look++) {
    wait(LOOK_MS);
    if (rtc.isUpdating() || rtc.second() === first) continue;
    wait(NEAR_MS);
    return;
  }
}

interface StartedTime {
  readonly ok: true;
  readonly time: HoldableTime;
  readonly epochTsc: bigint;
  readonly rtc: Rtc | undefined;
  /** ns since 1970 at the epoch; undefined unless the system wants absolute time. */
  readonly wallOffset: bigint | undefined;
}

function openClock(machine: Machine, name: ClockName): HwClock | Problem {
  try {
    return createClock(machine, name);
  } catch (error) {
    if (error instanceof ArrivesNowhere) return problem(error.message);
    throw error;
  }
}

/** The machine's clock, absolute time if the system wants it, and the epoch: some milliseconds from now. */
export function startTime(
  machine: Machine,
  system: SystemDescription,
  clockName: ClockName,
  wait: (millis: number) => void,
): StartedTime | Problem {
  const { shims, tscFrequency } = machine;
  const clock = openClock(machine, clockName);
  if ('problems' in clock) return clock;
  const rtc = findRtc(machine);
  if (rtc === undefined && (system.absoluteTime || system.inputs.length > 0))
    return problem(`${SYSTEM_FILE}: it wants the real-time clock, which this machine has not`);
  if (system.absoluteTime && rtc) approachSecond(rtc, wait);
  const wallClock = system.absoluteTime && rtc ? createWallClock({ clock, rtc }) : undefined;
  if (wallClock && !wallClock.ok) return problem(`absolute time: ${wallClock.reason}`);
  const epochTsc = shims.rdtsc() + (EPOCH_AHEAD_NS * tscFrequency.numerator) / (tscFrequency.denominator * 1_000_000_000n);
  const time = createSystemTime(shims.rdtsc, tscFrequency, clock, epochTsc);
  const reading = clock.now();
  const wallOffset = wallClock && wallClock.wallClock.at(reading) - time.toInstant(clock.readingTsc());
  return { ok: true, time, epochTsc, rtc, wallOffset };
}

/** Rate select of the real-time clock's periodic interrupt: 32,768 Hz divided by 2 to the power of it less one. */
const rateSelect = (hertz: number): number => 16 - Math.log2(hertz);

/** @returns how to stop them */
function startInputs(
  { router }: Machine,
  rtc: Rtc | undefined,
  { inputs }: SystemDescription,
  deliver: (input: number, taken: bigint) => void,
): () => void {
  if (!rtc || inputs.length === 0) return () => undefined;
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

/** The trace is sent, and the machine's clock followed, when no partition needs the CPU. */
function createChores({ shims: { rdtsc }, trace }: Machine, time: HoldableTime): Chores {
  const interval = time.toTicks(LOOK_INTERVAL_NS);
  let lookAt = 0n;
  return {
    isDue: (now) => now >= lookAt || trace.pending() > FLUSH_FROM,
    step: () => {
      const now = rdtsc();
      if (now < lookAt) trace.flushSome(1);
      else {
        lookAt = now + interval;
        time.follow();
      }
    },
  };
}

/** What is done at guests' exits. */
function createHandlers(
  { shims, trace }: Machine,
  partitions: readonly Partition[],
  calls: SchedulerCalls,
  health: HealthMonitor,
  onHypercall: ExitHandler,
): readonly (ExitHandler | undefined)[] {
  const hardware = createHardwarePorts(shims, 0, 0x1_0000);
  return createExitHandlers({
    partitions,
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
    onDevices: calls.settle,
    hasTime: calls.hasTime,
    mayDecode: calls.mayDecode,
  });
}

function reportExits({ trace }: Machine, partitions: readonly Partition[], health: HealthMonitor): void {
  for (const { index, exits } of partitions)
    exits.forEach((count, code) => {
      if (count > 0) trace.record(EVENTS.exitCounts, index, exitName(code), count);
    });
  if (health.untraced() > 0) trace.record(EVENTS.log, `${health.untraced()} more health events were counted, not traced`);
}

function recordPlans({ trace }: Machine, { plans }: SystemDescription): void {
  plans.forEach(({ majorFrame, slots }, plan) =>
    slots.forEach(({ partition, start, duration }, slot) =>
      trace.record(EVENTS.planSlot, plan, slot, partition, nanos(BigInt(start)), nanos(BigInt(duration)), nanos(BigInt(majorFrame))),
    ),
  );
}

function reportPlatforms({ trace }: Machine, partitions: readonly Partition[]): void {
  for (const { index, platform } of partitions) {
    if (platform === undefined) continue;
    for (const { name, accepted, merged, dropped, lost } of platform.accounts())
      if (accepted + merged + dropped + lost > 0) trace.record(EVENTS.platformAccounts, index, name, accepted, merged, dropped, lost);
    for (const { device, reads, writes, misuses } of platform.counts())
      if (reads + writes + misuses > 0) trace.record(EVENTS.deviceCounts, index, device, reads, writes, misuses);
  }
}

/**
 * Runs the system of the boot module.
 * @param supervisor has it stand still now and then; without one it runs to its end
 * @returns what did not hold; nothing if the system ended as it was to
 */
export function runSystem(machine: Machine, wish: Wish & Pick<CommandLine, 'exits'>, supervisor?: Supervisor): readonly string[] {
  const { shims, trace, dispatcher } = machine;
  const hardware = chooseHardware(machine, wish);
  if (!hardware.ok) return hardware.problems;
  const { svm } = hardware;
  trace.learn(EVENTS);
  const system = readSystem(machine);
  if (system.partitions.length >= svm.asids)
    return [`${system.partitions.length} partitions: this CPU has ${svm.asids} address-space identifiers, one of them the host's`];

  const partitions = createPartitions(machine, svm, system, (index, bytes) => void hypercalls.writeConsole(partitions[index]!, bytes));
  const connected = connectTimer(machine, hardware);
  const started = startTime(machine, system, hardware.clockName, connected.wait);
  if (!started.ok) return started.problems;
  const { time, epochTsc, rtc, wallOffset } = started;
  for (const { page, platform } of partitions) {
    page.setWallOffset(wallOffset ?? 0n);
    platform?.begin(epochTsc);
  }

  const supervision =
    supervisor &&
    createSupervision({
      supervisor,
      system,
      partitions,
      time,
      trace,
      forgetStretch: shims.longestStretch,
    });
  const scheduler = createScheduler({
    partitions,
    plans: system.plans,
    duration: BigInt(system.duration),
    time,
    timer: connected.timer,
    takeFired: connected.takeFired,
    tracesExits: wish.exits === 'trace',
    timerVector: VECTOR.LOCAL_TIMER,
    endTimerInterrupt: connected.endInterrupt,
    dispatcher,
    trace,
    rdtsc: shims.rdtsc,
    runGuest: shims.runGuest,
    longestStretch: shims.longestStretch,
    chores: createChores(machine, time),
    betweenFrames: supervision?.betweenFrames,
  });
  const { calls } = scheduler;
  const health = createHealthMonitor({ trace, actions: calls, now: time.now });
  const ports = createPorts(system.channels, system.inputs, partitions);
  const hypercalls = createHypercalls({
    partitions,
    trace: supervision?.trace ?? trace,
    time,
    health,
    ports,
    scheduler: calls,
    wallOffset,
    consoleRoom: CONSOLE_ROOM,
  });
  scheduler.connect(createHandlers(machine, partitions, calls, health, hypercalls.onHypercall), health);
  const stopInputs = startInputs(machine, rtc, system, (input, taken) => {
    // What happens while the system stands still, or before it begins, happens at no instant of it.
    if (!supervision?.isStanding() && taken >= epochTsc) ports.deliver(input, time.toInstant(taken));
  });

  recordPlans(machine, system);
  trace.record(EVENTS.systemStarted, system.name, epochTsc, partitions.length, system.plans.length);
  trace.flush();
  shims.collectGarbage();
  // What came before the epoch is nobody's.
  shims.longestStretch();
  const reason = supervision?.begin(calls) ?? scheduler.run();
  stopInputs();
  connected.stop();
  trace.flush();
  supervision?.end(reason);
  scheduler.report();
  reportExits(machine, partitions, health);
  reportPlatforms(machine, partitions);
  trace.record(EVENTS.log, `the system ended: ${reason}`);
  return [];
}
