import { execFileSync } from 'node:child_process';
import { CannotRunError } from '../errors.ts';

const OLDEST = 7;
const LIMIT_MS = 20_000;

/**
 * Checks that a QEMU is there and can do what is needed.
 * @param program name or path; by default $QEMU, else qemu-system-x86_64
 * @param limitMs for each question that it is asked
 * @throws CannotRunError that says what is missing and what to do
 */
export function findQemu(program = process.env['QEMU'] || 'qemu-system-x86_64', limitMs = LIMIT_MS): string {
  const ask = (...words: string[]): string => {
    try {
      return execFileSync(program, words, { encoding: 'utf8', timeout: limitMs, killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'pipe'] });
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      throw new CannotRunError(
        missing
          ? `${program} was not found: run "make setup", or set QEMU to the path of a qemu-system-x86_64`
          : `${program} ${words.join(' ')} failed: ${(error as Error).message}`,
      );
    }
  };
  const version = /version (\d+)\.(\d+)/.exec(ask('--version'));
  if (!version)
    throw new CannotRunError(`${program} --version does not tell a version: is it QEMU? Set QEMU to the path of a qemu-system-x86_64`);
  if (Number(version[1]) < OLDEST) {
    throw new CannotRunError(`${program} is QEMU ${version[1]}.${version[2]}; ${OLDEST}.0 or newer is needed (Debian 12 has 7.2)`);
  }
  if (!/^tcg$/m.test(ask('-accel', 'help'))) {
    throw new CannotRunError(`${program} was built without TCG (-accel help does not list it); Debian's qemu-system-x86 has it`);
  }
  return program;
}
