/**
 * The uses of time that PRTOS names ("Virtual clock service"), as far as they need no partitions: intervals of external events, a timed
 * output signal, absolute time. (The others: finding a task in an endless loop, and waking partitions at preset times.)
 */
import type { Machine } from '../machine.ts';
import { findRtc, findSerialLine, findSpeaker } from '../peripherals.ts';
import { createByteRecorder } from '../time/byte-recorder.ts';
import { formatIso8601 } from '../time/calendar.ts';
import { ticksToNanos } from '../time/frequency.ts';
import { createIntervalRecorder, type IntervalRecorder } from '../time/interval-recorder.ts';
import { createTimedOutput } from '../time/timed-output.ts';
import { instant, micros, millis, nanos, ticks, type Nanos } from '../time/units.ts';
import { createWallClock, type SecondsClock } from '../time/wall-clock.ts';
import type { Timekeeping } from '../timekeeping.ts';
import { EVENTS } from '../trace/events.ts';

/** Intervals of each source. */
const INTERVALS = 100;
/** Register A's rate select for 1024 Hz. */
const RTC_RATE = 6;
/** Between the bytes that the serial line sends to itself. */
const BYTE_PERIOD = micros(700);
const EDGES = 200;
const EDGE_PERIOD = micros(250);
/** What expiry and callback of a kernel timer take at most, on any clock and timer: 50 us with the PIT as clock. */
const LEAD = micros(60);
/** Events that are to come have come by then. */
const PATIENCE = millis(500);
/** A look at the real-time clock, while its next second is far. */
const LOOK = millis(10);
const SECOND = millis(1_000);
/** Two seconds and a half: one may begin unseen. */
const SECOND_LIMIT = millis(2_500);

export function showUsesOfTime(machine: Machine, timekeeping: Timekeeping): void {
  const rtc = findRtc(machine);
  recordRtc(machine, timekeeping, rtc);
  recordSerialLine(machine, timekeeping);
  putOutSignal(machine, timekeeping);
  keepAbsoluteTime(machine, timekeeping, rtc);
}

/** Waits until something is so, `limit` at most: what comes from outside may not come. @returns whether it is so */
function waitUntil({ clock, timers, wait }: Timekeeping, limit: Nanos, isSo: () => boolean): boolean {
  const timer = timers.armOneShot(instant(clock.now() + limit), () => undefined);
  while (!isSo() && timer.isPending()) wait();
  timer.cancel();
  return isSo();
}

function skip({ trace }: Machine, use: 'interval' | 'output' | 'absolute', source: string, reason: string): void {
  trace.record(EVENTS.useSkipped, use, source, reason);
  trace.flush();
}

function createRecorder({ tscFrequency }: Machine): IntervalRecorder {
  return createIntervalRecorder((tsc) => ticksToNanos(tscFrequency, ticks(tsc)), INTERVALS);
}

function reportIntervals(machine: Machine, source: string, recorder: IntervalRecorder): void {
  const { trace } = machine;
  const seen = recorder.statistics();
  if (!seen || seen.count < INTERVALS) return skip(machine, 'interval', source, `${seen?.count ?? 0} of ${INTERVALS} intervals came`);
  trace.record(EVENTS.intervalsRecorded, source, seen.count, seen.min, seen.max, seen.mean);
  trace.flush();
}

/** The real-time clock interrupts on a crystal of its own. */
function recordRtc(machine: Machine, timekeeping: Timekeeping, found: ReturnType<typeof findRtc>): void {
  if (!found.ok) return skip(machine, 'interval', 'rtc', found.reason);
  const { name, device: rtc, connect } = found.found;
  const recorder = createRecorder(machine);
  const isDone = (): boolean => (recorder.statistics()?.count ?? 0) >= INTERVALS;
  const line = connect((taken) => {
    rtc.acknowledge();
    if (!isDone()) recorder.edge(taken);
  });
  if (!line) return skip(machine, 'interval', name, 'its interrupt has no way to go');
  line.enable();
  rtc.enablePeriodic(RTC_RATE);
  waitUntil(timekeeping, PATIENCE, isDone);
  rtc.disableInterrupts();
  // What is on its way still has a handler.
  machine.dispatcher.pollAndDispatch();
  line.disconnect();
  reportIntervals(machine, name, recorder);
}

/** A serial line in loopback: the kernel sends bytes at exact instants, and records them as any that come from outside. */
function recordSerialLine(machine: Machine, timekeeping: Timekeeping): void {
  const found = findSerialLine(machine);
  if (!found.ok) return skip(machine, 'interval', 'serial line', found.reason);
  const { trace, shims, dispatcher } = machine;
  const { clock, timers, toTsc, wait } = timekeeping;
  const { name, device: receiver, connect } = found.found;
  const recorder = createRecorder(machine);
  const bytes = createByteRecorder(receiver.read, recorder, ({ index, byte, taken, isDated }) =>
    trace.record(EVENTS.byteReceived, name, index, byte, taken, isDated),
  );
  const line = connect(bytes.onInterrupt);
  if (!line) return skip(machine, 'interval', name, 'its interrupt has no way to go');
  trace.flush();
  receiver.setLoopback(true);
  // What came before is not of this line.
  while (receiver.read() >= 0);
  line.enable();
  receiver.enableInterrupt();

  let isNear = false;
  const timer = timers.createTimer(() => (isNear = true));
  let nominal = instant(clock.now() + millis(1));
  for (let index = 0; index <= INTERVALS; index++, nominal = instant(nominal + BYTE_PERIOD)) {
    isNear = false;
    timer.arm(instant(nominal - LEAD));
    while (!isNear) wait();
    shims.spinUntil(toTsc(nominal));
    receiver.put(index);
    // Where the byte is there at once, it is dated at once.
    dispatcher.pollAndDispatch();
  }
  waitUntil(timekeeping, PATIENCE, () => bytes.received() > INTERVALS);
  receiver.disableInterrupt();
  receiver.setLoopback(false);
  dispatcher.pollAndDispatch();
  line.disconnect();
  reportIntervals(machine, name, recorder);
}

function putOutSignal(machine: Machine, timekeeping: Timekeeping): void {
  const found = findSpeaker(machine);
  if (!found.ok) return skip(machine, 'output', 'speaker', found.reason);
  const { trace, shims, tscFrequency } = machine;
  const { clock, timers, toTsc } = timekeeping;
  const speaker = found.found;
  let least = 1n << 62n;
  let most = -least;
  let wrong = 0;
  const output = createTimedOutput({
    timers,
    set: speaker.set,
    accessTsc: shims.accessTsc,
    toTsc,
    spinUntil: shims.spinUntil,
    lead: LEAD,
    onEdge: ({ index, level, nominal, written }) => {
      const error = written - toTsc(nominal);
      if (error < least) least = error;
      if (error > most) most = error;
      if (speaker.level() !== level) wrong++;
      trace.record(EVENTS.outputEdge, 'speaker', index, level, toTsc(nominal), written);
    },
  });
  output.start(instant(clock.now() + millis(1)), EDGE_PERIOD, EDGES);
  waitUntil(timekeeping, SECOND, () => !output.isRunning());
  output.stop();
  if (wrong > 0) return skip(machine, 'output', 'speaker', `${wrong} of ${EDGES} levels did not read back`);
  const toNanos = (tsc: bigint): Nanos => ticksToNanos(tscFrequency, ticks(tsc));
  trace.record(EVENTS.outputSignal, 'speaker', EDGES, EDGE_PERIOD, toNanos(least), toNanos(most));
  trace.flush();
}

/** The real-time clock tells the second, the machine's clock what has passed since that began. */
function keepAbsoluteTime(machine: Machine, timekeeping: Timekeeping, found: ReturnType<typeof findRtc>): void {
  if (!found.ok) return skip(machine, 'absolute', 'rtc', found.reason);
  const { trace } = machine;
  const { clock } = timekeeping;
  const { name, device: rtc } = found.found;
  const problem = awaitSecond(timekeeping, rtc);
  if (problem !== undefined) return skip(machine, 'absolute', name, problem);
  const created = createWallClock({ clock, rtc });
  if (!created.ok) return skip(machine, 'absolute', name, created.reason);
  const { wallClock } = created;
  const now = clock.now();
  trace.record(EVENTS.timeAbsolute, name, formatIso8601(wallClock.at(now)), clock.readingTsc(), wallClock.uncertainty);
  trace.flush();
}

/** Returns shortly before a second begins: polling for that takes a second of the CPU's time. @returns what is wrong with the clock */
function awaitSecond(timekeeping: Timekeeping, rtc: SecondsClock): string | undefined {
  const { clock, timers } = timekeeping;
  const time = rtc.readTime();
  if (!time.ok) return time.reason;
  const first = rtc.second();
  let begun = instant(0n);
  const look = timers.armPeriodic(instant(clock.now() + LOOK), LOOK, (deadline) => {
    if (begun === 0n && !rtc.isUpdating() && rtc.second() !== first) begun = deadline;
  });
  const hasBegun = waitUntil(timekeeping, SECOND_LIMIT, () => begun !== 0n);
  look.cancel();
  if (!hasBegun) return `no second began within ${SECOND_LIMIT / 1_000_000n} ms`;
  const end = begun + SECOND - 2n * LOOK;
  waitUntil(timekeeping, nanos(end - clock.now()), () => false);
  return undefined;
}
