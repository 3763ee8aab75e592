import { describe, expect, it } from 'vitest';
import { createRandom } from '../testing/random.ts';
import { ABI_VERSION, TIME_PAGE, TIMERS_MAX } from './abi.ts';
import { createTimePage } from './time-page.ts';

const GIGAHERTZ = { numerator: 1n, denominator: 1n };

function create(nanosPerTick = GIGAHERTZ, partition = 2) {
  const memory = new ArrayBuffer(4096);
  const view = new DataView(memory);
  const page = createTimePage(memory, partition, nanosPerTick);
  const word = (offset: number): number => view.getUint32(offset, true);
  const quad = (offset: number): bigint => view.getBigInt64(offset, true);
  /** The formula of abi.ts, in as many bits as it takes. */
  const read = (base: number, multiplier: number, tsc: bigint): bigint =>
    quad(base) + (((tsc - quad(TIME_PAGE.TSC_BASE)) * BigInt(word(multiplier))) >> BigInt(word(TIME_PAGE.SHIFT)));
  return {
    page,
    memory,
    word,
    quad,
    hw: (tsc: bigint) => read(TIME_PAGE.HW_BASE, TIME_PAGE.HW_MULTIPLIER, tsc),
    exec: (tsc: bigint) => read(TIME_PAGE.EXEC_BASE, TIME_PAGE.EXEC_MULTIPLIER, tsc),
  };
}

describe('the time page', () => {
  it('says what it is from the start', () => {
    const { word } = create(GIGAHERTZ, 7);
    expect([word(TIME_PAGE.VERSION), word(TIME_PAGE.PARTITION), word(TIME_PAGE.SEQUENCE)]).toEqual([ABI_VERSION, 7, 0]);
  });

  it("says of a slot when it began and when it ends, which one of which plan's it is, and in which frame", () => {
    const { page, word, quad } = create();
    page.beginSlot(5_000n, 1_000n, 300n, 2_000n, 4, 1, 77);
    expect([TIME_PAGE.TSC_BASE, TIME_PAGE.HW_BASE, TIME_PAGE.EXEC_BASE, TIME_PAGE.SLOT_START, TIME_PAGE.SLOT_END].map(quad)).toEqual([
      5_000n,
      1_000n,
      300n,
      1_000n,
      2_000n,
    ]);
    expect([TIME_PAGE.SLOT, TIME_PAGE.PLAN, TIME_PAGE.FRAME].map(word)).toEqual([4, 1, 77]);
  });

  it('has both clocks by the formula of the interface', () => {
    const { page, hw, exec } = create();
    page.beginSlot(1_000_000n, 50_000n, 20_000n, 60_000n, 0, 0, 0);
    for (const ticks of [0n, 1n, 9_999n, 1n << 40n])
      expect([hw(1_000_000n + ticks), exec(1_000_000n + ticks)]).toEqual([50_000n + ticks, 20_000n + ticks]);
    page.setClocks(2_000_000n, 70_000n, 25_000n);
    expect([hw(2_000_010n), exec(2_000_010n)]).toEqual([70_010n, 25_010n]);
    page.setExec(24_000n);
    expect([hw(2_000_010n), exec(2_000_010n)]).toEqual([70_010n, 24_010n]);
  });

  it.each([
    ['2.4 GHz', 2_400_000_000n],
    ['3 GHz', 3_000_000_000n],
    ['999,999,937 Hz', 999_999_937n],
    ['500,000,001 Hz', 500_000_001n],
    ['5 GHz', 5_000_000_000n],
  ])('at %s is never ahead of the exact time, and behind it by a nanosecond at most in a tenth of a second', (_, hertz) => {
    const random = createRandom(1);
    const { page, hw } = create({ numerator: 1_000_000_000n, denominator: hertz });
    page.beginSlot(0n, 0n, 0n, 0n, 0, 0, 0);
    let last = 0n;
    const ticks = Array.from({ length: 2000 }, () => (BigInt(random.integer(1_000_000_000)) * hertz) / 10_000_000_000n).sort((a, b) =>
      Number(a - b),
    );
    for (const tick of ticks) {
      const exact = (tick * 1_000_000_000n) / hertz;
      const shown = hw(tick);
      if (shown > exact || shown < exact - 1n || shown < last) expect([tick, shown]).toEqual([tick, exact]);
      last = shown;
    }
  });

  it('refuses a TSC for which its multiplier has too few bits', () => {
    expect(() => create({ numerator: 2n, denominator: 1n })).toThrow(/500 MHz/);
    expect(() => create({ numerator: 1_000_000_000n, denominator: 500_000_001n })).not.toThrow();
  });

  it('has a frozen clock stand still, and the other one run', () => {
    const { page, hw, exec } = create();
    page.beginSlot(1_000n, 500n, 100n, 2_000n, 0, 0, 0);
    page.setFrozen(true);
    expect([hw(9_000n), exec(9_000n)]).toEqual([500n, 8_100n]);
    page.setFrozen(false);
    expect(hw(9_000n)).toBe(8_500n);
  });

  it('has the offset of the time of day, and how often the partition was reset', () => {
    const { page, quad, word } = create();
    page.setWallOffset(1_700_000_000_000_000_000n);
    page.setResets(3);
    expect([quad(TIME_PAGE.WALL_OFFSET), word(TIME_PAGE.RESETS)]).toEqual([1_700_000_000_000_000_000n, 3]);
  });

  it('has a word for each timer, within its 4 KiB and behind all else', () => {
    const { page, word } = create();
    page.counts[0] = 11;
    page.counts[TIMERS_MAX - 1] = 12;
    expect([page.counts.length, word(TIME_PAGE.TIMER_COUNTS), word(TIME_PAGE.TIMER_COUNTS + (TIMERS_MAX - 1) * 4)]).toEqual([
      TIMERS_MAX,
      11,
      12,
    ]);
    expect(TIME_PAGE.TIMER_COUNTS + TIMERS_MAX * 4).toBeLessThanOrEqual(TIME_PAGE.LENGTH);
    expect(TIME_PAGE.RESETS + 4).toBeLessThanOrEqual(TIME_PAGE.TIMER_COUNTS);
  });
});

describe('the sequence', () => {
  /** What a reader would see while a change is made: each value that is written looks at the sequence when it is asked for its bits. */
  function watch(change: (page: ReturnType<typeof createTimePage>) => void): { during: number[]; after: number } {
    const { page, word } = create();
    const during: number[] = [];
    const spy = (value: bigint): bigint => {
      during.push(word(TIME_PAGE.SEQUENCE));
      return value;
    };
    const spied = new Proxy(page, {
      get: (target, name: keyof typeof page) => {
        const method = target[name] as unknown as (...values: unknown[]) => void;
        return (...values: unknown[]) =>
          method(...values.map((value) => (typeof value === 'bigint' ? { [Symbol.toPrimitive]: () => spy(value) } : value)));
      },
    });
    change(spied);
    return { during, after: word(TIME_PAGE.SEQUENCE) };
  }

  it.each([
    ['a slot begins', 4, (page) => page.beginSlot(1n, 2n, 3n, 4n, 0, 0, 0)],
    ['the clocks are set', 3, (page) => page.setClocks(1n, 2n, 3n)],
    ['the EXEC clock is set', 1, (page) => page.setExec(1n)],
  ] as const satisfies readonly (readonly [string, number, (page: ReturnType<typeof createTimePage>) => void])[])(
    'is odd while %s, and another even one afterwards',
    (_, atLeast, change) => {
      const { during, after } = watch(change);
      expect(during.length).toBeGreaterThanOrEqual(atLeast);
      expect(during.every((sequence) => sequence === 1)).toBe(true);
      expect(after).toBe(2);
    },
  );

  it('changes when the clock is frozen: a reader that was in between reads again', () => {
    const { page, word } = create();
    page.setFrozen(true);
    expect(word(TIME_PAGE.SEQUENCE)).toBe(2);
  });

  it('goes on over its 32 bits', () => {
    const { page, word } = create();
    // 2^31 changes are too many to make here; it is enough that each adds two.
    for (let change = 1; change <= 1000; change++) {
      page.setExec(0n);
      expect(word(TIME_PAGE.SEQUENCE)).toBe(change * 2);
    }
  });
});
