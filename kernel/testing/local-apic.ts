/**
 * A fake local APIC (AMD64 APM vol. 2) with its timer. Modelled: software enable, which masks all entries while it is
 * off; one-shot and periodic counting; registers at multiples of 16 only. Not modelled: priorities, other divisors.
 */
import { DIVIDE_BY_1, LAPIC, LVT, SVR } from '../regs/local-apic.ts';
import type { FakeDevice } from './bus.ts';
import type { FakeClock } from './clock.ts';

export interface FakeLocalApicOptions {
  readonly id?: number;
  /** VERSION as a whole: highest LVT entry in bits 16-23. */
  readonly identity?: number;
  readonly busHz?: bigint;
  /** Ticks that a period has beyond the initial count: 0 as most silicon, 1 as QEMU. */
  readonly reloadTicks?: 0 | 1;
}

export interface FakeLocalApic extends FakeDevice {
  register(offset: number): number;
  /** Interrupts that the timer has raised since its count was written. */
  interrupts(): bigint;
  /** Bus ticks since the count was written. */
  elapsed(): bigint;
  endsOfInterrupt(): number;
}

export function createFakeLocalApic(
  clock: FakeClock,
  { id = 0, identity = 0x0005_0014, busHz = 1_000_000_000n, reloadTicks = 0 }: FakeLocalApicOptions = {},
): FakeLocalApic {
  const LVTS: readonly number[] = [LAPIC.LVT_TIMER, LAPIC.LVT_LINT0, LAPIC.LVT_LINT1, LAPIC.LVT_ERROR];
  const registers = new Map<number, number>(LVTS.map((offset) => [offset, LVT.MASKED]));
  registers.set(LAPIC.SVR, 0xff);
  registers.set(LAPIC.TPR, 0xf0);
  let startedAt = 0n;
  let ends = 0;

  const register = (offset: number): number => registers.get(offset) ?? 0;
  const isEnabled = (): boolean => (register(LAPIC.SVR) & SVR.ENABLE) !== 0;
  const isPeriodic = (): boolean => (register(LAPIC.LVT_TIMER) & LVT.TIMER_PERIODIC) !== 0;
  const initial = (): bigint => BigInt(register(LAPIC.TIMER_ICR));
  const period = (): bigint => initial() + BigInt(reloadTicks);
  function elapsed(): bigint {
    const ticks = clock.ticks(busHz) - startedAt;
    return register(LAPIC.TIMER_DCR) === DIVIDE_BY_1 ? ticks : ticks / 2n;
  }
  function check(offset: number): void {
    if (offset % 16 !== 0) throw new Error(`fake local APIC: an access to ${offset.toString(16)}, which is within a register`);
  }

  return {
    register,
    elapsed,
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
      registers.set(offset, LVTS.includes(offset) && !isEnabled() ? value | LVT.MASKED : value);
      if (offset === LAPIC.TIMER_ICR) startedAt = clock.ticks(busHz);
    },
  };
}
