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

  it.each([200n, -200n, 50_000n, -300_000n])('finds a drift of %i ppm within a second, tells its rate, and tells it once', (ppm) => {
    for (let phase = 0n; phase < 250_000_000n; phase += 30_000_000n) {
      const bench = createBench();
      bench.run(3n * SECOND + phase);
      const fault = bench.now();
      bench.tsc.setRate(ppm);
      bench.run(10n * SECOND);
      expect(bench.verdicts).toHaveLength(1);
      const [verdict] = bench.verdicts;
      expect(verdict).toMatchObject({ verdict: 'drift', which: 'tsc' });
      expect(verdict!.at - fault < SECOND).toBe(true);
      expect(verdict!.ratePpb / 1000 / Number(ppm)).toBeCloseTo(1, 2);
    }
  });

  it.each([1_000n, 2_000n, 4_000n])('tells drift from step also with readings of %i ns', (reading) => {
    for (const ppm of [200n, -200n, 400n]) {
      const bench = createBench(reading);
      bench.run(3n * SECOND);
      bench.tsc.setRate(ppm);
      bench.run(2n * SECOND);
      expect(bench.verdicts.map(({ verdict }) => verdict)).toEqual(['drift']);
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

  it('tells a step and its opposite, steps that go on once a second, and no nanosecond twice', () => {
    const bench = createBench();
    bench.run(3n * SECOND);
    bench.tsc.step(1_000_000n);
    bench.run(300_000_000n);
    bench.tsc.step(-1_000_000n);
    bench.run(3n * SECOND);
    expect(bench.verdicts.map(({ verdict, offset }) => `${verdict} ${Math.round(Number(offset) / 1e5)}`)).toEqual(['step 10', 'step -10']);

    const often = createBench();
    often.run(3n * SECOND);
    for (let index = 0; index < 20; index++) {
      often.tsc.step(1_000_000n);
      often.run(SECOND / 2n);
    }
    often.run(2n * SECOND);
    expect(often.verdicts.every(({ verdict }) => verdict === 'step')).toBe(true);
    expect(often.verdicts.length).toBeGreaterThan(5);
    expect(often.verdicts.length).toBeLessThanOrEqual(12);
    expect(often.verdicts.reduce((sum, { offset }) => sum + Number(offset), 0) / 1e6).toBeCloseTo(20, 1);
  });

  it.each(['tsc', 'hpet'] as const)('finds that the %s stands within a second, tells it once, and that it is over', (name) => {
    const bench = createBench();
    bench.run(3n * SECOND);
    const fault = bench.now();
    bench[name].setRate(-1_000_000n);
    bench.run(5n * SECOND);
    expect(bench.verdicts).toHaveLength(1);
    expect(bench.verdicts[0]).toMatchObject({ verdict: 'stopped', which: name });
    expect(bench.verdicts[0]!.at - fault < SECOND).toBe(true);
    // All of the other's time.
    expect(bench.verdicts[0]!.ratePpb / 1e9).toBeCloseTo(name === 'tsc' ? -1 : 1, 1);
    bench[name].setRate(0n);
    bench.run(10n * SECOND);
    expect(bench.verdicts.map(({ verdict }) => verdict)).toEqual(['stopped', 'agree']);
    expect(Number(bench.verdicts[1]!.offset) / 1e9).toBeCloseTo(name === 'tsc' ? -5 : 5, 0);
  });

  it('tells that a drift is over, once, and the next one', () => {
    const bench = createBench();
    bench.run(3n * SECOND);
    for (const ppm of [300n, 0n, -300n, 0n]) {
      bench.tsc.setRate(ppm);
      bench.run(5n * SECOND);
    }
    expect(bench.verdicts.map(({ verdict }) => verdict)).toEqual(['drift', 'agree', 'drift', 'agree']);
    expect(Number(bench.verdicts[1]!.offset)).toBeGreaterThan(1_000_000);
    expect(Number(bench.verdicts[3]!.offset)).toBeLessThan(-1_000_000);
  });

  it('tells of a clock that stood that it goes on at another rate', () => {
    const bench = createBench();
    bench.run(3n * SECOND);
    bench.tsc.setRate(-1_000_000n);
    bench.run(3n * SECOND);
    bench.tsc.setRate(500n);
    bench.run(5n * SECOND);
    expect(bench.verdicts.map(({ verdict }) => verdict)).toEqual(['stopped', 'drift']);
  });

  it.each([100n, 400n, 700n])('tells at most two things in a second of a clock that drifts and agrees by turns, every %i ms', (turn) => {
    const bench = createBench();
    bench.run(3n * SECOND);
    for (let index = 0; index < 100; index++) {
      bench.tsc.setRate(index % 2 === 0 ? 500n : 0n);
      bench.run(turn * 1_000_000n);
    }
    const seconds = Number(turn) / 10;
    expect(bench.verdicts.length).toBeGreaterThan(0);
    expect(bench.verdicts.length).toBeLessThanOrEqual(2 * seconds + 1);
    expect(bench.verdicts.every(({ ratePpb }) => Number.isFinite(ratePpb))).toBe(true);
  });

  it('does not take what holds the machine up between two readings for a fault', () => {
    const bench = createBench();
    const random = createRandom(5);
    bench.holdUp(() => (random.integer(4) === 0 ? BigInt(random.integer(3_000_000)) : 0n));
    bench.run(500n * SECOND);
    expect(bench.verdicts).toEqual([]);
  });
});
