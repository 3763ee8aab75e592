import { expect, it } from 'vitest';
import { hexDump } from './hex-dump.ts';

const bytes = Uint8Array.from({ length: 64 }, (_, index) => index + 0x18);

it('shows 16 bytes a line, the last one as far as it goes, in hexadecimal and as text', () => {
  expect(hexDump(bytes, 8, 20)).toBe(
    [
      '00000008  20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d 2e 2f   !"#$%&\'()*+,-./',
      '00000018  30 31 32 33                                      0123',
    ].join('\n'),
  );
});

it('has dots for what is no text', () => expect(hexDump(Uint8Array.of(0x1f, 0x7e, 0x7f, 0xff), 0, 4).slice(-4)).toBe('.~..'));

it('is empty for no bytes', () => expect(hexDump(bytes, 3, 0)).toBe(''));
