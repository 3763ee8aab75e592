/** Options that several commands share: how the machine is made. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { DEFAULT_MACHINE, MACHINES, type MachineKind, type MachineOptions } from '../qemu/options.ts';

/** Parses a whole number within bounds. */
export function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}.`);
    return value;
  };
}

function icount(text: string): number | 'off' {
  if (text === 'off') return 'off';
  if (!/^([0-9]|10)$/.test(text)) throw new InvalidArgumentError('expected off, or a shift from 0 to 10.');
  return Number(text);
}

/** The name of an event or of a series, or the beginning of some with a star. */
export function namePattern(text: string): string {
  if (!/^[a-z0-9.*-]+$/.test(text)) throw new InvalidArgumentError('expected an event such as timer.interrupt or timer.*');
  return text;
}

/** @param pattern undefined matches everything */
export function nameMatcher(pattern: string | undefined): (name: string) => boolean {
  if (pattern === undefined) return () => true;
  return pattern.endsWith('*') ? (name) => name.startsWith(pattern.slice(0, -1)) : (name) => name === pattern;
}

export interface MachineFlags {
  machine: MachineKind;
  hpet: boolean;
  cpu: string;
  memory: number;
  smp: number;
  icount: number | 'off';
  seed: number;
  trace: 'channel' | 'serial';
  timeout: number;
  append?: string;
  log?: string;
  showCommand?: boolean;
  qemu?: string;
}

export function addMachineOptions(command: Command, defaults: { icount: number | 'off'; timeout: number }): Command {
  return command
    .addOption(new Option('--machine <kind>', 'QEMU machine').choices([...MACHINES]).default(DEFAULT_MACHINE.machine))
    .option('--no-hpet', 'a machine without HPET')
    .option('--cpu <model>', 'QEMU CPU model', DEFAULT_MACHINE.cpu)
    .option('--memory <MiB>', 'RAM', whole(8, 1 << 20), DEFAULT_MACHINE.memory)
    .option('--smp <cpus>', 'number of CPUs', whole(1, 8), DEFAULT_MACHINE.cpus)
    .option(
      '--icount <shift>',
      'one instruction takes 2^shift ns of virtual time; "off": virtual time follows the host',
      icount,
      defaults.icount,
    )
    .option('--seed <n>', "seed of QEMU's random numbers", whole(0, 0xffff_ffff), DEFAULT_MACHINE.seed)
    .addOption(
      new Option('--trace <way>', 'the trace comes over its own channel or over COM1').choices(['channel', 'serial']).default('channel'),
    )
    .option('--timeout <seconds>', 'wall-clock limit; exit code 124 when it is reached', whole(1, 86_400), defaults.timeout)
    .option('--append <words>', "added to the kernel's command line: run=, serial=, count=, heap=")
    .option('--log <file>', 'where the log goes (default: build/logs/<bundle>.log)')
    .option('--qemu <program>', 'QEMU to use (default: $QEMU, else qemu-system-x86_64)')
    .option('--show-command', 'print the full QEMU command before it is run');
}

export function machineOf(flags: MachineFlags, extra: readonly string[]): MachineOptions {
  return {
    ...DEFAULT_MACHINE,
    machine: flags.machine,
    hpet: flags.hpet,
    cpu: flags.cpu,
    memory: flags.memory,
    cpus: flags.smp,
    icount: flags.icount,
    seed: flags.seed,
    traceChannel: flags.trace === 'channel',
    extra,
  };
}
