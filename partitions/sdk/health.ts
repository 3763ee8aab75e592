/** The health monitor, as a partition sees it: raising, the propagated event, the watchdog, and for system partitions the log. */
import { HEALTH_ENTRY, HYPERCALL, LINE } from '../../kernel/partition/abi.ts';
import { HEALTH_ACTIONS, HEALTH_EVENTS, type HealthAction, type HealthEvent } from '../../kernel/partition/system.ts';
import { instant, type Instant, type Nanos } from '../../kernel/time/units.ts';
import type { EventLoop } from './events.ts';
import type { Hypervisor, SharedMemory } from './hypervisor.ts';

export interface HealthEntry {
  readonly at: Instant;
  /** Number of the partition. */
  readonly partition: number;
  readonly event: HealthEvent | 'unknown';
  readonly action: HealthAction | 'unknown';
  /** Vector, exit code, address: whatever the event is about. */
  readonly detail: bigint;
}

export interface Health {
  /** A partition-error with a code of one's own. What follows is the system file's affair, and may be this partition's end. */
  raise(code: number): void;
  /** Calls back when an event of this partition is propagated to it. */
  onPropagated(callback: () => void): void;
  /** Entries not yet read, oldest first. Only a system partition may: HypercallError (PERMISSION). */
  readLog(): HealthEntry[];
}

export interface Watchdog {
  /** A sign of life; the next one is due within `period` of now, or the health monitor hears of it. */
  kick(period: Nanos): void;
  /** No more signs are due. */
  stop(): void;
}

const LOG_ROOM = 32;

export function createHealth(hypervisor: Hypervisor, memory: SharedMemory, events: EventLoop): Health {
  let log: { readonly address: number; readonly view: DataView } | undefined;

  function openLog(): { readonly address: number; readonly view: DataView } {
    const { address, buffer } = memory.allocate(LOG_ROOM * HEALTH_ENTRY.LENGTH);
    return { address, view: new DataView(buffer) };
  }

  return {
    raise: (code) => hypervisor.call(HYPERCALL.RAISE_HEALTH, code, 0, 0, 0, () => `code ${code}`),
    onPropagated: (callback) => events.on(LINE.HEALTH, callback),
    readLog: () => {
      const { address, view } = (log ??= openLog());
      const entries: HealthEntry[] = [];
      for (;;) {
        hypervisor.call(HYPERCALL.READ_HEALTH, address, view.byteLength);
        const count = hypervisor.value();
        for (let index = 0; index < count; index++) {
          const field = (offset: number): bigint => view.getBigUint64(index * HEALTH_ENTRY.LENGTH + offset, true);
          entries.push({
            at: instant(field(HEALTH_ENTRY.AT)),
            partition: Number(field(HEALTH_ENTRY.PARTITION)),
            event: HEALTH_EVENTS[Number(field(HEALTH_ENTRY.EVENT))] ?? 'unknown',
            action: HEALTH_ACTIONS[Number(field(HEALTH_ENTRY.ACTION))] ?? 'unknown',
            detail: field(HEALTH_ENTRY.DETAIL),
          });
        }
        // A call writes a part of them, however much room there is.
        if (count === 0) return entries;
      }
    },
  };
}

export function createWatchdog(hypervisor: Hypervisor): Watchdog {
  return {
    kick: (period) => {
      if (period <= 0n) throw new RangeError(`watchdog.kick: period ${period} ns: expected more than 0; stop() ends it`);
      hypervisor.call(HYPERCALL.WATCHDOG, period, 0, 0, 0, () => `period ${period} ns`);
    },
    stop: () => hypervisor.call(HYPERCALL.WATCHDOG, 0n),
  };
}
