/** A system file by way of the harness: built, and handed to the kernel as a system. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { BuildError, UsageError } from '../tools/errors.ts';
import { boot } from '../tools/harness/boot.ts';
import { buildFolder, projectRoot } from '../tools/paths.ts';

const folder = join(buildFolder(), 'test', 'system-boot');
mkdirSync(folder, { recursive: true });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function place(name: string, ...lines: readonly string[]): string {
  writeFileSync(join(folder, name), lines.join('\n'));
  return relative(projectRoot(), join(folder, name));
}

const systemWith = (slot: string): string[] => [
  "import { defineSystem, kib, mib, ms, native } from '../../../partitions/define.ts';",
  "export default defineSystem({ name: 'alone', duration: ms(20),",
  "  partitions: { spin: { program: native('spin.S'), memory: mib(300) } },",
  `  plans: { normal: { majorFrame: ms(10), slots: [${slot}] } } });`,
];

it('boots with the words for the kernel, its own name and the memory that it needs', async () => {
  place('spin.S', 'cli\n1: jmp 1b\n');
  const system = place('system.ts', ...systemWith("{ partition: 'spin', start: ms(0), duration: ms(10) }"));
  const run = await boot({ system, append: 'serial=off', name: 'system-boot' });
  expect(run.of('kernel.start').map(({ fields }) => fields['command-line'])).toEqual(['run=system serial=off']);
  await expect(boot({ system, memory: 256 })).rejects.toThrow(/256 MiB of memory are too little for alone: it needs 3\d\d/);
});

it('does not boot with problems', async () => {
  const system = place('bad.ts', ...systemWith("{ partition: 'spin', start: ms(1), duration: ms(10) }"));
  await expect(boot({ system })).rejects.toThrow(BuildError);
});

it('is not a bundle', async () => {
  await expect(boot({ system: 'test/bundles/shims.ts' })).rejects.toThrow(UsageError);
});
