import { describe, expect, it } from 'vitest';
import { createRandom } from '../testing/random.ts';
import { frequency } from './frequency.ts';
import type { ExpiryHandler, HwTimer } from './hw-timer.ts';
import { createKernelTimers, LATEST_DEADLINE, type KernelTimer, type KernelTimersOptions, type TimerCallback } from './kernel-timers.ts';
import { instant, nanos, type Instant, type Nanos } from './units.ts';

const at = (value: number | bigint): Instant => instant(BigInt(value));
const HZ = frequency(1_000_000_000n, 1n, 'architectural', 'fake');
const ns = (value: number | bigint): Nanos => nanos(BigInt(value));

interface MachineOptions extends Pick<KernelTimersOptions, 'minPeriod' | 'onOverrun'> {
  /** By how much the clock moves at each reading. */
  readonly readingNanos?: number;
  /** By how much an expiry comes late. */
  readonly lateNanos?: () => number;
  readonly minInterval?: number;
}

/** A clock and a timer whose time is the test's, and timers on them. What the hardware is told is written down. */
function createMachine({ readingNanos = 0, lateNanos = () => 0, minInterval = 1, ...options }: MachineOptions = {}) {
  let now = 0n;
  let readings = 0;
  let armedFor: bigint | undefined;
  let expiresAt = 0n;
  let touches: string[] = [];
  let handler: ExpiryHandler = () => expect.unreachable();

  const clock: KernelTimersOptions['clock'] = {
    now: () => {
      readings++;
      const reading = instant(now);
      now += BigInt(readingNanos);
      return reading;
    },
  };

  const hwTimer: HwTimer = {
    name: 'lapic',
    frequency: HZ,
    minInterval: ns(minInterval),
    maxInterval: ns(1_000_000_000),
    arm: (deadline) => {
      if (deadline < 0n || deadline >= 2n ** 63n) throw new RangeError(`fake timer: no clock shows ${deadline} ns`);
      touches.push(`arm ${deadline}`);
      armedFor = deadline;
      expiresAt = (deadline > now ? deadline : now) + BigInt(lateNanos());
    },
    disarm: () => {
      touches.push('disarm');
      armedFor = undefined;
    },
    isArmed: () => armedFor !== undefined,
  };

  const timers = createKernelTimers({
    clock,
    createHwTimer: (onExpire) => {
      handler = onExpire;
      return hwTimer;
    },
    ...options,
  });

  const hasExpired = (): boolean => armedFor !== undefined && expiresAt <= now;
  const interrupt = (): void => handler(now * 2n);
  const takeExpiry = (): boolean => {
    if (!hasExpired()) return false;
    armedFor = undefined;
    interrupt();
    return true;
  };
  return {
    timers,
    clock,
    readings: () => readings,
    /** What the hardware is armed for. */
    armedFor: () => armedFor,
    takeTouches: () => {
      const taken = touches;
      touches = [];
      return taken;
    },
    /** Time goes by without an interrupt being taken. */
    pass: (duration: number): void => void (now += BigInt(duration)),
    hasExpired,
    /** Takes the interrupt if the timer has expired by now. Returns whether it has. */
    takeExpiry,
    /** On until `until`, taking interrupts when they come. */
    run: (until: number | bigint): void => {
      while (armedFor !== undefined && expiresAt <= BigInt(until)) {
        if (expiresAt > now) now = expiresAt;
        takeExpiry();
      }
      if (now < BigInt(until)) now = BigInt(until);
    },
    /** An interrupt that was on its way when the timer was disarmed or armed anew: the timer is as it was. */
    interruptStale: interrupt,
  };
}

/** A callback that writes down what it is called with. */
function createLog() {
  const log: string[] = [];
  const note =
    (name: string, then?: () => void): TimerCallback =>
    (deadline, missed) => {
      log.push(missed === 0 ? `${name} ${deadline}` : `${name} ${deadline} missed ${missed}`);
      then?.();
    };
  return { log, note };
}

describe('a one-shot timer', () => {
  it('runs once, at its deadline and not a nanosecond before', () => {
    const { timers, run } = createMachine();
    const { log, note } = createLog();
    timers.armOneShot(at(100), note('a'));
    run(99);
    expect(log).toEqual([]);
    run(100);
    expect(log).toEqual(['a 100']);
    run(1000);
    expect(log).toEqual(['a 100']);
  });

  it('hands on the stamp of the interrupt', () => {
    const { timers, run } = createMachine();
    const calls: unknown[] = [];
    timers.armOneShot(at(100), (...values) => calls.push(values));
    run(100);
    expect(calls).toEqual([[100n, 0, 200n]]);
  });

  it('is pending until its callback, and tells its deadline as long as it is', () => {
    const { timers, run } = createMachine();
    const states: unknown[] = [];
    const note = (): void => void states.push([timer.isPending(), timer.deadline(), timers.pending()]);
    const timer = timers.createTimer(note);
    note();
    timer.arm(at(100));
    note();
    run(100);
    note();
    expect(states).toEqual([
      [false, undefined, 0],
      [true, 100n, 1],
      [false, undefined, 0],
      [false, undefined, 0],
    ]);
  });

  it('does not run when it was cancelled, and says whether there was something to cancel', () => {
    const { timers, run } = createMachine();
    const { log, note } = createLog();
    const timer = timers.armOneShot(at(100), note('a'));
    expect([timer.cancel(), timer.cancel(), timer.isPending(), timer.deadline()]).toEqual([true, false, false, undefined]);
    run(1000);
    expect([log, timer.cancel()]).toEqual([[], false]);
  });

  it('takes a new deadline in place of the old one, earlier or later', () => {
    const { timers, run } = createMachine();
    const { log, note } = createLog();
    const timer = timers.armOneShot(at(100), note('a'));
    timers.armOneShot(at(150), note('b'));
    timer.arm(at(200));
    run(150);
    timer.arm(at(160));
    run(1000);
    timer.arm(at(1001));
    run(2000);
    expect(log).toEqual(['b 150', 'a 160', 'a 1001']);
  });

  it('is due at once if its deadline has passed', () => {
    const { timers, run } = createMachine();
    const { log, note } = createLog();
    run(500);
    timers.armOneShot(at(0), note('a'));
    run(500);
    expect(log).toEqual(['a 0']);
  });

  it('can wait for the latest deadline', () => {
    const { timers, run } = createMachine();
    const { log, note } = createLog();
    timers.armOneShot(LATEST_DEADLINE, note('a'));
    run(LATEST_DEADLINE);
    expect(log).toEqual([`a ${2n ** 63n - 1n}`]);
  });
});

describe('order', () => {
  it('is that of the deadlines, also when all are due in one expiry', () => {
    const { pass, takeExpiry, timers } = createMachine();
    const { log, note } = createLog();
    for (const deadline of [30, 10, 50, 20, 40]) timers.armOneShot(at(deadline), note('a'));
    pass(100);
    expect([takeExpiry(), takeExpiry()]).toEqual([true, false]);
    expect(log).toEqual(['a 10', 'a 20', 'a 30', 'a 40', 'a 50']);
  });

  it('is that of arming for one deadline, and arming again goes to the end', () => {
    const { run, timers } = createMachine();
    const { log, note } = createLog();
    const [first] = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => timers.armOneShot(at(10), note(name)));
    first!.arm(at(10));
    run(10);
    expect(log).toEqual(['b 10', 'c 10', 'd 10', 'e 10', 'f 10', 'g 10', 'a 10']);
  });

  it('is the same at every common beat of periodic timers, and ahead of what was armed after them', () => {
    const { run, timers } = createMachine();
    const { log, note } = createLog();
    timers.armPeriodic(at(6), ns(2), note('a'));
    timers.armPeriodic(at(3), ns(3), note('b'));
    timers.armOneShot(at(12), note('c'));
    run(12);
    expect(log).toEqual(['b 3', 'a 6', 'b 6', 'a 8', 'b 9', 'a 10', 'a 12', 'b 12', 'c 12']);
  });

  it('is that of arming for deadlines before the last expiry: they are all due since then', () => {
    const { pass, run, takeExpiry, timers } = createMachine();
    const { log, note } = createLog();
    timers.armOneShot(at(100), note('a'));
    run(100);
    pass(100);
    timers.armOneShot(at(150), note('b'));
    timers.armOneShot(at(50), note('c'));
    timers.armOneShot(at(40), note('d'));
    timers.armOneShot(at(120), note('e'));
    takeExpiry();
    expect(log).toEqual(['a 100', 'c 50', 'd 40', 'e 120', 'b 150']);
  });
});

describe('a periodic timer', () => {
  it('keeps its beat without drift for a million periods, on a timer that is always late', () => {
    const random = createRandom(1);
    const { run, takeTouches, timers } = createMachine({ readingNanos: 3, lateNanos: () => random.integer(300) });
    const period = 997;
    let expected = 12_345n;
    let beats = 0;
    let offBeat = 0;
    const timer = timers.armPeriodic(at(expected), ns(period), (deadline, missed) => {
      if (deadline !== expected || missed !== 0) offBeat++;
      expected += BigInt(period);
      beats++;
      takeTouches();
    });
    run(12_345 + 1_000_000 * period);
    expect([beats, offBeat, timers.missed()]).toEqual([1_000_000, 0, 0]);
    expect(timer.deadline()).toBe(12_345n + 1_000_000n * 997n);
  });

  it('is pending in its callback, for the next deadline', () => {
    const { run, timers } = createMachine();
    const states: unknown[] = [];
    const timer: KernelTimer = timers.armPeriodic(at(10), ns(5), () => states.push([timer.isPending(), timer.deadline()]));
    run(15);
    expect(states).toEqual([
      [true, 15n],
      [true, 20n],
    ]);
  });

  it.each([
    [109, 'a 100', 0, 110],
    [110, 'a 100 missed 1', 1, 120],
    [119, 'a 100 missed 1', 1, 120],
    [120, 'a 100 missed 2', 2, 130],
    [1_000_000_099, 'a 100 missed 99999999', 99_999_999, 1_000_000_100],
  ])('whose interrupt is taken at %i ns runs once and goes on upon the beat', (now, call, missed, next) => {
    const { pass, takeExpiry, timers } = createMachine();
    const { log, note } = createLog();
    const timer = timers.armPeriodic(at(100), ns(10), note('a'));
    pass(now);
    expect([takeExpiry(), takeExpiry()]).toEqual([true, false]);
    expect([log, timers.missed(), timer.deadline()]).toEqual([[call], missed, BigInt(next)]);
  });

  it('reports what it missed before its callback runs, and only then', () => {
    const reports: unknown[] = [];
    const { pass, run, timers } = createMachine({
      onOverrun: (timer, deadline, missed, taken) => reports.push([timer === periodic, deadline, missed, taken]),
    });
    const periodic = timers.armPeriodic(at(100), ns(10), () => reports.push('callback'));
    run(100);
    pass(35);
    run(145);
    expect(reports).toEqual(['callback', [true, 110n, 2, 270n], 'callback', 'callback']);
    expect(timers.missed()).toBe(2);
  });

  it('accounts for every deadline exactly, however late its interrupts are', () => {
    const random = createRandom(7);
    let reported = 0;
    const { clock, run, timers } = createMachine({
      readingNanos: 1,
      lateNanos: () => random.integer(500),
      onOverrun: (_timer, _deadline, missed) => (reported += missed),
    });
    let calls = 0;
    let missedInAll = 0;
    let expected = 50n;
    const timer = timers.armPeriodic(at(50), ns(70), (deadline, missed) => {
      if (deadline !== expected) expect(deadline).toBe(expected);
      expected += 70n * BigInt(missed + 1);
      calls++;
      missedInAll += missed;
    });
    run(1_000_000);
    expect(timer.deadline()).toBe(expected);
    expect(BigInt(calls + missedInAll)).toBe((expected - 50n) / 70n);
    expect([timers.missed(), reported]).toEqual([missedInAll, missedInAll]);
    expect(missedInAll).toBeGreaterThan(1000);
    expect(expected > clock.now() - 600n).toBe(true);
  });

  it('that starts in the past has missed what is between', () => {
    const { run, timers } = createMachine();
    const { log, note } = createLog();
    run(1005);
    timers.armPeriodic(at(0), ns(100), note('a'));
    run(1100);
    expect(log).toEqual(['a 0 missed 10', 'a 1100']);
  });

  it('is only late if its own callback takes too long, and misses what falls into that time', () => {
    const { pass, run, timers } = createMachine();
    const { log, note } = createLog();
    const durations = [25, 0, 0];
    timers.armPeriodic(
      at(10),
      ns(10),
      note('a', () => pass(durations.shift()!)),
    );
    run(40);
    expect(log).toEqual(['a 10', 'a 20 missed 1', 'a 40']);
  });

  it('can be cancelled and armed otherwise in its own callback', () => {
    const { run, timers } = createMachine();
    const { log, note } = createLog();
    const a: KernelTimer = timers.armPeriodic(
      at(10),
      ns(10),
      note('a', () => a.cancel()),
    );
    const b: KernelTimer = timers.armPeriodic(
      at(10),
      ns(10),
      note('b', () => {
        if (b.isPending()) b.arm(at(15));
      }),
    );
    const c: KernelTimer = timers.armPeriodic(
      at(10),
      ns(10),
      note('c', () => c.armPeriodic(c.deadline()!, ns(100))),
    );
    run(119);
    expect([a.isPending(), b.isPending(), c.isPending()]).toEqual([false, false, true]);
    expect(log).toEqual(['a 10', 'b 10', 'c 10', 'b 15', 'c 20']);
  });

  it('ends with the last deadline that a clock can show', () => {
    const { armedFor, run, timers } = createMachine();
    const { log, note } = createLog();
    const timer = timers.armPeriodic(at(LATEST_DEADLINE - 14n), ns(7), note('a'));
    run(LATEST_DEADLINE);
    expect(log).toEqual(['a 9223372036854775793', 'a 9223372036854775800', 'a 9223372036854775807']);
    expect([timer.isPending(), armedFor()]).toEqual([false, undefined]);
  });
});

describe('a callback', () => {
  it('that cancels others which are due in the same expiry keeps them from running', () => {
    const { armedFor, pass, takeExpiry, timers } = createMachine();
    const { log, note } = createLog();
    timers.armOneShot(
      at(10),
      note('a', () => {
        expect([b.cancel(), c.cancel(), e.cancel()]).toEqual([true, true, true]);
        expect(b.isPending()).toBe(false);
      }),
    );
    const b = timers.armOneShot(at(10), note('b'));
    const c = timers.armPeriodic(at(11), ns(5), note('c'));
    timers.armOneShot(at(12), note('d'));
    const e = timers.armOneShot(at(13), note('e'));
    pass(50);
    takeExpiry();
    expect([log, armedFor()]).toEqual([['a 10', 'd 12'], undefined]);
  });

  it('that arms others which are due in the same expiry puts them off', () => {
    const { run, pass, takeExpiry, timers } = createMachine();
    const { log, note } = createLog();
    timers.armOneShot(
      at(10),
      note('a', () => {
        b.arm(at(60));
        c.arm(at(10));
      }),
    );
    const b = timers.armOneShot(at(20), note('b'));
    const c = timers.armOneShot(at(21), note('c'));
    timers.armOneShot(at(30), note('d'));
    pass(50);
    takeExpiry();
    expect(log).toEqual(['a 10', 'd 30']);
    takeExpiry();
    expect(log).toEqual(['a 10', 'd 30', 'c 10']);
    run(60);
    expect(log).toEqual(['a 10', 'd 30', 'c 10', 'b 60']);
  });

  it('can arm itself for the past again and again without holding up the others or the kernel', () => {
    const { pass, takeExpiry, timers } = createMachine({ readingNanos: 1 });
    const { log, note } = createLog();
    const greedy: KernelTimer = timers.armOneShot(
      at(0),
      note('greedy', () => greedy.arm(at(0))),
    );
    timers.armOneShot(at(5), note('a'));
    timers.armOneShot(at(5), note('b'));
    timers.armPeriodic(at(6), ns(10), note('c'));
    pass(10);
    takeExpiry();
    expect(log.splice(0)).toEqual(['greedy 0', 'a 5', 'b 5', 'c 6']);
    for (let expiry = 0; expiry < 3; expiry++) {
      expect(takeExpiry()).toBe(true);
      expect(log.splice(0)).toEqual(['greedy 0']);
    }
    // The periodic timer is due later than the greedy one claims to be, and still gets its turn.
    pass(10);
    takeExpiry();
    expect(log).toEqual(['greedy 0', 'c 16']);
  });

  it('that arms new timers for the past again and again does not starve those that wait', () => {
    const { pass, takeExpiry, timers } = createMachine();
    let copies = 0;
    let runs = 0;
    const copy = (): void => {
      copies++;
      timers.armOneShot(at(0), copy);
      timers.armOneShot(at(0), () => undefined);
    };
    copy();
    timers.armPeriodic(at(10), ns(10), () => runs++);
    for (let expiry = 0; expiry < 100; expiry++) {
      pass(10);
      takeExpiry();
    }
    expect([copies, runs]).toEqual([101, 100]);
  });

  it('runs on one reading of the clock per expiry, which is not moved by what the callbacks take', () => {
    const { pass, readings, takeExpiry, timers } = createMachine({ readingNanos: 7 });
    const { log, note } = createLog();
    timers.armOneShot(
      at(10),
      note('a', () => pass(100)),
    );
    timers.armOneShot(at(20), note('b'));
    timers.armPeriodic(at(20), ns(15), note('c'));
    timers.armOneShot(at(21), note('d'));
    pass(20);
    takeExpiry();
    expect([log.splice(0), readings()]).toEqual([['a 10', 'b 20', 'c 20'], 1]);
    takeExpiry();
    expect([log, readings()]).toEqual([['d 21', 'c 35 missed 6'], 2]);
  });

  it('that throws passes its error on, and the others that are due run in the next expiry', () => {
    const { armedFor, pass, run, takeExpiry, timers } = createMachine();
    const { log, note } = createLog();
    const fail = (): void => {
      throw new Error('out of coffee');
    };
    const once = timers.armOneShot(at(10), fail);
    const periodic = timers.armPeriodic(at(12), ns(100), note('c', fail));
    timers.armOneShot(at(11), note('b'));
    timers.armOneShot(at(13), note('d'));
    timers.armOneShot(at(90), note('e'));
    pass(50);
    expect(takeExpiry).toThrow('out of coffee');
    expect([log, armedFor(), once.isPending()]).toEqual([[], 11n, false]);
    expect(takeExpiry).toThrow('out of coffee');
    expect([log, armedFor(), periodic.deadline()]).toEqual([['b 11', 'c 12'], 13n, 112n]);
    run(90);
    expect(log).toEqual(['b 11', 'c 12', 'd 13', 'e 90']);
    expect(() => run(200)).toThrow('out of coffee');
  });

  it('that throws each time it runs does not starve those that wait', () => {
    const { pass, takeExpiry, timers } = createMachine();
    const { log, note } = createLog();
    const greedy: KernelTimer = timers.armOneShot(at(0), () => {
      greedy.arm(at(0));
      throw new Error('again');
    });
    timers.armOneShot(at(5), note('a'));
    pass(10);
    expect(takeExpiry).toThrow('again');
    expect(takeExpiry).toThrow('again');
    expect(log).toEqual(['a 5']);
  });

  it('whose overrun report throws has had its turn', () => {
    const { armedFor, pass, takeExpiry, timers } = createMachine({
      onOverrun: () => {
        throw new Error('trace is full');
      },
    });
    const { log, note } = createLog();
    timers.armPeriodic(at(10), ns(10), note('a'));
    pass(25);
    expect(takeExpiry).toThrow('trace is full');
    expect([log, armedFor(), timers.missed()]).toEqual([[], 30n, 1]);
  });

  it('that dispatches an interrupt of the timer starts no second expiry in the first', () => {
    const { armedFor, interruptStale, pass, takeExpiry, takeTouches, timers } = createMachine();
    const { log, note } = createLog();
    timers.armOneShot(
      at(10),
      note('a', () => {
        interruptStale();
        log.push('a ends');
      }),
    );
    timers.armOneShot(at(11), note('b'));
    timers.armOneShot(at(100), note('c'));
    pass(50);
    takeTouches();
    takeExpiry();
    expect(log).toEqual(['a 10', 'a ends', 'b 11']);
    expect([armedFor(), takeTouches()]).toEqual([100n, ['arm 100']]);
  });
});

describe('the hardware timer', () => {
  it('is told only when the first deadline changes', () => {
    const { takeTouches, timers } = createMachine();
    const nothing = (): void => undefined;
    const touchesOf = (action: () => void): string[] => {
      action();
      return takeTouches();
    };
    const touches = [touchesOf(() => timers.createTimer(nothing))];
    const a = timers.armOneShot(at(100), nothing);
    touches.push(takeTouches());
    const b = timers.armOneShot(at(200), nothing);
    touches.push(takeTouches());
    const c = timers.armOneShot(at(100), nothing);
    touches.push(takeTouches());
    touches.push(
      touchesOf(() => b.arm(at(150))),
      touchesOf(() => b.arm(at(50))),
      touchesOf(() => b.cancel()),
      touchesOf(() => a.cancel()),
      touchesOf(() => a.arm(at(300))),
      touchesOf(() => c.arm(at(100))),
      touchesOf(() => a.cancel()),
      touchesOf(() => c.arm(at(90))),
      touchesOf(() => c.cancel()),
      touchesOf(() => c.cancel()),
    );
    expect(touches).toEqual([[], ['arm 100'], [], [], [], ['arm 50'], ['arm 100'], [], [], [], [], ['arm 90'], ['disarm'], []]);
  });

  it('is armed once per expiry, whatever the callbacks do, and not told what it knows when nothing is left', () => {
    const { armedFor, pass, takeExpiry, takeTouches, timers } = createMachine();
    const { note } = createLog();
    const others = [70, 80, 90].map((deadline) => timers.armOneShot(at(deadline), note('b')));
    timers.armOneShot(
      at(10),
      note('a', () => {
        timers.armOneShot(at(65), note('c'));
        timers.armOneShot(at(60), note('d')).cancel();
        for (const other of others) other.arm(at(66));
      }),
    );
    takeTouches();
    pass(10);
    takeExpiry();
    expect(takeTouches()).toEqual(['arm 65']);
    pass(100);
    takeExpiry();
    expect([takeTouches(), armedFor(), timers.pending()]).toEqual([[], undefined, 0]);
  });

  it('is not told of more deadlines in the past than one', () => {
    const { run, takeTouches, timers } = createMachine();
    const { note } = createLog();
    timers.armOneShot(at(100), note('a'));
    run(100);
    takeTouches();
    for (const deadline of [50, 40, 30]) timers.armOneShot(at(deadline), note('b'));
    expect(takeTouches()).toEqual(['arm 100']);
  });
});

describe('timers that are stopped', () => {
  it('run no more, and leave the hardware disarmed, touched once', () => {
    const { timers, run, takeTouches, armedFor, interruptStale } = createMachine();
    let runs = 0;
    const one = timers.armOneShot(at(100), () => runs++);
    timers.armPeriodic(at(50), ns(50), () => runs++);
    run(60);
    expect(runs).toBe(1);
    takeTouches();
    timers.stop();
    expect(takeTouches()).toEqual(['disarm']);
    expect([timers.pending(), armedFor(), one.isPending()]).toEqual([0, undefined, false]);
    interruptStale();
    run(10_000);
    expect(runs).toBe(1);
    timers.stop();
    expect(one.cancel()).toBe(false);
    expect(takeTouches()).toEqual([]);
  });

  it('can be armed no more, in any way, and say why', () => {
    const { timers, takeTouches } = createMachine();
    const timer = timers.createTimer(() => undefined);
    timers.stop();
    const reason = /the kernel timers are stopped/;
    expect(() => timer.arm(at(100))).toThrow(reason);
    expect(() => timer.armPeriodic(at(100), ns(50))).toThrow(reason);
    expect(() => timers.armOneShot(at(100), () => undefined)).toThrow(reason);
    expect([timers.pending(), takeTouches()]).toEqual([0, []]);
  });

  it('from a callback leave what is due with it without its turn, and a periodic one without its next', () => {
    const { timers, run, armedFor } = createMachine();
    const ran: string[] = [];
    timers.armPeriodic(at(100), ns(50), () => {
      ran.push('first');
      timers.stop();
    });
    timers.armOneShot(at(100), () => ran.push('second'));
    run(1_000);
    expect(ran).toEqual(['first']);
    expect(armedFor()).toBeUndefined();
  });
});

describe('a stale interrupt', () => {
  it('is harmless with no timer at all', () => {
    const { armedFor, interruptStale, takeTouches } = createMachine();
    interruptStale();
    expect([armedFor(), takeTouches()]).toEqual([undefined, []]);
  });

  it('is harmless after the timer was cancelled', () => {
    const { armedFor, interruptStale, pass, takeTouches, timers } = createMachine();
    const { log, note } = createLog();
    const timer = timers.armOneShot(at(10), note('a'));
    pass(20);
    timer.cancel();
    takeTouches();
    interruptStale();
    expect([log, armedFor(), takeTouches()]).toEqual([[], undefined, []]);
  });

  it('leaves the hardware alone if it is armed for a later deadline', () => {
    const { armedFor, interruptStale, pass, run, takeTouches, timers } = createMachine();
    const { log, note } = createLog();
    const timer = timers.armOneShot(at(10), note('a'));
    pass(20);
    timer.arm(at(100));
    takeTouches();
    interruptStale();
    expect([log, armedFor(), takeTouches()]).toEqual([[], 100n, []]);
    run(100);
    expect(log).toEqual(['a 100']);
  });

  it('that comes when a timer is due runs it, and its own interrupt after it is as harmless', () => {
    const { armedFor, interruptStale, pass, takeTouches, timers } = createMachine();
    const { log, note } = createLog();
    timers.armOneShot(at(10), note('a'));
    timers.armOneShot(at(50), note('b'));
    pass(20);
    takeTouches();
    interruptStale();
    interruptStale();
    expect([log, armedFor(), takeTouches()]).toEqual([['a 10'], 50n, ['arm 50']]);
    pass(50);
    interruptStale();
    expect([log, armedFor(), takeTouches()]).toEqual([['a 10', 'b 50'], undefined, ['disarm']]);
  });

  it('that has disarmed the hardware before the deadline gets it armed again', () => {
    // Early, which the contract rules out: no timer may be lost for that.
    let isArmed = false;
    let handler: ExpiryHandler = () => undefined;
    const arms: bigint[] = [];
    const { clock } = createMachine();
    const timers = createKernelTimers({
      clock,
      createHwTimer: (onExpire) => {
        handler = onExpire;
        return {
          name: 'pit',
          frequency: HZ,
          minInterval: ns(1),
          maxInterval: ns(1000),
          arm: (deadline) => {
            isArmed = true;
            arms.push(deadline);
          },
          disarm: () => (isArmed = false),
          isArmed: () => isArmed,
        };
      },
    });
    const timer = timers.armOneShot(at(10), () => expect.unreachable());
    isArmed = false;
    handler(0n);
    expect([arms, timer.isPending()]).toEqual([[10n, 10n], true]);
  });
});

describe('bad input', () => {
  /** As the console may call it. */
  const untyped = (value: unknown): never => value as never;

  it.each([
    ['a number', 5, TypeError, 'deadline must be a bigint of nanoseconds, not 5 (number)'],
    ['NaN', NaN, TypeError, 'deadline must be a bigint of nanoseconds, not NaN (number)'],
    ['nothing', undefined, TypeError, 'deadline must be a bigint of nanoseconds, not undefined (undefined)'],
    ['a string', '7', TypeError, 'deadline must be a bigint of nanoseconds, not 7 (string)'],
    ['before boot', -1n, RangeError, 'deadline -1 ns is not within 0 to 9223372036854775807 ns'],
    ['after all clocks', 2n ** 63n, RangeError, 'deadline 9223372036854775808 ns is not within 0 to 9223372036854775807 ns'],
  ])('as a deadline is refused: %s', (_name, value, kind, message) => {
    const { takeTouches, timers } = createMachine();
    expect(() => timers.armOneShot(untyped(value), () => undefined)).toThrow(new kind(message));
    expect(() => timers.armPeriodic(untyped(value), ns(10), () => undefined)).toThrow(new kind(`first ${message}`));
    expect([timers.pending(), takeTouches()]).toEqual([0, []]);
  });

  it.each([
    ['a number', 1000, TypeError, 'period must be a bigint of nanoseconds, not 1000 (number)'],
    ['none', 0n, RangeError, 'period 0 ns is not within 500 to 9223372036854775807 ns'],
    ['negative', -1000n, RangeError, 'period -1000 ns is not within 500 to 9223372036854775807 ns'],
    ['too short', 499n, RangeError, 'period 499 ns is not within 500 to 9223372036854775807 ns'],
    ['too long', 2n ** 63n, RangeError, 'period 9223372036854775808 ns is not within 500 to 9223372036854775807 ns'],
  ])('as a period is refused: %s', (_name, value, kind, message) => {
    const { timers } = createMachine({ minInterval: 500 });
    expect(() => timers.armPeriodic(at(0), untyped(value), () => undefined)).toThrow(new kind(message));
    expect(timers.pending()).toBe(0);
  });

  it('leaves an armed timer as it was', () => {
    const { run, takeTouches, timers } = createMachine({ minInterval: 5 });
    const { log, note } = createLog();
    const timer = timers.armPeriodic(at(10), ns(5), note('a'));
    takeTouches();
    expect(() => timer.arm(at(-1))).toThrow(RangeError);
    expect(() => timer.armPeriodic(at(-1), ns(7))).toThrow(RangeError);
    expect(() => timer.armPeriodic(at(7), ns(4))).toThrow(RangeError);
    expect([timer.deadline(), takeTouches()]).toEqual([10n, []]);
    run(15);
    expect(log).toEqual(['a 10', 'a 15']);
  });

  it('as a callback is refused before anything is armed', () => {
    const { timers } = createMachine();
    const message = 'callback must be a function, not undefined (undefined)';
    expect(() => timers.createTimer(untyped(undefined))).toThrow(new TypeError(message));
    expect(() => timers.armOneShot(at(1), untyped(undefined))).toThrow(new TypeError(message));
    expect(() => timers.armPeriodic(at(1), ns(1), untyped(undefined))).toThrow(new TypeError(message));
    expect(timers.pending()).toBe(0);
  });

  it.each([
    ['the hardware timer’s shortest interval', 500, undefined, 500n],
    ['what is wanted, if that is longer', 500, 700n, 700n],
    ['no shorter than the hardware can', 500, 20n, 500n],
    ['a nanosecond, if the hardware claims to do with none', 0, undefined, 1n],
  ])('as a period is what is below %s', (_name, minInterval, wanted, minPeriod) => {
    const { timers } = createMachine({ minInterval, ...(wanted !== undefined && { minPeriod: nanos(wanted) }) });
    expect(timers.minPeriod).toBe(minPeriod);
    timers.armPeriodic(at(0), timers.minPeriod, () => undefined);
    expect(() => timers.armPeriodic(at(0), nanos(minPeriod - 1n), () => undefined)).toThrow(RangeError);
  });

  it('as the shortest period is refused', () => {
    expect(() => createMachine({ minPeriod: ns(0) })).toThrow(new RangeError('minPeriod 0 ns is not positive'));
  });
});

describe('100,000 timers', () => {
  it('are armed, half of them cancelled, and all others run in order', () => {
    const random = createRandom(5);
    const { armedFor, run, timers } = createMachine({ readingNanos: 20, lateNanos: () => random.integer(2000) });
    const ran: number[] = [];
    const all = Array.from({ length: 100_000 }, (_, index) => {
      const deadline = 1 + random.integer(10_000_000);
      return { index, deadline, timer: timers.armOneShot(at(deadline), () => ran.push(index)) };
    });
    const kept = all.filter(({ index, timer }) => index % 2 === 0 || !timer.cancel());
    expect([timers.pending(), kept.length]).toEqual([50_000, 50_000]);
    run(20_000_000);
    // Stable: in order of arming where deadlines are the same.
    expect(ran).toEqual(kept.sort((a, b) => a.deadline - b.deadline).map(({ index }) => index));
    expect([timers.pending(), armedFor()]).toEqual([0, undefined]);
  });
});

/** What kernel timers should do, said as simply as can be: a list, searched from end to end. */
interface ModelTimer {
  readonly id: number;
  deadline: bigint;
  due: bigint;
  order: number;
  period: bigint;
}

/** expect takes its time even when it has nothing to say. */
function check(actual: unknown, expected: unknown): void {
  if (actual !== expected) expect(actual).toBe(expected);
}

describe.each([1, 2, 3, 4, 5, 6])('random operations (seed %i)', (seed) => {
  it('do what a sorted list does', () => {
    const random = createRandom(seed);
    const readingNanos = random.integer(3);
    const machine = createMachine({
      readingNanos,
      lateNanos: () => (random.integer(4) === 0 ? random.integer(200) : random.integer(3)),
      minInterval: 7,
      onOverrun: (timer, deadline, missed) => overruns.push([handles.indexOf(timer), deadline, missed]),
    });
    const { armedFor, clock, hasExpired, interruptStale, pass, takeExpiry, takeTouches, timers } = machine;
    const COUNT = 40;
    const waiting: ModelTimer[] = [];
    let horizon = 0n;
    let order = 0;
    let missedInAll = 0;
    const overruns: unknown[] = [];
    const tally = { ran: 0, missed: 0, thrown: 0, stale: 0, bursts: 0 };

    // Of the expiry under way.
    let now: bigint | undefined;
    let end = 0;
    let runs = 0;

    const sort = (): void => void waiting.sort((a, b) => Number(a.due - b.due) || a.order - b.order);
    const isReady = (timer: ModelTimer | undefined): boolean => timer !== undefined && timer.due <= now! && timer.order < end;

    const handles = Array.from({ length: COUNT }, (_, id) =>
      timers.createTimer((deadline, missed, taken) => {
        runs++;
        const expected = waiting[0]!;
        check(isReady(expected), true);
        let skipped = 0;
        const first = expected.deadline;
        if (expected.period === 0n) {
          waiting.shift();
        } else {
          for (expected.deadline += expected.period; expected.deadline <= now!; expected.deadline += expected.period) skipped++;
          expected.due = expected.deadline;
          sort();
        }
        check(id, expected.id);
        check(deadline, first);
        check(missed, skipped);
        check(typeof taken, 'bigint');
        if (skipped > 0) expect(overruns.pop()).toEqual([id, first, skipped]);
        missedInAll += skipped;
        for (let action = random.integer(4); action > 0; action--) act();
        if (random.integer(50) === 0) throw new Error('of a callback');
      }),
    );

    function act(): void {
      const id = random.integer(COUNT);
      const current = clock.now();
      const kind = random.integer(10);
      const known = waiting.findIndex((timer) => timer.id === id);
      if (kind < 3) {
        check(handles[id]!.cancel(), known >= 0);
        if (known >= 0) waiting.splice(known, 1);
        return;
      }
      // In the past, now, soon (with many ties), later.
      const offsets = [-random.integer(300), 0, random.integer(10), random.integer(300), random.integer(3000)];
      let deadline = current + BigInt(offsets[random.integer(offsets.length)]!);
      if (deadline < 0n) deadline = 0n;
      const period = kind < 8 ? 0n : BigInt(7 + random.integer(200));
      if (period === 0n) handles[id]!.arm(at(deadline));
      else handles[id]!.armPeriodic(at(deadline), ns(period));
      if (known >= 0) waiting.splice(known, 1);
      waiting.push({ id, deadline, period, due: deadline > horizon ? deadline : horizon, order: order++ });
      sort();
    }

    function expire(interrupt: () => unknown): void {
      // The reading that the expiry will get: the first one, which has moved nothing yet.
      now = clock.now() + BigInt(readingNanos);
      horizon = now;
      end = order;
      runs = 0;
      const waited = waiting.length;
      let hasThrown = false;
      try {
        interrupt();
      } catch (error) {
        expect(error).toEqual(new Error('of a callback'));
        hasThrown = true;
        tally.thrown++;
      }
      if (!hasThrown) check(isReady(waiting[0]), false);
      check(runs <= waited, true);
      tally.ran += runs;
      if (runs > 3) tally.bursts++;
      now = undefined;
    }

    for (let step = 0; step < 10_000; step++) {
      const kind = random.integer(10);
      const before = armedFor();
      let wasDisarmed = false;
      takeTouches();
      if (kind < 5) {
        act();
      } else if (kind < 8) {
        pass(random.integer(random.integer(10) === 0 ? 1000 : 100));
      } else if (kind < 9) {
        wasDisarmed = hasExpired();
        if (wasDisarmed) expire(takeExpiry);
      } else {
        tally.stale++;
        expire(interruptStale);
      }
      const after = waiting[0]?.due;
      check(armedFor(), after);
      const known = wasDisarmed ? undefined : before;
      check(takeTouches().join(), after === known ? '' : after === undefined ? 'disarm' : `arm ${after}`);
      check(timers.pending(), waiting.length);
      check(timers.missed(), missedInAll);
      check(overruns.length, 0);
      if (step % 50 === 0) {
        const deadlines = handles.map((handle) => handle.deadline());
        expect(deadlines).toEqual(handles.map((_, id) => waiting.find((timer) => timer.id === id)?.deadline));
        expect(handles.map((handle) => handle.isPending())).toEqual(deadlines.map((deadline) => deadline !== undefined));
      }
    }
    tally.missed = missedInAll;
    // That all of it happened, and not only could have.
    for (const count of Object.values(tally)) expect(count).toBeGreaterThan(20);
  });
});
