/**
 * Every event there is. Tools and kernel are compiled against this one list: an exporter that switches
 * over `TraceRecord['event']` and lacks a new event does not compile. Numbers are never reused.
 */
import { HEALTH_ACTIONS, HEALTH_EVENTS } from '../partition/system.ts';
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
  UTF8_TEXT,
  type EventDefinition,
  type FieldsOf,
  type Level,
} from './event.ts';

const TIMER_NAME = oneOf('pit', 'hpet', 'lapic');
const CLOCK_NAME = oneOf('pit', 'tsc', 'hpet', 'pm-timer');

export const EVENTS = {
  // ---- the kernel's own life
  kernelStart: defineEvent(1, 'kernel.start', 'info', [
    ['version', TEXT],
    ['command-line', TEXT],
    /** The bundle's first statement. */
    ['first-statement', STAMP],
  ]),
  kernelExit: defineEvent(2, 'kernel.exit', 'info', [
    ['code', HEX],
    ['reason', TEXT],
  ]),
  kernelError: defineEvent(3, 'kernel.error', 'error', [
    ['message', TEXT],
    ['stack', TEXT],
  ]),
  log: defineEvent(4, 'log', 'info', [['message', TEXT]]),
  warning: defineEvent(5, 'warning', 'warn', [['message', TEXT]]),
  /** Records that found the ring full since the last such record. */
  traceDropped: defineEvent(6, 'trace.dropped', 'warn', [['count', COUNT]]),
  garbageCollected: defineEvent(7, 'gc', 'debug', [
    ['duration', NANOS],
    ['before', COUNT],
    ['after', COUNT],
  ]),
  /** Interrupts whose vector has no handler. */
  interruptUnexpected: defineEvent(8, 'interrupt.unexpected', 'warn', [
    ['vector', HEX],
    ['taken', STAMP],
  ]),
  /** What did not get through during the run: bytes that COM1 did not take, interrupts beyond the list of taken ones. */
  kernelLost: defineEvent(9, 'kernel.lost', 'warn', [
    ['serial-bytes', COUNT],
    ['interrupts', COUNT],
  ]),

  // ---- what the machine is
  cpu: defineEvent(16, 'machine.cpu', 'info', [
    ['vendor', TEXT],
    ['brand', TEXT],
    ['hypervisor', TEXT],
    ['svm', FLAG],
    ['invariant-tsc', FLAG],
  ]),
  memory: defineEvent(17, 'machine.memory', 'info', [
    ['address', HEX],
    ['length', HEX],
    ['kind', oneOf('free', 'runtime', 'module', 'reserved', 'acpi')],
  ]),
  acpiTable: defineEvent(18, 'machine.acpi', 'info', [
    ['table', TEXT],
    ['address', HEX],
    ['length', COUNT],
    ['checksum', oneOf('ok', 'wrong')],
  ]),
  acpiProblem: defineEvent(19, 'machine.acpi-problem', 'warn', [
    ['table', TEXT],
    ['address', HEX],
    ['what', TEXT],
  ]),
  deviceFound: defineEvent(20, 'machine.device', 'info', [
    ['device', TEXT],
    ['at', HEX],
    ['detail', TEXT],
  ]),
  deviceAbsent: defineEvent(21, 'machine.absent', 'info', [
    ['device', TEXT],
    ['reason', TEXT],
  ]),
  /** hz = numerator / denominator */
  frequency: defineEvent(22, 'machine.frequency', 'info', [
    ['clock', TEXT],
    ['numerator', TICKS],
    ['denominator', TICKS],
    ['provenance', oneOf('enumerated', 'architectural', 'measured')],
    ['source', TEXT],
    ['uncertainty-ppb', REAL],
  ]),

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
  /** Two references' measurements of one counter. */
  calibrationAgreement: defineEvent(29, 'calibration.agreement', 'info', [
    ['counter', TEXT],
    ['first', TEXT],
    ['second', TEXT],
    ['difference-ppb', REAL],
    ['verdict', oneOf('agree', 'disagree', 'alone')],
  ]),
  /** What limits the TSC as a clock. */
  tscLimits: defineEvent(30, 'machine.tsc', 'info', [
    ['invariant', FLAG],
    ['in-halt', oneOf('runs', 'stops', 'untested')],
    ['cpus', COUNT],
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

  // ---- partitions
  partitionCreated: defineEvent(80, 'partition.created', 'info', [
    ['partition', COUNT],
    ['name', TEXT],
    ['program', TEXT],
    ['memory', COUNT],
  ]),
  /** A slot that has ended: when it was to begin, the TSC right before the guest's first entry and right after its last exit. */
  slotRun: defineEvent(81, 'slot.run', 'debug', [
    ['partition', COUNT],
    ['slot', COUNT],
    ['frame', COUNT],
    ['nominal', STAMP],
    ['entered', STAMP],
    ['left', STAMP],
  ]),
  /** The same of a slot in which nothing was to run when it began: entered when something had woken the partition. */
  slotWoken: defineEvent(93, 'slot.woken', 'debug', [
    ['partition', COUNT],
    ['slot', COUNT],
    ['frame', COUNT],
    ['nominal', STAMP],
    ['entered', STAMP],
    ['left', STAMP],
  ]),
  partitionState: defineEvent(82, 'partition.state', 'info', [
    ['partition', COUNT],
    ['state', oneOf('ready', 'idle', 'suspended', 'halted')],
    ['reason', TEXT],
  ]),
  healthEvent: defineEvent(83, 'health.event', 'warn', [
    ['partition', COUNT],
    ['event', oneOf(...HEALTH_EVENTS)],
    ['action', oneOf(...HEALTH_ACTIONS)],
    ['detail', TEXT],
  ]),
  /** What a partition writes to its console. */
  partitionConsole: defineEvent(84, 'partition.console', 'info', [
    ['partition', COUNT],
    ['text', UTF8_TEXT],
  ]),
  /** What a partition puts into the trace (hypercall TRACE): for programs that read the log, as it may be thousands. */
  partitionTrace: defineEvent(85, 'partition.trace', 'debug', [
    ['partition', COUNT],
    ['code', TICKS],
    ['value', TICKS],
  ]),
  planSwitched: defineEvent(86, 'plan.switched', 'info', [
    ['plan', COUNT],
    ['name', TEXT],
    ['frame', COUNT],
  ]),
  /** A partition was entered later than its slot began by more than the limit. */
  slotLate: defineEvent(87, 'slot.late', 'warn', [
    ['partition', COUNT],
    ['slot', COUNT],
    ['late', NANOS],
  ]),
  /** At the end of a run: how often a partition left for which reason. */
  exitCounts: defineEvent(88, 'exit.counts', 'info', [
    ['partition', COUNT],
    ['reason', TEXT],
    ['count', COUNT],
  ]),
  /** A partition's write to a traced I/O port, dated right after the exit. */
  portOutput: defineEvent(89, 'port.output', 'debug', [
    ['partition', COUNT],
    ['port', HEX],
    ['value', HEX],
    ['written', STAMP],
  ]),
  systemStarted: defineEvent(90, 'system.started', 'info', [
    ['name', TEXT],
    ['epoch', STAMP],
    ['partitions', COUNT],
    ['plans', COUNT],
  ]),
  /** At the end of a run: a slot's worst cases. */
  slotWorst: defineEvent(91, 'slot.worst', 'info', [
    ['partition', COUNT],
    ['slot', COUNT],
    ['runs', COUNT],
    ['start-error-max', NANOS],
    ['start-error-min', NANOS],
    ['overruns', COUNT],
  ]),
  /** What the kernel took: the lead by which a slot is left before the next one, and its longest stretch between a guest's exit and entry. */
  systemCosts: defineEvent(92, 'system.costs', 'info', [
    ['switch-lead', NANOS],
    ['timer-lead', NANOS],
    ['longest-stretch', NANOS],
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
