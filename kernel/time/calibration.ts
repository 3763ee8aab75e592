/**
 * Measures one counter's frequency against another's. Never one shot: readings all over a span give one line by least
 * squares, so that a tick of the coarser counter weighs next to nothing; the segments of the span tell how far
 * to trust it; readings that something held up are left out.
 */
import { frequency, type Frequency } from './frequency.ts';
import type { AccessStamps } from './stamps.ts';

/** A counter that counts up and wraps from 2^width - 1 to 0. `read` ends with the access to the device. */
export interface Counter {
  readonly name: string;
  readonly width: number;
  read(): bigint;
}

export interface ReferenceCounter extends Counter {
  readonly frequency: Frequency;
}

const SPAN_SECONDS = 0.1;
/** Of a tick of the coarser counter: readings meet its phases not as evenly as chance would, and their mean is no better known than this. */
const TICK_KNOWN = 0.1;
const SEGMENTS = 5;
/** Readings before the span, which tell how quick an access can be. */
const FIRST_READINGS = 50;
/** Readings whose access took more than this many times the quickest one's ticks were held up by something. */
const HELD_UP = 2;
/** Readings of a counter that does not move before it is given up. */
const STUCK_READS = 20_000;

/** A line through points by least squares, point by point. Means that are carried along keep the sums small, and so exact. */
interface Line {
  count: number;
  meanX: number;
  meanY: number;
  xx: number;
  xy: number;
}

const emptyLine = (): Line => ({ count: 0, meanX: 0, meanY: 0, xx: 0, xy: 0 });

function addPoint(line: Line, x: number, y: number): void {
  line.count++;
  const dx = x - line.meanX;
  line.meanX += dx / line.count;
  line.meanY += (y - line.meanY) / line.count;
  line.xx += dx * (x - line.meanX);
  line.xy += dx * (y - line.meanY);
}

/** NaN for fewer than two points: it has none. */
const slope = ({ xx, xy }: Line): number => xy / xx;

interface Ratio {
  /** Ticks of the TSC per tick of the counter. */
  readonly value: number;
  /** Relative. */
  readonly uncertainty: number;
}

/** The TSC's frequency. @returns undefined if one of the two stands, if only for a while, or no reading was undisturbed */
export function measureTsc(stamps: AccessStamps, reference: ReferenceCounter): Frequency | undefined {
  const hz = Number(reference.frequency.numerator) / Number(reference.frequency.denominator);
  const ratio = measureRatio(stamps, reference, (counter) => counter / (hz * SPAN_SECONDS));
  if (!ratio) return undefined;
  const least = TICK_KNOWN / (hz * SPAN_SECONDS);
  const uncertainty = ratio.uncertainty > least ? ratio.uncertainty : least;
  return measured(ratio.value * hz, { ...ratio, uncertainty }, 'tsc', reference.name);
}

/** A counter's frequency by a TSC whose own is known. @returns undefined as measureTsc */
export function measureByTsc(stamps: AccessStamps, counter: Counter, tscFrequency: Frequency): Frequency | undefined {
  const hz = Number(tscFrequency.numerator) / Number(tscFrequency.denominator);
  const ratio = measureRatio(stamps, counter, (_, tsc) => tsc / (hz * SPAN_SECONDS));
  if (!ratio) return undefined;
  // It can't be known better than what it was measured by.
  return measured(hz / ratio.value, { ...ratio, uncertainty: ratio.uncertainty + tscFrequency.uncertaintyPpb / 1e9 }, counter.name, 'tsc');
}

/** @returns undefined for less than a hertz, which is none */
function measured(hz: number, { uncertainty }: Ratio, name: string, against: string): Frequency | undefined {
  if (hz < 1 || !Number.isFinite(hz)) return undefined;
  const rounded = roundest(hz, hz * uncertainty);
  const moved = Math.abs(rounded - hz) / hz;
  return frequency(BigInt(rounded), 1n, 'measured', `${name} against ${against}`, Math.ceil((uncertainty + moved) * 1e9));
}

/** The roundest whole number within `distance` of `value`: as good as any there, oscillators have round ones, and it converts quicker. */
function roundest(value: number, distance: number): number {
  for (let unit = 1e9; unit > 1; unit /= 10) {
    const rounded = Math.round(value / unit) * unit;
    if (rounded > 0 && Math.abs(rounded - value) <= distance) return rounded;
  }
  return Math.round(value);
}

/** @param progress how much of the span has passed, 0 to 1, from ticks of the counter or of the TSC since the first reading */
function measureRatio(
  { accessTsc, accessTicks }: AccessStamps,
  { width, read }: Counter,
  progress: (counter: number, tsc: number) => number,
): Ratio | undefined {
  let quickest = Infinity;
  for (let reading = 0; reading < FIRST_READINGS; reading++) {
    read();
    quickest = Math.min(quickest, accessTicks());
  }
  const limit = quickest * HELD_UP;

  const whole = emptyLine();
  const segments = Array.from({ length: SEGMENTS }, emptyLine);
  let last = read();
  const origin = accessTsc();
  let elapsed = 0n;
  let stuck = 0;
  let pause = 0;
  for (;;) {
    // Readings on one beat would meet the counter's ticks at phases that creep: an error that does not average out.
    pause = (pause * 5 + 3) % 16;
    for (let wait = pause; wait > 0; wait--);
    const now = read();
    const tsc = Number(accessTsc() - origin);
    const step = BigInt.asUintN(width, now - last);
    last = now;
    elapsed += step;
    stuck = step === 0n ? stuck + 1 : 0;
    if (stuck > STUCK_READS) return undefined;
    const counter = Number(elapsed);
    const passed = progress(counter, tsc);
    if (passed >= 1) break;
    if (accessTicks() > limit) continue;
    addPoint(whole, counter, tsc);
    addPoint(segments[Math.floor(passed * SEGMENTS)]!, counter, tsc);
  }

  const value = slope(whole);
  let least = Infinity;
  let most = -Infinity;
  for (const segment of segments) {
    // A segment of which everything was held up has no slope, and says nothing.
    const own = slope(segment);
    if (own < least) least = own;
    if (own > most) most = own;
  }
  // Of a TSC that stands in a segment, or goes back.
  if (!(most >= least) || least <= 0 || Number.isNaN(value)) return undefined;
  // The whole span's line is that much more certain than a segment's: the error of a slope goes with the length to the power of
  // -3/2. The spread of five is about two standard deviations; three on each side is what is told.
  return { value, uncertainty: ((most - least) * 1.5) / SEGMENTS ** 1.5 / value };
}
