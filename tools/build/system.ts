/**
 * The boot module of a system: the kernel and its programs, the validated system, the runtime for partitions whose programs are TypeScript,
 * and one file per program. Two builds of the same sources give the same bytes.
 */
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DSDT_FILES, SYSTEM_FILE, type SystemDescription } from '../../kernel/partition/system.ts';
import { BuildError, CannotRunError } from '../errors.ts';
import { buildFolder, dsdtImage, runtimeImage, shown } from '../paths.ts';
import { describeSystem } from '../system/describe.ts';
import type { ProgramFile, SystemFile } from '../system/define.ts';
import type { LoadedSystem } from '../system/load.ts';
import { problemLine, type Problem } from '../system/problem.ts';
import { memoryOf, validate } from '../system/validate.ts';
import { compileKernel, inWorkFolder, kernelPrograms, packArchive, shownName, type Bundle } from './bundle.ts';
import { buildProgram, checkFit, type BuiltProgram } from './programs.ts';

export interface SystemModule extends Bundle {
  readonly description: SystemDescription;
  readonly warnings: readonly Problem[];
  /** MiB of RAM that the machine needs. */
  readonly memory: number;
}

const RUNTIME_FILE = 'runtime.elf';
const MIB = 1024 ** 2;

/**
 * @param folder where the products go; by default one per file under build/
 * @throws BuildError that tells every problem, each in a line with its path
 */
export async function buildSystem(loaded: LoadedSystem, folder?: string): Promise<SystemModule> {
  const { problems, warnings, system } = validate(loaded.system, (file) => existsSync(resolve(dirname(loaded.file), file)));
  if (!system) throw new BuildError(problemText(loaded.file, problems));
  if (!existsSync(runtimeImage())) throw new CannotRunError(`${shown(runtimeImage())} is missing: run "make build" first`);
  const target = folder ?? join(buildFolder(), 'systems', shownName(loaded.file));
  return inWorkFolder(target, async (work) => {
    const programs = await buildPrograms(system, loaded.file, Object.keys(kernelPrograms()), work);
    const kernel = await compileKernel(work);
    const description = describeSystem(system, new Map([...programs].map(([name, program]) => [name, program.description])));
    const files: Record<string, Uint8Array | string> = { ...kernel, [SYSTEM_FILE]: `${JSON.stringify(description, null, 1)}\n` };
    for (const { description: program, bytes } of programs.values()) {
      files[program.file] = bytes;
      if (program.kind === 'typescript') files[RUNTIME_FILE] ??= await readFile(runtimeImage());
    }
    if (description.partitions.some(({ platform }) => platform))
      for (const name of Object.values(DSDT_FILES)) files[name] = await readFile(dsdtImage(name));
    const archive = await packArchive(files);
    await writeFile(join(work, 'system.tar'), archive);
    // Beside the archive, and in the kernel's memory from the loader's on.
    const needed = memoryOf(description.partitions.map(({ memory }) => memory)) + 2 * archive.length;
    return { archive: join(target, 'system.tar'), sourceMaps: target, description, warnings, memory: Math.ceil(needed / MIB) };
  });
}

/** By partition; partitions with the same program share it. */
async function buildPrograms(system: SystemFile, file: string, taken: readonly string[], work: string): Promise<Map<string, BuiltProgram>> {
  const problems: Problem[] = [];
  const built = new Map<string, BuiltProgram | BuildError>();
  const programs = new Map<string, BuiltProgram>();
  const names = new Set(taken);

  async function build(program: ProgramFile, name: string): Promise<BuiltProgram | BuildError> {
    try {
      return await buildProgram(program, name, dirname(resolve(file)), work);
    } catch (error) {
      if (error instanceof BuildError) return error;
      throw error;
    }
  }

  for (const [name, { program, memory }] of Object.entries(system.partitions)) {
    const key = JSON.stringify(program);
    let result = built.get(key);
    if (!result) {
      const own = freeName(name, names);
      names.add(own);
      built.set(key, (result = await build(program, own)));
    }
    try {
      if (result instanceof BuildError) throw result;
      checkFit(result, memory.bytes);
      programs.set(name, result);
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
      problems.push({ path: `partitions.${name}.program`, message: error.message });
    }
  }
  await rm(join(work, 'native'), { recursive: true, force: true });
  if (problems.length > 0) throw new BuildError(problemText(file, problems));
  return programs;
}

/** As positions in stacks have it (tools/trace/stacks.ts): small letters, digits, hyphens. */
function freeName(partition: string, taken: ReadonlySet<string>): string {
  const name = partition.toLowerCase().replaceAll('_', '-');
  for (let number = 2, own = name; ; own = `${name}-${number++}`) if (!taken.has(own)) return own;
}

function problemText(file: string, problems: readonly Problem[]): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return [`${shown(file)}: ${count}`, ...problems.map((problem) => `  ${problemLine(problem).replaceAll('\n', '\n    ')}`)].join('\n');
}
