import { describe, expect, it } from 'vitest';
import {
  extremesOf,
  filledBefore,
  filledWithin,
  firstEndingAfter,
  framesWithin,
  fromDifferences,
  newSpans,
  toDifferences,
  type Spans,
} from './columns.ts';

/** Park and Miller's generator: the same samples at every run. */
function createRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => (state = (state * 48_271) % 0x7fff_ffff) % limit;
}

function spansOf(count: number, random: (limit: number) => number): Spans {
  const spans = newSpans();
  let at = 0;
  for (let index = 0; index < count; index++) {
    at += random(20);
    spans.starts.push(at);
    at += random(10);
    spans.ends.push(at);
  }
  return spans;
}

describe('searches find what a look at every item finds:', () => {
  const random = createRandom(7);
  const spans = spansOf(200, random);
  const before = filledBefore(spans);
  const last = spans.ends.at(-1)!;

  it('the share of any stretch that spans fill', () => {
    for (let round = 0; round < 500; round++) {
      const from = random(last + 40) - 20;
      const to = from + random(60);
      let expected = 0;
      for (let instant = from; instant < to; instant++)
        if (spans.starts.some((start, index) => start <= instant && instant < spans.ends[index]!)) expected++;
      expect(filledWithin(spans, before, from, to), `${from} to ${to}`).toBe(expected);
    }
  });

  it('the first span that is not over', () => {
    for (let instant = -5; instant < last + 5; instant++) {
      const expected = spans.ends.findIndex((end) => end > instant);
      expect(firstEndingAfter(spans, instant)).toBe(expected < 0 ? spans.ends.length : expected);
    }
  });

  it('least and greatest value, also across many blocks', () => {
    const values = Array.from({ length: 1000 }, () => random(100_000) - 50_000);
    const extremes = extremesOf(values);
    for (let round = 0; round < 500; round++) {
      const first = random(1000);
      const end = first + 1 + random(1000 - first);
      const part = values.slice(first, end);
      expect(extremes(first, end)).toEqual({ min: Math.min(...part), max: Math.max(...part) });
    }
    expect(extremes(5, 5)).toBeUndefined();
  });

  it('frames of a slot within a stretch', () => {
    const slot = { slot: 1, start: 30, duration: 4, period: 10, frames: 20, firstFrame: 0 };
    for (let from = 0; from < 260; from++) {
      const to = from + 1 + (from % 23);
      const expected = Array.from({ length: 20 }, (_, frame) => frame).filter((frame) => 30 + frame * 10 < to && 34 + frame * 10 > from);
      const { first, end } = framesWithin(slot, from, to);
      expect(
        Array.from({ length: end - first }, (_, index) => first + index),
        `${from} to ${to}`,
      ).toEqual(expected);
    }
  });
});

it('differences lead back to the values', () => {
  const values = [5, 5, 3, 2 ** 50, -1];
  expect(fromDifferences(toDifferences(values))).toEqual(values);
  expect(fromDifferences(toDifferences([]))).toEqual([]);
});
