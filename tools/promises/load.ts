/** From a file to the promises that it defines. */
import { existsSync } from 'node:fs';
import { BuildError, UsageError } from '../errors.ts';
import { shown } from '../paths.ts';
import { loadDefinition } from '../system/load.ts';
import type { Promises } from './define.ts';

/**
 * @throws UsageError if there is no such file
 * @throws BuildError if it does not compile, can not be evaluated or has no promises
 */
export async function loadPromises(file: string): Promise<Promises> {
  if (!existsSync(file)) throw new UsageError(`${file}: there is no such file of promises`);
  const value = (await loadDefinition(file))?.value;
  if (typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'promises') return value as Promises;
  throw new BuildError(`${shown(file)}: its default export is no set of promises; write export default definePromises({ ... })`);
}
