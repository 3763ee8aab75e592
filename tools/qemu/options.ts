/** From what a person asks for to QEMU's command line. No side effects: what is shown is what is run. */
import { UsageError } from '../errors.ts';

export const MACHINES = ['pc', 'q35', 'microvm'] as const;
export type MachineKind = (typeof MACHINES)[number];

export interface MachineOptions {
  readonly machine: MachineKind;
  /** false: without HPET (pc and q35). */
  readonly hpet: boolean;
  readonly cpu: string;
  /** Megabytes. */
  readonly memory: number;
  readonly cpus: number;
  /** Shift of -icount: one instruction takes 2^shift ns of virtual time. 'off': virtual time follows the host's clock. */
  readonly icount: number | 'off';
  readonly seed: number;
  /** Without the trace channel, everything goes over COM1. */
  readonly traceChannel: boolean;
  /** Who is at the other end of COM1: our terminal, nobody because there is no UART, or a Unix socket that somebody listens on. */
  readonly com1: 'terminal' | 'none' | { readonly socket: string };
  /** Whether the device is there that reports the kernel's exit code. */
  readonly debugExit: boolean;
  /** Whether the device is there by which the kernel drives interrupt lines itself (ports 2000h on): for conformance cases. */
  readonly lineDriver?: boolean;
  /** Passed to QEMU as they are. */
  readonly extra: readonly string[];
}

/** What TCG lacks of an EPYC: named, QEMU does not warn about each. */
const EPYC_WITHOUT = ['fxsr-opt', 'misalignsse', '3dnowprefetch', 'osvw', 'topoext', 'nrip-save', 'xsavec', 'xgetbv1'];

export const DEFAULT_MACHINE: MachineOptions = {
  machine: 'pc',
  hpet: true,
  cpu: 'EPYC',
  memory: 256,
  cpus: 1,
  icount: 0,
  seed: 1,
  traceChannel: true,
  com1: 'terminal',
  debugExit: true,
  extra: [],
};

export interface Endpoints {
  readonly runtime: string;
  readonly archive: string;
  readonly commandLine: string;
  /** Unix sockets that we listen on. */
  readonly traceSocket: string;
  readonly monitorSocket: string;
}

/** QEMU takes "," in a value as the next key; ",," is a comma. Not so in -kernel, -initrd (for a PVH kernel) and -append: they have no keys. */
const escaped = (value: string): string => value.replaceAll(',', ',,');

export function qemuArguments(options: MachineOptions, endpoints: Endpoints): string[] {
  const { machine, hpet, cpu, memory, cpus, icount, seed, traceChannel, com1, debugExit, lineDriver = false, extra } = options;
  if (machine === 'microvm' && !hpet) throw new UsageError('--no-hpet: a microvm never has an HPET');
  const machineText = machine === 'microvm' ? 'microvm,pit=on,pic=on,rtc=on' : `${machine},hpet=${hpet ? 'on' : 'off'}`;
  const cpuText = cpu === 'EPYC' ? ['EPYC', ...EPYC_WITHOUT.map((feature) => `-${feature}`)].join(',') : cpu;
  return [
    ...['-machine', machineText, '-accel', 'tcg', '-cpu', cpuText, '-m', `${memory}M`, '-smp', String(cpus)],
    // sleep=off: when the CPU idles, virtual time jumps to the next timer instead of waiting for it.
    ...(icount === 'off' ? [] : ['-icount', `shift=${icount},sleep=off`]),
    ...['-seed', String(seed), '-rtc', 'base=2026-01-01T00:00:00,clock=vm'],
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-vga', 'none', '-display', 'none'],
    ...com1Arguments(com1),
    ...['-chardev', `socket,id=monitor,path=${escaped(endpoints.monitorSocket)}`, '-mon', 'chardev=monitor,mode=control'],
    // Before the trace's device: of two at one port QEMU hears the later one, and this one is at E8h to EBh too.
    ...(lineDriver ? ['-device', 'pc-testdev'] : []),
    ...(traceChannel
      ? ['-chardev', `socket,id=trace,path=${escaped(endpoints.traceSocket)}`, '-device', 'isa-debugcon,iobase=0xe9,chardev=trace']
      : []),
    ...(debugExit ? ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'] : []),
    ...['-kernel', endpoints.runtime, '-initrd', endpoints.archive, '-append', endpoints.commandLine],
    ...extra,
  ];
}

function com1Arguments(com1: MachineOptions['com1']): string[] {
  if (com1 === 'none') return ['-serial', 'none'];
  const end = com1 === 'terminal' ? 'stdio,id=com1,signal=off' : `socket,id=com1,path=${escaped(com1.socket)}`;
  return ['-chardev', end, '-serial', 'chardev:com1'];
}

/** As it can be pasted into a shell. */
export function shellText(command: readonly string[]): string {
  return command.map((word) => (/^[\w./:=,+@%-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');
}
