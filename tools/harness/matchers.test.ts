import { describe, expect, it } from 'vitest';
import type { Series } from './boot.ts';
import './matchers.ts';

const series = (...values: number[]): Series => ({
  what: 'tick',
  log: 'build/logs/tests/run.log',
  samples: values.map((value, index) => ({ value: BigInt(value), line: index + 10, at: BigInt(value) })),
});

function messageOf(action: () => void): string {
  try {
    action();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

describe('toHavePeriod', () => {
  it('holds at exactly the tolerance and fails beyond it', () => {
    expect(series(0, 1000, 2005)).toHavePeriod(1000n, 5n);
    expect(messageOf(() => expect(series(0, 1000, 2006)).toHavePeriod(1000n, 5n))).not.toBe('');
  });

  it('names the three worst samples with their lines, the worst first', () => {
    const message = messageOf(() => expect(series(0, 1000, 2100, 3100, 4400, 5400, 6350)).toHavePeriod(1000n, 10n));
    expect(message).toContain('expected every interval to be 1000 ns within 10 ns; 3 of 6 are not');
    expect([...message.matchAll(/run\.log:(\d+): interval (\d+) ns/g)].map((match) => [match[1], match[2]])).toEqual([
      ['14', '1300'],
      ['12', '1100'],
      ['16', '950'],
    ]);
  });

  it('does not hold for nothing', () => {
    expect(messageOf(() => expect(series()).toHavePeriod(1000n, 10n))).toContain(
      'nothing to judge: 0 samples, in build/logs/tests/run.log',
    );
    expect(messageOf(() => expect(series(5)).toHavePeriod(1000n, 10n))).toContain('nothing to judge');
  });
});

describe('toHaveJitterAtMost', () => {
  it('compares the longest interval with the shortest', () => {
    expect(series(0, 1000, 2010, 3000)).toHaveJitterAtMost(20n);
    const message = messageOf(() => expect(series(0, 1000, 2030, 3000)).toHaveJitterAtMost(20n));
    expect(message).toContain('they differ by 60 ns');
    expect(message).toContain('run.log:');
  });
});

describe('toStayWithin', () => {
  it('holds at both ends', () => {
    expect(series(-3, 0, 7)).toStayWithin(-3n, 7n);
  });

  it('names what lies outside, on either side', () => {
    const message = messageOf(() => expect(series(-4, 0, 9)).toStayWithin(-3n, 7n));
    expect(message).toContain('2 of 3 are not');
    expect(message).toContain('run.log:12: 9 ns');
    expect(message).toContain('run.log:10: -4 ns');
  });
});

describe('toHaveCount', () => {
  it('says how many there are and where the last one is', () => {
    expect(series(1, 2)).toHaveCount(2);
    expect(messageOf(() => expect(series(1, 2)).toHaveCount(3))).toContain(
      'expected 3 samples; saw 2:\n  build/logs/tests/run.log:11: the last one',
    );
  });
});
