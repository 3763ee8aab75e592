/** For tests: the program as a person starts it, build/tools/chronovisor.mjs in a process of its own. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { buildFolder } from '../paths.ts';

export const PROGRAM = join(buildFolder(), 'tools', 'chronovisor.mjs');
const RUN_LIMIT_MS = 20_000;

export interface ProgramOptions {
  readonly cwd: string;
  /** Beside PATH, HOME and TMPDIR. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Called with all of standard output so far. */
  readonly onOutput?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
  readonly input?: string | Uint8Array;
}

export interface ProgramResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

export function runProgram(words: readonly string[], { cwd, environment = {}, onOutput, input }: ProgramOptions): Promise<ProgramResult> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [PROGRAM, ...words], {
      cwd,
      env: { PATH: process.env['PATH'] ?? '', HOME: cwd, TMPDIR: cwd, ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: RUN_LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    const result: ProgramResult = { status: null, stdout: '', stderr: '' };
    child.stdin.on('error', () => undefined).end(input);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      result.stdout += text;
      onOutput?.(result.stdout, (signal) => child.kill(signal));
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (result.stderr += text));
    child.on('error', fail);
    child.on('close', (status) => done({ ...result, status }));
  });
}
