/** chronovisor validate: says what is wrong with a system file, or what system it is. Boots nothing. */
import type { Command } from 'commander';
import { existsSync } from 'node:fs';
import { buildSystem } from '../build/system.ts';
import { CannotRunError, STATUS, UsageError } from '../errors.ts';
import { shown } from '../paths.ts';
import { loadSystem } from '../system/load.ts';
import { summaryOfSystem } from '../system/picture.ts';
import { problemLine } from '../system/problem.ts';

export function addValidateCommand(program: Command, setStatus: (status: number) => void): void {
  program
    .command('validate')
    .description('check a system file and build its programs, without booting; show its plans')
    .argument('<file>', 'TypeScript file whose default export is defineSystem({...})')
    .addHelpText(
      'after',
      `
Examples:
  chronovisor validate partitions/hello/system.ts

Exit codes: 0 it can be booted, 1 it can't: every problem is told, with its path; 2 usage, 3 can't run.`,
    )
    .action(async (file: string) => setStatus(await validateFile(file)));
}

async function validateFile(file: string): Promise<number> {
  if (!existsSync(file)) throw new CannotRunError(`${shown(file)}: there is no such file`);
  const loaded = await loadSystem(file);
  if (!loaded) throw new UsageError(`${shown(file)}: no system: it has no default export defineSystem({ ... })`);
  const { description, warnings, archive, memory } = await buildSystem(loaded);
  for (const warning of warnings) process.stderr.write(`warning: ${problemLine(warning)}\n`);
  const lines = [...summaryOfSystem(description), '', `boot module: ${shown(archive)}; the machine needs ${memory} MiB`];
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  return STATUS.HELD;
}
