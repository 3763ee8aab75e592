import { describe, expect, it } from 'vitest';
import { elf, flat, kib, mib, ms, native, ns, pc, seconds, typescript, us } from './define.ts';
import { problemLine } from './problem.ts';
import { validate } from './validate.ts';

/** Parts are of any form here: that is what is tested. */
type Loose = Record<string, unknown>;
interface LooseSystem extends Loose {
  name: unknown;
  partitions: Record<string, Loose>;
  plans: Record<string, Loose>;
}

/** Two partitions, one of each kind, and every part that a system may have. */
function good(): LooseSystem {
  return {
    name: 'good',
    partitions: {
      a: { program: native('a.S'), memory: kib(64), ioPorts: [{ first: 0x378, count: 3, traced: true }], watchdog: ms(50) },
      b: {
        program: typescript('b.ts'),
        memory: mib(16),
        system: true,
        platform: pc({ timerMode: 'one_missed_tick_pending', hpet: { period: 10_000_000 }, date: '2028-02-29T23:59:59' }),
        health: { watchdog: 'cold-reset', fault: { 6: 'propagate', 13: 'halt' }, overrun: { action: 'switch-plan', plan: 'repair' } },
      },
    },
    plans: {
      normal: {
        majorFrame: ms(10),
        slots: [
          { partition: 'a', start: ms(0), duration: ms(4) },
          { partition: 'b', start: ms(4), duration: ms(6) },
        ],
      },
      repair: { majorFrame: ms(10), slots: [{ partition: 'b', start: ms(1), duration: ms(4) }], maintenance: true, idle: 'allowed' },
    },
    channels: {
      temperature: { kind: 'sampling', size: 8, validity: ms(20), from: 'a', to: ['b'] },
      orders: { kind: 'queuing', size: 64, depth: 16, from: 'b.out', to: ['a.in'] },
    },
    inputs: { ticks: { source: 'rtc', hertz: 1024, depth: 64, to: 'b' } },
    duration: seconds(2),
  };
}

/** What is said of a good system that was changed. */
function said(change: (system: LooseSystem) => void): string[] {
  const system = good();
  change(system);
  return validate(system).problems.map(problemLine);
}
const slot = (partition: string, start: number, duration: number): Loose => ({ partition, start: ms(start), duration: ms(duration) });

it('a good system has neither problems nor warnings', () => {
  const { problems, warnings, system } = validate(good());
  expect({ problems, warnings }).toEqual({ problems: [], warnings: [] });
  expect(system).toBeDefined();
});

describe('each of these is one problem, told with its path:', () => {
  it.each<[string, string, (system: LooseSystem) => void, string]>([
    // Names.
    ['a name with a space', 'name', (s) => (s.name = 'two words'), '"two words" is no name'],
    ['no name', 'name', (s) => delete s['name'], 'is missing'],
    ['a name too long', 'name', (s) => (s.name = 'x'.repeat(33)), 'at most 32'],
    ['an unknown property', 'duratoin', (s) => (s['duratoin'] = ms(5)), 'did you mean duration?'],
    ['an unknown property of a partition', 'partitions.a.ioPort', (s) => (s.partitions['a']!['ioPort'] = []), 'did you mean ioPorts?'],
    [
      "an unknown slot's partition",
      'plans.normal.slots[1].partition',
      (s) => (s.plans['normal']!['slots'] = [slot('a', 0, 4), slot('c', 4, 6)]),
      'there is no partition "c"; did you mean a or b?',
    ],
    [
      "an unknown channel's partition",
      'channels.orders.from',
      (s) => (s['channels'] = { orders: { kind: 'queuing', size: 8, depth: 1, from: 'x.out', to: ['a.in'] } }),
      'there is no partition "x"',
    ],
    [
      'a plan that is not there',
      'partitions.a.health.overrun.plan',
      (s) => (s.partitions['a']!['health'] = { overrun: { action: 'switch-plan', plan: 'norml' } }),
      'there is no plan "norml"; did you mean normal?',
    ],
    // Platforms.
    [
      'a platform that pc() did not make',
      'partitions.b.platform.kind',
      (s) => (s.partitions['b']!['platform'] = { kind: 'q35' }),
      'expected what pc() makes; found "q35"',
    ],
    [
      'an unknown timer mode',
      'partitions.b.platform.timerMode',
      (s) => (s.partitions['b']!['platform'] = { kind: 'pc', timerMode: 'no_missed_ticks' }),
      'is no timer mode; there are delay_for_missed_ticks, no_delay_for_missed_ticks, no_missed_ticks_pending, ',
    ],
    [
      'an HPET whose period the specification does not allow',
      'partitions.b.platform.hpet.period',
      (s) => (s.partitions['b']!['platform'] = pc({ hpet: { period: 100_000_001 } })),
      'is not a period in femtoseconds from 100000 to 100000000',
    ],
    [
      'a date that no calendar has',
      'partitions.b.platform.date',
      (s) => (s.partitions['b']!['platform'] = pc({ date: '2026-02-29T00:00:00' })),
      'is no day of the calendar',
    ],
    [
      'a date in another form',
      'partitions.b.platform.date',
      (s) => (s.partitions['b']!['platform'] = pc({ date: '1 May 2026' })),
      'is no date and time such as',
    ],
    [
      'a platform without room for its tables',
      'partitions.b.memory',
      (s) => (s.partitions['b']!['memory'] = kib(512)),
      'leave no room for the ACPI tables',
    ],
    [
      "the machine's port where a virtual device is",
      'partitions.b.ioPorts[0]',
      (s) => (s.partitions['b']!['ioPorts'] = [{ first: 0x64 }]),
      "64h has ports at which the partition's platform has a virtual device: 64h",
    ],
    // Durations.
    [
      'a duration that is no whole nanosecond',
      'plans.normal.majorFrame',
      (s) => (s.plans['normal']!['majorFrame'] = ms(10.0000001)),
      'ms(10.0000001) is not a whole number of nanoseconds',
    ],
    ['a plain number as duration', 'duration', (s) => (s['duration'] = 5), 'expected a duration such as ms(5); found 5'],
    ['a size as duration', 'duration', (s) => (s['duration'] = mib(1)), 'expected a duration'],
    ['a made-up duration', 'duration', (s) => (s['duration'] = { kind: 'duration', text: 'x', nanos: 2 ** 53 }), 'expected a duration'],
    ['no time at all', 'partitions.a.watchdog', (s) => (s.partitions['a']!['watchdog'] = ms(0)), 'ms(0) is no time at all'],
    // The schedule.
    [
      'overlapping slots',
      'plans.normal.slots[1].start',
      (s) => (s.plans['normal']!['slots'] = [slot('a', 0, 5), slot('b', 4, 6)]),
      'they overlap by 1 ms',
    ],
    [
      'a short slot',
      'plans.normal.slots[0].duration',
      (s) => (s.plans['normal'] = { majorFrame: ms(10), idle: 'allowed', slots: [{ partition: 'a', start: ms(0), duration: us(49.999) }] }),
      '49.999 us are too short',
    ],
    [
      'a slot outside the frame',
      'plans.normal.slots[1].duration',
      (s) => (s.plans['normal']!['slots'] = [slot('a', 0, 4), slot('b', 4, 7)]),
      '1 ms behind the end of the major frame of 10 ms',
    ],
    [
      'a frame that is not filled',
      'plans.normal',
      (s) => (s.plans['normal']!['slots'] = [slot('a', 0, 4), slot('b', 5, 5)]),
      'nobody has 4 ms to 5 ms',
    ],
    [
      'slots out of order',
      'plans.normal.slots[1].start',
      (s) => (s.plans['normal']!['slots'] = [slot('b', 4, 6), slot('a', 0, 4)]),
      'in the order of their starts',
    ],
    ['a plan without slots', 'plans.normal.slots', (s) => (s.plans['normal']!['slots'] = []), 'at least one slot'],
    [
      'a frame shorter than a slot',
      'plans.repair.majorFrame',
      (s) => (s.plans['repair']!['majorFrame'] = us(40)),
      'shorter than a slot may be',
    ],
    ['another word for idle', 'plans.repair.idle', (s) => (s.plans['repair']!['idle'] = 'yes'), "expected 'allowed'"],
    // Memory.
    ['too little memory', 'partitions.a.memory', (s) => (s.partitions['a']!['memory'] = kib(60)), 'at least kib(64)'],
    ['memory that is no whole page', 'partitions.a.memory', (s) => (s.partitions['a']!['memory'] = kib(66)), 'kib(68) is the next one up'],
    [
      'more memory than a machine has',
      'partitions.a.memory',
      (s) => (s.partitions['a']!['memory'] = mib(2052)),
      'more than a machine here has, mib(2048)',
    ],
    [
      'more than it has together',
      'partitions',
      (s) => (s.partitions['a']!['memory'] = s.partitions['b']!['memory'] = mib(1000)),
      'together they need 2065 MiB',
    ],
    // Programs.
    [
      'another kind of program',
      'partitions.a.program.kind',
      (s) => (s.partitions['a']!['program'] = { kind: 'wasm' }),
      '"wasm" is no kind of program',
    ],
    ['a file name instead of a program', 'partitions.a.program', (s) => (s.partitions['a']!['program'] = 'a.S'), 'made by typescript()'],
    [
      'a command line that is none',
      'partitions.a.program.commandLine',
      (s) => (s.partitions['a']!['program'] = typescript('b.ts', { commandLine: 'run=\n' })),
      '"run=\\n" is no command line: printable ASCII, at most 1024 characters',
    ],
    [
      'a source that is neither C nor assembly',
      'partitions.a.program.sources[0]',
      (s) => (s.partitions['a']!['program'] = native('a.rs')),
      'expected a file .c or .S',
    ],
    [
      'an unknown mode',
      'partitions.a.program.mode',
      (s) => (s.partitions['a']!['program'] = flat('a.bin', { address: 0, mode: 'virtual' as 'long' })),
      '"virtual" is no mode',
    ],
    [
      'an unsafe integer as address',
      'partitions.a.program.address',
      (s) => (s.partitions['a']!['program'] = native('a.S', { address: 2 ** 60 })),
      'is not an address from 0 to',
    ],
    [
      'another way to enter',
      'partitions.a.program.entry',
      (s) => (s.partitions['a']!['program'] = elf('a.elf', 'multiboot' as 'pvh')),
      'there are pvh, plain',
    ],
    // I/O ports.
    [
      'I/O ports beyond the last',
      'partitions.a.ioPorts[0]',
      (s) => (s.partitions['a']!['ioPorts'] = [{ first: 0xfffe, count: 3 }]),
      'FFFEh to 10000h goes beyond',
    ],
    [
      'an I/O port beyond the last',
      'partitions.a.ioPorts[0].first',
      (s) => (s.partitions['a']!['ioPorts'] = [{ first: 0x10000 }]),
      '10000h is not an I/O port from 0 to FFFFh',
    ],
    [
      'half an I/O port',
      'partitions.a.ioPorts[0].first',
      (s) => (s.partitions['a']!['ioPorts'] = [{ first: 0.5 }]),
      '0.5 is not an I/O port',
    ],
    [
      'I/O ports granted twice',
      'partitions.b.ioPorts[0]',
      (s) => (s.partitions['b']!['ioPorts'] = [{ first: 0x37a, count: 5 }]),
      '37Ah is granted twice: also by partitions.a.ioPorts[0]',
    ],
    ...(
      [
        [0x20, 'the master 8259A'],
        [0x43, 'the 8254'],
        [0xa1, 'the slave 8259A'],
        [0xe9, 'the trace channel'],
        [0xf4, 'exit device'],
        [0x3ff, 'COM1'],
        [0x71, 'MC146818'],
      ] as const
    ).map(([port, what]): [string, string, (system: LooseSystem) => void, string] => [
      `the hypervisor's own I/O port ${port.toString(16)}h`,
      'partitions.a.ioPorts[0]',
      (s) => (s.partitions['a']!['ioPorts'] = [{ first: port }]),
      what,
    ]),
    // Channels.
    [
      'a message of no bytes',
      'channels.temperature.size',
      (s) => (s['channels'] = { temperature: { kind: 'sampling', size: 0, from: 'a', to: ['b'] } }),
      '0 is not a number of bytes from 1 to 65535',
    ],
    [
      'a queue without depth',
      'channels.q.depth',
      (s) => (s['channels'] = { q: { kind: 'queuing', size: 8, from: 'a', to: ['b'] } }),
      'is missing',
    ],
    [
      'a queue of too many bytes',
      'channels.q.depth',
      (s) => (s['channels'] = { q: { kind: 'queuing', size: 1024, depth: 1025, from: 'a', to: ['b'] } }),
      'more than the 1048576 bytes',
    ],
    [
      'a sampling channel with a depth',
      'channels.t.depth',
      (s) => (s['channels'] = { t: { kind: 'sampling', size: 8, depth: 4, from: 'a', to: ['b'] } }),
      'a sampling channel has no such property',
    ],
    ['nobody who reads', 'channels.t.to', (s) => (s['channels'] = { t: { kind: 'sampling', size: 8, from: 'a', to: [] } }), 'nobody reads'],
    [
      'two writers on a port',
      'channels.u.to[0]',
      (s) => (s['channels'] = { t: sampling('a.x', 'b.in'), u: sampling('a.y', 'b.in') }),
      'the port b.in has two writers: it is also the end of channels.t.to[0]',
    ],
    [
      'a port named twice',
      'channels.u.from',
      (s) => (s['channels'] = { t: sampling('a.x', 'b.in'), u: sampling('a.x', 'b.other') }),
      'the port a.x is named twice',
    ],
    ['a port in both directions', 'channels.t.to[0]', (s) => (s['channels'] = { t: sampling('a', 'a') }), 'a port has one direction'],
    [
      'a sampling port that is a queuing one',
      'channels.u.from',
      (s) => (s['channels'] = { t: sampling('a.x', 'b.in'), u: { kind: 'queuing', size: 8, depth: 1, from: 'b.in', to: ['a.y'] } }),
      'is a sampling port by channels.t.to[0], and a queuing one here',
    ],
    ["a port's name with a dot", 'channels.t.from', (s) => (s['channels'] = { t: sampling('a.x.y', 'b') }), `"x.y" is no port's name`],
    [
      'an input into a port that has a writer',
      'inputs.ticks.to',
      (s) => (s['channels'] = { t: { kind: 'queuing', size: 8, depth: 1, from: 'a', to: ['b.ticks'] } }),
      'has two writers',
    ],
    [
      'a frequency that the RTC can not do',
      'inputs.ticks.hertz',
      (s) => (s['inputs'] = { ticks: { source: 'rtc', hertz: 1000, depth: 4, to: 'b' } }),
      '1000 is not a power of two',
    ],
    [
      'two inputs of one clock',
      'inputs.u.source',
      (s) => (s['inputs'] = { t: { source: 'rtc', hertz: 2, depth: 4, to: 'b' }, u: { source: 'rtc', hertz: 4, depth: 4, to: 'b' } }),
      'taken by inputs.t',
    ],
    [
      'an input named as a channel',
      'inputs.orders',
      (s) => (s['inputs'] = { orders: { source: 'rtc', hertz: 2, depth: 4, to: 'b' } }),
      'there is a channel of this name',
    ],
    // Health.
    ['an unknown event', 'partitions.a.health.overun', (s) => (s.partitions['a']!['health'] = { overun: 'log' }), 'did you mean overrun?'],
    [
      'an unknown action',
      'partitions.a.health.overrun',
      (s) => (s.partitions['a']!['health'] = { overrun: 'reset' }),
      '"reset" is no action; there are ignore',
    ],
    [
      'propagate without a vector',
      'partitions.a.health.fault',
      (s) => (s.partitions['a']!['health'] = { fault: 'propagate' }),
      "needs the exception's vector: fault: { 13: 'propagate' }",
    ],
    [
      'a vector that is none',
      'partitions.a.health.fault[32]',
      (s) => (s.partitions['a']!['health'] = { fault: { 32: 'halt' } }),
      '32 is no exception',
    ],
    [
      'switch-plan without a plan',
      'partitions.a.health.overrun',
      (s) => (s.partitions['a']!['health'] = { overrun: 'switch-plan' }),
      "{ action: 'switch-plan', plan: 'normal' }",
    ],
    [
      'a plan without switch-plan',
      'partitions.a.health.overrun.plan',
      (s) => (s.partitions['a']!['health'] = { overrun: { action: 'halt', plan: 'normal' } }),
      'only switch-plan has a plan',
    ],
    [
      'running on after a shutdown',
      'partitions.a.health.shutdown',
      (s) => (s.partitions['a']!['health'] = { shutdown: 'log' }),
      "can't run on",
    ],
  ])('%s: %s', (_, path, change, reason) => {
    const lines = said(change);
    expect(lines).toHaveLength(1);
    expect(lines[0]!.slice(0, path.length + 2)).toBe(`${path}: `);
    expect(lines[0]).toContain(reason);
  });
});

const sampling = (from: string, to: string): Loose => ({ kind: 'sampling', size: 8, from, to: [to] });

it('all problems are told at once, those of form and those between parts', () => {
  const paths = (system: unknown): string[] => validate(system).problems.map(({ path }) => path);
  const system = good();
  system.name = '';
  system.partitions['a'] = { ...system.partitions['a'], memory: kib(1), health: { overrun: 'switch-plan' }, ioPorts: [{ first: 0x20 }] };
  system.plans['normal']!['slots'] = [slot('a', 0, 5), slot('c', 4, 7), { partition: 'b', start: ns(0.5), duration: ms(1) }];
  system['channels'] = { t: sampling('a.x', 'z.in'), u: { kind: 'ring' } };
  expect(paths(system).sort()).toEqual(
    [
      'name',
      'partitions.a.memory',
      'partitions.a.health.overrun',
      'partitions.a.ioPorts[0]',
      'plans.normal.slots[1].partition',
      'plans.normal.slots[1].start',
      'plans.normal.slots[1].duration',
      'plans.normal.slots[2].start',
      'channels.t.to[0]',
      'channels.u.kind',
    ].sort(),
  );
});

it.each([
  undefined,
  null,
  5,
  'text',
  [],
  {},
  { partitions: [], plans: 5 },
  { name: 'x', partitions: { a: null }, plans: { p: null } },
  { name: 'x', partitions: { a: {} }, plans: { p: { slots: {} }, q: { slots: [null, 5] } }, channels: { c: null }, inputs: [] },
])('whatever is given, %j, is answered with problems and not with an error', (given) => {
  const { problems, system } = validate(given);
  expect(problems.length).toBeGreaterThan(0);
  expect(system).toBeUndefined();
});

describe('a warning is', () => {
  const warned = (change: (system: LooseSystem) => void): string[] => {
    const system = good();
    change(system);
    const { problems, warnings } = validate(system);
    expect(problems).toEqual([]);
    return warnings.map(problemLine);
  };

  it('a partition that never runs', () => {
    expect(warned((s) => (s.partitions['c'] = { program: native('c.S'), memory: mib(1) }))).toEqual([
      'partitions.c: has no slot in any plan: it will never run',
    ]);
  });

  it('a slot in which a platform’s guest could not come to a new access', () => {
    expect(
      warned((s) => {
        s.partitions['a']!['platform'] = pc();
        s.partitions['a']!['memory'] = mib(2);
        (s.plans['normal']!['slots'] as { duration: unknown }[])[0]!.duration = us(599);
        s.plans['normal']!['idle'] = 'allowed';
      }),
    ).toEqual([
      'plans.normal.slots[0].duration: us(599) are too short for a new access to device memory, which waits for a slot of 600 us',
    ]);
  });

  it('a watchdog that barks before the partition can run again', () => {
    expect(warned((s) => (s.partitions['a']!['watchdog'] = ms(6)))).toEqual([
      expect.stringMatching(/^partitions\.a\.watchdog: ms\(6\) pass while .*up to 6 ms in the plan normal/),
    ]);
    expect(warned((s) => (s.partitions['a']!['watchdog'] = ms(6.000001)))).toEqual([]);
  });
});
