/** Timer hardware as one-shots of so many ticks: what a hardware timer (hw-timer.ts) is made of. */
import type { Hpet } from '../drivers/hpet.ts';
import type { LocalApic } from '../drivers/local-apic.ts';
import type { Pit } from '../drivers/pit-8254.ts';
import type { Msr } from '../hw/msr.ts';
import { DIVISORS, type Divisor } from '../regs/local-apic.ts';
import { frequency, type Frequency } from './frequency.ts';
import type { TimerName } from './hw-timer.ts';
import type { AccessStamps } from './stamps.ts';

/** Runs by which it is measured what a comparator's write takes. */
const NEEDED_RUNS = 8;

export interface OneShot {
  readonly name: TimerName;
  readonly frequency: Frequency;
  /** Ticks that one run can have. */
  readonly minTicks: number;
  readonly maxTicks: number;
  /** Makes it ready for `start`: once, and again after `stop`. */
  prepare(): void;
  /** One interrupt, `ticks` or up to one tick more after the instant that `startTsc` tells. */
  start(ticks: number): void;
  /** Whether `startTsc` will be asked for: noting it takes time. Off at first. */
  date(on: boolean): void;
  /** TSC of the instant from which the last run counts, or somewhat before it. */
  startTsc(): bigint;
  stop(): void;
}

/** The device has the access at its end or before: what counts from it counts from its begin or later. */
const beginOfAccess = ({ accessTsc, accessTicks }: AccessStamps): bigint => accessTsc() - BigInt(accessTicks());

/**
 * Counter 0 in mode 0: 16 bits. By the data sheet OUT rises `count` + 1 clocks after the count is written, in QEMU after
 * `count`: never early on both is a clock late on one.
 */
export function pitOneShot(pit: Pit, stamps: AccessStamps): OneShot {
  return {
    name: 'pit',
    frequency: pit.frequency,
    minTicks: 1,
    maxTicks: 0xffff,
    prepare: () => undefined,
    start: pit.armOneShot,
    date: () => undefined,
    startTsc: () => beginOfAccess(stamps),
    stop: pit.stop,
  };
}

/** One run of the local APIC's timer is to reach this far: more than a second, in which the kernel's watch over the clock wakes anyway. */
const WANTED_REACH_SECONDS = 1n;

/** The smallest divisor, for the finest tick, with which 31 bits (what a run has at most, see hw-timer.ts) reach a second. */
export function pickDivisor(bus: Frequency): Divisor {
  const reaches = (divisor: Divisor): boolean => 0x7fff_ffffn * BigInt(divisor) * bus.denominator >= WANTED_REACH_SECONDS * bus.numerator;
  return DIVISORS.find(reaches) ?? 128;
}

/** The initial count: 32 bits, counted from the write. @param bus frequency with divisor 1 */
export function localApicOneShot(
  localApic: LocalApic,
  bus: Frequency,
  vector: number,
  stamps: AccessStamps,
  divisor = pickDivisor(bus),
): OneShot {
  return {
    name: 'lapic',
    frequency: frequency(bus.numerator, bus.denominator * BigInt(divisor), bus.provenance, bus.source, bus.uncertaintyPpb),
    minTicks: 1,
    maxTicks: 0xffff_ffff,
    // Armed as far ahead as it goes: the entry of the vector table is what counts.
    prepare: () => localApic.armOneShot(vector, 0xffff_ffff, divisor),
    start: localApic.rearmOneShot,
    date: () => undefined,
    startTsc: () => beginOfAccess(stamps),
    stop: localApic.stop,
  };
}

/**
 * The local APIC's timer in TSC-deadline mode: ticks are those of the TSC, and no tick is lost between reading and writing.
 * @returns undefined if the mode is not there after all
 */
export function tscDeadlineOneShot(
  localApic: LocalApic,
  deadline: Msr,
  tsc: Frequency,
  vector: number,
  rdtsc: () => bigint,
): OneShot | undefined {
  const { write } = deadline;
  const toBigInt = BigInt;
  let start = 0n;
  const isThere = localApic.armTscDeadline(vector, deadline);
  localApic.stop();
  if (!isThere) return undefined;
  return {
    name: 'lapic',
    frequency: tsc,
    minTicks: 1,
    maxTicks: 0xffff_ffff,
    prepare: () => localApic.armTscDeadline(vector, deadline),
    start: (ticks) => {
      start = rdtsc();
      write(start + toBigInt(ticks));
    },
    date: () => undefined,
    startTsc: () => start,
    stop: () => {
      write(0n);
      localApic.stop();
    },
  };
}

/** Comparator 0 in 32-bit mode: compared as a signed distance, so half the range. */
export function hpetOneShot(hpet: Hpet, input: number | 'legacy', stamps: AccessStamps): OneShot {
  const { counterLow, moveOneShot } = hpet;
  const FAR = 0x7000_0000;
  let start = 0n;
  let isDated = false;

  // A comparator has to be ahead of the counter when it is written: by what two readings with a write between them take, less what
  // two readings take.
  hpet.armOneShot((counterLow() + FAR) | 0, input);
  let needed = 1;
  for (let run = 0; run < NEEDED_RUNS; run++) {
    const before = counterLow();
    const again = counterLow();
    moveOneShot((again + FAR) | 0);
    const took = ((counterLow() - again) | 0) - ((again - before) | 0) + 1;
    // The first run is not like the later ones.
    if (run > 0 && took > needed) needed = took;
  }
  // Not disarm: IRQ 0 is the PIT's until this timer is used.
  hpet.stop();
  return {
    name: 'hpet',
    frequency: hpet.frequency,
    minTicks: needed,
    maxTicks: 0x7fff_fff0,
    prepare: () => hpet.armOneShot((counterLow() + FAR) | 0, input),
    start: (ticks) => {
      const now = counterLow();
      if (isDated) start = beginOfAccess(stamps);
      // The reading is the tick that has begun: one more, so that the match is never before its time.
      let at = (now + ticks + 1) | 0;
      moveOneShot(at);
      // A comparator that was passed before it was written matches after a wrap only: twice as far ahead as this took, until it is not.
      // One that has matched meanwhile looks the same; that costs an interrupt which finds nothing due.
      while (((counterLow() - at) | 0) >= 0) {
        const later = counterLow();
        at = (later + ((later - now) >>> 0) * 2) | 0;
        moveOneShot(at);
      }
    },
    date: (on) => {
      isDated = on;
    },
    startTsc: () => start,
    stop: hpet.disarm,
  };
}
