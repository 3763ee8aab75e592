import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CannotRunError } from '../errors.ts';

/** @throws CannotRunError with the reason where the file can not be written */
export function writeOutput(file: string, content: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  } catch (error) {
    throw new CannotRunError(`${file} can't be written: ${(error as Error).message}`);
  }
}
