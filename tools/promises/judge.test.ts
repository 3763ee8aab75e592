import { describe, expect, it } from 'vitest';
import { judgeCount, judgeDrift, judgeJitter, judgePeriod, judgeWithin, type Judge, type Verdict } from './judge.ts';

/** Samples in lines from 1 on, a millisecond apart. */
function verdictOf(judge: Judge, values: readonly (number | bigint)[]): Verdict {
  values.forEach((value, index) => judge.push({ value: BigInt(value), line: index + 1, at: 1_000_000n * BigInt(index) }));
  return judge.verdict();
}
const linesOf = ({ worst }: Verdict): number[] => worst.map(({ line }) => line);

describe('a period', () => {
  it('holds at exactly its tolerance, to either side', () => {
    expect(verdictOf(judgePeriod(1_000n, 5n), [0, 1_005, 2_000])).toMatchObject({ holds: true, seen: 'all 2 are' });
    expect(verdictOf(judgePeriod(1_000n, 5n), [0, 1_006, 2_000]).holds).toBe(false);
    expect(verdictOf(judgePeriod(1_000n, 5n), [0, 994, 1_994])).toMatchObject({ holds: false, seen: '1 of 2 are not' });
  });

  it('names the worst samples of thousands, of equals the first', () => {
    const values = Array.from(
      { length: 3_000 },
      (_, index) => index * 1_000 + (index >= 700 ? 50 : 0) + (index >= 1_500 ? 80 : 0) + (index >= 1_600 ? 50 : 0),
    );
    expect(linesOf(verdictOf(judgePeriod(1_000n, 5n), values))).toEqual([1_501, 701, 1_601]);
  });
});

describe('jitter', () => {
  it('is the longest minus the shortest interval', () => {
    expect(verdictOf(judgeJitter(30n), [0, 1_000, 2_030, 3_010])).toMatchObject({
      holds: false,
      seen: 'they differ by 50 ns; 1 of 3 are not',
    });
    expect(verdictOf(judgeJitter(50n), [0, 1_000, 2_030, 3_010])).toMatchObject({ holds: true, seen: 'they differ by 50 ns' });
  });
});

describe('spans', () => {
  it('are judged at both ends', () => {
    expect(verdictOf(judgeWithin(-3n, 7n), [-3, 7]).holds).toBe(true);
    const verdict = verdictOf(judgeWithin(-3n, 7n), [-4, 0, 9, -30]);
    expect(verdict).toMatchObject({ holds: false, seen: '3 of 4 are not' });
    expect(linesOf(verdict)).toEqual([4, 3, 1]);
  });
});

describe('drift', () => {
  it('is what is gained from the first to the last, over the time between', () => {
    // 30 ns in 3 ms: 10 ppm.
    expect(verdictOf(judgeDrift(10), [100, 500, 100, 130])).toMatchObject({ holds: true, seen: '10.000 ppm over 3 ms' });
    expect(verdictOf(judgeDrift(9.9), [130, 500, 100, 100])).toMatchObject({ holds: false, seen: '-10.000 ppm over 3 ms' });
  });

  it('does not hold for one sample: there is no time', () => {
    expect(verdictOf(judgeDrift(10), [1])).toMatchObject({ holds: false, seen: 'there is nothing to judge: less than two samples' });
  });
});

describe('a count', () => {
  it.each([
    [1, false],
    [2, true],
    [3, true],
    [4, false],
  ])('of 2 to 3: %i samples: %s', (count, holds) => {
    const verdict = verdictOf(
      judgeCount(2, 3),
      Array.from({ length: count }, () => 0),
    );
    expect(verdict).toMatchObject({ holds, seen: `saw ${count}` });
    expect(linesOf(verdict)[0]).toBe(count);
  });
});

describe('nothing', () => {
  it.each([
    ['a period', () => judgePeriod(1n, 1n)],
    ['jitter', () => judgeJitter(1n)],
    ['spans', () => judgeWithin(0n, 1n)],
  ])('keeps no promise of %s', (_, judge) => {
    expect(verdictOf(judge(), [])).toMatchObject({ holds: false, seen: 'there is nothing to judge: 0 samples', worst: [] });
  });
});
