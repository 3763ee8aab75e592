import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { boot, type BootedRun, type BootOptions } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';
import { buildFolder, projectRoot } from '../tools/paths.ts';
import { accumulated } from '../tools/report/accumulator.ts';
import { reportLines, reportOf } from '../tools/report/report.ts';
import { createTimers } from '../tools/report/timers.ts';

type Timer = 'pit' | 'hpet' | 'lapic';

/** One tick of each timer, in nanoseconds, rounded up. */
const TICK: Readonly<Record<Timer, bigint>> = { pit: 839n, hpet: 10n, lapic: 1n };
const PERIOD: Readonly<Record<Timer, bigint>> = { pit: 999_847n, hpet: 1_000_000n, lapic: 1_000_000n };

const of = (timer: Timer) => (fields: { timer: Timer }) => fields.timer === timer;

/**
 * The promises of the README for one timer, on 1,000 interrupts at 1 ms.
 * @param drift nanoseconds that the nominal instants, which are reckoned with the measured frequency of the TSC, may be off after a second
 */
function expectExact(run: BootedRun, timer: Timer, drift = 10n): void {
  expect(run.of('timer.interval', of(timer)).map(({ fields }) => fields.spurious)).toEqual([0]);
  expect(run.of('interrupt.unexpected')).toEqual([]);
  const taken = run.series('timer.interrupt', ({ taken }) => taken, of(timer));
  expect(taken).toHaveCount(1000);
  expect(taken).toHavePeriod(PERIOD[timer], 20n);
  expect(taken).toHaveJitterAtMost(30n);
  // Stamps are cut to whole nanoseconds, and the TSC's measured frequency is good to some parts per billion.
  const error = run.series('timer.interrupt', ({ taken, nominal }) => taken - nominal, of(timer));
  expect(error).toStayWithin(-drift, TICK[timer] + 200n);
  const latency = run.series('timer.interrupt', ({ taken }, at) => at - taken, of(timer));
  expect(latency).toStayWithin(0n, 4_000n);
  const spans = latency.samples.map(({ value }) => value);
  expect(Math.max(...spans.map(Number)) - Math.min(...spans.map(Number))).toBeLessThanOrEqual(1_000);
}

function expectFrequency(run: BootedRun, clock: string, hertz: number, ppm: number): void {
  const [record] = run.of('machine.frequency', (fields) => fields.clock === clock);
  expect(record, `frequency of ${clock} in ${run.log}`).toBeDefined();
  const seen = Number(record!.fields.numerator) / Number(record!.fields.denominator);
  expect(Math.abs(seen / hertz - 1) * 1e6, `${clock} at ${seen} Hz`).toBeLessThanOrEqual(ppm);
}

describe.each(['pc', 'q35'] as const)('on %s', (machine) => {
  it('takes 1,000 interrupts from PIT, HPET and LAPIC, each at its nominal instant', async () => {
    const run = await boot({ machine });
    expect(run).toHold();
    expect(run).toShowInOrder([
      'kernel.start',
      'machine.cpu',
      'machine.acpi',
      'machine.frequency',
      'timer.start',
      'timer.interrupt',
      'kernel.exit',
    ]);
    for (const timer of ['pit', 'hpet', 'lapic'] as const) expectExact(run, timer);
    expectFrequency(run, 'tsc', 1e9, 0.1);
    expectFrequency(run, 'lapic', 1e9, 0.1);
    expectFrequency(run, 'hpet', 1e8, 0);
    expect(run.of('interval.recorded').map(({ fields }) => fields.source)).toEqual(['rtc', 'com1']);
    expect([run.of('output.signal').length, run.of('time.absolute').length, run.of('use.skipped').length]).toEqual([1, 1, 0]);
    expect(run.of('trace.dropped')).toEqual([]);
    expect(run.lines.filter((line) => line.startsWith('#'))).toEqual(['# chronovisor-trace 1']);
  });

  it('without HPET reports it absent and goes on with the others', async () => {
    const run = await boot({ machine, hpet: false });
    expect(run).toHold();
    expect(run.of('machine.absent', ({ device }) => device === 'hpet')).toHaveLength(1);
    expect(run.of('timer.skipped', ({ timer }) => timer === 'hpet')).toHaveLength(1);
    // The PM timer's tick is 28 times coarser than the HPET's.
    expectExact(run, 'pit', 200n);
    expectExact(run, 'lapic', 200n);
    expectFrequency(run, 'tsc', 1e9, 0.2);
  });
});

describe('on microvm', () => {
  it('gets by with the PIT as reference, and finds the way its interrupt goes', async () => {
    const run = await boot({ machine: 'microvm', append: 'count=200' });
    expect(run).toHold();
    expect(run.of('machine.absent').map(({ fields }) => fields.device)).toEqual(expect.arrayContaining(['hpet', 'pm-timer']));
    // Its I/O APIC has IRQ 0 at input 2, but its MADT does not say so.
    expect(run.of('timer.silent').map(({ fields }) => fields.route)).toEqual(['I/O APIC input 0']);
    expect(run.series('timer.interrupt', ({ taken }) => taken, of('pit'))).toHaveCount(200);
    expectFrequency(run, 'tsc', 1e9, 2);
  });

  it('without ACPI reports every table-born device absent and uses the 8259A', async () => {
    const run = await boot({ machine: 'microvm', extra: ['-machine', 'acpi=off'], append: 'count=50' });
    expect(run).toHold();
    expect(run.of('machine.absent').map(({ fields }) => fields.device)).toEqual(
      expect.arrayContaining(['acpi', 'ioapic', 'hpet', 'pm-timer']),
    );
    expect(run.of('timer.start', of('pit'))[0]?.fields.route).toBe('8259A line 0');
    expect(run.series('timer.interrupt', ({ taken }) => taken, of('pit'))).toHaveCount(50);
  });
});

describe('the trace', () => {
  const same: BootOptions = { append: 'count=200', seed: 7 };

  it('of runs with one seed is the same byte for byte, also on a busy host', async () => {
    // More machines than cores: their threads are held up at every possible moment.
    const [first, ...others] = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => boot({ ...same, name: `seed-7-${name}` })));
    expect(first).toHold();
    expect(first!.lines.length).toBeGreaterThan(600);
    for (const other of others) expect(other.lines).toEqual(first!.lines);
  });

  it('agrees with the sums that the kernel made itself', async () => {
    const run = await boot({ ...same, seed: 8 });
    for (const report of accumulated(createTimers(), run.records)) {
      const [own] = run.of('timer.interval', of(report.timer));
      // The kernel sums in TSC ticks and cuts once; the trace cuts every stamp to a nanosecond.
      expect(Math.abs(Number(own!.fields.min) - report.intervals.min)).toBeLessThanOrEqual(1);
      expect(Math.abs(Number(own!.fields.max) - report.intervals.max)).toBeLessThanOrEqual(1);
      const [latency] = run.of('timer.latency', of(report.timer));
      expect(Math.abs(Number(latency!.fields.max) - report.latencies.max)).toBeLessThanOrEqual(1);
    }
  });
});

it('lives without icount, where only wide limits hold', async () => {
  const run = await boot({ icount: 'off', append: 'count=50', seconds: 60 });
  expect(run).toHold();
  for (const timer of ['pit', 'hpet', 'lapic'] as const) {
    expect(run.series('timer.interrupt', ({ taken }) => taken, of(timer))).toHaveCount(50);
    // Never early by more than calibration can be wrong, and a busy host date the start late; late by whatever the host does.
    const error = run.series('timer.interrupt', ({ taken, nominal }) => taken - nominal, of(timer));
    expect(error).toStayWithin(-20_000_000n, 1_000_000_000n);
  }
});

describe('the five uses of time, a partition each', () => {
  const MS = 1_000_000n;
  const PARTITIONS = { victim: 0, controller: 1, woken: 2, sensor: 3, clock: 4 } as const;
  let run: BootedRun;
  let epoch = 0n;
  beforeAll(async () => {
    run = await boot({ system: 'partitions/demonstration/system.ts', name: 'demonstration-partitions', seconds: 120 });
    expect(run).toHold();
    expect(run.of('trace.dropped')).toEqual([]);
    epoch = run.of('system.started')[0]!.fields.epoch;
  }, 130_000);
  const said = (partition: keyof typeof PARTITIONS): string[] =>
    run.of('partition.console', (fields) => fields.partition === PARTITIONS[partition]).map(({ fields }) => fields.text);

  it('a partition in an endless loop is found by its watchdog and begins anew, again and again', () => {
    const found = run.of('health.event', ({ event }) => event === 'watchdog');
    expect(found.length).toBeGreaterThanOrEqual(5);
    for (const { fields } of found) expect(fields).toMatchObject({ partition: PARTITIONS.victim, action: 'warm-reset' });
    expect(said('victim').slice(0, 3)).toEqual([
      'victim: starts, 0 resets so far\n',
      'victim: stuck\n',
      'victim: starts, 1 resets so far\n',
    ]);
  });

  it('a signal is put out at required instants: 10 ms apart, never early, most of them to a few nanoseconds', () => {
    const edges = run.of('port.output').map(({ fields }) => fields);
    expect(edges.length).toBeGreaterThan(110);
    expect(edges.map(({ value }) => value)).toEqual(edges.map((_, index) => (index + 1) % 2));
    const errors = edges.map(({ written }, index) => Number(written - epoch - (101_060_000n + 10n * BigInt(index) * MS)));
    expect(Math.min(...errors)).toBeGreaterThanOrEqual(0);
    // What is later met an interrupt of the real-time clock.
    expect(Math.max(...errors)).toBeLessThan(40_000);
    expect(errors.filter((error) => error < 100).length).toBeGreaterThan(0.9 * errors.length);
  });

  it('a partition is woken by each of its slots, and by a timer', () => {
    const traced = (code: bigint) =>
      run
        .of('partition.trace', (fields) => fields.partition === PARTITIONS.woken && fields.code === code)
        .map(({ fields }) => fields.value);
    const starts = traced(1n);
    expect(starts.length).toBeGreaterThan(115);
    expect(starts.every((start) => start % (10n * MS) === 5n * MS)).toBe(true);
    // The first one found it booting.
    expect(Math.max(...traced(2n).slice(1).map(Number))).toBeLessThan(200_000);
    const deadlines = traced(3n);
    expect(deadlines.length).toBeGreaterThan(40);
    deadlines.forEach((deadline, index) => expect(deadline).toBe(deadlines[0]! + BigInt(index) * 25n * MS));
  });

  it('intervals of external events are recorded: 256 Hz', () => {
    const [line] = said('sensor');
    const [, least, most, mean] = /^sensor: 100 intervals, least (\d+) most (\d+) mean (\d+) ns\n$/.exec(line!)!.map(Number);
    expect(mean).toBe(3_906_250);
    // An event that meets a switch between slots is dated up to the switch's lead late.
    expect(least).toBeGreaterThan(3_906_250 - 60_000);
    expect(most).toBeLessThan(3_906_250 + 60_000);
  });

  it('absolute time is kept', () => {
    expect(said('clock').length).toBeGreaterThanOrEqual(1);
    for (const line of said('clock')) expect(line).toMatch(/^clock: 2026-01-01 00:00:\d\d UTC\n$/);
  });

  it('has a report with all of it', () => {
    const report = reportLines(reportOf(run.lines)).join('\n');
    expect(report).toMatch(/^victim +watchdog +warm-reset +\d+ /m);
    expect(report).toMatch(/^controller +80h +1\d\d +101\.06 ms +10 ms /m);
    expect(report).toMatch(/^The kernel between two runs of guests$/m);
  });

  it("is what the README's picture shows, which is made by the command beside it", () => {
    const root = projectRoot();
    const command = /^tools\/chronovisor timeline \S+ (.*) --out (partitions\/\S+)$/m.exec(readFileSync(join(root, 'README.md'), 'utf8'))!;
    const made = join(buildFolder(), 'test', 'demonstration.svg');
    const program = join(buildFolder(), 'tools', 'chronovisor.mjs');
    const words = [program, 'timeline', run.log, ...command[1]!.split(' '), '--out', made];
    const { status, stderr } = spawnSync('node', words, { cwd: root, encoding: 'utf8', timeout: 60_000 });
    expect(status, stderr).toBe(0);
    // A change of the kernel moves everything by some nanoseconds, and some of it from one pixel to the next: what is compared is what a person sees.
    const [kept, now] = [join(root, command[2]!), made].map((file) => seenIn(readFileSync(file, 'utf8'))) as [Seen, Seen];
    const advice = `${command[2]!} is not up to date: run the demonstration, then the command of the README that makes it`;
    expect(kept.names, advice).toEqual(now.names);
    expect(kept.outlines, advice).toBe(now.outlines);
    for (const [ink, amount] of Object.entries(now.amounts)) {
      const tolerance = Math.max(3, amount / 5);
      expect(Math.abs((kept.amounts[ink] ?? 0) - amount), `${advice} (${ink})`).toBeLessThanOrEqual(tolerance);
    }
  });
});

interface Seen {
  /** Of lanes and groups, and what the legend has. */
  readonly names: readonly string[];
  readonly outlines: number;
  /** By colour: shapes counted, filled areas in 20 px squared, which are a lane's height. */
  readonly amounts: Readonly<Record<string, number>>;
}

function seenIn(svg: string): Seen {
  const amounts: Record<string, number> = {};
  const add = (key: string, amount: number): void => void (amounts[key] = (amounts[key] ?? 0) + amount);
  for (const [, width, height, ink] of svg.matchAll(/<rect x="\S+" y="\S+" width="(\S+)" height="(\S+)" fill="var\(--(p\d)\)"/g))
    add(ink!, (Number(width) * Number(height)) / 400);
  for (const [, ink, path] of svg.matchAll(/<path fill="var\(--(p\d)\)"[^>]* d="([^"]+)"/g))
    for (const [, height] of path!.matchAll(/h1v([\d.]+)h-1z/g)) add(ink!, Number(height) / 400);
  for (const [, ink] of svg.matchAll(/<polygon [^>]*fill="var\(--(\w+)\)"/g)) add(`shapes ${ink!}`, 1);
  return {
    // Names begin with a letter; lengths and instants are numbers.
    names: [...svg.matchAll(/<text [^>]*>([a-z][^<]*)</gi)].map((match) => match[1]!),
    outlines: svg.match(/stroke="var\(--plan\)"/g)?.length ?? 0,
    amounts,
  };
}
