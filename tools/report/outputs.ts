/** What a run's records say of the writes of partitions to traced I/O ports. */
import { createSamples, namedSeries, type NamedSeries } from './samples.ts';
import type { Accumulator } from './accumulator.ts';
import { showNanos } from './statistics.ts';
import type { System } from './system.ts';
import { cut, fitted } from './table.ts';

/** Programs put signals out at whole microseconds. */
const GRID = 1_000;
const toGrid = (nanos: number): number => Math.round(nanos / GRID) * GRID;
/** Writes that the nominal instants are found by, which needs them all: 40 MB for the busiest port. */
const JUDGED_MOST = 1 << 20;

export interface OutputReport {
  readonly partition: number;
  readonly port: number;
  readonly writes: number;
  /** Nominal instant of the first write, ns since the epoch. */
  readonly firstDue: number;
  /** Undefined for what is not periodic: then each write is nominal. */
  readonly period: number | undefined;
  readonly errors: { readonly min: number; readonly median: number; readonly max: number; readonly withinMicrosecond: number } | undefined;
  /** The errors are those of the first so many writes. */
  readonly judged: number;
}

interface Port {
  readonly partition: number;
  readonly port: number;
  writes: number;
  /** Nanoseconds since boot, and lines of the log. */
  readonly instants: number[];
  readonly lines: number[];
}

export interface Outputs extends Accumulator<OutputReport[]> {
  series(): NamedSeries[];
}

export function createOutputs(system: System): Outputs {
  const ports = new Map<string, Port>();
  const epoch = (): number => Number(system.epoch ?? 0n);

  function judged({ instants }: Port): {
    readonly period: number | undefined;
    readonly nominal: readonly number[];
    readonly errors: number[];
  } {
    const since = instants.map((instant) => instant - epoch());
    const { period, nominal } = nominalInstants(since);
    return { period, nominal, errors: since.map((instant, index) => instant - nominal[index]!) };
  }

  return {
    push: (record, line) => {
      if (record.event !== 'port.output') return;
      const { partition, port, written } = record.fields;
      const key = `${partition} ${port}`;
      let own = ports.get(key);
      if (!own) ports.set(key, (own = { partition, port, writes: 0, instants: [], lines: [] }));
      own.writes++;
      if (own.instants.length === JUDGED_MOST) return;
      own.instants.push(Number(written));
      own.lines.push(line);
    },
    result: () =>
      [...ports.values()].map((own) => {
        const { period, nominal, errors } = judged(own);
        const ascending = errors.toSorted((a, b) => a - b);
        return {
          ...{ partition: own.partition, port: own.port, writes: own.writes, firstDue: nominal[0]!, period, judged: errors.length },
          errors:
            period === undefined
              ? undefined
              : {
                  min: ascending[0]!,
                  median: ascending[ascending.length >> 1]!,
                  max: ascending.at(-1)!,
                  withinMicrosecond: errors.filter((error) => Math.abs(error) <= GRID).length,
                },
        };
      }),
    series: () =>
      [...ports.values()].flatMap((own) => {
        const { period, errors } = judged(own);
        if (period === undefined) return [];
        const samples = createSamples();
        errors.forEach((error, index) => samples.push(error, own.lines[index]!, BigInt(own.instants[index]!)));
        return namedSeries('port.lateness', `${system.nameOf(own.partition)}/${own.port.toString(16)}h`, samples);
      }),
  };
}

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
export function outputTable(reports: readonly OutputReport[], system: System): string[] {
  if (reports.length === 0) return [];
  const table = fitted((layout) => {
    const show = (value: number): string => showNanos(value, layout.digits);
    return [
      ['partition', 'port', 'writes', 'first due', 'period', 'error, least', 'median', 'most', 'within 1 us'],
      ...reports.map(({ partition, port, writes, firstDue, period, errors }) => [
        cut(system.nameOf(partition), layout.name),
        `${port.toString(16)}h`,
        String(writes),
        show(firstDue),
        ...(errors === undefined
          ? ['', '', '', '', '']
          : [show(period!), show(errors.min), show(errors.median), show(errors.max), String(errors.withinMicrosecond)]),
      ]),
    ];
  });
  const isWhole = reports.every(({ writes, judged }) => writes === judged);
  return isWhole ? table : [...table, `errors are those of the first ${JUDGED_MOST} writes`];
}
