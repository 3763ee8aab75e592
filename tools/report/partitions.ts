/**
 * What a run's records say of its partitions. Figures of slots are computed from the single slots where the log has them (level debug),
 * and are the kernel's own worst cases otherwise.
 */
import type { RecordOf, TraceRecord } from '../../kernel/trace/events.ts';
import { showNanos, statistics, type Statistics } from './statistics.ts';
import { alignColumns } from './table.ts';

const COLUMNS = 100;
/** Significant digits and the longest name: what is tried until a table is narrow enough. */
const LAYOUTS = [
  { digits: 10, name: 32 },
  { digits: 7, name: 20 },
  { digits: 5, name: 16 },
  { digits: 4, name: 10 },
] as const;
type Layout = (typeof LAYOUTS)[number];

type Named<Name extends TraceRecord['event']> = readonly RecordOf<Name>[];
function of<Name extends TraceRecord['event']>(records: readonly TraceRecord[], name: Name): Named<Name> {
  return records.filter((record): record is RecordOf<Name> => record.event === name);
}

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
  readonly startErrors: Pick<Statistics, 'min' | 'max' | 'jitter'> | undefined;
  /** From the first entry to the last exit; undefined where single slots are not in the log. */
  readonly ran: Statistics | undefined;
  /** The kernel's count; undefined without it. */
  readonly overruns: number | undefined;
}

/** Which plan is in force in a frame. */
function planIn(records: readonly TraceRecord[]): (frame: number) => number {
  const switches = of(records, 'plan.switched').map(({ fields }) => fields);
  return (frame) => switches.filter((own) => own.frame <= frame).at(-1)?.plan ?? 0;
}

/** Slots in which a guest ran, in the order of the log. */
function slotRuns(records: readonly TraceRecord[]) {
  const isSlot = (record: TraceRecord): record is RecordOf<'slot.run'> | RecordOf<'slot.woken'> =>
    record.event === 'slot.run' || record.event === 'slot.woken';
  return records.filter(isSlot).map(({ event, fields }) => ({ ...fields, isWoken: event === 'slot.woken' }));
}

export function slotReports(records: readonly TraceRecord[]): SlotReport[] {
  const planOf = planIn(records);
  const runs = slotRuns(records).map((run) => ({ ...run, plan: planOf(run.frame) }));
  const worst = of(records, 'slot.worst').map(({ fields }) => fields);
  if (runs.length === 0) return worst.map(reportOfWorst);

  const groups = new Map<string, typeof runs>();
  for (const run of runs) {
    const key = `${run.plan} ${run.slot} ${run.partition}`;
    const group = groups.get(key);
    if (group) group.push(run);
    else groups.set(key, [run]);
  }
  const frames = new Map<number, Set<number>>();
  for (const { plan, frame } of runs) frames.set(plan, (frames.get(plan) ?? new Set<number>()).add(frame));
  const isShared = (own: (typeof runs)[number]): boolean =>
    [...groups.values()].filter(([other]) => other!.slot === own.slot && other!.partition === own.partition).length > 1;
  return [...groups.values()]
    .map((group): SlotReport => {
      const [first] = group as [(typeof runs)[number]];
      const last = group.at(-1)!;
      const own = worst.find(({ slot, partition }) => slot === first.slot && partition === first.partition);
      const frameCount = last.frame - first.frame;
      return {
        plan: first.plan,
        slot: first.slot,
        partition: first.partition,
        planned: frames.get(first.plan)!.size,
        runs: group.length,
        woken: group.filter(({ isWoken }) => isWoken).length,
        period: frameCount > 0 && group.length > 1 ? Number(last.nominal - first.nominal) / frameCount : undefined,
        startErrors: statistics(group.filter(({ isWoken }) => !isWoken).map(({ entered, nominal }) => Number(entered - nominal))),
        ran: statistics(group.map(({ left, entered }) => Number(left - entered))),
        // The kernel's count has no plan in it: it is nobody's where two plans share the slot's number and its partition.
        overruns: isShared(first) ? undefined : own?.overruns,
      };
    })
    .sort((a, b) => a.plan - b.plan || a.slot - b.slot || a.partition - b.partition);
}

function reportOfWorst(fields: RecordOf<'slot.worst'>['fields']): SlotReport {
  const [min, max] = [Number(fields['start-error-min']), Number(fields['start-error-max'])];
  const { slot, partition, runs, overruns } = fields;
  const startErrors = { min, max, jitter: max - min };
  return { plan: 0, slot, partition, planned: runs, runs, woken: 0, period: undefined, startErrors, ran: undefined, overruns };
}

/** Shortens the end of what is too long for its column. */
const cut = (text: string, length: number): string => (text.length <= length ? text : `${text.slice(0, length - 1)}…`);

function nameOf(records: readonly TraceRecord[]): (partition: number) => string {
  const names = new Map(of(records, 'partition.created').map(({ fields }) => [fields.partition, fields.name]));
  return (partition) => names.get(partition) ?? `#${partition}`;
}

/** The first layout whose table is narrow enough. */
function fitted(rowsIn: (layout: Layout) => readonly (readonly string[])[]): string[] {
  const tables = LAYOUTS.map((layout) => alignColumns(rowsIn(layout)));
  return tables.find((lines) => lines.every((line) => line.length <= COLUMNS)) ?? tables.at(-1)!.map((line) => cut(line, COLUMNS));
}

/** Empty if no slot was run. */
export function slotTable(records: readonly TraceRecord[]): string[] {
  const reports = slotReports(records);
  if (reports.length === 0) return [];
  const name = nameOf(records);
  const planNames = new Map(of(records, 'plan.switched').map(({ fields }) => [fields.plan, fields.name]));
  const hasPlans = reports.some(({ plan }) => plan !== reports[0]!.plan);
  const hasWoken = reports.some(({ woken }) => woken > 0);
  const wakes = (text: string): string[] => (hasWoken ? [text] : []);
  return fitted((layout) => {
    const show = (value: number | undefined): string => (value === undefined ? '' : showNanos(Math.round(value), layout.digits));
    return [
      [
        'partition',
        ...(hasPlans ? ['plan'] : []),
        'slot',
        'every',
        'planned',
        'run',
        ...wakes('woken'),
        'start min',
        'max',
        'jitter',
        'ran',
        'overruns',
      ],
      ...reports.map((report) => [
        cut(name(report.partition), layout.name),
        ...(hasPlans ? [cut(planNames.get(report.plan) ?? `#${report.plan}`, layout.name)] : []),
        String(report.slot),
        show(report.period),
        String(report.planned),
        String(report.runs),
        ...wakes(String(report.woken)),
        show(report.startErrors?.min),
        show(report.startErrors?.max),
        show(report.startErrors?.jitter),
        show(report.ran?.mean),
        report.overruns === undefined ? '' : String(report.overruns),
      ]),
    ];
  });
}

/** One row per partition: what it had of the CPU, and how it ended. Empty if there are none. */
export function partitionTable(records: readonly TraceRecord[]): string[] {
  const created = of(records, 'partition.created').map(({ fields }) => fields);
  if (created.length === 0) return [];
  const runs = slotRuns(records);
  const epoch = of(records, 'system.started')[0]?.fields.epoch ?? runs[0]?.nominal ?? 0n;
  const end = runs.reduce((latest, { left }) => (left > latest ? left : latest), epoch);
  const elapsed = Number(end - epoch);
  const exits = of(records, 'exit.counts').map(({ fields }) => fields);
  const health = of(records, 'health.event');
  const states = of(records, 'partition.state').map(({ fields }) => fields);
  const late = of(records, 'slot.late').map(({ fields }) => fields);
  return fitted((layout) => [
    ['partition', 'memory', 'slots', 'late', 'ran', 'CPU', 'exits', 'health events', 'state'],
    ...created.map(({ partition, name, memory }) => {
      const own = runs.filter((run) => run.partition === partition);
      const ran = own.reduce((sum, { left, entered }) => sum + Number(left - entered), 0);
      const isOwn = (fields: { readonly partition: number }): boolean => fields.partition === partition;
      return [
        cut(name, layout.name),
        memory % 1024 ** 2 === 0 ? `${memory / 1024 ** 2} MiB` : `${memory / 1024} KiB`,
        own.length > 0 ? String(own.length) : '',
        String(late.filter(isOwn).length),
        own.length > 0 ? showNanos(ran, layout.digits) : '',
        own.length > 0 && elapsed > 0 ? `${((ran / elapsed) * 100).toFixed(1)} %` : '',
        exits.some(isOwn) ? String(exits.filter(isOwn).reduce((sum, { count }) => sum + count, 0)) : '',
        String(health.filter(({ fields }) => isOwn(fields)).length),
        states.filter(isOwn).at(-1)?.state ?? 'ready',
      ];
    }),
  ]);
}

/** One paragraph per partition, the most frequent reason first. */
export function exitLines(records: readonly TraceRecord[]): string[] {
  const name = nameOf(records);
  const counts = new Map<number, { readonly reason: string; readonly count: number }[]>();
  for (const { fields } of of(records, 'exit.counts')) counts.set(fields.partition, [...(counts.get(fields.partition) ?? []), fields]);
  const width = Math.max(0, ...[...counts.keys()].map((partition) => cut(name(partition), 20).length));
  return [...counts].flatMap(([partition, own]) => {
    const words = own.filter(({ count }) => count > 0).sort((a, b) => b.count - a.count || a.reason.localeCompare(b.reason));
    const texts = words.map(({ reason, count }) => `${reason} ${count}`);
    return wrapped(texts.length > 0 ? texts : ['none'], COLUMNS - width - 2).map(
      (line, index) => `${index === 0 ? cut(name(partition), 20).padEnd(width) : ' '.repeat(width)}  ${line}`,
    );
  });
}

function wrapped(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 2 + word.length < width) lines[lines.length - 1] = `${last}, ${word}`;
    else lines.push(word);
  }
  return lines.map((line, index) => cut(index < lines.length - 1 ? `${line},` : line, width));
}

/** Events of one kind in one row, with the first one's instant since the epoch. Empty if nothing happened. */
export function healthTable(records: readonly TraceRecord[]): string[] {
  const events = of(records, 'health.event');
  if (events.length === 0) return [];
  const name = nameOf(records);
  const epoch = of(records, 'system.started')[0]?.fields.epoch ?? 0n;
  const groups = new Map<string, RecordOf<'health.event'>[]>();
  for (const record of events) {
    const key = `${record.fields.partition} ${record.fields.event} ${record.fields.action}`;
    groups.set(key, [...(groups.get(key) ?? []), record]);
  }
  const rows = (layout: Layout): string[][] => [
    ['partition', 'event', 'action', 'count', 'first at'],
    ...[...groups.values()].map((group) => {
      const { at, fields } = group[0]!;
      return [
        cut(name(fields.partition), layout.name),
        fields.event,
        fields.action,
        String(group.length),
        showNanos(Number(at - epoch), layout.digits),
      ];
    }),
  ];
  // Details are sentences: to the left, behind the figures, as long as there is room.
  const table = fitted(rows);
  const details = ['detail', ...[...groups.values()].map((group) => group.at(-1)!.fields.detail)];
  const width = Math.max(...table.map((line) => line.length));
  return table.map((line, index) => cut(`${line.padEnd(width)}  ${details[index]!.replaceAll(/\s+/g, ' ')}`, COLUMNS).trimEnd());
}

/** Programs put signals out at whole microseconds. */
const GRID = 1_000;
const toGrid = (nanos: number): number => Math.round(nanos / GRID) * GRID;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/**
 * The instants that a periodic signal was to have, which the log does not have: from the first write on, the median period and the median offset,
 * each to the whole microsecond. For any other signal each write is nominal.
 * @param instants ns since the epoch
 */
function nominalInstants(instants: readonly number[]): { readonly period: number | undefined; readonly nominal: readonly number[] } {
  const period = toGrid(median(instants.slice(1).map((instant, index) => instant - instants[index]!)));
  if (!(period > 0)) return { period: undefined, nominal: instants };
  const first = instants[0]!;
  const steps = instants.map((instant) => Math.round((instant - first) / period) * period);
  const start = toGrid(median(instants.map((instant, index) => instant - steps[index]!)));
  return { period, nominal: steps.map((step) => start + step) };
}

/** One row per port whose writes are traced: since when, how often, and how far the writes are from their nominal instants. */
export function outputTable(records: readonly TraceRecord[]): string[] {
  const name = nameOf(records);
  const epoch = of(records, 'system.started')[0]?.fields.epoch ?? 0n;
  const groups = new Map<string, { readonly partition: number; readonly port: number; readonly instants: number[] }>();
  for (const { fields } of of(records, 'port.output')) {
    const { partition, port, written } = fields;
    const key = `${partition} ${port}`;
    const group = groups.get(key) ?? { partition, port, instants: [] };
    group.instants.push(Number(written - epoch));
    groups.set(key, group);
  }
  if (groups.size === 0) return [];
  return fitted((layout) => {
    const show = (value: number): string => showNanos(value, layout.digits);
    return [
      ['partition', 'port', 'writes', 'first due', 'period', 'error, least', 'median', 'most', 'within 1 us'],
      ...[...groups.values()].map(({ partition, port, instants }) => {
        const { period, nominal } = nominalInstants(instants);
        const errors = instants.map((instant, index) => instant - nominal[index]!);
        return [
          cut(name(partition), layout.name),
          `${port.toString(16)}h`,
          String(instants.length),
          show(nominal[0]!),
          ...(period === undefined
            ? ['', '', '', '', '']
            : [
                show(period),
                show(Math.min(...errors)),
                show(median(errors)),
                show(Math.max(...errors)),
                String(errors.filter((error) => Math.abs(error) <= GRID).length),
              ]),
        ];
      }),
    ];
  });
}

/** What the kernel itself took. */
export function costLines(records: readonly TraceRecord[]): string[] {
  return of(records, 'system.costs').flatMap(({ fields }) => {
    const show = (value: bigint): string => showNanos(Number(value));
    const left = `a slot is left ${show(fields['switch-lead'])} before the next one`;
    const early = `a timer interrupts ${show(fields['timer-lead'])} early`;
    return wrapped([left, early, `longest stretch ${show(fields['longest-stretch'])}`], COLUMNS);
  });
}

/** All of it, each table under its heading; nothing for a run without partitions. */
export function partitionReport(records: readonly TraceRecord[]): string[] {
  const started = of(records, 'system.started')[0];
  const parts: [string, string[]][] = [
    [started ? `Partitions of ${started.fields.name}` : 'Partitions', partitionTable(records)],
    ['Slots: starts from the nominal instant to the first instruction of the guest', slotTable(records)],
    ['Outputs: writes to traced ports, from the nominal instant', outputTable(records)],
    ['Exits by reason', exitLines(records)],
    ['Health', healthTable(records)],
    ['The kernel between two runs of guests', costLines(records)],
  ];
  return parts.flatMap(([heading, lines]) => (lines.length > 0 ? ['', heading, ...lines] : []));
}

/**
 * What a partition writes, for people: each of its lines with its name before it, unless the program itself puts it there.
 * @param names of the partitions, by index
 */
export function consoleLines({ fields }: RecordOf<'partition.console'>, names: ReadonlyMap<number, string>): string[] {
  const name = names.get(fields.partition) ?? `#${fields.partition}`;
  const lines = fields.text.replace(/\n$/, '').split('\n');
  return lines.map((line) => (line.startsWith(`${name}: `) ? line : `${name}: ${line}`));
}
