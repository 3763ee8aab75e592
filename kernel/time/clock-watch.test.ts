import { describe, expect, it } from 'vitest';
import { createRandom } from '../testing/random.ts';
import { createClockWatch, type Verdict } from './clock-watch.ts';
import { frequency } from './frequency.ts';
import type { HwClock } from './hw-clock.ts';
import { instant, nanos } from './units.ts';

/** Two clocks on one time, either of which can be made to lie; every reading takes time. */
function createBench(reading = 400n) {
  let now = 0n;
  let heldUp = (): bigint => 0n;
  const liar = (name: 'tsc' | 'hpet') => {
    let base = 0n;
    let since = 0n;
    let ppm = 0n;
    const at = (): bigint => base + ((now - since) * (1_000_000n + ppm)) / 1_000_000n;
    const clock: HwClock = {
      name,
      frequency: frequency(100_000_000n, 1n, 'architectural', 'test'),
      width: 64,
      resolution: nanos(10n),
      reach: nanos(1n << 62n),
      now: () => {
        now += reading + heldUp();
        return instant((at() / 10n) * 10n);
      },
      readingTsc: () => 0n,
    };
    return {
      clock,
      setRate: (value: bigint) => {
        base = at();
        since = now;
        ppm = value;
      },
      step: (by: bigint) => (base += by),
    };
  };
  const tsc = liar('tsc');
  const hpet = liar('hpet');
  const verdicts: (Verdict & { at: bigint })[] = [];
  const watch = createClockWatch({
    clock: tsc.clock,
    against: hpet.clock,
    onVerdict: (verdict) => verdicts.push({ ...verdict, at: now }),
  });
  return {
    tsc,
    hpet,
    verdicts,
    holdUp: (source: () => bigint) => (heldUp = source),
    now: () => now,
    /** The kernel wakes every 10 ms. */
    run: (nanoseconds: bigint) => {
      for (const end = now + nanoseconds; now < end; now += 10_000_000n) watch.look();
    },
  };
}
const SECOND = 1_000_000_000n;

describe('the clock watch', () => {
  it('has nothing to tell of clocks that agree, nor of 50 ppm', () => {
    const bench = createBench();
    bench.run(100n * SECOND);
    bench.tsc.setRate(50n);
    bench.run(100n * SECOND);
    expect(bench.verdicts).toEqual([]);
  });

  it.each([200n, -200n, 50_000n, -300_000n])('finds a drift of %i ppm within a second', (ppm) => {
    const bench = createBench();
    bench.run(3n * SECOND);
    const fault = bench.now();
    bench.tsc.setRate(ppm);
    bench.run(SECOND);
    expect(bench.verdicts[0]).toMatchObject({ verdict: 'drift', which: 'tsc' });
    expect(bench.verdicts[0]!.at - fault < SECOND).toBe(true);
    bench.run(SECOND);
    // The first interval had less of it.
    expect(bench.verdicts.at(-1)!.ratePpb / 1000 / Number(ppm)).toBeCloseTo(1, 2);
  });

  it.each([1_000n, 2_000n, 4_000n])('tells drift from step also with readings of %i ns', (reading) => {
    for (const ppm of [200n, -200n, 400n]) {
      const bench = createBench(reading);
      bench.run(3n * SECOND);
      bench.tsc.setRate(ppm);
      bench.run(2n * SECOND);
      expect(new Set(bench.verdicts.map(({ verdict }) => verdict))).toEqual(new Set(['drift']));
    }
    const bench = createBench(reading);
    bench.run(3n * SECOND);
    bench.tsc.step(200_000n);
    bench.run(2n * SECOND);
    expect(bench.verdicts.map(({ verdict }) => verdict)).toEqual(['step']);
  });

  it.each([1_000_000n, -1_000_000n, 40_000n])('finds a step of %i ns within a second, tells its size, and tells it once', (step) => {
    const bench = createBench();
    bench.run(3n * SECOND);
    const fault = bench.now();
    bench.tsc.step(step);
    bench.run(10n * SECOND);
    expect(bench.verdicts).toHaveLength(1);
    expect(bench.verdicts[0]).toMatchObject({ verdict: 'step', which: 'tsc' });
    expect(bench.verdicts[0]!.at - fault < SECOND).toBe(true);
    expect(Math.abs(Number(bench.verdicts[0]!.offset - step))).toBeLessThan(1_000);
  });

  it.each(['tsc', 'hpet'] as const)('finds that the %s stands within a second', (name) => {
    const bench = createBench();
    bench.run(3n * SECOND);
    const fault = bench.now();
    bench[name].setRate(-1_000_000n);
    bench.run(SECOND);
    expect(bench.verdicts[0]).toMatchObject({ verdict: 'stopped', which: name });
    expect(bench.verdicts[0]!.at - fault < SECOND).toBe(true);
  });

  it('does not take what holds the machine up between two readings for a fault', () => {
    const bench = createBench();
    const random = createRandom(5);
    bench.holdUp(() => (random.integer(4) === 0 ? BigInt(random.integer(3_000_000)) : 0n));
    bench.run(500n * SECOND);
    expect(bench.verdicts).toEqual([]);
  });
});
