/** Bytes to lines: line ends may be LF, CRLF or CR CR LF (a pty on the way); a last line without end is a line. */

/** Where a line stands in what was pushed. */
export interface LinePlace {
  /** Of its first byte, counted from 0. */
  readonly offset: number;
  /** Bytes without the line feed; more than the text has if that was cut. */
  readonly length: number;
}

export interface LineSplitter {
  push(bytes: Uint8Array): void;
  end(): void;
  /** Bytes of the line that has not ended yet. */
  readonly pending: number;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** @param most bytes of a line that are kept; the rest of a longer one is passed over */
export function createLineSplitter(onLine: (line: string, place: LinePlace) => void, most = Infinity): LineSplitter {
  /** The beginning of the line that has not ended yet. */
  let pieces: Buffer[] = [];
  let kept = 0;
  let pending = 0;
  let offset = 0;

  function keep(piece: Buffer): void {
    pending += piece.length;
    if (kept >= most || piece.length === 0) return;
    // A copy: the chunk may be its owner's buffer, and is used again.
    const part = Buffer.from(piece.subarray(0, most - kept));
    pieces.push(part);
    kept += part.length;
  }

  function deliver(bytes: Buffer, from: number, to: number, length: number): void {
    let end = to;
    while (end > from && bytes[end - 1] === CARRIAGE_RETURN) end--;
    const place = { offset, length };
    offset += length + 1;
    onLine(bytes.toString('utf8', from, end), place);
  }

  function deliverPending(): void {
    const whole = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
    const length = pending;
    pieces = [];
    kept = 0;
    pending = 0;
    deliver(whole, 0, whole.length, length);
  }

  return {
    push: (chunk) => {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      let start = 0;
      for (;;) {
        const end = bytes.indexOf(LINE_FEED, start);
        if (end < 0) break;
        if (pending > 0) {
          keep(bytes.subarray(start, end));
          deliverPending();
        } else {
          deliver(bytes, start, Math.min(end, start + most), end - start);
        }
        start = end + 1;
      }
      keep(bytes.subarray(start));
    },
    end: () => {
      if (pending > 0) deliverPending();
    },
    get pending() {
      return pending;
    },
  };
}
