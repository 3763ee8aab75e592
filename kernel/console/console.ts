/** A prompt inside the running kernel: expressions are evaluated in it while its timers go on. A program of its own. */
export { createSystemConsole } from './system-console.ts';
import { createPeriodicTimer } from '../demonstration/periodic-timer.ts';
import { COM1 } from '../drivers/uart-16550.ts';
import type { Machine } from '../machine.ts';
import { hertz, ticksToNanos } from '../time/frequency.ts';
import { millis, nanos, ticks } from '../time/units.ts';
import { EVENTS } from '../trace/events.ts';
import { createPrompt, type Binding } from './prompt.ts';

/** Of the timer that runs beside the prompt. */
const TIMER_PERIOD = millis(10);
/** Heap growth after which garbage is collected. */
const GARBAGE_BYTES = 1 << 20;

/** Returns when the user leaves with Ctrl-D. @throws Error if the machine has no UART with an interrupt */
export function runConsole(machine: Machine): void {
  const { shims, trace, uart, router, dispatcher, tscFrequency } = machine;
  if (!uart) throw new Error('the console needs a UART: none answers at COM1');
  const port = uart;
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
  const prompt = createPrompt({ machine, port, bindings: () => bindings });

  const serial = router.connectIsa(COM1.IRQ, () => {
    receptions++;
  });
  function readKeys(): void {
    for (let byte = port.read(); byte >= 0 && !prompt.isOver(); byte = port.read()) prompt.input(byte);
  }
  let receptions = 0;
  let handled = 0;
  if (serial) {
    port.enableReceiveInterrupt();
    serial.enable();
  } else if (!line) {
    throw new Error('the console needs an interrupt: neither the UART nor a timer has one');
  }

  prompt.print(
    `Chronovisor console. help() lists what is there. ${ticksToNanos(tscFrequency, ticks(shims.rdtsc() - shims.entryTsc())) / 1_000_000n} ms since boot.`,
  );
  prompt.show();
  let collectedAt = shims.heapUsed();
  while (!prompt.isOver()) {
    dispatcher.waitAndDispatch();
    // Without an interrupt of its own the UART is looked at whenever the timer interrupts.
    if (receptions !== handled || !serial) {
      handled = receptions;
      readKeys();
    }
    if (trace.pending() > 0) {
      prompt.write('\r\n');
      trace.flush();
      // The line in progress comes back below what was printed.
      prompt.show();
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
