/**
 * The trace: records go into a ring that is there from the start, with a TSC stamp and numbers only;
 * text is made, and bytes are sent, when `flush` is called, which is outside timed paths.
 */
import type { EventDefinition, Level, StampScale, ValuesOf } from './event.ts';
import { MACHINE_EVENTS } from './machine-events.ts';
import { formatLine, HEADER_LINE, levelRank } from './line.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';
import { CELL_BYTES, FRAME, FRAME_HEADER_BYTES, LANES_OFFSET, WIRE_VERSION } from './wire.ts';

/** Where frames go. */
export interface FrameSink {
  write(buffer: ArrayBuffer, offset: number, length: number): void;
}

/** Where lines go, for a person with a terminal. */
export interface LineSink {
  writeLine(line: string): void;
  /** Records less weighty than this are left out. */
  readonly level: Level;
}

export interface TraceOptions {
  /** UTF-8 of a text. Default: encodeUtf8 of utf8.ts, where nothing is quicker. */
  readonly encode?: (text: string) => ArrayBuffer;
  rdtsc(): bigint;
  /** TSC at boot, from which time is counted. */
  readonly bootStamp: bigint;
  readonly cpu: number;
  /** Records that the ring holds. */
  readonly capacity: number;
  readonly frames: FrameSink | undefined;
  readonly lines: LineSink | undefined;
}

export interface Trace {
  /** Records an event now. */
  record<Definition extends EventDefinition>(event: Definition, ...values: ValuesOf<Definition>): void;
  /** Records an event with a stamp taken before. */
  recordAt<Definition extends EventDefinition>(stamp: bigint, event: Definition, ...values: ValuesOf<Definition>): void;
  /**
   * The same as `recordAt` for one event, for timed paths: a fifth of the time. Its fields must be numbers and bigints that are stored as
   * they are: no text, no words, no flags.
   */
  recorder<Definition extends EventDefinition>(event: Definition): (stamp: bigint, ...values: ValuesOf<Definition>) => void;
  /** Prepares for these events: an event's first record takes some microseconds more, which a timed path has not. */
  learn(events: Readonly<Record<string, EventDefinition>>): void;
  /** Sends the oldest records, at most `limit`, where there are frames; where there are lines only, one line. */
  flushSome(limit: number): void;
  /** Sends what the ring holds. Takes long: thousands of instructions a record, if there are lines to make. */
  flush(): void;
  /** Records in the ring. */
  pending(): number;
  /** Says how stamps become nanoseconds; from then on lines can be made. */
  setScale(scale: StampScale): void;
}

type Text = string | Uint8Array;
type LaneArray = Record<number, never>;

/** Event numbers are below it; a longer list works, and takes longer. */
const FORMS_MAX = 128;

const stringOf = (text: Text): string => (typeof text === 'string' ? text : decodeUtf8(text));

export function createTrace({
  encode = (text) => encodeUtf8(text).buffer,
  rdtsc,
  bootStamp,
  cpu,
  capacity,
  frames,
  lines,
}: TraceOptions): Trace {
  const ring = new ArrayBuffer(capacity * CELL_BYTES);
  const words = new Int32Array(ring);
  const integers = new BigInt64Array(ring);
  const floats = new Float64Array(ring);
  /** Text that came as bytes is sent as it came: making a string of it is left to whoever reads. */
  const texts: (Text[] | undefined)[] = new Array<Text[] | undefined>(capacity).fill(undefined);
  let write = 0;
  let used = 0;
  let sequence = 0;
  let dropped = 0;
  let started = false;
  let headed = false;
  let scale: StampScale | undefined;

  /*
   * Timed paths end here, so: no rest parameters, no iterators, no typeof, no loop over fields; what can be known of an
   * event beforehand is. One record costs what `make bench` prints as trace.record_ns.
   */
  interface Form {
    readonly event: EventDefinition;
    readonly header: number;
    readonly count: number;
    /** How each field's value is stored: one of the constants below. */
    readonly way0: number;
    readonly way1: number;
    readonly way2: number;
    readonly way3: number;
    readonly way4: number;
    readonly way5: number;
    readonly encode: readonly (((value: never) => number | string) | undefined)[];
  }
  const AS_FLOAT = 0;
  const AS_INTEGER = 1;
  const ENCODED = 2;
  const AS_TEXT = 3;
  /** By the event's number. */
  const forms: (Form | undefined)[] = new Array<Form | undefined>(FORMS_MAX).fill(undefined);

  function learn(event: EventDefinition): Form {
    const ways = event.fields.map(([, type]) =>
      type.lane === 'text' ? AS_TEXT : type.lane === 'integer' ? AS_INTEGER : type.encode ? ENCODED : AS_FLOAT,
    );
    const [way0 = 0, way1 = 0, way2 = 0, way3 = 0, way4 = 0, way5 = 0] = ways;
    const form: Form = {
      event,
      header: FRAME.RECORD | (cpu << 8) | (event.id << 16),
      count: ways.length,
      way0,
      way1,
      way2,
      way3,
      way4,
      way5,
      encode: event.fields.map(([, type]) => type.encode),
    };
    forms[event.id] = form;
    return form;
  }

  function recordAt(
    stamp: bigint,
    event: EventDefinition,
    v0?: unknown,
    v1?: unknown,
    v2?: unknown,
    v3?: unknown,
    v4?: unknown,
    v5?: unknown,
  ): void {
    if (used === capacity) {
      dropped++;
      return;
    }
    const form = forms[event.id] ?? learn(event);
    const word = write * 16;
    const lane = write * 8;
    const count = form.count;
    words[word] = form.header;
    words[word + 1] = sequence++;
    integers[lane + 1] = stamp;
    if (count > 0) {
      if (form.way0 === AS_INTEGER) integers[lane + 2] = v0 as bigint;
      else floats[lane + 2] = form.way0 === AS_FLOAT ? (v0 as number) : encoded(form, form.way0, 0, v0);
    }
    if (count > 1) {
      if (form.way1 === AS_INTEGER) integers[lane + 3] = v1 as bigint;
      else floats[lane + 3] = form.way1 === AS_FLOAT ? (v1 as number) : encoded(form, form.way1, 1, v1);
    }
    if (count > 2) {
      if (form.way2 === AS_INTEGER) integers[lane + 4] = v2 as bigint;
      else floats[lane + 4] = form.way2 === AS_FLOAT ? (v2 as number) : encoded(form, form.way2, 2, v2);
    }
    if (count > 3) {
      if (form.way3 === AS_INTEGER) integers[lane + 5] = v3 as bigint;
      else floats[lane + 5] = form.way3 === AS_FLOAT ? (v3 as number) : encoded(form, form.way3, 3, v3);
    }
    if (count > 4) {
      if (form.way4 === AS_INTEGER) integers[lane + 6] = v4 as bigint;
      else floats[lane + 6] = form.way4 === AS_FLOAT ? (v4 as number) : encoded(form, form.way4, 4, v4);
    }
    if (count > 5) {
      if (form.way5 === AS_INTEGER) integers[lane + 7] = v5 as bigint;
      else floats[lane + 7] = form.way5 === AS_FLOAT ? (v5 as number) : encoded(form, form.way5, 5, v5);
    }
    write = write + 1 === capacity ? 0 : write + 1;
    used++;
  }

  /** What the lane holds of a value that is not stored as it is: a word's position, a flag, or which of the record's texts it is. */
  function encoded(form: Form, way: number, index: number, value: unknown): number {
    const raw = form.encode[index]!(value as never);
    if (way === ENCODED) return raw as number;
    const own = (texts[write] ??= []);
    return own.push(raw as Text) - 1;
  }

  function record(event: EventDefinition, v0?: unknown, v1?: unknown, v2?: unknown, v3?: unknown, v4?: unknown, v5?: unknown): void {
    recordAt(rdtsc(), event, v0, v1, v2, v3, v4, v5);
  }

  function recorder(event: EventDefinition): (stamp: bigint, ...values: unknown[]) => void {
    const form = forms[event.id] ?? learn(event);
    const { header, count } = form;
    // What an event has no field for goes where nobody reads: cheaper than asking.
    const nowhere = new Float64Array(capacity * 8);
    const arrays = [form.way0, form.way1, form.way2, form.way3, form.way4, form.way5].map((way, index) => {
      if (index >= count) return nowhere;
      if (way !== AS_FLOAT && way !== AS_INTEGER) throw new TypeError(`trace: ${event.name} has fields that a recorder can't take`);
      return way === AS_INTEGER ? integers : floats;
    });
    const [a0, a1, a2, a3, a4, a5] = arrays as unknown as [LaneArray, LaneArray, LaneArray, LaneArray, LaneArray, LaneArray];
    return function recordLanes(stamp: bigint, v0?: unknown, v1?: unknown, v2?: unknown, v3?: unknown, v4?: unknown, v5?: unknown): void {
      if (used === capacity) {
        dropped++;
        return;
      }
      const lane = write * 8;
      words[write * 16] = header;
      words[write * 16 + 1] = sequence++;
      integers[lane + 1] = stamp;
      a0[lane + 2] = v0 as never;
      a1[lane + 3] = v1 as never;
      a2[lane + 4] = v2 as never;
      a3[lane + 5] = v3 as never;
      a4[lane + 6] = v4 as never;
      a5[lane + 7] = v5 as never;
      write = write + 1 === capacity ? 0 : write + 1;
      used++;
    };
  }

  function writeHeader(kind: number, middle: number, last: number, body: Uint8Array): void {
    const frame = new Uint8Array(FRAME_HEADER_BYTES + body.length);
    const view = new DataView(frame.buffer);
    view.setUint8(0, kind);
    view.setUint8(1, cpu);
    view.setUint16(2, middle, true);
    view.setUint32(4, last, true);
    frame.set(body, FRAME_HEADER_BYTES);
    frames?.write(frame.buffer, 0, frame.length);
  }

  const textHeader = new ArrayBuffer(FRAME_HEADER_BYTES);
  const textHeaderBytes = new Uint8Array(textHeader);
  textHeaderBytes[0] = FRAME.TEXT;
  textHeaderBytes[1] = cpu;

  /** A text of the record that follows. */
  function sendText(text: Text, index: number): void {
    const isString = typeof text === 'string';
    const buffer = isString ? encode(text) : (text.buffer as ArrayBuffer);
    const length = isString ? buffer.byteLength : text.length;
    textHeaderBytes[2] = length & 0xff;
    textHeaderBytes[3] = length >> 8;
    textHeaderBytes[4] = index;
    frames?.write(textHeader, 0, FRAME_HEADER_BYTES);
    frames?.write(buffer, isString ? 0 : text.byteOffset, length);
  }

  /** `count` cells that lie side by side. Runs without text go out in one block. */
  function sendCells(first: number, count: number): void {
    let runStart = first;
    for (let slot = first; slot < first + count; slot++) {
      const own = texts[slot];
      if (!own) continue;
      if (slot > runStart) frames?.write(ring, runStart * CELL_BYTES, (slot - runStart) * CELL_BYTES);
      for (let index = 0; index < own.length; index++) sendText(own[index]!, index);
      runStart = slot;
    }
    if (first + count > runStart) frames?.write(ring, runStart * CELL_BYTES, (first + count - runStart) * CELL_BYTES);
  }

  function writeLine(slot: number, sink: LineSink, toNanos: StampScale): void {
    const event = forms[words[slot * 16]! >>> 16]?.event;
    if (!event || levelRank(event.level) > levelRank(sink.level)) return;
    if (!headed) sink.writeLine(HEADER_LINE);
    headed = true;
    const values = event.fields.map(([, type], index) => {
      const lane = slot * 8 + LANES_OFFSET / 8 + index;
      const raw =
        type.lane === 'integer' ? integers[lane]! : type.lane === 'float' ? floats[lane]! : stringOf(texts[slot]![floats[lane]!]!);
      return type.decode(raw, toNanos) as unknown;
    });
    sink.writeLine(formatLine(event, toNanos.toNanos(integers[slot * 8 + 1]!), cpu, values));
  }

  function start(): void {
    if (started) return;
    started = true;
    writeHeader(FRAME.START, WIRE_VERSION, 0, new Uint8Array(new BigInt64Array([bootStamp]).buffer));
  }

  function flushSome(limit: number): void {
    start();
    const first = write >= used ? write - used : write - used + capacity;
    const most = frames ? limit : 1;
    const straight = capacity - first;
    let count = used < straight ? used : straight;
    if (count > most) count = most;
    if (count === 0) return;
    if (frames) sendCells(first, count);
    else if (lines && scale) writeLine(first, lines, scale);
    for (let slot = first; slot < first + count; slot++) texts[slot] = undefined;
    used -= count;
  }

  function flush(): void {
    start();
    const first = (write - used + capacity) % capacity;
    const straight = Math.min(used, capacity - first);
    if (frames) {
      sendCells(first, straight);
      sendCells(0, used - straight);
    }
    for (let index = 0; index < used; index++) {
      const slot = (first + index) % capacity;
      if (lines && scale) writeLine(slot, lines, scale);
      texts[slot] = undefined;
    }
    used = 0;
    if (dropped > 0) {
      const count = dropped;
      dropped = 0;
      record(MACHINE_EVENTS.traceDropped, count);
      flush();
    }
  }

  return {
    record: record as Trace['record'],
    recordAt: recordAt as Trace['recordAt'],
    recorder: recorder as Trace['recorder'],
    flushSome,
    flush,
    learn: (events) => {
      for (const event of Object.values(events)) learn(event);
    },
    pending: () => used,
    setScale: (known) => {
      scale = known;
    },
  };
}
