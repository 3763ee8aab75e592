/**
 * A fake HPET (IA-PC HPET 1.0a). Modelled: capabilities, main counter, timer 0 periodic and one-shot in 32-bit mode, the
 * accumulator under VAL_SET, routes. A one-shot matches at equality only: one that is written too late comes after a wrap. Not
 * modelled: FSB, level triggering, 64-bit comparators.
 */
import { FEMTOSECONDS_PER_SECOND, GEN_CONF, HPET, TIMER, TN_CONF } from '../regs/ia-pc-hpet.ts';
import type { FakeDevice } from './bus.ts';
import { PICOSECONDS_PER_SECOND, type FakeClock } from './clock.ts';

export interface FakeHpetOptions {
  readonly revision?: number;
  readonly timers?: number;
  readonly is64Bit?: boolean;
  readonly canReplaceLegacy?: boolean;
  readonly periodFemtos?: number;
  /** INT_ROUTE_CAP. */
  readonly routes?: number;
  /** The main counter when it is first switched on. */
  readonly firstCount?: bigint;
}

export interface FakeHpet extends FakeDevice {
  /** Interrupts of timer 0 so far. */
  interrupts(): bigint;
  /** When timer 0 as a one-shot interrupts or has interrupted, if that has not been taken yet, in picoseconds. */
  expiry(): bigint | undefined;
  take(): void;
  /** Main counter, all of it. */
  count(): bigint;
  /** Where timer 0's interrupts go. */
  route(): 'off' | 'IRQ 0' | number;
  /** CONF of each timer. */
  configurations(): number[];
}

const FEMTOS_PER_PICO = FEMTOSECONDS_PER_SECOND / PICOSECONDS_PER_SECOND;

export function createFakeHpet(
  clock: FakeClock,
  {
    revision = 1,
    timers = 3,
    is64Bit = true,
    canReplaceLegacy = true,
    periodFemtos = 10_000_000,
    routes = 0x00f0_0000,
    firstCount = 0n,
  }: FakeHpetOptions = {},
): FakeHpet {
  let general = 0;
  let startedAt = 0n;
  /** Main counter when it last stood still. */
  let held = firstCount;
  // As a firmware left them.
  const configurations = Array<number>(timers).fill(TN_CONF.INT_ENB_CNF);
  let accumulator: bigint | undefined;
  let accumulatorSetAt = 0n;
  let period = 0n;
  let comparator: bigint | undefined;
  /** Main counter when the comparator was written, or its interrupt was enabled. */
  let comparedFrom = 0n;
  let isTaken = false;

  const elapsed = (): bigint => ((clock.now() - startedAt) * FEMTOS_PER_PICO) / BigInt(periodFemtos);
  /** Without a wrap. */
  const total = (): bigint => ((general & GEN_CONF.ENABLE_CNF) !== 0 ? held + elapsed() : held);
  const count = (): bigint => BigInt.asUintN(is64Bit ? 64 : 32, total());
  const capabilities = (): number =>
    (0x8086_0000 | (canReplaceLegacy ? 1 << 15 : 0) | (is64Bit ? 1 << 13 : 0) | ((timers - 1) << 8) | revision) >>> 0;

  function writeComparator(value: number): void {
    const configuration = configurations[0]!;
    if ((configuration & TN_CONF.TYPE_CNF) === 0) {
      if ((configuration & TN_CONF.B32MODE_CNF) === 0) throw new Error('fake HPET: a comparator of 64 bits is not modelled');
      comparator = BigInt(value);
      comparedFrom = total();
      isTaken = false;
    } else if ((configuration & TN_CONF.VAL_SET_CNF) !== 0) {
      accumulator = BigInt(value);
      accumulatorSetAt = total();
      // "This bit automatically clears" with the write.
      configurations[0] = configuration & ~TN_CONF.VAL_SET_CNF;
    } else {
      period = BigInt(value);
    }
  }

  return {
    count,
    configurations: () => [...configurations],
    interrupts: () => {
      if (accumulator === undefined || period === 0n || (configurations[0]! & TN_CONF.INT_ENB_CNF) === 0) return 0n;
      // Equality of the low halves: a comparator that is past comes after the counter went all the way round.
      const until = BigInt.asUintN(32, accumulator - accumulatorSetAt);
      const passed = total() - accumulatorSetAt;
      return passed < until ? 0n : (passed - until) / period + 1n;
    },
    expiry: () => {
      const configuration = configurations[0]!;
      if (comparator === undefined || isTaken || (general & GEN_CONF.ENABLE_CNF) === 0) return undefined;
      if ((configuration & TN_CONF.INT_ENB_CNF) === 0 || (configuration & TN_CONF.TYPE_CNF) !== 0) return undefined;
      const until = BigInt.asUintN(32, comparator - comparedFrom);
      const target = comparedFrom + (until === 0n ? 1n << 32n : until);
      return startedAt + ((target - held) * BigInt(periodFemtos) + FEMTOS_PER_PICO - 1n) / FEMTOS_PER_PICO;
    },
    take: () => {
      isTaken = true;
    },
    route: () => {
      if ((configurations[0]! & TN_CONF.INT_ENB_CNF) === 0) return 'off';
      if ((general & GEN_CONF.LEG_RT_CNF) !== 0) return 'IRQ 0';
      return (configurations[0]! >>> TN_CONF.INT_ROUTE_CNF.shift) & TN_CONF.INT_ROUTE_CNF.mask;
    },
    read32: (offset) => {
      const timer = Math.floor((offset - HPET.TIMER_0) / HPET.TIMER_STRIDE);
      if (offset === HPET.GCAP_ID) return capabilities();
      if (offset === HPET.COUNTER_CLK_PERIOD) return periodFemtos;
      if (offset === HPET.GEN_CONF) return general;
      if (offset === HPET.MAIN_CNT) return Number(BigInt.asUintN(32, count()));
      if (timer >= 0 && timer < timers) {
        const register = offset - HPET.TIMER_0 - timer * HPET.TIMER_STRIDE;
        if (register === TIMER.CONF) return configurations[timer]!;
        if (register === TIMER.INT_ROUTE_CAP) return routes;
      }
      return 0;
    },
    read64: (offset) => {
      if (offset !== HPET.MAIN_CNT) throw new Error(`fake HPET: no 64-bit read of ${offset.toString(16)} is modelled`);
      // A counter of 32 bits: the high half is not its own.
      return is64Bit ? count() : count() | 0xdead_beef_0000_0000n;
    },
    write32: (offset, value) => {
      if (offset === HPET.GEN_CONF) {
        held = total();
        startedAt = clock.now();
        general = canReplaceLegacy ? value : value & ~GEN_CONF.LEG_RT_CNF;
        return;
      }
      const timer = Math.floor((offset - HPET.TIMER_0) / HPET.TIMER_STRIDE);
      if (timer < 0 || timer >= timers)
        throw new Error(`fake HPET: a write to ${offset.toString(16)}, where no register is that this driver may write`);
      const register = offset - HPET.TIMER_0 - timer * HPET.TIMER_STRIDE;
      if (register === TIMER.COMPARATOR && timer === 0) {
        writeComparator(value);
        return;
      }
      if (register !== TIMER.CONF) throw new Error(`fake HPET: a write to ${offset.toString(16)} is not modelled`);
      if (timer === 0 && (value & ~configurations[0]! & TN_CONF.INT_ENB_CNF) !== 0) comparedFrom = total();
      const input = (value >>> TN_CONF.INT_ROUTE_CNF.shift) & TN_CONF.INT_ROUTE_CNF.mask;
      // A route that the timer does not have is not taken: the field keeps what it was.
      const isRoute = input === 0 || ((routes >>> input) & 1) !== 0;
      const routeBits = TN_CONF.INT_ROUTE_CNF.mask << TN_CONF.INT_ROUTE_CNF.shift;
      configurations[timer] = isRoute ? value : (value & ~routeBits) | (configurations[timer]! & routeBits);
    },
  };
}
