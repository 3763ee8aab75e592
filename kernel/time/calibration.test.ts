import { describe, expect, it } from 'vitest';
import { createCounterMachine, type CounterMachineOptions } from '../testing/counters.ts';
import { measureByTsc, measureTsc } from './calibration.ts';
import { frequency, type Frequency } from './frequency.ts';

const TSC_HZ = 2_999_999_877n;
const HPET_HZ = 100_000_000n;
const PM_TIMER_HZ = 3_579_545n;
const PIT_HZ = 1_193_182n;
const SEEDS = [1, 2, 3, 4, 5];
/** Parts per billion: 5 ns in the tenth of a second that is measured, of ticks of up to 838 ns. */
const EXACT = 50;

const known = (hz: bigint): Frequency => frequency(hz, 1n, 'enumerated', 'its register');

function tscBy(options: Partial<CounterMachineOptions> & { readonly counterHz: bigint }) {
  const machine = createCounterMachine({ tscHz: TSC_HZ, ...options });
  const measured = measureTsc(machine.stamps, { ...machine.counter, frequency: known(options.counterHz) });
  if (!measured) throw new Error('the reference was taken for one that stands still');
  return { machine, measured, errorPpb: offPpb(measured, options.tscHz ?? TSC_HZ) };
}

const offPpb = ({ numerator, denominator }: Frequency, hz: bigint): number =>
  (Number(numerator - hz * denominator) / Number(hz * denominator)) * 1e9;

describe('the TSC', () => {
  describe.each([
    ['100 MHz', HPET_HZ],
    ['3.58 MHz', PM_TIMER_HZ],
    ['1.19 MHz', PIT_HZ],
  ])('by %s', (_, counterHz) => {
    it.each(SEEDS)('is measured within 50 ppb (seed %i)', (seed) => {
      expect(Math.abs(tscBy({ counterHz, seed }).errorPpb)).toBeLessThan(EXACT);
    });
  });

  it.each([
    ['20 bits of 100 MHz, ten times', 20, HPET_HZ],
    ['24 bits', 24, PM_TIMER_HZ],
    ['16 bits, twice', 16, PIT_HZ],
    ['32 bits', 32, HPET_HZ],
  ])('is measured just as well by a counter that wraps: %s', (_, width, counterHz) => {
    const wrapping = tscBy({ counterHz, width, firstCount: 2n ** BigInt(width) - 100n });
    const wide = tscBy({ counterHz });
    expect(wrapping.measured.numerator).toBe(wide.measured.numerator);
  });

  it.each([
    ['100 MHz', HPET_HZ],
    ['3.58 MHz', PM_TIMER_HZ],
    ['1.19 MHz', PIT_HZ],
  ])('is measured just as well by %s if one access in fifty is held up for 50 us', (_, counterHz) => {
    for (const seed of SEEDS) {
      const { errorPpb, machine } = tscBy({ counterHz, seed, heldUpEvery: 50, heldUpNanos: 50_000 });
      expect(machine.heldUp(), 'accesses held up').toBeGreaterThan(100);
      expect(Math.abs(errorPpb), `ppb off with seed ${seed}`).toBeLessThan(EXACT);
    }
  });

  it('has its provenance, its source and whole hertz', () => {
    const { measured } = tscBy({ counterHz: HPET_HZ });
    expect(measured).toMatchObject({ provenance: 'measured', source: 'tsc against counter', denominator: 1n });
  });

  it.each([
    ['800 MHz', 800_000_000n],
    ['1 GHz', 1_000_000_000n],
    ['4.7 GHz', 4_700_000_123n],
  ])('of %s is told apart from any other', (_, tscHz) => {
    expect(Math.abs(tscBy({ counterHz: HPET_HZ, tscHz }).errorPpb)).toBeLessThan(EXACT);
  });

  it('is measured by a frequency that is a fraction', () => {
    // An HPET of 69.841279 ns.
    const machine = createCounterMachine({ tscHz: TSC_HZ, counterHz: 14_318_179n });
    const reference = frequency(14_318_179_000n, 1000n, 'enumerated', 'COUNTER_CLK_PERIOD');
    const measured = measureTsc(machine.stamps, { ...machine.counter, frequency: reference })!;
    expect(Math.abs(offPpb(measured, TSC_HZ))).toBeLessThan(EXACT);
  });

  it('is not measured by a counter that stands still: undefined, after a bounded number of reads', () => {
    let reads = 0;
    const stuck = { name: 'stuck', width: 24, frequency: known(PM_TIMER_HZ), read: () => (reads++, 0xff_ffffn) };
    expect(measureTsc({ accessTsc: () => BigInt(reads) * 1000n, accessTicks: () => 1000 }, stuck)).toBeUndefined();
    expect(reads).toBeLessThan(50_000);
  });

  it('is not measured by a counter that stops halfway', () => {
    const machine = createCounterMachine({ tscHz: TSC_HZ, counterHz: HPET_HZ });
    let last = 0n;
    const stopping = {
      ...machine.counter,
      frequency: known(HPET_HZ),
      read: () => {
        const count = machine.counter.read();
        if (count < 5_000_000n) last = count;
        return last;
      },
    };
    expect(measureTsc(machine.stamps, stopping)).toBeUndefined();
  });

  it.each([0n, 1_000_000n, 150_000_000n, 230_000_000n])('that stands after %i ticks has no frequency', (ticks) => {
    const machine = createCounterMachine({ tscHz: TSC_HZ, counterHz: HPET_HZ });
    const { accessTsc, accessTicks } = machine.stamps;
    const first = accessTsc();
    const stamps = { accessTicks, accessTsc: () => (accessTsc() - first > ticks ? first + ticks : accessTsc()) };
    expect(measureTsc(stamps, { ...machine.counter, frequency: known(HPET_HZ) })).toBeUndefined();
  });
});

describe('the uncertainty', () => {
  const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
  const uncertainties = (options: Partial<CounterMachineOptions> & { readonly counterHz: bigint }): number[] =>
    SEEDS.map((seed) => tscBy({ ...options, seed }).measured.uncertaintyPpb);

  it('is larger when accesses scatter more', () => {
    const quiet = median(uncertainties({ counterHz: HPET_HZ, jitterNanos: 20 }));
    const noisy = median(uncertainties({ counterHz: HPET_HZ, jitterNanos: 400 }));
    expect(noisy).toBeGreaterThan(2 * quiet);
  });

  it('is never less than a tenth of a tick over the span, however well five segments agree by chance', () => {
    for (const counterHz of [HPET_HZ, PM_TIMER_HZ, PIT_HZ])
      for (const ppb of uncertainties({ counterHz, jitterNanos: 20 })) expect(ppb).toBeGreaterThanOrEqual(1e9 / Number(counterHz));
  });

  it('is larger when ticks are coarser', () => {
    expect(median(uncertainties({ counterHz: PIT_HZ }))).toBeGreaterThan(4 * median(uncertainties({ counterHz: HPET_HZ })));
  });

  it('is not larger because some accesses were held up', () => {
    const held = median(uncertainties({ counterHz: HPET_HZ, heldUpEvery: 50, heldUpNanos: 50_000 }));
    expect(held).toBeLessThan(2 * median(uncertainties({ counterHz: HPET_HZ })));
  });

  // Not an interval that the truth always lies in: a standard deviation, and one estimated from five segments.
  it('is of the size of the error where accesses scatter: no run is off by five times as much', () => {
    for (const counterHz of [HPET_HZ, PM_TIMER_HZ, PIT_HZ]) {
      for (const seed of SEEDS) {
        const { errorPpb, measured } = tscBy({ counterHz, seed });
        expect(Math.abs(errorPpb), `ppb off by ${counterHz} Hz with seed ${seed}`).toBeLessThan(5 * measured.uncertaintyPpb);
      }
    }
  });

  it('is a whole number of parts per billion, above 0', () => {
    for (const ppb of uncertainties({ counterHz: HPET_HZ })) {
      expect(Number.isInteger(ppb)).toBe(true);
      expect(ppb).toBeGreaterThan(0);
    }
  });
});

describe('a counter by a known TSC', () => {
  function counterBy(options: Partial<CounterMachineOptions> & { readonly counterHz: bigint }): Frequency | undefined {
    const machine = createCounterMachine({ tscHz: TSC_HZ, ...options });
    return measureByTsc(machine.stamps, machine.counter, known(TSC_HZ));
  }

  it.each([
    ['1 GHz', 1_000_000_000n],
    ['99.998 MHz', 99_998_321n],
    ['24 MHz', 24_000_017n],
  ])('of %s is measured', (_, counterHz) => {
    for (const seed of SEEDS) {
      const measured = counterBy({ counterHz, seed, width: 32 })!;
      expect(Math.abs(offPpb(measured, counterHz)), `ppb off with seed ${seed}`).toBeLessThan(EXACT + 0.5e9 / Number(counterHz));
    }
  });

  it('is told apart from one whose frequency differs by 1 ppm', () => {
    const one = counterBy({ counterHz: 100_000_000n, width: 32 })!;
    const other = counterBy({ counterHz: 100_000_100n, width: 32 })!;
    expect(Number(other.numerator - one.numerator)).toBeGreaterThan(80);
    expect(Number(other.numerator - one.numerator)).toBeLessThan(120);
  });

  it('has its own name as source', () => {
    expect(counterBy({ counterHz: 100_000_000n })).toMatchObject({ provenance: 'measured', source: 'counter against tsc' });
  });

  it('that stands still has none', () => {
    let tsc = 0n;
    const stamps = { accessTsc: () => (tsc += 1000n), accessTicks: () => 1000 };
    expect(measureByTsc(stamps, { name: 'lapic', width: 32, read: () => 0n }, known(TSC_HZ))).toBeUndefined();
  });

  it('by a TSC that stands has none, and by one that stands until its end', () => {
    let count = 0n;
    const lapic = { name: 'lapic', width: 32, read: () => (count < 10_000n ? ++count : count) };
    expect(measureByTsc({ accessTsc: () => 0n, accessTicks: () => 0 }, lapic, known(TSC_HZ))).toBeUndefined();
    count = 0n;
    const jumps = { accessTsc: () => (count < 5_000n ? 0n : TSC_HZ), accessTicks: () => 100 };
    expect(measureByTsc(jumps, lapic, known(TSC_HZ))).toBeUndefined();
  });
});
