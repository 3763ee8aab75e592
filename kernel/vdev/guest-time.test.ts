import { describe, expect, it } from 'vitest';
import { createRandom } from '../testing/random.ts';
import { frequency, type Frequency } from '../time/frequency.ts';
import { instant } from '../time/units.ts';
import { createGuestTime, refuseTsc, type GuestTimeOptions } from './guest-time.ts';

const GIGAHERTZ = frequency(1_000_000_000n, 1n, 'architectural', 'test');
const ODD: Frequency = frequency(2_711_999_983n, 3n, 'measured', 'test');

function create(options: Partial<GuestTimeOptions> = {}) {
  let host = 5000n;
  const time = createGuestTime({
    hostTsc: () => host,
    frequency: GIGAHERTZ,
    startTsc: 5000n,
    mode: 'delay_for_missed_ticks',
    ...options,
  });
  return {
    time,
    host: () => host,
    pass: (ticks: bigint) => {
      host += ticks;
    },
  };
}

describe('guest time', () => {
  it('is 0 at its start, and goes as the host TSC does', () => {
    const { time, pass } = create();
    expect([time.now(), time.offset]).toEqual([0n, -5000n]);
    pass(1234n);
    expect(time.now()).toBe(1234n);
  });

  it('stands still from freeze to thaw, and what is owed grows by the absence', () => {
    const { time, pass, host } = create();
    pass(100n);
    time.freeze(host());
    pass(1000n);
    expect([time.now(), time.owed(host())]).toEqual([100n, 1000n]);
    time.thaw(host());
    expect([time.now(), time.owed(host()), time.tscOffset()]).toEqual([100n, 1000n, -6000n]);
    pass(1n);
    expect([time.now(), time.owed(host())]).toEqual([101n, 1000n]);
  });

  it('freezes once: a second freeze or thaw changes nothing', () => {
    const { time, pass, host } = create();
    time.freeze(host());
    pass(10n);
    time.freeze(host());
    expect(time.now()).toBe(0n);
    time.thaw(host());
    pass(10n);
    time.thaw(host());
    expect([time.now(), time.owed(host())]).toEqual([10n, 10n]);
  });

  it('steps to a deadline that it is behind, never back, and what is owed shrinks by as much', () => {
    const { time, pass, host } = create();
    time.freeze(host());
    pass(1000n);
    time.thaw(host());
    time.stepTo(300n, host());
    expect([time.now(), time.owed(host())]).toEqual([300n, 700n]);
    time.stepTo(200n, host());
    expect([time.now(), time.owed(host())]).toEqual([300n, 700n]);
    time.stepTo(1000n, host());
    expect([time.now(), time.owed(host())]).toEqual([1000n, 0n]);
  });

  it.each(['no_delay_for_missed_ticks', 'no_missed_ticks_pending', 'one_missed_tick_pending'] as const)('runs on in mode %s', (mode) => {
    const { time, pass, host } = create({ mode });
    time.freeze(host());
    pass(1000n);
    expect(time.now()).toBe(1000n);
    time.thaw(host());
    expect([time.now(), time.owed(host()), time.tscOffset()]).toEqual([1000n, 0n, -5000n]);
  });

  it('jumps by the absence if thawing sets nothing, and does not step if a tick sets nothing', () => {
    const jumping = create({ setsOnThaw: false });
    jumping.time.freeze(jumping.host());
    jumping.pass(1000n);
    jumping.time.thaw(jumping.host());
    expect([jumping.time.now(), jumping.time.owed(jumping.host())]).toEqual([1000n, 0n]);
    const stepless = create({ setsOnPost: false });
    stepless.time.freeze(stepless.host());
    stepless.pass(1000n);
    stepless.time.thaw(stepless.host());
    stepless.time.stepTo(500n, stepless.host());
    expect([stepless.time.now(), stepless.time.owed(stepless.host())]).toEqual([0n, 1000n]);
  });

  it.each([GIGAHERTZ, ODD])(
    'rounds a deadline up to ticks and ticks down to nanoseconds: who waited is never told an earlier instant',
    (clock) => {
      const { time } = create({ frequency: clock });
      const random = createRandom(9);
      for (let turn = 0; turn < 2000; turn++) {
        const at = instant(BigInt(random.integer(2 ** 31)) * BigInt(random.integer(2 ** 31)));
        const ticks = time.toTicks(at);
        expect(time.toNanos(ticks) >= at).toBe(true);
        expect(ticks === 0n || time.toNanos(ticks - 1n) < at).toBe(true);
      }
    },
  );

  it('takes instants before its start', () => {
    expect(create({ frequency: ODD }).time.toTicks(instant(-1000n))).toBe(-903n);
  });
});

describe("the guest's TSC", () => {
  it('is the same whether it is native or emulated, whatever happens', () => {
    const { time, pass, host } = create();
    const random = createRandom(3);
    for (let turn = 0; turn < 1000; turn++) {
      pass(BigInt(random.integer(1000)));
      const what = random.integer(5);
      if (what === 0) time.freeze(host());
      if (what === 1) time.stepTo(time.at(host()) + BigInt(random.integer(100)), host());
      if (what === 2) time.writeTsc(BigInt(random.integer(2 ** 31)) << 33n, host());
      if (what === 3) time.writeTscAdjust(BigInt(random.integer(2 ** 31)));
      time.thaw(host());
      expect(BigInt.asUintN(64, host() + time.tscOffset())).toBe(time.tsc(host()));
    }
  });

  it('moves by a write of MSR 10h, and TSC_ADJUST by as much; the devices do not', () => {
    const { time, pass, host } = create();
    pass(100n);
    time.writeTsc(1_000_000n, host());
    expect([time.tsc(host()), time.tscAdjust(), time.now()]).toEqual([1_000_000n, 999_900n, 100n]);
    time.writeTscAdjust(0n);
    expect([time.tsc(host()), time.now()]).toEqual([100n, 100n]);
    time.writeTscAdjust(2n ** 64n - 1n);
    expect([time.tsc(host()), time.tscAdjust()]).toEqual([99n, 2n ** 64n - 1n]);
  });

  it('Xen 15: one that follows the host while the other clocks are frozen is refused with the reason, unless it is the experiment', () => {
    expect(() => create({ tsc: 'host' })).toThrow(/they would disagree by each absence/);
    expect(refuseTsc('no_delay_for_missed_ticks', 'host')).toBeUndefined();
    const { time, pass, host } = create({ tsc: 'host', isExperiment: true });
    time.freeze(host());
    pass(1000n);
    time.thaw(host());
    expect([time.now(), time.tsc(host()), BigInt.asUintN(64, host() + time.tscOffset())]).toEqual([0n, 1000n, 1000n]);
    time.writeTsc(7n, host());
    expect(time.tsc(host())).toBe(7n);
  });
});

describe('saved guest time', () => {
  it('goes on where it stood, on another host TSC, with all that is owed', () => {
    const { time, pass, host } = create();
    pass(100n);
    time.writeTsc(77n, host());
    time.freeze(host());
    pass(50n);
    time.thaw(host());
    pass(1n);
    const state = time.save(host());
    const other = create({ startTsc: 0n });
    other.time.restore(state, other.host());
    expect([other.time.now(), other.time.owed(other.host()), other.time.tsc(other.host())]).toEqual([101n, 50n, 78n]);
  });

  it('counts a pause as absence if it was frozen, and runs on through it if it was not', () => {
    const { time, pass, host } = create();
    pass(100n);
    time.freeze(host());
    const state = time.save(host());
    const other = create();
    other.time.restore(state, other.host() - 1000n);
    expect([other.time.now(), other.time.owed(other.host())]).toEqual([100n, 1000n]);
    const running = create({ mode: 'no_delay_for_missed_ticks' });
    const saved = running.time.save(running.host());
    const again = create({ mode: 'no_delay_for_missed_ticks' });
    again.time.restore(saved, again.host() - 1000n);
    expect(again.time.now()).toBe(1000n);
  });
});
