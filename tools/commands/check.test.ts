/** chronovisor check, in a process of its own. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVENTS } from '../../kernel/trace/events.ts';
import { formatLine, HEADER_LINE } from '../../kernel/trace/text.ts';
import { runProgram, type ProgramResult } from '../harness/program.ts';
import { projectRoot } from '../paths.ts';

const folder = mkdtempSync(join(tmpdir(), 'check test '));
const inFolder = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const check = (...words: string[]): Promise<ProgramResult> => runProgram(['check', ...words], { cwd: folder });

const WORDS = join(projectRoot(), 'partitions', 'promises.ts');
function promises(name: string, body: string): string {
  writeFileSync(inFolder(name), `import { definePromises, records, inOrder, ms, us, ns } from ${JSON.stringify(WORDS)};\n${body}\n`);
  return name;
}

beforeAll(() => {
  const interrupts = Array.from({ length: 20 }, (_, index) => {
    const nominal = 1_000_000n * BigInt(index + 1);
    return formatLine(EVENTS.timerInterrupt, nominal + 1_500n, 0, ['hpet', index, nominal, nominal + (index === 10 ? 400n : 3n)]);
  });
  writeFileSync(inFolder('run.log'), [HEADER_LINE, ...interrupts].map((line) => `${line}\n`).join(''));
  promises(
    'promises.ts',
    `const late = records('timer.interrupt').spans(({ taken, nominal }) => taken - nominal);
    export default definePromises({ 'never early': late.stayWithin(0n, us(1)), 'on time': late.stayWithin(0n, ns(100)) });`,
  );
  promises('kept.ts', `export default definePromises({ 'there are 20': records('timer.interrupt').haveCount(20) });`);
});

describe('promises', () => {
  it('that are kept: status 0', async () => {
    expect(await check('run.log', '--against', 'kept.ts')).toEqual({
      status: 0,
      stdout: 'kept    there are 20: 20 samples; saw 20\nheld: all 1 promises are kept\n',
      stderr: '',
    });
  });

  it('that are broken: status 1, with expected, seen, the worst and how to look there', async () => {
    const { status, stdout } = await check('run.log', '--against', 'promises.ts');
    expect(status).toBe(1);
    expect(stdout.split('\n')).toEqual([
      'kept    never early: every value to be within 0..1000 ns; all 20 are',
      'broken  on time: expected every value to be within 0..100 ns; 1 of 20 are not:',
      '  run.log:12: 400 ns',
      '  run.log:2: 3 ns',
      '  run.log:3: 3 ns',
      '  look: chronovisor timeline run.log --at @11001500',
      'failed: 1 of 2 promises are broken',
      '',
    ]);
  });

  it('have results for programs: JSON, and JUnit XML', async () => {
    const { status, stdout } = await check('run.log', '--against', 'promises.ts', '--json', '--junit', 'out/results.xml');
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      held: false,
      promises: [
        { promise: 'never early', holds: true },
        { promise: 'on time', holds: false, worst: [{ line: 12, at: 11_001_500 }, {}, {}] },
      ],
    });
    expect(readFileSync(inFolder('out/results.xml'), 'utf8')).toContain('tests="2" failures="1"');
  });
});

describe('what can not be checked', () => {
  it.each([
    ['without promises', ['run.log'], 2, /required option '--against <file>' not specified/],
    ['with promises that are not there', ['run.log', '--against', 'none.ts'], 2, /none\.ts: there is no such file of promises/],
    ['a log that is not there', ['none.log', '--against', 'kept.ts'], 3, /none\.log: there is no such file/],
    ['what is no log', ['kept.ts', '--against', 'kept.ts'], 3, /kept\.ts: this is no log of Chronovisor/],
    ['with results that can not be written', ['run.log', '--against', 'kept.ts', '--junit', 'run.log/x'], 2, /--junit run\.log\/x: E/],
  ])('%s', async (_, words, status, message) => {
    const result = await check(...words);
    expect(result.status).toBe(status);
    expect(result.stderr).toMatch(message);
  });

  it.each([
    ['no promises', 'export default 3;', /its default export is no set of promises; write export default definePromises/],
    ['no TypeScript', 'export default definePromises({', /mistake\.ts:\d+:\d+/],
    ['failing', "throw new Error('mine');\nexport default definePromises({});", /mistake\.ts:2:\d+: mine/],
    [
      'failing later',
      "export default definePromises({ x: records('timer.interrupt').spans(() => { throw new Error('mine') }).stayWithin(0n, 1n) });",
      /x: it can not be judged at line 2 of the log: mine/,
    ],
  ])('a file that is %s: status 1, with the place', async (_, body, message) => {
    const { status, stderr } = await check('run.log', '--against', promises('mistake.ts', body));
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
  });
});
