import { describe, expect, it } from 'vitest';
import { absoluteLines, intervalTable, outputTable, skippedLines, usesReport } from './uses.ts';
import { reportOf } from './report.ts';

const LOG = [
  '1 cpu0 info  interval.recorded source=rtc count=100 min=976562ns max=976563ns mean=976562ns',
  '2 cpu0 info  interval.recorded source=com1 count=100 min=699994ns max=700005ns mean=699999ns',
  '3 cpu0 info  output.signal output=speaker edges=200 period=250000ns error-min=7ns error-max=18ns',
  '4 cpu0 info  time.absolute source=rtc time=2026-01-01T00:00:17.000177237Z instant=@16994453988 uncertainty=10892ns',
  '5 cpu0 warn  use.skipped use=output source=speaker reason="port 0x61 does not hold its bit"',
];

describe('the report on the uses of time', () => {
  const records = reportOf(LOG).single;

  it('has a row per source of events', () => {
    const [head, ...rows] = intervalTable(records);
    expect(head).toMatch(/^events +intervals +min +mean +max +jitter$/);
    expect(rows[0]).toMatch(/^rtc +100 +976\.562 us +976\.562 us +976\.563 us +1 ns$/);
    expect(rows[1]).toMatch(/^com1 +100 +699\.994 us +699\.999 us +700\.005 us +11 ns$/);
  });

  it('has a row per signal', () => {
    expect(outputTable(records)[1]).toMatch(/^speaker +200 +250 us +7 ns +18 ns$/);
  });

  it('tells absolute time with its uncertainty', () => {
    expect(absoluteLines(records)).toEqual(['2026-01-01T00:00:17.000177237Z by rtc, to 10.892 us, 16.99445399 s after boot']);
  });

  it('tells what was not to be had', () => {
    expect(skippedLines(records)).toEqual(['no signal of speaker: port 0x61 does not hold its bit']);
  });

  it('is empty for a run without any of it, and has no part that is empty', () => {
    expect(usesReport(reportOf([]).single)).toEqual([]);
    expect(usesReport(reportOf(LOG.slice(3)).single)).toEqual([...absoluteLines(records), '', ...skippedLines(records)]);
  });
});
