import { describe, expect, it } from 'vitest';
import { testConformance } from '../../test/conformance.ts';
import { DIVIDE, LAPIC, LAPIC_ADDRESS, LVT, SVR } from '../regs/local-apic.ts';
import { createInterruptPlatform, type InterruptPlatformOptions } from '../testing/interrupt-platform.ts';
import { createRandom } from '../testing/random.ts';
import { instant, NANOS_PER_SECOND } from '../time/units.ts';
import { LAPIC_CASES } from './conformance/lapic.ts';
import { REQUEST, type Width } from './device.ts';
import { PENDING_EXTINT } from './vlapic.ts';

describe('conformance', () => {
  testConformance(LAPIC_CASES, () => createInterruptPlatform().target);
});

function create(options?: InterruptPlatformOptions) {
  const platform = createInterruptPlatform(options);
  const { target, lapic } = platform;
  const write = (offset: number, value: number): void => target.write(LAPIC_ADDRESS + offset, 4, BigInt(value >>> 0));
  const read = (offset: number): number => Number(target.read(LAPIC_ADDRESS + offset, 4));
  write(LAPIC.SVR, SVR.ENABLE | 0xff);
  write(LAPIC.TIMER_DCR, DIVIDE[1]);
  platform.misuses.length = 0;
  return { ...platform, write, read, take: () => (lapic.pending() < 0 ? -1 : lapic.acknowledge()) };
}

describe('a request', () => {
  it('is acknowledged once, by its own source, when the CPU takes it', () => {
    const { lapic } = create();
    const acknowledged: string[] = [];
    expect(lapic.accept(0x40, false, () => acknowledged.push('a'))).toBe(REQUEST.ACCEPTED);
    expect(lapic.accept(0x50, false, () => acknowledged.push('b'))).toBe(REQUEST.ACCEPTED);
    expect(lapic.accept(0x40, false, () => acknowledged.push('c'))).toBe(REQUEST.MERGED);
    expect([lapic.acknowledge(), ...acknowledged]).toEqual([0x50, 'b']);
    lapic.endOfInterrupt();
    expect([lapic.acknowledge(), ...acknowledged]).toEqual([0x40, 'b', 'a']);
    lapic.endOfInterrupt();
    expect(lapic.pending()).toBe(-1);
  });

  it('may follow in its own acknowledge', () => {
    const { lapic } = create();
    let count = 0;
    const again = (): void => {
      if (++count < 3) lapic.accept(0x40, false, again);
    };
    lapic.accept(0x40, false, again);
    for (const expected of [1, 2, 3]) {
      expect([lapic.acknowledge(), count]).toEqual([0x40, expected]);
      lapic.endOfInterrupt();
    }
    expect(lapic.pending()).toBe(-1);
  });

  it('has any vector from 16 on', () => {
    const { lapic, read, take } = create();
    for (let vector = 16; vector < 32; vector++) expect(lapic.accept(vector, false)).toBe(REQUEST.ACCEPTED);
    expect([read(LAPIC.IRR), take()]).toEqual([0xffff_0000, 31]);
  });

  it.each([0, 5, 15])('with vector %i is dropped and counted, and its source never told', (vector) => {
    const { lapic, misuses } = create();
    expect(lapic.accept(vector, true, () => expect.unreachable())).toBe(REQUEST.DROPPED);
    expect(lapic.pending()).toBe(-1);
    expect(misuses).toEqual(['LAPIC: an interrupt with a vector under 16']);
  });

  it('is dropped while the APIC is off, by software or as a whole', () => {
    const { lapic, write } = create();
    write(LAPIC.SVR, 0xff);
    expect(lapic.accept(0x40, false)).toBe(REQUEST.DROPPED);
    write(LAPIC.SVR, SVR.ENABLE | 0xff);
    lapic.writeBase(0xfee0_0100n);
    expect(lapic.accept(0x40, false)).toBe(REQUEST.DROPPED);
  });

  it('that is forgotten when the APIC is disabled lets its source go on', () => {
    const { lapic } = create();
    let count = 0;
    lapic.accept(0x40, false, () => count++);
    lapic.writeBase(0xfee0_0100n);
    expect([count, lapic.pending()]).toEqual([1, -1]);
    lapic.writeBase(0xfee0_0900n);
    expect([count, lapic.pending()]).toEqual([1, -1]);
  });
});

describe('the acknowledge', () => {
  it('with nothing above the priority gives the spurious vector, and nothing is in service', () => {
    const { lapic, write, read } = create();
    write(LAPIC.SVR, SVR.ENABLE | 0xdf);
    lapic.accept(0x40, false);
    lapic.setTaskPriority(0x40);
    expect(lapic.acknowledge()).toBe(0xdf);
    expect([read(LAPIC.ISR + 0x20), read(LAPIC.IRR + 0x20)]).toEqual([0, 1]);
  });

  it('is of the 8259A while the APIC is disabled', () => {
    const { lapic, target, lines } = create();
    for (const [port, value] of [
      [0x20, 0x11],
      [0x21, 0x30],
      [0x21, 4],
      [0x21, 1],
    ] as const)
      target.out(port, 1, value);
    expect(lines.isaLine(3).pulse()).toBe(REQUEST.DROPPED);
    expect(lapic.pending()).toBe(-1);
    lapic.writeBase(0xfee0_0100n);
    expect([lapic.pending(), lapic.acknowledge(), lapic.pending()]).toEqual([PENDING_EXTINT, 0x33, -1]);
  });
});

describe('misuse', () => {
  const WIDTHS: readonly Width[] = [1, 2, 4, 8];

  it('of a width or an offset is counted at every register, reads all ones and changes nothing', () => {
    const { target, misuses, read } = create();
    for (let offset = 0; offset < LAPIC.LENGTH; offset += 16)
      for (const [within, width] of [
        [0, 1],
        [0, 2],
        [0, 8],
        [1, 4],
        [4, 4],
        [8, 4],
        [12, 2],
      ] as const) {
        misuses.length = 0;
        target.write(LAPIC_ADDRESS + offset + within, width, 0n);
        expect(target.read(LAPIC_ADDRESS + offset + within, width)).toBe((1n << BigInt(8 * width)) - 1n);
        expect(misuses.length).toBe(2);
      }
    expect(read(LAPIC.SVR)).toBe(SVR.ENABLE | 0xff);
  });

  it.each([
    ['a vector under 16 to itself', LAPIC.ICR_LOW, 0x4_0003],
    ['INIT to itself', LAPIC.ICR_LOW, 0x4500],
    ['a fixed one to nobody', LAPIC.ICR_LOW, 0xc_4040],
    ['an NMI by shorthand', LAPIC.ICR_LOW, 0x4_4400],
    ['a reserved timer mode', LAPIC.LVT_TIMER, LVT.TIMER_MODE | 0x40],
    ['an entry with a vector under 16', LAPIC.LVT_ERROR, 3],
    ['reserved bits of the divide configuration', LAPIC.TIMER_DCR, 0xff],
    ['a read-only register', LAPIC.VERSION, 1],
    ['a reserved register', 0x3d0, 1],
  ])('is counted: %s', (_, offset, value) => {
    const { write, misuses } = create();
    write(offset, value);
    expect(misuses).toHaveLength(1);
  });

  it('of the base is refused and counted: another address, x2APIC, reserved bits', () => {
    const { lapic, misuses } = create();
    for (const value of [0xfec0_0900n, 0xfee0_0d00n, 0xfee0_0901n, 0x100_fee0_0900n]) expect(lapic.writeBase(value)).toBe(false);
    expect(lapic.readBase()).toBe(0xfee0_0900n);
    expect(misuses).toHaveLength(4);
  });

  it('of any kind leaves a machine that works', () => {
    const random = createRandom(7);
    for (let round = 0; round < 50; round++) {
      const { target, lapic, write, read, take } = create();
      for (let count = 0; count < 200; count++) {
        const address = LAPIC_ADDRESS + random.integer(LAPIC.LENGTH);
        const width = WIDTHS[random.integer(4)]!;
        if (random.integer(2) === 0) target.read(address, width);
        else target.write(random.integer(4) === 0 ? address : address & ~15, width, BigInt(random.integer(0x1_0000_0000)));
        if (random.integer(10) === 0) target.clock.pass(1000n);
        lapic.pending();
      }
      lapic.reset();
      write(LAPIC.SVR, SVR.ENABLE | 0xff);
      expect(read(LAPIC.SVR)).toBe(SVR.ENABLE | 0xff);
      lapic.accept(0x40, false);
      expect(take()).toBe(0x40);
    }
  });

  it('is a TSC deadline where the mode is not offered: it is one-shot mode', () => {
    const { write, read, lapic } = create({ hasTscDeadline: false });
    write(LAPIC.LVT_TIMER, LVT.TIMER_TSC_DEADLINE | 0x40);
    expect(read(LAPIC.LVT_TIMER)).toBe(0x40);
    lapic.writeTscDeadline(5n);
    expect([lapic.readTscDeadline(), lapic.pending()]).toEqual([0n, -1]);
  });
});

describe('the timer', () => {
  it('has no drift after a million periods of a bus that is no whole number of nanoseconds', () => {
    const busHz = 99_999_997n;
    const { write, take, target, lapic } = create({ busHz });
    write(LAPIC.LVT_TIMER, LVT.TIMER_PERIODIC | 0x40);
    write(LAPIC.TIMER_ICR, 100_003);
    const at = (period: bigint): bigint => (period * 100_003n * NANOS_PER_SECOND + busHz - 1n) / busHz;
    let interrupts = 0;
    for (let period = 1n; period <= 1_000_000n; period += 1000n) {
      // From one deadline to the next the CPU takes each interrupt.
      target.clock.afterTick = () => {
        interrupts++;
        take();
        lapic.endOfInterrupt();
      };
      target.clock.passUntil(instant(at(period + 999n) - 2n));
      expect(interrupts).toBe(Number(period) + 998);
    }
    // The first deadline is rounded up to a nanosecond, and so is each after it: together less than two.
    target.clock.passUntil(instant(at(1_000_000n) + 1n));
    expect(interrupts).toBe(1_000_000);
  });

  it.each([1_000_000_000n, 100_000_000n, 66_666_667n, 14_318_180n])(
    'interrupts at %i Hz in the nanosecond in which its count is 0 or starts again, and in none before',
    (busHz) => {
      const random = createRandom(Number(busHz));
      for (let round = 0; round < 40; round++) {
        const { write, read, lapic, target } = create({ busHz });
        const count = 1 + random.integer(50_000);
        const isPeriodic = random.integer(2) === 0;
        write(LAPIC.LVT_TIMER, (isPeriodic ? LVT.TIMER_PERIODIC : LVT.TIMER_ONE_SHOT) | 0x40);
        write(LAPIC.TIMER_ICR, count);
        const due = (BigInt(count) * NANOS_PER_SECOND + busHz - 1n) / busHz;
        target.clock.passUntil(instant(due - 1n));
        expect([read(LAPIC.TIMER_CCR), lapic.pending()]).toEqual([1, -1]);
        target.clock.passUntil(instant(due));
        expect([read(LAPIC.TIMER_CCR), lapic.pending()]).toEqual([isPeriodic ? count : 0, 0x40]);
      }
    },
  );

  it('that the guest makes as fast as can be interrupts nobody but the guest', () => {
    const { write, lapic, target } = create();
    write(LAPIC.LVT_TIMER, LVT.TIMER_PERIODIC | 0x40);
    write(LAPIC.TIMER_ICR, 1);
    target.clock.pass(1000n);
    expect(lapic.pending()).toBe(0x40);
    lapic.acknowledge();
    lapic.endOfInterrupt();
    target.clock.pass(1n);
    expect(lapic.pending()).toBe(0x40);
  });
});
