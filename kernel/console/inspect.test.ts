import { describe, expect, it } from 'vitest';
import { inspect, MAX_DEPTH, MAX_OUTPUT, MAX_STRING } from './inspect.ts';

const lines = (...texts: string[]): string => texts.join('\n');

describe('primitives', () => {
  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true'],
    [0, '0'],
    [-0, '-0'],
    [NaN, 'NaN'],
    [-Infinity, '-Infinity'],
    [0.1, '0.1'],
    [1e21, '1e+21'],
    [Symbol('x'), 'Symbol(x)'],
    [Symbol(), 'Symbol()'],
  ])('are shown as they are written: %s', (value, shown) => {
    expect(inspect(value)).toBe(shown);
  });

  it.each([
    [9999, '9999'],
    [10_000, '10_000'],
    [-1234567.891, '-1_234_567.891'],
    [9999n, '9999n'],
    [10_000n, '10_000n'],
    [-123456789n, '-123_456_789n'],
    [2n ** 64n - 1n, '18_446_744_073_709_551_615n'],
  ])('have their digits grouped from 10_000 on: %s', (value, shown) => {
    expect(inspect(value)).toBe(shown);
  });

  it('shows a bigint of more than 4096 bits in hexadecimal, and counts the digits it leaves out', () => {
    expect(inspect(2n ** 4096n - 1n)).toMatch(/^[\d_]+n$/);
    expect(inspect(-(2n ** 4096n))).toMatch(/^-0x10{999}\.\.\. 25 more digits$/);
  });
});

describe('strings', () => {
  it.each([
    ['plain', `'plain'`],
    [`it's`, `"it's"`],
    [`'both"`, `'\\'both"'`],
    ['back\\slash', `'back\\\\slash'`],
    ['a\nb\t', `'a\\nb\\t'`],
    ['é漢🙂', `'é漢🙂'`],
  ])('are literals: %j', (value, shown) => {
    expect(inspect(value)).toBe(shown);
    expect((0, eval)(shown)).toBe(value);
  });

  it('escapes what a terminal obeys or does not show', () => {
    const value = '\x1b[2J\x9b\x00\u202e\u2028\ud800\u{e0001}';
    const shown = inspect(value);
    expect(shown).toBe(`'\\x1b[2J\\x9b\\x00\\u202e\\u2028\\ud800\\u{e0001}'`);
    expect((0, eval)(shown)).toBe(value);
  });

  it('are cut within containers, not between the halves of a pair', () => {
    expect(inspect(['x'.repeat(MAX_STRING)])).toContain(`'${'x'.repeat(MAX_STRING)}'`);
    expect(inspect(['x'.repeat(MAX_STRING - 1) + '🙂'.repeat(10_000)])).toContain(`x'... 20_000 more characters`);
  });

  it('are shown longer on their own, and cut too', () => {
    expect(inspect('x'.repeat(MAX_OUTPUT + 5))).toBe(`'${'x'.repeat(MAX_OUTPUT)}'... 5 more characters`);
  });
});

describe('functions', () => {
  it('have their name, and classes are told apart', () => {
    expect(inspect(function arm() {})).toBe('[function arm]');
    expect(inspect([() => 1])).toBe('[ [function] ]');
    expect(inspect(class Timer {})).toBe('[class Timer]');
    expect(inspect(Map)).toBe('[class Map]');
  });

  it('show properties of their own', () => {
    expect(inspect(Object.assign(function arm() {}, { calls: 1 }))).toBe('[function arm] { calls: 1 }');
  });
});

describe('objects', () => {
  it('are shown like literals', () => {
    expect(inspect({})).toBe('{}');
    expect(inspect({ a: 1, 'b-c': 'x', é: [] })).toBe(`{ a: 1, 'b-c': 'x', é: [] }`);
  });

  it('have the name of their class before them', () => {
    class Timer {
      period = 5n;
    }
    class Watchdog extends Timer {}
    expect(inspect(new Timer())).toBe('Timer { period: 5n }');
    expect(inspect([new Watchdog()])).toBe('[ Watchdog { period: 5n } ]');
  });

  it('have their tag if it tells more than the class', () => {
    expect(inspect(Math)).toBe('Object [Math] {}');
  });

  it('without a prototype say so', () => {
    expect(inspect(Object.assign(Object.create(null), { a: 1 }))).toBe('[null prototype] { a: 1 }');
  });

  it('show symbol keys', () => {
    expect(inspect({ [Symbol('s')]: 1, a: 2 })).toBe('{ a: 2, [Symbol(s)]: 1 }');
  });

  it('show accessors without calling them', () => {
    let calls = 0;
    const object = {
      get read() {
        return calls++;
      },
      set write(_: number) {
        calls++;
      },
      get both() {
        return calls++;
      },
      set both(_: number) {
        calls++;
      },
    };
    expect(inspect(object)).toBe('{ read: [getter], write: [setter], both: [getter/setter] }');
    expect(inspect(Object.defineProperty([0], 0, { get: () => calls++, enumerable: true }))).toBe('[ [getter] ]');
    expect(calls).toBe(0);
  });

  it('call none of their own methods', () => {
    const fail = (): never => {
      throw new Error('called');
    };
    const object = { toString: fail, valueOf: fail, toJSON: fail, [Symbol.toPrimitive]: fail, [Symbol.iterator]: fail };
    expect(inspect(object)).toContain('toString: [function fail]');
    const map = Object.assign(new Map([[1, 2]]), { entries: fail, [Symbol.iterator]: fail });
    expect(inspect(map)).toMatch(/^Map\(1\) \{\s+1 => 2,\s+entries: \[function fail\]/);
  });

  it('mark cycles, but not what merely occurs twice', () => {
    const cycle: Record<string, unknown> = { a: 1 };
    cycle['self'] = [cycle];
    expect(inspect(cycle)).toBe('{ a: 1, self: [ [circular] ] }');
    const twice = { b: 1 };
    expect(inspect([twice, twice])).toBe('[ { b: 1 }, { b: 1 } ]');
  });
});

describe('depth', () => {
  const nested = { a: { b: { c: { d: { e: 1 } } } } };

  it('is three levels below the outermost', () => {
    expect(inspect(nested)).toBe('{ a: { b: { c: { d: [Object] } } } }');
  });

  it('may be chosen', () => {
    expect(inspect(nested, { depth: 0 })).toBe('{ a: [Object] }');
    expect(inspect(nested, { depth: 4 })).toBe('{ a: { b: { c: { d: { e: 1 } } } } }');
  });

  it('names what it does not open, and shows what is empty', () => {
    class Timer {
      period = 1;
    }
    const values = [[1, 2], [], new Map([[1, 2]]), new Timer(), {}, Object.assign(Object.create(null), { a: 1 }), () => 1, new Error('x')];
    expect(inspect(values, { depth: 0, width: 200 })).toBe(
      '[ [Array(2)], [], [Map(1)], [Timer], {}, [null prototype], [function], [Error: x] ]',
    );
  });

  it('has an end, however much is asked for', () => {
    let list: unknown = null;
    for (let count = 0; count < 100_000; count++) list = [list];
    expect(inspect(list, { depth: Infinity })).toContain('[Array(1)]');
    expect(inspect(list, { depth: Infinity, width: 1000 }).match(/\[/g)).toHaveLength(MAX_DEPTH + 2);
  });
});

describe('arrays', () => {
  it('are shown like literals, with the class if it is another', () => {
    class Queue extends Array<number> {}
    expect(inspect([1, 'a', [true]])).toBe(`[ 1, 'a', [ true ] ]`);
    expect(inspect(Queue.of(1, 2))).toBe('Queue(2) [ 1, 2 ]');
  });

  it('are cut after a hundred elements, with a count', () => {
    expect(inspect(Array.from({ length: 1000 }, () => 7))).toMatch(/ 7,\s+\.\.\. 900 more\n\]$/);
  });

  it('count the elements that are missing', () => {
    expect(inspect([, 1, , , 2, ,])).toBe('[ <1 empty>, 1, <2 empty>, 2, <1 empty> ]');
    expect(inspect(new Array(4_000_000_000))).toBe('[ <100 empty>, ... 3_999_999_900 more ]');
  });

  it('show properties beside the elements', () => {
    expect(inspect(Object.assign([1], { note: 'x' }))).toBe(`[ 1, note: 'x' ]`);
  });

  it('put short elements together into lines', () => {
    expect(inspect([100, 200, 300, 400, 500, 600, 700], { width: 20 })).toBe(
      lines('[', '  100, 200, 300,', '  400, 500, 600,', '  700', ']'),
    );
  });
});

describe('bytes', () => {
  it('shows unsigned elements in hexadecimal, as wide as they are', () => {
    expect(inspect(Uint8Array.of(0, 10, 255))).toBe('Uint8Array(3) [ 00 0a ff ]');
    expect(inspect(Uint32Array.of(0xfee0_0000))).toBe('Uint32Array(1) [ fee00000 ]');
    expect(inspect(BigUint64Array.of(255n))).toBe('BigUint64Array(1) [ 00000000000000ff ]');
  });

  it('shows signed elements and fractions as numbers', () => {
    expect(inspect(Int16Array.of(-1, 300))).toBe('Int16Array(2) [ -1 300 ]');
    expect(inspect(Float64Array.of(0.5))).toBe('Float64Array(1) [ 0.5 ]');
    expect(inspect(BigInt64Array.of(-100000n))).toBe('BigInt64Array(1) [ -100_000n ]');
  });

  it('shows what an ArrayBuffer and a DataView hold', () => {
    const buffer = Uint8Array.of(1, 2, 3, 4).buffer;
    expect(inspect(buffer)).toBe('ArrayBuffer(4) [ 01 02 03 04 ]');
    expect(inspect(new DataView(buffer, 1, 2))).toBe('DataView(2) [ 02 03 ]');
    expect(inspect(new ArrayBuffer(0))).toBe('ArrayBuffer(0) []');
  });

  it('puts sixteen bytes into a line, and counts those it leaves out', () => {
    const row = '  ' + Array(16).fill('00').join(' ');
    expect(inspect(new Uint8Array(4096))).toBe(lines('Uint8Array(4096) [', row, row, row, row, '  ... 4032 more', ']'));
  });

  it('believes the array, not properties that hide its length', () => {
    expect(inspect(Object.defineProperty(Uint8Array.of(1), 'length', { value: 99 }))).toBe('Uint8Array(1) [ 01 ]');
  });
});

describe('maps and sets', () => {
  it('have their size and what they hold', () => {
    expect(
      inspect(
        new Map<unknown, unknown>([
          ['a', { b: 1 }],
          [{ k: 1 }, 2],
        ]),
      ),
    ).toBe(`Map(2) { 'a' => { b: 1 }, { k: 1 } => 2 }`);
    expect(inspect(new Set([1, 'a']))).toBe(`Set(2) { 1, 'a' }`);
    expect(inspect(new Map())).toBe('Map(0) {}');
  });

  it('are cut with a count', () => {
    expect(inspect(new Set(Array.from({ length: 250 }, (_, index) => index)))).toContain('... 150 more');
  });

  it('are plain objects if they only inherit from one', () => {
    expect(inspect(Object.create(Map.prototype))).toBe('Map {}');
    expect(inspect(Map.prototype)).toBe('Object [Map] {}');
  });
});

describe('errors', () => {
  /** As the kernel's engine makes it: frames alone. */
  function withFrames(error: Error, stack = '    at arm (hpet.ts:12)\n    at main (main.ts:3)\n'): Error {
    return Object.defineProperty(error, 'stack', { value: stack, enumerable: false });
  }
  const FRAMES = '    at arm (hpet.ts:12)\n    at main (main.ts:3)';

  it('show name, message and stack', () => {
    expect(inspect(withFrames(new RangeError('bad')))).toBe(`RangeError: bad\n${FRAMES}`);
  });

  it('show the message once, whether or not the engine puts it before the stack', () => {
    expect(inspect(withFrames(new Error('two\nlines'), `Error: two\nlines\n${FRAMES}`))).toBe(`Error: two\nlines\n${FRAMES}`);
    expect(inspect(new TypeError('here')).match(/here/g)).toHaveLength(1);
  });

  it('show the cause with its stack, and further properties', () => {
    const error = Object.assign(withFrames(new Error('bad', { cause: withFrames(new TypeError('why')) })), { code: 5 });
    expect(inspect(error)).toBe(
      lines(
        `Error: bad\n${FRAMES} {`,
        '  code: 5,',
        '  [cause]: TypeError: why',
        '      at arm (hpet.ts:12)',
        '      at main (main.ts:3)',
        '}',
      ),
    );
  });

  it('are one line among other things', () => {
    expect(inspect({ error: Object.assign(withFrames(new RangeError('bad')), { code: 5 }) })).toBe(
      '{ error: [RangeError: bad] { code: 5 } }',
    );
  });

  it('have the name of their class if they were given none', () => {
    class TimerError extends Error {}
    expect(inspect([new TimerError('late')])).toBe('[ [TimerError: late] ]');
  });

  it('do not obey what a message says to the terminal', () => {
    expect(inspect([new Error('\x1b[2J')])).toBe('[ [Error: \\x1b[2J] ]');
  });

  it('survive strange names, messages and stacks', () => {
    const error = Object.assign(new Error('x'), { name: 5, message: {}, stack: null });
    expect(inspect(error)).toContain('Error: [object]');
  });
});

describe('other things', () => {
  it('shows regular expressions as literals', () => {
    expect(inspect(/a\/b/gu)).toBe('/a\\/b/gu');
    expect(inspect(Object.create(RegExp.prototype))).toBe('RegExp {}');
  });
});

describe('what can not be read', () => {
  const fail = (): never => {
    throw new Error('trap');
  };
  const TRAPS = ['getPrototypeOf', 'ownKeys', 'getOwnPropertyDescriptor', 'get', 'has'] as const;

  it.each(TRAPS)('is survived: a proxy that throws in %s', (trap) => {
    for (const target of [{ a: 1 }, [1, 2], new Map(), () => 1, new Error('x'), new Uint8Array(2)]) {
      const proxy = new Proxy(target, { [trap]: fail });
      expect(typeof inspect(proxy)).toBe('string');
      expect(inspect({ before: 1, proxy, after: 2 })).toMatch(/^\{\s+before: 1,[^]*after: 2\s+\}$/);
    }
  });

  it('gives the reason in its place', () => {
    expect(inspect({ a: new Proxy({}, { ownKeys: fail }), b: 1 })).toBe('{ a: [unreadable: trap], b: 1 }');
    const one = new Proxy(
      { a: 1, b: 2 },
      { getOwnPropertyDescriptor: (target, key) => (key === 'a' ? fail() : Reflect.getOwnPropertyDescriptor(target, key)) },
    );
    expect(inspect(one)).toBe('{ a: [unreadable: trap], b: 2 }');
  });

  it('is survived: a revoked proxy, and a proxy that throws one', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(inspect(proxy)).toMatch(/^\[unreadable/);
    const thrower = new Proxy(
      {},
      {
        ownKeys() {
          throw proxy;
        },
      },
    );
    expect(inspect(thrower)).toBe('[unreadable]');
  });

  it('is survived: prototypes without end', () => {
    const proxy: object = new Proxy({}, { getPrototypeOf: () => proxy });
    expect(inspect(proxy)).toBe('{}');
  });
});

describe('layout', () => {
  const timer = {
    name: 'hpet0',
    period: 10_000_000n,
    comparators: [
      { id: 0, mode: 'periodic' },
      { id: 1, mode: 'one-shot' },
    ],
    armed: true,
  };

  it('breaks what is wider than the line, by two columns a level', () => {
    expect(inspect(timer)).toBe(
      lines(
        '{',
        `  name: 'hpet0',`,
        '  period: 10_000_000n,',
        `  comparators: [ { id: 0, mode: 'periodic' }, { id: 1, mode: 'one-shot' } ],`,
        '  armed: true',
        '}',
      ),
    );
  });

  it('is one line if that is wide enough, to the column', () => {
    const oneLine = inspect(timer, { width: 1000 });
    expect(oneLine).not.toContain('\n');
    expect(inspect(timer, { width: oneLine.length })).toBe(oneLine);
    expect(inspect(timer, { width: oneLine.length - 1 })).toContain('\n');
  });

  it.each([30, 40, 60, 79])('keeps every line within %i columns, the comma included', (width) => {
    const value = {
      ...timer,
      bytes: new Uint8Array(30),
      map: new Map([[{ k: 1 }, [1, 2, 3]]]),
      list: Array.from({ length: 30 }, (_, index) => index),
    };
    for (const line of inspect(value, { width }).split('\n')) {
      // A property that is one word can't be broken.
      if (/^ *(\w+: )?[^ ]+,?$/.test(line)) continue;
      expect(line.length, line).toBeLessThanOrEqual(width);
    }
  });

  it('takes options out of range for the nearest in range', () => {
    expect(inspect({ a: {} }, { depth: -5, width: NaN })).toBe('{ a: {} }');
    expect(inspect([1, 2], { width: -1 })).toBe('[ 1, 2 ]');
  });
});

describe('the limit on output', () => {
  it('holds for an object with very many keys, and says how many are left out', () => {
    const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`key${index}`, index]));
    expect(inspect(many)).toMatch(/ {2}key99: 99,\n {2}\.\.\. 49_900 more\n\}$/);
  });

  it('holds for containers in containers, each of which counts what it leaves out', () => {
    const grow = (level: number): unknown => (level === 0 ? 'leaf' : Array.from({ length: 50 }, () => grow(level - 1)));
    const shown = inspect(grow(4), { depth: 10 });
    expect(shown.length).toBeLessThan(1.2 * MAX_OUTPUT);
    expect(shown.match(/\.\.\. [\d_]+ more/g)!.length).toBeGreaterThanOrEqual(3);
  });

  it('holds for long strings, names and messages', () => {
    const long = '\x01'.repeat(100_000);
    const value = { [long]: long, f: Object.defineProperty(() => 1, 'name', { value: long }), e: new Error(long), s: Symbol(long) };
    expect(inspect(value).length).toBeLessThan(4 * 5 * MAX_STRING + 1000);
  });

  it('holds for a chain of causes', () => {
    let error = new Error('first');
    for (let count = 0; count < 5000; count++) error = new Error('next', { cause: error });
    expect(inspect(error).length).toBeLessThan(5 * MAX_OUTPUT);
  });
});
