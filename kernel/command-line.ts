/** The kernel's own command line: words `name=value`, separated by spaces. */
import type { ClockName } from './time/hw-clock.ts';
import type { TimerName } from './time/hw-timer.ts';
import { LEVELS, type Level } from './trace/event.ts';

export interface CommandLine {
  /** What to do once the machine is known. */
  readonly run: 'demonstration' | 'console' | 'system' | 'nothing';
  /** Least weighty level that goes to COM1 as text, or none. */
  readonly serial: Level | 'off';
  /** Periods of each timer in the demonstration. */
  readonly count: number;
  /** Whether the binary trace channel is used where it exists. */
  readonly frames: 'auto' | 'off';
  /** How the CPU waits for interrupts; auto: awake on QEMU's TCG, where that is exact, by HLT elsewhere. */
  readonly idle: 'auto' | 'halt' | 'awake';
  /** What the machine's time is made of; auto: by the rules of kernel/time/selection.ts. */
  readonly clock: ClockName | 'auto';
  readonly timer: TimerName | 'auto';
  /** Whether each exit of a guest is an event of the trace, or counted only. */
  readonly exits: 'count' | 'trace';
}

export type CommandLineResult =
  { readonly ok: true; readonly value: CommandLine } | { readonly ok: false; readonly problems: readonly string[] };

const CLOCKS = ['auto', 'pit', 'tsc', 'hpet', 'pm-timer'] as const;
const TIMERS = ['auto', 'pit', 'hpet', 'lapic'] as const;
const RUNS = ['demonstration', 'console', 'system', 'nothing'] as const;

/** Collects every problem, not the first only. `heap=` is read by the runtime, before there is TypeScript; `partition=` is whose CPU this is. */
export function parseCommandLine(text: string): CommandLineResult {
  const problems: string[] = [];
  let run: CommandLine['run'] = 'demonstration';
  let serial: CommandLine['serial'] = 'info';
  let frames: CommandLine['frames'] = 'auto';
  let idle: CommandLine['idle'] = 'auto';
  let clock: CommandLine['clock'] = 'auto';
  let timer: CommandLine['timer'] = 'auto';
  let exits: CommandLine['exits'] = 'count';
  let count = 1000;

  function choice<Word extends string>(name: string, value: string, words: readonly Word[], otherwise: Word): Word {
    const found = words.find((word) => word === value);
    if (found === undefined) problems.push(`${name}=${value}: expected one of ${words.join(', ')}`);
    return found ?? otherwise;
  }

  for (const word of text.split(' ').filter((part) => part !== '')) {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    const value = equals < 0 ? '' : word.slice(equals + 1);
    if (name === 'run') run = choice(name, value, RUNS, run);
    else if (name === 'serial') serial = choice(name, value, [...LEVELS, 'off'], serial);
    else if (name === 'frames') frames = choice(name, value, ['auto', 'off'], frames);
    else if (name === 'idle') idle = choice(name, value, ['auto', 'halt', 'awake'], idle);
    else if (name === 'clock') clock = choice(name, value, CLOCKS, clock);
    else if (name === 'timer') timer = choice(name, value, TIMERS, timer);
    else if (name === 'exits') exits = choice(name, value, ['count', 'trace'], exits);
    else if (name === 'count') {
      count = Number(value);
      if (!/^\d+$/.test(value) || count < 2 || count > 10_000) problems.push(`count=${value}: expected a number from 2 to 10000`);
    } else if (name !== 'heap' && name !== 'partition')
      problems.push(`${name}: there is no such option; expected run, serial, frames, idle, clock, timer, exits, count or heap`);
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: { run, serial, count, frames, idle, clock, timer, exits } };
}
