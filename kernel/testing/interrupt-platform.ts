/** The virtual interrupt controllers and a UART wired as in a PC, on a manual clock, and a CPU that takes interrupts when it is told to. */
import { IOAPIC, IOAPIC_ADDRESS } from '../regs/i82093aa.ts';
import { ELCR, PIC, PIC_PORTS } from '../regs/i8259a.ts';
import { APIC_BASE_MSR, LAPIC_ADDRESS, TSC_DEADLINE_MSR } from '../regs/local-apic.ts';
import { COM1, UART } from '../regs/pc16550d.ts';
import { frequency } from '../time/frequency.ts';
import { instant } from '../time/units.ts';
import type { InterruptTarget } from '../vdev/conformance/interrupt-target.ts';
import type { Savable } from '../vdev/device.ts';
import { createInterruptLines, type InterruptLines } from '../vdev/interrupt-lines.ts';
import { createLineDriver, LINE_DRIVER_PORT } from '../vdev/line-driver.ts';
import { createVirtualIoApic, type VirtualIoApic } from '../vdev/vioapic.ts';
import { createVirtualLocalApic, type VirtualLocalApic } from '../vdev/vlapic.ts';
import { createVirtualPic, type VirtualPic } from '../vdev/vpic.ts';
import { createVirtualUart, type VirtualUart } from '../vdev/vuart.ts';
import { createManualGuestClock, type ManualGuestClock } from './guest-clock.ts';
import { createModelTarget, type ModelTarget } from './model-target.ts';

export interface InterruptPlatform {
  readonly target: InterruptTarget & ModelTarget;
  readonly lapic: VirtualLocalApic;
  readonly pic: VirtualPic;
  readonly ioApic: VirtualIoApic;
  readonly lines: InterruptLines;
  readonly uart: VirtualUart;
  /** What the guest transmitted, by lines; a `+` ends those that go on. */
  readonly text: string[];
  /** Misuses, in words. */
  readonly misuses: string[];
  save(): unknown[];
  /** Into a platform whose clock and TSC are where they were. */
  restore(states: readonly unknown[]): void;
}

export interface InterruptPlatformOptions {
  readonly busHz?: bigint;
  readonly uartTakesTime?: boolean;
  readonly hasTscDeadline?: boolean;
  readonly clock?: ManualGuestClock;
}

const TSC_MSR = 0x10;
const PAGE = 0x1000;

export function createInterruptPlatform({
  busHz = 1_000_000_000n,
  uartTakesTime = false,
  hasTscDeadline = true,
  clock = createManualGuestClock(),
}: InterruptPlatformOptions = {}): InterruptPlatform {
  const model = createModelTarget(clock);
  const misuses: string[] = [];
  const onMisuse = (what: string): void => void misuses.push(what);
  let nmis = 0;
  /** Of a TSC of 1 GHz. */
  let tscOffset = 0n;

  const pic = createVirtualPic({ onRequest: (isRequesting) => lapic.setLint0(isRequesting), onMisuse });
  const lapic = createVirtualLocalApic({
    clock,
    createTimer: clock.createTimer,
    bus: frequency(busHz, 1n, 'architectural', 'test'),
    tsc: { read: () => clock.now() + tscOffset, instantOf: (tsc) => instant(tsc - tscOffset) },
    hasTscDeadline,
    acknowledgePic: pic.acknowledge,
    onPicConnected: pic.setConnected,
    broadcastEoi: (vector) => ioApic.endOfInterrupt(vector),
    onNmi: () => nmis++,
    onMisuse,
  });
  const ioApic = createVirtualIoApic({ localApic: lapic, onUnmasked: (input) => lines.inputUnmasked(input), onMisuse });
  const lines = createInterruptLines({ pic, ioApic });
  const text: string[] = [];
  const uart = createVirtualUart({
    clock,
    createTimer: clock.createTimer,
    line: lines.isaLine(COM1.IRQ),
    onLine: (bytes, isCut) => text.push(String.fromCharCode(...bytes) + (isCut ? '+' : '')),
    onMisuse,
    takesTime: uartTakesTime,
  });

  model.placePorts(PIC_PORTS.MASTER, PIC.COUNT, pic.master);
  model.placePorts(PIC_PORTS.SLAVE, PIC.COUNT, pic.slave);
  model.placePorts(PIC_PORTS.ELCR, ELCR.COUNT, pic.elcr);
  model.placePorts(COM1.PORT, UART.COUNT, uart);
  const driven = Array.from({ length: 24 }, (_, gsi) => (gsi === 2 ? undefined : gsi < 16 ? lines.isaLine(gsi) : lines.gsiLine(gsi)));
  model.placePorts(LINE_DRIVER_PORT, driven.length, createLineDriver(driven, onMisuse));
  model.placeMemory(LAPIC_ADDRESS, PAGE, lapic);
  model.placeMemory(IOAPIC_ADDRESS, IOAPIC.LENGTH, ioApic);

  const devices: readonly Savable<unknown>[] = [lapic, ioApic, pic, lines, uart];

  return {
    target: {
      ...model,
      busHz,
      takeVector: () => (lapic.pending() < 0 ? -1 : lapic.acknowledge()),
      takeNmis: () => {
        const taken = nmis;
        nmis = 0;
        return taken;
      },
      readMsr: (index) => {
        if (index === APIC_BASE_MSR) return lapic.readBase();
        return index === TSC_DEADLINE_MSR ? lapic.readTscDeadline() : clock.now() + tscOffset;
      },
      writeMsr: (index, value) => {
        if (index === APIC_BASE_MSR) return lapic.writeBase(value);
        if (index === TSC_DEADLINE_MSR) lapic.writeTscDeadline(value);
        if (index === TSC_MSR) {
          tscOffset = value - clock.now();
          lapic.tscChanged();
        }
        return true;
      },
      readCr8: lapic.readCr8,
      writeCr8: lapic.writeCr8,
    },
    lapic,
    pic,
    ioApic,
    lines,
    uart,
    text,
    misuses,
    save: () => devices.map((device) => device.save()),
    restore: (states) => devices.forEach((device, index) => device.restore(states[index])),
  };
}
