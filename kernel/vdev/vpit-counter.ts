/**
 * One counter of an Intel 8254 (231164-005), in ticks of its CLK: computed from the tick at which it was loaded, never stepped. A CLK pulse is
 * one instant here: GATE is sampled and the count decremented at it; accesses fall between two of them.
 *
 * What the data sheet leaves open, and what is done here:
 * - between a control word and the first load the counting element stands at its last value;
 * - a two-byte count is one when its second byte is written: a reload between the two bytes takes the count before;
 * - a trigger before any count was written has nothing to load, and is none;
 * - a count of 1 in modes 2 and 3 is illegal: by the rules of the modes OUT then stays low in mode 2 and high in mode 3, so it never rises;
 * - a BCD digit above 9 counts as what it is (0Ah as ten), modulo 10,000;
 * - a new count in mode 0 takes OUT low when its first byte is written, also if that is its only one.
 * Not modelled: before it is programmed, when "the Mode, count value, and output of all Counters are undefined", it is in mode 3 with OUT high
 * and counts nothing.
 */
import { getField } from '../regs/bits.ts';
import { CONTROL, MODE, STATUS } from '../regs/i8254.ts';

/** "Mode Definitions" and "Gate Pin Operations Summary", row by row. */
interface ModeRules {
  /** OUT once the control word is written. */
  readonly initially: 'low' | 'high';
  /** What loads a count that was written: the first one, and a new one while the counter counts. */
  readonly first: 'next CLK' | 'trigger';
  readonly next: 'next CLK' | 'trigger' | 'end of period' | 'end of half-cycle';
  /** GATE low. */
  readonly low: 'disables counting' | 'disables counting, OUT high' | 'nothing';
  /** A rising edge of GATE. */
  readonly rising: 'reloads' | 'nothing';
  /** OUT of a loaded counter. */
  readonly out: 'high from 0 on' | 'low until 0' | 'low at 1' | 'high for the first half' | 'low at 0';
}

// prettier-ignore
export const MODES: readonly ModeRules[] = [
  { initially: 'low',  first: 'next CLK', next: 'next CLK',          low: 'disables counting',           rising: 'nothing', out: 'high from 0 on' },
  { initially: 'high', first: 'trigger',  next: 'trigger',           low: 'nothing',                     rising: 'reloads', out: 'low until 0' },
  { initially: 'high', first: 'next CLK', next: 'end of period',     low: 'disables counting, OUT high', rising: 'reloads', out: 'low at 1' },
  { initially: 'high', first: 'next CLK', next: 'end of half-cycle', low: 'disables counting, OUT high', rising: 'reloads', out: 'high for the first half' },
  { initially: 'high', first: 'next CLK', next: 'next CLK',          low: 'disables counting',           rising: 'nothing', out: 'low at 0' },
  { initially: 'high', first: 'trigger',  next: 'trigger',           low: 'nothing',                     rising: 'reloads', out: 'low at 0' },
];

/** "M2 M1 M0": X10 and X11 are modes 2 and 3. */
export const modeOf = (m: number): number => (m > MODE.HARDWARE_TRIGGERED_STROBE ? m & 3 : m);

/** A tick that never comes. A number, as all ticks, because a state that is saved has to be one. */
export const NEVER = Number.MAX_SAFE_INTEGER;

/** All plain values: ticks are of the CLK that the counter is given. */
export interface CounterState {
  readonly programmed: number;
  readonly gate: boolean;
  readonly countRegister: number;
  readonly firstByte: number;
  readonly hasCount: boolean;
  readonly nullCount: boolean;
  readonly readsHigh: boolean;
  readonly latchedCount: number;
  readonly latchedStatus: number;
  readonly isLoaded: boolean;
  readonly loaded: number;
  readonly loadedAt: number;
  readonly startsHigh: boolean;
  readonly standing: number;
  readonly expiry: number;
  readonly loadAt: number;
  readonly isTriggered: boolean;
  readonly loadsHigh: boolean;
}

export interface Counter {
  /** Data port, as programmed: a latched status, a latched byte, or a byte of the counting element. */
  read(): number;
  /** Data port: a byte of a count. @returns false if it is the first of two and changes nothing yet */
  write(byte: number): boolean;
  /** A control word of this counter, SC left out; not a latch command. */
  program(word: number): void;
  latchCount(): void;
  latchStatus(): void;
  gate(): boolean;
  setGate(isHigh: boolean): void;
  /** The OUT pin, at a tick that is not before the last access. */
  out(tick: number): boolean;
  /** The first tick after `tick` at which OUT rises if nobody touches the counter, or NEVER. `tick` is not before the last access. */
  nextRise(tick: number): number;
  /** Ticks from that rise to the next one, and so on: 0 if it is not periodic. */
  risePeriod(): number;
  save(): CounterState;
  restore(state: CounterState): void;
}

export const BCD_LIMIT = 10_000;
const BINARY_LIMIT = 0x1_0000;
const NOTHING = -1;

/**
 * @param now ticks of CLK so far
 * @param onMisuse a count that the data sheet excludes
 */
export function createCounter(now: () => number, onMisuse: (what: string) => void): Counter {
  // As programmed. `programmed` are the low six bits of the control word.
  let programmed = CONTROL.RW_LSB_MSB | (MODE.SQUARE_WAVE << CONTROL.M.shift);
  let mode: number = MODE.SQUARE_WAVE;
  let isBcd = false;
  let limit = BINARY_LIMIT;
  let gate = true;

  /** CR: the count that was written last, 1 to the limit; a first byte of two waits beside it. */
  let countRegister = 0;
  let firstByte = NOTHING;
  let hasCount = false;
  let nullCount = true;

  // OL and the read side.
  let readsHigh = false;
  let latchedCount = NOTHING;
  let latchedStatus = NOTHING;

  // CE: loaded with `loaded` at tick `loadedAt`. Where it doesn't run it stands `standing` counts after that; not loaded, at the value `standing`.
  let isLoaded = false;
  let loaded = 0;
  let loadedAt = 0;
  /** Mode 3: the half-cycle that began with the load. */
  let startsHigh = true;
  let standing = 0;
  /** Modes 0, 1, 4, 5: the tick at which it reaches or reached 0 for the first time, NEVER while it stands before that. */
  let expiry = NEVER;

  /** The tick at which CR goes to CE. Of modes 2 and 3 `isTriggered` tells a load by GATE from one at the end of a cycle. */
  let loadAt = NEVER;
  let isTriggered = false;
  let loadsHigh = true;

  let period = 0;

  const isPeriodic = (): boolean => mode === MODE.RATE_GENERATOR || mode === MODE.SQUARE_WAVE;
  const isStopped = (): boolean =>
    (!gate && MODES[mode]!.low !== 'nothing') || (mode === MODE.INTERRUPT_ON_TERMINAL_COUNT && firstByte !== NOTHING);

  /** Loads what is due. */
  function settle(tick: number): void {
    if (tick < loadAt) return;
    isLoaded = true;
    nullCount = false;
    isTriggered = false;
    loaded = countRegister;
    loadedAt = loadAt;
    startsHigh = loadsHigh;
    loadAt = NEVER;
    if (isStopped()) {
      standing = 0;
      expiry = NEVER;
    } else {
      standing = NOTHING;
      expiry = loadedAt + loaded;
    }
  }

  /** Counting was disabled or enabled, settled before. */
  function stopOrGo(tick: number): void {
    if (isStopped()) {
      // A count that would have come at the end of a cycle comes with the trigger now; one that GATE itself brings still does.
      if (isLoaded && isPeriodic() && !isTriggered) loadAt = NEVER;
      if (standing !== NOTHING) return;
      standing = tick - loadedAt;
      if (tick < expiry) expiry = NEVER;
    } else if (standing !== NOTHING && isLoaded) {
      loadedAt = tick - standing;
      if (expiry === NEVER && standing < loaded) expiry = loadedAt + loaded;
      standing = NOTHING;
    }
  }

  /** What CE holds, 0 to the limit - 1. */
  function value(tick: number): number {
    const passed = standing === NOTHING ? tick - loadedAt : standing;
    if (mode === MODE.RATE_GENERATOR) return (loaded - (passed % loaded)) % limit;
    if (mode === MODE.SQUARE_WAVE) {
      const half = positionInHalf(passed);
      // An odd count is loaded less one, which the first half of the cycle needs one more CLK for.
      return (loaded - (loaded & 1) - 2 * half) % limit;
    }
    const left = loaded - passed;
    return left >= 0 ? left % limit : (limit - (-left % limit)) % limit;
  }

  // Mode 3: OUT is high for (N + 1) / 2 and low for (N - 1) / 2 of an odd N.
  const firstHalf = (): number => (loaded + (startsHigh ? 1 : 0)) >> 1;
  function positionInHalf(passed: number): number {
    const position = passed % loaded;
    const first = firstHalf();
    return position < first ? position : position - first;
  }
  const isHighHalf = (passed: number): boolean => passed % loaded < firstHalf() === startsHigh;

  /** @param tick settled */
  function outAt(tick: number): boolean {
    switch (mode) {
      case MODE.INTERRUPT_ON_TERMINAL_COUNT:
        return tick >= expiry;
      case MODE.HARDWARE_RETRIGGERABLE_ONE_SHOT:
        return !isLoaded || tick >= expiry;
      case MODE.RATE_GENERATOR:
        // "If GATE goes low during an output pulse, OUT is set high immediately", and high it is until the reload that follows.
        return !isLoaded || standing !== NOTHING || isTriggered || (tick - loadedAt) % loaded !== loaded - 1;
      case MODE.SQUARE_WAVE:
        return !isLoaded || standing !== NOTHING || isTriggered || isHighHalf(tick - loadedAt);
      default:
        return tick !== expiry;
    }
  }

  function decode(count: number): number {
    if (!isBcd) return count === 0 ? limit : count;
    const decimal = (count >> 12) * 1000 + ((count >> 8) & 0xf) * 100 + ((count >> 4) & 0xf) * 10 + (count & 0xf);
    if (encode(decimal % limit) !== count) onMisuse(`count ${count.toString(16)}h is no BCD`);
    return decimal % limit || limit;
  }
  function encode(binary: number): number {
    const hundreds = (binary / 100) | 0;
    const ones = binary - hundreds * 100;
    return (((hundreds / 10) | 0) << 12) | ((hundreds % 10) << 8) | (((ones / 10) | 0) << 4) | (ones % 10);
  }

  function current(): number {
    const tick = now();
    if (tick >= loadAt) settle(tick);
    const count = isLoaded ? value(tick) : standing % limit;
    return isBcd ? encode(count) : count;
  }

  /** The end of the cycle (mode 2) or half-cycle (mode 3) that is on, and OUT after it. Only of a counter that counts. */
  function scheduleAtEnd(tick: number): void {
    const passed = tick - loadedAt;
    const position = passed % loaded;
    if (mode === MODE.RATE_GENERATOR || loaded === 1) {
      loadAt = tick + loaded - position;
      loadsHigh = true;
    } else {
      const first = firstHalf();
      loadAt = tick + (position < first ? first : loaded) - position;
      loadsHigh = !isHighHalf(passed);
    }
  }

  function writeCount(count: number): void {
    const tick = now();
    settle(tick);
    const stoppedByFirstByte = firstByte !== NOTHING;
    firstByte = NOTHING;
    countRegister = decode(count);
    hasCount = true;
    nullCount = true;
    if (isPeriodic() && countRegister === 1) onMisuse(`a count of 1 in mode ${mode}`);
    switch (MODES[mode]!.next) {
      case 'next CLK':
        if (stoppedByFirstByte) stopOrGo(tick);
        if (mode === MODE.INTERRUPT_ON_TERMINAL_COUNT) expiry = NEVER;
        loadAt = tick + 1;
        return;
      case 'trigger':
        return;
      default:
        if (!isLoaded) {
          loadAt = tick + 1;
          loadsHigh = true;
        } else if (standing === NOTHING && !isTriggered) scheduleAtEnd(tick);
    }
  }

  return {
    read: () => {
      if (latchedStatus !== NOTHING) {
        const status = latchedStatus;
        latchedStatus = NOTHING;
        return status;
      }
      const count = latchedCount === NOTHING ? current() : latchedCount;
      const rw = programmed & 0x30;
      if (rw === CONTROL.RW_LSB_MSB && !readsHigh) {
        readsHigh = true;
        return count & 0xff;
      }
      readsHigh = false;
      latchedCount = NOTHING;
      return rw === CONTROL.RW_LSB ? count & 0xff : count >> 8;
    },
    write: (byte) => {
      const rw = programmed & 0x30;
      if (rw === CONTROL.RW_LSB) writeCount(byte);
      else if (rw === CONTROL.RW_MSB) writeCount(byte << 8);
      else if (firstByte !== NOTHING) writeCount(firstByte | (byte << 8));
      else if (mode === MODE.INTERRUPT_ON_TERMINAL_COUNT) {
        const tick = now();
        settle(tick);
        firstByte = byte;
        // "Writing the first byte disables counting. OUT is set low immediately."
        stopOrGo(tick);
        expiry = NEVER;
      } else {
        firstByte = byte;
        return false;
      }
      return true;
    },
    program: (word) => {
      const tick = now();
      settle(tick);
      const last = isLoaded ? value(tick) : standing;
      programmed = word & STATUS.PROGRAMMED.mask;
      mode = modeOf(getField(word, CONTROL.M));
      isBcd = (word & CONTROL.BCD) !== 0;
      limit = isBcd ? BCD_LIMIT : BINARY_LIMIT;
      firstByte = latchedCount = latchedStatus = NOTHING;
      readsHigh = false;
      hasCount = false;
      nullCount = true;
      isLoaded = false;
      standing = last;
      expiry = loadAt = NEVER;
      isTriggered = false;
    },
    latchCount: () => {
      if (latchedCount === NOTHING) latchedCount = current();
    },
    latchStatus: () => {
      if (latchedStatus !== NOTHING) return;
      const tick = now();
      settle(tick);
      latchedStatus = programmed | (nullCount ? STATUS.NULL_COUNT : 0) | (outAt(tick) ? STATUS.OUTPUT : 0);
    },
    gate: () => gate,
    setGate: (isHigh) => {
      if (isHigh === gate) return;
      const tick = now();
      settle(tick);
      gate = isHigh;
      if (isHigh && hasCount && MODES[mode]!.rising === 'reloads') {
        loadAt = tick + 1;
        isTriggered = true;
        loadsHigh = true;
      }
      stopOrGo(tick);
    },
    out: (tick) => {
      if (tick >= loadAt) settle(tick);
      return outAt(tick);
    },
    nextRise: (tick) => {
      period = 0;
      settle(tick);
      if (!isPeriodic()) {
        const isStrobe = mode >= MODE.SOFTWARE_TRIGGERED_STROBE;
        if (isStrobe && tick === expiry) return tick + 1;
        // The load is due at the very next tick: before it nothing rises but a strobe.
        if (loadAt !== NEVER) return isStopped() ? NEVER : loadAt + countRegister + (isStrobe ? 1 : 0);
        return expiry === NEVER || expiry <= tick ? NEVER : expiry + (isStrobe ? 1 : 0);
      }
      if (isStopped()) return NEVER;
      if (loadAt === NEVER) {
        if (!isLoaded || loaded === 1) return NEVER;
        period = loaded;
        const position = (tick - loadedAt) % loaded;
        const first = mode === MODE.SQUARE_WAVE && !startsHigh ? firstHalf() : loaded;
        return tick - position + (position < first ? first : first + loaded);
      }
      const wasLow = !outAt(loadAt - 1);
      if (countRegister === 1) return wasLow && mode === MODE.SQUARE_WAVE ? loadAt : NEVER;
      period = countRegister;
      if (!loadsHigh) return loadAt + (countRegister >> 1);
      return wasLow ? loadAt : loadAt + countRegister;
    },
    risePeriod: () => period,
    save: () => ({
      programmed,
      gate,
      countRegister,
      firstByte,
      hasCount,
      nullCount,
      readsHigh,
      latchedCount,
      latchedStatus,
      isLoaded,
      loaded,
      loadedAt,
      startsHigh,
      standing,
      expiry,
      loadAt,
      isTriggered,
      loadsHigh,
    }),
    restore: (state) => {
      programmed = state.programmed;
      mode = modeOf(getField(programmed, CONTROL.M));
      isBcd = (programmed & CONTROL.BCD) !== 0;
      limit = isBcd ? BCD_LIMIT : BINARY_LIMIT;
      gate = state.gate;
      countRegister = state.countRegister;
      firstByte = state.firstByte;
      hasCount = state.hasCount;
      nullCount = state.nullCount;
      readsHigh = state.readsHigh;
      latchedCount = state.latchedCount;
      latchedStatus = state.latchedStatus;
      isLoaded = state.isLoaded;
      loaded = state.loaded;
      loadedAt = state.loadedAt;
      startsHigh = state.startsHigh;
      standing = state.standing;
      expiry = state.expiry;
      loadAt = state.loadAt;
      isTriggered = state.isTriggered;
      loadsHigh = state.loadsHigh;
    },
  };
}
