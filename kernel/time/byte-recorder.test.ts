import { describe, expect, it } from 'vitest';
import { createByteRecorder, type ReceivedByte } from './byte-recorder.ts';
import { createIntervalRecorder } from './interval-recorder.ts';
import { nanos } from './units.ts';

function createLine() {
  const waiting: number[] = [];
  const bytes: ReceivedByte[] = [];
  const intervals = createIntervalRecorder(nanos, 16);
  const recorder = createByteRecorder(
    () => waiting.shift() ?? -1,
    intervals,
    (received) => bytes.push(received),
  );
  return {
    bytes,
    intervals,
    recorder,
    arrive: (taken: bigint, ...values: number[]) => {
      waiting.push(...values);
      recorder.onInterrupt(taken);
    },
  };
}

describe('a byte recorder', () => {
  it('dates bytes by their interrupts', () => {
    const { arrive, bytes, intervals } = createLine();
    arrive(1_000n, 0x41);
    arrive(3_500n, 0);
    arrive(4_000n, 0xff);
    expect(bytes).toEqual([
      { index: 0, byte: 0x41, taken: 1_000n, isDated: true },
      { index: 1, byte: 0, taken: 3_500n, isDated: true },
      { index: 2, byte: 0xff, taken: 4_000n, isDated: true },
    ]);
    expect(intervals.recent()).toEqual([2_500n, 500n]);
  });

  it('invents no interval for bytes that came with others, but counts them', () => {
    const { arrive, bytes, intervals, recorder } = createLine();
    arrive(1_000n, 1, 2, 3);
    arrive(2_000n, 4);
    expect(bytes.map(({ byte, isDated }) => [byte, isDated])).toEqual([
      [1, true],
      [2, false],
      [3, false],
      [4, true],
    ]);
    expect(intervals.recent()).toEqual([1_000n]);
    expect([recorder.received(), recorder.undated()]).toEqual([4, 2]);
  });

  it('takes an interrupt without a byte for no event', () => {
    const { arrive, bytes, intervals } = createLine();
    arrive(1_000n, 1);
    arrive(1_500n);
    arrive(2_000n, 2);
    expect(bytes).toHaveLength(2);
    expect(intervals.recent()).toEqual([1_000n]);
  });
});
