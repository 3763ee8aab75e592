import { describe, expect, it } from 'vitest';
import { ALL_EVENTS, sampleRecords } from '../../kernel/testing/trace-samples.ts';
import type { EventDefinition } from '../../kernel/trace/event.ts';
import { EVENTS } from '../../kernel/trace/events.ts';
import { formatLine, parseLine } from '../../kernel/trace/text.ts';
import { longLog } from '../bench/long-log.ts';
import { timelineOf, type Lane, type LoggedRecord, type Timeline } from './model.ts';
import { packed, unpacked } from './pack.ts';
import { itemAt, linesWith, neighbour, placesOf } from './pick.ts';

function loggedOf(lines: readonly string[]): LoggedRecord[] {
  return lines.flatMap((text, index) => {
    const parsed = parseLine(text);
    return parsed.kind === 'record' ? [{ record: parsed.record, line: index + 1, text }] : [];
  });
}
const line = (event: EventDefinition, at: number, ...values: readonly unknown[]): string => formatLine(event, BigInt(at), 0, values);

const MS = 1_000_000;
const EPOCH = 100 * MS;
/** Two partitions in frames of 10 ms: `a` runs, `b` is woken in its slot; in frame 1 nothing runs. */
const LOG = [
  '# chronovisor-trace 1',
  line(EVENTS.partitionCreated, 1000, 0, 'a', 'a.bin', 4096),
  line(EVENTS.partitionCreated, 1001, 1, 'b', 'b.bin', 4096),
  line(EVENTS.systemStarted, 2000, 'demo', BigInt(EPOCH), 2, 1),
  line(EVENTS.partitionConsole, EPOCH + MS, 0, 'hello\n'),
  line(EVENTS.slotRun, EPOCH + 3 * MS, 0, 0, 0, BigInt(EPOCH), BigInt(EPOCH + 4), BigInt(EPOCH + 3 * MS)),
  line(EVENTS.slotWoken, EPOCH + 9 * MS, 1, 1, 0, BigInt(EPOCH + 4 * MS), BigInt(EPOCH + 8 * MS), BigInt(EPOCH + 9 * MS)),
  line(EVENTS.slotRun, EPOCH + 23 * MS, 0, 0, 2, BigInt(EPOCH + 20 * MS), BigInt(EPOCH + 20 * MS + 2), BigInt(EPOCH + 23 * MS)),
  line(EVENTS.healthEvent, EPOCH + 25 * MS, 1, 'watchdog', 'warm-reset', 'late'),
];
const laneOf = ({ lanes }: Timeline, id: string): Lane => lanes.find((lane) => lane.id === id)!;

describe('a log of partitions', () => {
  const timeline = timelineOf(loggedOf(LOG), 'x.log');

  it('has the lanes of CPU, partitions and start errors, with the names of the log', () => {
    expect(timeline.lanes.map(({ group, label }) => `${group}: ${label}`)).toEqual([
      'CPUs: cpu0',
      'Partitions: a',
      'Partitions: b',
      'Start errors: a',
    ]);
    expect(timeline).toMatchObject({ title: 'demo', epoch: EPOCH, from: 1000, to: EPOCH + 25 * MS });
  });

  it('has what ran in the lane of the partition and in the CPU, with the line that says so', () => {
    const { ran } = laneOf(timeline, 'partition 0');
    expect(ran.starts).toEqual([EPOCH + 4, EPOCH + 20 * MS + 2]);
    expect(ran.ends).toEqual([EPOCH + 3 * MS, EPOCH + 23 * MS]);
    expect(ran.lines.map((index) => timeline.lineNumbers[index])).toEqual([6, 8]);
    expect(laneOf(timeline, 'cpu0').ran.looks).toEqual([0, 1, 0]);
    expect(laneOf(timeline, 'partition 1').ran.lower).toEqual([1]);
  });

  it('has the plan in every frame, also where nothing ran', () => {
    expect(laneOf(timeline, 'partition 0').planned).toEqual([
      { slot: 0, start: EPOCH, duration: 4 * MS, period: 10 * MS, frames: 3, firstFrame: 0 },
    ]);
    expect(laneOf(timeline, 'partition 1').planned).toEqual([
      { slot: 1, start: EPOCH + 4 * MS, duration: 6 * MS, period: 10 * MS, frames: 3, firstFrame: 0 },
    ]);
  });

  it('has marks by kind, the weightiest last', () => {
    expect(laneOf(timeline, 'partition 1').marks.map(({ kind, at }) => [kind, at])).toEqual([
      ['note', [1001]],
      ['health', [EPOCH + 25 * MS]],
    ]);
  });

  it('has start errors of slots that were not woken, as a curve', () => {
    expect(laneOf(timeline, 'start error 0').curve).toMatchObject({ unit: 'ns', values: [4, 2] });
  });

  it('comes back from the text that a page has embedded', () => expect(unpacked(packed(timeline))).toEqual(timeline));

  it('of a part of it has the lines of that part only', () => {
    const part = timelineOf(loggedOf(LOG), 'x.log', { from: EPOCH + 19 * MS, to: EPOCH + 24 * MS });
    expect(part.lineNumbers).toEqual([8]);
    expect(part).toMatchObject({ from: EPOCH + 19 * MS, to: EPOCH + 24 * MS });
    // Nothing of it ran there, but it was to.
    expect(laneOf(part, 'partition 1')).toMatchObject({ ran: { starts: [] }, planned: [{ slot: 1 }] });
    expect(laneOf(part, 'partition 0').planned[0]).toMatchObject({ period: 10 * MS });
  });
});

describe('things are picked', () => {
  const timeline = timelineOf(loggedOf(LOG), 'x.log');
  const a = laneOf(timeline, 'partition 0');

  it('by the nearest instant within reach', () => {
    expect(itemAt(a, EPOCH + 2 * MS, 10, 'body')).toMatchObject({ what: 'run', start: EPOCH + 4 });
    expect(itemAt(a, EPOCH + MS + 8, 10, 'marks')).toMatchObject({ what: 'console' });
    expect(itemAt(a, EPOCH + MS + 12, 10, 'marks')).toBeUndefined();
  });

  it('as planned where nothing ran', () => {
    expect(itemAt(a, EPOCH + 11 * MS, 10, 'body')).toEqual({
      what: 'slot 0 of frame 1, planned',
      start: EPOCH + 10 * MS,
      end: EPOCH + 14 * MS,
      line: undefined,
    });
    expect(itemAt(a, EPOCH + 15 * MS, 10, 'body')).toBeUndefined();
  });

  it('one after the other, to the end and back', () => {
    const forward = [];
    for (let item = neighbour(a, 0, 1); item; item = neighbour(a, item.start, 1)) forward.push(item.start);
    expect(forward).toEqual([1000, EPOCH + 4, EPOCH + MS, EPOCH + 20 * MS + 2]);
    const back = [];
    for (let item = neighbour(a, Infinity, -1); item; item = neighbour(a, item.start, -1)) back.push(item.start);
    expect(back).toEqual(forward.reverse());
  });

  it('by words of their lines, and a line leads to the partition rather than to its CPU', () => {
    const [found, ...rest] = linesWith(timeline.lines, 'slot.run FRAME=2');
    expect(rest).toEqual([]);
    expect(placesOf(timeline)[found!]).toMatchObject({ lane: { id: 'partition 0' }, item: { start: EPOCH + 20 * MS + 2 } });
    expect(linesWith(timeline.lines, '  ')).toEqual([]);
  });
});

describe('a log of timers', () => {
  const timeline = timelineOf(
    loggedOf([
      line(EVENTS.timerStart, 500, 'hpet', 'GSI 2', 0x30, 100_000n, 1000n, 2),
      line(EVENTS.timerInterrupt, 3000, 'hpet', 0, 1500n, 1510n),
      line(EVENTS.timerInterrupt, 4000, 'hpet', 1, 2500n, 2507n),
      line(EVENTS.outputEdge, 5000, 'speaker', 0, 1, 4800n, 4900n),
      line(EVENTS.clockCompared, 6000, 'hpet', 'tsc', 1000n, -6n, -1, 700n),
      line(EVENTS.garbageCollected, 7000, 600n, 2_000_000, 1_000_000),
    ]),
    'x.log',
  );

  it('has the way from the stub to the handler as a span, beside its nominal instant', () => {
    const lane = laneOf(timeline, 'timer hpet');
    expect([lane.ran.starts, lane.ran.ends]).toEqual([
      [1510, 2507],
      [3000, 4000],
    ]);
    expect(lane.marks.find(({ kind }) => kind === 'nominal')!.at).toEqual([1500, 2500]);
  });

  it('has outputs, clocks and the heap as curves', () => {
    expect(laneOf(timeline, 'output speaker').curve).toMatchObject({ shape: 'step', at: [4900], values: [1] });
    expect(laneOf(timeline, 'offset hpet tsc').curve).toMatchObject({ unit: 'ns', values: [-6] });
    expect(laneOf(timeline, 'heap').curve).toMatchObject({ at: [6400, 7000], values: [2_000_000, 1_000_000] });
  });
});

describe('a log of virtual devices', () => {
  const timeline = timelineOf(
    loggedOf([
      line(EVENTS.partitionCreated, 1000, 0, 'guest', 'a.bin', 4096),
      line(EVENTS.platformTimer, 1001, 0, 3, 'pit'),
      line(EVENTS.platformTick, 5000, 0, 3, 4000n, 12n),
      line(EVENTS.guestInterrupt, 5100, 0, 0x30),
      line(EVENTS.guestTime, 6000, 0, -500n, 40n),
    ]),
    'x.log',
  );
  const curves = timeline.lanes.flatMap(({ label, curve }) => (curve ? [[label, curve.at, curve.values]] : []));

  it('has injections in the partition, and ticks in a lane of their timer', () => {
    expect(laneOf(timeline, 'partition 0').marks.find(({ kind }) => kind === 'injection')!.at).toEqual([5100]);
    const [ticks] = timeline.lanes.filter(({ group }) => group === 'Timers');
    expect(ticks).toMatchObject({ label: expect.stringContaining('pit'), marks: [{ kind: 'interrupt', at: [5000] }] });
  });

  it('has guest time as curves', () => {
    expect(curves).toEqual([
      [expect.stringContaining('guest time - host time'), [6000], [-500]],
      [expect.stringContaining('owed'), [6000], [40]],
    ]);
  });
});

describe('whatever a log has in it', () => {
  it('every event there is has a place, with any values', () => {
    const logged = ALL_EVENTS.flatMap((event) => sampleRecords(event).map((values) => line(event, 5000, ...values)));
    const timeline = timelineOf(loggedOf(logged), 'x.log');
    expect(timeline.lines.length).toBeGreaterThan(ALL_EVENTS.length / 2);
    for (const { ran } of timeline.lanes) ran.starts.forEach((start, index) => expect(ran.ends[index]).toBeGreaterThanOrEqual(start));
  });

  it('records out of order come into order', () => {
    const lines = longLog(300);
    const shuffled = lines.toSorted((a, b) => a.slice(-3).localeCompare(b.slice(-3)));
    const columns = ({ lanes }: Timeline): unknown => lanes.map(({ id, ran: { starts, ends } }) => ({ id, starts, ends }));
    expect(columns(timelineOf(loggedOf(shuffled), 'x'))).toEqual(columns(timelineOf(loggedOf(lines), 'x')));
  });

  it('nothing at all is a timeline without lanes', () => {
    expect(timelineOf([], 'x.log')).toMatchObject({ title: 'x.log', from: 0, to: 1, lanes: [] });
  });
});
