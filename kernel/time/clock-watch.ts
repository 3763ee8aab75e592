/**
 * Compares the machine's clock with a second one at run time: two clocks that disagree are found within a second, whichever
 * of them is wrong.
 */
import type { ClockName, HwClock } from './hw-clock.ts';
import { millis, nanos, NANOS_PER_SECOND, type Instant, type Nanos } from './units.ts';

export interface Verdict {
  /**
   * drift: the clock's rate is beyond the limit, in one interval and the next. step: in one interval only.
   * stopped: one of the two stands while the other goes on. Drift and standing are told when they begin, and agree when they have been over
   * for a second; steps within a second of each other are told as one, after it. Steps of a clock that drifts are not told.
   */
  readonly verdict: 'drift' | 'step' | 'stopped' | 'agree';
  /** The one that stands; of a drift or a step, the watched one: two clocks do not tell which of them is wrong. Of agree: as when it began. */
  readonly which: ClockName;
  /** What the clock gained on the other in the interval, or since the fault began if it is over; negative if it lost. */
  readonly offset: Nanos;
  /** The same as a rate, in parts per billion of the other's time; of the time of the one that goes on, if one stands. Finite. */
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
  /** Compares if it is time to. Called whenever the kernel wakes, at least once per `interval`: a fault is told within three of them. */
  look(): void;
}

/** A comparison whose readings took longer was held up; tried again. */
const NARROW = 20_000n;
const TRIES = 5;
/** An interval over which one clock advanced less than this part of it, by the other: it stands. */
const STANDS = 100n;

/** Both clocks at one instant, to `width`. */
interface Pair {
  readonly clock: Instant;
  readonly against: Instant;
  readonly width: Nanos;
}

export function createClockWatch({ clock, against, onVerdict, interval = millis(250), limitPpm = 100 }: ClockWatchParts): ClockWatch {
  const readClock = clock.now;
  const readAgainst = against.now;
  /** Comparisons in a second. */
  const second = Number((NANOS_PER_SECOND + interval - 1n) / interval);
  let base = readPair();
  /** An interval beyond the limit: the next one tells what it was. */
  let suspicion: { offset: Nanos; ratePpb: number } | undefined;
  /** What lasts, and how many comparisons in a row it was not seen. */
  let fault: { verdict: 'drift' | 'stopped'; which: ClockName; since: Pair; calm: number } | undefined;
  /** Of steps that are not told yet. */
  let stepped = nanos(0n);
  /** Comparisons until a step may be told. */
  let quiet = 0;

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
    if (readAgainst() - base.against < interval && readClock() - base.clock < interval) return;
    const pair = readPair();
    const before = base;
    base = pair;
    const byClock = pair.clock - before.clock;
    const byAgainst = pair.against - before.against;
    const offset = nanos(byClock - byAgainst);
    const stands = byClock * STANDS < byAgainst ? clock : byAgainst * STANDS < byClock ? against : undefined;
    if (stands) {
      suspicion = undefined;
      begin('stopped', stands.name, before, offset, rateOf(offset, byAgainst > byClock ? byAgainst : byClock));
    } else compare(before, offset, byAgainst);
    if (quiet > 0) quiet--;
    if (stepped !== 0n && quiet === 0) {
      onVerdict({ verdict: 'step', which: clock.name, offset: stepped, ratePpb: rateOf(stepped, interval) });
      stepped = nanos(0n);
      quiet = second;
    }
  }

  function compare(before: Pair, offset: Nanos, byAgainst: bigint): void {
    // A midpoint is wrong by half of its width at most.
    const uncertain = (base.width + before.width) / 2n + clock.resolution + against.resolution;
    const size: bigint = offset;
    const beyond = (size < 0n ? -size : size) - uncertain;
    const isBeyond = beyond > 0n && Number(beyond) * 1e6 > limitPpm * Number(byAgainst);
    const ratePpb = rateOf(offset, byAgainst);
    if (!isBeyond && fault && ++fault.calm >= second) end();
    if (isBeyond && fault) fault.calm = 0;
    if (fault?.verdict === 'drift') return;
    const suspected = suspicion;
    suspicion = isBeyond ? { offset, ratePpb } : undefined;
    if (!suspected) return;
    // That the limit was passed is known: this interval tells whether the rate goes on, or nothing more was gained. The fault may have begun
    // at the end of the first one, so that its rate is the smaller one.
    if (ratePpb / suspected.ratePpb > 0.5) begin('drift', clock.name, before, offset, ratePpb);
    // What a clock that stood has lost is told already.
    else if (!fault) stepped = nanos(stepped + suspected.offset);
  }

  function begin(verdict: 'drift' | 'stopped', which: ClockName, since: Pair, offset: Nanos, ratePpb: number): void {
    if (fault?.verdict === verdict && fault.which === which) {
      fault.calm = 0;
      return;
    }
    fault = { verdict, which, since, calm: 0 };
    suspicion = undefined;
    onVerdict({ verdict, which, offset, ratePpb });
  }

  function end(): void {
    const { which, since } = fault!;
    fault = undefined;
    const byClock = base.clock - since.clock;
    const byAgainst = base.against - since.against;
    const offset = nanos(byClock - byAgainst);
    onVerdict({ verdict: 'agree', which, offset, ratePpb: rateOf(offset, byAgainst > byClock ? byAgainst : byClock) });
  }

  return { interval, look };
}

const rateOf = (offset: Nanos, elapsed: bigint): number => (Number(offset) * Number(NANOS_PER_SECOND)) / Number(elapsed);
