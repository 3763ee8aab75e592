/** A timeline as the text that a page has embedded, and back. Instants as differences: with gzip behind it, some 15 bytes per record with its line. */
import { fromDifferences, toDifferences, type Curve, type Marks, type PlannedSlot } from './columns.ts';
import type { Group, MarkKind, Timeline } from './model.ts';

interface PackedLane {
  readonly id: string;
  readonly group: Group;
  readonly label: string;
  readonly planned: readonly PlannedSlot[];
  readonly starts: readonly number[];
  readonly lengths: readonly number[];
  readonly lines: readonly number[];
  readonly looks: readonly number[];
  readonly lower: readonly number[];
  readonly marks: readonly Marks<MarkKind>[];
  readonly curve: Curve | null;
}

interface Packed {
  readonly title: string;
  readonly from: number;
  readonly to: number;
  readonly epoch: number;
  readonly lanes: readonly PackedLane[];
  readonly lines: string;
  readonly lineNumbers: readonly number[];
}

export function packed(timeline: Timeline): string {
  const lanes = timeline.lanes.map(({ id, group, label, planned, ran, marks, curve }): PackedLane => {
    const lengths = ran.ends.map((end, index) => end - ran.starts[index]!);
    return {
      id,
      group,
      label,
      planned,
      starts: toDifferences(ran.starts),
      lengths,
      lines: toDifferences(ran.lines),
      looks: ran.looks,
      lower: ran.lower,
      marks: marks.map(({ kind, at, lines }) => ({ kind, at: toDifferences(at), lines: toDifferences(lines) })),
      curve: curve ? { ...curve, at: toDifferences(curve.at), lines: toDifferences(curve.lines) } : null,
    };
  });
  const { title, from, to, epoch, lines, lineNumbers } = timeline;
  const whole: Packed = { title, from, to, epoch, lanes, lines: lines.join('\n'), lineNumbers: toDifferences(lineNumbers) };
  return JSON.stringify(whole);
}

export function unpacked(text: string): Timeline {
  const { title, from, to, epoch, lanes, lines, lineNumbers } = JSON.parse(text) as Packed;
  return {
    title,
    from,
    to,
    epoch,
    lanes: lanes.map(({ id, group, label, planned, starts: differences, lengths, lines: own, looks, lower, marks, curve }) => {
      const starts = fromDifferences(differences);
      const ends = starts.map((start, index) => start + lengths[index]!);
      return {
        id,
        group,
        label,
        planned: [...planned],
        ran: { starts, ends, lines: fromDifferences(own), looks: [...looks], lower: [...lower] },
        marks: marks.map(({ kind, at, lines: places }) => ({ kind, at: fromDifferences(at), lines: fromDifferences(places) })),
        curve: curve ? { ...curve, at: fromDifferences(curve.at), lines: fromDifferences(curve.lines) } : undefined,
      };
    }),
    lines: lines === '' ? [] : lines.split('\n'),
    lineNumbers: fromDifferences(lineNumbers),
  };
}
