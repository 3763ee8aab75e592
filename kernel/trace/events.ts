/**
 * Every event there is. Tools and kernel are compiled against this one list: an exporter that switches
 * over `TraceRecord['event']` and lacks a new event does not compile. Numbers are never reused.
 */
import {
  COUNT,
  defineEvent,
  FLAG,
  HEX,
  NANOS,
  oneOf,
  REAL,
  STAMP,
  TEXT,
  TICKS,
  type EventDefinition,
  type FieldsOf,
  type Level,
} from './event.ts';
import { MACHINE_EVENTS } from './machine-events.ts';
import { PARTITION_EVENTS } from './partition-events.ts';

const TIMER_NAME = oneOf('pit', 'hpet', 'lapic');
const CLOCK_NAME = oneOf('pit', 'tsc', 'hpet', 'pm-timer');

const EVENTS_OF_TIME = {
  // ---- time
  /** Which part the machine's time is made of, and why. */
  timeSelected: defineEvent(23, 'time.selected', 'info', [
    ['what', oneOf('clock', 'timer', 'watch')],
    ['name', TEXT],
    ['reason', TEXT],
  ]),
  /** What the hardware timer can do, found by measuring. */
  timerBounds: defineEvent(24, 'time.timer', 'info', [
    ['timer', TIMER_NAME],
    ['route', TEXT],
    ['min', NANOS],
    ['max', NANOS],
    ['lead', NANOS],
  ]),
  /** Interrupts of the PIT clock that were lost, for which it makes up. */
  ticksLost: defineEvent(25, 'clock.ticks-lost', 'warn', [
    ['clock', CLOCK_NAME],
    ['count', COUNT],
  ]),
  /** The clock watch: the two clocks disagree, from now on (drift, stopped) or since the last comparisons (step). */
  clockWatch: defineEvent(26, 'clock.watch', 'error', [
    ['clock', CLOCK_NAME],
    ['against', CLOCK_NAME],
    ['verdict', oneOf('drift', 'step', 'stopped')],
    ['offset', NANOS],
    ['rate-ppb', REAL],
  ]),
  /** What the clock watch told has been over for a second; `offset` and rate since it began. */
  clockAgrees: defineEvent(43, 'clock.agrees', 'info', [
    ['clock', CLOCK_NAME],
    ['against', CLOCK_NAME],
    ['offset', NANOS],
    ['rate-ppb', REAL],
  ]),
  /** Two clocks over the same time. */
  clockCompared: defineEvent(27, 'clock.compared', 'info', [
    ['clock', CLOCK_NAME],
    ['against', CLOCK_NAME],
    ['elapsed', NANOS],
    ['offset', NANOS],
    ['drift-ppb', REAL],
    ['read', NANOS],
  ]),
  /** Lateness of one-shots, from the deadline to the stub's stamp. */
  timerLateness: defineEvent(28, 'timer.lateness', 'info', [
    ['timer', TIMER_NAME],
    ['count', COUNT],
    ['min', NANOS],
    ['max', NANOS],
    ['needless', COUNT],
  ]),

  /** An edge of a timed output signal: when it was to be, and the TSC right after the access that made it. */
  outputEdge: defineEvent(31, 'output.edge', 'debug', [
    ['output', TEXT],
    ['index', COUNT],
    ['level', COUNT],
    ['nominal', STAMP],
    ['written', STAMP],
  ]),
  /** Intervals between external events. */
  intervalsRecorded: defineEvent(38, 'interval.recorded', 'info', [
    ['source', TEXT],
    ['count', COUNT],
    ['min', NANOS],
    ['max', NANOS],
    ['mean', NANOS],
  ]),
  /** A byte as an external event, dated by the interrupt's stub; one that came with others in one interrupt is not dated on its own. */
  byteReceived: defineEvent(39, 'byte.received', 'debug', [
    ['source', TEXT],
    ['index', COUNT],
    ['byte', HEX],
    ['taken', STAMP],
    ['dated', FLAG],
  ]),
  /** A timed output signal is over: by how much its edges missed their instants. */
  outputSignal: defineEvent(40, 'output.signal', 'info', [
    ['output', TEXT],
    ['edges', COUNT],
    ['period', NANOS],
    ['error-min', NANOS],
    ['error-max', NANOS],
  ]),
  /** Absolute time at an instant of the kernel's, and what it may be wrong by, either way. */
  timeAbsolute: defineEvent(41, 'time.absolute', 'info', [
    ['source', TEXT],
    ['time', TEXT],
    ['instant', STAMP],
    ['uncertainty', NANOS],
  ]),
  /** A use of time that this machine has nothing for. */
  useSkipped: defineEvent(42, 'use.skipped', 'warn', [
    ['use', oneOf('interval', 'output', 'absolute')],
    ['source', TEXT],
    ['reason', TEXT],
  ]),

  // ---- the demonstration: a timer that interrupts periodically
  timerStart: defineEvent(32, 'timer.start', 'info', [
    ['timer', TIMER_NAME],
    ['route', TEXT],
    ['vector', HEX],
    ['period-ticks', TICKS],
    ['period', NANOS],
    ['count', COUNT],
  ]),
  /** Stamped by the first statement of the handler; `taken` by the first instructions of the stub. */
  timerInterrupt: defineEvent(33, 'timer.interrupt', 'debug', [
    ['timer', TIMER_NAME],
    ['index', COUNT],
    ['nominal', STAMP],
    ['taken', STAMP],
  ]),
  /** Measured by the kernel itself, in TSC ticks made nanoseconds: what a person with a plain terminal sees. */
  timerInterval: defineEvent(34, 'timer.interval', 'info', [
    ['timer', TIMER_NAME],
    ['min', NANOS],
    ['max', NANOS],
    ['error-min', NANOS],
    ['error-max', NANOS],
    ['spurious', COUNT],
  ]),
  timerLatency: defineEvent(35, 'timer.latency', 'info', [
    ['timer', TIMER_NAME],
    ['min', NANOS],
    ['max', NANOS],
  ]),
  timerSkipped: defineEvent(36, 'timer.skipped', 'warn', [
    ['timer', TIMER_NAME],
    ['reason', TEXT],
  ]),
  /** No interrupt came this way; another one is tried. */
  timerSilent: defineEvent(37, 'timer.silent', 'warn', [
    ['timer', TIMER_NAME],
    ['route', TEXT],
  ]),

  // ---- checks made inside the kernel
  testCase: defineEvent(64, 'test.case', 'info', [
    ['name', TEXT],
    ['result', oneOf('pass', 'fail')],
    ['seen', TEXT],
  ]),

  // ---- figures
  benchmark: defineEvent(48, 'benchmark', 'info', [
    ['name', TEXT],
    ['value', REAL],
    ['unit', TEXT],
  ]),
} as const;

export const EVENTS = { ...MACHINE_EVENTS, ...EVENTS_OF_TIME, ...PARTITION_EVENTS } as const;

export type EventKey = keyof typeof EVENTS;
export type KnownEvent = (typeof EVENTS)[EventKey];
type NameOf<Definition> = Definition extends EventDefinition<infer Name> ? Name : never;
export type EventName = NameOf<KnownEvent>;

/** A record as tools see it: one member per event, told apart by `event`. */
export type TraceRecord = {
  [Key in EventKey]: {
    readonly event: NameOf<(typeof EVENTS)[Key]>;
    /** Nanoseconds since boot. */
    readonly at: bigint;
    readonly cpu: number;
    readonly level: Level;
    readonly fields: FieldsOf<(typeof EVENTS)[Key]>;
  };
}[EventKey];

export type RecordOf<Name extends EventName> = Extract<TraceRecord, { event: Name }>;

const byName = (): ReadonlyMap<string, EventDefinition> => new Map(Object.values(EVENTS).map((event) => [event.name, event]));
/** Pure, so that a kernel, which does not read text, is bundled without it. */
export const EVENT_BY_NAME = /* @__PURE__ */ byName();
export const EVENT_BY_ID: ReadonlyMap<number, EventDefinition> = new Map(Object.values(EVENTS).map((event) => [event.id, event]));
