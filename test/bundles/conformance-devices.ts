/** Devices and their conformance cases, as they are on a target that is hardware. */
import { COM1 } from '../../kernel/regs/pc16550d.ts';
import { HPET_CASES } from '../../kernel/vdev/conformance/hpet.ts';
import type { InterruptTarget } from '../../kernel/vdev/conformance/interrupt-target.ts';
import { IOAPIC_CASES } from '../../kernel/vdev/conformance/ioapic.ts';
import { LAPIC_CASES } from '../../kernel/vdev/conformance/lapic.ts';
import { PIC_CASES } from '../../kernel/vdev/conformance/pic.ts';
import { PIT_CASES } from '../../kernel/vdev/conformance/pit.ts';
import { pmTimerCases } from '../../kernel/vdev/conformance/pm-timer.ts';
import { RTC_CASES } from '../../kernel/vdev/conformance/rtc.ts';
import type { ConformanceCase } from '../../kernel/vdev/conformance/target.ts';
import { uartCases } from '../../kernel/vdev/conformance/uart.ts';

export type HardwareKind = 'guest' | 'qemu';

export type DeviceName = 'hpet' | 'ioapic' | 'lapic' | 'pic' | 'pit' | 'pm-timer' | 'rtc' | 'uart';

/** Of interrupt controllers and what is seen through them, the CPU's interrupts are off while cases run. */
interface Device {
  readonly isQuiet: boolean;
  /** Cases raise and lower interrupt lines. */
  readonly drivesLines?: boolean;
  readonly cases: (kind: HardwareKind) => readonly ConformanceCase<InterruptTarget>[];
}

export const DEVICES: Readonly<Record<DeviceName, Device>> = {
  hpet: { isQuiet: false, cases: () => HPET_CASES },
  ioapic: { isQuiet: true, drivesLines: true, cases: () => IOAPIC_CASES },
  lapic: { isQuiet: true, cases: () => LAPIC_CASES },
  pic: { isQuiet: true, drivesLines: true, cases: () => PIC_CASES },
  pit: { isQuiet: false, cases: () => PIT_CASES },
  // FADT, TMR_VAL_EXT: QEMU's timer has 24 bits.
  'pm-timer': { isQuiet: false, cases: (kind) => pmTimerCases(kind === 'qemu' ? 24 : 32) },
  rtc: { isQuiet: false, cases: () => RTC_CASES },
  uart: { isQuiet: true, cases: () => uartCases(COM1) },
};

export const DEVICE_NAMES = Object.keys(DEVICES) as readonly DeviceName[];
