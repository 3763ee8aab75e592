/**
 * A guest CPU's page, as boot/layout.h has it: what the world switch loads and leaves. Indices of 64-bit words.
 * test/guest-area.test.ts compares the two.
 */
export const AREA = {
  RAX: 0x00 >> 3,
  RCX: 0x08 >> 3,
  RDX: 0x10 >> 3,
  RBX: 0x18 >> 3,
  RBP: 0x28 >> 3,
  RSI: 0x30 >> 3,
  RDI: 0x38 >> 3,
  R8: 0x40 >> 3,
  R9: 0x48 >> 3,
  R10: 0x50 >> 3,
  R11: 0x58 >> 3,
  R12: 0x60 >> 3,
  R13: 0x68 >> 3,
  R14: 0x70 >> 3,
  R15: 0x78 >> 3,
  DR0: 0x80 >> 3,
  DR1: 0x88 >> 3,
  DR2: 0x90 >> 3,
  DR3: 0x98 >> 3,
  TSC_AUX: 0xa0 >> 3,
  /** Physical address of the VMCB. */
  VMCB: 0xa8 >> 3,
  /** Physical address of a page for the host's part of the state that VMLOAD and VMSAVE move. */
  HOST_VMCB: 0xb0 >> 3,
  /** TSC before which the guest is not entered. */
  NOT_BEFORE: 0xb8 >> 3,
  /** TSC right before the last entry, and right after the last exit. */
  ENTERED: 0xc0 >> 3,
  LEFT: 0xc8 >> 3,
  /**
   * A 32-bit store made right before the entry, to start a timer; none if the address is 0. It is 0 afterwards. Before it, 0 is stored at
   * END_ADDRESS: the end of the timer's interrupt, which may have been taken as late as while the entry was waited for. Where interrupts
   * were taken that nobody has handled yet, TIMER_VALUE_IF_TAKEN is stored in place of TIMER_VALUE.
   */
  TIMER_ADDRESS: 0xd0 >> 3,
  TIMER_VALUE: 0xd8 >> 3,
  /** Interrupts that were taken while runGuest waited, and at the exit; from bit 8 on the vector of the first. */
  TAKEN: 0xe0 >> 3,
  /** Not 0: interrupts taken before are still to be handled, so new ones are put behind them. It is 0 afterwards. */
  KEEP: 0xe8 >> 3,
  END_ADDRESS: 0xf0 >> 3,
  TIMER_VALUE_IF_TAKEN: 0xf8 >> 3,
} as const;

/** Byte offset of the FXSAVE image. */
export const AREA_FX = 0x200;
export const AREA_LENGTH = 0x1000;
