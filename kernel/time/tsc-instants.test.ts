import { describe, expect, it } from 'vitest';
import { frequency } from './frequency.ts';
import { createTscInstants } from './tsc-instants.ts';
import { instant, nanos } from './units.ts';

/** A TSC of 2.5 GHz by its measured frequency. */
const TSC = frequency(2_500_000_000n, 1n, 'measured', 'test', 100_000);

/** A clock with a tick of 10 ns, and a TSC that is off from what was measured by `ppm`. */
function createBench(ppm = 0n) {
  let now = 0n;
  const tsc = (): bigint => 77n + (now * 25n * (1_000_000n + ppm)) / 10_000_000n;
  let reading = 0n;
  const clock = {
    now: () => {
      reading = tsc();
      return instant(now - (now % 10n));
    },
    readingTsc: () => reading,
    resolution: nanos(10n),
  };
  return { instants: createTscInstants(clock, TSC), tsc, pass: (nanoseconds: bigint) => (now += nanoseconds), now: () => now };
}

describe('instants of TSC values', () => {
  it('are those of the clock, of values before and after its creation', () => {
    const { instants, tsc, pass } = createBench();
    pass(1_000n);
    expect(instants.toInstant(tsc())).toBe(1_000n);
    expect(instants.toInstant(77n)).toBe(0n);
    expect(instants.toInstant(52n)).toBe(-10n);
  });

  it('are never early the other way round', () => {
    const { instants } = createBench();
    for (let when = 0n; when < 50n; when++) {
      const at = instants.toTsc(instant(when));
      expect(instants.toInstant(at)).toBeGreaterThanOrEqual(when);
      expect(instants.toInstant(at - 1n)).toBeLessThan(when);
    }
  });

  it.each([100n, -100n])('follow the clock for an hour while the TSC is off by %i ppm', (ppm) => {
    const { instants, tsc, pass, now } = createBench(ppm);
    for (let beat = 0; beat < 4 * 3_600; beat++) {
      pass(250_000_003n);
      // 250 ms of 100 ppm, and two resolutions.
      const off = instants.toInstant(tsc()) - now();
      if (off < -25_030n || off > 25_030n) expect(off).toBe(0n);
      instants.follow();
    }
  });

  it('do not flutter by what the clock resolves', () => {
    const { instants, tsc, pass } = createBench();
    for (let step = 0n; step < 100n; step++) {
      pass(1_000_003n);
      const before = instants.toInstant(tsc());
      instants.follow();
      expect(instants.toInstant(tsc())).toBe(before);
    }
  });
});
