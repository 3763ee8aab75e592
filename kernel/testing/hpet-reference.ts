/**
 * A slow and obvious HPET: a counter that is incremented tick by tick, and compared with each comparator each time. No start instants, no
 * deadlines. Only what property tests compare is here: accesses of 32 and 64 bits, three timers of 64 bits, no FSB delivery.
 */
import { GEN_CONF, HPET, TIMER, TN_CONF } from '../regs/ia-pc-hpet.ts';

interface Timer {
  configuration: number;
  comparator: bigint;
  period: bigint;
}

export interface HpetReference {
  /** Lets nanoseconds pass. */
  pass(nanos: bigint): void;
  read(offset: number): bigint;
  write(offset: number, value: bigint, mask: bigint): void;
  /** Edges since the last call, `line@nanosecond`. */
  takeEdges(): string[];
  /** Lines that are high. */
  levels(): string;
}

export function createHpetReference(periodFs: number, routes: number): HpetReference {
  let now = 0n;
  let general = 0;
  let status = 0;
  let counter = 0n;
  /** When the counter was started, and how often it has been incremented since. */
  let startedAt = 0n;
  let increments = 0n;
  let edges: string[] = [];
  const timers: Timer[] = [0, 1, 2].map(() => ({ configuration: 0, comparator: 2n ** 64n - 1n, period: 0n }));

  const has = (timer: Timer, bit: number): boolean => (timer.configuration & bit) !== 0;
  const width = (timer: Timer): number => (has(timer, TN_CONF.B32MODE_CNF) ? 32 : 64);
  const isRunning = (): boolean => (general & GEN_CONF.ENABLE_CNF) !== 0;

  function line(number: number): number | undefined {
    if ((general & GEN_CONF.LEG_RT_CNF) !== 0 && number < 2) return number * 8;
    const route = (timers[number]!.configuration >>> 9) & 31;
    return ((routes >>> route) & 1) !== 0 ? route : undefined;
  }

  function match(number: number): void {
    const timer = timers[number]!;
    if (BigInt.asUintN(width(timer), counter) !== timer.comparator) return;
    if (has(timer, TN_CONF.TYPE_CNF)) timer.comparator = BigInt.asUintN(width(timer), timer.comparator + timer.period);
    if (has(timer, TN_CONF.INT_TYPE_CNF)) status |= 1 << number;
    else if (has(timer, TN_CONF.INT_ENB_CNF) && line(number) !== undefined) edges.push(`${line(number)}@${now}`);
  }

  return {
    pass: (nanos) => {
      const end = now + nanos;
      for (; isRunning(); increments++) {
        // The instant of the next increment, rounded up to a whole nanosecond.
        const next = startedAt + ((increments + 1n) * BigInt(periodFs) + 999_999n) / 1_000_000n;
        if (next > end) break;
        now = next;
        counter = BigInt.asUintN(64, counter + 1n);
        timers.forEach((_, number) => match(number));
      }
      now = end;
    },
    read: (offset) => {
      if (offset === HPET.GEN_CONF) return BigInt(general);
      if (offset === HPET.GINTR_STA) return BigInt(status);
      if (offset === HPET.MAIN_CNT) return counter;
      const timer = timers[(offset - HPET.TIMER_0) >> 5]!;
      if (offset % 32 === TIMER.COMPARATOR) return timer.comparator;
      return (BigInt(routes) << 32n) | BigInt(timer.configuration | TN_CONF.PER_INT_CAP | TN_CONF.SIZE_CAP);
    },
    write: (offset, value, mask) => {
      const merge = (old: bigint): bigint => (old & ~mask) | (value & mask);
      const low = Number(value & 0xffff_ffffn);
      const isLow = (mask & 0xffff_ffffn) !== 0n;
      if (offset === HPET.GEN_CONF && isLow) {
        const wasRunning = isRunning();
        general = low & 3;
        if (isRunning() && !wasRunning) {
          startedAt = now;
          increments = 0n;
          timers.forEach((_, number) => match(number));
        }
      } else if (offset === HPET.GINTR_STA && isLow) status &= ~low;
      else if (offset === HPET.MAIN_CNT) {
        counter = merge(counter);
        if (isRunning()) timers.forEach((_, number) => match(number));
      } else if (offset >= HPET.TIMER_0) {
        const number = (offset - HPET.TIMER_0) >> 5;
        const timer = timers[number]!;
        if (offset % 32 === TIMER.CONF && isLow) {
          let after = low & 0x3f4e;
          if (((routes >>> ((after >>> 9) & 31)) & 1) === 0) after = (after & ~0x3e00) | (timer.configuration & 0x3e00);
          if ((after & TN_CONF.TYPE_CNF) === 0) after &= ~TN_CONF.VAL_SET_CNF;
          timer.configuration = after;
          if (!has(timer, TN_CONF.INT_TYPE_CNF)) status &= ~(1 << number);
          timer.comparator = BigInt.asUintN(width(timer), timer.comparator);
          timer.period = BigInt.asUintN(width(timer), timer.period);
        } else if (offset % 32 === TIMER.COMPARATOR && (width(timer) === 64 || isLow)) {
          const isPeriodic = has(timer, TN_CONF.TYPE_CNF);
          const setsComparator = !isPeriodic || has(timer, TN_CONF.VAL_SET_CNF);
          if (setsComparator) timer.comparator = BigInt.asUintN(width(timer), merge(timer.comparator));
          if (isPeriodic) timer.period = BigInt.asUintN(width(timer), merge(timer.period));
          timer.configuration &= ~TN_CONF.VAL_SET_CNF;
          if (setsComparator && isRunning()) match(number);
        }
      }
    },
    takeEdges: () => {
      const seen = edges;
      edges = [];
      return seen;
    },
    levels: () => {
      const high = new Set<number>();
      timers.forEach((timer, number) => {
        const bits = TN_CONF.INT_TYPE_CNF | TN_CONF.INT_ENB_CNF;
        const own = line(number);
        if ((status & (1 << number)) !== 0 && (timer.configuration & bits) === bits && own !== undefined) high.add(own);
      });
      return [...high].sort((a, b) => a - b).join(' ');
    },
  };
}
