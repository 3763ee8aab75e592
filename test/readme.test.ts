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
rmSync(folder, { recursive: true, force: true });
mkdirSync(join(folder, 'partitions'), { recursive: true });
for (const path of ['kernel', 'tools', 'partitions/define.ts', 'partitions/sdk', 'partitions/native'])
  symlinkSync(join(projectRoot(), path), join(folder, path));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** TypeScript or C of the README by the path in its first line. */
function example(path: string): string {
  const block = [...readme.matchAll(/```(?:ts|c)\n\/\/ (\S+)\n([^]*?)```/g)].find((match) => match[1] === path);
  expect(block, `an example ${path} in README.md`).toBeDefined();
  return block![2]!;
}

it('the timing experiment boots and runs', async () => {
  const file = join(folder, 'test', 'bundles', 'periodic.ts');
  mkdirSync(dirname(file), { recursive: true });
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
  writeFileSync(file, example('test/hpet.test.ts'));
  const vitest = join(projectRoot(), 'node_modules', '.bin', 'vitest');
  const { status, stdout, stderr } = spawnSync(vitest, ['run', '--root', folder, '--testTimeout', '50000', 'test/hpet.test.ts'], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(status, stdout + stderr).toBe(0);
  expect(stdout).toMatch(/1 passed/);
});

it('the system of partitions boots with its two programs, and they do what they say', async () => {
  const files = ['system.ts', 'display.ts', 'sensor.c'].map((name) => `partitions/example/${name}`);
  mkdirSync(join(folder, 'partitions', 'example'));
  for (const file of files) writeFileSync(join(folder, file), example(file));
  const run = await boot({ system: join(folder, files[0]!), name: 'readme-system' });
  expect(run).toHold();
  const lines = run.of('partition.console').map(({ fields }) => fields.text.trimEnd());
  // Written every 40 ms and valid for 20, read every 10 from the display's second or third slot on.
  expect(lines.length).toBeGreaterThan(190);
  const seen = lines.map((line) => /^(\d+) degrees, (fresh|old)$/.exec(line)!.slice(1, 3));
  expect([...new Set(seen.map(([degrees]) => Number(degrees)))]).toEqual(Array.from({ length: 50 }, (_, index) => 20 + index));
  const fresh = seen.filter(([, age]) => age === 'fresh').length / seen.length;
  expect(fresh).toBeCloseTo(0.5, 1);
  expect(run.of('health.event')).toEqual([]);
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
