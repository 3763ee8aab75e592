import { describe, expect, it } from 'vitest';
import { frequency } from './frequency.ts';
import { testHalt } from './halt-test.ts';

const PM_HZ = 3_579_545n;

/** A CPU whose TSC advances by `share` of a halt of `haltNanos`. */
function run({ share = 1, haltNanos = 5_000_000, referenceStands = false, comesBack = true, secondShare = -1 } = {}): string {
  let now = 10_000_000n;
  let tsc = 77n;
  let halts = 0;
  return testHalt({
    halt: () => {
      now += BigInt(haltNanos);
      tsc += BigInt(Math.round(haltNanos * 2.4 * (halts++ === 1 && secondShare >= 0 ? secondShare : share)));
      return comesBack;
    },
    rdtsc: () => (tsc += 100n),
    tscFrequency: frequency(2_400_000_000n, 1n, 'measured', 'test', 10),
    reference: {
      name: 'pm-timer',
      frequency: frequency(PM_HZ, 1n, 'architectural', 'ACPI'),
      width: 24,
      read: () => (referenceStands ? 5n : BigInt.asUintN(24, (now * PM_HZ) / 1_000_000_000n + 0xff_f000n)),
    },
  });
}

describe('the halt test', () => {
  it.each([
    ['runs', 'a TSC that goes on', {}],
    ['stops', 'a TSC that stops', { share: 0 }],
    ['stops', 'a TSC at half its rate', { share: 0.5 }],
    ['runs', 'one bad run of three', { secondShare: 0 }],
    ['untested', 'a reference that stands', { referenceStands: true }],
    ['untested', 'halts that are too short', { haltNanos: 900_000 }],
    ['untested', 'a CPU that nothing wakes', { comesBack: false }],
  ] as const)('says %s of %s', (verdict, _, options) => {
    expect(run(options)).toBe(verdict);
  });
});
