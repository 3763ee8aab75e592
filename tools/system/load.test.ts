import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BuildError } from '../errors.ts';
import { projectRoot } from '../paths.ts';
import { loadSystem } from './load.ts';
import { validate } from './validate.ts';

const folder = mkdtempSync(join(tmpdir(), 'load test '));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function place(...lines: readonly string[]): string {
  const path = join(mkdtempSync(join(folder, 'case-')), 'system.ts');
  writeFileSync(path, lines.join('\n'));
  return path;
}

const IMPORT = `import { defineSystem, kib, ms, native } from ${JSON.stringify(join(projectRoot(), 'partitions', 'define.ts'))};`;
const PLANS = "plans: { p: { majorFrame: ms('1.001'), slots: [{ partition: 'a', start: ms(0), duration: ms(1.001) }] } }";
const GOOD = [
  IMPORT,
  'const partitions = Object.fromEntries(["a"].map((name) => [name, { program: native(`${name}.S`), memory: kib(64) }]));',
  `export default defineSystem({ name: 'x', partitions, ${PLANS} });`,
];

describe('a system file', () => {
  it('is evaluated: it may compute its parts', async () => {
    const loaded = await loadSystem(place(...GOOD));
    expect(validate(loaded!.system).problems).toEqual([]);
    expect(loaded!.system).toMatchObject({ name: 'x', plans: { p: { majorFrame: { nanos: 1_001_000 } } } });
  });

  it.each([
    ['a bundle', 'export function main() {}'],
    ['a bundle with a default export besides', 'export function main() {} export default 5;'],
    ['a file without exports', 'const x = 1;'],
  ])('is not %s, which is not even evaluated', async (_, line) => {
    expect(await loadSystem(place(line, "throw new Error('evaluated');"))).toBeUndefined();
  });

  it.each<[string, readonly string[], RegExp]>([
    ['does not parse', ['export default {', '  a: 1 +,', '};'], /system\.ts:2:9: \S/],
    ['imports what is not there', ["import './none.ts';", 'export default 5;'], /system\.ts:1:8: .*none\.ts/],
    [
      'exports something else',
      ['export default { name: "x" };'],
      /system\.ts: its default export is no system; write export default defineSystem/,
    ],
    [
      'throws, with the place',
      ['const all: any = undefined;', 'export default all.partitions;'],
      /system\.ts:2:\d+: Cannot read properties of undefined/,
    ],
    ['throws something else', ['export default null;', 'throw "words";'], /system\.ts: words$/],
    [
      'has two partitions of one name',
      [
        IMPORT,
        `export default defineSystem({ name: 'x', partitions: {`,
        'a: { program: native("a.S"), memory: kib(64) },',
        'a: { program: native("b.S"), memory: kib(64) } },',
        `${PLANS} });`,
      ],
      /system\.ts:4:1: Duplicate key "a" in object literal: give one of them another name/,
    ],
  ])('that %s is refused', async (_, lines, reason) => {
    await expect(loadSystem(place(...lines))).rejects.toThrow(BuildError);
    await expect(loadSystem(place(...lines))).rejects.toThrow(reason);
  });
});
