/** Things in a lane one by one: what lies under a pointer, which comes next, and where a line of the log is shown. */
import { firstAtOrAfter, firstEndingAfter, framesWithin } from './columns.ts';
import { startInFrame } from './draw.ts';
import { MARK_LOOKS } from './marks.ts';
import type { Lane, Timeline } from './model.ts';

export interface Item {
  readonly what: string;
  /** ns since boot; the same instant twice for a mark. */
  readonly start: number;
  readonly end: number;
  /** Index into the timeline's lines; undefined for what is planned only. */
  readonly line: number | undefined;
  readonly value?: number;
}

const spanItem = (lane: Lane, index: number): Item => ({
  what: lane.group === 'Timers' ? 'stub to handler' : lane.ran.lower[index] ? 'run, woken later' : 'run',
  start: lane.ran.starts[index]!,
  end: lane.ran.ends[index]!,
  line: lane.ran.lines[index]!,
});

/**
 * What a pointer means: the mark, point or span nearest to an instant, within `reach`; else the slot that is planned there.
 * @param reach ns
 */
export function itemAt(lane: Lane, instant: number, reach: number, part: 'marks' | 'body'): Item | undefined {
  const near = nearest(lane, instant, part);
  if (near && distanceTo(near, instant) <= reach) return near;
  if (part === 'marks') return undefined;
  for (const slot of lane.planned) {
    const { first, end } = framesWithin(slot, instant, instant + 1);
    if (first >= end) continue;
    const start = startInFrame(slot, first);
    return { what: `slot ${slot.slot} of frame ${slot.firstFrame + first}, planned`, start, end: start + slot.duration, line: undefined };
  }
  return undefined;
}

const distanceTo = ({ start, end }: Item, instant: number): number => Math.max(start - instant, instant - end, 0);

function nearest(lane: Lane, instant: number, part: 'marks' | 'body'): Item | undefined {
  const candidates: Item[] = [];
  const around = (sorted: readonly number[], make: (index: number) => Item): void => {
    const after = firstAtOrAfter(sorted, instant);
    for (const index of [after - 1, after]) if (index >= 0 && index < sorted.length) candidates.push(make(index));
  };
  if (part === 'marks') {
    for (const { kind, at, lines } of lane.marks)
      around(at, (index) => ({ what: MARK_LOOKS[kind].name, start: at[index]!, end: at[index]!, line: lines[index]! }));
  } else {
    const after = firstEndingAfter(lane.ran, instant);
    for (const index of [after - 1, after]) if (index >= 0 && index < lane.ran.starts.length) candidates.push(spanItem(lane, index));
    const { curve } = lane;
    if (curve)
      around(curve.at, (index) => ({
        what: 'value',
        start: curve.at[index]!,
        end: curve.at[index]!,
        line: curve.lines[index]!,
        value: curve.values[index]!,
      }));
  }
  // The last of equal ones: the weightiest mark.
  return candidates.reduce<Item | undefined>(
    (best, item) => (best === undefined || distanceTo(item, instant) <= distanceTo(best, instant) ? item : best),
    undefined,
  );
}

/** The neighbour of an item in its lane. @param direction 1 for the next one, -1 for the one before */
export function neighbour(lane: Lane, from: number, direction: 1 | -1): Item | undefined {
  const items: Item[] = [];
  const offer = (sorted: readonly number[], make: (index: number) => Item): void => {
    const index = direction > 0 ? firstAtOrAfter(sorted, from + 0.5) : firstAtOrAfter(sorted, from) - 1;
    if (index >= 0 && index < sorted.length) items.push(make(index));
  };
  for (const { kind, at, lines } of lane.marks)
    offer(at, (index) => ({ what: MARK_LOOKS[kind].name, start: at[index]!, end: at[index]!, line: lines[index]! }));
  offer(lane.ran.starts, (index) => spanItem(lane, index));
  const { curve } = lane;
  if (curve)
    offer(curve.at, (index) => ({
      what: 'value',
      start: curve.at[index]!,
      end: curve.at[index]!,
      line: curve.lines[index]!,
      value: curve.values[index]!,
    }));
  const sorted = items.sort((a, b) => (a.start - b.start) * direction);
  return sorted[0];
}

export interface Place {
  readonly lane: Lane;
  readonly item: Item;
}

/** Where each line of the log is shown: the lane of the most specific group that has it. */
export function placesOf({ lanes, lines }: Timeline): readonly (Place | undefined)[] {
  const places = new Array<Place | undefined>(lines.length).fill(undefined);
  // Partitions and timers say more than the CPU that they were on: they come later.
  for (const lane of lanes) {
    const offer = (line: number, item: Item): void => {
      if (places[line] === undefined || places[line].lane.group === 'CPUs') places[line] = { lane, item };
    };
    lane.ran.lines.forEach((line, index) => offer(line, spanItem(lane, index)));
    for (const { kind, at, lines: own } of lane.marks)
      own.forEach((line, index) => offer(line, { what: MARK_LOOKS[kind].name, start: at[index]!, end: at[index]!, line }));
    lane.curve?.lines.forEach((line, index) => {
      const at = lane.curve!.at[index]!;
      offer(line, { what: 'value', start: at, end: at, line, value: lane.curve!.values[index]! });
    });
  }
  return places;
}

/** Indices of the lines that have all the words, in the order of the log. */
export function linesWith(lines: readonly string[], text: string): number[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  return lines.flatMap((line, index) => {
    const low = line.toLowerCase();
    return words.every((word) => low.includes(word)) ? [index] : [];
  });
}
