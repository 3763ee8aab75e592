/** Instructions by the machine's own assembler, for tests of what reads them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LIMIT_MS = 60_000;

/**
 * @param lines an instruction each, Intel syntax; `;` parts what belongs to one
 * @returns their bytes
 */
export function assemble(lines: readonly string[], bits: 16 | 32 | 64): Uint8Array[] {
  const folder = mkdtempSync(join(tmpdir(), 'assemble '));
  try {
    const path = (name: string): string => join(folder, name);
    const each = (line: string): string => `1: ${line}\n2: .pushsection .lengths\n.byte 2b - 1b\n.popsection`;
    writeFileSync(path('all.s'), `.intel_syntax noprefix\n.code${bits}\n.section .lengths\n.text\n${lines.map(each).join('\n')}\n`);
    const run = (program: string, ...words: string[]): void =>
      void execFileSync(program, words, { timeout: LIMIT_MS, encoding: 'utf8', stdio: 'pipe' });
    run('as', '--64', path('all.s'), '-o', path('all.o'));
    const section = (name: string): Buffer => {
      run('objcopy', '-O', 'binary', '-j', name, '--set-section-flags', `${name}=alloc`, path('all.o'), path('section'));
      return readFileSync(path('section'));
    };
    const text = section('.text');
    let at = 0;
    return [...section('.lengths')].map((length) => Uint8Array.from(text.subarray(at, (at += length))));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
