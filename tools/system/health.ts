/** Health rules as a system file has them, and as the kernel takes them. */
import { HEALTH_ACTIONS, HEALTH_EVENTS, type HealthAction, type HealthEvent, type HealthRule } from '../../kernel/partition/system.ts';
import type { Health } from './define.ts';
import { suggestion, type PathPart, type Report } from './problem.ts';

const VECTORS = 32;
/** After these nothing is left that could run on. */
const ENDING: readonly HealthEvent[] = ['shutdown'];
const CONTINUING: readonly HealthAction[] = ['ignore', 'log', 'propagate'];

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * @param health what stands under `health`: its keys are known to be events, what is under them is not
 * @returns the rules that hold; the others are reported
 */
export function readHealth(health: Health<string>, plans: readonly string[], path: readonly PathPart[], report: Report): HealthRule[] {
  function read(event: HealthEvent, value: unknown, at: readonly PathPart[], vector?: number): HealthRule[] {
    const isLong = isObject(value);
    const action = isLong ? value['action'] : value;
    const where = isLong ? [...at, 'action'] : at;
    const named = (HEALTH_ACTIONS as readonly unknown[]).includes(action) ? (action as HealthAction) : undefined;
    if (named === undefined) {
      if (typeof action === 'string') report(where, `${JSON.stringify(action)} is no action${suggestion(action, HEALTH_ACTIONS)}`);
      else report(where, `expected an action, one of ${HEALTH_ACTIONS.join(', ')}`);
      return [];
    }
    if (ENDING.includes(event) && CONTINUING.includes(named)) {
      report(where, `after a ${event} the partition can't run on: ${named} is no answer; choose halt, suspend or a reset`);
      return [];
    }
    const unknown = isLong ? Object.keys(value).filter((key) => key !== 'action' && key !== 'plan') : [];
    for (const key of unknown) report([...at, key], `a health rule has no such property${suggestion(key, ['action', 'plan'])}`);
    const plan = isLong ? value['plan'] : undefined;
    const rule = { event, ...(vector === undefined ? {} : { vector }), action: named };
    if (named !== 'switch-plan') {
      if (plan !== undefined) report([...at, 'plan'], `only switch-plan has a plan, not ${named}`);
      return [rule];
    }
    if (plan === undefined) {
      report(at, `switch-plan needs a plan: { action: 'switch-plan', plan: '${plans[0] ?? '...'}' }`);
      return [];
    }
    const index = typeof plan === 'string' ? plans.indexOf(plan) : -1;
    if (index < 0) {
      report([...at, 'plan'], `there is no plan ${JSON.stringify(plan)}${suggestion(typeof plan === 'string' ? plan : '', plans)}`);
      return [];
    }
    return [{ ...rule, plan: index }];
  }

  return HEALTH_EVENTS.flatMap((event) => {
    const value = health[event];
    if (value === undefined) return [];
    const at = [...path, event];
    if (event !== 'fault') return read(event, value, at);
    if (!isObject(value) || 'action' in value) {
      const action = typeof value === 'string' ? value : 'halt';
      report(at, `a fault's rule needs the exception's vector: fault: { 13: '${action}' }`);
      return [];
    }
    return Object.entries(value).flatMap(([key, reaction]) => {
      if (!/^\d+$/.test(key) || Number(key) >= VECTORS) {
        report([...at, key], `${key} is no exception's vector: expected 0 to ${VECTORS - 1}`);
        return [];
      }
      return read(event, reaction, [...at, key], Number(key));
    });
  });
}
