/**
 * The form of a system file, for those who write one without the compiler's help and for what types do not say: ranges, names,
 * durations that can't be. What one part says of another is checked in the modules beside.
 */
import * as v from 'valibot';
import { HEALTH_EVENTS, MEMORY_MIN, MEMORY_UNIT, PARTITIONS_MAX, SLOT_MIN_NS, TIMER_MODES } from '../../kernel/partition/system.ts';
import { DEPTH_MAX, MACHINE_MEMORY_MAX, MESSAGE_MAX, NAME_FORM, NAME_MAX } from './limits.ts';
import type { Duration, Size } from './define.ts';
import { suggestion } from './problem.ts';

interface Issue {
  readonly received: string;
  readonly expected: string | null;
  readonly path?: readonly { readonly key: unknown }[] | undefined;
}

const KINDS = /^(Object|Array|null|undefined|[A-Z]\w*)$/;
/** What was found instead, in words. */
const found = ({ received }: Issue): string =>
  received === 'undefined'
    ? 'it is missing'
    : KINDS.test(received)
      ? `found ${received === 'null' ? '' : /^[aeiou]/i.test(received) ? 'an ' : 'a '}${received.toLowerCase()}`
      : `found ${received}`;

/** An object with these properties and no others. */
const only = <const Entries extends v.ObjectEntries>(what: string, entries: Entries) =>
  v.strictObject(entries, (issue) => {
    if (issue.expected === 'never') {
      const key = String(issue.path?.at(-1)?.key);
      return `${what} has no such property${suggestion(key, Object.keys(entries))}`;
    }
    return issue.received === 'undefined' ? 'is missing' : `expected ${what}, an object; ${found(issue)}`;
  });

const text = v.pipe(
  v.string((issue) => `expected a text; ${found(issue)}`),
  v.nonEmpty('is empty'),
);
const name = v.pipe(
  v.string((issue) => `expected a name; ${found(issue)}`),
  v.regex(NAME_FORM, ({ input }) => `${JSON.stringify(input)} is no name: expected a letter, then letters, digits, - or _`),
  v.maxLength(NAME_MAX, ({ input }) => `a name of ${input.length} characters; at most ${NAME_MAX} are allowed`),
);
const flag = v.boolean((issue) => `expected true or false; ${found(issue)}`);

const whole = (what: string, least: number, most: number) =>
  v.pipe(
    v.number((issue) => `expected ${what}, a number; ${found(issue)}`),
    v.check(
      (value) => Number.isSafeInteger(value) && value >= least && value <= most,
      ({ input }) => `${String(input)} is not ${what} from ${least} to ${most}`,
    ),
  );
const hex = (value: number): string => `${value.toString(16).toUpperCase()}h`;
const address = (what: string, most = MACHINE_MEMORY_MAX) =>
  v.pipe(
    v.number((issue) => `expected ${what}, a number; ${found(issue)}`),
    v.check(
      (value) => Number.isSafeInteger(value) && value >= 0 && value <= most,
      ({ input }) => `${Number.isSafeInteger(input) && input >= 0 ? hex(input) : String(input)} is not ${what} from 0 to ${hex(most)}`,
    ),
  );

/** A check whose judgement is what is wrong, or undefined. */
const judged = <Value>(judge: (value: Value) => string | undefined) =>
  v.rawCheck<Value>(({ dataset, addIssue }) => {
    const problem = dataset.typed ? judge(dataset.value) : undefined;
    if (problem !== undefined) addIssue({ message: problem });
  });

/** What ns(), kib() and their like make: a kind, a text, a whole number or a problem. */
const quantity = <Value extends Duration | Size>(kind: Value['kind'], field: 'nanos' | 'bytes', example: string) =>
  v.custom<Value>(
    (value) => {
      if (typeof value !== 'object' || value === null) return false;
      const { kind: own, text, problem, [field]: amount } = value as Record<string, unknown>;
      const isWhole = Number.isSafeInteger(amount) && (amount as number) >= 0;
      return own === kind && typeof text === 'string' && (isWhole || typeof problem === 'string');
    },
    (issue) => (issue.received === 'undefined' ? 'is missing' : `expected a ${kind} such as ${example}; ${found(issue)}`),
  );

const duration = v.pipe(
  quantity<Duration>('duration', 'nanos', 'ms(5)'),
  judged(({ problem }) => problem),
);
const positive = v.pipe(
  quantity<Duration>('duration', 'nanos', 'ms(5)'),
  judged(({ problem, nanos, text }) => problem ?? (nanos === 0 ? `${text} is no time at all` : undefined)),
);
const frame = v.pipe(
  quantity<Duration>('duration', 'nanos', 'ms(10)'),
  judged(
    ({ problem, nanos, text }) =>
      problem ?? (nanos < SLOT_MIN_NS ? `${text} is shorter than a slot may be, ns(${SLOT_MIN_NS})` : undefined),
  ),
);

const memory = v.pipe(
  quantity<Size>('size', 'bytes', 'mib(16)'),
  judged(({ problem, bytes, text }) => {
    if (problem !== undefined) return problem;
    if (bytes < MEMORY_MIN) return `${text} is too small: a partition has at least kib(${MEMORY_MIN / 1024})`;
    if (bytes > MACHINE_MEMORY_MAX) return `${text} is more than a machine here has, mib(${MACHINE_MEMORY_MAX / 1024 ** 2})`;
    if (bytes % MEMORY_UNIT === 0) return undefined;
    const next = (Math.ceil(bytes / MEMORY_UNIT) * MEMORY_UNIT) / 1024;
    return `${text}, ${bytes} bytes, is not a whole number of pages of ${MEMORY_UNIT} bytes; kib(${next}) is the next one up`;
  }),
);

const oneOf = <const Words extends readonly string[]>(words: Words, what: string) =>
  v.picklist(words, (issue) => {
    const given = /^"(.*)"$/.exec(issue.received)?.[1];
    return given === undefined
      ? `expected ${what}, one of ${words.join(', ')}; ${found(issue)}`
      : `${issue.received} is no ${what}${suggestion(given, words)}`;
  });
const byKind = (words: readonly string[], what: string, how: string) => (issue: Issue) => {
  if (issue.path?.at(-1)?.key !== 'kind') return `expected a ${what}, ${how}; ${found(issue)}`;
  if (issue.received === 'undefined') return `is missing: expected a ${what}, ${how}`;
  return `${issue.received} is no kind of ${what}${suggestion(issue.received.replaceAll('"', ''), words)}`;
};

const mode = oneOf(['real', 'protected', 'long'], 'mode');
const elfEntry = oneOf(['pvh', 'plain'], 'way to enter an ELF file');
const program = v.variant(
  'kind',
  [
    only('a TypeScript program', {
      kind: v.literal('typescript'),
      source: text,
      commandLine: v.optional(
        v.pipe(
          text,
          v.regex(
            /^[ -~]{1,1024}$/,
            ({ input }) => `${JSON.stringify(input)} is no command line: printable ASCII, at most 1024 characters`,
          ),
        ),
      ),
    }),
    only('a native program', {
      kind: v.literal('native'),
      sources: v.pipe(
        v.array(
          v.pipe(
            text,
            v.regex(/\.(c|S)$/, ({ input }) => `${input}: expected a file .c or .S`),
          ),
          (issue) => `expected files; ${found(issue)}`,
        ),
        v.nonEmpty('names no file'),
      ),
      mode,
      address: address('an address'),
      entry: v.optional(
        v.pipe(
          text,
          v.regex(/^[A-Za-z_.$][\w.$]*$/, ({ input }) => `${JSON.stringify(input)} is no symbol`),
        ),
      ),
      elf: v.optional(elfEntry),
      defines: v.record(
        v.pipe(
          v.string(),
          v.regex(/^[A-Za-z_]\w*$/, ({ input }) => `${JSON.stringify(input)} is no name of the preprocessor's`),
        ),
        v.union([v.string(), v.number()], (issue) => `expected a text or a number; ${found(issue)}`),
        (issue) => `expected an object; ${found(issue)}`,
      ),
    }),
    only('a flat program', { kind: v.literal('flat'), file: text, address: address('an address'), entry: address('an entry'), mode }),
    only('an ELF program', { kind: v.literal('elf'), file: text, entry: elfEntry }),
  ],
  byKind(['typescript', 'native', 'flat', 'elf'], 'program', 'made by typescript(), native(), flat() or elf()'),
);

const reaction = v.unknown();

/** "COUNTER_CLK_PERIOD": at most 05F5E100h femtoseconds (IA-PC HPET 1.0a). A shorter one than the lower bound is no clock of this world. */
const HPET_PERIOD = { LEAST: 100_000, MOST: 100_000_000 } as const;
const platform = only('a platform', {
  kind: v.literal('pc', (issue) => `expected what pc() makes; ${found(issue)}`),
  timerMode: v.optional(oneOf(TIMER_MODES, 'timer mode')),
  tsc: v.optional(oneOf(['native', 'emulated'], 'way to read the TSC')),
  hpet: v.optional(
    v.union(
      [
        v.literal(false),
        only('an HPET', {
          period: v.optional(whole('a period in femtoseconds', HPET_PERIOD.LEAST, HPET_PERIOD.MOST)),
          timers: v.optional(whole('a number of timers', 3, 32)),
        }),
      ],
      (issue) =>
        `expected false, or an HPET with a period of ${HPET_PERIOD.LEAST} to ${HPET_PERIOD.MOST} fs and 3 to 32 timers; ${found(issue)}`,
    ),
  ),
  date: v.optional(
    v.pipe(
      text,
      judged((value) => {
        const millis = Date.parse(`${value}Z`);
        if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(value))
          return `${JSON.stringify(value)} is no date and time such as "2026-01-01T00:00:00"`;
        if (!Number.isFinite(millis) || !new Date(millis).toISOString().startsWith(value))
          return `${JSON.stringify(value)} is no day of the calendar`;
        return undefined;
      }),
    ),
  ),
  lineDriver: v.optional(flag),
  rules: v.optional(
    only('a set of rules', {
      setOnThaw: v.optional(flag),
      setOnPost: v.optional(flag),
      era: v.optional(oneOf(['today', '2007'], 'era')),
    }),
  ),
});

const partition = only('a partition', {
  program,
  memory,
  system: v.optional(flag),
  ioPorts: v.optional(
    v.array(
      only('a range of I/O ports', {
        first: address('an I/O port', 0xffff),
        count: v.optional(whole('a number of ports', 1, 0x1_0000)),
        traced: v.optional(flag),
      }),
      (issue) => `expected an array such as [{ first: 0x378, count: 3 }]; ${found(issue)}`,
    ),
  ),
  watchdog: v.optional(positive),
  health: v.optional(
    only('a set of health rules', {
      ...(Object.fromEntries(HEALTH_EVENTS.map((event) => [event, v.optional(reaction)])) as Record<
        (typeof HEALTH_EVENTS)[number],
        v.OptionalSchema<typeof reaction, undefined>
      >),
    }),
  ),
  platform: v.optional(platform),
});

const plan = only('a plan', {
  majorFrame: frame,
  slots: v.pipe(
    v.array(
      only('a slot', { partition: text, start: duration, duration: positive }),
      (issue) => `expected an array of slots; ${found(issue)}`,
    ),
    v.nonEmpty('a plan needs at least one slot'),
  ),
  maintenance: v.optional(flag),
  idle: v.optional(v.literal('allowed', (issue) => `expected 'allowed', or nothing; ${found(issue)}`)),
});

const size = whole('a number of bytes', 1, MESSAGE_MAX);
const depth = whole('a number of messages', 1, DEPTH_MAX);
const ends = v.pipe(
  v.array(text, (issue) => `expected an array such as ['partition.port']; ${found(issue)}`),
  v.nonEmpty('nobody reads the channel: name at least one port'),
);
const channel = v.variant(
  'kind',
  [
    only('a sampling channel', { kind: v.literal('sampling'), size, validity: v.optional(positive), from: text, to: ends }),
    only('a queuing channel', { kind: v.literal('queuing'), size, depth, from: text, to: ends }),
  ],
  byKind(['sampling', 'queuing'], 'channel', "of kind 'sampling' or 'queuing'"),
);

const HERTZ = Array.from({ length: 13 }, (_, index) => 2 ** (index + 1));
const input = only('an input', {
  source: oneOf(['rtc'], 'source'),
  hertz: v.pipe(
    v.number((issue) => `expected a number; ${found(issue)}`),
    v.check(
      (value) => HERTZ.includes(value),
      ({ input: given }) => `${String(given)} is not a power of two from 2 to 8192, which is what the real-time clock can do`,
    ),
  ),
  depth,
  to: text,
});

const named = <Value extends v.GenericSchema>(what: string, value: Value) =>
  v.record(name, value, (issue) =>
    issue.received === 'undefined' ? 'is missing' : `expected ${what} by name, an object; ${found(issue)}`,
  );

export const SYSTEM_SCHEMA = only('a system', {
  name,
  partitions: v.pipe(
    named('partitions', partition),
    v.check((all) => Object.keys(all).length > 0, 'a system needs at least one partition'),
    v.check(
      (all) => Object.keys(all).length <= PARTITIONS_MAX,
      ({ input: all }) => `${Object.keys(all).length} partitions; at most ${PARTITIONS_MAX} are allowed`,
    ),
  ),
  plans: v.pipe(
    named('plans', plan),
    v.check((all) => Object.keys(all).length > 0, 'a system needs at least one plan'),
  ),
  channels: v.optional(named('channels', channel)),
  inputs: v.optional(named('inputs', input)),
  absoluteTime: v.optional(flag),
  duration: v.optional(positive),
});
