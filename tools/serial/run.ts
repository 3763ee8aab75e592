/** One run on a machine of its own: its trace comes over a serial line, as text (kernel/trace/GRAMMAR.md). It ends when the kernel says so. */
import { accessSync, constants, statSync } from 'node:fs';
import { EXIT, type ExitName } from '../../kernel/hw/exit.ts';
import { parseLine } from '../../kernel/trace/text.ts';
import { CannotRunError, UsageError } from '../errors.ts';
import type { Outcome } from '../qemu/outcome.ts';
import type { Run, RunResult } from '../qemu/run.ts';
import { createLineSplitter } from '../trace/lines.ts';

/** What the kernel programs COM1 to (kernel/drivers/uart-16550.ts): 8 data bits, no parity, 1 stop bit. */
export const DEFAULT_BAUD = 115_200;

export interface SerialRequest {
  readonly device: string;
  readonly baud: number;
  /** Wall-clock limit. */
  readonly seconds: number;
  /** Each line of the log as it is complete. */
  onLine?(line: string): void;
  readonly signal?: AbortSignal;
}

/** @throws UsageError if `text` is not `serial:DEVICE` or `serial:DEVICE,BAUD` */
export function parseTarget(text: string): { device: string; baud: number } {
  const match = /^serial:(.+?)(?:,(\d+))?$/.exec(text);
  if (!match) throw new UsageError(`TARGET=${text}: expected serial:DEVICE or serial:DEVICE,BAUD`);
  return { device: match[1]!, baud: match[2] === undefined ? DEFAULT_BAUD : Number(match[2]) };
}

/** What to do about a line that can't be opened. @param message the system's */
export function openProblem(device: string, message: string): CannotRunError {
  const [, why] = [
    [/no such file/i, 'there is no such device: is the adapter plugged in? (ls /dev/serial/by-id)'],
    [/permission denied/i, 'no permission: add yourself to the group that may use it (Debian: usermod -aG dialout USER), and log in again'],
    [/lock|resource temporarily unavailable|busy/i, 'another program uses it'],
    [/inappropriate ioctl|not a tty|unknown error code 25/i, 'this is no serial line'],
  ].find(([pattern]) => (pattern as RegExp).test(message)) ?? [undefined, message];
  return new CannotRunError(`${device}: ${why as string}`);
}

/** @throws CannotRunError if there is nothing to open: told before the log of an earlier run is overwritten */
export function requireDevice(device: string): void {
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw openProblem(device, (error as Error).message);
  }
  if (!statSync(device).isCharacterDevice()) throw openProblem(device, 'not a tty');
}

/** @throws CannotRunError if the line can't be opened */
export async function startSerialRun(request: SerialRequest): Promise<Run> {
  const { device, baud, seconds } = request;
  // Its native part is loaded only where it is used.
  const { SerialPort } = await import('serialport');
  const port = new SerialPort({ path: device, baudRate: baud, autoOpen: false });
  await new Promise<void>((done, fail) =>
    port.open((error) => {
      if (error) fail(openProblem(device, error.message));
      else done();
    }),
  );

  const started = Date.now();
  const lines: string[] = [];
  const received: Buffer[] = [];
  const result = new Promise<RunResult>((done, fail) => {
    let isOver = false;
    const splitter = createLineSplitter((line) => {
      if (isOver) return;
      lines.push(line);
      request.onLine?.(line);
      const outcome = outcomeIn(line);
      if (outcome) end(outcome);
    });

    /** The line is closed whatever comes; who waits for its end is told what came first. */
    function close(tell: () => void): void {
      if (isOver) return;
      isOver = true;
      clearTimeout(limit);
      request.signal?.removeEventListener('abort', onAbort);
      if (port.isOpen) port.close(tell);
      else tell();
    }
    function end(outcome: Outcome): void {
      close(() => {
        const serial = Buffer.concat(received).toString('utf8').replaceAll(/\r+\n/g, '\n');
        done({ outcome, lines, serial, command: ['chronovisor', 'run', '--serial', device], wallMs: Date.now() - started });
      });
    }
    const refuse = (message: string): void => close(() => fail(new CannotRunError(`${device}: ${message}`)));
    const onAbort = (): void => end({ kind: 'interrupted' });
    const limit = setTimeout(() => {
      splitter.end();
      if (received.length > 0) end({ kind: 'time-limit', seconds });
      else refuse(`nothing was heard within ${seconds} s: is the machine on, and is its line at ${baud} baud?`);
    }, seconds * 1000);

    port.on('data', (bytes: Buffer) => {
      received.push(bytes);
      splitter.push(bytes);
    });
    const lost = (): void => {
      splitter.end();
      refuse(`the line was lost after ${lines.length} lines`);
    };
    port.on('error', lost);
    port.on('close', lost);
    if (request.signal?.aborted) onAbort();
    request.signal?.addEventListener('abort', onAbort);
  });
  // Whoever asks is told; until then it is nobody's.
  result.catch(() => undefined);
  return {
    command: ['chronovisor', 'run', '--serial', device],
    write: (bytes) => void port.write(bytes),
    result,
  };
}

/** How the kernel says that it has ended, if that is what a line says. */
function outcomeIn(line: string): Outcome | undefined {
  if (!line.includes(' kernel.exit ')) return undefined;
  const parsed = parseLine(line);
  if (parsed.kind !== 'record' || parsed.record.event !== 'kernel.exit') return undefined;
  const { code } = parsed.record.fields;
  const name = (Object.keys(EXIT) as ExitName[]).find((key) => EXIT[key] === code);
  return { kind: 'exit', name: name ?? 'FAILED', code };
}
