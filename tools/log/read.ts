/**
 * Logs as they were stored: written by these tools, or captured from a serial line by any program, with what the firmware said before,
 * with stamps that the capturing program put before each line, with characters and line ends lost. Reading never fails for what is in a
 * line; every line is delivered, as a record where there is one in it.
 */
import { createReadStream } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { GRAMMAR_VERSION, parseLine, type LogLine } from '../../kernel/trace/text.ts';
import { CannotRunError } from '../errors.ts';
import { createLineSplitter } from '../trace/lines.ts';
import { recordsWithin, type Piece } from './salvage.ts';

/** A line of a log, or a part of one where a lost line end put several records into one. */
export interface ReadLine {
  /** Counted from 1. */
  readonly number: number;
  /** Of the line's first byte in the file. */
  readonly offset: number;
  /** Which start of the kernel it belongs to, counted from 0: a capture may have several. Stamps begin anew with each. */
  readonly boot: number;
  /** What another program put before it, or what was left of another line; mostly empty. */
  readonly before: string;
  /** The line without `before`, without its end. */
  readonly text: string;
  readonly parsed: LogLine;
}

/** What was read so far. */
export interface ReadingCounts {
  readonly bytes: number;
  readonly lines: number;
  readonly records: number;
  /** Well-formed records of events or with fields that this program does not know. */
  readonly unknown: number;
  /** Lines that are neither empty nor anything of the grammar. */
  readonly other: number;
  /** Records that were found behind something else in their line. */
  readonly salvaged: number;
  /** Records that are earlier than the one before, of the same CPU and the same boot, by more than a slot's record may be. */
  readonly backward: number;
  readonly boots: number;
  readonly hasHeader: boolean;
  /** The header's, where it is not this program's. */
  readonly version: number | undefined;
  /** The first line that is neither empty nor of the grammar, shortened. */
  readonly firstOther: string | undefined;
}

export interface LogReader {
  push(bytes: Uint8Array): void;
  /** Delivers the last line if it has no end. */
  end(): void;
  readonly counts: ReadingCounts;
}

/** More of a line is not kept: the longest record there is has some 150 KB (six texts, TEXT_LIMIT, all of it escaped). */
const LINE_BYTES = 1 << 20;
/** A line that has not ended after so much is no line of a log, or of a disk that is full of nothing. */
const LINE_BYTES_REFUSED = 64 << 20;
const SHOWN = 60;
/** A slot's record is dated by the slot's end, and written when the kernel comes to it: others may stand before it. Nanoseconds. */
const BACKWARD_ALLOWED = 100_000_000n;

/** @throws CannotRunError from `push` where the bytes have no lines */
export function createLogReader(onLine: (line: ReadLine) => void): LogReader {
  const counts = {
    bytes: 0,
    lines: 0,
    records: 0,
    unknown: 0,
    other: 0,
    salvaged: 0,
    backward: 0,
    boots: 0,
    hasHeader: false,
    version: undefined as number | undefined,
    firstOther: undefined as string | undefined,
  };
  let boot = 0;
  /** Whether it has said anything yet. */
  let isBegun = false;
  let hasStart = false;
  const latest = new Map<number, bigint>();

  function beginBoot(): void {
    if (isBegun) boot++;
    isBegun = false;
    hasStart = false;
    latest.clear();
  }

  function takeRecord(at: bigint, cpu: number): void {
    if (at + BACKWARD_ALLOWED < (latest.get(cpu) ?? 0n)) counts.backward++;
    latest.set(cpu, at);
    takeContent();
  }

  function takeContent(): void {
    isBegun = true;
    counts.boots = boot + 1;
  }

  function deliver({ before, isStamped, text, parsed }: Piece, number: number, offset: number): void {
    switch (parsed.kind) {
      case 'record':
        if (parsed.record.event === 'kernel.start') {
          // Where the header was lost.
          if (hasStart) beginBoot();
          hasStart = true;
        }
        takeRecord(parsed.record.at, parsed.record.cpu);
        counts.records++;
        if (before !== '' && !isStamped) counts.salvaged++;
        break;
      case 'unknown-record':
        takeRecord(parsed.at, parsed.cpu);
        counts.unknown++;
        break;
      case 'comment':
        if (parsed.version === undefined) break;
        counts.hasHeader = true;
        if (parsed.version !== GRAMMAR_VERSION) counts.version = parsed.version;
        beginBoot();
        break;
      case 'other':
        if (text === '') break;
        counts.other++;
        counts.firstOther ??= text.slice(0, SHOWN);
        break;
      case 'diagnostic':
        takeContent();
    }
    onLine({ number, offset, boot, before, text, parsed });
  }

  const splitter = createLineSplitter((text, { offset, length }) => {
    counts.lines++;
    counts.bytes = offset + length;
    const parsed = parseLine(text);
    if (parsed.kind !== 'other' || text === '') deliver({ before: '', isStamped: false, text, parsed }, counts.lines, offset);
    else for (const piece of recordsWithin(text)) deliver(piece, counts.lines, offset);
  }, LINE_BYTES);

  return {
    push: (bytes) => {
      splitter.push(bytes);
      if (splitter.pending > LINE_BYTES_REFUSED)
        throw new CannotRunError(
          `line ${counts.lines + 1}, from byte ${counts.bytes + (counts.lines > 0 ? 1 : 0)} on, has no end within ${LINE_BYTES_REFUSED >> 20} MiB: this is no log`,
        );
    },
    end: () => splitter.end(),
    counts,
  };
}

/** A line of a run that is going on: it has no place in a file yet. */
export const liveLine = (text: string, number: number): ReadLine => ({
  ...{ number, offset: 0, boot: 0, before: '', text },
  parsed: parseLine(text),
});

/** Bytes that are read at once: fewer calls than with Node's 64 KiB, and still nothing beside what the lines take. */
const CHUNK_BYTES = 1 << 20;

export interface ReadOptions {
  readonly signal?: AbortSignal;
  /** Awaited after each chunk: where lines go to may be slower than where they come from. */
  readonly pause?: () => Promise<void>;
}

/**
 * Reads a log line by line, in memory that does not grow with it.
 * @param file a path, or `-` for standard input
 * @throws CannotRunError where it can not be read, or has no lines
 */
export async function readLog(file: string, onLine: (line: ReadLine) => void, { signal, pause }: ReadOptions = {}): Promise<ReadingCounts> {
  const reader = createLogReader(onLine);
  try {
    const stream = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: CHUNK_BYTES });
    for await (const chunk of stream) {
      reader.push(chunk as Buffer);
      await pause?.();
      if (signal?.aborted) break;
    }
  } catch (error) {
    throw notReadable(file, error);
  }
  reader.end();
  return reader.counts;
}

/** As readLog, for who has to read several logs in step. */
export async function* readBatches(file: string): AsyncGenerator<readonly ReadLine[], ReadingCounts> {
  let batch: ReadLine[] = [];
  const reader = createLogReader((line) => batch.push(line));
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES })) {
      reader.push(chunk as Buffer);
      yield batch;
      batch = [];
    }
  } catch (error) {
    throw notReadable(file, error);
  }
  reader.end();
  yield batch;
  return reader.counts;
}

/** How long a line may be there before it is seen. */
const POLL_MS = 100;

/**
 * Reads a log and what is written to it afterwards, until told to stop. A file that is cut or replaced is read again from its beginning, as a
 * log of its own.
 * @throws CannotRunError as readLog
 */
export async function followLog(
  file: string,
  onLine: (line: ReadLine) => void,
  { signal, pause }: ReadOptions = {},
): Promise<ReadingCounts> {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let handle: FileHandle | undefined;
  try {
    for (;;) {
      handle = await open(file);
      const { ino } = await handle.stat();
      const reader = createLogReader(onLine);
      let position = 0;
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, position);
        position += bytesRead;
        reader.push(buffer.subarray(0, bytesRead));
        await pause?.();
        if (signal?.aborted) {
          reader.end();
          return reader.counts;
        }
        if (bytesRead > 0) continue;
        await wait(POLL_MS, undefined, signal ? { signal } : {}).catch(() => undefined);
        // Gone for a moment where another one is about to take its place.
        const now = await stat(file).catch(() => undefined);
        if (now && (now.ino !== ino || now.size < position)) break;
      }
      reader.end();
      await handle.close();
    }
  } catch (error) {
    throw notReadable(file, error);
  } finally {
    await handle?.close().catch(() => undefined);
  }
}

/** When the first slot of the log's first system was to begin, nanoseconds since boot: undefined without a system. Reads up to there. */
export async function firstEpoch(file: string): Promise<bigint | undefined> {
  const found = new AbortController();
  let epoch: bigint | undefined;
  await readLog(
    file,
    ({ parsed }) => {
      if (parsed.kind !== 'record' || parsed.record.event !== 'system.started') return;
      epoch ??= parsed.record.fields.epoch;
      found.abort();
    },
    { signal: found.signal },
  );
  return epoch;
}

/** The stamp of the last record, from the file's end: undefined if there is none in the last MiB. */
export async function lastStamp(file: string): Promise<bigint | undefined> {
  let last: bigint | undefined;
  const reader = createLogReader(({ parsed }) => {
    if (parsed.kind === 'record') last = parsed.record.at;
  });
  try {
    const { size } = await stat(file);
    for await (const chunk of createReadStream(file, { start: Math.max(0, size - CHUNK_BYTES) })) reader.push(chunk as Buffer);
  } catch (error) {
    throw notReadable(file, error);
  }
  reader.end();
  return last;
}

/** The same error for whatever prevents reading: it names the file. */
export function notReadable(file: string, error: unknown): unknown {
  if (error instanceof CannotRunError) return new CannotRunError(`${file}: ${error.message}`);
  const { code, message } = error as NodeJS.ErrnoException;
  // What the receiver of the lines throws is not about the file.
  if (code === undefined) return error;
  return new CannotRunError(code === 'ENOENT' ? `${file}: there is no such file` : `${file}: ${message}`);
}

/**
 * For what has to be a log: one that has no record is told from one of another program. The log of a kernel that did not come to its first
 * record has the header, and what the runtime said.
 * @throws CannotRunError if it is none
 */
export function requireLog(file: string, counts: ReadingCounts): void {
  const { bytes, lines, records, unknown, hasHeader, version, firstOther } = counts;
  if (bytes === 0) throw new CannotRunError(`${file}: the file is empty`);
  if (records > 0 || (hasHeader && unknown === 0 && version === undefined)) return;
  const all = lines === 1 ? 'its one line' : `its ${lines} lines`;
  if (unknown > 0 || hasHeader) throw new CannotRunError(`${file}: none of ${all} is a record that this program knows${ofVersion(counts)}`);
  const seen = firstOther === undefined ? '' : `; the first is ${JSON.stringify(firstOther)}`;
  throw new CannotRunError(`${file}: this is no log of Chronovisor: none of ${all} is a record${seen}`);
}

const ofVersion = ({ version }: ReadingCounts): string =>
  version === undefined ? '' : `; its grammar has version ${version}, this program knows ${GRAMMAR_VERSION}`;

/** What a reader of a report has to know of the log: a sentence for each thing that is not as it should be. */
export function readingRemarks(counts: ReadingCounts): string[] {
  const { lines, unknown, other, salvaged, backward, version } = counts;
  const damaged = unknown + other;
  return [
    ...(version === undefined
      ? []
      : [`the log has grammar version ${version}; this program knows ${GRAMMAR_VERSION} and reads as far as that goes`]),
    ...(damaged === 0 ? [] : [`${damaged} of ${lines} lines are not records of this grammar; they are kept as they are`]),
    ...(salvaged === 0 ? [] : [`${salvaged} records stand behind something else in their line`]),
    ...(backward === 0 ? [] : [`${backward} records are earlier than the one before`]),
  ];
}
