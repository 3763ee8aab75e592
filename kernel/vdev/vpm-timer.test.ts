import { describe, expect, it } from 'vitest';
import { testConformance } from '../../test/conformance.ts';
import { probePmTimer } from '../drivers/pm-timer.ts';
import type { Ports } from '../hw/ports.ts';
import { PM_TIMER_HZ } from '../regs/acpi.ts';
import { createManualGuestClock, type ManualGuestClock } from '../testing/guest-clock.ts';
import { createModelTarget } from '../testing/model-target.ts';
import { createRandom } from '../testing/random.ts';
import { instant, NANOS_PER_SECOND, type Instant } from '../time/units.ts';
import { PM_BASE, pmTimerCases, SCI } from './conformance/pm-timer.ts';
import { createPmTimer, PM_BLOCK, type PmTimer, type PmTimerOptions } from './vpm-timer.ts';

describe.each([24, 32] as const)('the PM timer of %i bits', (width) => {
  testConformance(pmTimerCases(width), () => {
    const target = createModelTarget();
    const { clock } = target;
    const timer = createPmTimer({ clock, createTimer: clock.createTimer, line: target.line(SCI), onMisuse: () => undefined, width });
    target.placePorts(PM_BASE, PM_BLOCK.LENGTH, timer);
    return target;
  });
});

interface Bench {
  readonly clock: ManualGuestClock;
  readonly timer: PmTimer;
  /** Of SCI: each change. */
  readonly levels: { readonly isHigh: boolean; readonly at: Instant }[];
  readonly misuses: string[];
  readonly sleeps: number[];
}

function createBench(options: Partial<PmTimerOptions> = {}, clock = createManualGuestClock()): Bench {
  const levels: Bench['levels'] = [];
  const misuses: string[] = [];
  const sleeps: number[] = [];
  let level = false;
  const timer = createPmTimer({
    clock,
    createTimer: clock.createTimer,
    line: {
      pulse: () => {
        throw new Error('SCI is a level');
      },
      setLevel: (isHigh) => {
        if (isHigh !== level) levels.push({ isHigh, at: clock.now() });
        level = isHigh;
      },
    },
    onMisuse: (what, offset, width) => misuses.push(`${what}: ${width} at ${offset}`),
    onSleep: (type) => sleeps.push(type),
    ...options,
  });
  return { clock, timer, levels, misuses, sleeps };
}

/** The first whole nanosecond with so many counts before it. */
const countInstant = (counts: bigint): Instant => instant((counts * NANOS_PER_SECOND + PM_TIMER_HZ - 1n) / PM_TIMER_HZ);

describe('exactness', () => {
  it('the counter is that of 3.579545 MHz at any nanosecond, in any order of looks', () => {
    const { clock, timer } = createBench();
    const random = createRandom(1);
    for (let look = 0; look < 2000; look++) {
      clock.pass(BigInt(random.integer(1 << random.integer(30))));
      expect(timer.counter()).toBe(Number(((clock.now() * PM_TIMER_HZ) / NANOS_PER_SECOND) % (1n << 32n)));
    }
  });

  it('a count begins at its first whole nanosecond and not before, after twenty years too', () => {
    const { clock, timer } = createBench();
    for (const count of [1n, 2n, 3_579_545n, 3_579_546n, PM_TIMER_HZ * 86_400n * 7305n + 1_234_567n]) {
      clock.passUntil(instant(countInstant(count) - 1n));
      expect(timer.counter()).toBe(Number((count - 1n) % (1n << 32n)));
      clock.pass(1n);
      expect(timer.counter()).toBe(Number(count % (1n << 32n)));
    }
  });

  it('SCI has no drift after 100,000 overflows of a 24-bit timer', () => {
    const { clock, timer, levels } = createBench({ width: 24 });
    timer.write(PM_BLOCK.ENABLE, 2, 1);
    for (let overflow = 1n; overflow <= 100_000n; overflow++) {
      clock.passUntil(countInstant(overflow << 23n));
      if (levels.at(-1)?.isHigh !== true || levels.at(-1)?.at !== clock.now()) throw new Error(`no SCI at overflow ${overflow}`);
      timer.write(PM_BLOCK.STATUS, 2, 1);
    }
  });

  it('two overflows that nobody looked at are one status', () => {
    const { clock, timer } = createBench({ width: 24 });
    clock.passUntil(countInstant(2n << 23n));
    expect(timer.read(PM_BLOCK.STATUS, 2)).toBe(1);
    timer.write(PM_BLOCK.STATUS, 2, 1);
    expect(timer.read(PM_BLOCK.STATUS, 2)).toBe(0);
  });
});

describe('PM1 control', () => {
  it('has SCI_EN set: there is no firmware to hand over to', () => {
    const { timer } = createBench();
    expect(timer.read(PM_BLOCK.CONTROL, 2)).toBe(1);
    timer.write(PM_BLOCK.CONTROL, 2, 0);
    expect(timer.read(PM_BLOCK.CONTROL, 2)).toBe(1);
  });

  it('SLP_EN reports SLP_TYP, and reads as zero', () => {
    const { timer, sleeps } = createBench();
    timer.write(PM_BLOCK.CONTROL, 2, (5 << 10) | (1 << 13));
    expect(sleeps).toEqual([5]);
    expect(timer.read(PM_BLOCK.CONTROL, 2)).toBe((5 << 10) | 1);
  });

  it('SLP_EN by its byte alone takes SLP_TYP of that byte', () => {
    const { timer, sleeps } = createBench();
    timer.write(PM_BLOCK.CONTROL + 1, 1, (3 << 2) | (1 << 5));
    expect(sleeps).toEqual([3]);
  });
});

describe('a misuse is harmless, and counted', () => {
  it.each([
    ['write of the timer', 'PM timer: write, it is read only: 4 at 8', (timer: PmTimer) => timer.write(8, 4, 0)],
    ['timer by 2 bytes', 'PM timer: read narrower than 4 bytes: 2 at 8', (timer: PmTimer) => expect(timer.read(8, 2)).toBe(0x9e99)],
    ['upper half of the timer', 'PM timer: read narrower than 4 bytes: 2 at 10', (timer: PmTimer) => expect(timer.read(10, 2)).toBe(0x36)],
    ['a byte of the timer', 'PM timer: read narrower than 4 bytes: 1 at 9', (timer: PmTimer) => expect(timer.read(9, 1)).toBe(0x9e)],
    [
      'misaligned timer',
      'PM1: read of no register, or not as wide and aligned as it is: 4 at 6',
      (timer: PmTimer) => expect(timer.read(6, 4)).toBe(0xffff_ffff),
    ],
    [
      'misaligned status',
      'PM1: read of no register, or not as wide and aligned as it is: 2 at 1',
      (timer: PmTimer) => expect(timer.read(1, 2)).toBe(0xffff),
    ],
    [
      'status and enable at once',
      'PM1: read of no register, or not as wide and aligned as it is: 4 at 0',
      (timer: PmTimer) => expect(timer.read(0, 4)).toBe(0xffff_ffff),
    ],
    [
      'write of both at once',
      'PM1: write of no register, or not as wide and aligned as it is: 4 at 0',
      (timer: PmTimer) => timer.write(0, 4, 0x1_0001),
    ],
    [
      'reserved offset',
      'PM1: read of no register, or not as wide and aligned as it is: 2 at 6',
      (timer: PmTimer) => expect(timer.read(6, 2)).toBe(0xffff),
    ],
    [
      'write of a reserved offset',
      'PM1: write of no register, or not as wide and aligned as it is: 1 at 7',
      (timer: PmTimer) => timer.write(7, 1, 0xff),
    ],
  ])('%s', (_name, misuse, access) => {
    const { clock, timer, misuses } = createBench();
    clock.pass(NANOS_PER_SECOND);
    access(timer);
    expect(misuses).toEqual([misuse]);
    expect(timer.read(PM_BLOCK.ENABLE, 2)).toBe(0);
  });

  it('reserved enable bits stay 0', () => {
    const { timer } = createBench();
    timer.write(PM_BLOCK.ENABLE, 2, 0xffff);
    expect(timer.read(PM_BLOCK.ENABLE, 2)).toBe(0x4721);
  });
});

describe('save and restore', () => {
  it('changes nothing, wherever it happens', () => {
    for (let seed = 1; seed <= 500; seed++) {
      const random = createRandom(seed);
      const plain = createBench({ width: 24 });
      let restored = createBench({ width: 24 });
      const levels: Bench['levels'] = [];
      for (let step = 0; step < 30; step++) {
        const offset = [0, 1, 2, 3, 4, 5][random.integer(6)]!;
        const value = random.integer(256);
        const nanos = BigInt(random.integer(2)) * BigInt(random.integer(1 << 30)) * 3n;
        for (const bench of [plain, restored]) {
          if (step % 2 === 0) bench.clock.pass(nanos);
          else bench.timer.write(offset, 1, value);
        }
        if (random.integer(3) === 0) {
          levels.push(...restored.levels);
          const next = createBench({ width: 24 }, createManualGuestClock(restored.clock.now()));
          // The wire is not this device's to put away: what it carries is said again.
          const isHigh = levels.at(-1)?.isHigh ?? false;
          next.timer.restore(structuredClone(restored.timer.save()));
          expect(next.levels.at(-1)?.isHigh ?? false, `seed ${seed}: SCI`).toBe(isHigh);
          next.levels.length = 0;
          restored = next;
        }
        for (const register of [0, 2, 4]) expect(restored.timer.read(register, 2), `seed ${seed}`).toBe(plain.timer.read(register, 2));
        expect(restored.timer.counter()).toBe(plain.timer.counter());
      }
      expect([...levels, ...restored.levels], `seed ${seed}`).toEqual(plain.levels);
    }
  });
});

describe('the driver of the real one', () => {
  it.each([24, 32] as const)('finds it with %i bits, and reads it', (width) => {
    const { clock, timer } = createBench({ width });
    const ports = {
      read32: () => {
        clock.pass(500n);
        return timer.read(PM_BLOCK.TIMER, 4);
      },
    } as unknown as Ports;
    expect(probePmTimer(ports, width)?.counter()).toBe(timer.counter());
  });
});
