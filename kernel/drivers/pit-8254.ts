/** 8254 PIT as wired in a PC. Used here: counter 0 as rate generator and for one-shots. Not used: the other counters, BCD, modes 1 and 3 to 5, read-back. */
import type { Ports } from '../hw/ports.ts';
import { CONTROL, MODE, PIT, PIT_HZ } from '../regs/i8254.ts';
import { frequency, type Frequency } from '../time/frequency.ts';

export const PIT_BASE = 0x40;
export const PIT_IRQ = 0;

/** Latches of an absent or stopped counter before it is called that. A count is 838 ns, a latch and two reads at least 1 us. */
const MOVING_READS = 50;

export interface Pit {
  readonly frequency: Frequency;
  /** Counter 0, mode 2: OUT pulses, and so IRQ 0 rises, every `count` (2 to 65536) ticks, for the first time `count` ticks after this call's last access. */
  armPeriodic(count: number): void;
  /** Counter 0, mode 0: OUT, and so IRQ 0, rises once, `count` + 1 ticks (count 1 to 65535) after this call's last access. */
  armOneShot(count: number): void;
  /** Counter 0 stops: OUT stays low. */
  stop(): void;
  /** Counter 0, latched. In mode 2 it counts from the reload value down to 1. */
  counter(): number;
}

function controlWord(counter: number, mode: number): number {
  return (counter << CONTROL.SC.shift) | CONTROL.RW_LSB_MSB | (mode << CONTROL.M.shift);
}

/** @returns undefined if no counter moves at these ports */
export function probePit(ports: Ports): Pit | undefined {
  function writeCount(counter: number, count: number): void {
    // 65536 is written as 0. The count is loaded with the second byte.
    ports.write8(counter, count & 0xff);
    ports.write8(counter, (count >> 8) & 0xff);
  }
  function latched(counter: number): number {
    ports.write8(PIT.CONTROL, (counter << CONTROL.SC.shift) | CONTROL.RW_LATCH);
    const low = ports.read8(counter);
    return low | (ports.read8(counter) << 8);
  }

  const pit: Pit = {
    frequency: frequency(PIT_HZ, 1n, 'architectural', 'PC/AT, 14.31818 MHz / 12'),
    armPeriodic: (count) => {
      if (!(count >= 2 && count <= 65536)) throw new RangeError(`PIT: count ${count} is not within 2..65536 (mode 2)`);
      ports.write8(PIT.CONTROL, controlWord(PIT.COUNTER_0, MODE.RATE_GENERATOR));
      writeCount(PIT.COUNTER_0, count);
    },
    armOneShot: (count) => {
      ports.write8(PIT.CONTROL, controlWord(PIT.COUNTER_0, MODE.INTERRUPT_ON_TERMINAL_COUNT));
      writeCount(PIT.COUNTER_0, count);
    },
    // Mode 0 without a count: "counting is disabled until the count is written", and OUT is low. Some
    // implementations go on with the old count once; in mode 0 that ends in one rise of OUT at most, so give it the longest count.
    stop: () => {
      ports.write8(PIT.CONTROL, controlWord(PIT.COUNTER_0, MODE.INTERRUPT_ON_TERMINAL_COUNT));
      writeCount(PIT.COUNTER_0, 0xffff);
      ports.write8(PIT.CONTROL, controlWord(PIT.COUNTER_0, MODE.INTERRUPT_ON_TERMINAL_COUNT));
    },
    counter: () => latched(PIT.COUNTER_0),
  };

  pit.armPeriodic(0x1_0000);
  const first = pit.counter();
  let isMoving = false;
  for (let read = 0; read < MOVING_READS && !isMoving; read++) isMoving = pit.counter() !== first;
  pit.stop();
  return isMoving ? pit : undefined;
}
