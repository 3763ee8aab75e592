/** Bytes of a serial line as external events: the receive interrupt dates them, an interval recorder keeps what is between them. */
import type { IntervalRecorder } from './interval-recorder.ts';

export interface ReceivedByte {
  /** Counted from 0. */
  readonly index: number;
  readonly byte: number;
  /** TSC at the stub of the interrupt that told of it. */
  readonly taken: bigint;
  /** The first of its interrupt. When the others came is not known, but not before this one. */
  readonly isDated: boolean;
}

export interface ByteRecorder {
  /** The handler of the receive interrupt. Takes all that has come: an edge-triggered line rises for an empty receiver only. */
  onInterrupt(taken: bigint): void;
  /** Bytes so far, those without a date among them. */
  received(): number;
  /** Bytes that came with others in one interrupt and have made no interval. */
  undated(): number;
}

/**
 * @param read the next received byte, or -1
 * @param recorder gets the dated ones
 */
export function createByteRecorder(read: () => number, recorder: IntervalRecorder, onByte: (received: ReceivedByte) => void): ByteRecorder {
  let count = 0;
  let undated = 0;
  return {
    onInterrupt: (taken) => {
      let isDated = true;
      for (let byte = read(); byte >= 0; byte = read()) {
        if (isDated) recorder.edge(taken);
        else undated++;
        onByte({ index: count++, byte, taken, isDated });
        isDated = false;
      }
    },
    received: () => count,
    undated: () => undated,
  };
}
