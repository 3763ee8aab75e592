/**
 * A clock over the PIT's counter 0 as rate generator: the periods that its interrupt has counted, and the counter's place in
 * the present one.
 *
 * The two are read one after the other, and the interrupt may not have been taken yet, or not even been requested: PRTOS's
 * clock goes back by a millisecond there. Here the place decides, and the counted periods are no more than a
 * lower bound: a reading is the first instant with that place which is neither before the last reading nor before the
 * last period known to be over.
 *
 * Its limit: an interrupt controller remembers one interrupt. If two periods pass without a reading and without an interrupt taken,
 * they are lost; the witness (TSC) sees it at the next interrupt, the clock makes up for it, and `onLost` tells.
 */
import type { HwClock } from './hw-clock.ts';
import { createTickScale, type Frequency } from './frequency.ts';
import { instant, nanos, NANOS_PER_SECOND, ticks, type Instant } from './units.ts';

export interface PitClockParts {
  readonly pit: {
    readonly frequency: Frequency;
    /** Starts counter 0 in mode 2. */
    armPeriodic(count: number): void;
    /** Counter 0, latched: from the reload value down to 1. */
    counter(): number;
  };
  /** Whether an interrupt of counter 0 is on its way: requested or taken, but `onTick` not called yet. */
  isRequested(): boolean;
  /** TSC of the counter's last reading. */
  accessTsc(): bigint;
  /** The witness. */
  readonly tscFrequency: Frequency;
  /** What the clock shows now. */
  readonly epoch: Instant;
  /** Interrupts that were lost, and whose periods the clock makes up for now. */
  onLost(count: number): void;
}

export interface PitClock extends HwClock {
  /** The interrupt of counter 0, by its stub's stamp. */
  onTick(taken: bigint): void;
  /** Interrupts lost so far. */
  lost(): number;
}

/** By which the witness may differ from the counter at an interrupt: a count that has begun, and one by which QEMU is late. */
const WITNESS_COUNTS = 2;
/** 1 ms, as PRTOS has it, and to the nearest count: 999.847 us. Nothing else depends on it being a millisecond. */
const PERIOD_PER_SECOND = 1000n;

export function createPitClock({ pit, isRequested, accessTsc, tscFrequency, epoch, onLost }: PitClockParts): PitClock {
  const { frequency } = pit;
  const { counter } = pit;
  const toNanos = createTickScale(frequency);
  const { numerator, denominator } = frequency;
  const reload = Number((numerator + (PERIOD_PER_SECOND * denominator) / 2n) / (PERIOD_PER_SECOND * denominator));
  const ticksPerTsc = (Number(numerator) * Number(tscFrequency.denominator)) / (Number(denominator) * Number(tscFrequency.numerator));
  const halfPeriodTsc = BigInt(Math.round(reload / ticksPerTsc / 2));

  // Counts since the start: below 2^53 for 239 years.
  let last = 0;
  /** Counts of the periods that are known to be over. */
  let over = 0;
  let reading = 0n;
  let lastTick = 0n;
  let lostInAll = 0;

  /** Counts since the start. */
  function read(): number {
    for (;;) {
      const wasRequested = isRequested();
      const count = counter();
      reading = accessTsc();
      // The data sheet has the interrupt rise with the reload, QEMU a clock later: a counter that has just reloaded tells nothing.
      if (count === reload) continue;
      // Requested meanwhile: the place may be the one before the reload. Asked in any case: from the reading on, all readings take equally
      // long, so that a timer can allow for it.
      const isNowRequested = isRequested();
      if (isNowRequested && !wasRequested) continue;
      const place = reload - count;
      const least = wasRequested ? over + reload : over;
      let now = last - (last % reload) + place;
      if (now < last) now += reload;
      if (now < least) now = least + place;
      last = now;
      return now;
    }
  }

  function onTick(taken: bigint): void {
    const lastReading = last;
    const lastReadingTsc = reading;
    // Right after another one, and no further period is over by the witness: delivered late, that period was made up for.
    const isLate =
      taken - lastTick < halfPeriodTsc && over + reload > lastReading + Number(taken - lastReadingTsc) * ticksPerTsc + WITNESS_COUNTS;
    if (!isLate) {
      lastTick = taken;
      over += reload;
    }
    const now = read();
    const expected = lastReading + Number(reading - lastReadingTsc) * ticksPerTsc;
    const missing = Math.round((expected - now) / reload);
    if (missing > 0) last = now + missing * reload;
    const begun = last - (last % reload);
    // Interrupts that no one took while the counter was read often enough are lost too, though no time is. One may still come.
    const counted = isRequested() ? begun - reload : begun;
    const lost = Math.round((counted - over) / reload);
    if (lost > 0) {
      over = counted;
      lostInAll += lost;
      onLost(lost);
    }
  }

  pit.armPeriodic(reload);
  reading = accessTsc();
  lastTick = reading - halfPeriodTsc;
  return {
    name: 'pit',
    frequency,
    width: 16,
    resolution: nanos((NANOS_PER_SECOND * denominator + numerator - 1n) / numerator),
    reach: toNanos(ticks(BigInt(reload))),
    readingTsc: () => reading,
    now: () => {
      const now = read();
      return instant(epoch + toNanos(ticks(BigInt(now))));
    },
    onTick,
    lost: () => lostInAll,
  };
}
