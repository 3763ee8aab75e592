/** Events of every boot: the kernel's own life, and what the machine is. Apart from the others, so that a boot does not wait for theirs. */
import { COUNT, defineEvent, FLAG, HEX, NANOS, oneOf, REAL, STAMP, TEXT, TICKS } from './event.ts';

export const MACHINE_EVENTS = {
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
} as const;
