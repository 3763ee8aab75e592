/**
 * Guests that do with the devices of their virtual PCs what no program does, several in each system, each with a slot of a partition behind its
 * own that looks at its slots from within: the trace says what happened to the ones, and the other one's slots stay where they are.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { boot, type BootedRun } from '../../tools/harness/boot.ts';
import { createSystems, epochOf, exitsOf, expectSlotsExact, healthOf, START_ERROR_MAX, statesOf, traced } from './support.ts';

const systems = createSystems('bad-devices');

/** Trace codes of test/guests/trap.h and bad-devices.c. */
const GUEST = { DONE: 1n, READ: 4n } as const;
/** Trace code of test/guests/slot-stamps.S: on the HW clock, the end of a stretch in which it did not run. */
const GAP_END = 17n;
/** From one reading of the TSC in its loop to the next, and what a gap is at least: shorter ones are the kernel's, in the middle of its slot. */
const STAMP_STEP = 20n;
const GAP_LEAST = 400_000;
const MS = 1_000_000n;

interface Guest {
  readonly file: string;
  readonly defines: Readonly<Record<string, number>>;
  readonly health?: string;
}

/** Guests' slots, of so many ms each, and a slot of 1 ms of the victim's behind each of them; 1 ms at the end is nobody's. */
async function runBeside(name: string, guests: readonly Guest[], slot: number, frames: number): Promise<BootedRun> {
  const gaps = frames * guests.length - 1;
  const frame = guests.length * (slot + 1) + 1;
  const partitions = guests.map(
    ({ file, defines, health = '{}' }, index) =>
      `bad${index}: { program: native('../../../test/guests/${file}', { defines: ${JSON.stringify(defines)} }), memory: mib(2), platform: pc(), health: ${health} },`,
  );
  const slots = guests.map(
    (_, index) =>
      `{ partition: 'bad${index}', start: ms(${index * (slot + 1)}), duration: ms(${slot}) },
       { partition: 'victim', start: ms(${index * (slot + 1) + slot}), duration: ms(1) },`,
  );
  const system = systems.place(
    `${name}.ts`,
    `import { defineSystem, kib, mib, ms, native, pc } from '../../../partitions/define.ts';
     export default defineSystem({
       name: '${name}',
       partitions: {
         ${partitions.join('\n')}
         victim: { program: native('../../../test/guests/slot-stamps.S', { defines: { GAPS: ${gaps}, THRESHOLD: ${GAP_LEAST} } }), memory: kib(${128 + 4 * Math.ceil(gaps / 128)}) },
       },
       plans: { normal: { majorFrame: ms(${frame}), slots: [${slots.join('\n')}], idle: 'allowed' } },
       duration: ms(${frame * (frames + 2 + Math.ceil(gaps / 16))}),
     });\n`,
  );
  const run = await boot({ system, name: `bad-devices-${name}`, seconds: 170, append: 'serial=off' });
  const victim = guests.length;
  expectSlotsExact(run);
  const starts = guests.map((_, index) => BigInt(index * (slot + 1) + slot) * MS);
  expectVictimExact(run, victim, BigInt(frame) * MS, starts, gaps);
  return run;
}

/** Seen from the kernel, and from within. */
function expectVictimExact(run: BootedRun, victim: number, frame: bigint, starts: readonly bigint[], gaps: number): void {
  const ran = run.of('slot.run', ({ partition }) => partition === victim);
  expect(ran.length, `slots of the victim in ${run.log}`).toBeGreaterThan(gaps);
  const instants = (count: number): bigint[] =>
    Array.from({ length: count }, (_, index) => BigInt(Math.floor(index / starts.length)) * frame + starts[index % starts.length]!);
  const epoch = epochOf(run);
  instants(ran.length).forEach((instant, index) => {
    const off = ran[index]!.fields.nominal - epoch - instant;
    expect(off >= -1n && off <= 1n, `slot ${index} is ${off} ns from its place in ${run.log}`).toBe(true);
  });
  const seen = traced(run, victim, GAP_END);
  expect(seen, `slots that the victim saw in ${run.log}`).toHaveLength(gaps);
  instants(gaps + 1)
    .slice(1)
    .forEach((instant, index) => {
      const late = seen[index]! - instant;
      expect(late >= 0n && late <= START_ERROR_MAX + STAMP_STEP, `slot ${index + 1} began ${late} ns late by the victim's clock`).toBe(
        true,
      );
    });
  expect(healthOf(run, victim)).toEqual([]);
}

/** Misuses of a device: those that were told, and how many were counted. */
const misusesOf = (run: BootedRun, partition: number, device: string): { readonly told: readonly string[]; readonly counted: number } => ({
  told: run.of('device.misuse', (fields) => fields.partition === partition && fields.device === device).map(({ fields }) => fields.what),
  counted: run.of('device.counts', (fields) => fields.partition === partition && fields.device === device)[0]?.fields.misuses ?? 0,
});

const bad = (number: number, health?: string): Guest => ({
  file: 'bad-devices.c',
  defines: { CASE: number },
  ...(health === undefined ? {} : { health }),
});

describe('a guest that', () => {
  const [WIDTHS, HPET_VALUES, HPET_STORM, VALUES, LEVEL_STORM, CROSSING, LACKING] = [0, 1, 2, 3, 4, 5, 6] as const;
  let run: BootedRun;
  beforeAll(async () => {
    run = await runBeside('several', [bad(1), bad(2), bad(3), bad(4), bad(5), bad(6), bad(7)], 2, 40);
  });

  it('accesses each register by each width, aligned and not: all done, counted by device', () => {
    expect(traced(run, WIDTHS, GUEST.DONE)).toEqual([819n]);
    for (const device of ['pic', 'lapic', 'ioapic', 'hpet', 'pit', 'rtc', 'pm-timer', 'uart'])
      expect(misusesOf(run, WIDTHS, device).counted, device).toBeGreaterThan(4);
    expect(run.of('device.misuse', ({ partition }) => partition === WIDTHS)).toHaveLength(64);
    expect(statesOf(run, WIDTHS)).toEqual([]);
  });

  it('gives its HPET a route that is none, a comparator in the past, a period of 0, and sets its counter while it runs', () => {
    const [route] = traced(run, HPET_VALUES, GUEST.READ);
    expect(route).not.toBe(31n);
    expect(traced(run, HPET_VALUES, GUEST.DONE)).toEqual([1n]);
    expect(misusesOf(run, HPET_VALUES, 'hpet').counted).toBeGreaterThanOrEqual(3);
    expect(statesOf(run, HPET_VALUES)).toEqual([]);
  });

  it('wants an interrupt at each tick of its HPET: it does nothing but handle them, and what there is no time for is counted as lost', () => {
    expect(traced(run, HPET_STORM, GUEST.DONE)).toEqual([]);
    const [accounts] = run.of('platform.accounts', ({ partition, source }) => partition === HPET_STORM && source === 'hpet0');
    expect(accounts!.fields.accepted).toBeGreaterThan(100);
    expect(accounts!.fields.lost).toBeGreaterThan(1_000_000);
  });

  it('sets a 13th month, each control word of the 8254, vectors under 16: told, and the local APIC says so too', () => {
    const [month, errors] = traced(run, VALUES, GUEST.READ);
    expect(month).toBe(0x13n);
    expect(errors! & 0x60n).toBe(0x60n);
    expect(traced(run, VALUES, GUEST.DONE)).toEqual([1n]);
    expect(misusesOf(run, VALUES, 'lapic').told.join()).toMatch(/a vector under 16/);
    expect(misusesOf(run, VALUES, 'rtc').counted).toBeGreaterThan(0);
    expect(misusesOf(run, VALUES, 'pit').counted).toBeGreaterThan(0);
  });

  it('never acknowledges a level-triggered interrupt: it gets it over and over, in its own time', () => {
    expect(traced(run, LEVEL_STORM, GUEST.DONE)).toEqual([]);
    expect(run.of('guest.interrupt', ({ partition }) => partition === LEVEL_STORM).length).toBeGreaterThan(300);
  });

  it('reaches from one page into the next, with an operand and with the instruction itself', () => {
    const [, first, second] = traced(run, CROSSING, GUEST.READ);
    expect([first, second]).toEqual([16_000_000n, 16_000_000n]);
    expect(traced(run, CROSSING, GUEST.DONE)).toEqual([2n]);
    expect(healthOf(run, CROSSING)).toEqual([]);
  });

  it('uses an instruction on device memory that is not done for guests: halted, with its bytes', () => {
    expect(healthOf(run, LACKING)).toEqual([
      expect.stringMatching(/^unexpected-exit -> halt: an instruction on device memory at 0xfee00000: it is not one .*; 0f ae /),
    ]);
    expect(exitsOf(run, LACKING)['nested-page-fault']).toBe(1);
    expect(statesOf(run, LACKING)).toEqual([expect.stringMatching(/^halted: /)]);
  });
});

it('a guest that accesses all of its devices at random, 100,000 times, resets itself among it: nobody else sees any of it', async () => {
  const health = "{ shutdown: 'warm-reset', 'partition-error': 'warm-reset', 'unexpected-exit': 'warm-reset' }";
  const run = await runBeside('random', [{ file: 'fuzz-devices.c', defines: { ACCESSES: 100_000, SEED: 1 }, health }], 6, 960);
  expect(traced(run, 0, GUEST.DONE)).toEqual([100_000n]);
  expect(statesOf(run, 0).filter((state) => state.startsWith('ready: warm reset: its own')).length).toBeGreaterThan(5);
  const counts = run.of('device.counts', ({ partition }) => partition === 0);
  for (const { fields } of counts) {
    if (fields.device !== 'nobody') expect(fields.misuses, fields.device).toBeGreaterThan(0);
    expect(fields.reads + fields.writes, fields.device).toBeGreaterThan(100);
  }
  expect(run.of('device.misuse')).toHaveLength(64);
}, 1100_000);
