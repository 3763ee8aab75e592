/** Guest time that a test moves, and platform timers on it that keep no backlog: what a device gets while its guest always runs. */
import { instant, type Instant } from '../time/units.ts';
import { NEVER_DUE, type Beat, type CreatePlatformTimer, type GuestClock, type TimerSource } from '../vdev/device.ts';

export interface ManualGuestClock extends GuestClock {
  /** Moves to an instant, from deadline to deadline: each is delivered at its own. RangeError for an instant that is past. */
  passUntil(at: Instant): void;
  pass(duration: bigint): void;
  readonly createTimer: CreatePlatformTimer;
  /** Called after each tick that was delivered, at its instant: for a CPU that takes interrupts there. */
  afterTick: () => void;
}

interface Running {
  readonly source: TimerSource;
  beat: Beat | undefined;
  index: bigint;
}

const deadlineOf = ({ origin, phase = 0n, numerator, denominator }: Beat, index: bigint): Instant =>
  instant(origin + (phase + index * numerator + denominator - 1n) / denominator);

export function createManualGuestClock(start = instant(0n)): ManualGuestClock {
  let now = start;
  const timers: Running[] = [];

  function earliest(): Running | undefined {
    let found: Running | undefined;
    for (const timer of timers)
      if (timer.beat && (!found || deadlineOf(timer.beat, timer.index) < deadlineOf(found.beat!, found.index))) found = timer;
    return found;
  }

  function passUntil(at: Instant): void {
    if (at < now) throw new RangeError(`guest time is at ${now} ns and can't go back to ${at} ns`);
    for (;;) {
      const timer = earliest();
      const due = timer ? deadlineOf(timer.beat!, timer.index) : NEVER_DUE;
      if (!timer || due > at) break;
      if (due > now) now = due;
      if (timer.beat!.numerator === 0n) timer.beat = undefined;
      else timer.index++;
      timer.source.tick(due, () => undefined);
      clock.afterTick();
    }
    now = at;
  }

  const clock: ManualGuestClock = {
    now: () => now,
    passUntil,
    pass: (duration) => passUntil(instant(now + duration)),
    afterTick: () => undefined,
    createTimer: (source) => {
      const timer: Running = { source, beat: undefined, index: 0n };
      timers.push(timer);
      return {
        start: (beat) => {
          timer.beat = beat;
          timer.index = 0n;
        },
        stop: () => {
          timer.beat = undefined;
        },
      };
    },
  };
  return clock;
}
