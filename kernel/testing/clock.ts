/** Time of a fake machine: moves only when something takes time. In picoseconds, so that ticks of every counter are whole. */
export interface FakeClock {
  /** Picoseconds since the start. */
  now(): bigint;
  pass(picoseconds: bigint): void;
  /** Moves to a moment that is not yet past. */
  passUntil(picoseconds: bigint): void;
  /** Whole ticks of a counter that runs since the start. */
  ticks(hz: bigint): bigint;
}

export const PICOSECONDS_PER_SECOND = 1_000_000_000_000n;
export const PICOSECONDS_PER_NANO = 1_000n;

export function createFakeClock(start = 0n): FakeClock {
  let now = start;
  return {
    now: () => now,
    pass: (picoseconds) => {
      now += picoseconds;
    },
    passUntil: (picoseconds) => {
      if (picoseconds < now) throw new RangeError(`the fake clock stands at ${now} ps and can't go back to ${picoseconds} ps`);
      now = picoseconds;
    },
    ticks: (hz) => (now * hz) / PICOSECONDS_PER_SECOND,
  };
}
