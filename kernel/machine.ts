/**
 * The composition root: the one place where hardware enters. It finds what the machine has, reports what
 * it has not, and hands out narrow objects.
 */
import { discoverAcpi, type AcpiDiscovery } from './acpi/tables.ts';
import type { CommandLine } from './command-line.ts';
import { enumerateFrequencies } from './cpu-frequencies.ts';
import { describeCpu, type CpuDescription } from './cpu.ts';
import { probeHpet, type Hpet } from './drivers/hpet.ts';
import { probeIoApic, type IoApic } from './drivers/ioapic-82093aa.ts';
import { probeLocalApic, type LocalApic } from './drivers/local-apic.ts';
import { PIC_BASE, probePic, type Pic } from './drivers/pic-8259a.ts';
import { PIT_BASE, probePit, type Pit } from './drivers/pit-8254.ts';
import { probePmTimer, type PmTimer } from './drivers/pm-timer.ts';
import { COM1, probeUart, type Uart } from './drivers/uart-16550.ts';
import { createMmio, type Mmio } from './hw/mmio.ts';
import { createMsr, type Msr } from './hw/msr.ts';
import { createPorts } from './hw/ports.ts';
import type { Shims } from './hw/shims.ts';
import { createDispatcher, type Dispatcher, type IdleWay } from './interrupts/dispatcher.ts';
import { createRouter, type Router } from './interrupts/router.ts';
import { VECTOR } from './interrupts/vectors.ts';
import { ADDRESS_SPACE_IO } from './regs/acpi.ts';
import { PIT } from './regs/i8254.ts';
import { PIC } from './regs/i8259a.ts';
import { IOAPIC } from './regs/i82093aa.ts';
import { HPET } from './regs/ia-pc-hpet.ts';
import { APIC_BASE, APIC_BASE_MSR, LAPIC, TSC_DEADLINE_MSR } from './regs/local-apic.ts';
import { UART } from './regs/pc16550d.ts';
import { judge, judgeWithEnumerated } from './time/agreement.ts';
import { measureByTsc, measureTsc, type ReferenceCounter } from './time/calibration.ts';
import { frequency, hertz, ticksToNanos, type Frequency } from './time/frequency.ts';
import { testHalt } from './time/halt-test.ts';
import { measureReload } from './time/reload.ts';
import { instant, nanos, ticks, type Instant } from './time/units.ts';
import { MACHINE_EVENTS as EVENTS } from './trace/machine-events.ts';
import { createTrace, type LineSink, type Trace } from './trace/trace.ts';
import { encodeUtf8 } from './trace/utf8.ts';
import { DEBUG_CONSOLE_PORT } from './trace/wire.ts';

export interface Machine {
  readonly shims: Shims;
  readonly trace: Trace;
  readonly cpu: CpuDescription;
  readonly acpi: AcpiDiscovery;
  readonly uart: Uart | undefined;
  readonly pic: Pic | undefined;
  readonly ioApics: readonly IoApic[];
  readonly localApic: LocalApic | undefined;
  readonly pit: Pit | undefined;
  readonly hpet: Hpet | undefined;
  readonly pmTimer: PmTimer | undefined;
  readonly dispatcher: Dispatcher;
  readonly router: Router;
  readonly tscFrequency: Frequency;
  /** Of the timer with divisor 1. */
  readonly localApicFrequency: Frequency | undefined;
  /** TSC-deadline mode of the local APIC's timer: its register, where CPUID offers it. */
  readonly tscDeadline: Msr | undefined;
  /** Whether the TSC goes on in HLT. Not tested where the CPU is never halted. */
  readonly tscInHalt: 'runs' | 'stops' | 'untested';
  /** CPUs that ACPI tells of; the kernel runs on the first. */
  readonly cpus: number;
  /** Time since boot, by the TSC. */
  now(): Instant;
  /** The same of a TSC value. */
  toInstant(tsc: bigint): Instant;
}

/** Records that the ring holds: the demonstration's 3,000 and the machine's description, with room. 64 bytes each. */
const RING_CAPACITY = 8192;
const ASSUMED_TSC_HZ = 1_000_000_000n;

/** Opens the trace: before everything else, so that everything else can be seen. */
export function openTrace(
  shims: Shims,
  { serial, frames }: Pick<CommandLine, 'serial' | 'frames'>,
): { trace: Trace; uart: Uart | undefined } {
  const uart = probeUart(createPorts(shims, COM1.BASE, UART.COUNT));
  const hasDebugConsole = frames === 'auto' && shims.in8(DEBUG_CONSOLE_PORT) === DEBUG_CONSOLE_PORT;
  const lines: LineSink | undefined =
    uart && serial !== 'off' ? { level: serial, writeLine: (line) => uart.write(encodeUtf8(line + '\r\n')) } : undefined;
  const trace = createTrace({
    encode: shims.encodeUtf8,
    rdtsc: shims.rdtsc,
    bootStamp: shims.entryTsc(),
    cpu: 0,
    capacity: RING_CAPACITY,
    frames: hasDebugConsole
      ? { write: (buffer, offset, length) => shims.outBlock8(DEBUG_CONSOLE_PORT, buffer, offset, length) }
      : undefined,
    lines,
  });
  return { trace, uart };
}

function found(trace: Trace, device: string, at: number, detail: string): void {
  trace.record(EVENTS.deviceFound, device, at, detail);
}

function absent(trace: Trace, device: string, reason: string): undefined {
  trace.record(EVENTS.deviceAbsent, device, reason);
  return undefined;
}

function reportFrequency(trace: Trace, clock: string, f: Frequency): void {
  trace.record(EVENTS.frequency, clock, f.numerator, f.denominator, f.provenance, f.source, f.uncertaintyPpb);
}

/**
 * A device's registers at an address that firmware told, which may be wrong.
 * @returns undefined if that is no device range
 */
function openMmio(shims: Shims, address: number, length: number): Mmio | undefined {
  try {
    shims.mmioRead32(address);
    shims.mmioRead32(address + length - 4);
    return createMmio(shims, address, length);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function findAcpi(shims: Shims, trace: Trace): AcpiDiscovery {
  const memory = shims.memoryMap();
  for (const { address, length, kind } of memory) trace.record(EVENTS.memory, address, length, kind);
  // ACPI 6.4, "Finding the RSDP on IA-PC Systems": the EBDA and E0000h-FFFFFh, as far as the memory map has them.
  const firmware = memory
    .filter(({ address, length, kind }) => kind === 'reserved' && address >= 0x80000 && address + length <= 0x100000)
    .map(({ address, length }) => ({ address, length }));
  const acpi = discoverAcpi(
    { view: (address, length) => new DataView(shims.physicalView(address, length)) },
    shims.rsdpAddress(),
    firmware,
  );
  if (acpi.found)
    for (const table of acpi.tables)
      trace.record(EVENTS.acpiTable, table.signature, table.address, table.length, table.checksumValid ? 'ok' : 'wrong');
  else absent(trace, 'acpi', 'no root pointer: the loader gave none and none was found');
  for (const { table, address, what } of acpi.problems) trace.record(EVENTS.acpiProblem, table, address, what);
  return acpi;
}

function findLocalApic(shims: Shims, trace: Trace, cpu: CpuDescription): LocalApic | undefined {
  if (!cpu.hasLocalApic) return absent(trace, 'lapic', 'CPUID 1 EDX bit 9 is 0');
  const base = createMsr(shims, APIC_BASE_MSR).read();
  if ((base & APIC_BASE.ENABLE) === 0n) return absent(trace, 'lapic', 'switched off in MSR 1Bh');
  const address = Number(base & APIC_BASE.ADDRESS);
  const mmio = openMmio(shims, address, LAPIC.LENGTH);
  const localApic = mmio && probeLocalApic(mmio, VECTOR.SPURIOUS);
  if (!localApic) return absent(trace, 'lapic', `nothing answers at 0x${address.toString(16)}`);
  found(trace, 'lapic', address, `id ${localApic.id}, version 0x${localApic.version.toString(16)}`);
  return localApic;
}

function findIoApics(shims: Shims, trace: Trace, acpi: AcpiDiscovery): IoApic[] {
  const described = acpi.found ? (acpi.madt?.ioApics ?? []) : [];
  if (described.length === 0) absent(trace, 'ioapic', 'no ACPI MADT tells of one');
  return described.flatMap(({ address, gsiBase }) => {
    const mmio = openMmio(shims, address, IOAPIC.LENGTH);
    const ioApic = mmio && probeIoApic(mmio, gsiBase);
    if (ioApic)
      found(trace, 'ioapic', address, `${ioApic.inputCount} inputs from GSI ${gsiBase}, version 0x${ioApic.version.toString(16)}`);
    else absent(trace, 'ioapic', `nothing answers at 0x${address.toString(16)}`);
    return ioApic ? [ioApic] : [];
  });
}

function findHpet(shims: Shims, trace: Trace, acpi: AcpiDiscovery): Hpet | undefined {
  const table = acpi.found ? acpi.hpet : undefined;
  if (!table) return absent(trace, 'hpet', 'no ACPI HPET table');
  const mmio = openMmio(shims, table.baseAddress, HPET.LENGTH);
  if (!mmio) return absent(trace, 'hpet', `ACPI puts it at 0x${table.baseAddress.toString(16)}, which is no device address`);
  const probe = probeHpet(mmio);
  if (!probe.found) return absent(trace, 'hpet', `at 0x${table.baseAddress.toString(16)}: ${probe.reason}`);
  const { hpet } = probe;
  found(
    trace,
    'hpet',
    table.baseAddress,
    `${hpet.timerCount} timers, ${hpet.width} bits, routes 0x${hpet.routes.toString(16)}${hpet.canReplaceLegacy ? ', legacy replacement' : ''}`,
  );
  reportFrequency(trace, 'hpet', hpet.frequency);
  return hpet;
}

function findPmTimer(shims: Shims, trace: Trace, acpi: AcpiDiscovery): PmTimer | undefined {
  const fadt = acpi.found ? acpi.fadt : undefined;
  if (!fadt) return absent(trace, 'pm-timer', 'no ACPI FADT');
  const extended = fadt.xPmTimer?.addressSpace === ADDRESS_SPACE_IO ? fadt.xPmTimer.address : 0;
  const port = extended || fadt.pmTimerPort;
  if (port === 0) return absent(trace, 'pm-timer', 'the ACPI FADT names no port for it');
  const pmTimer = probePmTimer(createPorts(shims, port, 4), fadt.pmTimerIs32Bit ? 32 : 24);
  if (!pmTimer) return absent(trace, 'pm-timer', `the counter at port 0x${port.toString(16)} does not move`);
  found(trace, 'pm-timer', port, `${pmTimer.width} bits`);
  reportFrequency(trace, 'pm-timer', pmTimer.frequency);
  return pmTimer;
}

/** Counters of known frequency, the finest first. The PIT counts while it is the last one read. */
function findReferences(hpet: Hpet | undefined, pmTimer: PmTimer | undefined, pit: Pit | undefined): ReferenceCounter[] {
  const references: ReferenceCounter[] = [];
  if (hpet) references.push({ name: 'hpet', frequency: hpet.frequency, read: hpet.counter, width: hpet.width });
  if (pmTimer)
    references.push({ name: 'pm-timer', frequency: pmTimer.frequency, read: () => BigInt(pmTimer.counter()), width: pmTimer.width });
  if (pit) references.push({ name: 'pit', frequency: pit.frequency, read: () => BigInt(0x1_0000 - pit.counter()), width: 16 });
  return references;
}

/** Two readings in a row differ on any TSC that runs. */
function standsStill({ rdtsc }: Shims, trace: Trace): boolean {
  const stands = rdtsc() === rdtsc();
  if (stands) trace.record(EVENTS.warning, 'the TSC stands still');
  return stands;
}

/** By two references, and by a third if these disagree; against what CPUID tells. */
function calibrateTsc(
  shims: Shims,
  trace: Trace,
  references: readonly ReferenceCounter[],
  pit: Pit | undefined,
  enumerated: readonly Frequency[],
): Frequency | undefined {
  if (standsStill(shims, trace)) return undefined;
  // Counter 0 over its whole range; its interrupt is masked.
  pit?.armPeriodic(0x1_0000);
  const measured: Frequency[] = [];
  for (const reference of references) {
    const frequency = measureTsc(shims, reference);
    if (!frequency) trace.record(EVENTS.warning, `${reference.name}: the counter stands still, or no reading was undisturbed`);
    else measured.push(frequency);
    if (judge(measured)?.verdict === 'agree') break;
  }
  pit?.stop();
  // One that has stopped meanwhile.
  if (standsStill(shims, trace)) return undefined;
  return settle(trace, 'tsc', measured, enumerated);
}

/** Judges, and tells of it. */
function settle(trace: Trace, counter: string, measured: readonly Frequency[], enumerated: readonly Frequency[]): Frequency | undefined {
  const judgement = judgeWithEnumerated(measured, enumerated);
  if (!judgement) return undefined;
  const { frequency, first, second, differencePpb, verdict, checks } = judgement;
  trace.record(EVENTS.calibrationAgreement, counter, first.source, second?.source ?? 'none', differencePpb, verdict);
  if (verdict === 'disagree')
    trace.record(EVENTS.warning, `the references of the ${counter} disagree: times are as uncertain as its frequency says`);
  for (const check of checks) {
    trace.record(EVENTS.calibrationAgreement, counter, check.enumerated.source, first.source, check.differencePpb, check.verdict);
    if (check.verdict === 'disagree')
      trace.record(EVENTS.warning, `${check.enumerated.source} tells a frequency of the ${counter} that is not the measured one`);
  }
  return frequency;
}

/** How long the CPU is halted for the test, and how many ends of a HLT may be something else's. */
const HALT_SECONDS = 0.005;
const HALTS = 10;

/** By the local APIC's timer, which needs no route that could be wrong: a HLT that nothing ends would have no limit. */
function testTscInHalt(
  shims: Shims,
  dispatcher: Dispatcher,
  localApic: LocalApic,
  lapicFrequency: Frequency,
  tscFrequency: Frequency,
  reference: ReferenceCounter,
): Machine['tscInHalt'] {
  const count = Math.ceil(Number(hertz(lapicFrequency)) * HALT_SECONDS);
  let arrivals = 0;
  dispatcher.setHandler(VECTOR.LOCAL_TIMER, () => arrivals++, localApic.endOfInterrupt);
  const verdict = testHalt({
    halt: () => {
      const before = arrivals;
      localApic.armOneShot(VECTOR.LOCAL_TIMER, count);
      for (let halts = 0; halts < HALTS && arrivals === before; halts++) dispatcher.waitAndDispatch();
      return arrivals > before;
    },
    rdtsc: shims.rdtsc,
    tscFrequency,
    reference,
  });
  localApic.stop();
  dispatcher.removeHandler(VECTOR.LOCAL_TIMER);
  return verdict;
}

const idleWayFor = ({ hypervisor }: CpuDescription): IdleWay => (hypervisor === 'TCGTCGTCGTCG' ? 'awake' : 'halt');

/** Finds the machine. What is absent is reported, not assumed. */
export function findMachine(shims: Shims, trace: Trace, uart: Uart | undefined, idle: CommandLine['idle']): Machine {
  const cpu = describeCpu(shims.cpuid);
  trace.record(EVENTS.cpu, cpu.vendor, cpu.brand, cpu.hypervisor, cpu.hasSvm, cpu.hasInvariantTsc);
  const acpi = findAcpi(shims, trace);

  if (uart) found(trace, 'uart', COM1.BASE, '16550');
  else absent(trace, 'uart', `no scratch register at port 0x${COM1.BASE.toString(16)}`);

  const pic = probePic(createPorts(shims, PIC_BASE.MASTER, PIC.COUNT), createPorts(shims, PIC_BASE.SLAVE, PIC.COUNT), VECTOR.PIC);
  if (pic) found(trace, 'pic', PIC_BASE.MASTER, `8259A pair, vectors from 0x${VECTOR.PIC.toString(16)}`);
  else absent(trace, 'pic', 'the mask registers do not read back');
  const localApic = findLocalApic(shims, trace, cpu);
  const ioApics = findIoApics(shims, trace, acpi);

  const pit = probePit(createPorts(shims, PIT_BASE, PIT.COUNT));
  if (pit) {
    found(trace, 'pit', PIT_BASE, '8254');
    reportFrequency(trace, 'pit', pit.frequency);
  } else absent(trace, 'pit', 'counter 0 does not move');
  const hpet = findHpet(shims, trace, acpi);
  const pmTimer = findPmTimer(shims, trace, acpi);

  const references = findReferences(hpet, pmTimer, pit);
  const enumerated = enumerateFrequencies(shims.cpuid, cpu.vendor);
  const known = cpu.hasTsc ? calibrateTsc(shims, trace, references, pit, enumerated.tsc) : undefined;
  const tscFrequency = known ?? frequency(ASSUMED_TSC_HZ, 1n, 'architectural', 'assumed: it could not be measured');
  if (!known) trace.record(EVENTS.warning, 'the TSC could not be measured: stamps are shown as if it ran at 1 GHz');
  found(trace, 'tsc', 0, cpu.hasInvariantTsc ? 'invariant' : 'not invariant: may change or stop with the CPU');
  reportFrequency(trace, 'tsc', tscFrequency);

  let localApicFrequency: Frequency | undefined;
  if (localApic && known) {
    localApic.startSilent(0xffff_ffff, false);
    const elapsed = { name: 'lapic', width: 32, read: () => BigInt(0xffff_ffff - localApic.currentCount()) };
    const measured = measureByTsc(shims, elapsed, tscFrequency);
    // What CPUID tells of a count that does not move is of no use.
    localApicFrequency = measured && enumerated.localApic.length > 0 ? settle(trace, 'lapic', [measured], enumerated.localApic) : measured;
    if (localApicFrequency) reportFrequency(trace, 'lapic', localApicFrequency);
    else absent(trace, 'lapic timer', 'the count does not move');
    if (localApicFrequency) {
      const reload = measureReload(
        { start: (count) => localApic.startSilent(count, true), left: localApic.currentCount },
        shims,
        Number(hertz(tscFrequency)) / Number(hertz(localApicFrequency)),
      );
      localApic.setReloadTicks(reload);
      localApic.stop();
      if (reload > 0)
        trace.record(EVENTS.log, 'lapic: in periodic mode a period has a tick more than the initial count; it is allowed for');
    }
  }

  const entry = shims.entryTsc();
  const toInstant = (tsc: bigint): Instant => instant(ticksToNanos(tscFrequency, ticks(tsc - entry)));
  trace.setScale({ toNanos: (tsc) => nanos(toInstant(tsc)) });

  const way = idle === 'auto' ? idleWayFor(cpu) : idle;
  const dispatcher = createDispatcher(shims, way, (vector, taken) => trace.record(EVENTS.interruptUnexpected, vector, taken));
  const [reference] = references;
  const tscInHalt =
    way === 'halt' && localApic && localApicFrequency && known && reference && reference.name !== 'pit'
      ? testTscInHalt(shims, dispatcher, localApic, localApicFrequency, known, reference)
      : 'untested';
  const cpus = Math.max((acpi.found ? (acpi.madt?.processors ?? []) : []).filter(({ isEnabled }) => isEnabled).length, 1);
  trace.record(EVENTS.tscLimits, cpu.hasInvariantTsc, tscInHalt, cpus);
  const router = createRouter({ dispatcher, localApic, ioApics, pic, madt: acpi.found ? acpi.madt : undefined });
  return {
    shims,
    trace,
    cpu,
    acpi,
    uart,
    pic,
    ioApics,
    localApic,
    pit,
    hpet,
    pmTimer,
    dispatcher,
    router,
    tscFrequency,
    localApicFrequency,
    tscDeadline: localApic && known && cpu.hasTscDeadline ? createMsr(shims, TSC_DEADLINE_MSR) : undefined,
    tscInHalt,
    cpus,
    now: () => toInstant(shims.rdtsc()),
    toInstant,
  };
}
