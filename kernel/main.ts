/** The kernel's entry: what the runtime calls with the shims. */
import { parseCommandLine } from './command-line.ts';
import { EXIT } from './hw/exit.ts';
import type { Shims } from './hw/shims.ts';
import { findMachine, openTrace } from './machine.ts';
import { SYSTEM_FILE } from './partition/system.ts';
import { MACHINE_EVENTS as EVENTS } from './trace/machine-events.ts';
import { VERSION } from './version.ts';

/** Programs of their own, so that a boot which does not need them does not load them (tools/build/bundle.ts, PROGRAMS). */
type DemonstrationProgram = typeof import('./demonstration/demonstration.ts');
type ConsoleProgram = typeof import('./console/console.ts');
type HypervisorProgram = typeof import('./partition/hypervisor.ts');

export function main(shims: Shims): void {
  const started = shims.rdtsc();
  const text = shims.commandLine();
  const command = parseCommandLine(text);
  const { trace, uart } = openTrace(shims, command.ok ? command.value : { serial: 'info', frames: 'auto' });
  trace.recordAt(started, EVENTS.kernelStart, VERSION, text, shims.typescriptTsc());

  function exit(code: number, reason: string): never {
    const lostBytes = uart?.lost() ?? 0;
    if (lostBytes > 0 || shims.interruptsLost() > 0) trace.record(EVENTS.kernelLost, lostBytes, shims.interruptsLost());
    trace.record(EVENTS.kernelExit, code, reason);
    trace.flush();
    return shims.exit(code);
  }

  let isScaleKnown = false;
  try {
    const machine = findMachine(shims, trace, uart, command.ok ? command.value.idle : 'auto');
    isScaleKnown = true;
    trace.flush();
    if (!command.ok) exit(EXIT.FAILED, `command line: ${command.problems.join('; ')}`);
    if (command.value.run === 'demonstration') {
      const problems = (shims.loadProgram('demonstration') as DemonstrationProgram).runDemonstration(machine, command.value);
      if (problems.length > 0) exit(EXIT.FAILED, problems.join('; '));
    }
    const isConsole = command.value.run === 'console';
    const console = isConsole ? (shims.loadProgram('console') as ConsoleProgram) : undefined;
    if (command.value.run === 'system' || (console && shims.moduleFile(SYSTEM_FILE))) {
      const supervisor = console?.createSystemConsole(machine);
      const problems = (shims.loadProgram('hypervisor') as HypervisorProgram).runSystem(machine, command.value, supervisor);
      if (problems.length > 0) exit(EXIT.FAILED, problems.join('; '));
    } else console?.runConsole(machine);
    exit(EXIT.OK, 'done');
  } catch (error) {
    // What led to the error is worth more than exact stamps; the runtime reports the error itself.
    if (!isScaleKnown) {
      const entry = shims.entryTsc();
      trace.record(EVENTS.warning, 'the TSC was not measured yet: stamps are shown as if it ran at 1 GHz');
      trace.setScale({ toNanos: (tsc) => tsc - entry });
    }
    trace.record(EVENTS.kernelError, String(error), error instanceof Error ? (error.stack ?? '') : '');
    trace.flush();
    throw error;
  }
}
