/** What the README shows has to run. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { boot } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';
import { buildFolder, projectRoot } from '../tools/paths.ts';

const readme = readFileSync(join(projectRoot(), 'README.md'), 'utf8');
const folder = join(buildFolder(), 'test', 'readme');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** TypeScript of the README by the path in its first line. */
function example(path: string): string {
  const block = [...readme.matchAll(/```ts\n\/\/ (\S+)\n([^]*?)```/g)].find((match) => match[1] === path);
  expect(block, `an example ${path} in README.md`).toBeDefined();
  return block![2]!;
}

it('the timing experiment boots and runs', async () => {
  const file = join(folder, 'test', 'bundles', 'periodic.ts');
  mkdirSync(dirname(file), { recursive: true });
  symlinkSync(join(projectRoot(), 'kernel'), join(folder, 'kernel'));
  writeFileSync(file, example('test/bundles/periodic.ts'));
  const run = await boot({ bundle: file, name: 'readme-experiment' });
  expect(run).toHold();
  const instants = run.of('log').flatMap(({ fields }) => /^interrupt \d+ at (\d+) ns$/.exec(fields.message)?.[1] ?? []);
  expect(instants).toHaveLength(10);
  expect(Math.abs(Number(BigInt(instants[9]!) - BigInt(instants[0]!)) - 18_000_000)).toBeLessThan(20);
});

it('the example of a test passes', () => {
  const file = join(folder, 'test', 'hpet.test.ts');
  mkdirSync(dirname(file), { recursive: true });
  symlinkSync(join(projectRoot(), 'tools'), join(folder, 'tools'));
  writeFileSync(file, example('test/hpet.test.ts'));
  const vitest = join(projectRoot(), 'node_modules', '.bin', 'vitest');
  const { status, stdout, stderr } = spawnSync(vitest, ['run', '--root', folder, '--testTimeout', '50000', 'test/hpet.test.ts'], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(status, stdout + stderr).toBe(0);
  expect(stdout).toMatch(/1 passed/);
});

it('every file it points to exists', () => {
  for (const [, path] of readme.matchAll(/\]\(([^)#]+)\)/g)) expect(() => readFileSync(join(projectRoot(), path!)), path).not.toThrow();
});

it('names the make targets that a newcomer wants, and they exist', () => {
  const targets = [...readFileSync(join(projectRoot(), 'Makefile'), 'utf8').matchAll(/^([a-z]+):.*## /gm)].map((match) => match[1]!);
  for (const target of ['run', 'test', 'console', 'bench', 'check']) {
    expect(targets).toContain(target);
    expect(readme).toContain(`make ${target}`);
  }
});
