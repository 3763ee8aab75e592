/** Programs of partitions as files of the boot module, checked against the memory that they are to be loaded into. */
import { readFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ProgramDescription } from '../../kernel/partition/system.ts';
import { BuildError } from '../errors.ts';
import { runtimeImage, shown } from '../paths.ts';
import type { ProgramFile } from '../system/define.ts';
import { compileLoneProgram } from './bundle.ts';
import { endOf, readElf, type Elf } from './elf.ts';
import { compileNative } from './native.ts';

/** A program that is built, whatever memory it gets. */
export interface BuiltProgram {
  readonly description: ProgramDescription;
  readonly bytes: Buffer;
  /** Where it came from, for messages. */
  readonly source: string;
}

const PAGE = 4096;
const GIB = 1024 ** 3;
const REAL_MODE_END = 0x10_0000;
/** Of the loader: what a PVH program is handed over (start info, memory map, command line). */
const START_INFO = { first: 0x1000, end: 0x2000 } as const;
/** Less heap than this the runtime refuses (boot/runtime.c), and it takes half of what is free. */
const RUNTIME_FREE = 2 * 1024 * 1024;

const hex = (value: number): string => `${value.toString(16).toUpperCase()}h`;

/**
 * @param name of its file, without what tells its kind, and in stacks
 * @param folder of the system file
 * @param work products that are kept: sources and maps of a TypeScript program
 * @throws BuildError if a file is damaged or does not build
 */
export async function buildProgram(program: ProgramFile, name: string, folder: string, work: string): Promise<BuiltProgram> {
  const at = (path: string): string => resolve(folder, path);
  const file = (kind: string): string => `programs/${name}.${kind}`;
  switch (program.kind) {
    case 'typescript': {
      const source = at(program.source);
      const bytes = await compileLoneProgram(name, source, work);
      const { commandLine } = program;
      const description = { kind: 'typescript', file: file('tar'), ...(commandLine === undefined ? {} : { commandLine }) } as const;
      return { description, bytes, source };
    }
    case 'native': {
      const sources = program.sources.map(at);
      const objects = join(work, 'native', name);
      await mkdir(objects, { recursive: true });
      const linked = await compileNative(program, sources, objects);
      const source = sources[0]!;
      if (program.elf !== undefined) return { description: { kind: 'elf', file: file('elf'), entry: program.elf }, bytes: linked, source };
      const { entry, segments } = elfOf(linked, source);
      const { offset, fileSize } = segments[0]!;
      return {
        description: { kind: 'flat', file: file('bin'), address: program.address, entry, mode: program.mode },
        bytes: linked.subarray(offset, offset + fileSize),
        source,
      };
    }
    case 'flat': {
      const { address, entry, mode } = program;
      const source = at(program.file);
      return { description: { kind: 'flat', file: file('bin'), address, entry, mode }, bytes: await readFile(source), source };
    }
    case 'elf': {
      const source = at(program.file);
      return { description: { kind: 'elf', file: file('elf'), entry: program.entry }, bytes: await readFile(source), source };
    }
  }
}

function elfOf(bytes: Buffer, source: string): Elf {
  try {
    return readElf(bytes);
  } catch (error) {
    if (error instanceof RangeError) throw new BuildError(`${shown(source)} ${error.message}`);
    throw error;
  }
}

/** Page tables one to one, at the end of the memory of a program that begins in long mode; the time page is behind it. */
const pageTables = (memory: number): number => PAGE * (2 + Math.ceil((memory + PAGE) / GIB));

/**
 * @param memory bytes of the partition
 * @throws BuildError if the program can't be loaded into it and entered
 */
export function checkFit({ description, bytes, source }: BuiltProgram, memory: number): void {
  const fail = (reason: string): never => {
    throw new BuildError(`${shown(source)} ${reason}`);
  };
  const tablesText = (isLong: boolean): string => (isLong ? `, of which page tables take the last ${pageTables(memory)}` : '');
  switch (description.kind) {
    case 'flat': {
      const { address, entry, mode } = description;
      const end = address + bytes.length;
      const isLong = mode === 'long';
      const room = isLong ? memory - pageTables(memory) : memory;
      if (bytes.length === 0) fail('is empty');
      if (end > room)
        fail(
          `is too large: ${bytes.length} bytes from ${hex(address)} on end at byte ${end}, and the partition has ${memory}${tablesText(isLong)}`,
        );
      if (mode === 'real' && end > REAL_MODE_END) fail(`ends at ${hex(end)}, beyond what real mode reaches (${hex(REAL_MODE_END)})`);
      if (entry < address || entry >= end) fail(`is entered at ${hex(entry)}, outside of its ${hex(address)} to ${hex(end - 1)}`);
      return;
    }
    case 'elf': {
      const elf = elfOf(bytes, source);
      const isLong = description.entry === 'plain' && elf.is64;
      const room = isLong ? memory - pageTables(memory) : memory;
      if (endOf(elf) > room) fail(`is too large: it ends at byte ${endOf(elf)}, and the partition has ${memory}${tablesText(isLong)}`);
      const entry = description.entry === 'pvh' ? elf.pvhEntry : elf.entry;
      if (entry === undefined) return fail('has no PVH note (XEN_ELFNOTE_PHYS32_ENTRY) that says where to enter it');
      if (!elf.segments.some(({ address, memorySize }) => entry >= address && entry < address + memorySize))
        fail(`is entered at ${hex(entry)}, where nothing of it is loaded`);
      const below = elf.segments.find(({ address, memorySize }) => address < START_INFO.end && address + memorySize > START_INFO.first);
      if (description.entry === 'pvh' && below)
        fail(
          `is loaded to ${hex(below.address)}, where a PVH program finds its start info (${hex(START_INFO.first)} to ${hex(START_INFO.end - 1)})`,
        );
      return;
    }
    case 'typescript': {
      const runtime = endOf(readElf(readFileSync(runtimeImage())));
      const needed = runtime + RUNTIME_FREE + Math.ceil(bytes.length / PAGE) * PAGE;
      if (needed > memory)
        fail(
          `is too large: the runtime up to byte ${runtime}, the bundle's ${bytes.length} bytes and the least heap need ${needed}, and the partition has ${memory}`,
        );
    }
  }
}
