/** The command-line program as its user runs it. */
import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../tools/paths.ts';

const program = join(projectRoot(), 'build', 'tools', 'chronovisor.mjs');
const folder = mkdtempSync(join(tmpdir(), 'chronovisor-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

function chronovisor(...words: string[]): SpawnSyncReturns<string> {
  return spawnSync('node', [program, ...words], {
    cwd: projectRoot(),
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, NO_COLOR: '1' },
  });
}

/** Processes of QEMU whose command line mentions `word`. */
function qemusWith(word: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/exe`).includes('qemu-system') && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function until(condition: () => boolean, seconds: number): Promise<boolean> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await new Promise((done) => setTimeout(done, 50)))
    if (condition()) return true;
  return condition();
}

describe('chronovisor run', () => {
  it('shows the trace and a table, and ends with 0', () => {
    const log = join(folder, 'run.log');
    const { status, stdout } = chronovisor('run', '--append', 'count=100', '--log', log);
    expect(status).toBe(0);
    expect(stdout).toMatch(/machine\.frequency clock=hpet .*enumerated/);
    expect(stdout).toMatch(/machine\.frequency clock=tsc .*measured/);
    expect(stdout).toMatch(/^timer +count +nominal +min +mean +max +jitter +worst error +latency +jitter$/m);
    for (const timer of ['pit', 'hpet', 'lapic']) expect(stdout).toMatch(new RegExp(`^${timer} +100 `, 'm'));
    expect(stdout).toMatch(/^Uses of time\nevents +intervals +min +mean +max +jitter\nrtc +100 /m);
    expect(stdout).toMatch(/^speaker +200 +250 us /m);
    expect(stdout).toMatch(/^2026-01-01T00:00:\d\d\.\d{9}Z by rtc, to /m);
    expect(stdout).toMatch(/^held: /m);
    expect(stdout).not.toContain('\x1b');
    expect(readFileSync(log, 'utf8').split('\n')[0]).toBe('# chronovisor-trace 1');
  });

  it('--json prints one object and nothing else', () => {
    const { status, stdout } = chronovisor('run', '--json', '--append', 'count=50', '--log', join(folder, 'json.log'));
    expect(status).toBe(0);
    const summary = JSON.parse(stdout) as {
      held: boolean;
      outcome: { name: string };
      timers: { timer: string; errors: { max: number } }[];
    };
    expect(summary.held).toBe(true);
    expect(summary.outcome.name).toBe('OK');
    expect(summary.timers.map(({ timer }) => timer)).toEqual(['pit', 'hpet', 'lapic']);
  });

  it('ends with 1 when the kernel fails, and shows the mapped stack and the QEMU command', () => {
    const { status, stdout } = chronovisor('run', 'test/bundles/failures.ts', '--append', 'throw', '--log', join(folder, 'throw.log'));
    expect(status).toBe(1);
    expect(stdout).toMatch(/at innermost \(test\/bundles\/failures\.ts:\d+:\d+\)/);
    expect(stdout).toMatch(/^command: .*qemu-system-x86_64.* -icount shift=0,sleep=off /m);
    expect(readFileSync(join(folder, 'throw.log'), 'utf8')).toMatch(/at innermost \(kernel\.js:\d+:\d+\)/);
  });

  it('ends with 124 at the time limit and keeps the log', () => {
    const log = join(folder, 'loop.log');
    const name = `limited-${process.pid}`;
    const { status, stdout } = chronovisor(
      'run',
      'test/bundles/failures.ts',
      '--append',
      'loop',
      '--timeout',
      '2',
      '--log',
      log,
      '--',
      '-name',
      name,
    );
    expect(status).toBe(124);
    expect(stdout).toContain('time limit: still running after 2 s');
    expect(readFileSync(log, 'utf8')).toContain('! exception vector=2 name="NMI"');
    expect(stdout).toContain(` -name ${name}`);
    expect(qemusWith(name)).toEqual([]);
  });

  it("ends with 3 and QEMU's own words when QEMU refuses its options", () => {
    const { status, stdout } = chronovisor('run', '--log', join(folder, 'refused.log'), '--', '-device', 'no-such-device');
    expect(status).toBe(3);
    expect(stdout).toContain("'no-such-device' is not a valid device model name");
  });

  it('shows what partitions write as lines with their names, and their trace records only when asked', () => {
    const words = ['run', 'test/systems/counters.ts', '--log', join(folder, 'counters.log')];
    const { status, stdout } = chronovisor(...words);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^first: slot 1\nsecond: slot 1\nfirst: slot 2$/m);
    expect(stdout).not.toContain('partition.console');
    expect(stdout).toMatch(/^Partitions of counters$/m);
    expect(chronovisor(...words, '--level', 'debug').stdout).toMatch(/ partition\.console partition=0 text="slot 1\\n"$/m);
  });

  it('--then boots a second one, whose output comes afterwards; both results stand at the end', () => {
    const log = join(folder, 'first.log');
    const { status, stdout } = chronovisor('run', '--append', 'count=50', '--log', log, '--then', 'test/systems/counters.ts');
    expect(status, stdout).toBe(0);
    expect(stdout.match(/^held: /gm)).toHaveLength(2);
    expect(stdout.indexOf('first: slot 1')).toBeGreaterThan(stdout.indexOf('held: '));
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('kernel held, counters held');
    // The words for the first one's kernel were not for the second.
    expect(readFileSync(log, 'utf8')).toContain('command-line="count=50"');
    expect(readFileSync(join(projectRoot(), 'build', 'logs', 'counters.log'), 'utf8')).toContain('command-line="run=system"');
  });

  it.each([
    [
      'the first',
      ['test/bundles/failures.ts', '--append', 'throw', '--then', 'test/systems/counters.ts'],
      'failures failed, counters held',
    ],
    ['the second', ['test/systems/counters.ts', '--then', 'test/bundles/failures.ts'], 'counters held, failures failed'],
  ])('fails when %s of two fails', (_, words, last) => {
    const { status, stdout } = chronovisor('run', ...words, '--log', join(folder, 'of-two.log'));
    expect(status, stdout).toBe(1);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe(last);
  });

  it('--json has the second one within the first', () => {
    const words = ['--append', 'run=nothing', '--log', join(folder, 'json-first.log'), '--then', 'test/systems/counters.ts'];
    const { status, stdout } = chronovisor('run', '--json', ...words);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ held: true, then: { held: true, log: 'build/logs/counters.log' } });
  });

  it('a second one that does not build fails all of it', () => {
    const { status, stderr } = chronovisor(
      'run',
      '--append',
      'run=nothing',
      '--log',
      join(folder, 'no-second.log'),
      '--then',
      'no/such.ts',
    );
    expect(status).toBe(3);
    expect(stderr).toContain('no/such.ts: there is no such file');
  });

  it('passes what stands behind -- to QEMU', () => {
    const { status, stdout } = chronovisor(
      'run',
      '--show-command',
      '--append',
      'run=nothing',
      '--log',
      join(folder, 'extra.log'),
      '--',
      '-name',
      'extra-option',
    );
    expect(status).toBe(0);
    expect(stdout).toContain(' -name extra-option');
  });
});

/** A run that does not end by itself; its log's name is in no QEMU command, its --name is. */
function startEndless(name: string): ReturnType<typeof spawn> {
  return spawn(
    'node',
    [
      program,
      'run',
      'test/bundles/failures.ts',
      '--append',
      'loop',
      '--timeout',
      '60',
      '--log',
      join(folder, `${name}.log`),
      '--',
      '-name',
      name,
    ],
    {
      cwd: projectRoot(),
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
}

describe('ending it from outside', () => {
  it('Ctrl-C ends QEMU, keeps the log and exits with 130', async () => {
    const name = `interrupted-${process.pid}`;
    const child = startEndless(name);
    expect(await until(() => qemusWith(name).length === 1, 30)).toBe(true);
    child.kill('SIGINT');
    const status = await new Promise((done) => child.on('exit', done));
    expect(status).toBe(130);
    expect(await until(() => qemusWith(name).length === 0, 5)).toBe(true);
    expect(existsSync(join(folder, `${name}.log`))).toBe(true);
  });

  it('killing it leaves no QEMU behind', async () => {
    const name = `killed-${process.pid}`;
    const child = startEndless(name);
    expect(await until(() => qemusWith(name).length === 1, 30)).toBe(true);
    child.kill('SIGKILL');
    expect(await until(() => qemusWith(name).length === 0, 10)).toBe(true);
  });
});
