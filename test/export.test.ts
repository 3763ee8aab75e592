/** Exports of a log, each read back by a program that is not ours: DevTools' trace engine, sigrok, csv-parse. */
import { Handlers, TraceModel, type Types } from '@paulirish/trace_engine';
import { parse } from 'csv-parse/sync';
import { execFileSync, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventDefinition } from '../kernel/trace/event.ts';
import { EVENTS } from '../kernel/trace/events.ts';
import { formatLine, HEADER_LINE, parseLine } from '../kernel/trace/text.ts';
import { longLog } from '../tools/bench/long-log.ts';
import { projectRoot } from '../tools/paths.ts';

const folder = mkdtempSync(join(tmpdir(), 'export test '));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const inFolder = (name: string): string => join(folder, name);

function chronovisor(...words: string[]): SpawnSyncReturns<string> {
  const program = join(projectRoot(), 'build', 'tools', 'chronovisor.mjs');
  return spawnSync('node', [program, 'export', ...words], { cwd: folder, encoding: 'utf8', timeout: 60_000, maxBuffer: 1 << 27 });
}
function exported(log: string, format: string): string {
  const made = chronovisor(log, '--format', format, '--out', '-');
  expect(made.status, made.stderr).toBe(0);
  return made.stdout;
}

const EPOCH = 10_000;
const FRAME = 2_000;
const line = (event: EventDefinition, at: number, ...values: readonly unknown[]): string => formatLine(event, BigInt(at), 0, values);
const at = (instant: number): bigint => BigInt(EPOCH + instant);
/** Three frames of 2 us: `a` runs for 500 of 800 ns, `b` is woken 200 ns after its slot began; in frame 1 `b` does not run. */
const SYSTEM = [
  HEADER_LINE,
  line(EVENTS.partitionCreated, 9000, 0, 'a', 'a.bin', 4096),
  line(EVENTS.partitionCreated, 9001, 1, 'b b', 'b.bin', 4096),
  line(EVENTS.systemStarted, 9002, 'tiny', at(0), 2, 1),
  ...[0, 1, 2].flatMap((frame) => {
    const base = frame * FRAME;
    return [
      line(EVENTS.portOutput, EPOCH + base + 310, 0, 0x80, frame + 1, at(base + 300)),
      line(EVENTS.slotRun, EPOCH + base + 504, 0, 0, frame, at(base), at(base + 4), at(base + 504)),
      ...(frame === 1 ? [] : [line(EVENTS.slotWoken, EPOCH + base + 1200, 1, 1, frame, at(base + 800), at(base + 1000), at(base + 1200))]),
    ];
  }),
  line(EVENTS.healthEvent, EPOCH + 5_500, 1, 'watchdog', 'log', 'a comma, "quotes" and\na line end'),
  line(EVENTS.kernelExit, EPOCH + 6_000, 0x10, 'done'),
];
const TIMERS = [
  HEADER_LINE,
  ...[0, 1, 2].map((index) =>
    line(EVENTS.timerInterrupt, 3_400 + index * 1000, 'hpet', index, BigInt(2_990 + index * 1000), BigInt(3_000 + index * 1000)),
  ),
];

beforeAll(() => {
  writeFileSync(inFolder('tiny.log'), SYSTEM.join('\n'));
  writeFileSync(inFolder('timers.log'), TIMERS.join('\n'));
  writeFileSync(inFolder('long.log'), longLog(3000).join('\n'));
});

describe("trace events, read by DevTools' trace engine:", () => {
  type Node = { readonly entry: Types.Events.Event; readonly children: readonly Node[] };
  async function read(log: string): Promise<Handlers.Types.HandlerData> {
    const { traceEvents } = JSON.parse(exported(log, 'perfetto')) as { traceEvents: Types.Events.Event[] };
    const model = TraceModel.Model.createWithAllHandlers();
    await model.parse(traceEvents, { metadata: {} });
    return model.parsedTrace(0)!.data;
  }
  function treeOf({ Renderer }: Handlers.Types.HandlerData, thread: string): readonly Node[] {
    const threads = [...Renderer.processes.values()].flatMap((process) => [...process.threads.values()]);
    return [...(threads.find(({ name }) => name === thread)?.tree?.roots ?? [])];
  }
  const nanos = (micros: number | undefined): number => Math.round((micros ?? NaN) * 1000);
  const shape = ({ entry, children }: Node): unknown => [
    entry.name,
    nanos(entry.ts) - EPOCH,
    nanos((entry as { dur?: number }).dur),
    ...(children.length > 0 ? [children.map(shape)] : []),
  ];

  it('what ran stands inside of its slot, to the nanosecond', async () => {
    const data = await read('tiny.log');
    expect(data.Meta.traceIsGeneric).toBe(true);
    expect(treeOf(data, 'a').map(shape)).toEqual(
      [0, 1, 2].map((frame) => ['slot 0', frame * FRAME, 800, [['run', frame * FRAME + 4, 500]]]),
    );
    expect(treeOf(data, 'b b').map(shape)).toEqual([
      ['slot 1', 800, 1200, [['run', 1000, 200]]],
      ['slot 1', 2800, 1200],
      ['slot 1', 4800, 1200, [['run', 5000, 200]]],
    ]);
    expect(treeOf(data, 'cpu0').map(({ entry }) => entry.name)).toEqual(['a', 'b b', 'a', 'a', 'b b']);
  });

  it('slices of a long log nest: nothing is left over, nothing is lost', async () => {
    const data = await read('long.log');
    const runs = longLog(3000).filter((text) => text.includes('slot.run')).length;
    const slots = ['controller', 'sensor', 'display'].flatMap((name) => treeOf(data, name));
    expect(slots).toHaveLength(runs);
    for (const { children } of slots) expect(children.map(({ entry }) => entry.name)).toEqual(['run']);
  });

  it('an interrupt flows to its handler', async () => {
    const { Flows } = await read('timers.log');
    expect(Flows.flows.map((flow) => flow.map(({ name, ts }) => [name, nanos(ts)]))).toEqual(
      [0, 1, 2].map((index) => [
        ['interrupt', 3_000 + index * 1000],
        ['handler of hpet', 3_400 + index * 1000],
      ]),
    );
  });

  it('marks and values are there, with the fields of their records', () => {
    const { traceEvents } = JSON.parse(exported('tiny.log', 'perfetto')) as { traceEvents: Record<string, unknown>[] };
    expect(traceEvents.find(({ name }) => name === 'health event')).toMatchObject({
      ph: 'i',
      ts: 15.5,
      args: { event: 'watchdog', partition: 1, detail: 'a comma, "quotes" and\na line end' },
    });
    const counters = traceEvents.filter(({ ph, name }) => ph === 'C' && name === 'a: port 80h');
    expect(counters.map(({ ts, args }) => [ts, args])).toEqual([0, 1, 2].map((frame) => [10.3 + frame * 2, { value: frame + 1 }]));
  });
});

describe('signals, read by sigrok:', () => {
  /** Per channel, the instants since the epoch at which it changes, and what to; sigrok gives a row per ns. */
  function read(log: string, ...words: string[]): Map<string, [number, string][]> {
    const file = inFolder('read.vcd');
    expect(chronovisor(log, '--format', 'vcd', '--out', file, ...words)).toMatchObject({ status: 0 });
    const text = execFileSync('sigrok-cli', ['-i', file, '-I', 'vcd', '-O', 'csv'], { encoding: 'utf8', maxBuffer: 1 << 27 });
    const rows = text.split('\n').filter((row) => row !== '' && !/^[;M]/.test(row));
    const channels = /^; Channels \(.*?\): (.*)$/m.exec(text)![1]!.split(', ');
    const first = Number(/^#(\d+)$/m.exec(readFileSync(file, 'utf8'))![1]) - EPOCH;
    const seen = new Map(channels.map((name): [string, [number, string][]] => [name, []]));
    rows.slice(1).forEach((row, index) => {
      row.split(',').forEach((value, column) => {
        const changes = seen.get(channels[column]!)!;
        if (changes.at(-1)?.[1] !== value) changes.push([first + index, value]);
      });
    });
    return seen;
  }

  it('what is planned, what ran and what was marked stands at its nanosecond', () => {
    const seen = read('tiny.log', '--from', '-1us', '--to', '6us');
    const rising = (name: string): number[] => seen.get(name)!.flatMap(([instant, value]) => (value === '1' ? [instant] : []));
    const falling = (name: string): number[] =>
      seen
        .get(name)!
        .slice(1)
        .flatMap(([instant, value]) => (value === '0' ? [instant] : []));
    expect(rising('a.planned')).toEqual([0, 2000, 4000]);
    expect(falling('a.planned')).toEqual([800, 2800, 4800]);
    expect(rising('a.run')).toEqual([4, 2004, 4004]);
    expect(falling('a.run')).toEqual([504, 2504, 4504]);
    expect(rising('b_b.run')).toEqual([1000, 5000]);
    expect(rising('b_b.health')).toEqual([5500]);
    expect(falling('b_b.health')).toEqual([5501]);
  });

  it('an output has a wire per bit', () => {
    const seen = read('tiny.log', '--from', '0s', '--to', '6us');
    // 0, 1, 2, 3
    expect(seen.get('a:_port_80h.0')!.map(([instant]) => instant)).toEqual([0, 300, 2300, 4300]);
    expect(seen.get('a:_port_80h.1')!.map(([instant]) => instant)).toEqual([0, 2300]);
  });

  it('interrupts last from their stub to their handler', () => {
    const seen = read('timers.log');
    const own = seen.get('hpet.interrupt')!.map(([instant, value]) => [instant + EPOCH, value]);
    expect(own).toEqual([
      [2990, '0'],
      ...[0, 1, 2].flatMap((index) => [
        [3000 + index * 1000, '1'],
        [3400 + index * 1000, '0'],
      ]),
    ]);
  });
});

describe('rows, read by csv-parse:', () => {
  const read = (log: string): Record<string, string>[] => parse(exported(log, 'csv'), { columns: true });

  it('there is one per record, with its fields as numbers and text', () => {
    const rows = read('tiny.log');
    expect(rows).toHaveLength(SYSTEM.length - 1);
    const run = rows.find(({ event }) => event === 'slot.run')!;
    expect(run).toMatchObject({
      line: '6',
      at: '10504',
      cpu: '0',
      level: 'debug',
      partition: '0',
      nominal: '10000',
      entered: '10004',
      left: '10504',
    });
    expect(rows.find(({ event }) => event === 'health.event')).toMatchObject({
      'event-field': 'watchdog',
      detail: 'a comma, "quotes" and\na line end',
      nominal: '',
    });
  });

  it('nothing of a long log is changed on the way', () => {
    const rows = read('long.log');
    const records = longLog(3000)
      .map(parseLine)
      .flatMap((parsed) => (parsed.kind === 'record' ? [parsed.record] : []));
    expect(rows.map(({ at: stamp, event }) => `${stamp} ${event}`)).toEqual(records.map((record) => `${record.at} ${record.event}`));
  });
});

describe('what can not be exported is said in one line:', () => {
  it.each([
    ['no format', ['tiny.log'], 2, /export wants --format, one of perfetto, vcd, csv/],
    ['an unknown format', ['tiny.log', '--format', 'xml'], 2, /Allowed choices are perfetto, vcd, csv/],
    ['no such log', ['no.log', '--format', 'csv'], 3, /no\.log: there is no such file/],
    ['an empty log', ['empty.log', '--format', 'vcd'], 3, /empty\.log: .*empty/],
    ['a log of another program', ['other.log', '--format', 'perfetto'], 3, /other\.log: .*no log of Chronovisor/],
    ['a place that can not be written', ['tiny.log', '--format', 'csv', '--out', 'tiny.log/x.csv'], 2, /--out tiny\.log\/x\.csv: /],
    ['a part with nothing in it', ['tiny.log', '--format', 'csv', '--from', '1s', '--to', '2s'], 2, /nothing between --from and --to/],
  ] as const)('%s', (_, words, status, said) => {
    writeFileSync(inFolder('empty.log'), '');
    writeFileSync(inFolder('other.log'), 'GRUB loading.\n');
    const made = chronovisor(...words);
    expect({ status: made.status, stdout: made.stdout }, made.stderr).toEqual({ status, stdout: '' });
    expect(made.stderr).toMatch(said);
    expect(made.stderr).not.toMatch(/\n {4}at /);
  });

  it('what nobody reads any more ends quietly', () => {
    const program = join(projectRoot(), 'build', 'tools', 'chronovisor.mjs');
    const { stdout, stderr, status } = spawnSync(
      'bash',
      ['-c', `set -o pipefail; node "$0" export long.log --format perfetto --out - | head -1`, program],
      { cwd: folder, encoding: 'utf8', timeout: 60_000 },
    );
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(stdout).toContain('"traceEvents":[');
  });
});
