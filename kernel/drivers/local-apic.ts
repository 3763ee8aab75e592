/**
 * Local APIC with its timer (AMD64 APM vol. 2, "Local APIC"). Not used: interprocessor interrupts, x2APIC,
 * performance and thermal entries, TSC-deadline mode.
 */
import type { Mmio } from '../hw/mmio.ts';
import { getField } from '../regs/bits.ts';
import { DIVIDE_BY_1, LAPIC, LVT, SVR, VERSION } from '../regs/local-apic.ts';

/** About 400 periods of this count, so that a tick per reload is four tenths of a period: not to be overlooked, not to be mistaken. */
const RELOAD_COUNT = 1000;
const RELOAD_READS = 600;

export interface LocalApic {
  readonly id: number;
  readonly version: number;
  endOfInterrupt(): void;
  /** Lets the 8259A deliver its vectors through LINT0: the PC's wiring where there is no I/O APIC ("virtual wire"). */
  acceptPic(): void;
  /** Starts the timer: every `ticks` (2 to FFFFFFFFh) bus ticks one interrupt. Counting starts with this call's last access. */
  startPeriodic(vector: number, ticks: number): void;
  /**
   * Finds out how many ticks a period has beyond the initial count. The manuals do not say whether the reload
   * takes one: QEMU's does, so that 1,000 periods of 1,000,000 ticks would come 1,000 ticks late.
   */
  measureReload(): void;
  /** As measured; 0 before. */
  reloadTicks(): number;
  /** Starts the counter without interrupts, for measuring. */
  startFree(ticks: number): void;
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

  function measureReload(): void {
    // One free run of 32 bits beside a periodic one is not to be had: there is one counter. But its phase tells: after
    // n periods of c ticks the count has slipped by n for each tick that a reload takes. The free run before tells how
    // many ticks the same number of reads takes.
    const reads = (): number => {
      for (let read = 0; read < RELOAD_READS; read++) read32(LAPIC.TIMER_CCR);
      return read32(LAPIC.TIMER_CCR);
    };
    write32(LAPIC.LVT_TIMER, LVT.MASKED);
    write32(LAPIC.TIMER_ICR, 0xffff_ffff);
    const elapsed = 0xffff_ffff - reads();
    write32(LAPIC.LVT_TIMER, LVT.MASKED | LVT.TIMER_PERIODIC);
    write32(LAPIC.TIMER_ICR, RELOAD_COUNT);
    const left = reads();
    stop();
    // With r ticks a reload, `elapsed` ticks leave this count:
    const expected = (r: number): number => RELOAD_COUNT - (elapsed % (RELOAD_COUNT + r));
    const distance = (r: number): number => {
      const off = Math.abs(left - expected(r)) % RELOAD_COUNT;
      return Math.min(off, RELOAD_COUNT - off);
    };
    reloadTicks = distance(1) < distance(0) ? 1 : 0;
  }

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
    startPeriodic: (vector, ticks) => {
      write32(LAPIC.LVT_TIMER, LVT.TIMER_PERIODIC | vector);
      write32(LAPIC.TIMER_ICR, ticks - reloadTicks);
    },
    measureReload,
    reloadTicks: () => reloadTicks,
    startFree: (ticks) => {
      write32(LAPIC.LVT_TIMER, LVT.MASKED);
      write32(LAPIC.TIMER_ICR, ticks);
    },
    stop,
    currentCount: () => read32(LAPIC.TIMER_CCR),
  };
}
