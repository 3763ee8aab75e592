/**
 * Which clock and which timer the machine's time is made of. The rules are PRTOS's ("Virtual clock service"): one CPU has the
 * PIT or the TSC as its clock and the PIT, the HPET or the local APIC as its timer; several CPUs have the HPET as their one
 * clock and their local APICs as timers, and nothing else.
 */
import type { ClockName } from './hw-clock.ts';
import type { TimerName } from './hw-timer.ts';

export const CLOCK_NAMES: readonly ClockName[] = ['tsc', 'hpet', 'pm-timer', 'pit'];
export const TIMER_NAMES: readonly TimerName[] = ['lapic', 'hpet', 'pit'];

/** What the machine has: of each part undefined if it can be used, else the reason why not. */
export interface TimeFacts {
  readonly cpus: number;
  readonly clocks: Readonly<Record<ClockName, string | undefined>>;
  readonly timers: Readonly<Record<TimerName, string | undefined>>;
  /** The HPET has no interrupt of its own and takes the PIT's (legacy replacement). */
  readonly hpetSilencesPit: boolean;
}

export interface Wish {
  readonly clock: ClockName | 'auto';
  readonly timer: TimerName | 'auto';
}

export interface Choice<Name> {
  readonly name: Name;
  readonly reason: string;
}

export type Selection =
  | {
      readonly ok: true;
      readonly clock: Choice<ClockName>;
      readonly timer: Choice<TimerName>;
      /** To compare the clock with at run time; undefined if there is none. */
      readonly watch: ClockName | undefined;
    }
  | { readonly ok: false; readonly problems: readonly string[] };

const ONE_CPU = {
  rule: 'one CPU: clock tsc or pit (hpet and pm-timer on request), timer lapic, hpet or pit',
  clocks: ['tsc', 'pit'],
  clocksOnRequest: ['hpet', 'pm-timer'],
  timers: TIMER_NAMES,
} as const;
const SEVERAL_CPUS = {
  rule: 'several CPUs: clock hpet, timer lapic, nothing else (TSCs of several CPUs may differ, and PIT and HPET have one interrupt for all)',
  clocks: ['hpet'],
  clocksOnRequest: [],
  timers: ['lapic'],
} as const;
/** Both are counter 0. */
const PIT_TWICE = 'clock=pit timer=pit: counter 0 of the PIT is the clock or the timer, not both';

const PIT_SILENT = 'clock=pit timer=hpet: this HPET has no interrupt but by legacy replacement, which silences the PIT';

export function selectTime(facts: TimeFacts, wish: Wish): Selection {
  const { rule, clocks, clocksOnRequest, timers } = facts.cpus > 1 ? SEVERAL_CPUS : ONE_CPU;
  const problems: string[] = [];

  function choose<Name extends ClockName | TimerName>(
    what: string,
    wanted: Name | 'auto',
    allowed: readonly Name[],
    onRequest: readonly Name[],
    lacks: Readonly<Record<Name, string | undefined>>,
  ): Choice<Name> | undefined {
    if (wanted !== 'auto') {
      if (!allowed.includes(wanted) && !onRequest.includes(wanted)) problems.push(`${what}=${wanted}: forbidden by the rule "${rule}"`);
      else if (lacks[wanted] !== undefined) problems.push(`${what}=${wanted}: ${lacks[wanted]}`);
      else return { name: wanted, reason: 'asked for on the command line' };
      return undefined;
    }
    const passed: string[] = [];
    for (const name of allowed) {
      const lack = lacks[name];
      if (lack === undefined) return { name, reason: [`first of ${allowed.join(', ')}`, ...passed].join('; ') };
      passed.push(`not ${name}: ${lack}`);
    }
    problems.push(`no ${what}: ${passed.join('; ')}; the rule is "${rule}"`);
    return undefined;
  }

  const clock = choose('clock', wish.clock, clocks, clocksOnRequest, facts.clocks);
  // Counter 0 is taken if the PIT is the clock, and not to be had if it is the only timer.
  const timersLeft: TimeFacts['timers'] =
    clock?.name === 'pit'
      ? { ...facts.timers, pit: PIT_TWICE, hpet: facts.timers.hpet ?? (facts.hpetSilencesPit ? PIT_SILENT : undefined) }
      : facts.timers;
  const timer = choose('timer', wish.timer, timers, [], timersLeft);
  if (!clock || !timer) return { ok: false, problems };
  // The PIT as a clock needs its interrupt all the time: too much for a witness.
  const watch = (['hpet', 'tsc', 'pm-timer'] as const).find((name) => name !== clock.name && facts.clocks[name] === undefined);
  return { ok: true, clock, timer, watch };
}
