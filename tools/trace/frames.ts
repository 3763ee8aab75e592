/**
 * The binary trace channel (kernel/trace/wire.ts) rendered to the lines of the text grammar. Stamps are ticks of
 * the TSC until the kernel has measured it: records wait for that one, so that every line says nanoseconds.
 */
import { EVENT_BY_ID, EVENTS } from '../../kernel/trace/events.ts';
import type { StampScale } from '../../kernel/trace/event.ts';
import { formatLine, HEADER_LINE } from '../../kernel/trace/text.ts';
import { CELL_BYTES, FRAME, FRAME_HEADER_BYTES, LANES_OFFSET, WIRE_VERSION } from '../../kernel/trace/wire.ts';

export interface FrameDecoder {
  push(bytes: Uint8Array): void;
  /** Delivers what still waits; says so if the stream ends within a frame. */
  end(): void;
}

interface WaitingRecord {
  readonly cell: Buffer;
  readonly texts: readonly string[];
}

const START_BYTES = FRAME_HEADER_BYTES + 8;
const NANOS_PER_SECOND = 1_000_000_000n;

export function createFrameDecoder(onLine: (line: string) => void): FrameDecoder {
  let buffer: Buffer = Buffer.alloc(0);
  let bootStamp = 0n;
  let scale: StampScale | undefined;
  let texts: string[] = [];
  let waiting: (WaitingRecord | string)[] = [];
  let skipped = 0;
  let started = false;
  const sequences = new Map<number, number>();

  /** Bytes of the frame at `offset`; undefined if more have to come, 0 if it is none. */
  function frameLength(offset: number): number | undefined {
    const rest = buffer.length - offset;
    if (rest < FRAME_HEADER_BYTES) return undefined;
    const kind = buffer[offset]!;
    let length = 0;
    if (kind === FRAME.RECORD) length = CELL_BYTES;
    else if (kind === FRAME.START) length = START_BYTES;
    else if (kind === FRAME.TEXT || kind === FRAME.DIAGNOSTIC) length = FRAME_HEADER_BYTES + buffer.readUInt16LE(offset + 2);
    return rest >= length ? length : undefined;
  }

  function deliver(item: WaitingRecord | string): void {
    if (typeof item === 'string') onLine(item);
    else onLine(render(item));
  }

  function emit(item: WaitingRecord | string): void {
    if (scale) deliver(item);
    else waiting.push(item);
  }

  function release(): void {
    const items = waiting;
    waiting = [];
    items.forEach(deliver);
  }

  function render({ cell, texts: own }: WaitingRecord): string {
    const id = cell.readUInt16LE(2);
    const event = EVENT_BY_ID.get(id);
    const at = scale!.toNanos(cell.readBigInt64LE(8));
    const cpu = cell[1]!;
    if (!event) return `# at ${at} ns, cpu${cpu}: an event with number ${id}, which these tools do not know: ${cell.toString('hex')}`;
    const values = event.fields.map(([, type], index): unknown => {
      const offset = LANES_OFFSET + index * 8;
      const float = cell.readDoubleLE(offset);
      const raw = type.lane === 'integer' ? cell.readBigInt64LE(offset) : type.lane === 'float' ? float : (own[float] ?? '(text lost)');
      return type.decode(raw, scale!);
    });
    return formatLine(event, at, cpu, values);
  }

  function setScale(numerator: bigint, denominator: bigint): void {
    const boot = bootStamp;
    scale = { toNanos: (tsc) => floorDivide((tsc - boot) * denominator * NANOS_PER_SECOND, numerator) };
  }

  function takeRecord(cell: Buffer): void {
    const cpu = cell[1]!;
    const sequence = cell.readUInt32LE(4);
    const expected = sequences.get(cpu) ?? 0;
    if (sequence !== expected) emit(`# ${(sequence - expected) >>> 0} records of cpu${cpu} are missing here`);
    sequences.set(cpu, (sequence + 1) >>> 0);
    const own = texts;
    texts = [];
    emit({ cell, texts: own });
    // The TSC's frequency is what all stamps wait for.
    if (!scale && cell.readUInt16LE(2) === EVENTS.frequency.id && own[cell.readDoubleLE(LANES_OFFSET)] === 'tsc') {
      const numerator = cell.readBigInt64LE(LANES_OFFSET + 8);
      const denominator = cell.readBigInt64LE(LANES_OFFSET + 16);
      // A damaged cell is not divided by.
      if (numerator <= 0n || denominator <= 0n) return;
      setScale(numerator, denominator);
      release();
    }
  }

  function takeFrame(frame: Buffer): void {
    if (skipped > 0) {
      emit(`# ${skipped} bytes of the trace channel are no frame`);
      skipped = 0;
    }
    switch (frame[0]) {
      case FRAME.START: {
        const version = frame.readUInt16LE(2);
        bootStamp = frame.readBigInt64LE(FRAME_HEADER_BYTES);
        if (version !== WIRE_VERSION) emit(`# the trace channel has version ${version}; these tools know ${WIRE_VERSION}`);
        break;
      }
      case FRAME.TEXT:
        texts[frame.readUInt32LE(4)] = frame.toString('utf8', FRAME_HEADER_BYTES);
        break;
      case FRAME.DIAGNOSTIC:
        emit(frame.toString('utf8', FRAME_HEADER_BYTES).replace(/\r?\n$/, ''));
        break;
      default:
        // A copy: a record that has to wait would keep the whole chunk it came in.
        takeRecord(Buffer.from(frame));
    }
  }

  function header(): void {
    if (!started) onLine(HEADER_LINE);
    started = true;
  }

  return {
    push: (bytes) => {
      header();
      buffer = buffer.length === 0 ? Buffer.from(bytes) : Buffer.concat([buffer, bytes]);
      let offset = 0;
      for (;;) {
        const length = frameLength(offset);
        if (length === undefined) break;
        if (length === 0) {
          skipped++;
          offset++;
          continue;
        }
        takeFrame(buffer.subarray(offset, offset + length));
        offset += length;
      }
      buffer = buffer.subarray(offset);
    },
    end: () => {
      if (!started) return;
      if (!scale && waiting.some((item) => typeof item !== 'string')) {
        waiting.unshift('# the TSC was never measured: stamps are shown as if it ran at 1 GHz');
      }
      if (!scale) setScale(NANOS_PER_SECOND, 1n);
      release();
      if (buffer.length > 0 || skipped > 0) onLine(`# the trace channel ends within a frame: ${buffer.length + skipped} bytes are left`);
      buffer = Buffer.alloc(0);
      skipped = 0;
    },
  };
}

function floorDivide(a: bigint, b: bigint): bigint {
  return a >= 0n ? a / b : -((-a + b - 1n) / b);
}
