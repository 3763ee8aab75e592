/**
 * HPET (IA-PC HPET 1.0a). Used here: main counter, timer 0 periodic and one-shot, legacy replacement or I/O APIC route.
 * Not used: FSB delivery, level triggering, timers above 0.
 */
import type { Mmio } from '../hw/mmio.ts';
import { getField } from '../regs/bits.ts';
import { FEMTOSECONDS_PER_SECOND, GCAP_ID, GEN_CONF, HPET, PERIOD_MAX_FS, TIMER, TN_CONF } from '../regs/ia-pc-hpet.ts';
import { frequency, type Frequency } from '../time/frequency.ts';
import { ticks, type Ticks } from '../time/units.ts';

export interface Hpet {
  readonly frequency: Frequency;
  readonly timerCount: number;
  /** Width of the main counter in bits. */
  readonly width: 32 | 64;
  readonly canReplaceLegacy: boolean;
  /** I/O APIC inputs that timer 0 can be routed to, as a bit mask. */
  readonly routes: number;
  /** Main counter. */
  counter(): Ticks;
  /**
   * Timer 0 interrupts every `period` ticks (below 2^31), for the first time when the counter's low half is `first`.
   * QEMU, when its clock is exact (-icount), interrupts twice: it compares "after", not "at or after", and so finds the
   * comparator still ahead in the very tick of the match.
   * @param input I/O APIC input, or 'legacy' for IRQ 0 in place of the PIT
   */
  armPeriodic(first: Ticks, period: number, input: number | 'legacy'): void;
  /** The main counter's low half in two's complement, -2^31 to 2^31 - 1: so are all instants of one-shots (sums | 0). */
  counterLow(): number;
  /**
   * Timer 0 interrupts once, when the counter's low half is `at`, which must be less than 2^31 ticks ahead. If that
   * has passed when the comparator is written, it interrupts at once or, on some hardware, after a wrap: see `hasPassed`.
   */
  armOneShot(at: number, input: number | 'legacy'): void;
  /** No interrupts from timer 0; the route stays, and with it legacy replacement. */
  disarm(): void;
  /** Moves the deadline of an armed one-shot, also of one that has interrupted: one write. */
  moveOneShot(at: number): void;
  /** Whether the counter's low half is at or past `at`, which is less than 2^31 ticks away. */
  hasPassed(at: number): boolean;
  /** As disarm, and IRQ 0 and 8 are given back: a PIT whose time has passed fires at once. */
  stop(): void;
}

/** A number of 32 bits would be an integer to the engine below 2^31 and a fraction above: converting that one takes 250 ns longer. */
const LOW_HALF = 0xffff_ffffn;

export type HpetProbe = { readonly found: true; readonly hpet: Hpet } | { readonly found: false; readonly reason: string };

/** Reads and starts the main counter. Timers are off. */
export function probeHpet(mmio: Mmio): HpetProbe {
  const capabilities = mmio.read32(HPET.GCAP_ID);
  const period = mmio.read32(HPET.COUNTER_CLK_PERIOD);
  const absent = (reason: string): HpetProbe => ({ found: false, reason });
  if (capabilities === 0xffff_ffff) return absent('its capabilities read all ones: nothing answers at that address');
  if (getField(capabilities, GCAP_ID.REV_ID) === 0) return absent(`revision is 0 (capabilities 0x${capabilities.toString(16)})`);
  if (period === 0 || period > PERIOD_MAX_FS) return absent(`COUNTER_CLK_PERIOD is ${period} fs, not within 1..${PERIOD_MAX_FS}`);

  const { read32, write32 } = mmio;
  // NUM_TIM_CAP can tell of 32; the register block has room for 24.
  const timerCount = Math.min(getField(capabilities, GCAP_ID.NUM_TIM_CAP) + 1, (HPET.LENGTH - HPET.TIMER_0) / HPET.TIMER_STRIDE);
  const width = (capabilities & GCAP_ID.COUNT_SIZE_CAP) !== 0 ? 64 : 32;
  for (let timer = 0; timer < timerCount; timer++) write32(HPET.TIMER_0 + timer * HPET.TIMER_STRIDE + TIMER.CONF, 0);
  write32(HPET.GEN_CONF, GEN_CONF.ENABLE_CNF);

  const comparator = HPET.TIMER_0 + TIMER.COMPARATOR;
  const counterLow = mmio.readerInt32(HPET.MAIN_CNT);
  return {
    found: true,
    hpet: {
      frequency: frequency(FEMTOSECONDS_PER_SECOND, BigInt(period), 'enumerated', 'HPET COUNTER_CLK_PERIOD'),
      timerCount,
      width,
      canReplaceLegacy: (capabilities & GCAP_ID.LEG_RT_CAP) !== 0,
      routes: read32(HPET.TIMER_0 + TIMER.INT_ROUTE_CAP),
      counter: width === 64 ? (mmio.reader64(HPET.MAIN_CNT) as () => Ticks) : () => ticks(BigInt(counterLow()) & LOW_HALF),
      armPeriodic: (first, periodTicks, input) => {
        const route = input === 'legacy' ? 0 : input << TN_CONF.INT_ROUTE_CNF.shift;
        // 32-bit mode: QEMU splits a 64-bit comparator write and sets the high half to all ones, which is a
        // wrong first tick; 32 bits are one write, and enough for a period.
        const configuration = TN_CONF.B32MODE_CNF | TN_CONF.TYPE_CNF | TN_CONF.INT_ENB_CNF | route;
        write32(HPET.GEN_CONF, GEN_CONF.ENABLE_CNF | (input === 'legacy' ? GEN_CONF.LEG_RT_CNF : 0));
        // "Timer N Comparator Register", periodic mode: with VAL_SET the first write sets the accumulator, the next one the period.
        write32(HPET.TIMER_0 + TIMER.CONF, configuration | TN_CONF.VAL_SET_CNF);
        write32(comparator, Number(BigInt.asUintN(32, first)));
        write32(HPET.TIMER_0 + TIMER.CONF, configuration);
        write32(comparator, periodTicks);
      },
      armOneShot: (at, input) => {
        const route = input === 'legacy' ? 0 : input << TN_CONF.INT_ROUTE_CNF.shift;
        write32(HPET.GEN_CONF, GEN_CONF.ENABLE_CNF | (input === 'legacy' ? GEN_CONF.LEG_RT_CNF : 0));
        // The comparator first: with interrupts enabled, an old one could match before it is replaced.
        write32(HPET.TIMER_0 + TIMER.CONF, TN_CONF.B32MODE_CNF | route);
        write32(comparator, at >>> 0);
        write32(HPET.TIMER_0 + TIMER.CONF, TN_CONF.B32MODE_CNF | TN_CONF.INT_ENB_CNF | route);
      },
      counterLow,
      moveOneShot: mmio.writer32(comparator),
      disarm: () => write32(HPET.TIMER_0 + TIMER.CONF, TN_CONF.B32MODE_CNF),
      hasPassed: (at) => ((counterLow() - at) | 0) >= 0,
      stop: () => {
        write32(HPET.TIMER_0 + TIMER.CONF, 0);
        write32(HPET.GEN_CONF, GEN_CONF.ENABLE_CNF);
      },
    },
  };
}
