import { describe, expect, it } from 'vitest';
import { testConformance } from '../../test/conformance.ts';
import { ICW1, ICW4, OCW2, PIC_PORTS } from '../regs/i8259a.ts';
import { LAPIC, LAPIC_ADDRESS, LVT, SVR } from '../regs/local-apic.ts';
import { createInterruptPlatform } from '../testing/interrupt-platform.ts';
import { createRandom } from '../testing/random.ts';
import { PIC_CASES } from './conformance/pic.ts';
import { REQUEST } from './device.ts';

describe('conformance', () => {
  testConformance(PIC_CASES, () => createInterruptPlatform().target);
});

const BASE = 0x20;

/** As a system has it: initialized, nothing masked, connected by LINT0. */
function create() {
  const platform = createInterruptPlatform();
  const { target, pic } = platform;
  const writeLapic = (offset: number, value: number): void => target.write(LAPIC_ADDRESS + offset, 4, BigInt(value));
  const initialize = (): void => {
    for (const [chip, base, cascade] of [
      [PIC_PORTS.MASTER, BASE, 4],
      [PIC_PORTS.SLAVE, BASE + 8, 2],
    ] as const) {
      target.out(chip, 1, ICW1.INIT | ICW1.IC4);
      for (const word of [base, cascade, ICW4.UPM, 0]) target.out(chip + 1, 1, word);
    }
  };
  initialize();
  writeLapic(LAPIC.SVR, SVR.ENABLE | 0xff);
  writeLapic(LAPIC.LVT_LINT0, LVT.DELIVERY_EXTINT);
  platform.misuses.length = 0;
  const acknowledged: string[] = [];
  return {
    ...platform,
    writeLapic,
    initialize,
    acknowledged,
    pulse: (line: number, name = '') => pic.pulse(line, () => acknowledged.push(name)),
  };
}

describe('a pulse', () => {
  it('is acknowledged once, by its own source, when the CPU takes it', () => {
    const { pic, pulse, acknowledged, target } = create();
    expect([pulse(5, 'five'), pulse(3, 'three'), pulse(12, 'twelve')]).toEqual([REQUEST.ACCEPTED, REQUEST.ACCEPTED, REQUEST.ACCEPTED]);
    expect(acknowledged).toEqual([]);
    expect([pic.acknowledge(), ...acknowledged]).toEqual([BASE + 12, 'twelve']);
    target.out(PIC_PORTS.SLAVE, 1, OCW2.EOI);
    target.out(PIC_PORTS.MASTER, 1, OCW2.EOI);
    expect([pic.acknowledge(), ...acknowledged]).toEqual([BASE + 3, 'twelve', 'three']);
    expect(pic.isRequesting()).toBe(false);
    target.out(PIC_PORTS.MASTER, 1, OCW2.EOI);
    expect([pic.acknowledge(), ...acknowledged]).toEqual([BASE + 5, 'twelve', 'three', 'five']);
  });

  it('that waits already is one with the next', () => {
    const { pulse, pic, acknowledged } = create();
    pulse(5, 'first');
    expect(pulse(5, 'second')).toBe(REQUEST.MERGED);
    pic.acknowledge();
    expect(acknowledged).toEqual(['first']);
  });

  it('of a masked line is latched, but promised to nobody', () => {
    const { pulse, pic, target, acknowledged } = create();
    target.out(PIC_PORTS.MASTER + 1, 1, 1 << 5);
    expect(pulse(5)).toBe(REQUEST.DROPPED);
    target.out(PIC_PORTS.MASTER + 1, 1, 0);
    expect(pic.acknowledge()).toBe(BASE + 5);
    expect(acknowledged).toEqual([]);
  });

  it('that is masked after it was accepted is still delivered, and acknowledged then', () => {
    const { pulse, pic, target, acknowledged } = create();
    pulse(5);
    target.out(PIC_PORTS.MASTER + 1, 1, 1 << 5);
    expect([pic.isRequesting(), acknowledged.length]).toEqual([false, 0]);
    target.out(PIC_PORTS.MASTER + 1, 1, 0);
    expect([pic.acknowledge(), acknowledged.length]).toEqual([BASE + 5, 1]);
  });

  it('that an initialization forgets lets its source go on', () => {
    const { pulse, pic, initialize, acknowledged } = create();
    pulse(5, 'five');
    pulse(9, 'nine');
    initialize();
    expect(acknowledged).toEqual(['five', 'nine']);
    expect(pic.isRequesting()).toBe(false);
  });

  it('that does not reach the CPU any more lets its source go on, and is dropped from then on', () => {
    const { pulse, writeLapic, acknowledged } = create();
    pulse(5, 'five');
    writeLapic(LAPIC.LVT_LINT0, LVT.MASKED);
    expect(acknowledged).toEqual(['five']);
    expect(pulse(6)).toBe(REQUEST.DROPPED);
  });

  it('is acknowledged by a poll', () => {
    const { pulse, target, acknowledged } = create();
    pulse(10, 'ten');
    target.out(PIC_PORTS.SLAVE, 1, 0x0c);
    expect([target.in(PIC_PORTS.SLAVE, 1), ...acknowledged]).toEqual([0x82, 'ten']);
  });

  it('is gone with a level that falls on the same wire, and its source goes on', () => {
    const { pulse, pic, acknowledged } = create();
    pic.setLevel(5, true);
    pic.acknowledge();
    pulse(5, 'five');
    pic.setLevel(5, false);
    expect(acknowledged).toEqual(['five']);
  });
});

describe('the acknowledge', () => {
  it('of a request that is gone is that of level 7, which is not in service', () => {
    const { pic, target } = create();
    expect(pic.acknowledge()).toBe(BASE + 7);
    target.out(PIC_PORTS.MASTER, 1, 0x0b);
    expect(target.in(PIC_PORTS.MASTER, 1)).toBe(0);
  });

  it('of a slave that is another one by its ICW3 has no vector, and is counted', () => {
    const { pic, pulse, target, misuses } = create();
    target.out(PIC_PORTS.SLAVE, 1, ICW1.INIT | ICW1.IC4);
    for (const word of [BASE + 8, 5, ICW4.UPM, 0]) target.out(PIC_PORTS.SLAVE + 1, 1, word);
    pulse(9);
    expect(pic.acknowledge()).toBe(0xff);
    expect(misuses).toEqual(['8259A: the slave is another one by its ICW3']);
  });

  it('of a level that a guest never takes away comes again with each end, and at no other time', () => {
    const { pic, target } = create();
    target.out(PIC_PORTS.ELCR, 1, 1 << 5);
    pic.setLevel(5, true);
    for (let count = 0; count < 1000; count++) {
      expect(pic.acknowledge()).toBe(BASE + 5);
      expect(pic.isRequesting()).toBe(false);
      target.out(PIC_PORTS.MASTER, 1, OCW2.EOI);
    }
  });
});

describe('misuse', () => {
  it('is counted: an access of a width that the bus splits, which acts as its bytes', () => {
    const { target, misuses } = create();
    target.out(PIC_PORTS.MASTER, 2, 0x5a_0b);
    expect(misuses).toHaveLength(1);
    expect(target.in(PIC_PORTS.MASTER, 2)).toBe(0x5a00);
    expect(target.in(PIC_PORTS.SLAVE, 4)).toBe(0xffff_0000);
    expect(misuses).toHaveLength(3);
  });

  it('is counted: MCS-80 mode, lines by level that can only be edges', () => {
    const { target, misuses } = create();
    target.out(PIC_PORTS.MASTER, 1, ICW1.INIT);
    target.out(PIC_PORTS.ELCR, 1, 0x01);
    expect(misuses).toEqual(['8259A: MCS-80/85 mode, which no PC has', 'ELCR: IRQ 0, 1, 2, 8 or 13 by level']);
  });

  it('of any kind leaves a pair that works', () => {
    const random = createRandom(11);
    for (let round = 0; round < 100; round++) {
      const { target, pic, initialize, pulse } = create();
      for (let count = 0; count < 100; count++) {
        const port = [PIC_PORTS.MASTER, PIC_PORTS.SLAVE, PIC_PORTS.ELCR][random.integer(3)]! + random.integer(2);
        target.out(port, 1, random.integer(256));
        target.in(port, 1);
        pulse([0, 3, 7, 8, 15][random.integer(5)]!);
        pic.setLevel(random.integer(2) === 0 ? 4 : 11, random.integer(2) === 0);
        if (pic.isRequesting()) pic.acknowledge();
      }
      pic.setLevel(4, false);
      pic.setLevel(11, false);
      target.out(PIC_PORTS.ELCR, 2, 0);
      initialize();
      pulse(8);
      expect(pic.acknowledge()).toBe(BASE + 8);
    }
  });
});
