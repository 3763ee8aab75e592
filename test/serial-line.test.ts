/** A machine's own serial line in place of QEMU: a pty stands for the line, a test or QEMU's COM1 for the machine. */
import { spawn as spawnPty, type IPty } from 'node-pty';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram, type ProgramResult } from '../tools/harness/program.ts';
import { boot } from '../tools/harness/boot.ts';
import { buildFolder, projectRoot } from '../tools/paths.ts';
import { openProblem, parseTarget, startSerialRun } from '../tools/serial/run.ts';

const folder = mkdtempSync(join(tmpdir(), 'serial test '));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The two ends of a line: `device` is the one that a program opens. */
interface Line {
  readonly machine: IPty;
  readonly device: string;
}

function openLine(): Promise<Line> {
  const machine = spawnPty('/bin/sh', ['-c', 'stty raw -echo; tty; exec sleep 120'], {});
  return new Promise((done) => {
    const listener = machine.onData((text) => {
      listener.dispose();
      done({ machine, device: text.trim() });
    });
  });
}

/** Closes the machine's end, which node-pty can, but does not tell. */
const unplug = (machine: IPty): void => (machine as IPty & { destroy(): void }).destroy();

describe('chronovisor run --serial', () => {
  let line: Line;
  beforeEach(async () => {
    line = await openLine();
  });
  afterEach(() => line.machine.kill('SIGKILL'));

  /** Runs the program; `act` is called once it listens: what came before that is not its run's. */
  function run(words: readonly string[], act: (machine: IPty) => void | Promise<void> = () => undefined): Promise<ProgramResult> {
    let isListening = false;
    return runProgram(['run', '--serial', line.device, '--log', join(folder, 'run.log'), ...words], {
      cwd: folder,
      onOutput: (text) => {
        if (isListening || !text.includes('listening to')) return;
        isListening = true;
        void act(line.machine);
      },
    });
  }
  const KERNEL_EXIT = '        9000 cpu0 info  kernel.exit code=0x10 reason=done\r\n';

  it('shows and keeps what comes, with what the firmware said before, and ends when the kernel does', async () => {
    const { status, stdout, stderr } = await run([], (machine) => {
      machine.write('SeaBIOS (version 1.16)\r\n# chronovisor-trace 1\r\n');
      machine.write('        1000 cpu0 info  log message="over a wire"\r\n');
      machine.write(KERNEL_EXIT);
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('log message="over a wire"');
    expect(stdout).toMatch(/^held: the kernel ended well /m);
    expect(readFileSync(join(folder, 'run.log'), 'utf8').split('\n').slice(0, 3)).toEqual([
      'SeaBIOS (version 1.16)',
      '# chronovisor-trace 1',
      '        1000 cpu0 info  log message="over a wire"',
    ]);
  });

  it('ends with 1 where the kernel says that something does not hold', async () => {
    const { status, stdout } = await run([], (machine) => machine.write(KERNEL_EXIT.replace('0x10', '0x11')));
    expect(status).toBe(1);
    expect(stdout).toContain('failed: the kernel found that something does not hold');
  });

  it('ends with 3 where nothing is heard, with what to look at', async () => {
    const { status, stdout, stderr } = await run(['--timeout', '1', '--baud', '9600']);
    expect({ status, stdout }).toEqual({ status: 3, stdout: `listening to ${line.device} at 9600 baud\n` });
    expect(stderr).toBe(`chronovisor: ${line.device}: nothing was heard within 1 s: is the machine on, and is its line at 9600 baud?\n`);
  });

  it('ends with 124 where something is heard, but no end', async () => {
    const { status, stdout } = await run(['--timeout', '1'], (machine) => machine.write('        1000 cpu0 info  log message=begun\r\n'));
    expect(status).toBe(124);
    expect(stdout).toMatch(/time limit: still running after 1 s/);
  });

  it('says how far it had come when the line is lost', async () => {
    // In this process: another one would inherit the machine's end, and hold it.
    const lines: string[] = [];
    const { result } = await startSerialRun({ device: line.device, baud: 115_200, seconds: 20, onLine: (text) => lines.push(text) });
    line.machine.write('        1000 cpu0 info  log message=begun\r\n        2000 cpu0 in');
    for (let turn = 0; lines.length === 0 && turn < 200; turn++) await new Promise((done) => setTimeout(done, 10));
    unplug(line.machine);
    await expect(result).rejects.toThrow(`${line.device}: the line was lost after 2 lines`);
    expect(lines).toEqual(['        1000 cpu0 info  log message=begun', '        2000 cpu0 in']);
  });

  it('refuses what is no line', async () => {
    writeFileSync(join(folder, 'file'), '');
    writeFileSync(join(folder, 'kept.log'), 'earlier\n');
    const cases: [string, RegExp][] = [
      ['/dev/ttyNONE7', /there is no such device: is the adapter plugged in\?/],
      ['file', /file: this is no serial line/],
    ];
    for (const [device, said] of cases) {
      const { status, stdout, stderr } = await runProgram(['run', '--serial', device, '--timeout', '2', '--log', 'kept.log'], {
        cwd: folder,
      });
      expect({ status, stdout }, stderr).toEqual({ status: 3, stdout: '' });
      expect(stderr).toMatch(said);
    }
    expect(readFileSync(join(folder, 'kept.log'), 'utf8')).toBe('earlier\n');
    expect(await runProgram(['run', '--serial', 'x', '--then', 'y'], { cwd: folder })).toMatchObject({ status: 2 });
  });
});

it.each([
  ['Error: Permission denied, cannot open /dev/ttyS0', /no permission: .*dialout/],
  ['Error: Resource temporarily unavailable Cannot lock port', /another program uses it/],
  ['something new', /something new/],
])('an error of the system says what to do: %s', (message, said) => expect(openProblem('/dev/ttyS0', message).message).toMatch(said));

describe('TARGET', () => {
  it('names a line, with its rate if it is not the usual one', () => {
    expect(parseTarget('serial:/dev/ttyUSB0')).toEqual({ device: '/dev/ttyUSB0', baud: 115_200 });
    expect(parseTarget('serial:/dev/ttyUSB0,9600')).toEqual({ device: '/dev/ttyUSB0', baud: 9600 });
    expect(() => parseTarget('ssh:board')).toThrow('expected serial:DEVICE');
  });

  describe('has the same tests run against another machine', () => {
    const socketFolder = mkdtempSync(join(tmpdir(), 'chronovisor-line-'));
    const checkout = join(buildFolder(), 'test', 'serial-line');
    let server: Server;
    let line: Line;
    const sockets: Socket[] = [];

    beforeEach(async () => {
      line = await openLine();
      server = createServer((socket) => {
        sockets.push(socket);
        socket.on('data', (bytes) => line.machine.write(bytes.toString('latin1')));
        socket.on('error', () => undefined);
      });
      await new Promise<void>((done) => server.listen(join(socketFolder, 'com1'), done));
      rmSync(checkout, { recursive: true, force: true });
      mkdirSync(join(checkout, 'test'), { recursive: true });
      for (const path of ['kernel', 'tools', 'partitions']) symlinkSync(join(projectRoot(), path), join(checkout, path));
    });
    afterEach(() => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
      line.machine.kill('SIGKILL');
      rmSync(socketFolder, { recursive: true, force: true });
      rmSync(checkout, { recursive: true, force: true });
    });

    it('here one that is played by QEMU and its COM1', async () => {
      writeFileSync(
        join(checkout, 'test', 'period.test.ts'),
        `import { expect, it } from 'vitest';
import { boot } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';

it('the local APIC interrupts every millisecond', async () => {
  const run = await boot({ append: 'count=10', seconds: 60, name: 'serial-line' });
  expect(run).toHold();
  const interrupts = run.series('timer.interrupt', ({ taken }) => taken, ({ timer }) => timer === 'lapic');
  expect(interrupts).toHaveCount(10);
  expect(interrupts).toHavePeriod(1_000_000n, 20n);
  expect(run.lines.some((line) => line.includes('timer.interrupt'))).toBe(true);
});
`,
      );
      const vitest = spawn(
        join(projectRoot(), 'node_modules', '.bin', 'vitest'),
        ['run', '--root', checkout, '--testTimeout', '80000', 'test/period.test.ts'],
        {
          env: { ...process.env, TARGET: `serial:${line.device}` },
          stdio: ['ignore', 'pipe', 'pipe'],
          timeout: 90_000,
        },
      );
      let output = '';
      const ended = new Promise<number | null>((done) => vitest.on('close', done));
      const isWaiting = new Promise<void>((done) => {
        for (const stream of [vitest.stdout, vitest.stderr])
          stream.setEncoding('utf8').on('data', (text: string) => {
            output += text;
            if (output.includes('waiting for')) done();
          });
      });
      await Promise.race([isWaiting, ended]);
      expect(output).toMatch(/waiting for kernel\/main\.ts, booted with "count=10 serial=debug"/);
      // The machine is switched on.
      const machine = { com1: { socket: join(socketFolder, 'com1') }, traceChannel: false };
      await boot({ ...machine, append: 'count=10 serial=debug', name: 'serial-line-machine' });
      expect(await ended, output).toBe(0);
      expect(output).toMatch(/1 passed/);
    });
  });
});
