/** The kernel's entry: what the runtime calls with the shims. */
import { parseCommandLine } from './command-line.ts';
import { runConsole } from './console/console.ts';
import { runDemonstration } from './demonstration/demonstration.ts';
import { EXIT } from './hw/exit.ts';
import type { Shims } from './hw/shims.ts';
import { findMachine, openTrace } from './machine.ts';
import { EVENTS } from './trace/events.ts';
import { VERSION } from './version.ts';

export function main(shims: Shims): void {
  const started = shims.rdtsc();
  const text = shims.commandLine();
  const command = parseCommandLine(text);
  const { trace, uart } = openTrace(shims, command.ok ? command.value : { serial: 'info', frames: 'auto' });
  trace.recordAt(started, EVENTS.kernelStart, VERSION, text);

  function exit(code: number, reason: string): never {
    trace.record(EVENTS.kernelExit, code, reason);
    trace.flush();
    return shims.exit(code);
  }

  try {
    const machine = findMachine(shims, trace, uart);
    trace.flush();
    if (!command.ok) exit(EXIT.FAILED, `command line: ${command.problems.join('; ')}`);
    if (command.value.run === 'demonstration') runDemonstration(machine, command.value.count);
    if (command.value.run === 'console') runConsole(machine);
    exit(EXIT.OK, 'done');
  } catch (error) {
    // What led to the error is worth more than the rest; the runtime reports the error itself.
    trace.flush();
    throw error;
  }
}
