/**
 * Conditions on records, `--where "taken - nominal > 1us and timer = pit"`. What a field is comes from the list of events, so that a
 * mistake is told before a log is read.
 *
 *   condition  = conjunction { "or" conjunction }
 *   conjunction = negation { "and" negation }
 *   negation   = "not" negation | comparison
 *   comparison = sum [ ("=" | "!=" | "<" | "<=" | ">" | ">=" | "~") sum ]
 *   sum        = operand { ("+" | "-") operand }
 *   operand    = number [unit] | "@" number | string | field | word | "-" operand | "abs" "(" sum ")" | "(" condition ")"
 *
 * `at`, `cpu`, `level`, `event` and `line` are the record's own; other names are fields, also with a dot before them, `.event`, which is
 * needed where the record has one of that name. A minus needs a blank behind it: `start-error-max` is a name. Where text is compared, what
 * stands on the right is a word. `~` is a regular expression. A record without the field fulfils no comparison with it.
 */
import { COUNT, FLAG, HEX, NANOS, REAL, STAMP, TICKS, type AnyFieldType } from '../../kernel/trace/event.ts';
import { EVENTS } from '../../kernel/trace/events.ts';
import { suggestion } from '../system/problem.ts';
import { parseDuration } from './times.ts';

export interface Subject {
  /** Nanoseconds since boot. */
  readonly at: bigint;
  readonly cpu: number;
  readonly level: string;
  readonly event: string;
  /** Of the log, counted from 1. */
  readonly line: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

export type Condition = (subject: Subject) => boolean;

export class ExpressionError extends Error {
  /** With the expression and a caret under the place. */
  constructor(message: string, expression: string, place: number) {
    super(`${message}\n  ${expression}\n  ${' '.repeat(place)}^`);
  }
}

type Kind = 'number' | 'text' | 'flag' | 'any';
type Value = number | string | boolean | undefined;

/** What is known of a part of an expression before there is a record. */
interface Part {
  readonly kind: Kind;
  readonly place: number;
  /** For messages. */
  readonly text: string;
  valueOf(subject: Subject): Value;
}

interface Token {
  readonly kind: 'number' | 'string' | 'name' | 'sign' | 'end';
  readonly text: string;
  readonly place: number;
}

const TOKEN =
  /\s*(?:(@\d+|0x[0-9a-f]+|\d+(?:\.\d+)?(?:ns|us|µs|ms|s|min)?(?![\w.]))|("(?:[^"\\]|\\.)*")|(\.?[A-Za-z][\w.-]*)|(<=|>=|!=|==|[=<>~()+-]))/y;
const COMPARISONS = ['=', '==', '!=', '<', '<=', '>', '>=', '~'];

function tokensOf(expression: string): Token[] {
  const tokens: Token[] = [];
  const pattern = new RegExp(TOKEN);
  for (;;) {
    const from = pattern.lastIndex;
    const match = pattern.exec(expression);
    if (!match) {
      const place = from + /^\s*/.exec(expression.slice(from))![0].length;
      if (place < expression.length) throw new ExpressionError(problemAt(expression, place), expression, place);
      return [...tokens, { kind: 'end', text: '', place }];
    }
    const [, number, string, name, sign] = match;
    const text = (number ?? string ?? name ?? sign)!;
    const kind = number !== undefined ? 'number' : string !== undefined ? 'string' : name !== undefined ? 'name' : 'sign';
    tokens.push({ kind, text, place: pattern.lastIndex - text.length });
  }
}

function problemAt(expression: string, place: number): string {
  if (expression[place] === '"') return 'this string has no end';
  if (/\d/.test(expression[place]!)) return 'expected a number, with a unit or without: 20, 0x3f8, 1.5us (ns, us, ms, s, min)';
  return `${JSON.stringify(expression[place])} has no meaning here`;
}

const NUMBERS: readonly AnyFieldType[] = [COUNT, REAL, HEX, TICKS, NANOS, STAMP];
const kindOf = (type: AnyFieldType): Kind => (NUMBERS.includes(type) ? 'number' : type === FLAG ? 'flag' : 'text');

/** The kinds of all fields there are; a name that different events use differently is `any`. */
function fieldKinds(): Map<string, Kind> {
  const kinds = new Map<string, Kind>();
  for (const { fields } of Object.values(EVENTS)) {
    for (const [name, type] of fields) kinds.set(name, (kinds.get(name) ?? kindOf(type)) === kindOf(type) ? kindOf(type) : 'any');
  }
  return kinds;
}

const OWN: Readonly<Record<string, { readonly kind: Kind; valueOf(subject: Subject): Value }>> = {
  at: { kind: 'number', valueOf: ({ at }) => Number(at) },
  cpu: { kind: 'number', valueOf: ({ cpu }) => cpu },
  line: { kind: 'number', valueOf: ({ line }) => line },
  level: { kind: 'text', valueOf: ({ level }) => level },
  event: { kind: 'text', valueOf: ({ event }) => event },
};

/** @throws ExpressionError */
export function parseExpression(expression: string): Condition {
  const tokens = tokensOf(expression);
  const kinds = fieldKinds();
  let next = 0;

  const peek = (): Token => tokens[next]!;
  const take = (): Token => tokens[next++]!;
  const fail = (message: string, place: number): never => {
    throw new ExpressionError(message, expression, place);
  };
  const isWord = (text: string): boolean => peek().kind === 'name' && peek().text === text;
  const isSign = (...signs: readonly string[]): boolean => peek().kind === 'sign' && signs.includes(peek().text);

  function isTrue(part: Part): Condition {
    if (part.kind !== 'flag' && part.kind !== 'any') fail(`${part.text} is no condition: compare it with something`, part.place);
    return (subject) => part.valueOf(subject) === true;
  }

  function joined(word: 'and' | 'or', operand: () => Part): Part {
    const first = operand();
    if (!isWord(word)) return first;
    const conditions = [isTrue(first)];
    while (isWord(word)) {
      take();
      conditions.push(isTrue(operand()));
    }
    const valueOf = (subject: Subject): boolean =>
      word === 'and' ? conditions.every((holds) => holds(subject)) : conditions.some((holds) => holds(subject));
    return { kind: 'flag', place: first.place, text: 'the condition', valueOf };
  }
  const condition = (): Part => joined('or', conjunction);
  const conjunction = (): Part => joined('and', negation);

  function negation(): Part {
    if (!isWord('not')) return comparison();
    const { place } = take();
    const holds = isTrue(negation());
    return { kind: 'flag', place, text: 'the condition', valueOf: (subject) => !holds(subject) };
  }

  function comparison(): Part {
    const left = sum();
    if (!isSign(...COMPARISONS)) return left;
    const sign = take();
    const right = left.kind === 'text' && peek().kind === 'name' && !peek().text.startsWith('.') ? word() : sum();
    const isOrder = /[<>]/.test(sign.text);
    for (const part of [left, right]) {
      if (isOrder && (part.kind === 'text' || part.kind === 'flag')) fail(`${part.text} is no number: it has no order`, part.place);
      if (sign.text === '~' && (part.kind === 'number' || part.kind === 'flag')) fail(`${part.text} is no text`, part.place);
    }
    if (left.kind !== right.kind && left.kind !== 'any' && right.kind !== 'any')
      fail(`${left.text} is ${NAMES[left.kind]}, ${right.text} is ${NAMES[right.kind]}`, sign.place);
    const holds = sign.text === '~' ? matching(right) : COMPARE[sign.text]!;
    return {
      ...{ kind: 'flag', place: left.place, text: 'the comparison' },
      valueOf: (subject) => {
        const [a, b] = [left.valueOf(subject), right.valueOf(subject)];
        return a !== undefined && b !== undefined && typeof a === typeof b && holds(a, b);
      },
    };
  }

  function matching(right: Part): (a: Value, b: Value) => boolean {
    // Without a record: a regular expression is a constant.
    const source = right.valueOf({ at: 0n, cpu: 0, level: '', event: '', line: 0, fields: {} });
    try {
      const pattern = new RegExp(String(source));
      return (text) => pattern.test(String(text));
    } catch (error) {
      return fail((error as Error).message, right.place);
    }
  }

  function word(): Part {
    const { text, place } = take();
    return { kind: 'text', place, text: JSON.stringify(text), valueOf: () => text };
  }

  function sum(): Part {
    let left = operand();
    while (isSign('+', '-')) {
      const sign = take();
      const [a, b] = [numeric(left), numeric(operand())];
      const factor = sign.text === '+' ? 1 : -1;
      left = {
        kind: 'number',
        place: a.place,
        text: 'the sum',
        valueOf: (subject) => numberOf(a, subject) + factor * numberOf(b, subject),
      };
    }
    return left;
  }

  /** NaN fulfils no comparison. */
  const numberOf = (part: Part, subject: Subject): number => {
    const value = part.valueOf(subject);
    return typeof value === 'number' ? value : NaN;
  };

  function numeric(part: Part): Part {
    if (part.kind !== 'number' && part.kind !== 'any') fail(`${part.text} is no number`, part.place);
    return part;
  }

  function operand(): Part {
    const token = take();
    const { kind, text, place } = token;
    if (kind === 'number') {
      const value = numberIn(text);
      return { kind: 'number', place, text, valueOf: () => value };
    }
    if (kind === 'string') {
      const value = stringIn(text) ?? fail('expected a JSON string', place);
      return { kind: 'text', place, text, valueOf: () => value };
    }
    if (kind === 'name') return text === 'abs' && isSign('(') ? absolute(place) : field(text, place);
    if (text === '-') {
      const part = numeric(operand());
      return { kind: 'number', place, text: `-${part.text}`, valueOf: (subject) => -numberOf(part, subject) };
    }
    if (text === '(') return closed(condition());
    return fail(
      kind === 'end' ? 'expected a field, a number or a text here, at the end' : `expected a field, a number or a text before ${text}`,
      place,
    );
  }

  function closed(part: Part): Part {
    if (!isSign(')')) fail('expected )', peek().place);
    take();
    return part;
  }

  function absolute(place: number): Part {
    take();
    const part = numeric(closed(sum()));
    return { kind: 'number', place, text: 'abs', valueOf: (subject) => Math.abs(numberOf(part, subject)) };
  }

  function field(text: string, place: number): Part {
    const own = Object.hasOwn(OWN, text) ? OWN[text] : undefined;
    if (own) return { ...own, place, text };
    const name = text.replace(/^\./, '');
    const kind = kinds.get(name);
    // With a dot it may be one of a later version.
    if (kind === undefined && !text.startsWith('.')) {
      const isDifference = name.split('-').every((part) => kinds.has(part));
      const hint = isDifference
        ? '; a minus needs a blank behind it'
        : suggestion(
            name,
            // Of all the names there are, those that begin so: a list to read.
            [...kinds.keys(), ...Object.keys(OWN)].filter((other) => other.startsWith(name[0]!)),
          );
      fail(`no event has a field ${name}${hint}`, place);
    }
    return { kind: kind ?? 'any', place, text: name, valueOf: ({ fields }) => comparable(fields[name]) };
  }

  const whole = condition();
  if (peek().kind !== 'end') fail(`expected and, or or the end before ${peek().text}`, peek().place);
  return isTrue(whole);
}

const NAMES: Readonly<Record<Kind, string>> = { number: 'a number', text: 'a text', flag: 'yes or no', any: 'anything' };

const COMPARE: Readonly<Record<string, (a: NonNullable<Value>, b: NonNullable<Value>) => boolean>> = {
  '=': (a, b) => a === b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b && !Number.isNaN(a) && !Number.isNaN(b),
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

function numberIn(text: string): number {
  const duration = parseDuration(text);
  return duration === undefined ? Number(text.replace(/^@/, '')) : Number(duration);
}

function stringIn(text: string): string | undefined {
  try {
    return JSON.parse(text) as string;
  } catch {
    return undefined;
  }
}

/** Whole nanoseconds are exact up to 104 days. Of an event that is not known the words are what is there: what looks like a number is one. */
function comparable(value: unknown): Value {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string' || value === undefined) return value;
  return undefined;
}

/** Of the fields of an event that this program does not know. */
export function valueOfWord(word: string): unknown {
  if (/^@?-?\d+(?:ns)?$/.test(word)) return Number(word.replace(/^@|ns$/g, ''));
  if (/^(?:0x[0-9a-f]+|-?\d+\.\d+)$/.test(word)) return Number(word);
  if (word === 'yes' || word === 'no') return word === 'yes';
  return word.startsWith('"') ? (stringIn(word) ?? word) : word;
}
