/** chronovisor log, in a process of its own. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn as spawnPty } from 'node-pty';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVENTS } from '../../kernel/trace/events.ts';
import { formatLine, HEADER_LINE } from '../../kernel/trace/text.ts';
import { PROGRAM, runProgram, type ProgramResult } from '../harness/program.ts';

const TEST_LIMIT_MS = 30_000;
const ESCAPE = '\x1b';
const folder = mkdtempSync(join(tmpdir(), 'log test '));
const inFolder = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const chronovisor = (words: readonly string[], environment: Record<string, string> = {}): Promise<ProgramResult> =>
  runProgram(words, { cwd: folder, environment });

const linesOf = (text: string): string[] => text.split('\n').slice(0, -1);

describe('log', { timeout: TEST_LIMIT_MS }, () => {
  const START = formatLine(EVENTS.kernelStart, 100n, 0, ['0.1.0', '', 50n]);
  const INTERRUPTS = [110n, 1_120n, 2_100n].map((taken, index) =>
    formatLine(EVENTS.timerInterrupt, taken + 20n, 0, ['pit', index, 100n + 1_000n * BigInt(index), taken]),
  );
  const RUN = formatLine(EVENTS.timerStart, 105n, 0, ['pit', 'PIC', 32, 1n, 1_000n, 3]);
  const WARNING = formatLine(EVENTS.warning, 3_000n, 0, ['a "quoted" word']);
  const ERROR = formatLine(EVENTS.kernelError, 4_000n, 0, ['bad', 'Error: bad\n    at f (kernel.js:1:1)']);
  const RECORDS = [START, RUN, ...INTERRUPTS, WARNING, ERROR];
  const DIAGNOSTIC = '! runtime: something';
  const CLEAN = inFolder('clean.log');
  const DAMAGED = inFolder('damaged.log');
  const DAMAGE = ['SeaBIOS (version 1.16)', START.slice(0, 30), `${WARNING} ?`, '  500 cpu0 info  no.such-event x=1', ERROR.slice(0, -3)];

  beforeAll(() => {
    writeFileSync(CLEAN, [HEADER_LINE, ...RECORDS, DIAGNOSTIC].map((line) => `${line}\n`).join(''));
    const [chatter, cut, extra, unknown, last] = DAMAGE;
    writeFileSync(
      DAMAGED,
      Buffer.concat([
        Buffer.from(`${HEADER_LINE}\r\n${chatter!}\r\r\n${START}\r\n${cut!}\n${RUN}\r\r\n${extra!}\n`),
        Buffer.from([0xff, 0xfe, 0x00, 0x0a]),
        Buffer.from([...INTERRUPTS, unknown!, WARNING, ERROR, DIAGNOSTIC].map((line) => `${line}\r\n`).join('')),
        Buffer.from(last!),
      ]),
    );
  });

  const objectsOf = (text: string): Record<string, unknown>[] => linesOf(text).map((line) => JSON.parse(line) as Record<string, unknown>);

  it('shows a clean log as it is', async () => {
    expect(await chronovisor(['log', CLEAN])).toEqual({ status: 0, stdout: readFileSync(CLEAN, 'utf8'), stderr: '' });
  });

  it('keeps and counts damaged, cut and unknown lines, whatever ends they have', async () => {
    const { status, stdout, stderr } = await chronovisor(['log', DAMAGED]);
    expect(status).toBe(0);
    expect(stderr).toBe(`${DAMAGED}: 6 of 15 lines are not records of this grammar; they are kept as they are\n`);
    const lines = linesOf(stdout);
    expect(lines).toHaveLength(15);
    for (const line of [...RECORDS, ...DAMAGE, DIAGNOSTIC]) expect(lines).toContain(line);
    expect(stdout).not.toContain('\r');
  });

  it.each([CLEAN, DAMAGED])('makes one JSON object of each record and nothing else (%s)', async (file) => {
    const { status, stdout } = await chronovisor(['log', file, '--json']);
    expect(status).toBe(0);
    const objects = objectsOf(stdout);
    expect(objects.map(({ at, level, event }) => ({ at, level, event }))).toEqual([
      { at: 100, level: 'info', event: 'kernel.start' },
      { at: 105, level: 'info', event: 'timer.start' },
      { at: 130, level: 'debug', event: 'timer.interrupt' },
      { at: 1_140, level: 'debug', event: 'timer.interrupt' },
      { at: 2_120, level: 'debug', event: 'timer.interrupt' },
      { at: 3_000, level: 'warn', event: 'warning' },
      { at: 4_000, level: 'error', event: 'kernel.error' },
    ]);
    expect(objects[3]).toMatchObject({ cpu: 0, fields: { timer: 'pit', index: 1, nominal: 1_100, taken: 1_120 } });
    expect(objects[6]).toMatchObject({ fields: { message: 'bad', stack: 'Error: bad\n    at f (kernel.js:1:1)' } });
  });

  it('tells in JSON which line a record stands in', async () => {
    const { stdout } = await chronovisor(['log', DAMAGED, '--json']);
    expect(objectsOf(stdout).map(({ line }) => line)).toEqual([3, 5, 8, 9, 10, 12, 13]);
  });

  it.each([
    ['timer.*', 4],
    ['timer.interrupt', 3],
    ['timer.inter', 0],
    ['*', 7],
    ['kernel*', 2],
  ])('shows with --event %s only those %i records', async (pattern, count) => {
    const { stdout } = await chronovisor(['log', CLEAN, '--event', pattern]);
    const prefix = pattern.replace('*', '');
    const shown = linesOf(stdout);
    expect(shown).toHaveLength(count);
    for (const line of shown) expect(line.slice(24)).toMatch(new RegExp(`^${prefix.replaceAll('.', '\\.')}`));
  });

  it.each(['Timer', 'timer interrupt', 'timer.?'])('refuses --event %j, which no event can match', async (pattern) => {
    const { status, stderr } = await chronovisor(['log', CLEAN, '--event', pattern]);
    expect(status).toBe(2);
    expect(stderr).toContain('expected an event such as timer.interrupt or timer.*');
  });

  it('leaves out what weighs less than --level', async () => {
    const { stdout } = await chronovisor(['log', CLEAN, '--level', 'warn', '--json']);
    expect(objectsOf(stdout).map(({ level }) => level)).toEqual(['warn', 'error']);
  });

  it('tells of another version of the grammar', async () => {
    const file = inFolder('future.log');
    writeFileSync(file, '# chronovisor-trace 999\n');
    const { status, stderr } = await chronovisor(['log', file]);
    expect(status).toBe(0);
    expect(stderr).toMatch(/future\.log: the log has grammar version 999; this program knows \d+ and reads as far as that goes\n/);
  });

  it('shows nothing of an empty log', async () => {
    const file = inFolder('empty.log');
    writeFileSync(file, '');
    expect(await chronovisor(['log', file])).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it.each(['missing.log', '.'])('can not read %s: status 3', async (file) => {
    const { status, stdout, stderr } = await chronovisor(['log', file]);
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr.startsWith(`chronovisor: ${file}: `)).toBe(true);
  });

  it('needs a file', async () => {
    const { status, stderr } = await chronovisor(['log']);
    expect(status).toBe(2);
    expect(stderr).toContain("missing required argument 'log'");
  });

  it.each([
    ['on a pipe', {}, false],
    ['with NO_COLOR', { NO_COLOR: '1' }, false],
    ['with FORCE_COLOR', { FORCE_COLOR: '1' }, true],
    ['with FORCE_COLOR=0', { FORCE_COLOR: '0' }, false],
  ])('is coloured or not %s', async (_, environment, isColoured) => {
    const { stdout } = await chronovisor(['log', DAMAGED], environment);
    expect(stdout.includes(ESCAPE)).toBe(isColoured);
    // Colours change nothing else.
    expect(stdout.replaceAll(/\x1b\[[0-9;]*m/g, '')).toBe((await chronovisor(['log', DAMAGED])).stdout);
  });

  it('has no colours within JSON', async () => {
    expect((await chronovisor(['log', DAMAGED, '--json'], { FORCE_COLOR: '1' })).stdout).not.toContain(ESCAPE);
  });
});

describe('which records are shown', { timeout: TEST_LIMIT_MS }, () => {
  const SYSTEM = inFolder('system.log');
  const MS = 1_000_000n;
  beforeAll(() => {
    const lines = [
      formatLine(EVENTS.partitionCreated, 10n * MS, 0, [0, 'a', 'programs/a.bin', 65_536]),
      formatLine(EVENTS.partitionCreated, 11n * MS, 0, [1, 'b', 'programs/b.bin', 65_536]),
      formatLine(EVENTS.systemStarted, 12n * MS, 0, ['demo', 20n * MS, 2, 1]),
      ...[0, 1, 2, 3, 4, 5].map((frame) => {
        const nominal = 20n * MS + BigInt(frame) * 10n * MS;
        return formatLine(EVENTS.slotRun, nominal + MS, frame === 5 ? 1 : 0, [
          frame % 2,
          0,
          frame,
          nominal,
          nominal + BigInt(frame),
          nominal + MS,
        ]);
      }),
      formatLine(EVENTS.slotLate, 90n * MS, 0, [1, 0, 30_000n]),
      '    91000000 cpu0 debug vdev.access device=hpet register=0x10 took=250ns',
    ];
    writeFileSync(SYSTEM, [HEADER_LINE, ...lines].map((line) => `${line}\n`).join(''));
  });
  /** Lines of the log, counted from 1. */
  async function shown(...words: string[]): Promise<number[]> {
    const { stdout, stderr } = await chronovisor(['log', SYSTEM, '--columns', ...words]);
    expect(stderr).toBe(`${SYSTEM}: 1 of 12 lines are not records of this grammar; they are kept as they are\n`);
    return linesOf(stdout).map((line) => Number(/^ *(\d+) /.exec(line)![1]));
  }

  it.each([
    [
      ['--partition', 'a'],
      [2, 5, 7, 9],
    ],
    [
      ['--partition', '1'],
      [3, 6, 8, 10, 11],
    ],
    [['--partition', 'nobody'], []],
    [['--cpu', '1'], [10]],
    [
      ['--event', 'slot.late', '--event', 'system.*'],
      [4, 11],
    ],
    [
      ['--since', '@61000000', '--until', '@71000000'],
      [9, 10],
    ],
    [
      ['--since', '31ms', '--until', '41ms'],
      [8, 9],
    ],
    [
      ['--since', 'end-10ms'],
      [11, 12],
    ],
    [
      ['--where', 'entered - nominal >= 3ns'],
      [8, 9, 10],
    ],
    [['--where', 'event = vdev.access and .took > 100'], [12]],
    [
      ['--where', 'late > 20us or name = demo'],
      [4, 11],
    ],
  ])('with %j', async (words, lines) => expect(await shown(...words)).toEqual(lines));

  it('has columns that align, with times since boot or since the one before', async () => {
    const { stdout } = await chronovisor(['log', SYSTEM, '--columns', '--event', 'slot.*']);
    expect(linesOf(stdout).map((line) => line.indexOf(' partition='))).toEqual(
      Array.from({ length: 7 }, () => stdout.indexOf(' partition=')),
    );
    expect(linesOf(stdout)[0]).toMatch(/^ +5 +0\.021 000 000 cpu0 slot\.run +partition=0 slot=0 /);
    const relative = linesOf((await chronovisor(['log', SYSTEM, '--relative', '--event', 'slot.*'])).stdout);
    expect(relative[1]).toMatch(/^ +6 +\+10 ms cpu0 slot\.run/);
    expect(relative[6]).toMatch(/^ +11 +\+19 ms cpu0 slot\.late/);
  });

  it.each([
    ['--where', 'latee > 3', 'no event has a field latee; did you mean late?\n  latee > 3\n  ^'],
    [
      '--since',
      'yesterday',
      'expected an instant such as 153.6ms (since the epoch), @2158063080 (ns since boot) or end-1s (before the last record).',
    ],
    ['--cpu', '-1', 'expected a whole number from 0 to 255.'],
  ])('refuses %s %j', async (option, value, message) => {
    const { status, stderr } = await chronovisor(['log', SYSTEM, `${option}=${value}`]);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });

  it('reads standard input', async () => {
    const { stdout } = await runProgram(['log', '-', '--event', 'slot.late', '--no-columns'], { cwd: folder, input: readFileSync(SYSTEM) });
    expect(linesOf(stdout)).toEqual([expect.stringMatching(/slot\.late partition=1 slot=0 late=30000ns$/)]);
  });

  it('follows a log that grows and is replaced, until Ctrl-C: status 130', async () => {
    const file = inFolder('growing.log');
    const line = (at: number): string => `${formatLine(EVENTS.log, BigInt(at), 0, ['x'])}\n`;
    writeFileSync(file, line(1) + line(2).slice(0, 20));
    const steps = [
      () => appendFileSync(file, line(2).slice(20)),
      () => {
        rmSync(file);
        writeFileSync(file, line(3));
      },
    ];
    const { status, stdout } = await runProgram(['log', file, '--follow'], {
      cwd: folder,
      onOutput: (text, kill) => {
        const step = steps[linesOf(text).length - 1];
        if (step) step();
        else kill('SIGINT');
      },
    });
    expect(stdout).toBe(line(1) + line(2) + line(3));
    expect(status).toBe(130);
  });
});

describe('who reads what is shown', { timeout: TEST_LIMIT_MS }, () => {
  it('may stop: the rest of a long log is not read', () => {
    const file = inFolder('long.log');
    writeFileSync(file, `${formatLine(EVENTS.log, 7n, 0, ['x'.repeat(80)])}\n`.repeat(300_000));
    const command = `"${process.execPath}" "${PROGRAM}" log "${file}" | head -2 | wc -l`;
    const { stdout } = spawnSync('sh', ['-c', command], { encoding: 'utf8', timeout: 20_000 });
    expect(stdout.trim()).toBe('2');
  });

  it.each([
    ['sed s/^/page:/', /page:.* log +message=x/],
    ['no-such-pager', /the pager no-such-pager is not there; --no-pager does without/],
  ])('sees it through a pager on a terminal: %s', async (pager, expected) => {
    const file = inFolder('paged.log');
    writeFileSync(file, `${formatLine(EVENTS.log, 7n, 0, ['x'])}\n`);
    expect(await onTerminal(['log', file], { PAGER: pager, NO_COLOR: '1' })).toMatch(expected);
  });

  it('sees no escape sequences of the firmware there: they would clear the screen', async () => {
    const file = inFolder('firmware.log');
    writeFileSync(file, '\x1bcSeaBIOS\x1b[2J ready\n');
    expect(await onTerminal(['log', file, '--no-pager'], { NO_COLOR: '1' })).toMatch(/^SeaBIOS ready\r\n/);
    expect((await chronovisor(['log', file])).stdout).toBe('\x1bcSeaBIOS\x1b[2J ready\n');
  });

  it('sees it without one with --no-pager, in columns', async () => {
    expect(await onTerminal(['log', inFolder('paged.log'), '--no-pager'], { PAGER: 'false', NO_COLOR: '1' })).toMatch(
      /^ +1 +0\.000 000 007 cpu0 log +message=x\r\n$/,
    );
  });
});

/** All that the program writes to a terminal. */
function onTerminal(words: readonly string[], environment: Record<string, string>): Promise<string> {
  const terminal = spawnPty(process.execPath, [PROGRAM, ...words], {
    cols: 120,
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm', ...environment },
  });
  let text = '';
  terminal.onData((data) => (text += data));
  return new Promise((done) => terminal.onExit(() => done(text)));
}
