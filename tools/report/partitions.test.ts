import { describe, expect, it } from 'vitest';
import { EVENTS, type TraceRecord } from '../../kernel/trace/events.ts';
import type { EventDefinition } from '../../kernel/trace/event.ts';
import { formatLine, parseLine } from '../../kernel/trace/text.ts';
import { liveLine } from '../log/read.ts';
import { accumulated } from './accumulator.ts';
import { consoleLines } from './console.ts';
import * as outputs from './outputs.ts';
import * as partitions from './partitions.ts';
import { createReport, reportLines } from './report.ts';
import * as slots from './slots.ts';
import { createSystem, type System } from './system.ts';

function systemOf(records: readonly TraceRecord[]): System {
  const system = createSystem();
  records.forEach(system.push);
  return system;
}
const slotReports = (records: readonly TraceRecord[]) => accumulated(slots.createSlots(systemOf(records)), records);
const slotTable = (records: readonly TraceRecord[]) => slots.slotTable(slotReports(records), systemOf(records));
const partitionsOf = (records: readonly TraceRecord[]) => accumulated(partitions.createPartitions(systemOf(records)), records);
const partitionTable = (records: readonly TraceRecord[]) => partitions.partitionTable(partitionsOf(records));
const exitLines = (records: readonly TraceRecord[]) => partitions.exitLines(partitionsOf(records));
const healthTable = (records: readonly TraceRecord[]) => partitions.healthTable(partitionsOf(records), systemOf(records));
const costLines = (records: readonly TraceRecord[]) => partitions.costLines(partitionsOf(records));
const outputTable = (records: readonly TraceRecord[]) =>
  outputs.outputTable(accumulated(outputs.createOutputs(systemOf(records)), records), systemOf(records));

/** As a log has it: through the grammar and back. */
function record(event: EventDefinition, at: bigint, ...values: readonly unknown[]): TraceRecord {
  const parsed = parseLine(formatLine(event, at, 0, [...values]));
  if (parsed.kind !== 'record') throw new Error(`not a record: ${event.name}`);
  return parsed.record;
}

/** As lines of a log. */
function partitionReport(records: readonly TraceRecord[]): string[] {
  const report = createReport();
  records.forEach((own, index) => report.push({ ...liveLine('', index + 1), parsed: { kind: 'record', record: own } }));
  return reportLines(report.result());
}

const EPOCH = 1_000_000n;
const MS = 1_000_000n;

/** Frames of 10 ms: `a` from 0 to 4 ms, `b` from 4 to 10; entered as late as told. */
function frames(count: number, lates: readonly [a: bigint, b: bigint][], first = 0): TraceRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const frame = first + index;
    const base = EPOCH + BigInt(frame) * 10n * MS;
    const [a, b] = lates[index % lates.length]!;
    return [
      record(EVENTS.slotRun, base + 4n * MS, 0, 0, frame, base, base + a, base + 4n * MS - 5_000n),
      record(EVENTS.slotRun, base + 10n * MS, 1, 1, frame, base + 4n * MS, base + 4n * MS + b, base + 10n * MS - 5_000n),
    ];
  }).flat();
}

const CREATED = [
  record(EVENTS.partitionCreated, 10n, 0, 'a', 'programs/a.bin', 65_536),
  record(EVENTS.partitionCreated, 11n, 1, 'b', 'programs/b.tar', 16 * 1024 ** 2),
  record(EVENTS.systemStarted, 20n, 'demo', EPOCH, 2, 1),
];
const RUN = [
  ...CREATED,
  ...frames(3, [
    [40n, 60n],
    [45n, 60n],
    [38n, 90n],
  ]),
];

describe('slots', () => {
  it('are reported from the single runs: period, start errors, time run', () => {
    expect(slotReports(RUN)).toMatchObject([
      {
        plan: 0,
        slot: 0,
        partition: 0,
        planned: 3,
        runs: 3,
        woken: 0,
        period: 10_000_000,
        startErrors: { count: 3, min: 38, max: 45, mean: 41, jitter: 7 },
        ran: { count: 3, min: 3_994_955, max: 3_994_962, mean: 3_994_959, jitter: 7 },
        overruns: undefined,
      },
      {
        slot: 1,
        partition: 1,
        startErrors: { count: 3, min: 60, max: 90, mean: 70, jitter: 30, p99: 90, worst: [{ value: 90, line: 9 }, {}, {}] },
      },
    ]);
  });

  it('have a table with the names of their partitions', () => {
    const [head, a, b, ...rest] = slotTable([...RUN, record(EVENTS.slotWorst, 9n, 1, 1, 3, 90n, 60n, 2)]);
    expect(head).toMatch(/^partition +slot +every +planned +run +start min +max +jitter +ran +CPU +overruns$/);
    expect(a).toMatch(/^a +0 +10 ms +3 +3 +38 ns +45 ns +7 ns +3\.994959 ms +40\.0 %$/);
    expect(b).toMatch(/^b +1 +10 ms +3 +3 +60 ns +90 ns +30 ns +5\.99493 ms +60\.0 % +2$/);
    expect(rest).toEqual([]);
  });

  it('are the same in a log that is out of order', () => {
    const shuffled = [
      ...CREATED,
      ...RUN.slice(CREATED.length).sort((a, b) => Number((a.at * 7_919n) % 1_009n) - Number((b.at * 7_919n) % 1_009n)),
    ];
    expect(shuffled.map(({ at }) => at)).not.toEqual(RUN.map(({ at }) => at));
    const figures = (records: readonly TraceRecord[]) =>
      slotReports(records).map(({ partition, planned, runs, period, startErrors }) => [
        partition,
        planned,
        runs,
        period,
        startErrors?.jitter,
      ]);
    expect(figures(shuffled)).toEqual(figures(RUN));
  });

  it('that did not run in a frame show it', () => {
    const halted = RUN.filter(
      ({ event, fields }) => event !== 'slot.run' || !('frame' in fields) || fields.partition === 0 || fields.frame === 0,
    );
    expect(slotReports(halted).map(({ partition, planned, runs, period }) => [partition, planned, runs, period])).toEqual([
      [0, 3, 3, 10_000_000],
      [1, 3, 1, undefined],
    ]);
  });

  it('of two plans are kept apart, by the frame in which the plan changed', () => {
    const later = record(EVENTS.slotRun, 99n * MS, 0, 0, 3, EPOCH + 30n * MS, EPOCH + 30n * MS + 500n, EPOCH + 39n * MS);
    const records = [
      ...RUN,
      record(EVENTS.planSwitched, 31n * MS, 1, 'repair', 3),
      later,
      record(EVENTS.slotWorst, 9n, 0, 0, 4, 500n, 38n, 7),
    ];
    expect(slotReports(records).map(({ plan, slot, partition, runs, overruns }) => [plan, slot, partition, runs, overruns])).toEqual([
      [0, 0, 0, 3, undefined],
      [0, 1, 1, 3, undefined],
      [1, 0, 0, 1, undefined],
    ]);
    expect(slotTable(records).map((line) => line.split(/ +/).slice(0, 3))).toEqual([
      ['partition', 'plan', 'slot'],
      ['a', '#0', '0'],
      ['b', '#0', '1'],
      ['a', 'repair', '0'],
    ]);
  });

  it('in which the partition was woken count as run, but say nothing of their start', () => {
    const base = EPOCH + 30n * MS;
    const records = [
      ...RUN,
      record(EVENTS.slotWoken, base + 4n * MS, 0, 0, 3, base, base + 1_000_000n, base + 3n * MS),
      record(EVENTS.slotWoken, base + 10n * MS, 1, 1, 3, base + 4n * MS, base + 5n * MS, base + 6n * MS),
    ];
    const [a] = slotReports(records);
    expect(a).toMatchObject({ planned: 4, runs: 4, woken: 1, period: 10_000_000, startErrors: { count: 3, min: 38, max: 45 } });
    expect(a!.ran).toMatchObject({ count: 4, min: 2_000_000 });
    const [head, row] = slotTable(records);
    expect(head).toMatch(/ planned +run +woken +start min /);
    expect(row).toMatch(/^a +0 +10 ms +4 +4 +1 +38 ns +45 ns +7 ns /);
    // 11.984877 and 2 ms of 36 ms.
    expect(partitionTable(records)[1]).toMatch(/^a +64 KiB +4 +0 +13\.98488 ms +38\.8 % /);
  });

  it('in which a partition was woken every time have no start error', () => {
    const woken = record(EVENTS.slotWoken, 9n, 0, 0, 0, EPOCH, EPOCH + 10n, EPOCH + 20n);
    const reports = slotReports([...CREATED, woken]);
    expect(reports).toMatchObject([{ runs: 1, woken: 1, startErrors: undefined }]);
    expect(slotTable([...CREATED, woken])[1]).toMatch(/^a +0 +1 +1 +1 +10 ns +50\.0 %$/);
  });

  it("are the kernel's worst cases where single runs are not in the log", () => {
    const records = [...CREATED, record(EVENTS.slotWorst, 9n, 1, 1, 2_400, 95n, 41n, 0)];
    expect(slotTable(records)[1]).toMatch(/^b +1 +2400 +2400 +41 ns +95 ns +54 ns +0$/);
  });
});

describe('partitions', () => {
  it('have a row each: what they had of the CPU, what happened, how they ended', () => {
    const [head, a, b] = partitionTable([
      ...RUN,
      record(EVENTS.slotLate, 1n, 1, 1, 5_000n),
      record(EVENTS.exitCounts, 2n, 1, 'vmmcall', 12),
      record(EVENTS.exitCounts, 2n, 1, 'intr', 3),
      record(EVENTS.healthEvent, 3n, 1, 'fault', 'halt', 'vector 13'),
      record(EVENTS.partitionState, 4n, 1, 'ready', 'x'),
      record(EVENTS.partitionState, 5n, 1, 'halted', 'x'),
    ]);
    expect(head).toMatch(/^partition +memory +slots +late +ran +CPU +exits +health events +state$/);
    // 3 of 30 ms less the last 5 us: 11.98 and 17.98 of 29.995 ms.
    expect(a).toMatch(/^a +64 KiB +3 +0 +11\.98488 ms +40\.0 % +0 +ready$/);
    expect(b).toMatch(/^b +16 MiB +3 +1 +17\.98479 ms +60\.0 % +15 +1 +halted$/);
  });

  it('have their exits by reason, the most frequent first, in lines of at most 100 columns', () => {
    const many = Array.from({ length: 30 }, (_, index) => record(EVENTS.exitCounts, 2n, 0, `reason-${index}`, index));
    const lines = exitLines([...CREATED, ...many, record(EVENTS.exitCounts, 2n, 1, 'hlt', 0)]);
    expect(lines[0]).toMatch(/^a {2}reason-29 29, reason-28 28, /);
    expect(lines.join('\n').match(/reason-/g)).toHaveLength(29);
    expect(lines.at(-1)).toBe('b  none');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
    for (const line of lines.slice(1, -1)) expect(line).toMatch(/^ {3}reason/);
  });

  it('have their health events counted, with the first instant since the epoch and the last detail', () => {
    const [head, first, second] = healthTable([
      ...CREATED,
      record(EVENTS.healthEvent, EPOCH + 2_500n, 0, 'memory-violation', 'log', 'write at 1000h'),
      record(EVENTS.healthEvent, EPOCH + 3_500n, 0, 'memory-violation', 'log', 'write at\n2000h'),
      record(EVENTS.healthEvent, EPOCH + 4_500n, 1, 'watchdog', 'cold-reset', ''),
    ]);
    expect(head).toMatch(/^partition +event +action +count +first at +line +detail$/);
    expect(first).toMatch(/^a +memory-violation +log +2 +2\.5 us +4 +write at 2000h$/);
    expect(second).toMatch(/^b +watchdog +cold-reset +1 +4\.5 us +6$/);
  });
});

describe('writes to traced ports', () => {
  const write = (after: bigint, port = 0x80) => record(EVENTS.portOutput, EPOCH + after, 0, port, 1, EPOCH + after);

  it('have a row per port: since when, how often, how far from their nominal instants', () => {
    const [head, row, other, ...rest] = outputTable([
      ...CREATED,
      write(101n * MS + 1_800n),
      write(111n * MS + 5n),
      write(121n * MS - 3n),
      // 131 ms is left out.
      write(141n * MS + 5n),
      write(151n * MS + 18_000n),
      write(161n * MS + 6n),
      write(1n * MS + 7n, 0x81),
    ]);
    expect(head).toMatch(/^partition +port +writes +first due +period +error, least +median +most +within 1 us$/);
    expect(row).toMatch(/^a +80h +6 +101 ms +10 ms +-3 ns +6 ns +18 us +4$/);
    expect(other).toMatch(/^a +81h +1 +1\.000007 ms$/);
    expect(rest).toEqual([]);
  });

  it('have a nominal phase that is not a multiple of the period', () => {
    expect(outputTable([...CREATED, ...[0n, 1n, 2n, 3n].map((index) => write(3_250_000n + index * 7n * MS + index))])[1]).toMatch(
      /^a +80h +4 +3\.25 ms +7 ms +0 ns +2 ns +3 ns +4$/,
    );
  });
});

describe('the costs of the kernel', () => {
  it('are a sentence, in lines of at most 100 columns', () => {
    expect(costLines([record(EVENTS.systemCosts, 1n, 24_000n, 27_000n, 1_086_372n)])).toEqual([
      'a slot is left 24 us before the next one, a timer interrupts 27 us early,',
      'longest stretch 1.086372 ms',
    ]);
  });
});

describe('what a partition writes', () => {
  const names = new Map([[0, 'a']]);
  const lines = (text: string, partition = 0): string[] =>
    consoleLines(record(EVENTS.partitionConsole, 1n, partition, text) as never, names);

  it.each([
    ['hello\n', ['a: hello']],
    ['no end', ['a: no end']],
    ['two\nlines\n', ['a: two', 'a: lines']],
    ['one empty line behind\n\n', ['a: one empty line behind', 'a: ']],
    ['a: says it itself\n', ['a: says it itself']],
    ['abc: no name of its\n', ['a: abc: no name of its']],
  ])('is lines with its name: %j', (text, expected) => expect(lines(text)).toEqual(expected));

  it('has its number where its name is not known', () => expect(lines('x\n', 7)).toEqual(['#7: x']));
});

describe('the report', () => {
  it('says of a run without anything to report that nothing was lost', () => {
    expect(partitionReport([record(EVENTS.log, 1n, 'x')])).toEqual(['', 'Losses', '0 records dropped']);
  });

  it('has a heading over each table and nothing over none', () => {
    expect(partitionReport(RUN).filter((line) => /^[A-Z]/.test(line))).toEqual([
      'Partitions of demo',
      'Slots: starts from the nominal instant to the first instruction of the guest',
      'Series, from single records',
      'Losses',
    ]);
  });

  it('fits into 100 columns, whatever is in it', () => {
    const name = 'x'.repeat(32);
    const records = [
      record(EVENTS.partitionCreated, 1n, 0, name, 'p', 123 * 1024),
      record(EVENTS.systemStarted, 2n, name, EPOCH, 1, 2),
      record(EVENTS.planSwitched, 2n, 0, name, 0),
      record(EVENTS.planSwitched, 3n, 1, name, 5),
      ...[0, 1, 6, 7].map((frame) =>
        record(
          EVENTS.slotRun,
          3n,
          0,
          0,
          frame,
          EPOCH + BigInt(frame) * 1_234_567_891n,
          EPOCH + BigInt(frame) * 1_345_678_912n,
          EPOCH + BigInt(frame) * 1_456_789_123n + 7n,
        ),
      ),
      record(EVENTS.slotWorst, 3n, 0, 1, 123_456_789, 987_654_321n, -1n, 123_456_789),
      record(EVENTS.slotWoken, 3n, 0, 0, 9, EPOCH, 2n ** 60n, 2n ** 61n),
      record(EVENTS.portOutput, 3n, 0, 0x80, 1, 2n ** 60n),
      record(EVENTS.portOutput, 3n, 0, 0x80, 1, 2n ** 61n),
      record(EVENTS.systemCosts, 1n, 123_456_789n, 123_456_789n, 12_345_678_912n),
      record(EVENTS.exitCounts, 2n, 0, 'y'.repeat(200), 2 ** 50),
      record(EVENTS.healthEvent, 12_345_678_912n, 0, 'hypervisor-error', 'switch-plan', 'z'.repeat(300)),
    ];
    const lines = partitionReport(records);
    expect(lines.length).toBeGreaterThan(12);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(100);
  });

  it('survives records that name what was never created', () => {
    expect(slotTable([record(EVENTS.slotWorst, 3n, 7, 1, 1, 2n, 1n, 0)])[1]).toMatch(/^#7 +1 /);
  });
});
