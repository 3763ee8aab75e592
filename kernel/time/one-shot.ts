/** Timer hardware as one-shots of so many ticks: what a hardware timer (hw-timer.ts) is made of. */
import type { Hpet } from '../drivers/hpet.ts';
import type { LocalApic } from '../drivers/local-apic.ts';
import type { Pit } from '../drivers/pit-8254.ts';
import type { Frequency } from './frequency.ts';
import type { TimerName } from './hw-timer.ts';
import { ticks as toTicks } from './units.ts';

export interface OneShot {
  readonly name: TimerName;
  readonly frequency: Frequency;
  /** Ticks that one run can have. */
  readonly minTicks: number;
  readonly maxTicks: number;
  /** One interrupt, `ticks` or up to one tick more after the instant that `startTsc` tells. */
  start(ticks: number): void;
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
    start: pit.armOneShot,
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
    start: (ticks) => localApic.armOneShot(vector, ticks),
    startTsc: accessTsc,
    stop: localApic.stop,
  };
}

/** Comparator 0 in 32-bit mode: compared as a signed distance, so half the range. */
export function hpetOneShot(hpet: Hpet, input: number | 'legacy', accessTsc: () => bigint): OneShot {
  let start = 0n;
  // A comparator has to be ahead of the counter when it has been written: this is how far, with as much again.
  const before = hpet.counter();
  hpet.armOneShot(toTicks(before + 0x7000_0000n), input);
  hpet.hasPassed(before);
  const needed = Number(hpet.counter() - before) * 2;
  // Not disarm: IRQ 0 is the PIT's until this timer is used.
  hpet.stop();
  return {
    name: 'hpet',
    frequency: hpet.frequency,
    minTicks: needed,
    maxTicks: 0x7fff_fff0,
    start: (ticks) => {
      const now = hpet.counter();
      start = accessTsc();
      // The reading is the tick that has begun: one more, so that the match is never before its time.
      let at = toTicks(now + BigInt(ticks) + 1n);
      hpet.armOneShot(at, input);
      // A comparator that was passed before it was written matches after a wrap only: twice as far ahead as this took, until it is not.
      while (hpet.hasPassed(at)) {
        const later = hpet.counter();
        at = toTicks(later + (later - now) * 2n);
        hpet.rearmOneShot(at);
      }
    },
    startTsc: () => start,
    stop: hpet.disarm,
  };
}
