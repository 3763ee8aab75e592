/** Events of partitions, and of the hypervisor that runs them. */
import { HEALTH_ACTIONS, HEALTH_EVENTS } from '../partition/system.ts';
import { COUNT, defineEvent, HEX, NANOS, oneOf, STAMP, TEXT, TICKS, UTF8_TEXT } from './event.ts';

export const PARTITION_EVENTS = {
  partitionCreated: defineEvent(80, 'partition.created', 'info', [
    ['partition', COUNT],
    ['name', TEXT],
    ['program', TEXT],
    ['memory', COUNT],
  ]),
  /** At the start: a slot of a plan, from the start of the plan's major frame. */
  planSlot: defineEvent(101, 'plan.slot', 'info', [
    ['plan', COUNT],
    ['slot', COUNT],
    ['partition', COUNT],
    ['start', NANOS],
    ['duration', NANOS],
    ['major-frame', NANOS],
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
  /**
   * An exit that a guest was stopped for, dated by it: the low byte of its code (exit-names.ts), and what was done about it took. Only with
   * `exits=trace` on the kernel's command line; interrupts have events of their own.
   */
  exit: defineEvent(102, 'exit', 'debug', [
    ['partition', COUNT],
    ['code', COUNT],
    ['took', NANOS],
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

  // ---- virtual devices
  /** At the start: a source of timed interrupts, by the number that its ticks have. */
  platformTimer: defineEvent(94, 'platform.timer', 'info', [
    ['partition', COUNT],
    ['source', COUNT],
    ['name', TEXT],
  ]),
  /** A tick of a virtual timer, delivered to its device: the deadline in guest time, and how far guest time was from it. */
  platformTick: defineEvent(95, 'platform.tick', 'debug', [
    ['partition', COUNT],
    ['source', COUNT],
    ['deadline', NANOS],
    ['late', NANOS],
  ]),
  /** An interrupt of a virtual controller that goes in at the next entry. */
  guestInterrupt: defineEvent(96, 'guest.interrupt', 'debug', [
    ['partition', COUNT],
    ['vector', COUNT],
  ]),
  /** Guest time minus the host's, and what the guest is owed besides: whenever either changes. */
  guestTime: defineEvent(97, 'guest.time', 'debug', [
    ['partition', COUNT],
    ['offset', NANOS],
    ['owed', NANOS],
  ]),
  /** What a guest did with a device that no program should: harmless. The first ones of each partition; all are counted. */
  deviceMisuse: defineEvent(98, 'device.misuse', 'warn', [
    ['partition', COUNT],
    ['device', TEXT],
    ['offset', HEX],
    ['width', COUNT],
    ['what', TEXT],
  ]),
  /** At the end of a run: what became of a source's ticks. */
  platformAccounts: defineEvent(99, 'platform.accounts', 'info', [
    ['partition', COUNT],
    ['source', TEXT],
    ['accepted', COUNT],
    ['merged', COUNT],
    ['dropped', COUNT],
    ['lost', COUNT],
  ]),
  /** At the end of a run: accesses to a device, and how many of them were misuse; `nobody` is where none is. */
  deviceCounts: defineEvent(100, 'device.counts', 'info', [
    ['partition', COUNT],
    ['device', TEXT],
    ['reads', COUNT],
    ['writes', COUNT],
    ['misuses', COUNT],
  ]),
} as const;
