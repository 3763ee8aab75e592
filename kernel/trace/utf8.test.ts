import { describe, expect, it } from 'vitest';
import { createRandom } from '../testing/random.ts';
import { encodeUtf8 } from './utf8.ts';

describe('UTF-8 as Node writes it', () => {
  it.each([
    ['nothing', ''],
    ['ASCII', 'plain text\r\n\0\x7f'],
    ['the edges of two bytes', '\u0080\u07ff'],
    ['the edges of three bytes', '\u0800\ud7ff\ue000\uffff'],
    ['the edges of four bytes', '\u{10000}\u{10ffff}'],
    ['a mix', 'a é 漢 🕰 z'],
    ['an unpaired first half', 'a\ud83d'],
    ['an unpaired first half before a letter', '\ud83dz'],
    ['an unpaired second half', '\udd70a'],
    ['halves in the wrong order', '\udd70\ud83d'],
    ['two first halves before a second', '\ud83d\ud83d\udd70'],
  ])('%s', (_, text) => {
    expect([...encodeUtf8(text)]).toEqual([...Buffer.from(text, 'utf8')]);
  });

  it('every single code unit', () => {
    for (let code = 0; code <= 0xffff; code++) {
      const text = String.fromCharCode(code);
      const own = encodeUtf8(text);
      if (Buffer.compare(own, Buffer.from(text, 'utf8')) !== 0)
        expect.fail(`U+${code.toString(16)} is ${Buffer.from(own).toString('hex')}`);
    }
  });

  it('code units at random', () => {
    const random = createRandom(1);
    for (let round = 0; round < 500; round++) {
      const units = Array.from({ length: random.integer(40) }, () =>
        random.integer(2) === 0 ? 0xd800 + random.integer(0x800) : random.integer(0x10000),
      );
      const text = String.fromCharCode(...units);
      expect(Buffer.from(encodeUtf8(text)).toString('hex'), units.join(' ')).toBe(Buffer.from(text, 'utf8').toString('hex'));
    }
  });

  it('is bytes of its own, not a view of something longer', () => {
    const bytes = encodeUtf8('é');
    expect(bytes.byteOffset).toBe(0);
    expect(bytes.buffer.byteLength).toBe(2);
  });
});
