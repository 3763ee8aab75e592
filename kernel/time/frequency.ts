import { NANOS_PER_SECOND, nanos, ticks, type Nanos, type Ticks } from './units.ts';

/** How a frequency is known: told by the hardware, fixed by the platform's definition, or measured here. */
export type Provenance = 'enumerated' | 'architectural' | 'measured';

/** A counter's frequency, exactly: `numerator / denominator` hertz. */
export interface Frequency {
  readonly numerator: bigint;
  readonly denominator: bigint;
  readonly provenance: Provenance;
  /** Where from: a register, a document, or the counter it was measured against. */
  readonly source: string;
  /** Of a measured one: about three standard deviations, in parts per billion. 0 otherwise. */
  readonly uncertaintyPpb: number;
}

/** @throws RangeError unless both parts are positive */
export function frequency(numerator: bigint, denominator: bigint, provenance: Provenance, source: string, uncertaintyPpb = 0): Frequency {
  if (numerator <= 0n || denominator <= 0n) throw new RangeError(`frequency ${numerator}/${denominator} Hz from ${source} is not positive`);
  return { numerator, denominator, provenance, source, uncertaintyPpb };
}

/** Rounded to the nearest hertz. */
export const hertz = (f: Frequency): bigint => (f.numerator * 2n + f.denominator) / (f.denominator * 2n);

/** Rounded down: an elapsed time is never overstated. Any range. */
export const ticksToNanos = (f: Frequency, count: Ticks): Nanos =>
  nanos(floorDivide(count * f.denominator * NANOS_PER_SECOND, f.numerator));

/**
 * ticksToNanos for one frequency, prepared: quotient and remainder by the reduced fraction, so that numbers stay below
 * 2^63 for centuries and the engine needs no memory for them.
 */
export function createTickScale(f: Frequency): (count: Ticks) => Nanos {
  const divisor = greatestCommonDivisor(f.denominator * NANOS_PER_SECOND, f.numerator);
  const multiply = (f.denominator * NANOS_PER_SECOND) / divisor;
  const divide = f.numerator / divisor;
  if (divide === 1n) return (count) => nanos(count * multiply);
  // Truncation is rounding down as long as counts are not negative.
  return (count) => nanos((count / divide) * multiply + ((count % divide) * multiply) / divide);
}

/** Ticks per nanosecond as a reduced fraction. */
export function reducedPerNano(f: Frequency): { readonly multiply: bigint; readonly divide: bigint } {
  const divisor = greatestCommonDivisor(f.numerator, f.denominator * NANOS_PER_SECOND);
  return { multiply: f.numerator / divisor, divide: (f.denominator * NANOS_PER_SECOND) / divisor };
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

/** Rounded up: waiting this many ticks is never too short. Any range. */
export const nanosToTicks = (f: Frequency, duration: Nanos): Ticks =>
  ticks(-floorDivide(-(duration * f.numerator), f.denominator * NANOS_PER_SECOND));

/** `count` ticks of one counter in ticks of another, rounded to the nearest. */
export function convertTicks(count: Ticks, from: Frequency, to: Frequency): Ticks {
  const numerator = count * from.denominator * to.numerator;
  const denominator = from.numerator * to.denominator;
  return ticks(floorDivide(numerator * 2n + denominator, denominator * 2n));
}

/** Bigint division truncates; time before an epoch is negative, and has to round the same way as time after it. */
function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}
