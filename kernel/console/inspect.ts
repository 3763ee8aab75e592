/**
 * Prints any JavaScript value the way one wants to read it at a prompt, and as far as possible as one could type it.
 * It looks only at what is there: no getter of the value is called, nothing of it is iterated by its own methods.
 *
 * The output is bounded. Of a container at most MAX_ENTRIES entries are shown, of bytes and typed arrays MAX_ELEMENTS, of
 * a string MAX_OUTPUT characters and within a container MAX_STRING; and once about MAX_OUTPUT characters are spent, no
 * further entries are begun. Whatever is left out is counted in its place: `... 900 more`.
 *
 * Not done: wide and combining characters count for the width of a line as their UTF-16 units.
 */

export const MAX_OUTPUT = 10_000;
export const MAX_ENTRIES = 100;
export const MAX_STRING = 1_000;
export const MAX_ELEMENTS = 64;
/** The deepest `depth`: each level costs stack, and the kernel has little. */
export const MAX_DEPTH = 20;

const DEFAULT_DEPTH = 3;
const DEFAULT_WIDTH = 80;
const MIN_WIDTH = 20;
/** Bigints beyond this are shown in hexadecimal: their decimal digits take time that grows with the square. */
const MAX_DECIMAL_BITS = 4096;
const MAX_STACK_FRAMES = 20;
/** A proxy can name prototypes without end. */
const MAX_PROTOTYPES = 64;
/** Up to this length an array is searched for properties beside its elements: the search makes a string per element. */
const MAX_SEARCHED_LENGTH = 10_000;
/** Lists of more than MIN_FILLED entries none of which is longer than MAX_FILLED_LENGTH share lines. */
const MIN_FILLED = 6;
const MAX_FILLED_LENGTH = 20;

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
/** What a terminal obeys (C0, C1) or does not show (format characters, line separators, halves of pairs). */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b', '\f': '\\f', '\v': '\\v' };

export interface InspectOptions {
  /** How many levels of containers are opened below the outermost; 0 to MAX_DEPTH, 3 if not given. */
  depth?: number;
  /** Columns of a line; 20 or more, 80 if not given. Only a word that can't be broken gets beyond. */
  width?: number;
}

/** Elements that were looked at, as texts, and how many were not. */
interface Listing {
  readonly texts: string[];
  readonly leftOut: number;
}

/** A container on its way to text. */
interface Container {
  /** Before the bracket: class and size; all there is of a function, an error, a regular expression. */
  readonly label: string;
  /** Whether the label says it all if there are no entries. */
  readonly standsAlone: boolean;
  readonly brackets: '[]' | '{}';
  readonly size: number;
  elements?(): Listing;
  /** What does not fit on one line: an entry per line; short ones together; in columns, a power of two of them. */
  readonly layout: 'lines' | 'fill' | 'table';
  readonly keys: readonly PropertyKey[];
}

/** Never throws: what can't be read is shown as `[unreadable: why]`. Options out of range count as the nearest in range. */
export function inspect(value: unknown, options: InspectOptions = {}): string {
  const depth = clamp(options.depth, DEFAULT_DEPTH, 0, MAX_DEPTH);
  const width = clamp(options.width, DEFAULT_WIDTH, MIN_WIDTH, Infinity);
  const ancestors: object[] = [];
  let spent = 0;

  function spend(text: string): string {
    spent += text.length;
    return text;
  }

  /**
   * @param level containers around the value
   * @param indent of the line that the value begins on
   * @param column that the value begins in
   */
  function show(shown: unknown, level: number, indent: number, column: number): string {
    if ((typeof shown === 'object' && shown !== null) || typeof shown === 'function') return showObject(shown, level, indent, column);
    return spend(typeof shown === 'string' ? quote(shown, level === 0 ? MAX_OUTPUT : MAX_STRING) : showPrimitive(shown));
  }

  function showObject(object: object, level: number, indent: number, column: number): string {
    if (ancestors.includes(object)) return spend('[circular]');
    ancestors.push(object);
    try {
      const container = examine(object, level, indent);
      const isEmpty = container.size === 0 && container.keys.length === 0;
      if (level > depth && !isEmpty) return spend(closed(container));
      spend(container.label + container.brackets);
      const elements = container.elements?.();
      const texts = elements ? [...elements.texts] : [];
      if (elements && elements.leftOut > 0) texts.push(more(elements.leftOut));
      const properties = list(container.keys, container.keys.length, indent, (key) => showProperty(object, key, level, indent));
      texts.push(...properties.texts);
      if (properties.leftOut > 0) texts.push(more(properties.leftOut));
      // A comma may follow.
      return layOut(container, texts, indent, width - column - (level > 0 ? 1 : 0), width - indent - 3);
    } catch (error) {
      return spend(unreadable(error));
    } finally {
      ancestors.pop();
    }
  }

  /** Takes items as long as there is room. */
  function list<T>(items: Iterable<T>, total: number, indent: number, showItem: (item: T) => string): Listing {
    const texts: string[] = [];
    for (const item of items) {
      if (texts.length >= MAX_ENTRIES || spent >= MAX_OUTPUT) break;
      texts.push(showItem(item));
      spent += indent + 2 + ', '.length;
    }
    return { texts, leftOut: total - texts.length };
  }

  function showProperty(object: object, key: PropertyKey, level: number, indent: number): string {
    let name = '';
    try {
      name = showKey(key);
      const descriptor = Reflect.getOwnPropertyDescriptor(object, key);
      if (descriptor && !descriptor.enumerable) name = `[${name}]`;
      spend(`${name}: `);
      const innerLevel = key === 'cause' && isError(object) ? level : level + 1;
      return `${name}: ${showDescribed(descriptor, innerLevel, indent + 2, indent + 2 + name.length + 2)}`;
    } catch (error) {
      return spend(`${name}: ${unreadable(error)}`);
    }
  }

  function showDescribed(descriptor: PropertyDescriptor | undefined, level: number, indent: number, column: number): string {
    if (!descriptor) return spend('[gone]');
    if (descriptor.get) return spend(descriptor.set ? '[getter/setter]' : '[getter]');
    if (descriptor.set) return spend('[setter]');
    return show(descriptor.value, level, indent, column);
  }

  function examine(object: object, level: number, indent: number): Container {
    const prototypes = prototypesOf(object);
    const name = nameOfClass(object, prototypes);
    const inner = indent + 2;

    if (typeof object === 'function') {
      return { label: describeFunction(object), standsAlone: true, brackets: '{}', layout: 'lines', size: 0, keys: enumerableKeys(object) };
    }
    if (Array.isArray(object)) {
      const size = object.length;
      const keys = size > MAX_SEARCHED_LENGTH ? [] : enumerableKeys(object).filter((key) => !isIndex(key, size));
      // A plain array shows by its brackets that it is one, unless it is closed.
      const label = name === 'Array' && (level <= depth || size === 0) ? '' : `${name}(${size})`;
      const elements = () => showElements(object, level, inner);
      return { label, standsAlone: false, brackets: '[]', layout: 'fill', size, elements, keys };
    }
    const bytes = bytesOrNumbers(object, prototypes);
    if (bytes) {
      const { texts, size } = bytes;
      const elements = () => ({ texts: texts().map(spend), leftOut: Math.max(0, size - MAX_ELEMENTS) });
      return { label: `${name}(${size})`, standsAlone: false, brackets: '[]', layout: 'table', size, elements, keys: [] };
    }
    const pairCount = prototypes.includes(Map.prototype) ? sizeOf(Map.prototype, object) : undefined;
    if (pairCount !== undefined) {
      const pairs = Reflect.apply(Map.prototype.entries, object, []) as Iterable<[unknown, unknown]>;
      const elements = () => list(pairs, pairCount, indent, (pair) => showPair(pair, level, inner));
      const label = `${name}(${pairCount})`;
      return { label, standsAlone: false, brackets: '{}', layout: 'lines', size: pairCount, elements, keys: enumerableKeys(object) };
    }
    const memberCount = prototypes.includes(Set.prototype) ? sizeOf(Set.prototype, object) : undefined;
    if (memberCount !== undefined) {
      const members = Reflect.apply(Set.prototype.values, object, []) as Iterable<unknown>;
      const elements = () => list(members, memberCount, indent, (member) => show(member, level + 1, inner, inner));
      const label = `${name}(${memberCount})`;
      return { label, standsAlone: false, brackets: '{}', layout: 'fill', size: memberCount, elements, keys: enumerableKeys(object) };
    }
    if (prototypes.includes(Error.prototype)) {
      const hidden = ['cause', 'errors'].filter((key) => Reflect.getOwnPropertyDescriptor(object, key)?.enumerable === false);
      // An error among other things is a line; one by itself, and what caused it, is worth its stack.
      const isWhole = level === 0;
      const label = describeError(object, name, isWhole).replaceAll('\n', '\n' + ' '.repeat(indent));
      const keys = [...enumerableKeys(object).filter((key) => key !== 'stack' && key !== 'message'), ...hidden];
      return { label: isWhole ? label : `[${label}]`, standsAlone: true, brackets: '{}', layout: 'lines', size: 0, keys };
    }
    const source = prototypes.includes(RegExp.prototype) ? builtIn(RegExp.prototype, 'source', object) : undefined;
    if (source !== undefined) {
      const label = printable(`/${plain(source)}/${plain(builtIn(RegExp.prototype, 'flags', object))}`, MAX_STRING);
      return { label, standsAlone: true, brackets: '{}', layout: 'lines', size: 0, keys: enumerableKeys(object) };
    }
    return {
      label: name === 'Object' ? '' : name,
      standsAlone: false,
      brackets: '{}',
      layout: 'lines',
      size: 0,
      keys: enumerableKeys(object),
    };
  }

  function showPair([key, held]: [unknown, unknown], level: number, indent: number): string {
    const shownKey = show(key, level + 1, indent, indent);
    const column = indent + shownKey.length - (shownKey.lastIndexOf('\n') + 1) + ' => '.length;
    return `${shownKey} => ${show(held, level + 1, indent, column)}`;
  }

  /** By index and descriptor, not by iterating: elements may be missing, or accessors. */
  function showElements(array: readonly unknown[], level: number, indent: number): Listing {
    const texts: string[] = [];
    let missing = 0;
    let index = 0;
    const noteMissing = (): void => {
      if (missing > 0) texts.push(spend(`<${missing} empty>`));
      missing = 0;
    };
    for (; index < array.length && index < MAX_ENTRIES && spent < MAX_OUTPUT; index++) {
      const descriptor = Reflect.getOwnPropertyDescriptor(array, index);
      if (!descriptor) {
        missing++;
        continue;
      }
      noteMissing();
      texts.push(showDescribed(descriptor, level + 1, indent, indent));
      spent += indent + ', '.length;
    }
    noteMissing();
    return { texts, leftOut: array.length - index };
  }

  try {
    return show(value, 0, 0, 0);
  } catch (error) {
    return unreadable(error);
  }
}

/** What stands for a container that is too deep to be opened. */
function closed({ label, standsAlone }: Container): string {
  return standsAlone || label.startsWith('[') ? label : `[${label || 'Object'}]`;
}

/** One line if `room` allows, else entries on lines of their own, indented by two, or filled up to `roomWithin`. */
function layOut(container: Container, texts: readonly string[], indent: number, room: number, roomWithin: number): string {
  const { label, brackets, layout } = container;
  if (texts.length === 0) return container.standsAlone ? label : (label && `${label} `) + brackets;
  const open = (label && `${label} `) + brackets[0]!;
  const separator = layout === 'table' ? ' ' : ', ';
  const isFlat = texts.every((text) => !text.includes('\n'));
  const inOneLine = `${open} ${texts.join(separator)} ${brackets[1]!}`;
  // Of a label of several lines (an error's stack) the last counts.
  if (isFlat && inOneLine.length - (inOneLine.lastIndexOf('\n') + 1) <= room) return inOneLine;

  let lines = texts;
  if (layout === 'table') lines = tabulate(texts, roomWithin);
  else if (isFlat && layout === 'fill' && texts.length > MIN_FILLED && texts.every((text) => text.length <= MAX_FILLED_LENGTH)) {
    lines = fill(texts, roomWithin);
  }
  const pad = ' '.repeat(indent + 2);
  return `${open}\n${pad}${lines.join(`${separator.trimEnd()}\n${pad}`)}\n${' '.repeat(indent)}${brackets[1]!}`;
}

function fill(texts: readonly string[], room: number): string[] {
  const lines: string[] = [];
  for (const text of texts) {
    const longer = lines.length > 0 ? `${lines.at(-1)!}, ${text}` : text;
    if (lines.length > 0 && longer.length <= room) lines[lines.length - 1] = longer;
    else lines.push(text);
  }
  return lines;
}

/** Offsets are easy to tell in lines of 4, 8, 16 elements. The note on what was left out has its own line. */
function tabulate(texts: readonly string[], room: number): string[] {
  const elements = texts.filter((text) => !text.startsWith('...'));
  const cell = Math.max(...elements.map((text) => text.length));
  let perLine = 1;
  while (2 * perLine * (cell + 1) - 1 <= room) perLine *= 2;
  const lines: string[] = [];
  for (let index = 0; index < elements.length; index += perLine) {
    const row = elements.slice(index, index + perLine);
    lines.push(row.map((text) => text.padStart(cell)).join(' '));
  }
  return [...lines, ...texts.slice(elements.length)];
}

function showPrimitive(value: unknown): string {
  if (typeof value === 'number') return showNumber(value);
  if (typeof value === 'bigint') return showBigint(value);
  if (typeof value === 'symbol') return printable(value.toString(), MAX_STRING);
  return String(value);
}

/** Digits in groups, as the language allows them to be typed: a nanosecond count can be read and copied. */
function showNumber(value: number): string {
  if (Object.is(value, -0)) return '-0';
  const [, sign = '', digits = '', fraction = ''] = /^(-?)(\d+)(\.\d+)?$/.exec(String(value)) ?? [];
  return digits === '' ? String(value) : sign + inGroups(digits) + fraction;
}

function showBigint(value: bigint): string {
  const sign = value < 0n ? '-' : '';
  const magnitude = value < 0n ? -value : value;
  if (BigInt.asUintN(MAX_DECIMAL_BITS, magnitude) === magnitude) return `${sign}${inGroups(magnitude.toString())}n`;
  const digits = magnitude.toString(16);
  if (digits.length <= MAX_STRING) return `${sign}0x${digits}n`;
  return `${sign}0x${digits.slice(0, MAX_STRING)}${more(digits.length - MAX_STRING)} digits`;
}

function more(count: number): string {
  return `... ${inGroups(String(count))} more`;
}

/** Four digits are read at a glance. */
function inGroups(digits: string): string {
  return digits.length < 5 ? digits : digits.replace(/\B(?=(?:\d{3})+$)/g, '_');
}

/** As a literal: in single quotes, unless only double ones need no escape. */
function quote(text: string, limit: number): string {
  const kept = cut(text, limit);
  const mark = kept.includes("'") && !kept.includes('"') ? '"' : "'";
  const body = kept.replaceAll('\\', '\\\\').replaceAll(mark, `\\${mark}`).replace(INVISIBLE, escaped);
  const leftOut = text.length - kept.length;
  return `${mark}${body}${mark}${leftOut > 0 ? `${more(leftOut)} characters` : ''}`;
}

/** A name or message, without what would disturb the terminal; lines stay lines. */
function printable(text: string, limit: number): string {
  const kept = cut(text, limit);
  const leftOut = text.length - kept.length;
  const body = kept.replace(INVISIBLE, (char) => (char === '\n' ? char : escaped(char)));
  return leftOut > 0 ? `${body}${more(leftOut)} characters` : body;
}

function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  // Not between the halves of a pair.
  return text.slice(0, /[\ud800-\udbff]/.test(text[limit - 1]!) ? limit - 1 : limit);
}

function escaped(char: string): string {
  const code = char.codePointAt(0)!;
  if (code > 0xffff) return `\\u{${code.toString(16)}}`;
  return ESCAPES[char] ?? (code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`);
}

function showKey(key: PropertyKey): string {
  if (typeof key === 'symbol') return `[${printable(key.toString(), MAX_STRING)}]`;
  const text = String(key);
  return IDENTIFIER.test(text) ? cut(text, MAX_STRING) : quote(text, MAX_STRING);
}

function describeFunction(fn: object): string {
  const prototype = Reflect.getOwnPropertyDescriptor(fn, 'prototype');
  // Of a function the `prototype` is writable, of a class it is not; the source text may have been stripped.
  const kind = prototype && !prototype.writable ? 'class' : 'function';
  const name = Reflect.getOwnPropertyDescriptor(fn, 'name')?.value as unknown;
  return typeof name === 'string' && name !== '' ? `[${kind} ${printable(name, MAX_STRING)}]` : `[${kind}]`;
}

function describeError(error: object, className: string, withStack: boolean): string {
  const ownName = readData(error, 'name');
  const name = typeof ownName === 'string' && ownName !== '' && ownName !== 'Error' ? ownName : className || 'Error';
  const message = readData(error, 'message');
  const header = printable(message === undefined || message === '' ? name : `${name}: ${plain(message)}`, MAX_STRING);
  const stack = withStack ? readData(error, 'stack') : undefined;
  if (typeof stack !== 'string') return header;
  // QuickJS gives the frames alone, V8 puts the error's name and message before them.
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  const lines = frames.slice(0, MAX_STACK_FRAMES).map((line) => printable(line.trimEnd(), MAX_STRING));
  if (frames.length > lines.length) lines.push(`    ${more(frames.length - lines.length)}`);
  return [header, ...lines].join('\n');
}

function isError(object: object): boolean {
  return prototypesOf(object).includes(Error.prototype);
}

interface Elements {
  readonly size: number;
  /** Of the first MAX_ELEMENTS. */
  texts(): string[];
}

/** Typed arrays, ArrayBuffers and DataViews; undefined for everything else. */
function bytesOrNumbers(object: object, prototypes: readonly object[]): Elements | undefined {
  if (ArrayBuffer.isView(object)) {
    const kind = builtIn(TypedArray.prototype, Symbol.toStringTag, object);
    return typeof kind === 'string' ? numbersOf(object, kind) : bytesOf(DataView.prototype, object);
  }
  return prototypes.includes(ArrayBuffer.prototype) ? bytesOf(ArrayBuffer.prototype, object) : undefined;
}

/** @param kind of typed array, by the name of its constructor */
function numbersOf(object: object, kind: string): Elements {
  const size = Number(builtIn(TypedArray.prototype, 'length', object));
  const view = object as ArrayLike<number | bigint>;
  // Unsigned elements are registers and memory more often than quantities.
  const digits = kind.includes('Uint') ? (2 * Number(builtIn(TypedArray.prototype, 'byteLength', object))) / size : 0;
  const showElement = (element: number | bigint): string =>
    digits > 0 ? element.toString(16).padStart(digits, '0') : showPrimitive(element);
  return { size, texts: () => Array.from({ length: Math.min(size, MAX_ELEMENTS) }, (_, index) => showElement(view[index]!)) };
}

/** @param prototype ArrayBuffer's or DataView's; undefined if the object only inherits from it */
function bytesOf(prototype: object, object: object): Elements | undefined {
  const size = builtIn(prototype, 'byteLength', object);
  if (typeof size !== 'number') return undefined;
  const offset = Number(builtIn(prototype, 'byteOffset', object) ?? 0);
  const buffer = (builtIn(prototype, 'buffer', object) ?? object) as ArrayBuffer;
  return { size, texts: () => hexBytes(buffer, offset, size) };
}

function hexBytes(buffer: ArrayBuffer, offset: number, size: number): string[] {
  // Of a detached buffer there can't even be an empty view.
  if (size === 0) return [];
  return Array.from(new Uint8Array(buffer, offset, Math.min(size, MAX_ELEMENTS)), (byte) => byte.toString(16).padStart(2, '0'));
}

/** %TypedArray%, which has no name of its own. */
const TypedArray = Object.getPrototypeOf(Uint8Array) as { readonly prototype: object };

/** What a built-in getter tells, whatever properties the object has itself; undefined if it is none of the getter's kind. */
function builtIn(prototype: object, key: PropertyKey, object: object): unknown {
  try {
    return Reflect.apply(Reflect.getOwnPropertyDescriptor(prototype, key)!.get!, object, []) as unknown;
  } catch {
    return undefined;
  }
}

function sizeOf(prototype: object, object: object): number | undefined {
  return builtIn(prototype, 'size', object) as number | undefined;
}

function prototypesOf(object: object): object[] {
  const prototypes: object[] = [];
  for (let next = Reflect.getPrototypeOf(object); next && prototypes.length < MAX_PROTOTYPES; next = Reflect.getPrototypeOf(next)) {
    prototypes.push(next);
  }
  return prototypes;
}

function nameOfClass(object: object, prototypes: readonly object[]): string {
  if (prototypes.length === 0) return '[null prototype]';
  let name = '';
  for (const prototype of prototypes) {
    const made = Reflect.getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown;
    const given = typeof made === 'function' ? (Reflect.getOwnPropertyDescriptor(made, 'name')?.value as unknown) : undefined;
    if (typeof given === 'string' && given !== '') {
      name = printable(given, MAX_STRING);
      break;
    }
  }
  const tag = readData(object, Symbol.toStringTag);
  return typeof tag === 'string' && tag !== '' && tag !== name ? `${name || 'Object'} [${printable(tag, MAX_STRING)}]` : name;
}

/** The value of a property, own or inherited, unless it takes a getter to have it. */
function readData(object: object, key: PropertyKey): unknown {
  for (const holder of [object, ...prototypesOf(object)]) {
    const descriptor = Reflect.getOwnPropertyDescriptor(holder, key);
    if (descriptor) return descriptor.value as unknown;
  }
  return undefined;
}

function enumerableKeys(object: object): PropertyKey[] {
  return Reflect.ownKeys(object).filter((key) => {
    try {
      return Reflect.getOwnPropertyDescriptor(object, key)?.enumerable === true;
    } catch {
      // Shown, so that the reason is.
      return true;
    }
  });
}

function isIndex(key: PropertyKey, length: number): boolean {
  return typeof key === 'string' && /^\d+$/.test(key) && Number(key) < length;
}

function unreadable(error: unknown): string {
  try {
    const message = typeof error === 'object' && error !== null ? readData(error, 'message') : error;
    return `[unreadable: ${printable(plain(message), MAX_STRING)}]`;
  } catch {
    return '[unreadable]';
  }
}

/** Text of what ought to be a string but need not be. */
function plain(value: unknown): string {
  if (typeof value === 'string') return value;
  return (typeof value === 'object' && value !== null) || typeof value === 'function' ? '[object]' : showPrimitive(value);
}

function clamp(value: number | undefined, ifMissing: number, lowest: number, highest: number): number {
  if (typeof value !== 'number' || Number.isNaN(value)) return ifMissing;
  return Math.min(Math.max(Math.trunc(value), lowest), highest);
}
