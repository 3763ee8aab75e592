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
import type { Instant, Nanos } from '../time/units.ts';
import { AREA } from '../vm/guest-area.ts';
import { resetVcpu } from '../vm/vcpu.ts';
import { CLOCK, LINE, PARTITION_STATE } from './abi.ts';
import { AFTER, exitIndex, type ExitHandler } from './exits.ts';
import type { HealthMonitor } from './health-monitor.ts';
import type { SchedulerCalls } from './hypercalls.ts';
import { createLoading } from './loader.ts';
import { entryOf, NEVER, STATE_NAMES, type Partition } from './partition.ts';
import type { SlotTimer } from './slot-timer.ts';
import type { PlanDescription } from './system.ts';
import { NEVER_DUE } from './virtual-timers.ts';
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
  /** Whether the slot timer's interrupt was taken by the dispatcher since this was last asked. */
  readonly takeFired: () => boolean;
  /** The slot timer's vector: at a guest's exit it is most often the only one, and the dispatcher is left out. */
  readonly timerVector: number;
  /** Ends the slot timer's interrupt, if it is in service. */
  readonly endTimerInterrupt: (value: 0) => void;
  /** Work of the kernel that is not urgent, in pieces: done in idle time, and at the end of slots when it is due. */
  readonly chores: Chores;
  /** TSC ticks that the kernel ran at most between two moments at which interrupts were taken. */
  readonly longestStretch: () => bigint;
}

export interface Chores {
  /** @param now TSC */
  isDue(now: bigint): boolean;
  /** Does one piece, which takes no longer than LEADS.CHORE. */
  step(): void;
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
  /** ns from the frame's start, and the same in TSC ticks. */
  readonly start: bigint;
  readonly end: bigint;
  readonly startTicks: bigint;
  readonly endTicks: bigint;
  /** TSC ticks from the frame's start at which it is left. */
  leaveTicks: bigint;
  /** The one that comes after it in time, and when, in TSC ticks from this one's frame. */
  next: Slot | undefined;
  nextTicks: bigint;
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
  SWITCH: 24_000n,
  /** From the timer's interrupt to being ready to enter with a virtual interrupt. */
  TIMER: 27_000n,
  /** Handling of any one exit. */
  EXIT: 60_000n,
  /** Taken from a slot for chores, and what one piece takes at most. */
  CHORES: 24_000n,
  CHORE: 12_000n,
  /** Taken from a slot before one that begins with virtual timers to expire, or from the last one of a plan. */
  EXPIRE: 16_000n,
  PLAN: 30_000n,
  /** What a guest has at least between two expiries, whatever timers it has armed. */
  GUEST: 20_000n,
  /** More, where the kernel comes from idling: the way through the dispatcher. */
  WAKE: 11_000n,
  /** From the decision to arm anew inside a slot to the entry. */
  REARM: 2_500n,
  /** From the last look at the time to the entry, where the timer is armed. */
  ARM: 1_500n,
  /** What a guest in an interrupt shadow runs before it is looked at again. */
  SHADOW: 300n,
} as const;

/** A slot that begins later than this is told. */
const LATE = 100n;

/** Of expiries in a row, before the guest runs: each handles several timers. */
const EXPIRIES_BEFORE_RUN = 2;

const { READY, IDLE, HALTED } = PARTITION_STATE;

export function createScheduler(parts: SchedulerParts): Scheduler {
  const { partitions, time, timer, dispatcher, trace, rdtsc, runGuest, takeFired, endTimerInterrupt, timerVector, chores } = parts;
  const { armAtEntry } = timer;
  const { toTsc, toInstant, toTicks, toNanos } = time;
  const recordSlot = trace.recorder(EVENTS.slotRun);
  const recordWoken = trace.recorder(EVENTS.slotWoken);
  const recordLate = trace.recorder(EVENTS.slotLate);
  const timerAlone = BigInt((timerVector << 8) | 1);
  const toNumber = Number;

  const switchLead = toTicks(LEADS.SWITCH);
  const timerLead = toTicks(LEADS.TIMER);
  const exitLead = toTicks(LEADS.EXIT);
  const choresLead = toTicks(LEADS.CHORES);
  const choreLead = toTicks(LEADS.CHORE);
  const planLead = toTicks(LEADS.PLAN);
  const expireLead = toTicks(LEADS.EXPIRE);
  const guestRun = toTicks(LEADS.GUEST);
  const wakeLead = toTicks(LEADS.WAKE);
  const rearmLead = toTicks(LEADS.REARM);
  const armLead = toTicks(LEADS.ARM);
  const shadowRun = toTicks(LEADS.SHADOW);
  const lateLimit = toTicks(LATE);

  const plans: readonly Plan[] = parts.plans.map((description, index) => {
    const majorFrame = BigInt(description.majorFrame);
    const slots = description.slots.map((slot, at): Slot => {
      const start = BigInt(slot.start);
      const end = BigInt(slot.start + slot.duration);
      const next = description.slots[at + 1];
      const isFollowed = next ? BigInt(next.start) === end : end === majorFrame;
      return {
        partition: partitions[slot.partition]!,
        index: at,
        start,
        end,
        startTicks: toTicks(start),
        endTicks: toTicks(end),
        leaveTicks: toTicks(end) - (isFollowed ? switchLead : 0n),
        next: undefined,
        nextTicks: 0n,
        isFollowed,
        runs: 0,
        overruns: 0,
        errorMax: 0n,
        errorMin: NEVER,
      };
    });
    slots.forEach((slot, at) => {
      slot.next = slots[at + 1] ?? slots[0];
      slot.nextTicks = toTicks(slots[at + 1]?.start ?? majorFrame + slots[0]!.start);
    });
    return { index, description, majorFrame, slots };
  });

  let plan = plans[0]!;
  let nextPlan: Plan | undefined;
  /** The running slot, the frame, or the whole run is to end at once. */
  let isBroken = false;
  let stopReason: string | undefined;
  let handlers: readonly (ExitHandler | undefined)[] = [];
  let health: HealthMonitor | undefined;
  let frame = 0;
  let haltedCount = 0;

  /** TSC after which no exit of the running slot is handled, and at which it is left. */
  let deferAt = 0n;
  let leaveAt = 0n;
  /** Interrupts that are taken, and whose handlers are still to be called. */
  let deferredTaken = 0;

  // ---- clocks of partitions

  function hwAt(partition: Partition, instant: bigint): bigint {
    return partition.frozenAt === undefined ? instant + partition.hwOffset : partition.frozenAt;
  }

  /** EXEC clock in ticks. */
  function execAt(partition: Partition, tsc: bigint): bigint {
    return partition.runningSince === undefined ? partition.exec : partition.exec + tsc - partition.runningSince;
  }

  function writeClocks(partition: Partition, tsc: bigint): void {
    partition.page.setClocks(tsc + partition.vcpu.vmcb[TSC_OFFSET]!, hwAt(partition, toInstant(tsc)), toNanos(execAt(partition, tsc)));
    partition.pageTsc = tsc;
  }

  /** The partition's execution clock runs from this TSC value on, and its page says so. */
  function startClocks(partition: Partition, tsc: bigint): void {
    partition.runningSince = tsc;
    partition.page.setExec(toNanos(partition.exec + partition.pageTsc - tsc));
    if (partition.hasExecTimer) findDue(partition);
  }

  function stopClocks(partition: Partition, tsc: bigint): void {
    partition.exec = partition.exec + tsc - partition.runningSince!;
    partition.runningSince = undefined;
    if (partition.hasExecTimer) findDue(partition);
  }

  // ---- virtual timers

  /** Looks when the partition's next virtual timer or its watchdog is due: after anything that may have changed it. */
  function findDue(partition: Partition): void {
    if (partition.loading !== undefined) return;
    const timers = partition.timers;
    const hw = timers.nextHw;
    const exec = timers.nextExec;
    let due = hw < NEVER_DUE && partition.frozenAt === undefined ? toTsc(hw - partition.hwOffset) : NEVER;
    partition.hasExecTimer = exec < NEVER_DUE;
    const since = partition.runningSince;
    if (exec < NEVER_DUE && since !== undefined) {
      const at = since + toTicks(exec) - partition.exec;
      if (at < due) due = at;
    }
    const watchdog = partition.watchdogDue;
    if (watchdog !== undefined) {
      const at = toTsc(watchdog);
      if (at < due) due = at;
    }
    partition.dueAt = due;
  }

  /** Expires what is due by a TSC value. */
  function expire(partition: Partition, tsc: bigint): void {
    const timers = partition.timers;
    const instant = toInstant(tsc);
    if (partition.frozenAt === undefined) {
      const now = (instant + partition.hwOffset) as Instant;
      if (timers.nextHw <= now && timers.expire(CLOCK.HW, now)) partition.interrupts.pending |= 1 << LINE.HW_TIMER;
    }
    if (partition.hasExecTimer && partition.runningSince !== undefined) {
      const now = toNanos(execAt(partition, tsc)) as Instant;
      if (timers.nextExec <= now && timers.expire(CLOCK.EXEC, now)) partition.interrupts.pending |= 1 << LINE.EXEC_TIMER;
    }
    const watchdog = partition.watchdogDue;
    // What is done about it takes as long as an exit: if there is no time for that, in the next slot.
    if (watchdog !== undefined && watchdog <= instant && tsc + exitLead < leaveAt) {
      partition.watchdogDue = undefined;
      health!.raise(partition, 'watchdog', partition.watchdogInterval, `no sign of life for ${partition.watchdogInterval} ns`);
    }
    findDue(partition);
  }

  // ---- states

  function startWatchdog(partition: Partition): void {
    const interval = partition.watchdogInterval;
    // A partition that does not run gives no signs of life.
    partition.watchdogDue = partition.state <= IDLE && interval !== 0n ? time.now() + interval : undefined;
    findDue(partition);
  }

  function setState(partition: Partition, state: number, reason: string): void {
    if (partition.state === state) return;
    if (state === HALTED) haltedCount++;
    partition.state = state;
    startWatchdog(partition);
    trace.record(EVENTS.partitionState, partition.index, STATE_NAMES[state]!, reason);
  }

  /** The first piece of a reset: all that a partition has besides its memory. */
  function beginReset(partition: Partition): void {
    partition.timers.reset();
    partition.interrupts.reset();
    resetVcpu(partition.vcpu, entryOf(partition));
    partition.page.setFrozen(false);
    partition.page.setResets(partition.resets);
    partition.watchdogInterval = BigInt(partition.description.watchdog);
    startWatchdog(partition);
  }

  /** Quick, as it may be called near a slot's end: the work is done in the partition's own slots. */
  function reset(partition: Partition, isCold: boolean, reason: string): void {
    partition.resets++;
    partition.loading = createLoading(partition.image, partition.memory.bytes, isCold, () => beginReset(partition));
    partition.deferredCode = undefined;
    // A warm reset keeps the execution clock: what ran before still counts.
    if (isCold) partition.exec = 0n;
    partition.runningSince = undefined;
    partition.hwOffset = 0n;
    partition.frozenAt = undefined;
    partition.watchdogDue = undefined;
    partition.dueAt = NEVER;
    if (partition.state === HALTED) haltedCount--;
    partition.state = READY;
    trace.record(EVENTS.partitionState, partition.index, 'ready', `${isCold ? 'cold' : 'warm'} reset: ${reason}`);
  }

  function switchPlan(index: number): boolean {
    const wanted = plans[index];
    if (!wanted) return false;
    nextPlan = wanted;
    // The switch is more work than the next slot of the same plan.
    leaveAt -= planLead;
    deferAt -= planLead;
    if (wanted.description.isMaintenance) isBroken = true;
    return true;
  }

  // ---- interrupts of devices

  function dispatchDeferred(): void {
    const count = deferredTaken;
    deferredTaken = 0;
    dispatcher.dispatchTaken(count);
    takeFired();
  }

  // ---- idle

  /** Waits, taking interrupts, until a TSC value; does what is not urgent meanwhile. */
  function idleUntil(until: bigint): void {
    if (deferredTaken !== 0) dispatchDeferred();
    endTimerInterrupt(0);
    for (;;) {
      const now = rdtsc();
      if (now >= until) return;
      if (until - now > choreLead + wakeLead && chores.isDue(now)) {
        chores.step();
        continue;
      }
      timer.arm(until);
      dispatcher.waitAndDispatch();
      takeFired();
    }
  }

  /**
   * The running slot's partition does not run: waits until it can or the slot is over.
   * @param start TSC of the slot's start, before which nothing of the partition's is done
   * @returns TSC at which it goes on; undefined if it does not in this slot
   */
  function waitInSlot(partition: Partition, start: bigint): bigint | undefined {
    idleUntil(start);
    const end = leaveAt - wakeLead;
    for (;;) {
      const now = rdtsc();
      if (isBroken || now >= end) return undefined;
      const { interrupts } = partition;
      const code = partition.deferredCode;
      if (code !== undefined) {
        partition.deferredCode = undefined;
        const index = exitIndex(code);
        partition.exits[index] = partition.exits[index]! + 1;
        handlers[index]!(partition);
      } else if (partition.state === READY && partition.loading === undefined) return now;
      else if (partition.state === READY) {
        // A piece takes less than the exit lead.
        if (now >= deferAt) idleUntil(end);
        else if (partition.loading!.step()) {
          partition.loading = undefined;
          findDue(partition);
        }
      } else if (partition.state === IDLE && interrupts.isDeliverable()) {
        partition.state = READY;
      } else {
        const due = partition.state === IDLE ? partition.dueAt : NEVER;
        if (due < end && due <= now + timerLead) {
          const at = due > now ? due : now;
          expire(partition, at);
          if (interrupts.isDeliverable() && partition.state === IDLE) {
            partition.state = READY;
            return at;
          }
        } else {
          const wake = due < end ? due - timerLead : end;
          if (wake - now > choreLead + wakeLead && chores.isDue(now)) chores.step();
          else {
            timer.arm(wake);
            dispatcher.waitAndDispatch();
            takeFired();
          }
        }
      }
    }
  }

  /** As much of them as fits before a TSC value. */
  function doChores(until: bigint): void {
    for (let now = rdtsc(); now + choreLead <= until && chores.isDue(now); now = rdtsc()) chores.step();
  }

  // ---- slots

  function runSlot(slot: Slot, frameStart: bigint, frameTsc: bigint): void {
    const partition = slot.partition;
    const interrupts = partition.interrupts;
    const vcpu = partition.vcpu;
    const area = vcpu.area;
    const vmcb32 = vcpu.vmcb32;
    const guest = vcpu.guest;
    const exits = partition.exits;
    const startTsc = frameTsc + slot.startTicks;
    leaveAt = frameTsc + slot.leaveTicks;
    if (nextPlan !== undefined) leaveAt -= planLead;
    else if (slot.isFollowed && slot.next!.partition.dueAt <= frameTsc + slot.nextTicks) leaveAt -= expireLead;
    deferAt = leaveAt - exitLead;
    partition.slots++;
    partition.consoleBytes = 0;

    if (partition.state <= IDLE) {
      if (partition.dueAt <= startTsc) expire(partition, startTsc);
      interrupts.pending |= 1 << LINE.SLOT_START;
      if (partition.state === IDLE && (interrupts.pending & interrupts.enabled) !== 0) partition.state = READY;
    }
    const start = frameStart + slot.start;
    const end = frameStart + slot.end;
    partition.pageTsc = startTsc;
    partition.page.beginSlot(
      startTsc + vcpu.vmcb[TSC_OFFSET]!,
      partition.frozenAt === undefined ? start + partition.hwOffset : partition.frozenAt,
      toNanos(partition.exec),
      partition.frozenAt === undefined ? end + partition.hwOffset : partition.frozenAt,
      slot.index,
      plan.index,
      frame,
    );

    const isReady = partition.state === READY && partition.loading === undefined && partition.deferredCode === undefined;
    /** TSC of the next entry; 0: at once, if nothing has to be armed. */
    let resumeAt = startTsc;
    /** TSC for which the timer is armed; 0: it is not, or not known. */
    let armed = 0n;
    /** Expiries since the guest last ran. */
    let expiries = 0;
    // In the middle of the slot, where they are nobody else's affair: the partition is interrupted for them.
    let choresAt = chores.isDue(startTsc) ? startTsc + ((leaveAt - startTsc) >> 1n) : NEVER;
    let entered = 0n;
    let left = startTsc;
    running: for (;;) {
      if (partition.state !== READY || partition.loading !== undefined || partition.deferredCode !== undefined) {
        if (partition.runningSince !== undefined) stopClocks(partition, left);
        const goesOn = waitInSlot(partition, startTsc);
        if (goesOn === undefined) break;
        resumeAt = goesOn;
        armed = 0n;
      }
      if (partition.runningSince === undefined) {
        // At the slot's start the page says so already.
        if (resumeAt === startTsc && !partition.hasExecTimer) partition.runningSince = startTsc;
        else startClocks(partition, resumeAt > 0n ? resumeAt : rdtsc());
      }

      // What goes in at the entry, and what ends this run of the guest.
      let until = leaveAt;
      if ((interrupts.pending & interrupts.enabled) !== 0 || interrupts.isWindowOpen || vmcb32[EXITINTINFO_LOW]! < 0)
        if (interrupts.prepare() === 'short') until = 0n;
      // Their handlers have waited for a slot with time.
      if (deferredTaken !== 0) until = 0n;
      if (choresAt < until) until = choresAt;
      // What is due behind the slot's end waits for the next one.
      if (until !== 0n && partition.dueAt < leaveAt) {
        const due = partition.dueAt;
        const now = resumeAt > 0n ? resumeAt : rdtsc();
        if (due > now + timerLead) {
          if (due - timerLead < until) until = due - timerLead;
        } else if (now + expireLead < leaveAt) {
          if (expiries < EXPIRIES_BEFORE_RUN) {
            // Its run would be over before it began: the instant is waited for here.
            expiries++;
            resumeAt = due > now ? due : now;
            expire(partition, resumeAt);
            armed = 0n;
            continue;
          }
          // More than can be served: the guest has its turn, and nobody else notices.
          if (now + guestRun < until) until = now + guestRun;
        }
      }
      expiries = 0;
      if (until !== armed || until === 0n) {
        // The timer counts from the entry: that has to be an instant which is still to come.
        const now = rdtsc();
        if (now + armLead > resumeAt) resumeAt = now + rearmLead;
        armAtEntry(area, resumeAt, until === 0n ? resumeAt + shadowRun : until);
        armed = until;
      }
      area[AREA.NOT_BEFORE] = resumeAt;
      if (deferredTaken !== 0) area[AREA.KEEP] = 1n;
      resumeAt = 0n;

      for (;;) {
        const code = runGuest(guest);
        left = area[AREA.LEFT]!;
        if (entered === 0n) entered = area[AREA.ENTERED]!;
        const taken = area[AREA.TAKEN]!;
        // Its end is told where it is armed again: at the next entry, or before idling.
        if (taken === timerAlone) armed = 0n;
        else if (taken !== 0n) {
          // Too late in a slot for their handlers: they are called in the next one.
          if (left >= deferAt) deferredTaken = toNumber(taken & 0xffn);
          else {
            deferredTaken = 0;
            dispatcher.dispatchTaken(toNumber(taken & 0xffn));
          }
          if (takeFired()) armed = 0n;
        }
        if (code === EXIT_CODE.INTR) {
          exits[INTR] = exits[INTR]! + 1;
          if (left >= leaveAt || isBroken || deferredTaken !== 0) break running;
          if (left >= choresAt) {
            choresAt = NEVER;
            doChores(left + choresLead);
          }
          break;
        }
        if (left >= deferAt) {
          partition.deferredExits++;
          // What the VMCB holds then can't be entered to find out again.
          if (code === EXIT_CODE.SHUTDOWN || code === EXIT_CODE.INVALID) partition.deferredCode = code;
          break running;
        }
        const index = code & 0xff;
        exits[index] = exits[index]! + 1;
        if (handlers[index]!(partition) === AFTER.REPLAN) {
          if (isBroken) break running;
          findDue(partition);
          break;
        }
        if (taken !== 0n) break;
      }
    }

    if (partition.runningSince !== undefined) {
      partition.exec = partition.exec + left - partition.runningSince;
      partition.runningSince = undefined;
      if (partition.hasExecTimer) findDue(partition);
    }
    slot.runs++;
    if (entered !== 0n) {
      if (isReady) {
        const error = entered - startTsc;
        if (error > slot.errorMax) slot.errorMax = error;
        if (error < slot.errorMin) slot.errorMin = error;
        recordSlot(left, partition.index, slot.index, frame, startTsc, entered, left);
        if (error > lateLimit) {
          partition.lateSlots++;
          recordLate(left, partition.index, slot.index, toNanos(error) as Nanos);
        }
      } else recordWoken(left, partition.index, slot.index, frame, startTsc, entered, left);
      if (left > frameTsc + slot.endTicks + lateLimit) {
        slot.overruns++;
        const over = toNanos(left - frameTsc - slot.endTicks);
        health!.raise(partition, 'overrun', over, `${over} ns beyond the end of slot ${slot.index}`);
      }
    }
  }

  /** The kernel's own mistake, made for this partition. Unless its rule says what else to do with it, the run ends with the error. */
  function onError(partition: Partition, error: unknown): void {
    if (health!.raise(partition, 'hypervisor-error', 0n, String(error)) === 'stop') throw error;
    partition.runningSince = undefined;
    findDue(partition);
  }

  /** @returns why the run is over, undefined if it goes on after this frame */
  function runFrame(frameStart: bigint, frameTsc: bigint): string | undefined {
    const { slots } = plan;
    // By index: an iterator costs the engine microseconds.
    for (let at = 0; at < slots.length; at++) {
      const slot = slots[at]!;
      const now = rdtsc();
      if (now > frameTsc + slot.leaveTicks) {
        // Time went by somewhere else: what is over is not caught up with.
        slot.overruns++;
        slot.partition.lateSlots++;
        recordLate(now, slot.partition.index, slot.index, toNanos(now - frameTsc - slot.startTicks) as Nanos);
        continue;
      }
      const prepareAt = frameTsc + slot.startTicks - switchLead - wakeLead;
      if (now < prepareAt) idleUntil(prepareAt);
      try {
        runSlot(slot, frameStart, frameTsc);
      } catch (error) {
        onError(slot.partition, error);
      }
      if (isBroken) return stopReason;
      if (parts.duration !== 0n && frameStart + slot.end >= parts.duration) return 'its duration is over';
    }
    return undefined;
  }

  function run(): string {
    let frameStart = 0n;
    let frameTsc = toTsc(0n);
    for (const partition of partitions) findDue(partition);
    for (;;) {
      const ended = runFrame(frameStart, frameTsc);
      if (ended !== undefined) return ended;
      if (isBroken) {
        // A maintenance plan begins at once: at the next instant that leaves time to prepare its first slot.
        isBroken = false;
        frameStart = time.now() + LEADS.SWITCH + LEADS.PLAN;
      } else frameStart += plan.majorFrame;
      frame++;
      if (nextPlan !== undefined) {
        plan = nextPlan;
        nextPlan = undefined;
        trace.record(EVENTS.planSwitched, plan.index, plan.description.name, frame);
      }
      frameTsc = toTsc(frameStart);
      if (parts.duration === 0n) {
        if (haltedCount === partitions.length) return 'every partition has halted';
      } else if (frameStart >= parts.duration) return 'its duration is over';
    }
  }

  return {
    calls: {
      setState,
      reset,
      switchPlan,
      stop: (reason) => {
        stopReason ??= reason;
        isBroken = true;
      },
      hasTime: () => rdtsc() < deferAt,
      hwClock: (partition) => hwAt(partition, time.now()),
      execClock: (partition) => toNanos(execAt(partition, rdtsc())),
      refreshClocks: (partition) => {
        if (partition.runningSince !== undefined) writeClocks(partition, rdtsc());
        findDue(partition);
      },
    },
    connect: (table, monitor) => {
      handlers = table;
      health = monitor;
    },
    run,
    report: () => {
      for (const { slots } of plans)
        for (const { partition, index, runs, errorMax, errorMin, overruns } of slots)
          if (runs > 0 && errorMin !== NEVER)
            trace.record(EVENTS.slotWorst, partition.index, index, runs, toNanos(errorMax) as Nanos, toNanos(errorMin) as Nanos, overruns);
      trace.record(EVENTS.systemCosts, LEADS.SWITCH as Nanos, LEADS.TIMER as Nanos, toNanos(parts.longestStretch()) as Nanos);
    },
  };
}

const INTR = exitIndex(EXIT_CODE.INTR);
const TSC_OFFSET = VMCB.TSC_OFFSET >> 3;
const EXITINTINFO_LOW = VMCB.EXITINTINFO >> 2;
