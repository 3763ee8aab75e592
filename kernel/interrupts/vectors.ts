/** Who has which vector. 0 to 31 are the CPU's exceptions. */
export const VECTOR = {
  /** 8259A lines 0 to 15. */
  PIC: 0x20,
  /** Global system interrupt n has GSI + n, up to the timer's. */
  GSI: 0x30,
  LOCAL_TIMER: 0xe0,
  /** Low four bits set: old local APICs have them hard-wired. */
  SPURIOUS: 0xff,
} as const;
