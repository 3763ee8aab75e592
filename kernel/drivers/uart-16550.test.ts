import { describe, expect, it } from 'vitest';
import { createPorts } from '../hw/ports.ts';
import { IER, LCR, LSR, MCR, TRANSMIT_FIFO_DEPTH, UART } from '../regs/pc16550d.ts';
import { createFakeBus } from '../testing/bus.ts';
import { createFakeClock } from '../testing/clock.ts';
import { createFakeUart } from '../testing/uart-16550.ts';
import { COM1, probeUart } from './uart-16550.ts';

const LSR_READ = `in ${(COM1.BASE + UART.LSR).toString(16)} `;
const text = (length: number, first = 0): Uint8Array => Uint8Array.from({ length }, (_, index) => (first + index) & 0xff);

function createLine() {
  const clock = createFakeClock();
  const device = createFakeUart(clock);
  const bus = createFakeBus({ clock, ports: [{ base: COM1.BASE, length: UART.COUNT, device }] });
  const uart = probeUart(createPorts(bus.shims, COM1.BASE, UART.COUNT))!;
  bus.takeAccesses();
  const polls = (): number => bus.takeAccesses().filter((access) => access.startsWith(LSR_READ)).length;
  return { clock, device, bus, uart, polls };
}

describe('probing', () => {
  it('finds nothing where nobody drives the bus', () => {
    const bus = createFakeBus({});
    expect(probeUart(createPorts(bus.shims, COM1.BASE, UART.COUNT))).toBeUndefined();
  });

  it('finds nothing where all registers read 0, or what was written last to any of them', () => {
    let last = 0;
    for (const read8 of [() => 0, () => last & 0x5a]) {
      const device = { read8, write8: (_: number, value: number) => void (last = value) };
      const bus = createFakeBus({ ports: [{ base: COM1.BASE, length: UART.COUNT, device }] });
      expect(probeUart(createPorts(bus.shims, COM1.BASE, UART.COUNT))).toBeUndefined();
    }
  });

  it('touches nothing but the scratch register where it finds nothing', () => {
    const bus = createFakeBus({});
    probeUart(createPorts(bus.shims, COM1.BASE, UART.COUNT));
    expect(bus.takeAccesses()).toEqual(['out 3ff 5a', 'in 3ff ff']);
  });

  it('sets 115,200 baud, 8 bits, FIFOs, and no interrupts; the divisor latch is closed again', () => {
    const { device } = createLine();
    expect(device.registers).toMatchObject({ divisor: 1, LCR: LCR.WORD_8, IER: 0, MCR: MCR.DTR | MCR.RTS | MCR.OUT2 });
    expect(device.registers.FCR & 1).toBe(1);
  });
});

describe('writing', () => {
  it.each([0, 1, 15, 16, 17, 32, 100, 1000])('%i bytes sends them in order, and overruns no FIFO', (length) => {
    const { device, uart } = createLine();
    uart.write(text(length));
    expect(device.transmitted()).toEqual([...text(length)]);
    expect(device.overruns()).toBe(0);
    expect(uart.lost()).toBe(0);
  });

  it('right after writing overruns no FIFO either', () => {
    const { device, uart } = createLine();
    for (let index = 0; index < 20; index++) uart.write(text(3, 3 * index));
    expect(device.transmitted()).toEqual([...text(60)]);
    expect(device.overruns()).toBe(0);
  });

  it('a part of a buffer sends that part', () => {
    const { device, uart } = createLine();
    uart.write(text(100).subarray(40, 80));
    expect(device.transmitted()).toEqual([...text(40, 40)]);
  });

  it('looks at THRE before each FIFO of bytes, not before each byte', () => {
    const { uart, polls } = createLine();
    uart.write(text(TRANSMIT_FIFO_DEPTH));
    expect(polls()).toBe(1);
  });
});

describe('a transmitter that is stuck', () => {
  function createStuck() {
    const line = createLine();
    line.device.setStuck(true);
    line.uart.write(text(TRANSMIT_FIFO_DEPTH));
    line.bus.takeAccesses();
    return line;
  }

  it('is waited for longer than a full FIFO takes, but not for ever; its bytes are lost, and counted', () => {
    const { clock, uart, polls, device } = createStuck();
    const before = clock.now();
    uart.write(text(5));
    expect(uart.lost()).toBe(5);
    expect(polls()).toBeLessThanOrEqual(5000);
    // 16 bytes of 10 bits at 115,200 baud.
    expect(clock.now() - before).toBeGreaterThan((16n * 10n * 1_000_000_000_000n) / 115_200n);
    expect(device.transmitted()).toHaveLength(TRANSMIT_FIFO_DEPTH);
  });

  it('costs one look per FIFO of bytes from then on', () => {
    const { uart, polls } = createStuck();
    uart.write(text(5));
    polls();
    uart.write(text(16));
    expect(polls()).toBe(1);
    uart.write(text(33));
    expect(polls()).toBe(3);
    expect(uart.lost()).toBe(5 + 16 + 33);
  });

  it('that recovers is used again, and waited for again', () => {
    const { clock, device, uart, polls } = createStuck();
    uart.write(text(5));
    device.setStuck(false);
    clock.pass(10_000_000_000n);
    uart.write(text(32, 100));
    expect(device.transmitted().slice(TRANSMIT_FIFO_DEPTH)).toEqual([...text(32, 100)]);
    expect(uart.lost()).toBe(5);
    expect(device.overruns()).toBe(0);
    expect(polls(), 'looks while the first FIFO drained').toBeGreaterThan(100);
  });

  it('never gets bytes into a FIFO that is full', () => {
    const { device, uart } = createStuck();
    uart.write(text(100));
    expect(device.overruns()).toBe(0);
  });
});

describe('reading', () => {
  it('gives bytes in order, then -1', () => {
    const { device, uart } = createLine();
    expect(uart.read()).toBe(-1);
    device.receive(0, 0x41, 0xff);
    expect([uart.read(), uart.read(), uart.read(), uart.read()]).toEqual([0, 0x41, 0xff, -1]);
  });

  it('does not touch the receiver buffer when no data is ready', () => {
    const { bus, uart } = createLine();
    uart.read();
    expect(bus.takeAccesses()).toEqual([`${LSR_READ}${LSR.THRE.toString(16)}`]);
  });

  it('by interrupts is asked for explicitly', () => {
    const { device, uart } = createLine();
    uart.enableReceiveInterrupt();
    expect(device.registers.IER).toBe(IER.ERBFI);
    expect(device.registers.divisor).toBe(1);
  });
});
