/** ACPI power management timer (ACPI 6.4, "Power Management Timer"): a reference, 24 or 32 bits at 3.579545 MHz. */
import type { Ports } from '../hw/ports.ts';
import { PM_TIMER_HZ } from '../regs/acpi.ts';
import { frequency, type Frequency } from '../time/frequency.ts';

export interface PmTimer {
  readonly frequency: Frequency;
  readonly width: 24 | 32;
  /** 0 to 2^width - 1. */
  counter(): number;
}

const MOVING_READS = 50;

/** @returns undefined if the counter does not move */
export function probePmTimer(ports: Ports, width: 24 | 32): PmTimer | undefined {
  const mask = width === 24 ? 0xff_ffff : 0xffff_ffff;
  const counter = (): number => (ports.read32(0) & mask) >>> 0;
  const first = counter();
  let isMoving = false;
  for (let read = 0; read < MOVING_READS && !isMoving; read++) isMoving = counter() !== first;
  return isMoving ? { frequency: frequency(PM_TIMER_HZ, 1n, 'architectural', 'ACPI'), width, counter } : undefined;
}
