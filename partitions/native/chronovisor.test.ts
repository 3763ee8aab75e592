/** The header of native programs against the interface it follows, and what is made of it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import * as abi from '../../kernel/partition/abi.ts';

const project = fileURLToPath(new URL('../../', import.meta.url));
const header = readFileSync(join(project, 'partitions/native/chronovisor.h'), 'utf8');
const COMPILE_LIMIT_MS = 30_000;
// No SSE, because nobody switches it on; no red zone, because virtual interrupts push onto the running stack.
const FLAGS = ['-Os', '-ffreestanding', '-fno-pic', '-mno-red-zone', '-mgeneral-regs-only', '-fno-stack-protector', '-fcf-protection=none'];

const folder = mkdtempSync(join(tmpdir(), 'native '));
afterAll(() => rmSync(folder, { recursive: true }));

function gcc(...words: string[]): void {
  execFileSync('gcc', [...FLAGS, '-I', join(project, 'partitions/native'), ...words], { timeout: COMPILE_LIMIT_MS, stdio: 'pipe' });
}

/** NAME -> value of every #define CV_NAME that has one. */
function defined(): Map<string, string> {
  return new Map([...header.matchAll(/^#define CV_(\w+) (\S.*)$/gm)].map((match) => [match[1]!, match[2]!]));
}

/** The same of abi.ts: entries of an object carry its name. */
function expected(): Map<string, number | string> {
  const all = new Map<string, number | string>();
  for (const [name, value] of Object.entries(abi)) {
    if (typeof value === 'object') for (const [key, entry] of Object.entries(value)) all.set(`${name}_${key}`, entry);
    else all.set(name, value);
  }
  return all;
}

describe('chronovisor.h', () => {
  it('has every constant of abi.ts, and no other', () => {
    expect(expected().size).toBeGreaterThan(90);
    expect([...defined().keys()].sort()).toEqual([...expected().keys()].sort());
  });

  it('gives each the same value', () => {
    const values = [...defined()].map(([name, text]) => [name, text.startsWith('"') ? text : Number(text)]);
    const wanted = [...expected()].map(([name, value]) => [
      name,
      typeof value === 'string' ? JSON.stringify(value).replaceAll('\\u0000', '\\0') : value,
    ]);
    expect(Object.fromEntries(values)).toEqual(Object.fromEntries(wanted));
  });

  it('reads a clock in at most 100 instructions, without a call and without leaving the partition', () => {
    const source = join(folder, 'read.c');
    const object = join(folder, 'read.o');
    writeFileSync(source, '#include "chronovisor.h"\nuint64_t read(const void *page) { return cv_now(page); }\n');
    gcc('-O2', '-Wall', '-Wextra', '-Werror', '-c', source, '-o', object);
    const listing = execFileSync('objdump', ['-d', '--no-show-raw-insn', object], { encoding: 'utf8', timeout: COMPILE_LIMIT_MS });
    const instructions = [...listing.matchAll(/^\s+[0-9a-f]+:\t(\S+)/gm)].map((match) => match[1]!);
    const body = instructions.slice(0, instructions.indexOf('ret') + 1);
    expect(body).toContain('rdtsc');
    expect(body).not.toContain('vmmcall');
    expect(body).not.toContain('call');
    expect(body.length).toBeLessThan(100);
  });
});

describe('native programs', () => {
  const folders = ['partitions', 'test/guests'];
  const sources = folders.flatMap((top) =>
    readdirSync(join(project, top), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.(?:c|S)$/.test(path) && statSync(join(project, top, path)).isFile())
      .map((path) => join(top, path)),
  );

  it('are there', () => expect(sources.length).toBeGreaterThan(15));

  it.each(sources)('%s compiles without a warning', (path) => {
    gcc('-Wall', '-Wextra', '-Wno-main', '-Werror', '-c', join(project, path), '-o', join(folder, 'program.o'));
  });
});
