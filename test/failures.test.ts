import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeArchive } from '../tools/build/bundle.ts';
import { boot, type BootedRun } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';

const fail = (how: string, seconds = 30): Promise<BootedRun> => boot({ bundle: 'test/bundles/failures.ts', append: how, seconds });

describe('an uncaught error', () => {
  it('ends the run with a stack of TypeScript files and lines', async () => {
    const run = await fail('throw');
    expect(run).toExitWith('UNCAUGHT_ERROR');
    expect(run.diagnostics[0]).toBe('uncaught RangeError: found 42 where nothing should be');
    expect(run.diagnostics[1]).toMatch(/^ +at innermost \(test\/bundles\/failures\.ts:\d+:\d+\)$/);
    expect(run.diagnostics[2]).toMatch(/^ +at middle \(test\/bundles\/failures\.ts:\d+:\d+\)$/);
    expect(run.diagnostics.at(-1)).toMatch(/at main \(test\/bundles\/failures\.ts:\d+:\d+\)$/);
  });

  it('stays raw in the log', async () => {
    const run = await fail('throw');
    expect(run.lines.join('\n')).toMatch(/! +at innermost \(kernel\.js:\d+:\d+\)/);
  });

  it('may be something that is no Error', async () => {
    const run = await fail('throw-number');
    expect(run).toExitWith('UNCAUGHT_ERROR');
    expect(run.diagnostics).toContain('uncaught 42');
  });

  it('of a shim names the argument', async () => {
    const run = await fail('bad-mmio');
    expect(run).toExitWith('UNCAUGHT_ERROR');
    expect(run.diagnostics[0]).toBe('uncaught RangeError: mmioRead32: address 0xfed00001 is not a multiple of 4');
  });
});

describe('the limits of the engine', () => {
  it('end a run that exhausts the heap, with the figures', async () => {
    const run = await fail('exhaust-memory');
    expect(run).toExitWith('OUT_OF_MEMORY');
    expect(run.diagnostics[0]).toMatch(/^uncaught InternalError: out of memory: \d+ of 33554432 bytes of the heap are in use$/);
    expect(run.diagnostics[1]).toContain('test/bundles/failures.ts');
  });

  it('follow heap= of the command line', async () => {
    const run = await fail('exhaust-memory heap=2M');
    expect(run).toExitWith('OUT_OF_MEMORY');
    expect(run.diagnostics[0]).toContain(`of ${2 << 20} bytes`);
  });

  it('refuse one allocation that is too large', async () => {
    expect(await fail('huge-allocation')).toExitWith('OUT_OF_MEMORY');
  });

  it('end a run that overflows the stack, and show both ends of it', async () => {
    const run = await fail('overflow-stack');
    expect(run).toExitWith('STACK_OVERFLOW');
    expect(run.diagnostics[0]).toBe('uncaught InternalError: stack overflow');
    expect(run.diagnostics.length).toBeLessThan(40);
    expect(run.diagnostics.join('\n')).toMatch(/\.\.\. \d+ more/);
    expect(run.diagnostics.at(-1)).toContain('at main');
  });

  it('are errors that TypeScript can catch, and go on after', async () => {
    const run = await fail('survive');
    expect(run.diagnostics[0]).toMatch(
      /^uncaught Error: survived: InternalError: out of memory: .* \| InternalError: stack overflow \| InternalError: out of memory/,
    );
  });
});

describe('a CPU exception', () => {
  it('prints vector, error code, registers, CR2 and the TypeScript stack', async () => {
    const run = await fail('page-fault');
    expect(run).toExitWith('CPU_EXCEPTION');
    const text = run.diagnostics.join('\n');
    expect(run.diagnostics[0]).toBe('exception vector=14 name="#PF page fault" error_code=0000000000000000 cpu=0');
    expect(text).toContain('cr2=0000200000000000');
    for (const register of ['rip', 'rflags', 'rsp', 'rax', 'r15', 'cr0', 'cr3', 'cr4'])
      expect(text).toMatch(new RegExp(`\\b${register}=[0-9a-f]{16}`));
    expect(text).toMatch(/at page-fault \(test\/bundles\/failures\.ts:\d+:\d+\)/);
  });

  it('of another vector says so', async () => {
    const run = await fail('general-protection');
    expect(run).toExitWith('CPU_EXCEPTION');
    expect(run.diagnostics[0]).toContain('vector=13');
  });

  it('is reported even when SSE, which the report needs, is off', async () => {
    const run = await fail('invalid-opcode');
    expect(run).toExitWith('CPU_EXCEPTION');
    expect(run.diagnostics[0]).toContain('vector=6');
    expect(run.diagnostics.join('\n')).toMatch(/at invalid-opcode \(test/);
  });

  it('that is an NMI has an exit code of its own', async () => {
    const run = await fail('nmi');
    expect(run).toExitWith('NMI');
    expect(run.diagnostics[0]).toContain('name="NMI"');
  });
});

it('a triple fault is told from QEMU that refuses to run', async () => {
  const run = await fail('triple-fault', 10);
  expect(run.outcome.kind).toBe('reset');
  expect(run.ending).toContain('triple fault');
});

describe('a time limit', () => {
  it('ends a loop, and tells where it was', async () => {
    const run = await fail('loop', 2);
    expect(run.outcome).toEqual({ kind: 'time-limit', seconds: 2 });
    expect(run.diagnostics.join('\n')).toMatch(/at loop \(test\/bundles\/failures\.ts:\d+:\d+\)/);
  });

  it('ends a HLT that nothing else ends', async () => {
    const run = await fail('idle', 2);
    expect(run.outcome).toEqual({ kind: 'time-limit', seconds: 2 });
    expect(run.diagnostics.join('\n')).toContain('at idle (native)');
  });
});

it('ends well when main returns', async () => {
  expect(await fail('fall-off-the-end')).toHold();
});

it('tells a failed check from a crash', async () => {
  expect(await fail('exit-failed')).toExitWith('FAILED');
});

describe('a boot module', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chronovisor-test-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  async function bootFiles(name: string, files: Record<string, string | Uint8Array>): Promise<BootedRun> {
    const archive = join(folder, `${name}.tar`);
    await writeArchive(archive, files);
    return boot({ archive, name: `boot-module-${name}`, seconds: 20 });
  }

  it('may hold source in place of bytecode', async () => {
    expect(await bootFiles('source', { 'kernel.js': '(() => ({ main(hw) { hw.exit(0x10); } }))()' })).toHold();
  });

  it('whose bundle does not parse is named with line and column', async () => {
    const run = await bootFiles('syntax', { 'kernel.js': '(() => ({\n  main(hw) { hw.exit(; }\n}))()' });
    expect(run).toExitWith('BUNDLE_INVALID');
    expect(run.diagnostics[0]).toMatch(/^bundle does not parse: SyntaxError: /);
    expect(run.diagnostics[1]).toMatch(/kernel\.js:2:\d+/);
  });

  it('whose bundle throws at once ends the run', async () => {
    const run = await bootFiles('throws', { 'kernel.js': 'throw new Error("at once")' });
    expect(run).toExitWith('UNCAUGHT_ERROR');
    expect(run.diagnostics[0]).toBe('uncaught Error: at once');
  });

  it('whose bundle has no main is refused', async () => {
    const run = await bootFiles('no-main', { 'kernel.js': '({ start() {} })' });
    expect(run).toExitWith('BUNDLE_INVALID');
    expect(run.diagnostics[0]).toContain('no function main');
  });

  it('without bundle says what it looks for', async () => {
    const run = await bootFiles('empty', { 'readme.txt': 'nothing here' });
    expect(run).toExitWith('BUNDLE_INVALID');
    expect(run.diagnostics[0]).toContain('neither kernel.bytecode nor kernel.js');
  });

  it('with bytecode of another engine is refused', async () => {
    const run = await bootFiles('bytecode', { 'kernel.bytecode': new Uint8Array(600).fill(0x77) });
    expect(run).toExitWith('BUNDLE_INVALID');
    expect(run.diagnostics[0]).toContain('invalid version');
  });

  it('that is no archive is refused with the offset', async () => {
    const archive = join(folder, 'garbage.tar');
    const { writeFile } = await import('node:fs/promises');
    await writeFile(archive, 'x'.repeat(5000));
    const run = await boot({ archive, name: 'boot-module-garbage', seconds: 20 });
    expect(run).toExitWith('BOOT_INFO_INVALID');
    expect(run.diagnostics[0]).toContain('no ustar header at offset 0');
  });

  it('that is cut short is refused with the file', async () => {
    const whole = join(folder, 'whole.tar');
    await writeArchive(whole, { 'kernel.js': `// ${'x'.repeat(9000)}\n` });
    const { readFile, writeFile } = await import('node:fs/promises');
    const archive = join(folder, 'cut.tar');
    await writeFile(archive, (await readFile(whole)).subarray(0, 4096));
    const run = await boot({ archive, name: 'boot-module-cut', seconds: 20 });
    expect(run).toExitWith('BOOT_INFO_INVALID');
    expect(run.diagnostics[0]).toMatch(/kernel\.js is cut short, 3584 of \d+ bytes/);
  });
});

describe('too little memory', () => {
  it('is said with the figures', async () => {
    const run = await boot({ memory: 8, append: 'run=nothing heap=16M', seconds: 20 });
    expect(run).toExitWith('BOOT_INFO_INVALID');
    expect(run.diagnostics[0]).toMatch(/not enough memory: \d+ KiB wanted, the largest free range has \d+ KiB/);
  });

  it('is no problem for a kernel that gets by', async () => {
    expect(await boot({ memory: 16, append: 'run=nothing' })).toHold();
  });

  it('a heap= that is no size is named', async () => {
    const run = await boot({ append: 'heap=lots', seconds: 20 });
    expect(run).toExitWith('BOOT_INFO_INVALID');
    expect(run.diagnostics[0]).toContain('heap=lots is not a size');
  });
});

it('names every unknown word of the kernel command line', async () => {
  const run = await boot({ append: 'run=sundial colour=blue' });
  expect(run).toExitWith('FAILED');
  const [exit] = run.of('kernel.exit');
  expect(exit?.fields.reason).toContain('run=sundial: expected one of demonstration, console, system, nothing');
  expect(exit?.fields.reason).toContain('colour: there is no such option');
});
