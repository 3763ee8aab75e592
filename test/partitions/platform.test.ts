/** Virtual PCs as their software finds them: ticks by every route, a console, resets, a TSC of their own. A plain partition is beside them all. */
import { beforeAll, describe, expect, it } from 'vitest';
import { boot, type BootedRun } from '../../tools/harness/boot.ts';
import { consoleOf, createSystems, expectEverySlot, expectSlotsExact, healthOf, statesOf, traced } from './support.ts';

const systems = createSystems('platform');

/** Trace codes of test/guests/platform.c. */
const TICK = 1n;
const WANTED = 2n;
const SEEN = 3n;
const MS = 1_000_000n;
/** From the comparator's match to the handler's first instruction, ns; and what the stamp before it and a count of the HPET take from that. */
const LATE_MAX = 500n;
const EARLY_MAX = 20n;
const SLOT = 20;
const FRAMES = 6;

interface Guest {
  readonly number: number;
  readonly tsc?: 'native' | 'emulated';
}

/** Each in slots of 20 ms, with one of 1 ms of a plain partition behind it, which is there in each of them. */
async function runAll(name: string, guests: readonly Guest[]): Promise<BootedRun> {
  const frame = guests.length * (SLOT + 1);
  const partitions = guests.map(
    ({ number, tsc = 'native' }, index) =>
      `guest${index}: { program: native('../../../test/guests/platform.c', { defines: { CASE: ${number} } }), memory: mib(2), platform: pc({ tsc: '${tsc}' }) },`,
  );
  const slots = guests.map(
    (_, index) =>
      `{ partition: 'guest${index}', start: ms(${index * (SLOT + 1)}), duration: ms(${SLOT}) },
       { partition: 'plain', start: ms(${index * (SLOT + 1) + SLOT}), duration: ms(1) },`,
  );
  const system = systems.place(
    `${name}.ts`,
    `import { defineSystem, kib, mib, ms, native, pc } from '../../../partitions/define.ts';
     export default defineSystem({
       name: '${name}',
       partitions: { ${partitions.join('\n')} plain: { program: native('../../../partitions/spin/spin.S'), memory: kib(64) } },
       plans: { normal: { majorFrame: ms(${frame}), slots: [${slots.join('\n')}] } },
       duration: ms(${frame * FRAMES}),
     });\n`,
  );
  const run = await boot({ system, name: `platform-${name}`, append: 'serial=off' });
  expectSlotsExact(run);
  const starts = guests.map((_, index) => BigInt(index * (SLOT + 1) + SLOT) * MS);
  expectEverySlot(run, guests.length, BigInt(frame) * MS, starts, FRAMES);
  return run;
}

describe('a tick comes to its handler at its instant', () => {
  const ROUTES = [
    ['8259As, legacy replacement', 1],
    ['I/O APIC, edge', 2],
    ['I/O APIC, level', 3],
    ['local APIC timer, periodic', 4],
    ['local APIC timer, TSC deadline', 6],
    ['FSB', 7],
  ] as const;
  let run: BootedRun;
  beforeAll(async () => {
    run = await runAll(
      'routes',
      ROUTES.map(([, number]) => ({ number })),
    );
  });

  it.each(ROUTES.map(([route], index) => [route, index] as const))('%s', (_, partition) => {
    const [wanted] = traced(run, partition, WANTED);
    const ticks = traced(run, partition, TICK);
    expect(ticks).toHaveLength(10);
    ticks.forEach((tick, index) => {
      const late = tick - wanted! - BigInt(index) * MS;
      expect(late >= -EARLY_MAX && late <= LATE_MAX, `tick ${index} is ${late} ns late in ${run.log}`).toBe(true);
    });
    expect(statesOf(run, partition)).toEqual(['halted: by itself']);
  });
});

describe('a virtual PC', () => {
  const [CONSOLE, CF9, PORT_64, OFF, NATIVE, EMULATED, ONE_SHOT] = [0, 1, 2, 3, 4, 5, 6] as const;
  let run: BootedRun;
  beforeAll(async () => {
    run = await runAll('others', [
      { number: 8 },
      { number: 9 },
      { number: 10 },
      { number: 11 },
      { number: 12 },
      { number: 12, tsc: 'emulated' },
      { number: 5 },
    ]);
  });

  it('has a console: COM1', () => {
    expect(consoleOf(run, CONSOLE)).toEqual(['one line', 'two lines']);
  });

  it.each([
    ['CF9h', CF9],
    ['64h', PORT_64],
  ])('resets itself by port %s, and is there again', (_, partition) => {
    expect(traced(run, partition, SEEN)).toEqual([0n, 1n]);
    expect(statesOf(run, partition)).toEqual(['ready: warm reset: its own, by a port', 'halted: by itself']);
  });

  it('switches itself off by PM1, and is halted', () => {
    expect(traced(run, OFF, SEEN)).toEqual([0n]);
    expect(statesOf(run, OFF)).toEqual(['halted: it switched itself off']);
  });

  it.each([
    ['native', NATIVE],
    ['emulated', EMULATED],
  ])(
    'has a TSC of its own, %s: writes of TSC and TSC_ADJUST move it and no other clock, and RDTSCP and the MSR read the same',
    (_, partition) => {
      expect(traced(run, partition, SEEN)).toEqual([1n, 1n, 1n, 1n, 1n]);
      expect(healthOf(run, partition)).toEqual([]);
    },
  );

  it('arms its local APIC timer anew at each tick: not early, and late by what arming takes', () => {
    const [wanted] = traced(run, ONE_SHOT, WANTED);
    const ticks = traced(run, ONE_SHOT, TICK);
    expect(ticks).toHaveLength(10);
    ticks.forEach((tick, index) => {
      const late = tick - wanted! - BigInt(index) * MS;
      expect(late >= -EARLY_MAX && late <= LATE_MAX, `tick ${index} is ${late} ns late in ${run.log}`).toBe(true);
    });
  });
});
