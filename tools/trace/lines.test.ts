import { describe, expect, it } from 'vitest';
import { createLineSplitter } from './lines.ts';

function linesOf(...chunks: readonly Uint8Array[]): string[] {
  const lines: string[] = [];
  const splitter = createLineSplitter((line) => lines.push(line));
  chunks.forEach((chunk) => splitter.push(chunk));
  splitter.end();
  return lines;
}

const bytes = (text: string): Buffer => Buffer.from(text);

describe('bytes become lines', () => {
  it.each([
    ['LF', '\n'],
    ['CRLF', '\r\n'],
    ['CR CR LF', '\r\r\n'],
  ])('at %s', (_, end) => {
    expect(linesOf(bytes(['one', 'two', ''].join(end)))).toEqual(['one', 'two']);
  });

  it('at a mixture of line ends', () => {
    expect(linesOf(bytes('a\r\nb\nc\r\r\nd\n'))).toEqual(['a', 'b', 'c', 'd']);
  });

  it('and empty ones stay', () => {
    expect(linesOf(bytes('\n\r\n\na\n\n'))).toEqual(['', '', '', 'a', '']);
  });

  it('with carriage returns and spaces kept that are not at the end', () => {
    expect(linesOf(bytes(' a\rb \t\n\r c\n'))).toEqual([' a\rb \t', '\r c']);
  });

  it.each(['last', 'last\r', 'last\r\r'])('also a last one without an end (%j)', (last) => {
    expect(linesOf(bytes(`first\n${last}`))).toEqual(['first', 'last']);
  });

  it('and of nothing comes no line', () => {
    expect(linesOf()).toEqual([]);
    expect(linesOf(bytes(''))).toEqual([]);
  });

  it('as soon as they are complete', () => {
    const lines: string[] = [];
    const splitter = createLineSplitter((line) => lines.push(line));
    splitter.push(bytes('a\nb'));
    expect(lines).toEqual(['a']);
    splitter.push(bytes('c\n'));
    expect(lines).toEqual(['a', 'bc']);
  });

  it('and the last one is delivered once, however often the end is told', () => {
    const lines: string[] = [];
    const splitter = createLineSplitter((line) => lines.push(line));
    splitter.push(bytes('a'));
    splitter.end();
    splitter.end();
    expect(lines).toEqual(['a']);
  });

  it('and what is no UTF-8 damages only itself', () => {
    expect(linesOf(Buffer.from([0x61, 0xff, 0x62, 0x0a, 0x63, 0x0a]))).toEqual(['a\ufffdb', 'c']);
    expect(linesOf(Buffer.from([0x61, 0x0a, 0x62, 0xe2, 0x82]))).toEqual(['a', 'b\ufffd']);
  });
});

describe('wherever the bytes are split', () => {
  // Characters of one to four bytes, and all three line ends.
  const TEXT = 'ab\r\nµs\r\r\n\n€ and 🙂\r\nlast µ€🙂';
  const WHOLE = ['ab', 'µs', '', '€ and 🙂', 'last µ€🙂'];
  const all = bytes(TEXT);

  it('in two, the lines are the same', () => {
    for (let at = 0; at <= all.length; at++) expect(linesOf(all.subarray(0, at), all.subarray(at)), `split at ${at}`).toEqual(WHOLE);
  });

  it('in three, the lines are the same', () => {
    for (let first = 0; first <= all.length; first++) {
      for (let second = first; second <= all.length; second++) {
        const chunks = [all.subarray(0, first), all.subarray(first, second), all.subarray(second)];
        expect(linesOf(...chunks), `split at ${first} and ${second}`).toEqual(WHOLE);
      }
    }
  });

  it('in single bytes, the lines are the same', () => {
    expect(linesOf(...Array.from(all, (byte) => Uint8Array.of(byte)))).toEqual(WHOLE);
  });
});
