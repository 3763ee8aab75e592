/**
 * The words of a system file: TypeScript whose default export is `defineSystem({...})`. Names are checked by the compiler; everything
 * else, and the names again, by tools/system/validate.ts before anything is built. Nothing here throws: a value that can't be, such as
 * `ms(1.0000001)`, carries its problem along, so that all problems of a file are told at once, each with its place.
 */
import type { EntryMode, HealthAction, HealthEvent, PlatformRules, TimerMode } from '../../kernel/partition/system.ts';

/** A whole number of nanoseconds below 2^53, as it was written. Made by ns, us, ms and seconds. */
export interface Duration {
  readonly kind: 'duration';
  readonly text: string;
  readonly nanos: number;
  readonly problem?: string;
}

/** A whole number of bytes below 2^53, as it was written. Made by kib and mib. */
export interface Size {
  readonly kind: 'size';
  readonly text: string;
  readonly bytes: number;
  readonly problem?: string;
}

/** Beyond this nothing fits into 2^53, whatever the unit. */
const EXPONENT_MAX = 40;

/**
 * A decimal number times a factor, exactly: by its text and not by a multiplication of floats, so that 1.001 times a million is
 * 1,001,000. A number's text is the shortest that means it.
 * @returns the product, or what is wrong with it
 */
function multiplyExactly(value: number | string, factor: bigint, unit: string): { readonly whole: number } | { readonly problem: string } {
  const decimal = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(String(value));
  if (!decimal) return { problem: 'is not a number; expected one such as 5, 0.25 or "1.001"' };
  const [, minus, before, after = '', exponent = '0'] = decimal;
  if (minus === '-') return { problem: 'is negative' };
  if (Math.abs(Number(exponent)) > EXPONENT_MAX || after.length > EXPONENT_MAX) return { problem: 'is out of range' };
  const power = Number(exponent) - after.length;
  const product = BigInt(before! + after) * factor;
  const divisor = 10n ** BigInt(Math.max(0, -power));
  if (product % divisor !== 0n) return { problem: `is not a whole number of ${unit}` };
  const whole = (product / divisor) * 10n ** BigInt(Math.max(0, power));
  if (whole > BigInt(Number.MAX_SAFE_INTEGER)) return { problem: `is beyond ${Number.MAX_SAFE_INTEGER} ${unit}` };
  return { whole: Number(whole) };
}

function duration(unit: string, factor: bigint, value: number | string): Duration {
  const text = `${unit}(${typeof value === 'string' ? JSON.stringify(value) : value})`;
  const product = multiplyExactly(value, factor, 'nanoseconds');
  return 'whole' in product
    ? { kind: 'duration', text, nanos: product.whole }
    : { kind: 'duration', text, nanos: NaN, problem: `${text} ${product.problem}` };
}

export const ns = (value: number | string): Duration => duration('ns', 1n, value);
export const us = (value: number | string): Duration => duration('us', 1_000n, value);
export const ms = (value: number | string): Duration => duration('ms', 1_000_000n, value);
export const seconds = (value: number | string): Duration => duration('seconds', 1_000_000_000n, value);

function size(unit: string, factor: bigint, value: number | string): Size {
  const text = `${unit}(${typeof value === 'string' ? JSON.stringify(value) : value})`;
  const product = multiplyExactly(value, factor, 'bytes');
  return 'whole' in product
    ? { kind: 'size', text, bytes: product.whole }
    : { kind: 'size', text, bytes: NaN, problem: `${text} ${product.problem}` };
}

export const kib = (value: number | string): Size => size('kib', 1n << 10n, value);
export const mib = (value: number | string): Size => size('mib', 1n << 20n, value);

// ---- Programs. Files are named from the system file's folder.

export type ProgramFile =
  | {
      readonly kind: 'typescript';
      readonly source: string;
      readonly commandLine?: string;
    }
  | {
      readonly kind: 'native';
      readonly sources: readonly string[];
      readonly mode: EntryMode;
      readonly address: number;
      /** A symbol. */
      readonly entry?: string;
      /** An ELF file is made, and entered so; a flat one without. */
      readonly elf?: 'pvh' | 'plain';
      readonly defines: Readonly<Record<string, string | number>>;
    }
  | { readonly kind: 'flat'; readonly file: string; readonly address: number; readonly entry: number; readonly mode: EntryMode }
  | { readonly kind: 'elf'; readonly file: string; readonly entry: 'pvh' | 'plain' };

/**
 * A TypeScript program that exports `main(shims)`: it runs on the runtime inside its partition.
 * @param commandLine words that it reads by shims.commandLine, behind `partition=NAME`; printable ASCII, at most 1024 characters
 */
export const typescript = (source: string, { commandLine }: { readonly commandLine?: string } = {}): ProgramFile => ({
  kind: 'typescript',
  source,
  ...(commandLine === undefined ? {} : { commandLine }),
});

/** Where a flat program lies if it does not say: a stack below it has 32 KiB. */
const FLAT_ADDRESS = 0x8000;
const ELF_ADDRESS = 0x10_0000;

export interface NativeOptions {
  /** Mode at entry, and what the compiler makes code for: 16, 32 or 64 bits. Default: long. */
  readonly mode?: EntryMode;
  /** Guest-physical. Default: 8000h, for ELF 1 MiB. */
  readonly address?: number;
  /** Symbol of the first instruction. Default: `_start` if there is one, else the first byte. */
  readonly entry?: string;
  /** Make an ELF file, of class 32 (protected) or 64 (long), and enter it by its PVH note or plainly. Default: a flat file, .bss as zeros in it. */
  readonly elf?: 'pvh' | 'plain';
  /** For the preprocessor. */
  readonly defines?: Readonly<Record<string, string | number>>;
}

/** C or assembly (.c, .S), compiled freestanding with the machine's gcc; partitions/native is on its include path. */
export function native(sources: string | readonly string[], options: NativeOptions = {}): ProgramFile {
  const { mode = 'long', elf, entry, defines = {} } = options;
  return {
    kind: 'native',
    sources: typeof sources === 'string' ? [sources] : sources,
    mode,
    address: options.address ?? (elf === undefined ? FLAT_ADDRESS : ELF_ADDRESS),
    ...(entry === undefined ? {} : { entry }),
    ...(elf === undefined ? {} : { elf }),
    defines,
  };
}

/** Bytes that are there already, put at `address` and entered there or at `entry`, in this mode. */
export function flat(file: string, options: { readonly address: number; readonly entry?: number; readonly mode: EntryMode }): ProgramFile {
  return { kind: 'flat', file, address: options.address, entry: options.entry ?? options.address, mode: options.mode };
}

/** An ELF file that is there already. */
export const elf = (file: string, entry: 'pvh' | 'plain'): ProgramFile => ({ kind: 'elf', file, entry });

// ---- Virtual devices.

export interface HpetOptions {
  /** COUNTER_CLK_PERIOD in femtoseconds, 100,000 to 100,000,000. Default: 16,000,000, a counter of 62.5 MHz. */
  readonly period?: number;
  /** 3 to 32. Default: 3. */
  readonly timers?: number;
}

export interface PcOptions {
  /** What becomes of ticks that the partition misses while it does not run. Default: delay_for_missed_ticks. */
  readonly timerMode?: TimerMode;
  /** Whether RDTSC ends in an exit; it reads the same. Default: native. */
  readonly tsc?: 'native' | 'emulated';
  /** Default: one of 62.5 MHz with three timers. False: none, and none in the ACPI tables. */
  readonly hpet?: false | HpetOptions;
  /** Date and time that the real-time clock shows at the epoch, as "2026-01-01T00:00:00", UTC. That is the default. */
  readonly date?: string;
  /** Ports from 2000h on, one per interrupt line, whose bit 0 is its level: for tests of interrupt controllers. Default: false. */
  readonly lineDriver?: boolean;
  /** For experiments. Default: today's rules. */
  readonly rules?: Partial<PlatformRules>;
}

export interface PlatformFile extends PcOptions {
  readonly kind: 'pc';
}

/** A PC's devices for a partition: interrupt controllers, 8254, real-time clock, PM timer, HPET, COM1 and ACPI tables that tell of them. */
export const pc = (options: PcOptions = {}): PlatformFile => ({ kind: 'pc', ...options });

// ---- The system.

export interface IoPorts {
  readonly first: number;
  /** Default: 1. */
  readonly count?: number;
  /** Each write is an event in the trace, dated to the instruction. */
  readonly traced?: boolean;
}

export type Reaction<Plan extends string> =
  Exclude<HealthAction, 'switch-plan'> | { readonly action: 'switch-plan'; readonly plan: NoInfer<Plan> };

/** What is done at which event; where nothing is said, HEALTH_DEFAULTS (kernel/partition/system.ts). */
export type Health<Plan extends string> = {
  readonly [Event in Exclude<HealthEvent, 'fault'>]?: Reaction<Plan>;
} & {
  /** CPU exceptions of the guest, by vector; those without a rule are the guest's own affair. */
  readonly fault?: Readonly<Record<number, Reaction<Plan>>>;
};

export interface PartitionFile<Plan extends string> {
  readonly program: ProgramFile;
  readonly memory: Size;
  /** May manage others: suspend, reset, switch plans, read the health log, control clocks. */
  readonly system?: boolean;
  readonly ioPorts?: readonly IoPorts[];
  /** Longest time between two signs of life. Default: no watchdog until the partition arms one. */
  readonly watchdog?: Duration;
  readonly health?: Health<Plan>;
  /** Virtual devices. Default: none, the partition has hypercalls. */
  readonly platform?: PlatformFile;
}

export interface SlotFile<Partition extends string> {
  readonly partition: NoInfer<Partition>;
  /** From the frame's start. */
  readonly start: Duration;
  readonly duration: Duration;
}

export interface PlanFile<Partition extends string> {
  readonly majorFrame: Duration;
  /** In the order of their starts. */
  readonly slots: readonly SlotFile<Partition>[];
  /** A switch to it is made at once, not at the end of the major frame. */
  readonly maintenance?: boolean;
  /** Says that slots are meant to leave a part of the frame to nobody; without it that is an error. */
  readonly idle?: 'allowed';
}

/** "partition.port"; or the partition alone, whose port then has the channel's name. */
export type PortName<Partition extends string> = NoInfer<Partition> | `${NoInfer<Partition>}.${string}`;

export type ChannelFile<Partition extends string> =
  | {
      readonly kind: 'sampling';
      /** Bytes of a message, at most. */
      readonly size: number;
      /** How long after its writing a message counts as valid. Default: for ever. */
      readonly validity?: Duration;
      readonly from: PortName<Partition>;
      readonly to: readonly PortName<Partition>[];
    }
  | {
      readonly kind: 'queuing';
      readonly size: number;
      /** Messages that wait, at most. */
      readonly depth: number;
      readonly from: PortName<Partition>;
      readonly to: readonly PortName<Partition>[];
    };

/** An external event, whose instants (8 bytes, ns since the epoch) come through a queuing port. */
export interface InputFile<Partition extends string> {
  readonly source: 'rtc';
  /** A power of two from 2 to 8192. */
  readonly hertz: number;
  readonly depth: number;
  readonly to: PortName<Partition>;
}

export interface SystemFile<Partition extends string = string, Plan extends string = string> {
  readonly name: string;
  /** Numbered in this order. */
  readonly partitions: Readonly<Record<Partition, PartitionFile<Plan>>>;
  /** The first one runs from the start. */
  readonly plans: Readonly<Record<Plan, PlanFile<Partition>>>;
  readonly channels?: Readonly<Record<string, ChannelFile<Partition>>>;
  readonly inputs?: Readonly<Record<string, InputFile<Partition>>>;
  /** Partitions may ask for the time of day; the start then takes a second more, to catch the real-time clock's edge. */
  readonly absoluteTime?: boolean;
  /** The run ends so long after the epoch. Default: when every partition has halted. */
  readonly duration?: Duration;
}

export interface DefinedSystem {
  readonly kind: 'system';
  readonly system: SystemFile;
}

/** What a system file exports as its default. */
export function defineSystem<const Partition extends string, const Plan extends string>(
  system: SystemFile<Partition, Plan>,
): DefinedSystem {
  return { kind: 'system', system: system };
}
