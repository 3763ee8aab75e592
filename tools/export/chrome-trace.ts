/**
 * A timeline as Chrome's trace events, for Perfetto, Chrome's own tools and Speedscope.
 * Source: "Trace Event Format" (Google, 2016). Of it: complete events (X), instants (i), counters (C), flows (s, f), metadata (M).
 *
 * Groups are processes, lanes are threads. In a partition's lane a slot is a slice with what ran of it inside; an interrupt has a flow from
 * its timer's lane to the CPU that handles it. Times are microseconds with three digits behind the point, as the format has them: exact
 * nanoseconds since boot.
 */
import { parseLine } from '../../kernel/trace/text.ts';
import { firstAtOrAfter, framesWithin } from '../timeline/columns.ts';
import { startInFrame } from '../timeline/draw.ts';
import { MARK_LOOKS } from '../timeline/marks.ts';
import { GROUPS, type Lane, type Timeline } from '../timeline/model.ts';

interface ChromeTraceEvent {
  readonly ph: 'X' | 'i' | 'C' | 's' | 'f' | 'M';
  readonly pid: number;
  readonly tid: number;
  /** us */
  readonly ts: number;
  readonly name: string;
  readonly cat?: string;
  /** us */
  readonly dur?: number;
  readonly id?: number;
  /** A flow ends in the slice that is around its end. */
  readonly bp?: 'e';
  /** An instant of a thread. */
  readonly s?: 't';
  readonly args?: Readonly<Record<string, unknown>>;
}

/** ns to us; both are exact to the nanosecond below 2^53 ns / 1000, 2.5 hours, and beyond it to what a double has. */
const micros = (nanos: number): number => Math.round(nanos) / 1000;

const CATEGORY = 'chronovisor';
/** A slice has to last for something to be one: the shortest that the format's digits can say. */
const SHORTEST = 1;

/** A line for each event: such a file is looked into by people, too. */
export function* chromeTrace(timeline: Timeline): Generator<string> {
  const about = JSON.stringify({ title: timeline.title, 'epoch-ns': timeline.epoch });
  yield `{"displayTimeUnit":"ns","otherData":${about},"traceEvents":[`;
  let separator = '\n';
  for (const event of chromeTraceEvents(timeline)) {
    yield `${separator}${JSON.stringify(event)}`;
    separator = ',\n';
  }
  yield '\n]}\n';
}

function* chromeTraceEvents(timeline: Timeline): Generator<ChromeTraceEvent> {
  const pidOf = ({ group }: Lane): number => GROUPS.indexOf(group) + 1;
  const tids = new Map<Lane, number>();
  for (const group of GROUPS) {
    const lanes = timeline.lanes.filter((lane) => lane.group === group);
    const [first] = lanes;
    if (!first) continue;
    yield { ph: 'M', pid: pidOf(first), tid: 0, ts: 0, name: 'process_name', args: { name: group } };
    yield { ph: 'M', pid: pidOf(first), tid: 0, ts: 0, name: 'process_sort_index', args: { sort_index: pidOf(first) } };
    for (const [index, lane] of lanes.entries()) {
      tids.set(lane, index + 1);
      yield { ph: 'M', pid: pidOf(lane), tid: index + 1, ts: 0, name: 'thread_name', args: { name: lane.label } };
    }
  }
  for (const lane of timeline.lanes) {
    const place = { pid: pidOf(lane), tid: tids.get(lane)! };
    yield* slicesOf(timeline, lane, place);
    for (const { kind, at, lines } of lane.marks)
      for (const [index, instant] of at.entries())
        yield {
          ph: 'i',
          ...place,
          ts: micros(instant),
          name: MARK_LOOKS[kind].name,
          cat: CATEGORY,
          s: 't',
          args: argsOf(timeline, lines[index]!),
        };
    if (lane.curve)
      for (const [index, instant] of lane.curve.at.entries())
        yield {
          ph: 'C',
          ...place,
          ts: micros(instant),
          name: lane.label,
          cat: CATEGORY,
          args: { [lane.curve.unit || 'value']: lane.curve.values[index] },
        };
    if (lane.group === 'Timers')
      yield* flowsOf(timeline, lane, place, (index) => {
        const cpu = timeline.lanes.find(({ id }) => id === `cpu${cpuOf(timeline, index)}`);
        return cpu && { pid: pidOf(cpu), tid: tids.get(cpu)! };
      });
  }
}

/** @param index of a line */
function cpuOf({ lines }: Timeline, index: number): number {
  const parsed = parseLine(lines[index]!);
  return parsed.kind === 'record' ? parsed.record.cpu : 0;
}

interface Track {
  readonly pid: number;
  readonly tid: number;
}

/** What ran, in a partition's lane inside of its slot. */
function* slicesOf(timeline: Timeline, lane: Lane, track: Track): Generator<ChromeTraceEvent> {
  const { starts, ends, lines, lower, looks } = lane.ran;
  if (lane.group === 'Partitions') {
    for (const slot of lane.planned) {
      const { first, end } = framesWithin(slot, timeline.from, timeline.to);
      for (let frame = first; frame < end; frame++) {
        const start = startInFrame(slot, frame);
        // What overran its slot would cross the slice's end: the format's slices nest or do not touch.
        const inside = firstAtOrAfter(starts, start);
        const last =
          (starts[inside] ?? Infinity) < start + slot.duration ? Math.max(start + slot.duration, ends[inside]!) : start + slot.duration;
        yield {
          ph: 'X',
          ...track,
          ts: micros(start),
          dur: micros(last) - micros(start),
          name: `slot ${slot.slot}`,
          cat: CATEGORY,
          args: { frame: slot.firstFrame + frame },
        };
      }
    }
  }
  for (const [index, start] of starts.entries()) {
    const name = lane.group === 'Timers' ? 'interrupt' : lane.group === 'CPUs' ? partitionName(timeline, looks[index]!) : 'run';
    yield {
      ph: 'X',
      ...track,
      ts: micros(start),
      dur: micros(ends[index]!) - micros(start),
      name,
      cat: CATEGORY,
      args: { ...argsOf(timeline, lines[index]!), ...(lower[index] ? { woken: true } : {}) },
    };
  }
}

const partitionName = ({ lanes }: Timeline, partition: number): string =>
  lanes.find(({ id }) => id === `partition ${partition}`)?.label ?? `#${partition}`;

/** From the interrupt, which begins with its stub's first instruction, to the handler's first statement. */
function* flowsOf(
  timeline: Timeline,
  { ran, label }: Lane,
  timer: Track,
  trackOf: (line: number) => Track | undefined,
): Generator<ChromeTraceEvent> {
  for (const [index, taken] of ran.starts.entries()) {
    const cpu = trackOf(ran.lines[index]!);
    if (!cpu) continue;
    const handled = ran.ends[index]!;
    const id = timeline.lineNumbers[ran.lines[index]!]!;
    const name = `handler of ${label}`;
    yield { ph: 'X', ...cpu, ts: micros(handled), dur: micros(SHORTEST), name, cat: CATEGORY, args: { line: id } };
    yield { ph: 's', ...timer, ts: micros(taken), name, cat: CATEGORY, id };
    yield { ph: 'f', ...cpu, ts: micros(handled), name, cat: CATEGORY, id, bp: 'e' };
  }
}

/** The record's fields, and where it stands. */
function argsOf(timeline: Timeline, index: number): Record<string, unknown> {
  const parsed = parseLine(timeline.lines[index]!);
  const fields = parsed.kind === 'record' ? Object.entries(parsed.record.fields) : [];
  const event = parsed.kind === 'record' ? { event: parsed.record.event } : {};
  const values = fields.map(([name, value]: [string, unknown]) => [name, typeof value === 'bigint' ? Number(value) : value]);
  return { line: timeline.lineNumbers[index], ...event, ...Object.fromEntries(values) } as Record<string, unknown>;
}
