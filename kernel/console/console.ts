/** A prompt inside the running kernel: expressions are evaluated in it while its timers go on. */
import { createPeriodicTimer } from '../demonstration/periodic-timer.ts';
import { COM1 } from '../drivers/uart-16550.ts';
import type { Machine } from '../machine.ts';
import { hertz, nanosToTicks, ticksToNanos } from '../time/frequency.ts';
import { millis, nanos, ticks } from '../time/units.ts';
import { EVENTS } from '../trace/events.ts';
import { encodeUtf8 } from '../trace/utf8.ts';
import { inspect } from './inspect.ts';
import { createLineEditor } from './line-editor.ts';

const PROMPT = 'chronovisor> ';
/** An evaluation that takes longer is stopped: nothing else happens meanwhile. */
const EVALUATION_LIMIT = millis(5_000);
/** Of the timer that runs beside the prompt. */
const TIMER_PERIOD = millis(10);
/** Heap growth after which garbage is collected. */
const GARBAGE_BYTES = 1 << 20;

interface Binding {
  readonly value: unknown;
  readonly about: string;
}

/** Returns when the user leaves with Ctrl-D. @throws Error if the machine has no UART with an interrupt */
export function runConsole(machine: Machine): void {
  const { shims, trace, uart, router, dispatcher, tscFrequency } = machine;
  if (!uart) throw new Error('the console needs a UART: none answers at COM1');
  const port = uart;
  const write = (text: string): void => port.write(encodeUtf8(text));
  const print = (text: string): void => write(text.replaceAll('\n', '\r\n') + '\r\n');

  let interruptsSeen = 0;
  const timer =
    createPeriodicTimer(machine, 'lapic', TIMER_PERIOD) ??
    createPeriodicTimer(machine, 'hpet', TIMER_PERIOD) ??
    createPeriodicTimer(machine, 'pit', TIMER_PERIOD);
  const line = timer?.connect(() => {
    timer.continue?.();
    interruptsSeen++;
  }, 0);
  if (timer && line) timer.start(line);

  const bindings: Record<string, Binding> = {
    help: { value: () => help(), about: 'this list' },
    print: {
      value: (...values: unknown[]) => print(values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' ')),
      about: 'writes values to the console',
    },
    clock: {
      value: { now: () => machine.now(), frequency: () => hertz(tscFrequency) },
      about: 'clock.now(): nanoseconds since boot, by the TSC; clock.frequency(): hertz',
    },
    timer: {
      value: { name: timer?.name ?? 'none', period: TIMER_PERIOD, interrupts: () => interruptsSeen },
      about: 'the timer that runs beside the prompt; timer.interrupts(): how many it has raised so far',
    },
    pit: { value: machine.pit, about: 'the 8254: counter(), armPeriodic(count), stop()' },
    hpet: { value: machine.hpet, about: 'the HPET: counter(), frequency, routes' },
    lapic: { value: machine.localApic, about: 'the local APIC: id, currentCount()' },
    pmTimer: { value: machine.pmTimer, about: 'the ACPI PM timer: counter()' },
    acpi: { value: machine.acpi, about: 'the ACPI tables as far as they are read' },
    machine: { value: machine, about: 'everything that was found' },
    hw: { value: shims, about: 'the shims: in8(port), mmioRead32(address), rdmsr(index), ... Can break the machine' },
    heap: { value: () => ({ used: shims.heapUsed(), limit: shims.heapLimit() }), about: 'bytes of the JavaScript heap' },
  };
  const global = globalThis as unknown as Record<string, unknown>;
  for (const [name, { value }] of Object.entries(bindings)) global[name] = value;

  function help(): void {
    print('Type a JavaScript expression. Ctrl-C abandons a line, Ctrl-D leaves. What is there:');
    for (const [name, { value, about }] of Object.entries(bindings))
      print(`  ${name.padEnd(8)} ${about}${value === undefined ? ' (this machine has none)' : ''}`);
  }

  function evaluate(source: string): void {
    try {
      const value = shims.evaluate(source, nanosToTicks(tscFrequency, EVALUATION_LIMIT));
      if (value !== undefined) {
        global['_'] = value;
        print(inspect(value));
      }
    } catch (error) {
      print(error instanceof Error ? describeError(error) : `thrown: ${inspect(error)}`);
    }
  }

  let isOver = false;
  const editor = createLineEditor({
    write,
    prompt: PROMPT,
    onLine: (text) => {
      if (text.trim() !== '') evaluate(text);
      editor.prompt();
    },
    onEnd: () => {
      isOver = true;
    },
    complete: (prefix) => complete(prefix, global),
  });

  const serial = router.connectIsa(COM1.IRQ, () => {
    receptions++;
  });
  function readKeys(): void {
    for (let byte = port.read(); byte >= 0 && !isOver; byte = port.read()) editor.input(byte);
  }
  let receptions = 0;
  let handled = 0;
  if (serial) {
    port.enableReceiveInterrupt();
    serial.enable();
  } else if (!line) {
    throw new Error('the console needs an interrupt: neither the UART nor a timer has one');
  }

  print(
    `Chronovisor console. help() lists what is there. ${ticksToNanos(tscFrequency, ticks(shims.rdtsc() - shims.entryTsc())) / 1_000_000n} ms since boot.`,
  );
  editor.prompt();
  let collectedAt = shims.heapUsed();
  while (!isOver) {
    dispatcher.waitAndDispatch();
    // Without an interrupt of its own the UART is looked at whenever the timer interrupts.
    if (receptions !== handled || !serial) {
      handled = receptions;
      readKeys();
    }
    if (trace.pending() > 0) {
      write('\r\n');
      trace.flush();
      // The line in progress comes back below what was printed.
      editor.prompt();
    }
    if (shims.heapUsed() > collectedAt + GARBAGE_BYTES) {
      const before = shims.heapUsed();
      const begun = shims.rdtsc();
      shims.collectGarbage();
      collectedAt = shims.heapUsed();
      trace.record(EVENTS.garbageCollected, nanos(ticksToNanos(tscFrequency, ticks(shims.rdtsc() - begun))), before, collectedAt);
    }
  }
  if (timer && line) {
    timer.stop();
    line.disconnect();
  }
  serial?.disconnect();
}

/** With the part of the stack that is the user's: what lies below the evaluation is the console itself. */
function describeError(error: Error): string {
  const frames = (error.stack ?? '').split('\n');
  const own = frames.slice(
    0,
    Math.max(
      0,
      frames.findIndex((frame) => frame.includes('at evaluate (native)')),
    ),
  );
  return [`${error.name}: ${error.message}`, ...own].join('\n');
}

/** Names that `prefix`, a chain like `hpet.cou`, can become. Getters are not called. */
function complete(prefix: string, global: Record<string, unknown>): string[] {
  const chain = /[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*\.?$/.exec(prefix)?.[0] ?? '';
  const parts = chain.split('.');
  const last = parts.pop() ?? '';
  let value: unknown = global;
  for (const part of parts) {
    const descriptor: PropertyDescriptor | undefined =
      value !== null && typeof value === 'object' ? Object.getOwnPropertyDescriptor(value, part) : undefined;
    value = descriptor?.value;
  }
  if (value === null || typeof value !== 'object') return [];
  const head = prefix.slice(0, prefix.length - last.length);
  return Object.getOwnPropertyNames(value)
    .filter((name) => name.startsWith(last) && /^[A-Za-z_$]/.test(name))
    .sort()
    .map((name) => head + name);
}
