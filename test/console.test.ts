/** The prompt inside the kernel, through a pty, as a person uses it. */
import { spawn, type IPty } from 'node-pty';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { projectRoot } from '../tools/paths.ts';

const program = join(projectRoot(), 'build', 'tools', 'chronovisor.mjs');
const PROMPT = 'chronovisor> ';
const LIMIT_MS = 30_000;

interface Session {
  readonly child: IPty;
  /** All that was shown, control sequences taken out. */
  text(): string;
  /** Waits for a text that was not shown before the last `type`. */
  see(wanted: string | RegExp): Promise<string>;
  type(keys: string): void;
  readonly ended: Promise<number>;
}

function open(...words: string[]): Session {
  const child = spawn('node', [program, 'console', '--timeout', '60', ...words], {
    cwd: projectRoot(),
    cols: 100,
    rows: 40,
    encoding: 'utf8',
  });
  let shown = '';
  let mark = 0;
  const listeners = new Set<() => void>();
  child.onData((data) => {
    shown += data.replaceAll(/\x1b\[[0-9;]*[A-Za-z]/g, '').replaceAll('\r', '');
    listeners.forEach((listener) => listener());
  });
  return {
    child,
    text: () => shown,
    see: (wanted) =>
      new Promise((done, fail) => {
        const matches = (): boolean => (typeof wanted === 'string' ? shown.slice(mark).includes(wanted) : wanted.test(shown.slice(mark)));
        const timer = setTimeout(
          () => finish(new Error(`waited for ${String(wanted)}; shown since the last key:\n${shown.slice(mark)}`)),
          LIMIT_MS,
        );
        const finish = (error?: Error): void => {
          clearTimeout(timer);
          listeners.delete(look);
          if (error) fail(error);
          else done(shown.slice(mark));
        };
        const look = (): void => {
          if (matches()) finish();
        };
        listeners.add(look);
        look();
      }),
    type: (keys) => {
      mark = shown.length;
      child.write(keys);
    },
    ended: new Promise((done) => child.onExit(({ exitCode }) => done(exitCode))),
  };
}

describe('the console', () => {
  let session: Session;
  beforeEach(async () => {
    session = open();
    await session.see(PROMPT);
  });
  afterEach(async () => {
    // Politely first: a program that is killed can't tidy up.
    try {
      process.kill(session.child.pid, 'SIGTERM');
    } catch {
      return; // Ended by itself.
    }
    const tooLong = setTimeout(() => process.kill(session.child.pid, 'SIGKILL'), 5_000);
    await session.ended;
    clearTimeout(tooLong);
  });

  it('evaluates expressions in the running kernel and prints the results', async () => {
    session.type('6 * 7\r');
    expect(await session.see(/^42$/m)).toContain('42');
    session.type('hpet.counter()\r');
    await session.see(/^[\d_]+n$/m);
    session.type('({ name: "x", list: [1, 2] })\r');
    await session.see(/name: 'x'/);
  });

  it('help() lists what is there', async () => {
    session.type('help()\r');
    const text = await session.see(/heap +bytes/);
    for (const name of ['clock', 'hpet', 'pit', 'lapic', 'acpi', 'machine', 'hw']) expect(text).toMatch(new RegExp(`^ +${name} `, 'm'));
  });

  it('clock.now() goes on, and so do the timers', async () => {
    session.type('[clock.now(), timer.interrupts()]\r');
    const first = /\[\s*([\d_]+)n,\s*([\d_]+)\s*\]/.exec(await session.see(/\[\s*[\d_]+n,\s*[\d_]+\s*\]/))!;
    await new Promise((done) => setTimeout(done, 300));
    session.type('[clock.now(), timer.interrupts()]\r');
    const second = /\[\s*([\d_]+)n,\s*([\d_]+)\s*\]/.exec(await session.see(/\[\s*[\d_]+n,\s*[\d_]+\s*\]/))!;
    const number = (text: string): number => Number(text.replaceAll('_', ''));
    expect(number(second[1]!)).toBeGreaterThan(number(first[1]!) + 200_000_000);
    expect(number(second[2]!)).toBeGreaterThan(number(first[2]!) + 10);
  });

  it('shows errors and survives them', async () => {
    session.type('nothing.there\r');
    await session.see(/ReferenceError: .*nothing/);
    session.type('1 +\r');
    await session.see('SyntaxError');
    session.type('hw.in8(70000)\r');
    await session.see('RangeError: in8: port is 0x11170');
    session.type('2 + 2\r');
    await session.see(/^4$/m);
  });

  it('stops an evaluation that does not end', async () => {
    session.type('for (;;);\r');
    await session.see('InternalError: evaluation stopped at its time limit');
    session.type('3 + 4\r');
    await session.see(/^7$/m);
  });

  it('keeps what is defined, and a history', async () => {
    session.type('var answer = 42\r');
    await session.see(PROMPT);
    session.type('answer + 1\r');
    await session.see(/^43$/m);
    session.type('\x1b[A\x1b[A\r');
    await session.see(PROMPT);
    session.type('\x1b[A\x1b[A\r');
    await session.see(/^43$/m);
  });

  it('Ctrl-C abandons a line', async () => {
    session.type('hw.exit(0x11)\x03');
    await session.see(PROMPT);
    session.type('"still " + "here"\r');
    await session.see("'still here'");
  });

  it('Tab completes names', async () => {
    session.type('hpet.cou\t()\r');
    await session.see(/^[\d_]+n$/m);
  });

  it('Ctrl-D leaves with 0', async () => {
    session.type('\x04');
    expect(await session.ended).toBe(0);
  });

  it('Ctrl-] ends QEMU whatever the kernel does', async () => {
    session.type('for (;;);\r');
    session.type('\x1d');
    expect(await session.ended).toBe(130);
  });
});

it('takes a script from a pipe', () => {
  const { status, stdout } = spawnSync('node', [program, 'console', '--timeout', '60'], {
    cwd: projectRoot(),
    input: '6 * 7\nclock.frequency() > 0n\n',
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(status).toBe(0);
  expect(stdout).toMatch(/^42\r?$/m);
  expect(stdout).toMatch(/^true\r?$/m);
});

describe('the console of a system', () => {
  /** Two that count their slots and give the rest away, in frames of 2 ms. */
  const session = (...lines: readonly string[]): string => sessionOf('counters', ...lines);
  function sessionOf(system: string, ...lines: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync('node', [program, 'console', `test/systems/${system}.ts`, '--timeout', '60'], {
      cwd: projectRoot(),
      input: lines.map((line) => `${line}\n`).join(''),
      encoding: 'utf8',
      timeout: 90_000,
    });
    expect(status, stdout + stderr).toBe(0);
    return stdout.replaceAll(/\x1b\[[0-9;]*[A-Za-z]/g, '').replaceAll('\r', '');
  }
  /** What was printed after the nth prompt, the echo of what was typed left out. */
  const answers = (text: string): string[] =>
    text
      .split('chronovisor> ')
      .slice(1)
      .map((answer) => answer.split('\n').slice(1).join('\n').trim());

  it('lists partitions; they run when they are told to, and no slot is lost at the prompt', () => {
    const [, , before, , after, , later, late] = answers(
      session('1', '2', 'partitions()', 'run(ms(20))', 'partitions()', 'run()', 'partitions()', "partition('first').clocks()", 'now()'),
    );
    expect(before).toMatch(/^partition +state +slots +late +resets +exits +HW clock +EXEC clock\nfirst +ready +0 +0 +0 +0 /);
    expect(after).toMatch(/^first +idle +10 +0 +0 +/m);
    expect(after).toMatch(/^second +idle +10 +0 +0 +/m);
    expect(later).toMatch(/^first +idle +11 +0 +0 +/m);
    const hw = Number(/hw: ([\d_]+)n/.exec(late!)![1]!.replaceAll('_', ''));
    // The prompt has taken time of its own, which is not the system's: it stands shortly before the end of a frame.
    expect(hw).toBeGreaterThan(21_900_000);
    expect(hw).toBeLessThanOrEqual(22_000_000);
  });

  it('stands between frames of any length, and no slot is late or lost where plans change at the prompt', () => {
    const [short, , , long, now, , , back] = answers(
      sessionOf(
        'two-plans',
        'run(ms(4))',
        'partitions()',
        "plan('long')",
        'run(ms(7))',
        'partitions()',
        'now()',
        "plan('short')",
        'run(ms(6))',
        'partitions()',
      ),
    ).slice(1);
    for (const [table, slots] of [
      [short, 2],
      [long, 4],
      [back, 7],
    ] as const)
      for (const name of ['first', 'second']) expect(table).toMatch(new RegExp(`^${name} +idle +${slots} +0 +0 +`, 'm'));
    // Frames began at 4 and 9 ms; the second one is over shortly before its end.
    expect(Number(/(\d[\d_]*)n/.exec(now!)![1]!.replaceAll('_', ''))).toBeGreaterThan(13_900_000);
  });

  it('shows what partitions write, each line with its name', () => {
    const text = session('run(ms(20))');
    expect(text).toMatch(/^first: slot 1$/m);
    expect(text).toMatch(/^second: slot 10$/m);
    expect(text).not.toContain('slot 11');
  });

  it('suspends and resumes a partition', () => {
    const [, , state, , suspended, , twice, , , resumed] = answers(
      session(
        'run(ms(4))',
        "partition('first').suspend()",
        "partition('first').state()",
        'run(ms(10))',
        'partitions()',
        "var lines = partition('first')",
        'lines.suspend()',
        'lines.resume()',
        'run(ms(2))',
        'partitions()',
      ),
    );
    expect(state).toBe("'suspended'");
    expect(suspended).toMatch(/^first +suspended +7 +0 +0 +/m);
    expect(twice).toMatch(/^Error: first is suspended$/m);
    expect(resumed).toMatch(/^first +idle +8 +0 +0 +/m);
  });

  it('while a partition is suspended the others run, and it does not', () => {
    const text = session("partition('first').suspend()", 'run(ms(10))');
    expect(text).toMatch(/^second: slot 5$/m);
    expect(text).not.toMatch(/^first: /m);
  });

  it('resets a partition: its program begins anew, its execution clock at 0', () => {
    const text = session('run(ms(10))', "partition('first').reset()", 'partition(0).clocks()', 'run(ms(10))', 'partitions()');
    expect(text).toMatch(/exec: 0n/);
    expect(text.match(/^first: slot 1$/gm)).toHaveLength(2);
    expect(text).toMatch(/^first +idle +\d+ +\d+ +1 +/m);
  });

  it('shows memory, and refuses what is none of the partition', () => {
    const text = session('run(ms(4))', "partition('second').peek(0x8000, 16)", "partition('second').peek(65530, 16)");
    expect(text).toMatch(/^00008000 {2}([0-9a-f]{2} ){16} .{16}$/m);
    expect(text).toMatch(/^RangeError: peek: 65530, 16: second has memory from 0 to 65536/m);
  });

  it('says what there is when a name is wrong, and what a duration is', () => {
    const text = session("partition('third')", 'run(5)', 'run(ms(0.0000001))');
    expect(text).toContain('RangeError: partition third: there is first (0), second (1)');
    expect(text).toContain('TypeError: run: expected a duration such as ms(10), us(500) or seconds(1)');
    expect(text).toContain('RangeError: 1e-7: not a whole number of nanoseconds');
  });

  it('stays when the system has ended, and says why it does not run', () => {
    const text = session('run(seconds(1))', 'run()', "partition('second').state()");
    expect(text).toMatch(/^the system has ended: its duration is over$/m);
    expect(text).toContain('Error: the system has ended: its duration is over');
    expect(text).toMatch(/^'idle'$/m);
  });

  it('is refused for a file that is no system', () => {
    const { status, stderr } = spawnSync('node', [program, 'console', 'test/bundles/shims.ts'], { cwd: projectRoot(), encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toContain('is no system file');
  });

  it('Ctrl-C stops what runs', async () => {
    const child = open('test/systems/endless.ts');
    await child.see(PROMPT);
    child.type('run(seconds(3600))\r');
    await new Promise((done) => setTimeout(done, 1_000));
    child.type('\x03');
    await child.see(/stands at \d+ \wss?\n[^]*chronovisor> /);
    child.type('\x04');
    expect(await child.ended).toBe(0);
  });
});
