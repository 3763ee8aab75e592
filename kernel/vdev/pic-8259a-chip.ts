/** One 8259A (Intel): registers, priorities, command words. What connects two of them is vpic.ts's. */
import { getField } from '../regs/bits.ts';
import { ICW1, ICW2, ICW4, OCW2, OCW3, PIC, POLL } from '../regs/i8259a.ts';

/** The four bytes of an initialization. */
const STEP = { READY: 0, ICW2: 2, ICW3: 3, ICW4: 4 } as const;

export interface ChipState {
  irr: number;
  isr: number;
  imr: number;
  /** What the inputs carry. */
  wires: number;
  /** ELCR: inputs that are level-triggered. */
  elcr: number;
  icw1: number;
  vector: number;
  icw3: number;
  icw4: number;
  /** The byte that the initialization waits for. */
  step: number;
  isInitialized: boolean;
  /** The level with the lowest priority; the next one has the highest. */
  lowest: number;
  isSpecialMask: boolean;
  rotatesAutomatically: boolean;
  readsIsr: boolean;
  polls: boolean;
}

export interface Chip {
  /** Open, so that nobody need call: the level that is wanted now, of higher priority than all in service, or -1. */
  wanted: number;
  readonly state: ChipState;
  /** The input goes up; it is latched, whether masked or not. @returns whether it was not latched before */
  raise(level: number): boolean;
  setWire(level: number, isHigh: boolean): void;
  setElcr(value: number): void;
  /** In-service and request bits of a level that is acknowledged. */
  serve(level: number): void;
  read(offset: number): number;
  write(offset: number, value: number): void;
  restore(state: ChipState): void;
}

export interface ChipWiring {
  /** After anything that may have changed `wanted`. */
  readonly onChange: () => void;
  /** Requests were dropped by an initialization. */
  readonly onDiscarded: () => void;
  /** A poll acknowledged a level. */
  readonly onPolled: (level: number) => void;
  readonly onMisuse: (what: string, offset: number) => void;
}

const { clz32 } = Math;

export const powerUpState = (): ChipState => ({
  irr: 0,
  isr: 0,
  imr: 0,
  wires: 0,
  elcr: 0,
  icw1: 0,
  vector: 0,
  icw3: 0,
  icw4: 0,
  step: STEP.READY,
  isInitialized: false,
  lowest: 7,
  isSpecialMask: false,
  rotatesAutomatically: false,
  readsIsr: false,
  polls: false,
});

export function createChip({ onChange, onDiscarded, onPolled, onMisuse }: ChipWiring): Chip {
  const state = powerUpState();

  /** 0 for the highest priority of the levels in `bits`, 8 for none. */
  function rank(bits: number): number {
    if (bits === 0) return 8;
    const shift = (state.lowest + 1) & 7;
    const rotated = (bits >> shift) | (bits << (8 - shift));
    return 31 - clz32(rotated & -rotated);
  }
  const levelOf = (ranked: number): number => (state.lowest + 1 + ranked) & 7;
  const triggeredByLevel = (): number => ((state.icw1 & ICW1.LTIM) !== 0 ? 0xff : state.elcr);

  function update(): void {
    const requested = rank(state.irr & ~state.imr);
    // "Special Mask Mode": interrupts are inhibited at the levels that are masked and in service, and at no other.
    const served = rank(state.isSpecialMask ? state.isr & ~state.imr : state.isr);
    let isWanted = requested < served;
    // "Special Fully Nested Mode": a slave in service does not lock its own further requests out.
    if (requested === served && (state.icw4 & ICW4.SFNM) !== 0) isWanted = (state.icw3 & (1 << levelOf(requested))) !== 0 && requested < 8;
    chip.wanted = isWanted && state.isInitialized ? levelOf(requested) : -1;
    onChange();
  }

  function raise(level: number): boolean {
    const bit = 1 << level;
    if ((state.irr & bit) !== 0) return false;
    state.irr |= bit;
    update();
    return true;
  }

  function setWire(level: number, isHigh: boolean): void {
    const bit = 1 << level;
    if (((state.wires & bit) !== 0) === isHigh) return;
    state.wires ^= bit;
    // "IR Triggering": an input that falls before its acknowledge is no request any more.
    if (isHigh) state.irr |= bit;
    else state.irr &= ~bit;
    update();
  }

  function serve(level: number): void {
    const bit = 1 << level;
    state.irr &= ~bit | (triggeredByLevel() & state.wires);
    if ((state.icw4 & ICW4.AEOI) === 0) state.isr |= bit;
    else if (state.rotatesAutomatically) state.lowest = level;
    update();
  }

  /** "Initialization Command Word 1": what it does by itself. */
  function initialize(icw1: number): void {
    state.icw1 = icw1;
    state.icw3 = state.icw4 = 0;
    state.imr = state.isr = 0;
    state.lowest = 7;
    state.isSpecialMask = state.rotatesAutomatically = state.readsIsr = state.polls = false;
    state.isInitialized = false;
    state.step = STEP.ICW2;
    // "The edge sense circuit is reset": an input has to rise again.
    state.irr = triggeredByLevel() & state.wires;
    if ((icw1 & ICW1.IC4) === 0) onMisuse('8259A: MCS-80/85 mode, which no PC has', PIC.COMMAND);
    onDiscarded();
    update();
  }

  function initializeFurther(value: number): void {
    if (state.step === STEP.ICW2) {
      state.vector = value & ICW2.VECTOR;
      state.step = (state.icw1 & ICW1.SNGL) === 0 ? STEP.ICW3 : STEP.ICW4;
    } else if (state.step === STEP.ICW3) {
      state.icw3 = value;
      state.step = STEP.ICW4;
    } else {
      state.icw4 = value;
      if ((value & ICW4.UPM) === 0) onMisuse('8259A: MCS-80/85 mode, which no PC has', PIC.DATA);
      state.step = STEP.READY;
    }
    if (state.step === STEP.ICW4 && (state.icw1 & ICW1.IC4) === 0) state.step = STEP.READY;
    if (state.step === STEP.READY) state.isInitialized = true;
    update();
  }

  function endOfInterrupt(ocw2: number): void {
    const isSpecific = (ocw2 & OCW2.SL) !== 0;
    let level = getField(ocw2, OCW2.LEVEL);
    if ((ocw2 & OCW2.EOI) !== 0) {
      if (!isSpecific) {
        // "An IS bit that is masked by an IMR bit will not be cleared by a non-specific EOI if [...] in the Special Mask Mode."
        const ranked = rank(state.isSpecialMask ? state.isr & ~state.imr : state.isr);
        if (ranked === 8) return;
        level = levelOf(ranked);
      }
      state.isr &= ~(1 << level);
      if ((ocw2 & OCW2.R) !== 0) state.lowest = level;
    } else if (isSpecific) {
      // "Set Priority Command"; without R it is no operation.
      if ((ocw2 & OCW2.R) !== 0) state.lowest = level;
    } else {
      state.rotatesAutomatically = (ocw2 & OCW2.R) !== 0;
    }
    update();
  }

  function writeOcw3(value: number): void {
    if ((value & OCW3.ESMM) !== 0) state.isSpecialMask = (value & OCW3.SMM) !== 0;
    // "If P = 1 and RR = 1, the poll comes first."
    if ((value & OCW3.P) !== 0) state.polls = true;
    else if ((value & OCW3.RR) !== 0) state.readsIsr = (value & OCW3.RIS) !== 0;
    update();
  }

  /** "Poll Command": the next read is an interrupt acknowledge. */
  function poll(): number {
    state.polls = false;
    const level = chip.wanted;
    if (level < 0) return 0;
    serve(level);
    onPolled(level);
    return POLL.I | level;
  }

  const chip: Chip = {
    wanted: -1,
    state,
    raise,
    setWire,
    setElcr: (value) => {
      state.elcr = value;
      state.irr |= triggeredByLevel() & state.wires;
      update();
    },
    serve,
    read: (offset) => {
      if (state.polls) return poll();
      if (offset === PIC.DATA) return state.imr;
      return state.readsIsr ? state.isr : state.irr;
    },
    write: (offset, value) => {
      if (offset === PIC.COMMAND) {
        if ((value & ICW1.INIT) !== 0) initialize(value);
        else if ((value & OCW3.ID) !== 0) writeOcw3(value);
        else endOfInterrupt(value);
      } else if (state.step !== STEP.READY) {
        initializeFurther(value);
      } else {
        state.imr = value;
        update();
      }
    },
    restore: (from) => {
      Object.assign(state, from);
      update();
    },
  };
  return chip;
}
