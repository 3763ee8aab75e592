/**
 * The experiment's other rules: Xen of May 2007 (3.1), whose HPET timers were plain host timers and no virtual platform timers.
 *
 * What its sources say (xen/arch/x86/hvm/hpet.c and vpt.c):
 * - a timer is set for NOW() plus the distance from main counter to comparator, in host time, and at once if the comparator has passed;
 * - it expires whether the guest has the CPU or not: the interrupt is asserted (an edge, so that one at most is pending), the comparator is
 *   advanced past the main counter, and the timer is set for NOW() plus the period;
 * - its ticks are not counted, and pt_intr_post knows only virtual platform timers (PIT, RTC, LAPIC): an HPET tick sets no guest time;
 * - guest time is the guest's TSC, an HPET tick is 32 of its ticks (a vHPET of 32,000,000 fs on a TSC of 1 GHz); freeze and thaw as in
 *   guest-time.ts, in every timer mode, because there were none yet.
 *
 * Not modelled: that a vCPU which waited (HLT) was not frozen when it lost the CPU: here it is, as a busy one was; the lateness of Xen's host
 * timers, which adds up because they are set from NOW(); that the main counter which a comparator is advanced past runs on while the guest is
 * frozen. Nor are these timers saved and restored.
 */
import { instant, type Instant } from '../time/units.ts';
import { NEVER_DUE, REQUEST, type Beat, type CreatePlatformTimer, type TimerSource } from './device.ts';
import type { GuestTime } from './guest-time.ts';

export const TSC_TICKS_PER_HPET_TICK = 32;

export interface HostTimers {
  readonly create: CreatePlatformTimer;
  /** Host TSC of the next expiry, also while the guest does not have the CPU; NEVER_DUE if there is none. */
  dueTsc(): bigint;
  /** Lets timers expire in the order of their instants, up to now: may be called late, when the guest has the CPU again. */
  deliver(hostTsc: bigint): void;
}

interface HostTimer {
  readonly source: TimerSource;
  /** Guest time minus host TSC when it was set: what has become of it since does not matter to a host timer. */
  offset: bigint;
  beat: Beat;
  index: bigint;
  deadline: Instant;
  due: bigint;
}

const NO_BEAT: Beat = { origin: instant(0n), numerator: 0n, denominator: 1n };

export function createHostTimers(guestTime: GuestTime): HostTimers {
  const timers: HostTimer[] = [];

  function setDeadline(timer: HostTimer): void {
    const { origin, phase = 0n, numerator, denominator } = timer.beat;
    timer.deadline = instant(origin + (phase + timer.index * numerator + denominator - 1n) / denominator);
    timer.due = guestTime.toTicks(timer.deadline) - timer.offset;
  }

  function skip(timer: HostTimer, hostTsc: bigint): void {
    const { origin, phase = 0n, numerator, denominator } = timer.beat;
    const elapsed = (guestTime.toNanos(hostTsc + timer.offset) - origin) * denominator - phase;
    timer.index = elapsed / numerator + 1n;
    setDeadline(timer);
  }

  function earliest(): HostTimer | undefined {
    let found: HostTimer | undefined;
    for (const timer of timers) if (timer.due < (found?.due ?? NEVER_DUE)) found = timer;
    return found;
  }

  return {
    create: (source) => {
      const timer: HostTimer = { source, offset: 0n, beat: NO_BEAT, index: 0n, deadline: NEVER_DUE, due: NEVER_DUE };
      timers.push(timer);
      return {
        start: (beat) => {
          timer.beat = beat;
          timer.index = 0n;
          timer.offset = guestTime.offset;
          setDeadline(timer);
        },
        stop: () => {
          timer.due = NEVER_DUE;
        },
      };
    },
    dueTsc: () => earliest()?.due ?? NEVER_DUE,
    deliver: (hostTsc) => {
      for (let timer = earliest(); timer && timer.due <= hostTsc; timer = earliest()) {
        const { deadline, beat } = timer;
        if (beat.numerator === 0n) timer.due = NEVER_DUE;
        else {
          timer.index++;
          setDeadline(timer);
        }
        const request = timer.source.tick(deadline, () => undefined);
        // What comes after it before the guest can take it goes the same way: a call is as long as it has timers, not ticks.
        if (request !== REQUEST.ACCEPTED && timer.beat === beat && timer.due <= hostTsc) skip(timer, hostTsc);
      }
    },
  };
}
