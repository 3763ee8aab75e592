/** Values for every field of every event: the ordinary ones and those at the edges of what a field may hold. */
import {
  COUNT,
  FLAG,
  HEX,
  NANOS,
  REAL,
  STAMP,
  TEXT,
  TEXT_LIMIT,
  TICKS,
  UTF8_TEXT,
  type AnyFieldType,
  type EventDefinition,
  type StampScale,
} from '../trace/event.ts';
import { EVENTS } from '../trace/events.ts';

const TEXTS = [
  'word',
  '',
  ' ',
  'a sentence, with = and "quotes"',
  'back\\slash\\',
  '"',
  'event=like="this"',
  'two\nlines\r\nand a \t tab',
  'Zeit: 5 µs, 時間, 🕰',
  '\ud800 unpaired \udc00',
  '\0\x1b[2J\x7f\x9b',
  'line\u2028separator',
  '# no comment',
  '! no diagnostic',
  'x'.repeat(TEXT_LIMIT),
  // Cut, and cut between the halves of a surrogate pair.
  'y'.repeat(5000),
  'z'.repeat(TEXT_LIMIT - 1) + '🕰 and more',
];

const SAMPLES: ReadonlyMap<AnyFieldType, readonly unknown[]> = new Map<AnyFieldType, readonly unknown[]>([
  [COUNT, [0, 1, -1, 12_345, 2 ** 53]],
  [REAL, [0, 0.5, -1.25, 1e-7, 1.5e300, Infinity, -Infinity, NaN]],
  [HEX, [0, 0xff, 0xfee0_0000, 2 ** 53]],
  [TICKS, [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]],
  [NANOS, [0n, 999n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]],
  [STAMP, [0n, 1n, 2n ** 62n]],
  [FLAG, [true, false]],
  [TEXT, TEXTS],
  [UTF8_TEXT, TEXTS],
]);

/** `oneOf` tells its words only by what it makes of numbers. */
function wordsOf(type: AnyFieldType): unknown[] {
  const words: unknown[] = [];
  for (let index = 0; !String(type.decode(index, ANY_SCALE)).startsWith('unknown-'); index++) words.push(type.decode(index, ANY_SCALE));
  return words;
}
const ANY_SCALE: StampScale = { toNanos: (tsc) => tsc };

export const samplesOf = (type: AnyFieldType): readonly unknown[] => SAMPLES.get(type) ?? wordsOf(type);

/** As many records of an event as its most varied field has samples; each takes the next sample of every field. */
export function sampleRecords(event: EventDefinition): unknown[][] {
  const columns = event.fields.map(([, type]) => samplesOf(type));
  const rows = Math.max(...columns.map((column) => column.length));
  return Array.from({ length: rows }, (_, row) => columns.map((column) => column[row % column.length]));
}

export const ALL_EVENTS: readonly EventDefinition[] = Object.values(EVENTS);

/** What a value is after its way over the wire: stamps are nanoseconds, texts are cut and hold no unpaired surrogates. */
export function asRead(type: AnyFieldType, value: unknown, scale: StampScale): unknown {
  if (type === STAMP) return scale.toNanos(value as bigint);
  if (type !== TEXT && type !== UTF8_TEXT) return value;
  const text = value as string;
  // What comes as UTF-8 is sent as it came.
  const cut = type === TEXT && text.length > TEXT_LIMIT ? text.slice(0, TEXT_LIMIT) + '…' : text;
  // A surrogate that is not one of a pair; the language's own toWellFormed is younger than this target.
  return cut.replaceAll(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd');
}
