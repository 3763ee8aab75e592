/**
 * IA-PC HPET 1.0a, "Register Model", in its order. Cases leave the block halted, and find it in any state. Those on interrupts need timers 0 and 1
 * with periodic mode and 64 bits, and an I/O APIC input from 16 on in INT_ROUTE_CAP (QEMU: the q35 machine).
 */
import { getField } from '../../regs/bits.ts';
import { FEMTOSECONDS_PER_SECOND, GCAP_ID, GEN_CONF, HPET, HPET_BASE, PERIOD_MAX_FS, TIMER, TN_CONF } from '../../regs/ia-pc-hpet.ts';
import { instant, NANOS_PER_SECOND, type Instant } from '../../time/units.ts';
import type { ConformanceCase, Expect, Target } from './target.ts';

const FEMTOS_PER_NANO = FEMTOSECONDS_PER_SECOND / NANOS_PER_SECOND;
const ALL = 0xffff_ffff_ffff_ffffn;
const LOW = 0xffff_ffffn;
const MILLISECOND = 1_000_000n;

const CONF = (timer: number): number => HPET.TIMER_0 + timer * HPET.TIMER_STRIDE + TIMER.CONF;
const COMPARATOR = (timer: number): number => HPET.TIMER_0 + timer * HPET.TIMER_STRIDE + TIMER.COMPARATOR;

/** The block's registers, and its unit of time. */
function registersOf(t: Target) {
  const read32 = (offset: number): number => Number(t.read(HPET_BASE + offset, 4));
  const read64 = (offset: number): bigint => t.read(HPET_BASE + offset, 8);
  const write32 = (offset: number, value: number): void => t.write(HPET_BASE + offset, 4, BigInt(value >>> 0));
  const write64 = (offset: number, value: bigint): void => t.write(HPET_BASE + offset, 8, value);
  /** In two accesses: what a 64-bit write means, also where a target makes two of it in an order of its own. */
  const writeHalves = (offset: number, value: bigint): void => {
    write32(offset + 4, Number(value >> 32n));
    write32(offset, Number(value & LOW));
  };
  const periodFs = BigInt(read32(HPET.COUNTER_CLK_PERIOD));
  const timers = getField(read32(HPET.GCAP_ID), GCAP_ID.NUM_TIM_CAP) + 1;
  const ticks = (nanos: bigint): bigint => (nanos * FEMTOS_PER_NANO) / periodFs;
  const nanos = (count: bigint): bigint => (count * periodFs + FEMTOS_PER_NANO - 1n) / FEMTOS_PER_NANO;

  // As after a reset.
  write32(HPET.GEN_CONF, 0);
  for (let timer = 0; timer < Math.min(timers, 24); timer++) {
    write32(CONF(timer), 0);
    writeHalves(COMPARATOR(timer), ALL);
  }
  write32(HPET.GINTR_STA, 0xffff_ffff);
  writeHalves(HPET.MAIN_CNT, 0n);
  t.takeInterrupts();

  /** An I/O APIC input that a timer can have, which is nobody else's: the first, the second, ... */
  function input(timer: number, place = 0): number {
    const routes = read32(CONF(timer) + TIMER.INT_ROUTE_CAP - TIMER.CONF);
    for (let route = 16; route < 32; route++) if (((routes >>> route) & 1) !== 0 && place-- === 0) return route;
    throw new Error(`timer ${timer} has no such I/O APIC input from 16 on (INT_ROUTE_CAP ${routes.toString(16)})`);
  }
  /** Starts the counter, and tells when. */
  function run(general = 0): { readonly least: Instant; readonly most: Instant } {
    const least = t.now();
    write32(HPET.GEN_CONF, GEN_CONF.ENABLE_CNF | general);
    return { least, most: t.now() };
  }
  const halt = (): void => write32(HPET.GEN_CONF, 0);
  /** With legacy replacement, whose end may bring an interrupt of the PIT. */
  const haltLegacy = (): void => write32(HPET.GEN_CONF, GEN_CONF.LEG_RT_CNF);
  /** The same for its begin: interrupts before it are the PIT's. */
  function runLegacy(): ReturnType<typeof run> {
    const start = run(GEN_CONF.LEG_RT_CNF);
    t.takeInterrupts();
    return start;
  }
  /** The counter stands, reads from it are whole. */
  const count = (): bigint => read64(HPET.MAIN_CNT);
  const status = (): number => read32(HPET.GINTR_STA);
  const wait = (duration: bigint): void => t.waitUntil(instant(t.now() + duration));
  return {
    read32,
    read64,
    write32,
    write64,
    writeHalves,
    periodFs,
    timers,
    ticks,
    nanos,
    input,
    run,
    runLegacy,
    halt,
    haltLegacy,
    count,
    status,
    wait,
  };
}
type Registers = ReturnType<typeof registersOf>;

const route = (input: number): number => input << TN_CONF.INT_ROUTE_CNF.shift;
const EDGE = TN_CONF.INT_ENB_CNF;
const LEVEL = TN_CONF.INT_ENB_CNF | TN_CONF.INT_TYPE_CNF;
const PERIODIC = TN_CONF.TYPE_CNF;
const SET = TN_CONF.VAL_SET_CNF;
const NARROW = TN_CONF.B32MODE_CNF;

/** A periodic timer by the usage model, in 32-bit mode; `bits` may turn that off. */
function setPeriodic(r: Registers, timer: number, bits: number, period: bigint): void {
  r.write32(CONF(timer), PERIODIC | SET | NARROW | bits);
  r.write32(COMPARATOR(timer), Number(period));
}

/** Watches an input for a level of one timer, which its handler clears by the status bit. */
function watchLevel(t: Target, r: Registers, line: number, timer: number): void {
  t.watch(line, 'level', () => r.write32(HPET.GINTR_STA, 1 << timer));
}

/** Instants of interrupts of a line; those within a microsecond are one (one case of its own looks at that). */
function beats(t: Target, line: number): Instant[] {
  const all = t.takeInterrupts().filter((one) => one.line === line);
  return all.filter((one, place) => place === 0 || one.at - all[place - 1]!.at > 1000n).map(({ at }) => at);
}

/** Matches of a counter that was started at 0, and no others. */
function expectBeats(
  t: Target,
  expect: Expect,
  r: Registers,
  line: number,
  start: ReturnType<Registers['run']>,
  counts: readonly bigint[],
): void {
  const seen = beats(t, line);
  expect.equal('interrupts', seen.length, counts.length);
  seen.forEach((at, place) => {
    const due = r.nanos(counts[place]!);
    expect.within(`interrupt ${place + 1}`, at, start.least + due - t.slack, start.most + due + t.slack);
  });
}

const QEMU_EQUALITY =
  '"When the main counter equals the value last written to this register, the corresponding interrupt can be generated": QEMU interrupts at once for a value that has passed';

const capabilities: readonly ConformanceCase[] = [
  {
    name: 'General Capabilities and ID Register: REV_ID must never be 00h',
    run: (t, expect) => expect.within('REV_ID', getField(registersOf(t).read32(HPET.GCAP_ID), GCAP_ID.REV_ID), 1, 255),
  },
  {
    name: 'General Capabilities and ID Register: NUM_TIM_CAP is the number of the last timer, and three timers are the least',
    run: (t, expect) => expect.within('NUM_TIM_CAP', getField(registersOf(t).read32(HPET.GCAP_ID), GCAP_ID.NUM_TIM_CAP), 2, 31),
  },
  {
    name: 'General Capabilities and ID Register: COUNT_SIZE_CAP, the main counter is 64 bits wide',
    run: (t, expect) => {
      const r = registersOf(t);
      expect.equal('COUNT_SIZE_CAP', (r.read32(HPET.GCAP_ID) & GCAP_ID.COUNT_SIZE_CAP) !== 0, true);
      r.writeHalves(HPET.MAIN_CNT, ALL);
      expect.equal('counter', r.count(), ALL);
    },
  },
  {
    name: 'General Capabilities and ID Register: LEG_RT_CAP, LegacyReplacement is there',
    run: (t, expect) => {
      const r = registersOf(t);
      expect.equal('LEG_RT_CAP', (r.read32(HPET.GCAP_ID) & GCAP_ID.LEG_RT_CAP) !== 0, true);
      r.write32(HPET.GEN_CONF, GEN_CONF.LEG_RT_CNF);
      expect.equal('GEN_CONF', r.read32(HPET.GEN_CONF), GEN_CONF.LEG_RT_CNF);
      r.halt();
    },
  },
  {
    name: 'General Capabilities and ID Register: VENDOR_ID as in PCI',
    run: (t, expect) => expect.equal('VENDOR_ID', getField(registersOf(t).read32(HPET.GCAP_ID), GCAP_ID.VENDOR_ID), 0x8086),
  },
  {
    name: 'General Capabilities and ID Register: COUNTER_CLK_PERIOD is not 0 and at most 05F5E100h',
    run: (t, expect) => expect.within('COUNTER_CLK_PERIOD', registersOf(t).periodFs, 1n, PERIOD_MAX_FS),
  },
  {
    name: 'General Capabilities and ID Register: COUNTER_CLK_PERIOD is the period at which the counter increments',
    run: (t, expect) => {
      const r = registersOf(t);
      const { least, most } = r.run();
      r.wait(10n * MILLISECOND);
      const before = t.now();
      r.halt();
      const after = t.now();
      expect.within('counter', r.count(), r.ticks(before - most - t.slack), r.ticks(after - least + t.slack) + 1n);
    },
  },
  {
    name: 'General Capabilities and ID Register: it can only be read',
    run: (t, expect) => {
      const r = registersOf(t);
      const before = r.read64(HPET.GCAP_ID);
      r.write32(HPET.GCAP_ID, 0);
      r.write32(HPET.COUNTER_CLK_PERIOD, 0x1234);
      expect.equal('GCAP_ID', r.read64(HPET.GCAP_ID), before);
    },
  },
  {
    name: 'Register Overview: a read of 64 bits has both halves',
    run: (t, expect) => {
      const r = registersOf(t);
      const halves = (BigInt(r.read32(HPET.COUNTER_CLK_PERIOD)) << 32n) | BigInt(r.read32(HPET.GCAP_ID));
      expect.equal('GCAP_ID', r.read64(HPET.GCAP_ID), halves);
    },
  },
  {
    name: 'Register Overview: reserved registers take nothing',
    run: (t, expect) => {
      const r = registersOf(t);
      for (const offset of [0x008, 0x018, 0x028, 0x0e8, 0x0f8]) {
        r.write32(offset, 0xffff_ffff);
        expect.equal(offset.toString(16), r.read32(offset), 0);
      }
    },
  },
];

const configuration: readonly ConformanceCase[] = [
  {
    name: 'General Configuration Register: ENABLE_CNF 0, the main counter halts',
    run: (t, expect) => {
      const r = registersOf(t);
      r.run();
      r.wait(MILLISECOND);
      r.halt();
      const stood = r.count();
      r.wait(MILLISECOND);
      expect.equal('counter', r.count(), stood);
      expect.within('counter', stood, 1n, ALL);
    },
  },
  {
    name: 'General Configuration Register: ENABLE_CNF 1 again, the counter goes on from where it stood',
    run: (t, expect) => {
      const r = registersOf(t);
      r.writeHalves(HPET.MAIN_CNT, 5_000_000_000n);
      r.run();
      r.halt();
      const stood = r.count();
      r.wait(MILLISECOND);
      const { least } = r.run();
      r.halt();
      expect.within('counter', r.count(), stood, stood + r.ticks(t.now() - least + t.slack) + 1n);
    },
  },
  {
    name: 'General Configuration Register: ENABLE_CNF 0, no interrupts are caused by any timer',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      t.watch(line, 'edge');
      r.write32(COMPARATOR(0), Number(r.ticks(2n * MILLISECOND)));
      r.write32(CONF(0), EDGE | NARROW | route(line));
      r.run();
      r.halt();
      r.wait(5n * MILLISECOND);
      expect.equal('interrupts', beats(t, line).length, 0);
    },
  },
  {
    name: 'General Configuration Register: halting for a while delays the interrupts of all timers by as much',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      const due = r.ticks(2n * MILLISECOND);
      t.watch(line, 'edge');
      r.write32(CONF(0), EDGE | NARROW | route(line));
      r.write32(COMPARATOR(0), Number(due));
      r.run();
      r.wait(MILLISECOND);
      r.halt();
      const left = due - r.count();
      r.wait(3n * MILLISECOND);
      const { least, most } = r.run();
      r.wait(3n * MILLISECOND);
      r.halt();
      const seen = beats(t, line);
      expect.equal('interrupts', seen.length, 1);
      expect.within('interrupt', seen[0]!, least + r.nanos(left) - t.slack, most + r.nanos(left) + t.slack);
    },
  },
  {
    name: 'General Configuration Register: ENABLE_CNF from 1 to 0 does not clear the interrupt status indications',
    qemuDiffers:
      '"if an interrupt is pending when the ENABLE_CNF bit is changed from 1 to 0, the interrupt status indications will not be cleared": QEMU clears them',
    run: (t, expect) => {
      const r = registersOf(t);
      r.write32(CONF(0), LEVEL | NARROW | route(r.input(0)));
      r.write32(COMPARATOR(0), Number(r.ticks(MILLISECOND)));
      r.run();
      r.wait(2n * MILLISECOND);
      r.halt();
      expect.equal('status', r.status(), 1);
      r.write32(HPET.GINTR_STA, 1);
      expect.equal('status', r.status(), 0);
    },
  },
  ...[0, 1].map((timer): ConformanceCase => ({
    name: `General Configuration Register: LEG_RT_CNF 1, timer ${timer} is ${timer === 0 ? 'IRQ 0' : 'IRQ 8'}, and its own routing has no impact`,
    run: (t, expect) => {
      const r = registersOf(t);
      const [own, line] = [r.input(timer), timer * 8];
      t.watch(own, 'edge');
      t.watch(line, 'edge');
      r.write32(CONF(timer), EDGE | NARROW | route(own));
      const due = r.ticks(MILLISECOND);
      r.write32(COMPARATOR(timer), Number(due));
      const start = r.runLegacy();
      r.wait(2n * MILLISECOND);
      r.haltLegacy();
      expectBeats(t, expect, r, line, start, [due]);
      r.halt();
      expect.equal('route', getField(r.read32(CONF(timer)), TN_CONF.INT_ROUTE_CNF), own);
    },
  })),
  {
    name: 'General Configuration Register: LEG_RT_CNF 1, timers 0 and 1 interrupt beside each other',
    run: (t, expect) => {
      const r = registersOf(t);
      const period = r.ticks(MILLISECOND);
      t.watch(0, 'edge');
      t.watch(8, 'edge');
      setPeriodic(r, 0, EDGE, period);
      r.write32(CONF(1), EDGE | NARROW);
      r.write32(COMPARATOR(1), Number(period + period / 2n));
      const start = r.runLegacy();
      r.wait(2n * MILLISECOND + MILLISECOND / 4n);
      r.haltLegacy();
      const all = t.takeInterrupts();
      const seen = { ...t, takeInterrupts: () => all };
      expectBeats(seen, expect, r, 0, start, [period, 2n * period]);
      expectBeats(seen, expect, r, 8, start, [period + period / 2n]);
      r.halt();
    },
  },
  {
    name: 'General Configuration Register: LEG_RT_CNF 1, timer 2 is routed by its own register',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(2);
      t.watch(line, 'edge');
      r.write32(CONF(2), EDGE | NARROW | route(line));
      const due = r.ticks(MILLISECOND);
      r.write32(COMPARATOR(2), Number(due));
      const start = r.runLegacy();
      r.wait(2n * MILLISECOND);
      r.haltLegacy();
      expectBeats(t, expect, r, line, start, [due]);
      r.halt();
    },
  },
  {
    name: 'General Configuration Register: LEG_RT_CNF 0 again, timers 0 and 1 are routed by their own registers',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(1);
      t.watch(line, 'edge');
      r.write32(CONF(1), EDGE | NARROW | route(line));
      const due = r.ticks(2n * MILLISECOND);
      r.write32(COMPARATOR(1), Number(due));
      const start = r.runLegacy();
      r.write32(HPET.GEN_CONF, GEN_CONF.ENABLE_CNF);
      r.wait(3n * MILLISECOND);
      r.halt();
      expectBeats(t, expect, r, line, start, [due]);
    },
  },
  {
    name: 'General Configuration Register: LEG_RT_CNF 1 and a level-triggered timer 0',
    run: (t, expect) => {
      const r = registersOf(t);
      watchLevel(t, r, 0, 0);
      r.write32(CONF(0), LEVEL | NARROW);
      const due = r.ticks(MILLISECOND);
      r.write32(COMPARATOR(0), Number(due));
      const start = r.runLegacy();
      r.wait(2n * MILLISECOND);
      r.haltLegacy();
      expectBeats(t, expect, r, 0, start, [due]);
      r.halt();
    },
  },
  {
    name: 'General Configuration Register: its other bits are reserved',
    run: (t, expect) => {
      const r = registersOf(t);
      r.write32(HPET.GEN_CONF, 0xffff_fffc);
      r.write32(HPET.GEN_CONF + 4, 0xffff_ffff);
      expect.equal('GEN_CONF', r.read64(HPET.GEN_CONF), 0n);
    },
  },
];

const statusCases: readonly ConformanceCase[] = [
  {
    name: 'General Interrupt Status Register: a level-triggered timer sets its bit when its interrupt is active, not before',
    run: (t, expect) => {
      const r = registersOf(t);
      r.write32(CONF(0), LEVEL | NARROW | route(r.input(0)));
      r.write32(COMPARATOR(0), Number(r.ticks(2n * MILLISECOND)));
      r.run();
      expect.equal('before', r.status(), 0);
      r.wait(3n * MILLISECOND);
      expect.equal('after', r.status(), 1);
      r.write32(HPET.GINTR_STA, 1);
      r.halt();
    },
  },
  {
    name: 'General Interrupt Status Register: writes of 0 have no effect, writing 1 clears',
    run: (t, expect) => {
      const r = registersOf(t);
      r.write32(CONF(1), LEVEL | NARROW | route(r.input(1)));
      r.write32(COMPARATOR(1), Number(r.ticks(MILLISECOND)));
      r.run();
      r.wait(2n * MILLISECOND);
      r.write32(HPET.GINTR_STA, 0);
      expect.equal('after 0', r.status(), 2);
      r.write32(HPET.GINTR_STA, 2);
      expect.equal('after 1', r.status(), 0);
      r.halt();
    },
  },
  {
    name: 'General Interrupt Status Register: each timer has its bit, and writing 1 clears only that',
    run: (t, expect) => {
      const r = registersOf(t);
      for (let timer = 0; timer < 3; timer++) {
        r.write32(CONF(timer), LEVEL | NARROW | route(r.input(timer, timer)));
        r.write32(COMPARATOR(timer), Number(r.ticks(MILLISECOND)));
      }
      r.run();
      r.wait(2n * MILLISECOND);
      expect.equal('all', r.status(), 0b111);
      r.write32(HPET.GINTR_STA, 0b010);
      expect.equal('without timer 1', r.status(), 0b101);
      r.write32(HPET.GINTR_STA, 0b101);
      expect.equal('none', r.status(), 0);
      r.halt();
    },
  },
  {
    name: 'General Interrupt Status Register: writing 1 takes the interrupt away',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      watchLevel(t, r, line, 0);
      r.write32(CONF(0), LEVEL | NARROW | route(line));
      const due = r.ticks(MILLISECOND);
      r.write32(COMPARATOR(0), Number(due));
      const start = r.run();
      r.wait(4n * MILLISECOND);
      r.halt();
      expectBeats(t, expect, r, line, start, [due]);
      expect.equal('status', r.status(), 0);
    },
  },
  {
    name: 'General Interrupt Status Register: bits of timers that are not there read 0',
    run: (t, expect) => {
      const r = registersOf(t);
      r.write32(HPET.GINTR_STA, 0xffff_ffff);
      expect.equal('status', r.read64(HPET.GINTR_STA), 0n);
    },
  },
];

const counter: readonly ConformanceCase[] = [
  {
    name: 'Main Counter Register: what is written while it is halted reads back',
    run: (t, expect) => {
      const r = registersOf(t);
      r.write64(HPET.MAIN_CNT, 0x0123_4567_89ab_cdefn);
      expect.equal('counter', r.count(), 0x0123_4567_89ab_cdefn);
    },
  },
  {
    name: 'Main Counter Register: halves are written in either order, and read',
    run: (t, expect) => {
      const r = registersOf(t);
      r.write32(HPET.MAIN_CNT, 0x1111_2222);
      r.write32(HPET.MAIN_CNT + 4, 0x3333_4444);
      expect.equal('low first', r.count(), 0x3333_4444_1111_2222n);
      r.write32(HPET.MAIN_CNT + 4, 0x5555_6666);
      r.write32(HPET.MAIN_CNT, 0x7777_8888);
      expect.equal('high first', r.count(), 0x5555_6666_7777_8888n);
      expect.equal('low half', r.read32(HPET.MAIN_CNT), 0x7777_8888);
      expect.equal('high half', r.read32(HPET.MAIN_CNT + 4), 0x5555_6666);
    },
  },
  {
    name: 'Main Counter Register: it counts up from what was written',
    run: (t, expect) => {
      const r = registersOf(t);
      const from = 0x7_0000_0000n;
      r.writeHalves(HPET.MAIN_CNT, from);
      const { least } = r.run();
      r.wait(MILLISECOND);
      r.halt();
      expect.within('counter', r.count(), from + r.ticks(MILLISECOND - t.slack), from + r.ticks(t.now() - least + t.slack) + 1n);
    },
  },
  {
    name: 'Main Counter Register: the low half carries into the high half',
    run: (t, expect) => {
      const r = registersOf(t);
      r.writeHalves(HPET.MAIN_CNT, 0xffff_ff00n);
      r.run();
      r.wait(MILLISECOND);
      r.halt();
      expect.equal('high half', r.read32(HPET.MAIN_CNT + 4), 1);
    },
  },
  {
    name: 'Main Counter Register: it rolls over to 0',
    run: (t, expect) => {
      const r = registersOf(t);
      r.writeHalves(HPET.MAIN_CNT, ALL - 0xffn);
      const { least } = r.run();
      r.wait(MILLISECOND);
      r.halt();
      expect.within('counter', r.count(), 1n, r.ticks(t.now() - least + t.slack));
    },
  },
  {
    name: 'Main Counter Register: writing it leaves comparators as they are, and a periodic timer waits for its own',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      const period = r.ticks(MILLISECOND);
      t.watch(line, 'edge');
      setPeriodic(r, 0, EDGE | route(line), period);
      r.run();
      r.wait(2n * MILLISECOND + MILLISECOND / 2n);
      r.halt();
      t.takeInterrupts();
      r.writeHalves(HPET.MAIN_CNT, 0n);
      expect.equal('comparator', BigInt(r.read32(COMPARATOR(0))), 3n * period);
      const start = r.run();
      r.wait(4n * MILLISECOND + MILLISECOND / 2n);
      r.halt();
      expectBeats(t, expect, r, line, start, [3n * period, 4n * period]);
    },
  },
  {
    name: 'Main Counter Register: reads are monotonic, the second of two returns the larger value',
    run: (t, expect) => {
      const r = registersOf(t);
      r.run();
      let before = r.count();
      for (let turn = 0; turn < 20; turn++) {
        r.wait(1000n);
        const now = r.count();
        expect.within(`read ${turn}`, now, before + 1n, ALL);
        before = now;
      }
      r.halt();
    },
  },
  {
    name: 'Main Counter Register: a read of 64 bits across a carry is whole',
    run: (t, expect) => {
      const r = registersOf(t);
      r.writeHalves(HPET.MAIN_CNT, 0xffff_0000n);
      r.run();
      let before = 0xffff_0000n;
      while (before < 0x1_0000_8000n) {
        r.wait(5000n);
        const now = r.count();
        expect.within('counter', now, before, before + r.ticks(MILLISECOND));
        before = now;
      }
      r.halt();
    },
  },
];

const timerConfiguration: readonly ConformanceCase[] = [
  {
    name: 'Timer N Configuration: INT_TYPE_CNF 0, each match of a periodic timer generates a new edge, and one',
    qemuDiffers:
      '"a new interrupt will generate a new edge" for each match: QEMU, when its clock is exact, takes a comparator that equals the counter for one that is ahead, and interrupts again a tick later',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      t.watch(line, 'edge');
      setPeriodic(r, 0, EDGE | route(line), r.ticks(MILLISECOND));
      r.run();
      r.wait(5n * MILLISECOND + MILLISECOND / 2n);
      r.halt();
      expect.equal('interrupts', t.takeInterrupts().length, 5);
    },
  },
  {
    name: 'Timer N Configuration: INT_TYPE_CNF 1, the interrupt is held active until it is cleared, and interrupts again at the next match',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      const period = r.ticks(MILLISECOND);
      watchLevel(t, r, line, 0);
      setPeriodic(r, 0, LEVEL | route(line), period);
      const start = r.run();
      r.wait(3n * MILLISECOND + MILLISECOND / 2n);
      r.halt();
      expectBeats(t, expect, r, line, start, [period, 2n * period, 3n * period]);
    },
  },
  {
    name: 'Timer N Configuration: INT_TYPE_CNF 1, an interrupt that occurs before the last is cleared leaves it active',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      setPeriodic(r, 0, LEVEL | route(line), r.ticks(MILLISECOND));
      r.run();
      r.wait(3n * MILLISECOND + MILLISECOND / 2n);
      expect.equal('status', r.status(), 1);
      r.write32(HPET.GINTR_STA, 1);
      expect.equal('cleared once', r.status(), 0);
      watchLevel(t, r, line, 0);
      expect.equal('nothing is left of the three', beats(t, line).length, 0);
      r.wait(MILLISECOND);
      r.halt();
      expect.equal('the next', beats(t, line).length, 1);
    },
  },
  {
    name: 'Timer N Configuration: INT_ENB_CNF 0, the timer causes no interrupt',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      t.watch(line, 'edge');
      r.write32(CONF(0), NARROW | route(line));
      r.write32(COMPARATOR(0), Number(r.ticks(MILLISECOND)));
      r.run();
      r.wait(2n * MILLISECOND);
      r.halt();
      expect.equal('interrupts', beats(t, line).length, 0);
    },
  },
  {
    name: 'Timer N Configuration: INT_ENB_CNF 0, the timer still operates and generates status bits',
    qemuDiffers:
      '"If this bit is 0, the timer will still operate and generate appropriate status bits, but will not cause an interrupt": QEMU sets none',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      watchLevel(t, r, line, 0);
      r.write32(CONF(0), TN_CONF.INT_TYPE_CNF | NARROW | route(line));
      r.write32(COMPARATOR(0), Number(r.ticks(MILLISECOND)));
      r.run();
      r.wait(2n * MILLISECOND);
      expect.equal('status', r.status(), 1);
      expect.equal('interrupts', beats(t, line).length, 0);
      r.write32(HPET.GINTR_STA, 1);
      r.halt();
    },
  },
  {
    name: 'Timer N Configuration: INT_ENB_CNF 0, a periodic comparator goes on',
    run: (t, expect) => {
      const r = registersOf(t);
      const period = r.ticks(MILLISECOND);
      setPeriodic(r, 0, 0, period);
      r.run();
      r.wait(2n * MILLISECOND + MILLISECOND / 2n);
      r.halt();
      expect.equal('comparator', BigInt(r.read32(COMPARATOR(0))), 3n * period);
    },
  },
  {
    name: 'Timer N Configuration: INT_ENB_CNF 1 after the match, an edge that nobody wanted does not come late',
    qemuDiffers: QEMU_EQUALITY,
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      t.watch(line, 'edge');
      r.write32(CONF(0), NARROW | route(line));
      r.write32(COMPARATOR(0), Number(r.ticks(MILLISECOND)));
      r.run();
      r.wait(2n * MILLISECOND);
      r.write32(CONF(0), EDGE | NARROW | route(line));
      r.wait(MILLISECOND);
      r.halt();
      expect.equal('interrupts', beats(t, line).length, 0);
    },
  },
  {
    name: 'Timer N Configuration: INT_ENB_CNF 0 for a while, a periodic timer is on its beat afterwards',
    qemuDiffers: '"If this bit is 0, the timer will still operate": QEMU stops it, and interrupts at once when it is enabled again',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      const period = r.ticks(MILLISECOND);
      t.watch(line, 'edge');
      setPeriodic(r, 0, EDGE | route(line), period);
      const start = r.run();
      r.wait(MILLISECOND + MILLISECOND / 2n);
      r.write32(CONF(0), PERIODIC | NARROW | route(line));
      r.wait(2n * MILLISECOND);
      r.write32(CONF(0), EDGE | PERIODIC | NARROW | route(line));
      r.wait(2n * MILLISECOND);
      r.halt();
      expectBeats(t, expect, r, line, start, [period, 4n * period, 5n * period]);
    },
  },
  {
    name: 'Timer N Configuration: TYPE_CNF is read/write where PER_INT_CAP is 1, and always 0 where it is not',
    run: (t, expect) => {
      const r = registersOf(t);
      for (let timer = 0; timer < r.timers; timer++) {
        const has = (r.read32(CONF(timer)) & TN_CONF.PER_INT_CAP) !== 0;
        r.write32(CONF(timer), PERIODIC);
        expect.equal(`timer ${timer}`, (r.read32(CONF(timer)) & PERIODIC) !== 0, has);
        r.write32(CONF(timer), 0);
        expect.equal(`timer ${timer} again`, r.read32(CONF(timer)) & PERIODIC, 0);
      }
    },
  },
  {
    name: 'Timer N Configuration: PER_INT_CAP, SIZE_CAP, FSB_INT_DEL_CAP and INT_ROUTE_CAP can only be read',
    run: (t, expect) => {
      const r = registersOf(t);
      const only = TN_CONF.PER_INT_CAP | TN_CONF.SIZE_CAP | TN_CONF.FSB_INT_DEL_CAP;
      const before = [r.read32(CONF(0)) & only, r.read32(CONF(0) + 4)];
      r.write32(CONF(0), only);
      r.write32(CONF(0) + 4, 0xffff_ffff);
      expect.equal('after ones', `${r.read32(CONF(0)) & only} ${r.read32(CONF(0) + 4)}`, before.join(' '));
      r.write32(CONF(0), 0);
      r.write32(CONF(0) + 4, 0);
      expect.equal('after zeros', `${r.read32(CONF(0)) & only} ${r.read32(CONF(0) + 4)}`, before.join(' '));
    },
  },
  {
    name: 'Timer N Configuration: bits 0, 7 and 31:16 are reserved',
    run: (t, expect) => {
      const r = registersOf(t);
      r.write32(CONF(0), 0xffff_0081);
      expect.equal('CONF', r.read32(CONF(0)) & 0xffff_0081, 0);
      r.write32(CONF(0), 0);
    },
  },
  {
    name: 'Timer N Configuration: VAL_SET_CNF clears automatically with the write of the comparator',
    run: (t, expect) => {
      const r = registersOf(t);
      r.write32(CONF(0), PERIODIC | SET | NARROW);
      r.write32(COMPARATOR(0), 0x1000);
      expect.equal('CONF', r.read32(CONF(0)) & (SET | PERIODIC), PERIODIC);
    },
  },
  {
    name: 'Timer N Configuration: 32MODE_CNF 1, a 64-bit timer compares 32 bits',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      t.watch(line, 'edge');
      r.writeHalves(HPET.MAIN_CNT, 0x5_0000_0000n);
      r.write32(CONF(0), EDGE | NARROW | route(line));
      expect.equal('32MODE_CNF', (r.read32(CONF(0)) & NARROW) !== 0, true);
      const due = r.ticks(MILLISECOND);
      r.write32(COMPARATOR(0), Number(due));
      const start = r.run();
      r.wait(2n * MILLISECOND);
      r.halt();
      expectBeats(t, expect, r, line, start, [due]);
    },
  },
  {
    name: 'Timer N Configuration: 32MODE_CNF 0, a 64-bit timer compares 64 bits',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      t.watch(line, 'edge');
      r.write32(CONF(0), EDGE | route(line));
      const due = r.ticks(MILLISECOND);
      r.writeHalves(HPET.MAIN_CNT, 0x5_0000_0000n);
      r.writeHalves(COMPARATOR(0), 0x6_0000_0000n + due);
      r.run();
      r.wait(2n * MILLISECOND);
      r.halt();
      expect.equal('low halves are equal', beats(t, line).length, 0);
      r.writeHalves(HPET.MAIN_CNT, 0x6_0000_0000n);
      const start = r.run();
      r.wait(2n * MILLISECOND);
      r.halt();
      expectBeats(t, expect, r, line, start, [due]);
    },
  },
  {
    name: 'Timer N Configuration: INT_ROUTE_CNF reads back a route that INT_ROUTE_CAP has, and each of them delivers',
    run: (t, expect) => {
      const r = registersOf(t);
      const routes = r.read32(CONF(0) + 4);
      const due = r.ticks(MILLISECOND / 10n);
      for (let input = 16; input < 32; input++) {
        if (((routes >>> input) & 1) === 0) continue;
        t.watch(input, 'edge');
        r.write32(CONF(0), EDGE | NARROW | route(input));
        expect.equal(`route ${input}`, getField(r.read32(CONF(0)), TN_CONF.INT_ROUTE_CNF), input);
        r.write32(COMPARATOR(0), Number(due));
        r.writeHalves(HPET.MAIN_CNT, 0n);
        const start = r.run();
        r.wait(MILLISECOND / 5n);
        r.halt();
        expectBeats(t, expect, r, input, start, [due]);
      }
    },
  },
  {
    name: 'Timer N Configuration: INT_ROUTE_CNF, a value that is not supported does not read back',
    qemuDiffers:
      '"If the value is not supported by this particular timer, then the value read back will not match what is written": in QEMU it does',
    run: (t, expect) => {
      const r = registersOf(t);
      const routes = r.read32(CONF(0) + 4);
      let lacks = 31;
      while (((routes >>> lacks) & 1) !== 0) lacks--;
      r.write32(CONF(0), route(lacks));
      expect.equal('read back', getField(r.read32(CONF(0)), TN_CONF.INT_ROUTE_CNF) === lacks, false);
      r.write32(CONF(0), 0);
    },
  },
  {
    name: 'Timer N Configuration: FSB_EN_CNF can be set only where FSB_INT_DEL_CAP is 1',
    qemuDiffers:
      '"If the Tn_FSB_INT_DEL_CAP bit is set for this timer, then the software can set the Tn_FSB_EN_CNF bit": in QEMU it sticks without',
    run: (t, expect) => {
      const r = registersOf(t);
      const has = (r.read32(CONF(0)) & TN_CONF.FSB_INT_DEL_CAP) !== 0;
      r.write32(CONF(0), TN_CONF.FSB_EN_CNF);
      expect.equal('FSB_EN_CNF', (r.read32(CONF(0)) & TN_CONF.FSB_EN_CNF) !== 0, has);
      r.write32(CONF(0), 0);
    },
  },
  {
    name: 'Timer N Configuration: a route that is changed while the timer runs holds for the next match',
    run: (t, expect) => {
      const r = registersOf(t);
      const [first, second] = [r.input(0), r.input(0, 1)];
      const period = r.ticks(MILLISECOND);
      t.watch(first, 'edge');
      t.watch(second, 'edge');
      setPeriodic(r, 0, EDGE | route(first), period);
      const { least, most } = r.run();
      r.wait(2n * MILLISECOND + MILLISECOND / 2n);
      r.write32(CONF(0), EDGE | PERIODIC | NARROW | route(second));
      r.wait(2n * MILLISECOND);
      r.halt();
      const all = t.takeInterrupts();
      const on = (line: number) => all.filter((one) => one.line === line);
      expect.within(
        'last on the first',
        on(first).at(-1)!.at,
        least + r.nanos(2n * period) - t.slack,
        most + r.nanos(2n * period) + t.slack + 1000n,
      );
      expect.within(
        'first on the second',
        on(second)[0]!.at,
        least + r.nanos(3n * period) - t.slack,
        most + r.nanos(3n * period) + t.slack,
      );
    },
  },
  {
    name: 'Timer N Configuration: level becomes edge while the timer runs, and its level is taken away',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      setPeriodic(r, 0, LEVEL | route(line), r.ticks(MILLISECOND));
      r.run();
      r.wait(MILLISECOND + MILLISECOND / 2n);
      r.write32(CONF(0), EDGE | PERIODIC | NARROW | route(line));
      r.write32(HPET.GINTR_STA, 1);
      t.watch(line, 'edge');
      t.takeInterrupts();
      r.wait(2n * MILLISECOND);
      r.halt();
      expect.equal('edges', beats(t, line).length, 2);
    },
  },
];

const comparator: readonly ConformanceCase[] = [
  {
    name: 'Timer N Comparator Register: the default is all ones',
    notOn: { qemu: 'firmware has run before', guest: 'cases before this have written it' },
    run: (t, expect) => {
      const read = (offset: number) => t.read(HPET_BASE + offset, 8);
      for (const timer of [0, 1, 2]) expect.equal(`timer ${timer}`, read(COMPARATOR(timer)), ALL);
      expect.equal('GEN_CONF', read(HPET.GEN_CONF), 0n);
      expect.equal('MAIN_CNT', read(HPET.MAIN_CNT), 0n);
      expect.equal('GINTR_STA', read(HPET.GINTR_STA), 0n);
      expect.equal('CONF', Number(read(CONF(0)) & LOW) & ~(TN_CONF.PER_INT_CAP | TN_CONF.SIZE_CAP | TN_CONF.FSB_INT_DEL_CAP), 0);
    },
  },
  {
    name: 'Timer N Comparator Register: reads return what was written, by halves in either order',
    run: (t, expect) => {
      const r = registersOf(t);
      r.write32(COMPARATOR(0), 0x1111_2222);
      r.write32(COMPARATOR(0) + 4, 0x3333_4444);
      expect.equal('low first', r.read64(COMPARATOR(0)), 0x3333_4444_1111_2222n);
      r.write32(COMPARATOR(0) + 4, 0x5555_6666);
      r.write32(COMPARATOR(0), 0x7777_8888);
      expect.equal('high first', r.read64(COMPARATOR(0)), 0x5555_6666_7777_8888n);
      expect.equal('low half', r.read32(COMPARATOR(0)), 0x7777_8888);
      expect.equal('high half', r.read32(COMPARATOR(0) + 4), 0x5555_6666);
    },
  },
  {
    name: 'Timer N Comparator Register: one write of 64 bits sets it whole',
    run: (t, expect) => {
      const r = registersOf(t);
      r.write64(COMPARATOR(1), 0x0fed_cba9_8765_4321n);
      expect.equal('comparator', r.read64(COMPARATOR(1)), 0x0fed_cba9_8765_4321n);
    },
  },
  {
    name: 'Timer N Comparator Register: timers have each their own',
    run: (t, expect) => {
      const r = registersOf(t);
      const count = Math.min(r.timers, 24);
      for (let timer = 0; timer < count; timer++) r.write32(COMPARATOR(timer), 0x100 + timer);
      for (let timer = 0; timer < count; timer++) expect.equal(`timer ${timer}`, r.read32(COMPARATOR(timer)), 0x100 + timer);
    },
  },
  {
    name: 'Non-periodic Mode: it interrupts when the counter equals the comparator, once, and the comparator does not change',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      t.watch(line, 'edge');
      const due = r.ticks(2n * MILLISECOND);
      r.write32(CONF(0), EDGE | NARROW | route(line));
      r.write32(COMPARATOR(0), Number(due));
      const start = r.run();
      r.wait(10n * MILLISECOND);
      r.halt();
      expectBeats(t, expect, r, line, start, [due]);
      expect.equal('comparator', BigInt(r.read32(COMPARATOR(0))), due);
    },
  },
  {
    name: 'Non-periodic Mode: a comparator of 64 bits beyond the low half',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(1);
      t.watch(line, 'edge');
      const due = r.ticks(2n * MILLISECOND);
      r.writeHalves(HPET.MAIN_CNT, 0xffff_ffffn - due / 2n);
      r.write32(CONF(1), EDGE | route(line));
      r.writeHalves(COMPARATOR(1), 0xffff_ffffn - due / 2n + due);
      const start = r.run();
      r.wait(3n * MILLISECOND);
      r.halt();
      expectBeats(t, expect, r, line, start, [due]);
    },
  },
  {
    name: 'Non-periodic Mode: a comparator that is written while the counter runs',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      t.watch(line, 'edge');
      r.write32(CONF(0), EDGE | NARROW | route(line));
      const start = r.run();
      r.wait(MILLISECOND);
      const due = r.ticks(4n * MILLISECOND);
      r.write32(COMPARATOR(0), Number(r.ticks(3n * MILLISECOND)));
      r.write32(COMPARATOR(0), Number(due));
      r.wait(5n * MILLISECOND);
      r.halt();
      expectBeats(t, expect, r, line, start, [due]);
    },
  },
  {
    name: 'Non-periodic Mode: a comparator that has passed does not match before the counter has wrapped',
    qemuDiffers: QEMU_EQUALITY,
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      t.watch(line, 'edge');
      r.write32(CONF(0), EDGE | NARROW | route(line));
      r.run();
      r.wait(2n * MILLISECOND);
      r.write32(COMPARATOR(0), Number(r.ticks(MILLISECOND)));
      r.wait(2n * MILLISECOND);
      r.halt();
      expect.equal('interrupts', beats(t, line).length, 0);
    },
  },
  {
    name: 'Non-periodic Mode: a comparator beyond the wrap of 32 bits matches after it',
    qemuDiffers: '"When the main counter equals the value last written": QEMU interrupts at the wrap as well',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      t.watch(line, 'edge');
      const due = r.ticks(2n * MILLISECOND);
      r.writeHalves(HPET.MAIN_CNT, 0x1_0000_0000n - due / 2n);
      r.write32(CONF(0), EDGE | NARROW | route(line));
      r.write32(COMPARATOR(0), Number(due - due / 2n));
      const start = r.run();
      r.wait(4n * MILLISECOND);
      r.halt();
      expectBeats(t, expect, r, line, start, [due]);
    },
  },
  {
    name: 'Non-periodic Mode: in 32-bit mode there is another interrupt when the main counter has wrapped around',
    qemuDiffers: '"another interrupt when the main counter wraps": QEMU does not arm the timer for it after a match',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      t.watch(line, 'edge');
      const due = r.ticks(MILLISECOND);
      r.write32(CONF(0), EDGE | NARROW | route(line));
      r.write32(COMPARATOR(0), Number(due));
      const start = r.run();
      r.wait(r.nanos(2n ** 32n) + 2n * MILLISECOND);
      r.halt();
      expectBeats(t, expect, r, line, start, [due, due + 2n ** 32n]);
    },
  },
  {
    name: 'Non-periodic Mode: timers with equal comparators interrupt each, in the same tick',
    run: (t, expect) => {
      const r = registersOf(t);
      const due = r.ticks(MILLISECOND);
      const lines = [0, 1, 2].map((timer) => r.input(timer, timer));
      lines.forEach((line, timer) => {
        t.watch(line, 'edge');
        r.write32(CONF(timer), EDGE | NARROW | route(line));
        r.write32(COMPARATOR(timer), Number(due));
      });
      const start = r.run();
      r.wait(2n * MILLISECOND);
      r.halt();
      const all = t.takeInterrupts();
      for (const line of lines) expectBeats({ ...t, takeInterrupts: () => all }, expect, r, line, start, [due]);
    },
  },
  {
    name: 'Periodic Mode: after a match the comparator is increased by the value last written',
    run: (t, expect) => {
      const r = registersOf(t);
      const period = r.ticks(MILLISECOND);
      setPeriodic(r, 0, EDGE | route(r.input(0)), period);
      r.run();
      for (let turn = 1n; turn <= 3n; turn++) {
        t.waitUntil(instant(t.now() + (turn === 1n ? MILLISECOND / 2n : MILLISECOND)));
        expect.equal(`before match ${turn}`, BigInt(r.read32(COMPARATOR(0))), turn * period);
      }
      r.halt();
    },
  },
  {
    name: 'Periodic Mode: one write under VAL_SET_CNF sets the first match and the period',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      const period = r.ticks(MILLISECOND);
      t.watch(line, 'edge');
      setPeriodic(r, 0, EDGE | route(line), period);
      const start = r.run();
      r.wait(4n * MILLISECOND + MILLISECOND / 2n);
      r.halt();
      expectBeats(t, expect, r, line, start, [period, 2n * period, 3n * period, 4n * period]);
    },
  },
  {
    name: 'Periodic Mode: a second write, without VAL_SET_CNF, sets the period alone',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      const [first, period] = [r.ticks(3n * MILLISECOND), r.ticks(MILLISECOND)];
      t.watch(line, 'edge');
      setPeriodic(r, 0, EDGE | route(line), first);
      r.write32(COMPARATOR(0), Number(period));
      expect.equal('comparator', BigInt(r.read32(COMPARATOR(0))), first);
      const start = r.run();
      r.wait(5n * MILLISECOND + MILLISECOND / 2n);
      r.halt();
      expectBeats(t, expect, r, line, start, [first, first + period, first + 2n * period]);
    },
  },
  {
    name: 'Periodic Mode: a period that is changed while the timer runs is added at the next match',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      const period = r.ticks(MILLISECOND);
      t.watch(line, 'edge');
      setPeriodic(r, 0, EDGE | route(line), period);
      const start = r.run();
      r.wait(2n * MILLISECOND + MILLISECOND / 2n);
      r.write32(COMPARATOR(0), Number(2n * period));
      r.wait(5n * MILLISECOND);
      r.halt();
      expectBeats(t, expect, r, line, start, [period, 2n * period, 3n * period, 5n * period, 7n * period]);
    },
  },
  {
    name: 'Periodic Mode: the comparator wraps around through 0 (FFFF0000h and 20000h give 00010000h)',
    run: (t, expect) => {
      const r = registersOf(t);
      r.writeHalves(HPET.MAIN_CNT, 0xffff_0000n - r.ticks(MILLISECOND));
      r.write32(CONF(0), EDGE | PERIODIC | SET | NARROW | route(r.input(0)));
      r.write32(COMPARATOR(0), 0xffff_0000);
      r.write32(COMPARATOR(0), 0x20000);
      r.run();
      r.wait(MILLISECOND + 10_000n);
      r.halt();
      expect.equal('comparator', r.read32(COMPARATOR(0)), 0x0001_0000);
    },
  },
  {
    name: 'Periodic Mode: a match after the wrap',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      const period = r.ticks(MILLISECOND);
      t.watch(line, 'edge');
      r.writeHalves(HPET.MAIN_CNT, 0x1_0000_0000n - period / 2n);
      r.write32(CONF(0), EDGE | PERIODIC | SET | NARROW | route(line));
      r.write32(COMPARATOR(0), Number(0x1_0000_0000n - period / 4n));
      r.write32(COMPARATOR(0), Number(period));
      const start = r.run();
      r.wait(2n * MILLISECOND);
      r.halt();
      const first = period / 2n - period / 4n;
      expectBeats(t, expect, r, line, start, [first, first + period]);
    },
  },
  {
    name: 'Periodic Mode: 64 bits, by one write of 64 bits under VAL_SET_CNF',
    qemuDiffers:
      '"the software is then allowed to directly set a periodic timer\'s accumulator": QEMU makes two writes of one of 64 bits, and VAL_SET_CNF is gone at the second',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      const period = r.ticks(MILLISECOND);
      t.watch(line, 'edge');
      r.write32(CONF(0), EDGE | PERIODIC | SET | route(line));
      r.write64(COMPARATOR(0), period);
      const start = r.run();
      r.wait(2n * MILLISECOND + MILLISECOND / 2n);
      r.halt();
      expectBeats(t, expect, r, line, start, [period, 2n * period]);
    },
  },
  ...(['low', 'high'] as const).map((first): ConformanceCase => ({
    name: `Timer N Comparator Register: "will always work regardless of the environment", 64 bits by halves, each under VAL_SET_CNF, ${first} half first`,
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      const period = r.ticks(MILLISECOND);
      t.watch(line, 'edge');
      for (const half of first === 'low' ? [0, 4] : [4, 0]) {
        r.write32(CONF(0), EDGE | PERIODIC | SET | route(line));
        r.write32(COMPARATOR(0) + half, half === 0 ? Number(period) : 0);
      }
      const start = r.run();
      r.wait(3n * MILLISECOND + MILLISECOND / 2n);
      r.halt();
      expectBeats(t, expect, r, line, start, [period, 2n * period, 3n * period]);
    },
  })),
  {
    name: 'Periodic Mode: a comparator of 64 bits beyond the low half',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      const period = r.ticks(MILLISECOND);
      const from = 0x1_0000_0000n - period / 2n;
      t.watch(line, 'edge');
      r.writeHalves(HPET.MAIN_CNT, from);
      for (const half of [4, 0]) {
        r.write32(CONF(0), EDGE | PERIODIC | SET | route(line));
        r.write32(COMPARATOR(0) + half, Number(BigInt.asUintN(32, (from + period) >> BigInt(8 * half))));
      }
      r.write32(COMPARATOR(0) + 4, 0);
      r.write32(COMPARATOR(0), Number(period));
      const start = r.run();
      r.wait(2n * MILLISECOND + MILLISECOND / 2n);
      r.halt();
      expectBeats(t, expect, r, line, start, [period, 2n * period]);
      expect.equal('comparator', r.read64(COMPARATOR(0)), from + 3n * period);
    },
  },
  {
    name: 'Periodic Mode: the counter is reset, and the comparator set anew by VAL_SET_CNF',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      const period = r.ticks(MILLISECOND);
      t.watch(line, 'edge');
      setPeriodic(r, 0, EDGE | route(line), period);
      r.run();
      r.wait(2n * MILLISECOND + MILLISECOND / 2n);
      r.halt();
      t.takeInterrupts();
      r.writeHalves(HPET.MAIN_CNT, 0n);
      setPeriodic(r, 0, EDGE | route(line), 2n * period);
      const start = r.run();
      r.wait(5n * MILLISECOND);
      r.halt();
      expectBeats(t, expect, r, line, start, [2n * period, 4n * period]);
    },
  },
  {
    name: 'Periodic Mode: halted in the middle of a period, the rest of it is left',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      const period = r.ticks(2n * MILLISECOND);
      t.watch(line, 'edge');
      setPeriodic(r, 0, EDGE | route(line), period);
      r.run();
      r.wait(3n * MILLISECOND);
      r.halt();
      t.takeInterrupts();
      expect.equal('comparator', BigInt(r.read32(COMPARATOR(0))), 2n * period);
      const left = 2n * period - r.count();
      r.wait(5n * MILLISECOND);
      const start = r.run();
      r.wait(2n * MILLISECOND);
      r.halt();
      expectBeats(t, expect, r, line, start, [left]);
    },
  },
  {
    name: 'Periodic Mode: timers run beside each other, each at its own rate',
    run: (t, expect) => {
      const r = registersOf(t);
      const rates = [r.ticks(MILLISECOND), r.ticks((3n * MILLISECOND) / 2n)];
      const lines = rates.map((_, timer) => r.input(timer, timer));
      rates.forEach((rate, timer) => {
        t.watch(lines[timer]!, 'edge');
        setPeriodic(r, timer, EDGE | route(lines[timer]!), rate);
      });
      const start = r.run();
      r.wait(4n * MILLISECOND + MILLISECOND / 4n);
      r.halt();
      const all = t.takeInterrupts();
      rates.forEach((rate, timer) => {
        const own = { ...t, takeInterrupts: () => all };
        const counts = timer === 0 ? [rate, 2n * rate, 3n * rate, 4n * rate] : [rate, 2n * rate];
        expectBeats(own, expect, r, lines[timer]!, start, counts);
      });
    },
  },
  {
    name: 'Periodic Mode: becomes non-periodic, and there is one more match',
    run: (t, expect) => {
      const r = registersOf(t);
      const line = r.input(0);
      const period = r.ticks(MILLISECOND);
      t.watch(line, 'edge');
      setPeriodic(r, 0, EDGE | route(line), period);
      const start = r.run();
      r.wait(MILLISECOND + MILLISECOND / 2n);
      r.write32(CONF(0), EDGE | NARROW | route(line));
      r.wait(4n * MILLISECOND);
      r.halt();
      expectBeats(t, expect, r, line, start, [period, 2n * period]);
    },
  },
];

export const HPET_CASES: readonly ConformanceCase[] = [
  ...capabilities,
  ...configuration,
  ...statusCases,
  ...counter,
  ...timerConfiguration,
  ...comparator,
];
