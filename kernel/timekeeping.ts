/**
 * The machine's time, composed: its clock, its timer and the kernel timers on both. Hardware enters as `Machine` has found
 * it; the rules are in time/selection.ts.
 */
import { PIT_IRQ } from './drivers/pit-8254.ts';
import type { InterruptHandler } from './interrupts/dispatcher.ts';
import type { InterruptLine } from './interrupts/router.ts';
import { VECTOR } from './interrupts/vectors.ts';
import type { Machine } from './machine.ts';
import type { Divisor } from './regs/local-apic.ts';
import { createClockWatch } from './time/clock-watch.ts';
import { createCounterClock } from './time/counter-clock.ts';
import { hertz } from './time/frequency.ts';
import type { ClockName, HwClock } from './time/hw-clock.ts';
import { createHwTimer, type ExpiryHandler, type HwTimer, type TimerName } from './time/hw-timer.ts';
import { createKernelTimers, type KernelTimers } from './time/kernel-timers.ts';
import { hpetOneShot, localApicOneShot, pitOneShot, tscDeadlineOneShot, type OneShot } from './time/one-shot.ts';
import { createPitClock } from './time/pit-clock.ts';
import { createTscInstants } from './time/tsc-instants.ts';
import { selectTime, type TimeFacts, type Wish } from './time/selection.ts';
import { instant, micros, millis, nanos, type Instant } from './time/units.ts';
import { EVENTS } from './trace/events.ts';

export interface Timekeeping {
  readonly clock: HwClock;
  readonly timerName: TimerName;
  readonly timers: KernelTimers;
  /** Waits for interrupts and handles them; expired timers run in it. */
  wait(): void;
  /** The clock's instant of a TSC value, by which deadlines and stamps of interrupts are compared. */
  toInstant(tsc: bigint): bigint;
  /** The TSC at an instant of the clock, rounded up: what is done then is not early. */
  toTsc(when: Instant): bigint;
  /**
   * Switches it off: timers are cancelled, the hardware is disarmed, its interrupts are disconnected and what it took (IRQ 0) is given back. The
   * clock stands, if it needed an interrupt. Not to be called from a callback, which the dispatcher still has to come back to.
   */
  stop(): void;
}

export type TimekeepingResult =
  { readonly ok: true; readonly timekeeping: Timekeeping } | { readonly ok: false; readonly problems: readonly string[] };

/** An interrupt has to be seen to arrive within this time of the TSC, and so many polls: on a busy host the machine may stand for long. */
const ARRIVAL = millis(20);
const ARRIVAL_POLLS = 200_000;

/** A comparison of the clock with others when nothing asks for it sooner. */
const BEAT = millis(250);
/** The first of two may be left from before. */
const ARRIVALS = 2;
/** For looking whether the PIT's interrupt arrives: 1 ms. */
const PROBE_RATE = 1_000n;

/** A device is there, but its interrupt is not seen to arrive. */
export class ArrivesNowhere extends Error {}

/** A clock that this machine has: see `timeFacts`. It stands after `stop`, if that is needed to free what it uses. @throws ArrivesNowhere of the PIT's interrupt */
export function createClock(machine: Machine, name: ClockName): HwClock & { stop(): void } {
  const stop = (): void => undefined;
  const { shims, hpet, pmTimer, pit, tscFrequency, now } = machine;
  const { accessTsc } = shims;
  switch (name) {
    case 'tsc':
      return { ...createCounterClock('tsc', { name, frequency: tscFrequency, width: 64, read: shims.rdtsc }, now()), stop };
    case 'hpet':
      return {
        ...createCounterClock('hpet', { name, frequency: hpet!.frequency, width: hpet!.width, read: hpet!.counter }, now(), accessTsc),
        stop,
      };
    case 'pm-timer': {
      const { frequency, width, counter } = pmTimer!;
      return { ...createCounterClock('pm-timer', { name, frequency, width, read: () => BigInt(counter()) }, now(), accessTsc), stop };
    }
    case 'pit': {
      let onTick: InterruptHandler = () => undefined;
      let arrived = 0;
      const line = findLine(
        machine,
        (attempt) =>
          machine.router.connectIsa(
            PIT_IRQ,
            (taken) => {
              arrived++;
              onTick(taken);
            },
            attempt,
          ),
        () => pit!.armPeriodic(Number(hertz(pit!.frequency) / PROBE_RATE)),
        () => arrived >= ARRIVALS,
      );
      if (!line) throw new ArrivesNowhere('clock=pit: its interrupt arrives nowhere');
      const clock = createPitClock({
        pit: pit!,
        isRequested: line.isRequested,
        accessTsc,
        tscFrequency,
        epoch: now(),
        onLost: (count) => machine.trace.record(EVENTS.ticksLost, 'pit', count),
      });
      onTick = clock.onTick;
      return {
        ...clock,
        stop: () => {
          onTick = () => undefined;
          pit!.stop();
          // What is on its way still has a handler.
          machine.dispatcher.pollAndDispatch();
          line.disconnect();
        },
      };
    }
  }
}

/** Tries the ways that an interrupt can go until one is seen to arrive. */
function findLine(
  machine: Machine,
  connect: (attempt: number) => InterruptLine | undefined,
  provoke: () => void,
  hasArrived: () => boolean,
): InterruptLine | undefined {
  const { dispatcher, trace, now } = machine;
  for (let attempt = 0; ; attempt++) {
    const line = connect(attempt);
    if (!line) return undefined;
    line.enable();
    provoke();
    const limit = now() + ARRIVAL;
    for (let poll = 0; !hasArrived() && (poll < ARRIVAL_POLLS || now() < limit); poll++) dispatcher.pollAndDispatch();
    if (hasArrived()) return line;
    line.disconnect();
    trace.record(EVENTS.warning, `${line.route}: an interrupt that was to arrive this way did not`);
  }
}

/** I/O APIC input that the HPET shares with nobody: legacy replacement silences PIT and RTC. */
const ownInput = ({ hpet, router }: Machine): number | undefined => hpet && router.pickGsi(hpet.routes & ~0xffff);

interface TimerParts {
  readonly oneShot: OneShot;
  connect(handler: InterruptHandler, attempt: number): InterruptLine | undefined;
}

/** @param divisor of the local APIC's count; for tests, chosen by its frequency otherwise, and TSC-deadline mode goes before it */
function timerParts(machine: Machine, name: TimerName, divisor?: Divisor): TimerParts {
  const { shims, pit, hpet, localApic, localApicFrequency, tscDeadline, tscFrequency, router, dispatcher } = machine;
  switch (name) {
    case 'pit':
      return {
        oneShot: pitOneShot(pit!, shims),
        connect: (handler, attempt) => router.connectIsa(PIT_IRQ, handler, attempt),
      };
    case 'hpet': {
      const own = ownInput(machine);
      return {
        oneShot: hpetOneShot(hpet!, own ?? 'legacy', shims),
        connect: (handler, attempt) =>
          own === undefined ? router.connectIsa(PIT_IRQ, handler, attempt) : attempt === 0 ? router.connectGsi(own, handler) : undefined,
      };
    }
    case 'lapic': {
      const byDeadline =
        tscDeadline && divisor === undefined
          ? tscDeadlineOneShot(localApic!, tscDeadline, tscFrequency, VECTOR.LOCAL_TIMER, shims.rdtsc)
          : undefined;
      return {
        oneShot: byDeadline ?? localApicOneShot(localApic!, localApicFrequency!, VECTOR.LOCAL_TIMER, shims, divisor),
        connect: (handler, attempt) => {
          if (attempt > 0) return undefined;
          dispatcher.setHandler(VECTOR.LOCAL_TIMER, handler, localApic!.endOfInterrupt);
          return {
            vector: VECTOR.LOCAL_TIMER,
            route: byDeadline ? 'local vector table, TSC deadline' : 'local vector table',
            enable: () => undefined,
            isRequested: localApic!.requestOf(VECTOR.LOCAL_TIMER),
            disconnect: () => dispatcher.removeHandler(VECTOR.LOCAL_TIMER),
          };
        },
      };
    }
  }
}

/**
 * A timer that this machine has, seen to interrupt.
 * @param divisor of the local APIC's count: for tests
 * @throws ArrivesNowhere
 */
export function createTimer(
  machine: Machine,
  name: TimerName,
  clock: HwClock,
  onExpire: ExpiryHandler,
  divisor?: Divisor,
): HwTimer & { stop(): void } {
  const { trace, tscFrequency, dispatcher } = machine;
  const { oneShot, connect } = timerParts(machine, name, divisor);
  let isProven = false;
  // What it is measured with may interrupt: the local APIC has no line to be masked, and an interrupt without a handler is never ended.
  const whileMeasured = connect(() => undefined, 0);
  const timer = createHwTimer({
    clock,
    oneShot,
    tscFrequency,
    poll: dispatcher.pollAndDispatch,
    onExpire: (taken) => {
      if (isProven) onExpire(taken);
      isProven = true;
    },
  });
  whileMeasured?.disconnect();
  const line = findLine(
    machine,
    (attempt) => connect(timer.onInterrupt, attempt),
    () => timer.arm(instant(clock.now() + micros(100))),
    () => isProven,
  );
  if (!line) throw new ArrivesNowhere(`timer=${name}: its interrupt arrives nowhere`);
  trace.record(EVENTS.timerBounds, name, line.route, timer.minInterval, timer.maxInterval, timer.lead);
  return {
    ...timer,
    stop: () => {
      timer.disarm();
      // What is on its way still has a handler.
      dispatcher.pollAndDispatch();
      // Before the HPET gives IRQ 0 back: a PIT whose time has passed then fires at once.
      line.disconnect();
      if (name === 'hpet') machine.hpet!.stop();
    },
  };
}

export function timeFacts(machine: Machine): TimeFacts {
  const { cpu, hpet, pmTimer, pit, localApic, localApicFrequency, tscFrequency, tscInHalt, cpus } = machine;
  const absent = 'the machine has none, see machine.absent';
  const noTsc = !cpu.hasTsc
    ? 'the CPU has none'
    : tscFrequency.provenance === 'architectural'
      ? 'it could not be measured'
      : tscInHalt === 'stops'
        ? 'it stops in HLT'
        : undefined;
  const noLocalApic = localApic && localApicFrequency && hertz(localApicFrequency) > 0n ? undefined : absent;
  return {
    cpus,
    clocks: { tsc: noTsc, hpet: hpet ? undefined : absent, 'pm-timer': pmTimer ? undefined : absent, pit: pit ? undefined : absent },
    hpetSilencesPit: ownInput(machine) === undefined,
    timers: { lapic: noLocalApic, hpet: hpet ? undefined : absent, pit: pit ? undefined : absent },
  };
}

/** Chooses, creates and starts clock, timer, kernel timers and the watch over the clock. */
export function createTimekeeping(machine: Machine, wish: Wish): TimekeepingResult {
  const { trace, tscFrequency } = machine;
  // Whatever the clock is: leads of timers, lateness and lost ticks are measured by the TSC.
  if (tscFrequency.provenance === 'architectural')
    return { ok: false, problems: ['no time: the TSC, which dates everything, could not be measured'] };
  const selection = selectTime(timeFacts(machine), wish);
  if (!selection.ok) return selection;
  const { watch: against } = selection;
  trace.record(EVENTS.timeSelected, 'clock', selection.clock.name, selection.clock.reason);
  trace.record(EVENTS.timeSelected, 'timer', selection.timer.name, selection.timer.reason);
  trace.record(
    EVENTS.timeSelected,
    'watch',
    against ?? 'none',
    against ? 'compared with the clock at run time' : 'no other clock to compare with',
  );

  try {
    return { ok: true, timekeeping: start(machine, selection.clock.name, selection.timer.name, against) };
  } catch (error) {
    if (error instanceof ArrivesNowhere) return { ok: false, problems: [error.message] };
    throw error;
  }
}

function start(machine: Machine, clockName: ClockName, timerName: TimerName, against: ClockName | undefined): Timekeeping {
  const { trace, dispatcher, tscFrequency } = machine;
  const clock = createClock(machine, clockName);
  const { toInstant, toTsc, follow } = createTscInstants(clock, tscFrequency);
  let stopTimer = (): void => undefined;
  const timers = createKernelTimers({
    clock,
    createHwTimer: (onExpire) => {
      const timer = createTimer(machine, timerName, clock, onExpire);
      stopTimer = timer.stop;
      return timer;
    },
  });
  const other = against && createClock(machine, against);
  const watch =
    other &&
    createClockWatch({
      clock,
      against: other,
      onVerdict: ({ verdict, which, offset, ratePpb }) => {
        const by = which === clock.name ? other.name : clock.name;
        if (verdict === 'agree') trace.record(EVENTS.clockAgrees, which, by, offset, ratePpb);
        else trace.record(EVENTS.clockWatch, which, by, verdict, offset, ratePpb);
      },
    });
  // Also keeps a narrow counter from wrapping unseen. The PIT's has its interrupt for that.
  const quarter = nanos(clock.reach / 4n);
  const beat = clock.name === 'pit' || quarter > BEAT ? BEAT : quarter;
  timers.armPeriodic(instant(clock.now() + beat), beat, () => {
    watch?.look();
    follow();
  });
  let isStopped = false;
  return {
    clock,
    timerName,
    timers,
    wait: watch
      ? () => {
          dispatcher.waitAndDispatch();
          watch.look();
        }
      : dispatcher.waitAndDispatch,
    toInstant,
    toTsc,
    stop: () => {
      if (isStopped) return;
      isStopped = true;
      timers.stop();
      stopTimer();
      other?.stop();
      clock.stop();
    },
  };
}
