/** Instants to pixels and back, and the instants that an axis names. */
import { ticks } from 'd3-array';

/** What is in sight: ns since boot, and the pixels that they are shown over. */
export interface View {
  readonly from: number;
  readonly to: number;
  readonly width: number;
}

export const nanosPerPixel = ({ from, to, width }: View): number => (to - from) / width;
export const xOf = (view: View, instant: number): number => (instant - view.from) / nanosPerPixel(view);
export const instantAt = (view: View, x: number): number => view.from + x * nanosPerPixel(view);

/** Nobody looks closer than this many ns: instants are whole ones. */
export const NARROWEST = 20;

export interface Bounds {
  readonly from: number;
  readonly to: number;
}

/** The view nearest to a wanted one that lies within bounds, and is neither narrower than NARROWEST nor wider than the bounds. */
export function within({ from, to, width }: View, bounds: Bounds): View {
  const whole = bounds.to - bounds.from;
  const span = Math.min(Math.max(to - from, NARROWEST), Math.max(whole, NARROWEST));
  const middle = (from + to) / 2;
  const start = Math.min(Math.max(middle - span / 2, bounds.from), Math.max(bounds.from, bounds.to - span));
  return { from: start, to: start + span, width };
}

/** @param factor below 1 comes nearer; the instant under `x` stays there */
export function zoomed(view: View, factor: number, x: number, bounds: Bounds): View {
  const fixed = instantAt(view, x);
  // Limited first: a limit that only the ends respected would shift what is under the pointer.
  const span = Math.min(Math.max((view.to - view.from) * factor, NARROWEST), bounds.to - bounds.from);
  const from = fixed - (x / view.width) * span;
  return within({ from, to: from + span, width: view.width }, bounds);
}

export function panned(view: View, pixels: number, bounds: Bounds): View {
  const by = pixels * nanosPerPixel(view);
  return within({ ...view, from: view.from + by, to: view.to + by }, bounds);
}

const UNITS = [
  { name: 'ns', nanos: 1 },
  { name: 'us', nanos: 1e3 },
  { name: 'ms', nanos: 1e6 },
  { name: 's', nanos: 1e9 },
] as const;

export interface Tick {
  readonly instant: number;
  readonly label: string;
}

export interface Axis {
  /** What all labels count from, since the epoch; empty if that is the epoch. */
  readonly base: string;
  readonly ticks: readonly Tick[];
}

const PIXELS_PER_TICK = 110;

/**
 * Ticks at round instants after the epoch. Where the digits that they share would be most of a label, these are said once, as the base:
 * `3.2504 s` and `+12 us`.
 */
export function axisOf(view: View, epoch: number): Axis {
  const instants = ticks(view.from - epoch, view.to - epoch, Math.max(2, Math.floor(view.width / PIXELS_PER_TICK)));
  const step = Math.abs((instants[1] ?? view.to) - (instants[0] ?? view.from)) || 1;
  const unit = UNITS.findLast(({ nanos }) => nanos <= step) ?? UNITS[0];
  const round = unit.nanos * 1000;
  const largest = Math.max(Math.abs(instants[0] ?? 0), Math.abs(instants.at(-1) ?? 0));
  const base = largest < 10 * round || unit.name === 's' ? 0 : Math.floor((instants[0] ?? 0) / round) * round;
  const sign = base === 0 ? '' : '+';
  return {
    base: base === 0 ? '' : `${exactSeconds(base)} s`,
    ticks: instants.map((instant) => ({
      instant: instant + epoch,
      label: `${sign}${Number(((instant - base) / unit.nanos).toFixed(3))} ${unit.name}`,
    })),
  };
}

/** Seconds with all nine digits, in groups: `3.250 412 007`. */
export function exactSeconds(nanos: number): string {
  const whole = Math.round(Math.abs(nanos));
  const digits = String(whole % 1e9).padStart(9, '0');
  return `${nanos < 0 ? '-' : ''}${Math.floor(whole / 1e9)}.${digits.slice(0, 3)} ${digits.slice(3, 6)} ${digits.slice(6)}`;
}
