import { describe, expect, it } from 'vitest';
import { judge, judgeWithEnumerated } from './agreement.ts';
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

describe('the judgement with what CPUID tells', () => {
  const told = (hz: bigint, uncertaintyPpb = 0) => frequency(hz, 1n, 'enumerated', 'CPUID 15h', uncertaintyPpb);
  const hpet = measured(2_400_000_100n, 'hpet', 300);
  const pmTimer = measured(2_400_001_000n, 'pm-timer', 900);

  it('believes CPUID if it agrees and is the more certain', () => {
    const judgement = judgeWithEnumerated([hpet, pmTimer], [told(2_400_000_000n)])!;
    expect(judgement).toMatchObject({ verdict: 'agree', frequency: { provenance: 'enumerated', numerator: 2_400_000_000n } });
    expect(judgement.checks).toMatchObject([{ verdict: 'agree' }]);
  });

  it('believes the measurement if CPUID agrees but tells megahertz only', () => {
    const judgement = judgeWithEnumerated([hpet, pmTimer], [told(2_400_000_000n, 416_667)])!;
    expect(judgement).toMatchObject({ verdict: 'agree', frequency: hpet, checks: [{ verdict: 'agree' }] });
  });

  it('believes references that agree, and tells that CPUID does not', () => {
    const judgement = judgeWithEnumerated([hpet, pmTimer], [told(2_500_000_000n), told(2_400_000_000n)])!;
    expect(judgement.frequency.numerator).toBe(2_400_000_000n);
    expect(judgement.checks.map(({ verdict }) => verdict)).toEqual(['disagree', 'agree']);
    expect(judgement.checks[0]!.differencePpb).toBeCloseTo(41_666_623, -2);
    const wrong = judgeWithEnumerated([hpet, pmTimer], [told(2_500_000_000n)])!;
    expect(wrong).toMatchObject({ verdict: 'agree', frequency: hpet });
  });

  it('is as uncertain as one reference and CPUID differ: none of them is outvoted', () => {
    const judgement = judgeWithEnumerated([hpet], [told(2_500_000_000n)])!;
    expect(judgement.verdict).toBe('disagree');
    expect(judgement.frequency).toMatchObject({ provenance: 'measured', numerator: hpet.numerator });
    expect(judgement.frequency.uncertaintyPpb).toBeGreaterThan(41_000_000);
    expect(judgement).toMatchObject({ second: { provenance: 'enumerated' }, checks: [] });
  });

  it('has CPUID settle what two references do not', () => {
    const judgement = judgeWithEnumerated([measured(2_600_000_000n, 'hpet'), pmTimer], [told(2_400_000_000n, 2_000)])!;
    expect(judgement).toMatchObject({ verdict: 'agree', frequency: pmTimer });
  });

  it('has one reference confirmed by CPUID', () => {
    expect(judgeWithEnumerated([hpet], [told(2_400_000_000n)])).toMatchObject({ verdict: 'agree', second: { provenance: 'enumerated' } });
  });

  it('is CPUID alone where nothing was measured, and the measurements where CPUID tells nothing', () => {
    expect(judgeWithEnumerated([], [told(1_000n)])).toMatchObject({ verdict: 'alone', frequency: told(1_000n), checks: [] });
    expect(judgeWithEnumerated([hpet, pmTimer], [])).toEqual({ ...judge([hpet, pmTimer]), checks: [] });
    expect(judgeWithEnumerated([], [])).toBeUndefined();
  });
});
