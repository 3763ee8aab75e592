import { describe, expect, it } from 'vitest';
import { createRandom } from '../../kernel/testing/random.ts';
import { defineSystem, flat, kib, mib, ms, native, ns, seconds, us, type Duration, type Size } from './define.ts';

describe('a duration', () => {
  it.each<[Duration, number]>([
    [ns(0), 0],
    [ns(1), 1],
    [us(250), 250_000],
    [ms(1.001), 1_001_000],
    [ms('1.001'), 1_001_000],
    [ms(0.000001), 1],
    // 1.1 times a million, and 4.35 times 100, are no whole numbers in floats.
    [seconds(1.1), 1_100_000_000],
    [us(4.35), 4_350],
    [us(1e-3), 1],
    [ms(1e-6), 1],
    [us('0.250'), 250],
    [ns(5.0), 5],
    [ns('5.000'), 5],
    [seconds('1e3'), 1_000_000_000_000],
    [ns(Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER],
    [seconds('9007199.254740991'), Number.MAX_SAFE_INTEGER],
  ])('%o is %i ns', (given, nanos) => {
    expect(given).toMatchObject({ kind: 'duration', nanos });
    expect(given).not.toHaveProperty('problem');
  });

  it.each<[Duration, string]>([
    [ns(0.5), 'ns(0.5) is not a whole number of nanoseconds'],
    [ms(1.0000001), 'ms(1.0000001) is not a whole number of nanoseconds'],
    [ms(0.1 + 0.2), 'ms(0.30000000000000004) is not a whole number of nanoseconds'],
    [ms(-1), 'ms(-1) is negative'],
    [ms(NaN), 'ms(NaN) is not a number'],
    [ms(Infinity), 'ms(Infinity) is not a number'],
    [ms(''), 'ms("") is not a number'],
    [ms('1 ms'), 'ms("1 ms") is not a number'],
    [ms('0x10'), 'ms("0x10") is not a number'],
    [ns(2 ** 53), 'is beyond 9007199254740991 nanoseconds'],
    [seconds('9007199.254740992'), 'is beyond 9007199254740991 nanoseconds'],
    [seconds('1e999999999'), 'is out of range'],
    [ns('1e-999999999'), 'is out of range'],
  ])('%o is none', (given, problem) => {
    expect(given.nanos).toBeNaN();
    expect(given.problem).toContain(problem);
  });

  it('of any decimal is that decimal, to the nanosecond', () => {
    const random = createRandom(4);
    const units = [ns, us, ms, seconds] as const;
    for (let round = 0; round < 2_000; round++) {
      const unit = random.integer(4);
      const nanos = random.integer(2 ** 31) * (1 + random.integer(1000));
      const digits = String(nanos).padStart(3 * unit + 1, '0');
      const text = unit === 0 ? digits : `${digits.slice(0, -3 * unit)}.${digits.slice(-3 * unit)}`;
      expect(units[unit]!(text).nanos, text).toBe(nanos);
    }
  });
});

describe('a size', () => {
  it.each<[Size, number]>([
    [kib(64), 65_536],
    [mib(1), 1_048_576],
    [mib(0.5), 524_288],
    [kib('0.0009765625'), 1],
  ])('%o is %i bytes', (given, bytes) => {
    expect(given).toMatchObject({ kind: 'size', bytes });
  });

  it('is a whole number of bytes', () => {
    expect(mib(0.3).problem).toBe('mib(0.3) is not a whole number of bytes');
    expect(kib(-4).problem).toContain('is negative');
  });
});

describe('programs', () => {
  it('have defaults that depend on their format', () => {
    expect(native('a.S')).toEqual({ kind: 'native', sources: ['a.S'], mode: 'long', address: 0x8000, defines: {} });
    expect(native(['a.S', 'b.c'], { elf: 'pvh' })).toMatchObject({ sources: ['a.S', 'b.c'], address: 0x10_0000, elf: 'pvh' });
    expect(flat('a.bin', { address: 0x7c00, mode: 'real' })).toMatchObject({ address: 0x7c00, entry: 0x7c00 });
  });
});

describe('names, for the compiler:', () => {
  const partition = { program: native('a.S'), memory: mib(1) };
  const slot = { start: ms(0), duration: ms(1) };

  it('a system whose names agree compiles', () => {
    const defined = defineSystem({
      name: 'good',
      partitions: {
        a: partition,
        b: { ...partition, health: { overrun: { action: 'switch-plan', plan: 'p' }, fault: { 13: 'propagate' } } },
      },
      plans: { p: { majorFrame: ms(1), slots: [{ ...slot, partition: 'a' }] } },
      channels: { c: { kind: 'sampling', size: 8, from: 'a', to: ['b.in'] } },
      inputs: { i: { source: 'rtc', hertz: 2, depth: 1, to: 'b.i' } },
    });
    expect(defined.kind).toBe('system');
  });

  // Each directive fails the type check (make check) where there is no error to expect.
  it('an unknown name does not', () => {
    const slots = { p: { majorFrame: ms(1), slots: [] } };
    expect([
      // @ts-expect-error an unknown partition
      defineSystem({ name: 'n', partitions: { a: partition }, plans: { p: { majorFrame: ms(1), slots: [{ ...slot, partition: 'c' }] } } }),
      defineSystem({
        name: 'n',
        // @ts-expect-error an unknown plan
        partitions: { a: { ...partition, health: { overrun: { action: 'switch-plan', plan: 'q' } } } },
        plans: slots,
      }),
      defineSystem({
        name: 'n',
        partitions: { a: partition },
        plans: slots,
        // @ts-expect-error an unknown partition of a port
        channels: { c: { kind: 'sampling', size: 8, from: 'x.out', to: ['a.in'] } },
      }),
      // @ts-expect-error a duration without its unit
      defineSystem({ name: 'n', partitions: { a: partition }, plans: slots, duration: 5 }),
      // @ts-expect-error switch-plan without a plan
      defineSystem({ name: 'n', partitions: { a: { ...partition, health: { overrun: 'switch-plan' } } }, plans: slots }),
    ]).toHaveLength(5);
  });
});
