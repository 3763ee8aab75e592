/**
 * Native programs of partitions: C and assembly, compiled freestanding with the machine's gcc and linked at an address. The same sources
 * give the same bytes in every folder.
 */
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';
import type { EntryMode } from '../../kernel/partition/system.ts';
import { BuildError, CannotRunError } from '../errors.ts';
import { projectRoot } from '../paths.ts';
import type { ProgramFile } from '../system/define.ts';

type NativeProgram = Extract<ProgramFile, { kind: 'native' }>;

const LIMIT_MS = 60_000;
/** Headers and the start of C programs. */
const NATIVE_FOLDER = join('partitions', 'native');
/** Its _start makes a stack and an IDT, and calls main. */
const C_START = join(NATIVE_FOLDER, 'start.S');

const BITS: Readonly<Record<EntryMode, string>> = { real: '-m16', protected: '-m32', long: '-m64' };
const EMULATION: Readonly<Record<EntryMode, string>> = { real: 'elf_i386', protected: 'elf_i386', long: 'elf_x86_64' };
/** As the runtime's (boot/runtime.mk); and no vector registers, which nobody has enabled when a program begins. */
const FLAGS = [
  ...['-O2', '-g0', '-std=gnu11', '-Wall', '-Wextra', '-Werror', '-ffreestanding', '-fno-pic', '-no-pie', '-mno-red-zone'],
  ...['-mgeneral-regs-only', '-fno-stack-protector', '-fcf-protection=none', '-fno-asynchronous-unwind-tables'],
];

/**
 * @param sources full paths
 * @returns an ELF file. Of a flat program all is in one segment from its address on, .bss as zeros
 * @throws BuildError with what gcc or ld say, CannotRunError if they are missing
 */
export async function compileNative(program: NativeProgram, sources: readonly string[], work: string): Promise<Buffer> {
  const { mode, entry, defines } = program;
  // Named as a person in the checkout's folder would, so that neither messages nor products depend on where that is.
  const isAlone = mode === 'long' && entry === undefined && sources.every((source) => extname(source) === '.c');
  const all = isAlone ? [...sources, join(projectRoot(), C_START)] : sources;
  const objects: string[] = [];
  for (const [index, source] of all.entries()) {
    const object = join(work, `${index}.o`);
    await run(
      'gcc',
      [
        ...[BITS[mode], ...FLAGS, `-ffile-prefix-map=${projectRoot()}=.`],
        ...['-I', NATIVE_FOLDER, ...Object.entries(defines).map(([name, value]) => `-D${name}=${value}`)],
        ...['-c', '-o', object, shownInCheckout(source)],
      ],
      work,
    );
    objects.push(object);
  }
  const script = join(work, 'layout.ld');
  const linked = join(work, 'program.elf');
  await writeFile(script, layout(program));
  const said = await run(
    'ld',
    [
      ...['-m', EMULATION[mode], '-T', script, '--build-id=none', '--strip-all', '-z', 'noexecstack', '-z', 'max-page-size=4096'],
      ...['-o', linked, ...objects],
    ],
    work,
  );
  if (entry !== undefined && said.includes('cannot find entry symbol'))
    throw new BuildError(`there is no symbol ${entry} to enter at: is it global?`);
  return readFile(linked);
}

function layout({ address, entry = '_start', elf }: NativeProgram): string {
  const zeros = '*(.bss .bss.*) *(COMMON)';
  return `ENTRY(${entry})
PHDRS { all PT_LOAD FLAGS(7); ${elf === 'pvh' ? 'note PT_NOTE FLAGS(4);' : ''} }
SECTIONS
{
  . = ${address};
  .text : { *(.text.entry) *(.text .text.*) } :all
  .rodata : { *(.rodata .rodata.*) } :all
  ${elf === 'pvh' ? '.note : { KEEP(*(.note.pvh .note.Xen)) } :all :note' : ''}
  .data : { *(.data .data.*) ${elf === undefined ? zeros : ''} } :all
  ${elf === undefined ? '' : `.bss : { ${zeros} } :all`}
  /DISCARD/ : { *(.comment) *(.note.*) *(.eh_frame) }
}
`;
}

function shownInCheckout(path: string): string {
  const inside = relative(projectRoot(), path);
  return inside.startsWith('..') ? path : inside;
}

/** @returns what it says on stderr */
async function run(program: 'gcc' | 'ld', words: readonly string[], work: string): Promise<string> {
  const { status, text } = await new Promise<{ status: number | null; text: string }>((done, fail) => {
    const child = spawn(program, words, {
      cwd: projectRoot(),
      env: { ...process.env, LC_ALL: 'C' },
      timeout: LIMIT_MS,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let text = '';
    child.stderr.on('data', (chunk) => (text += String(chunk)));
    child.on('error', (error: NodeJS.ErrnoException) =>
      fail(error.code === 'ENOENT' ? new CannotRunError(`${program} was not found: run "make setup"`) : error),
    );
    child.on('close', (status) => done({ status, text }));
  });
  // The folder of the objects says nothing to anybody.
  const own = text.replaceAll(`${work}/`, '');
  if (status !== 0) throw new BuildError(own.trimEnd() || `${program} ended with status ${String(status)}`);
  return own;
}
