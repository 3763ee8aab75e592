import { expect, it } from 'vitest';
import { plannedSlots, type SlotSeen } from './plans.ts';

const seen = (cpu: number, partition: number, slot: number, frame: number, nominal: number, left = nominal + 1): SlotSeen => ({
  cpu,
  partition,
  slot,
  frame,
  nominal,
  left,
});

it('a slot lasts until the next one of its CPU, the last one to the end of the frame', () => {
  const runs = [0, 1, 2].flatMap((frame) => [
    seen(0, 0, 0, frame, 1000 + frame * 100),
    seen(0, 1, 1, frame, 1040 + frame * 100),
    seen(1, 2, 2, frame, 1000 + frame * 100),
  ]);
  expect(plannedSlots(runs, []).map(([cpu, partition, { start, duration }]) => [cpu, partition, start, duration])).toEqual([
    [0, 0, 1000, 40],
    [0, 1, 1040, 60],
    [1, 2, 1000, 100],
  ]);
});

it('a slot that was seen in a late frame only is planned from the first one on', () => {
  const runs = [seen(0, 0, 0, 0, 0), seen(0, 0, 0, 5, 500), seen(0, 1, 1, 4, 430)];
  expect(plannedSlots(runs, [])).toEqual([
    [0, 0, { slot: 0, start: 0, duration: 30, period: 100, frames: 6, firstFrame: 0 }],
    [0, 1, { slot: 1, start: 30, duration: 70, period: 100, frames: 6, firstFrame: 0 }],
  ]);
});

it('a plan ends with the frame in which another one begins', () => {
  const runs = [seen(0, 0, 0, 0, 0), seen(0, 0, 0, 1, 100), seen(0, 7, 0, 2, 200), seen(0, 7, 0, 3, 250)];
  expect(plannedSlots(runs, [2])).toEqual([
    [0, 0, { slot: 0, start: 0, duration: 100, period: 100, frames: 2, firstFrame: 0 }],
    [0, 7, { slot: 0, start: 200, duration: 50, period: 50, frames: 2, firstFrame: 2 }],
  ]);
});

it('of one frame alone only what ran is known', () => {
  expect(plannedSlots([seen(0, 0, 0, 3, 300, 340), seen(0, 1, 1, 3, 350, 390)], [])).toEqual([
    [0, 0, { slot: 0, start: 300, duration: 40, period: 0, frames: 1, firstFrame: 3 }],
    [0, 1, { slot: 1, start: 350, duration: 40, period: 0, frames: 1, firstFrame: 3 }],
  ]);
});

it('nothing seen is nothing planned', () => expect(plannedSlots([], [1])).toEqual([]));
