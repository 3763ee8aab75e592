import { describe, expect, it } from 'vitest';
import { fakeShims } from '../testing/bus.ts';
import { createDispatcher, type IdleWay } from './dispatcher.ts';

/** Shims whose idle and poll take what has come meanwhile. Both overwrite what the last one took, as the runtime's do. */
function createCpu(way: IdleWay = 'halt') {
  let pending: (readonly [vector: number, tsc: bigint])[] = [];
  let taken: typeof pending = [];
  const log: string[] = [];
  const take = (verb: string) => (): number => {
    log.push(verb);
    taken = pending;
    pending = [];
    return taken.length;
  };
  const shims = fakeShims({
    idle: take('idle'),
    idleAwake: take('idle awake'),
    poll: take('poll'),
    interruptVector: (index) => taken[index]![0],
    interruptTsc: (index) => taken[index]![1],
  });
  const dispatcher = createDispatcher(shims, way, (vector, tsc) => log.push(`unexpected ${vector.toString(16)} at ${tsc}`));
  return {
    log,
    dispatcher,
    raise: (vector: number, tsc = 0n): void => void pending.push([vector, tsc]),
    handle: (vector: number, name: string): void =>
      dispatcher.setHandler(
        vector,
        (tsc) => log.push(`${name} at ${tsc}`),
        () => log.push(`end of ${name}`),
      ),
  };
}

describe('the dispatcher', () => {
  it('calls the handler with the stamp of the stub, and ends the interrupt after it', () => {
    const { dispatcher, handle, log, raise } = createCpu();
    handle(0x30, 'pit');
    raise(0x30, 1234n);
    dispatcher.waitAndDispatch();
    expect(log).toEqual(['idle', 'pit at 1234', 'end of pit']);
  });

  it('waits only when it is told to wait', () => {
    const { dispatcher, handle, log, raise } = createCpu();
    handle(0x30, 'pit');
    raise(0x30, 5n);
    dispatcher.pollAndDispatch();
    expect(log).toEqual(['poll', 'pit at 5', 'end of pit']);
  });

  it('that waits awake never halts', () => {
    const { dispatcher, handle, log, raise } = createCpu('awake');
    handle(0x30, 'pit');
    raise(0x30, 5n);
    dispatcher.waitAndDispatch();
    raise(0x30, 6n);
    dispatcher.pollAndDispatch();
    expect(log).toEqual(['idle awake', 'pit at 5', 'end of pit', 'poll', 'pit at 6', 'end of pit']);
  });

  it('calls handlers in the order in which interrupts were taken, each ended before the next', () => {
    const { dispatcher, handle, log, raise } = createCpu();
    handle(0x30, 'pit');
    handle(0xe0, 'lapic');
    raise(0xe0, 1n);
    raise(0x30, 2n);
    raise(0xe0, 3n);
    dispatcher.waitAndDispatch();
    expect(log).toEqual(['idle', 'lapic at 1', 'end of lapic', 'pit at 2', 'end of pit', 'lapic at 3', 'end of lapic']);
  });

  it('takes a wait without interrupts', () => {
    const { dispatcher, handle, log } = createCpu();
    handle(0x30, 'pit');
    dispatcher.waitAndDispatch();
    expect(log).toEqual(['idle']);
  });

  it.each([0, 0x20, 0xff])('tells of vector %i without a handler, ends nothing, and goes on', (vector) => {
    const { dispatcher, handle, log, raise } = createCpu();
    handle(0x30, 'pit');
    raise(vector, 7n);
    raise(0x30, 8n);
    dispatcher.waitAndDispatch();
    expect(log).toEqual(['idle', `unexpected ${vector.toString(16)} at 7`, 'pit at 8', 'end of pit']);
  });

  it('has the last handler that was set, with its own end', () => {
    const { dispatcher, handle, log, raise } = createCpu();
    handle(0x30, 'first');
    handle(0x30, 'second');
    raise(0x30);
    dispatcher.pollAndDispatch();
    expect(log).toEqual(['poll', 'second at 0', 'end of second']);
  });

  it('does not expect a vector whose handler was removed', () => {
    const { dispatcher, handle, log, raise } = createCpu();
    handle(0x30, 'pit');
    dispatcher.removeHandler(0x30);
    raise(0x30, 9n);
    dispatcher.pollAndDispatch();
    // Its controller still waits for the end.
    expect(log).toEqual(['poll', 'unexpected 30 at 9', 'end of pit']);
  });

  it('ends an interrupt whose handler removes itself: the controller waits for that', () => {
    const { dispatcher, log, raise } = createCpu();
    dispatcher.setHandler(
      0x30,
      () => {
        log.push('once');
        dispatcher.removeHandler(0x30);
      },
      () => log.push('end'),
    );
    raise(0x30);
    dispatcher.pollAndDispatch();
    expect(log).toEqual(['poll', 'once', 'end']);
  });

  it('ends an interrupt by what was its end when it came, if the handler hands the vector on', () => {
    const { dispatcher, handle, log, raise } = createCpu();
    dispatcher.setHandler(
      0x30,
      () => handle(0x30, 'next'),
      () => log.push('end of the first'),
    );
    raise(0x30);
    raise(0x30, 1n);
    dispatcher.pollAndDispatch();
    expect(log).toEqual(['poll', 'end of the first', 'next at 1', 'end of next']);
  });
});
