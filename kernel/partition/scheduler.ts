/**
 * The scheduler: cyclic plans on absolute instants. "Lead, don't chase": a slot is left by a lead before the next one begins, the next
 * partition is prepared in that time, and the world switch waits for the nominal instant. The same holds for virtual timers inside a slot.
 * An exit that comes too late in a slot to be handled is not handled: the guest is at the same instruction in its next slot. Where nothing
 * stands against it, the next partition is prepared while the slot still has some microseconds, and its guest goes on until the switch.
 *
 * Everything from a guest's exit to the next entry is a timed path: no text, no objects, no deep calls.
 */
import type { Dispatcher } from '../interrupts/dispatcher.ts';
import { EVENT, EXIT_CODE, VMCB } from '../regs/vmcb.ts';
import { EVENTS } from '../trace/events.ts';
import type { Trace } from '../trace/trace.ts';
import { nanos, type Instant, type Nanos } from '../time/units.ts';
import type { Platform } from '../vdev/platform.ts';
import { AREA } from '../vm/guest-area.ts';
import { LINE, PARTITION_STATE } from './abi.ts';
import { AFTER, exitIndex, type ExitHandler } from './exits.ts';
import type { HealthMonitor } from './health-monitor.ts';
import type { SchedulerCalls } from './hypercalls.ts';
import { createLoading } from './loader.ts';
import { NEVER, STATE_NAMES, type Partition } from './partition.ts';
import type { SlotTimer } from './slot-timer.ts';
import type { PlanDescription, SlotDescription } from './system.ts';
import { BEFORE_ALL, NEVER_DUE } from './virtual-timers.ts';
import type { SystemTime } from './system-time.ts';

export interface SchedulerParts {
  readonly partitions: readonly Partition[];
  readonly plans: readonly PlanDescription[];
  /** The run ends at this instant, at the end of a slot; 0: when all partitions have halted. */
  readonly duration: bigint;
  readonly time: SystemTime;
  readonly timer: SlotTimer;
  readonly dispatcher: Dispatcher;
  readonly trace: Trace;
  readonly rdtsc: () => bigint;
  readonly runGuest: (guest: number) => number;
  /** Whether the slot timer's interrupt was taken by the dispatcher since this was last asked. */
  readonly takeFired: () => boolean;
  /** Whether each exit is an event of the trace: it takes a microsecond more. */
  readonly tracesExits: boolean;
  /** The slot timer's vector: at a guest's exit it is most often the only one, and the dispatcher is left out. */
  readonly timerVector: number;
  /** Ends the slot timer's interrupt, if it is in service. */
  readonly endTimerInterrupt: (value: 0) => void;
  /** Work of the kernel that is not urgent, in pieces: done in idle time, and at the end of slots when it is due. */
  readonly chores: Chores;
  /**
   * Called when a major frame is over, before the next one is placed; time may stand still in it.
   * @param end of the frame: the next one begins at this instant, or after it
   * @returns why the run ends with this frame; undefined if it goes on
   */
  readonly betweenFrames?: ((end: bigint) => string | undefined) | undefined;
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

/** A slot in a major frame: what is known of it before its partition is entered, and what has become of it. */
interface Turn {
  slot: Slot;
  frame: number;
  /** The frame's start: instant, and TSC. */
  frameStart: bigint;
  frameTsc: bigint;
  startTsc: bigint;
  /** TSC at which it is left, and in the middle of it, if there are chores. */
  leaveAt: bigint;
  choresAt: bigint;
  /** Whether its partition was to run when it began. */
  isReady: boolean;
  /** Whether its partition can be entered without more ado: the timer is to be armed for `until`. */
  isArmed: boolean;
  until: bigint;
  /** TSC of the first entry, 0 without one, and of the last exit. */
  entered: bigint;
  left: bigint;
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
  SWITCH: 42_000n,
  /** The same if the next slot was prepared before: PREPARE before the slot is left otherwise. */
  QUICK: 6_500n,
  PREPARE: 26_000n,
  /** From the timer's interrupt to being ready to enter with a virtual interrupt. */
  TIMER: 27_000n,
  /** The same where a tick goes through virtual devices, and more before a slot whose partition has some. */
  TICK: 110_000n,
  /** Of that, what remains from the decision to deliver: guest time may be set, and that to what it is at the entry. */
  DELIVER: 92_000n,
  PLATFORM: 60_000n,
  /** Handling of any one exit. */
  EXIT: 75_000n,
  /** The same, of a partition that has virtual devices: ticks that are due go first, and the guest's page tables are walked where one
   * instruction reads and writes, or has two operands, or reaches into the next page. */
  EXIT_DEVICE: 260_000n,
  /** Making an instruction on device memory ready that is met for the first time. */
  DECODE: 400_000n,
  /** Taken from a slot for chores, and what one piece takes at most. */
  CHORES: 24_000n,
  CHORE: 12_000n,
  /** Behind a piece of work in idle time: taking interrupts. */
  POLL: 38_000n,
  /** Taken from a slot before one that begins with virtual timers to expire, or from the last one of a plan. */
  EXPIRE: 36_000n,
  PLAN: 30_000n,
  /** What a guest has at least between two expiries, whatever timers it has armed. */
  GUEST: 20_000n,
  /** More, where the kernel comes from idling: the way through the dispatcher. */
  WAKE: 11_000n,
  /** From the decision to arm anew inside a slot to the entry. */
  REARM: 2_500n,
  /** From the last look at the time to the entry, where the timer is armed. */
  ARM: 1_500n,
  /** What a guest has at least from an entry at an instant on. */
  HANDLER: 5_000n,
  /** What a guest in an interrupt shadow runs before it is looked at again, or one whose entry was waited for when an interrupt was taken. */
  SHADOW: 300n,
} as const;

/** A slot that begins later than this is told. */
const LATE = 100n;

/** Of expiries in a row, before the guest runs: each handles several timers. */
const EXPIRIES_BEFORE_RUN = 2;

const { READY, IDLE, HALTED } = PARTITION_STATE;

export function createScheduler(parts: SchedulerParts): Scheduler {
  const {
    partitions,
    duration,
    time,
    timer,
    dispatcher,
    trace,
    rdtsc,
    runGuest,
    takeFired,
    endTimerInterrupt,
    timerVector,
    chores,
    betweenFrames,
  } = parts;
  const { armAtEntry } = timer;
  const { toTsc, toInstant, toTicks, toNanos } = time;
  const recordSlot = trace.recorder(EVENTS.slotRun);
  const recordWoken = trace.recorder(EVENTS.slotWoken);
  const recordLate = trace.recorder(EVENTS.slotLate);
  const recordGuestInterrupt = trace.recorder(EVENTS.guestInterrupt);
  const recordGuestTime = trace.recorder(EVENTS.guestTime);
  const timerAlone = BigInt((timerVector << 8) | 1);
  const toNumber = Number;

  const switchLead = toTicks(LEADS.SWITCH);
  const quickLead = toTicks(LEADS.QUICK);
  const prepareLead = toTicks(LEADS.PREPARE);
  const timerLead = toTicks(LEADS.TIMER);
  const tickLead = toTicks(LEADS.TICK);
  const deliverLead = toTicks(LEADS.DELIVER);
  const platformLead = toTicks(LEADS.PLATFORM);
  const exitLead = toTicks(LEADS.EXIT);
  const exitDeviceLead = toTicks(LEADS.EXIT_DEVICE);
  const decodeLead = toTicks(LEADS.DECODE);
  const choresLead = toTicks(LEADS.CHORES);
  const choreLead = toTicks(LEADS.CHORE);
  const idleChoreLead = toTicks(LEADS.CHORE + LEADS.POLL + LEADS.WAKE);
  const planLead = toTicks(LEADS.PLAN);
  const expireLead = toTicks(LEADS.EXPIRE);
  const guestRun = toTicks(LEADS.GUEST);
  const wakeLead = toTicks(LEADS.WAKE);
  const rearmLead = toTicks(LEADS.REARM);
  const armLead = toTicks(LEADS.ARM);
  const handlerRun = toTicks(LEADS.HANDLER);
  const shadowRun = toTicks(LEADS.SHADOW);
  const lateLimit = toTicks(LATE);

  for (const partition of partitions) {
    partition.timerLead = partition.platform === undefined ? timerLead : tickLead;
    partition.exitLead = partition.platform === undefined ? exitLead : exitDeviceLead;
    partition.expiryWork = partition.platform === undefined ? 0n : deliverLead;
  }
  /** What the start of a slot takes more than others. */
  const leadBefore = ({ partition }: SlotDescription): bigint => (partitions[partition]!.platform === undefined ? 0n : platformLead);

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
        leaveTicks: toTicks(end) - (isFollowed ? switchLead + leadBefore(description.slots[at + 1] ?? description.slots[0]!) : 0n),
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
    const platform = partition.platform;
    if (platform !== undefined) {
      const at = platform.dueTsc();
      partition.platformDueAt = at;
      if (at < due) due = at;
    }
    partition.dueAt = due;
  }

  /**
   * A partition's devices may be in another state than before: its CPU is told what they ask for, and what its TSC shows.
   * @returns AFTER.x
   */
  function settle(partition: Partition, platform: Platform): number {
    const { requests, vcpu, interrupts } = partition;
    if (requests.isReset || requests.isOff) {
      if (requests.isReset) reset(partition, false, 'its own, by a port');
      else setState(partition, HALTED, 'it switched itself off');
      requests.isReset = requests.isOff = false;
      return AFTER.REPLAN;
    }
    const { vmcb, vmcb32 } = vcpu;
    const offset = platform.tscOffset();
    if (vmcb[TSC_OFFSET] !== offset) {
      vmcb[TSC_OFFSET] = offset;
      if (partition.runningSince !== undefined) writeClocks(partition, rdtsc());
      recordGuestTime(rdtsc(), partition.index, platform.offset(), platform.owed());
    }
    vmcb32[V_INTR_WORD] = (vmcb32[V_INTR_WORD]! & ~0xff) | platform.readCr8();
    return interrupts.sense() || platform.dueTsc() !== partition.platformDueAt ? AFTER.REPLAN : AFTER.RESUME;
  }

  /** Expires what is due by a TSC value. */
  function expire(partition: Partition, tsc: bigint): void {
    const timers = partition.timers;
    const instant = toInstant(tsc);
    const hw = partition.frozenAt === undefined ? ((instant + partition.hwOffset) as Instant) : BEFORE_ALL;
    const exec = partition.hasExecTimer && partition.runningSince !== undefined ? (toNanos(execAt(partition, tsc)) as Instant) : BEFORE_ALL;
    if (timers.nextHw <= hw || timers.nextExec <= exec) partition.interrupts.pending |= timers.expire(hw, exec);
    const platform = partition.platform;
    if (platform !== undefined && partition.platformDueAt <= tsc) {
      platform.deliver(tsc);
      settle(partition, platform);
    }
    const watchdog = partition.watchdogDue;
    // What is done about it takes as long as an exit: if there is no time for that, in the next slot.
    if (watchdog !== undefined && watchdog <= instant && tsc + partition.exitLead < leaveAt) {
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

  /** The last piece of a reset but for its memory: all that a partition has besides that and its devices. */
  function resetCpu(partition: Partition): void {
    partition.timers.reset();
    partition.restart();
    timer.prepareArea(partition.vcpu.area, shadowRun);
    const { platform } = partition;
    if (platform !== undefined) partition.vcpu.vmcb[TSC_OFFSET] = platform.tscOffset();
    partition.interrupts.reset();
    partition.page.setFrozen(false);
    // Its offsets are gone, that of its TSC too: what the page says of this slot is not right any more.
    writeClocks(partition, rdtsc());
    partition.page.setResets(partition.resets);
    partition.watchdogInterval = BigInt(partition.description.watchdog);
    startWatchdog(partition);
  }

  /** Quick, as it may be called near a slot's end: the work is done in the partition's own slots. */
  function reset(partition: Partition, isCold: boolean, reason: string): void {
    partition.resets++;
    const pieces = [...(partition.platform?.resets ?? []), () => resetCpu(partition)];
    partition.loading = createLoading(partition.image, partition.memory.bytes, isCold, pieces);
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
    // The switch is more work than the next slot of the same plan: once, however often it is asked for.
    if (nextPlan === undefined) {
      leaveAt -= planLead;
      deferAt -= planLead;
    }
    nextPlan = wanted;
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

  /** A handler whose exits are events. */
  function traced(
    handler: ExitHandler,
    index: number,
    recordExit: (stamp: bigint, partition: number, code: number, took: Nanos) => void,
  ): ExitHandler {
    return (partition) => {
      const left = partition.vcpu.area[AREA.LEFT]!;
      const after = handler(partition);
      recordExit(left, partition.index, index, nanos(toNanos(rdtsc() - left)));
      return after;
    };
  }

  // ---- idle

  /** After a piece of work, while no guest runs: interrupts have not been taken for long enough. */
  function takeInterrupts(): void {
    dispatcher.pollAndDispatch();
    takeFired();
  }

  /** Waits, taking interrupts, until a TSC value; does what is not urgent meanwhile. */
  function idleUntil(until: bigint): void {
    if (deferredTaken !== 0) dispatchDeferred();
    endTimerInterrupt(0);
    for (;;) {
      const now = rdtsc();
      if (now >= until) return;
      if (until - now > idleChoreLead && chores.isDue(now)) {
        chores.step();
        takeInterrupts();
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
        takeInterrupts();
      } else if (partition.state === READY && partition.loading === undefined) return now;
      else if (partition.state === READY) {
        // A piece takes less than the exit lead.
        if (now >= deferAt) idleUntil(end);
        else {
          if (partition.loading!.step()) {
            partition.loading = undefined;
            findDue(partition);
          }
          takeInterrupts();
        }
      } else if (partition.state === IDLE && interrupts.isDeliverable()) {
        partition.state = READY;
      } else {
        const due = partition.state === IDLE ? partition.dueAt : NEVER;
        if (due < end && due <= now + partition.timerLead) {
          const at = due > now + partition.expiryWork ? due : now + partition.expiryWork;
          expire(partition, at);
          if (interrupts.isDeliverable() && partition.state === IDLE) {
            partition.state = READY;
            return at;
          }
        } else {
          const wake = due < end ? due - partition.timerLead : end;
          if (wake - now > idleChoreLead && chores.isDue(now)) {
            chores.step();
            takeInterrupts();
          } else {
            timer.arm(wake);
            dispatcher.waitAndDispatch();
            takeFired();
          }
        }
      }
    }
  }

  /** An interrupt of virtual controllers has been taken, if one goes in: their next one may be due, or wait for the moment at which it can be. */
  function noteInjected(partition: Partition, platform: Platform, resumeAt: bigint): void {
    const injected = partition.vcpu.vmcb32[EVENTINJ_LOW]!;
    if (injected < 0) {
      recordGuestInterrupt(resumeAt > 0n ? resumeAt : rdtsc(), partition.index, injected & EVENT.VECTOR);
      findDue(partition);
    }
    if (platform.isHeld()) partition.interrupts.awaitInterruptible();
  }

  /** As much of them as fits before a TSC value. */
  function doChores(until: bigint): void {
    for (let now = rdtsc(); now + choreLead <= until && chores.isDue(now); now = rdtsc()) chores.step();
  }

  // ---- slots

  const createTurn = (): Turn => ({
    slot: plan.slots[0]!,
    frame: 0,
    frameStart: 0n,
    frameTsc: 0n,
    startTsc: 0n,
    leaveAt: 0n,
    choresAt: NEVER,
    isReady: false,
    isArmed: false,
    until: 0n,
    entered: 0n,
    left: 0n,
  });
  let turn = createTurn();
  /** The turn after it, while that one is prepared ahead; the two take turns being the running one. */
  let spare = createTurn();
  let isAhead = false;
  /** A turn that is over, and not yet in the books. */
  let unbooked: Turn | undefined;

  function place(own: Turn, slot: Slot, frame: number, frameStart: bigint, frameTsc: bigint): void {
    own.slot = slot;
    own.frame = frame;
    own.frameStart = frameStart;
    own.frameTsc = frameTsc;
    own.startTsc = frameTsc + slot.startTicks;
    own.leaveAt = frameTsc + slot.leaveTicks;
    own.isArmed = false;
    own.entered = 0n;
  }

  /** The partition's page, and what the slot begins with. Its timers have been seen to. */
  function prepare(own: Turn): void {
    const { slot, startTsc, frameStart } = own;
    const partition = slot.partition;
    partition.slots++;
    partition.consoleBytes = 0;
    partition.pageTsc = startTsc;
    const offset = partition.hwOffset;
    const frozenAt = partition.frozenAt;
    partition.page.beginSlot(
      startTsc + partition.vcpu.vmcb[TSC_OFFSET]!,
      frozenAt === undefined ? frameStart + slot.start + offset : frozenAt,
      toNanos(partition.exec),
      frozenAt === undefined ? frameStart + slot.end + offset : frozenAt,
      slot.index,
      plan.index,
      own.frame,
    );
    own.isReady = partition.state === READY && partition.loading === undefined && partition.deferredCode === undefined;
    // In the middle of the slot, where they are nobody else's affair: the partition is interrupted for them.
    own.choresAt = chores.isDue(startTsc) ? startTsc + ((own.leaveAt - startTsc) >> 1n) : NEVER;
    own.left = startTsc;
  }

  /** Prepares the turn after the running one ahead, if that is simple: its partition runs on, and nothing is due at the start. */
  function prepareAhead(): void {
    const { slot } = turn;
    const next = slot.next!;
    const partition = next.partition;
    if (!slot.isFollowed || nextPlan !== undefined || partition === slot.partition || isLast(turn)) return;
    if (betweenFrames !== undefined && next.index <= slot.index) return;
    if (partition.state !== READY || partition.loading !== undefined || partition.deferredCode !== undefined) return;
    if (partition.platform !== undefined || partition.hasExecTimer || partition.dueAt <= turn.frameTsc + slot.nextTicks + timerLead) return;
    if (unbooked !== undefined) book(unbooked);
    if (next.index > slot.index) place(spare, next, turn.frame, turn.frameStart, turn.frameTsc);
    else {
      const frameStart = turn.frameStart + plan.majorFrame;
      place(spare, next, turn.frame + 1, frameStart, toTsc(frameStart));
    }
    const { interrupts, vcpu } = partition;
    if (next.isFollowed && next.next!.partition.dueAt <= spare.frameTsc + next.nextTicks) spare.leaveAt -= expireLead;
    interrupts.pending |= 1 << LINE.SLOT_START;
    prepare(spare);
    const isShort =
      ((interrupts.pending & interrupts.enabled) !== 0 || interrupts.isWindowOpen || vcpu.vmcb32[EXITINTINFO_LOW]! < 0) &&
      interrupts.prepare() === 'short';
    let until = spare.choresAt < spare.leaveAt - prepareLead ? spare.choresAt : spare.leaveAt - prepareLead;
    const { dueAt } = partition;
    if (dueAt < spare.leaveAt && dueAt - timerLead < until) until = dueAt - timerLead;
    const area = vcpu.area;
    armAtEntry(area, spare.startTsc, isShort ? spare.startTsc + shadowRun : until);
    area[AREA.NOT_BEFORE] = spare.startTsc;
    spare.until = until;
    spare.isArmed = true;
    isAhead = true;
  }

  /** A turn that was not prepared ahead: when it is left, what is due at its start, and its page. */
  function begin(own: Turn): void {
    const { slot, startTsc } = own;
    const { partition } = slot;
    const { interrupts, platform } = partition;
    if (nextPlan !== undefined) own.leaveAt -= planLead;
    else if (slot.isFollowed && slot.next!.partition.dueAt <= own.frameTsc + slot.nextTicks) own.leaveAt -= expireLead;
    // Hypercalls and the watchdog look at them.
    leaveAt = own.leaveAt;
    deferAt = leaveAt - partition.exitLead;
    if (platform !== undefined) {
      platform.beforeRun(startTsc);
      settle(partition, platform);
      findDue(partition);
    }
    // Its ticks may take longer than there is time for before the slot: that is its own affair.
    const isHeldUp = partition.platformDueAt <= startTsc;
    if (partition.state <= IDLE) {
      if (partition.dueAt <= startTsc) expire(partition, startTsc);
      interrupts.pending |= 1 << LINE.SLOT_START;
      if (partition.state === IDLE && (interrupts.pending & interrupts.enabled) !== 0) partition.state = READY;
    }
    prepare(own);
    if (isHeldUp && rdtsc() + armLead > startTsc) own.isReady = false;
  }

  /** Interrupts other than the timer's alone. Too late in a slot for their handlers, these are called in the next one. @returns whether the timer fired */
  function dispatchAtExit(taken: bigint, left: bigint): boolean {
    const count = toNumber(taken & 0xffn);
    if (left >= deferAt) deferredTaken = count;
    else {
      deferredTaken = 0;
      dispatcher.dispatchTaken(count);
    }
    return takeFired();
  }

  /** An exit that comes too late in a slot to be handled: the guest is at the same instruction in its next one. */
  function deferExit(partition: Partition, code: number): void {
    partition.deferredExits++;
    // What the VMCB holds then can't be entered to find out again, and a trap does not come again.
    if (code === EXIT_CODE.SHUTDOWN || code === EXIT_CODE.INVALID || code === DEBUG_EXCEPTION) partition.deferredCode = code;
  }

  /** The slot's last stretch: the next one has been prepared, if it could be, and the guest goes on until it is left. @returns whether there is time for that */
  function goOn(own: Turn): boolean {
    const { area } = own.slot.partition.vcpu;
    if (isAhead) {
      leaveAt = own.frameTsc + own.slot.endTicks - quickLead;
      // From here on nothing is handled any more.
      deferAt = rdtsc();
    }
    const resumeAt = rdtsc() + rearmLead;
    if (resumeAt + rearmLead >= leaveAt) return false;
    armAtEntry(area, resumeAt, leaveAt);
    area[AREA.NOT_BEFORE] = resumeAt;
    return true;
  }

  function runSlot(): void {
    const own = turn;
    const slot = own.slot;
    const partition = slot.partition;
    const interrupts = partition.interrupts;
    const platform = partition.platform;
    const lead = partition.timerLead;
    const work = partition.expiryWork;
    const vcpu = partition.vcpu;
    const area = vcpu.area;
    const guest = vcpu.guest;
    const exits = partition.exits;
    const startTsc = own.startTsc;
    let isArmed = own.isArmed;
    if (isArmed) {
      leaveAt = own.leaveAt;
      deferAt = leaveAt - partition.exitLead;
      partition.runningSince = startTsc;
      if (deferredTaken !== 0) area[AREA.KEEP] = 1n;
    } else begin(own);

    let prepareAt = leaveAt - prepareLead;
    let choresAt = own.choresAt;
    /** TSC of the next entry; 0: at once, if nothing has to be armed. */
    let resumeAt = startTsc;
    /** TSC for which the timer is armed; 0: it is not, or not known. */
    let armed = isArmed ? own.until : 0n;
    /** Expiries since the guest last ran. */
    let expiries = 0;
    let entered = 0n;
    let left = startTsc;
    running: for (;;) {
      if (!isArmed) {
        if (partition.state !== READY || partition.loading !== undefined || partition.deferredCode !== undefined) {
          if (partition.runningSince !== undefined) stopClocks(partition, left);
          if (entered === 0n) own.isReady = false;
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
        let until = prepareAt < choresAt ? prepareAt : choresAt;
        if ((interrupts.pending & interrupts.enabled) !== 0 || interrupts.isWindowOpen || vcpu.vmcb32[EXITINTINFO_LOW]! < 0) {
          if (interrupts.prepare() === 'short') until = 0n;
          if (platform !== undefined) noteInjected(partition, platform, resumeAt);
        } else if (platform !== undefined && platform.isHeld()) interrupts.awaitInterruptible();
        // Their handlers have waited for a slot with time.
        if (deferredTaken !== 0) until = 0n;
        // What is due behind the slot's end waits for the next one.
        if (until !== 0n && partition.dueAt < leaveAt) {
          const due = partition.dueAt;
          // Both have passed by now if much was done since.
          const clock = rdtsc();
          const now = clock > resumeAt ? clock : resumeAt;
          if (due > now + lead) {
            if (due - lead < until) until = due - lead;
          } else if (now + (platform === undefined ? expireLead : lead) < leaveAt) {
            if (expiries < EXPIRIES_BEFORE_RUN) {
              // Its run would be over before it began: the instant is waited for here, at the slot's start for the partition's own sake.
              expiries++;
              if (entered === 0n) own.isReady = false;
              resumeAt = due > now + work ? due : now + work;
              expire(partition, resumeAt);
              armed = 0n;
              continue;
            }
            // More than can be served: the guest has its turn, and nobody else notices.
            if (now + guestRun < until) until = now + guestRun;
          }
        }
        expiries = 0;
        // What goes in at an instant is to be seen by the guest at that instant: it runs for a while before anything else is done.
        if (until !== 0n && until < resumeAt + handlerRun && resumeAt + handlerRun < leaveAt) until = resumeAt + handlerRun;
        if (until !== armed || until === 0n) {
          // The timer counts from the entry: that has to be an instant which is still to come.
          const now = rdtsc();
          if (now + armLead > resumeAt) resumeAt = now + rearmLead;
          armAtEntry(area, resumeAt, until === 0n ? resumeAt + shadowRun : until);
          armed = until;
        }
        area[AREA.NOT_BEFORE] = resumeAt;
        if (deferredTaken !== 0) area[AREA.KEEP] = 1n;
      }
      isArmed = false;
      resumeAt = 0n;

      for (;;) {
        const code = runGuest(guest);
        left = area[AREA.LEFT]!;
        if (entered === 0n) entered = area[AREA.ENTERED]!;
        const taken = area[AREA.TAKEN]!;
        // Its end is told where it is armed again: at the next entry, or before idling.
        if (taken === timerAlone) armed = 0n;
        else if (taken !== 0n && dispatchAtExit(taken, left)) armed = 0n;
        if (code === EXIT_CODE.INTR) {
          exits[INTR] = exits[INTR]! + 1;
          if (left >= leaveAt || isBroken || deferredTaken !== 0) break running;
          if (left >= prepareAt) {
            // Unless the kernel has come to it too late.
            if (left < prepareAt + armLead) prepareAhead();
            prepareAt = NEVER;
            // Without an expiry in between: it could not be kept.
            if (!goOn(own)) break running;
            armed = leaveAt;
            continue;
          }
          if (left >= choresAt) {
            choresAt = NEVER;
            doChores(left + choresLead);
          }
          break;
        }
        if (left >= deferAt) {
          deferExit(partition, code);
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
    }
    own.entered = entered;
    own.left = left;
    if (platform !== undefined) {
      // The CPU is the partition's to the end of its slot, whatever the kernel takes of it; unless it ends early.
      const end = isBroken ? left : own.frameTsc + slot.endTicks;
      platform.afterRun(left > end ? left : end);
    }
    if (isAhead) unbooked = own;
    else {
      if (unbooked !== undefined) book(unbooked);
      book(own);
    }
  }

  /** A turn's figures and its record. */
  function book(own: Turn): void {
    if (unbooked === own) unbooked = undefined;
    const { slot, entered, left, frame, startTsc } = own;
    const partition = slot.partition;
    if (partition.hasExecTimer) findDue(partition);
    slot.runs++;
    if (entered === 0n) return;
    if (own.isReady) {
      const error = entered - startTsc;
      if (error > slot.errorMax) slot.errorMax = error;
      if (error < slot.errorMin) slot.errorMin = error;
      recordSlot(left, partition.index, slot.index, frame, startTsc, entered, left);
      if (error > lateLimit) {
        partition.lateSlots++;
        recordLate(left, partition.index, slot.index, toNanos(error));
      }
    } else recordWoken(left, partition.index, slot.index, frame, startTsc, entered, left);
    const end = own.frameTsc + slot.endTicks;
    if (left > end + lateLimit) {
      slot.overruns++;
      const over = toNanos(left - end);
      health!.raise(partition, 'overrun', over, `${over} ns beyond the end of slot ${slot.index}`);
    }
  }

  /** The kernel's own mistake, made for this partition. Unless its rule says what else to do with it, the run ends with the error. */
  function onError(partition: Partition, error: unknown): void {
    if (health!.raise(partition, 'hypervisor-error', 0n, String(error)) === 'stop') throw error;
    isAhead = false;
    partition.runningSince = undefined;
    findDue(partition);
  }

  /** Whether the run ends with this turn. */
  const isLast = ({ frameStart, slot }: Turn): boolean => duration !== 0n && frameStart + slot.end >= duration;

  /** Puts the turn where the plan goes on. @returns why the run is over, undefined if it is not */
  function advance(): string | undefined {
    if (isLast(turn)) return 'its duration is over';
    const after = isBroken ? undefined : plan.slots[turn.slot.index + 1];
    if (after !== undefined) {
      place(turn, after, turn.frame, turn.frameStart, turn.frameTsc);
      return undefined;
    }
    if (betweenFrames !== undefined) {
      if (deferredTaken !== 0) dispatchDeferred();
      endTimerInterrupt(0);
      const ended = betweenFrames(isBroken ? time.now() : turn.frameStart + plan.majorFrame);
      if (ended !== undefined) return ended;
    }
    // A maintenance plan begins at once: at the next instant that leaves time to prepare its first slot.
    const frameStart = isBroken ? time.now() + LEADS.SWITCH + LEADS.PLAN : turn.frameStart + plan.majorFrame;
    isBroken = false;
    const frame = turn.frame + 1;
    if (nextPlan !== undefined) {
      plan = nextPlan;
      nextPlan = undefined;
      trace.record(EVENTS.planSwitched, plan.index, plan.description.name, frame);
    }
    if (duration === 0n) {
      if (haltedCount === partitions.length) return 'every partition has halted';
    } else if (frameStart >= duration) return 'its duration is over';
    place(turn, plan.slots[0]!, frame, frameStart, toTsc(frameStart));
    return undefined;
  }

  /** Waits for the turn's slot and runs it; leaves it out if it is over. */
  function takeTurn(): void {
    const { slot, startTsc } = turn;
    const now = rdtsc();
    if (now > turn.leaveAt) {
      // Time went by somewhere else: what is over is not caught up with.
      slot.overruns++;
      slot.partition.lateSlots++;
      recordLate(now, slot.partition.index, slot.index, toNanos(now - startTsc));
      return;
    }
    let prepareAt = startTsc - switchLead - wakeLead;
    if (slot.partition.platform !== undefined) prepareAt -= platformLead;
    if (slot.partition.dueAt <= startTsc) prepareAt -= expireLead;
    if (now < prepareAt) idleUntil(prepareAt);
    runSlot();
  }

  function run(): string {
    place(turn, plan.slots[0]!, 0, 0n, toTsc(0n));
    for (const partition of partitions) {
      timer.prepareArea(partition.vcpu.area, shadowRun);
      findDue(partition);
    }
    for (;;) {
      try {
        takeTurn();
        // Ahead of time: one after the other, as quickly as it goes.
        while (isAhead) {
          isAhead = false;
          const over = turn;
          turn = spare;
          spare = over;
          runSlot();
        }
      } catch (error) {
        onError(turn.slot.partition, error);
      }
      if (isBroken && stopReason !== undefined) return stopReason;
      const ended = advance();
      if (ended !== undefined) return ended;
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
      mayDecode: () => {
        if (rdtsc() + decodeLead < leaveAt) return true;
        deferAt = 0n;
        return false;
      },
      hwClock: (partition) => hwAt(partition, time.now()),
      execClock: (partition) => toNanos(execAt(partition, rdtsc())),
      settle,
      refreshClocks: (partition) => {
        if (partition.runningSince !== undefined) writeClocks(partition, rdtsc());
        findDue(partition);
      },
    },
    connect: (table, monitor) => {
      if (!parts.tracesExits) handlers = table;
      else {
        const recordExit = trace.recorder(EVENTS.exit);
        handlers = table.map((handler, index) => handler && traced(handler, index, recordExit));
      }
      health = monitor;
    },
    run,
    report: () => {
      for (const { slots } of plans)
        for (const { partition, index, runs, errorMax, errorMin, overruns } of slots)
          if (runs > 0 && errorMin !== NEVER)
            trace.record(EVENTS.slotWorst, partition.index, index, runs, toNanos(errorMax), toNanos(errorMin), overruns);
      trace.record(EVENTS.systemCosts, LEADS.SWITCH, LEADS.TIMER, toNanos(parts.longestStretch()));
    },
  };
}

const INTR = exitIndex(EXIT_CODE.INTR);
const DEBUG_EXCEPTION = EXIT_CODE.EXCEPTION + 1;
const TSC_OFFSET = VMCB.TSC_OFFSET >> 3;
const V_INTR_WORD = VMCB.V_INTR >> 2;
const EVENTINJ_LOW = VMCB.EVENTINJ >> 2;
const EXITINTINFO_LOW = VMCB.EXITINTINFO >> 2;
