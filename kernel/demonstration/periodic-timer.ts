/** The machine's three interrupt timers as periodic ones, behind one face. */
import { PIT_IRQ } from '../drivers/pit-8254.ts';
import type { InterruptHandler } from '../interrupts/dispatcher.ts';
import type { InterruptLine } from '../interrupts/router.ts';
import { VECTOR } from '../interrupts/vectors.ts';
import type { Machine } from '../machine.ts';
import { convertTicks, hertz, nanosToTicks, type Frequency } from '../time/frequency.ts';
import type { TimerName } from '../time/hw-timer.ts';
import { ticks, type Nanos, type Ticks } from '../time/units.ts';

export interface PeriodicTimer {
  readonly name: TimerName;
  readonly frequency: Frequency;
  /** Ticks from one interrupt to the next: the wanted period rounded to the nearest. */
  readonly period: Ticks;
  /** Ways that its interrupt can go, the likeliest first; masked. Undefined beyond the last. */
  connect(handler: InterruptHandler, attempt: number): InterruptLine | undefined;
  /** Starts counting. @returns TSC at which the first period began, to a few instructions and a tick */
  start(line: InterruptLine): bigint;
  /** Called in the handler: arms the next interrupt, where the hardware does not do it. */
  continue?(): void;
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
  const { pit, shims, router, tscFrequency } = machine;
  if (!pit) return undefined;
  const count = nearestTicks(pit.frequency, period);
  return {
    name: 'pit',
    frequency: pit.frequency,
    period: count,
    connect: (handler, attempt) => router.connectIsa(PIT_IRQ, handler, attempt),
    start: (line) => {
      line.enable();
      pit.armPeriodic(Number(count));
      // Intel 8254, "Mode 2: Rate Generator": OUT goes low N clocks after the count is written and high, which is
      // the interrupt, one clock later; from then on every N clocks.
      return shims.accessTsc() + convertTicks(ticks(1n), pit.frequency, tscFrequency);
    },
    stop: pit.stop,
  };
}

function hpetTimer(machine: Machine, period: Nanos): PeriodicTimer | undefined {
  const { hpet, shims, router } = machine;
  if (!hpet) return undefined;
  const count = nearestTicks(hpet.frequency, period);
  const step = Number(count);
  let next = 0;
  // Legacy replacement silences the PIT, which shares the route; an input of its own is better where there is one.
  const ownInput = router.pickGsi(hpet.routes & ~0xffff);
  return {
    name: 'hpet',
    frequency: hpet.frequency,
    period: count,
    connect: (handler, attempt) => {
      if (ownInput !== undefined) return attempt === 0 ? router.connectGsi(ownInput, handler) : undefined;
      return hpet.canReplaceLegacy ? router.connectIsa(PIT_IRQ, handler, attempt) : undefined;
    },
    start: (line) => {
      line.enable();
      const counter = hpet.counterLow();
      const stamp = shims.accessTsc();
      next = (counter + step) | 0;
      hpet.armOneShot(next, ownInput ?? 'legacy');
      return stamp;
    },
    // By deadlines one period apart, not by the comparator's periodic mode, which QEMU has wrong (see Hpet.armPeriodic).
    // A deadline is absolute, so nothing drifts.
    continue: () => {
      // A deadline that was passed before it was written may never come: the next one then.
      do {
        next = (next + step) | 0;
        hpet.moveOneShot(next);
      } while (hpet.hasPassed(next));
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
    connect: (handler, attempt) => {
      if (attempt > 0) return undefined;
      dispatcher.setHandler(VECTOR.LOCAL_TIMER, handler, localApic.endOfInterrupt);
      return {
        vector: VECTOR.LOCAL_TIMER,
        route: 'local vector table',
        enable: () => undefined,
        isRequested: localApic.requestOf(VECTOR.LOCAL_TIMER),
        disconnect: () => dispatcher.removeHandler(VECTOR.LOCAL_TIMER),
      };
    },
    start: (line) => {
      localApic.armPeriodic(line.vector, Number(count));
      return shims.accessTsc();
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
