/**
 * Virtual interrupts: 32 lines of a partition, edges, each pending or not. One goes in by EVENTINJ when the guest can take it at the
 * next entry; otherwise a virtual interrupt is requested whose only purpose is to end the guest's run (#VMEXIT VINTR) when it
 * can (AMD64 Architecture Programmer's Manual volume 2, "Event Injection", "Virtual Interrupts").
 */
import { RFLAGS } from '../regs/paging.ts';
import { EVENT, INTERCEPT_1, V_INTR, VMCB } from '../regs/vmcb.ts';
import type { Vcpu } from '../vm/vcpu.ts';
import { DEFAULT_VECTOR_BASE } from './abi.ts';

export interface VirtualInterrupts {
  raise(line: number): void;
  /** Bits of the lines that are delivered; all others wait. */
  setEnabled(lines: number): void;
  /** @param base from 32 to 224 */
  setVectorBase(base: number): void;
  /** Whether one is pending on a line that is enabled. */
  isDeliverable(): boolean;
  /**
   * Prepares the next entry: gives back what an exit interrupted the delivery of, and injects a line or asks for the moment when
   * one can be.
   * @returns 'short' if the guest is in an interrupt shadow: it has to leave again after an instruction or some
   */
  prepare(): 'usual' | 'short';
  /** An exception or NMI that goes in at the next entry, before any line. */
  injectException(vector: number, errorCode?: number): void;
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

export function createVirtualInterrupts({ vmcb, vmcb32 }: Pick<Vcpu, 'vmcb' | 'vmcb32'>): VirtualInterrupts {
  let pending = 0;
  let enabled = 0;
  let base = DEFAULT_VECTOR_BASE;
  let isWindowOpen = false;

  function openWindow(): void {
    if (isWindowOpen) return;
    isWindowOpen = true;
    vmcb32[V_INTR_WORD] = vmcb32[V_INTR_WORD]! | WINDOW;
    vmcb32[INTERCEPTS] = vmcb32[INTERCEPTS]! | INTERCEPT_1.VINTR;
  }

  function closeWindow(): void {
    isWindowOpen = false;
    vmcb32[V_INTR_WORD] = vmcb32[V_INTR_WORD]! & ~WINDOW;
    vmcb32[INTERCEPTS] = vmcb32[INTERCEPTS]! & ~INTERCEPT_1.VINTR;
  }

  return {
    raise: (line) => {
      pending |= 1 << line;
    },
    setEnabled: (lines) => {
      enabled = lines;
    },
    setVectorBase: (value) => {
      base = value;
    },
    isDeliverable: () => (pending & enabled) !== 0,
    prepare: () => {
      if (vmcb32[EXITINTINFO_LOW]! < 0) {
        // Bit 31, VALID. Its delivery is made again from the start.
        if (vmcb32[EVENTINJ_LOW]! >= 0) vmcb[EVENTINJ] = vmcb[EXITINTINFO]!;
        vmcb[EXITINTINFO] = 0n;
      }
      const deliverable = pending & enabled;
      if (deliverable === 0) {
        if (isWindowOpen) closeWindow();
        return 'usual';
      }
      if (vmcb32[EVENTINJ_LOW]! < 0 || (vmcb32[FLAGS]! & IF) === 0) {
        openWindow();
        return 'usual';
      }
      // QEMU 7.2 does not load the shadow at VMRUN: what would be injected now came too early for the guest.
      if ((vmcb32[SHADOW]! & 1) !== 0) {
        if (isWindowOpen) closeWindow();
        return 'short';
      }
      const lowest = deliverable & -deliverable;
      pending &= ~lowest;
      vmcb32[EVENTINJ_LOW] = EVENT.VALID | EVENT.TYPE_INTERRUPT | (base + 31 - Math.clz32(lowest));
      if ((pending & enabled) !== 0) openWindow();
      else if (isWindowOpen) closeWindow();
      return 'usual';
    },
    injectException: (vector, errorCode) => {
      const low = EVENT.VALID | EVENT.TYPE_EXCEPTION | vector | (errorCode === undefined ? 0 : EVENT.HAS_ERROR);
      vmcb[EVENTINJ] = BigInt.asIntN(64, BigInt(low >>> 0) | (BigInt(errorCode ?? 0) << 32n));
      vmcb[EXITINTINFO] = 0n;
    },
    reset: () => {
      pending = 0;
      enabled = 0;
      base = DEFAULT_VECTOR_BASE;
      closeWindow();
      vmcb[EVENTINJ] = 0n;
      vmcb[EXITINTINFO] = 0n;
    },
  };
}
