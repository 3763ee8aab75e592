/**
 * The prompt of a system of partitions. The kernel is one event loop that nothing interrupts, and running slots takes all of it: so the system
 * stands still, with its time, while there is a prompt, and runs for a duration when it is told to.
 */
import { COM1, type Uart } from '../drivers/uart-16550.ts';
import type { Machine } from '../machine.ts';
import { PARTITION_STATE } from '../partition/abi.ts';
import type { Supervisor, SystemControl } from '../partition/control.ts';
import { STATE_NAMES, type Partition } from '../partition/partition.ts';
import { decodeUtf8 } from '../trace/utf8.ts';
import { hexDump } from './hex-dump.ts';
import { createPrompt, type Binding } from './prompt.ts';

const CTRL_C = 0x03;
/** Bytes that one interrupt takes while slots run: the UART's FIFO, and what a handler has time for. */
const BYTES_PER_INTERRUPT = 16;
/** Bytes that wait for the prompt; what comes on top is left to the sender. */
const TYPED_MAX = 4096;
const PEEK_DEFAULT = 64;
const PEEK_MAX = 4096;
const NS_PER_MS = 1_000_000;
/** More than any lead. */
const END_EARLY = 200_000n;

const { READY, IDLE, SUSPENDED, HALTED } = PARTITION_STATE;

/** Nanoseconds with a unit, exact. */
function showNanos(nanos: bigint): string {
  const [unit, size]: readonly [string, bigint] =
    nanos % 1_000_000n === 0n ? ['ms', 1_000_000n] : nanos % 1_000n === 0n ? ['us', 1_000n] : ['ns', 1n];
  return `${nanos / size} ${unit}`;
}

function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function clocksOf({ calls }: SystemControl, partition: Partition): { readonly hw: bigint; readonly exec: bigint } {
  return { hw: calls.hwClock(partition), exec: calls.execClock(partition) };
}

function tableOf(control: SystemControl): string {
  const { partitions } = control;
  return alignColumns([
    ['partition', 'state', 'slots', 'late', 'resets', 'exits', 'HW clock', 'EXEC clock'],
    ...partitions.map((partition) => {
      const { hw, exec } = clocksOf(control, partition);
      const { description, state, slots, lateSlots, resets, exits } = partition;
      const counts = [slots, lateSlots, resets, exits.reduce((sum, count) => sum + count, 0)].map(String);
      return [description.name, STATE_NAMES[state]!, ...counts, showNanos(hw), showNanos(exec)];
    }),
  ]);
}

/** What a name or a number means. @throws RangeError that names what there is */
function find<Item>(what: string, items: readonly Item[], nameOf: (item: Item) => string, wanted: unknown): number {
  const index = typeof wanted === 'number' ? wanted : items.findIndex((item) => nameOf(item) === wanted);
  if (items[index]) return index;
  throw new RangeError(`${what} ${String(wanted)}: there is ${items.map((item, at) => `${nameOf(item)} (${at})`).join(', ')}`);
}

/** What the prompt offers of a partition. */
function handleOf(control: SystemControl, partition: Partition, print: (text: string) => void): object {
  const { calls } = control;
  const { name } = partition.description;
  const by = 'by the console';
  function change(state: number, from: readonly number[]): void {
    if (!from.includes(partition.state)) throw new Error(`${name} is ${STATE_NAMES[partition.state]}`);
    calls.setState(partition, state, by);
  }
  return {
    name,
    state: () => STATE_NAMES[partition.state],
    clocks: () => clocksOf(control, partition),
    suspend: () => change(SUSPENDED, [READY, IDLE]),
    resume: () => change(READY, [SUSPENDED]),
    halt: () => change(HALTED, [READY, IDLE, SUSPENDED]),
    reset: (kind: unknown = 'cold') => {
      if (kind !== 'cold' && kind !== 'warm') throw new TypeError(`reset(${String(kind)}): expected 'cold' or 'warm'`);
      calls.reset(partition, kind === 'cold', by);
    },
    peek: (address: unknown, length: unknown = PEEK_DEFAULT) => {
      const { bytes } = partition.memory;
      const isWithin =
        Number.isInteger(address) &&
        Number.isInteger(length) &&
        (address as number) >= 0 &&
        (length as number) >= 0 &&
        (length as number) <= PEEK_MAX &&
        (address as number) + (length as number) <= bytes.length;
      if (!isWithin)
        throw new RangeError(
          `peek: ${String(address)}, ${String(length)}: ${name} has memory from 0 to ${bytes.length}; at most ${PEEK_MAX} bytes are shown`,
        );
      print(hexDump(bytes, address as number, length as number));
    },
  };
}

/** A duration in whole nanoseconds. */
function durationOf(value: unknown): bigint {
  if (typeof value !== 'bigint' || value <= 0n) throw new TypeError(`run: expected a duration such as ms(10), us(500) or seconds(1)`);
  return value;
}

/** Slots are left by a lead, so a frame's end comes before its nominal instant; and the first one begins at the epoch. */
function endOf(now: bigint, duration: bigint): bigint {
  const early = duration / 2n < END_EARLY ? duration / 2n : END_EARLY;
  return (now < 0n ? 0n : now) + duration - early;
}

const times =
  (factor: number) =>
  (count: unknown): bigint => {
    const nanos = Number(count) * factor;
    if (!Number.isSafeInteger(nanos) || nanos < 0) throw new RangeError(`${String(count)}: not a whole number of nanoseconds`);
    return BigInt(nanos);
  };

/** @throws Error if the machine has no UART with an interrupt */
export function createSystemConsole(machine: Machine): Supervisor {
  const { shims, uart, router, dispatcher } = machine;
  if (!uart) throw new Error('the console needs a UART: none answers at COM1');
  const port: Uart = uart;
  let control: SystemControl | undefined;
  let runUntil: bigint | undefined;
  const isTold = (): boolean => runUntil !== undefined;

  /** Typed while slots ran. */
  const typed: number[] = [];
  function receive(): void {
    for (let count = 0; count < BYTES_PER_INTERRUPT && typed.length < TYPED_MAX; count++) {
      const byte = port.read();
      if (byte < 0) return;
      typed.push(byte);
      if (byte === CTRL_C) control?.interrupt();
    }
  }
  const serial = router.connectIsa(COM1.IRQ, receive);
  if (!serial) throw new Error('the console needs an interrupt: the UART has none');
  port.enableReceiveInterrupt();
  serial.enable();

  function bindingsFor(system: SystemControl, print: (text: string) => void): Record<string, Binding> {
    const { partitions, plans, calls } = system;
    const [first] = plans;
    return {
      partitions: { value: () => print(tableOf(system)), about: 'the partitions: state, slots, clocks' },
      partition: {
        value: (wanted: unknown) =>
          handleOf(system, partitions[find('partition', partitions, (each) => each.description.name, wanted)]!, print),
        about: "partition(name or number): state(), clocks(), suspend(), resume(), halt(), reset('cold' or 'warm'), peek(address, length)",
      },
      run: {
        value: (duration: unknown = BigInt(first!.majorFrame)) => {
          const ended = system.ended();
          if (ended !== undefined) throw new Error(`the system has ended: ${ended}`);
          runUntil = endOf(system.now(), durationOf(duration));
        },
        about: 'run(ms(10)): lets the system run, to the end of a major frame; without a duration for one frame. Ctrl-C stops it',
      },
      plan: {
        value: (wanted: unknown) => {
          calls.switchPlan(find('plan', plans, (each) => each.name, wanted));
        },
        about: 'plan(name or number): switches to it at the end of the major frame, to a maintenance plan at once',
      },
      now: { value: () => system.now(), about: 'time since the epoch, which stands still at the prompt' },
      ms: { value: times(NS_PER_MS), about: 'a duration, as in system files; also us, seconds' },
      us: { value: times(1000), about: 'a duration' },
      seconds: { value: times(1000 * NS_PER_MS), about: 'a duration' },
      machine: { value: machine, about: 'everything that was found' },
      hw: { value: shims, about: 'the shims: in8(port), rdmsr(index), ... Can break the machine' },
    };
  }

  const prompt = (system: SystemControl) =>
    createPrompt({
      machine,
      port,
      bindings: (print) => bindingsFor(system, print),
      onEvaluated: isTold,
    });
  let shown: ReturnType<typeof prompt> | undefined;

  function showOutput({ takeOutput }: SystemControl, print: (text: string) => void): void {
    const { lines, forgotten } = takeOutput();
    if (forgotten > 0) print(`(${forgotten} outputs before these are forgotten)`);
    for (const { partition, text } of lines) {
      const { name } = partition.description;
      for (const line of decodeUtf8(text).replace(/\n$/, '').split('\n')) print(line.startsWith(`${name}: `) ? line : `${name}: ${line}`);
    }
  }

  return (system) => {
    control = system;
    const isFirst = shown === undefined;
    const own = (shown ??= prompt(system));
    const { print } = own;
    showOutput(system, print);
    const ended = system.ended();
    if (isFirst) print(`Chronovisor console. ${system.name} stands before its first slot; run() lets it run, help() lists what is there.`);
    else if (ended !== undefined) print(`the system has ended: ${ended}`);
    else print(`stands at ${showNanos(system.now())}`);

    runUntil = undefined;
    own.show();
    while (!own.isOver() && !isTold()) {
      // By HLT: nobody's slot is to be exact now, and the host has a rest.
      // What one interrupt had no time for raises no other one.
      if (typed.length === 0) receive();
      if (typed.length === 0) dispatcher.dispatchTaken(shims.idle());
      for (let byte = typed.shift(); byte !== undefined; byte = typed.shift()) {
        own.input(byte);
        if (own.isOver() || isTold()) break;
      }
    }
    return own.isOver() ? undefined : runUntil;
  };
}
