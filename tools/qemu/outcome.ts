import { EXIT, type ExitName } from '../../kernel/hw/exit.ts';
import { STATUS } from '../errors.ts';

/** How a run ended. */
export type Outcome =
  /** The kernel said so: its exit code by name. */
  | { readonly kind: 'exit'; readonly name: ExitName; readonly code: number }
  /** QEMU ended with a status that no exit code of ours makes: it refused its arguments, or the machine shut down. */
  | { readonly kind: 'qemu'; readonly status: number; readonly signal: number; readonly message: string }
  /** QEMU ended with 0: the machine reset (a triple fault, most likely) or shut down, and the kernel did not say so. */
  | { readonly kind: 'reset'; readonly message: string }
  | { readonly kind: 'time-limit'; readonly seconds: number }
  | { readonly kind: 'interrupted' };

const EXPLANATIONS: Readonly<Record<ExitName, string>> = {
  OK: 'the kernel ended well',
  FAILED: 'the kernel found that something does not hold',
  UNCAUGHT_ERROR: 'uncaught TypeScript error',
  OUT_OF_MEMORY: 'the JavaScript heap is exhausted (heap= on the command line sets its size)',
  STACK_OVERFLOW: 'JavaScript stack overflow',
  BUNDLE_INVALID: 'the bundle does not parse or has no main()',
  BOOT_INFO_INVALID: 'the runtime could not use what the loader handed over',
  CPU_EXCEPTION: 'CPU exception',
  DOUBLE_FAULT: 'double fault',
  NMI: 'non-maskable interrupt',
  MACHINE_CHECK: 'machine check',
  RUNTIME_BUG: 'a bug in the runtime',
};

/** isa-debug-exit makes 2 * code + 1 of an exit code. */
export function outcomeOf(status: number, signal: number, stderr: string): Outcome {
  const name = (Object.keys(EXIT) as ExitName[]).find((key) => EXIT[key] * 2 + 1 === status);
  if (name && signal === 0) return { kind: 'exit', name, code: EXIT[name] };
  if (status === 0 && signal === 0) return { kind: 'reset', message: stderr.trim() };
  return { kind: 'qemu', status, signal, message: stderr.trim() };
}

export const isHeld = (outcome: Outcome): boolean => outcome.kind === 'exit' && outcome.name === 'OK';

export function statusOf(outcome: Outcome): number {
  switch (outcome.kind) {
    case 'exit':
      return outcome.name === 'OK' ? STATUS.HELD : STATUS.FAILED;
    case 'reset':
      return STATUS.FAILED;
    case 'qemu':
      return STATUS.CANNOT_RUN;
    case 'time-limit':
      return STATUS.TIME_LIMIT;
    case 'interrupted':
      return STATUS.INTERRUPTED;
  }
}

export function describeOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'exit':
      return `${EXPLANATIONS[outcome.name]} (exit code 0x${outcome.code.toString(16)} ${outcome.name})`;
    case 'reset':
      return `the machine reset or shut down before the kernel said how it went: a triple fault, if nobody asked for it${outcome.message ? ` (QEMU said: ${outcome.message})` : ''}`;
    case 'qemu': {
      const how = outcome.signal ? `was ended by signal ${outcome.signal}` : `ended with status ${outcome.status}`;
      return `QEMU ${how} before the kernel did${outcome.message ? `: ${outcome.message}` : '; the machine reset or shut down'}`;
    }
    case 'time-limit':
      return `time limit: still running after ${outcome.seconds} s`;
    case 'interrupted':
      return 'interrupted';
  }
}
