import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { buildBundle, type Bundle } from '../build/bundle.ts';
import { buildSystem } from '../build/system.ts';
import { CannotRunError, UsageError } from '../errors.ts';
import { defaultEntry, runtimeImage, shown } from '../paths.ts';
import { DEFAULT_MACHINE } from '../qemu/options.ts';
import { loadSystem } from '../system/load.ts';
import { problemLine } from '../system/problem.ts';

export interface BootModule {
  readonly archive: string;
  readonly sourceMaps: string | undefined;
  readonly name: string;
  /** Words for the kernel's command line that come before all others. */
  readonly append: string;
  /** MiB of RAM that the machine needs; 0: any will do. */
  readonly memory: number;
  /** What is odd about it, a line each. */
  readonly warnings: readonly string[];
}

const PLAIN = { append: '', memory: 0, warnings: [] } as const;

/** What a command is to boot: a TypeScript entry or a system file is built, an archive is taken as it is, nothing means the kernel. */
export async function bootModule(given: string | undefined): Promise<BootModule> {
  const entry = given ?? defaultEntry();
  const name = given === undefined ? 'kernel' : basename(entry).replace(/\.(ts|js|tar)$/, '');
  if (entry.endsWith('.tar')) {
    if (!existsSync(entry)) throw new CannotRunError(`${shown(entry)}: there is no such file`);
    return archiveModule(entry);
  }
  const system = resolve(entry) !== defaultEntry() && existsSync(entry) ? await systemModule(entry) : undefined;
  if (system) return system;
  const bundle: Bundle = await buildBundle(entry);
  return { ...bundle, name, ...PLAIN };
}

/** One that is there already. */
export const archiveModule = (archive: string): BootModule => ({
  archive,
  sourceMaps: undefined,
  name: basename(archive).replace(/\.tar$/, ''),
  ...PLAIN,
});

/**
 * @param folder where the products go; by default one per file under build/
 * @returns undefined if the file is no system's
 */
export async function systemModule(file: string, folder?: string): Promise<BootModule | undefined> {
  const loaded = await loadSystem(file);
  if (!loaded) return undefined;
  const { archive, sourceMaps, description, memory, warnings } = await buildSystem(loaded, folder);
  return { archive, sourceMaps, name: description.name, append: 'run=system', memory, warnings: warnings.map(problemLine) };
}

/** The command line with a module's own words in front: of two of a name, the kernel takes the later one. */
export const commandLineOf = (module: BootModule, append: string): string =>
  [module.append, append].filter((words) => words !== '').join(' ');

/**
 * MiB of RAM for a module: what was asked for, or the default, raised if that is too little.
 * @throws UsageError if what was asked for is too little
 */
export function memoryFor(module: BootModule, asked: number | undefined): number {
  if (asked !== undefined && asked < module.memory)
    throw new UsageError(`${asked} MiB of memory are too little for ${module.name}: it needs ${module.memory}`);
  return asked ?? Math.max(DEFAULT_MACHINE.memory, module.memory);
}

/** @throws CannotRunError if the runtime was not built */
export function requireRuntime(): string {
  const image = runtimeImage();
  if (!existsSync(image)) throw new CannotRunError(`${shown(image)} is missing: run "make build" first`);
  return image;
}
