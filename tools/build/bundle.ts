/**
 * From a TypeScript entry to a boot module: esbuild bundles it into one function, a transform lowers `let` and
 * `const` to `var` (the engine checks each use of the former) and puts constants where they are used, the engine's own
 * compiler makes bytecode of it, and a ustar archive carries it. Two builds of the same sources give the same bytes.
 */
import type { TransformOptions } from '@babel/core';
import { build, type BuildFailure, type Message } from 'esbuild';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { pack } from 'tar-stream';
import { BuildError, CannotRunError } from '../errors.ts';
import { inlineConstants } from './constants.ts';
import { buildFolder, defaultEntry, precompiler, projectRoot, shown } from '../paths.ts';

export interface Bundle {
  /** The boot module. */
  readonly archive: string;
  /** Folder with the source maps of the programs in it, NAME.js.map. */
  readonly sourceMaps: string;
}

/** The program that the runtime (boot/engine.c) starts. */
const KERNEL_PROGRAM = 'kernel';
/** Programs that the kernel itself loads when it needs them (shims.loadProgram). */
const PROGRAMS: Readonly<Record<string, string>> = {
  console: join('kernel', 'console', 'console.ts'),
  demonstration: join('kernel', 'demonstration', 'demonstration.ts'),
  hypervisor: join('kernel', 'partition', 'hypervisor.ts'),
  platform: join('kernel', 'partition', 'virtual-platform.ts'),
};
const EXPORTS = 'chronovisor';
const PRECOMPILE_LIMIT_MS = 60_000;

/**
 * @param entry a TypeScript file that exports `main(shims)`
 * @param folder where the products go; by default one per entry under build/
 * @throws BuildError if the sources are wrong, CannotRunError if the build itself is not set up
 */
export async function buildBundle(entry: string, folder?: string): Promise<Bundle> {
  if (!existsSync(entry)) throw new CannotRunError(`${shown(entry)}: there is no such file`);
  const target = folder ?? join(buildFolder(), 'bundles', shownName(entry));
  const entries = resolve(entry) === defaultEntry() ? kernelPrograms() : { [KERNEL_PROGRAM]: entry };
  return inWorkFolder(target, async (work) => {
    const archive = `${basename(entry).replace(/\.[jt]s$/, '')}.tar`;
    await writeFile(join(work, archive), await packArchive(await compilePrograms(entries, work)));
    return { archive: join(target, archive), sourceMaps: target };
  });
}

/** Programs of the kernel by name, its entry among them: what a boot module that boots the whole kernel has. */
export const kernelPrograms = (): Readonly<Record<string, string>> => ({
  [KERNEL_PROGRAM]: defaultEntry(),
  ...Object.fromEntries(Object.entries(PROGRAMS).map(([name, path]) => [name, join(projectRoot(), path)])),
});

/**
 * Two processes may build one thing at the same time: each works in a folder of its own, and what is done is renamed into the
 * target.
 */
export async function inWorkFolder<Result>(target: string, make: (work: string) => Promise<Result>): Promise<Result> {
  await mkdir(target, { recursive: true });
  const work = await mkdtemp(join(target, 'part-'));
  try {
    const result = await make(work);
    for (const name of await readdir(work)) await rename(join(work, name), join(target, name));
    return result;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

interface Compiled {
  readonly source: string;
  readonly map: string;
  readonly bytecode: Uint8Array;
}

/** Many systems are built in one process, by tests above all, and the kernel's programs are the same in all of them. */
let compiledKernel: Promise<ReadonlyMap<string, Compiled>> | undefined;

/** The same for the kernel's programs, which are compiled once per process. */
export async function compileKernel(work: string): Promise<Record<string, Uint8Array>> {
  compiledKernel ??= compileAll(kernelPrograms(), work);
  try {
    return await placeAll(await compiledKernel, work);
  } catch (error) {
    compiledKernel = undefined;
    throw error;
  }
}

/** @returns the files of a boot module, NAME.bytecode for each; source and map go into the folder `work` */
export async function compilePrograms(entries: Readonly<Record<string, string>>, work: string): Promise<Record<string, Uint8Array>> {
  return placeAll(await compileAll(entries, work), work);
}

async function compileAll(entries: Readonly<Record<string, string>>, work: string): Promise<ReadonlyMap<string, Compiled>> {
  const programs = new Map<string, Compiled>();
  for (const [name, path] of Object.entries(entries)) programs.set(name, await compileProgram(name, path, work));
  return programs;
}

async function placeAll(programs: ReadonlyMap<string, Compiled>, work: string): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for (const [name, { source, map, bytecode }] of programs) {
    await writeFile(join(work, `${name}.js`), source);
    await writeFile(join(work, `${name}.js.map`), map);
    files[`${name}.bytecode`] = bytecode;
  }
  return files;
}

/**
 * The boot module of a program that runs alone on the runtime.
 * @param name what its stacks call it, NAME.js
 */
export async function compileLoneProgram(name: string, entry: string, work: string): Promise<Buffer> {
  // The kernel itself is one such program: what it loads goes with it.
  if (resolve(entry) === defaultEntry()) return packArchive(await compileKernel(work));
  const [bytecode] = Object.values(await compilePrograms({ [name]: entry }, work));
  return packArchive({ [`${KERNEL_PROGRAM}.bytecode`]: bytecode! });
}

async function compileProgram(name: string, entry: string, work: string): Promise<Compiled> {
  const { code, map } = await bundleSource(name, entry);
  // The compiler's files are its own: several programs of one folder may be compiled at once.
  const folder = await mkdtemp(join(work, 'compile-'));
  const source = join(folder, `${name}.js`);
  const bytecode = join(folder, `${name}.bytecode`);
  await writeFile(source, code);
  await precompile(source, bytecode);
  const compiled = { source: code, map, bytecode: await readFile(bytecode) };
  await rm(folder, { recursive: true });
  return compiled;
}

export function shownName(entry: string): string {
  const inside = resolve(entry).replace(projectRoot(), '');
  return inside
    .replace(/\.[jt]s$/, '')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-/, '');
}

async function bundleSource(name: string, entry: string): Promise<{ code: string; map: string }> {
  let output;
  try {
    output = await build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      outfile: join(projectRoot(), `${name}.js`),
      absWorkingDir: projectRoot(),
      format: 'iife',
      globalName: EXPORTS,
      platform: 'neutral',
      target: 'es2023',
      // Calls of functions that return their argument (units.ts) go: a call costs the engine 250 instructions.
      minifySyntax: true,
      sourcemap: 'external',
      legalComments: 'none',
      logLevel: 'silent',
    });
  } catch (error) {
    throw asBuildError(error);
  }
  // Without the variable it is one expression, whose value is what the entry exports: nothing becomes global.
  const bundled = output.outputFiles.find((file) => file.path.endsWith('.js'))!.text.replace(`var ${EXPORTS} = `, '');
  const map = output.outputFiles.find((file) => file.path.endsWith('.map'))!.text;
  // Loaded when it is needed: it takes longer to load than most commands take to run.
  const { transformAsync } = await import('@babel/core');
  const lowered = await transformAsync(bundled, {
    babelrc: false,
    configFile: false,
    compact: false,
    inputSourceMap: JSON.parse(map) as NonNullable<Exclude<TransformOptions['inputSourceMap'], boolean>>,
    sourceMaps: true,
    plugins: [['@babel/plugin-transform-block-scoping', { tdz: false }], inlineConstants],
    filename: `${name}.js`,
    cwd: projectRoot(),
  });
  return { code: lowered!.code!, map: JSON.stringify(lowered!.map) };
}

const isBuildFailure = (error: unknown): error is BuildFailure => error instanceof Error && 'errors' in error;

/** What esbuild says, one message a line with its place; any other error as it is. */
export function asBuildError(error: unknown): unknown {
  return isBuildFailure(error) ? new BuildError(error.errors.map(messageLine).join('\n')) : error;
}

export const messageLine = ({ text, location: at }: Message): string => (at ? `${at.file}:${at.line}:${at.column + 1}: ${text}` : text);

async function precompile(source: string, bytecode: string): Promise<void> {
  const program = precompiler();
  if (!existsSync(program)) throw new CannotRunError(`${shown(program)} is missing: run "make build" first`);
  const { status, text } = await new Promise<{ status: number | null; text: string }>((done, fail) => {
    const child = spawn(program, [source, bytecode, basename(source)], {
      timeout: PRECOMPILE_LIMIT_MS,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let text = '';
    child.stderr.on('data', (chunk) => (text += String(chunk)));
    child.on('error', fail);
    child.on('close', (status) => done({ status, text }));
  });
  if (status !== 0) throw new BuildError(`the engine does not take the bundle ${basename(source)}:\n${text}`);
}

/** A ustar archive; the same files give the same bytes. */
export async function packArchive(files: Readonly<Record<string, Uint8Array | string>>): Promise<Buffer> {
  const archive = pack();
  const chunks: Buffer[] = [];
  archive.on('data', (chunk) => chunks.push(chunk as Buffer));
  const ended = new Promise<void>((done, fail) => archive.on('end', done).on('error', fail));
  for (const name of Object.keys(files).sort()) {
    archive.entry({ name, mtime: new Date(0), mode: 0o644, uid: 0, gid: 0 }, Buffer.from(files[name]!));
  }
  archive.finalize();
  await ended;
  return Buffer.concat(chunks);
}

export async function writeArchive(path: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
  await writeFile(path, await packArchive(files));
}
