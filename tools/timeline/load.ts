/** The records of a stored log, for timelines and exports. */
import { readLog, readingRemarks, requireLog } from '../log/read.ts';
import { CannotRunError, UsageError } from '../errors.ts';
import type { LoggedRecord } from './model.ts';

export interface LoadedLog {
  readonly logged: readonly LoggedRecord[];
  /** What a reader of the result has to know, a sentence each. */
  readonly remarks: readonly string[];
}

/**
 * @param boot which start of the kernel, counted from 1, where a capture has several; by default the last one, as their stamps begin anew
 * @throws CannotRunError where the file can not be read, or has no record
 */
export async function loadRecords(file: string, boot?: number): Promise<LoadedLog> {
  let logged: LoggedRecord[] = [];
  let kept = boot === undefined ? 0 : boot - 1;
  const counts = await readLog(file, (line) => {
    if (line.parsed.kind !== 'record') return;
    if (boot === undefined && line.boot !== kept) {
      kept = line.boot;
      logged = [];
    }
    if (line.boot === kept) logged.push({ record: line.parsed.record, line: line.number, text: line.text });
  });
  requireLog(file, counts);
  if (boot !== undefined && boot > counts.boots) throw new UsageError(`${file}: there is no boot ${boot}; the log has ${counts.boots}`);
  if (logged.length === 0) throw new CannotRunError(`${file}: there is no record to show`);
  const several = counts.boots > 1 ? [`the log has ${counts.boots} boots; this is number ${kept + 1} (--boot)`] : [];
  return { logged, remarks: [...readingRemarks(counts), ...several] };
}
