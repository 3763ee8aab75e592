/**
 * Virtual interrupts: 32 lines of a partition, edges, each pending or not. One goes in by EVENTINJ when the guest can take it at the
 * next entry; otherwise a virtual interrupt is requested whose only purpose is to end the guest's run (#VMEXIT VINTR) when it
 * can (AMD64 Architecture Programmer's Manual volume 2, "Event Injection", "Virtual Interrupts").
 */
import { RFLAGS } from '../regs/paging.ts';
import { EVENT, INTERCEPT_1, V_INTR, VMCB } from '../regs/vmcb.ts';
import type { Vcpu } from '../vm/vcpu.ts';
import { DEFAULT_VECTOR_BASE, LINE } from './abi.ts';

/** A partition's virtual interrupt controllers, seen from its CPU. */
export interface InterruptController {
  /** Whether an interrupt waits that the CPU could take now. */
  isRequesting(): boolean;
  /** The CPU takes it. @returns its vector */
  acknowledge(): number;
}

export interface VirtualInterrupts {
  /** Bits of the lines that are pending, and of those that are delivered; open, so that the scheduler need not call. */
  pending: number;
  enabled: number;
  /** Line 0 comes as this vector: 32 to 224. */
  vectorBase: number;
  /** Whether a #VMEXIT VINTR is asked for. */
  isWindowOpen: boolean;
  raise(line: number): void;
  /** Which lines the guest wants; that of its controllers is enabled whatever it says. */
  setEnabled(lines: number): void;
  /** Looks what the controllers ask for: after anything that may have changed it. @returns whether it is other than before */
  sense(): boolean;
  /** Whether one is pending on a line that is enabled. */
  isDeliverable(): boolean;
  /**
   * Prepares the next entry: gives back what an exit interrupted the delivery of, and injects a line or asks for the moment when
   * one can be.
   * @returns 'short' if the guest is in an interrupt shadow: it has to leave again after an instruction or some
   */
  prepare(): 'usual' | 'short';
  /**
   * An exception that goes in at the next entry, before any line. What the exit interrupted the delivery of is not lost: a line waits again,
   * an exception becomes a double fault where a CPU makes one.
   * @returns false if that is a triple fault: nothing goes in, the guest has shut down
   */
  injectException(vector: number, errorCode?: number): boolean;
  /** Whether the guest could take an interrupt at the next entry. */
  isInterruptible(): boolean;
  /** Asks for the moment at which it can, if it can't. */
  awaitInterruptible(): void;
  reset(): void;
}

const EVENTINJ = VMCB.EVENTINJ >> 3;
const EVENTINJ_LOW = VMCB.EVENTINJ >> 2;
const EXITINTINFO = VMCB.EXITINTINFO >> 3;
const EXITINTINFO_LOW = VMCB.EXITINTINFO >> 2;
const SHADOW = VMCB.INTERRUPT_SHADOW >> 2;
const V_INTR_WORD = VMCB.V_INTR >> 2;
const INTERCEPTS = VMCB.INTERCEPT_1 >> 2;
/** Low half of RFLAGS. */
const FLAGS = VMCB.RFLAGS >> 2;
const IF = Number(RFLAGS.IF);
/** Before everything that the virtual TPR could hold back; the lines know no priority but their number. */
const WINDOW = V_INTR.IRQ | V_INTR.IGNORE_TPR | V_INTR.PRIORITY;

const VECTOR_DF = 8;
const VECTOR_PF = 14;
/** "#DF—Double-Fault Exception": #DE, #TS, #NP, #SS, #GP. */
const CONTRIBUTORY = (1 << 0) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13);
const isContributory = (vector: number): boolean => ((CONTRIBUTORY >>> vector) & 1) !== 0;

/** The engine looks a global up at each use. */
const { clz32 } = Math;

/** The line of the controllers. */
const CONTROLLER = 1 << LINE.CONTROLLER;
const NONE = -1;

/** @param controller of a partition that has virtual interrupt controllers */
export function createVirtualInterrupts(
  { vmcb, vmcb32 }: Pick<Vcpu, 'vmcb' | 'vmcb32'>,
  controller?: InterruptController,
): VirtualInterrupts {
  const always = controller ? CONTROLLER : 0;
  /** A vector that the CPU took from the controllers and whose delivery an exception broke off: it is the next to go in. */
  let brokenOff = NONE;

  /** @returns the vector that goes in for the lowest of these lines */
  function take(lowest: number): number {
    if (lowest !== CONTROLLER || controller === undefined) {
      lines.pending &= ~lowest;
      return lines.vectorBase + 31 - clz32(lowest);
    }
    const vector = brokenOff === NONE ? controller.acknowledge() : brokenOff;
    brokenOff = NONE;
    lines.sense();
    return vector;
  }

  function openWindow(): void {
    if (lines.isWindowOpen) return;
    lines.isWindowOpen = true;
    vmcb32[V_INTR_WORD] = vmcb32[V_INTR_WORD]! | WINDOW;
    vmcb32[INTERCEPTS] = vmcb32[INTERCEPTS]! | INTERCEPT_1.VINTR;
  }

  function closeWindow(): void {
    lines.isWindowOpen = false;
    vmcb32[V_INTR_WORD] = vmcb32[V_INTR_WORD]! & ~WINDOW;
    vmcb32[INTERCEPTS] = vmcb32[INTERCEPTS]! & ~INTERCEPT_1.VINTR;
  }

  const lines: VirtualInterrupts = {
    pending: 0,
    enabled: always,
    vectorBase: DEFAULT_VECTOR_BASE,
    isWindowOpen: false,
    raise: (line) => {
      lines.pending |= 1 << line;
    },
    setEnabled: (wanted) => {
      lines.enabled = wanted | always;
    },
    sense: () => {
      if (controller === undefined) return false;
      const before = lines.pending;
      lines.pending = brokenOff !== NONE || controller.isRequesting() ? before | CONTROLLER : before & ~CONTROLLER;
      return lines.pending !== before;
    },
    isInterruptible: () => vmcb32[EVENTINJ_LOW]! >= 0 && (vmcb32[FLAGS]! & IF) !== 0 && (vmcb32[SHADOW]! & 1) === 0,
    awaitInterruptible: () => {
      if (vmcb32[EVENTINJ_LOW]! < 0 || (vmcb32[FLAGS]! & IF) === 0) openWindow();
    },
    isDeliverable: () => (lines.pending & lines.enabled) !== 0,
    prepare: () => {
      if (vmcb32[EXITINTINFO_LOW]! < 0) {
        // Bit 31, VALID. Its delivery is made again from the start; that of an INTn by the guest's executing it again, except where
        // each is intercepted: then it was injected with RIP behind it.
        const isExecuted =
          (vmcb32[EXITINTINFO_LOW]! & EVENT.TYPE) === EVENT.TYPE_SOFTWARE && (vmcb32[INTERCEPTS]! & INTERCEPT_1.INTN) === 0;
        if (vmcb32[EVENTINJ_LOW]! >= 0 && !isExecuted) vmcb[EVENTINJ] = vmcb[EXITINTINFO]!;
        vmcb[EXITINTINFO] = 0n;
      }
      const deliverable = lines.pending & lines.enabled;
      if (deliverable === 0) {
        if (lines.isWindowOpen) closeWindow();
        return 'usual';
      }
      if (vmcb32[EVENTINJ_LOW]! < 0 || (vmcb32[FLAGS]! & IF) === 0) {
        openWindow();
        return 'usual';
      }
      // QEMU 7.2 does not load the shadow at VMRUN: what would be injected now came too early for the guest.
      if ((vmcb32[SHADOW]! & 1) !== 0) {
        if (lines.isWindowOpen) closeWindow();
        return 'short';
      }
      const lowest = deliverable & -deliverable;
      vmcb32[EVENTINJ_LOW] = EVENT.VALID | EVENT.TYPE_INTERRUPT | take(lowest);
      if ((lines.pending & lines.enabled) !== 0) openWindow();
      else if (lines.isWindowOpen) closeWindow();
      return 'usual';
    },
    injectException: (vector, errorCode) => {
      const interrupted = vmcb32[EXITINTINFO_LOW]!;
      if (interrupted < 0) {
        vmcb[EXITINTINFO] = 0n;
        const before = interrupted & EVENT.VECTOR;
        const type = interrupted & EVENT.TYPE;
        const line = before - lines.vectorBase;
        if (type === EVENT.TYPE_INTERRUPT) {
          // A line waits again. What the controllers gave away they will not give again.
          if (controller !== undefined) brokenOff = before;
          else if (line >= 0 && line < LINE.COUNT) lines.pending |= 1 << line;
          lines.sense();
        }
        if (type === EVENT.TYPE_EXCEPTION && (isContributory(vector) || vector === VECTOR_PF)) {
          if (before === VECTOR_DF) return false;
          if (before === VECTOR_PF || (isContributory(before) && vector !== VECTOR_PF)) {
            vector = VECTOR_DF;
            errorCode = 0;
          }
        }
      }
      const low = EVENT.VALID | EVENT.TYPE_EXCEPTION | vector | (errorCode === undefined ? 0 : EVENT.HAS_ERROR);
      vmcb[EVENTINJ] = BigInt.asIntN(64, BigInt(low >>> 0) | (BigInt((errorCode ?? 0) >>> 0) << 32n));
      return true;
    },
    reset: () => {
      lines.pending = 0;
      lines.enabled = always;
      brokenOff = NONE;
      lines.vectorBase = DEFAULT_VECTOR_BASE;
      closeWindow();
      vmcb[EVENTINJ] = 0n;
      vmcb[EXITINTINFO] = 0n;
    },
  };
  return lines;
}
