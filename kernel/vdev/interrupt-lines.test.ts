import { describe, expect, it } from 'vitest';
import { INDEX, IOAPIC, IOAPIC_ADDRESS } from '../regs/i82093aa.ts';
import { LAPIC, LAPIC_ADDRESS, LVT, SVR } from '../regs/local-apic.ts';
import { createInterruptPlatform } from '../testing/interrupt-platform.ts';
import { REQUEST, type Request } from './device.ts';
import { createInterruptLines, gsiOfIsa } from './interrupt-lines.ts';

/** A controller that says what it is told to, and remembers. */
function createController() {
  const levels: [line: number, isHigh: boolean][] = [];
  const pulses: number[] = [];
  const released: number[] = [];
  const controller = {
    answer: REQUEST.ACCEPTED as Request,
    levels,
    pulses,
    released,
    acknowledge: (): void => undefined,
    pulse: (line: number, acknowledged?: () => void): Request => {
      pulses.push(line);
      if (controller.answer === REQUEST.ACCEPTED) controller.acknowledge = acknowledged ?? ((): void => undefined);
      return controller.answer;
    },
    setLevel: (line: number, isHigh: boolean): void => void levels.push([line, isHigh]),
    reclaim: (): boolean => false,
    release: (line: number): void => void released.push(line),
  };
  return controller;
}

function create() {
  const pic = createController();
  const ioApic = createController();
  return { pic, ioApic, lines: createInterruptLines({ pic, ioApic }) };
}

describe('an ISA line', () => {
  it('drives both controllers: IRQ 0 input 2 of the I/O APIC, the others that of their number', () => {
    const { pic, ioApic, lines } = create();
    for (const irq of [0, 1, 8, 15]) lines.isaLine(irq).pulse();
    expect([pic.pulses, ioApic.pulses]).toEqual([
      [0, 1, 8, 15],
      [2, 1, 8, 15],
    ]);
    expect([0, 1, 15].map(gsiOfIsa)).toEqual([2, 1, 15]);
  });

  it.each([-1, 2, 16, 0.5, NaN])('does not exist: %f', (irq) => {
    expect(() => create().lines.isaLine(irq)).toThrow(new RangeError(`ISA has no line ${irq}`));
  });

  it.each([
    [REQUEST.ACCEPTED, REQUEST.DROPPED, REQUEST.ACCEPTED],
    [REQUEST.DROPPED, REQUEST.ACCEPTED, REQUEST.ACCEPTED],
    [REQUEST.MERGED, REQUEST.ACCEPTED, REQUEST.ACCEPTED],
    [REQUEST.MERGED, REQUEST.DROPPED, REQUEST.MERGED],
    [REQUEST.DROPPED, REQUEST.MERGED, REQUEST.MERGED],
    [REQUEST.DROPPED, REQUEST.DROPPED, REQUEST.DROPPED],
  ])('of which the 8259A says %i and the I/O APIC %i says %i', (byPic, byIoApic, expected) => {
    const { pic, ioApic, lines } = create();
    pic.answer = byPic;
    ioApic.answer = byIoApic;
    expect(lines.isaLine(4).pulse()).toBe(expected);
  });

  it('that both deliver is acknowledged once', () => {
    const { pic, ioApic, lines } = create();
    let count = 0;
    lines.isaLine(4).pulse(() => count++);
    ioApic.acknowledge();
    pic.acknowledge();
    expect(count).toBe(1);
  });

  it('that was dropped leaves the one before it waiting', () => {
    const { pic, ioApic, lines } = create();
    const line = lines.isaLine(4);
    ioApic.answer = REQUEST.DROPPED;
    let count = 0;
    line.pulse(() => count++);
    pic.answer = REQUEST.MERGED;
    line.pulse(() => expect.unreachable());
    pic.acknowledge();
    expect(count).toBe(1);
  });

  it('of which one controller holds a request and the other takes the next acknowledges each by its own', () => {
    const { pic, ioApic, lines } = create();
    ioApic.answer = REQUEST.DROPPED;
    const seen: string[] = [];
    lines.isaLine(4).pulse(() => seen.push('first'));
    pic.answer = REQUEST.MERGED;
    ioApic.answer = REQUEST.ACCEPTED;
    lines.isaLine(4).pulse(() => seen.push('second'));
    ioApic.acknowledge();
    expect(seen).toEqual(['second']);
    pic.acknowledge();
    expect(seen).toEqual(['second', 'first']);
  });

  it('that one controller has acknowledged is not acknowledged by what the other still holds of it', () => {
    const { pic, ioApic, lines } = create();
    const seen: string[] = [];
    lines.isaLine(4).pulse(() => seen.push('first'));
    ioApic.acknowledge();
    pic.answer = REQUEST.MERGED;
    lines.isaLine(4).pulse(() => seen.push('second'));
    pic.acknowledge();
    expect(seen).toEqual(['first']);
    ioApic.acknowledge();
    expect(seen).toEqual(['first', 'second']);
  });

  it('is released by the 8259A when its input is unmasked; GSI 0 is no line', () => {
    const { pic, lines } = create();
    for (const gsi of [0, 2, 7, 15, 16, 23]) lines.inputUnmasked(gsi);
    expect(pic.released).toEqual([0, 7, 15]);
  });
});

describe('a wire', () => {
  it('is high while one of its sources has it high', () => {
    const { pic, ioApic, lines } = create();
    const [first, second] = [lines.isaLine(5), lines.isaLine(5)];
    first.setLevel(true);
    second.setLevel(true);
    second.setLevel(true);
    first.setLevel(false);
    second.setLevel(false);
    second.setLevel(false);
    expect([pic.levels, ioApic.levels]).toEqual([
      [
        [5, true],
        [5, false],
      ],
      [
        [5, true],
        [5, false],
      ],
    ]);
  });

  it('of a GSI is one with that of the ISA line at the I/O APIC, and unknown to the 8259A', () => {
    const { pic, ioApic, lines } = create();
    const [isa, gsi] = [lines.isaLine(0), lines.gsiLine(2)];
    gsi.setLevel(true);
    isa.setLevel(true);
    gsi.setLevel(false);
    isa.setLevel(false);
    expect(pic.levels).toEqual([
      [0, true],
      [0, false],
    ]);
    expect(ioApic.levels).toEqual([
      [2, true],
      [2, false],
    ]);
  });

  it('keeps its level over a restore', () => {
    const { lines } = create();
    lines.isaLine(5).setLevel(true);
    const state = lines.save();
    const other = create();
    const line = other.lines.isaLine(5);
    other.lines.restore(state);
    line.setLevel(true);
    expect(other.pic.levels).toEqual([]);
    line.setLevel(false);
    expect(other.pic.levels).toEqual([[5, false]]);
  });
});

describe('a GSI', () => {
  it('reaches the I/O APIC alone', () => {
    const { pic, ioApic, lines } = create();
    lines.gsiLine(5).pulse();
    expect([pic.pulses, ioApic.pulses]).toEqual([[], [5]]);
  });

  it.each([-1, 24, 1.5])('does not exist: %f', (gsi) => {
    expect(() => create().lines.gsiLine(gsi)).toThrow(new RangeError(`the I/O APIC has no input ${gsi}`));
  });
});

describe('a source in a guest that changes from the 8259As to the I/O APIC', () => {
  /** IRQ 0 is accepted by the 8259A, and masked there before the CPU takes it. */
  function createHeld() {
    const { target, lines } = createInterruptPlatform();
    for (const [port, value] of [
      [0x20, 0x11],
      [0x21, 0x30],
      [0x21, 4],
      [0x21, 1],
      [0x21, 0],
    ] as const)
      target.out(port, 1, value);
    target.write(LAPIC_ADDRESS + LAPIC.SVR, 4, BigInt(SVR.ENABLE | 0xff));
    target.write(LAPIC_ADDRESS + LAPIC.LVT_LINT0, 4, BigInt(LVT.DELIVERY_EXTINT));
    const line = lines.isaLine(0);
    let acknowledges = 0;
    expect(line.pulse(() => acknowledges++)).toBe(REQUEST.ACCEPTED);
    target.out(0x21, 1, 0xff);
    expect([target.takeVector(), acknowledges]).toEqual([-1, 0]);
    return { target, line, acknowledges: () => acknowledges };
  }

  it('goes on when its input is unmasked', () => {
    const { target, line, acknowledges } = createHeld();
    target.write(IOAPIC_ADDRESS + IOAPIC.IOREGSEL, 4, BigInt(INDEX.IOREDTBL + 4));
    target.write(IOAPIC_ADDRESS + IOAPIC.IOWIN, 4, 0x40n);
    expect(acknowledges()).toBe(1);
    expect(line.pulse()).toBe(REQUEST.ACCEPTED);
    expect(target.takeVector()).toBe(0x40);
  });

  it('goes on when LINT0 is masked', () => {
    const { target, acknowledges } = createHeld();
    target.write(LAPIC_ADDRESS + LAPIC.LVT_LINT0, 4, BigInt(LVT.MASKED));
    expect(acknowledges()).toBe(1);
  });
});
