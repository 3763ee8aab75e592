/** From a file to the system that it defines. */
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { build, type BuildOptions } from 'esbuild';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { compileFunction } from 'node:vm';
import { asBuildError, messageLine } from '../build/bundle.ts';
import { BuildError } from '../errors.ts';
import { projectRoot, shown } from '../paths.ts';

export interface LoadedSystem {
  readonly file: string;
  /** What it defines: nothing is known of its form yet. */
  readonly system: unknown;
}

const EVALUATED = 'system-file.js';

/**
 * @param file a TypeScript file that is there
 * @returns undefined if it has no default export, or a `main` besides: it is a bundle's entry
 * @throws BuildError if it does not compile, can not be evaluated or is no system
 */
export async function loadSystem(file: string): Promise<LoadedSystem | undefined> {
  const loaded = await loadDefinition(file);
  return loaded && { file, system: systemOf(loaded.value, file) };
}

/**
 * @returns what the file's default export is; undefined without one, or with a `main` besides
 * @throws BuildError if it does not compile or can not be evaluated
 */
export async function loadDefinition(file: string): Promise<{ readonly value: unknown } | undefined> {
  const common = {
    entryPoints: [resolve(file)],
    bundle: true,
    write: false,
    absWorkingDir: projectRoot(),
    platform: 'node',
    packages: 'external',
    target: 'es2023',
    logLevel: 'silent',
  } as const satisfies BuildOptions;
  try {
    const { metafile } = await build({ ...common, format: 'esm', metafile: true });
    const exported = Object.values(metafile.outputs)[0]!.exports;
    if (!exported.includes('default') || exported.includes('main')) return undefined;
    const { outputFiles, warnings } = await build({ ...common, format: 'cjs', sourcemap: 'external', outfile: EVALUATED });
    // Of two partitions of one name the language keeps the last and says nothing.
    const twice = warnings.filter(({ id }) => id === 'duplicate-object-key');
    if (twice.length > 0) throw new BuildError(twice.map((message) => `${messageLine(message)}: give one of them another name`).join('\n'));
    const code = outputFiles.find(({ path }) => path.endsWith('.js'))!.text;
    const map = outputFiles.find(({ path }) => path.endsWith('.map'))!.text;
    return { value: evaluate(code, map, resolve(file)) };
  } catch (error) {
    throw asBuildError(error);
  }
}

function evaluate(code: string, map: string, file: string): unknown {
  const module: { exports: { default?: unknown } } = { exports: {} };
  try {
    type Program = (own: typeof module, exports: object, require: NodeJS.Require) => void;
    const program = compileFunction(code, ['module', 'exports', 'require'], { filename: EVALUATED }) as Program;
    program(module, module.exports, createRequire(file));
  } catch (error) {
    throw new BuildError(`${placeOf(error, map) ?? shown(file)}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return module.exports.default;
}

function placeOf(error: unknown, map: string): string | undefined {
  const place = /system-file\.js:(\d+):(\d+)/.exec(error instanceof Error ? (error.stack ?? '') : '');
  if (!place) return undefined;
  const { source, line, column } = originalPositionFor(new TraceMap(map), { line: Number(place[1]), column: Number(place[2]) - 1 });
  return source === null ? undefined : `${source}:${line}:${column + 1}`;
}

function systemOf(value: unknown, file: string): unknown {
  if (typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'system' && 'system' in value) return value.system;
  throw new BuildError(`${shown(file)}: its default export is no system; write export default defineSystem({ ... })`);
}
