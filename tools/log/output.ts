import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { CannotRunError } from '../errors.ts';

/** Pieces are gathered to about so many characters for each write. */
const AT_ONCE = 1 << 20;

/** @throws CannotRunError with the reason where the file can not be written */
export function writeOutput(file: string, content: string): void {
  writePieces(file, [content]);
}

/** For what may be longer than a string can be. @throws CannotRunError with the reason where the file can not be written */
export function writePieces(file: string, pieces: Iterable<string>): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    const descriptor = openSync(file, 'w');
    try {
      for (const piece of gathered(pieces)) writeSync(descriptor, piece);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new CannotRunError(`${file} can't be written: ${(error as Error).message}`);
  }
}

/** The same text in fewer and larger pieces. */
export function* gathered(pieces: Iterable<string>): Generator<string> {
  let text = '';
  for (const piece of pieces) {
    text += piece;
    if (text.length < AT_ONCE) continue;
    yield text;
    text = '';
  }
  yield text;
}
