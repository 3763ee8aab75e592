/** What a run's records say of the virtual devices of partitions: what became of their timers' ticks, and what programs did with them. */
import type { RecordOf } from '../../kernel/trace/events.ts';
import { createKeptRecords, type Accumulator } from './accumulator.ts';
import { createSamples, namedSeries, type NamedSeries, type Samples } from './samples.ts';
import type { System } from './system.ts';
import { cut, fitted } from './table.ts';

export interface VirtualDevicesReport {
  /** By the kernel's own count, at the end of a run. */
  readonly accounts: readonly RecordOf<'platform.accounts'>['fields'][];
  readonly devices: readonly RecordOf<'device.counts'>['fields'][];
}

export interface VirtualDevices extends Accumulator<VirtualDevicesReport> {
  series(): NamedSeries[];
}

export function createVirtualDevices(system: System): VirtualDevices {
  const kept = createKeptRecords(['platform.accounts', 'device.counts']);
  const names = new Map<string, string>();
  const ticks = new Map<string, { readonly partition: number; readonly source: number; readonly lateness: Samples }>();

  function latenessOf(partition: number, source: number): Samples {
    const key = `${partition} ${source}`;
    let own = ticks.get(key);
    if (!own) ticks.set(key, (own = { partition, source, lateness: createSamples() }));
    return own.lateness;
  }

  return {
    push: (record, line) => {
      if (record.event === 'platform.tick') {
        const { partition, source, late } = record.fields;
        latenessOf(partition, source).push(Number(late), line, record.at);
      } else if (record.event === 'platform.timer') {
        names.set(`${record.fields.partition} ${record.fields.source}`, record.fields.name);
      } else {
        kept.push(record);
      }
    },
    result: () => ({ accounts: [...kept.of('platform.accounts')], devices: [...kept.of('device.counts')] }),
    series: () =>
      [...ticks].flatMap(([key, { partition, source, lateness }]) =>
        namedSeries('tick.lateness', `${system.nameOf(partition)}/${names.get(key) ?? `#${source}`}`, lateness),
      ),
  };
}

/** A row per virtual timer that ticked. */
export function tickTable({ accounts }: VirtualDevicesReport, system: System): string[] {
  if (accounts.length === 0) return [];
  return fitted(({ name }) => [
    ['partition', 'timer', 'accepted', 'merged', 'dropped', 'lost'],
    ...accounts.map(({ partition, source, accepted, merged, dropped, lost }) => [
      cut(system.nameOf(partition), name),
      source,
      ...[accepted, merged, dropped, lost].map(String),
    ]),
  ]);
}

/** A row per device that was used. */
export function deviceTable({ devices }: VirtualDevicesReport, system: System): string[] {
  if (devices.length === 0) return [];
  return fitted(({ name }) => [
    ['partition', 'device', 'reads', 'writes', 'misuses'],
    ...devices.map(({ partition, device, reads, writes, misuses }) => [
      cut(system.nameOf(partition), name),
      device,
      ...[reads, writes, misuses].map(String),
    ]),
  ]);
}
