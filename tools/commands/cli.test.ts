/** The program as a person starts it: build/tools/chronovisor.mjs in a process of its own. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VERSION } from '../../kernel/version.ts';
import { shownName } from '../build/bundle.ts';
import { PROGRAM, runProgram, type ProgramResult } from '../harness/program.ts';
import { buildFolder } from '../paths.ts';

const COMMANDS = ['run', 'validate', 'console', 'build', 'log', 'report', 'check', 'diff', 'timeline', 'export', 'experiment'];
const TEST_LIMIT_MS = 30_000;

const folder = mkdtempSync(join(tmpdir(), 'cli test '));
const inFolder = (name: string): string => join(folder, name);
/** Something to boot that has not to be built; no test here gets as far as booting it. */
const ARCHIVE = inFolder('any.tar');
const LOG = ['--log', inFolder('run.log')];

beforeAll(() => {
  for (const product of [PROGRAM, join(buildFolder(), 'runtime.elf')]) {
    if (!existsSync(product)) throw new Error(`${product} is missing: run "make build" first`);
  }
  writeFileSync(ARCHIVE, '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const chronovisor = (words: readonly string[], environment: Record<string, string> = {}): Promise<ProgramResult> =>
  runProgram(words, { cwd: folder, environment });

const linesOf = (text: string): string[] => text.split('\n').slice(0, -1);

describe('help', { timeout: TEST_LIMIT_MS }, () => {
  it.each([[[]], ...COMMANDS.map((command) => [[command]])])('of %j has examples and goes to standard output', async (words) => {
    const { status, stdout, stderr } = await chronovisor([...words, '--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^Usage: chronovisor ${words[0] ?? ''}`));
    expect(stdout).toMatch(/\nExamples:\n {2}\S/);
    const examples = stdout.slice(stdout.indexOf('\nExamples:'));
    if (words[0] !== undefined) expect(examples).toContain(`chronovisor ${words[0]}`);
  });

  it('lists every command', async () => {
    const { stdout } = await chronovisor(['--help']);
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^ {2}${command}\\b`, 'm'));
  });

  it('tells the exit codes where they matter', async () => {
    for (const words of [['--help'], ['run', '--help']]) {
      expect((await chronovisor(words)).stdout).toMatch(/Exit codes: 0 .*1 .*2 .*3 .*124 .*130 /);
    }
  });

  it('is what no command gets, as an error', async () => {
    const { status, stdout, stderr } = await chronovisor([]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('Usage: chronovisor');
  });
});

describe('the version', { timeout: TEST_LIMIT_MS }, () => {
  it("is the kernel's and the package's", async () => {
    expect(await chronovisor(['--version'])).toEqual({ status: 0, stdout: `${VERSION}\n`, stderr: '' });
    const { version } = JSON.parse(readFileSync(join(buildFolder(), '..', 'package.json'), 'utf8')) as { version: string };
    expect(VERSION).toBe(version);
  });
});

describe('wrong usage ends with 2 and names what is wrong:', { timeout: TEST_LIMIT_MS }, () => {
  // What a command can not do without is looked at first.
  const withNeeds = (command: string): string[] => (command === 'check' ? [command, '--against', 'any.ts'] : [command]);
  it.each([[[]], ...COMMANDS.map((command) => [withNeeds(command)])])('an unknown option of %j', async (words) => {
    const { status, stdout, stderr } = await chronovisor([...words, '--nonsense']);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain("unknown option '--nonsense'");
    expect(stderr).toContain('--help');
  });

  it('an unknown command', async () => {
    const { status, stderr } = await chronovisor(['rum']);
    expect(status).toBe(2);
    expect(stderr).toContain("unknown command 'rum'");
    expect(stderr).toContain('Did you mean run?');
  });

  it.each([
    ['--memory', ['0', '7', '64M', '-1', '1.5', '1e3', '', '1048577'], 'a whole number from 8 to 1048576'],
    ['--smp', ['0', '9', 'two'], 'a whole number from 1 to 8'],
    ['--icount', ['11', '-1', 'on', '', '1.0'], 'off, or a shift from 0 to 10'],
    ['--timeout', ['0', '86401', '10s', 'Infinity'], 'a whole number from 1 to 86400'],
    ['--seed', ['-1', '4294967296'], 'a whole number from 0 to 4294967295'],
    ['--machine', ['isapc', '', 'PC'], 'pc, q35, microvm'],
    ['--trace', ['both'], 'channel, serial'],
    ['--level', ['verbose'], 'error, warn, info, debug, none'],
  ])('%s with any of %j', async (option, values, expected) => {
    const results = await Promise.all(values.map((value) => chronovisor(['run', ARCHIVE, ...LOG, `${option}=${value}`])));
    for (const [index, value] of values.entries()) {
      const { status, stdout, stderr } = results[index]!;
      expect({ value, status, stdout }).toEqual({ value, status: 2, stdout: '' });
      expect(stderr).toContain(option);
      expect(stderr).toContain(`argument '${value}' is invalid`);
      expect(stderr).toContain(expected);
    }
  });

  it.each([
    [[], "missing required argument 'name'"],
    [['tsc'], 'Allowed choices are tsc-sync'],
    [['tsc-sync', '--mode', '4'], 'numbers from 0 to 3'],
    [['tsc-sync', '--mode', '0,'], 'numbers from 0 to 3'],
    [['tsc-sync', '--variant', 'as-is,none'], 'some of as-is, thaw, post, patch'],
    [['tsc-sync', '--seconds', '1'], 'a whole number from 2 to 100'],
    [['tsc-sync', '--era', '2008'], 'Allowed choices are today, 2007'],
    [['tsc-sync', '--era', '2007', '--mode', '0'], '--mode with --era 2007: there were no timer modes yet'],
    [['tsc-sync', '--era', '2007', '--tsc', 'emulated'], '--tsc emulated with --era 2007'],
  ])('experiment %j', async (words, message) => {
    const { status, stdout, stderr } = await chronovisor(['experiment', ...words]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(message);
  });

  it('a log that can not be written', async () => {
    const { status, stderr } = await chronovisor(['run', ARCHIVE, '--log', join(ARCHIVE, 'x.log')]);
    expect(status).toBe(2);
    expect(stderr).toContain(`--log ${join(ARCHIVE, 'x.log')}: `);
  });
});

describe('what can not be run', { timeout: TEST_LIMIT_MS }, () => {
  const OLD_QEMU = inFolder('old-qemu');
  beforeAll(() => writeFileSync(OLD_QEMU, '#!/bin/sh\necho "QEMU emulator version 5.2.0"\n', { mode: 0o755 }));

  it('is a missing boot module, which is named, with status 3', async () => {
    const { status, stdout, stderr } = await chronovisor(['run', 'missing.tar', ...LOG]);
    expect({ status, stdout, stderr }).toEqual({ status: 3, stdout: '', stderr: 'chronovisor: missing.tar: there is no such file\n' });
  });

  it.each(['run', 'build'])('is a missing entry of %s, which is named', async (command) => {
    const { status, stdout, stderr } = await chronovisor([command, 'no such entry.ts']);
    expect(stdout).toBe('');
    expect(stderr).toBe('chronovisor: no such entry.ts: there is no such file\n');
    expect(status).not.toBe(0);
  });

  it('is a missing QEMU, with status 3 and the next step', async () => {
    for (const words of [['--qemu', '/nonexistent/qemu'], []]) {
      const { status, stdout, stderr } = await chronovisor(['run', ARCHIVE, ...LOG, ...words], { QEMU: '/nonexistent/qemu' });
      expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
      expect(stderr).toContain('chronovisor: /nonexistent/qemu was not found: run "make setup", or set QEMU');
    }
  });

  it('is a QEMU that is too old, with status 3', async () => {
    for (const [words, environment] of [
      [['--qemu', OLD_QEMU], {}],
      [[], { QEMU: OLD_QEMU }],
    ] as const) {
      const { status, stderr } = await chronovisor(['run', ARCHIVE, ...LOG, ...words], environment);
      expect(status).toBe(3);
      expect(stderr).toContain(`${OLD_QEMU} is QEMU 5.2; 7.0 or newer is needed`);
    }
  });

  it('leaves nothing behind in the folder for temporary files', async () => {
    const temporary = mkdtempSync(inFolder('tmp-'));
    await chronovisor(['run', ARCHIVE, ...LOG, '--qemu', OLD_QEMU], { TMPDIR: temporary });
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('is said in one line, without a stack', async () => {
    for (const words of [
      ['run', 'missing.tar'],
      ['run', ARCHIVE, ...LOG, '--qemu', '/nonexistent/qemu'],
      ['log', 'missing.log'],
    ]) {
      expect((await chronovisor(words)).stderr).toMatch(/^chronovisor: [^\n]+\n$/);
    }
  });
});

describe('a system file', { timeout: TEST_LIMIT_MS }, () => {
  const DEFINE = JSON.stringify(join(buildFolder(), '..', 'partitions', 'define.ts'));
  const systemFile = (name: string, memory: string, duration: string): string => {
    const file = inFolder(name);
    writeFileSync(
      file,
      `import { defineSystem, kib, mib, ms, native } from ${DEFINE};
export default defineSystem({
  name: 'two',
  partitions: {
    left: { program: native('spin.S'), memory: ${memory} },
    right: { program: native('spin.S'), memory: kib(128), watchdog: ms(5) },
  },
  plans: {
    normal: {
      majorFrame: ms(10),
      slots: [
        { partition: 'left', start: ms(0), duration: ms(${duration}) },
        { partition: 'right', start: ms(5), duration: ms(5) },
      ],
    },
  },
});
`,
    );
    return name;
  };
  beforeAll(() => writeFileSync(inFolder('spin.S'), 'cli\n1: jmp 1b\n'));
  afterAll(() => {
    const products = join(buildFolder(), 'systems');
    const own = readdirSync(products).filter((name) => name.startsWith(shownName(folder)));
    for (const name of own) rmSync(join(products, name), { recursive: true, force: true });
  });

  it('that is good is summed up, with warnings on standard error', async () => {
    const { status, stdout, stderr } = await chronovisor(['validate', systemFile('good.ts', 'mib(1)', '5')]);
    expect(status).toBe(0);
    expect(linesOf(stdout)[0]).toBe('two: 2 partitions, 1 plan, runs until every partition has halted');
    expect(stdout).toMatch(/^plan normal \(at the start\)\n +0 +10 ms\nleft {3}█+·+ +50 %\nright {2}·+█+ +50 %$/m);
    expect(stdout).toMatch(/^boot module: \S.*system\.tar; the machine needs \d+ MiB$/m);
    expect(stderr).toMatch(/^warning: partitions\.right\.watchdog: ms\(5\) pass while [^\n]+\n$/);
  });

  it.each(['validate', 'run'])('that is wrong ends %s with 1 and every problem in a line of its own', async (command) => {
    const { status, stdout, stderr } = await chronovisor([command, systemFile('bad.ts', 'kib(62)', '6')]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(linesOf(stderr)).toEqual([
      'chronovisor: bad.ts: 2 problems',
      expect.stringMatching(/^ {2}partitions\.left\.memory: kib\(62\) is too small/),
      expect.stringMatching(/^ {2}plans\.normal\.slots\[1\]\.start: begins at 5 ms, while slots\[0\] runs until 6 ms/),
    ]);
  });

  it('gets the memory that it needs, or a refusal where less was asked for', async () => {
    const file = systemFile('large.ts', 'mib(400)', '5');
    const { status, stderr } = await chronovisor(['run', file, ...LOG, '--memory', '256']);
    expect(status).toBe(2);
    expect(stderr).toMatch(/256 MiB of memory are too little for two: it needs 4\d\d\n$/);
  });

  it('is not what validate was given: status 2, 3', async () => {
    writeFileSync(inFolder('bundle.ts'), 'export function main() {}\n');
    const bundle = await chronovisor(['validate', 'bundle.ts']);
    expect(bundle).toMatchObject({ status: 2, stderr: expect.stringContaining('bundle.ts: no system: it has no default export') });
    const missing = await chronovisor(['validate', 'none.ts']);
    expect(missing).toEqual({ status: 3, stdout: '', stderr: 'chronovisor: none.ts: there is no such file\n' });
  });

  it('makes a boot module that run takes with the words for the kernel and enough memory', async () => {
    const file = systemFile('shown.ts', 'mib(400)', '5');
    const qemu = inFolder('fake-qemu');
    writeFileSync(qemu, '#!/bin/sh\ncase "$1" in --version) echo "QEMU emulator version 7.2.0";; -accel) echo tcg;; *) exit 3;; esac\n', {
      mode: 0o755,
    });
    const { stdout } = await chronovisor(['run', file, ...LOG, '--qemu', qemu, '--show-command', '--append', 'serial=off']);
    expect(stdout).toMatch(/ -m 4\d\dM /);
    expect(stdout).toMatch(/ -initrd \S*system\.tar'? -append 'run=system serial=off'/);
  });
});
