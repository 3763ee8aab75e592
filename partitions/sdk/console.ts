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

  function write(bytes: Uint8Array): void {
    let start = 0;
    do {
      let end = Math.min(start + CONSOLE_MAX - 1, bytes.length);
      // Not through the middle of a character.
      while (end < bytes.length && isContinuation(bytes[end])) end--;
      out.set(bytes.subarray(start, end));
      out[end - start] = NEW_LINE;
      const status = hypervisor.attempt(HYPERCALL.CONSOLE, address, end - start + 1);
      // Text is no reason to end a program.
      if (status === ERROR.FULL) lost++;
      else if (status !== ERROR.OK) throw new HypercallError(HYPERCALL.CONSOLE, status, `${end - start} bytes`);
      start = end;
    } while (start < bytes.length);
  }

  return {
    line: (text) => {
      for (const part of text.split('\n')) write(encodeUtf8(part));
    },
    lost: () => lost,
  };
}
