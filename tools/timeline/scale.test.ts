import { describe, expect, it } from 'vitest';
import { axisOf, exactSeconds, instantAt, NARROWEST, panned, within, xOf, zoomed } from './scale.ts';

const BOUNDS = { from: 1e9, to: 101e9 };
const WHOLE = { ...BOUNDS, width: 1000 };

describe('a view', () => {
  it('keeps the instant under the pointer when it is zoomed, down to the narrowest and back', () => {
    let view = WHOLE;
    const instant = instantAt(view, 300);
    for (let step = 0; step < 80; step++) {
      view = zoomed(view, 0.7, 300, BOUNDS);
      expect(Math.abs(xOf(view, instant) - 300)).toBeLessThan(0.01);
    }
    expect(view.to - view.from).toBeCloseTo(NARROWEST, 5);
    for (let step = 0; step < 80; step++) view = zoomed(view, 1 / 0.7, 300, BOUNDS);
    expect(view).toEqual(WHOLE);
  });

  it('is panned as far as there is something, and no farther', () => {
    const view = zoomed(WHOLE, 0.1, 500, BOUNDS);
    expect(panned(view, 100, BOUNDS).from - view.from).toBeCloseTo(1e9, 0);
    expect(panned(view, -1e9, BOUNDS).from).toBe(BOUNDS.from);
    expect(panned(view, 1e9, BOUNDS).to).toBe(BOUNDS.to);
  });

  it('of a log of one instant is still one', () => {
    const { from, to } = within({ from: 5, to: 5, width: 100 }, { from: 5, to: 6 });
    expect([from, to - from]).toEqual([5, NARROWEST]);
  });
});

describe('an axis', () => {
  const labels = (from: number, to: number, epoch = 0): string[] => axisOf({ from, to, width: 600 }, epoch).ticks.map(({ label }) => label);

  it.each([
    [0, 10e9, ['0 s', '2 s', '4 s', '6 s', '8 s', '10 s']],
    [0, 5e6, ['0 ms', '1 ms', '2 ms', '3 ms', '4 ms', '5 ms']],
    [0, 1000, ['0 ns', '200 ns', '400 ns', '600 ns', '800 ns', '1000 ns']],
  ])('from %d to %d ns has round labels with their unit', (from, to, expected) => expect(labels(from, to)).toEqual(expected));

  it('counts from the epoch', () => {
    expect(labels(2e9, 2e9 + 5e6, 2e9)[1]).toBe('1 ms');
    expect(axisOf({ from: 2e9, to: 2e9 + 5e6, width: 600 }, 2e9).ticks[1]!.instant).toBe(2e9 + 1e6);
  });

  it('says the digits that all labels share once', () => {
    const axis = axisOf({ from: 3_250_412_000, to: 3_250_412_500, width: 600 }, 0);
    expect(axis.base).toBe('3.250 412 000 s');
    expect(axis.ticks.map(({ label }) => label)).toEqual(['+0 ns', '+100 ns', '+200 ns', '+300 ns', '+400 ns', '+500 ns']);
  });
});

it.each([
  [0, '0.000 000 000'],
  [1, '0.000 000 001'],
  [3_250_412_007, '3.250 412 007'],
  [-1_500_000_000, '-1.500 000 000'],
])('%d ns are %s s', (nanos, text) => expect(exactSeconds(nanos)).toBe(text));
