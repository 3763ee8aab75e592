/**
 * Absolute time with the resolution of the hardware clock. The real-time clock tells whole seconds; the moment at which
 * one begins (its edge) is caught between two readings of the hardware clock, which goes on from there.
 *
 * What the edge is: the moment the seconds register begins to show the new second. The MC146818A's data sheet says that
 * UIP rises 244 us before an update, that the registers are undefined while it is set, and that an update takes 1984 us:
 * where they show nonsense in between, the edge is the fall of UIP. QEMU's UIP is set for 244 us, its registers change at
 * once, and its UIP can fall late, when the host is busy: where the registers change once and cleanly, UIP does not count.
 */
import { secondsFromCivil, wallNanos, type Civil, type WallNanos } from './calendar.ts';
import type { HwClock } from './hw-clock.ts';
import { instant, micros, millis, NANOS_PER_SECOND, nanos, type Instant, type Nanos } from './units.ts';

export { wallNanos, type WallNanos } from './calendar.ts';

/** What is needed of a real-time clock, which has to show UTC. kernel/drivers/rtc-mc146818.ts is one. */
export interface SecondsClock {
  readTime(): { readonly ok: true; readonly civil: Civil } | { readonly ok: false; readonly reason: string };
  /** The second is about to change, or changing. */
  isUpdating(): boolean;
  /** 0 to 59; anything, or undefined, while updating. */
  second(): number | undefined;
}

export interface WallClockParts {
  readonly clock: Pick<HwClock, 'name' | 'resolution' | 'now'>;
  readonly rtc: SecondsClock;
}

export interface DriftReport {
  readonly ok: true;
  /** Real-time clock less wall clock since the wall clock was created: positive if the real-time clock is faster, or was set forward. */
  readonly drift: Nanos;
  /** The drift lies within this, either way. */
  readonly uncertainty: Nanos;
  /** Time between the two edges that were compared, by the hardware clock. `drift` over this is the rate. */
  readonly elapsed: Nanos;
}

export interface WallClock {
  /** Never goes backwards, and never steps: it is the hardware clock with another origin. */
  now(): WallNanos;
  /** The absolute time of an instant of the hardware clock, past or future. */
  at(when: Instant): WallNanos;
  /** Of every absolute time, either way: half the interval in which the edge was caught. What the real-time clock itself is wrong by is not in it. */
  readonly uncertainty: Nanos;
  /** The first instant after `when` at which a second begins, as far as the real-time clock has not drifted. */
  nextEdge(when: Instant): Instant;
  /**
   * Catches another edge and compares. Steps nothing.
   *
   * Polls until the edge: up to 2.5 s, 1 s as a rule. To wait less, call it a little before `nextEdge`; 3 ms are what an
   * update takes, drift comes on top.
   */
  check(): DriftReport | { readonly ok: false; readonly reason: string };
}

export type WallClockCreation = { readonly ok: true; readonly wallClock: WallClock } | { readonly ok: false; readonly reason: string };

/** Two edges and a half: one can be missed if something holds the machine up. */
const EDGE_LIMIT = millis(2500);
/** An interval that needs no second try. A poll takes four port accesses and two readings of the clock: 5 to 50 us. */
const NARROW = micros(100);
/** A poll takes 1 us at the very least, no clock's tick is longer: one that does not move in so many polls stands. */
const STANDING_POLLS = 1_000;

/** The edge at which the second `seconds` began, between two instants. */
interface Edge {
  readonly seconds: bigint;
  readonly earliest: Instant;
  readonly latest: Instant;
}
type Caught = { readonly ok: true; readonly edge: Edge } | { readonly ok: false; readonly reason: string };

/**
 * Takes 1 s as a rule, up to 2.5 s, all of it polling: for the time before anything has a deadline.
 * @returns a reason if the real-time clock does not tell the time, if its second does not change, or if `clock` stands
 */
export function createWallClock(parts: WallClockParts): WallClockCreation {
  const { clock } = parts;
  const caught = catchEdge(parts);
  if (!caught.ok) return caught;
  const origin = middle(caught.edge, clock.resolution);
  const originSeconds = caught.edge.seconds;
  const at = (when: Instant): WallNanos => wallNanos(originSeconds * NANOS_PER_SECOND + (when - origin.at));

  return {
    ok: true,
    wallClock: {
      now: () => at(clock.now()),
      at,
      uncertainty: origin.uncertainty,
      nextEdge: (when) => {
        const since = at(when) % NANOS_PER_SECOND;
        return instant(when + (since < 0n ? -since : NANOS_PER_SECOND - since));
      },
      check: () => {
        const again = catchEdge(parts);
        if (!again.ok) return again;
        const edge = middle(again.edge, clock.resolution);
        return {
          ok: true,
          drift: nanos(again.edge.seconds * NANOS_PER_SECOND - at(edge.at)),
          uncertainty: nanos(origin.uncertainty + edge.uncertainty),
          elapsed: nanos(edge.at - origin.at),
        };
      },
    },
  };
}

/** Readings are rounded down: what lies between two of them may be up to a resolution after the later one. Rounded up. */
function middle({ earliest, latest }: Edge, resolution: Nanos): { at: Instant; uncertainty: Nanos } {
  const half = (latest - earliest + resolution + 1n) / 2n;
  return { at: instant(earliest + half), uncertainty: nanos(half) };
}

/** The first edge that is caught narrowly; if none is within the limit, the narrowest. */
function catchEdge({ clock, rtc }: WallClockParts): Caught {
  const first = rtc.readTime();
  if (!first.ok) return first;

  const started = clock.now();
  const watch = createEdgeWatch();
  let best: Edge | undefined;
  let lastMoved = started;
  let standing = 0;
  for (;;) {
    const before = clock.now();
    const isUpdating = rtc.isUpdating();
    const second = rtc.second();
    const after = clock.now();

    standing = after === lastMoved ? standing + 1 : 0;
    lastMoved = after;
    if (standing >= STANDING_POLLS) return { ok: false, reason: `the ${clock.name} clock stands at ${after} ns` };

    const seen = watch.poll({ before, isUpdating, second, after });
    if (seen) {
      const time = rtc.readTime();
      if (!time.ok) return time;
      // Held up for a second since, or the registers are not those of the edge: it belongs to no time that is known.
      const isOfEdge = time.civil.second === seen.second;
      const edge = { ...seen, seconds: secondsFromCivil(time.civil) };
      if (isOfEdge && (!best || width(edge) < width(best))) best = edge;
    }
    if (best && (width(best) <= NARROW || after - started > EDGE_LIMIT)) return { ok: true, edge: best };
    if (after - started > EDGE_LIMIT)
      return { ok: false, reason: `no second began within ${EDGE_LIMIT / 1_000_000n} ms: the seconds read ${second ?? 'nothing'}` };
  }
}

const width = ({ earliest, latest }: Edge): bigint => latest - earliest;

/** One look at the real-time clock, and the instants before and after it. */
interface Poll {
  readonly before: Instant;
  readonly isUpdating: boolean;
  readonly second: number | undefined;
  readonly after: Instant;
}

interface SeenEdge {
  /** That began. */
  readonly second: number;
  readonly earliest: Instant;
  readonly latest: Instant;
}

/** Looks for the edge in a series of polls. An edge is told by the first poll that is outside of an update and shows the second after the one before. */
function createEdgeWatch(): { poll(poll: Poll): SeenEdge | undefined } {
  /** The second before the edge, once seen outside of an update. */
  let old: number | undefined;
  /** Begin of the last poll that did not show the new second. */
  let notYet: Instant | undefined;
  /** End of the first poll of those without a break that show it. */
  let since: Instant | undefined;
  /** Begin of the last poll within an update. */
  let updating: Instant | undefined;
  /** Within this update, the seconds were the old one, then the new one, and nothing else. */
  let isClean = true;

  function begin(second: number | undefined, at: Instant): void {
    old = second;
    notYet = at;
    since = undefined;
    updating = undefined;
    isClean = true;
  }

  return {
    poll: ({ before, isUpdating, second, after }) => {
      if (old === undefined) {
        if (!isUpdating) begin(second, before);
        return undefined;
      }
      const next = (old + 1) % 60;
      if (isUpdating) {
        updating = before;
        if (second === next) {
          since ??= after;
        } else {
          if (second !== old || since !== undefined) isClean = false;
          since = undefined;
          notYet = before;
        }
        return undefined;
      }
      if (second !== next) {
        // The old one still, or, after being held up, one that is later: its own edge was missed.
        begin(second, before);
        return undefined;
      }
      const seen = isClean
        ? { second: next, earliest: notYet!, latest: since ?? after }
        : { second: next, earliest: updating!, latest: after };
      begin(next, before);
      return seen;
    },
  };
}
