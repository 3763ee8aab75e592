import { expect, it } from 'vitest';
import { frequency } from '../time/frequency.ts';
import type { HwClock } from '../time/hw-clock.ts';
import { createSystemTime } from './system-time.ts';

/** A TSC of 2 GHz and a clock that reads the same; each is read where it stands. */
function timeFor(name: 'tsc' | 'hpet') {
  const machine = { tsc: 1_000n };
  const clock = { name, now: () => machine.tsc / 2n, readingTsc: () => machine.tsc } as unknown as HwClock;
  const time = createSystemTime(() => machine.tsc, frequency(2_000_000_000n, 1n, 'measured', 'a test'), clock, 3_000n);
  return { machine, time };
}

it.each(['tsc', 'hpet'] as const)('stands still while it is held, and goes on from there (%s)', (name) => {
  const { machine, time } = timeFor(name);
  machine.tsc = 5_000n;
  time.hold();
  machine.tsc = 5_005_000n;
  expect(time.now()).toBe(1_000n);
  expect(time.release(0n)).toBe(5_000_000n);
  expect(time.now()).toBe(1_000n);
  expect(time.toTsc(2_000n)).toBe(5_007_000n);
  machine.tsc = 5_007_000n;
  expect(time.now()).toBe(2_000n);
  // Where another clock is followed, what stood is not made up for.
  time.follow();
  expect(time.now()).toBe(2_000n);
  expect(time.toTsc(3_000n)).toBe(5_009_000n);
});

it('goes on as far ahead as it is told', () => {
  const { machine, time } = timeFor('tsc');
  machine.tsc = 5_000n;
  time.hold();
  machine.tsc = 6_000n;
  expect(time.release(500n)).toBe(1_500n);
  expect(time.toTsc(1_000n)).toBe(6_500n);
});

it('held twice stands where it stood first', () => {
  const { machine, time } = timeFor('tsc');
  machine.tsc = 5_000n;
  time.hold();
  machine.tsc = 9_000n;
  time.hold();
  expect(time.now()).toBe(1_000n);
  expect(time.release(0n)).toBe(4_000n);
});

it('not held, released is as it was', () => {
  const { machine, time } = timeFor('tsc');
  machine.tsc = 5_000n;
  expect(time.release(0n)).toBe(0n);
  expect(time.now()).toBe(1_000n);
});
