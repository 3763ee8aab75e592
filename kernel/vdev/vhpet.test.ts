import { describe, expect, it } from 'vitest';
import { testConformance } from '../../test/conformance.ts';
import { probeHpet } from '../drivers/hpet.ts';
import { createMmio } from '../hw/mmio.ts';
import { GEN_CONF, HPET, HPET_BASE, TIMER, TN_CONF } from '../regs/ia-pc-hpet.ts';
import { fakeShims } from '../testing/bus.ts';
import { createModelTarget, type ModelTarget } from '../testing/model-target.ts';
import { createRandom } from '../testing/random.ts';
import { createSimulatedGuest, type SimulatedGuest } from '../testing/simulated-guest.ts';
import { instant, ticks } from '../time/units.ts';
import { HPET_CASES } from './conformance/hpet.ts';
import { REQUEST, type InterruptLine, type Request, type Width } from './device.ts';
import { TIMER_MODE_NAMES } from './timer-modes.ts';
import { createVhpet, vhpetLength, type Vhpet, type VhpetOptions } from './vhpet.ts';

function createTarget(options: Partial<VhpetOptions> = {}): ModelTarget & { readonly vhpet: Vhpet } {
  const target = createModelTarget();
  const vhpet = createVhpet({
    clock: target.clock,
    createTimer: target.clock.createTimer,
    input: (input) => target.line(input),
    legacy: { irq0: target.line(0), irq8: target.line(8) },
    ...options,
  });
  target.placeMemory(HPET_BASE, vhpetLength(options.timers ?? 3), vhpet);
  return { ...target, vhpet };
}

// Periods: Xen's of today, QEMU's, Xen's of 2007 on a TSC of 1 GHz, and one that is no whole number of nanoseconds (14.318180 MHz).
describe.each([16_000_000, 10_000_000, 32_000_000, 69_841_279])('the vHPET with a period of %d fs', (periodFs) => {
  testConformance(HPET_CASES, () => createTarget({ periodFs }));
});
describe('the vHPET with 32 timers and FSB delivery', () => {
  testConformance(HPET_CASES, () => createTarget({ timers: 32, sendMessage: () => 0 }));
});

const MS = 1_000_000n;
const CONF = (timer: number): number => HPET.TIMER_0 + timer * HPET.TIMER_STRIDE + TIMER.CONF;
const COMPARATOR = (timer: number): number => HPET.TIMER_0 + timer * HPET.TIMER_STRIDE + TIMER.COMPARATOR;
const { INT_ENB_CNF, INT_TYPE_CNF, TYPE_CNF, VAL_SET_CNF, B32MODE_CNF, FSB_EN_CNF, FSB_INT_DEL_CAP } = TN_CONF;
const RUN = BigInt(GEN_CONF.ENABLE_CNF);
const RUN_LEGACY = BigInt(GEN_CONF.ENABLE_CNF | GEN_CONF.LEG_RT_CNF);
const route = (input: number): number => input << TN_CONF.INT_ROUTE_CNF.shift;

/** A counter of 1 GHz, so that ticks are nanoseconds. */
function create(options: Partial<VhpetOptions> = {}) {
  const misuses: string[] = [];
  const target = createTarget({
    periodFs: 1_000_000,
    onMisuse: (what, offset, width) => misuses.push(`${what} (${offset.toString(16)}, ${width})`),
    ...options,
  });
  return {
    ...target,
    misuses,
    set: (offset: number, value: number | bigint, width: Width = 4) => target.write(HPET_BASE + offset, width, BigInt(value)),
    get: (offset: number, width: Width = 4) => target.read(HPET_BASE + offset, width),
    /** Instants of a line's interrupts. */
    taken: (line: number) =>
      target
        .takeInterrupts()
        .filter((one) => one.line === line)
        .map(({ at }) => at as bigint),
  };
}

describe('what Xen falls short of', () => {
  it('1: one comparator write under VAL_SET ticks on and on', () => {
    const { watch, set, clock, taken } = create();
    watch(0, 'edge');
    set(CONF(0), INT_ENB_CNF | TYPE_CNF | VAL_SET_CNF);
    set(COMPARATOR(0), MS, 8);
    set(HPET.GEN_CONF, RUN_LEGACY);
    clock.pass(100n * MS);
    expect(taken(0)).toHaveLength(100);
  });

  it('2: a 64-bit periodic timer programmed with 32-bit writes, a period of more than 32 bits', () => {
    const { watch, set, get, clock, taken } = create();
    const period = 0x1_8000_0000n;
    watch(0, 'edge');
    for (const half of [0n, 32n]) {
      set(CONF(0), INT_ENB_CNF | TYPE_CNF | VAL_SET_CNF);
      set(COMPARATOR(0) + Number(half / 8n), BigInt.asUintN(32, (2n * MS) >> half));
    }
    set(COMPARATOR(0), BigInt.asUintN(32, period));
    set(COMPARATOR(0) + 4, period >> 32n);
    set(HPET.GEN_CONF, RUN_LEGACY);
    clock.pass(2n * MS + 2n * period);
    expect(taken(0)).toEqual([2n * MS, 2n * MS + period, 2n * MS + 2n * period]);
    expect(get(COMPARATOR(0), 8)).toBe(2n * MS + 3n * period);
  });

  it('3 and 5: legacy replacement silences PIT and RTC, whether timers 0 and 1 are enabled or not', () => {
    const { vhpet, line, watch, set, clock, taken } = create();
    const [pit, rtc] = [vhpet.gate(line(0)), vhpet.gate(line(8))];
    watch(0, 'edge');
    watch(8, 'edge');
    set(HPET.GEN_CONF, RUN_LEGACY);
    expect([vhpet.isLegacy(), pit.pulse(), rtc.pulse()]).toEqual([true, REQUEST.DROPPED, REQUEST.DROPPED]);
    clock.pass(MS);
    expect(taken(0)).toEqual([]);
    set(HPET.GEN_CONF, RUN);
    expect([vhpet.isLegacy(), pit.pulse(), rtc.pulse()]).toEqual([false, REQUEST.ACCEPTED, REQUEST.ACCEPTED]);
  });

  it('4: a PIT that is loaded anew under legacy replacement, or ticks on, is not heard', () => {
    const { vhpet, line, watch, set, clock, taken } = create();
    const pit = vhpet.gate(line(0));
    watch(0, 'edge');
    set(CONF(0), INT_ENB_CNF | TYPE_CNF | VAL_SET_CNF | B32MODE_CNF);
    set(COMPARATOR(0), MS);
    set(HPET.GEN_CONF, RUN_LEGACY);
    const timer = clock.createTimer({ name: 'pit', tick: () => pit.pulse() });
    timer.start({ origin: instant(0n), numerator: MS, denominator: 3n });
    clock.pass(5n * MS);
    timer.start({ origin: clock.now(), numerator: MS, denominator: 3n });
    clock.pass(5n * MS);
    expect(taken(0)).toHaveLength(10);
  });

  it('5: a level behind the gate comes through when legacy replacement is cleared, and goes when it is set', () => {
    const { vhpet, line, watch, set, taken } = create();
    const rtc = vhpet.gate(line(8));
    set(HPET.GEN_CONF, RUN_LEGACY);
    rtc.setLevel(true);
    watch(8, 'level', () => rtc.setLevel(false));
    expect(taken(8)).toEqual([]);
    set(HPET.GEN_CONF, RUN);
    expect(taken(8)).toHaveLength(1);
    const levels: boolean[] = [];
    const other = vhpet.gate({ pulse: () => REQUEST.DROPPED, setLevel: (isHigh) => levels.push(isHigh) });
    other.setLevel(true);
    set(HPET.GEN_CONF, RUN_LEGACY);
    expect(levels).toEqual([true, false]);
  });

  it('6: legacy and level-triggered', () => {
    const { watch, set, clock, taken } = create();
    watch(0, 'level', () => set(HPET.GINTR_STA, 1));
    set(CONF(0), INT_ENB_CNF | INT_TYPE_CNF | TYPE_CNF | VAL_SET_CNF | B32MODE_CNF);
    set(COMPARATOR(0), MS);
    set(HPET.GEN_CONF, RUN_LEGACY);
    clock.pass(3n * MS);
    expect(taken(0)).toEqual([MS, 2n * MS, 3n * MS]);
  });

  it('7: a 32-bit one-shot matches again after each wrap of its 32 bits, exactly', () => {
    const { watch, set, clock, taken } = create();
    watch(0, 'edge');
    set(CONF(0), INT_ENB_CNF | B32MODE_CNF);
    set(COMPARATOR(0), 5);
    set(HPET.GEN_CONF, RUN_LEGACY);
    clock.pass(2n ** 34n);
    expect(taken(0)).toEqual([0n, 1n, 2n, 3n].map((wrap) => 5n + wrap * 2n ** 32n));
  });

  it('8: a level-triggered timer with interrupts disabled sets its status bit; enabled, it interrupts by that', () => {
    const { watch, set, get, clock, taken } = create();
    watch(20, 'level', () => set(HPET.GINTR_STA, 4));
    set(CONF(2), INT_TYPE_CNF | route(20));
    set(COMPARATOR(2), MS, 8);
    set(HPET.GEN_CONF, RUN);
    clock.pass(2n * MS);
    expect([get(HPET.GINTR_STA), taken(20)]).toEqual([4n, []]);
    set(CONF(2), INT_TYPE_CNF | INT_ENB_CNF | route(20));
    expect([get(HPET.GINTR_STA), taken(20)]).toEqual([0n, [2n * MS]]);
  });

  it.each([
    ['another route', INT_ENB_CNF | INT_TYPE_CNF | route(21), 21],
    ['edge', INT_ENB_CNF | route(20), undefined],
    ['disabled', INT_TYPE_CNF | route(20), undefined],
  ])('9: a level that is high when its timer becomes: %s, leaves no line stuck', (_what, configuration, high) => {
    const levels = new Map<number, boolean>();
    const { set, clock } = create({
      input: (input) => ({ pulse: () => REQUEST.ACCEPTED, setLevel: (isHigh) => void levels.set(input, isHigh) }),
    });
    set(CONF(0), INT_ENB_CNF | INT_TYPE_CNF | route(20));
    set(COMPARATOR(0), MS, 8);
    set(HPET.GEN_CONF, RUN);
    clock.pass(MS);
    expect(levels.get(20)).toBe(true);
    set(CONF(0), configuration);
    expect([levels.get(20), levels.get(21)]).toEqual([false, high === undefined ? undefined : true]);
  });

  it('10: a match is delivered when it is due, not at a whole multiple of anything', () => {
    const { watch, set, clock, taken } = create();
    watch(0, 'edge');
    clock.pass(123n);
    set(CONF(0), INT_ENB_CNF | TYPE_CNF | VAL_SET_CNF | B32MODE_CNF);
    set(COMPARATOR(0), 7_654_321);
    set(HPET.GEN_CONF, RUN_LEGACY);
    clock.pass(16n * MS);
    expect(taken(0)).toEqual([123n + 7_654_321n, 123n + 2n * 7_654_321n]);
  });

  it('11: a period of 10 us is one of 10 us', () => {
    const { watch, set, clock, taken } = create();
    watch(0, 'edge');
    set(CONF(0), INT_ENB_CNF | TYPE_CNF | VAL_SET_CNF | B32MODE_CNF);
    set(COMPARATOR(0), 10_000);
    set(HPET.GEN_CONF, RUN_LEGACY);
    clock.pass(10n * MS);
    expect(taken(0)).toHaveLength(1000);
  });

  it('12: in mode 0 a one-shot that an absence fell upon meets its comparator on the counter that the guest reads', () => {
    const guest = createSimulatedGuest({ mode: 'delay_for_missed_ticks', periodFs: 16_000_000 });
    guest.vhpet.write(CONF(0), 4, BigInt(INT_ENB_CNF | B32MODE_CNF));
    guest.vhpet.write(COMPARATOR(0), 4, 1_000_000n);
    guest.vhpet.write(HPET.GEN_CONF, 4, RUN_LEGACY);
    let counter = 0n;
    guest.onInterrupt = () => {
      counter = guest.vhpet.read(HPET.MAIN_CNT, 8);
    };
    guest.runUntil(10n * MS);
    guest.absentUntil(500n * MS);
    guest.goOnUntil(600n * MS);
    // 100 ns until its handler, in ticks of 16 ns.
    expect(counter).toBe(1_000_006n);
  });

  it('13: a level that the guest never clears: one interrupt, a bounded backlog, and what is lost is counted', () => {
    const target = createModelTarget();
    const guest = createSimulatedGuest({ mode: 'no_delay_for_missed_ticks', backlogMax: 10 });
    const device = createVhpet({
      clock: guest.guestTime,
      createTimer: guest.timers.create,
      input: (input) => target.line(input),
      legacy: { irq0: target.line(0), irq8: target.line(8) },
    });
    device.write(CONF(0), 4, BigInt(INT_ENB_CNF | INT_TYPE_CNF | TYPE_CNF | VAL_SET_CNF | B32MODE_CNF | route(20)));
    device.write(COMPARATOR(0), 4, 1n);
    device.write(HPET.GEN_CONF, 4, RUN);
    guest.goOnUntil(100n * MS);
    device.write(HPET.GINTR_STA, 4, 1n);
    guest.goOnUntil(100n * MS);
    const account = guest.timers.accounts().filter(({ name }) => name === 'hpet0')[1]!;
    expect([account.accepted, account.lost]).toEqual([2, 100_000_000 / 16 - 1 - 10]);
  });

  it('14: ticks of a masked input are dropped, and come when it is unmasked, at their own time', () => {
    const { watch, set, clock, taken } = create();
    set(CONF(0), INT_ENB_CNF | TYPE_CNF | VAL_SET_CNF | B32MODE_CNF | route(20));
    set(COMPARATOR(0), MS);
    set(HPET.GEN_CONF, RUN);
    clock.pass(5n * MS + 1n);
    watch(20, 'edge');
    expect(taken(20)).toEqual([]);
    clock.pass(MS);
    expect(taken(20)).toEqual([6n * MS]);
  });

  it('15: HPET and TSC agree to a tick, in every mode and at every moment', () => {
    for (const mode of TIMER_MODE_NAMES) {
      const guest = createSimulatedGuest({ mode });
      const random = createRandom(11);
      guest.vhpet.write(CONF(0), 4, BigInt(INT_ENB_CNF | TYPE_CNF | VAL_SET_CNF | B32MODE_CNF));
      guest.vhpet.write(COMPARATOR(0), 4, 100_000n);
      guest.vhpet.write(HPET.GEN_CONF, 4, RUN_LEGACY);
      let at = 0n;
      for (let slice = 0; slice < 200; slice++) {
        at += BigInt(random.integer(9_000_000));
        guest.runUntil(at);
        expect(guest.vhpet.read(HPET.MAIN_CNT, 8)).toBe(guest.guestTime.tsc(at) / 10n);
        at += BigInt(random.integer(9_000_000));
        guest.absentUntil(at);
      }
    }
  });
});

describe('bad input is harmless and counted', () => {
  it.each([
    [HPET.GCAP_ID, 0x8086_a201n],
    [HPET.GEN_CONF, 0n],
    [HPET.GINTR_STA, 0n],
    [HPET.MAIN_CNT, 0x1122_3344n],
    [CONF(0), 0x30n],
    [COMPARATOR(0), 0xffff_ffffn],
    [HPET.TIMER_0 + TIMER.FSB_INT_VAL, 0n],
    [0x3f8, 0n],
  ])('accesses of every width to %d, at every place in it', (offset, low) => {
    const { set, get, misuses } = create();
    set(HPET.MAIN_CNT, 0x1122_3344);
    const before = get(offset, 8);
    expect(before & 0xffff_ffffn).toBe(low);
    for (let place = 0; place < 8; place++) {
      for (const width of [1, 2, 4, 8] as const) {
        const isAligned = place % width === 0;
        misuses.length = 0;
        const read = get(offset + place, width);
        expect(read).toBe(isAligned ? BigInt.asUintN(8 * width, before >> BigInt(8 * place)) : (1n << BigInt(8 * width)) - 1n);
        expect(misuses).toHaveLength(isAligned && width >= 4 ? 0 : 1);
        if (isAligned && width >= 4) continue;
        misuses.length = 0;
        set(offset + place, 0x5555_5555_5555_5555n & ((1n << BigInt(8 * width)) - 1n), width);
        expect([get(offset, 8), misuses.length]).toEqual([before, 1]);
      }
    }
  });

  it.each([0x000, 0x004, 0x008, 0x018, 0x0f8, 0x118, 0x160, 0x3fc])('a write to what is reserved or can only be read: %d', (offset) => {
    const { set, get, misuses } = create();
    const before = get(offset & ~7, 8);
    set(offset, 0xffff_ffff);
    expect([get(offset & ~7, 8), misuses]).toEqual([
      before,
      [`a write to what can only be read, or is reserved (${(offset & ~7).toString(16)}, 8)`],
    ]);
  });

  it('a comparator in the past matches after a wrap, one that equals the counter at once', () => {
    const { watch, set, clock, taken } = create();
    watch(0, 'edge');
    set(CONF(0), INT_ENB_CNF | B32MODE_CNF);
    set(HPET.GEN_CONF, RUN_LEGACY);
    clock.pass(MS);
    set(COMPARATOR(0), 999_999);
    clock.pass(2n ** 32n - 1n);
    expect(taken(0)).toEqual([MS + 2n ** 32n - 1n]);
    set(COMPARATOR(0), BigInt.asUintN(32, clock.now()));
    clock.pass(0n); // what is due is delivered
    expect(taken(0)).toEqual([clock.now()]);
  });

  it('a comparator of 64 bits in the past never matches', () => {
    const { watch, set, clock, taken } = create();
    watch(0, 'edge');
    set(CONF(0), INT_ENB_CNF);
    set(HPET.GEN_CONF, RUN_LEGACY);
    clock.pass(MS);
    set(COMPARATOR(0), 999_999n, 8);
    clock.pass(2n ** 60n);
    expect(taken(0)).toEqual([]);
  });

  it('a period of 0 matches once in a wrap', () => {
    const { watch, set, get, clock, taken, misuses } = create();
    watch(0, 'edge');
    set(CONF(0), INT_ENB_CNF | TYPE_CNF | VAL_SET_CNF | B32MODE_CNF);
    set(COMPARATOR(0), 1000);
    set(COMPARATOR(0), 0);
    expect(misuses).toEqual(['a period of 0 (108, 4)']);
    set(HPET.GEN_CONF, RUN_LEGACY);
    clock.pass(2n ** 32n + 1000n);
    expect([taken(0), get(COMPARATOR(0))]).toEqual([[1000n, 2n ** 32n + 1000n], 1000n]);
  });

  it('a period of 1 ticks with every count', () => {
    const { watch, set, clock, taken } = create();
    watch(0, 'edge');
    set(CONF(0), INT_ENB_CNF | TYPE_CNF | VAL_SET_CNF | B32MODE_CNF);
    set(COMPARATOR(0), 1);
    set(HPET.GEN_CONF, RUN_LEGACY);
    clock.pass(1000n);
    expect(taken(0)).toHaveLength(1000);
  });

  it('a route to a line that does not exist is not taken; what INT_ROUTE_CAP has and nobody wired leads nowhere', () => {
    const { set, get, clock, misuses } = create({ input: () => undefined });
    set(CONF(0), INT_ENB_CNF | route(21));
    set(CONF(0), INT_ENB_CNF | route(5));
    expect([get(CONF(0)) & 0x3e00n, misuses]).toEqual([BigInt(route(21)), ['a route that the timer does not have (100, 4)']]);
    set(COMPARATOR(0), 10n, 8);
    set(HPET.GEN_CONF, RUN);
    expect(() => clock.pass(100n)).not.toThrow();
  });

  it('a counter that is written while it runs goes on from there, in phase, and comparators hold', () => {
    const { watch, set, get, clock, taken, misuses } = create({ periodFs: 16_000_000 });
    watch(0, 'edge');
    set(CONF(0), INT_ENB_CNF | B32MODE_CNF);
    set(COMPARATOR(0), 1000);
    set(HPET.GEN_CONF, RUN_LEGACY);
    clock.pass(100n);
    set(HPET.MAIN_CNT, 990n, 8);
    expect(misuses).toEqual(['the main counter is written while it runs (f0, 8)']);
    // 100 ns are 6 ticks and 4 ns: the next count is after another 12.
    clock.pass(12n);
    expect(get(HPET.MAIN_CNT)).toBe(991n);
    clock.pass(1000n);
    expect(taken(0)).toEqual([96n + 160n]);
  });

  it('VAL_SET_CNF of a timer that is not periodic', () => {
    const { set, get, misuses } = create();
    set(CONF(0), VAL_SET_CNF);
    expect([get(CONF(0)) & BigInt(VAL_SET_CNF), misuses]).toEqual([0n, ['VAL_SET_CNF of a timer that is not periodic (100, 4)']]);
  });

  it.each([
    [{ periodFs: 0 }, /COUNTER_CLK_PERIOD of 0 fs/],
    [{ periodFs: 100_000_001 }, /COUNTER_CLK_PERIOD/],
    [{ timers: 2 }, /a block of 2 timers/],
    [{ timers: 33 }, /a block of 33 timers/],
  ])('a block that the document does not allow is refused: %o', (options, message) => {
    expect(() => create(options)).toThrow(message);
  });
});

describe('the block', () => {
  it('has the capability that Xen announces', () => {
    expect(create({ periodFs: 16_000_000 }).get(HPET.GCAP_ID, 8)).toBe(0x00f4_2400_8086_a201n);
  });

  it('of 32 timers is longer than 1 KiB, and the last of them works', () => {
    const { watch, set, clock, taken } = create({ timers: 32 });
    expect([vhpetLength(3), vhpetLength(24), vhpetLength(32)]).toEqual([0x400, 0x400, 0x500]);
    watch(23, 'level', () => set(HPET.GINTR_STA, 0x8000_0000));
    set(CONF(31), INT_ENB_CNF | INT_TYPE_CNF | route(23));
    set(COMPARATOR(31), MS, 8);
    set(HPET.GEN_CONF, RUN);
    clock.pass(2n * MS);
    expect(taken(23)).toEqual([MS]);
  });

  it('with timers of 32 bits and without periodic mode: what they lack reads 0 and takes nothing', () => {
    const { set, get } = create({ wide: 0b001, periodic: 0b001 });
    set(CONF(1), TYPE_CNF | B32MODE_CNF | VAL_SET_CNF);
    set(COMPARATOR(1) + 4, 0x1234);
    expect([get(CONF(0)) & 0x30n, get(CONF(1)), get(COMPARATOR(1), 8)]).toEqual([0x30n, 0n, 0xffff_ffffn]);
  });

  it('drifts by exactly 0 after a million periods, also where a tick is no whole number of nanoseconds', () => {
    const periodFs = 69_841_279;
    const { set, get, clock } = create({ periodFs });
    let last = 0n;
    let count = 0n;
    const silent: InterruptLine = { pulse: () => REQUEST.DROPPED, setLevel: () => undefined };
    const counting: InterruptLine = {
      ...silent,
      pulse: () => {
        last = target.clock.now();
        count++;
        return REQUEST.ACCEPTED;
      },
    };
    const target = createTarget({ periodFs, legacy: { irq0: counting, irq8: silent } });
    target.vhpet.write(CONF(0), 4, BigInt(INT_ENB_CNF | TYPE_CNF | VAL_SET_CNF | B32MODE_CNF));
    target.vhpet.write(COMPARATOR(0), 4, 1193n);
    target.vhpet.write(HPET.GEN_CONF, 4, RUN_LEGACY);
    const end = (1_000_000n * 1193n * BigInt(periodFs) + 999_999n) / 1_000_000n;
    target.waitUntil(instant(end));
    expect([count, last, target.vhpet.read(HPET.MAIN_CNT, 8)]).toEqual([1_000_000n, end, 1_193_000_000n]);
    set(HPET.GEN_CONF, RUN);
    clock.pass(end);
    expect(get(HPET.MAIN_CNT, 8)).toBe(1_193_000_000n);
  });

  it('is as it was made after a reset, with no line high and no match to come', () => {
    const { vhpet, watch, set, clock, taken, line } = create({ timers: 4 });
    const fresh = create({ timers: 4 });
    const gated = vhpet.gate(line(0));
    set(CONF(1), INT_ENB_CNF | INT_TYPE_CNF | TYPE_CNF | VAL_SET_CNF | route(20));
    set(COMPARATOR(1), MS, 8);
    set(HPET.GEN_CONF, RUN_LEGACY);
    clock.pass(MS + 1n);
    vhpet.reset();
    watch(8, 'level');
    watch(20, 'level');
    clock.pass(10n * MS);
    expect([taken(8), taken(20)]).toEqual([[], []]);
    for (let offset = 0; offset < 0x180; offset += 8) expect(vhpet.read(offset, 8)).toBe(fresh.get(offset, 8));
    watch(0, 'edge');
    expect(gated.pulse()).toBe(REQUEST.ACCEPTED);
  });

  it('two level-triggered timers on one input hold it until both are cleared', () => {
    const { watch, set, get, clock, taken } = create();
    let bits = 1;
    watch(20, 'level', () => {
      set(HPET.GINTR_STA, bits);
      bits <<= 1;
    });
    for (const timer of [0, 1]) {
      set(CONF(timer), INT_ENB_CNF | INT_TYPE_CNF | route(20));
      set(COMPARATOR(timer), MS, 8);
    }
    set(HPET.GEN_CONF, RUN);
    clock.pass(2n * MS);
    // The second is raised while the first is being handled, at the same instant.
    expect([taken(20), get(HPET.GINTR_STA)]).toEqual([[MS, MS], 0n]);
  });

  it('delivers messages where FSB delivery is on, and none by the I/O APIC; legacy replacement has its way over it', () => {
    const messages: string[] = [];
    const { watch, set, get, clock, taken } = create({
      sendMessage: (address, value, acknowledged): Request => {
        messages.push(`${address.toString(16)} ${value.toString(16)} at ${clock.now()}`);
        acknowledged();
        return REQUEST.ACCEPTED;
      },
    });
    watch(20, 'edge');
    watch(0, 'edge');
    set(HPET.TIMER_0 + TIMER.FSB_INT_VAL, 0xfee0_1000_0000_4051n, 8);
    set(HPET.TIMER_0 + TIMER.FSB_INT_ADDR, 0xfee0_2000);
    set(CONF(0), INT_ENB_CNF | FSB_EN_CNF | TYPE_CNF | VAL_SET_CNF | B32MODE_CNF | route(20));
    expect([get(CONF(0)) & BigInt(FSB_INT_DEL_CAP | FSB_EN_CNF), get(HPET.TIMER_0 + TIMER.FSB_INT_VAL, 8)]).toEqual([
      0xc000n,
      0xfee0_2000_0000_4051n,
    ]);
    set(COMPARATOR(0), MS);
    set(HPET.GEN_CONF, RUN);
    clock.pass(2n * MS);
    expect([messages, taken(20)]).toEqual([['fee02000 4051 at 1000000', 'fee02000 4051 at 2000000'], []]);
    set(HPET.GEN_CONF, RUN_LEGACY);
    clock.pass(MS);
    expect([messages.length, taken(0)]).toEqual([2, [3n * MS]]);
  });

  it('without FSB delivery its route register reads 0', () => {
    const { set, get } = create();
    set(HPET.TIMER_0 + TIMER.FSB_INT_VAL, 0xffff_ffff_ffff_ffffn, 8);
    expect(get(HPET.TIMER_0 + TIMER.FSB_INT_VAL, 8)).toBe(0n);
  });
});

describe('the driver of the hardware side on the virtual device', () => {
  it('finds it, and has its periodic ticks and one-shots', () => {
    const { watch, vhpet, clock, taken } = create({ periodFs: 16_000_000 });
    const at = (address: number): number => address - HPET_BASE;
    const mmio = createMmio(
      fakeShims({
        mmioRead32: (address) => Number(vhpet.read(at(address), 4)),
        mmioWrite32: (address, value) => vhpet.write(at(address), 4, BigInt(value)),
        mmioReaderInt32: (address) => () => Number(vhpet.read(at(address), 4)) | 0,
        mmioReader64: (address) => () => vhpet.read(at(address), 8),
        mmioWriter32: (address) => (value) => vhpet.write(at(address), 4, BigInt(value >>> 0)),
      }),
      HPET_BASE,
      HPET.LENGTH,
    );
    const probe = probeHpet(mmio);
    if (!probe.found) throw new Error(probe.reason);
    const { hpet } = probe;
    expect([hpet.timerCount, hpet.width, hpet.canReplaceLegacy, hpet.routes]).toEqual([3, 64, true, 0x00f0_0000]);
    watch(0, 'edge');
    hpet.armPeriodic(ticks(62_500n), 62_500, 'legacy');
    clock.pass(3n * MS);
    expect(taken(0)).toEqual([MS, 2n * MS, 3n * MS]);
    hpet.disarm();
    hpet.armOneShot(hpet.counterLow() + 1000, 'legacy');
    clock.pass(MS);
    expect(taken(0)).toEqual([3n * MS + 16_000n]);
  });
});

describe('save and restore', () => {
  function act(guest: SimulatedGuest, random: ReturnType<typeof createRandom>): void {
    const offset = [HPET.GEN_CONF, CONF(0), CONF(1), COMPARATOR(0), COMPARATOR(0), COMPARATOR(1)][random.integer(6)]!;
    const counter = guest.vhpet.read(HPET.MAIN_CNT, 8);
    const value =
      offset === HPET.GEN_CONF
        ? random.integer(5) === 0
          ? 0n
          : RUN_LEGACY
        : offset === CONF(0) || offset === CONF(1)
          ? BigInt(INT_ENB_CNF | B32MODE_CNF | (random.integer(2) === 0 ? TYPE_CNF | VAL_SET_CNF : 0))
          : BigInt.asUintN(32, (random.integer(2) === 0 ? counter : 0n) + BigInt(random.integer(1_000_000)));
    guest.vhpet.write(offset, 4, value);
    guest.setInterruptsOff(random.integer(5) === 0);
  }

  it.each(TIMER_MODE_NAMES)('a round trip in the middle of anything changes nothing that the guest sees, in mode %s', (mode) => {
    for (let seed = 1; seed <= 100; seed++) {
      const options = { mode, backlogMax: 20 };
      const random = createRandom(seed);
      const one = createSimulatedGuest(options);
      let other = createSimulatedGuest(options);
      // The other's host TSC is ahead by what is different at each of its machines.
      let ahead = 0n;
      let at = 0n;
      for (let turn = 0; turn < 60; turn++) {
        const step = random.integer(1 << 30);
        for (const guest of [one, other]) act(guest, createRandom(step));
        const run = BigInt(random.integer(random.integer(2) === 0 ? 20_000_000 : 300_000));
        const absence = random.integer(3) === 0 ? BigInt(random.integer(40_000_000)) : 0n;
        for (const [guest, offset] of [
          [one, 0n],
          [other, ahead],
        ] as const) {
          if (absence > 0n) guest.runUntil(at + offset + run);
          else guest.goOnUntil(at + offset + run);
        }
        at += run;
        if (random.integer(4) === 0) {
          const state = other.save();
          ahead += BigInt(random.integer(1000));
          const next = createSimulatedGuest({ ...options, startTsc: at + ahead });
          const seen = other.take();
          expect(
            seen.map(({ line, guest }) => `${line} ${guest}`),
            `seed ${seed}`,
          ).toEqual(one.take().map(({ line, guest }) => `${line} ${guest}`));
          next.restore(state);
          other = next;
        }
        at += absence;
        if (absence > 0n) {
          one.absentUntil(at);
          other.absentUntil(at + ahead);
        }
      }
      expect(
        other.take().map(({ line, guest }) => `${line} ${guest}`),
        `seed ${seed}`,
      ).toEqual(one.take().map(({ line, guest }) => `${line} ${guest}`));
      for (let offset = 0; offset < 0x160; offset += 8) expect(other.vhpet.read(offset, 8)).toBe(one.vhpet.read(offset, 8));
      expect([other.guestTime.owed(other.host()), other.guestTime.tsc(other.host())]).toEqual([
        one.guestTime.owed(one.host()),
        one.guestTime.tsc(one.host()),
      ]);
    }
  });

  it('refuses a state of another block', () => {
    expect(() => create({ timers: 4 }).vhpet.restore(create().vhpet.save())).toThrow(/does not fit a block of 4/);
  });

  it('drives the levels that were high, and takes their clearing as before', () => {
    const { set, clock, vhpet } = create();
    set(CONF(0), INT_ENB_CNF | INT_TYPE_CNF | route(20));
    set(COMPARATOR(0), MS, 8);
    set(HPET.GEN_CONF, RUN);
    clock.pass(MS);
    const other = create();
    other.clock.pass(MS);
    other.vhpet.restore(vhpet.save());
    other.watch(20, 'level', () => other.set(HPET.GINTR_STA, 1));
    expect(other.taken(20)).toEqual([MS]);
  });
});
