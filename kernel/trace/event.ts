/**
 * What an event is made of. A definition serves three sides: the kernel records by it, both sides write
 * and read text by it, and the tools decode by it. TypeScript checks the values of each against it.
 */
export type Level = 'error' | 'warn' | 'info' | 'debug';
export const LEVELS: readonly Level[] = ['error', 'warn', 'info', 'debug'];

/** How a value travels: in a 64-bit lane as a float or as an integer, or as text beside the record. */
export type Lane = 'float' | 'integer' | 'text';

/** Turns stamps into time: known only once the TSC's frequency is. */
export interface StampScale {
  /** Nanoseconds since boot, rounded down. */
  toNanos(tsc: bigint): bigint;
}

export interface FieldType<Value, Decoded = Value> {
  readonly lane: Lane;
  /** What goes into the lane; absent if the value does as it is. */
  readonly encode?: (value: Value) => number | string;
  /** What a lane's content means. */
  decode(raw: number | bigint | string, scale: StampScale): Decoded;
  /** One word, or a quoted string. */
  toText(value: Decoded): string;
  /** Undefined if the text is not one that toText could have written. */
  fromText(text: string): Decoded | undefined;
}

type Raw = number | bigint | string;

function parseInteger(text: string, suffix = ''): bigint | undefined {
  if (!text.endsWith(suffix)) return undefined;
  const digits = text.slice(0, text.length - suffix.length);
  return /^-?\d+$/.test(digits) ? BigInt(digits) : undefined;
}

/** A whole number up to 2^53. */
export const COUNT: FieldType<number> = {
  lane: 'float',
  decode: (raw) => Number(raw),
  toText: (value) => String(value),
  fromText: (text) => (/^-?\d+$/.test(text) ? Number(text) : undefined),
};

/** Any number. */
export const REAL: FieldType<number> = {
  ...COUNT,
  fromText: (text) => (/^-?(\d+(\.\d+)?(e[-+]?\d+)?|Infinity)$|^NaN$/.test(text) ? Number(text) : undefined),
};

/** An address or register value up to 2^53. */
export const HEX: FieldType<number> = {
  lane: 'float',
  decode: (raw) => Number(raw),
  toText: (value) => `0x${value.toString(16)}`,
  fromText: (text) => (/^0x[0-9a-f]+$/.test(text) ? Number(text) : undefined),
};

/** Ticks of a counter, or any signed 64-bit integer. */
export const TICKS: FieldType<bigint> = {
  lane: 'integer',
  decode: (raw) => BigInt(raw),
  toText: (value) => String(value),
  fromText: (text) => parseInteger(text),
};

/** A duration. */
export const NANOS: FieldType<bigint> = {
  lane: 'integer',
  decode: (raw) => BigInt(raw),
  toText: (value) => `${value}ns`,
  fromText: (text) => parseInteger(text, 'ns'),
};

/** A point in time: recorded as a TSC value, read as nanoseconds since boot. */
export const STAMP: FieldType<bigint> = {
  lane: 'integer',
  decode: (raw, scale) => scale.toNanos(BigInt(raw)),
  toText: (value) => `@${value}`,
  fromText: (text) => (text.startsWith('@') ? parseInteger(text.slice(1)) : undefined),
};

export const FLAG: FieldType<boolean> = {
  lane: 'float',
  encode: (value) => (value ? 1 : 0),
  decode: (raw) => Number(raw) !== 0,
  toText: (value) => (value ? 'yes' : 'no'),
  fromText: (text) => (text === 'yes' ? true : text === 'no' ? false : undefined),
};

/** Text that is longer than this is cut: a record is a line, not a file. */
export const TEXT_LIMIT = 4000;

/** Any text. Written bare if it is one word, as a JSON string otherwise. */
export const TEXT: FieldType<string> = {
  lane: 'text',
  encode: (value) => (value.length > TEXT_LIMIT ? value.slice(0, TEXT_LIMIT) + '…' : value),
  decode: (raw) => String(raw),
  toText: (value) => (/^[\w./:+*-]+$/.test(value) ? value : JSON.stringify(value)),
  fromText: (text) => (text.startsWith('"') ? parseQuoted(text) : text),
};

/** Text that comes as UTF-8 and is sent so: nothing is made of it in the kernel. */
export const UTF8_TEXT: FieldType<string | Uint8Array, string> = {
  lane: 'text',
  // What it is stored as beside the record may be bytes.
  encode: (value) => value as string,
  decode: TEXT.decode,
  toText: TEXT.toText,
  fromText: TEXT.fromText,
};

function parseQuoted(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** One of a few words, recorded as its position. */
export function oneOf<const Word extends string>(...words: readonly Word[]): FieldType<Word> {
  const positions: Readonly<Record<string, number>> = Object.fromEntries(words.map((word, index) => [word, index]));
  return {
    lane: 'float',
    encode: (value) => positions[value]!,
    decode: (raw: Raw) => words[Number(raw)] ?? (`unknown-${raw}` as Word),
    toText: (value) => value,
    fromText: (text) => ((words as readonly string[]).includes(text) ? (text as Word) : undefined),
  };
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the one place where value types differ from field to field
export type AnyFieldType = FieldType<any>;
export type FieldList = readonly (readonly [name: string, type: AnyFieldType])[];

/** Lanes of a record: events have at most this many fields. */
export const FIELDS_MAX = 6;

export interface EventDefinition<Name extends string = string, Fields extends FieldList = FieldList> {
  /** Number on the wire, 1 to FFFFh. Never used again for another event. */
  readonly id: number;
  readonly name: Name;
  readonly level: Level;
  readonly fields: Fields;
}

type ValueOf<Type> = Type extends FieldType<infer Value, infer _> ? Value : never;
type DecodedOf<Type> = Type extends FieldType<infer _, infer Decoded> ? Decoded : never;

/** The values of an event's fields, in order: what `record` takes. */
export type ValuesOf<Definition> =
  Definition extends EventDefinition<string, infer Fields>
    ? { -readonly [Index in keyof Fields]: Fields[Index] extends readonly [string, infer Type] ? ValueOf<Type> : never }
    : never;

/** The values of an event's fields, by name: what a parsed record has. */
export type FieldsOf<Definition> =
  Definition extends EventDefinition<string, infer Fields> ? { readonly [Pair in Fields[number] as Pair[0]]: DecodedOf<Pair[1]> } : never;

/** @throws RangeError if the definition can't be put on the wire */
export function defineEvent<const Name extends string, const Fields extends FieldList>(
  id: number,
  name: Name,
  level: Level,
  fields: Fields,
): EventDefinition<Name, Fields> {
  if (!Number.isInteger(id) || id < 1 || id > 0xffff) throw new RangeError(`event ${name}: id ${id} is not within 1..65535`);
  if (fields.length > FIELDS_MAX) throw new RangeError(`event ${name}: ${fields.length} fields, at most ${FIELDS_MAX} fit a record`);
  return { id, name, level, fields };
}
