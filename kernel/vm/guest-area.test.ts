/** One layout, told twice: to the assembly by boot/layout.h, to TypeScript by guest-area.ts. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { VMCB } from '../regs/vmcb.ts';
import { AREA, AREA_FX, AREA_LENGTH } from './guest-area.ts';

const text = readFileSync(new URL('../../boot/layout.h', import.meta.url), 'utf8');
const defined = (prefix: string): Record<string, number> =>
  Object.fromEntries(
    [...text.matchAll(new RegExp(`^#define ${prefix}_(\\w+) (0x[0-9A-F]+)$`, 'gm'))].map(([, name, value]): [string, number] => [
      name!,
      Number(value),
    ]),
  );

it('has every field of a guest CPU at the same offset', () => {
  const { FX, HOST_FX, ...fields } = defined('GUEST');
  expect(Object.keys(fields).length).toBeGreaterThan(25);
  expect(Object.fromEntries(Object.entries(AREA).map(([name, index]) => [name, index * 8]))).toEqual(fields);
  expect(AREA_FX).toBe(FX);
  // "FXSAVE": 512 bytes, aligned to 16.
  expect([FX! % 16, HOST_FX! % 16]).toEqual([0, 0]);
  expect(HOST_FX! - FX!).toBeGreaterThanOrEqual(512);
  expect(HOST_FX! + 512).toBeLessThanOrEqual(AREA_LENGTH);
});

it('has no two fields in one place', () => {
  expect(new Set(Object.values(AREA)).size).toBe(Object.keys(AREA).length);
});

it('has the fields of the VMCB that the world switch touches where the register map has them', () => {
  const fields = defined('VMCB');
  expect(fields).toHaveProperty('RAX');
  for (const [name, offset] of Object.entries(fields)) expect(VMCB, name).toHaveProperty(name, offset);
});
