/**
 * One run: QEMU on a pty (node-pty), its trace channel and its monitor on sockets of ours. Whatever happens, QEMU
 * is gone and the log is complete when the promise settles.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn as spawnPty, type IPty } from 'node-pty';
import { createFrameDecoder } from '../trace/frames.ts';
import { createLineSplitter } from '../trace/lines.ts';
import { findQemu } from './find.ts';
import { outcomeOf, type Outcome } from './outcome.ts';
import { qemuArguments, type MachineOptions } from './options.ts';

export interface RunRequest {
  readonly runtime: string;
  readonly archive: string;
  readonly commandLine: string;
  readonly machine: MachineOptions;
  readonly seconds: number;
  readonly qemu?: string;
  /** Each line of the log as it is complete. */
  onLine?(line: string): void;
  /** What the machine writes to COM1, as it comes. */
  onSerial?(bytes: Buffer): void;
  readonly signal?: AbortSignal;
}

export interface RunResult {
  readonly outcome: Outcome;
  /** The log: the trace channel as text, or COM1 where there is none. */
  readonly lines: readonly string[];
  /** All of COM1. */
  readonly serial: string;
  /** What was run. */
  readonly command: readonly string[];
  readonly wallMs: number;
}

export interface Run {
  readonly command: readonly string[];
  /** Types into COM1. */
  write(bytes: string | Buffer): void;
  readonly result: Promise<RunResult>;
}

/** After the time limit, the kernel gets an NMI and this long to say where it is. */
const DUMP_MS = 3_000;
/** For the last bytes of pty and socket after QEMU's end. */
const DRAIN_MS = 2_000;

/** QEMUs that run now and the folders of their sockets: what has to go with us, also on paths that settle nothing. */
const running = new Set<IPty>();
const folders = new Set<string>();
process.on('exit', () => {
  for (const child of running) kill(child);
  for (const folder of folders) remove(folder);
});

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

function kill(child: IPty): void {
  try {
    process.kill(child.pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

function listen(path: string, onSocket: (socket: Socket) => void): Promise<Server> {
  return new Promise((done, fail) => {
    const server = createServer(onSocket);
    server.on('error', fail);
    server.listen(path, () => done(server));
  });
}

/** @throws CannotRunError if there is no usable QEMU, UsageError if the options exclude each other */
export async function startRun(request: RunRequest): Promise<Run> {
  const program = findQemu(request.qemu);
  const folder = mkdtempSync(join(tmpdir(), 'chronovisor-'));
  folders.add(folder);
  const endpoints = {
    runtime: request.runtime,
    archive: request.archive,
    commandLine: request.commandLine,
    traceSocket: join(folder, 'trace'),
    monitorSocket: join(folder, 'monitor'),
  };
  const stderrFile = join(folder, 'stderr');
  const lines: string[] = [];
  const serial: Buffer[] = [];
  const started = Date.now();

  function addLine(line: string): void {
    lines.push(line);
    request.onLine?.(line);
  }

  let argumentsList: string[];
  try {
    argumentsList = qemuArguments(request.machine, endpoints);
  } catch (error) {
    remove(folder);
    throw error;
  }
  const command = [program, ...argumentsList];

  // ---- The trace channel.
  const decoder = createFrameDecoder(addLine);
  let traceEnded: () => void = () => undefined;
  const traceEnd = new Promise<void>((done) => (traceEnded = done));
  const traceServer = await listen(endpoints.traceSocket, (socket) => {
    socket.on('data', (chunk) => decoder.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => traceEnded());
  });

  // ---- The monitor: for one thing, an NMI when the time is over.
  let monitor: Socket | undefined;
  const monitorServer = await listen(endpoints.monitorSocket, (socket) => {
    monitor = socket;
    socket.on('error', () => undefined);
    socket.write('{"execute":"qmp_capabilities"}\n');
  });

  // ---- The machine. A shell is there to send QEMU's own words elsewhere than the serial line; exec makes QEMU our child.
  const child = spawnPty('/bin/sh', ['-c', 'exec "$@" 2>"$0"', stderrFile, ...command], {
    cols: 200,
    rows: 50,
    encoding: null,
  });
  running.add(child);
  const serialLines = request.machine.traceChannel ? undefined : createLineSplitter(addLine);
  child.onData((data) => {
    // With encoding null, node-pty delivers buffers, whatever its types say.
    const bytes = data as unknown as Buffer;
    serial.push(bytes);
    serialLines?.push(bytes);
    request.onSerial?.(bytes);
  });

  const result = (async (): Promise<RunResult> => {
    let early: Outcome | undefined;
    const timers: NodeJS.Timeout[] = [];
    const stop = (outcome: Outcome, grace: number): void => {
      if (early) return;
      early = outcome;
      if (grace > 0 && monitor) monitor.write('{"execute":"inject-nmi"}\n');
      timers.push(setTimeout(() => kill(child), grace));
    };
    timers.push(setTimeout(() => stop({ kind: 'time-limit', seconds: request.seconds }, DUMP_MS), request.seconds * 1000));
    const onAbort = (): void => stop({ kind: 'interrupted' }, 0);
    if (request.signal?.aborted) onAbort();
    request.signal?.addEventListener('abort', onAbort);

    try {
      const { exitCode, signal } = await new Promise<{ exitCode: number; signal?: number }>((done) => child.onExit(done));
      running.delete(child);
      if (request.machine.traceChannel && monitor) {
        await Promise.race([traceEnd, new Promise((done) => timers.push(setTimeout(done, DRAIN_MS)))]);
      }
      decoder.end();
      serialLines?.end();
      let stderr = '';
      try {
        stderr = readFileSync(stderrFile, 'utf8');
      } catch {
        // The shell did not get as far.
      }
      return {
        outcome: early ?? outcomeOf(exitCode, signal ?? 0, stderr),
        lines,
        serial: Buffer.concat(serial).toString('utf8').replaceAll(/\r+\n/g, '\n'),
        command,
        wallMs: Date.now() - started,
      };
    } finally {
      timers.forEach(clearTimeout);
      request.signal?.removeEventListener('abort', onAbort);
      monitor?.destroy();
      traceServer.close();
      monitorServer.close();
      remove(folder);
    }
  })();

  return { command, write: (bytes) => child.write(bytes), result };
}
