import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ProgramDescription, SystemDescription } from '../../kernel/partition/system.ts';
import { BuildError } from '../errors.ts';
import { defaultEntry, runtimeImage } from '../paths.ts';
import { elf, flat, kib, mib, ms, native, typescript, type ProgramFile, type Size, type SystemFile } from '../system/define.ts';
import { createStackMapper } from '../trace/stacks.ts';
import { readElf } from './elf.ts';
import { buildSystem, type SystemModule } from './system.ts';

const TEST_LIMIT_MS = 60_000;
const TAR_LIMIT_MS = 10_000;

const folder = mkdtempSync(join(tmpdir(), 'system test '));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SPIN = ['.global _start', '.fill 3, 1, 0x90', '_start: cli', '1: jmp 1b', '.section .note.GNU-stack, "", @progbits', ''].join('\n');
const PVH = ['.section .note.pvh, "a", @note', '.long 4, 4, 18', '.asciz "Xen"', '.long entry', '.text', 'entry: hlt', ''].join('\n');
const PROGRAM = ['export function main(): void {', "  throw new Error('here');", '}'].join('\n');

/** A folder with these files and the system file that is to stand beside them. */
function place(files: Readonly<Record<string, string | Uint8Array>>): string {
  const own = mkdtempSync(join(folder, 'case-'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(own, name), content);
  return join(own, 'system.ts');
}

const systemOf = (programs: Readonly<Record<string, readonly [ProgramFile, Size]>>): SystemFile => ({
  name: 'test',
  partitions: Object.fromEntries(Object.entries(programs).map(([name, [program, memory]]) => [name, { program, memory }])),
  plans: {
    normal: { majorFrame: ms(10), slots: [{ partition: Object.keys(programs)[0]!, start: ms(0), duration: ms(10) }] },
  },
});

const build = (file: string, programs: Parameters<typeof systemOf>[0]): Promise<SystemModule> =>
  buildSystem({ file, system: systemOf(programs) }, join(file, '..', 'out'));

const tar = (...words: readonly string[]): Buffer =>
  execFileSync('tar', words, { timeout: TAR_LIMIT_MS, stdio: ['ignore', 'pipe', 'pipe'] });
const namesIn = (archive: string): string[] => tar('tf', archive).toString().split('\n').slice(0, -1);
const contentIn = (archive: string, name: string): Buffer => tar('xOf', archive, name);

async function problemsOf(file: string, programs: Parameters<typeof systemOf>[0]): Promise<string[]> {
  const error: unknown = await build(file, programs).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BuildError);
  return (error as BuildError).message.split('\n');
}

describe('the boot module of a system', { timeout: TEST_LIMIT_MS }, () => {
  const FILES = { 'spin.S': SPIN, 'b.ts': PROGRAM };

  it('has the kernel and its programs, the system, the runtime and a file per program', async () => {
    const { archive, description } = await build(place(FILES), {
      a: [native('spin.S'), kib(64)],
      b: [typescript('b.ts'), mib(16)],
    });
    expect(namesIn(archive)).toEqual(
      expect.arrayContaining(['kernel.bytecode', 'console.bytecode', 'programs/a.bin', 'programs/b.tar', 'runtime.elf', 'system.json']),
    );
    expect(JSON.parse(contentIn(archive, 'system.json').toString()) as SystemDescription).toEqual(description);
    expect(contentIn(archive, 'runtime.elf').equals(readFileSync(runtimeImage()))).toBe(true);
    expect(description.partitions.map(({ program }) => program)).toEqual([
      { kind: 'flat', file: 'programs/a.bin', address: 0x8000, entry: 0x8003, mode: 'long' },
      { kind: 'typescript', file: 'programs/b.tar' },
    ]);
    expect(contentIn(archive, 'programs/a.bin').toString('hex')).toBe('909090faebfe');
    const program = join(folder, 'b.tar');
    writeFileSync(program, contentIn(archive, 'programs/b.tar'));
    expect(namesIn(program)).toEqual(['kernel.bytecode']);
  });

  it('of the kernel as a program has all that the kernel loads', async () => {
    const { archive, description } = await build(place(FILES), {
      a: [typescript(defaultEntry(), { commandLine: 'run=nothing' }), mib(24)],
    });
    expect(description.partitions[0]!.program).toEqual({ kind: 'typescript', file: 'programs/a.tar', commandLine: 'run=nothing' });
    const program = join(folder, 'a.tar');
    writeFileSync(program, contentIn(archive, 'programs/a.tar'));
    expect(namesIn(program)).toEqual(expect.arrayContaining(['kernel.bytecode', 'demonstration.bytecode']));
  });

  it('of native programs alone has no runtime in it', async () => {
    const { archive } = await build(place(FILES), { a: [native('spin.S'), kib(64)] });
    expect(namesIn(archive)).not.toContain('runtime.elf');
  });

  it('is the same, byte for byte, wherever it is made', async () => {
    const programs = {
      a: [native('spin.S'), kib(64)],
      b: [typescript('b.ts'), mib(16)],
      c: [native('spin.S', { elf: 'plain' }), mib(2)],
    } as const;
    const [first, second] = [await build(place(FILES), programs), await build(place(FILES), programs)];
    expect(first.archive).not.toBe(second.archive);
    expect(readFileSync(first.archive).equals(readFileSync(second.archive))).toBe(true);
    const other = await build(place({ ...FILES, 'spin.S': `nop\n${SPIN}` }), programs);
    expect(readFileSync(first.archive).equals(readFileSync(other.archive))).toBe(false);
  });

  it('says how much memory the machine needs', async () => {
    const small = await build(place(FILES), { a: [native('spin.S'), kib(64)] });
    const large = await build(place(FILES), { a: [native('spin.S'), mib(500)] });
    expect(large.memory - small.memory).toBe(500);
    expect(small.memory).toBeGreaterThanOrEqual(64);
  });

  it('has one file for partitions that run the same program, and different ones for those that do not', async () => {
    const { description } = await build(place(FILES), {
      a: [native('spin.S'), kib(64)],
      b: [native('spin.S'), kib(128)],
      c: [native('spin.S', { address: 0x9000 }), kib(64)],
    });
    expect(description.partitions.map(({ program }) => program.file)).toEqual(['programs/a.bin', 'programs/a.bin', 'programs/c.bin']);
  });

  it('leads stacks of a partition back to its sources, also where it has the name of a program of the kernel', async () => {
    const file = place(FILES);
    const { sourceMaps, description } = await build(file, { kernel: [typescript('b.ts'), mib(16)] });
    expect(description.partitions[0]!.program.file).toBe('programs/kernel-2.tar');
    const code = readFileSync(join(sourceMaps, 'kernel-2.js'), 'utf8').split('\n');
    const row = code.findIndex((line) => line.includes('throw'));
    expect(createStackMapper(sourceMaps)(`at main (kernel-2.js:${row + 1}:${code[row]!.indexOf('throw') + 1})`)).toMatch(/b\.ts:2:3\)$/);
  });
});

describe('a native program', { timeout: TEST_LIMIT_MS }, () => {
  async function made(files: Record<string, string>, program: ProgramFile): Promise<{ description: ProgramDescription; bytes: Buffer }> {
    const { archive, description } = await build(place(files), { a: [program, mib(4)] });
    const own = description.partitions[0]!.program;
    return { description: own, bytes: contentIn(archive, own.file) };
  }

  it('is entered at its first byte if it names no start', async () => {
    const { description } = await made({ 'a.S': 'nop\nhlt\n' }, native('a.S', { address: 0x9000 }));
    expect(description).toMatchObject({ address: 0x9000, entry: 0x9000 });
  });

  it('is entered at the symbol that is named', async () => {
    const { description } = await made({ 'a.S': 'nop\nnop\n.global go\ngo: hlt\n' }, native('a.S', { entry: 'go' }));
    expect(description).toMatchObject({ entry: 0x8002 });
  });

  it('may be of C and assembly, gets definitions, and has its .bss as zeros in the file', async () => {
    const { bytes, description } = await made(
      {
        'go.S': '.global _start\n_start: call work\n1: hlt\njmp 1b\n',
        'work.c':
          '#include <stdint.h>\nuint32_t text = TEXT;\nuint8_t room[64];\nvoid work(void);\nvoid work(void) { room[3] = (uint8_t)text; }\n',
      },
      native(['go.S', 'work.c'], { defines: { TEXT: 0x4c4c4548 } }),
    );
    expect(description).toMatchObject({ entry: 0x8000 });
    const text = bytes.indexOf('HELL');
    expect(text).toBeGreaterThan(0);
    expect(bytes.length - text).toBeGreaterThanOrEqual(4 + 64);
    expect(bytes.subarray(text + 4).every((byte) => byte === 0)).toBe(true);
  });

  it.each([
    ['real', '.code16\nmovw $0x1234, %ax\n', 'b83412'],
    ['protected', '.code32\nmovl $0x12345678, %eax\n', 'b878563412'],
    ['long', 'movq $0x12345678, %rax\n', '48c7c078563412'],
  ] as const)('is code of its mode: %s', async (mode, source, code) => {
    const { bytes, description } = await made({ 'a.S': source }, native('a.S', { mode }));
    expect(bytes.toString('hex')).toBe(code);
    expect(description).toMatchObject({ mode });
  });

  it.each([
    ['protected', false],
    ['long', true],
  ] as const)('in C is code of its mode: %s', async (mode, is64) => {
    const source = 'unsigned long size(void);\nunsigned long size(void) { return sizeof(long); }\n';
    const { bytes } = await made({ 'a.c': source }, native('a.c', { mode, entry: 'size' }));
    // mov $8, %eax or mov $4, %eax
    expect(bytes.toString('hex')).toContain(is64 ? 'b808000000' : 'b804000000');
  });

  it('as ELF has its PVH note and its class', async () => {
    const { bytes, description } = await made({ 'a.S': PVH }, native('a.S', { elf: 'pvh', mode: 'protected' }));
    expect(description).toEqual({ kind: 'elf', file: 'programs/a.elf', entry: 'pvh' });
    expect(readElf(bytes)).toMatchObject({ is64: false, pvhEntry: 0x10_0000 });
  });

  it('that does not compile is told in the words of gcc, with file and line', async () => {
    const lines = await problemsOf(place({ 'a.S': 'nop\nbogus %eax\n', 'b.c': 'int f(void) { return x; }\n' }), {
      a: [native('a.S'), kib(64)],
      b: [native('b.c', { entry: 'f' }), kib(64)],
    });
    expect(lines[0]).toMatch(/system\.ts: 2 problems$/);
    expect(lines.join('\n')).toMatch(/^ {2}partitions\.a\.program: .*a\.S: Assembler messages:\n.*a\.S:2: Error: .*bogus/m);
    expect(lines.join('\n')).toMatch(/^ {2}partitions\.b\.program: .*b\.c: In function 'f':\n.*b\.c:1:\d+: error: 'x' undeclared/m);
  });

  it('that does not link is told in the words of ld', async () => {
    const lines = await problemsOf(place({ 'a.S': 'call nowhere\n' }), { a: [native('a.S'), kib(64)] });
    expect(lines.join('\n')).toContain("undefined reference to `nowhere'");
  });
});

describe('a program that can not be loaded is told with its path, name and sizes:', { timeout: TEST_LIMIT_MS }, () => {
  const runtime = readFileSync(runtimeImage());
  const FILES = {
    'a.S': 'nop\n',
    'p.S': PVH,
    'b.ts': PROGRAM,
    'cut.elf': runtime.subarray(0, 5000),
    'whole.elf': runtime,
    'empty.bin': '',
    'k.bin': 'x'.repeat(1024),
  };

  it.each<[string, ProgramFile, Size, RegExp]>([
    ['a missing source', native('none.S'), kib(64), /none\.S: there is no such file/],
    ['a missing TypeScript program', typescript('none.ts'), mib(16), /none\.ts: there is no such file/],
    ['a missing file', elf('none.elf', 'pvh'), mib(16), /none\.elf: there is no such file/],
    [
      'an ELF file that was cut',
      elf('cut.elf', 'pvh'),
      mib(16),
      /cut\.elf is cut off: segment 0 ends at byte \d+, the file has 5000 bytes/,
    ],
    ['a file that is no ELF', elf('k.bin', 'plain'), mib(16), /k\.bin is no ELF file/],
    [
      'an ELF file larger than the memory',
      elf('whole.elf', 'pvh'),
      mib(2),
      /whole\.elf is too large: it ends at byte 3\d{6}, and the partition has 2097152/,
    ],
    ['an ELF file without a PVH note', native('a.S', { elf: 'pvh' }), mib(16), /a\.S has no PVH note/],
    [
      'an ELF file over the start info',
      native('p.S', { elf: 'pvh', address: 0x1800 }),
      mib(16),
      /p\.S is loaded to 1800h, where a PVH program finds its start info/,
    ],
    ['an empty file', flat('empty.bin', { address: 0, mode: 'real' }), kib(64), /empty\.bin is empty/],
    [
      'a flat file beyond the memory',
      flat('k.bin', { address: 0xfc01, mode: 'real' }),
      kib(64),
      /k\.bin is too large: 1024 bytes from FC01h on end at byte 65537, and the partition has 65536$/,
    ],
    [
      'a flat file over the page tables',
      flat('k.bin', { address: 0xcc01, mode: 'long' }),
      kib(64),
      /end at byte 53249, and the partition has 65536, of which page tables take the last 12288/,
    ],
    [
      'an entry outside',
      flat('k.bin', { address: 0x8000, entry: 0x8400, mode: 'real' }),
      kib(64),
      /is entered at 8400h, outside of its 8000h to 83FFh/,
    ],
    ['a symbol that is not there', native('a.S', { entry: 'go' }), kib(64), /there is no symbol go/],
    ['code where real mode does not reach', flat('k.bin', { address: 0x10_0000, mode: 'real' }), mib(2), /beyond what real mode reaches/],
    [
      'a TypeScript program without room for the runtime',
      typescript('b.ts'),
      mib(4),
      /b\.ts is too large: the runtime up to byte \d+, the bundle's \d+ bytes and the least heap need \d+, and the partition has 4194304/,
    ],
  ])('%s', async (_, program, memory, reason) => {
    const lines = await problemsOf(place(FILES), { a: [program, memory] });
    expect(lines[1]).toMatch(/^ {2}partitions\.a\.program: /);
    expect(lines[1]).toMatch(reason);
    expect(lines).toHaveLength(2);
  });

  it('what just fits is taken', async () => {
    const { description } = await build(place(FILES), {
      a: [flat('k.bin', { address: 0xfc00, mode: 'real' }), kib(64)],
      b: [flat('k.bin', { address: 0xcc00, mode: 'long' }), kib(64)],
      c: [elf('whole.elf', 'pvh'), mib(4)],
    });
    expect(description.partitions).toHaveLength(3);
  });

  it('and all programs are told of at once, and nothing is left behind', async () => {
    const file = place(FILES);
    mkdirSync(join(file, '..', 'out'));
    const lines = await problemsOf(file, { a: [elf('cut.elf', 'pvh'), mib(16)], b: [elf('k.bin', 'pvh'), mib(16)] });
    expect(lines.map((line) => line.slice(0, 23))).toEqual([lines[0]!.slice(0, 23), '  partitions.a.program:', '  partitions.b.program:']);
    expect(execFileSync('ls', [join(file, '..', 'out')], { encoding: 'utf8' })).toBe('');
  });
});
