/**
 * A fake local APIC (AMD64 APM vol. 2) with its timer. Modelled: software enable, which masks all entries while it is
 * off; one-shot and periodic counting with every divisor, TSC-deadline mode; registers at multiples of 16 only. Not modelled: priorities.
 */
import type { Msr } from '../hw/msr.ts';
import { DIVIDE, DIVISORS, LAPIC, LVT, SVR } from '../regs/local-apic.ts';
import type { FakeDevice } from './bus.ts';
import { PICOSECONDS_PER_SECOND, type FakeClock } from './clock.ts';

export interface FakeLocalApicOptions {
  readonly id?: number;
  /** VERSION as a whole: highest LVT entry in bits 16-23. */
  readonly identity?: number;
  readonly busHz?: bigint;
  /** Ticks that a period has beyond the initial count: 0 as most silicon, 1 as QEMU. */
  readonly reloadTicks?: 0 | 1;
  readonly tscHz?: bigint;
  /** Writes of the TSC deadline that are lost after a write of the timer's entry, which has not arrived yet. */
  readonly lostDeadlines?: number;
}

export interface FakeLocalApic extends FakeDevice {
  register(offset: number): number;
  /** Interrupts that the timer has raised since its count was written. */
  interrupts(): bigint;
  /** Ticks since the count was written. */
  elapsed(): bigint;
  /** When its next interrupt comes or came, of those not taken yet, in picoseconds: one-shot and TSC-deadline mode only. */
  expiry(): bigint | undefined;
  take(): void;
  /** IA32_TSC_DEADLINE. */
  readonly tscDeadline: Msr;
  endsOfInterrupt(): number;
}

export function createFakeLocalApic(
  clock: FakeClock,
  {
    id = 0,
    identity = 0x0005_0014,
    busHz = 1_000_000_000n,
    reloadTicks = 0,
    tscHz = 1_000_000_000n,
    lostDeadlines = 0,
  }: FakeLocalApicOptions = {},
): FakeLocalApic {
  const LVTS: readonly number[] = [LAPIC.LVT_TIMER, LAPIC.LVT_LINT0, LAPIC.LVT_LINT1, LAPIC.LVT_ERROR];
  const registers = new Map<number, number>(LVTS.map((offset) => [offset, LVT.MASKED]));
  registers.set(LAPIC.SVR, 0xff);
  registers.set(LAPIC.TPR, 0xf0);
  let startedAt = 0n;
  let ends = 0;
  let isTaken = false;
  let deadline = 0n;
  let toLose = 0;

  const register = (offset: number): number => registers.get(offset) ?? 0;
  const isEnabled = (): boolean => (register(LAPIC.SVR) & SVR.ENABLE) !== 0;
  const mode = (): number => register(LAPIC.LVT_TIMER) & LVT.TIMER_MODE;
  const isPeriodic = (): boolean => mode() === LVT.TIMER_PERIODIC;
  const isByDeadline = (): boolean => mode() === LVT.TIMER_TSC_DEADLINE;
  const initial = (): bigint => BigInt(register(LAPIC.TIMER_ICR));
  const period = (): bigint => initial() + BigInt(reloadTicks);
  function elapsed(): bigint {
    return (clock.ticks(busHz) - startedAt) / divisor();
  }
  function divisor(): bigint {
    const found = DIVISORS.find((one) => DIVIDE[one] === register(LAPIC.TIMER_DCR));
    if (found === undefined) throw new Error(`fake local APIC: divide configuration ${register(LAPIC.TIMER_DCR)} has reserved bits`);
    return BigInt(found);
  }
  /** The first moment at which a counter of `hz` shows `ticks`. */
  const momentOf = (ticks: bigint, hz: bigint): bigint => (ticks * PICOSECONDS_PER_SECOND + hz - 1n) / hz;
  function expiry(): bigint | undefined {
    if (!isEnabled() || (register(LAPIC.LVT_TIMER) & LVT.MASKED) !== 0) return undefined;
    if (isByDeadline()) return deadline === 0n ? undefined : momentOf(deadline, tscHz);
    return isPeriodic() || initial() === 0n || isTaken ? undefined : momentOf(startedAt + initial() * divisor(), busHz);
  }
  function check(offset: number): void {
    if (offset % 16 !== 0) throw new Error(`fake local APIC: an access to ${offset.toString(16)}, which is within a register`);
  }

  return {
    register,
    elapsed,
    expiry,
    take: () => {
      isTaken = true;
      deadline = 0n;
    },
    tscDeadline: {
      // "When the timer generates an interrupt, it disarms itself and clears the MSR."
      read: () => (isByDeadline() && (expiry() ?? clock.now() + 1n) > clock.now() ? deadline : 0n),
      write: (value) => {
        // "In other timer modes, the register reads zero and writes are ignored."
        if (!isByDeadline()) return;
        if (toLose > 0) toLose--;
        else deadline = value;
      },
    },
    endsOfInterrupt: () => ends,
    interrupts: () => {
      if (!isEnabled() || (register(LAPIC.LVT_TIMER) & LVT.MASKED) !== 0 || initial() === 0n) return 0n;
      return isPeriodic() ? elapsed() / period() : elapsed() >= initial() ? 1n : 0n;
    },
    read32: (offset) => {
      check(offset);
      if (offset === LAPIC.ID) return (id << 24) >>> 0;
      if (offset === LAPIC.VERSION) return identity;
      if (offset === LAPIC.EOI) throw new Error('fake local APIC: EOI can only be written');
      if (offset !== LAPIC.TIMER_CCR) return register(offset);
      if (initial() === 0n) return 0;
      if (isByDeadline()) return 0;
      if (isPeriodic()) return Number(initial() - (elapsed() % period()));
      return elapsed() >= initial() ? 0 : Number(initial() - elapsed());
    },
    write32: (offset, value) => {
      check(offset);
      if (offset === LAPIC.ID || offset === LAPIC.VERSION || offset === LAPIC.TIMER_CCR)
        throw new Error(`fake local APIC: ${offset.toString(16)} can only be read`);
      if (offset === LAPIC.EOI) {
        // "Software must write 0."
        if (value !== 0) throw new Error('fake local APIC: EOI takes a 0 only');
        ends++;
        return;
      }
      // "In TSC-deadline mode, writes to the initial-count register are ignored."
      if (offset === LAPIC.TIMER_ICR && isByDeadline()) return;
      if (offset === LAPIC.LVT_TIMER) {
        // "Transitioning between TSC-deadline mode and other timer modes also disarms the timer."
        if ((value & LVT.TIMER_MODE) !== mode() && (isByDeadline() || (value & LVT.TIMER_MODE) === LVT.TIMER_TSC_DEADLINE)) {
          deadline = 0n;
          registers.set(LAPIC.TIMER_ICR, 0);
        }
        toLose = lostDeadlines;
      }
      registers.set(offset, LVTS.includes(offset) && !isEnabled() ? value | LVT.MASKED : value);
      if (offset === LAPIC.TIMER_ICR) {
        startedAt = clock.ticks(busHz);
        isTaken = false;
      }
    },
  };
}
