import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { buildBundle, type Bundle } from '../build/bundle.ts';
import { CannotRunError } from '../errors.ts';
import { defaultEntry, runtimeImage, shown } from '../paths.ts';

export interface BootModule {
  readonly archive: string;
  readonly sourceMaps: string | undefined;
  readonly name: string;
}

/** What a command is to boot: a TypeScript entry is built, an archive is taken as it is, nothing means the kernel. */
export async function bootModule(given: string | undefined): Promise<BootModule> {
  const entry = given ?? defaultEntry();
  const name = given === undefined ? 'kernel' : basename(entry).replace(/\.(ts|js|tar)$/, '');
  if (entry.endsWith('.tar')) {
    if (!existsSync(entry)) throw new CannotRunError(`${shown(entry)}: there is no such file`);
    return { archive: entry, sourceMaps: undefined, name };
  }
  const bundle: Bundle = await buildBundle(entry);
  return { ...bundle, name };
}

/** @throws CannotRunError if the runtime was not built */
export function requireRuntime(): string {
  const image = runtimeImage();
  if (!existsSync(image)) throw new CannotRunError(`${shown(image)} is missing: run "make build" first`);
  return image;
}
