/** chronovisor diff, in a process of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EVENTS } from '../../kernel/trace/events.ts';
import { formatLine, HEADER_LINE } from '../../kernel/trace/text.ts';
import { runProgram, type ProgramResult } from '../harness/program.ts';

const folder = mkdtempSync(join(tmpdir(), 'diff test '));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const diff = (...words: string[]): Promise<ProgramResult> => runProgram(['diff', ...words], { cwd: folder });
const linesOf = (text: string): string[] => text.split('\n').slice(0, -1);

function log(name: string, lates: readonly bigint[], change: (lines: string[]) => string[] = (lines) => lines): string {
  const interrupts = lates.map((late, index) => {
    const nominal = 1_000_000n * BigInt(index + 1);
    return formatLine(EVENTS.timerInterrupt, nominal + late + 1_500n, 0, ['hpet', index, nominal, nominal + late]);
  });
  const lines = change([HEADER_LINE, ...interrupts]);
  writeFileSync(join(folder, name), lines.map((line) => `${line}\n`).join(''));
  return name;
}
const LATES = Array.from({ length: 10 }, (_, index) => BigInt(5 + (index % 2)));
const A = log('a.log', LATES);

describe('two runs', () => {
  it('are the same, whatever the firmware and the tools said besides: status 0', async () => {
    const same = log('same.log', LATES, (lines) => [
      'SeaBIOS',
      ...lines.slice(0, 4),
      '# a comment',
      ...lines.slice(4).map((line) => `${line}\r`),
    ]);
    const { status, stdout } = await diff(A, same);
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'held: the runs are the same, 10 lines\n' });
  });

  it('part where the first line is another: status 1, with what differs, what was before, and the figures', async () => {
    const later = log(
      'later.log',
      LATES.map((late, index) => (index >= 6 ? late + 7n : late)),
    );
    const { status, stdout } = await diff(A, later);
    expect(status).toBe(1);
    const lines = linesOf(stdout);
    expect(lines[0]).toBe('The runs are the same for 6 lines, then part: timer.interrupt: at 7 ns more, taken 7 ns more');
    expect(lines.slice(1, 6).map((line) => line.slice(0, 8).trim())).toEqual(['5', '6', '7', '<      8', '>      8']);
    expect(lines).toContain('Figures that differ: < a.log, > later.log');
    expect(stdout).toMatch(/^timer\.lateness hpet max +6 ns +13 ns +\+7 ns$/m);
    expect(stdout).not.toMatch(/^timer\.lateness hpet (count|min) /m);
    expect(lines.at(-1)).toBe('failed: the runs part after 6 lines');
  });

  it('part where one of them ends', async () => {
    const { status, stdout } = await diff(A, log('short.log', LATES.slice(0, 8)));
    expect(status).toBe(1);
    expect(linesOf(stdout).slice(0, 6)).toEqual([
      'The runs are the same for 8 lines, then part: short.log ends here',
      ...[7, 8, 9].map((number): unknown => expect.stringMatching(new RegExp(`^ {6,}${number} `))),
      expect.stringMatching(/^< +10 /),
      '>    end',
    ]);
  });

  it('that are not meant to be the same have their figures compared, with --figures: status 0', async () => {
    const other = log('other.log', [1n, 900n, 3n]);
    const { status, stdout } = await diff(A, other, '--figures');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^timer\.lateness hpet count +10 +3 +-7$/m);
    expect(stdout).not.toContain('part');
    expect((await diff(A, A, '--figures')).stdout).toBe('No figure differs.\n');
  });

  it('are compared for programs: JSON', async () => {
    const { stdout } = await diff(A, 'short.log', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      same: 8,
      divergence: { a: { line: 10 } },
      figures: { a: expect.any(Array), b: expect.any(Array) },
    });
  });

  it.each([
    ['none.log', /none\.log: there is no such file/],
    ['empty.log', /empty\.log: the file is empty/],
  ])('can not be compared with %s: status 3', async (name, message) => {
    if (name === 'empty.log') writeFileSync(join(folder, name), '');
    const { status, stderr } = await diff(A, name);
    expect(status).toBe(3);
    expect(stderr).toMatch(message);
  });
});
