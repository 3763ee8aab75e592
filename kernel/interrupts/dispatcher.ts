/** From a vector to a handler. Interrupts reach TypeScript only here, between two pieces of its own work. */
import type { Shims } from '../hw/shims.ts';

/** @param taken TSC at the first instructions of the interrupt's stub */
export type InterruptHandler = (taken: bigint) => void;

export interface Dispatcher {
  /** `end` tells the interrupt controller that the interrupt is over; it is called after the handler. */
  setHandler(vector: number, handler: InterruptHandler, end: () => void): void;
  /** Interrupts of the vector that still come are unexpected, but are ended as before. */
  removeHandler(vector: number): void;
  /** Waits for interrupts and calls their handlers, in the order in which they were taken. */
  waitAndDispatch(): void;
  /** The same for interrupts that are pending, without waiting. */
  pollAndDispatch(): void;
}

/** How the CPU waits: by HLT, or awake (Shims.idleAwake). */
export type IdleWay = 'halt' | 'awake';

/** @param onUnexpected called for a vector without a handler; a vector that never had one is not ended: nobody knows how */
export function createDispatcher(shims: Shims, way: IdleWay, onUnexpected: (vector: number, taken: bigint) => void): Dispatcher {
  const { poll, interruptVector, interruptTsc } = shims;
  const idle = way === 'halt' ? shims.idle : shims.idleAwake;
  const handlers = new Array<InterruptHandler | undefined>(256).fill(undefined);
  const ends = new Array<(() => void) | undefined>(256).fill(undefined);

  function dispatch(count: number): void {
    for (let index = 0; index < count; index++) {
      const vector = interruptVector(index);
      const handler = handlers[vector];
      if (handler === undefined) {
        onUnexpected(vector, interruptTsc(index));
        // Its handler may have gone after it was taken; its controller still waits for the end.
        ends[vector]?.();
      } else {
        // Taken before: the handler may remove itself or hand the vector on, and this interrupt is to be ended all the same.
        const end = ends[vector]!;
        handler(interruptTsc(index));
        end();
      }
    }
  }

  return {
    setHandler: (vector, handler, end) => {
      handlers[vector] = handler;
      ends[vector] = end;
    },
    removeHandler: (vector) => {
      handlers[vector] = undefined;
    },
    waitAndDispatch: () => dispatch(idle()),
    pollAndDispatch: () => dispatch(poll()),
  };
}
