/** The composed platform: the local APIC's cases on its bus, with its platform timers, in every timer mode. */
import { describe, expect, it } from 'vitest';
import { testConformance } from '../../test/conformance.ts';
import { PLATFORM_PORTS } from '../partition/system.ts';
import { LAPIC, LAPIC_ADDRESS, LVT, TSC_DEADLINE_MSR } from '../regs/local-apic.ts';
import { frequency } from '../time/frequency.ts';
import { NANOS_PER_SECOND, nanos } from '../time/units.ts';
import type { InterruptTarget } from './conformance/interrupt-target.ts';
import { LAPIC_CASES, prepareLapic } from './conformance/lapic.ts';
import { createPlatform } from './platform.ts';
import { TIMER_MODE_NAMES, type TimerModeName } from './timer-modes.ts';

/** Host TSC at which the guest begins. */
const START = 5000n;
const unused = (): never => {
  throw new Error('no case of the local APIC asks for this');
};

/** A guest that always runs, and takes interrupts when it is told to. */
function createTarget(timerMode: TimerModeName, tscHz = 1_000_000_000n): InterruptTarget & { pass(tscTicks: bigint): void } {
  let nmis = 0;
  let now = START;
  const platform = createPlatform({
    tscFrequency: frequency(tscHz, 1n, 'architectural', 'test'),
    timerMode,
    setsOnThaw: true,
    setsOnPost: true,
    era: 'today',
    hpet: undefined,
    date: 0,
    memoryBytes: 1 << 20,
    hasLineDriver: false,
    ports: PLATFORM_PORTS,
    onLine: () => undefined,
    onMisuse: (_device, what) => {
      if (what.startsWith('an NMI')) nmis++;
    },
    onTick: () => undefined,
    isInterruptible: () => true,
    onReset: () => undefined,
    onSleep: () => undefined,
  });
  platform.begin(START);
  platform.beforeRun(START);

  return {
    kind: 'guest',
    busHz: 1_000_000_000n,
    slack: nanos(0n),
    in: platform.in,
    out: platform.out,
    read: (address, width) => platform.deviceAt(address >>> 12).read(address & 0xfff, width),
    write: (address, width, value) => platform.deviceAt(address >>> 12).write(address & 0xfff, width, value),
    now: () => platform.clock.now(),
    waitUntil: (at) => {
      const until = START + (at * tscHz + NANOS_PER_SECOND - 1n) / NANOS_PER_SECOND;
      for (let due = platform.dueTsc(); due <= until; due = platform.dueTsc()) {
        if (due > now) now = due;
        platform.setTsc(now);
      }
      now = until;
      platform.setTsc(now);
    },
    pass: (count) => {
      now += count;
      platform.setTsc(now);
    },
    watch: unused,
    takeInterrupts: unused,
    takeVector: () => (platform.isRequesting() ? platform.acknowledge() : -1),
    takeNmis: () => {
      const taken = nmis;
      nmis = 0;
      return taken;
    },
    readMsr: (index) => platform.readMsr(index) ?? unused(),
    writeMsr: (index, value) => platform.writeMsr(index, value) ?? unused(),
    readCr8: platform.readCr8,
    writeCr8: platform.writeCr8,
  };
}

describe.each(TIMER_MODE_NAMES)('in mode %s', (mode) => {
  testConformance(LAPIC_CASES, () => createTarget(mode));
});

describe('with a TSC of no whole number of ticks in a nanosecond', () => {
  const tscHz = 2_399_999_999n;
  testConformance(LAPIC_CASES, () => createTarget('no_missed_ticks_pending', tscHz));

  it('a deadline of the TSC interrupts in the nanosecond of the tick that it names, and in no tick before', () => {
    for (let ahead = 100n; ahead < 150n; ahead++) {
      const target = createTarget('no_missed_ticks_pending', tscHz);
      prepareLapic(target);
      target.write(LAPIC_ADDRESS + LAPIC.LVT_TIMER, 4, BigInt(LVT.TIMER_TSC_DEADLINE | 0x40));
      const deadline = target.readMsr(0x10) + ahead;
      target.writeMsr(TSC_DEADLINE_MSR, deadline);
      let vector = -1;
      while (vector < 0) {
        target.pass(1n);
        vector = target.takeVector();
      }
      const late = target.readMsr(0x10) - deadline;
      expect([vector, late >= 0n && late * NANOS_PER_SECOND < tscHz]).toEqual([0x40, true]);
    }
  });
});
