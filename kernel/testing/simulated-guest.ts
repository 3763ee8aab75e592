/**
 * A guest's virtual time on a simulated host: guest time, platform timers, a vHPET, and a CPU that takes an interrupt some time after it was
 * raised while it runs. What the guest sees is recorded on its own clock. All is state that can be put away (save).
 */
import { frequency, type Frequency } from '../time/frequency.ts';
import { REQUEST, type InterruptLine } from '../vdev/device.ts';
import { createGuestTime, type GuestTime, type GuestTimeOptions, type GuestTimeState } from '../vdev/guest-time.ts';
import { createPlatformTimers, type PlatformTimers, type PlatformTimersState } from '../vdev/platform-timers.ts';
import { createHostTimers } from '../vdev/rules-2007.ts';
import type { TimerModeName } from '../vdev/timer-modes.ts';
import { createVhpet, type Vhpet, type VhpetState } from '../vdev/vhpet.ts';

export interface SimulatedGuestOptions extends Partial<Omit<GuestTimeOptions, 'hostTsc' | 'mode'>> {
  readonly mode: TimerModeName;
  readonly rules2007?: boolean;
  readonly backlogMax?: number;
  /** COUNTER_CLK_PERIOD. */
  readonly periodFs?: number;
  /** From an interrupt, or the moment at which it can be taken, to its handler. */
  readonly takeTicks?: bigint;
}

export interface Taken {
  readonly line: number;
  readonly host: bigint;
  /** Guest time in its handler, in ticks. */
  readonly guest: bigint;
}

interface PendingState {
  readonly lines: readonly number[];
  readonly areOff: boolean;
  readonly guestTime: GuestTimeState;
  readonly timers: PlatformTimersState;
  readonly vhpet: VhpetState;
}

export interface SimulatedGuest {
  readonly guestTime: GuestTime;
  readonly timers: PlatformTimers;
  readonly vhpet: Vhpet;
  /** What it has taken since this was last asked. */
  take(): readonly Taken[];
  line(number: number): InterruptLine;
  /** Called by the handler of any line. */
  onInterrupt: (line: number) => void;
  /** Edges of a masked line are dropped. */
  setMasked(line: number, isMasked: boolean): void;
  /** RFLAGS.IF. */
  setInterruptsOff(areOff: boolean): void;
  host(): bigint;
  /** The vCPU has the CPU until then, and loses it. */
  runUntil(host: bigint): void;
  /** It has the CPU until then, and keeps it. */
  goOnUntil(host: bigint): void;
  absentUntil(host: bigint): void;
  save(): PendingState;
  /** Into a new one with the same options, whose host TSC may be another. */
  restore(state: PendingState): void;
}

export const ONE_GIGAHERTZ: Frequency = frequency(1_000_000_000n, 1n, 'architectural', 'simulated');

export function createSimulatedGuest(options: SimulatedGuestOptions): SimulatedGuest {
  const { mode, rules2007 = false, backlogMax, periodFs = 10_000_000, takeTicks = 100n, startTsc = 0n } = options;
  let host = startTsc;
  let areOff = false;
  let isRunning = false;
  let pending: { readonly line: number; acknowledged: (() => void) | undefined }[] = [];
  let taken: Taken[] = [];
  const masked = new Set<number>();
  const guestTime = createGuestTime({ frequency: ONE_GIGAHERTZ, startTsc, ...options, hostTsc: () => host });
  const timers = createPlatformTimers({ guestTime, mode, ...(backlogMax === undefined ? {} : { backlogMax }) });
  const hostTimers = createHostTimers(guestTime);

  const line = (number: number): InterruptLine => ({
    pulse: (acknowledged) => {
      if (masked.has(number)) return REQUEST.DROPPED;
      if (pending.some((one) => one.line === number)) return REQUEST.MERGED;
      pending.push({ line: number, acknowledged });
      return REQUEST.ACCEPTED;
    },
    setLevel: () => {
      throw new Error('this machine takes edges only');
    },
    reclaim: (acknowledged) => {
      const found = pending.find((one) => one.line === number);
      if (found) found.acknowledged = acknowledged;
      return found !== undefined;
    },
  });

  const vhpet = createVhpet({
    clock: guestTime,
    createTimer: rules2007 ? hostTimers.create : timers.create,
    input: line,
    legacy: { irq0: line(0), irq8: line(8) },
    periodFs,
  });

  const dueTsc = (): bigint => {
    const [own, hosts] = [timers.dueTsc(), hostTimers.dueTsc()];
    return own < hosts ? own : hosts;
  };
  function deliver(): void {
    while (dueTsc() <= host) {
      hostTimers.deliver(host);
      timers.deliver(host);
    }
  }

  function goOnUntil(end: bigint): void {
    if (!isRunning) timers.beforeRun(host);
    isRunning = true;
    for (;;) {
      deliver();
      if (pending.length > 0 && !areOff) {
        if (host + takeTicks > end) break;
        host += takeTicks;
        const first = pending.shift()!;
        first.acknowledged?.();
        taken.push({ line: first.line, host, guest: guestTime.at(host) });
        own.onInterrupt(first.line);
        continue;
      }
      const due = dueTsc();
      if (due > end) break;
      if (due > host) host = due;
    }
    host = end;
  }

  const own: SimulatedGuest = {
    guestTime,
    timers,
    vhpet,
    take: () => {
      const seen = taken;
      taken = [];
      return seen;
    },
    line,
    onInterrupt: () => undefined,
    setMasked: (number, isMasked) => {
      if (isMasked) masked.add(number);
      else masked.delete(number);
    },
    setInterruptsOff: (off) => {
      areOff = off;
    },
    host: () => host,
    goOnUntil,
    runUntil: (end) => {
      goOnUntil(end);
      isRunning = false;
      timers.afterRun(host);
    },
    absentUntil: (end) => {
      host = end;
    },
    save: () => ({
      lines: pending.map((one) => one.line),
      areOff,
      guestTime: guestTime.save(host),
      timers: timers.save(),
      vhpet: vhpet.save(),
    }),
    restore: (state) => {
      pending = state.lines.map((number) => ({ line: number, acknowledged: undefined }));
      areOff = state.areOff;
      guestTime.restore(state.guestTime, host);
      vhpet.restore(state.vhpet);
      timers.restore(state.timers);
      isRunning = !timers.isAbsent();
    },
  };
  return own;
}
