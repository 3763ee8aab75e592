/** tools/log/READING.md: its commands are run on a log of this kernel, and what they print has the form that the page shows. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boot } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';
import { PROGRAM, runProgram } from '../tools/harness/program.ts';
import { buildFolder, projectRoot } from '../tools/paths.ts';
import promises from '../partitions/demonstration/promises.ts';

const page = readFileSync(join(projectRoot(), 'tools', 'log', 'READING.md'), 'utf8');
const folder = join(buildFolder(), 'test', 'reading');
const LOG = 'build/logs/demonstration.log';

beforeAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, dirname(LOG)), { recursive: true });
  mkdirSync(join(folder, 'partitions', 'demonstration'), { recursive: true });
  for (const path of ['kernel', 'tools', 'partitions/promises.ts']) symlinkSync(join(projectRoot(), path), join(folder, path));
  const [, path, code] = /```ts\n\/\/ (\S+)\n([^]*?)```/.exec(page)!;
  writeFileSync(join(folder, path!), code!);
  const run = await boot({ system: 'partitions/demonstration/system.ts', name: 'reading' });
  expect(run).toHold();
  expect(run).toKeep(promises);
  writeFileSync(join(folder, LOG), run.lines.map((line) => `${line}\n`).join(''));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Example {
  readonly command: string;
  readonly shown: readonly string[];
}

function examples(): Example[] {
  const blocks = [...page.matchAll(/```console\n([^]*?)```/g)].map((match) => match[1]!);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((example) => {
        const [command, ...shown] = example.trimEnd().split('\n');
        return { command: command!, shown };
      }),
  );
}

/** Figures, their units and bars, which differ from one kernel to the next, and the space that they take. */
const form = (line: string): string =>
  line
    .replaceAll(/[+-]?\d[\d.]*( ?(?:ns|us|ms|s)\b)?/g, '0')
    .replaceAll(/#+$/g, '#')
    .replaceAll(/-+/g, '-')
    .replaceAll(/ +/g, ' ')
    .replaceAll(/(?:0 )+0\b/g, '0')
    .trim();

/** Whether the lines are those that are shown, where "..." stands for any. */
function expectForm(lines: readonly string[], shown: readonly string[]): void {
  const text = lines.map(form).join('\n');
  const escape = (line: string): string => form(line).replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = shown.map((line) => (line === '...' ? '(?:.*\n)*?' : `${escape(line)}\n`)).join('');
  expect(`${text}\n`).toMatch(new RegExp(`^${pattern}$`));
}

describe('the page on reading a log', () => {
  it('has examples of each command', () => {
    const commands = examples().map(({ command }) => /^chronovisor (\w+)/.exec(command)?.[1]);
    expect(new Set(commands)).toEqual(new Set(['log', 'report', 'check', 'diff']));
  });

  it.each(examples())('$command', ({ command, shown }) => {
    const { stdout, stderr } = spawnSync('sh', ['-c', command.replace('chronovisor', `"${process.execPath}" "${PROGRAM}"`)], {
      cwd: folder,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '', HOME: folder },
      timeout: 20_000,
    });
    expectForm((stdout + stderr).trimEnd().split('\n'), shown);
  });

  it('shows what a log and a check of it say: the same as the run that wrote it', async () => {
    const { status, stdout } = await runProgram(['check', LOG, '--against', join(projectRoot(), 'partitions/demonstration/promises.ts')], {
      cwd: folder,
    });
    expect(status, stdout).toBe(0);
  });

  it('names files that exist', () => {
    for (const [, path] of page.matchAll(/\]\(([^)#]+)\)/g))
      expect(() => readFileSync(join(projectRoot(), 'tools', 'log', path!)), path).not.toThrow();
  });
});
