import { describe, expect, it } from 'vitest';
import { judge } from './agreement.ts';
import { frequency } from './frequency.ts';

const measured = (hz: bigint, by: string, uncertaintyPpb = 10) => frequency(hz, 1n, 'measured', `tsc against ${by}`, uncertaintyPpb);

describe('the judgement over measurements of one counter', () => {
  it('believes the best of two that agree', () => {
    const best = measured(2_400_000_000n, 'hpet');
    const judgement = judge([best, measured(2_400_010_000n, 'pm-timer', 4_000)])!;
    expect(judgement).toMatchObject({ frequency: best, verdict: 'agree' });
    expect(judgement.differencePpb).toBeCloseTo(4_166.7, 0);
  });

  it('lets a majority outvote the best', () => {
    const pmTimer = measured(1_000_000_000n, 'pm-timer');
    expect(judge([measured(1_100_000_000n, 'hpet'), pmTimer, measured(1_000_001_000n, 'pit')])).toMatchObject({
      frequency: pmTimer,
      verdict: 'agree',
    });
  });

  it('tells of a disagreement, and is that uncertain', () => {
    const judgement = judge([measured(1_000_000_000n, 'hpet'), measured(1_001_000_000n, 'pm-timer')])!;
    expect(judgement.verdict).toBe('disagree');
    expect(judgement.frequency.numerator).toBe(1_000_000_000n);
    expect(judgement.frequency.uncertaintyPpb).toBeGreaterThanOrEqual(1_000_000);
  });

  it('tells that one is alone, and nothing of none', () => {
    expect(judge([measured(1n, 'pit')])).toMatchObject({ verdict: 'alone', second: undefined });
    expect(judge([])).toBeUndefined();
  });

  it('lets uncertain measurements differ by what they are uncertain', () => {
    const differ = (uncertainty: number) => judge([measured(1_000_000_000n, 'a', uncertainty), measured(1_000_500_000n, 'b')])!.verdict;
    expect([differ(10), differ(460_000)]).toEqual(['disagree', 'agree']);
  });
});
