/** The time page: what a partition reads of its clocks without asking (abi.ts, TIME_PAGE). */
import { ABI_VERSION, TIME_PAGE, TIMERS_MAX } from './abi.ts';

export interface TimePage {
  /** Words of the page that count expiries. */
  readonly counts: Int32Array;
  /** The slot that begins, before the partition is entered, and the clocks at its start. */
  beginSlot(tsc: bigint, hw: bigint, exec: bigint, hwEnd: bigint, slot: number, plan: number, frame: number): void;
  /** Both clocks at a value of the guest's TSC, from which they run on. */
  setClocks(tsc: bigint, hw: bigint, exec: bigint): void;
  /** EXEC_BASE alone: the clock ran on from another moment, by the same TSC_BASE. */
  setExec(exec: bigint): void;
  setFrozen(isFrozen: boolean): void;
  setWallOffset(offset: bigint): void;
  setResets(count: number): void;
}

const SHIFT = 31;

/**
 * @param memory the page
 * @param nanosPerTick of the TSC, as a fraction
 * @throws RangeError if the TSC is slower than 500 MHz: a tick has to be less than two nanoseconds
 */
export function createTimePage(
  memory: ArrayBuffer,
  partition: number,
  nanosPerTick: { readonly numerator: bigint; readonly denominator: bigint },
): TimePage {
  const words = new Int32Array(memory, 0, TIME_PAGE.LENGTH / 4);
  const quads = new BigInt64Array(memory, 0, TIME_PAGE.LENGTH / 8);
  const multiplier = (nanosPerTick.numerator << BigInt(SHIFT)) / nanosPerTick.denominator;
  if (multiplier > 0xffff_ffffn) throw new RangeError('time page: a TSC below 500 MHz is too slow for it');
  const word = Number(BigInt.asIntN(32, multiplier));
  const SEQUENCE = TIME_PAGE.SEQUENCE >> 2;
  const TSC_BASE = TIME_PAGE.TSC_BASE >> 3;
  const HW_BASE = TIME_PAGE.HW_BASE >> 3;
  const EXEC_BASE = TIME_PAGE.EXEC_BASE >> 3;
  const SLOT_START = TIME_PAGE.SLOT_START >> 3;
  const SLOT_END = TIME_PAGE.SLOT_END >> 3;
  const SLOT = TIME_PAGE.SLOT >> 2;
  const PLAN = TIME_PAGE.PLAN >> 2;
  const FRAME = TIME_PAGE.FRAME >> 2;
  let sequence = 0;
  words[TIME_PAGE.VERSION >> 2] = ABI_VERSION;
  words[TIME_PAGE.PARTITION >> 2] = partition;
  words[TIME_PAGE.SHIFT >> 2] = SHIFT;
  words[TIME_PAGE.HW_MULTIPLIER >> 2] = word;
  words[TIME_PAGE.EXEC_MULTIPLIER >> 2] = word;

  return {
    counts: new Int32Array(memory, TIME_PAGE.TIMER_COUNTS, TIMERS_MAX),
    beginSlot: (tsc, hw, exec, hwEnd, slot, plan, frame) => {
      words[SEQUENCE] = sequence + 1;
      quads[TSC_BASE] = tsc;
      quads[HW_BASE] = hw;
      quads[EXEC_BASE] = exec;
      quads[SLOT_START] = hw;
      quads[SLOT_END] = hwEnd;
      words[SLOT] = slot;
      words[PLAN] = plan;
      words[FRAME] = frame;
      sequence = (sequence + 2) | 0;
      words[SEQUENCE] = sequence;
    },
    setClocks: (tsc, hw, exec) => {
      words[SEQUENCE] = sequence + 1;
      quads[TSC_BASE] = tsc;
      quads[HW_BASE] = hw;
      quads[EXEC_BASE] = exec;
      sequence = (sequence + 2) | 0;
      words[SEQUENCE] = sequence;
    },
    setExec: (exec) => {
      words[SEQUENCE] = sequence + 1;
      quads[EXEC_BASE] = exec;
      sequence = (sequence + 2) | 0;
      words[SEQUENCE] = sequence;
    },
    setFrozen: (isFrozen) => {
      words[SEQUENCE] = sequence + 1;
      words[TIME_PAGE.HW_MULTIPLIER >> 2] = isFrozen ? 0 : word;
      sequence = (sequence + 2) | 0;
      words[SEQUENCE] = sequence;
    },
    setWallOffset: (offset) => {
      quads[TIME_PAGE.WALL_OFFSET >> 3] = offset;
    },
    setResets: (count) => {
      words[TIME_PAGE.RESETS >> 2] = count;
    },
  };
}
