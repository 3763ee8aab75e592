/** What the runtime's page tables allow, as the CPU sees them: QEMU's monitor is asked. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boot, type BootedRun } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';
import { runtimeImage } from '../tools/paths.ts';

const PAGE = 0x1000n;
const LARGE_PAGE = 0x20_0000n;
const PROMPT = '(qemu) ';

interface Mapping {
  readonly physical: bigint;
  readonly isExecutable: boolean;
  readonly isWritable: boolean;
  readonly isUncached: boolean;
}

/** Types a command at QEMU's monitor once it listens, and returns what it answers. */
async function ask(path: string, command: string): Promise<string> {
  for (const end = Date.now() + 20_000; ; await new Promise((done) => setTimeout(done, 100))) {
    try {
      return await new Promise((done, fail) => {
        const socket = connect(path);
        let text = '';
        socket.setTimeout(10_000, () => socket.destroy(new Error(`the monitor does not answer ${command}`)));
        socket.on('error', fail);
        socket.on('data', (chunk) => {
          const before = text.split(PROMPT).length;
          text += String(chunk);
          const after = text.split(PROMPT).length;
          if (before < 2 && after >= 2) socket.write(`${command}\n`);
          if (after < 3) return;
          socket.destroy();
          done(text.split(PROMPT)[1]!.replaceAll('\r', ''));
        });
      });
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}

let folder = '';
let mappings = new Map<bigint, Mapping>();
let large = new Map<bigint, Mapping>();
const symbols = new Map<string, bigint>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'chronovisor-test-'));
  for (const [, address, name] of execFileSync('nm', [runtimeImage()], { encoding: 'utf8' }).matchAll(/^([0-9a-f]+) . (\w+)$/gm))
    symbols.set(name!, BigInt(`0x${address}`));
  const path = join(folder, 'monitor');
  const run = boot({
    bundle: 'test/bundles/failures.ts',
    append: 'idle',
    seconds: 12,
    extra: ['-monitor', `unix:${path},server=on,wait=off`],
    name: 'protection',
  });
  // The tables are there after some milliseconds; the run idles until its limit.
  await new Promise((done) => setTimeout(done, 3000));
  const text = await ask(path, 'info tlb');
  // 0000000000100000: 0000000000100000 X-PDACTUW, a letter per flag that is set
  for (const [, virtual, physical, flags] of text.matchAll(/^([0-9a-f]{16}): ([0-9a-f]{16}) ([-XGPDACTUW]{9})$/gm)) {
    const mapping = {
      physical: BigInt(`0x${physical}`),
      isExecutable: !flags!.includes('X'),
      isWritable: flags!.includes('W'),
      isUncached: flags!.includes('C'),
    };
    (flags!.includes('P') ? large : mappings).set(BigInt(`0x${virtual}`), mapping);
  }
  await run;
}, 60_000);
afterAll(() => {
  mappings = new Map();
  large = new Map();
  rmSync(folder, { recursive: true });
});

const at = (address: bigint): Mapping | undefined => mappings.get(address & ~(PAGE - 1n)) ?? large.get(address & ~(LARGE_PAGE - 1n));

function* pages(from: string, to: string): Generator<bigint> {
  for (let page = symbols.get(from)!; page < symbols.get(to)!; page += PAGE) yield page;
}

describe('the page tables', () => {
  it('are one to one', () => {
    expect(mappings.size).toBeGreaterThan(500);
    for (const [virtual, { physical }] of [...mappings, ...large]) expect(physical).toBe(virtual);
  });

  it('have no page 0', () => {
    expect(at(0n)).toBeUndefined();
    expect(at(PAGE)).toBeDefined();
  });

  it('have text that can be executed and not written', () => {
    for (const page of pages('image_start', 'image_text_end'))
      expect(at(page), page.toString(16)).toMatchObject({ isExecutable: true, isWritable: false });
  });

  it('have constants that can be neither', () => {
    for (const page of pages('image_text_end', 'image_rodata_end'))
      expect(at(page), page.toString(16)).toMatchObject({ isExecutable: false, isWritable: false });
  });

  it('have nothing else that can be executed', () => {
    const text = new Set(pages('image_start', 'image_text_end'));
    for (const [virtual, { isExecutable }] of [...mappings, ...large])
      if (!text.has(virtual)) expect(isExecutable, virtual.toString(16)).toBe(false);
  });

  it('have a hole below each of the five stacks, and nowhere else in the image', () => {
    const holes = [...pages('image_start', 'image_end')].filter((page) => at(page) === undefined);
    expect(holes).toHaveLength(5);
    const start = symbols.get('boot_cpu')!;
    for (const hole of holes) expect(hole > start && hole < symbols.get('image_end')!).toBe(true);
    // Each has its stack above it.
    for (const hole of holes) expect(at(hole + PAGE)).toMatchObject({ isWritable: true, isExecutable: false });
  });

  it('have device addresses uncached, and memory cached', () => {
    for (const device of [0xb_8000n, 0xfec0_0000n, 0xfed0_0000n, 0xfee0_0000n])
      expect(at(device), device.toString(16)).toMatchObject({ isUncached: true });
    for (const memory of [symbols.get('image_start')!, symbols.get('boot_cpu')!, 0x400_0000n])
      expect(at(memory), memory.toString(16)).toMatchObject({ isUncached: false });
  });
});

it('a machine check is reported, with an exit code of its own', async () => {
  const path = join(folder, 'mce');
  const run: Promise<BootedRun> = boot({
    bundle: 'test/bundles/failures.ts',
    append: 'loop',
    seconds: 20,
    extra: ['-monitor', `unix:${path},server=on,wait=off`],
    name: 'machine-check',
  });
  await new Promise((done) => setTimeout(done, 3000));
  // CPU 0, bank 1: valid, uncorrected, enabled, context corrupt; MCG_STATUS: in progress.
  await ask(path, 'mce 0 1 0xb200000000000000 0x4 0x0 0x0');
  const ended = await run;
  expect(ended).toExitWith('MACHINE_CHECK');
  expect(ended.diagnostics[0]).toContain('vector=18');
});
