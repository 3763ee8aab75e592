/** Timer hardware as one-shots of so many ticks: what a hardware timer (hw-timer.ts) is made of. */
import type { Hpet } from '../drivers/hpet.ts';
import type { LocalApic } from '../drivers/local-apic.ts';
import type { Pit } from '../drivers/pit-8254.ts';
import type { Frequency } from './frequency.ts';
import type { TimerName } from './hw-timer.ts';

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
  /** TSC of the instant from which the last run counts. */
  startTsc(): bigint;
  stop(): void;
}

/**
 * Counter 0 in mode 0: 16 bits. By the data sheet OUT rises `count` + 1 clocks after the count is written, in QEMU after
 * `count`: never early on both is a clock late on one.
 */
export function pitOneShot(pit: Pit, accessTsc: () => bigint): OneShot {
  return {
    name: 'pit',
    frequency: pit.frequency,
    minTicks: 1,
    maxTicks: 0xffff,
    prepare: () => undefined,
    start: pit.armOneShot,
    date: () => undefined,
    startTsc: accessTsc,
    stop: pit.stop,
  };
}

/** The initial count: 32 bits, counted from the write. */
export function localApicOneShot(localApic: LocalApic, frequency: Frequency, vector: number, accessTsc: () => bigint): OneShot {
  return {
    name: 'lapic',
    frequency,
    minTicks: 1,
    maxTicks: 0xffff_ffff,
    // Armed as far ahead as it goes: the entry of the vector table is what counts.
    prepare: () => localApic.armOneShot(vector, 0xffff_ffff),
    start: localApic.rearmOneShot,
    date: () => undefined,
    startTsc: accessTsc,
    stop: localApic.stop,
  };
}

/** Comparator 0 in 32-bit mode: compared as a signed distance, so half the range. */
export function hpetOneShot(hpet: Hpet, input: number | 'legacy', accessTsc: () => bigint): OneShot {
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
      if (isDated) start = accessTsc();
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
