/**
 * A log's records as lanes over time: what a timeline shows, without a word on how it is drawn. Pure: records in, lanes out.
 *
 * Every event has its place in PLACES; a new event does not compile until somebody has decided where it goes.
 */
import type { EventName, RecordOf, TraceRecord } from '../../kernel/trace/events.ts';
import { framesWithin, newSpans, type Curve, type Marks, type PlannedSlot, type Spans } from './columns.ts';
import { plannedSlots, type DescribedSlot, type PlanSwitch, type SlotSeen } from './plans.ts';

/** From the least to the most weighty: of two in one place, the later one is seen. */
export const MARK_KINDS = [
  'note',
  'value',
  'nominal',
  'interrupt',
  'output',
  'byte',
  'console',
  'gc',
  'plan',
  'state',
  'exit',
  'injection',
  'warning',
  'health',
  'error',
] as const;
export type MarkKind = (typeof MARK_KINDS)[number];

/** The order in which groups stand below each other. */
export const GROUPS = ['CPUs', 'Partitions', 'Timers', 'Signals', 'Clocks', 'Start errors', 'Values'] as const;
export type Group = (typeof GROUPS)[number];

export interface Lane {
  /** Stays the same in all logs of a system. */
  readonly id: string;
  readonly group: Group;
  readonly label: string;
  readonly planned: PlannedSlot[];
  readonly ran: Spans;
  readonly marks: Marks<MarkKind>[];
  readonly curve: Curve | undefined;
}

export interface Timeline {
  readonly title: string;
  /** First and last instant, ns since boot. */
  readonly from: number;
  readonly to: number;
  /** What times are shown from: a system's epoch, or boot. */
  readonly epoch: number;
  readonly lanes: readonly Lane[];
  /** Lines of the log that a lane refers to. */
  readonly lines: readonly string[];
  /** Their numbers in the log, counted from 1. */
  readonly lineNumbers: readonly number[];
}

/** A record, and where it stands. */
export interface LoggedRecord {
  readonly record: TraceRecord;
  /** Counted from 1. */
  readonly line: number;
  readonly text: string;
}

interface Window {
  /** ns since boot; what lies outside is left out. */
  readonly from?: number;
  readonly to?: number;
}

/** What places have in hand. */
interface Sheet {
  lane(id: string, group: Group, label: string): Lane;
  curve(id: string, group: Group, label: string, unit: string, shape: Curve['shape']): Curve;
  mark(lane: Lane, kind: MarkKind, at: bigint): void;
  span(lane: Lane, start: bigint, end: bigint, look: number, lower?: boolean): void;
  point(curve: Curve, at: bigint, value: number | bigint): void;
  partition(index: number): Lane;
  cpu(record: TraceRecord): Lane;
  timer(name: string): Lane;
  /** Of a source of a partition's virtual devices. */
  ticks(partition: number, source: number): Lane;
  nameOf(partition: number): string;
  slot(seen: SlotSeen): void;
}

type Place<Name extends EventName> = (record: RecordOf<Name>, sheet: Sheet) => void;

/** What happened to the kernel as a whole. */
const onCpu =
  (kind: MarkKind): ((record: TraceRecord, sheet: Sheet) => void) =>
  (record, sheet) =>
    sheet.mark(sheet.cpu(record), kind, record.at);

const offsetOfClocks = (record: RecordOf<'clock.watch' | 'clock.agrees' | 'clock.compared'>, sheet: Sheet): void => {
  const { clock, against, offset } = record.fields;
  const curve = sheet.curve(`offset ${clock} ${against}`, 'Clocks', `${clock} against ${against}`, 'ns', 'points');
  sheet.point(curve, record.at, offset);
};

function slotOf(record: RecordOf<'slot.run' | 'slot.woken'>, sheet: Sheet): void {
  const { partition, slot, frame, nominal, entered, left } = record.fields;
  const isWoken = record.event === 'slot.woken';
  sheet.span(sheet.partition(partition), entered, left, partition, isWoken);
  sheet.span(sheet.cpu(record), entered, left, partition, isWoken);
  sheet.slot({ cpu: record.cpu, partition, slot, frame, nominal: Number(nominal), left: Number(left) });
  if (isWoken) return;
  const errors = sheet.curve(`start error ${partition}`, 'Start errors', sheet.nameOf(partition), 'ns', 'points');
  sheet.point(errors, entered, entered - nominal);
}

const PLACES: { readonly [Name in EventName]: Place<Name> } = {
  'kernel.start': onCpu('note'),
  'kernel.exit': onCpu('state'),
  'kernel.error': onCpu('error'),
  log: onCpu('note'),
  warning: onCpu('warning'),
  'trace.dropped': onCpu('warning'),
  gc: (record, sheet) => {
    // Recorded when it is over.
    sheet.mark(sheet.cpu(record), 'gc', record.at - record.fields.duration);
    const heap = sheet.curve('heap', 'Values', 'heap', 'bytes', 'step');
    sheet.point(heap, record.at - record.fields.duration, record.fields.before);
    sheet.point(heap, record.at, record.fields.after);
  },
  'interrupt.unexpected': onCpu('warning'),
  'kernel.lost': onCpu('warning'),
  'machine.cpu': onCpu('note'),
  'machine.memory': onCpu('note'),
  'machine.acpi': onCpu('note'),
  'machine.acpi-problem': onCpu('warning'),
  'machine.device': onCpu('note'),
  'machine.absent': onCpu('note'),
  'machine.frequency': onCpu('note'),
  'machine.tsc': onCpu('note'),
  'time.selected': onCpu('note'),
  'time.timer': onCpu('note'),
  'clock.ticks-lost': onCpu('warning'),
  'clock.watch': (record, sheet) => {
    sheet.mark(sheet.cpu(record), 'error', record.at);
    offsetOfClocks(record, sheet);
  },
  'clock.agrees': offsetOfClocks,
  'clock.compared': offsetOfClocks,
  'timer.lateness': onCpu('note'),
  'calibration.agreement': onCpu('note'),
  'output.edge': (record, sheet) => {
    const { output, level, written } = record.fields;
    sheet.point(sheet.curve(`output ${output}`, 'Signals', output, '', 'step'), written, level);
  },
  'interval.recorded': onCpu('note'),
  'byte.received': (record, sheet) =>
    sheet.mark(sheet.lane(`bytes ${record.fields.source}`, 'Signals', record.fields.source), 'byte', record.fields.taken),
  'output.signal': onCpu('note'),
  'time.absolute': onCpu('note'),
  'use.skipped': onCpu('warning'),
  'timer.start': (record, sheet) => sheet.mark(sheet.timer(record.fields.timer), 'state', record.at),
  'timer.interrupt': (record, sheet) => {
    const { timer, nominal, taken } = record.fields;
    const lane = sheet.timer(timer);
    sheet.mark(lane, 'nominal', nominal);
    // From the stub's first instruction to the handler's first statement.
    sheet.span(lane, taken, record.at, TIMER_LOOK);
    sheet.mark(lane, 'interrupt', taken);
    sheet.mark(sheet.cpu(record), 'interrupt', taken);
  },
  'timer.interval': (record, sheet) => sheet.mark(sheet.timer(record.fields.timer), 'note', record.at),
  'timer.latency': (record, sheet) => sheet.mark(sheet.timer(record.fields.timer), 'note', record.at),
  'timer.skipped': (record, sheet) => sheet.mark(sheet.timer(record.fields.timer), 'warning', record.at),
  'timer.silent': (record, sheet) => sheet.mark(sheet.timer(record.fields.timer), 'warning', record.at),
  'partition.created': (record, sheet) => sheet.mark(sheet.partition(record.fields.partition), 'note', record.at),
  'slot.run': slotOf,
  'slot.woken': slotOf,
  'partition.state': (record, sheet) => sheet.mark(sheet.partition(record.fields.partition), 'state', record.at),
  'health.event': (record, sheet) => sheet.mark(sheet.partition(record.fields.partition), 'health', record.at),
  'partition.console': (record, sheet) => sheet.mark(sheet.partition(record.fields.partition), 'console', record.at),
  'partition.trace': (record, sheet) => {
    const { partition, code, value } = record.fields;
    sheet.mark(sheet.partition(partition), 'value', record.at);
    if (code < 0n || code >= VALUE_CURVES_MOST) return;
    const curve = sheet.curve(`value ${partition} ${code}`, 'Values', `${sheet.nameOf(partition)}: value ${code}`, '', 'points');
    sheet.point(curve, record.at, value);
  },
  'plan.slot': onCpu('note'),
  'plan.switched': onCpu('plan'),
  'slot.late': (record, sheet) => sheet.mark(sheet.partition(record.fields.partition), 'warning', record.at),
  exit: (record, sheet) => sheet.mark(sheet.partition(record.fields.partition), 'exit', record.at),
  'exit.counts': onCpu('note'),
  'port.output': (record, sheet) => {
    const { partition, port, value, written } = record.fields;
    sheet.mark(sheet.partition(partition), 'output', written);
    const label = `${sheet.nameOf(partition)}: port ${port.toString(16)}h`;
    sheet.point(sheet.curve(`port ${partition} ${port}`, 'Signals', label, '', 'step'), written, value);
  },
  'system.started': onCpu('state'),
  'slot.worst': onCpu('note'),
  'system.costs': onCpu('note'),
  'platform.timer': (record, sheet) => sheet.mark(sheet.partition(record.fields.partition), 'note', record.at),
  'platform.tick': (record, sheet) => sheet.mark(sheet.ticks(record.fields.partition, record.fields.source), 'interrupt', record.at),
  'guest.interrupt': (record, sheet) => sheet.mark(sheet.partition(record.fields.partition), 'injection', record.at),
  'guest.time': (record, sheet) => {
    const { partition, offset, owed } = record.fields;
    const name = sheet.nameOf(partition);
    sheet.point(sheet.curve(`guest time ${partition}`, 'Clocks', `${name}: guest time - host time`, 'ns', 'step'), record.at, offset);
    sheet.point(sheet.curve(`owed ${partition}`, 'Clocks', `${name}: owed guest time`, 'ns', 'step'), record.at, owed);
  },
  'device.misuse': (record, sheet) => sheet.mark(sheet.partition(record.fields.partition), 'warning', record.at),
  'platform.accounts': onCpu('note'),
  'device.counts': onCpu('note'),
  'test.case': (record, sheet) => sheet.mark(sheet.cpu(record), record.fields.result === 'pass' ? 'note' : 'error', record.at),
  benchmark: onCpu('note'),
};

/** Timers have no partition whose look they could have. */
const TIMER_LOOK = 0;
/** Codes of values are a program's own, and may be as many as the values. */
const VALUE_CURVES_MOST = 64;

/** @param title shown where the log names no system */
export function timelineOf(logged: readonly LoggedRecord[], title: string, { from, to }: Window = {}): Timeline {
  const lanes = new Map<string, Lane>();
  const curves = new Map<string, Curve>();
  const marks = new Map<Lane, Map<MarkKind, Marks<MarkKind>>>();
  const names = new Map<number, string>();
  /** By partition and number. */
  const sources = new Map<string, string>();
  const slots: SlotSeen[] = [];
  const switches: PlanSwitch[] = [];
  const described: DescribedSlot[] = [];
  const lines: string[] = [];
  const lineNumbers: number[] = [];
  let first = Infinity;
  let last = -Infinity;
  let epoch = 0;
  let system = title;
  const isWithin = (instant: number): boolean => instant >= (from ?? -Infinity) && instant <= (to ?? Infinity);
  /** Counts what was put into lanes: a line that nothing came of is not kept. */
  let placed = 0;
  const seen = (instant: number): void => {
    placed++;
    first = Math.min(first, instant);
    last = Math.max(last, instant);
  };

  function laneOf(id: string, group: Group, label: string, curve?: Curve): Lane {
    let lane = lanes.get(id);
    if (!lane) lanes.set(id, (lane = { id, group, label, planned: [], ran: newSpans(), marks: [], curve }));
    return lane;
  }

  const sheet: Sheet = {
    lane: laneOf,
    curve: (id, group, label, unit, shape) => {
      let curve = curves.get(id);
      if (!curve) {
        curves.set(id, (curve = { unit, shape, at: [], values: [], lines: [] }));
        laneOf(id, group, label, curve);
      }
      return curve;
    },
    mark: (lane, kind, at) => {
      const instant = Number(at);
      if (!isWithin(instant)) return;
      let kinds = marks.get(lane);
      if (!kinds) marks.set(lane, (kinds = new Map<MarkKind, Marks<MarkKind>>()));
      let own = kinds.get(kind);
      if (!own) kinds.set(kind, (own = { kind, at: [], lines: [] }));
      own.at.push(instant);
      own.lines.push(lines.length - 1);
      seen(instant);
    },
    span: ({ ran }, start, end, look, lower = false) => {
      // A damaged line may say anything; a span that ends before it begins would stop every search.
      if (end < start || !(isWithin(Number(start)) || isWithin(Number(end)))) return;
      ran.starts.push(Number(start));
      ran.ends.push(Number(end));
      ran.lines.push(lines.length - 1);
      ran.looks.push(look);
      ran.lower.push(lower ? 1 : 0);
      seen(Number(start));
      seen(Number(end));
    },
    point: (curve, at, value) => {
      if (!isWithin(Number(at))) return;
      curve.at.push(Number(at));
      curve.values.push(Number(value));
      curve.lines.push(lines.length - 1);
      seen(Number(at));
    },
    partition: (index) => laneOf(`partition ${index}`, 'Partitions', names.get(index) ?? `#${index}`),
    cpu: ({ cpu }) => laneOf(`cpu${cpu}`, 'CPUs', `cpu${cpu}`),
    timer: (name) => laneOf(`timer ${name}`, 'Timers', name),
    ticks: (partition, source) =>
      laneOf(
        `ticks ${partition} ${source}`,
        'Timers',
        `${names.get(partition) ?? `#${partition}`}: ${sources.get(`${partition} ${source}`) ?? `source ${source}`}`,
      ),
    nameOf: (partition) => names.get(partition) ?? `#${partition}`,
    slot: (slot) => slots.push(slot),
  };

  for (const { record, line, text } of logged) {
    if (record.event === 'partition.created') names.set(record.fields.partition, record.fields.name);
    if (record.event === 'platform.timer') sources.set(`${record.fields.partition} ${record.fields.source}`, record.fields.name);
    if (record.event === 'plan.switched') switches.push(record.fields);
    if (record.event === 'plan.slot') {
      const { plan, slot, partition, start, duration, 'major-frame': majorFrame } = record.fields;
      described.push({ plan, slot, partition, start: Number(start), duration: Number(duration), majorFrame: Number(majorFrame) });
    }
    if (record.event === 'system.started') {
      epoch = Number(record.fields.epoch);
      system = record.fields.name;
    }
    lines.push(text);
    lineNumbers.push(line);
    const before = placed;
    place(record, sheet);
    if (placed > before) continue;
    lines.pop();
    lineNumbers.pop();
  }

  if (first > last) [first, last] = [0, 1];
  first = from ?? first;
  last = to ?? last;
  for (const [cpu, partition, slot] of plannedSlots(slots, switches, described)) {
    lanes.get(`partition ${partition}`)?.planned.push(slot);
    lanes.get(`cpu${cpu}`)?.planned.push(slot);
  }
  for (const [lane, kinds] of marks) lane.marks.push(...MARK_KINDS.flatMap((kind) => kinds.get(kind) ?? []));
  for (const lane of lanes.values()) sortLane(lane);
  const shown = [...lanes.values()].filter((lane) => hasContent(lane, first, last));
  const sorted = GROUPS.flatMap((group) => shown.filter((lane) => lane.group === group).sort(byId));
  return { title: system, from: first, to: Math.max(last, first + 1), epoch, lanes: sorted, lines, lineNumbers };
}

const place = <Name extends EventName>(record: RecordOf<Name>, sheet: Sheet): void =>
  // The table is total, but TypeScript does not see that key and record belong together.
  (PLACES[record.event] as unknown as Place<Name>)(record, sheet);

const byId = (a: Lane, b: Lane): number => a.id.localeCompare(b.id, 'en', { numeric: true });
function hasContent({ planned, ran, marks, curve }: Lane, from: number, to: number): boolean {
  if (ran.starts.length > 0 || marks.length > 0 || (curve?.at.length ?? 0) > 0) return true;
  return planned.some((slot) => {
    const { first, end } = framesWithin(slot, from, to);
    return first < end;
  });
}

/** Records stand in the log in the order in which they were made, which for what is dated otherwise is not that of their instants. */
function sortLane({ ran, marks, curve }: Lane): void {
  sortColumns(ran.starts, [ran.starts, ran.ends, ran.lines, ran.looks, ran.lower]);
  for (const { at, lines } of marks) sortColumns(at, [at, lines]);
  if (curve) sortColumns(curve.at, [curve.at, curve.values, curve.lines]);
}

function sortColumns(key: readonly number[], columns: readonly number[][]): void {
  if (key.every((value, index) => index === 0 || value >= key[index - 1]!)) return;
  const order = key.map((_, index) => index).sort((a, b) => key[a]! - key[b]! || a - b);
  for (const column of columns) {
    const copy = column.slice();
    order.forEach((from, to) => (column[to] = copy[from]!));
  }
}
