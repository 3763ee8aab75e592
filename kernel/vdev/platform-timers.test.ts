import { describe, expect, it } from 'vitest';
import { frequency } from '../time/frequency.ts';
import { instant } from '../time/units.ts';
import { REQUEST } from './device.ts';
import { createGuestTime, type GuestTimeOptions } from './guest-time.ts';
import { createPlatformTimers } from './platform-timers.ts';
import { TIMER_MODE_NAMES, type TimerModeName } from './timer-modes.ts';

const MS = 1_000_000n;

/** A guest of one CPU that takes an interrupt 100 ns after it was raised, while it runs. */
function createGuest(mode: TimerModeName, options: Partial<GuestTimeOptions> = {}, backlogMax = 1000) {
  let host = 0n;
  const guestTime = createGuestTime({
    hostTsc: () => host,
    frequency: frequency(1_000_000_000n, 1n, 'architectural', 'test'),
    startTsc: 0n,
    mode,
    ...options,
  });
  const timers = createPlatformTimers({ guestTime, mode, backlogMax });
  const pending: { name: string; acknowledged: () => void }[] = [];
  const ticks: { name: string; host: bigint; guest: bigint; deadline: bigint }[] = [];
  const source = (name: string) => ({
    name,
    tick: (deadline: bigint, acknowledged: () => void) => {
      if (pending.some((one) => one.name === name)) return REQUEST.MERGED;
      pending.push({ name, acknowledged });
      ticks.push({ name, host, guest: guestTime.now(), deadline });
      return REQUEST.ACCEPTED;
    },
  });
  function runUntil(end: bigint) {
    timers.beforeRun(host);
    for (;;) {
      while (timers.dueTsc() <= host) timers.deliver(host);
      if (pending.length > 0 && host + 100n <= end) {
        host += 100n;
        pending.shift()!.acknowledged();
        continue;
      }
      const due = timers.dueTsc();
      if (due > end) break;
      host = due;
    }
    host = end;
    timers.afterRun(host);
  }
  return {
    guestTime,
    timers,
    ticks,
    source,
    runUntil,
    host: () => host,
    absentUntil: (end: bigint) => {
      host = end;
    },
  };
}

/** 200 ms of every 400 ms; a tick of 10 ms; ten times. */
function experiment(mode: TimerModeName, options: Partial<GuestTimeOptions> = {}) {
  const guest = createGuest(mode, options);
  guest.timers.create(guest.source('hpet0')).start({ origin: instant(10n * MS), numerator: 10n * MS, denominator: 1n });
  for (let turn = 0n; turn < 10n; turn++) {
    guest.runUntil(turn * 400n * MS + 200n * MS + 5n);
    guest.absentUntil(turn * 400n * MS + 400n * MS);
  }
  guest.runUntil(4200n * MS);
  const gaps = guest.ticks.slice(1).map((tick, index) => Number(tick.guest - guest.ticks[index]!.guest));
  return {
    ticks: guest.ticks.length,
    guest: guest.guestTime.at(guest.host()),
    least: Math.min(...gaps),
    most: Math.max(...gaps),
    account: guest.timers.accounts()[0]!,
    due: guest.timers.dueTsc(),
  };
}

describe('the experiment', () => {
  it.each(TIMER_MODE_NAMES)('%s', (mode) => {
    const isCounted = mode === 'delay_for_missed_ticks' || mode === 'no_delay_for_missed_ticks';
    expect(experiment(mode).ticks).toBe(isCounted ? 420 : 220);
  });
});
