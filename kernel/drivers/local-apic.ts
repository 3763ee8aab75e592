/**
 * Local APIC with its timer (AMD64 APM vol. 2, "Local APIC"; TSC-deadline mode: Intel SDM vol. 3A, "TSC-Deadline Mode"). Not used:
 * interprocessor interrupts, x2APIC, performance and thermal entries.
 */
import type { Mmio } from '../hw/mmio.ts';
import type { Msr } from '../hw/msr.ts';
import { getField } from '../regs/bits.ts';
import { DIVIDE, LAPIC, LVT, SVR, VERSION, type Divisor } from '../regs/local-apic.ts';

/** Centuries away. */
const FAR_DEADLINE = 1n << 62n;
const DEADLINE_ATTEMPTS = 1000;

/** Ticks are those of the bus, by the divisor that the timer was last started with: 1 unless another is given. */
export interface LocalApic {
  readonly id: number;
  readonly version: number;
  endOfInterrupt(): void;
  /** Lets the 8259A deliver its vectors through LINT0: the PC's wiring where there is no I/O APIC ("virtual wire"). */
  acceptPic(): void;
  /** Starts the timer: every `ticks` (2 to FFFFFFFFh) one interrupt. Counting starts with this call's last access. */
  armPeriodic(vector: number, ticks: number): void;
  /** Tells how many ticks a period has beyond the initial count (kernel/time/reload.ts); 0 until then. */
  setReloadTicks(ticks: number): void;
  /** One interrupt after `ticks` (1 to FFFFFFFFh). Counting starts with this call's last access. */
  armOneShot(vector: number, ticks: number, divisor?: Divisor): void;
  /** Starts a timer that `armOneShot` has armed before anew: one write. */
  rearmOneShot(ticks: number): void;
  /**
   * Interrupts come from now on when the TSC reaches what is written to `deadline` (TSC_DEADLINE_MSR), once for each.
   * @returns false if the register takes no value: there is no such mode
   */
  armTscDeadline(vector: number, deadline: Msr): boolean;
  /** A function that tells whether an interrupt of the vector is requested but not taken yet (IRR): for hot paths. */
  requestOf(vector: number): () => boolean;
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
  mmio.write32(LAPIC.TIMER_DCR, DIVIDE[1]);

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
      write32(LAPIC.TIMER_DCR, DIVIDE[1]);
      write32(LAPIC.LVT_TIMER, LVT.TIMER_PERIODIC | vector);
      write32(LAPIC.TIMER_ICR, ticks - reloadTicks);
    },
    armOneShot: (vector, ticks, divisor = 1) => {
      write32(LAPIC.TIMER_DCR, DIVIDE[divisor]);
      write32(LAPIC.LVT_TIMER, LVT.TIMER_ONE_SHOT | vector);
      write32(LAPIC.TIMER_ICR, ticks);
    },
    rearmOneShot: mmio.writer32(LAPIC.TIMER_ICR),
    armTscDeadline: (vector, deadline) => {
      write32(LAPIC.LVT_TIMER, LVT.TIMER_TSC_DEADLINE | vector);
      // SDM: nothing orders a write to the xAPIC's registers and a WRMSR after it; a value that reads back has been taken.
      for (let attempt = 0; attempt < DEADLINE_ATTEMPTS; attempt++) {
        deadline.write(FAR_DEADLINE);
        if (deadline.read() === 0n) continue;
        deadline.write(0n);
        return true;
      }
      return false;
    },
    requestOf: (vector) => {
      const bank = mmio.readerInt32(LAPIC.IRR + (vector >> 5) * LAPIC.BANK_STRIDE);
      const mask = 1 << (vector & 31);
      return () => (bank() & mask) !== 0;
    },
    setReloadTicks: (ticks) => {
      reloadTicks = ticks;
    },
    startSilent: (ticks, isPeriodic) => {
      write32(LAPIC.TIMER_DCR, DIVIDE[1]);
      write32(LAPIC.LVT_TIMER, LVT.MASKED | (isPeriodic ? LVT.TIMER_PERIODIC : 0));
      write32(LAPIC.TIMER_ICR, ticks);
    },
    stop,
    currentCount: () => read32(LAPIC.TIMER_CCR),
  };
}
