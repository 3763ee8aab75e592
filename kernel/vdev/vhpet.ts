/**
 * A virtual HPET: IA-PC HPET (High Precision Event Timers) Specification 1.0a, one block of 3 to 32 timers.
 *
 * Not modelled: a main counter of 32 bits, COUNTER_CLK_PERIOD other than what it really counts, preservation of reserved bits.
 *
 * Where the document leaves room:
 * - A comparator matches at equality alone ("when the main counter equals"), modulo the timer's width: one that is written into the past
 *   matches after a wrap. One that is written equal to the counter matches at once.
 * - A write under VAL_SET_CNF sets accumulator and period ("Periodic Mode": the usage model programs a timer by this one write), each
 *   access its half of both, and clears VAL_SET_CNF. Without it a write sets the period only.
 * - A period of 0 leaves the comparator where it is: it matches once in a wrap, like a one-shot.
 * - Clearing ENABLE_CNF takes no level away ("the interrupt status indications will not be cleared").
 * - A route that a timer does not have is not taken: the field keeps what it was.
 * - Status bits are set in level-triggered mode only, whether the interrupt is enabled or not; switching to edge clears them.
 * - Accesses of 32 and 64 bits, aligned. Narrower ones read their part and write nothing, misaligned ones read all ones and write nothing.
 */
import { getField } from '../regs/bits.ts';
import { FEMTOSECONDS_PER_SECOND, GCAP_ID, GEN_CONF, HPET, PERIOD_MAX_FS, TIMER, TN_CONF } from '../regs/ia-pc-hpet.ts';
import { NANOS_PER_SECOND, type Instant } from '../time/units.ts';
import {
  REQUEST,
  type CreatePlatformTimer,
  type GuestClock,
  type InterruptLine,
  type MemoryDevice,
  type OnMisuse,
  type PlatformTimer,
  type Request,
  type Savable,
  type Width,
} from './device.ts';

export interface VhpetOptions {
  /** Not moved by the device; what is due by it is delivered before the guest's next access reaches the device. */
  readonly clock: GuestClock;
  readonly createTimer: CreatePlatformTimer;
  /** Lines to the I/O APIC, for the inputs in `routes`. */
  readonly input: (input: number) => InterruptLine | undefined;
  /** Lines of timers 0 and 1 under legacy replacement: ISA IRQ 0 (input 2 of the I/O APIC) and IRQ 8. */
  readonly legacy: { readonly irq0: InterruptLine; readonly irq8: InterruptLine };
  /** COUNTER_CLK_PERIOD, 1 to PERIOD_MAX_FS. Any: the counter has no rounding that adds up. */
  readonly periodFs?: number;
  /** 3 to 32. Beyond 24 the block is longer than 1 KiB (vhpetLength). */
  readonly timers?: number;
  /** INT_ROUTE_CAP of all timers. */
  readonly routes?: number;
  /** Timers that have the periodic mode, and those of 64 bits, a bit each; all unless given. */
  readonly periodic?: number;
  readonly wide?: number;
  /** FSB delivery: writes a message. Without it timers have no FSB_INT_DEL_CAP. */
  readonly sendMessage?: (address: number, value: number, acknowledged: () => void) => Request;
  readonly onMisuse?: OnMisuse;
}

interface TimerState {
  readonly configuration: number;
  readonly comparator: bigint;
  readonly period: bigint;
  readonly matchAt: bigint;
  readonly fsbValue: number;
  readonly fsbAddress: number;
}

export interface VhpetState {
  readonly general: number;
  readonly status: number;
  readonly base: bigint;
  readonly startedAt: Instant;
  readonly timers: readonly TimerState[];
}

export interface Vhpet extends MemoryDevice, Savable<VhpetState> {
  /** Whether timers 0 and 1 have the places of PIT and RTC. */
  isLegacy(): boolean;
  /** The gate of legacy replacement: what PIT (IRQ 0) and RTC (IRQ 8) drive in place of the line. */
  gate(line: InterruptLine): InterruptLine;
  reset(): void;
}

const DEFAULT_PERIOD_FS = 16_000_000;
const DEFAULT_ROUTES = 0x00f0_0000;
const REVISION = 0x01;
const VENDOR = 0x8086;

const FEMTOS_PER_NANO = FEMTOSECONDS_PER_SECOND / NANOS_PER_SECOND;
const LOW = 0xffff_ffffn;
const ALL = 0xffff_ffff_ffff_ffffn;
/** Ticks from a value of a comparator to the same value. */
const WHOLE = { 32: 1n << 32n, 64: 1n << 64n } as const;
const TIMER_SHIFT = Math.log2(HPET.TIMER_STRIDE);
const ROUTE_BITS = TN_CONF.INT_ROUTE_CNF.mask << TN_CONF.INT_ROUTE_CNF.shift;
const WRITABLE = TN_CONF.INT_TYPE_CNF | TN_CONF.INT_ENB_CNF | ROUTE_BITS;

/** Low half of the capability register of a block of so many timers. */
export const hpetBlockId = (timers: number): number =>
  ((VENDOR << GCAP_ID.VENDOR_ID.shift) |
    GCAP_ID.LEG_RT_CAP |
    GCAP_ID.COUNT_SIZE_CAP |
    ((timers - 1) << GCAP_ID.NUM_TIM_CAP.shift) |
    REVISION) >>>
  0;

/** Bytes that a block of so many timers takes. */
export const vhpetLength = (timers: number): number => Math.max(HPET.LENGTH, HPET.TIMER_0 + timers * HPET.TIMER_STRIDE);

/** A line that several timers may drive: high while one of them does. */
interface Wire {
  readonly line: InterruptLine;
  high: number;
}

interface Timer {
  readonly number: number;
  readonly bit: number;
  readonly capabilities: number;
  readonly writable: number;
  readonly platform: PlatformTimer;
  configuration: number;
  /** What follows from the configuration (configure), at hand for each tick. */
  width: 32 | 64;
  isPeriodic: boolean;
  isMessage: boolean;
  wire: Wire | undefined;
  /** Ticks from match to match. */
  spacing: bigint;
  /** As it was last written or settled: `matchAt` is its next match then. */
  comparator: bigint;
  /** The value last written to it in periodic mode. */
  period: bigint;
  /** In ticks since the counter was started. */
  matchAt: bigint;
  fsbValue: number;
  fsbAddress: number;
  /** Where it drives a level. */
  driven: Wire | undefined;
  /** Of a level-triggered tick that the guest has not cleared. */
  acknowledged: (() => void) | undefined;
}

/** @throws RangeError for a period or a number of timers that the document does not allow */
export function createVhpet(options: VhpetOptions): Vhpet {
  const { clock, createTimer, input, legacy, sendMessage } = options;
  const { now } = clock;
  const { periodFs = DEFAULT_PERIOD_FS, timers: count = 3, routes = DEFAULT_ROUTES, periodic = -1, wide = -1 } = options;
  const { onMisuse = () => undefined } = options;
  if (!Number.isInteger(periodFs) || periodFs < 1 || periodFs > PERIOD_MAX_FS)
    throw new RangeError(`COUNTER_CLK_PERIOD of ${periodFs} fs is not within 1..${PERIOD_MAX_FS}`);
  if (!Number.isInteger(count) || count < 3 || count > 32) throw new RangeError(`a block of ${count} timers: it has 3 to 32`);

  const capabilities = (BigInt(periodFs) << 32n) | BigInt(hpetBlockId(count));
  const routeCapabilities = BigInt(routes >>> 0) << 32n;
  // Ticks are nanoseconds * ticksPer / nanosPer, reduced, so that numbers stay below 2^63.
  const divisor = greatestCommonDivisor(BigInt(periodFs), FEMTOS_PER_NANO);
  const ticksPer = FEMTOS_PER_NANO / divisor;
  const nanosPer = BigInt(periodFs) / divisor;

  let general = 0;
  let status = 0;
  let isRunning = false;
  /** The main counter while it stands; while it runs, what it would have been when `startedAt` was. */
  let base = 0n;
  let startedAt = now();
  const gates: { readonly line: InterruptLine; isHigh: boolean }[] = [];
  const wires: (Wire | undefined)[] = [];
  const irq0: Wire = { line: legacy.irq0, high: 0 };
  const irq8: Wire = { line: legacy.irq8, high: 0 };
  const timers: Timer[] = [];

  /** Ticks since the counter was started. */
  const elapsed = (): bigint => ((now() - startedAt) * ticksPer) / nanosPer;
  /** Written out, because it is read thousands of times a second and each call costs a quarter of a microsecond. */
  function counter(): bigint {
    if (!isRunning) return base;
    const count = base + ((now() - startedAt) * ticksPer) / nanosPer;
    return count > ALL ? BigInt.asUintN(64, count) : count;
  }

  function comparatorAt(timer: Timer, at: bigint): bigint {
    if (!isRunning || at < timer.matchAt || !timer.isPeriodic) return timer.comparator;
    const passed = ((at - timer.matchAt) / timer.spacing + 1n) * timer.spacing;
    return BigInt.asUintN(timer.width, timer.comparator + passed);
  }

  /** Takes the matches that have passed into comparator and `matchAt`. */
  function settle(timer: Timer, at: bigint): void {
    if (!isRunning || at < timer.matchAt) return;
    timer.comparator = comparatorAt(timer, at);
    timer.matchAt += ((at - timer.matchAt) / timer.spacing + 1n) * timer.spacing;
  }

  /** Finds the next match. @param canBeNow whether a comparator that equals the counter matches, or has done so before */
  function aim(timer: Timer, at: bigint, canBeNow: boolean): void {
    const distance = BigInt.asUintN(timer.width, timer.comparator - base - at);
    timer.matchAt = at + (distance === 0n && !canBeNow ? WHOLE[timer.width] : distance);
  }

  const isArmed = (timer: Timer): boolean => isRunning && (timer.configuration & (TN_CONF.INT_ENB_CNF | TN_CONF.INT_TYPE_CNF)) !== 0;

  function arm(timer: Timer): void {
    if (!isArmed(timer)) {
      timer.platform.stop();
      return;
    }
    timer.platform.start({
      origin: startedAt,
      phase: timer.matchAt * nanosPer,
      // A match after 2^64 ticks is further away than any instant.
      numerator: timer.spacing > ALL ? 0n : timer.spacing * nanosPer,
      denominator: ticksPer,
    });
  }

  function wireOf(timer: Timer, isLegacyRouted: boolean): Wire | undefined {
    if (isLegacyRouted) return timer.number === 0 ? irq0 : irq8;
    const route = getField(timer.configuration, TN_CONF.INT_ROUTE_CNF);
    if (((routes >>> route) & 1) === 0) return undefined;
    const known = wires[route];
    if (known) return known;
    const line = input(route);
    return line && (wires[route] = { line, high: 0 });
  }

  function setPeriod(timer: Timer, period: bigint): void {
    timer.period = period;
    timer.spacing = timer.isPeriodic && period !== 0n ? period : WHOLE[timer.width];
  }

  /** After a change of its configuration, or of legacy replacement. */
  function configure(timer: Timer): void {
    const configuration = timer.configuration;
    const isLegacyRouted = (general & GEN_CONF.LEG_RT_CNF) !== 0 && timer.number < 2;
    timer.width = (timer.capabilities & TN_CONF.SIZE_CAP) !== 0 && (configuration & TN_CONF.B32MODE_CNF) === 0 ? 64 : 32;
    timer.isPeriodic = (configuration & TN_CONF.TYPE_CNF) !== 0;
    timer.isMessage = (configuration & TN_CONF.FSB_EN_CNF) !== 0 && !isLegacyRouted;
    timer.wire = wireOf(timer, isLegacyRouted);
    if (timer.width === 32) timer.comparator &= LOW;
    setPeriod(timer, timer.width === 32 ? timer.period & LOW : timer.period);
  }

  /** Brings the level on a timer's wire, whichever that is now, into line with its status. */
  function drive(timer: Timer): void {
    const isHigh =
      (status & timer.bit) !== 0 &&
      (timer.configuration & TN_CONF.INT_ENB_CNF) !== 0 &&
      (timer.configuration & TN_CONF.INT_TYPE_CNF) !== 0 &&
      !timer.isMessage;
    const wire = isHigh ? timer.wire : undefined;
    const before = timer.driven;
    if (wire === before) return;
    timer.driven = wire;
    if (before && --before.high === 0) before.line.setLevel(false);
    if (wire && ++wire.high === 1) wire.line.setLevel(true);
  }

  function clearStatus(bits: number): void {
    status &= ~bits;
    for (const timer of timers) {
      if ((timer.bit & bits) === 0) continue;
      const acknowledged = timer.acknowledged;
      timer.acknowledged = undefined;
      drive(timer);
      acknowledged?.();
    }
  }

  function tick(timer: Timer, acknowledged: () => void): Request {
    const isEnabled = (timer.configuration & TN_CONF.INT_ENB_CNF) !== 0;
    const isLevel = (timer.configuration & TN_CONF.INT_TYPE_CNF) !== 0;
    if (isLevel) {
      if ((status & timer.bit) !== 0) return REQUEST.MERGED;
      status |= timer.bit;
    }
    if (!isEnabled) return REQUEST.DROPPED;
    if (timer.isMessage) return sendMessage!(timer.fsbAddress, timer.fsbValue, acknowledged);
    if (!isLevel) return timer.wire ? timer.wire.line.pulse(acknowledged) : REQUEST.DROPPED;
    timer.acknowledged = acknowledged;
    drive(timer);
    return timer.driven ? REQUEST.ACCEPTED : REQUEST.DROPPED;
  }

  for (let number = 0; number < count; number++) {
    const hasPeriodic = ((periodic >>> number) & 1) !== 0;
    const hasWide = ((wide >>> number) & 1) !== 0;
    const timer: Timer = {
      number,
      bit: 1 << number,
      capabilities:
        (hasPeriodic ? TN_CONF.PER_INT_CAP : 0) | (hasWide ? TN_CONF.SIZE_CAP : 0) | (sendMessage ? TN_CONF.FSB_INT_DEL_CAP : 0),
      writable:
        WRITABLE |
        (hasPeriodic ? TN_CONF.TYPE_CNF | TN_CONF.VAL_SET_CNF : 0) |
        (hasWide ? TN_CONF.B32MODE_CNF : 0) |
        (sendMessage ? TN_CONF.FSB_EN_CNF : 0),
      platform: createTimer({
        name: `hpet${number}`,
        tick: (_deadline, acknowledged) => tick(timer, acknowledged),
        reclaim: (acknowledged) => {
          if ((timer.configuration & TN_CONF.INT_TYPE_CNF) === 0) return timer.wire?.line.reclaim?.(acknowledged) ?? false;
          if (!timer.driven) return false;
          timer.acknowledged = acknowledged;
          return true;
        },
      }),
      configuration: 0,
      width: 64,
      isPeriodic: false,
      isMessage: false,
      wire: undefined,
      spacing: WHOLE[64],
      comparator: 0n,
      period: 0n,
      matchAt: 0n,
      fsbValue: 0,
      fsbAddress: 0,
      driven: undefined,
      acknowledged: undefined,
    };
    timers.push(timer);
  }

  function setGeneral(value: number): void {
    const changed = general ^ value;
    general = value;
    if ((changed & GEN_CONF.LEG_RT_CNF) !== 0) {
      for (const gate of gates) if (gate.isHigh) gate.line.setLevel((value & GEN_CONF.LEG_RT_CNF) === 0);
      for (const timer of timers) {
        configure(timer);
        drive(timer);
      }
    }
    if ((changed & GEN_CONF.ENABLE_CNF) === 0) return;
    if ((value & GEN_CONF.ENABLE_CNF) !== 0) {
      startedAt = now();
      isRunning = true;
      for (const timer of timers) aim(timer, 0n, true);
    } else {
      const at = elapsed();
      for (const timer of timers) settle(timer, at);
      base = BigInt.asUintN(64, base + at);
      isRunning = false;
    }
    for (const timer of timers) arm(timer);
  }

  function setCounter(value: bigint): void {
    if (!isRunning) {
      base = value;
      return;
    }
    onMisuse('the main counter is written while it runs', HPET.MAIN_CNT, 8);
    const at = elapsed();
    for (const timer of timers) settle(timer, at);
    // The counter's phase stays: it counts when it would have counted.
    base = BigInt.asUintN(64, value - at);
    for (const timer of timers) {
      aim(timer, at, true);
      arm(timer);
    }
  }

  function setConfiguration(timer: Timer, value: number, offset: number): void {
    const before = timer.configuration;
    const at = isRunning ? elapsed() : 0n;
    const wasArmed = isArmed(timer);
    settle(timer, at);
    let after = value & timer.writable;
    if (((routes >>> getField(after, TN_CONF.INT_ROUTE_CNF)) & 1) === 0) {
      if ((after & ROUTE_BITS) !== 0) onMisuse('a route that the timer does not have', offset, 4);
      after = (after & ~ROUTE_BITS) | (before & ROUTE_BITS);
    }
    if ((value & TN_CONF.VAL_SET_CNF) !== 0 && (after & TN_CONF.TYPE_CNF) === 0) {
      onMisuse('VAL_SET_CNF of a timer that is not periodic', offset, 4);
      after &= ~TN_CONF.VAL_SET_CNF;
    }
    timer.configuration = after;
    configure(timer);
    if ((before & ~after & TN_CONF.INT_TYPE_CNF) !== 0) clearStatus(timer.bit);
    const isOther = ((before ^ after) & (TN_CONF.TYPE_CNF | TN_CONF.B32MODE_CNF)) !== 0;
    if (isRunning && isOther) aim(timer, at, false);
    if (isOther || wasArmed !== isArmed(timer)) arm(timer);
    drive(timer);
  }

  /** @param mask of the bits that are written */
  function setComparator(timer: Timer, value: bigint, mask: bigint, offset: number): void {
    const written = timer.width === 64 ? mask : mask & LOW;
    if (written === 0n) return;
    const at = isRunning ? elapsed() : 0n;
    settle(timer, at);
    const setsComparator = !timer.isPeriodic || (timer.configuration & TN_CONF.VAL_SET_CNF) !== 0;
    if (setsComparator) timer.comparator = (timer.comparator & ~written) | (value & written);
    if (timer.isPeriodic) {
      setPeriod(timer, (timer.period & ~written) | (value & written));
      if (timer.period === 0n) onMisuse('a period of 0', offset, 4);
    }
    timer.configuration &= ~TN_CONF.VAL_SET_CNF;
    if (!isRunning) return;
    if (setsComparator) aim(timer, at, true);
    arm(timer);
  }

  function readRegister(offset: number): bigint {
    if (offset === HPET.GCAP_ID) return capabilities;
    if (offset === HPET.GEN_CONF) return BigInt(general);
    if (offset === HPET.GINTR_STA) return BigInt(status >>> 0);
    if (offset === HPET.MAIN_CNT) return counter();
    const timer = timers[(offset - HPET.TIMER_0) >> TIMER_SHIFT];
    if (!timer) return 0n;
    const register = offset & (HPET.TIMER_STRIDE - 1);
    if (register === TIMER.CONF) return routeCapabilities | BigInt(timer.configuration | timer.capabilities);
    if (register === TIMER.COMPARATOR) return comparatorAt(timer, isRunning ? elapsed() : 0n);
    if (register === TIMER.FSB_INT_VAL) return (BigInt(timer.fsbAddress) << 32n) | BigInt(timer.fsbValue);
    return 0n;
  }

  function writeRegister(offset: number, value: bigint, mask: bigint): void {
    if (offset >= HPET.TIMER_0) {
      const timer = timers[(offset - HPET.TIMER_0) >> TIMER_SHIFT];
      const register = offset & (HPET.TIMER_STRIDE - 1);
      if (timer && register <= TIMER.FSB_INT_VAL) {
        if (register === TIMER.COMPARATOR) setComparator(timer, value, mask, offset);
        else if (register === TIMER.CONF) {
          if ((mask & LOW) !== 0n) setConfiguration(timer, Number(value & LOW), offset);
        } else if (sendMessage) {
          if ((mask & LOW) !== 0n) timer.fsbValue = Number(value & LOW);
          if (mask > LOW) timer.fsbAddress = Number(value >> 32n);
        }
        return;
      }
    } else if (offset === HPET.GEN_CONF) {
      if ((mask & LOW) !== 0n) setGeneral(Number(value & LOW) & (GEN_CONF.ENABLE_CNF | GEN_CONF.LEG_RT_CNF));
      return;
    } else if (offset === HPET.GINTR_STA) {
      if ((mask & LOW) !== 0n) clearStatus(Number(value & LOW) & status);
      return;
    } else if (offset === HPET.MAIN_CNT) {
      setCounter((counter() & ~mask) | (value & mask));
      return;
    }
    onMisuse('a write to what can only be read, or is reserved', offset, 8);
  }

  function reset(): void {
    setGeneral(0);
    base = 0n;
    clearStatus(status);
    for (const timer of timers) {
      timer.configuration = 0;
      timer.comparator = ALL;
      timer.period = 0n;
      configure(timer);
      timer.fsbValue = 0;
      timer.fsbAddress = 0;
    }
  }
  reset();

  const isAligned = (offset: number, width: Width): boolean => (offset & (width - 1)) === 0;

  return {
    isLegacy: () => (general & GEN_CONF.LEG_RT_CNF) !== 0,
    gate: (line) => {
      const gate = { line, isHigh: false };
      gates.push(gate);
      const isOpen = (): boolean => (general & GEN_CONF.LEG_RT_CNF) === 0;
      return {
        pulse: (acknowledged) => (isOpen() ? line.pulse(acknowledged) : REQUEST.DROPPED),
        setLevel: (isHigh) => {
          gate.isHigh = isHigh;
          if (isOpen()) line.setLevel(isHigh);
        },
        reclaim: (acknowledged) => line.reclaim?.(acknowledged) ?? false,
      };
    },
    reset,

    read: (offset, width) => {
      if (offset === HPET.MAIN_CNT && width >= 4) return width === 8 ? counter() : counter() & LOW;
      if (!isAligned(offset, width)) {
        onMisuse('a misaligned read', offset, width);
        return (1n << BigInt(8 * width)) - 1n;
      }
      if (width < 4) onMisuse('a read of less than 32 bits', offset, width);
      const register = readRegister(offset & ~7);
      return width === 8 ? register : BigInt.asUintN(8 * width, register >> BigInt(8 * (offset & 7)));
    },

    write: (offset, width, value) => {
      if (width < 4 || !isAligned(offset, width)) {
        onMisuse(width < 4 ? 'a write of less than 32 bits' : 'a misaligned write', offset, width);
        return;
      }
      if (width === 8) writeRegister(offset, value, ALL);
      else if ((offset & 4) === 0) writeRegister(offset, value, LOW);
      else writeRegister(offset - 4, value << 32n, LOW << 32n);
    },

    save: () => ({
      general,
      status,
      base,
      startedAt,
      timers: timers.map(({ configuration, comparator, period, matchAt, fsbValue, fsbAddress }) => ({
        configuration,
        comparator,
        period,
        matchAt,
        fsbValue,
        fsbAddress,
      })),
    }),

    restore: (state) => {
      if (state.timers.length !== count) throw new RangeError(`a state of ${state.timers.length} timers does not fit a block of ${count}`);
      general = state.general;
      status = state.status;
      isRunning = (general & GEN_CONF.ENABLE_CNF) !== 0;
      base = state.base;
      startedAt = state.startedAt;
      for (const gate of gates) if (gate.isHigh) gate.line.setLevel((general & GEN_CONF.LEG_RT_CNF) === 0);
      state.timers.forEach((saved, number) => {
        const timer = timers[number]!;
        Object.assign(timer, saved);
        configure(timer);
        timer.acknowledged = undefined;
        drive(timer);
      });
    },
  };
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}
