/**
 * ACPI power management timer and the PM1 registers around it (ACPI 6.4, "ACPI Hardware Specification"), in one block of I/O ports:
 *
 *   +0  PM1 status   16 bits     +4  PM1 control  16 bits
 *   +2  PM1 enable   16 bits     +8  PM timer     24 or 32 bits, 3.579545 MHz since guest time 0
 *
 * SCI is level-triggered: high while a status and its enable are set. There is no firmware to hand over to, so SCI_EN is always set.
 * Status and enable take accesses of 1 and 2 bytes, control too; the timer is read by 4 bytes. What is narrower reads those bytes, what is wider or
 * misaligned reads all ones and writes nothing: all of these are misuses.
 * Not modelled: buttons, the alarm as a wake event, bus masters and sleep states: no status but the timer's is ever set, and SLP_EN is reported.
 */
import { PM1, PM1_CONTROL, PM_TIMER_HZ } from '../regs/acpi.ts';
import { createCrystal } from './crystal.ts';
import {
  REQUEST,
  type CreatePlatformTimer,
  type GuestClock,
  type InterruptLine,
  type OnMisuse,
  type PortDevice,
  type Savable,
} from './device.ts';

/** Offsets in the block, for the FADT. */
export const PM_BLOCK = { STATUS: 0, ENABLE: 2, CONTROL: 4, TIMER: 8, LENGTH: 12 } as const;
export const PM1_EVENT_LENGTH = 4;
export const PM1_CONTROL_LENGTH = 2;
export const PM_TIMER_LENGTH = 4;

const ENABLES = PM1.TMR | PM1.GBL | PM1.PWRBTN | PM1.SLPBTN | PM1.RTC | PM1.PCIEXP_WAKE;
const CONTROL_WRITABLE = PM1_CONTROL.BM_RLD | (PM1_CONTROL.SLP_TYP_MASK << PM1_CONTROL.SLP_TYP_SHIFT);

export interface PmTimerOptions {
  readonly clock: GuestClock;
  readonly createTimer: CreatePlatformTimer;
  /** SCI. */
  readonly line: InterruptLine;
  readonly onMisuse: OnMisuse;
  /** Of the counter: FADT, TMR_VAL_EXT says which. 32 unless given. */
  readonly width?: 24 | 32;
  /** SLP_EN was written. @param sleepType SLP_TYP, 0 to 7 */
  readonly onSleep?: (sleepType: number) => void;
}

export interface PmTimerState {
  readonly isStatusSet: boolean;
  readonly seenHalves: number;
  readonly enable: number;
  readonly control: number;
}

export interface PmTimer extends PortDevice, Savable<PmTimerState> {
  counter(): number;
}

export function createPmTimer({ clock, createTimer, line, onMisuse, width = 32, onSleep }: PmTimerOptions): PmTimer {
  const crystal = createCrystal(clock, Number(PM_TIMER_HZ));
  const half = 2 ** (width - 1);
  const mask = width === 24 ? 0xff_ffff : 0xffff_ffff;

  let isStatusSet = false;
  /** Changes of the most significant bit up to the last look: TMR_STS is set by the next. */
  let seenHalves = 0;
  let enable = 0;
  let control = 0;

  const timer = createTimer({
    name: 'pm-timer',
    tick: (_deadline, acknowledged) => {
      update();
      // The level stays until the status is cleared; only then is the next one waited for.
      acknowledged();
      return REQUEST.ACCEPTED;
    },
  });

  const halves = (): number => Math.floor(crystal.now() / half);

  /** Status, SCI, and the instant at which they change next. */
  function update(): void {
    const now = halves();
    if (now !== seenHalves) {
      isStatusSet = true;
      seenHalves = now;
    }
    const isEnabled = (enable & PM1.TMR) !== 0;
    line.setLevel(isStatusSet && isEnabled);
    if (isEnabled && !isStatusSet) timer.start(crystal.beat((now + 1) * half, 0));
    else timer.stop();
  }

  const counter = (): number => (crystal.now() & mask) >>> 0;

  /** The 16-bit registers, as one that is read and written by its bytes. */
  function readWord(offset: number): number {
    switch (offset) {
      case PM_BLOCK.STATUS:
        return isStatusSet || halves() !== seenHalves ? PM1.TMR : 0;
      case PM_BLOCK.ENABLE:
        return enable;
      case PM_BLOCK.CONTROL:
        return control | PM1_CONTROL.SCI_EN;
      default:
        return 0xffff;
    }
  }
  function writeWord(offset: number, value: number, written: number): void {
    switch (offset) {
      case PM_BLOCK.STATUS:
        update();
        if ((value & PM1.TMR) !== 0) isStatusSet = false;
        update();
        return;
      case PM_BLOCK.ENABLE:
        enable = (enable & ~written) | (value & written & ENABLES);
        update();
        return;
      default:
        control = (control & ~written) | (value & written & CONTROL_WRITABLE);
        if ((value & written & PM1_CONTROL.SLP_EN) !== 0) onSleep?.((control >> PM1_CONTROL.SLP_TYP_SHIFT) & PM1_CONTROL.SLP_TYP_MASK);
    }
  }

  return {
    counter,
    read: (offset, accessWidth) => {
      if (offset === PM_BLOCK.TIMER && accessWidth === 4) return counter();
      const ones = 2 ** (8 * accessWidth) - 1;
      if (offset % accessWidth === 0) {
        if (offset >= PM_BLOCK.TIMER && offset < PM_BLOCK.LENGTH) {
          onMisuse('PM timer: read narrower than 4 bytes', offset, accessWidth);
          return Math.floor(counter() / 2 ** (8 * (offset - PM_BLOCK.TIMER))) % (ones + 1);
        }
        if (accessWidth < 4 && offset < PM_BLOCK.CONTROL + PM1_CONTROL_LENGTH) {
          const word = readWord(offset & ~1);
          return (offset & 1) !== 0 ? word >> 8 : word & ones;
        }
      }
      onMisuse('PM1: read of no register, or not as wide and aligned as it is', offset, accessWidth);
      return ones;
    },
    write: (offset, accessWidth, value) => {
      if (accessWidth < 4 && offset % accessWidth === 0 && offset < PM_BLOCK.CONTROL + PM1_CONTROL_LENGTH) {
        const shift = (offset & 1) * 8;
        writeWord(offset & ~1, value << shift, (accessWidth === 2 ? 0xffff : 0xff) << shift);
      } else
        onMisuse(
          offset >= PM_BLOCK.TIMER ? 'PM timer: write, it is read only' : 'PM1: write of no register, or not as wide and aligned as it is',
          offset,
          accessWidth,
        );
    },
    save: () => ({ isStatusSet, seenHalves, enable, control }),
    restore: (state) => {
      ({ isStatusSet, seenHalves, enable, control } = state);
      update();
    },
  };
}
