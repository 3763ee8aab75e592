/** The composed platform: the local APIC's cases on its bus, with its platform timers, in every timer mode. */
import { describe } from 'vitest';
import { testConformance } from '../../test/conformance.ts';
import { PLATFORM_PORTS } from '../partition/system.ts';
import { frequency } from '../time/frequency.ts';
import { nanos } from '../time/units.ts';
import type { InterruptTarget } from './conformance/interrupt-target.ts';
import { LAPIC_CASES } from './conformance/lapic.ts';
import { createPlatform } from './platform.ts';
import { TIMER_MODE_NAMES, type TimerModeName } from './timer-modes.ts';

/** Host TSC at which the guest begins; a tick is a nanosecond. */
const START = 5000n;
const unused = (): never => {
  throw new Error('no case of the local APIC asks for this');
};

/** A guest that always runs, and takes interrupts when it is told to. */
function createTarget(timerMode: TimerModeName): InterruptTarget {
  let nmis = 0;
  const platform = createPlatform({
    tscFrequency: frequency(1_000_000_000n, 1n, 'architectural', 'test'),
    timerMode,
    setsOnThaw: true,
    setsOnPost: true,
    hpet: undefined,
    date: 0,
    memoryBytes: 1 << 20,
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
      const until = at + START;
      for (let due = platform.dueTsc(); due <= until; due = platform.dueTsc()) {
        const now = platform.clock.now() + START;
        platform.setTsc(due > now ? due : now);
      }
      platform.setTsc(until);
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
