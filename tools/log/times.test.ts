import { describe, expect, it } from 'vitest';
import { instant, parseDuration } from './times.ts';

describe('a duration', () => {
  it.each([
    ['1ns', 1n],
    ['1.5us', 1_500n],
    ['20 ms', 20_000_000n],
    ['-3ns', -3n],
    ['2s', 2_000_000_000n],
    ['1.000000001s', 1_000_000_001n],
    ['1min', 60_000_000_000n],
  ])('%s is %d ns', (text, nanos) => expect(parseDuration(text)).toBe(nanos));

  it.each(['', '5', 'ms', '1.ms', '1e3ns', '1,5us', '3 parsecs'])('%j is none', (text) => expect(parseDuration(text)).toBeUndefined());
});

describe('an instant', () => {
  it.each([
    ['153.6ms', { from: 'epoch', offset: 153_600_000n }],
    ['@2158063080', { from: 'boot', offset: 2_158_063_080n }],
    ['end-1s', { from: 'end', offset: -1_000_000_000n }],
  ])('%s', (text, expected) => expect(instant(text)).toEqual(expected));

  it.each(['153', '@', '@1ms', 'end', 'end+1s', 'epoch+1s'])('%j is none', (text) =>
    expect(() => instant(text)).toThrow(/^expected an instant such as /),
  );
});
