/**
 * Local APIC with its timer (AMD64 APM vol. 2, "Local APIC"). Not used: divisors other than 1, interprocessor interrupts, x2APIC,
 * performance and thermal entries, TSC-deadline mode.
 */
import type { Mmio } from '../hw/mmio.ts';
import { getField } from '../regs/bits.ts';
import { DIVIDE_BY_1, LAPIC, LVT, SVR, VERSION } from '../regs/local-apic.ts';

export interface LocalApic {
  readonly id: number;
  readonly version: number;
  endOfInterrupt(): void;
  /** Lets the 8259A deliver its vectors through LINT0: the PC's wiring where there is no I/O APIC ("virtual wire"). */
  acceptPic(): void;
  /** Starts the timer: every `ticks` (2 to FFFFFFFFh) bus ticks one interrupt. Counting starts with this call's last access. */
  armPeriodic(vector: number, ticks: number): void;
  /** Tells how many ticks a period has beyond the initial count (kernel/time/reload.ts); 0 until then. */
  setReloadTicks(ticks: number): void;
  /** One interrupt after `ticks` (1 to FFFFFFFFh) bus ticks. Counting starts with this call's last access. */
  armOneShot(vector: number, ticks: number): void;
  /** Starts a timer that `armOneShot` has armed before anew: one write. */
  rearmOneShot(ticks: number): void;
  /** Whether an interrupt is requested but not taken yet (IRR). */
  isRequested(vector: number): boolean;
  /** Starts the counter without interrupts, for measuring: once, or over and over again. */
  startSilent(ticks: number, isPeriodic: boolean): void;
  stop(): void;
  /** Ticks left until the count is 0. */
  currentCount(): number;
}

/**
 * Switches the local APIC on.
 * @param spuriousVector its low four bits must be set (old APICs have them hard-wired)
 * @returns undefined if nothing answers
 */
export function probeLocalApic(mmio: Mmio, spuriousVector: number): LocalApic | undefined {
  const identity = mmio.read32(LAPIC.VERSION);
  if (identity === 0 || identity === 0xffff_ffff || getField(identity, VERSION.MAX_LVT_ENTRY) < 3) return undefined;

  mmio.write32(LAPIC.TPR, 0);
  mmio.write32(LAPIC.SVR, SVR.ENABLE | spuriousVector);
  mmio.write32(LAPIC.LVT_TIMER, LVT.MASKED);
  mmio.write32(LAPIC.LVT_LINT0, LVT.MASKED);
  mmio.write32(LAPIC.LVT_LINT1, LVT.DELIVERY_NMI);
  mmio.write32(LAPIC.LVT_ERROR, LVT.MASKED);
  mmio.write32(LAPIC.TIMER_DCR, DIVIDE_BY_1);

  const { read32, write32 } = mmio;
  let reloadTicks = 0;

  function stop(): void {
    write32(LAPIC.LVT_TIMER, LVT.MASKED);
    // "Initial Count Register": writing 0 stops the timer.
    write32(LAPIC.TIMER_ICR, 0);
  }

  return {
    id: mmio.read32(LAPIC.ID) >>> 24,
    version: getField(identity, VERSION.VERSION),
    endOfInterrupt: () => write32(LAPIC.EOI, 0),
    acceptPic: () => write32(LAPIC.LVT_LINT0, LVT.DELIVERY_EXTINT),
    armPeriodic: (vector, ticks) => {
      write32(LAPIC.LVT_TIMER, LVT.TIMER_PERIODIC | vector);
      write32(LAPIC.TIMER_ICR, ticks - reloadTicks);
    },
    armOneShot: (vector, ticks) => {
      write32(LAPIC.LVT_TIMER, vector);
      write32(LAPIC.TIMER_ICR, ticks);
    },
    rearmOneShot: mmio.writer32(LAPIC.TIMER_ICR),
    isRequested: (vector) => ((read32(LAPIC.IRR + (vector >> 5) * LAPIC.BANK_STRIDE) >>> (vector & 31)) & 1) !== 0,
    setReloadTicks: (ticks) => {
      reloadTicks = ticks;
    },
    startSilent: (ticks, isPeriodic) => {
      write32(LAPIC.LVT_TIMER, LVT.MASKED | (isPeriodic ? LVT.TIMER_PERIODIC : 0));
      write32(LAPIC.TIMER_ICR, ticks);
    },
    stop,
    currentCount: () => read32(LAPIC.TIMER_CCR),
  };
}
