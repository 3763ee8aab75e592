/** Lines on the hypervisor's console, each under the partition's name. */
import { encodeUtf8 } from '../../kernel/trace/utf8.ts';
import { CONSOLE_MAX, ERROR, HYPERCALL } from '../../kernel/partition/abi.ts';
import { HypercallError } from './errors.ts';
import type { Hypervisor, SharedMemory } from './hypervisor.ts';

export interface PartitionConsole {
  /** Text of one or several lines, as UTF-8. Lines of more than CONSOLE_MAX - 1 bytes go on in a line of their own. */
  line(text: string): void;
  /** Pieces that the console had no room for, because the partition wrote more than it may until they are sent. */
  lost(): number;
}

const NEW_LINE = 0x0a;
const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

export function createConsole(hypervisor: Hypervisor, memory: SharedMemory): PartitionConsole {
  const { address, buffer } = memory.allocate(CONSOLE_MAX);
  const out = new Uint8Array(buffer);
  let lost = 0;

  /** Ends the line that is `length` bytes long by now, and sends it. */
  function send(length: number): void {
    out[length] = NEW_LINE;
    const status = hypervisor.attempt(HYPERCALL.CONSOLE, address, length + 1);
    // Text is no reason to end a program.
    if (status === ERROR.FULL) lost++;
    else if (status !== ERROR.OK) throw new HypercallError(HYPERCALL.CONSOLE, status, `${length + 1} bytes`);
  }

  /** What most lines are: ASCII, and short enough for one call. False, with nothing sent, if this one is not. */
  function sendPlain(text: string): boolean {
    const length = text.length;
    if (length >= CONSOLE_MAX) return false;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code >= 0x80 || code === NEW_LINE) return false;
      out[index] = code;
    }
    send(length);
    return true;
  }

  function sendBytes(bytes: Uint8Array): void {
    let start = 0;
    do {
      let end = Math.min(start + CONSOLE_MAX - 1, bytes.length);
      // Not through the middle of a character.
      while (end < bytes.length && isContinuation(bytes[end])) end--;
      out.set(bytes.subarray(start, end));
      send(end - start);
      start = end;
    } while (start < bytes.length);
  }

  return {
    line: (text) => {
      if (!sendPlain(text)) for (const part of text.split('\n')) sendBytes(encodeUtf8(part));
    },
    lost: () => lost,
  };
}
