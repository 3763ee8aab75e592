import { describe, expect, it } from 'vitest';
import { createFakePartition } from '../testing/partition.ts';
import { createRandom } from '../testing/random.ts';
import { ERROR, LINE, PORT_VALID } from './abi.ts';
import { createPorts, type Port } from './ports.ts';
import type { ChannelDescription, InputDescription } from './system.ts';

const WRITER = 0;
const READER = 1;
const OTHER = 2;
const end = (partition: number, port: string) => ({ partition, port });
const QUEUING = {
  kind: 'queuing',
  name: 'q',
  size: 8,
  depth: 3,
  from: end(WRITER, 'out'),
  to: [end(READER, 'in'), end(OTHER, 'in')],
} as const;
const SAMPLING = {
  kind: 'sampling',
  name: 's',
  size: 8,
  validity: 1000,
  from: end(WRITER, 'out'),
  to: [end(READER, 'in'), end(OTHER, 'in')],
} as const;

function create(channels: readonly ChannelDescription[], inputs: readonly InputDescription[] = []) {
  const partitions = [WRITER, READER, OTHER].map((index) => createFakePartition({ index }));
  const ports = createPorts(channels, inputs, partitions);
  const open = (partition: number, name: string): Port => ports.find(partition, ports.open(partition, name)!)!;
  return {
    ports,
    open,
    write: (port: Port, text: string, now = 0n): number =>
      port.write(Uint8Array.from([0, ...text].map((letter) => String(letter).charCodeAt(0))), 1, text.length, now),
    read: (port: Port, now = 0n, room = 8): { result: number; text: string } => {
      const memory = new Uint8Array(16).fill(0x2e);
      const result = port.read(memory, 2, room, now);
      return { result, text: String.fromCharCode(...memory) };
    },
    isTold: (partition: number): boolean => {
      const { interrupts } = partitions[partition]!;
      const isPending = (interrupts.pending & (1 << LINE.PORT)) !== 0;
      interrupts.pending = 0;
      return isPending;
    },
  };
}

describe('ports', () => {
  it('are found by name and by number, by their own partition only', () => {
    const { ports } = create([QUEUING]);
    const number = ports.open(READER, 'in')!;
    expect(ports.find(READER, number)).toBeDefined();
    expect(ports.find(OTHER, number)).toBeUndefined();
    expect(ports.open(OTHER, 'in')).not.toBe(number);
    expect([ports.open(READER, 'out'), ports.open(READER, ''), ports.open(7, 'in'), ports.open(READER, 'constructor')]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    for (const bad of [-1, 99, 0.5, NaN]) expect(ports.find(READER, bad)).toBeUndefined();
  });

  it.each([QUEUING, SAMPLING])('of a $kind channel go one way', (channel) => {
    const { open, write, read } = create([channel]);
    expect(write(open(READER, 'in'), 'x')).toBe(ERROR.STATE);
    expect(read(open(WRITER, 'out')).result).toBe(ERROR.STATE);
  });
});

describe('a sampling port', () => {
  it('has nothing before the first message, then the last one, for each reader and as often as it asks', () => {
    const { open, write, read } = create([SAMPLING]);
    const out = open(WRITER, 'out');
    expect(read(open(READER, 'in')).result).toBe(ERROR.EMPTY);
    write(out, 'one');
    write(out, 'second');
    for (const reader of [READER, OTHER, READER])
      expect(read(open(reader, 'in'))).toEqual({ result: 6 | PORT_VALID, text: '..second........' });
  });

  it('says until when a message is valid, to the nanosecond', () => {
    const { open, write, read } = create([SAMPLING]);
    write(open(WRITER, 'out'), 'abc', 5_000n);
    const at = (now: bigint): number => read(open(READER, 'in'), now).result;
    expect([at(5_000n), at(6_000n), at(6_001n)]).toEqual([3 | PORT_VALID, 3 | PORT_VALID, 3]);
    write(open(WRITER, 'out'), '', 7_000n);
    expect(at(7_500n)).toBe(PORT_VALID);
  });

  it('is valid for ever with a validity of 0', () => {
    const { open, write, read } = create([{ ...SAMPLING, validity: 0 }]);
    write(open(WRITER, 'out'), 'abc', 0n);
    expect(read(open(READER, 'in'), 1n << 60n).result).toBe(3 | PORT_VALID);
  });

  it('takes no message that is too long, and gives none where there is no room', () => {
    const { open, write, read } = create([SAMPLING]);
    expect(write(open(WRITER, 'out'), '123456789')).toBe(ERROR.FULL);
    expect(read(open(READER, 'in')).result).toBe(ERROR.EMPTY);
    expect(write(open(WRITER, 'out'), '12345678')).toBe(ERROR.OK);
    expect(read(open(READER, 'in'), 0n, 7)).toEqual({ result: ERROR.FULL, text: '................' });
    expect(read(open(READER, 'in'), 0n, 8).result).toBe(8 | PORT_VALID);
  });

  it('does not interrupt anybody', () => {
    const { open, write, isTold } = create([SAMPLING]);
    write(open(WRITER, 'out'), 'x');
    expect([isTold(READER), isTold(OTHER)]).toEqual([false, false]);
  });
});

describe('a queuing port', () => {
  it('has messages in order, each reader its own', () => {
    const { open, write, read } = create([QUEUING]);
    for (const text of ['a', 'bb', '']) expect(write(open(WRITER, 'out'), text)).toBe(ERROR.OK);
    for (const reader of [READER, OTHER]) {
      const results = [0, 1, 2, 3].map(() => read(open(reader, 'in')));
      expect(results.map(({ result }) => result)).toEqual([1 | PORT_VALID, 2 | PORT_VALID, PORT_VALID, ERROR.EMPTY]);
      expect(results[1]!.text).toBe('..bb............');
    }
  });

  it('is written to all readers or to none, and what was not is counted', () => {
    const { ports, open, write, read } = create([QUEUING]);
    for (let count = 0; count < 3; count++) write(open(WRITER, 'out'), `${count}`);
    for (let count = 0; count < 3; count++) read(open(READER, 'in'));
    expect([write(open(WRITER, 'out'), 'x'), ports.lost()]).toEqual([ERROR.FULL, 1]);
    expect(read(open(READER, 'in')).result).toBe(ERROR.EMPTY);
    read(open(OTHER, 'in'));
    expect([write(open(WRITER, 'out'), 'y'), ports.lost()]).toEqual([ERROR.OK, 1]);
    expect(read(open(READER, 'in')).text).toBe('..y.............');
  });

  it('tells its reader of a message that comes to an empty queue, and of no other', () => {
    const { open, write, read, isTold } = create([QUEUING]);
    const seen = [];
    for (const step of ['w', 'w', 'r', 'w', 'r', 'r', 'w']) {
      if (step === 'w') write(open(WRITER, 'out'), 'm');
      else for (const reader of [READER, OTHER]) read(open(reader, 'in'));
      seen.push(isTold(READER), isTold(OTHER));
    }
    expect(seen.map(Number).join('')).toBe('11000000000011');
    expect(isTold(WRITER)).toBe(false);
  });

  it('keeps a message for which there is no room', () => {
    const { open, write, read } = create([QUEUING]);
    write(open(WRITER, 'out'), 'long');
    expect(read(open(READER, 'in'), 0n, 3)).toEqual({ result: ERROR.FULL, text: '................' });
    expect(read(open(READER, 'in'), 0n, 4).result).toBe(4 | PORT_VALID);
  });

  it('takes none that is too long', () => {
    const { ports, open, write, read, isTold } = create([QUEUING]);
    expect(write(open(WRITER, 'out'), '123456789')).toBe(ERROR.FULL);
    expect([read(open(READER, 'in')).result, isTold(READER), ports.lost()]).toEqual([ERROR.EMPTY, false, 0]);
  });

  it.each([1, 2])('behaves as a list of at most that many (seed %i)', (seed) => {
    const random = createRandom(seed);
    const { open, write, read } = create([{ ...QUEUING, depth: 5, to: [end(READER, 'in')] }]);
    const model: string[] = [];
    for (let step = 0; step < 3000; step++) {
      if (random.integer(2) === 0) {
        const text = String.fromCharCode(...Array.from({ length: random.integer(9) }, () => 97 + random.integer(26)));
        const isFull = model.length === 5;
        if (write(open(WRITER, 'out'), text) !== (isFull ? ERROR.FULL : ERROR.OK)) expect.fail(`step ${step}`);
        if (!isFull) model.push(text);
      } else {
        const { result, text } = read(open(READER, 'in'));
        const expected = model.shift();
        if (expected === undefined ? result !== ERROR.EMPTY : text.slice(2, 2 + (result & 0xffff)) !== expected)
          expect.fail(`step ${step}: ${text}`);
      }
    }
  });
});

describe('an input', () => {
  const INPUT: InputDescription = { name: 'i', source: 'rtc', hertz: 256, depth: 2, to: end(READER, 'events') };

  it('has instants in a queue, of 8 bytes each, with a word to the reader', () => {
    const { ports, open, isTold } = create([], [INPUT, { ...INPUT, name: 'j', to: end(OTHER, 'events') }]);
    ports.deliver(0, 0x0123_4567_89ab_cdefn);
    ports.deliver(0, 5n);
    expect([isTold(READER), isTold(OTHER)]).toEqual([true, false]);
    const memory = new Uint8Array(8);
    expect(open(READER, 'events').read(memory, 0, 8, 0n)).toBe(8 | PORT_VALID);
    expect(new DataView(memory.buffer).getBigInt64(0, true)).toBe(0x0123_4567_89ab_cdefn);
    expect(open(OTHER, 'events').read(memory, 0, 8, 0n)).toBe(ERROR.EMPTY);
  });

  it('loses what finds its queue full, counted', () => {
    const { ports, open } = create([], [INPUT]);
    for (let count = 0n; count < 5n; count++) ports.deliver(0, count);
    expect(ports.lost()).toBe(3);
    const memory = new Uint8Array(8);
    open(READER, 'events').read(memory, 0, 8, 0n);
    expect(memory[0]).toBe(0);
  });

  it('is not written to', () => {
    const { open, write } = create([], [INPUT]);
    expect(write(open(READER, 'events'), 'x')).toBe(ERROR.STATE);
  });
});
