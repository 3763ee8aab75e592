/**
 * The health monitor: what went wrong, and what is done about it, by the rules of the system file. Each event is counted, kept
 * in a log of a fixed size with its instant, and traced, of one kind per partition up to a limit: a fault in a loop is not to
 * drown the trace.
 */
import { EVENTS } from '../trace/events.ts';
import type { Trace } from '../trace/trace.ts';
import { LINE, PARTITION_STATE } from './abi.ts';
import type { Partition } from './partition.ts';
import {
  HEALTH_ACTIONS,
  HEALTH_DEFAULTS,
  HEALTH_EVENTS,
  PARTITIONS_MAX,
  type HealthAction,
  type HealthEvent,
  type HealthRule,
} from './system.ts';

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
  /** Whether the words of such an event will be used: making them takes longer than the rest. */
  wantsText(partition: Partition, event: HealthEvent): boolean;
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
  /** The log, a ring: five words an entry. */
  const log = new BigInt64Array(LOG_CAPACITY * 5);
  let first = 0;
  let count = 0;
  /** Events of each kind from each partition. */
  const counts = new Int32Array(PARTITIONS_MAX * HEALTH_EVENTS.length);
  let untraced = 0;

  const numbers: Readonly<Record<string, number>> = Object.fromEntries(HEALTH_EVENTS.map((event, index) => [event, index]));
  const actionNumbers: Readonly<Record<string, number>> = Object.fromEntries(HEALTH_ACTIONS.map((action, index) => [action, index]));
  /** By partition and event, the rules that are for any detail; made when first asked for. */
  const rules: (HealthRule | undefined)[] = [];

  function ruleFor(partition: Partition, event: HealthEvent, number: number, detail: bigint): HealthRule {
    const own = partition.description.health;
    if (event === 'fault') {
      const found = own.find((rule) => rule.event === 'fault' && (rule.vector === undefined || BigInt(rule.vector) === detail));
      return found ?? { event, action: HEALTH_DEFAULTS.fault };
    }
    const key = partition.index * HEALTH_EVENTS.length + number;
    return (rules[key] ??= own.find((rule) => rule.event === event) ?? { event, action: HEALTH_DEFAULTS[event] });
  }

  function act(partition: Partition, rule: HealthRule, text: string): void {
    const reason = text === '' ? rule.event : `${rule.event}: ${text}`;
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

  function enter(partition: Partition, event: number, action: number, detail: bigint): void {
    const at = ((first + count) % LOG_CAPACITY) * 5;
    log[at] = now();
    log[at + 1] = BigInt(partition.index);
    log[at + 2] = BigInt(event);
    log[at + 3] = BigInt(action);
    log[at + 4] = detail;
    // The oldest makes room.
    if (count === LOG_CAPACITY) first = (first + 1) % LOG_CAPACITY;
    else count++;
  }

  return {
    wantsText: (partition, event) => counts[partition.index * HEALTH_EVENTS.length + numbers[event]!]! < TRACED_MAX,
    raise: (partition, event, detail, text) => {
      const number = numbers[event]!;
      const rule = ruleFor(partition, event, number, detail);
      const action = rule.action;
      if (action !== 'ignore') {
        enter(partition, number, actionNumbers[action]!, detail);
        const key = partition.index * HEALTH_EVENTS.length + number;
        const seen = counts[key]! + 1;
        counts[key] = seen;
        if (seen <= TRACED_MAX) trace.record(EVENTS.healthEvent, partition.index, event, action, text);
        else untraced++;
        if (action === 'log') return action;
        act(partition, rule, text);
      }
      return action;
    },
    read: () => {
      if (count === 0) return undefined;
      const at = first * 5;
      first = (first + 1) % LOG_CAPACITY;
      count--;
      return {
        at: log[at]!,
        partition: Number(log[at + 1]),
        event: Number(log[at + 2]),
        action: Number(log[at + 3]),
        detail: log[at + 4]!,
      };
    },
    untraced: () => untraced,
  };
}
