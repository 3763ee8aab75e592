import { build } from 'esbuild';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createStackMapper, hasProgramPosition } from './stacks.ts';

const folder = mkdtempSync(join(tmpdir(), 'stacks test '));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DEVICE = ['// a comment', 'export function arm(deadline: bigint): void {', "  if (deadline < 0n) throw new RangeError('past');", '}'];
const MAIN = ["import { arm } from './device.ts';", '', 'export const main = (): void => {', '  arm(-1n);', '};'];

/** Line and column, counted from 1, of a piece of text in lines that has it once. */
function placeOf(lines: readonly string[], text: string): string {
  const row = lines.findIndex((line) => line.includes(text));
  return `${row + 1}:${lines[row]!.indexOf(text) + 1}`;
}

let code: string[];

beforeAll(async () => {
  writeFileSync(join(folder, 'device.ts'), DEVICE.join('\n'));
  writeFileSync(join(folder, 'main.ts'), MAIN.join('\n'));
  await build({
    entryPoints: [join(folder, 'main.ts')],
    bundle: true,
    format: 'iife',
    outfile: join(folder, 'kernel.js'),
    absWorkingDir: folder,
    sourcemap: 'external',
    logLevel: 'silent',
  });
  code = readFileSync(join(folder, 'kernel.js'), 'utf8').split('\n');
});

describe('a stack of the bundle', () => {
  it('becomes one of the sources', () => {
    const map = createStackMapper(folder);
    expect(map(`    at arm (kernel.js:${placeOf(code, 'new RangeError')})`)).toBe(
      `    at arm (device.ts:${placeOf(DEVICE, 'new RangeError')})`,
    );
    expect(map(`    at main (kernel.js:${placeOf(code, 'arm(-1n)')})`)).toBe(`    at main (main.ts:${placeOf(MAIN, 'arm(-1n)')})`);
  });

  it('has columns that count from 1: what stands just before a place is another', () => {
    const [row, column] = placeOf(code, 'new RangeError').split(':').map(Number) as [number, number];
    expect(createStackMapper(folder)(`kernel.js:${row}:${column - 1}`)).toBe(`device.ts:${placeOf(DEVICE, 'throw')}`);
  });

  it('may have several places in one line', () => {
    const text = `stack="at arm (kernel.js:${placeOf(code, 'new RangeError')})\\n at kernel.js:${placeOf(code, 'arm(-1n)')}"`;
    const mapped = `stack="at arm (device.ts:${placeOf(DEVICE, 'new RangeError')})\\n at main.ts:${placeOf(MAIN, 'arm(-1n)')}"`;
    expect(createStackMapper(folder)(text)).toBe(mapped);
  });

  it('may have a line without a column: then its first statement is meant', () => {
    const [row] = placeOf(code, 'new RangeError').split(':');
    expect(createStackMapper(folder)(`kernel.js:${row!}`)).toBe(`device.ts:${placeOf(DEVICE, 'if (deadline')}`);
  });

  it.each(['kernel.js:0', 'kernel.js:0:0', 'kernel.js:0:7', 'kernel.js:999999:1', 'kernel.js:99999999999999999999:1', 'kernel.js:1:1'])(
    'stays as it is where the map knows nothing (%s)',
    (place) => {
      expect(createStackMapper(folder)(`at f (${place})`)).toBe(`at f (${place})`);
    },
  );

  it.each([
    '',
    'at native',
    'kernel.js',
    'kernel.ts:3:4',
    'other.jsx:1:2',
    'kernel.js:',
    'see kernel.js: line 4',
    '   100 cpu0 info  log message=x',
  ])('is nothing that has no place: %j stays as it is', (line) => {
    expect(createStackMapper(folder)(line)).toBe(line);
    expect(hasProgramPosition(line)).toBe(false);
  });

  it('has a place with and without a column', () => {
    expect(hasProgramPosition('at f (kernel.js:10:2)')).toBe(true);
    expect(hasProgramPosition('at f (console.js:10)')).toBe(true);
  });
});

describe('without a usable map', () => {
  const LINE = '    at f (kernel.js:3:5)';

  it('and without a folder, lines stay as they are', () => {
    expect(createStackMapper(undefined)(LINE)).toBe(LINE);
  });

  it('of that program, lines stay as they are, and those of another are mapped', () => {
    const place = placeOf(code, 'arm(-1n)');
    expect(createStackMapper(folder)(`at console.js:${place} kernel.js:${place}`)).toBe(
      `at console.js:${place} main.ts:${placeOf(MAIN, 'arm(-1n)')}`,
    );
  });

  it.each([
    ['empty', ''],
    ['cut', '{"version":3,"sources":["a.ts"],"mapp'],
    ['no object', 'null'],
    ['without mappings', '{"version":3,"sources":["a.ts"],"names":[]}'],
    ['without sources', '{"version":3,"names":[],"mappings":"AAAA"}'],
    ['with mappings of another type', '{"version":3,"sources":["a.ts"],"names":[],"mappings":5}'],
    ['with mappings to a source that it lacks', '{"version":3,"sources":[],"names":[],"mappings":"AAAA;AAAA;AAAA;AAAA"}'],
  ])('because it is damaged (%s), lines stay as they are', (_, text) => {
    const damaged = mkdtempSync(join(folder, 'damaged-'));
    writeFileSync(join(damaged, 'kernel.js.map'), text);
    expect(createStackMapper(damaged)(LINE)).toBe(LINE);
  });

  it('because it is a folder, lines stay as they are', () => {
    const odd = mkdtempSync(join(folder, 'odd-'));
    mkdirSync(join(odd, 'kernel.js.map'));
    expect(createStackMapper(odd)(LINE)).toBe(LINE);
  });
});
