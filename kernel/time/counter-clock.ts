/** A clock over a free-running counter: HPET main counter, TSC, PM timer. */
import type { ReferenceCounter } from './calibration.ts';
import { createTickScale } from './frequency.ts';
import type { ClockName, HwClock } from './hw-clock.ts';
import { instant, nanos, NANOS_PER_SECOND, ticks, type Instant } from './units.ts';

/** A step of 2^31 ticks (21 s at 100 MHz) and more is read again: the halves of a torn reading do not meet twice. */
const SUSPICIOUS_BITS = 31n;
/** A reach beyond a century is as good as none. */
const FOREVER = nanos(1n << 62n);

/**
 * @param epoch what the clock shows now
 * @param accessTsc TSC of the last access to a device, right after a reading of the counter; not given if the counter is the TSC
 */
export function createCounterClock(name: ClockName, counter: ReferenceCounter, epoch: Instant, accessTsc?: () => bigint): HwClock {
  const { frequency, width, read } = counter;
  const stamp = accessTsc ?? (() => last);
  const toNanos = createTickScale(frequency);
  const wrap = ((NANOS_PER_SECOND * frequency.denominator) << BigInt(width)) / frequency.numerator;
  /** Of a tick, if they are whole: the engine is spared a call. */
  const wholeNanos =
    (NANOS_PER_SECOND * frequency.denominator) % frequency.numerator === 0n
      ? (NANOS_PER_SECOND * frequency.denominator) / frequency.numerator
      : undefined;
  const start = read();
  let last = start;
  let reading = accessTsc?.() ?? start;
  let elapsed = 0n;

  /** Modulo the width: a wrap is a step like any other, and no step is negative. */
  function readNarrow(): Instant {
    const value = read();
    elapsed += BigInt.asUintN(width, value - last);
    last = value;
    reading = stamp();
    return instant(epoch + toNanos(ticks(elapsed)));
  }

  // A counter of 64 bits wraps in centuries. What seems to go back, or far ahead, is read again, and never believed backwards. One
  // test for both: a shift rounds down, so that only steps from 0 to 2^31 - 1 leave 0.
  function readAgain(): bigint {
    const value = read();
    return value < last ? last : value;
  }
  function readWide(): Instant {
    let value = read();
    if ((value - last) >> SUSPICIOUS_BITS !== 0n) value = readAgain();
    last = value;
    reading = stamp();
    return instant(epoch + toNanos(ticks(value - start)));
  }
  /** The same where a tick is a whole number of nanoseconds: the engine is spared a call. */
  const wholeOffset = wholeNanos === undefined ? 0n : epoch - start * wholeNanos;
  function readWideWhole(): Instant {
    let value = read();
    if ((value - last) >> SUSPICIOUS_BITS !== 0n) value = readAgain();
    last = value;
    reading = stamp();
    return instant(value * wholeNanos! + wholeOffset);
  }
  /** The same where a tick is a nanosecond: the engine is spared a call. Such a counter is the TSC, which is read at one stroke. */
  const offset = epoch - start;
  function readWideNanos(): Instant {
    const value = read();
    if (value > last) reading = last = value;
    return instant(last + offset);
  }
  const isNanos = name === 'tsc' && frequency.numerator === NANOS_PER_SECOND * frequency.denominator;

  return {
    name,
    frequency,
    width,
    resolution: nanos((NANOS_PER_SECOND * frequency.denominator + frequency.numerator - 1n) / frequency.numerator),
    reach: wrap < FOREVER ? nanos(wrap) : FOREVER,
    readingTsc: () => reading,
    now: width < 64 ? readNarrow : isNanos ? readWideNanos : wholeNanos === undefined ? readWide : readWideWhole,
  };
}
