/** The scheduler on a machine of its own: a TSC that goes on at each read, guests that run until something ends it. */
import { describe, expect, it } from 'vitest';
import type { Dispatcher } from '../interrupts/dispatcher.ts';
import { EXIT_CODE } from '../regs/vmcb.ts';
import { createFakePartition, createFakeTrace } from '../testing/partition.ts';
import { frequency } from '../time/frequency.ts';
import type { HwClock } from '../time/hw-clock.ts';
import { AREA } from '../vm/guest-area.ts';
import { AFTER, exitIndex, type ExitHandler } from './exits.ts';
import { createHealthMonitor } from './health-monitor.ts';
import type { Partition } from './partition.ts';
import { createScheduler, type SchedulerParts } from './scheduler.ts';
import { createLocalApicSlotTimer } from './slot-timer.ts';
import type { HealthAction, PlanDescription } from './system.ts';
import { createSystemTime } from './system-time.ts';

const MS = 1_000_000n;
const TIMER_VECTOR = 0xec;
const TIMER_REGISTER = 0xfee0_0380;
const EOI_REGISTER = 0xfee0_00b0;
const EPOCH = 10n * MS;
/** TSC ticks, of a nanosecond, from one read to the next. */
const READ = 50n;
/** A guest that calls does so after so long. */
const CALL_AFTER = 10_000n;

const CALLER = 0;
const SPINNER = 1;

/** Slots of 1 ms, of the two in turn. */
const PLAN: PlanDescription = {
  name: 'normal',
  majorFrame: 2e6,
  isMaintenance: false,
  slots: [
    { partition: CALLER, start: 0, duration: 1e6 },
    { partition: SPINNER, start: 1e6, duration: 1e6 },
  ],
};

interface Options {
  /** The caller's rule for an error of the kernel; without one the default holds. */
  readonly rule?: HealthAction;
  readonly onCall: ExitHandler;
  readonly frames?: number;
  readonly betweenFrames?: SchedulerParts['betweenFrames'];
}

function create({ rule, onCall, frames = 5, betweenFrames }: Options) {
  let tsc = 0n;
  const rdtsc = (): bigint => (tsc += READ);
  /** TSC at which the timer fires; undefined: it is not armed. */
  let firesAt: bigint | undefined;
  let isFired = false;

  const clock = { name: 'tsc', now: () => 0n, readingTsc: () => 0n } as unknown as HwClock;
  const time = createSystemTime(rdtsc, frequency(1_000_000_000n, 1n, 'measured', 'a test'), clock, EPOCH);
  const { trace, take } = createFakeTrace();
  const partitions = [CALLER, SPINNER].map((index): Partition => {
    const health = rule && index === CALLER ? [{ event: 'hypervisor-error' as const, action: rule }] : [];
    const partition = createFakePartition({ index, health });
    return { ...partition, vcpu: { ...partition.vcpu, guest: index } };
  });

  function runGuest(guest: number): number {
    const { area } = partitions[guest]!.vcpu;
    if (tsc < area[AREA.NOT_BEFORE]!) tsc = area[AREA.NOT_BEFORE]!;
    area[AREA.ENTERED] = tsc;
    if (area[AREA.TIMER_ADDRESS] !== 0n) firesAt = tsc + area[AREA.TIMER_VALUE]!;
    area[AREA.TIMER_ADDRESS] = 0n;
    area[AREA.KEEP] = 0n;
    if (firesAt === undefined) throw new Error('a guest is entered, and nothing is to end its run');
    const isCalling = guest === CALLER && tsc + CALL_AFTER < firesAt;
    tsc = isCalling ? tsc + CALL_AFTER : firesAt;
    if (!isCalling) firesAt = undefined;
    area[AREA.LEFT] = tsc;
    area[AREA.TAKEN] = isCalling ? 0n : BigInt((TIMER_VECTOR << 8) | 1);
    return isCalling ? EXIT_CODE.VMMCALL : EXIT_CODE.INTR;
  }

  const dispatcher = {
    waitAndDispatch: () => {
      if (firesAt === undefined) throw new Error('it waits, and nothing is armed');
      if (tsc < firesAt) tsc = firesAt;
      firesAt = undefined;
      isFired = true;
    },
    pollAndDispatch: () => undefined,
    dispatchTaken: () => undefined,
  } as unknown as Dispatcher;

  const scheduler = createScheduler({
    partitions,
    plans: [PLAN],
    duration: BigInt(frames) * 2n * MS,
    time,
    timer: createLocalApicSlotTimer(
      TIMER_REGISTER,
      EOI_REGISTER,
      { numerator: 1n, denominator: 1n },
      (ticks) => {
        firesAt = tsc + BigInt(ticks);
      },
      rdtsc,
    ),
    dispatcher,
    trace,
    rdtsc,
    runGuest,
    tracesExits: false,
    takeFired: () => {
      const fired = isFired;
      isFired = false;
      return fired;
    },
    timerVector: TIMER_VECTOR,
    endTimerInterrupt: () => undefined,
    chores: { isDue: () => false, step: () => undefined },
    betweenFrames,
    longestStretch: () => 0n,
  });
  const handlers: ExitHandler[] = [];
  handlers[exitIndex(EXIT_CODE.VMMCALL)] = onCall;
  scheduler.connect(handlers, createHealthMonitor({ trace, actions: scheduler.calls, now: time.now }));

  return {
    scheduler,
    partitions,
    time,
    /** From here on: how late the slots of each partition began, and what else was recorded, by event. */
    read: () => {
      const records = take();
      const of = (event: string): (readonly unknown[])[] => records.filter(([name]) => name === event).map(([, ...values]) => values);
      const slots = of('slot.run').map(([partition, , frame, nominal, entered]) => ({
        partition: partition as number,
        frame: frame as number,
        nominal: nominal as bigint,
        late: (entered as bigint) - (nominal as bigint),
      }));
      return { of, slotsOf: (index: number) => slots.filter(({ partition }) => partition === index) };
    },
  };
}

const exactSlots = (first: bigint, count: number) =>
  Array.from({ length: count }, (_, frame) => ({
    partition: SPINNER,
    frame,
    nominal: EPOCH + first + BigInt(frame) * 2n * MS,
    late: 0n,
  }));

it('each slot begins at its instant, on a clock that moves at each read', () => {
  const { scheduler, read } = create({ onCall: () => AFTER.RESUME });
  expect(scheduler.run()).toBe('its duration is over');
  const { of, slotsOf } = read();
  expect(slotsOf(SPINNER)).toEqual(exactSlots(MS, 5));
  expect(slotsOf(CALLER).map(({ late }) => late)).toEqual([0n, 0n, 0n, 0n, 0n]);
  expect(of('slot.late')).toEqual([]);
});

describe("the kernel's own mistake, made for a partition", () => {
  const broken = (): never => {
    throw new RangeError('an index of the kernel');
  };

  it('ends the run with the error, where no rule says what else', () => {
    const { scheduler, read } = create({ onCall: broken });
    expect(() => scheduler.run()).toThrow('an index of the kernel');
    expect(read().of('health.event')).toEqual([[CALLER, 'hypervisor-error', 'stop', 'RangeError: an index of the kernel']]);
  });

  it('halts the partition, if its rule says so: the slots of the other one stay where they are', () => {
    const { scheduler, partitions, read } = create({ rule: 'halt', onCall: broken });
    expect(scheduler.run()).toBe('its duration is over');
    const { of, slotsOf } = read();
    expect(of('health.event')).toEqual([[CALLER, 'hypervisor-error', 'halt', 'RangeError: an index of the kernel']]);
    expect(of('partition.state')).toEqual([[CALLER, 'halted', 'hypervisor-error: RangeError: an index of the kernel']]);
    expect(slotsOf(SPINNER)).toEqual(exactSlots(MS, 5));
    expect(partitions[CALLER]!.exits[exitIndex(EXIT_CODE.VMMCALL)]).toBe(1);
  });

  it('resets it, if its rule says so: it makes the mistake again in each slot, and nobody else is late', () => {
    const { scheduler, partitions, read } = create({ rule: 'cold-reset', onCall: broken });
    expect(scheduler.run()).toBe('its duration is over');
    const { of, slotsOf } = read();
    expect(of('health.event')).toHaveLength(5);
    expect(partitions[CALLER]!.resets).toBe(5);
    expect(slotsOf(SPINNER)).toEqual(exactSlots(MS, 5));
  });

  it('costs the rest of the slot where it is only logged', () => {
    let calls = 0;
    const { scheduler, read } = create({ rule: 'log', onCall: () => (++calls === 3 ? broken() : AFTER.RESUME) });
    expect(scheduler.run()).toBe('its duration is over');
    const { of, slotsOf } = read();
    expect(of('health.event')).toHaveLength(1);
    expect(slotsOf(SPINNER)).toEqual(exactSlots(MS, 5));
    // That slot of its own has no record: what was known of it is gone with the error.
    expect(slotsOf(CALLER).map(({ frame, late }) => [frame, late])).toEqual([1, 2, 3, 4].map((frame) => [frame, 0n]));
  });
});

describe('between two frames', () => {
  it('it is told the instant at which the frame ended, before a slot of the next one is placed', () => {
    const ends: bigint[] = [];
    const betweenFrames = (end: bigint): undefined => void ends.push(end);
    const { scheduler, read } = create({ onCall: () => AFTER.RESUME, betweenFrames });
    scheduler.run();
    // The last one ends with the run.
    expect(ends).toEqual([2n, 4n, 6n, 8n].map((millis) => millis * MS));
    expect(read().slotsOf(SPINNER)).toEqual(exactSlots(MS, 5));
  });

  it('time may stand still: the slots after it begin at their instants, later by the TSC, and none is late', () => {
    const AHEAD = MS;
    const STOOD = 7n * MS;
    const machine = create({
      onCall: () => AFTER.RESUME,
      betweenFrames: (end) => {
        if (end !== 4n * MS) return undefined;
        machine.time.hold();
        machine.time.release(STOOD + AHEAD);
        return undefined;
      },
    });
    machine.scheduler.run();
    const { of, slotsOf } = machine.read();
    expect(of('slot.late')).toEqual([]);
    const nominal = slotsOf(SPINNER).map((slot) => slot.nominal);
    expect(nominal.slice(0, 2)).toEqual([EPOCH + MS, EPOCH + 3n * MS]);
    const moved = nominal[2]! - (EPOCH + 5n * MS);
    expect(moved).toBeGreaterThanOrEqual(STOOD + AHEAD);
    expect(moved).toBeLessThan(STOOD + AHEAD + 1_000n);
    expect(nominal.slice(3)).toEqual([EPOCH + 7n * MS + moved, EPOCH + 9n * MS + moved]);
  });

  it('the run ends for the reason that it is given', () => {
    const { scheduler, read } = create({ onCall: () => AFTER.RESUME, betweenFrames: (end) => (end === 4n * MS ? 'enough' : undefined) });
    expect(scheduler.run()).toBe('enough');
    expect(read().slotsOf(SPINNER)).toHaveLength(2);
  });
});
