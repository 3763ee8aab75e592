/** What a run's records say of its partitions: what they had of the CPU, how they ended, why they left, what went wrong. */
import type { RecordOf, TraceRecord } from '../../kernel/trace/events.ts';
import { createKeptRecords, type Accumulator } from './accumulator.ts';
import { showNanos } from './statistics.ts';
import type { System } from './system.ts';
import { COLUMNS, cut, fitted, wrapped, type Layout } from './table.ts';

type HealthFields = RecordOf<'health.event'>['fields'];

export interface PartitionReport {
  readonly partition: number;
  readonly name: string;
  /** Bytes; undefined where the log does not have the partition's creation. */
  readonly memory: number | undefined;
  /** Runs of its slots; 0 where single slots are not in the log. */
  readonly slots: number;
  readonly late: number;
  /** Nanoseconds in its slots, from the first entry to the last exit. */
  readonly ran: number;
  /** Percent of the time from the epoch to the last slot's end; undefined where single slots are not in the log. */
  readonly share: number | undefined;
  /** By reason, the most frequent first; undefined where the log does not have them. */
  readonly exits: readonly { readonly reason: string; readonly count: number }[] | undefined;
  readonly healthEvents: number;
  readonly state: RecordOf<'partition.state'>['fields']['state'];
}

/** Events of one kind. */
export interface HealthReport {
  readonly partition: number;
  readonly event: HealthFields['event'];
  readonly action: HealthFields['action'];
  readonly count: number;
  /** Nanoseconds since boot, and the line of the first one. */
  readonly firstAt: bigint;
  readonly line: number;
  /** The last one's. */
  readonly detail: string;
}

export interface PartitionsReport {
  readonly partitions: readonly PartitionReport[];
  readonly health: readonly HealthReport[];
  readonly costs: RecordOf<'system.costs'>['fields'] | undefined;
}

interface Totals {
  slots: number;
  ran: number;
  late: number;
  health: number;
  state: PartitionReport['state'];
  readonly exits: Map<string, number>;
}

export function createPartitions(system: System): Accumulator<PartitionsReport> {
  const kept = createKeptRecords(['partition.created', 'system.costs']);
  const totals = new Map<number, Totals>();
  const health = new Map<string, { -readonly [Key in keyof HealthReport]: HealthReport[Key] }>();
  let firstNominal: bigint | undefined;
  let end = 0n;

  function totalsOf(partition: number): Totals {
    let own = totals.get(partition);
    if (!own) totals.set(partition, (own = { slots: 0, ran: 0, late: 0, health: 0, state: 'ready', exits: new Map() }));
    return own;
  }

  function takeHealth({ at, fields }: RecordOf<'health.event'>, line: number): void {
    const { partition, event, action, detail } = fields;
    totalsOf(partition).health++;
    const key = `${partition} ${event} ${action}`;
    const own = health.get(key);
    if (own) {
      own.count++;
      own.detail = detail;
    } else {
      health.set(key, { partition, event, action, count: 1, firstAt: at, line, detail });
    }
  }

  function push(record: TraceRecord, line: number): void {
    switch (record.event) {
      case 'slot.run':
      case 'slot.woken': {
        const { partition, nominal, entered, left } = record.fields;
        const own = totalsOf(partition);
        own.slots++;
        own.ran += Number(left - entered);
        firstNominal ??= nominal;
        if (left > end) end = left;
        break;
      }
      case 'slot.late':
        totalsOf(record.fields.partition).late++;
        break;
      case 'exit.counts': {
        const { partition, reason, count } = record.fields;
        const { exits } = totalsOf(partition);
        exits.set(reason, (exits.get(reason) ?? 0) + count);
        break;
      }
      case 'health.event':
        takeHealth(record, line);
        break;
      case 'partition.state':
        totalsOf(record.fields.partition).state = record.fields.state;
        break;
      default:
        kept.push(record);
    }
  }

  function reportOf(partition: number): PartitionReport {
    const name = system.nameOf(partition);
    const memory = kept.of('partition.created').find((fields) => fields.partition === partition)?.memory;
    const { slots, ran, late, health: healthEvents, state, exits } = totalsOf(partition);
    const elapsed = Number(end - (system.epoch ?? firstNominal ?? 0n));
    const ordered = [...exits].map(([reason, count]) => ({ reason, count })).filter(({ count }) => count > 0);
    ordered.sort((a, b) => b.count - a.count || a.reason.localeCompare(b.reason));
    return {
      ...{ partition, name, memory, slots, ran, late, healthEvents, state },
      share: slots > 0 && elapsed > 0 ? (ran / elapsed) * 100 : undefined,
      exits: exits.size > 0 ? ordered : undefined,
    };
  }

  return {
    push,
    result: () => ({
      partitions: [...new Set([...kept.of('partition.created').map(({ partition }) => partition), ...totals.keys()])].map(reportOf),
      health: [...health.values()].map((own) => ({ ...own })),
      costs: kept.of('system.costs').at(-1),
    }),
  };
}

/** One row per partition; empty if there are none. */
export function partitionTable({ partitions }: PartitionsReport): string[] {
  if (partitions.length === 0) return [];
  return fitted((layout) => [
    ['partition', 'memory', 'slots', 'late', 'ran', 'CPU', 'exits', 'health events', 'state'],
    ...partitions.map(({ name, memory, slots, late, ran, share, exits, healthEvents, state }) => [
      cut(name, layout.name),
      memory === undefined ? '' : memory % 1024 ** 2 === 0 ? `${memory / 1024 ** 2} MiB` : `${memory / 1024} KiB`,
      slots > 0 ? String(slots) : '',
      String(late),
      slots > 0 ? showNanos(ran, layout.digits) : '',
      share === undefined ? '' : `${share.toFixed(1)} %`,
      exits === undefined ? '' : String(exits.reduce((sum, { count }) => sum + count, 0)),
      String(healthEvents),
      state,
    ]),
  ]);
}

/** One paragraph per partition, the most frequent reason first. */
export function exitLines({ partitions }: PartitionsReport): string[] {
  const known = partitions.flatMap(({ name, exits }) => (exits ? [{ name: cut(name, 20), exits }] : []));
  const width = Math.max(0, ...known.map(({ name }) => name.length));
  return known.flatMap(({ name, exits }) => {
    const texts = exits.map(({ reason, count }) => `${reason} ${count}`);
    return wrapped(texts.length > 0 ? texts : ['none'], COLUMNS - width - 2).map(
      (line, index) => `${index === 0 ? name.padEnd(width) : ' '.repeat(width)}  ${line}`,
    );
  });
}

/** Events of one kind in one row, with the first one's instant since the epoch and its line. Empty if nothing happened. */
export function healthTable({ health }: PartitionsReport, system: System): string[] {
  if (health.length === 0) return [];
  const epoch = system.epoch ?? 0n;
  const rows = (layout: Layout): string[][] => [
    ['partition', 'event', 'action', 'count', 'first at', 'line'],
    ...health.map(({ partition, event, action, count, firstAt, line }) => [
      cut(system.nameOf(partition), layout.name),
      event,
      action,
      String(count),
      showNanos(Number(firstAt - epoch), layout.digits),
      String(line),
    ]),
  ];
  // Details are sentences: to the left, behind the figures, as long as there is room.
  const table = fitted(rows);
  const details = ['detail', ...health.map(({ detail }) => detail)];
  const width = Math.max(...table.map((line) => line.length));
  return table.map((line, index) => cut(`${line.padEnd(width)}  ${details[index]!.replaceAll(/\s+/g, ' ')}`, COLUMNS).trimEnd());
}

/** What the kernel itself took. */
export function costLines({ costs }: PartitionsReport): string[] {
  if (!costs) return [];
  const show = (value: bigint): string => showNanos(Number(value));
  const left = `a slot is left ${show(costs['switch-lead'])} before the next one`;
  const early = `a timer interrupts ${show(costs['timer-lead'])} early`;
  return wrapped([left, early, `longest stretch ${show(costs['longest-stretch'])}`], COLUMNS);
}
