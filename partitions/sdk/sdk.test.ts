/** The SDK against a fake hypervisor that takes the CPU away at the worst moments. */
import { describe, expect, it } from 'vitest';
import { CONSOLE_MAX, ERROR, HYPERCALL, LINE, PARTITION_STATE, TIMERS_MAX } from '../../kernel/partition/abi.ts';
import { HEALTH_EVENTS } from '../../kernel/partition/system.ts';
import { instant, micros, millis, nanos } from '../../kernel/time/units.ts';
import { HypercallError } from './errors.ts';
import { openPartition } from './partition.ts';
import { createTime } from './time.ts';
import { createFakeHypervisor, type FakeOptions } from './testing/fake-hypervisor.ts';

/** 2 ms in each 10 ms, from 3 ms on. */
const SLOTS = { frame: 10_000_000n, start: 3_000_000n, duration: 2_000_000n } as const;

function open(options: FakeOptions = {}) {
  const fake = createFakeHypervisor(options);
  return { fake, partition: openPartition(fake.shims) };
}

describe('openPartition', () => {
  it('tells what the hypervisor says of the partition', () => {
    const { partition } = open({ ticksPerMicrosecond: 2_500n });
    expect(partition).toMatchObject({ name: 'fake', number: 3, tscKilohertz: 2_500_000 });
  });
  it('refuses another hypervisor, and another version', () => {
    expect(() => open({ signature: 'KVMKVMKVM\0\0\0' })).toThrow(/no Chronovisor below.*system file/);
    expect(() => open({ version: 2 })).toThrow(/version 2 .* this program 1/);
  });
});

describe('time', () => {
  it.each([1_000n, 3_400n, 2_593n])(
    'agrees with the hypervisor at %d ticks per microsecond, and never goes back',
    (ticksPerMicrosecond) => {
      const { fake, partition } = open({ ...SLOTS, step: 1_013n, ticksPerMicrosecond });
      let last = -1n;
      let worst = 0n;
      let backward = 0;
      for (let turn = 0; turn < 25_000; turn++) {
        const time = partition.time.now();
        const difference = time > fake.now() ? time - fake.now() : fake.now() - time;
        if (difference > worst) worst = difference;
        if (time < last) backward++;
        last = time;
      }
      // A multiplier of 32 bits and a TSC of whole ticks: a few ns over a slot of 2 ms.
      expect(worst).toBeLessThanOrEqual(3n);
      expect(backward).toBe(0);
      expect(fake.now()).toBeGreaterThan(10n * SLOTS.frame);
    },
  );
  it('counts on EXEC only what the slots ran, though the CPU is lost between any two readings', () => {
    const { fake, partition } = open({ ...SLOTS, step: 331n });
    let wrong = 0;
    for (let turn = 0; turn < 50_000; turn++) if (partition.time.executed() !== fake.executed()) wrong++;
    expect(wrong).toBe(0);
    expect(fake.now()).toBeGreaterThan(4n * fake.executed());
  });
  it.each([1_000n, 3_400n, 2_593n])(
    'knows the first tick at which an instant is reached, at %d ticks per microsecond',
    (ticksPerMicrosecond) => {
      const { fake, partition } = open({ ...SLOTS, ticksPerMicrosecond });
      fake.work(1_234n);
      for (const ahead of [0n, 1n, 7n, 999n, 500_000n]) {
        const at = instant(fake.now() + ahead);
        const tick = partition.time.tscAt(at);
        const clock = (tsc: bigint): bigint => createTime(fake.shims.physicalView(0x100_0000, 4096), () => tsc).now();
        expect(clock(tick)).toBeGreaterThanOrEqual(at);
        expect(clock(tick - 1n)).toBeLessThan(at);
      }
    },
  );
  it('adds the wall offset to HW', () => {
    const { partition, fake } = open({ wallAtEpoch: 1_767_225_600_000_000_000n });
    fake.work(12_345n);
    expect(partition.time.wall()).toBe(1_767_225_600_000_012_345n);
  });
  it('stands while the clock is frozen, and sees the thaw', () => {
    const { partition, fake } = open({ step: 100n });
    const before = partition.time.now();
    fake.freeze(true);
    const frozen = partition.time.now();
    expect(partition.time.now()).toBe(frozen);
    expect(frozen).toBeGreaterThanOrEqual(before);
    fake.freeze(false);
    expect(partition.time.now()).toBeGreaterThan(frozen);
  });
  it('tells the running slot', () => {
    const { partition, fake } = open(SLOTS);
    expect([partition.time.slotStart(), partition.time.slotEnd(), partition.time.frame()]).toEqual([3_000_000n, 5_000_000n, 0]);
    fake.work(2_500_000n);
    expect([partition.time.slotStart(), partition.time.slotEnd(), partition.time.frame()]).toEqual([13_000_000n, 15_000_000n, 1]);
  });
  it('makes no hypercall', () => {
    const { partition, fake } = open();
    const before = fake.calls.length;
    partition.time.now();
    partition.time.executed();
    partition.time.wall();
    expect(fake.calls.length).toBe(before);
  });
});

describe('timers', () => {
  it('a one-shot calls once, at its deadline, and is not armed then', () => {
    const { partition, fake } = open();
    const seen: unknown[] = [];
    const timer = partition.timers.create('hw', (deadline, missed) => {
      seen.push([deadline, missed, fake.now(), timer.isArmed()]);
      partition.stop();
    });
    timer.armAt(instant(7_000n));
    expect(timer.isArmed()).toBe(true);
    partition.run();
    expect(seen).toEqual([[7_000n, 0, 7_000n, false]]);
  });
  it('a deadline that has passed calls at once', () => {
    const { partition, fake } = open();
    fake.work(9_000n);
    const seen: bigint[] = [];
    partition.timers.create('hw', (deadline) => seen.push(deadline)).armAt(instant(100n));
    partition.events.wait();
    expect([seen, fake.now()]).toEqual([[100n], 9_000n]);
  });
  it('a periodic one has no drift after 100,000 periods, though each callback takes time', () => {
    const { partition, fake } = open();
    let count = 0;
    const timer = partition.timers.create('hw', (deadline, missed) => {
      count += 1 + missed;
      expect(deadline).toBe(500n + BigInt(count - 1) * 50_000n);
      fake.work(BigInt(count % 7) * 5_000n);
      if (count === 100_000) partition.stop();
    });
    timer.armEvery(instant(500n), micros(50));
    partition.run();
    expect(count).toBe(100_000);
  });
  it('tells how many expiries fell outside of the slots, and the latest of them', () => {
    const { partition } = open(SLOTS);
    const seen: [bigint, number][] = [];
    const timer = partition.timers.create('hw', (deadline, missed) => {
      seen.push([deadline, missed]);
      if (seen.length === 4) partition.stop();
    });
    timer.armEvery(instant(3_500_000n), millis(1));
    partition.run();
    // 3.5, 4.5 in the slot; 5.5 to 12.5 while others ran; then 13.5.
    expect(seen).toEqual([
      [3_500_000n, 0],
      [4_500_000n, 0],
      [12_500_000n, 7],
      [13_500_000n, 0],
    ]);
  });
  it('a timer on EXEC waits for the partition to have run', () => {
    const { partition, fake } = open(SLOTS);
    const timer = partition.timers.create('exec', () => partition.stop());
    timer.armAt(instant(3_000_000n));
    partition.run();
    expect([fake.executed(), fake.now()]).toEqual([3_000_000n, 14_000_000n]);
  });
  it('cancelled, it does not call, not even if it has expired meanwhile', () => {
    const { partition, fake } = open();
    const cancelled = partition.timers.create('hw', () => expect.unreachable());
    const other = partition.timers.create('hw', () => partition.stop());
    cancelled.armAt(instant(1_000n));
    fake.work(5_000n);
    cancelled.cancel();
    other.armAt(instant(9_000n));
    partition.run();
    expect(cancelled.isArmed()).toBe(false);
  });
  it('armed anew, the old deadline does not count, not even if it has passed', () => {
    const { partition, fake } = open();
    const seen: bigint[] = [];
    const timer = partition.timers.create('hw', (deadline) => {
      seen.push(deadline);
      partition.stop();
    });
    timer.armAt(instant(1_000n));
    fake.work(2_000n);
    timer.armAt(instant(50_000n));
    partition.run();
    expect([seen, fake.now()]).toEqual([[50_000n], 50_000n]);
  });
  it('armed anew, the old deadline does not count, not even if it passes in the middle of that', () => {
    const { partition, fake } = open({ callCost: 500n });
    const seen: bigint[] = [];
    const timer = partition.timers.create('hw', () => {
      seen.push(fake.now());
      partition.stop();
    });
    timer.armAt(instant(2_000n));
    fake.work(700n);
    timer.armAt(instant(50_000n));
    partition.run();
    expect(seen).toEqual([50_000n]);
  });
  it('may be armed, cancelled and released by callbacks', () => {
    const { partition } = open();
    const seen: string[] = [];
    const late = partition.timers.create('hw', () => seen.push('late'));
    const early = partition.timers.create('hw', () => {
      seen.push('early');
      late.release();
      early.armAt(instant(2_000n));
      if (seen.length === 2) partition.stop();
    });
    early.armAt(instant(1_000n));
    late.armAt(instant(1_000n));
    partition.run();
    // `late` was created first, and so told first.
    expect(seen).toEqual(['late', 'early']);
    expect(() => late.armAt(instant(1n))).toThrow(/released/);
  });
  it('gives numbers back, and says when there are no more', () => {
    const { partition } = open();
    const timers = Array.from({ length: TIMERS_MAX }, () => partition.timers.create('exec', () => undefined));
    expect(() => partition.timers.create('hw', () => undefined)).toThrow(/all 512 timers/);
    timers[17]!.release();
    expect(() => partition.timers.create('hw', () => undefined)).not.toThrow();
  });
  it('is not armed when the hypervisor refuses it, and the error says what was asked for', () => {
    const { partition } = open();
    const timer = partition.timers.create('hw', () => undefined);
    expect(() => timer.armAt(instant(-5n))).toThrow(/SET_TIMER \(timer 0 on clock hw, deadline -5 ns.*INVALID/);
    expect(timer.isArmed()).toBe(false);
    expect(() => timer.armEvery(instant(0n), nanos(0n))).toThrow(/period 0 ns/);
    expect(() => timer.armEvery(instant(0n), nanos(49_999n))).toThrow(/period 49999 ns: expected at least 50000/);
  });
});

describe('events', () => {
  it('delivers only lines with a handler, and keeps the others', () => {
    const { partition, fake } = open();
    const seen: string[] = [];
    fake.raise(20);
    fake.raise(9);
    partition.events.on(9, () => {
      seen.push('nine');
      partition.events.on(20, () => {
        seen.push('twenty');
        partition.stop();
      });
    });
    partition.run();
    expect(seen).toEqual(['nine', 'twenty']);
  });
  it('line 31 is a line like the others', () => {
    const { partition, fake } = open();
    partition.events.on(31, () => partition.stop());
    fake.raise(31);
    partition.run();
    expect(fake.calls.at(-1)).toEqual({ number: HYPERCALL.SET_ENABLED, words: [0x8000_0000n, 0n, 0n, 0n] });
  });
  it('refuses a second handler and lines that do not exist', () => {
    const { partition } = open();
    partition.events.on(8, () => undefined);
    expect(() => partition.events.on(8, () => undefined)).toThrow(/line 8 has a handler/);
    expect(() => partition.events.on(32, () => undefined)).toThrow(/line 32/);
    partition.events.off(8);
    expect(() => partition.events.on(8, () => undefined)).not.toThrow();
  });
});

describe('console', () => {
  it('ends each line, and keeps those that are in one text apart', () => {
    const { partition, fake } = open();
    partition.console.line('one\ntwo');
    partition.console.line('');
    partition.console.line('é');
    partition.console.line('x'.repeat(256));
    expect(fake.consoleText).toBe(`one\ntwo\n\né\n${'x'.repeat(255)}\nx\n`);
  });
  it('cuts what is longer than a call takes, but no character', () => {
    const { partition, fake } = open();
    partition.console.line('é'.repeat(300));
    const lines = fake.consoleText.split('\n').slice(0, -1);
    expect(lines.map((line) => line.length)).toEqual([127, 127, 46]);
    expect(lines.join('')).toBe('é'.repeat(300));
    for (const { words } of fake.calls.filter(({ number }) => number === HYPERCALL.CONSOLE))
      expect(words[1]).toBeLessThanOrEqual(BigInt(CONSOLE_MAX));
  });
  it('counts what the console has no room for instead of throwing', () => {
    const { partition, fake } = open({ consoleQuota: 10 });
    partition.console.line('12345678');
    partition.console.line('12');
    expect([fake.consoleText, partition.console.lost()]).toEqual(['12345678\n', 1]);
  });
});

describe('ports', () => {
  const channels = [
    { kind: 'queuing', from: 'out', to: 'in', size: 16, depth: 3 },
    { kind: 'sampling', from: 'speed out', to: 'speed in', size: 8, validity: 1_000n },
  ] as const;

  it('a queue gives each message once, in order, and says when it is full or empty', () => {
    const { partition } = open({ channels });
    const writer = partition.ports.writer('out', 16);
    const reader = partition.ports.queuing('in', 16);
    const sent = [1n, 2n, 3n, 4n].map((value) => {
      writer.view.setBigInt64(0, value, true);
      return writer.write(8);
    });
    expect(sent).toEqual([true, true, true, false]);
    const got = [1, 2, 3, 4].map(() => reader.read()?.getBigInt64(0, true));
    expect(got).toEqual([1n, 2n, 3n, undefined]);
  });
  it('messages have the length that was written', () => {
    const { partition } = open({ channels });
    const writer = partition.ports.writer('out', 16);
    const reader = partition.ports.queuing('in', 16);
    for (const length of [3, 16, 0]) writer.write(length);
    expect([reader.read()?.byteLength, reader.read()?.byteLength, reader.read()?.byteLength]).toEqual([3, 16, 0]);
  });
  it('calls back for each message, also for those that were there before', () => {
    const { partition } = open({ channels });
    const writer = partition.ports.writer('out', 16);
    const seen: number[] = [];
    const send = (value: number): void => {
      writer.view.setUint8(0, value);
      writer.write(1);
    };
    send(1);
    send(2);
    partition.ports.queuing('in', 16).onMessage((message) => seen.push(message.getUint8(0)));
    expect(seen).toEqual([1, 2]);
    send(3);
    send(4);
    partition.events.wait();
    expect(seen).toEqual([1, 2, 3, 4]);
  });
  it('a sample stays, and loses its validity', () => {
    const { partition, fake } = open({ channels });
    const writer = partition.ports.writer('speed out', 8);
    const reader = partition.ports.sampling('speed in', 8);
    expect(reader.read()).toBeUndefined();
    writer.view.setFloat64(0, 88.5, true);
    writer.write(8);
    expect([reader.read()?.getFloat64(0, true), reader.isValid()]).toEqual([88.5, true]);
    fake.work(1_001n);
    expect([reader.read()?.getFloat64(0, true), reader.isValid()]).toEqual([88.5, false]);
  });
  it('names the port in its errors', () => {
    const { partition } = open({ channels });
    expect(() => partition.ports.writer('nowhere', 8)).toThrow(/PORT_OPEN \(port nowhere\): NONE .*system file/);
    expect(() => partition.ports.writer('in', 8).write(8)).toThrow(/PORT_WRITE \(port in, 8 bytes\): STATE/);
    expect(() => partition.ports.writer('out', 8).write(9)).toThrow(/opened for 8/);
  });
});

describe('health and watchdog', () => {
  it('reads all of the log, however few entries a call gives', () => {
    const { partition, fake } = open();
    for (let index = 0; index < 5; index++)
      fake.healthLog.push([BigInt(index) * 100n, 2n, BigInt(HEALTH_EVENTS.indexOf('watchdog')), 3n, 77n]);
    const log = partition.health.readLog();
    expect(log.map(({ at }) => at)).toEqual([0n, 100n, 200n, 300n, 400n]);
    expect(log[4]).toEqual({ at: 400n, partition: 2, event: 'watchdog', action: 'suspend', detail: 77n });
    expect(partition.health.readLog()).toEqual([]);
  });
  it('raises, kicks and stops', () => {
    const { partition, fake } = open();
    partition.health.raise(42);
    partition.watchdog.kick(millis(5));
    partition.watchdog.stop();
    expect(fake.calls.slice(-3).map(({ number, words }) => [number, words[0]])).toEqual([
      [HYPERCALL.RAISE_HEALTH, 42n],
      [HYPERCALL.WATCHDOG, 5_000_000n],
      [HYPERCALL.WATCHDOG, 0n],
    ]);
    expect(() => partition.watchdog.kick(micros(0))).toThrow(/period 0 ns/);
  });
  it('hears of a propagated event', () => {
    const { partition, fake } = open();
    partition.health.onPropagated(() => partition.stop());
    fake.raise(LINE.HEALTH);
    partition.run();
  });
});

describe('management', () => {
  it('names what it asks for', () => {
    const { partition, fake } = open();
    const other = partition.management.partition(1);
    other.suspend();
    other.resume();
    other.reset('warm');
    other.halt();
    other.sendInterrupt(8);
    other.offsetClock(nanos(-5n));
    partition.management.switchPlan(2);
    expect(fake.calls.map(({ number, words }) => [number, ...words.slice(0, 3)])).toEqual([
      [HYPERCALL.SUSPEND, 1n, 0n, 0n],
      [HYPERCALL.RESUME, 1n, 0n, 0n],
      [HYPERCALL.RESET, 1n, 1n, 0n],
      [HYPERCALL.HALT, 1n, 0n, 0n],
      [HYPERCALL.SEND_INTERRUPT, 1n, 8n, 0n],
      [HYPERCALL.CONTROL_CLOCK, 1n, 2n, -5n],
      [HYPERCALL.SWITCH_PLAN, 2n, 0n, 0n],
    ]);
    expect(() => other.sendInterrupt(7)).toThrow(/line 7/);
  });
  it('reads a status', () => {
    const { partition, fake } = open();
    fake.status.push(BigInt(PARTITION_STATE.SUSPENDED), 10n, 20n, 30n, 40n, 50n, 60n, 70n);
    expect(partition.self.status()).toEqual({
      state: 'suspended',
      hwClock: 10n,
      execClock: 20n,
      resets: 30,
      exits: 40,
      slots: 50,
      lateSlots: 60,
      hypercalls: 70,
    });
  });
});

describe('errors', () => {
  it.each(Object.entries(ERROR).filter(([, status]) => status !== ERROR.OK))('%s says which call it was and what to do', (name, status) => {
    const { partition, fake } = open();
    fake.refuse(HYPERCALL.SUSPEND, status);
    try {
      partition.management.partition(5).suspend();
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(HypercallError);
      expect(error).toMatchObject({ name: 'HypercallError', call: 'SUSPEND', error: name, status });
      expect((error as Error).message).toMatch(/^hypercall SUSPEND \(partition 5\): \w+ \(-\d\): .{20,}/);
    }
  });
});

describe('memory', () => {
  it('gives pieces that do not overlap, and says when nothing is left', () => {
    const { partition } = open();
    const pieces = Array.from({ length: 20 }, (_, index) => partition.memory.allocate(index * 13 + 1));
    const sorted = pieces.map(({ address, buffer }) => [address, address + buffer.byteLength] as const).sort(([a], [b]) => a - b);
    for (let index = 1; index < sorted.length; index++) expect(sorted[index]![0]).toBeGreaterThanOrEqual(sorted[index - 1]![1]);
    expect(() => partition.memory.allocate(0x100_0000)).toThrow(/bytes wanted, \d+ are free/);
    expect(() => partition.memory.allocate(NaN)).toThrow(/NaN/);
  });
});
