import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BuildError, CannotRunError } from '../errors.ts';
import { precompiler } from '../paths.ts';
import { createStackMapper } from '../trace/stacks.ts';
import { buildBundle, writeArchive } from './bundle.ts';

const TEST_LIMIT_MS = 60_000;
const TAR_LIMIT_MS = 10_000;

const folder = mkdtempSync(join(tmpdir(), 'bundle test '));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const newFolder = (): string => mkdtempSync(join(folder, 'case-'));
function source(name: string, ...lines: readonly string[]): string {
  const path = join(newFolder(), name);
  writeFileSync(path, lines.join('\n'));
  return path;
}

/** Told by the system's tar, not by the library that wrote it. */
const tar = (...words: readonly string[]): Buffer =>
  execFileSync('tar', words, { timeout: TAR_LIMIT_MS, stdio: ['ignore', 'pipe', 'pipe'] });
const namesIn = (archive: string): string[] => tar('tf', archive).toString().split('\n').slice(0, -1);
const contentIn = (archive: string, name: string): Buffer => tar('xOf', archive, name);

async function problemOf(entry: string): Promise<string> {
  const error: unknown = await buildBundle(entry, newFolder()).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BuildError);
  return (error as BuildError).message;
}

const GOOD = [
  'interface Shims {',
  '  exit(code: number): void;',
  '}',
  'export function main(shims: Shims): void {',
  '  shims.exit(0x10);',
  '}',
];

describe('a bundle', { timeout: TEST_LIMIT_MS }, () => {
  beforeAll(() => {
    if (!existsSync(precompiler())) throw new Error(`${precompiler()} is missing: run "make build" first`);
  });

  it('is a ustar archive with the bytecode of the kernel program', async () => {
    const { archive } = await buildBundle(source('good.ts', ...GOOD), newFolder());
    expect(archive).toMatch(/good\.tar$/);
    expect(readFileSync(archive).subarray(257, 265).toString('latin1')).toBe('ustar\x0000');
    expect(namesIn(archive)).toEqual(['kernel.bytecode']);
    expect(contentIn(archive, 'kernel.bytecode').length).toBeGreaterThan(50);
  });

  it('of the same source is the same, byte for byte, wherever it is made', async () => {
    const entry = source('good.ts', ...GOOD);
    const [first, second] = [await buildBundle(entry, newFolder()), await buildBundle(entry, newFolder())];
    expect(first.archive).not.toBe(second.archive);
    expect(readFileSync(first.archive).equals(readFileSync(second.archive))).toBe(true);
  });

  it('of another source is another', async () => {
    const first = await buildBundle(source('good.ts', ...GOOD), newFolder());
    const second = await buildBundle(source('good.ts', ...GOOD.map((line) => line.replace('0x10', '0x11'))), newFolder());
    expect(readFileSync(first.archive).equals(readFileSync(second.archive))).toBe(false);
  });

  it('has a source map that leads back to the TypeScript', async () => {
    const { sourceMaps } = await buildBundle(source('good.ts', ...GOOD), newFolder());
    const code = readFileSync(join(sourceMaps, 'kernel.js'), 'utf8').split('\n');
    const row = code.findIndex((line) => line.includes('shims.exit('));
    const column = code[row]!.indexOf('shims.exit(') + 1;
    expect(createStackMapper(sourceMaps)(`at main (kernel.js:${row + 1}:${column})`)).toMatch(/^at main \(\S.*good\.ts:5:3\)$/);
    expect(createStackMapper(sourceMaps)(`kernel.js:${row + 1}`)).toMatch(/good\.ts:5:3$/);
  });

  it('has neither let nor const in it, whose every use the engine would check', async () => {
    const entry = source(
      'lexical.ts',
      'export const main = (): number => {',
      '  let sum = 0;',
      '  for (const x of [1]) sum += x;',
      '  return sum;',
      '};',
    );
    const { sourceMaps } = await buildBundle(entry, newFolder());
    const code = readFileSync(join(sourceMaps, 'kernel.js'), 'utf8');
    expect(code).toContain('sum');
    expect(code).not.toMatch(/\b(let|const)\s/);
  });

  it('leaves a new variable to each turn of a loop whose closures keep it', async () => {
    const entry = source(
      'closures.ts',
      'export const main = () => {',
      '  const all = [];',
      '  for (let i = 0; i < 3; i++) all.push(() => i);',
      '  return all.map((f) => f());',
      '};',
    );
    const { sourceMaps } = await buildBundle(entry, newFolder());
    const code = readFileSync(join(sourceMaps, 'kernel.js'), 'utf8');
    // The bundle is one expression whose value is what the entry exports.
    const { main } = (0, eval)(code) as { main: () => number[] };
    expect(main()).toEqual([0, 1, 2]);
  });

  it('carries what the entry imports', async () => {
    const entry = source('importing.ts', "import { MARK } from './mark.ts';", 'export const main = () => MARK;');
    writeFileSync(join(entry, '..', 'mark.ts'), "export const MARK = 'a very rare word';");
    const { archive } = await buildBundle(entry, newFolder());
    expect(contentIn(archive, 'kernel.bytecode').toString('latin1')).toContain('a very rare word');
  });
});

describe('what can not be built is a message with its place:', { timeout: TEST_LIMIT_MS }, () => {
  it('a syntax error', async () => {
    expect(await problemOf(source('broken.ts', 'export function main() {', '  return 1 +;', '}'))).toMatch(/broken\.ts:2:13: \S/);
  });

  it('each of several errors, in a line of its own', async () => {
    const message = await problemOf(source('two.ts', "import './first';", "import './second';", 'export const main = 1;'));
    expect(message.split('\n')).toEqual([
      expect.stringMatching(/two\.ts:1:8: .*first/) as string,
      expect.stringMatching(/two\.ts:2:8: .*second/) as string,
    ]);
  });

  it('an error in an imported file', async () => {
    const entry = source('importing.ts', "import './broken.ts';");
    writeFileSync(join(entry, '..', 'broken.ts'), '\n\n  let x = ;');
    expect(await problemOf(entry)).toMatch(/[^/]*\/broken\.ts:3:11: \S/);
  });

  it("a module of Node's, which the kernel does not have", async () => {
    expect(await problemOf(source('node.ts', "import { readFileSync } from 'node:fs';", 'export const main = readFileSync;'))).toMatch(
      /node\.ts:1:30: .*node:fs/,
    );
  });

  it('what esbuild takes and the engine does not', async () => {
    const message = await problemOf(source('regexp.ts', 'export const main = () => /(/;'));
    expect(message).toContain('the engine does not take the bundle');
    expect(message).toMatch(/SyntaxError/);
  });

  it('a missing file, without a place', async () => {
    const path = join(folder, 'none.ts');
    await expect(buildBundle(path, newFolder())).rejects.toThrow(new CannotRunError(`${path}: there is no such file`));
  });

  it('and nothing is left that could be taken for a good bundle', async () => {
    const target = newFolder();
    for (const line of ['let =', 'export const main = () => /(/;']) {
      await expect(buildBundle(source('broken.ts', line), target)).rejects.toThrow(BuildError);
      expect(readdirSync(target)).toEqual([]);
    }
  });
});

describe('an archive', { timeout: TEST_LIMIT_MS }, () => {
  it('holds each file as it was, also an empty one and those around the size of a block', async () => {
    const path = join(newFolder(), 'a.tar');
    const files: Record<string, Uint8Array | string> = { 'empty.txt': '', 'text.txt': 'µ\n' };
    for (const size of [1, 511, 512, 513, 1024, 100_000])
      files[`${size}.bin`] = Uint8Array.from({ length: size }, (_, index) => (index * 7) & 0xff);
    await writeArchive(path, files);
    expect(namesIn(path)).toEqual(Object.keys(files).sort());
    for (const [name, content] of Object.entries(files)) expect(contentIn(path, name).equals(Buffer.from(content)), name).toBe(true);
    expect(readFileSync(path).length % 512).toBe(0);
  });

  it('may have no files at all', async () => {
    const path = join(newFolder(), 'a.tar');
    await writeArchive(path, {});
    expect(namesIn(path)).toEqual([]);
    expect(readFileSync(path)).toEqual(Buffer.alloc(1024));
  });

  it.each([99, 100, 101, 200, 255, 300])('takes names of %i characters', async (length) => {
    const path = join(newFolder(), 'a.tar');
    for (const name of ['x'.repeat(length), 'folder/'.repeat(40).slice(0, length - 5) + 'x.bin']) {
      await writeArchive(path, { [name]: 'content', 'after.txt': 'more' });
      expect(namesIn(path).sort()).toEqual(['after.txt', name].sort());
      expect(contentIn(path, name).toString()).toBe('content');
    }
  });

  it('does not depend on the order of the files, or on when and by whom it is made', async () => {
    const [first, second] = [join(newFolder(), 'a.tar'), join(newFolder(), 'b.tar')];
    const long = 'y'.repeat(150);
    await writeArchive(first, { b: '2', a: '1', [long]: '3' });
    await writeArchive(second, { [long]: '3', a: '1', b: '2' });
    expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
    const listing = tar('--utc', '--numeric-owner', '-tvf', first).toString();
    for (const line of listing.trimEnd().split('\n')) expect(line).toMatch(/^-rw-r--r-- 0\/0 +1 1970-01-01 00:00 /);
  });

  it('replaces an older one, and leaves no part of itself beside it', async () => {
    const target = newFolder();
    const path = join(target, 'a.tar');
    await writeArchive(path, { old: 'x'.repeat(10_000) });
    await Promise.all([writeArchive(path, { new: '1' }), writeArchive(path, { new: '1' })]);
    expect(namesIn(path)).toEqual(['new']);
    expect(readdirSync(target)).toEqual(['a.tar']);
  });
});
