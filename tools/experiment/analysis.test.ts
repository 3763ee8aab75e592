import { expect, it } from 'vitest';
import type { TraceRecord } from '../../kernel/trace/events.ts';
import { analyse, analysePrediction, BINS, differences, gapsOf, observe, wholeFramesOf } from './analysis.ts';
import { PERIOD, PLANS } from './matrix.ts';

const MS = 1_000_000;
const record = (event: string, at: number, fields: object): TraceRecord =>
  ({ event, at: BigInt(at), cpu: 0, level: 'debug', fields }) as unknown as TraceRecord;
const guest = (code: number, value: number, at = 0): TraceRecord =>
  record('partition.trace', at, { partition: 0, code: BigInt(code), value: BigInt(value) });

const EPOCH = 500 * MS;
const START = [
  record('system.started', 1, { epoch: BigInt(EPOCH) }),
  // Two ticks a nanosecond.
  record('machine.frequency', 2, { clock: 'tsc', numerator: 2_000_000_000n, denominator: 1n }),
  guest(1, 16_000_000),
];
const TWO_TICKS = [guest(2, 625_001, EPOCH + 11 * MS), guest(3, 22 * MS), guest(2, 1_250_001, EPOCH + 21 * MS), guest(3, 42 * MS)];

it('observes ticks in nanoseconds: the wall since the epoch, the HPET since its start, the TSC', () => {
  expect(observe([...START, ...TWO_TICKS])).toEqual({
    resolution: 16,
    start: MS,
    ticks: [
      { wall: 11 * MS, hpet: 10 * MS + 16, tsc: 11 * MS },
      { wall: 21 * MS, hpet: 20 * MS + 16, tsc: 21 * MS },
    ],
  });
});

it.each([
  ['records that were dropped', [...START, ...TWO_TICKS, record('trace.dropped', 9, { count: 1 })], 'dropped'],
  ['a guest that did not start', TWO_TICKS, 'did not start'],
  ['a guest without HPET', [...START.slice(0, 2), guest(4, 0)], 'no HPET'],
  ['a tick without its stamp', [...START, ...TWO_TICKS.slice(0, 3)], '2 ticks with 1 stamps'],
])('makes no figures of %s', (_what, records, message) => {
  expect(() => observe(records)).toThrow(message);
});

it('counts gaps under half a period as early and over one and a half as late, and puts each in its bin', () => {
  const gaps = [4.999, 5, 10, 15, 15.001, -1];
  let at = 0;
  const instants = [0, ...gaps.map((gap) => (at += Math.round(gap * MS)))];
  const { histogram, ...others } = gapsOf(instants);
  expect(others).toEqual({ least: -MS, most: 15_001_000, early: 2, late: 1 });
  expect(BINS.flatMap((from, index) => (histogram[index]! > 0 ? [[from, histogram[index]]] : []))).toEqual([
    [0, 1],
    [1, 1],
    [5, 1],
    [9.9, 1],
    [15, 2],
  ]);
});

/** Ticks on the beat while the guest has the CPU, 1 ms off the frame; its HPET runs at half speed, its TSC as well but for the last gap. */
const halfSpeed = Array.from({ length: 100 }, (_, index) => 1 + 10 * index)
  .filter((ms) => ms % 400 < 200)
  .map((ms) => ({ wall: ms * MS, hpet: (ms * MS) / 2, tsc: (ms * MS) / 2 + (ms === 991 ? 7 : 0) }));

it('takes ratios from the last tick of the second frame to the last tick of the last, and from the first tick to the last', () => {
  const { wholeFrames, all, clockError, disagreement, ticks } = analyse({ resolution: 16, start: 0, ticks: halfSpeed }, PLANS.regular);
  expect(wholeFrames).toEqual({ wall: 400 * MS, hpet: 200 * MS, ticks: 20, hpetVsWall: 0.5, ticksVsHpet: 1 });
  expect(all).toMatchObject({ wall: 990 * MS, hpet: 495 * MS, ticks: 59, hpetVsWall: 0.5 });
  expect({ ticks, disagreement, clockError }).toEqual({ ticks: 60, disagreement: 7, clockError: 59 * PERIOD - 990 * MS });
  expect(() => wholeFramesOf(halfSpeed.slice(0, 40), PLANS.regular)).toThrow('two frames');
});

it('tells what is other than predicted, and lets a count of the HPET pass', () => {
  const figures = analyse({ resolution: 16, start: 0, ticks: halfSpeed }, PLANS.regular);
  const predicted = analysePrediction(halfSpeed, PLANS.regular);
  expect(differences(figures, predicted, 16)).toEqual([]);
  const offBy = (hpet: number): string[] =>
    differences({ ...figures, wholeFrames: { ...figures.wholeFrames, hpet: figures.wholeFrames.hpet + hpet } }, predicted, 16);
  expect([offBy(16), offBy(17)]).toEqual([[], ['HPET over whole frames, ns: 200000017, predicted 200000000 within 16']]);
  expect(differences({ ...figures, ticks: 61 }, predicted, 16)).toEqual(['ticks: 61, predicted 60']);
});
