/** The 8254, the MC146818A and the PM timer of a guest that loses the CPU, on virtual platform timers of each mode. */
import { describe, expect, it } from 'vitest';
import { PIT_HZ, PIT } from '../regs/i8254.ts';
import { PM_TIMER_HZ } from '../regs/acpi.ts';
import { createSimulatedGuest, type SimulatedGuest } from '../testing/simulated-guest.ts';
import { NANOS_PER_SECOND } from '../time/units.ts';
import { TIMER_MODE_NAMES, TIMER_MODES, type TimerModeName } from './timer-modes.ts';
import { createPit, type Pit } from './vpit.ts';
import { createPmTimer, type PmTimer } from './vpm-timer.ts';
import { createRtc, type Rtc } from './vrtc.ts';

const MILLISECOND = 1_000_000n;
const COUNT = 11_932n; // about 10 ms
const PIT_LINE = 0;
const RTC_LINE = 8;

interface Machine {
  readonly guest: SimulatedGuest;
  readonly pit: Pit;
  readonly rtc: Rtc;
  readonly pmTimer: PmTimer;
  /** Register C as the handler of IRQ 8 saw it. */
  readonly causes: number[];
}

function createMachine(mode: TimerModeName, startTsc = 0n): Machine {
  const guest = createSimulatedGuest({ mode, startTsc });
  const common = { clock: guest.guestTime, createTimer: guest.timers.create, onMisuse: () => undefined };
  const pit = createPit({ ...common, line: guest.line(PIT_LINE) });
  const rtc = createRtc({ ...common, line: guest.line(RTC_LINE), start: { year: 2024, month: 1, day: 1, hour: 0, minute: 0, second: 0 } });
  // Without SCI: the simulated machine takes edges only.
  const pmTimer = createPmTimer({ ...common, line: { ...guest.line(9), setLevel: () => undefined } });
  const causes: number[] = [];
  guest.onInterrupt = (line) => {
    if (line === RTC_LINE) causes.push(readRtc(rtc, 0xc));
  };
  return { guest, pit, rtc, pmTimer, causes };
}

function readRtc(rtc: Rtc, register: number): number {
  rtc.write(0, 1, register);
  return rtc.read(1, 1);
}
function writeRtc(rtc: Rtc, register: number, value: number): void {
  rtc.write(0, 1, register);
  rtc.write(1, 1, value);
}

function program({ pit, rtc }: Machine): void {
  pit.ports.write(PIT.CONTROL, 1, 0x34);
  pit.ports.write(PIT.COUNTER_0, 1, Number(COUNT & 0xffn));
  pit.ports.write(PIT.COUNTER_0, 1, Number(COUNT >> 8n));
  writeRtc(rtc, 0xa, 0x66);
  writeRtc(rtc, 0xb, 0x42);
  writeRtc(rtc, 0xa, 0x29); // 128 Hz
}

/** 200 ms with the CPU, 200 ms without. */
function runInTurns({ guest }: Machine, turns: number): void {
  for (let turn = 0; turn < turns; turn++) {
    guest.runUntil(guest.host() + 200n * MILLISECOND);
    guest.absentUntil(guest.host() + 200n * MILLISECOND);
  }
}

/** Edges of counter 0 up to a guest time. */
const pitEdges = (guestTime: bigint): bigint => ((guestTime * PIT_HZ) / NANOS_PER_SECOND - 1n) / COUNT;
/** Edges of PF at 128 Hz, half a period after the release first. */
const rtcEdges = (guestTime: bigint): bigint => (guestTime * 256n + NANOS_PER_SECOND) / (2n * NANOS_PER_SECOND);

describe.each(TIMER_MODE_NAMES)('in mode %s', (mode) => {
  const { missed } = TIMER_MODES[mode];

  it('ticks are those of guest time, or as many as the mode leaves', () => {
    const machine = createMachine(mode);
    const { guest } = machine;
    guest.goOnUntil(0n);
    program(machine);
    runInTurns(machine, 10);
    // Until it has caught up, and not at a deadline.
    guest.goOnUntil(guest.host() + 5000n * MILLISECOND + 1_234_567n);
    const now = guest.guestTime.now();
    const ticks = (line: number): bigint => BigInt(taken.filter((one) => one.line === line).length);
    const taken = guest.take();
    if (missed === 'all') {
      expect(ticks(PIT_LINE)).toBe(pitEdges(now));
      expect(ticks(RTC_LINE)).toBe(rtcEdges(now));
    } else {
      // Of each absence of 200 ms: none, or one, of its 20 (and 25.6).
      const most = missed === 'one' ? 10n : 0n;
      expect(pitEdges(now) - ticks(PIT_LINE)).toBeGreaterThanOrEqual(10n * 20n - 10n - most);
      expect(pitEdges(now) - ticks(PIT_LINE)).toBeLessThanOrEqual(10n * 21n);
      expect(rtcEdges(now) - ticks(RTC_LINE)).toBeGreaterThanOrEqual(10n * 25n - 10n - most);
      expect(rtcEdges(now) - ticks(RTC_LINE)).toBeLessThanOrEqual(10n * 26n);
    }
    expect(machine.causes.every((cause) => (cause & 0xc0) === 0xc0)).toBe(true);
  });

  it('the clocks agree with guest time after 100 seconds of turns, and ticks are on the beat', () => {
    const machine = createMachine(mode);
    const { guest, pit, rtc, pmTimer } = machine;
    guest.goOnUntil(0n);
    program(machine);
    runInTurns(machine, 250);
    guest.goOnUntil(guest.host() + 100n * MILLISECOND);
    const now = guest.guestTime.now();
    const clk = (now * PIT_HZ) / NANOS_PER_SECOND;
    pit.ports.write(PIT.CONTROL, 1, 0x00);
    expect(pit.ports.read(0, 1) | (pit.ports.read(0, 1) << 8)).toBe(Number(COUNT - ((clk - 1n) % COUNT)));
    expect(pmTimer.counter()).toBe(Number(((now * PM_TIMER_HZ) / NANOS_PER_SECOND) % (1n << 32n)));
    // Released at 0: the first update ended at 501.984 ms.
    const seconds = Number((now - 501_984_000n) / NANOS_PER_SECOND + 1n);
    const encode = (value: number): number => Math.floor(value / 10) * 16 + (value % 10);
    expect([readRtc(rtc, 2), readRtc(rtc, 0)]).toEqual([encode(Math.floor(seconds / 60)), encode(seconds % 60)]);

    guest.take();
    guest.goOnUntil(guest.host() + 5000n * MILLISECOND);
    const last = guest.take().filter(({ line }) => line === PIT_LINE);
    // Caught up by now: 100 ns after its deadline each is in its handler, or after that of the RTC.
    for (const { guest: at } of last.slice(-100)) {
      const edge = pitEdges(at);
      expect(at - ((edge * COUNT + 1n) * NANOS_PER_SECOND + PIT_HZ - 1n) / PIT_HZ).toBeLessThanOrEqual(200n);
    }
  });

  it('a round trip of everything in the midst of an absence changes nothing', () => {
    const machine = createMachine(mode);
    machine.guest.goOnUntil(0n);
    program(machine);
    runInTurns(machine, 3);
    const { guest, pit, rtc, pmTimer } = machine;
    const saved = structuredClone({ guest: guest.save(), pit: pit.save(), rtc: rtc.save(), pmTimer: pmTimer.save() });

    const other = createMachine(mode, guest.host());
    // Guest time first, then devices, then what their timers owe, which is part of the guest's here: so the guest twice.
    other.guest.restore(saved.guest);
    other.pit.restore(saved.pit);
    other.rtc.restore(saved.rtc);
    other.pmTimer.restore(saved.pmTimer);
    other.guest.timers.restore(saved.guest.timers);

    guest.take();
    machine.causes.length = 0;
    for (const one of [machine, other]) {
      runInTurns(one, 3);
      one.guest.goOnUntil(one.guest.host() + 3000n * MILLISECOND);
    }
    expect(other.guest.take()).toEqual(guest.take());
    expect(other.causes).toEqual(machine.causes);
    expect(other.rtc.save()).toEqual(machine.rtc.save());
    expect(other.pit.save()).toEqual(machine.pit.save());
    expect(other.guest.timers.accounts().map(({ name }) => name)).toEqual(guest.timers.accounts().map(({ name }) => name));
  });
});

describe.each(TIMER_MODE_NAMES.filter((mode) => TIMER_MODES[mode].missed === 'all'))(
  'with all missed ticks delivered, in mode %s',
  (mode) => {
    it('owed ticks of the RTC wait until its handler has read Register C, which takes a while', () => {
      const machine = createMachine(mode);
      const { guest, rtc } = machine;
      let isAsking = false;
      guest.onInterrupt = (line) => {
        if (line === RTC_LINE) isAsking = true;
      };
      guest.goOnUntil(0n);
      program(machine);
      /** With the CPU for 200 ms; a handler reads Register C at the end of the 100 us in which the interrupt came. */
      function run(): void {
        for (let slice = 0; slice < 2000; slice++) {
          guest.goOnUntil(guest.host() + MILLISECOND / 10n);
          if (isAsking) readRtc(rtc, 0xc);
          isAsking = false;
        }
      }
      for (let turn = 0; turn < 4; turn++) {
        run();
        guest.runUntil(guest.host());
        guest.absentUntil(guest.host() + 200n * MILLISECOND);
      }
      for (let turn = 0; turn < 10; turn++) run();
      expect(BigInt(guest.take().filter(({ line }) => line === RTC_LINE).length)).toBe(rtcEdges(guest.guestTime.now()));
      expect(guest.timers.accounts().find(({ name }) => name === 'rtc')).toMatchObject({ merged: 0, lost: 0, dropped: 0 });
    });
  },
);
