/**
 * A timeline as a value change dump, for GTKWave and PulseView. Source: IEEE Std 1364-2005, "Value change dump (VCD) files".
 *
 * One scope per group. A lane has a wire for its plan, one for what ran, and one per kind of mark, on which a mark is a pulse of 1 ns. Outputs
 * have a wire per bit, and no vectors: libsigrok before 0.6 stops at one. Time is ns since boot.
 */
import { framesWithin, type Curve } from '../timeline/columns.ts';
import { startInFrame } from '../timeline/draw.ts';
import { GROUPS, type Lane, type Timeline } from '../timeline/model.ts';

/** Wider outputs are numbers rather than pins. */
const MOST_PINS = 0xffff;

interface Signal {
  readonly scope: string;
  readonly name: string;
  /** Of a wire, values are 0 and 1. */
  readonly isReal: boolean;
  /** Instant and value, in order. */
  readonly changes: readonly (readonly [at: number, value: number])[];
}

/** Line by line. */
export function* vcd(timeline: Timeline): Generator<string> {
  const signals = timeline.lanes
    .flatMap((lane) => signalsOf(lane, timeline))
    .map((signal, index) => ({ ...signal, id: identifier(index) }));
  yield `$comment Chronovisor: ${printable(timeline.title)}, ns since boot $end\n$timescale 1 ns $end\n`;
  for (const group of GROUPS) {
    const own = signals.filter(({ scope }) => scope === group);
    if (own.length === 0) continue;
    yield `$scope module ${printable(group)} $end\n`;
    for (const { isReal, id, name } of own) yield `$var ${isReal ? 'real 64' : 'wire 1'} ${id} ${name} $end\n`;
    yield '$upscope $end\n';
  }
  yield `$enddefinitions $end\n#${timeline.from}\n$dumpvars\n`;
  for (const signal of signals) yield `${valueOf(signal, 0)}\n`;
  yield '$end\n';

  // Each signal's changes are in order: what comes next is the earliest of their next ones.
  const next = signals.map(() => 0);
  const nextAt = (index: number): number => signals[index]!.changes[next[index]!]?.[0] ?? Infinity;
  let now = timeline.from;
  for (;;) {
    const at = signals.reduce((earliest, _, index) => Math.min(earliest, nextAt(index)), Infinity);
    if (at === Infinity) break;
    if (at > now) yield `#${(now = at)}\n`;
    for (const [index, signal] of signals.entries())
      for (; nextAt(index) === at; next[index]!++) yield `${valueOf(signal, signal.changes[next[index]!]![1])}\n`;
  }
  // Without it, what the last change made would have no length.
  if (timeline.to >= now) yield `#${timeline.to + 1}\n`;
}

const valueOf = ({ isReal, id }: { readonly isReal: boolean; readonly id: string }, value: number): string =>
  isReal ? `r${value} ${id}` : `${value}${id}`;

/** Printable ASCII without space, the shortest first: `!` to `~`. */
function identifier(index: number): string {
  const FIRST = 33;
  const COUNT = 94;
  const own = String.fromCharCode(FIRST + (index % COUNT));
  return index < COUNT ? own : identifier(Math.floor(index / COUNT) - 1) + own;
}

/** Names have no white space in this format; a lane's may have any. */
const printable = (text: string): string => text.replaceAll(/[^\x21-\x7e]+/g, '_').replaceAll('$', '_') || '_';

function signalsOf({ group, label, planned, ran, marks, curve }: Lane, timeline: Timeline): Signal[] {
  const scope = group;
  const name = printable(label);
  const signals: Signal[] = [];
  if (planned.length > 0)
    signals.push({ scope, name: `${name}.planned`, isReal: false, changes: levels(plannedWithin(planned, timeline)) });
  if (ran.starts.length > 0) {
    const spans = ran.starts.map((start, index): [number, number] => [start, ran.ends[index]!]);
    signals.push({ scope, name: `${name}.${group === 'Timers' ? 'interrupt' : 'run'}`, isReal: false, changes: levels(spans) });
  }
  for (const { kind, at } of marks) {
    // A timer's spans begin with its interrupts; a virtual timer has no spans.
    if (group === 'Timers' && kind === 'interrupt' && ran.starts.length > 0) continue;
    signals.push({ scope, name: `${name}.${kind}`, isReal: false, changes: levels(at.map((instant) => [instant, instant + 1])) });
  }
  if (curve) signals.push(...signalsOfCurve(scope, name, curve));
  return signals;
}

/** An output of whole numbers has a wire per bit, as its pins would be, and its value as a real one; anything else has the real one alone. */
function signalsOfCurve(scope: string, name: string, { shape, at, values }: Curve): Signal[] {
  const changes = at.map((instant, index): [number, number] => [instant, values[index]!]);
  const most = values.reduce((greatest, value) => Math.max(greatest, value), 0);
  const isOutput = shape === 'step' && most <= MOST_PINS && values.every((value) => Number.isInteger(value) && value >= 0);
  const bits = isOutput ? Math.max(1, most.toString(2).length) : 0;
  const wire = (bit: number): Signal => ({
    scope,
    name: bits === 1 ? name : `${name}.${bit}`,
    isReal: false,
    changes: changes.map(([instant, value]): [number, number] => [instant, (value >> bit) & 1]),
  });
  const wires = Array.from({ length: bits }, (_, bit) => wire(bit));
  if (bits === 1) return wires;
  return [...wires, { scope, name, isReal: true, changes: changes.filter(([, value]) => Number.isFinite(value)) }];
}

function plannedWithin(planned: Lane['planned'], { from, to }: Timeline): [number, number][] {
  const spans = planned.flatMap((slot) => {
    const { first, end } = framesWithin(slot, from, to);
    return Array.from({ length: end - first }, (_, index): [number, number] => {
      const start = Math.round(startInFrame(slot, first + index));
      return [Math.max(start, from), Math.min(start + Math.round(slot.duration), to)];
    });
  });
  return spans.sort((a, b) => a[0] - b[0]);
}

/** 1 while a span lasts, for 1 ns at least. Where one ends as the next one begins, it ends 1 ns early: there would be no edge between them. */
function levels(spans: readonly (readonly [start: number, end: number])[]): [number, number][] {
  const changes: [number, number][] = [];
  spans.forEach(([start, end], index) => {
    const next = spans[index + 1]?.[0] ?? Infinity;
    changes.push([start, 1]);
    const over = Math.max(end, start + 1);
    if (next > over) changes.push([over, 0]);
    else if (next > start + 1) changes.push([next - 1, 0]);
  });
  return changes;
}
