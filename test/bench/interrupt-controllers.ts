/** What the hot paths of the virtual interrupt controllers cost, in virtual nanoseconds: one instruction is one. */
import type { Shims } from '../../kernel/hw/shims.ts';
import { EXIT } from '../../kernel/hw/exit.ts';
import { openTrace } from '../../kernel/machine.ts';
import { LAPIC, LVT, SVR } from '../../kernel/regs/local-apic.ts';
import { frequency } from '../../kernel/time/frequency.ts';
import { instant } from '../../kernel/time/units.ts';
import { EVENTS } from '../../kernel/trace/events.ts';
import { createInterruptLines } from '../../kernel/vdev/interrupt-lines.ts';
import { createVirtualIoApic } from '../../kernel/vdev/vioapic.ts';
import { createVirtualLocalApic } from '../../kernel/vdev/vlapic.ts';
import { createVirtualPic } from '../../kernel/vdev/vpic.ts';

const TURNS = 1000;

export function main(shims: Shims): void {
  const { trace } = openTrace(shims, { serial: 'off', frames: 'auto' });
  const { rdtsc } = shims;
  function perTurn(name: string, loop: () => void): void {
    const start = rdtsc();
    for (let turn = 0; turn < TURNS; turn++);
    const middle = rdtsc();
    loop();
    trace.record(EVENTS.benchmark, name, Number(rdtsc() - middle - (middle - start)) / TURNS, 'ns');
  }

  const clock = { now: () => instant(rdtsc()) };
  const timer = { start: () => undefined, stop: () => undefined };
  const onMisuse = (): void => undefined;
  const pic = createVirtualPic({ onRequest: (isRequesting) => lapic.setLint0(isRequesting), onMisuse });
  const lapic = createVirtualLocalApic({
    clock,
    createTimer: () => timer,
    bus: frequency(1_000_000_000n, 1n, 'architectural', 'virtual'),
    tsc: { read: rdtsc, instantOf: (tsc) => instant(tsc) },
    hasTscDeadline: true,
    acknowledgePic: pic.acknowledge,
    onPicConnected: pic.setConnected,
    broadcastEoi: (vector) => ioApic.endOfInterrupt(vector),
    onNmi: () => undefined,
    onMisuse,
  });
  const ioApic = createVirtualIoApic({ localApic: lapic, onUnmasked: (input) => lines.inputUnmasked(input), onMisuse });
  const lines = createInterruptLines({ pic, ioApic });

  lapic.write(LAPIC.SVR, 4, BigInt(SVR.ENABLE | 0xff));
  perTurn('vlapic.pending_ns', () => {
    for (let turn = 0; turn < TURNS; turn++) lapic.pending();
  });
  perTurn('vlapic.tpr_write_ns', () => {
    for (let turn = 0; turn < TURNS; turn++) lapic.write(LAPIC.TPR, 4, 16n);
  });
  perTurn('vlapic.cr8_write_ns', () => {
    for (let turn = 0; turn < TURNS; turn++) lapic.writeCr8(1);
  });
  perTurn('vlapic.accept_acknowledge_eoi_ns', () => {
    for (let turn = 0; turn < TURNS; turn++) {
      lapic.accept(0x40, false, onMisuse);
      lapic.acknowledge();
      lapic.write(LAPIC.EOI, 4, 0n);
    }
  });
  lapic.reset();
  lapic.write(LAPIC.SVR, 4, BigInt(SVR.ENABLE | 0xff));
  lapic.write(LAPIC.LVT_TIMER, 4, BigInt(LVT.TIMER_PERIODIC | 0x40));
  perTurn('vlapic.count_write_ns', () => {
    for (let turn = 0; turn < TURNS; turn++) lapic.write(LAPIC.TIMER_ICR, 4, 1_000_000n);
  });
  perTurn('vlapic.count_read_ns', () => {
    for (let turn = 0; turn < TURNS; turn++) lapic.read(LAPIC.TIMER_CCR, 4);
  });
  ioApic.write(0x00, 4, 0x14n);
  ioApic.write(0x10, 4, 0x41n);
  const line = lines.isaLine(0);
  perTurn('vioapic.isa_pulse_acknowledge_eoi_ns', () => {
    for (let turn = 0; turn < TURNS; turn++) {
      line.pulse(onMisuse);
      lapic.acknowledge();
      lapic.endOfInterrupt();
    }
  });
  for (const [chip, base, cascade] of [
    [pic.master, 0x20, 4],
    [pic.slave, 0x28, 2],
  ] as const) {
    chip.write(0, 1, 0x11);
    for (const word of [base, cascade, 1, 0]) chip.write(1, 1, word);
  }
  lapic.write(LAPIC.LVT_LINT0, 4, BigInt(LVT.DELIVERY_EXTINT));
  perTurn('vpic.pulse_acknowledge_eoi_ns', () => {
    for (let turn = 0; turn < TURNS; turn++) {
      pic.pulse(3, onMisuse);
      lapic.acknowledge();
      pic.master.write(0, 1, 0x20);
    }
  });
  trace.flush();
  shims.exit(EXIT.OK);
}
