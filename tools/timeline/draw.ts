/**
 * Draws lanes on a surface. What is to be seen decides the work, not what is in the log: a lane takes some searches per pixel at most.
 * Where several spans fall into a pixel it shows the share of it that they fill, where several marks do, it shows one.
 */
import { showNanos } from '../report/statistics.ts';
import {
  extremesOf,
  filledBefore,
  filledWithin,
  firstAtOrAfter,
  firstEndingAfter,
  framesWithin,
  type Curve,
  type Extremes,
  type PlannedSlot,
} from './columns.ts';
import { MARK_LOOKS } from './marks.ts';
import type { Lane, Timeline } from './model.ts';
import { axisOf, instantAt, nanosPerPixel, xOf, type View } from './scale.ts';
import { inkOfLook, LOOKS, type Surface } from './surface.ts';

/** px */
export const AXIS_HEIGHT = 26;
const MARKS_HEIGHT = 14;
const SPANS_HEIGHT = 20;
const CURVE_HEIGHT = 38;
const STEP_HEIGHT = 24;
const GAP = 8;
const HEADING_HEIGHT = 20;
const MARK_SIZE = 5;
/** Narrower than this, marks are lines and spans have no pattern. */
const MARK_ROOM = 5;
const PATTERN_ROOM = 6;
/** A span that is narrower than a pixel has its full height where no other one is within so many px: it would not be seen. */
const APART = 4;
const LABEL_ROOM = 60;
/** All of them are told where the pointer is. */
const LABEL_DIGITS = 4;
const EDGE = 40;

/** A lane with what its searches want to have prepared. */
export interface Row {
  readonly lane: Lane;
  /** Of the row's upper edge, and of its parts. */
  readonly y: number;
  readonly height: number;
  readonly marksY: number;
  readonly bodyY: number;
  readonly bodyHeight: number;
  readonly filled: Float64Array;
  readonly extremes: (first: number, end: number) => Extremes | undefined;
}

export interface Heading {
  readonly text: string;
  readonly y: number;
}

export interface Layout {
  readonly rows: readonly Row[];
  readonly headings: readonly Heading[];
  readonly height: number;
}

/** @param isShown of the lanes' groups */
export function layoutOf(timeline: Timeline, isShown: (lane: Lane) => boolean = () => true): Layout {
  const rows: Row[] = [];
  const headings: Heading[] = [];
  let y = AXIS_HEIGHT;
  let group: string | undefined;
  for (const lane of timeline.lanes) {
    if (!isShown(lane)) continue;
    if (lane.group !== group) {
      headings.push({ text: (group = lane.group), y });
      y += HEADING_HEIGHT;
    }
    const marksHeight = lane.marks.length > 0 ? MARKS_HEIGHT : 0;
    const hasSpans = lane.planned.length > 0 || lane.ran.starts.length > 0;
    const bodyHeight = lane.curve ? (lane.curve.shape === 'step' ? STEP_HEIGHT : CURVE_HEIGHT) : hasSpans ? SPANS_HEIGHT : 0;
    const height = marksHeight + bodyHeight + GAP;
    rows.push({
      lane,
      y,
      height,
      marksY: y + GAP / 2,
      bodyY: y + GAP / 2 + marksHeight,
      bodyHeight,
      filled: filledBefore(lane.ran),
      extremes: extremesOf(lane.curve?.values ?? []),
    });
    y += height;
  }
  return { rows, headings, height: y + GAP };
}

/** @param top where the labels stand: what is scrolled keeps its axis */
export function drawAxis(surface: Surface, view: View, epoch: number, height: number, top = 0): void {
  const axis = axisOf(view, epoch);
  surface.text(axis.base, 4, top + 10, 'faint', { size: 10 });
  for (const { instant, label } of axis.ticks) {
    const x = Math.round(xOf(view, instant)) + 0.5;
    surface.line([x, top + AXIS_HEIGHT - 6, x, height], 'rule');
    const anchor = x < EDGE ? 'start' : x > view.width - EDGE ? 'end' : 'middle';
    surface.text(label, x, top + AXIS_HEIGHT - 8, 'faint', { anchor, size: 11 });
  }
}

export function drawRow(surface: Surface, row: Row, view: View): void {
  drawPlan(surface, row, view);
  drawSpans(surface, row, view);
  drawMarks(surface, row, view);
  if (row.lane.curve) drawCurve(surface, row, row.lane.curve, view);
}

function drawPlan(surface: Surface, { lane, bodyY, bodyHeight }: Row, view: View): void {
  for (const slot of lane.planned) {
    const { first, end } = framesWithin(slot, view.from, view.to);
    // Outlines that stand closer than they are drawn would be a surface: left out, as the share of what ran says more.
    if (slot.period > 0 && slot.period < 4 * nanosPerPixel(view)) continue;
    for (let frame = first; frame < end; frame++) {
      const start = startInFrame(slot, frame);
      const left = Math.max(xOf(view, start), -2);
      const right = Math.min(xOf(view, start + slot.duration), view.width + 2);
      surface.outline(left, bodyY, Math.max(right - left, 1), bodyHeight, 'plan');
    }
  }
}

export const startInFrame = ({ start, period }: PlannedSlot, frame: number): number => start + frame * period;

function drawSpans(surface: Surface, { lane, bodyY, bodyHeight, filled }: Row, view: View): void {
  const { ran } = lane;
  const count = ran.starts.length;
  const top = bodyY + 2;
  const height = bodyHeight - 4;
  const apart = APART * nanosPerPixel(view);
  let nextColumn = -Infinity;
  for (let index = firstEndingAfter(ran, view.from); index < count && ran.starts[index]! < view.to;) {
    const start = ran.starts[index]!;
    const end = ran.ends[index]!;
    const left = xOf(view, start);
    const right = xOf(view, end);
    const ink = inkOfLook(ran.looks[index]!);
    const isApart = (ran.starts[index + 1] ?? Infinity) - end >= apart && start - (ran.ends[index - 1] ?? -Infinity) >= apart;
    if (right - left >= 1 || isApart) {
      const lower = ran.lower[index] ? height / 2 : 0;
      const x = Math.max(left, -1);
      const width = Math.max(Math.min(right, view.width + 1) - x, 1);
      const pattern = width >= PATTERN_ROOM ? { pattern: ran.looks[index]! % LOOKS } : {};
      surface.fill(x, top + lower, width, height - lower, { ink, opacity: width >= PATTERN_ROOM ? 0.55 : 0.9, ...pattern });
      if (width >= LABEL_ROOM)
        surface.text(showNanos(end - start, LABEL_DIGITS), x + width / 2, top + height / 2 + 4, 'ink', { anchor: 'middle', size: 11 });
      index++;
    } else {
      const column = Math.max(Math.floor(left), nextColumn);
      nextColumn = column + 1;
      const share = filledWithin(ran, filled, instantAt(view, column), instantAt(view, nextColumn)) / nanosPerPixel(view);
      const tall = Math.max(1, height * Math.min(1, share));
      surface.fill(column, top + height - tall, 1, tall, { ink, opacity: 0.9 });
      // The first that reaches beyond this pixel, which may be the same one.
      index = Math.max(index, firstEndingAfter(ran, instantAt(view, nextColumn)));
    }
  }
}

function drawMarks(surface: Surface, { lane, marksY }: Row, view: View): void {
  for (const { kind, at } of lane.marks) {
    const { shape, ink } = MARK_LOOKS[kind];
    const margin = MARK_SIZE * nanosPerPixel(view);
    for (let index = firstAtOrAfter(at, view.from - margin); index < at.length && at[index]! <= view.to + margin;) {
      const x = xOf(view, at[index]!);
      const next = firstAtOrAfter(at, instantAt(view, Math.floor(x) + 1));
      const hasRoom = (at[index + 1] ?? Infinity) - at[index]! >= MARK_ROOM * nanosPerPixel(view);
      if (hasRoom) surface.shape(shape, x, marksY + MARKS_HEIGHT / 2, MARK_SIZE, ink);
      else surface.fill(Math.floor(x), marksY + 3, 1, MARKS_HEIGHT - 6, { ink });
      index = Math.max(index + 1, next);
    }
  }
}

function drawCurve(surface: Surface, { bodyY, bodyHeight, extremes, lane }: Row, curve: Curve, view: View): void {
  const { at, values } = curve;
  const whole = extremes(0, values.length);
  if (!whole) return;
  const range = whole.max - whole.min || 1;
  const yOf = (value: number): number => bodyY + 2 + (bodyHeight - 4) * (1 - (value - whole.min) / range);
  surface.line([0, bodyY + bodyHeight - 1.5, view.width, bodyY + bodyHeight - 1.5], 'rule');
  const isStep = curve.shape === 'step';
  const points: number[] = [];
  const before = firstAtOrAfter(at, view.from) - 1;
  if (isStep && before >= 0) points.push(0, yOf(values[before]!));
  for (let index = Math.max(0, before + 1); index < at.length && at[index]! <= view.to;) {
    const x = xOf(view, at[index]!);
    const column = Math.floor(x);
    const next = firstAtOrAfter(at, instantAt(view, column + 1));
    const within = extremes(index, next);
    if (next - index > 1 && within) {
      surface.fill(column, yOf(within.max) - 0.5, 1, yOf(within.min) - yOf(within.max) + 1, { ink: 'curve' });
      if (isStep) points.push(column + 1, yOf(values[next - 1]!));
    } else if (isStep) {
      const previous = points.at(-1);
      if (previous !== undefined) points.push(x, previous);
      points.push(x, yOf(values[index]!));
    } else {
      surface.fill(x - 1.5, yOf(values[index]!) - 1.5, 3, 3, { ink: 'curve' });
    }
    index = Math.max(index + 1, next);
  }
  const previous = points.at(-1);
  if (isStep && previous !== undefined) surface.line([...points, view.width, previous], 'curve');
  const unit = (value: number): string => (curve.unit === 'ns' ? showNanos(value, 6) : `${value}${curve.unit ? ` ${curve.unit}` : ''}`);
  if (lane.curve && bodyHeight >= CURVE_HEIGHT) {
    surface.text(unit(whole.max), view.width - 4, bodyY + 10, 'faint', { anchor: 'end', size: 10 });
    if (whole.max > whole.min) surface.text(unit(whole.min), view.width - 4, bodyY + bodyHeight - 4, 'faint', { anchor: 'end', size: 10 });
  }
}
