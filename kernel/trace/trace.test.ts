import { describe, expect, it } from 'vitest';
import { createFrameDecoder } from '../../tools/trace/frames.ts';
import { createRandom } from '../testing/random.ts';
import { ALL_EVENTS, asRead, sampleRecords } from '../testing/trace-samples.ts';
import { type Level, type ValuesOf } from './event.ts';
import { EVENTS } from './events.ts';
import { formatLine, HEADER_LINE, levelRank, parseLine } from './text.ts';
import { createTrace, type Trace, type TraceOptions } from './trace.ts';
import { CELL_BYTES, FRAME, FRAME_HEADER_BYTES } from './wire.ts';

const BOOT = 5_000n;
/** 2 GHz: two ticks a nanosecond. */
const TSC_HZ = 2_000_000_000n;
const SCALE = { toNanos: (tsc: bigint) => (tsc - BOOT) >> 1n };
const TSC_FREQUENCY: ValuesOf<typeof EVENTS.frequency> = ['tsc', TSC_HZ, 1n, 'measured', 'test', 0];

interface Recorder {
  readonly trace: Trace;
  /** What was sent, in pieces as they were written. */
  readonly blocks: Buffer[];
  bytes(): Buffer;
  readonly lines: string[];
  /** The TSC moves by 10 at each read. */
  tsc(): bigint;
}

function createRecorder(options: Partial<TraceOptions> & { readonly level?: Level } = {}): Recorder {
  const blocks: Buffer[] = [];
  const lines: string[] = [];
  let tsc = BOOT;
  const trace = createTrace({
    rdtsc: () => (tsc += 10n),
    bootStamp: BOOT,
    cpu: 0,
    capacity: 64,
    // Copied at once: the ring's cells are used again.
    frames: { write: (buffer, offset, length) => void blocks.push(Buffer.from(new Uint8Array(buffer, offset, length))) },
    lines: options.level ? { level: options.level, writeLine: (line) => void lines.push(line) } : undefined,
    ...options,
  });
  return { trace, blocks, bytes: () => Buffer.concat(blocks), lines, tsc: () => tsc };
}

/** @param pieces as they come from the channel */
function decode(...pieces: readonly Uint8Array[]): string[] {
  const lines: string[] = [];
  const decoder = createFrameDecoder((line) => lines.push(line));
  for (const piece of pieces) decoder.push(piece);
  decoder.end();
  return lines;
}

/** Lines without the header and without the one that says the TSC's frequency. */
const ofRecords = (lines: readonly string[]): string[] =>
  lines.filter((line) => line !== HEADER_LINE && !line.includes(' machine.frequency '));
const eventsOf = (lines: readonly string[]): string[] =>
  lines.map((line) => {
    const parsed = parseLine(line);
    return parsed.kind === 'record' ? parsed.record.event : parsed.kind;
  });
const countsOf = (lines: readonly string[]): unknown[] =>
  lines.map((line) => {
    const parsed = parseLine(line);
    return parsed.kind === 'record' && parsed.record.event === 'trace.dropped' ? parsed.record.fields.count : line;
  });

const log = (trace: Trace, message: string): void => trace.record(EVENTS.log, message);
const messagesOf = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => {
    const parsed = parseLine(line);
    return parsed.kind === 'record' && parsed.record.event === 'log' ? [parsed.record.fields.message] : [];
  });

describe('from the ring over frames to lines', () => {
  it.each(ALL_EVENTS.map((event) => [event.name, event] as const))('%s says what was recorded', (_, event) => {
    const { trace, bytes } = createRecorder();
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    const expected: string[] = [];
    let stamp = BOOT;
    for (const values of sampleRecords(event)) {
      stamp += 7n;
      trace.recordAt(stamp, event, ...(values as []));
      expected.push(
        formatLine(
          event,
          SCALE.toNanos(stamp),
          0,
          event.fields.map(([, type], index) => asRead(type, values[index], SCALE)),
        ),
      );
    }
    trace.flush();
    expect(decode(bytes()).slice(2)).toEqual(expected);
  });

  it('a record is stamped when it is made, not when it is sent', () => {
    const { trace, bytes, tsc } = createRecorder();
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    log(trace, 'x');
    const stamp = tsc();
    for (let time = 0; time < 100; time++) log(trace, 'later');
    trace.flush();
    expect(parseLine(decode(bytes())[2]!)).toMatchObject({ record: { at: SCALE.toNanos(stamp) } });
  });

  it('stamps are nanoseconds since boot, rounded down, before boot too', () => {
    const { trace, bytes } = createRecorder();
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    for (const stamp of [BOOT, BOOT + 1n, BOOT + 2n, BOOT - 1n, BOOT - 2n]) trace.recordAt(BOOT, EVENTS.interruptUnexpected, 0x20, stamp);
    trace.flush();
    expect(ofRecords(decode(bytes())).map((line) => line.split(' ').at(-1))).toEqual([
      'taken=@0',
      'taken=@0',
      'taken=@1',
      'taken=@-1',
      'taken=@-1',
    ]);
  });

  it('each record keeps its own texts, in whatever slot it lies', () => {
    const { trace, bytes } = createRecorder({ capacity: 5 });
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    const expected: string[] = [];
    for (let index = 0; index < 40; index++) {
      trace.record(EVENTS.deviceFound, `device ${index}`, index, `detail ${index}`);
      trace.record(EVENTS.kernelExit, index, `reason ${index}`);
      expected.push(
        `device="device ${index}" at=0x${index.toString(16)} detail="detail ${index}"`,
        `code=0x${index.toString(16)} reason="reason ${index}"`,
      );
      trace.flush();
    }
    expect(ofRecords(decode(bytes())).map((line) => line.replace(/^.*? (?=device=|code=)/, ''))).toEqual(expected);
  });

  it('a text that is too long is cut, with a mark', () => {
    const { trace, bytes } = createRecorder();
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    log(trace, 'é'.repeat(5000));
    log(trace, 'é'.repeat(4000));
    trace.flush();
    expect(messagesOf(decode(bytes()))).toEqual(['é'.repeat(4000) + '…', 'é'.repeat(4000)]);
  });

  it('a CPU other than 0 is named', () => {
    const { trace, bytes } = createRecorder({ cpu: 7 });
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    log(trace, 'x');
    trace.flush();
    expect(parseLine(decode(bytes())[2]!)).toMatchObject({ kind: 'record', record: { cpu: 7 } });
  });

  it('a flush of nothing sends nothing, but for the first one’s header', () => {
    const { trace, blocks } = createRecorder();
    trace.flush();
    expect(blocks.map((block) => block[0])).toEqual([FRAME.START]);
    trace.flush();
    expect(blocks).toHaveLength(1);
  });

  it('records without text that lie side by side go out in one block', () => {
    const { trace, blocks } = createRecorder();
    trace.flush();
    for (let index = 0; index < 10; index++) trace.record(EVENTS.timerInterrupt, 'pit', index, 0n, 0n);
    trace.flush();
    expect(blocks.slice(1).map(({ length }) => length)).toEqual([10 * CELL_BYTES]);
  });
});

describe('the ring', () => {
  it.each([1, 2, 3, 7, 64])('of %i records wraps without losing one', (capacity) => {
    const { trace, bytes } = createRecorder({ capacity });
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    trace.flush();
    const random = createRandom(capacity);
    const expected: string[] = [];
    for (let round = 0; round < 50; round++) {
      for (let count = random.integer(capacity + 1); count > 0; count--) {
        // With and without text, so that cells go out in runs of every length.
        if (random.integer(2) === 0) {
          log(trace, `m${expected.length}`);
          expected.push(`log message=m${expected.length}`);
        } else {
          trace.record(EVENTS.timerInterrupt, 'hpet', expected.length, BOOT, BOOT);
          expected.push(`timer.interrupt timer=hpet index=${expected.length} nominal=@0 taken=@0`);
        }
      }
      expect(trace.pending()).toBeLessThanOrEqual(capacity);
      trace.flush();
      expect(trace.pending()).toBe(0);
    }
    expect(ofRecords(decode(bytes())).map((line) => line.replace(/^ *\d+ cpu0 \w+ +/, ''))).toEqual(expected);
  });

  it('sends each text once, however often its slot is used again', () => {
    const { trace, blocks } = createRecorder({ capacity: 2 });
    const texts = ['a', 'b', 'c', 'd', 'e'];
    for (const text of texts) {
      log(trace, text);
      trace.flush();
    }
    // The text itself is the block after its header.
    const sent = blocks.flatMap((block, index) =>
      block[0] === FRAME.TEXT && block.length === FRAME_HEADER_BYTES ? [blocks[index + 1]!.toString('utf8')] : [],
    );
    expect(sent).toEqual(texts);
  });

  it('that is full loses exactly the records that found it full, and says how many', () => {
    const { trace, bytes } = createRecorder({ capacity: 8 });
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    trace.flush();
    for (let index = 0; index < 8 + 5; index++) log(trace, `m${index}`);
    expect(trace.pending()).toBe(8);
    trace.flush();
    const lines = ofRecords(decode(bytes()));
    expect(messagesOf(lines)).toEqual(['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7']);
    expect(eventsOf(lines).slice(8)).toEqual(['trace.dropped']);
    expect(countsOf(lines).at(-1)).toBe(5);
  });

  it('that is exactly full loses nothing and says nothing', () => {
    const { trace, bytes } = createRecorder({ capacity: 8 });
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    for (let index = 0; index < 7; index++) log(trace, `m${index}`);
    trace.flush();
    expect(eventsOf(ofRecords(decode(bytes())))).toEqual(Array(7).fill('log'));
  });

  it('counts anew after it has said how many were lost', () => {
    const { trace, bytes } = createRecorder({ capacity: 2 });
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    trace.flush();
    for (const count of [3, 4]) {
      for (let index = 0; index < count; index++) log(trace, 'x');
      trace.flush();
    }
    trace.flush();
    expect(countsOf(ofRecords(decode(bytes())).filter((line) => line.includes('trace.dropped')))).toEqual([1, 2]);
  });

  it('of one record has room to say what it lost', () => {
    const { trace, bytes } = createRecorder({ capacity: 1 });
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    log(trace, 'lost');
    trace.flush();
    expect(eventsOf(ofRecords(decode(bytes())))).toEqual(['trace.dropped']);
  });

  it('leaves no gap in the numbers for a record that found it full: the decoder misses none', () => {
    const { trace, bytes } = createRecorder({ capacity: 2 });
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    for (let index = 0; index < 10; index++) log(trace, 'x');
    trace.flush();
    expect(decode(bytes()).filter((line) => line.startsWith('#'))).toEqual([HEADER_LINE]);
  });
});

describe('lines for a person', () => {
  it.each(['error', 'warn', 'info', 'debug'] as const)('at level %s are those of that weight and above', (level) => {
    const { trace, lines } = createRecorder({ level });
    trace.setScale(SCALE);
    for (const event of ALL_EVENTS) trace.recordAt(BOOT, event, ...(sampleRecords(event)[0] as []));
    trace.flush();
    const expected = ALL_EVENTS.filter((event) => levelRank(event.level) <= levelRank(level)).map(({ name }) => name);
    expect(lines[0]).toBe(HEADER_LINE);
    expect(eventsOf(lines.slice(1))).toEqual(expected);
  });

  it('are the same as those that tools make of the frames', () => {
    const { trace, lines, bytes } = createRecorder({ level: 'debug', capacity: 1000 });
    trace.setScale(SCALE);
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    for (const event of ALL_EVENTS) for (const values of sampleRecords(event)) trace.record(event, ...(values as []));
    trace.flush();
    const decoded = decode(bytes());
    expect(lines.length).toBe(decoded.length);
    // The kernel still has unpaired surrogates as they were, and JSON escapes them; UTF-8 has no place for them.
    lines.forEach((line, index) => expect(line.replaceAll(/\\ud[89a-f]../g, '\ufffd')).toBe(decoded[index]));
  });

  it('need no frames', () => {
    const { trace, lines, blocks } = createRecorder({ level: 'info', frames: undefined });
    trace.setScale(SCALE);
    log(trace, 'x');
    trace.flush();
    expect(messagesOf(lines)).toEqual(['x']);
    expect(blocks).toEqual([]);
  });

  it('are not made before the scale is known; the first one is preceded by the header', () => {
    const { trace, lines } = createRecorder({ level: 'debug' });
    log(trace, 'early');
    trace.flush();
    expect(messagesOf(lines)).toEqual([]);
    log(trace, 'kept');
    trace.setScale(SCALE);
    trace.flush();
    log(trace, 'and more');
    trace.flush();
    expect(lines[0]).toBe(HEADER_LINE);
    expect(lines).toHaveLength(3);
    expect(messagesOf(lines)).toEqual(['kept', 'and more']);
  });

  it('say what was lost', () => {
    const { trace, lines } = createRecorder({ level: 'warn', capacity: 2 });
    trace.setScale(SCALE);
    for (let index = 0; index < 5; index++) log(trace, 'x');
    trace.flush();
    expect(countsOf(lines.slice(1))).toEqual([3]);
  });
});

describe('the channel', () => {
  /** A START frame, the TSC's frequency, texts, plain records, and the runtime's own word. */
  function sampleStream(): Buffer {
    const { trace, bytes } = createRecorder();
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    log(trace, 'é 🕰');
    trace.record(EVENTS.timerInterrupt, 'lapic', 1, BOOT, BOOT);
    trace.record(EVENTS.garbageCollected, 1n, 2, 3);
    log(trace, 'last');
    trace.flush();
    return Buffer.concat([bytes(), diagnostic('! out of memory\n')]);
  }
  function diagnostic(text: string): Buffer {
    const body = Buffer.from(text);
    const head = Buffer.alloc(FRAME_HEADER_BYTES);
    head.writeUInt8(FRAME.DIAGNOSTIC, 0);
    head.writeUInt16LE(body.length, 2);
    return Buffer.concat([head, body]);
  }
  const stream = sampleStream();
  const whole = decode(stream);

  it('has the header, then every record', () => {
    expect(eventsOf(whole)).toEqual(['comment', 'machine.frequency', 'log', 'timer.interrupt', 'gc', 'log', 'diagnostic']);
  });

  it('says the same wherever it is split in two', () => {
    for (let at = 0; at <= stream.length; at++)
      expect(decode(stream.subarray(0, at), stream.subarray(at)), `split at ${at}`).toEqual(whole);
  });

  it('says the same byte by byte', () => {
    expect(decode(...Array.from(stream, (_, at) => stream.subarray(at, at + 1)))).toEqual(whole);
  });

  it('does not depend on what becomes of the pieces afterwards', () => {
    const lines: string[] = [];
    const decoder = createFrameDecoder((line) => lines.push(line));
    const piece = Buffer.alloc(16);
    for (let at = 0; at < stream.length; at += piece.length) {
      piece.fill(0);
      const length = stream.copy(piece, 0, at, at + piece.length);
      decoder.push(piece.subarray(0, length));
      piece.fill(0xaa);
    }
    decoder.end();
    expect(lines).toEqual(whole);
  });

  it('that ends within a frame says how many bytes are left, and every whole frame before', () => {
    const boundaries = new Set<number>();
    for (let at = 0; at < stream.length;) {
      boundaries.add(at);
      const kind = stream[at];
      at += kind === FRAME.RECORD ? CELL_BYTES : kind === FRAME.START ? 16 : FRAME_HEADER_BYTES + stream.readUInt16LE(at + 2);
    }
    for (let end = 1; end < stream.length; end++) {
      const lines = decode(stream.subarray(0, end));
      const left = /^# the trace channel ends within a frame: (\d+) bytes are left$/.exec(lines.at(-1)!);
      expect(left !== null, `cut at ${end}`).toBe(!boundaries.has(end));
      const last = Math.max(...[...boundaries].filter((at) => at <= end));
      if (left) expect(Number(left[1]), `cut at ${end}`).toBe(end - last);
      const records = (all: readonly string[]): string[] => eventsOf(all).filter((event) => event !== 'comment');
      expect(records(whole).join().startsWith(records(lines).join()), `cut at ${end}`).toBe(true);
    }
  });

  it('that has garbage between frames says so there, and goes on', () => {
    const { trace, blocks } = createRecorder();
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    trace.flush();
    const before = blocks.length;
    log(trace, 'after');
    trace.flush();
    const garbage = Buffer.from('\0\x01\xff\r\n??', 'latin1');
    const lines = decode(...blocks.slice(0, before), garbage, ...blocks.slice(before));
    expect(eventsOf(lines)).toEqual(['comment', 'machine.frequency', 'comment', 'log']);
    expect(lines[2]).toBe('# 7 bytes of the trace channel are no frame');
  });

  it('that lacks records says how many, and where', () => {
    const { trace, blocks } = createRecorder();
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    trace.flush();
    const head = [...blocks];
    const plain: Buffer[] = [];
    for (let index = 0; index < 5; index++) {
      trace.record(EVENTS.garbageCollected, 1n, index, index);
      trace.flush();
      plain.push(blocks.at(-1)!);
    }
    expect(decode(...head, plain[0]!, plain[3]!, plain[4]!).filter((line) => line.startsWith('#'))).toEqual([
      HEADER_LINE,
      '# 2 records of cpu0 are missing here',
    ]);
    expect(eventsOf(decode(...head, plain[0]!, plain[3]!))).toEqual(['comment', 'machine.frequency', 'gc', 'comment', 'gc']);
  });

  it('that lacks its first records says so', () => {
    const { trace, blocks } = createRecorder();
    for (let index = 0; index < 3; index++) {
      trace.record(EVENTS.garbageCollected, 1n, index, index);
      trace.flush();
    }
    expect(decode(blocks[0]!, blocks[3]!)).toContain('# 2 records of cpu0 are missing here');
  });

  it('of which a text was lost shows that in its place', () => {
    const { trace, blocks } = createRecorder();
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    trace.flush();
    const head = [...blocks];
    trace.record(EVENTS.kernelExit, 0x10, 'because');
    trace.flush();
    const record = blocks.at(-1)!;
    expect(record[0]).toBe(FRAME.RECORD);
    expect(parseLine(decode(...head, record).at(-1)!)).toMatchObject({
      kind: 'record',
      record: { fields: { code: 0x10, reason: '(text lost)' } },
    });
  });

  it('without a frequency of the TSC says so, and shows ticks as nanoseconds', () => {
    const { trace, bytes } = createRecorder();
    trace.recordAt(BOOT + 1234n, EVENTS.log, 'x');
    trace.record(EVENTS.frequency, 'hpet', 100_000_000n, 1n, 'enumerated', 'register', 0);
    trace.flush();
    const lines = decode(bytes());
    expect(lines[1]).toBe('# the TSC was never measured: stamps are shown as if it ran at 1 GHz');
    expect(parseLine(lines[2]!)).toMatchObject({ kind: 'record', record: { at: 1234n } });
    expect(lines).toHaveLength(4);
  });

  it('tells nothing but the header until the frequency is known, and then all in order', () => {
    const { trace, bytes } = createRecorder();
    const lines: string[] = [];
    const decoder = createFrameDecoder((line) => lines.push(line));
    log(trace, 'before');
    trace.flush();
    decoder.push(bytes());
    expect(lines).toEqual([HEADER_LINE]);
    const sent = bytes().length;
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    trace.flush();
    decoder.push(bytes().subarray(sent));
    expect(eventsOf(lines)).toEqual(['comment', 'log', 'machine.frequency']);
  });

  it('with a frequency of the TSC that is none does not take it for one', () => {
    for (const [numerator, denominator] of [
      [0n, 1n],
      [1n, 0n],
      [-1n, 1n],
    ] as const) {
      const { trace, bytes } = createRecorder();
      trace.record(EVENTS.frequency, 'tsc', numerator, denominator, 'measured', 'damaged', 0);
      log(trace, 'x');
      trace.flush();
      expect(eventsOf(decode(bytes())), `${numerator}/${denominator}`).toEqual(['comment', 'comment', 'machine.frequency', 'log']);
    }
  });

  it('with only diagnostics shows them, and no word of stamps', () => {
    expect(decode(diagnostic('! no boot module\r\n'))).toEqual([HEADER_LINE, '! no boot module']);
  });

  it('of another version says which', () => {
    const other = Buffer.from(stream);
    other.writeUInt16LE(9, 2);
    expect(decode(other)[1]).toBe('# the trace channel has version 9; these tools know 1');
  });

  it('with an event that tools do not know shows its number and its bytes', () => {
    const { trace, blocks } = createRecorder();
    trace.record(EVENTS.frequency, ...TSC_FREQUENCY);
    trace.flush();
    trace.record(EVENTS.garbageCollected, 1n, 2, 3);
    trace.flush();
    const cell = blocks.at(-1)!;
    cell.writeUInt16LE(0xfffe, 2);
    expect(decode(...blocks).at(-1)).toMatch(/^# at \d+ ns, cpu0: an event with number 65534, which these tools do not know: 5200feff/);
  });

  it('that nothing ever came over says nothing', () => {
    expect(decode()).toEqual([]);
  });

  it('of random bytes never makes the decoder throw', () => {
    const random = createRandom(5);
    for (let round = 0; round < 300; round++) {
      const lines = decode(...Array.from({ length: 5 }, () => random.bytes(random.integer(300))));
      expect(lines[0]).toBe(HEADER_LINE);
    }
  });

  it('with damaged bytes never makes the decoder throw', () => {
    const random = createRandom(6);
    for (let round = 0; round < 2000; round++) {
      const damaged = Buffer.from(stream);
      for (let count = random.integer(4) + 1; count > 0; count--) damaged[random.integer(damaged.length)] = random.integer(256);
      expect(decode(damaged)[0]).toBe(HEADER_LINE);
    }
  });
});
