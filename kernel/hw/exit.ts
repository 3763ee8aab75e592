/**
 * How a run ends: what the debug-exit device is told. The first two are said by TypeScript, the others by
 * the runtime (enum exit_code in boot/runtime.h; test/shims.test.ts compares the two lists).
 * QEMU's exit status is 2 * code + 1, so that 0 and 1 stay what they mean for QEMU itself.
 */
export const EXIT = {
  OK: 0x10,
  /** The kernel ran and found that something it was to hold did not. */
  FAILED: 0x11,
  UNCAUGHT_ERROR: 0x12,
  OUT_OF_MEMORY: 0x13,
  STACK_OVERFLOW: 0x14,
  /** The boot module's bundle does not parse or is none. */
  BUNDLE_INVALID: 0x15,
  /** What the loader handed over (start info, memory map, boot module, command line) can't be used. */
  BOOT_INFO_INVALID: 0x16,
  CPU_EXCEPTION: 0x17,
  DOUBLE_FAULT: 0x18,
  NMI: 0x19,
  MACHINE_CHECK: 0x1a,
  RUNTIME_BUG: 0x1b,
} as const;

export type ExitName = keyof typeof EXIT;
