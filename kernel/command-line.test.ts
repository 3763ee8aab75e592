import { describe, expect, it } from 'vitest';
import { parseCommandLine } from './command-line.ts';

const DEFAULTS = {
  run: 'demonstration',
  serial: 'info',
  count: 1000,
  frames: 'auto',
  idle: 'auto',
  clock: 'auto',
  timer: 'auto',
  exits: 'count',
};

describe('the command line', () => {
  it.each(['', ' ', '     '])('of nothing has the defaults: %j', (text) => {
    expect(parseCommandLine(text)).toEqual({ ok: true, value: DEFAULTS });
  });

  it.each([
    ...['demonstration', 'console', 'system', 'nothing'].map((run) => [`run=${run}`, { run }] as const),
    ...['error', 'warn', 'info', 'debug', 'off'].map((serial) => [`serial=${serial}`, { serial }] as const),
    ...['auto', 'off'].map((frames) => [`frames=${frames}`, { frames }] as const),
    ...['auto', 'tsc', 'hpet', 'pm-timer', 'pit'].map((clock) => [`clock=${clock}`, { clock }] as const),
    ...['auto', 'lapic', 'hpet', 'pit'].map((timer) => [`timer=${timer}`, { timer }] as const),
    ...['auto', 'halt', 'awake'].map((idle) => [`idle=${idle}`, { idle }] as const),
    ...[2, 3, 1000, 10_000].map((count) => [`count=${count}`, { count }] as const),
    ['count=0007', { count: 7 }] as const,
  ])('takes %s', (text, change) => {
    expect(parseCommandLine(text)).toEqual({ ok: true, value: { ...DEFAULTS, ...change } });
  });

  it('takes options in any order, with any number of spaces between', () => {
    expect(parseCommandLine('  frames=off   count=5 serial=off run=console idle=halt ')).toEqual({
      ok: true,
      value: { run: 'console', serial: 'off', count: 5, frames: 'off', idle: 'halt', clock: 'auto', timer: 'auto', exits: 'count' },
    });
  });

  it('takes the last of an option that is given twice', () => {
    expect(parseCommandLine('count=5 count=6')).toMatchObject({ ok: true, value: { count: 6 } });
  });

  it.each(['heap=64', 'heap=', 'heap'])('leaves %s to the runtime', (text) => {
    expect(parseCommandLine(text)).toEqual({ ok: true, value: DEFAULTS });
  });

  it.each<[string, string]>([
    ['clock=sundial', 'clock=sundial: expected one of auto, pit, tsc, hpet, pm-timer'],
    ['timer=rtc', 'timer=rtc: expected one of auto, pit, hpet, lapic'],
    ['run=demo', 'run=demo: expected one of demonstration, console, system, nothing'],
    ['run=', 'run=: expected one of demonstration, console, system, nothing'],
    ['run', 'run=: expected one of demonstration, console, system, nothing'],
    ['run=console=x', 'run=console=x: expected one of demonstration, console, system, nothing'],
    ['serial=INFO', 'serial=INFO: expected one of error, warn, info, debug, off'],
    ['idle=no', 'idle=no: expected one of auto, halt, awake'],
    ['frames=on', 'frames=on: expected one of auto, off'],
    ['Run=console', 'Run: there is no such option; expected run, serial, frames, idle, clock, timer, exits, count or heap'],
    ['verbose', 'verbose: there is no such option; expected run, serial, frames, idle, clock, timer, exits, count or heap'],
    ['=1', ': there is no such option; expected run, serial, frames, idle, clock, timer, exits, count or heap'],
    ['--count=5', '--count: there is no such option; expected run, serial, frames, idle, clock, timer, exits, count or heap'],
    ['constructor=1', 'constructor: there is no such option; expected run, serial, frames, idle, clock, timer, exits, count or heap'],
    ...['', '0', '1', '10001', '-5', '1e3', '0x10', '5.0', '1_000', 'many', '99999999999999999999'].map(
      (value) => [`count=${value}`, `count=${value}: expected a number from 2 to 10000`] as [string, string],
    ),
  ])('refuses %s and says why', (text, problem) => {
    expect(parseCommandLine(text)).toEqual({ ok: false, problems: [problem] });
  });

  it('tells every problem, in order, and not only the first', () => {
    expect(parseCommandLine('run=x count=1 serial=off what=ever frames=maybe')).toEqual({
      ok: false,
      problems: [
        'run=x: expected one of demonstration, console, system, nothing',
        'count=1: expected a number from 2 to 10000',
        'what: there is no such option; expected run, serial, frames, idle, clock, timer, exits, count or heap',
        'frames=maybe: expected one of auto, off',
      ],
    });
  });
});
