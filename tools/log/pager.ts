/** Where a long answer goes: through a pager if somebody looks at it, else to standard output, no faster than it is taken. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';

export interface Output {
  write(line: string): void;
  /** Resolves when what was written has been taken; aborts when nobody reads any more. */
  drained(): Promise<void>;
  readonly isClosed: boolean;
  end(): Promise<void>;
}

/** Lines are put together to writes of so many characters. */
const BATCH = 1 << 16;

function outputTo(stream: Writable, close: () => Promise<void>): Output {
  let batch = '';
  let isClosed = false;
  stream.on('close', () => (isClosed = true));
  function flush(): boolean {
    if (batch === '' || isClosed) return true;
    const isTaken = stream.write(batch);
    batch = '';
    return isTaken;
  }
  async function drained(): Promise<void> {
    if (flush() || isClosed) return;
    await Promise.race([once(stream, 'drain'), once(stream, 'close')]).catch(() => undefined);
  }
  return {
    write: (line) => {
      batch += `${line}\n`;
      if (batch.length >= BATCH) flush();
    },
    drained,
    get isClosed() {
      return isClosed;
    },
    end: async () => {
      await drained();
      await close();
    },
  };
}

export const standardOutput = (): Output => outputTo(process.stdout, () => Promise.resolve());

/** `PAGER`, or less, which ends by itself if the answer fits the screen. Without either, standard output. */
export async function pagedOutput(): Promise<Output> {
  const command = process.env['PAGER'] ?? 'less';
  // F: ends if all fits, R: shows colours, X: leaves the text on the screen.
  const child = spawn(command, { shell: true, stdio: ['pipe', 'inherit', 'inherit'], env: { LESS: 'FRX', ...process.env } });
  // It may end before it has read everything.
  child.stdin.on('error', () => undefined);
  const ended = once(child, 'close');
  const started = await once(child, 'spawn').then(
    () => true,
    () => false,
  );
  if (!started) return standardOutput();
  return outputTo(child.stdin, async () => {
    child.stdin.end();
    const [status] = (await ended) as [number | null];
    const NOT_FOUND = 127;
    if (status === NOT_FOUND) process.stderr.write(`the pager ${command} is not there; --no-pager does without\n`);
  });
}
