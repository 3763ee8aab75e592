import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../errors.ts';
import { DEFAULT_MACHINE, MACHINES, qemuArguments, shellText, type Endpoints, type MachineOptions } from './options.ts';

const ENDPOINTS: Endpoints = {
  runtime: '/x/runtime.elf',
  archive: '/x/kernel.tar',
  commandLine: 'count=100 heap=8M',
  traceSocket: '/t/trace',
  monitorSocket: '/t/monitor',
};

const argumentsFor = (change: Partial<MachineOptions> = {}, endpoints: Partial<Endpoints> = {}): string[] =>
  qemuArguments({ ...DEFAULT_MACHINE, ...change }, { ...ENDPOINTS, ...endpoints });

/** The words that follow an option, one per use of it. */
const valuesOf = (words: readonly string[], option: string): string[] =>
  words.flatMap((word, at) => (word === option ? [words[at + 1]!] : []));

/** QEMU's reading of "key=value,..." with ",," for a comma. */
const pathIn = (value: string): string | undefined => /(?:^|,)path=((?:[^,]|,,)*)/.exec(value)?.[1]?.replaceAll(',,', ',');

describe("QEMU's arguments", () => {
  it.each([
    ['pc', true, 'pc,hpet=on'],
    ['pc', false, 'pc,hpet=off'],
    ['q35', true, 'q35,hpet=on'],
    ['q35', false, 'q35,hpet=off'],
    ['microvm', true, 'microvm,pit=on,pic=on,rtc=on'],
  ] as const)('name a %s with hpet %s', (machine, hpet, text) => {
    expect(valuesOf(argumentsFor({ machine, hpet }), '-machine')).toEqual([text]);
  });

  it('can not be made for a microvm without HPET, which it never has', () => {
    expect(() => argumentsFor({ machine: 'microvm', hpet: false })).toThrow(UsageError);
  });

  it.each(MACHINES)('always ask for TCG, our devices only and one boot (%s)', (machine) => {
    const words = argumentsFor({ machine });
    expect(valuesOf(words, '-accel')).toEqual(['tcg']);
    for (const option of ['-nodefaults', '-no-user-config', '-no-reboot']) expect(words).toContain(option);
    expect(valuesOf(words, '-device')).toContain('isa-debug-exit,iobase=0xf4,iosize=4');
  });

  it('carry memory, number of CPUs and seed', () => {
    const words = argumentsFor({ memory: 64, cpus: 3, seed: 7 });
    expect([valuesOf(words, '-m'), valuesOf(words, '-smp'), valuesOf(words, '-seed')]).toEqual([['64M'], ['3'], ['7']]);
  });

  it('let virtual time jump over idling with an icount', () => {
    expect(valuesOf(argumentsFor({ icount: 3 }), '-icount')).toEqual(['shift=3,sleep=off']);
  });

  it('take an icount of 0 for an icount', () => {
    expect(valuesOf(argumentsFor({ icount: 0 }), '-icount')).toEqual(['shift=0,sleep=off']);
  });

  it('have no -icount when it is off', () => {
    expect(argumentsFor({ icount: 'off' })).not.toContain('-icount');
  });

  it('always give the clock on the wall the same start', () => {
    expect(valuesOf(argumentsFor(), '-rtc')).toEqual(['base=2026-01-01T00:00:00,clock=vm']);
  });

  it("take off an EPYC what TCG lacks of it, and leave another model's name alone", () => {
    expect(valuesOf(argumentsFor(), '-cpu')[0]).toMatch(/^EPYC(,-[a-z0-9-]+)+$/);
    expect(valuesOf(argumentsFor({ cpu: 'qemu64,+svm' }), '-cpu')).toEqual(['qemu64,+svm']);
  });

  it('have the trace channel at port E9h only when there is to be one', () => {
    expect(valuesOf(argumentsFor(), '-device')).toContain('isa-debugcon,iobase=0xe9,chardev=trace');
    expect(argumentsFor({ traceChannel: false }).join(' ')).not.toMatch(/trace|debugcon/);
  });

  it('have the exit device only when there is to be one', () => {
    expect(argumentsFor({ debugExit: false }).join(' ')).not.toContain('isa-debug-exit');
    expect(valuesOf(argumentsFor({ lineDriver: true }), '-device').slice(0, 2)).toEqual([
      'pc-testdev',
      'isa-debugcon,iobase=0xe9,chardev=trace',
    ]);
    expect(argumentsFor().join(' ')).not.toContain('pc-testdev');
  });

  it('join every -device and -serial to a chardev that exists', () => {
    for (const traceChannel of [true, false]) {
      const words = argumentsFor({ traceChannel });
      const made = valuesOf(words, '-chardev').map((value) => /(?:^|,)id=(\w+)/.exec(value)?.[1]);
      const used = words.flatMap((word) => /\bchardev[=:](\w+)/.exec(word)?.[1] ?? []);
      expect(used.sort()).toEqual(made.sort());
    }
  });

  it('escape commas in the paths of sockets', () => {
    const words = argumentsFor({}, { traceSocket: '/a,b/,trace', monitorSocket: '/a,b/monitor,,' });
    expect(valuesOf(words, '-chardev').map(pathIn)).toEqual([undefined, '/a,b/monitor,,', '/a,b/,trace']);
  });

  it('leave commas alone where QEMU reads no keys', () => {
    const words = argumentsFor({}, { runtime: '/a,b/r.elf', archive: '/a,b/k.tar', commandLine: 'x=1,2 y="3"' });
    expect([valuesOf(words, '-kernel'), valuesOf(words, '-initrd'), valuesOf(words, '-append')]).toEqual([
      ['/a,b/r.elf'],
      ['/a,b/k.tar'],
      ['x=1,2 y="3"'],
    ]);
  });

  it("end with a person's own, as they are", () => {
    expect(argumentsFor({ extra: ['-d', 'int,cpu_reset', '-D', 'my log'] }).slice(-4)).toEqual(['-d', 'int,cpu_reset', '-D', 'my log']);
  });
});

describe('COM1', () => {
  it('is the terminal by default, and Ctrl-C there is for the guest', () => {
    expect(valuesOf(argumentsFor(), '-chardev')).toContain('stdio,id=com1,signal=off');
    expect(valuesOf(argumentsFor(), '-serial')).toEqual(['chardev:com1']);
  });

  it('is nowhere when there is to be none', () => {
    const words = argumentsFor({ com1: 'none' });
    expect(valuesOf(words, '-serial')).toEqual(['none']);
    expect(words.join(' ')).not.toContain('com1');
  });

  it('is a socket, whose path may have commas', () => {
    const words = argumentsFor({ com1: { socket: '/a,b/com1' } });
    expect(pathIn(valuesOf(words, '-chardev')[0]!)).toBe('/a,b/com1');
    expect(valuesOf(words, '-serial')).toEqual(['chardev:com1']);
  });
});

describe('a command as shell text', () => {
  function throughShell(words: readonly string[]): string[] {
    const { stdout, status } = spawnSync('sh', ['-c', `printf '%s\\0' ${shellText(words)}`], { encoding: 'utf8', timeout: 10_000 });
    expect(status).toBe(0);
    return stdout.split('\0').slice(0, -1);
  }

  it('leaves plain words readable', () => {
    const words = ['qemu-system-x86_64', '-machine', 'pc,hpet=on', '-m', '256M', '/tmp/a_b/c.tar', '-cpu', 'EPYC,+svm'];
    expect(shellText(words)).toBe(words.join(' '));
  });

  it.each([
    '',
    ' ',
    "'",
    "it's",
    "''",
    '"',
    '$HOME',
    '`id`',
    '$(id)',
    '\\',
    '\\n',
    'a\nb',
    'end\n',
    '*',
    '?',
    '~',
    '!x',
    '#x',
    'a;b',
    'é',
    '&',
    '|',
    '<x',
  ])('brings %j through a shell', (word) => {
    expect(throughShell([word, 'next'])).toEqual([word, 'next']);
  });

  it('brings any mixture of unkind characters through a shell', () => {
    const unkind = [...'\'"\\$`!*?~#;&|<>(){}[] \t\n=,%-ax'];
    let state = 1;
    const below = (limit: number): number => (state = (state * 48_271) % 0x7fff_ffff) % limit;
    const words = Array.from({ length: 500 }, () => Array.from({ length: below(8) }, () => unkind[below(unkind.length)]).join(''));
    expect(throughShell(words)).toEqual(words);
  });
});
