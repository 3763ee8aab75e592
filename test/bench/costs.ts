/** What single things cost on the machine, in virtual nanoseconds: one instruction is one. */
import type { Shims } from '../../kernel/hw/shims.ts';
import { EXIT } from '../../kernel/hw/exit.ts';
import { createMmio } from '../../kernel/hw/mmio.ts';
import { findMachine, openTrace } from '../../kernel/machine.ts';
import { ticksToNanos } from '../../kernel/time/frequency.ts';
import { ticks } from '../../kernel/time/units.ts';
import { EVENTS } from '../../kernel/trace/events.ts';
import { formatLine } from '../../kernel/trace/text.ts';
import { createTrace } from '../../kernel/trace/trace.ts';

const TURNS = 1000;
const HPET_BASE = 0xfed0_0000;

export function main(shims: Shims): void {
  const { trace, uart } = openTrace(shims, { serial: 'off', frames: 'auto' });
  const machine = findMachine(shims, trace, uart, 'auto');
  const { rdtsc, in8, mmioRead32 } = shims;

  function time(action: () => void): number {
    const start = rdtsc();
    action();
    return Number(ticksToNanos(machine.tscFrequency, ticks(rdtsc() - start)));
  }
  /** Of one turn of a loop without its loop. */
  function perTurn(name: string, loop: () => void): void {
    const empty = time(() => {
      for (let turn = 0; turn < TURNS; turn++);
    });
    trace.record(EVENTS.benchmark, name, (time(loop) - empty) / TURNS, 'ns');
  }

  perTurn('shim.call_ns', () => {
    for (let turn = 0; turn < TURNS; turn++) rdtsc();
  });
  perTurn('shim.port_read_ns', () => {
    for (let turn = 0; turn < TURNS; turn++) in8(0x61);
  });
  perTurn('shim.mmio_read_ns', () => {
    for (let turn = 0; turn < TURNS; turn++) mmioRead32(HPET_BASE + 0xf0);
  });
  const hpet = createMmio(shims, HPET_BASE, 0x400);
  perTurn('driver.mmio_read_ns', () => {
    for (let turn = 0; turn < TURNS; turn++) hpet.read32(0xf0);
  });

  const own = createTrace({
    rdtsc,
    bootStamp: 0n,
    cpu: 0,
    capacity: TURNS,
    frames: { write: (buffer, offset, length) => shims.outBlock8(0xed, buffer, offset, length) },
    lines: undefined,
  });
  perTurn('trace.record_ns', () => {
    for (let turn = 0; turn < TURNS; turn++) own.record(EVENTS.timerInterrupt, 'hpet', turn, 1n, 2n);
  });
  trace.record(EVENTS.benchmark, 'trace.flush_record_ns', time(own.flush) / TURNS, 'ns');
  const values = ['hpet', 17, 123_456_789n, 123_456_790n];
  perTurn('trace.text_ns', () => {
    for (let turn = 0; turn < TURNS; turn++) formatLine(EVENTS.timerInterrupt, 123_456_999n, 0, values);
  });

  const before = shims.heapUsed();
  trace.record(EVENTS.benchmark, 'gc.collect_ns', time(shims.collectGarbage), 'ns');
  trace.record(EVENTS.benchmark, 'heap.after_boot_bytes', before, 'bytes');
  trace.flush();
  shims.exit(EXIT.OK);
}
