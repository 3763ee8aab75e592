import { describe, expect, it } from 'vitest';
import { EXIT, type ExitName } from '../../kernel/hw/exit.ts';
import { describeOutcome, isHeld, outcomeOf, statusOf, type Outcome } from './outcome.ts';

const NAMES = Object.keys(EXIT) as ExitName[];
/** What QEMU's isa-debug-exit makes of a code (hw/misc/debugexit.c): exit((value << 1) | 1). */
const statusFor = (name: ExitName): number => (EXIT[name] << 1) | 1;

describe("QEMU's exit status", () => {
  it.each(NAMES)('tells %s', (name) => {
    expect(outcomeOf(statusFor(name), 0, '')).toEqual({ kind: 'exit', name, code: EXIT[name] });
  });

  it('tells of no code when it is any other', () => {
    const ours = new Set(NAMES.map(statusFor));
    for (let status = 1; status < 256; status++) {
      if (!ours.has(status)) expect(outcomeOf(status, 0, ''), String(status)).toEqual({ kind: 'qemu', status, signal: 0, message: '' });
    }
  });

  it('takes QEMU ending well for a machine that reset or shut down', () => {
    expect(outcomeOf(0, 0, 'a warning\n')).toEqual({ kind: 'reset', message: 'a warning' });
    expect(statusOf(outcomeOf(0, 0, ''))).toBe(1);
    expect(describeOutcome(outcomeOf(0, 0, 'a warning'))).toMatch(/triple fault.*a warning/);
  });

  it.each([1, 2, 3, 32, 36])('%i is never a code of ours: it is what QEMU itself and shells end with, or even', (status) => {
    expect(outcomeOf(status, 0, '').kind).toBe('qemu');
  });

  it('tells of no code after a signal, whatever it is', () => {
    expect(outcomeOf(statusFor('OK'), 9, '')).toMatchObject({ kind: 'qemu', signal: 9 });
  });

  it("comes with QEMU's own words, without the space around them", () => {
    expect(outcomeOf(1, 0, '\nqemu: no such machine\n')).toMatchObject({ message: 'qemu: no such machine' });
  });
});

const exit = (name: ExitName): Outcome => ({ kind: 'exit', name, code: EXIT[name] });
const qemu = (change: Partial<Extract<Outcome, { kind: 'qemu' }>> = {}): Outcome => ({
  kind: 'qemu',
  status: 1,
  signal: 0,
  message: '',
  ...change,
});
const TIME_LIMIT: Outcome = { kind: 'time-limit', seconds: 30 };
const INTERRUPTED: Outcome = { kind: 'interrupted' };

describe('the exit status of the program', () => {
  it('is 0 for OK alone', () => {
    expect(statusOf(exit('OK'))).toBe(0);
    const others: Outcome[] = [...NAMES.filter((name) => name !== 'OK').map(exit), qemu(), qemu({ status: 0 }), TIME_LIMIT, INTERRUPTED];
    for (const outcome of others) expect(statusOf(outcome), JSON.stringify(outcome)).not.toBe(0);
  });

  it.each(NAMES.filter((name) => name !== 'OK'))('is 1 for %s', (name) => {
    expect(statusOf(exit(name))).toBe(1);
  });

  it.each([
    ['3 when QEMU ended by itself', qemu({ status: 0 }), 3],
    ['124 at the time limit', TIME_LIMIT, 124],
    ['130 after an interruption', INTERRUPTED, 130],
  ] as const)('is %s', (_, outcome, status) => {
    expect(statusOf(outcome)).toBe(status);
  });

  it('is 0 exactly when the outcome is said to be held', () => {
    for (const outcome of [...NAMES.map(exit), qemu({ status: 0 }), TIME_LIMIT, INTERRUPTED]) {
      expect(isHeld(outcome), JSON.stringify(outcome)).toBe(statusOf(outcome) === 0);
    }
  });
});

describe('an outcome in words', () => {
  it('names the code, in hexadecimal as everywhere, and explains it', () => {
    expect(describeOutcome(exit('UNCAUGHT_ERROR'))).toBe('uncaught TypeScript error (exit code 0x12 UNCAUGHT_ERROR)');
    const texts = NAMES.map((name) => describeOutcome(exit(name)));
    texts.forEach((text, index) => expect(text).toMatch(new RegExp(`^\\S.* \\(exit code 0x[0-9a-f]{2} ${NAMES[index]!}\\)$`)));
    expect(new Set(texts.map((text) => text.split(' (exit')[0])).size).toBe(NAMES.length);
  });

  it.each([
    ["passes QEMU's words on", qemu({ message: 'qemu: no disk' }), 'QEMU ended with status 1 before the kernel did: qemu: no disk'],
    [
      'has words of its own for a silent QEMU',
      qemu({ status: 0 }),
      'QEMU ended with status 0 before the kernel did; the machine reset or shut down',
    ],
    ['names a signal', qemu({ signal: 11, message: 'x' }), 'QEMU was ended by signal 11 before the kernel did: x'],
    ['names the time limit', TIME_LIMIT, 'time limit: still running after 30 s'],
    ['says that it was interrupted', INTERRUPTED, 'interrupted'],
  ] as const)('%s', (_, outcome, text) => {
    expect(describeOutcome(outcome)).toBe(text);
  });
});
