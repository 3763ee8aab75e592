/**
 * Measures one counter's frequency against another's. Never one shot: readings all over a span give one line by least
 * squares, so that a tick of the coarser counter weighs next to nothing; the segments of the span tell how far
 * to trust it; readings that something held up are left out.
 */
import type { Shims } from '../hw/shims.ts';
import { frequency, type Frequency } from './frequency.ts';

/** A counter that counts up and wraps from 2^width - 1 to 0. `read` ends with the access to the device. */
export interface Counter {
  readonly name: string;
  readonly width: number;
  read(): bigint;
}

export interface ReferenceCounter extends Counter {
  readonly frequency: Frequency;
}

type Stamps = Pick<Shims, 'accessTsc' | 'accessTicks'>;

const SPAN_SECONDS = 0.1;
const SEGMENTS = 5;
const READINGS = 60 * SEGMENTS;
/** Readings whose access took more than this many times the quickest one's ticks were held up by something. */
const HELD_UP = 2;
/** Readings of a counter that does not move before it is given up. */
const STUCK_READS = 20_000;

/** In ticks since the first reading. */
interface Readings {
  readonly counter: Float64Array;
  readonly tsc: Float64Array;
  readonly accessTicks: Float64Array;
}

interface Ratio {
  /** Ticks of the TSC per tick of the counter. */
  readonly value: number;
  /** Relative. */
  readonly uncertainty: number;
}

/** The TSC's frequency. @returns undefined if the reference does not move */
export function measureTsc(stamps: Stamps, reference: ReferenceCounter): Frequency | undefined {
  const hz = Number(reference.frequency.numerator) / Number(reference.frequency.denominator);
  const ratio = measureRatio(stamps, reference, (counter) => counter / (hz * SPAN_SECONDS));
  return ratio && measured(ratio.value * hz, ratio, 'tsc', reference.name);
}

/** A counter's frequency by a TSC whose own is known. @returns undefined if the counter does not move */
export function measureByTsc(stamps: Stamps, counter: Counter, tscFrequency: Frequency): Frequency | undefined {
  const hz = Number(tscFrequency.numerator) / Number(tscFrequency.denominator);
  const ratio = measureRatio(stamps, counter, (_, tsc) => tsc / (hz * SPAN_SECONDS));
  return ratio && measured(hz / ratio.value, ratio, counter.name, 'tsc');
}

function measured(hz: number, { uncertainty }: Ratio, name: string, against: string): Frequency {
  return frequency(BigInt(Math.round(hz)), 1n, 'measured', `${name} against ${against}`, Math.ceil(uncertainty * 1e9));
}

/** @param progress how much of the span has passed, 0 to 1, from ticks of the counter or of the TSC since the first reading */
function measureRatio(stamps: Stamps, counter: Counter, progress: (counter: number, tsc: number) => number): Ratio | undefined {
  const readings = takeReadings(stamps, counter, progress);
  if (!readings) return undefined;
  let quickest = Infinity;
  for (const taken of readings.accessTicks) if (taken < quickest) quickest = taken;
  const limit = quickest * HELD_UP;

  const value = slope(readings, 0, READINGS, limit);
  let least = Infinity;
  let most = -Infinity;
  for (let segment = 0; segment < SEGMENTS; segment++) {
    // A segment of which everything was held up has no slope, and says nothing.
    const own = slope(readings, (segment * READINGS) / SEGMENTS, ((segment + 1) * READINGS) / SEGMENTS, limit);
    if (own < least) least = own;
    if (own > most) most = own;
  }
  // The whole span's line is that much more certain than a segment's: the error of a slope goes with the length to the power of -3/2.
  return { value, uncertainty: (most - least) / 2 / SEGMENTS ** 1.5 / value };
}

function takeReadings(
  { accessTsc, accessTicks }: Stamps,
  { width, read }: Counter,
  progress: (counter: number, tsc: number) => number,
): Readings | undefined {
  const readings: Readings = {
    counter: new Float64Array(READINGS),
    tsc: new Float64Array(READINGS),
    accessTicks: new Float64Array(READINGS),
  };
  let last = read();
  const origin = accessTsc();
  let elapsed = 0n;
  let stuck = 0;
  for (let index = 0; index < READINGS;) {
    const now = read();
    const stamp = accessTsc();
    const taken = accessTicks();
    const step = BigInt.asUintN(width, now - last);
    stuck = step === 0n ? stuck + 1 : 0;
    if (stuck > STUCK_READS) return undefined;
    elapsed += step;
    last = now;
    const counter = Number(elapsed);
    const tsc = Number(stamp - origin);
    if (progress(counter, tsc) * (READINGS - 1) < index) continue;
    readings.counter[index] = counter;
    readings.tsc[index] = tsc;
    readings.accessTicks[index] = taken;
    index++;
  }
  return readings;
}

/** Ticks of the TSC per tick of the counter by least squares, over readings `from` to before `to`. NaN if fewer than two are left. */
function slope({ counter, tsc, accessTicks }: Readings, from: number, to: number, limit: number): number {
  let count = 0;
  let meanX = 0;
  let meanY = 0;
  let xx = 0;
  let xy = 0;
  for (let index = from; index < to; index++) {
    if (accessTicks[index]! > limit) continue;
    // Means that are carried along keep the sums small, and so exact.
    count++;
    const dx = counter[index]! - meanX;
    meanX += dx / count;
    meanY += (tsc[index]! - meanY) / count;
    xx += dx * (counter[index]! - meanX);
    xy += dx * (tsc[index]! - meanY);
  }
  return xy / xx;
}
