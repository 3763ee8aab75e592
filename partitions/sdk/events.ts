/** The event loop: virtual interrupts are taken while the partition idles, and nowhere else. */
import type { Shims } from '../../kernel/hw/shims.ts';
import { DEFAULT_VECTOR_BASE, HYPERCALL, LINE } from '../../kernel/partition/abi.ts';
import type { Hypervisor } from './hypervisor.ts';

/** `tsc`: at the first instructions of the interrupt's stub. */
export type LineHandler = (tsc: bigint) => void;

export interface EventLoop {
  /** Calls `handler` for each interrupt on a line, and lets it be delivered from now on. One handler a line: Error if it has one. */
  on(line: number, handler: LineHandler): void;
  /** Lets a line wait again; what comes meanwhile is kept as one interrupt. */
  off(line: number): void;
  /** Waits for interrupts and calls their handlers until stop() is called. */
  run(): void;
  /** Ends run() after the handler that runs. */
  stop(): void;
  /** Waits once and calls the handlers of what came: how many interrupts that were. For programs with a loop of their own. */
  wait(): number;
}

export function createEventLoop(shims: Pick<Shims, 'idle' | 'interruptVector' | 'interruptTsc'>, hypervisor: Hypervisor): EventLoop {
  const handlers: (LineHandler | undefined)[] = [];
  let enabled = 0;
  let isStopped = false;

  function setEnabled(lines: number): void {
    enabled = lines;
    hypervisor.call(HYPERCALL.SET_ENABLED, enabled >>> 0);
  }

  function checkLine(line: number): void {
    if (Number.isInteger(line) && line >= 0 && line < LINE.COUNT) return;
    throw new RangeError(`events: line ${line}: expected an integer from 0 to ${LINE.COUNT - 1}`);
  }

  function wait(): number {
    const count = shims.idle();
    if (count === 1) {
      handlers[shims.interruptVector(0) - DEFAULT_VECTOR_BASE]?.(shims.interruptTsc(0));
      return count;
    }
    // Before the handlers run, because one that waits itself makes the list anew.
    const taken: { readonly line: number; readonly tsc: bigint }[] = [];
    for (let index = 0; index < count; index++)
      taken.push({ line: shims.interruptVector(index) - DEFAULT_VECTOR_BASE, tsc: shims.interruptTsc(index) });
    for (const { line, tsc } of taken) handlers[line]?.(tsc);
    return count;
  }

  return {
    on: (line, handler) => {
      checkLine(line);
      if (handlers[line]) throw new Error(`events: line ${line} has a handler already: take it off first`);
      handlers[line] = handler;
      setEnabled(enabled | (1 << line));
    },
    off: (line) => {
      checkLine(line);
      handlers[line] = undefined;
      setEnabled(enabled & ~(1 << line));
    },
    run: () => {
      isStopped = false;
      while (!isStopped) wait();
    },
    stop: () => {
      isStopped = true;
    },
    wait,
  };
}
