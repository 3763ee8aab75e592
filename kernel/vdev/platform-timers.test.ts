import { describe, expect, it } from 'vitest';
import { createRandom } from '../testing/random.ts';
import { createSimulatedGuest, type SimulatedGuestOptions } from '../testing/simulated-guest.ts';
import { frequency } from '../time/frequency.ts';
import { instant } from '../time/units.ts';
import { NEVER_DUE, REQUEST, type Beat, type Request, type TimerSource } from './device.ts';
import { createPlatformTimers, DELIVERIES_MAX, HOLD_MAX, type SourceOptions } from './platform-timers.ts';
import { TIMER_MODE_NAMES, TIMER_MODES } from './timer-modes.ts';

const MS = 1_000_000n;

/** A guest with timers of the test's own, one line each, beside the vHPET that stands still. */
function create(options: SimulatedGuestOptions) {
  const guest = createSimulatedGuest(options);
  const ticks: { readonly line: number; readonly deadline: bigint; readonly guest: bigint; readonly request: Request }[] = [];
  return {
    guest,
    ticks,
    timer: (line: number, sourceOptions: SourceOptions = {}) => {
      const wire = guest.line(line);
      const source: TimerSource = {
        name: `line${line}`,
        tick: (deadline, acknowledged) => {
          const request = wire.pulse(acknowledged);
          ticks.push({ line, deadline, guest: guest.guestTime.at(guest.host()), request });
          return request;
        },
        reclaim: (acknowledged) => wire.reclaim!(acknowledged),
      };
      return guest.timers.create(source, sourceOptions);
    },
    account: (line: number) => guest.timers.accounts().find(({ name }) => name === `line${line}`)!,
  };
}

const every = (period: bigint, first = period): Beat => ({ origin: instant(first), numerator: period, denominator: 1n });
const once = (at: bigint): Beat => ({ origin: instant(at), numerator: 0n, denominator: 1n });

describe.each(TIMER_MODE_NAMES)('a platform timer in mode %s', (mode) => {
  it('expires once where there is no period, at its deadline and not before', () => {
    const { guest, timer, ticks } = create({ mode });
    timer(1).start(once(5n * MS));
    guest.goOnUntil(5n * MS - 1n);
    expect(ticks).toEqual([]);
    guest.goOnUntil(50n * MS);
    expect(ticks.map(({ guest: at }) => at)).toEqual([5n * MS]);
    expect(guest.timers.dueTsc()).toBe(NEVER_DUE);
  });

  it('is due at once for a deadline that is past, and never when it is stopped', () => {
    const { guest, timer, ticks } = create({ mode });
    guest.goOnUntil(MS);
    const own = timer(1);
    own.start(once(0n));
    expect(guest.timers.dueTsc()).toBe(0n);
    guest.goOnUntil(MS + 1n);
    expect(ticks).toHaveLength(1);
    own.start(every(MS, 3n * MS));
    own.stop();
    guest.goOnUntil(10n * MS);
    expect(ticks).toHaveLength(1);
  });

  it('delivers nothing while the guest is absent', () => {
    const { guest, timer, ticks } = create({ mode });
    timer(1).start(every(MS));
    guest.runUntil(MS / 2n);
    guest.absentUntil(5n * MS);
    expect([guest.timers.dueTsc(), guest.timers.isAbsent()]).toEqual([NEVER_DUE, true]);
    guest.timers.deliver(5n * MS);
    expect(ticks).toEqual([]);
  });

  it('a one-shot that fell into an absence is not lost', () => {
    const { guest, timer } = create({ mode });
    timer(1).start(once(3n * MS));
    guest.runUntil(MS);
    guest.absentUntil(10n * MS);
    guest.goOnUntil(20n * MS);
    const [taken] = guest.take();
    // Xen 12: in mode 0 it meets its comparator in guest time; in the others it is late by what is left of the absence.
    expect(taken!.guest).toBe(TIMER_MODES[mode].freezes ? 3n * MS + 100n : 10n * MS + 100n);
  });

  it('Xen 14: edges of a masked line are dropped, in any number, and counted', () => {
    const { guest, timer, account } = create({ mode });
    guest.setMasked(1, true);
    timer(1).start(every(MS));
    guest.goOnUntil(5n * MS + 1n);
    guest.setMasked(1, false);
    guest.goOnUntil(7n * MS + 500n);
    expect(guest.take().map(({ guest: at }) => at)).toEqual([6n * MS + 100n, 7n * MS + 100n]);
    expect(account(1)).toEqual({ name: 'line1', accepted: 2, merged: 0, dropped: 5, lost: 0 });
  });

  it('a masked source of a nanosecond costs one delivery each time it is looked at', () => {
    const { guest, timer, ticks, account } = create({ mode });
    guest.setMasked(1, true);
    timer(1).start(every(1n));
    guest.timers.beforeRun(0n);
    guest.timers.deliver(1_000_000n);
    // With a backlog, what is beyond it is lost before anybody knows that the rest is dropped.
    expect([ticks.length, account(1).dropped + account(1).lost]).toEqual([1, 1_000_000]);
  });

  it('many that are due at once are delivered some at a call, in the order of their deadlines', () => {
    const { guest, timer, ticks } = create({ mode });
    const count = 3 * DELIVERIES_MAX;
    for (let line = 0; line < count; line++) timer(line).start(once(BigInt(1000 - line)));
    guest.timers.beforeRun(0n);
    guest.timers.deliver(2000n);
    expect(ticks).toHaveLength(DELIVERIES_MAX);
    while (guest.timers.dueTsc() <= 2000n) guest.timers.deliver(2000n);
    expect(ticks.map(({ line }) => line)).toEqual(Array.from({ length: count }, (_, place) => count - 1 - place));
  });

  it('a one-shot whose deadline is further back than time itself is due at once, and once', () => {
    const { guest, timer, ticks } = create({ mode });
    timer(1).start(once(-(1n << 62n) - 1n));
    guest.timers.beforeRun(0n);
    guest.timers.deliver(1000n);
    guest.timers.deliver(2000n);
    expect(ticks).toHaveLength(1);
  });

  it('a device that starts its timer anew within a tick gets what it asked for', () => {
    const guest = createSimulatedGuest({ mode });
    const seen: bigint[] = [];
    const timer = guest.timers.create({
      name: 'own',
      tick: (deadline) => {
        seen.push(deadline);
        if (seen.length < 4) timer.start(once(deadline + MS));
        return REQUEST.DROPPED;
      },
    });
    timer.start(every(10n * MS, MS));
    guest.goOnUntil(100n * MS);
    expect(seen).toEqual([MS, 2n * MS, 3n * MS, 4n * MS]);
  });
});

describe('drift', () => {
  it('is exactly 0 after a million periods that are no whole nanoseconds, on a TSC that counts no whole nanoseconds either', () => {
    const guest = createSimulatedGuest({
      mode: 'delay_for_missed_ticks',
      frequency: frequency(2_711_999_983n, 3n, 'measured', 'test'),
    });
    let count = 0n;
    let last = 0n;
    const timer = guest.timers.create({
      name: 'own',
      tick: (deadline, acknowledged) => {
        count++;
        last = deadline;
        acknowledged();
        return REQUEST.ACCEPTED;
      },
    });
    // 1,193,182 Hz, from 7 and 3 / 1,193,182 ns on.
    timer.start({ origin: instant(7n), phase: 3n, numerator: 1_000_000_000n, denominator: 1_193_182n });
    for (let turn = 0; turn < 1_000_000; turn++) guest.timers.deliver(guest.timers.dueTsc());
    expect([count, last]).toEqual([1_000_000n, 7n + (3n + 999_999n * 1_000_000_000n + 1_193_181n) / 1_193_182n]);
    expect(guest.timers.dueTsc()).toBe(guest.guestTime.toTicks(instant(7n + (3n + 1_000_000n * 1_000_000_000n + 1_193_181n) / 1_193_182n)));
  });
});

describe('missed ticks', () => {
  /** A tick of 1 ms at 0.5, 1.5, ...; absent from 2 to 6 ms, so that 2.5 to 5.5 are missed. */
  function miss(mode: (typeof TIMER_MODE_NAMES)[number], absences = 1, period = MS) {
    const own = create({ mode });
    own.timer(1).start(every(period, period / 2n));
    own.guest.runUntil(2n * MS);
    own.guest.absentUntil(6n * MS);
    for (let more = 1; more < absences; more++) {
      own.guest.runUntil(own.guest.host() + 100_000n);
      own.guest.absentUntil(own.guest.host() + 4n * MS);
    }
    own.guest.goOnUntil(own.guest.host() + 2n * MS);
    const deadlines = own.ticks.map(({ deadline }) => Number((deadline * 10n) / MS) / 10);
    return { ...own, deadlines, taken: own.guest.take().map(({ guest }) => Number(guest)) };
  }

  it('mode 0: all, each at its deadline in guest time', () => {
    const { deadlines, taken, guest } = miss('delay_for_missed_ticks');
    expect(deadlines).toEqual([0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]);
    expect(taken).toEqual([0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5].map((at) => at * 1_000_000 + 100));
    expect(guest.guestTime.owed(guest.host())).toBe(0n);
  });

  it('mode 1: all, in a burst', () => {
    const { deadlines, taken } = miss('no_delay_for_missed_ticks');
    expect(deadlines).toEqual([0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]);
    expect(taken).toEqual([500_100, 1_500_100, 6_000_100, 6_000_200, 6_000_300, 6_000_400, 6_500_100, 7_500_100]);
  });

  it('mode 2: none, then on the beat', () => {
    const { deadlines, account } = miss('no_missed_ticks_pending');
    expect(deadlines).toEqual([0.5, 1.5, 6.5, 7.5]);
    expect(account(1).lost).toBe(4);
  });

  it('mode 2: a source whose ticks are all missed has one kept in each second absence', () => {
    // Three absences of 4 ms with 0.1 ms between them: 2.5 to 5.5 are missed, of 6.5 to 9.5 one is kept, of 10.5 to 13.5 none.
    const { deadlines } = miss('no_missed_ticks_pending', 3);
    expect(deadlines).toEqual([0.5, 1.5, 6.5, 14.5, 15.5]);
  });

  it('mode 3: one at once, then on the beat', () => {
    const { deadlines, taken, account } = miss('one_missed_tick_pending');
    expect(deadlines).toEqual([0.5, 1.5, 2.5, 6.5, 7.5]);
    expect(taken[2]).toBe(6_000_100);
    expect(account(1).lost).toBe(3);
  });

  it('mode 3: nothing was missed in an absence that is shorter than a period', () => {
    const { deadlines } = miss('one_missed_tick_pending', 1, 20n * MS);
    expect(deadlines).toEqual([]);
  });
});

describe('a backlog', () => {
  it.each(['delay_for_missed_ticks', 'no_delay_for_missed_ticks'] as const)('is kept while interrupts are off, in mode %s', (mode) => {
    const { guest, timer } = create({ mode });
    timer(1).start(every(MS));
    guest.setInterruptsOff(true);
    guest.goOnUntil(5n * MS + 1n);
    guest.setInterruptsOff(false);
    guest.goOnUntil(6n * MS - 1n);
    expect(guest.take().map(({ guest: at }) => at - 5n * MS)).toEqual([101n, 201n, 301n, 401n, 501n]);
  });

  it.each(['no_missed_ticks_pending', 'one_missed_tick_pending'] as const)('is not kept in mode %s: ticks merge', (mode) => {
    const { guest, timer, account } = create({ mode });
    timer(1).start(every(MS));
    guest.setInterruptsOff(true);
    guest.goOnUntil(5n * MS + 1n);
    guest.setInterruptsOff(false);
    guest.goOnUntil(6n * MS - 1n);
    expect([guest.take().length, account(1).merged]).toEqual([1, 4]);
  });

  it.each(['delay_for_missed_ticks', 'no_delay_for_missed_ticks'] as const)(
    'Xen 13: is bounded in mode %s; the earliest are lost and counted, and the beat is kept',
    (mode) => {
      const { guest, timer, ticks, account } = create({ mode, backlogMax: 10 });
      timer(1).start(every(MS));
      guest.runUntil(MS / 2n);
      guest.absentUntil(100n * MS + 5n);
      guest.goOnUntil(101n * MS + 200n);
      expect(ticks.map(({ deadline }) => Number(deadline / MS))).toEqual([91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101]);
      expect(account(1)).toEqual({ name: 'line1', accepted: 11, merged: 0, dropped: 0, lost: 90 });
      expect(guest.guestTime.owed(guest.host())).toBe(0n);
    },
  );

  it('refuses a bound that can hold nothing', () => {
    const { guestTime } = createSimulatedGuest({ mode: 'delay_for_missed_ticks' });
    expect(() => createPlatformTimers({ guestTime, mode: 'delay_for_missed_ticks', backlogMax: 0 })).toThrow(/a backlog of 0 ticks/);
  });

  it('of one source does not wait for another that the guest never takes, longer than the hold', () => {
    const { guest, timer } = create({ mode: 'delay_for_missed_ticks' });
    timer(1).start(once(MS));
    guest.setInterruptsOff(true);
    guest.goOnUntil(MS + 1n);
    // Accepted, and then masked: the CPU will not take it.
    const [pulse] = [guest.line(2)];
    expect(pulse.pulse()).toBe(REQUEST.ACCEPTED);
    guest.runUntil(2n * MS);
    guest.absentUntil(50n * MS);
    timer(3).start(every(MS, 3n * MS));
    guest.goOnUntil(50n * MS + HOLD_MAX);
    expect(guest.guestTime.owed(guest.host()) < 48n * MS).toBe(true);
  });
});

describe('restoring', () => {
  it('refuses a state of other timers', () => {
    const [one, other] = [create({ mode: 'one_missed_tick_pending' }), create({ mode: 'one_missed_tick_pending' })];
    one.timer(1);
    expect(() => other.guest.timers.restore(one.guest.timers.save())).toThrow(/a state of 4 timers does not fit 3/);
  });

  it('takes a tick for acknowledged that its line knows nothing of', () => {
    const [one, other] = [create({ mode: 'no_delay_for_missed_ticks' }), create({ mode: 'no_delay_for_missed_ticks' })];
    one.timer(1).start(every(MS));
    other.timer(1);
    one.guest.setInterruptsOff(true);
    one.guest.goOnUntil(MS);
    other.guest.restore({ ...one.guest.save(), lines: [], areOff: false });
    // Its host's TSC is at 0, its guest's time at 1 ms.
    other.guest.goOnUntil(MS);
    expect(other.ticks.map(({ deadline }) => deadline)).toEqual([2n * MS]);
  });
});

describe('several sources in mode 0', () => {
  it('are stepped through in the order of deadlines, each handler at its own', () => {
    const { guest, timer } = create({ mode: 'delay_for_missed_ticks' });
    timer(1).start(every(3n * MS));
    timer(2).start(once(4n * MS));
    timer(3).start(every(5n * MS));
    guest.runUntil(MS);
    guest.absentUntil(20n * MS);
    guest.goOnUntil(22n * MS);
    expect(guest.take().map(({ line, guest: at }) => [line, Number(at)])).toEqual(
      [
        [1, 3],
        [2, 4],
        [3, 5],
        [1, 6],
        [1, 9],
        [3, 10],
        [1, 12],
        [1, 15],
        [3, 15],
        [1, 18],
        [3, 20],
        [1, 21],
      ].map(([line, at], place) => [line, at! * 1_000_000 + (place === 8 ? 200 : 100)]),
    );
  });

  it('a masked one has no say in when the others come, and loses nothing that anybody would hear', () => {
    const { guest, timer } = create({ mode: 'delay_for_missed_ticks' });
    guest.setMasked(1, true);
    timer(1).start(every(1000n));
    timer(2).start(every(5n * MS));
    guest.runUntil(MS);
    guest.absentUntil(20n * MS);
    guest.goOnUntil(21n * MS);
    expect(guest.take().map(({ guest: at }) => at)).toEqual([5n * MS + 100n, 10n * MS + 100n, 15n * MS + 100n, 20n * MS + 100n]);
  });

  it('without any that is heard the guest stays behind, and goes on at the pace of the host', () => {
    const { guest, timer } = create({ mode: 'delay_for_missed_ticks' });
    guest.setMasked(1, true);
    timer(1).start(every(MS));
    guest.runUntil(5n * MS);
    guest.absentUntil(20n * MS);
    guest.goOnUntil(30n * MS);
    expect(guest.guestTime.at(guest.host())).toBe(15n * MS);
  });
});

describe('alignment', () => {
  it('Xen 10: moves ticks of a source whose phase nothing shows to whole periods, later and never earlier, and no other', () => {
    const { guest, timer, ticks } = create({ mode: 'no_delay_for_missed_ticks' });
    timer(1, { isAligned: true }).start(every(4n * MS, 5n * MS + 7n));
    timer(2).start(every(4n * MS, 5n * MS + 7n));
    guest.goOnUntil(17n * MS);
    const deadlines = (line: number): bigint[] => ticks.filter((one) => one.line === line).map(({ deadline }) => deadline);
    expect(deadlines(1)).toEqual([8n * MS, 12n * MS, 16n * MS]);
    expect(deadlines(2)).toEqual([5n * MS + 7n, 9n * MS + 7n, 13n * MS + 7n]);
  });

  it('leaves a one-shot where it is', () => {
    const { guest, timer, ticks } = create({ mode: 'no_delay_for_missed_ticks' });
    timer(1, { isAligned: true }).start(once(5n * MS + 7n));
    guest.goOnUntil(17n * MS);
    expect(ticks.map(({ deadline }) => deadline)).toEqual([5n * MS + 7n]);
  });
});

describe.each(TIMER_MODE_NAMES)('whatever happens in mode %s', (mode) => {
  it('no tick is early, deadlines of a source only grow and stay on the beat, and guest time never goes back', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = createRandom(seed);
      const { guest, timer, ticks } = create({ mode, backlogMax: 1 + random.integer(50) });
      const periods = [1, 2, 3].map((line) => {
        const period = BigInt(100_000 + random.integer(3_000_000));
        timer(line).start(every(period));
        return period;
      });
      let before = 0n;
      let at = 0n;
      for (let turn = 0; turn < 60; turn++) {
        guest.setInterruptsOff(random.integer(4) === 0);
        guest.setMasked(1 + random.integer(3), random.integer(3) === 0);
        at += BigInt(random.integer(5_000_000));
        if (random.integer(2) === 0) guest.goOnUntil(at);
        else {
          guest.runUntil(at);
          at += BigInt(random.integer(20_000_000));
          guest.absentUntil(at);
        }
        const now = guest.guestTime.at(guest.host());
        expect(now >= before).toBe(true);
        expect(guest.guestTime.owed(guest.host()) >= 0n).toBe(true);
        before = now;
      }
      const last = [0n, 0n, 0n, 0n];
      for (const { line, deadline, guest: seen } of ticks) {
        expect(seen >= deadline, `seed ${seed}: early`).toBe(true);
        expect(deadline > last[line]! && deadline % periods[line - 1]! === 0n, `seed ${seed}: order and beat`).toBe(true);
        last[line] = deadline;
      }
      const { timers } = guest.timers.save();
      guest.timers.accounts().forEach(({ name, accepted, merged, dropped, lost }, place) => {
        // Each deadline before the next one is in exactly one account.
        expect(BigInt(accepted + merged + dropped + lost), `seed ${seed}: ${name}`).toBe(timers[place]!.index);
      });
    }
  });
});
