import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { buildFolder, projectRoot } from '../tools/paths.ts';

const folder = mkdtempSync(join(tmpdir(), 'chronovisor-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

function make(limit: number, ...words: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('make', ['--no-print-directory', ...words], {
    cwd: projectRoot(),
    encoding: 'utf8',
    timeout: limit,
    // Not as a part of the make that runs the tests.
    env: { ...process.env, MAKEFLAGS: '', MAKELEVEL: '' },
  });
  return { status, output: stdout + stderr };
}

it('building the runtime twice gives the same image', { timeout: 200_000 }, () => {
  const other = join(folder, 'build');
  const { status, output } = make(180_000, '-j2', `BUILD=${other}`, join(other, 'runtime.elf'));
  expect(status, output).toBe(0);
  expect(readFileSync(join(other, 'runtime.elf')).equals(readFileSync(join(buildFolder(), 'runtime.elf')))).toBe(true);
});

it('a second build does nothing', () => {
  const { status, output } = make(60_000, 'build');
  expect(status).toBe(0);
  expect(output).not.toMatch(/^ {2}(CC|AS|LD|TOOL|HOST)/m);
});

it('types, lint, layer rules and formatting hold', { timeout: 240_000 }, () => {
  const { status, output } = make(220_000, 'check');
  expect(status, output).toBe(0);
});

it('make help lists every target', () => {
  const { output } = make(20_000, 'help');
  for (const target of ['setup', 'build', 'run', 'test', 'bench', 'check', 'console', 'clean'])
    expect(output).toMatch(new RegExp(`^ +make ${target} `, 'm'));
});
