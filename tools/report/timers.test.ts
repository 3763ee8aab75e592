import { describe, expect, it } from 'vitest';
import type { RecordOf, TraceRecord } from '../../kernel/trace/events.ts';
import { accumulated } from './accumulator.ts';
import { createTimers, timerTable } from './timers.ts';

const timerReports = (records: readonly TraceRecord[]) => accumulated(createTimers(), records);

type Timer = RecordOf<'timer.start'>['fields']['timer'];

const start = (timer: Timer, period: bigint, route = 'IO-APIC pin 2'): TraceRecord => ({
  event: 'timer.start',
  at: 0n,
  cpu: 0,
  level: 'info',
  fields: { timer, route, vector: 0x30, 'period-ticks': 1193n, period, count: 3 },
});

const interrupt = (timer: Timer, index: number, nominal: bigint, taken: bigint, at: bigint): TraceRecord => ({
  event: 'timer.interrupt',
  at,
  cpu: 0,
  level: 'debug',
  fields: { timer, index, nominal, taken },
});

const OTHER: TraceRecord = { event: 'log', at: 5n, cpu: 0, level: 'info', fields: { message: 'x' } };

const PIT = [
  start('pit', 1_000n),
  interrupt('pit', 0, 1_000n, 1_010n, 1_030n),
  interrupt('pit', 1, 2_000n, 1_990n, 2_015n),
  OTHER,
  interrupt('pit', 2, 3_000n, 3_050n, 3_090n),
];

describe("a timer's report", () => {
  it('is computed from the single interrupts', () => {
    expect(timerReports(PIT)).toMatchObject([
      {
        timer: 'pit',
        route: 'IO-APIC pin 2',
        nominalPeriod: 1_000,
        intervals: { count: 2, min: 980, mean: 1_020, max: 1_060, jitter: 80 },
        errors: { count: 3, min: -10, mean: 50 / 3, max: 50, jitter: 60 },
        latencies: { count: 3, min: 20, mean: 85 / 3, max: 40, jitter: 20, p50: 25, worst: [{ value: 40, line: 5, at: 3_090n }, {}, {}] },
      },
    ]);
  });

  it('is one per timer, in order of their starts, though their interrupts are mixed', () => {
    const reports = timerReports([
      start('hpet', 500n),
      interrupt('hpet', 0, 500n, 500n, 501n),
      start('lapic', 700n),
      interrupt('lapic', 0, 700n, 700n, 710n),
      interrupt('hpet', 1, 1_000n, 1_001n, 1_005n),
      interrupt('lapic', 1, 1_400n, 1_402n, 1_403n),
    ]);
    expect(reports.map(({ timer, intervals, latencies }) => [timer, intervals.mean, latencies.min, latencies.max])).toEqual([
      ['hpet', 501, 1, 4],
      ['lapic', 702, 1, 10],
    ]);
  });

  it('needs two interrupts: one has no interval', () => {
    expect(timerReports([start('pit', 1_000n)])).toEqual([]);
    expect(timerReports([start('pit', 1_000n), interrupt('pit', 0, 1_000n, 1_000n, 1_001n)])).toEqual([]);
  });

  it('needs a start', () => {
    expect(timerReports(PIT.slice(1))).toEqual([]);
    expect(timerReports([])).toEqual([]);
  });

  it('is exact long after boot', () => {
    const day = 86_400_000_000_000n;
    const [report] = timerReports([
      start('pit', 1_000n),
      interrupt('pit', 0, day, day + 1n, day + 3n),
      interrupt('pit', 1, day + 1_000n, day + 1_002n, day + 1_009n),
    ]);
    expect(report).toMatchObject({ intervals: { min: 1_001, max: 1_001 }, errors: { min: 1, max: 2 }, latencies: { min: 2, max: 7 } });
  });
});

describe('the table', () => {
  it('has a head and a row per timer', () => {
    const [head, row, ...rest] = timerTable(timerReports(PIT));
    expect(head!.split(/ {2,}/)).toEqual(['timer', 'count', 'nominal', 'min', 'mean', 'max', 'jitter', 'worst error', 'latency', 'jitter']);
    expect(row!.split(/ {2,}/)).toEqual(['pit', '3', '1 us', '980 ns', '1.02 us', '1.06 us', '80 ns', '50 ns', '40 ns', '20 ns']);
    expect(rest).toEqual([]);
  });

  it('names as worst error the one that is farthest from zero, with its sign', () => {
    const late = timerReports([start('pit', 10n), interrupt('pit', 0, 10n, 17n, 20n), interrupt('pit', 1, 20n, 14n, 20n)]);
    const early = timerReports([start('pit', 10n), interrupt('pit', 0, 10n, 16n, 20n), interrupt('pit', 1, 20n, 13n, 20n)]);
    expect(timerTable(late)[1]!.split(/ {2,}/)[7]).toBe('7 ns');
    expect(timerTable(early)[1]!.split(/ {2,}/)[7]).toBe('-7 ns');
  });

  it('of nothing is nothing', () => {
    expect(timerTable([])).toEqual([]);
  });

  it('has columns of one width', () => {
    const lines = timerTable(
      timerReports([...PIT, start('lapic', 1n), interrupt('lapic', 0, 1n, 2n, 3n), interrupt('lapic', 1, 1n, 9_999_999n, 10_000_000n)]),
    );
    expect(new Set(lines.map((line) => line.length)).size).toBe(1);
  });

  it('keeps the nanoseconds, and gives space between its columns for them', () => {
    const row = timerTable(
      timerReports([start('pit', 999_847n), interrupt('pit', 0, 0n, 0n, 1_245n), interrupt('pit', 1, 0n, 1_000_001n, 1_001_223n)]),
    )[1]!;
    expect(row).toContain(' 999.847 us ');
    expect(row).toContain(' 1.000001 ms ');
    expect(row.length).toBeLessThanOrEqual(100);
  });

  it.each([
    ['of the least convenient figures', 9_999_847n, 8_765_432n],
    ['of hundreds of milliseconds', 123_456_789n, 987_654_321n],
    ['of seconds', 1_234_567_891n, 98_765_432_109n],
  ])('is at most 100 columns wide with figures %s', (_, period, step) => {
    const records: TraceRecord[] = [];
    for (const timer of ['pit', 'hpet', 'lapic'] as const) {
      records.push(start(timer, period));
      // Each interrupt is a little later than the one before, so that no figure is round.
      let taken = 0n;
      for (let index = 0; index < 5; index++) {
        taken += step + BigInt(index * 123_457);
        records.push(interrupt(timer, index, taken + step / 7n, taken, taken + 876_543n * BigInt(index + 1)));
      }
    }
    const lines = timerTable(timerReports(records));
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
    expect(lines).toHaveLength(4);
  });
});
