/**
 * The scheduler: cyclic plans on absolute instants. "Lead, don't chase": a slot is left by a lead before the next one begins, the next
 * partition is prepared in that time, and the world switch waits for the nominal instant. The same holds for virtual timers inside a slot.
 * An exit that comes too late in a slot to be handled is not handled: the guest is at the same instruction in its next slot.
 *
 * Everything from a guest's exit to the next entry is a timed path: no text, no objects, no deep calls.
 */
import type { Dispatcher } from '../interrupts/dispatcher.ts';
import { EXIT_CODE, VMCB } from '../regs/vmcb.ts';
import { EVENTS } from '../trace/events.ts';
import type { Trace } from '../trace/trace.ts';
import type { Instant } from '../time/units.ts';
import { AREA } from '../vm/guest-area.ts';
import { resetVcpu } from '../vm/vcpu.ts';
import { CLOCK, LINE, PARTITION_STATE } from './abi.ts';
import { AFTER, exitIndex, type ExitHandler } from './exits.ts';
import type { HealthMonitor } from './health-monitor.ts';
import type { SchedulerCalls } from './hypercalls.ts';
import { createLoading } from './loader.ts';
import { entryOf, STATE_NAMES, type Partition } from './partition.ts';
import type { SlotTimer } from './slot-timer.ts';
import type { PlanDescription } from './system.ts';
import type { SystemTime } from './system-time.ts';

export interface SchedulerParts {
  readonly partitions: readonly Partition[];
  readonly plans: readonly PlanDescription[];
  /** Run ends at this instant, at the end of a slot; 0: when all partitions have halted. */
  readonly duration: bigint;
  readonly time: SystemTime;
  readonly timer: SlotTimer;
  readonly dispatcher: Dispatcher;
  readonly trace: Trace;
  readonly rdtsc: () => bigint;
  readonly runGuest: (guest: number) => number;
  /** Whether the slot timer's interrupt was taken since this was last asked. */
  readonly takeFired: () => boolean;
  /** Bounded work of the kernel that is not urgent: called in idle time, and at the end of slots when it is due. */
  readonly housekeeping: () => void;
  readonly isHousekeepingDue: () => boolean;
}

export interface Scheduler {
  readonly calls: SchedulerCalls;
  /** Tells it what it could not be created with: these need its calls. */
  connect(handlers: readonly (ExitHandler | undefined)[], health: HealthMonitor): void;
  /** Runs the plans. @returns why it ended */
  run(): string;
  /** Slots' worst cases, into the trace. */
  report(): void;
}

interface Slot {
  readonly partition: Partition;
  readonly index: number;
  readonly start: bigint;
  readonly end: bigint;
  /** Whether another slot begins where this one ends. */
  isFollowed: boolean;
  runs: number;
  overruns: number;
  errorMax: bigint;
  errorMin: bigint;
}

interface Plan {
  readonly index: number;
  readonly description: PlanDescription;
  readonly majorFrame: bigint;
  readonly slots: readonly Slot[];
}

/** Virtual ns, by which parts of the kernel's work are led. They are what `make bench` finds these to take, and a margin. */
export const LEADS = {
  /** From the timer's interrupt in one slot to being ready for the next. */
  SWITCH: 14_000n,
  /** From the timer's interrupt to being ready to enter with a virtual interrupt. */
  TIMER: 9_000n,
  /** Handling of any one exit. */
  EXIT: 40_000n,
  /** One call of `housekeeping`. */
  HOUSEKEEPING: 18_000n,
  /** From the decision to arm anew inside a slot to the entry. */
  REARM: 2_500n,
  /** From the last look at the time to the entry, where the timer is armed. */
  ARM: 1_500n,
  /** What a guest in an interrupt shadow runs before it is looked at again. */
  SHADOW: 300n,
} as const;

/** A slot that begins later than this is told. */
const LATE = 100n;

const { READY, IDLE, HALTED } = PARTITION_STATE;

export function createScheduler(parts: SchedulerParts): Scheduler {
  const { partitions, time, timer, dispatcher, trace, rdtsc, runGuest, takeFired, housekeeping, isHousekeepingDue } = parts;
  const { armAtEntry } = timer;
  const { toTsc, toInstant } = time;
  const recordSlot = trace.recorder(EVENTS.slotRun);
  const recordLate = trace.recorder(EVENTS.slotLate);

  const switchLead = time.toTicks(LEADS.SWITCH);
  const timerLead = time.toTicks(LEADS.TIMER);
  const exitLead = time.toTicks(LEADS.EXIT);
  const housekeepingLead = time.toTicks(LEADS.HOUSEKEEPING);
  const rearmLead = time.toTicks(LEADS.REARM);
  const armLead = time.toTicks(LEADS.ARM);
  const shadowRun = time.toTicks(LEADS.SHADOW);

  const plans: readonly Plan[] = parts.plans.map((description, index) => {
    const slots = description.slots.map((slot, at): Slot => ({
      partition: partitions[slot.partition]!,
      index: at,
      start: BigInt(slot.start),
      end: BigInt(slot.start + slot.duration),
      isFollowed: false,
      runs: 0,
      overruns: 0,
      errorMax: 0n,
      errorMin: 0n,
    }));
    const majorFrame = BigInt(description.majorFrame);
    slots.forEach((slot, at) => {
      const next = slots[at + 1];
      slot.isFollowed = next ? next.start === slot.end : slot.end === majorFrame;
    });
    return { index, description, majorFrame, slots };
  });

  let plan = plans[0]!;
  let nextPlan: Plan | undefined;
  let isSwitchNow = false;
  let stopReason: string | undefined;
  let handlers: readonly (ExitHandler | undefined)[] = [];
  let health: HealthMonitor | undefined;
  let frame = 0;
  let haltedCount = 0;

  /** TSC after which no exit of the running slot is handled, and at which it is left. */
  let deferAt = 0n;
  let leaveAt = 0n;
  let longestStretch = 0n;

  // ---- clocks of partitions

  function hwAt(partition: Partition, instant: bigint): bigint {
    return partition.frozenAt === undefined ? instant + partition.hwOffset : partition.frozenAt;
  }

  function execAt(partition: Partition, tsc: bigint): bigint {
    return partition.runningSince === undefined ? partition.exec : partition.exec + toInstant(tsc) - toInstant(partition.runningSince);
  }

  /** The partition's clocks run from this TSC value on, and its page says so. */
  function startClocks(partition: Partition, tsc: bigint): void {
    partition.runningSince = tsc;
    partition.page.setClocks(tsc + partition.vcpu.vmcb[TSC_OFFSET]!, hwAt(partition, toInstant(tsc)), partition.exec);
  }

  function stopClocks(partition: Partition, tsc: bigint): void {
    partition.exec = execAt(partition, tsc);
    partition.runningSince = undefined;
  }

  function refreshClocks(partition: Partition): void {
    const since = partition.runningSince;
    if (since === undefined) return;
    partition.page.setClocks(since + partition.vcpu.vmcb[TSC_OFFSET]!, hwAt(partition, toInstant(since)), partition.exec);
  }

  // ---- virtual timers

  /** TSC at which the partition's next virtual timer or its watchdog is due; undefined if none is while it runs. */
  function nextDue(partition: Partition): bigint | undefined {
    let due: bigint | undefined;
    if (partition.frozenAt === undefined) {
      const hw = partition.timers.next(CLOCK.HW);
      if (hw !== undefined) due = toTsc(hw - partition.hwOffset);
    }
    const since = partition.runningSince;
    if (since !== undefined) {
      const exec = partition.timers.next(CLOCK.EXEC);
      if (exec !== undefined) {
        const at = toTsc(toInstant(since) + exec - partition.exec);
        if (due === undefined || at < due) due = at;
      }
    }
    const watchdog = partition.watchdogDue;
    if (watchdog !== undefined) {
      const at = toTsc(watchdog);
      if (due === undefined || at < due) due = at;
    }
    return due;
  }

  /** Expires what is due by a TSC value. */
  function expire(partition: Partition, tsc: bigint): void {
    const { timers, interrupts } = partition;
    const instant = toInstant(tsc);
    if (partition.frozenAt === undefined && timers.expire(CLOCK.HW, (instant + partition.hwOffset) as Instant))
      interrupts.raise(LINE.HW_TIMER);
    if (partition.runningSince !== undefined && timers.expire(CLOCK.EXEC, execAt(partition, tsc) as Instant))
      interrupts.raise(LINE.EXEC_TIMER);
    const watchdog = partition.watchdogDue;
    if (watchdog !== undefined && watchdog <= instant) {
      partition.watchdogDue = undefined;
      health!.raise(partition, 'watchdog', partition.watchdogInterval, `no sign of life for ${partition.watchdogInterval} ns`);
    }
  }

  // ---- states

  function setState(partition: Partition, state: number, reason: string): void {
    if (partition.state === state) return;
    partition.state = state;
    // A partition that does not run gives no signs of life.
    const interval = partition.watchdogInterval;
    partition.watchdogDue = state <= IDLE && interval !== 0n ? time.now() + interval : undefined;
    haltedCount = partitions.filter((each) => each.state === HALTED).length;
    trace.record(EVENTS.partitionState, partition.index, STATE_NAMES[state]!, reason);
  }

  /** Its memory is loaded in its own slots. */
  function reset(partition: Partition, isCold: boolean, reason: string): void {
    partition.resets++;
    partition.loading = createLoading(partition.image, partition.memory.bytes, isCold);
    partition.timers.reset();
    partition.interrupts.reset();
    resetVcpu(partition.vcpu, entryOf(partition));
    partition.page.setResets(partition.resets);
    // A warm reset keeps the execution clock: what ran before still counts.
    if (isCold) partition.exec = 0n;
    partition.runningSince = undefined;
    partition.hwOffset = 0n;
    partition.frozenAt = undefined;
    partition.page.setFrozen(false);
    partition.watchdogInterval = BigInt(partition.description.watchdog);
    partition.watchdogDue = partition.watchdogInterval === 0n ? undefined : time.now() + partition.watchdogInterval;
    partition.state = READY;
    trace.record(EVENTS.partitionState, partition.index, 'ready', `${isCold ? 'cold' : 'warm'} reset: ${reason}`);
  }

  function switchPlan(index: number): boolean {
    const wanted = plans[index];
    if (!wanted) return false;
    nextPlan = wanted;
    // The switch is more work than the next slot of the same plan.
    leaveAt -= housekeepingLead;
    deferAt -= housekeepingLead;
    if (wanted.description.isMaintenance) isSwitchNow = true;
    return true;
  }

  // ---- idle

  /** Waits, taking interrupts, until a TSC value; does what is not urgent meanwhile. */
  function idleUntil(until: bigint): void {
    for (;;) {
      const now = rdtsc();
      if (now >= until) return;
      if (until - now > housekeepingLead + exitLead && isHousekeepingDue()) {
        housekeeping();
        continue;
      }
      timer.arm(until);
      dispatcher.waitAndDispatch();
      takeFired();
    }
  }

  /**
   * The running slot's partition does not run: waits until it can or the slot is over.
   * @returns TSC at which it goes on; undefined if it does not in this slot
   */
  function waitInSlot(partition: Partition): bigint | undefined {
    for (;;) {
      const now = rdtsc();
      if (now >= leaveAt) return undefined;
      const code = partition.deferredCode;
      if (code !== undefined) {
        partition.deferredCode = undefined;
        const index = exitIndex(code);
        partition.exits[index] = partition.exits[index]! + 1;
        handlers[index]!(partition);
        continue;
      }
      if (partition.state === READY && partition.loading === undefined) return now;
      if (partition.loading !== undefined && partition.state === READY) {
        // A piece takes less than the exit lead.
        if (now >= deferAt) idleUntil(leaveAt);
        else if (partition.loading.step()) {
          partition.loading = undefined;
          return rdtsc();
        }
        continue;
      }
      const canWake = partition.state === IDLE;
      const due = canWake ? nextDue(partition) : undefined;
      if (due !== undefined && due <= now + timerLead) {
        expire(partition, due > now ? due : now);
        if (partition.interrupts.isDeliverable()) partition.state = READY;
        if (partition.state === READY && partition.loading === undefined) return due > now ? due : now;
        continue;
      }
      if (canWake && partition.interrupts.isDeliverable()) {
        partition.state = READY;
        return now;
      }
      const wake = due !== undefined && due - timerLead < leaveAt ? due - timerLead : leaveAt;
      if (wake - now > housekeepingLead + exitLead && isHousekeepingDue()) {
        housekeeping();
        continue;
      }
      timer.arm(wake);
      dispatcher.waitAndDispatch();
      takeFired();
      if (isSwitchNow || stopReason !== undefined) return undefined;
    }
  }

  // ---- slots

  /** @returns false if the plan is to be left at once */
  function runSlot(slot: Slot, frameStart: bigint): boolean {
    const partition = slot.partition;
    const { vcpu, interrupts } = partition;
    const { area, guest } = vcpu;
    const { exits } = partition;
    const start = frameStart + slot.start;
    const startTsc = toTsc(start);
    const endTsc = toTsc(frameStart + slot.end);
    leaveAt = slot.isFollowed ? endTsc - switchLead : endTsc;
    if (slot.isFollowed && (isHousekeepingDue() || nextPlan)) leaveAt -= housekeepingLead;
    deferAt = leaveAt - exitLead;
    partition.slots++;

    if (partition.state <= IDLE) {
      expire(partition, startTsc);
      interrupts.raise(LINE.SLOT_START);
      if (partition.state === IDLE && interrupts.isDeliverable()) partition.state = READY;
    }
    partition.page.setSlot(hwAt(partition, start), hwAt(partition, frameStart + slot.end), slot.index, plan.index, frame);

    /** Instant of the next entry; 0 when it is to be at once, without arming anew. */
    let resumeAt = startTsc;
    let armed = 0n;
    let entered = 0n;
    let left = startTsc;
    running: for (;;) {
      if (partition.state !== READY || partition.loading !== undefined || partition.deferredCode !== undefined) {
        if (partition.runningSince !== undefined) stopClocks(partition, area[AREA.LEFT]!);
        const goesOn = waitInSlot(partition);
        if (goesOn === undefined) break;
        resumeAt = goesOn > startTsc ? goesOn : startTsc;
        armed = 0n;
      }
      if (partition.runningSince === undefined) startClocks(partition, resumeAt > 0n ? resumeAt : rdtsc());

      // What ends this run of the guest.
      const entry = interrupts.prepare();
      let until = leaveAt;
      if (entry === 'short') until = 0n;
      else {
        const due = nextDue(partition);
        if (due !== undefined && due - timerLead < leaveAt) {
          const now = resumeAt > 0n ? resumeAt : rdtsc();
          if (due <= now + timerLead) {
            // It would be over before it began: wait for the instant here.
            const at = due > now ? due : now;
            expire(partition, at);
            resumeAt = at;
            armed = 0n;
            continue;
          }
          until = due - timerLead;
        }
      }
      if (until !== armed) {
        // The timer counts from the entry: that has to be an instant which is still to come.
        const now = rdtsc();
        if (now + armLead > resumeAt) resumeAt = now + rearmLead;
        armAtEntry(area, resumeAt, until === 0n ? resumeAt + shadowRun : until);
        armed = until;
      }
      area[AREA.NOT_BEFORE] = resumeAt;
      resumeAt = 0n;

      for (;;) {
        const code = runGuest(guest);
        left = area[AREA.LEFT]!;
        if (entered === 0n) entered = area[AREA.ENTERED]!;
        const isTaken = area[AREA.TAKEN] !== 0n;
        if (isTaken) {
          dispatcher.dispatchTaken(Number(area[AREA.TAKEN]));
          if (takeFired()) armed = 0n;
        }
        if (code === EXIT_CODE.INTR) {
          exits[INTR] = exits[INTR]! + 1;
          if (left >= leaveAt) break running;
          if (stopReason !== undefined || isSwitchNow) break running;
          // A virtual timer is due, or a device's handler has raised a line: whichever, it is looked at anew.
          const due = nextDue(partition);
          if (due !== undefined && due <= left + timerLead + timerLead) {
            const at = due > left ? due : left;
            expire(partition, at);
            resumeAt = at;
            armed = 0n;
          }
          break;
        }
        if (left >= deferAt) {
          partition.deferredExits++;
          // What the VMCB holds then can't be entered to find out again.
          if (code === EXIT_CODE.SHUTDOWN || code === EXIT_CODE.INVALID) partition.deferredCode = code;
          break running;
        }
        const index = exitIndex(code);
        exits[index] = exits[index]! + 1;
        if (handlers[index]!(partition) === AFTER.REPLAN || isTaken) {
          if (stopReason !== undefined || isSwitchNow) break running;
          break;
        }
        const stretch = rdtsc() - left;
        if (stretch > longestStretch) longestStretch = stretch;
      }
    }

    if (partition.runningSince !== undefined) stopClocks(partition, left);
    slot.runs++;
    if (entered !== 0n) {
      const error = entered - startTsc;
      if (error > slot.errorMax) slot.errorMax = error;
      if (slot.runs === 1 || error < slot.errorMin) slot.errorMin = error;
      if (error > LATE && partition.loading === undefined) {
        partition.lateSlots++;
        recordLate(left, partition.index, slot.index, (toInstant(entered) - start) as never);
      }
      if (left > endTsc) {
        slot.overruns++;
        health!.raise(partition, 'overrun', left - endTsc, `${left - endTsc} ticks beyond the end of slot ${slot.index}`);
      }
      recordSlot(left, partition.index, slot.index, frame, startTsc, entered, left);
    }
    if (isHousekeepingDue() && endTsc - rdtsc() > switchLead + housekeepingLead / 2n) housekeeping();
    return !isSwitchNow && stopReason === undefined;
  }

  function run(): string {
    let frameStart = 0n;
    for (;;) {
      const { slots, majorFrame } = plan;
      // By index: an iterator costs the engine microseconds.
      for (let at = 0; at < slots.length; at++) {
        const slot = slots[at]!;
        const start = toTsc(frameStart + slot.start);
        const isBehind = rdtsc() > toTsc(frameStart + slot.end) - switchLead;
        if (isBehind) {
          // Time went by somewhere else: what is over is not caught up with.
          slot.overruns++;
          trace.record(EVENTS.slotLate, slot.partition.index, slot.index, (time.now() - frameStart - slot.start) as never);
          continue;
        }
        if (rdtsc() < start - switchLead - exitLead) idleUntil(start - switchLead);
        const goesOn = runSlot(slot, frameStart);
        if (stopReason !== undefined) return stopReason;
        if (!goesOn) break;
        if (parts.duration !== 0n && frameStart + slot.end >= parts.duration) return 'its duration is over';
      }
      let next = frameStart + majorFrame;
      if (isSwitchNow) {
        // A maintenance plan begins at once: at the next instant that leaves time to prepare its first slot.
        isSwitchNow = false;
        next = time.now() + LEADS.SWITCH + LEADS.HOUSEKEEPING;
      } else if (toTsc(next) - rdtsc() > switchLead + exitLead + housekeepingLead) idleUntil(toTsc(next) - switchLead);
      frameStart = next;
      frame++;
      if (nextPlan) {
        plan = nextPlan;
        nextPlan = undefined;
        trace.record(EVENTS.planSwitched, plan.index, plan.description.name, frame);
      }
      time.follow();
      if (parts.duration === 0n && haltedCount === partitions.length) return 'every partition has halted';
      if (parts.duration !== 0n && frameStart >= parts.duration) return 'its duration is over';
    }
  }

  return {
    calls: {
      setState,
      reset,
      switchPlan,
      stop: (reason) => {
        stopReason ??= reason;
      },
      hasTime: () => rdtsc() < deferAt,
      hwClock: (partition) => hwAt(partition, time.now()),
      execClock: (partition) => execAt(partition, rdtsc()),
      refreshClocks,
    },
    connect: (table, monitor) => {
      handlers = table;
      health = monitor;
    },
    run,
    report: () => {
      const nanosOf = (ticks: bigint): bigint => toInstant(toTsc(0n) + ticks);
      for (const { slots } of plans)
        for (const { partition, index, runs, errorMax, errorMin, overruns } of slots)
          if (runs > 0)
            trace.record(EVENTS.slotWorst, partition.index, index, runs, nanosOf(errorMax) as never, nanosOf(errorMin) as never, overruns);
      trace.record(EVENTS.systemCosts, LEADS.SWITCH as never, LEADS.TIMER as never, nanosOf(longestStretch) as never);
    },
  };
}

const INTR = exitIndex(EXIT_CODE.INTR);
const TSC_OFFSET = VMCB.TSC_OFFSET >> 3;
