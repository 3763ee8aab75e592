/** Compiles boot/heap.host.c, which tries the heap against a model, and runs it with several seeds. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const SOURCE = fileURLToPath(new URL('./heap.host.c', import.meta.url));
const SEEDS = [1, 2, 3, 20_260_101];
const COMPILE_LIMIT_MS = 60_000;
const RUN_LIMIT_MS = 60_000;

const PROPERTIES = [
  'a heap is made of any length that holds its bookkeeping and one block',
  'sizes around every class boundary',
  "a size that can't be had is refused and harms nothing",
  'no bytes are a block too',
  'a resize keeps the content, in place where it can',
  'an exhausted heap refuses and stays usable',
  'random work in a small heap',
  'random work in a middle heap',
  'random work in a large heap',
];

const folder = mkdtempSync(join(tmpdir(), 'heap test '));
const program = join(folder, 'heap-test');

function compile(...extra: string[]): void {
  const options = ['-std=gnu11', '-O1', '-g', '-Wall', '-Wextra', '-Werror', ...extra];
  execFileSync('gcc', [...options, SOURCE, '-o', program], { timeout: COMPILE_LIMIT_MS, encoding: 'utf8', stdio: 'pipe' });
}

const run = (...words: string[]) => spawnSync(program, words, { timeout: RUN_LIMIT_MS, encoding: 'utf8' });

beforeAll(() => {
  try {
    compile('-fsanitize=address,undefined', '-fno-sanitize-recover=all');
    // Without a seed it says how it is used, if the sanitizers work on this machine. Else the model alone has to do.
    if (run().status !== 2) throw new Error('the sanitizers do not work');
  } catch {
    compile();
  }
}, 2 * COMPILE_LIMIT_MS);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the heap under the engine', () => {
  it.each(SEEDS)(
    'does what the model does (seed %i)',
    (seed) => {
      const { status, signal, stdout, stderr } = run(String(seed));
      expect(stderr).toBe('');
      expect(stdout.trimEnd().split('\n')).toEqual(PROPERTIES.map((property) => `PASS: ${property}`));
      expect({ status, signal }).toEqual({ status: 0, signal: null });
    },
    RUN_LIMIT_MS + 5_000,
  );
});
