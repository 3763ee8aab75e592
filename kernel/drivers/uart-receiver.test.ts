import { describe, expect, it } from 'vitest';
import { createPorts } from '../hw/ports.ts';
import { IER, MCR, RECEIVE_FIFO_DEPTH, UART } from '../regs/pc16550d.ts';
import { createFakeBus } from '../testing/bus.ts';
import { createFakeClock } from '../testing/clock.ts';
import { createFakeUart } from '../testing/uart-16550.ts';
import { probeUart } from './uart-16550.ts';
import { COM2, createUartReceiver } from './uart-receiver.ts';

/** 10 bits at 115,200 baud, in picoseconds; rounded up. */
const BYTE = (10n * 1_000_000_000_000n) / 115_200n + 1n;

function createLine() {
  const clock = createFakeClock();
  const device = createFakeUart(clock);
  const bus = createFakeBus({ clock, ports: [{ base: COM2.BASE, length: UART.COUNT, device }] });
  const ports = createPorts(bus.shims, COM2.BASE, UART.COUNT);
  probeUart(ports);
  bus.takeAccesses();
  return { clock, device, bus, receiver: createUartReceiver(ports) };
}

describe('the receiver of a UART', () => {
  it('gives bytes in order, then -1', () => {
    const { device, receiver } = createLine();
    expect(receiver.read()).toBe(-1);
    device.receive(0, 0x41, 0xff);
    expect([receiver.read(), receiver.read(), receiver.read(), receiver.read()]).toEqual([0, 0x41, 0xff, -1]);
    expect(receiver.overruns()).toBe(0);
  });

  it('tells of bytes that found it full, once', () => {
    const { device, receiver } = createLine();
    device.receive(...Array.from({ length: RECEIVE_FIFO_DEPTH + 3 }, (_, index) => index));
    for (let index = 0; index < RECEIVE_FIFO_DEPTH; index++) expect(receiver.read()).toBe(index);
    expect([receiver.read(), receiver.overruns()]).toEqual([-1, 1]);
  });

  it('interrupts when it is told to', () => {
    const { device, receiver } = createLine();
    receiver.enableInterrupt();
    expect(device.registers.IER).toBe(IER.ERBFI);
    receiver.disableInterrupt();
    expect(device.registers.IER).toBe(0);
  });

  it('in loopback gets what is sent, a byte later, and nothing leaves', () => {
    const { clock, device, receiver } = createLine();
    receiver.setLoopback(true);
    receiver.put(0x55);
    expect(receiver.read()).toBe(-1);
    clock.pass(BYTE);
    expect([receiver.read(), receiver.read()]).toEqual([0x55, -1]);
    expect(device.transmitted()).toEqual([]);
  });

  it('keeps the modem lines in loopback, and sends again after it', () => {
    const { clock, device, receiver } = createLine();
    receiver.setLoopback(true);
    expect(device.registers.MCR).toBe(MCR.DTR | MCR.RTS | MCR.OUT2 | MCR.LOOP);
    receiver.setLoopback(false);
    expect(device.registers.MCR).toBe(MCR.DTR | MCR.RTS | MCR.OUT2);
    receiver.put(0x55);
    clock.pass(BYTE);
    expect([receiver.read(), device.transmitted()]).toEqual([-1, [0x55]]);
  });

  it('sends a byte by one access', () => {
    const { bus, receiver } = createLine();
    receiver.put(0x41);
    expect(bus.takeAccesses()).toEqual(['out 2f8 41']);
  });
});
