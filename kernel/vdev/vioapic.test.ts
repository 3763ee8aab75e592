import { describe, expect, it } from 'vitest';
import { testConformance } from '../../test/conformance.ts';
import { INDEX, INPUT_COUNT, IOAPIC, IOAPIC_ADDRESS, REDIRECTION } from '../regs/i82093aa.ts';
import { LAPIC, LAPIC_ADDRESS, SVR } from '../regs/local-apic.ts';
import { createInterruptPlatform } from '../testing/interrupt-platform.ts';
import { createRandom } from '../testing/random.ts';
import { IOAPIC_CASES } from './conformance/ioapic.ts';
import { REQUEST, type Width } from './device.ts';

describe('conformance', () => {
  testConformance(IOAPIC_CASES, () => createInterruptPlatform().target);
});

const INPUT = 20;
const LEVEL = REDIRECTION.TRIGGER_LEVEL;

function create() {
  const platform = createInterruptPlatform();
  const { target } = platform;
  target.write(LAPIC_ADDRESS + LAPIC.SVR, 4, BigInt(SVR.ENABLE | 0xff));
  const select = (index: number): void => target.write(IOAPIC_ADDRESS + IOAPIC.IOREGSEL, 4, BigInt(index));
  return {
    ...platform,
    select,
    setEntry: (input: number, low: number, high = 0) => {
      select(INDEX.IOREDTBL + 2 * input + 1);
      target.write(IOAPIC_ADDRESS + IOAPIC.IOWIN, 4, BigInt(high >>> 0));
      select(INDEX.IOREDTBL + 2 * input);
      target.write(IOAPIC_ADDRESS + IOAPIC.IOWIN, 4, BigInt(low >>> 0));
    },
    entry: (input: number) => {
      select(INDEX.IOREDTBL + 2 * input);
      return Number(target.read(IOAPIC_ADDRESS + IOAPIC.IOWIN, 4));
    },
  };
}

describe('a pulse', () => {
  it('is acknowledged once, by its own source, when the CPU takes it', () => {
    const { ioApic, lapic, setEntry } = create();
    setEntry(INPUT, 0x40);
    let count = 0;
    expect(ioApic.pulse(INPUT, () => count++)).toBe(REQUEST.ACCEPTED);
    expect(ioApic.pulse(INPUT, () => expect.unreachable())).toBe(REQUEST.MERGED);
    expect([count, lapic.acknowledge(), count]).toEqual([0, 0x40, 1]);
  });

  it('at a masked input is dropped, and is never heard of', () => {
    const { ioApic, lapic, setEntry } = create();
    setEntry(INPUT, REDIRECTION.MASKED | 0x40);
    expect(ioApic.pulse(INPUT, () => expect.unreachable())).toBe(REQUEST.DROPPED);
    setEntry(INPUT, 0x40);
    expect(lapic.pending()).toBe(-1);
  });

  it('at a level-triggered entry is one interrupt, and merges until its end', () => {
    const { ioApic, lapic, setEntry, entry } = create();
    setEntry(INPUT, LEVEL | 0x40);
    let count = 0;
    const source = (): void => void count++;
    expect([ioApic.pulse(INPUT, source), ioApic.pulse(INPUT, source)]).toEqual([REQUEST.ACCEPTED, REQUEST.MERGED]);
    lapic.acknowledge();
    expect([count, ioApic.pulse(INPUT, source)]).toEqual([1, REQUEST.MERGED]);
    lapic.endOfInterrupt();
    expect([lapic.pending(), entry(INPUT) & REDIRECTION.REMOTE_IRR]).toEqual([-1, 0]);
    expect(ioApic.pulse(INPUT, source)).toBe(REQUEST.ACCEPTED);
  });

  it.each([
    ['SMI', 0x240],
    ['INIT', 0x540],
    ['a reserved delivery mode', 0x340],
    ['a vector under 16', 0x00f],
  ])('through an entry with %s is dropped and counted', (_, low) => {
    const { ioApic, lapic, setEntry, misuses } = create();
    for (const trigger of [0, LEVEL]) {
      setEntry(INPUT, trigger | low);
      expect(ioApic.pulse(INPUT, () => expect.unreachable())).toBe(REQUEST.DROPPED);
    }
    expect([lapic.pending(), misuses.length]).toEqual([-1, 2]);
  });

  it('for an APIC that does not exist is dropped and counted', () => {
    const { ioApic, setEntry, misuses } = create();
    setEntry(INPUT, 0x40, 0x0500_0000);
    expect(ioApic.pulse(INPUT)).toBe(REQUEST.DROPPED);
    expect(misuses).toEqual(['I/O APIC: an entry for an APIC that does not exist']);
  });
});

describe('a level', () => {
  it('that a guest never takes away comes with each end of interrupt, and does no work in between', () => {
    const { ioApic, lapic, setEntry } = create();
    setEntry(INPUT, LEVEL | 0x40);
    ioApic.setLevel(INPUT, true);
    for (let count = 0; count < 1000; count++) {
      expect(lapic.acknowledge()).toBe(0x40);
      expect(lapic.pending()).toBe(-1);
      lapic.endOfInterrupt();
    }
  });

  it('on all inputs with one vector storms no worse than on one', () => {
    const { ioApic, lapic, setEntry } = create();
    for (let input = 0; input < INPUT_COUNT; input++) {
      setEntry(input, LEVEL | 0x40);
      ioApic.setLevel(input, true);
    }
    for (let count = 0; count < 100; count++) {
      expect(lapic.acknowledge()).toBe(0x40);
      expect(lapic.pending()).toBe(-1);
      lapic.endOfInterrupt();
    }
  });
});

describe('misuse', () => {
  const WIDTHS: readonly Width[] = [1, 2, 4, 8];

  it('of a width or an offset is counted, reads all ones and changes nothing', () => {
    const { target, misuses, setEntry, entry } = create();
    setEntry(INPUT, REDIRECTION.MASKED | 0x44);
    for (let offset = 0; offset < IOAPIC.LENGTH; offset++)
      for (const width of WIDTHS) {
        if (width === 4 && (offset === IOAPIC.IOREGSEL || offset === IOAPIC.IOWIN)) continue;
        misuses.length = 0;
        target.write(IOAPIC_ADDRESS + offset, width, 0n);
        expect(target.read(IOAPIC_ADDRESS + offset, width)).toBe((1n << BigInt(8 * width)) - 1n);
        expect(misuses).toHaveLength(2);
      }
    expect(entry(INPUT)).toBe(REDIRECTION.MASKED | 0x44);
  });

  it.each([0x03, 0x0f, 0x40, 0xff])('of a reserved register is counted: index %i', (index) => {
    const { target, select, misuses } = create();
    select(index);
    target.write(IOAPIC_ADDRESS + IOAPIC.IOWIN, 4, 0n);
    expect(target.read(IOAPIC_ADDRESS + IOAPIC.IOWIN, 4)).toBe(0xffff_ffffn);
    expect(misuses).toHaveLength(2);
  });

  it('of any kind leaves an I/O APIC that works', () => {
    const random = createRandom(13);
    for (let round = 0; round < 50; round++) {
      const { ioApic, lapic, setEntry } = create();
      for (let count = 0; count < 200; count++) {
        const input = random.integer(INPUT_COUNT);
        setEntry(input, random.integer(0x1_0000_0000), random.integer(0x1_0000_0000));
        if (random.integer(2) === 0) ioApic.pulse(input);
        else ioApic.setLevel(input, random.integer(2) === 0);
        if (lapic.pending() >= 0) lapic.acknowledge();
        if (random.integer(2) === 0) lapic.endOfInterrupt();
      }
      for (let input = 0; input < INPUT_COUNT; input++) ioApic.setLevel(input, false);
      ioApic.reset();
      lapic.reset();
      lapic.write(LAPIC.SVR, 4, BigInt(SVR.ENABLE | 0xff));
      setEntry(INPUT, 0x40);
      ioApic.pulse(INPUT);
      expect(lapic.acknowledge()).toBe(0x40);
    }
  });
});
