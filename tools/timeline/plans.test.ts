import { describe, expect, it } from 'vitest';
import { plannedSlots, type DescribedSlot, type SlotSeen } from './plans.ts';

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
  expect(plannedSlots(runs, [{ frame: 2, plan: 1 }])).toEqual([
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

it('nothing seen is nothing planned', () => expect(plannedSlots([], [{ frame: 1, plan: 1 }])).toEqual([]));

describe('described slots', () => {
  const slot = (plan: number, number: number, partition: number, start: number, duration: number, majorFrame: number): DescribedSlot => ({
    plan,
    slot: number,
    partition,
    start,
    duration,
    majorFrame,
  });

  it('have their own lengths, those that never ran too', () => {
    const described = [slot(0, 0, 0, 0, 30, 100), slot(0, 1, 1, 40, 20, 100)];
    // Seen from the second frame on only, and of the second slot nothing.
    expect(plannedSlots([seen(0, 0, 0, 1, 1100), seen(0, 0, 0, 2, 1200)], [], described)).toEqual([
      [0, 0, { slot: 0, start: 1100, duration: 30, period: 100, frames: 2, firstFrame: 1 }],
      [0, 1, { slot: 1, start: 1140, duration: 20, period: 100, frames: 2, firstFrame: 1 }],
    ]);
  });

  it('are those of the plan that holds in a frame', () => {
    const described = [slot(0, 0, 0, 0, 100, 100), slot(1, 0, 7, 5, 40, 50)];
    const runs = [seen(0, 0, 0, 0, 0), seen(0, 0, 0, 1, 100), seen(0, 7, 0, 3, 255)];
    expect(plannedSlots(runs, [{ frame: 2, plan: 1 }], described)).toEqual([
      [0, 0, { slot: 0, start: 0, duration: 100, period: 100, frames: 2, firstFrame: 0 }],
      [0, 7, { slot: 0, start: 205, duration: 40, period: 50, frames: 2, firstFrame: 2 }],
    ]);
  });
});
