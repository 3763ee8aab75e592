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

export const nanos = (value: bigint): Nanos => value as Nanos;
export const instant = (value: bigint): Instant => value as Instant;
export const ticks = (value: bigint): Ticks => value as Ticks;

export const NANOS_PER_SECOND = 1_000_000_000n;
export const micros = (value: number): Nanos => nanos(BigInt(value) * 1_000n);
export const millis = (value: number): Nanos => nanos(BigInt(value) * 1_000_000n);
