/** One 8259A (Intel): registers, priorities, command words. What connects two of them is vpic.ts's. */
import { getField } from '../regs/bits.ts';
import { ICW1, ICW2, ICW4, OCW2, OCW3, PIC, POLL } from '../regs/i8259a.ts';
import { REQUEST, type Request } from './device.ts';

/** The four bytes of an initialization. */
const STEP = { READY: 0, ICW2: 2, ICW3: 3, ICW4: 4 } as const;

export interface ChipState {
  readonly irr: number;
  readonly isr: number;
  readonly imr: number;
  /** What the inputs carry. */
  readonly wires: number;
  /** ELCR: inputs that are level-triggered. */
  readonly elcr: number;
  readonly icw1: number;
  readonly vector: number;
  readonly icw3: number;
  readonly icw4: number;
  /** The byte that the initialization waits for. */
  readonly step: number;
  readonly isInitialized: boolean;
  /** The level with the lowest priority; the next one has the highest. */
  readonly lowest: number;
  readonly isSpecialMask: boolean;
  readonly rotatesAutomatically: boolean;
  readonly readsIsr: boolean;
  readonly polls: boolean;
}

export interface Chip {
  /** Open, so that nobody need call: the level that is wanted now, of higher priority than all in service, or -1. */
  wanted: number;
  /** An edge whose wire stays high until its acknowledge: latched, whether masked or not. DROPPED if it can't be delivered as things are. */
  pulse(level: number): Request;
  setWire(level: number, isHigh: boolean): void;
  /** ISR. */
  inService(): number;
  elcr(): number;
  setElcr(value: number): void;
  /** In-service and request bits of a level that is acknowledged. */
  serve(level: number): void;
  /** Vector of IR0. */
  vector(): number;
  /** The master's: one bit per input with a slave. A slave's: its ID. */
  icw3(): number;
  read(offset: number): number;
  write(offset: number, value: number): void;
  reset(): void;
  save(): ChipState;
  /** Says nothing of INT: what it is wired to is restored too. */
  restore(state: ChipState): void;
}

export interface ChipWiring {
  /** INT, the pin, goes up or down. */
  readonly onInt: (isHigh: boolean) => void;
  /** Requests were dropped by an initialization. */
  readonly onDiscarded: () => void;
  /** A poll acknowledged a level. */
  readonly onPolled: (level: number) => void;
  readonly onMisuse: (what: string, offset: number) => void;
}

const { clz32 } = Math;

const POWER_UP: ChipState = {
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
};

export function createChip({ onInt, onDiscarded, onPolled, onMisuse }: ChipWiring): Chip {
  let { irr, isr, imr, wires, elcr, icw1, vector, icw3, icw4, step, isInitialized, lowest } = POWER_UP;
  let { isSpecialMask, rotatesAutomatically, readsIsr, polls } = POWER_UP;

  /** 0 for the highest priority of the levels in `bits`, 8 for none. */
  function rank(bits: number): number {
    if (bits === 0) return 8;
    const shift = (lowest + 1) & 7;
    const rotated = (bits >> shift) | (bits << (8 - shift));
    return 31 - clz32(rotated & -rotated);
  }
  const levelOf = (ranked: number): number => (lowest + 1 + ranked) & 7;
  const triggeredByLevel = (): number => ((icw1 & ICW1.LTIM) !== 0 ? 0xff : elcr);

  function find(): number {
    const requests = irr & ~imr;
    if (requests === 0 || !isInitialized) return -1;
    const requested = rank(requests);
    if (isr !== 0) {
      // "Special Mask Mode": interrupts are inhibited at the levels that are masked and in service, and at no other.
      const served = rank(isSpecialMask ? isr & ~imr : isr);
      if (requested > served) return -1;
      // "Special Fully Nested Mode": a slave in service does not lock its own further requests out.
      if (requested === served && ((icw4 & ICW4.SFNM) === 0 || (icw3 & (1 << levelOf(requested))) === 0)) return -1;
    }
    return levelOf(requested);
  }
  function update(): void {
    const before = chip.wanted;
    const wanted = find();
    if (wanted === before) return;
    chip.wanted = wanted;
    if (before < 0) onInt(true);
    else if (wanted < 0) onInt(false);
  }

  function setWire(level: number, isHigh: boolean): void {
    const bit = 1 << level;
    if (((wires & bit) !== 0) === isHigh) return;
    wires ^= bit;
    // "IR Triggering": an input that falls before its acknowledge is no request any more.
    if (isHigh) irr |= bit;
    else irr &= ~bit;
    update();
  }

  function serve(level: number): void {
    const bit = 1 << level;
    irr &= ~bit | (triggeredByLevel() & wires);
    if ((icw4 & ICW4.AEOI) === 0) isr |= bit;
    else if (rotatesAutomatically) lowest = level;
    update();
  }

  /** "Initialization Command Word 1": what it does by itself. */
  function initialize(command: number): void {
    icw1 = command;
    icw3 = icw4 = 0;
    imr = isr = 0;
    lowest = 7;
    isSpecialMask = rotatesAutomatically = readsIsr = polls = false;
    isInitialized = false;
    step = STEP.ICW2;
    // "The edge sense circuit is reset": an input has to rise again.
    irr = triggeredByLevel() & wires;
    if ((command & ICW1.IC4) === 0) onMisuse('8259A: MCS-80/85 mode, which no PC has', PIC.COMMAND);
    onDiscarded();
    update();
  }

  function initializeFurther(value: number): void {
    if (step === STEP.ICW2) {
      vector = value & ICW2.VECTOR;
      step = (icw1 & ICW1.SNGL) === 0 ? STEP.ICW3 : STEP.ICW4;
    } else if (step === STEP.ICW3) {
      icw3 = value;
      step = STEP.ICW4;
    } else {
      icw4 = value;
      if ((value & ICW4.UPM) === 0) onMisuse('8259A: MCS-80/85 mode, which no PC has', PIC.DATA);
      step = STEP.READY;
    }
    if (step === STEP.ICW4 && (icw1 & ICW1.IC4) === 0) step = STEP.READY;
    if (step === STEP.READY) isInitialized = true;
    update();
  }

  function endOfInterrupt(ocw2: number): void {
    const isSpecific = (ocw2 & OCW2.SL) !== 0;
    let level = getField(ocw2, OCW2.LEVEL);
    if ((ocw2 & OCW2.EOI) !== 0) {
      if (!isSpecific) {
        // "An IS bit that is masked by an IMR bit will not be cleared by a non-specific EOI if [...] in the Special Mask Mode."
        const ranked = rank(isSpecialMask ? isr & ~imr : isr);
        if (ranked === 8) return;
        level = levelOf(ranked);
      }
      isr &= ~(1 << level);
      if ((ocw2 & OCW2.R) !== 0) lowest = level;
    } else if (isSpecific) {
      // "Set Priority Command"; without R it is no operation.
      if ((ocw2 & OCW2.R) !== 0) lowest = level;
    } else {
      rotatesAutomatically = (ocw2 & OCW2.R) !== 0;
    }
    update();
  }

  function writeOcw3(value: number): void {
    if ((value & OCW3.ESMM) !== 0) isSpecialMask = (value & OCW3.SMM) !== 0;
    // "If P = 1 and RR = 1, the poll comes first."
    if ((value & OCW3.P) !== 0) polls = true;
    else if ((value & OCW3.RR) !== 0) readsIsr = (value & OCW3.RIS) !== 0;
    update();
  }

  /** "Poll Command": the next read is an interrupt acknowledge. */
  function poll(): number {
    polls = false;
    const level = chip.wanted;
    if (level < 0) return 0;
    serve(level);
    onPolled(level);
    return POLL.I | level;
  }

  function set(state: ChipState): void {
    ({ irr, isr, imr, wires, elcr, icw1, vector, icw3, icw4, step, isInitialized, lowest } = state);
    ({ isSpecialMask, rotatesAutomatically, readsIsr, polls } = state);
  }

  const chip: Chip = {
    wanted: -1,
    pulse: (level) => {
      const bit = 1 << level;
      const isLatched = (irr & bit) !== 0;
      irr |= bit;
      if ((imr & bit) !== 0 || !isInitialized) return REQUEST.DROPPED;
      if (isLatched) return REQUEST.MERGED;
      update();
      return REQUEST.ACCEPTED;
    },
    setWire,
    inService: () => isr,
    elcr: () => elcr,
    setElcr: (value) => {
      elcr = value;
      irr |= triggeredByLevel() & wires;
      update();
    },
    serve,
    vector: () => vector,
    icw3: () => icw3,
    read: (offset) => {
      if (polls) return poll();
      if (offset === PIC.DATA) return imr;
      return readsIsr ? isr : irr;
    },
    write: (offset, value) => {
      if (offset === PIC.COMMAND) {
        if ((value & ICW1.INIT) !== 0) initialize(value);
        else if ((value & OCW3.ID) !== 0) writeOcw3(value);
        else endOfInterrupt(value);
      } else if (step !== STEP.READY) {
        initializeFurther(value);
      } else {
        imr = value;
        update();
      }
    },
    reset: () => {
      set({ ...POWER_UP, wires });
      update();
    },
    save: () => ({
      irr,
      isr,
      imr,
      wires,
      elcr,
      icw1,
      vector,
      icw3,
      icw4,
      step,
      isInitialized,
      lowest,
      isSpecialMask,
      rotatesAutomatically,
      readsIsr,
      polls,
    }),
    restore: (state) => {
      set(state);
      chip.wanted = find();
    },
  };
  return chip;
}
