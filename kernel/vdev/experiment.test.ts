/**
 * The experiment on the patch of 2007, predicted: a tick of 10 ms from HPET timer 0 by the legacy route, a vCPU that has 200 ms of every 400, ten
 * times. What the rules say follows here exactly; a guest on the platform has to show the same.
 */
import { describe, expect, it } from 'vitest';
import { GEN_CONF, HPET, TIMER, TN_CONF } from '../regs/ia-pc-hpet.ts';
import { createRandom } from '../testing/random.ts';
import { createSimulatedGuest, type SimulatedGuestOptions } from '../testing/simulated-guest.ts';

const MS = 1_000_000n;
const PERIOD = 10n * MS;
const RUN = 200n * MS;
const CYCLE = 400n * MS;
const CYCLES = 10;
/** Ticks come at 3, 13, ... ms, away from the slots' ends. */
const FIRST = 3n * MS;

function start(options: SimulatedGuestOptions) {
  const guest = createSimulatedGuest(options);
  const write = (offset: number, value: bigint): void => guest.vhpet.write(offset, 4, value);
  const ticks = (nanos: bigint): bigint => (nanos * 1_000_000n) / BigInt(options.periodFs ?? 10_000_000);
  write(HPET.TIMER_0 + TIMER.CONF, BigInt(TN_CONF.INT_ENB_CNF | TN_CONF.TYPE_CNF | TN_CONF.VAL_SET_CNF | TN_CONF.B32MODE_CNF));
  write(HPET.TIMER_0 + TIMER.COMPARATOR, ticks(FIRST));
  write(HPET.TIMER_0 + TIMER.COMPARATOR, ticks(PERIOD));
  write(HPET.GEN_CONF, BigInt(GEN_CONF.ENABLE_CNF | GEN_CONF.LEG_RT_CNF));
  return guest;
}

function experiment(options: SimulatedGuestOptions) {
  const guest = start(options);
  for (let cycle = 0n; cycle < CYCLES; cycle++) {
    guest.runUntil(cycle * CYCLE + RUN);
    guest.absentUntil((cycle + 1n) * CYCLE);
  }
  // Until what was missed last has been caught up.
  const end = BigInt(CYCLES) * CYCLE + FIRST + 1000n;
  guest.goOnUntil(end);
  const seen = guest.take().map((tick) => tick.guest);
  const gaps = seen.slice(1).map((at, place) => Number(at - seen[place]!));
  return {
    hpet: guest.vhpet.read(HPET.MAIN_CNT, 8) * (BigInt(options.periodFs ?? 10_000_000) / 1_000_000n),
    wall: end,
    ticks: seen.length,
    least: Math.min(...gaps),
    most: Math.max(...gaps),
    early: gaps.filter((gap) => gap < Number(PERIOD) / 2).length,
    late: gaps.filter((gap) => gap > (Number(PERIOD) * 3) / 2).length,
  };
}

/** What guest time is if it stands still while the guest is absent, and what the wall says. */
const RUNS = BigInt(CYCLES) * RUN + FIRST + 1000n;
const WALL = BigInt(CYCLES) * CYCLE + FIRST + 1000n;
const ALL_TICKS = 401;
const BURST = { hpet: WALL, ticks: ALL_TICKS, least: 100, most: 207_000_000, early: 200, late: 10 };

const rows: readonly (readonly [string, SimulatedGuestOptions, Partial<ReturnType<typeof experiment>>])[] = [
  [
    'delay_for_missed_ticks, as is: time catches up, and each gap is a period',
    { mode: 'delay_for_missed_ticks' },
    { hpet: WALL, ticks: ALL_TICKS, least: 10_000_000, most: 10_000_000, early: 0, late: 0 },
  ],
  [
    'delay_for_missed_ticks, thaw sets nothing: no tick is lost, intervals differ',
    { mode: 'delay_for_missed_ticks', setsOnThaw: false },
    BURST,
  ],
  [
    'delay_for_missed_ticks, a tick sets nothing: the absences are lost for ever, and ticks come twice as often as they should',
    { mode: 'delay_for_missed_ticks', setsOnPost: false },
    { hpet: RUNS, ticks: ALL_TICKS, least: 100, most: 10_000_000, early: 200, late: 0 },
  ],
  [
    'delay_for_missed_ticks, the patch: as if time had never been frozen',
    { mode: 'delay_for_missed_ticks', setsOnThaw: false, setsOnPost: false },
    BURST,
  ],
  ['no_delay_for_missed_ticks: a burst', { mode: 'no_delay_for_missed_ticks' }, BURST],
  [
    'no_missed_ticks_pending: half of the ticks, on the beat',
    { mode: 'no_missed_ticks_pending' },
    { hpet: WALL, ticks: 201, least: 10_000_000, most: 210_000_000, early: 0, late: 10 },
  ],
  [
    'one_missed_tick_pending: one more each time, off the beat',
    { mode: 'one_missed_tick_pending' },
    { hpet: WALL, ticks: 211, least: 3_000_000, most: 207_000_000, early: 10, late: 10 },
  ],
  [
    '2007, as is: the counter is slow by the run fraction, one tick survives an absence',
    { mode: 'delay_for_missed_ticks', rules2007: true, periodFs: 32_000_000 },
    { hpet: RUNS, ticks: 211, least: 3_000_000, most: 10_000_000, early: 10, late: 0 },
  ],
  [
    '2007, a tick sets nothing: the same, because an HPET tick never did',
    { mode: 'delay_for_missed_ticks', rules2007: true, periodFs: 32_000_000, setsOnPost: false },
    { hpet: RUNS, ticks: 211, least: 3_000_000, most: 10_000_000, early: 10, late: 0 },
  ],
  [
    '2007, the patch: the counter is right, who counts ticks is slow by nearly the run fraction',
    { mode: 'delay_for_missed_ticks', rules2007: true, periodFs: 32_000_000, setsOnThaw: false, setsOnPost: false },
    { hpet: WALL, ticks: 211, least: 3_000_000, most: 207_000_000, early: 10, late: 10 },
  ],
];

describe('the experiment', () => {
  it.each(rows)('%s', (_name, options, predicted) => {
    const seen = experiment(options);
    // Whole ticks of the counter.
    const { hpet, ...others } = predicted;
    const tick = BigInt(options.periodFs ?? 10_000_000) / 1_000_000n;
    expect(seen).toMatchObject(others);
    expect(seen.hpet).toBe((hpet! / tick) * tick);
  });

  it.each([1, 2, 3, 4])('irregular slices (seed %d), in mode 0 as is: every gap on the guest is a period, and none is lost', (seed) => {
    const random = createRandom(seed);
    const guest = start({ mode: 'delay_for_missed_ticks' });
    let at = 0n;
    for (let slice = 0; slice < 300; slice++) {
      at += BigInt(random.integer(30_000_000));
      guest.runUntil(at);
      at += BigInt(random.integer(30_000_000));
      guest.absentUntil(at);
    }
    guest.goOnUntil(at + 20n * MS);
    const seen = guest.take();
    seen.forEach((tick, index) => {
      const lateness = tick.guest - FIRST - BigInt(index) * PERIOD;
      // Taken 100 ns after it was raised; a slice may end in between, but guest time does not go on then.
      expect(lateness >= 0n && lateness <= 200n, `tick ${index} is ${lateness} ns late`).toBe(true);
    });
    const wall = guest.host();
    expect(seen.length).toBe(Number((wall - FIRST) / PERIOD) + 1);
    expect(guest.guestTime.owed(wall) < PERIOD).toBe(true);
  });
});
