/** The partition's clocks, read from the time page without leaving the partition. */
import { TIME_PAGE } from '../../kernel/partition/abi.ts';
import { instant, nanos, type Instant, type Nanos } from '../../kernel/time/units.ts';

export interface PartitionTime {
  /** HW clock: nanoseconds since the epoch, the start of the first major frame. It goes on while others run. */
  now(): Instant;
  /** The TSC's value when the HW clock shows an instant: the first tick that is not before it. Holds within the running slot; for spinUntil. */
  tscAt(at: Instant): bigint;
  /** EXEC clock: nanoseconds that the partition has run. It stands while others run, and while the partition idles. */
  executed(): Nanos;
  /** Nanoseconds since 1970-01-01 00:00 UTC. May step when the hypervisor's own does; for timers use the others. */
  wall(): bigint;
  /** Nominal instants of the running slot, on the HW clock. */
  slotStart(): Instant;
  slotEnd(): Instant;
  /** Index of the running slot in the plan, and of the plan. */
  slot(): number;
  plan(): number;
  /** Major frames since the epoch. */
  frame(): number;
  /** How often this partition was reset. */
  resets(): number;
  /** How often timer `index` has expired, modulo 2^32; periods that fell outside of the slots are counted. */
  timerCount(index: number): number;
}

const LOW_HALF = 0xffff_ffffn;

/**
 * @param page the time page
 * @param rdtsc the time-stamp counter as the partition sees it
 */
export function createTime(page: ArrayBuffer, rdtsc: () => bigint): PartitionTime {
  const words = new Uint32Array(page);
  const longs = new BigInt64Array(page);
  const word = (offset: number): number => words[offset / 4]!;
  const long = (offset: number): bigint => longs[offset / 8]!;

  // The page changes only while the partition does not run, and its sequence number with it: what was read under one number
  // holds while the number stands. 1 is odd, and so never the number of a page that can be read.
  let sequence = 1;
  let tscBase = 0n;
  let hwBase = 0n;
  let execBase = 0n;
  let hwMultiplier = 0n;
  let execMultiplier = 0n;
  let shift = 0n;
  let wallOffset = 0n;

  function load(): void {
    do {
      do sequence = words[0]!;
      while ((sequence & 1) !== 0);
      tscBase = long(TIME_PAGE.TSC_BASE);
      hwBase = long(TIME_PAGE.HW_BASE);
      execBase = long(TIME_PAGE.EXEC_BASE);
      hwMultiplier = long(TIME_PAGE.HW_MULTIPLIER) & LOW_HALF;
      execMultiplier = (long(TIME_PAGE.HW_MULTIPLIER) >> 32n) & LOW_HALF;
      shift = long(TIME_PAGE.SHIFT) & LOW_HALF;
      wallOffset = long(TIME_PAGE.WALL_OFFSET);
    } while (words[0] !== sequence);
  }

  function now(): Instant {
    for (;;) {
      if (words[0] !== sequence) load();
      const elapsed = rdtsc() - tscBase;
      // A switch before RDTSC would have made it another stretch's.
      if (words[0] === sequence) return instant(hwBase + ((elapsed * hwMultiplier) >> shift));
    }
  }

  /** Of fields that change together with the sequence number. */
  const stable = <Value>(read: () => Value): Value => {
    for (;;) {
      if (words[0] !== sequence) load();
      const value = read();
      if (words[0] === sequence) return value;
    }
  };

  return {
    now,
    tscAt: (at) =>
      stable(() => {
        if (hwMultiplier === 0n) throw new RangeError('time.tscAt: the clock is frozen: it will never show that');
        // Rounded up: floor(ticks * multiplier / 2^shift) >= ns.
        return tscBase + (((at - hwBase) << shift) + hwMultiplier - 1n) / hwMultiplier;
      }),
    executed: () => {
      for (;;) {
        if (words[0] !== sequence) load();
        const elapsed = rdtsc() - tscBase;
        if (words[0] === sequence) return nanos(execBase + ((elapsed * execMultiplier) >> shift));
      }
    },
    // now() leaves the offset that was read with the bases it used.
    wall: () => now() + wallOffset,
    slotStart: () => stable(() => instant(long(TIME_PAGE.SLOT_START))),
    slotEnd: () => stable(() => instant(long(TIME_PAGE.SLOT_END))),
    slot: () => word(TIME_PAGE.SLOT),
    plan: () => word(TIME_PAGE.PLAN),
    frame: () => word(TIME_PAGE.FRAME),
    resets: () => word(TIME_PAGE.RESETS),
    timerCount: (index) => words[TIME_PAGE.TIMER_COUNTS / 4 + index]!,
  };
}
