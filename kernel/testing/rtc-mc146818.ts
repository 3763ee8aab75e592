/**
 * A fake MC146818A (Motorola) in a PC, its state computed from the instant it started at. Modelled: time and calendar in
 * all four modes, the century byte, the update cycle, UF and PF and their interrupts, VRT. As unkind as real ones: the
 * registers hold anything while an update is on, the index has to be written for each access, VRT is cured by looking.
 * Not modelled: alarm, square wave, daylight saving, setting the time by its registers.
 */
import { A, B, C, CRYSTAL_HZ, D, DV, HOURS_PM, INDEX, REGISTER, RTC, T_BUC_NS, T_UC_NS } from '../regs/mc146818.ts';
import { civilFromSeconds, dayOfWeek, daysFromCivil, secondsFromCivil, type Civil } from '../time/calendar.ts';
import type { FakeDevice } from './bus.ts';
import { PICOSECONDS_PER_NANO, PICOSECONDS_PER_SECOND, type FakeClock } from './clock.ts';
import { createRandom } from './random.ts';

export interface FakeRtcOptions {
  /** What it shows when the fake clock starts. */
  readonly start?: Civil;
  /** How far into that second it is then. */
  readonly phaseNanos?: bigint;
  /**
   * `datasheet`: UIP rises 244 us before an update of 1984 us, at whose end the new second is there.
   * `emulator`: UIP is set for 244 us, and an update takes no time. `no UIP`: the same without UIP.
   */
  readonly update?: 'datasheet' | 'emulator' | 'no UIP';
  /** What `datasheet` shows during an update: it says that this is undefined. */
  readonly duringUpdate?: 'old' | 'new' | 'ones' | 'random';
  /** By how much an `emulator` is late to take UIP back. */
  readonly uipLagNanos?: bigint;
  readonly isUipStuck?: boolean;
  readonly isBinary?: boolean;
  readonly is24Hour?: boolean;
  /** Where the century is, 0 = nowhere. */
  readonly centuryIndex?: number;
  /** Parts per billion by which it is fast. */
  readonly fastPpb?: bigint;
  /** VRT after power-on. */
  readonly hadPower?: boolean;
  /** Of Register B, as firmware left it, besides the modes. */
  readonly registerB?: number;
  /** DV of Register A. */
  readonly divider?: number;
  /** Registers that hold something else than they should. */
  readonly wrong?: Readonly<Record<number, number>>;
  readonly seed?: number;
}

export interface FakeRtc extends FakeDevice {
  /** Picoseconds since 1970, as it counts. */
  now(): bigint;
  /** Someone sets it: by so many seconds. */
  step(seconds: bigint): void;
  registerA(): number;
  registerB(): number;
  /** The line to IRQ 8. */
  isRequesting(): boolean;
  isNmiMasked(): boolean;
}

const MILLION = 1_000_000n;

export function createFakeRtc(
  clock: FakeClock,
  {
    start = { year: 2024, month: 5, day: 17, hour: 13, minute: 45, second: 30 },
    phaseNanos = 300n * MILLION,
    update = 'emulator',
    duringUpdate = 'random',
    uipLagNanos = 0n,
    isUipStuck = false,
    isBinary = false,
    is24Hour = true,
    centuryIndex = 0,
    fastPpb = 0n,
    hadPower = true,
    registerB: firmwareB = 0,
    divider = DV.HZ_32768,
    wrong = {},
    seed = 1,
  }: FakeRtcOptions = {},
): FakeRtc {
  const random = createRandom(seed);
  let origin = secondsFromCivil(start) * PICOSECONDS_PER_SECOND + phaseNanos * PICOSECONDS_PER_NANO;
  let index: number | undefined;
  let isNmiMasked = false;
  let registerA = (divider << A.DV.shift) | 6;
  let registerB = firmwareB | (isBinary ? B.DM : 0) | (is24Hour ? B.HOURS_24 : 0);
  let isVrt = hadPower;
  let flags = 0;
  let flagsUntil = 0n;

  const isStopped = (): boolean => (registerB & B.SET) !== 0 || ((registerA >> A.DV.shift) & DV.RESET) === DV.RESET;
  /** Since the start, by its own crystal. */
  const elapsed = (): bigint => (isStopped() ? 0n : clock.now() + (clock.now() * fastPpb) / 1_000_000_000n);
  const now = (): bigint => origin + elapsed();

  const ofSecond = (): bigint => now() % PICOSECONDS_PER_SECOND;
  const isWithinLast = (nanos: number): boolean => ofSecond() >= PICOSECONDS_PER_SECOND - BigInt(nanos) * PICOSECONDS_PER_NANO;
  function isUpdating(): boolean {
    if (isUipStuck) return true;
    if (isStopped() || update === 'no UIP') return false;
    if (update === 'datasheet') return isWithinLast(T_BUC_NS + T_UC_NS);
    return isWithinLast(T_BUC_NS) || ofSecond() < uipLagNanos * PICOSECONDS_PER_NANO;
  }

  /** UF and PF of what has passed since the last look. */
  function collect(): void {
    const until = elapsed();
    const rs = (registerA >> A.RS.shift) & A.RS.mask;
    const hz = rs === 0 ? 0n : BigInt(CRYSTAL_HZ) >> BigInt((rs < 3 ? rs + 7 : rs) - 1);
    const periods = (ps: bigint): bigint => (ps * hz) / PICOSECONDS_PER_SECOND;
    const seconds = (ps: bigint): bigint => (origin + ps) / PICOSECONDS_PER_SECOND;
    if (seconds(until) !== seconds(flagsUntil)) flags |= C.UF;
    if (periods(until) !== periods(flagsUntil)) flags |= C.PF;
    flagsUntil = until;
  }
  function isRequesting(): boolean {
    collect();
    return (flags & registerB & (B.UIE | B.AIE | B.PIE)) !== 0;
  }

  const encode = (value: number): number => ((registerB & B.DM) !== 0 ? value : Math.floor(value / 10) * 16 + (value % 10));
  function timeRegister(register: number, seconds: bigint): number | undefined {
    const civil = civilFromSeconds(seconds);
    if (register === REGISTER.SECONDS) return encode(civil.second);
    if (register === REGISTER.MINUTES) return encode(civil.minute);
    if (register === REGISTER.HOURS) {
      if ((registerB & B.HOURS_24) !== 0) return encode(civil.hour);
      return encode(civil.hour % 12 === 0 ? 12 : civil.hour % 12) | (civil.hour >= 12 ? HOURS_PM : 0);
    }
    if (register === REGISTER.DAY_OF_WEEK) return encode((dayOfWeek(daysFromCivil(civil)) % 7) + 1);
    if (register === REGISTER.DATE_OF_MONTH) return encode(civil.day);
    if (register === REGISTER.MONTH) return encode(civil.month);
    if (register === REGISTER.YEAR) return encode(civil.year % 100);
    if (register === centuryIndex && centuryIndex !== 0) return encode(Math.floor(civil.year / 100));
    return undefined;
  }

  function readTime(register: number): number | undefined {
    const seconds = now() / PICOSECONDS_PER_SECOND;
    const old = timeRegister(register, seconds);
    // The century is RAM: no update reaches it, only what counts it up afterwards.
    if (old === undefined || register > REGISTER.YEAR || update !== 'datasheet' || isStopped() || !isWithinLast(T_UC_NS)) return old;
    const updated = timeRegister(register, seconds + 1n)!;
    if (duringUpdate === 'old') return old;
    if (duringUpdate === 'new') return updated;
    if (duringUpdate === 'ones') return 0xff;
    return [old, updated, random.integer(256)][random.integer(3)]!;
  }

  function readRegister(register: number): number {
    const instead = wrong[register];
    if (instead !== undefined) return instead;
    if (register === REGISTER.A) return registerA | (isUpdating() ? A.UIP : 0);
    if (register === REGISTER.B) return registerB;
    if (register === REGISTER.C) {
      const value = (isRequesting() ? C.IRQF : 0) | flags;
      flags = 0;
      return value;
    }
    if (register === REGISTER.D) {
      const value = isVrt ? D.VRT : 0;
      isVrt = true;
      return value;
    }
    return readTime(register) ?? 0;
  }

  function takeIndex(): number {
    if (index === undefined) throw new Error('fake RTC: an access to the data without an index before it');
    const taken = index;
    index = undefined;
    return taken;
  }

  return {
    now,
    step: (seconds) => {
      origin += seconds * PICOSECONDS_PER_SECOND;
    },
    registerA: () => registerA,
    registerB: () => registerB,
    isRequesting,
    isNmiMasked: () => isNmiMasked,
    // The index port is write only.
    read8: (offset) => (offset === RTC.DATA ? readRegister(takeIndex()) : 0xff),
    write8: (offset, value) => {
      if (offset === RTC.INDEX) {
        index = value & INDEX.REGISTER.mask;
        isNmiMasked = (value & INDEX.NMI_MASK) !== 0;
        return;
      }
      const register = takeIndex();
      collect();
      if (register === REGISTER.A) registerA = value & ~A.UIP;
      else if (register === REGISTER.B) registerB = value;
      else throw new Error(`fake RTC: a write to register ${register.toString(16)}, which is not this driver's to write`);
    },
  };
}
