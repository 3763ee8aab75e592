/** chronovisor console: a prompt inside the running kernel, on this terminal. */
import type { Command } from 'commander';
import { STATUS, UsageError } from '../errors.ts';
import { shellText } from '../qemu/options.ts';
import { describeOutcome, isHeld, statusOf } from '../qemu/outcome.ts';
import { startRun, type Run } from '../qemu/run.ts';
import { createPainter } from '../terminal.ts';
import { createStackMapper } from '../trace/stacks.ts';
import { bootModule, memoryFor, requireRuntime } from './boot-module.ts';
import { addMachineOptions, machineOf, type MachineFlags } from './options.ts';

/** Ctrl-] as in telnet: leaves even when the kernel no longer listens. */
const ESCAPE_BYTE = 0x1d;
/** Begins the kernel's prompt (kernel/console/console.ts). */
const PROMPT = 'chronovisor>';

export function addConsoleCommand(program: Command, setStatus: (status: number) => void): void {
  const command = program
    .command('console')
    .description('a prompt inside the running kernel: JavaScript expressions are evaluated in it')
    .argument('[system]', 'a system file: its partitions can be looked at, suspended, reset; they run when run() is typed')
    .argument('[qemu...]', "after --: QEMU's own options")
    .addHelpText(
      'after',
      `
Ctrl-C abandons a line, Ctrl-D leaves, Ctrl-] ends QEMU whatever the kernel does.

With a system --icount is 0 by default, as its slots are exact only then; without one time follows the host.

Examples:
  chronovisor console
  chronovisor console partitions/demonstration/system.ts
  chronovisor console --machine q35 --icount 0
  echo 'clock.now()' | chronovisor console`,
    );
  // Virtual time that jumps whenever the CPU idles is no time for a person to type in.
  addMachineOptions(command, { icount: 'off', timeout: 86_400 });
  command.action(async (system: string | undefined, extra: string[], flags: MachineFlags) => {
    // Commander can't tell "console -- -d int" from "console system.ts": what begins with a dash is QEMU's.
    const isQemus = system?.startsWith('-') ?? false;
    const given = isQemus ? undefined : system;
    const isAsked = (option: string): boolean => command.getOptionValueSource(option) === 'cli';
    setStatus(
      await runConsole(given, isQemus ? [system!, ...extra] : extra, {
        ...flags,
        icount: given !== undefined && !isAsked('icount') ? 0 : flags.icount,
        ...(isAsked('memory') ? { askedMemory: flags.memory } : {}),
      }),
    );
  });
}

interface ConsoleFlags extends MachineFlags {
  askedMemory?: number;
}

async function runConsole(system: string | undefined, extra: readonly string[], flags: ConsoleFlags): Promise<number> {
  const paint = createPainter(process.stderr);
  const module = await bootModule(system);
  if (system !== undefined && module.append === '') throw new UsageError(`${system} is no system file`);
  for (const warning of module.warnings) process.stderr.write(`warning: ${warning}\n`);
  const runtime = requireRuntime();
  const mapStack = createStackMapper(module.sourceMaps);
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  process.once('SIGTERM', abort).once('SIGHUP', abort).once('SIGINT', abort);

  const input = process.stdin;
  const isTerminal = input.isTTY;
  // What is typed before the kernel listens waits here: the UART would lose all but 16 bytes of it.
  let waiting: Buffer[] | undefined = [];
  let shown = '';
  // eslint-disable-next-line prefer-const -- output comes, and input waits, before it is known
  let started: Run | undefined;
  const send = (bytes: Buffer): void => {
    if (waiting) waiting.push(bytes);
    else started?.write(bytes);
  };
  const onSerial = (bytes: Buffer): void => {
    process.stdout.write(bytes);
    if (!waiting) return;
    shown += bytes.toString('latin1');
    if (!shown.includes(PROMPT)) return;
    const typed = waiting;
    waiting = undefined;
    typed.forEach(send);
  };
  started = await startRun({
    runtime,
    archive: module.archive,
    // A system's slots are exact where the CPU waits awake; it is halted at the prompt all the same.
    commandLine: `run=console serial=warn ${system === undefined ? 'idle=halt ' : ''}${flags.append ?? ''}`.trim(),
    machine: { ...machineOf(flags, extra), memory: memoryFor(module, flags.askedMemory) },
    seconds: flags.timeout,
    signal: controller.signal,
    onSerial,
    ...(flags.qemu === undefined ? {} : { qemu: flags.qemu }),
  });
  if (flags.showCommand) process.stderr.write(`${shellText(started.command)}\n`);

  const onInput = (bytes: Buffer): void => {
    const escape = bytes.indexOf(ESCAPE_BYTE);
    if (isTerminal && escape >= 0) {
      abort();
      return;
    }
    send(bytes);
  };
  // Ctrl-D once more when a pipe ends: who feeds a script wants its end to be the session's.
  const onEnd = (): void => send(Buffer.from('\r\x04'));
  if (isTerminal) input.setRawMode(true);
  input.on('data', onInput);
  input.once('end', onEnd);
  input.resume();
  try {
    const { outcome, lines } = await started.result;
    if (outcome.kind === 'interrupted') {
      process.stdout.write('\r\n');
      return STATUS.INTERRUPTED;
    }
    if (!isHeld(outcome)) {
      for (const line of lines.filter((text) => text.startsWith('! '))) process.stderr.write(`${paint('red', mapStack(line))}\n`);
      process.stderr.write(`${describeOutcome(outcome)}\n`);
    }
    return statusOf(outcome);
  } finally {
    if (isTerminal) input.setRawMode(false);
    input.off('data', onInput).off('end', onEnd);
    input.pause();
    process.off('SIGTERM', abort).off('SIGHUP', abort).off('SIGINT', abort);
  }
}
