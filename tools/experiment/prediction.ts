/**
 * What the rules say a guest has to see, tick by tick: a model of its own, which shares no code with the kernel. Ticks are on one beat,
 * `start` + n * PERIOD in wall time, whatever becomes of guest time:
 *
 * - modes 0 and 1: none is lost. One that comes due while the guest is absent is taken when it is back, `service` after the one before.
 * - mode 2: what comes due in an absence is lost; but after such an absence one tick is kept, which is taken late if the next absence finds it
 *   still not there.
 * - mode 3, and 2007: of those that come due in an absence one is taken when the guest is back.
 *
 * The HPET shows wall time, if guest time is not frozen (modes 1 to 3) or not set when it is thawed; the time that the guest has run, if it is;
 * and in mode 0 as is, each tick's own deadline, because taking the tick sets it there.
 */
import { PERIOD, PLANS, VARIANTS, type Case, type Plan } from './matrix.ts';

export interface PredictedTick {
  /** ns since the epoch. */
  readonly wall: number;
  /** ns since the HPET was started. */
  readonly hpet: number;
}

export interface Conditions {
  /** ns from the epoch to the moment at which the guest starts its HPET; less than a period. */
  readonly start: number;
  readonly frames: number;
  /** ns from one tick to the next of a burst. The counts are the same for any between 20,000 and 240,000. */
  readonly service?: number;
}

export const SERVICE = 150_000;

type Span = readonly [from: number, to: number];

const spansOf = ({ frame, slots }: Plan, frames: number): Span[] =>
  Array.from({ length: frames }, (_, index) => slots.map(([from, to]): Span => [index * frame + from, index * frame + to])).flat();

/** How long the guest has had the CPU. */
const ranBy = (spans: readonly Span[], at: number): number =>
  spans.reduce((sum, [from, to]) => sum + Math.max(0, Math.min(at, to) - from), 0);

/** The beat's instants in [from, to). */
function beats(start: number, from: number, to: number): number[] {
  const first = Math.max(1, Math.ceil((from - start) / PERIOD));
  const count = Math.max(0, Math.ceil((to - start) / PERIOD) - first);
  return Array.from({ length: count }, (_, index) => start + (first + index) * PERIOD);
}

/** Wall instants, each with its deadline. */
type Taken = readonly { readonly wall: number; readonly deadline: number }[];

function takeAll(spans: readonly Span[], start: number, service: number): Taken {
  const taken: { wall: number; deadline: number }[] = [];
  let deadline = start + PERIOD;
  for (const [from, to] of spans) {
    for (let wall = Math.max(from, deadline); wall < to; wall = Math.max(wall + service, deadline)) {
      taken.push({ wall, deadline });
      deadline += PERIOD;
    }
  }
  return taken;
}

function takeSome(spans: readonly Span[], start: number, missed: 'none' | 'one'): Taken {
  let leftAt = 0;
  let keepsNext = false;
  return spans.flatMap(([from, to]) => {
    const [lost] = beats(start, leftAt, from);
    const own = beats(start, from, to).map((deadline) => ({ wall: deadline, deadline }));
    const isKept = lost !== undefined && (missed === 'one' || keepsNext);
    const late = isKept ? [{ wall: from, deadline: lost }] : [];
    if (own.length > 0 || isKept) keepsNext = false;
    else if (lost !== undefined) keepsNext = true;
    leftAt = to;
    return [...late, ...own];
  });
}

export function predict(own: Case, { start, frames, service = SERVICE }: Conditions): PredictedTick[] {
  const spans = spansOf(PLANS[own.plan], frames);
  const { setOnThaw, setOnPost } = VARIANTS[own.variant];
  const losesNone = own.mode === 'delay_for_missed_ticks' || own.mode === 'no_delay_for_missed_ticks';
  const taken = losesNone
    ? takeAll(spans, start, service)
    : takeSome(spans, start, own.mode === 'no_missed_ticks_pending' ? 'none' : 'one');
  const isFrozen = (own.era === '2007' || own.mode === 'delay_for_missed_ticks') && setOnThaw;
  const isSet = isFrozen && own.era === 'today' && setOnPost;
  return taken.map(({ wall, deadline }) => ({
    wall,
    hpet: isSet ? deadline - start : isFrozen ? ranBy(spans, wall) - ranBy(spans, start) : wall - start,
  }));
}
