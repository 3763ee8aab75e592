/**
 * The health monitor: what went wrong, and what is done about it, by the rules of the system file. Each event is counted, kept
 * in a log of a fixed size with its instant, and traced, of one kind per partition up to a limit: a fault in a loop is not to
 * drown the trace.
 */
import { EVENTS } from '../trace/events.ts';
import type { Trace } from '../trace/trace.ts';
import { LINE, PARTITION_STATE } from './abi.ts';
import type { Partition } from './partition.ts';
import { HEALTH_ACTIONS, HEALTH_DEFAULTS, HEALTH_EVENTS, type HealthAction, type HealthEvent, type HealthRule } from './system.ts';

/** What actions are made of; the scheduler's side. */
export interface HealthActions {
  setState(partition: Partition, state: number, reason: string): void;
  reset(partition: Partition, isCold: boolean, reason: string): void;
  switchPlan(plan: number): void;
  stop(reason: string): void;
}

export interface HealthEntry {
  /** ns since the epoch */
  readonly at: bigint;
  readonly partition: number;
  readonly event: number;
  readonly action: number;
  readonly detail: bigint;
}

export interface HealthMonitor {
  /**
   * @param detail what the event is about, as a number: a vector, an address, a code
   * @param text the same in words, for the trace
   * @returns the action taken
   */
  raise(partition: Partition, event: HealthEvent, detail: bigint, text: string): HealthAction;
  /** The oldest entry not yet read; undefined if there is none. */
  read(): HealthEntry | undefined;
  /** Events that were only counted, not traced. */
  untraced(): number;
}

const LOG_CAPACITY = 256;
/** Of one kind from one partition. */
const TRACED_MAX = 16;

export interface HealthMonitorParts {
  readonly trace: Trace;
  readonly actions: HealthActions;
  readonly now: () => bigint;
}

export function createHealthMonitor({ trace, actions, now }: HealthMonitorParts): HealthMonitor {
  const log: HealthEntry[] = [];
  const counts = new Map<string, number>();
  let untraced = 0;

  function ruleFor(rules: readonly HealthRule[], event: HealthEvent, detail: bigint): HealthRule {
    const found = rules.find((rule) => rule.event === event && (rule.vector === undefined || BigInt(rule.vector) === detail));
    return found ?? { event, action: HEALTH_DEFAULTS[event] };
  }

  function act(partition: Partition, rule: HealthRule, text: string): void {
    const reason = `${rule.event}: ${text}`;
    switch (rule.action) {
      case 'ignore':
      case 'log':
        break;
      case 'propagate':
        // Of an exception, whoever found it injects that.
        if (rule.event !== 'fault' && rule.event !== 'memory-violation') partition.interrupts.raise(LINE.HEALTH);
        break;
      case 'suspend':
        actions.setState(partition, PARTITION_STATE.SUSPENDED, reason);
        break;
      case 'halt':
        actions.setState(partition, PARTITION_STATE.HALTED, reason);
        break;
      case 'cold-reset':
      case 'warm-reset':
        actions.reset(partition, rule.action === 'cold-reset', reason);
        break;
      case 'switch-plan':
        actions.switchPlan(rule.plan ?? 0);
        break;
      case 'stop':
        actions.stop(reason);
        break;
    }
  }

  return {
    raise: (partition, event, detail, text) => {
      const rule = ruleFor(partition.description.health, event, detail);
      if (rule.action !== 'ignore') {
        if (log.length === LOG_CAPACITY) log.shift();
        log.push({
          at: now(),
          partition: partition.index,
          event: HEALTH_EVENTS.indexOf(event),
          action: HEALTH_ACTIONS.indexOf(rule.action),
          detail,
        });
        const key = `${partition.index} ${event}`;
        const count = (counts.get(key) ?? 0) + 1;
        counts.set(key, count);
        if (count <= TRACED_MAX) trace.record(EVENTS.healthEvent, partition.index, event, rule.action, text);
        else untraced++;
      }
      act(partition, rule, text);
      return rule.action;
    },
    read: () => log.shift(),
    untraced: () => untraced,
  };
}
