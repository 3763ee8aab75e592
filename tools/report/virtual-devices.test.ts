import { expect, it } from 'vitest';
import { reportData, reportFigures } from './data.ts';
import { reportLines, reportOf } from './report.ts';

const LOG = [
  '1 cpu0 info  partition.created partition=0 name=guest program=any.bin memory=65536',
  '2 cpu0 info  platform.timer partition=0 source=1 name=hpet0',
  '10 cpu0 debug platform.tick partition=0 source=1 deadline=10ns late=0ns',
  '20 cpu0 debug platform.tick partition=0 source=1 deadline=20ns late=7ns',
  '21 cpu0 debug platform.tick partition=0 source=3 deadline=20ns late=1ns',
  '30 cpu0 info  platform.accounts partition=0 source=hpet0 accepted=2 merged=1 dropped=0 lost=4',
  '31 cpu0 info  device.counts partition=0 device=hpet reads=380 writes=5 misuses=6',
];

it('virtual timers have their lateness, by the names that the log gives them', () => {
  const { series } = reportOf(LOG);
  expect(series.map(({ quantity, subject, summary }) => [quantity, subject, summary.count, summary.max, summary.worst[0]!.line])).toEqual([
    ['tick.lateness', 'guest/hpet0', 2, 7, 4],
    ['tick.lateness', 'guest/#3', 1, 1, 5],
  ]);
});

it('what became of their ticks, and how devices were used, are tables and figures', () => {
  const report = reportOf(LOG);
  const lines = reportLines(report);
  expect(lines).toContain('Virtual timers: what became of their ticks');
  expect(lines).toContain('guest      hpet0         2       1        0     4');
  expect(lines).toContain('Virtual devices: accesses of programs');
  expect(lines).toContain('guest        hpet    380       5        6');
  expect(reportFigures(report)).toContainEqual({ table: 'ticks', subject: 'guest/hpet0', quantity: 'lost', value: 4, unit: '' });
  expect(reportFigures(report)).toContainEqual({ table: 'device', subject: 'guest/hpet', quantity: 'misuses', value: 6, unit: '' });
  expect(reportData(report)).toMatchObject({ accounts: [{ source: 'hpet0' }], devices: [{ device: 'hpet' }] });
});
