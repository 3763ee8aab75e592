import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EVENTS } from '../../kernel/trace/events.ts';
import { formatLine, HEADER_LINE } from '../../kernel/trace/text.ts';
import { createLogReader, readingRemarks, readLog, requireLog, type LogReader, type ReadLine } from './read.ts';

const folder = mkdtempSync(join(tmpdir(), 'read test '));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const START = formatLine(EVENTS.kernelStart, 5_344_284n, 0, ['0.1.0', 'run=system', 2_874_999n]);
const SLOTS = Array.from({ length: 5 }, (_, index) => {
  const nominal = 10_000_000n * BigInt(index + 1);
  return formatLine(EVENTS.slotRun, nominal + 9_000n, 0, [0, 0, index, nominal, nominal + 2n, nominal + 8_000n]);
});
const LOG = [HEADER_LINE, START, ...SLOTS];
const asText = (lines: readonly string[], end = '\n'): string => lines.map((line) => line + end).join('');

function read(bytes: Uint8Array | string, chunk = Infinity): { lines: ReadLine[]; counts: LogReader['counts'] } {
  const lines: ReadLine[] = [];
  const reader = createLogReader((line) => lines.push(line));
  const all = Buffer.from(bytes);
  for (let at = 0; at < all.length; at += Math.min(chunk, all.length)) reader.push(all.subarray(at, at + chunk));
  reader.end();
  return { lines, counts: reader.counts };
}

/** Event and stamp of each record, which nothing around it may change. */
const recordsOf = (lines: readonly ReadLine[]): string[] =>
  lines.flatMap(({ parsed }) => (parsed.kind === 'record' ? [`${parsed.record.event} ${parsed.record.at}`] : []));
const RECORDS = recordsOf(read(asText(LOG)).lines);

describe('a log that these tools wrote', () => {
  it('has its lines with number and offset, and one boot', () => {
    const { lines, counts } = read(asText(LOG));
    expect(lines.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const bytes = asText(LOG);
    for (const { offset, text } of lines) expect(bytes.slice(offset, offset + text.length)).toBe(text);
    expect(counts).toMatchObject({ bytes: bytes.length - 1, lines: 7, records: 6, unknown: 0, other: 0, boots: 1, version: undefined });
    expect(readingRemarks(counts)).toEqual([]);
  });

  it.each([1, 7, 64])('is the same in chunks of %i bytes', (chunk) => {
    expect(read(asText(LOG, '\r\n'), chunk).lines).toEqual(read(asText(LOG, '\r\n')).lines);
  });

  it('counts offsets in bytes where characters have several', () => {
    const { lines } = read(Buffer.concat([Buffer.from('µs €\n'), Buffer.from([0xff, 0x0a]), Buffer.from(START)]));
    expect(lines.map(({ offset }) => offset)).toEqual([0, 8, 10]);
  });
});

describe('what a capture does to a log', () => {
  it.each([
    ['CRLF', (line: string) => `${line}\r\n`],
    ['a pty on the way', (line: string) => `${line}\r\r\n`],
    ['tio', (line: string) => `[12:34:56.789] ${line}\r\n`],
    ['tio, iso8601', (line: string) => `[2026-11-25T12:34:56.789Z] ${line}\r\n`],
    ['ts', (line: string) => `Nov  5 00:52:14 ${line}\r\n`],
    ["ts '%F %.T'", (line: string) => `2026-11-25 00:52:14.123456 ${line}\n`],
    ['ts -s', (line: string) => `00:00:01 ${line}\n`],
    ["ts '%.s'", (line: string) => `1764031934.123456 ${line}\n`],
    ['a terminal', (line: string) => `\x1b[0m${line}\x1b[K\r\n`],
  ])('leaves all records readable: %s', (_, write) => {
    const { lines, counts } = read(LOG.map(write).join(''));
    expect(recordsOf(lines)).toEqual(RECORDS);
    expect(counts).toMatchObject({ other: 0, salvaged: expect.any(Number) as number, boots: 1 });
    expect(lines[0]!.parsed).toMatchObject({ kind: 'comment', version: 1 });
  });

  it('says nothing of stamps of the capturing program, and of diagnostics behind them', () => {
    const { lines, counts } = read(`[12:34:56.789] ${START}\n[12:34:56.790] ! uncaught Error\n`);
    expect(lines.map(({ before, parsed }) => [before, parsed.kind])).toEqual([
      ['[12:34:56.789] ', 'record'],
      ['[12:34:56.790] ', 'diagnostic'],
    ]);
    expect(readingRemarks(counts)).toEqual([]);
  });

  it('reads UTF-16, as some shells redirect it', () => {
    const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(asText(LOG, '\r\n'), 'utf16le')]);
    expect(recordsOf(read(utf16).lines)).toEqual(RECORDS);
  });

  it("finds the header and records behind the firmware's last words", () => {
    const { lines, counts } = read(`\x1bcSeaBIOS (version 1.16)\nBooting...${HEADER_LINE}\niPXE ok${START}\n`);
    expect(lines.map(({ before, parsed }) => [before, parsed.kind])).toEqual([
      ['', 'other'],
      ['Booting...', 'comment'],
      ['iPXE ok', 'record'],
    ]);
    expect(readingRemarks(counts)).toEqual([
      '1 of 3 lines are not records of this grammar; they are kept as they are',
      '1 records stand behind something else in their line',
    ]);
  });

  it('separates records whose line end was lost, both in the same line', () => {
    const { lines } = read(`${SLOTS[0]!}${SLOTS[1]!}\n${SLOTS[2]!}\n`);
    expect(recordsOf(lines)).toEqual(RECORDS.slice(1, 4));
    expect(lines.map(({ number }) => number)).toEqual([1, 1, 2]);
  });

  it('finds records behind NUL bytes and noise of a line that is being connected', () => {
    expect(recordsOf(read(Buffer.concat([Buffer.from([0, 0, 0xff, 0xf0, 0]), Buffer.from(asText(LOG.slice(1)))])).lines)).toEqual(RECORDS);
  });

  it('keeps several boots apart, by the header or by kernel.start where that was lost', () => {
    const boots = (text: string): number[] => read(text).lines.map(({ boot }) => boot);
    expect(boots(asText([...LOG, ...LOG]))).toEqual([...LOG.map(() => 0), ...LOG.map(() => 1)]);
    expect(boots(asText([...LOG.slice(1), ...LOG.slice(1)]))).toEqual([...RECORDS.map(() => 0), ...RECORDS.map(() => 1)]);
    expect(read(asText([...LOG, ...LOG])).counts).toMatchObject({ boots: 2, backward: 0 });
  });

  it('keeps a boot apart that did not come to its first record', () => {
    const lines = [...LOG, HEADER_LINE, '! boot module: kernel.js is cut short', ...LOG];
    expect(read(asText(lines)).lines.map(({ boot }) => boot)).toEqual([...LOG.map(() => 0), 1, 1, ...LOG.map(() => 2)]);
  });

  it('counts records out of order, per CPU', () => {
    const other = SLOTS[0]!.replace('cpu0', 'cpu1');
    const late = (line: string): string => line.replace(/\d+(?= cpu)/, (stamp) => `1${stamp.padStart(9, '0')}`);
    const { counts } = read(asText([late(SLOTS[2]!), other, SLOTS[1]!, SLOTS[3]!]));
    expect(counts.backward).toBe(1);
    expect(readingRemarks(counts)).toEqual(['1 records are earlier than the one before']);
  });

  it('does not mistake what a text says for a record', () => {
    const line = formatLine(EVENTS.log, 7n, 0, [`see   100 cpu0 info  log message=x`]);
    expect(recordsOf(read(line).lines)).toEqual(['log 7']);
  });
});

/** Whole numbers below `most`, the same in each run (Lehmer, Park and Miller 1988). */
function numbers(seed: number): (most: number) => number {
  let state = seed;
  return (most) => (state = (state * 48_271) % 2_147_483_647) % most;
}

describe('a log that is cut or damaged anywhere', () => {
  const bytes = Buffer.from(asText(LOG, '\r\n'));

  it('as any prefix has the records of its whole lines, and perhaps the last one', () => {
    for (let length = 0; length <= bytes.length; length++) {
      const records = recordsOf(read(bytes.subarray(0, length)).lines);
      const whole = recordsOf(read(bytes.subarray(0, bytes.lastIndexOf('\n', length - 1) + 1)).lines);
      expect(records.slice(0, whole.length), `${length} bytes`).toEqual(length === 0 ? [] : whole);
      expect(records.length - whole.length, `${length} bytes`).toBeLessThanOrEqual(1);
    }
  });

  it('as any suffix has the records of its whole lines', () => {
    for (let start = 0; start < bytes.length; start++) {
      const whole = recordsOf(read(bytes.subarray(start === 0 ? 0 : bytes.indexOf('\n', start - 1) + 1)).lines);
      expect(recordsOf(read(bytes.subarray(start)).lines).slice(-whole.length || Infinity), `from ${start}`).toEqual(whole);
    }
  });

  it('with bytes deleted, changed or put in has the records of all other lines', () => {
    const next = numbers(6);
    for (let round = 0; round < 2_000; round++) {
      const lines = LOG.slice(1).map((line) => Buffer.from(`${line}\r\n`));
      const victim = next(lines.length);
      const whole = lines[victim]!;
      // The line's end stays: without it two lines are one.
      const at = next(whole.length - 2);
      const taken = next(Math.min(20, whole.length - 2 - at) + 1);
      const put = Buffer.from(Array.from({ length: next(8) }, () => next(256)).filter((byte) => byte !== 0x0a));
      lines[victim] = Buffer.concat([whole.subarray(0, at), put, whole.subarray(at + taken)]);
      const records = recordsOf(read(Buffer.concat(lines), 1 + next(200)).lines);
      const others = RECORDS.filter((_, index) => index !== victim);
      expect(
        records.filter((record) => others.includes(record)),
        `round ${round}`,
      ).toEqual(others);
    }
  });

  it('never fails for random bytes, and delivers all of their lines', () => {
    const next = numbers(66);
    for (let round = 0; round < 200; round++) {
      const random = Buffer.from(Array.from({ length: next(2_000) }, () => next(256)));
      const { lines } = read(random, 1 + next(300));
      const ends = random.filter((byte) => byte === 0x0a).length;
      expect(lines.at(-1)?.number ?? 0).toBe(ends + (random.length > 0 && random.at(-1) !== 0x0a ? 1 : 0));
    }
  });
});

describe('files', () => {
  function file(name: string, content: string | Uint8Array): string {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  }
  const nothing = (): void => undefined;
  async function refusalOf(path: string): Promise<string> {
    try {
      requireLog(path, await readLog(path, nothing));
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  }

  it('an empty one is said to be empty', async () => {
    expect(await refusalOf(file('empty.log', ''))).toMatch(/empty\.log: the file is empty$/);
  });

  it('a log of another program is said to be none of ours, with its first line', async () => {
    const dmesg = file('dmesg.log', '[    0.000000] Linux version 6.1.0\n[    0.000001] Command line: quiet\n');
    expect(await refusalOf(dmesg)).toMatch(
      /dmesg\.log: this is no log of Chronovisor: none of its 2 lines is a record; the first is "\[ +0\.000000\] Linux version 6\.1\.0"$/,
    );
  });

  it('the log of a kernel that said nothing but why is one', async () => {
    const path = file('early.log', asText([HEADER_LINE, '! boot module: kernel.js is cut short, 3584 of 9004 bytes']));
    expect(await refusalOf(path)).toBe('');
  });

  it('a binary one too', async () => {
    expect(await refusalOf(file('binary.log', Buffer.from(Array.from({ length: 5_000 }, (_, index) => (index * 7) % 256))))).toContain(
      'this is no log of Chronovisor',
    );
  });

  it('one of a later grammar is read as far as it goes', async () => {
    const path = file('future.log', asText(['# chronovisor-trace 7', START, '  9000000 cpu0 info  vdev.hpet-write register=0x10']));
    const counts = await readLog(path, nothing);
    expect(counts).toMatchObject({ records: 1, unknown: 1, version: 7 });
    expect(readingRemarks(counts)[0]).toBe('the log has grammar version 7; this program knows 1 and reads as far as that goes');
    expect(
      await refusalOf(file('foreign.log', asText(['# chronovisor-trace 7', '  9000000 cpu0 info  vdev.hpet-write register=0x10']))),
    ).toMatch(/none of its 2 lines is a record that this program knows; its grammar has version 7, this program knows 1$/);
  });

  it('10 GB without a line end are refused at once, with the place', async () => {
    const path = file('huge.log', asText(LOG));
    const descriptor = openSync(path, 'r+');
    ftruncateSync(descriptor, 10 * 1024 ** 3);
    closeSync(descriptor);
    const began = performance.now();
    const message = await refusalOf(path);
    expect(message).toMatch(
      new RegExp(`huge\\.log: line 8, from byte ${asText(LOG).length} on, has no end within 64 MiB: this is no log$`),
    );
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('a line of 10 MB is one line, cut, and those behind it are read', async () => {
    const lines: ReadLine[] = [];
    await readLog(file('giant.log', `${'x'.repeat(10_000_000)}\n${START}\n`), (line) => lines.push(line));
    expect(lines.map(({ text, offset }) => [text.length, offset])).toEqual([
      [1 << 20, 0],
      [START.length, 10_000_001],
    ]);
  });

  it.each([
    ['missing.log', /missing\.log: there is no such file$/],
    ['.', /EISDIR/],
  ])('%s can not be read, which is said', async (name, message) => {
    expect(await refusalOf(join(folder, name))).toMatch(message);
  });

  it('an error of the one who takes the lines is not taken for one of the file', async () => {
    const failing = readLog(file('fine.log', asText(LOG)), () => {
      throw new RangeError('mine');
    });
    await expect(failing).rejects.toThrow(/^mine$/);
  });
});
