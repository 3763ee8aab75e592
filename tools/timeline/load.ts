/** The records of a stored log, for timelines and exports. */
import { createReadStream } from 'node:fs';
import { parseLine } from '../../kernel/trace/text.ts';
import { CannotRunError } from '../errors.ts';
import { createLineSplitter } from '../trace/lines.ts';
import type { LoggedRecord } from './model.ts';

/** @throws CannotRunError where the file can not be read, or has no record */
export async function loadRecords(file: string): Promise<LoggedRecord[]> {
  const logged: LoggedRecord[] = [];
  let line = 0;
  const splitter = createLineSplitter((text) => {
    line++;
    const parsed = parseLine(text);
    if (parsed.kind === 'record') logged.push({ record: parsed.record, line, text });
  });
  try {
    for await (const chunk of createReadStream(file)) splitter.push(chunk as Buffer);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new CannotRunError(missing ? `${file}: there is no such file` : `${file}: ${(error as Error).message}`);
  }
  splitter.end();
  if (logged.length === 0) throw new CannotRunError(`${file}: ${line === 0 ? 'the file is empty' : 'no line is a record'}`);
  return logged;
}
