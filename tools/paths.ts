import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's folder: the nearest one above this file that has the kernel. Tools run from sources and from a bundle alike. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'kernel', 'main.ts'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('the tools are not inside a checkout of Chronovisor');
    folder = parent;
  }
  return folder;
}

export const buildFolder = (): string => join(projectRoot(), 'build');
export const runtimeImage = (): string => join(buildFolder(), 'runtime.elf');
export const precompiler = (): string => join(buildFolder(), 'precompile');
/** What the virtual platform's guests find by ACPI, by its name in boot modules (DSDT_FILES). */
export const dsdtImage = (name: string): string => join(buildFolder(), name);
export const defaultEntry = (): string => join(projectRoot(), 'kernel', 'main.ts');

/** As a person in this folder would write it. */
export function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short !== '' && !short.startsWith('..') ? short : path;
}
