/**
 * Units of time, each a type of its own: adding ticks to nanoseconds does not compile. All are
 * bigints, so nothing rounds unless a conversion says so.
 */
declare const unit: unique symbol;
type Branded<Name extends string> = bigint & { readonly [unit]: Name };

/** A duration in nanoseconds. */
export type Nanos = Branded<'ns'>;
/** A point in time: nanoseconds since boot. */
export type Instant = Branded<'instant'>;
/** A number of ticks of one counter. */
export type Ticks = Branded<'ticks'>;

// Declared as functions that return their argument, which the bundler (tools/build/bundle.ts) then leaves out.
export function nanos(value: bigint): Nanos {
  return value as Nanos;
}
export function instant(value: bigint): Instant {
  return value as Instant;
}
export function ticks(value: bigint): Ticks {
  return value as Ticks;
}

export const NANOS_PER_SECOND = 1_000_000_000n;
export const micros = (value: number): Nanos => nanos(BigInt(value) * 1_000n);
export const millis = (value: number): Nanos => nanos(BigInt(value) * 1_000_000n);
