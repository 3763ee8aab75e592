import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runtimeImage } from '../paths.ts';
import { endOf, readElf } from './elf.ts';

const runtime = readFileSync(runtimeImage());

describe('an ELF file', () => {
  it('is read: class, entries, segments', () => {
    const elf = readElf(runtime);
    expect(elf.is64).toBe(true);
    expect(elf.segments[0]).toMatchObject({ address: 0x10_0000 });
    expect(elf.pvhEntry).toBe(0x10_0000);
    expect(elf.entry).toBe(0x10_0000);
    expect(endOf(elf)).toBeGreaterThan(0x10_0000 + runtime.length / 2);
    expect(endOf(elf)).toBeLessThan(8 * 1024 ** 2);
  });

  it.each([0, 3, 4, 51, 63, 64, 100, 300])('cut to %i bytes is told to be cut', (length) => {
    expect(() => readElf(runtime.subarray(0, length))).toThrow(length < 4 ? 'is no ELF file' : `is cut off: `);
    if (length >= 4) expect(() => readElf(runtime.subarray(0, length))).toThrow(`the file has ${length} bytes`);
  });

  it('cut within what is loaded is told with both sizes', () => {
    const { segments } = readElf(runtime);
    const last = Math.max(...segments.map(({ offset, fileSize }) => offset + fileSize));
    expect(() => readElf(runtime.subarray(0, last - 1))).toThrow(`ends at byte ${last}, the file has ${last - 1} bytes`);
    expect(() => readElf(runtime.subarray(0, last))).not.toThrow();
  });

  const changed = (offset: number, value: number): Buffer => {
    const copy = Buffer.from(runtime);
    copy[offset] = value;
    return copy;
  };

  it.each<[string, Buffer, string]>([
    ['another kind of file', Buffer.from('#!/bin/sh\n'.repeat(20)), 'is no ELF file'],
    ['another class', changed(4, 3), 'is of class 3'],
    ['another machine', changed(18, 0xb7), 'is for machine 183, not for x86'],
    ['entries too short for segments', changed(54, 8), 'entries of 8 bytes'],
    ['no segments', changed(56, 0), 'has nothing to load'],
  ])('with %s is refused', (_, file, reason) => {
    expect(() => readElf(file)).toThrow(reason);
  });

  it('whatever its bytes, gives a result or a RangeError', () => {
    for (let at = 0; at < 512; at++) {
      for (const value of [0x00, 0x7f, 0xff]) {
        try {
          readElf(changed(at, value));
        } catch (error) {
          expect(error, `byte ${at} = ${value}`).toBeInstanceOf(RangeError);
        }
      }
    }
  });
});
