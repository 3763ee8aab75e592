import type { Command } from 'commander';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { shown } from '../paths.ts';
import { bootModule, systemModule } from './boot-module.ts';
import { buildBundle } from '../build/bundle.ts';

/** chronovisor build: makes a boot module of a TypeScript entry. The runtime itself is built by make. */
export function addBuildCommand(program: Command): void {
  program
    .command('build')
    .description('make a boot module of a TypeScript entry that exports main(shims), or of a system file')
    .argument('[entry]', 'TypeScript file; default: the kernel')
    .option('--out <folder>', 'where the boot module and its source map go (default: build/bundles/<entry>)')
    .addHelpText(
      'after',
      `
Examples:
  chronovisor build
  chronovisor build test/bundles/shims.ts --out /tmp/shims`,
    )
    .action(async (entry: string | undefined, flags: { out?: string }) => {
      const built = entry !== undefined && flags.out !== undefined ? await buildInto(entry, resolve(flags.out)) : await bootModule(entry);
      process.stdout.write(`${shown(built.archive)}\n`);
    });
}

const buildInto = async (entry: string, folder: string): Promise<{ readonly archive: string }> =>
  (existsSync(entry) ? await systemModule(entry, folder) : undefined) ?? (await buildBundle(entry, folder));
