/** Chromium, for what only a browser makes: PNG of a picture, and tests of the page. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { CannotRunError } from '../errors.ts';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];
/** Chromium's sandbox refuses root, as whom CI and containers run; what is shown is a file of ours without network. */
export const CHROMIUM_OPTIONS = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
const LIMIT_MS = 60_000;

/** @throws CannotRunError if there is none */
export function findChromium(): string {
  const given = process.env['CHROMIUM'];
  for (const program of given === undefined ? PROGRAMS : [given]) {
    try {
      execFileSync(program, ['--version'], { stdio: 'ignore', timeout: LIMIT_MS });
      return program;
    } catch {
      // The next one.
    }
  }
  throw new CannotRunError(
    given === undefined
      ? 'chromium is missing, which makes PNG: install the Debian package chromium, set CHROMIUM to such a program, or make .svg'
      : `CHROMIUM=${given} does not run`,
  );
}

/** A file of SVG as one of PNG, in the size that the SVG says. */
export async function toPng(svg: string, png: string, width: number, height: number): Promise<void> {
  const program = findChromium();
  const profile = mkdtempSync(join(tmpdir(), 'chronovisor-chromium-'));
  try {
    await promisify(execFile)(
      program,
      [
        '--headless',
        ...CHROMIUM_OPTIONS,
        '--disable-gpu',
        '--hide-scrollbars',
        `--user-data-dir=${profile}`,
        `--window-size=${width},${height}`,
        `--screenshot=${png}`,
        pathToFileURL(svg).href,
      ],
      { timeout: LIMIT_MS },
    );
  } catch (error) {
    throw new CannotRunError(`${program} made no picture: ${(error as Error).message}`);
  } finally {
    rmSync(profile, { recursive: true, force: true });
  }
}
