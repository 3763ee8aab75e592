import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { UsageError } from '../errors.ts';

/** Pieces are gathered to about so many characters for each write. */
const AT_ONCE = 1 << 20;

/**
 * @param option that named the file
 * @throws UsageError with the reason where the file can not be written
 */
export function writeOutput(option: string, file: string, content: string): void {
  writePieces(option, file, [content]);
}

/** The same for what may be longer than a string can be. */
export function writePieces(option: string, file: string, pieces: Iterable<string>): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    const descriptor = openSync(file, 'w');
    try {
      for (const piece of gathered(pieces)) writeSync(descriptor, piece);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    // What is wrong with the pieces is not about the file.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new UsageError(`${option} ${file}: ${(error as Error).message}`);
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
