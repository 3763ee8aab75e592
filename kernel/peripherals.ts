/**
 * Hardware beside the machine's clocks and timers, composed: the real-time clock, the speaker as an output, a serial line as a source of
 * events. What is absent is reported. Apart from machine.ts so that a boot which does not use it does not load it.
 */
import { probeRtc, RTC_BASE, RTC_IRQ, type Rtc } from './drivers/rtc-mc146818.ts';
import { probeSpeaker, SPEAKER_PORT, type Speaker } from './drivers/speaker.ts';
import { COM1, probeUart } from './drivers/uart-16550.ts';
import { COM2, createUartReceiver, type UartReceiver } from './drivers/uart-receiver.ts';
import { createPorts } from './hw/ports.ts';
import type { InterruptHandler } from './interrupts/dispatcher.ts';
import type { InterruptLine } from './interrupts/router.ts';
import type { Machine } from './machine.ts';
import { RTC } from './regs/mc146818.ts';
import { UART } from './regs/pc16550d.ts';
import { MACHINE_EVENTS as EVENTS } from './trace/machine-events.ts';

/** A device and its interrupt. */
export interface Connected<Device> {
  readonly name: string;
  readonly device: Device;
  /** Connects its interrupt, masked. @returns undefined if that can go nowhere */
  connect(handler: InterruptHandler): InterruptLine | undefined;
}

/** Either the device, or why there is none. */
export type Found<Device> = { readonly ok: true; readonly found: Device } | { readonly ok: false; readonly reason: string };

function report<Device>({ trace }: Machine, name: string, at: number, detail: string, found: Device): Found<Device> {
  trace.record(EVENTS.deviceFound, name, at, detail);
  return { ok: true, found };
}

function absent({ trace }: Machine, name: string, reason: string): Found<never> {
  trace.record(EVENTS.deviceAbsent, name, reason);
  return { ok: false, reason };
}

export function findRtc(machine: Machine): Found<Connected<Rtc>> {
  const { shims, acpi, router } = machine;
  const fadt = acpi.found ? acpi.fadt : undefined;
  if (fadt?.bootArchitecture?.hasCmosRtc === false) return absent(machine, 'rtc', 'the ACPI FADT says that there is none');
  const probe = probeRtc(createPorts(shims, RTC_BASE, RTC.COUNT), fadt?.centuryIndex ?? 0);
  if (!probe.found) return absent(machine, 'rtc', probe.reason);
  const { rtc } = probe;
  const detail = `${rtc.dataMode}, ${rtc.hourMode} hours, ${rtc.centuryIndex === 0 ? 'no century' : `century in register ${rtc.centuryIndex}`}`;
  return report(machine, 'rtc', RTC_BASE, detail, {
    name: 'rtc',
    device: rtc,
    connect: (handler) => router.connectIsa(RTC_IRQ, handler),
  });
}

export function findSpeaker(machine: Machine): Found<Speaker> {
  const speaker = probeSpeaker(createPorts(machine.shims, SPEAKER_PORT, 1));
  if (!speaker) return absent(machine, 'speaker', `port 0x${SPEAKER_PORT.toString(16)} does not hold its bit`);
  return report(machine, 'speaker', SPEAKER_PORT, 'one bit', speaker);
}

/** The second serial port if there is one, for the first one may be a person's terminal. */
export function findSerialLine(machine: Machine): Found<Connected<UartReceiver>> {
  const { shims, uart, router } = machine;
  const second = createPorts(shims, COM2.BASE, UART.COUNT);
  const { name, base, irq } = probeUart(second)
    ? { name: 'com2', base: COM2.BASE, irq: COM2.IRQ }
    : { name: 'com1', base: COM1.BASE, irq: COM1.IRQ };
  if (name === 'com1' && !uart) return absent(machine, 'serial line', 'neither COM1 nor COM2 answers');
  return report(machine, name, base, 'receiver', {
    name,
    device: createUartReceiver(createPorts(shims, base, UART.COUNT)),
    connect: (handler) => router.connectIsa(irq, handler),
  });
}
