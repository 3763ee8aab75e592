/** The machine's three interrupt timers as periodic ones, behind one face. */
import { PIT_IRQ } from '../drivers/pit-8254.ts';
import type { InterruptHandler } from '../interrupts/dispatcher.ts';
import type { InterruptLine } from '../interrupts/router.ts';
import { VECTOR } from '../interrupts/vectors.ts';
import type { Machine } from '../machine.ts';
import { convertTicks, hertz, nanosToTicks, type Frequency } from '../time/frequency.ts';
import { ticks, type Nanos, type Ticks } from '../time/units.ts';

export type TimerName = 'pit' | 'hpet' | 'lapic';

export interface PeriodicTimer {
  readonly name: TimerName;
  readonly frequency: Frequency;
  /** Ticks from one interrupt to the next: the wanted period rounded to the nearest. */
  readonly period: Ticks;
  connect(handler: InterruptHandler): InterruptLine | undefined;
  /**
   * Starts counting.
   * @returns TSC at which the first period began: the middle between two readings around the access that
   * starts it, or derived from the main counter
   */
  start(line: InterruptLine): bigint;
  stop(): void;
}

function nearestTicks(frequency: Frequency, period: Nanos): Ticks {
  const up = nanosToTicks(frequency, period);
  // One of up and up - 1 is nearest; compare doubled distances in the counter's own unit.
  const exact = period * frequency.numerator;
  const unit = frequency.denominator * 1_000_000_000n;
  return 2n * (up * unit - exact) > unit ? ticks(up - 1n) : up;
}

function pitTimer(machine: Machine, period: Nanos): PeriodicTimer | undefined {
  const { pit, shims, router } = machine;
  if (!pit) return undefined;
  const count = nearestTicks(pit.frequency, period);
  return {
    name: 'pit',
    frequency: pit.frequency,
    period: count,
    connect: (handler) => router.connectIsa(PIT_IRQ, handler),
    start: (line) => {
      line.enable();
      pit.startPeriodic(Number(count));
      // The count is loaded by the call's last access, a port write: one shim's way back to here.
      return shims.rdtsc();
    },
    stop: pit.stop,
  };
}

function hpetTimer(machine: Machine, period: Nanos): PeriodicTimer | undefined {
  const { hpet, shims, router, tscFrequency } = machine;
  if (!hpet) return undefined;
  const count = nearestTicks(hpet.frequency, period);
  // Legacy replacement silences the PIT, which shares the route; an input of its own is better where there is one.
  const ownInput = router.pickGsi(hpet.routes & ~0xffff);
  return {
    name: 'hpet',
    frequency: hpet.frequency,
    period: count,
    connect: (handler) => {
      if (ownInput !== undefined) return router.connectGsi(ownInput, handler);
      return hpet.canReplaceLegacy ? router.connectIsa(PIT_IRQ, handler) : undefined;
    },
    start: (line) => {
      line.enable();
      const before = shims.rdtsc();
      const counter = hpet.counter();
      const after = shims.rdtsc();
      const first = ticks(counter + count);
      hpet.startPeriodic(first, Number(count), ownInput ?? 'legacy');
      return (before + after) / 2n + convertTicks(ticks(first - counter), hpet.frequency, tscFrequency) - convertTicks(count, hpet.frequency, tscFrequency);
    },
    stop: hpet.stop,
  };
}

function localApicTimer(machine: Machine, period: Nanos): PeriodicTimer | undefined {
  const { localApic, localApicFrequency, dispatcher, shims } = machine;
  if (!localApic || !localApicFrequency || hertz(localApicFrequency) === 0n) return undefined;
  const count = nearestTicks(localApicFrequency, period);
  return {
    name: 'lapic',
    frequency: localApicFrequency,
    period: count,
    connect: (handler) => {
      dispatcher.setHandler(VECTOR.LOCAL_TIMER, handler, localApic.endOfInterrupt);
      return {
        vector: VECTOR.LOCAL_TIMER,
        route: 'local vector table',
        enable: () => undefined,
        disconnect: () => dispatcher.removeHandler(VECTOR.LOCAL_TIMER),
      };
    },
    start: (line) => {
      localApic.startPeriodic(line.vector, Number(count));
      return shims.rdtsc();
    },
    stop: localApic.stop,
  };
}

/** Undefined for a timer that the machine does not have or can't use. */
export function createPeriodicTimer(machine: Machine, name: TimerName, period: Nanos): PeriodicTimer | undefined {
  switch (name) {
    case 'pit':
      return pitTimer(machine, period);
    case 'hpet':
      return hpetTimer(machine, period);
    case 'lapic':
      return localApicTimer(machine, period);
  }
}
