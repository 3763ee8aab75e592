/** Whether the TSC goes on while the CPU is halted: on some it stops, or runs slower, in the states that HLT enters. */
import type { ReferenceCounter } from './calibration.ts';
import { ticksToNanos, type Frequency } from './frequency.ts';
import { millis, ticks } from './units.ts';

export interface HaltTestParts {
  /** Halts the CPU for some milliseconds, until a timer interrupts. False if it did not come back by that. */
  halt(): boolean;
  rdtsc(): bigint;
  readonly tscFrequency: Frequency;
  readonly reference: ReferenceCounter;
}

const RUNS = 3;
const SHORTEST = millis(1);

/** 'untested' if a halt was too short to tell, or the reference stood. */
export function testHalt({ halt, rdtsc, tscFrequency, reference }: HaltTestParts): 'runs' | 'stops' | 'untested' {
  let stops = 0;
  for (let run = 0; run < RUNS; run++) {
    const before = reference.read();
    const tscBefore = rdtsc();
    if (!halt()) return 'untested';
    const tsc = rdtsc() - tscBefore;
    const elapsed = BigInt.asUintN(reference.width, reference.read() - before);
    const byReference = ticksToNanos(reference.frequency, ticks(elapsed));
    if (byReference < SHORTEST) return 'untested';
    // A tenth is more than any two clocks of a machine differ by.
    if (ticksToNanos(tscFrequency, ticks(tsc)) * 10n < byReference * 9n) stops++;
  }
  return stops > RUNS / 2 ? 'stops' : 'runs';
}
