/** A partition's virtual PC: what system.ts says of it, made, and what it tells, put into the trace. A program of its own, with its devices. */
import type { Machine } from '../machine.ts';
import { EVENTS } from '../trace/events.ts';
import { createPlatform, type Platform } from '../vdev/platform.ts';
import type { GuestMemory } from '../vm/guest-memory.ts';
import { createMmioInstructions, type MmioInstructions } from '../vm/mmio-instruction.ts';
import type { Vcpu } from '../vm/vcpu.ts';
import { PLATFORM_PORTS, type PartitionDescription, type PlatformDescription } from './system.ts';

/** Records of misuse per partition: what comes after them is counted. */
const MISUSES_TRACED = 64;

export interface VirtualPlatform {
  readonly platform: Platform;
  readonly mmio: MmioInstructions;
  readonly requests: { isReset: boolean; isOff: boolean };
}

/** @param onLine a line that the guest wrote to COM1; its bytes are valid during the call only */
export function createVirtualPlatform(
  { trace, tscFrequency, shims }: Machine,
  { memory: memoryBytes }: PartitionDescription,
  description: PlatformDescription,
  index: number,
  vcpu: Vcpu,
  memory: GuestMemory,
  isInterruptible: () => boolean,
  onLine: (bytes: Uint8Array) => void,
): VirtualPlatform {
  const requests = { isReset: false, isOff: false };
  const recordTick = trace.recorder(EVENTS.platformTick);
  let traced = 0;
  const platform = createPlatform({
    tscFrequency,
    timerMode: description.timerMode,
    setsOnThaw: description.rules.setOnThaw,
    setsOnPost: description.rules.setOnPost,
    hpet: description.hpet,
    date: description.date,
    memoryBytes,
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
  return { platform, mmio: createMmioInstructions(vcpu, memory, platform.deviceAt), requests };
}
