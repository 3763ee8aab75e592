/**
 * What a run's records say of its slots. Figures are computed from the single slots where the log has them (level debug), and are the
 * kernel's own worst cases otherwise.
 */
import type { RecordOf } from '../../kernel/trace/events.ts';
import { createKeptRecords, type Accumulator } from './accumulator.ts';
import { createSamples, namedSeries, type NamedSeries, type Samples, type Summary } from './samples.ts';
import { showNanos, type Statistics } from './statistics.ts';
import type { System } from './system.ts';
import { cut, fitted } from './table.ts';

export interface SlotReport {
  readonly plan: number;
  readonly slot: number;
  readonly partition: number;
  /** Frames in which the plan was in force, from its first slot in the log to its last. */
  readonly planned: number;
  readonly runs: number;
  /** Those of the runs in which there was nothing to run at the slot's start: something woke the partition later. */
  readonly woken: number;
  /** From one nominal start to the next one's, nanoseconds; undefined after one run. */
  readonly period: number | undefined;
  /**
   * From the nominal start to the first instruction of the guest; undefined if it was woken in all runs. Of the kernel's own sums only the
   * bounds are known.
   */
  readonly startErrors: Summary | Pick<Statistics, 'min' | 'max' | 'jitter'> | undefined;
  /** From the first entry to the last exit; undefined where single slots are not in the log. */
  readonly ran: Summary | undefined;
  /** Percent of the time from the epoch to the last slot's end; undefined where single slots are not in the log. */
  readonly share: number | undefined;
  /** The kernel's count; undefined without it. */
  readonly overruns: number | undefined;
}

interface Slot {
  readonly plan: number;
  readonly slot: number;
  readonly partition: number;
  readonly first: { readonly frame: number; readonly nominal: bigint };
  last: { readonly frame: number; readonly nominal: bigint };
  woken: number;
  readonly startErrors: Samples;
  readonly ran: Samples;
  /** Nanoseconds. */
  total: number;
}

/** So far apart may slots of one frame be in a log that is out of order. */
const FRAMES_REMEMBERED = 4_096;

interface FrameCount {
  push(frame: number): void;
  count(): number;
}

/** Different frames, in memory that does not grow with their number. */
function createFrameCount(): FrameCount {
  const recent = new Set<number>();
  let count = 0;
  return {
    push: (frame) => {
      if (recent.has(frame)) return;
      count++;
      recent.add(frame);
      if (recent.size > FRAMES_REMEMBERED) recent.delete(recent.values().next().value!);
    },
    count: () => count,
  };
}

export interface Slots extends Accumulator<SlotReport[]> {
  series(): NamedSeries[];
}

export function createSlots(system: System): Slots {
  const slots = new Map<string, Slot>();
  const frames = new Map<number, FrameCount>();
  const kept = createKeptRecords(['slot.worst']);
  let firstNominal: bigint | undefined;
  let end = 0n;

  function take({ fields, at, event }: RecordOf<'slot.run'> | RecordOf<'slot.woken'>, line: number): void {
    const { frame, slot, partition, nominal, entered, left } = fields;
    const plan = system.planIn(frame);
    const key = `${plan} ${slot} ${partition}`;
    let own = slots.get(key);
    if (!own) {
      const place = { frame, nominal };
      own = { plan, slot, partition, first: place, last: place, woken: 0, startErrors: createSamples(), ran: createSamples(), total: 0 };
      slots.set(key, own);
    }
    own.last = { frame, nominal };
    if (event === 'slot.woken') own.woken++;
    else own.startErrors.push(Number(entered - nominal), line, at);
    own.ran.push(Number(left - entered), line, at);
    own.total += Number(left - entered);
    let counted = frames.get(plan);
    if (!counted) frames.set(plan, (counted = createFrameCount()));
    counted.push(frame);
    firstNominal ??= nominal;
    if (left > end) end = left;
  }

  function reportOf(own: Slot): SlotReport {
    const { plan, slot, partition, first, last, woken, startErrors, ran, total } = own;
    const frameCount = last.frame - first.frame;
    const elapsed = Number(end - (system.epoch ?? firstNominal ?? 0n));
    const isShared = [...slots.values()].some((other) => other !== own && other.slot === slot && other.partition === partition);
    const worst = kept.of('slot.worst').find((fields) => fields.slot === slot && fields.partition === partition);
    return {
      plan,
      slot,
      partition,
      planned: frames.get(plan)!.count(),
      runs: ran.count,
      woken,
      period: frameCount !== 0 ? Number(last.nominal - first.nominal) / frameCount : undefined,
      startErrors: startErrors.summary(),
      ran: ran.summary(),
      share: elapsed > 0 ? (total / elapsed) * 100 : undefined,
      // The kernel's count has no plan in it: it is nobody's where two plans share the slot's number and its partition.
      overruns: isShared ? undefined : worst?.overruns,
    };
  }

  return {
    push: (record, line) => {
      if (record.event === 'slot.run' || record.event === 'slot.woken') take(record, line);
      else kept.push(record);
    },
    result: () =>
      slots.size === 0
        ? kept.of('slot.worst').map(reportOfWorst)
        : [...slots.values()].map(reportOf).sort((a, b) => a.plan - b.plan || a.slot - b.slot || a.partition - b.partition),
    series: () => {
      const own = [...slots.values()].sort((a, b) => a.plan - b.plan || a.slot - b.slot || a.partition - b.partition);
      const hasPlans = own.some(({ plan }) => plan !== own[0]!.plan);
      return own.flatMap(({ plan, slot, partition, startErrors, ran }) => {
        const subject = `${system.nameOf(partition)}/${slot}${hasPlans ? `@${system.planName(plan)}` : ''}`;
        return [...namedSeries('slot.start', subject, startErrors), ...namedSeries('slot.ran', subject, ran)];
      });
    },
  };
}

function reportOfWorst(fields: RecordOf<'slot.worst'>['fields']): SlotReport {
  const [min, max] = [Number(fields['start-error-min']), Number(fields['start-error-max'])];
  const { slot, partition, runs, overruns } = fields;
  const startErrors = { min, max, jitter: max - min };
  return {
    ...{ plan: 0, slot, partition, planned: runs, runs, woken: 0, period: undefined },
    ...{ startErrors, ran: undefined, share: undefined, overruns },
  };
}

/** Empty if no slot was run. */
export function slotTable(reports: readonly SlotReport[], system: System): string[] {
  if (reports.length === 0) return [];
  const hasPlans = reports.some(({ plan }) => plan !== reports[0]!.plan);
  const hasWoken = reports.some(({ woken }) => woken > 0);
  const plans = (text: string): string[] => (hasPlans ? [text] : []);
  const wakes = (text: string): string[] => (hasWoken ? [text] : []);
  return fitted((layout) => {
    const show = (value: number | undefined): string => (value === undefined ? '' : showNanos(Math.round(value), layout.digits));
    return [
      [
        ...['partition', ...plans('plan'), 'slot', 'every', 'planned', 'run', ...wakes('woken')],
        ...['start min', 'max', 'jitter', 'ran', 'CPU', 'overruns'],
      ],
      ...reports.map((report) => [
        cut(system.nameOf(report.partition), layout.name),
        ...plans(cut(system.planName(report.plan), layout.name)),
        String(report.slot),
        show(report.period),
        String(report.planned),
        String(report.runs),
        ...wakes(String(report.woken)),
        show(report.startErrors?.min),
        show(report.startErrors?.max),
        show(report.startErrors?.jitter),
        show(report.ran?.mean),
        report.share === undefined ? '' : `${report.share.toFixed(1)} %`,
        report.overruns === undefined ? '' : String(report.overruns),
      ]),
    ];
  });
}
