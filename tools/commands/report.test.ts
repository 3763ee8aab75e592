/** chronovisor report, in a process of its own. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVENTS } from '../../kernel/trace/events.ts';
import { formatLine, HEADER_LINE } from '../../kernel/trace/text.ts';
import { PROGRAM, runProgram, type ProgramResult } from '../harness/program.ts';

const folder = mkdtempSync(join(tmpdir(), 'report test '));
const inFolder = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const report = (...words: string[]): Promise<ProgramResult> => runProgram(['report', ...words], { cwd: folder });
const linesOf = (text: string): string[] => text.split('\n').slice(0, -1);
const asText = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/** The HPET a little late at each interrupt, and once very late. */
function hpetRun(lates: readonly bigint[]): string[] {
  return [
    formatLine(EVENTS.kernelStart, 50n, 0, ['0.1.0', '', 20n]),
    formatLine(EVENTS.timerStart, 100n, 0, ['hpet', 'PIC', 32, 1n, 1_000_000n, lates.length]),
    ...lates.map((late, index) => {
      const nominal = 1_000_000n * BigInt(index + 1);
      return formatLine(EVENTS.timerInterrupt, nominal + late + 1_500n, 0, ['hpet', index, nominal, nominal + late]);
    }),
    formatLine(EVENTS.traceDropped, 90_000_000n, 0, [12]),
  ];
}
const LATES = Array.from({ length: 50 }, (_, index) => (index === 30 ? 7_200n : BigInt(5 + (index % 2))));
const LOG = [HEADER_LINE, ...hpetRun(LATES)];
const FILE = 'hpet.log';

beforeAll(() => writeFileSync(inFolder(FILE), asText(LOG)));

describe('the report of a log', () => {
  it('has tables of at most 100 columns, worst samples with their lines, and what was lost', async () => {
    const { status, stdout, stderr } = await report(FILE);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^hpet +50 +1 ms +992\.8\d* us /m);
    // Header, start, timer's start, then the interrupts: the 31st is line 34.
    expect(stdout).toMatch(/^timer\.lateness hpet +50 +5 ns +149 ns +7\.2 us +7\.2 us +7\.2 us +34$/m);
    expect(stdout).toMatch(/^Losses\n12 records dropped, 1 warnings$/m);
    for (const line of linesOf(stdout)) expect(line.length).toBeLessThanOrEqual(100);
  });

  it('is JSON with the same figures', async () => {
    const { stdout } = await report(FILE, '--json');
    const data = JSON.parse(stdout) as { timers: unknown[]; series: unknown[]; losses: unknown };
    expect(data.timers).toMatchObject([{ timer: 'hpet', errors: { count: 50, max: 7_200, worst: [{ value: 7_200, line: 34 }, {}, {}] } }]);
    expect(data.losses).toMatchObject({ dropped: 12 });
  });

  it('is CSV with one figure per row', async () => {
    const rows = linesOf((await report(FILE, '--csv')).stdout).map((line) => line.split(','));
    expect(rows[0]).toEqual(['table', 'subject', 'quantity', 'value', 'unit', 'line']);
    for (const row of rows) expect(row).toHaveLength(6);
    expect(rows).toContainEqual(['timer.lateness', 'hpet', 'p99.9', '7200', 'ns', '']);
    expect(rows).toContainEqual(['timer.lateness', 'hpet', 'worst', '7200', 'ns', '34']);
    expect(rows).toContainEqual(['losses', '', 'dropped', '12', '', '']);
  });

  it('has histograms, with a limit and with another run over them', async () => {
    writeFileSync(inFolder('other.log'), asText([HEADER_LINE, ...hpetRun(LATES.map((late) => late + 2n))]));
    const { stdout } = await report(FILE, '--histogram', 'timer.lateness', '--limit', '1us', '--over', 'other.log');
    const lines = linesOf(stdout);
    expect(lines.slice(0, 3)).toEqual([
      expect.stringMatching(/^timer\.lateness of hpet: /),
      expect.stringMatching(/^# count 50, min 5 ns, .* max 7\.2 us$/),
      expect.stringMatching(/^o count 50, min 7 ns, .* max 7\.202 us$/),
    ]);
    expect(lines.filter((line) => line.includes('limit'))).toEqual([expect.stringContaining(' 1 us ')]);
  });

  it('names the series there are if there is not the one that was asked for', async () => {
    const { status, stderr } = await report(FILE, '--histogram', 'slot.start');
    expect(status).toBe(3);
    expect(stderr).toContain(`${FILE}: there is no series slot.start; the log has timer.lateness, timer.interval, interrupt.latency`);
  });

  it('is a page that needs no network, with --html', async () => {
    expect(await report(FILE, '--html', 'pages/report.html')).toEqual({ status: 0, stdout: '', stderr: '' });
    const page = readFileSync(inFolder('pages/report.html'), 'utf8');
    expect(page.split('<figure class="histogram">')).toHaveLength(4);
    expect(page).toContain('timer.lateness hpet');
    expect(page).not.toMatch(/(src|href)=/);
  });

  it('is of the last boot where there are several, or of the one that is asked for', async () => {
    writeFileSync(inFolder('boots.log'), asText([...LOG, HEADER_LINE, ...hpetRun([1n, 2n, 3n])]));
    const last = await report('boots.log');
    expect(last.stderr).toBe('boots.log: the log has 2 boots; this is number 2 (--boot)\n');
    expect(last.stdout).toMatch(/^timer\.lateness hpet +3 .* 60$/m);
    expect((await report('boots.log', '--boot', '1')).stdout).toMatch(/^timer\.lateness hpet +50 /m);
    expect(await report('boots.log', '--boot', '3')).toMatchObject({
      status: 2,
      stderr: 'chronovisor: boots.log: there is no boot 3; the log has 2\n',
    });
  });
});

describe('what is no log of ours', () => {
  it.each([
    ['empty', '', 'the file is empty'],
    [
      'of another program',
      '[    0.000000] Linux version 6.1.0\n',
      'this is no log of Chronovisor: none of its one line is a record; the first is "[    0.000000] Linux version 6.1.0"',
    ],
    [
      'of a later version only',
      '# chronovisor-trace 9\n  1 cpu0 info  new.event x=1\n',
      'none of its 2 lines is a record that this program knows; its grammar has version 9, this program knows 1',
    ],
  ])('%s: is refused with the reason, status 3', async (_, content, reason) => {
    writeFileSync(inFolder('foreign.log'), content);
    expect(await report('foreign.log')).toEqual({ status: 3, stdout: '', stderr: `chronovisor: foreign.log: ${reason}\n` });
  });

  it('a file of 10 GB without lines: is refused at once', async () => {
    writeFileSync(inFolder('huge.log'), '');
    truncateSync(inFolder('huge.log'), 10 * 1024 ** 3);
    const { status, stderr } = await report('huge.log');
    expect(status).toBe(3);
    expect(stderr).toBe('chronovisor: huge.log: line 1, from byte 0 on, has no end within 64 MiB: this is no log\n');
  });
});

it('a log without a record says what the runtime said', async () => {
  writeFileSync(inFolder('early.log'), asText([HEADER_LINE, '! uncaught Error: at once', '!     at <eval> (kernel.js:1:16)']));
  const { status, stdout } = await report('early.log');
  expect({ status, stdout }).toEqual({
    status: 0,
    stdout: '\nLosses\n0 records dropped, 2 lines of the runtime\nline 2: ! uncaught Error: at once\n',
  });
});

describe('a log cut anywhere', () => {
  it('has a report, or is refused with a reason', async () => {
    const whole = Buffer.from(asText(LOG));
    for (const length of [1, 30, 150, 1_000, whole.length - 5]) {
      writeFileSync(inFolder('cut.log'), whole.subarray(0, length));
      const { status, stdout, stderr } = await report('cut.log');
      if (status === 0) expect(stdout, `${length} bytes`).toContain('\nLosses\n');
      else expect([status, stderr], `${length} bytes`).toEqual([3, expect.stringMatching(/^chronovisor: cut\.log: .*\n$/)]);
    }
  });
});

describe('output that can not be written', () => {
  it('standard output on a full device: status 3, with the reason', () => {
    const { status, stderr } = spawnSync('sh', ['-c', `"${process.execPath}" "${PROGRAM}" report ${FILE} > /dev/full`], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr: expect.stringMatching(/^chronovisor: standard output can't be written: ENOSPC/),
    });
  });

  it.each([
    ['a folder', () => mkdirSync(inFolder('folder.html')), 'folder.html'],
    ['below a file', () => undefined, `${FILE}/report.html`],
  ])('%s: status 2, with the reason', async (_, prepare, path) => {
    prepare();
    const { status, stderr } = await report(FILE, '--html', path);
    expect(status).toBe(2);
    expect(stderr).toMatch(new RegExp(`^chronovisor: --html ${path.replace('.', '\\.')}: E`));
  });
});
