/** A partition's virtual PC: what system.ts says of it, made, and what it tells, put into the trace. A program of its own, with its devices. */
import type { Machine } from '../machine.ts';
import { EVENTS } from '../trace/events.ts';
import { placeAcpiTables } from '../vdev/acpi.ts';
import { hpetBlockId } from '../vdev/vhpet.ts';
import { createPlatform, type Platform } from '../vdev/platform.ts';
import type { GuestMemory } from '../vm/guest-memory.ts';
import { createMmioInstructions, type MmioInstructions } from '../vm/mmio-instruction.ts';
import type { Vcpu } from '../vm/vcpu.ts';
import type { FirmwareTables } from './loader.ts';
import { DSDT_FILES, PLATFORM_PORTS, type PartitionDescription, type PlatformDescription } from './system.ts';

/** Records of misuse per partition: what comes after them is counted. */
const MISUSES_TRACED = 64;

export interface VirtualPlatform {
  readonly platform: Platform;
  readonly mmio: MmioInstructions;
  readonly requests: { isReset: boolean; isOff: boolean };
  readonly tables: FirmwareTables;
}

/** Where firmware would have left them: software that was not told of them finds them here ("Finding the RSDP on IA-PC Systems"). */
const TABLES_ADDRESS = 0xe_0000;
/** "Main Counter Minimum Clock_tick in Periodic Mode": the shortest period that leaves a guest time between two ticks. */
const PERIOD_MIN_FS = 100_000_000_000;

/** @throws RangeError if the boot module has no DSDT */
function createTables({ shims }: Machine, { hpet }: PlatformDescription): FirmwareTables {
  const file = hpet ? DSDT_FILES.withHpet : DSDT_FILES.withoutHpet;
  const dsdt = shims.moduleFile(file);
  if (!dsdt) throw new RangeError(`the boot module has no file ${file}: it was made for systems without virtual platforms`);
  const { address, bytes } = placeAcpiTables(TABLES_ADDRESS, {
    dsdt: new Uint8Array(dsdt),
    ...(hpet ? { hpet: { eventTimerBlockId: hpetBlockId(hpet.timers), minimumTick: Math.ceil(PERIOD_MIN_FS / hpet.period) } } : {}),
    pmTimerIs32Bit: true,
    localApicId: 0,
    ioApicId: 0,
  });
  return { at: address, bytes, rsdp: address };
}

/** @param onLine a line that the guest wrote to COM1; its bytes are valid during the call only */
export function createVirtualPlatform(
  machine: Machine,
  { memory: memoryBytes }: PartitionDescription,
  description: PlatformDescription,
  index: number,
  vcpu: Vcpu,
  memory: GuestMemory,
  isInterruptible: () => boolean,
  onLine: (bytes: Uint8Array) => void,
): VirtualPlatform {
  const { trace, tscFrequency, shims } = machine;
  const requests = { isReset: false, isOff: false };
  const recordTick = trace.recorder(EVENTS.platformTick);
  let traced = 0;
  const platform = createPlatform({
    tscFrequency,
    timerMode: description.timerMode,
    setsOnThaw: description.rules.setOnThaw,
    setsOnPost: description.rules.setOnPost,
    era: description.rules.era,
    hpet: description.hpet,
    date: description.date,
    memoryBytes,
    hasLineDriver: description.lineDriver ?? false,
    ports: PLATFORM_PORTS,
    onLine,
    isInterruptible,
    onMisuse: (device, what, offset, width) => {
      if (traced++ < MISUSES_TRACED) trace.record(EVENTS.deviceMisuse, index, device, offset, width, what);
    },
    onTick: (source, deadline) => recordTick(shims.rdtsc(), index, source, deadline, platform.clock.now() - deadline),
    onReset: () => {
      requests.isReset = true;
    },
    onSleep: () => {
      requests.isOff = true;
    },
  });
  platform.sources.forEach((name, source) => trace.record(EVENTS.platformTimer, index, source, name));
  return { platform, mmio: createMmioInstructions(vcpu, memory, platform.deviceAt), requests, tables: createTables(machine, description) };
}
