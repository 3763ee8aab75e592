/**
 * The composition root: the one place where hardware enters. It finds what the machine has, reports what
 * it has not, and hands out narrow objects.
 */
import { discoverAcpi, type AcpiDiscovery } from './acpi/tables.ts';
import type { CommandLine } from './command-line.ts';
import { describeCpu, type CpuDescription } from './cpu.ts';
import { probeHpet, type Hpet } from './drivers/hpet.ts';
import { probeIoApic, type IoApic } from './drivers/ioapic-82093aa.ts';
import { probeLocalApic, type LocalApic } from './drivers/local-apic.ts';
import { PIC_BASE, probePic, type Pic } from './drivers/pic-8259a.ts';
import { PIT_BASE, probePit, type Pit } from './drivers/pit-8254.ts';
import { probePmTimer, type PmTimer } from './drivers/pm-timer.ts';
import { COM1, probeUart, type Uart } from './drivers/uart-16550.ts';
import { createMmio, type Mmio } from './hw/mmio.ts';
import { createMsr } from './hw/msr.ts';
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
import { APIC_BASE, APIC_BASE_MSR, LAPIC } from './regs/local-apic.ts';
import { UART } from './regs/pc16550d.ts';
import { judge, type Judgement } from './time/agreement.ts';
import { measureByTsc, measureTsc, type ReferenceCounter } from './time/calibration.ts';
import { frequency, hertz, ticksToNanos, type Frequency } from './time/frequency.ts';
import { testHalt } from './time/halt-test.ts';
import { measureReload } from './time/reload.ts';
import { instant, nanos, ticks, type Instant } from './time/units.ts';
import { EVENTS } from './trace/events.ts';
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
  readonly localApicFrequency: Frequency | undefined;
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

/** By two references, and by a third if these disagree. */
function calibrateTsc(shims: Shims, trace: Trace, references: readonly ReferenceCounter[], pit: Pit | undefined): Frequency | undefined {
  // Two readings in a row differ on any that runs.
  if (shims.rdtsc() === shims.rdtsc()) {
    trace.record(EVENTS.warning, 'the TSC stands still');
    return undefined;
  }
  // Counter 0 over its whole range; its interrupt is masked.
  pit?.armPeriodic(0x1_0000);
  const measured: Frequency[] = [];
  let judgement: Judgement | undefined;
  for (const reference of references) {
    const frequency = measureTsc(shims, reference);
    if (!frequency) trace.record(EVENTS.warning, `${reference.name}: the counter stands still, or no reading was undisturbed`);
    else measured.push(frequency);
    judgement = judge(measured);
    if (judgement?.verdict === 'agree') break;
  }
  pit?.stop();
  if (!judgement) return undefined;
  const { frequency, second, differencePpb, verdict } = judgement;
  trace.record(EVENTS.calibrationAgreement, 'tsc', frequency.source, second?.source ?? 'none', differencePpb, verdict);
  if (verdict === 'disagree')
    trace.record(EVENTS.warning, 'the references of the TSC disagree: times are as uncertain as its frequency says');
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
  const measured = cpu.hasTsc ? calibrateTsc(shims, trace, references, pit) : undefined;
  const tscFrequency = measured ?? frequency(ASSUMED_TSC_HZ, 1n, 'architectural', 'assumed: it could not be measured');
  if (!measured) trace.record(EVENTS.warning, 'the TSC could not be measured: stamps are shown as if it ran at 1 GHz');
  found(trace, 'tsc', 0, cpu.hasInvariantTsc ? 'invariant' : 'not invariant: may change or stop with the CPU');
  reportFrequency(trace, 'tsc', tscFrequency);

  let localApicFrequency: Frequency | undefined;
  if (localApic && measured) {
    localApic.startSilent(0xffff_ffff, false);
    const elapsed = { name: 'lapic', width: 32, read: () => BigInt(0xffff_ffff - localApic.currentCount()) };
    localApicFrequency = measureByTsc(shims, elapsed, tscFrequency);
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
    way === 'halt' && localApic && localApicFrequency && measured && reference && reference.name !== 'pit'
      ? testTscInHalt(shims, dispatcher, localApic, localApicFrequency, measured, reference)
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
    tscInHalt,
    cpus,
    now: () => toInstant(shims.rdtsc()),
    toInstant,
  };
}
