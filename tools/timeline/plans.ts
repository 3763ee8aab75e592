/**
 * Plans as the log tells them. Where it describes their slots, that is what is planned, from frames that the runs date. Where it does not, the runs
 * themselves have to do: a slot then lasts until the next one of its CPU begins; of a plan that leaves the CPU idle between slots that is longer
 * than the plan says, and a slot that never ran is not known.
 */
import { bisectRight } from 'd3-array';
import type { PlannedSlot } from './columns.ts';

/** One run of a slot. Instants in ns since boot. */
export interface SlotSeen {
  readonly cpu: number;
  readonly partition: number;
  readonly slot: number;
  readonly frame: number;
  readonly nominal: number;
  readonly left: number;
}

/** Of a plan, from the start of its major frame; ns. */
export interface DescribedSlot {
  readonly plan: number;
  readonly slot: number;
  readonly partition: number;
  readonly start: number;
  readonly duration: number;
  readonly majorFrame: number;
}

/** A plan begins with a frame. */
export interface PlanSwitch {
  readonly frame: number;
  readonly plan: number;
}

interface Stay {
  readonly plan: number;
  firstFrame: number;
  readonly slots: Map<string, SlotSeen[]>;
  lastFrame: number;
}

/**
 * @param switches in any order; the plan of the frames before them is 0
 * @param described of the plans whose slots the log describes
 */
export function plannedSlots(
  seen: readonly SlotSeen[],
  switches: readonly PlanSwitch[],
  described: readonly DescribedSlot[] = [],
): [cpu: number, partition: number, slot: PlannedSlot][] {
  const planFrom = new Map([...switches].sort((a, b) => a.frame - b.frame).map(({ frame, plan }) => [frame, plan]));
  const begins = [...planFrom.keys()];
  const stays = new Map<number, Stay>();
  for (const run of seen) {
    const index = bisectRight(begins, run.frame);
    let stay = stays.get(index);
    if (!stay) {
      const first = begins[index - 1];
      const plan = first === undefined ? 0 : planFrom.get(first)!;
      stays.set(index, (stay = { plan, firstFrame: first ?? run.frame, slots: new Map(), lastFrame: run.frame }));
    }
    stay.firstFrame = Math.min(stay.firstFrame, run.frame);
    stay.lastFrame = Math.max(stay.lastFrame, run.frame);
    const key = `${run.cpu} ${run.slot}`;
    const own = stay.slots.get(key);
    if (own) own.push(run);
    else stay.slots.set(key, [run]);
  }
  return [...stays.values()].flatMap((stay) => {
    const own = described.filter(({ plan }) => plan === stay.plan);
    return own.length > 0 ? slotsDescribed(stay, own) : slotsOf(stay);
  });
}

/** Every slot of the plan in every frame, whether it ran or not. */
function slotsDescribed({ firstFrame, lastFrame, slots }: Stay, described: readonly DescribedSlot[]): [number, number, PlannedSlot][] {
  const run = [...slots.values()][0]![0]!;
  const origin = described.find(({ slot }) => slot === run.slot);
  if (!origin) return [];
  const { majorFrame } = origin;
  const begin = run.nominal - origin.start - (run.frame - firstFrame) * majorFrame;
  return described.map(({ slot, partition, start, duration }) => [
    run.cpu,
    partition,
    { slot, start: begin + start, duration, period: majorFrame, frames: lastFrame - firstFrame + 1, firstFrame },
  ]);
}

function slotsOf({ firstFrame, lastFrame, slots }: Stay): [number, number, PlannedSlot][] {
  const runs = [...slots.values()];
  const period = Math.max(0, ...runs.map(periodOf));
  const starts = runs.map(([run]) => ({ run: run!, phase: run!.nominal - (run!.frame - firstFrame) * period }));
  return starts.flatMap(({ run, phase }): [number, number, PlannedSlot][] => {
    // On its CPU, in its frame; the first one of the next frame is behind the last one.
    const others = starts.filter(({ run: other }) => other.cpu === run.cpu && other !== run).map(({ phase: other }) => other - phase);
    const next = Math.min(...others.map((distance) => (distance > 0 ? distance : distance + period)).filter((distance) => distance > 0));
    const own = period > 0 ? period : run.left - run.nominal;
    const duration = Math.min(next, own);
    if (!(duration > 0)) return [];
    const frames = period > 0 ? lastFrame - firstFrame + 1 : 1;
    const start = period > 0 ? phase : run.nominal;
    return [[run.cpu, run.partition, { slot: run.slot, start, duration, period, frames, firstFrame }]];
  });
}

/** ns from frame to frame, over as many as there are; 0 if that is not known. */
function periodOf(runs: readonly SlotSeen[]): number {
  let [least, most] = [runs[0]!, runs[0]!];
  for (const run of runs) {
    if (run.frame < least.frame) least = run;
    if (run.frame > most.frame) most = run;
  }
  return most.frame === least.frame ? 0 : (most.nominal - least.nominal) / (most.frame - least.frame);
}
