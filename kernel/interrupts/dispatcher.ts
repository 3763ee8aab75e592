/** From a vector to a handler. Interrupts reach TypeScript only here, between two pieces of its own work. */
import type { Shims } from '../hw/shims.ts';

/** @param taken TSC at the first instructions of the interrupt's stub */
export type InterruptHandler = (taken: bigint) => void;

export interface Dispatcher {
  /** `end` tells the interrupt controller that the interrupt is over; it is called after the handler. */
  setHandler(vector: number, handler: InterruptHandler, end: () => void): void;
  /** Interrupts of the vector that still come are unexpected, but are ended as before. */
  removeHandler(vector: number): void;
  /** Whether an interrupt of the vector has been taken whose handler has not been called yet. */
  isTaken(vector: number): boolean;
  /** Waits for interrupts and calls their handlers, in the order in which they were taken. */
  waitAndDispatch(): void;
  /** The same for interrupts that are pending, without waiting. */
  pollAndDispatch(): void;
  /** The same for `count` interrupts that somebody else has taken (Shims.runGuest). */
  dispatchTaken(count: number): void;
}

/** How the CPU waits: by HLT, or awake (Shims.idleAwake). */
export type IdleWay = 'halt' | 'awake';

/** @param onUnexpected called for a vector without a handler; a vector that never had one is not ended: nobody knows how */
export function createDispatcher(shims: Shims, way: IdleWay, onUnexpected: (vector: number, taken: bigint) => void): Dispatcher {
  const { poll, interruptVector, interruptTsc } = shims;
  const idle = way === 'halt' ? shims.idle : shims.idleAwake;
  const handlers = new Array<InterruptHandler | undefined>(256).fill(undefined);
  const ends = new Array<(() => void) | undefined>(256).fill(undefined);

  let taken = 0;
  let begun = 0;

  function dispatch(count: number): void {
    taken = count;
    for (let index = 0; index < count; index++) {
      begun = index + 1;
      const vector = interruptVector(index);
      const handler = handlers[vector];
      if (handler === undefined) {
        onUnexpected(vector, interruptTsc(index));
        // Its handler may have gone after it was taken; its controller still waits for the end.
        ends[vector]?.();
      } else {
        // Taken before: the handler may remove itself or hand the vector on, and this interrupt is to be ended all the same.
        const end = ends[vector]!;
        try {
          handler(interruptTsc(index));
        } finally {
          // An error must not leave the controller waiting: the console goes on after one.
          end();
        }
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
    isTaken: (vector) => {
      for (let index = begun; index < taken; index++) if (interruptVector(index) === vector) return true;
      return false;
    },
    waitAndDispatch: () => dispatch(idle()),
    pollAndDispatch: () => dispatch(poll()),
    dispatchTaken: dispatch,
  };
}
