import { expect, it } from 'vitest';
import type { ProgramDescription } from '../../kernel/partition/system.ts';
import { defineSystem, kib, mib, ms, native, pc, seconds, typescript, us } from './define.ts';
import { describeSystem } from './describe.ts';

it('names become indices, durations nanoseconds, what is left out its default', () => {
  const { system } = defineSystem({
    name: 'demo',
    partitions: {
      a: { program: native('a.S'), memory: kib(64), ioPorts: [{ first: 0x378, traced: true }] },
      b: {
        program: typescript('b.ts'),
        memory: mib(16),
        system: true,
        watchdog: ms(50),
        health: { fault: { 13: 'propagate' }, overrun: { action: 'switch-plan', plan: 'repair' } },
      },
    },
    plans: {
      normal: { majorFrame: ms(1.001), slots: [{ partition: 'b', start: us(1), duration: ms(1) }], idle: 'allowed' },
      repair: { majorFrame: ms(1), slots: [{ partition: 'a', start: ms(0), duration: ms(1) }], maintenance: true },
    },
    channels: {
      t: { kind: 'sampling', size: 8, from: 'b', to: ['a', 'a.second'] },
      q: { kind: 'queuing', size: 16, depth: 4, from: 'a.out', to: ['b.in'] },
    },
    inputs: { i: { source: 'rtc', hertz: 1024, depth: 64, to: 'a.ticks' } },
    duration: seconds(2),
  });
  const programs = new Map<string, ProgramDescription>([
    ['a', { kind: 'flat', file: 'programs/a.bin', address: 0x8000, entry: 0x8000, mode: 'long' }],
    ['b', { kind: 'typescript', file: 'programs/b.tar' }],
  ]);
  expect(describeSystem(system, programs)).toEqual({
    format: 1,
    name: 'demo',
    partitions: [
      {
        name: 'a',
        program: programs.get('a'),
        memory: 65_536,
        isSystem: false,
        ioPorts: [{ first: 0x378, count: 1, isTraced: true }],
        watchdog: 0,
        health: [],
      },
      {
        name: 'b',
        program: programs.get('b'),
        memory: 16_777_216,
        isSystem: true,
        ioPorts: [],
        watchdog: 50_000_000,
        health: [
          { event: 'fault', vector: 13, action: 'propagate' },
          { event: 'overrun', action: 'switch-plan', plan: 1 },
        ],
      },
    ],
    plans: [
      { name: 'normal', majorFrame: 1_001_000, isMaintenance: false, slots: [{ partition: 1, start: 1_000, duration: 1_000_000 }] },
      { name: 'repair', majorFrame: 1_000_000, isMaintenance: true, slots: [{ partition: 0, start: 0, duration: 1_000_000 }] },
    ],
    channels: [
      {
        kind: 'sampling',
        name: 't',
        size: 8,
        validity: 0,
        from: { partition: 1, port: 't' },
        to: [
          { partition: 0, port: 't' },
          { partition: 0, port: 'second' },
        ],
      },
      { kind: 'queuing', name: 'q', size: 16, depth: 4, from: { partition: 0, port: 'out' }, to: [{ partition: 1, port: 'in' }] },
    ],
    inputs: [{ name: 'i', source: 'rtc', hertz: 1024, depth: 64, to: { partition: 0, port: 'ticks' } }],
    absoluteTime: false,
    duration: 2_000_000_000,
  });
});

it("a platform's defaults are today's rules, Xen's timer mode and its HPET", () => {
  const { system } = defineSystem({
    name: 'p',
    partitions: {
      a: { program: native('a.S'), memory: mib(2), platform: pc() },
      b: { program: native('a.S'), memory: mib(2), platform: pc({ hpet: false, tsc: 'emulated', rules: { setOnPost: false } }) },
    },
    plans: { p: { majorFrame: ms(1), slots: [{ partition: 'a', start: ms(0), duration: ms(1) }] } },
  });
  const [a, b] = describeSystem(system, new Map()).partitions;
  expect(a!.platform).toEqual({
    timerMode: 'delay_for_missed_ticks',
    tsc: 'native',
    hpet: { period: 16_000_000, timers: 3 },
    date: Date.UTC(2026, 0, 1) / 1000,
    rules: { setOnThaw: true, setOnPost: true, era: 'today' },
  });
  expect(b!.platform).toEqual({
    ...a!.platform,
    hpet: undefined,
    tsc: 'emulated',
    rules: { setOnThaw: true, setOnPost: false, era: 'today' },
  });
});
