import { describe, expect, it } from 'vitest';
import { parseExpression, valueOfWord, type Subject } from './expression.ts';

const SUBJECT: Subject = {
  at: 3_200_000_000n,
  cpu: 1,
  level: 'warn',
  event: 'slot.late',
  line: 12,
  fields: {
    partition: 2,
    slot: 1,
    late: 30_000n,
    taken: 1_010n,
    nominal: 1_000n,
    timer: 'pit',
    dated: true,
    'start-error-max': -7n,
    event: 'fault',
    message: 'TSC is off',
  },
};

describe('a condition', () => {
  it.each([
    ['late > 20us', true],
    ['late > 30us', false],
    ['late >= 30000', true],
    ['late = 30 or late = 0.03ms', true],
    ['at > 3.1s and at < 3.3s', true],
    ['at = @3200000000', true],
    ['cpu = 1 and line = 12', true],
    ['taken - nominal = 10ns', true],
    ['nominal - taken < 0', true],
    ['abs(nominal - taken) > 9', true],
    ['taken - nominal + 5 > 14', true],
    ['-late < -29us', true],
    ['timer = pit', true],
    ['timer != hpet', true],
    ['timer = "pit"', true],
    ['timer = nominal', false],
    ['level = warn', true],
    ['event = slot.late', true],
    ['.event = fault', true],
    ['message ~ "^TSC|HPET"', true],
    ['message ~ off', true],
    ['dated', true],
    ['not dated', false],
    ['not timer = hpet and dated', true],
    ['timer = hpet or timer = pit and dated', true],
    ['(timer = hpet or timer = pit) and not dated', false],
    ['start-error-max < 0', true],
    ['partition = 0x2', true],
    // What the record does not have fulfils nothing.
    ['count = 3', false],
    ['count != 3', false],
    ['count - 1 != 3', false],
    ['not count = 3', true],
    ['.later-field = 3', false],
  ])('%s: %s', (expression, expected) => {
    expect(parseExpression(expression)(SUBJECT)).toBe(expected);
  });
});

describe('a mistake is told with a caret under its place', () => {
  it.each([
    ['', '', 'expected a field, a number or a text here, at the end'],
    ['late >', '      ^', 'expected a field, a number or a text here, at the end'],
    ['latee > 3', '^', 'no event has a field latee; did you mean late?'],
    ['taken-nominal > 3', '^', 'no event has a field taken-nominal; a minus needs a blank behind it'],
    ['late > 3 and', '            ^', 'expected a field, a number or a text here, at the end'],
    ['late > 20parsecs', '       ^', 'expected a number, with a unit or without: 20, 0x3f8, 1.5us (ns, us, ms, s, min)'],
    ['timer = 3', '      ^', 'timer is a text, 3 is a number'],
    ['timer < pit', '^', 'timer is no number: it has no order'],
    ['late ~ "x"', '^', 'late is no text'],
    ['message ~ "("', '          ^', 'Invalid regular expression: /(/: Unterminated group'],
    ['message = "x', '          ^', 'this string has no end'],
    ['late', '^', 'late is no condition: compare it with something'],
    ['timer + 3 > 4', '^', 'timer is no number'],
    ['(late > 3', '         ^', 'expected )'],
    ['late > 3 late', '         ^', 'expected and, or or the end before late'],
    ['late & 3', '     ^', '"&" has no meaning here'],
    ['late > )', '       ^', 'expected a field, a number or a text before )'],
  ])('%s', (expression, caret, message) => {
    expect(() => parseExpression(expression)).toThrow(`${message}\n  ${expression}\n  ${caret === '' ? '^' : caret}`);
  });

  it('whatever is written: it is a condition or an error of this kind, never another', () => {
    const words = ['late', 'timer', 'and', 'or', 'not', '(', ')', '=', '<', '~', '+', '-', '3us', '"x"', 'abs', '@', '.', '0x', '\\', 'é'];
    let state = 4711;
    const next = (most: number): number => (state = (state * 48_271) % 0x7fff_ffff) % most;
    let valid = 0;
    for (let round = 0; round < 5_000; round++) {
      const expression = Array.from({ length: 1 + next(6) }, () => words[next(words.length)]).join(next(3) === 0 ? '' : ' ');
      try {
        expect(typeof parseExpression(expression)(SUBJECT)).toBe('boolean');
        valid++;
      } catch (error) {
        expect((error as Error).message, expression).toMatch(/\n {2}.*\n {2} *\^$/);
      }
    }
    expect(valid).toBeGreaterThan(5);
  });
});

describe('a word of an event that is not known', () => {
  it.each([
    ['250ns', 250],
    ['@17', 17],
    ['-3', -3],
    ['0x1f', 31],
    ['0.25', 0.25],
    ['yes', true],
    ['"two words"', 'two words'],
    ['hpet', 'hpet'],
  ])('%s is %j', (word, value) => expect(valueOfWord(word)).toBe(value));
});
