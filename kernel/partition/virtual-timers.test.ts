import { describe, expect, it } from 'vitest';
import { createRandom } from '../testing/random.ts';
import { instant } from '../time/units.ts';
import { CLOCK, LINE, TIMERS_MAX } from './abi.ts';
import { BEFORE_ALL, createVirtualTimers, EXPIRIES_MAX, NEVER_DUE } from './virtual-timers.ts';

function create() {
  const counts = new Int32Array(TIMERS_MAX);
  const timers = createVirtualTimers(counts);
  return {
    counts,
    timers,
    arm: (timer: number, deadline: bigint, period = 0n, clock: typeof CLOCK.HW | typeof CLOCK.EXEC = CLOCK.HW) =>
      timers.arm(timer, clock, instant(deadline), period),
    /** On one clock, the other one stands. */
    expire: (now: bigint, clock: typeof CLOCK.HW | typeof CLOCK.EXEC = CLOCK.HW): boolean => {
      const raised = clock === CLOCK.HW ? timers.expire(instant(now), BEFORE_ALL) : timers.expire(BEFORE_ALL, instant(now));
      if (raised !== 0 && raised !== 1 << (clock === CLOCK.HW ? LINE.HW_TIMER : LINE.EXEC_TIMER)) expect.fail(`lines ${raised}`);
      return raised !== 0;
    },
  };
}

describe('a virtual timer', () => {
  it('expires once, at its deadline and not a nanosecond before', () => {
    const { arm, expire, counts, timers } = create();
    arm(7, 1000n);
    expect(timers.nextHw).toBe(1000n);
    expect([expire(999n), counts[7]]).toEqual([false, 0]);
    expect([expire(1000n), counts[7]]).toEqual([true, 1]);
    expect([expire(5000n), counts[7], timers.nextHw, timers.armed()]).toEqual([false, 1, NEVER_DUE, 0]);
  });

  it('expires by a deadline that has passed', () => {
    const { arm, expire, counts } = create();
    arm(0, 0n);
    expect([expire(123n), counts[0]]).toEqual([true, 1]);
  });

  it('with a period counts what was missed, and keeps its beat', () => {
    const { arm, expire, counts, timers } = create();
    arm(1, 1000n, 100n);
    for (const [now, count, next] of [
      [1000n, 1, 1100n],
      [1099n, 1, 1100n],
      [1100n, 2, 1200n],
      [1555n, 6, 1600n],
      [1600n, 7, 1700n],
      [1_000_000_050n, 9_999_991, 1_000_000_100n],
    ] as const) {
      expire(now);
      expect([counts[1], timers.nextHw]).toEqual([count, next]);
    }
  });

  it('has no drift after a million periods that were each looked at late', () => {
    const { arm, expire, counts, timers } = create();
    const random = createRandom(5);
    arm(0, 333n, 333n);
    for (let turn = 1n; turn <= 1_000_000n; turn++) if (!expire(turn * 333n + BigInt(random.integer(333)))) expect.fail(`turn ${turn}`);
    expect([counts[0], timers.nextHw]).toEqual([1_000_000, 1_000_001n * 333n]);
  });

  it('counts modulo 2^32', () => {
    const { arm, expire, counts } = create();
    arm(0, 0n, 1n);
    expire((1n << 40n) + 4n);
    expect(counts[0]).toBe(5);
  });

  it('armed anew has one deadline, also on the other clock', () => {
    const { arm, expire, counts, timers } = create();
    arm(3, 100n, 10n);
    arm(3, 500n);
    expect([expire(499n), timers.armed(), timers.nextHw]).toEqual([false, 1, 500n]);
    arm(3, 200n, 0n, CLOCK.EXEC);
    expect([timers.nextHw, timers.nextExec, timers.armed()]).toEqual([NEVER_DUE, 200n, 1]);
    expect([expire(10_000n), expire(200n, CLOCK.EXEC), counts[3]]).toEqual([false, true, 1]);
  });

  it('disarmed does not expire; disarming one that is not armed does nothing', () => {
    const { arm, expire, counts, timers } = create();
    timers.disarm(4);
    arm(4, 100n);
    arm(5, 300n);
    timers.disarm(4);
    timers.disarm(4);
    expect([timers.nextHw, expire(200n), counts[4], timers.armed()]).toEqual([300n, false, 0, 1]);
  });

  it('of the clocks looks at its own only', () => {
    const { arm, expire, counts } = create();
    arm(0, 100n);
    arm(1, 100n, 0n, CLOCK.EXEC);
    expect([expire(100n, CLOCK.EXEC), counts[0], counts[1]]).toEqual([true, 0, 1]);
    expect([expire(100n), counts[0], counts[1]]).toEqual([true, 1, 1]);
  });

  it('at the far end of time is never due', () => {
    const { arm, expire, timers } = create();
    const last = (1n << 62n) - 1n;
    arm(0, last, last);
    expire(last);
    expect(timers.nextHw >= NEVER_DUE).toBe(true);
  });
});

it('one call handles no more than EXPIRIES_MAX, the earliest first; the rest comes with the next calls', () => {
  const { arm, expire, counts, timers } = create();
  for (let timer = 0; timer < TIMERS_MAX; timer++) arm(timer, BigInt(TIMERS_MAX - timer));
  let calls = 0;
  for (; expire(10_000n); calls++) {
    const done = Math.min((calls + 1) * EXPIRIES_MAX, TIMERS_MAX);
    expect(TIMERS_MAX - timers.armed()).toBe(done);
    expect(counts[TIMERS_MAX - done]).toBe(1);
    if (done < TIMERS_MAX) expect([counts[TIMERS_MAX - done - 1], timers.nextHw]).toEqual([0, BigInt(done + 1)]);
  }
  expect(calls).toBe(TIMERS_MAX / EXPIRIES_MAX);
});

it('one call handles no more than EXPIRIES_MAX of both clocks together, which take turns from call to call', () => {
  const { arm, counts, timers } = create();
  for (let timer = 0; timer < 8; timer++) arm(timer, 100n + BigInt(timer), 0n, timer < 4 ? CLOCK.HW : CLOCK.EXEC);
  const bits = (1 << LINE.HW_TIMER) | (1 << LINE.EXEC_TIMER);
  const now = instant(200n);
  expect([timers.expire(now, now), timers.armed()]).toEqual([bits, 8 - EXPIRIES_MAX]);
  expect([timers.expire(now, now), timers.armed()]).toEqual([bits, 8 - 2 * EXPIRIES_MAX]);
  expect([...counts.subarray(0, 8)]).toEqual([1, 1, 0, 0, 1, 1, 0, 0]);
});

it('a timer on one clock is not kept waiting by a flood on the other one', () => {
  const { arm, counts, timers } = create();
  for (let timer = 0; timer < 100; timer++) arm(timer, 100n, 1n);
  arm(100, 100n, 0n, CLOCK.EXEC);
  for (let now = 100n; counts[100] === 0 && now < 110n; now++) timers.expire(instant(now), instant(now));
  expect(counts[100]).toBe(1);
});

it('a reset disarms all, puts the counts to 0, and all can be armed again', () => {
  const { arm, expire, counts, timers } = create();
  for (let timer = 0; timer < TIMERS_MAX; timer++) arm(timer, 100n, 10n, timer % 2 === 0 ? CLOCK.HW : CLOCK.EXEC);
  expire(5000n);
  timers.reset();
  expect([timers.nextHw, timers.nextExec, timers.armed(), expire(10_000n), expire(10_000n, CLOCK.EXEC)]).toEqual([
    NEVER_DUE,
    NEVER_DUE,
    0,
    false,
    false,
  ]);
  expect(counts.every((count) => count === 0)).toBe(true);
  arm(0, 20_000n);
  timers.disarm(1);
  expect([timers.armed(), timers.nextHw, expire(20_000n), counts[0]]).toEqual([1, 20_000n, true, 1]);
});

it.each([1, 2, 3, 4])('behaves as a list that is searched from end to end (seed %i)', (seed) => {
  const random = createRandom(seed);
  const { arm, expire, counts, timers } = create();
  interface Model {
    clock: number;
    due: bigint;
    period: bigint;
  }
  const armed = new Map<number, Model>();
  const expected = new Map<number, number>();
  const nows = [0n, 0n];
  const least = (clock: number): bigint => {
    let due: bigint = NEVER_DUE;
    for (const timer of armed.values()) if (timer.clock === clock && timer.due < due) due = timer.due;
    return due;
  };
  for (let step = 0; step < 5000; step++) {
    const id = random.integer(24);
    const clock = random.integer(2) === 0 ? CLOCK.HW : CLOCK.EXEC;
    const verb = random.integer(4);
    if (verb === 0) {
      const due = nows[clock]! + BigInt(random.integer(3000) - 300);
      const period = random.integer(2) === 0 ? 0n : BigInt(1 + random.integer(400));
      arm(id, due, period, clock);
      armed.set(id, { clock, due, period });
    } else if (verb === 1 && random.integer(2) === 0) {
      timers.disarm(id);
      armed.delete(id);
    } else {
      const now = (nows[clock]! += BigInt(random.integer(200)));
      // Until nothing is due: each call is bounded.
      while (expire(now, clock));
      for (const [each, timer] of armed) {
        if (timer.clock !== clock || timer.due > now) continue;
        let count = 0;
        if (timer.period === 0n) {
          count = 1;
          armed.delete(each);
        } else for (; timer.due <= now; timer.due += timer.period) count++;
        expected.set(each, (expected.get(each) ?? 0) + count);
      }
    }
    if (timers.nextHw !== least(CLOCK.HW) || timers.nextExec !== least(CLOCK.EXEC) || timers.armed() !== armed.size)
      expect([step, timers.nextHw, timers.nextExec, timers.armed()]).toEqual([step, least(CLOCK.HW), least(CLOCK.EXEC), armed.size]);
    for (let timer = 0; timer < 24; timer++)
      if (counts[timer] !== (expected.get(timer) ?? 0)) expect.fail(`step ${step}: timer ${timer} counts ${counts[timer]}`);
  }
});
