import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CannotRunError } from '../errors.ts';
import { findQemu } from './find.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'find test '));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

function script(text: string, name = 'fake-qemu'): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

const fakeQemu = (version: string, accelerators: string): string =>
  script(`case "$1" in
    --version) echo '${version}' ;;
    -accel) printf 'Accelerators supported in QEMU binary:\\n${accelerators}\\n' ;;
    *) exit 1 ;;
  esac`);

const DEBIAN_12 = 'QEMU emulator version 7.2.17 (Debian 1:7.2+dfsg-7+deb12u14)';

function problemOf(program: string | undefined, limitMs?: number): string {
  try {
    findQemu(program, limitMs);
  } catch (error) {
    expect(error).toBeInstanceOf(CannotRunError);
    return (error as Error).message;
  }
  throw new Error(`${program} was taken for a QEMU`);
}

describe('a usable QEMU', () => {
  it.each([DEBIAN_12, 'QEMU emulator version 7.0.0', 'QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)'])('is %s', (version) => {
    const program = fakeQemu(version, 'kvm\\ntcg');
    expect(findQemu(program)).toBe(program);
  });

  it('may have TCG first, last or alone', () => {
    for (const accelerators of ['tcg', 'tcg\\nkvm', 'xen\\nkvm\\ntcg'])
      expect(() => findQemu(fakeQemu(DEBIAN_12, accelerators))).not.toThrow();
  });

  it('is the one that $QEMU names, unless another is asked for', () => {
    const named = fakeQemu(DEBIAN_12, 'tcg');
    vi.stubEnv('QEMU', named);
    expect(findQemu()).toBe(named);
    expect(problemOf(join(folder, 'other'))).toContain('other was not found');
  });

  it('is looked for in PATH by its usual name, also when $QEMU is empty', () => {
    script(`case "$1" in --version) echo '${DEBIAN_12}' ;; *) echo tcg ;; esac`, 'qemu-system-x86_64');
    vi.stubEnv('QEMU', '');
    vi.stubEnv('PATH', folder);
    expect(findQemu()).toBe('qemu-system-x86_64');
  });
});

describe('what is no usable QEMU is named, with the next step:', () => {
  it('a missing program', () => {
    const path = join(folder, 'none');
    expect(problemOf(path)).toBe(`${path} was not found: run "make setup", or set QEMU to the path of a qemu-system-x86_64`);
  });

  it('a missing program that $QEMU names', () => {
    vi.stubEnv('QEMU', join(folder, 'from-environment'));
    expect(problemOf(undefined)).toContain('from-environment was not found');
  });

  it.each(['5.2.0', '6.2.0'])('a QEMU that is too old (%s)', (version) => {
    const message = problemOf(fakeQemu(`QEMU emulator version ${version}`, 'tcg'));
    expect(message).toContain(`is QEMU ${version.slice(0, 3)}; 7.0 or newer is needed`);
  });

  it('a program that is not QEMU', () => {
    const message = problemOf(script('echo hello'));
    expect(message).toContain('fake-qemu --version does not tell a version: is it QEMU?');
    expect(message).toContain('Set QEMU');
  });

  it('a program that fails', () => {
    expect(problemOf(script('echo "cannot load libfoo.so" >&2; exit 127'))).toMatch(
      /fake-qemu --version failed: .*cannot load libfoo\.so/s,
    );
  });

  it('a file that can not be executed', () => {
    const path = script('echo');
    chmodSync(path, 0o644);
    expect(problemOf(path)).toMatch(/fake-qemu --version failed: .*EACCES/);
  });

  it.each(['kvm', 'kvm\\nnot-tcg', 'tcgx'])('a QEMU without TCG (%s)', (accelerators) => {
    expect(problemOf(fakeQemu(DEBIAN_12, accelerators))).toContain('fake-qemu was built without TCG');
  });

  it.each([
    ['a program that hangs', ':'],
    ['a program that hangs and ignores SIGTERM', "trap '' TERM"],
  ])('%s', (_, prepare) => {
    const started = Date.now();
    expect(problemOf(script(`${prepare}\nexec sleep 20`), 200)).toMatch(/fake-qemu --version failed: .*ETIMEDOUT/);
    expect(Date.now() - started).toBeLessThan(10_000);
  });
});
