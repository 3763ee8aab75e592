/** What the other tables of a system of partitions have to know: names, when time began, which plan was in force. */
import type { TraceRecord } from '../../kernel/trace/events.ts';
import { KEPT_MOST } from './accumulator.ts';

export interface System {
  push(record: TraceRecord): void;
  /** The system's own; undefined without one. */
  readonly name: string | undefined;
  /** Nanoseconds since boot. */
  readonly epoch: bigint | undefined;
  nameOf(partition: number): string;
  planName(plan: number): string;
  /** The plan in force in a frame, by what the log has told so far. */
  planIn(frame: number): number;
}

export function createSystem(): System {
  let name: string | undefined;
  let epoch: bigint | undefined;
  const partitions = new Map<number, string>();
  const plans = new Map<number, string>();
  let switches: { readonly frame: number; readonly plan: number }[] = [];
  return {
    push: (record) => {
      switch (record.event) {
        case 'system.started':
          name ??= record.fields.name;
          epoch ??= record.fields.epoch;
          break;
        case 'partition.created':
          partitions.set(record.fields.partition, record.fields.name);
          break;
        case 'plan.switched':
          plans.set(record.fields.plan, record.fields.name);
          switches.push(record.fields);
          // A slot's record comes when it has ended: what is that long over is asked for no more.
          if (switches.length > KEPT_MOST) switches = switches.slice(-KEPT_MOST / 2);
          break;
        default:
      }
    },
    get name() {
      return name;
    },
    get epoch() {
      return epoch;
    },
    nameOf: (partition) => partitions.get(partition) ?? `#${partition}`,
    planName: (plan) => plans.get(plan) ?? `#${plan}`,
    planIn: (frame) => switches.findLast((own) => own.frame <= frame)?.plan ?? 0,
  };
}
