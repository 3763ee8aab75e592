import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../testing/random.ts';
import { ALL_EVENTS, asRead, samplesOf, sampleRecords } from '../testing/trace-samples.ts';
import { defineEvent, FIELDS_MAX, FLAG, HEX, LEVELS, NANOS, STAMP, TEXT, type EventDefinition } from './event.ts';
import { EVENT_BY_ID, EVENT_BY_NAME, EVENTS } from './events.ts';
import { formatLine, GRAMMAR_VERSION, HEADER_LINE, levelRank, parseLine, type LogLine } from './text.ts';

const SCALE = { toNanos: (tsc: bigint) => tsc };
const readValues = (event: EventDefinition, values: readonly unknown[]): unknown[] =>
  event.fields.map(([, type], index) => asRead(type, values[index], SCALE));
const named = (event: EventDefinition, values: readonly unknown[]): Record<string, unknown> =>
  Object.fromEntries(event.fields.map(([name], index) => [name, values[index]]));

/** The grammar, written down again on its own: a line that the kernel writes has to match it. */
const WORD = /[^\s"]+/.source;
const QUOTED = /"(?:[^"\\]|\\.)*"/.source;
const LINE = new RegExp(`^ *\\d+ cpu\\d+ (error|warn|info|debug) +[a-z][a-z0-9.-]*( [a-z][a-z0-9-]*=(${QUOTED}|${WORD}))*$`);

describe('events', () => {
  it('have unique numbers, and are found by them', () => {
    const ids = ALL_EVENTS.map(({ id }) => id);
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
    expect(EVENT_BY_ID.size).toBe(ids.length);
    for (const event of ALL_EVENTS) expect(EVENT_BY_ID.get(event.id)).toBe(event);
  });

  it('have unique names, and are found by them', () => {
    const names = ALL_EVENTS.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    for (const event of ALL_EVENTS) expect(EVENT_BY_NAME.get(event.name)).toBe(event);
  });

  it.each(ALL_EVENTS.map((event) => [event.name, event] as const))(
    '%s: names, level and number of fields are those of the grammar',
    (name, event) => {
      expect(name).toMatch(/^[a-z][a-z0-9.-]*$/);
      expect(LEVELS).toContain(event.level);
      expect(event.fields.length).toBeLessThanOrEqual(FIELDS_MAX);
      for (const [field] of event.fields) expect(field).toMatch(/^[a-z][a-z0-9-]*$/);
      const fields = event.fields.map(([field]) => field);
      expect(new Set(fields).size, 'fields of different names').toBe(fields.length);
    },
  );

  it.each([0, -1, 0x10000, 1.5, NaN])('can not be defined with the number %d', (id) => {
    expect(() => defineEvent(id, 'x', 'info', [])).toThrow(new RangeError(`event x: id ${id} is not within 1..65535`));
  });

  it('can not be defined with more fields than a record has lanes', () => {
    const fields = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => [name, FLAG] as const);
    expect(defineEvent(1, 'x', 'info', fields.slice(0, 6)).fields).toHaveLength(6);
    expect(() => defineEvent(1, 'x', 'info', fields)).toThrow(new RangeError('event x: 7 fields, at most 6 fit a record'));
  });
});

describe('levels', () => {
  it('rank by weight', () => {
    expect(LEVELS.map(levelRank)).toEqual([0, 1, 2, 3]);
    expect(levelRank('error')).toBeLessThan(levelRank('debug'));
  });
});

describe('a value as text', () => {
  const types = new Map(ALL_EVENTS.flatMap((event) => event.fields.map(([name, type]) => [type, `${event.name} ${name}`] as const)));

  it.each([...types].map(([type, where]) => [where, type] as const))(
    'is one word or one quoted string, and is read back: %s',
    (_, type) => {
      for (const sample of samplesOf(type)) {
        const value = asRead(type, sample, SCALE);
        const text = type.toText(value);
        expect(text).toMatch(new RegExp(`^(${QUOTED}|${WORD})$`));
        expect(text).not.toMatch(/[\n\r]/);
        expect(type.fromText(text)).toEqual(value);
      }
    },
  );

  it.each([
    [NANOS, ['', 'ns', '1', '1n', '1.5ns', '0x1ns', '1 ns', '1ns ', '--1ns', 'NaNns']],
    [STAMP, ['', '@', '1', '@1.5', '@@1', '@x', '@1ns']],
    [HEX, ['', '0x', '10', '0xFG', '0x-1', '-0x1', '0x1.8', '0xABC']],
    [FLAG, ['', 'y', 'ye', 'n', 'true', '1', 'YES']],
    [EVENTS.acpiTable.fields[2][1], ['', '-', '1.5', '1e5', '0x1', 'NaN', '1_000']],
    [EVENTS.acpiTable.fields[3][1], ['', 'o', 'OK', 'unknown-5', 'constructor']],
    [EVENTS.benchmark.fields[1][1], ['', '-', '1.', '.5', '1e', '1e+', 'infinity', 'Infin', 'nan', '0x1']],
    [TEXT, ['"', '"a', '"a\\"', '"\\x"', '"a"b']],
  ])('that no toText wrote is none: %#', (type, texts) => {
    for (const text of texts) expect(type.fromText(text), text).toBeUndefined();
  });
});

describe('a line', () => {
  it('of a record has stamp, CPU, level, name and fields, in columns', () => {
    expect(formatLine(EVENTS.timerInterrupt, 1_234_567n, 0, ['pit', 17, 1_234_000n, 1_234_500n])).toBe(
      '     1234567 cpu0 debug timer.interrupt timer=pit index=17 nominal=@1234000 taken=@1234500',
    );
    expect(formatLine(EVENTS.kernelExit, 0n, 12, [0x10, 'said so'])).toBe(
      '           0 cpu12 info  kernel.exit code=0x10 reason="said so"',
    );
  });

  it('is one line, whatever a text holds', () => {
    expect(formatLine(EVENTS.log, 5n, 0, ['a\r\nb\n       6 cpu0 info  log message=forged'])).toBe(
      String.raw`           5 cpu0 info  log message="a\r\nb\n       6 cpu0 info  log message=forged"`,
    );
  });

  it.each(ALL_EVENTS.map((event) => [event.name, event] as const))(
    'of %s is of the grammar and says what the record says',
    (name, event) => {
      for (const sample of sampleRecords(event)) {
        const values = readValues(event, sample);
        const line = formatLine(event, 98_765n, 3, values);
        expect(line).toMatch(LINE);
        expect(parseLine(line)).toEqual({
          kind: 'record',
          record: { event: name, at: 98_765n, cpu: 3, level: event.level, fields: named(event, values) },
        });
      }
    },
  );

  it('may have a stamp of any length', () => {
    for (const at of [0n, 999_999_999_999n, 10n ** 12n, 2n ** 63n - 1n]) {
      expect(parseLine(formatLine(EVENTS.log, at, 0, ['x']))).toMatchObject({ kind: 'record', record: { at } });
    }
  });

  it('may end with a carriage return, which is no part of it', () => {
    const line = formatLine(EVENTS.kernelExit, 1n, 0, [0x10, 'ok']);
    expect(parseLine(line + '\r')).toEqual(parseLine(line));
    expect(parseLine('SeaBIOS\r')).toEqual({ kind: 'other', text: 'SeaBIOS' });
    expect(parseLine('\r')).toEqual({ kind: 'other', text: '' });
  });

  it('of a log begins with the version of the grammar', () => {
    expect(parseLine(HEADER_LINE)).toEqual({ kind: 'comment', text: HEADER_LINE, version: GRAMMAR_VERSION });
    expect(parseLine('# chronovisor-trace 27\r')).toEqual({ kind: 'comment', text: '# chronovisor-trace 27', version: 27 });
  });

  it.each([
    ['# anything', { kind: 'comment', text: '# anything' }],
    ['#', { kind: 'comment', text: '#' }],
    ['# chronovisor-trace 1 and more', { kind: 'comment', text: '# chronovisor-trace 1 and more' }],
    ['! panic: x=1', { kind: 'diagnostic', text: 'panic: x=1' }],
    ['!', { kind: 'other', text: '!' }],
    ['', { kind: 'other', text: '' }],
    ['SeaBIOS (version 1.16.2-debian-1.16.2-1)', { kind: 'other', text: 'SeaBIOS (version 1.16.2-debian-1.16.2-1)' }],
    ['\x1bc\x1b[?7l\x1b[2J', { kind: 'other', text: '\x1bc\x1b[?7l\x1b[2J' }],
    ['           5 cpu0 note  log message=x', { kind: 'other', text: '           5 cpu0 note  log message=x' }],
    ['          -5 cpu0 info  log message=x', { kind: 'other', text: '          -5 cpu0 info  log message=x' }],
    ['           5 cpu info  log message=x', { kind: 'other', text: '           5 cpu info  log message=x' }],
    ['           5 cpu0 info  log message=x y', { kind: 'other', text: '           5 cpu0 info  log message=x y' }],
    ['\t5 cpu0 info  log message=x', { kind: 'other', text: '\t5 cpu0 info  log message=x' }],
  ] as [string, LogLine][])('that is no record is kept as what it is: %j', (line, expected) => {
    expect(parseLine(line)).toEqual(expected);
  });

  it.each([
    ['1 cpu0 info  no.such-event a=1 b="x y"', 'no.such-event', { a: '1', b: '"x y"' }, 'there is no event no.such-event'],
    ['1 cpu0 info  constructor', 'constructor', {}, 'there is no event constructor'],
    ['1 cpu0 info  log', 'log', {}, 'log has 1 fields, not 0'],
    ['1 cpu0 info  log message=a more=b', 'log', { message: 'a', more: 'b' }, 'log has 1 fields, not 2'],
    ['1 cpu0 info  log text=a', 'log', { text: 'a' }, 'message is missing'],
    ['1 cpu0 info  kernel.exit code=16 reason=x', 'kernel.exit', { code: '16', reason: 'x' }, 'code=16 is not a value of that field'],
    ['1 cpu0 info  kernel.exit reason=x reason=y', 'kernel.exit', { reason: 'y' }, 'kernel.exit has 2 fields, not 1'],
    [
      String.raw`1 cpu0 info  log message="\q"`,
      'log',
      { message: String.raw`"\q"` },
      String.raw`message="\q" is not a value of that field`,
    ],
  ])('of an unknown event or with other fields is kept with its problem: %s', (line, event, fields, problem) => {
    expect(parseLine(line)).toEqual({ kind: 'unknown-record', at: 1n, cpu: 0, level: 'info', event, fields, problem });
  });

  it('has its fields in any order', () => {
    expect(parseLine('1 cpu0 info  kernel.exit reason=x code=0x10')).toMatchObject({
      kind: 'record',
      record: { fields: { code: 16, reason: 'x' } },
    });
  });
});

describe('the document of the grammar', () => {
  const document = readFileSync(new URL('GRAMMAR.md', import.meta.url), 'utf8');
  const examples = /## Examples\n\n```\n([^`]+)```/.exec(document)![1]!.trimEnd().split('\n');

  it('has the version that is written', () => {
    expect(document).toContain(`Version ${GRAMMAR_VERSION}.`);
    expect(document).toContain(`header      = "${HEADER_LINE}"`);
  });

  it.each(examples)('has an example of what it says: %s', (line) => {
    const parsed = parseLine(line);
    expect(parsed.kind).toBe(line.startsWith('#') ? 'comment' : line.startsWith('!') ? 'diagnostic' : 'record');
    if (parsed.kind !== 'record') return;
    const { event, at, cpu, fields } = parsed.record;
    const definition = EVENT_BY_NAME.get(event)!;
    const values = definition.fields.map(([name]) => (fields as Record<string, unknown>)[name]);
    expect(formatLine(definition, at, cpu, values), 'written again').toBe(line);
  });
});

describe('a line that is cut short', () => {
  /**
   * A cut within the last field's value may leave a shorter value of the same kind: `count=12` of `count=123`. The
   * grammar has no mark at a line's end that would tell; everything before that value is whole, and it is a beginning
   * of the true one. Only what ends in a mark of its own (`ns`, a closing quote) can't be mistaken.
   */
  const CUTTABLE = /^(-?\d+|0x[0-9a-f]+|@-?\d+|-?\d+(\.\d+)?(e[-+]?\d+)?|[\w./:+*-]+)$/;

  it.each(ALL_EVENTS.map((event) => [event.name, event] as const))('is no record, or lacks the last value’s end: %s', (_, event) => {
    for (const sample of sampleRecords(event).filter((values) => String(values.at(-1)).length < 200)) {
      const values = readValues(event, sample);
      const whole = formatLine(event, 98_765n, 0, values);
      const lastValueAt = whole.lastIndexOf(` ${event.fields.at(-1)![0]}=`) + event.fields.at(-1)![0].length + 2;
      for (let length = 0; length < whole.length; length++) {
        const cut = whole.slice(0, length);
        const parsed = parseLine(cut);
        if (parsed.kind !== 'record') continue;
        expect(length, `"${cut}" ends within the last value`).toBeGreaterThan(lastValueAt);
        expect(cut.slice(lastValueAt)).toMatch(CUTTABLE);
        const expected = named(event, values);
        const [last] = event.fields.at(-1)!;
        expect({ ...parsed.record.fields, [last]: 0 }, cut).toEqual({ ...expected, [last]: 0 });
      }
    }
  });

  it.each([
    [EVENTS.garbageCollected, [1000n, 5, 123], ['after=1', 'after=12']],
    [EVENTS.kernelExit, [0x10, 'done'], ['reason=d', 'reason=do', 'reason=don']],
    [EVENTS.kernelExit, [0x10, 'well done'], []],
    [EVENTS.timerLatency, ['pit', 100n, 2000n], []],
    [EVENTS.cpu, ['a', 'b', 'c', true, false], []],
  ] as [EventDefinition, unknown[], string[]][])(
    'can be mistaken for a whole one only where a shorter value is one: %#',
    (event, values, mistaken) => {
      const whole = formatLine(event, 5n, 0, values);
      const taken: string[] = [];
      for (let length = 0; length < whole.length; length++) {
        const cut = whole.slice(0, length);
        if (parseLine(cut).kind === 'record') taken.push(cut.slice(cut.lastIndexOf(' ') + 1));
      }
      expect(taken).toEqual(mistaken);
    },
  );
});

describe('noise', () => {
  const LINES = ALL_EVENTS.flatMap((event) =>
    sampleRecords(event).map((values) => formatLine(event, 98_765n, 0, readValues(event, values))),
  ).filter((line) => line.length < 300);

  function checkWhole(line: string): void {
    const parsed = parseLine(line);
    const text = line.endsWith('\r') ? line.slice(0, -1) : line;
    if (parsed.kind === 'diagnostic') expect(`! ${parsed.text}`).toBe(text);
    else if (parsed.kind === 'comment' || parsed.kind === 'other') expect(parsed.text).toBe(text);
    else if (parsed.kind === 'record') expect(EVENT_BY_NAME.has(parsed.record.event)).toBe(true);
    else expect(parsed.problem).not.toBe('');
  }

  it('of random bytes never throws, and loses nothing', () => {
    const random = createRandom(2);
    for (let round = 0; round < 5000; round++) checkWhole(Buffer.from(random.bytes(random.integer(120))).toString('latin1'));
  });

  it('of the grammar’s own characters never throws, and loses nothing', () => {
    const random = createRandom(3);
    const pieces = [
      ' ',
      '1',
      '0',
      'cpu0',
      'info ',
      'log',
      'message=',
      '=',
      '"',
      '\\',
      'x',
      '.',
      '@',
      'ns',
      '# ',
      '! ',
      '-',
      '\r',
      'é',
      'kernel.exit',
      'code=0x10',
    ];
    for (let round = 0; round < 20_000; round++) {
      let line = random.integer(2) === 0 ? '' : '1 cpu0 info  ';
      for (let count = random.integer(12); count > 0; count--) line += pieces[random.integer(pieces.length)]!;
      checkWhole(line);
    }
  });

  it('within a line that was whole never throws, and loses nothing', () => {
    const random = createRandom(4);
    for (let round = 0; round < 5000; round++) {
      const line = LINES[random.integer(LINES.length)]!;
      const at = random.integer(line.length);
      checkWhole(line.slice(0, at) + String.fromCharCode(random.integer(256)) + line.slice(at + random.integer(3)));
    }
  });

  it('that is long does not take long', () => {
    for (const line of [
      '1 cpu0 info  log' + ' a=b'.repeat(50_000) + ' "',
      '1 cpu0 info  log message="' + '\\'.repeat(100_001),
      ' '.repeat(200_000) + 'x',
      '9'.repeat(20_000),
    ]) {
      const started = performance.now();
      expect(parseLine(line).kind).toBe('other');
      expect(performance.now() - started, `ms for ${line.slice(0, 40)}...`).toBeLessThan(1000);
    }
  });
});
