import { describe, expect, it } from 'vitest';
import { clockTable, latenessTable, selectionLines } from './clocks.ts';
import { reportLines, reportOf } from './report.ts';

const LOG = [
  '1 cpu0 info  time.selected what=clock name=tsc reason="first of tsc, pit"',
  '2 cpu0 info  time.timer timer=lapic route="local vector table" min=3845ns max=2147483646ns lead=1449ns',
  '3 cpu0 info  clock.compared clock=pit against=tsc elapsed=10000000000ns offset=-273ns drift-ppb=-27 read=9088ns',
  '4 cpu0 info  timer.lateness timer=lapic count=200 min=41ns max=389ns needless=0',
];

describe('the report on time', () => {
  const records = reportOf(LOG).single;

  it('tells what was chosen and why', () => {
    expect(selectionLines(records)).toEqual(['clock  tsc: first of tsc, pit']);
  });

  it('has a row per clock with its drift', () => {
    expect(clockTable(records)[1]).toMatch(/^pit +tsc +10 s +-273 ns +-0\.027 ppm +9\.088 us$/);
  });

  it('has the timer with its bounds', () => {
    expect(latenessTable(records)[1]).toMatch(/^lapic +200 +41 ns +389 ns +3\.845 us +2\.147 s$/);
  });

  it('is empty for a run without any of it, and has no heading without a table', () => {
    expect(reportLines(reportOf(LOG.slice(0, 1))).slice(0, 4)).toEqual(['', 'What time is made of', 'clock  tsc: first of tsc, pit', '']);
  });
});
