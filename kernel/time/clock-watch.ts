/**
 * Compares the machine's clock with a second one at run time: two clocks that disagree are found within a second, whichever
 * of them is wrong.
 */
import type { ClockName, HwClock } from './hw-clock.ts';
import { millis, nanos, NANOS_PER_SECOND, type Instant, type Nanos } from './units.ts';

export interface Verdict {
  /**
   * drift: for an interval the clock's rate is beyond the limit, and goes on in the confirmation after it. step: only for the interval.
   * Both clocks are compared again after that: what lasts is told again.
   * stopped: one of the two stood while the other went on.
   */
  readonly verdict: 'drift' | 'step' | 'stopped';
  /** The one that stands; of a drift or a step, the watched one: two clocks do not tell which of them is wrong. */
  readonly which: ClockName;
  /** What the clock gained on the other in the interval; negative if it lost. */
  readonly offset: Nanos;
  /** The same as a rate, in parts per billion of the other's time. */
  readonly ratePpb: number;
}

export interface ClockWatchParts {
  readonly clock: HwClock;
  readonly against: HwClock;
  readonly onVerdict: (verdict: Verdict) => void;
  /** From one comparison to the next: 250 ms by default. */
  readonly interval?: Nanos;
  /** Rates beyond are drift: 100 ppm by default, what a bad crystal has. */
  readonly limitPpm?: number;
}

export interface ClockWatch {
  readonly interval: Nanos;
  /** Compares if it is time to. Called whenever the kernel wakes, at least once per `interval`: a drift or step is told within two of them. */
  look(): void;
}

/** A comparison whose readings took longer was held up; tried again. */
const NARROW = 20_000n;
const TRIES = 5;
/** An interval over which one clock advanced less than this part of it, by the other: it stands. */
const STANDS = 100n;
const CONFIRMATION = 5n;

/** Both clocks at one instant, to `width`. */
interface Pair {
  readonly clock: Instant;
  readonly against: Instant;
  readonly width: Nanos;
}

export function createClockWatch({ clock, against, onVerdict, interval = millis(250), limitPpm = 100 }: ClockWatchParts): ClockWatch {
  const readClock = clock.now;
  const readAgainst = against.now;
  let base = readPair();
  let due = interval;
  /** What an interval beyond the limit offers for confirmation. */
  let suspicion: { offset: Nanos; ratePpb: number } | undefined;

  /** The watched clock between two readings of the other: something may hold the machine up in between, and then widens the pair. */
  function readPair(): Pair {
    for (let attempt = 1; ; attempt++) {
      const before = readAgainst();
      const value = readClock();
      const after = readAgainst();
      const width = nanos(after - before);
      if (width <= NARROW || attempt === TRIES) return { clock: value, against: (before + width / 2n) as Instant, width };
    }
  }

  function look(): void {
    // Either may stand.
    if (readAgainst() - base.against < due && readClock() - base.clock < due) return;
    const pair = readPair();
    const byClock = pair.clock - base.clock;
    const byAgainst = pair.against - base.against;
    // A midpoint is wrong by half of its width at most.
    const uncertain = (pair.width + base.width) / 2n + clock.resolution + against.resolution;
    const offset = nanos(byClock - byAgainst);
    base = pair;

    const stands = byClock * STANDS < byAgainst ? clock : byAgainst * STANDS < byClock ? against : undefined;
    if (stands) {
      suspicion = undefined;
      due = interval;
      onVerdict({ verdict: 'stopped', which: stands.name, offset, ratePpb: byAgainst > 0n ? rateOf(offset, byAgainst) : Infinity });
      return;
    }
    const size: bigint = offset;
    const beyond = (size < 0n ? -size : size) - uncertain;
    const isBeyond = beyond > 0n && Number(beyond) * 1e6 > limitPpm * Number(byAgainst);
    const confirming = suspicion;
    suspicion = undefined;
    due = interval;
    if (confirming) {
      // That the limit was passed is known: this short interval tells whether the rate goes on, or nothing more was gained.
      const goesOn = Number(offset) / (confirming.ratePpb * Number(byAgainst)) > 0.5 / Number(NANOS_PER_SECOND);
      onVerdict({ verdict: goesOn ? 'drift' : 'step', which: clock.name, offset: confirming.offset, ratePpb: confirming.ratePpb });
    } else if (isBeyond) {
      suspicion = { offset, ratePpb: rateOf(offset, byAgainst) };
      due = nanos(interval / CONFIRMATION);
    }
  }

  return { interval, look };
}

const rateOf = (offset: Nanos, elapsed: bigint): number => (Number(offset) * Number(NANOS_PER_SECOND)) / Number(elapsed);
