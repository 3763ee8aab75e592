/** IA-PC HPET (High Precision Event Timers) Specification 1.0a, "Register Model". */
import { bit, field } from './bits.ts';

export const HPET = {
  GCAP_ID: 0x000, // general capabilities and ID
  COUNTER_CLK_PERIOD: 0x004, // its high half, in femtoseconds
  GEN_CONF: 0x010,
  GINTR_STA: 0x020, // general interrupt status
  MAIN_CNT: 0x0f0,
  TIMER_0: 0x100,
  TIMER_STRIDE: 0x20,
  LENGTH: 0x400,
} as const;

/** "Register Overview": where the platform puts the block unless the ACPI table says otherwise. */
export const HPET_BASE = 0xfed0_0000;

/** Offsets within one timer's registers. */
export const TIMER = {
  CONF: 0x00,
  INT_ROUTE_CAP: 0x04, // high half of the configuration register: one bit per I/O APIC input
  COMPARATOR: 0x08,
  FSB_INT_VAL: 0x10, // "Timer N FSB Interrupt Route Register": the data of the message
  FSB_INT_ADDR: 0x14, // and where it is written
} as const;

/** Low half of "General Capabilities and ID Register". */
export const GCAP_ID = {
  REV_ID: field(0, 8), // never 0
  NUM_TIM_CAP: field(8, 5), // number of timers - 1
  COUNT_SIZE_CAP: bit(13), // the main counter has 64 bits
  LEG_RT_CAP: bit(15), // legacy replacement is possible
  VENDOR_ID: field(16, 16), // as in PCI
} as const;

/** "COUNTER_CLK_PERIOD": at most 05F5E100h, and not 0. */
export const PERIOD_MAX_FS = 100_000_000;
export const FEMTOSECONDS_PER_SECOND = 1_000_000_000_000_000n;

/** "General Configuration Register". */
export const GEN_CONF = {
  ENABLE_CNF: bit(0), // overall enable: the main counter runs, interrupts are allowed
  LEG_RT_CNF: bit(1), // legacy replacement route: timer 0 is IRQ 0, timer 1 is IRQ 8
} as const;

/** "Timer N Configuration and Capabilities Register", low half. */
export const TN_CONF = {
  INT_TYPE_CNF: bit(1), // 1 = level, 0 = edge
  INT_ENB_CNF: bit(2),
  TYPE_CNF: bit(3), // 1 = periodic
  PER_INT_CAP: bit(4),
  SIZE_CAP: bit(5), // the comparator has 64 bits
  VAL_SET_CNF: bit(6), // the next comparator write sets the accumulator of a periodic timer
  B32MODE_CNF: bit(8), // (32MODE_CNF) treat a 64-bit timer as one of 32 bits
  INT_ROUTE_CNF: field(9, 5), // I/O APIC input
  FSB_EN_CNF: bit(14), // messages instead of an I/O APIC input
  FSB_INT_DEL_CAP: bit(15),
} as const;
