import { describe, expect, it } from 'vitest';
import { ONE_GIGAHERTZ } from '../testing/simulated-guest.ts';
import { instant } from '../time/units.ts';
import { NEVER_DUE, REQUEST, type Request } from './device.ts';
import { createGuestTime } from './guest-time.ts';
import { createHostTimers } from './rules-2007.ts';

function create(request: Request = REQUEST.ACCEPTED) {
  let host = 1000n;
  const guestTime = createGuestTime({ hostTsc: () => host, frequency: ONE_GIGAHERTZ, startTsc: 1000n, mode: 'delay_for_missed_ticks' });
  const timers = createHostTimers(guestTime);
  const deadlines: bigint[] = [];
  const timer = timers.create({
    name: 'hpet0',
    tick: (deadline) => {
      deadlines.push(deadline);
      return request;
    },
  });
  return {
    guestTime,
    timers,
    timer,
    deadlines,
    passUntil: (at: bigint) => {
      host = at;
      timers.deliver(host);
    },
  };
}

describe("a host timer of 2007's rules", () => {
  it('is set for the distance in host time, and expires while guest time stands still', () => {
    const { guestTime, timers, timer, deadlines, passUntil } = create();
    timer.start({ origin: instant(500n), numerator: 100n, denominator: 1n });
    expect(timers.dueTsc()).toBe(1500n);
    guestTime.freeze(1400n);
    passUntil(1499n);
    expect(deadlines).toEqual([]);
    passUntil(1500n);
    expect([deadlines, guestTime.now(), timers.dueTsc()]).toEqual([[500n], 400n, 1600n]);
  });

  it('expires at once if its comparator has passed, and once without a period', () => {
    const { timers, timer, deadlines, passUntil } = create();
    passUntil(5000n);
    timer.start({ origin: instant(100n), numerator: 0n, denominator: 1n });
    passUntil(5000n);
    expect([deadlines, timers.dueTsc()]).toEqual([[100n], NEVER_DUE]);
  });

  it('does not expire after it was stopped', () => {
    const { timer, deadlines, passUntil } = create();
    timer.start({ origin: instant(100n), numerator: 100n, denominator: 1n });
    passUntil(1100n);
    timer.stop();
    passUntil(9000n);
    expect(deadlines).toEqual([100n]);
  });

  it.each([REQUEST.MERGED, REQUEST.DROPPED])(
    'that nobody hears (%d) costs one expiry for a whole absence, and keeps its beat',
    (request) => {
      const { timers, timer, deadlines, passUntil } = create(request);
      timer.start({ origin: instant(7n), numerator: 10n, denominator: 3n });
      passUntil(1_000_001_000n);
      expect(deadlines).toEqual([7n]);
      // The first after 10^9 ns of guest time: 7 + ceil(n * 10 / 3).
      expect(timers.dueTsc()).toBe(1000n + 7n + (299_999_998n * 10n + 2n) / 3n);
    },
  );
});
