/** AMD64 Architecture Programmer's Manual vol. 2, "Local APIC" (Intel SDM vol. 3A, chapter "APIC", is equal in all of this unless said). */
import { bit, field } from './bits.ts';

export const LAPIC_ADDRESS = 0xfee0_0000;

export const LAPIC = {
  ID: 0x020, // bits 24-31
  VERSION: 0x030,
  TPR: 0x080, // task priority
  APR: 0x090, // arbitration priority
  PPR: 0x0a0, // processor priority
  EOI: 0x0b0,
  RRD: 0x0c0, // remote read
  LDR: 0x0d0, // logical destination, bits 24-31
  DFR: 0x0e0, // destination format, bits 28-31
  SVR: 0x0f0, // spurious interrupt vector
  ISR: 0x100, // in service, 8 banks of 32 vectors
  TMR: 0x180, // trigger mode, 8 banks
  IRR: 0x200, // interrupt request, 8 banks of 32 vectors
  BANK_STRIDE: 0x10,
  ESR: 0x280, // error status
  ICR_LOW: 0x300, // interrupt command: writing it sends
  ICR_HIGH: 0x310, // destination, bits 24-31
  LVT_TIMER: 0x320,
  LVT_THERMAL: 0x330,
  LVT_PERF: 0x340,
  LVT_LINT0: 0x350,
  LVT_LINT1: 0x360,
  LVT_ERROR: 0x370,
  TIMER_ICR: 0x380, // initial count
  TIMER_CCR: 0x390, // current count
  TIMER_DCR: 0x3e0, // divide configuration
  LENGTH: 0x400,
} as const;

export const SVR = {
  VECTOR: field(0, 8),
  ENABLE: bit(8), // APIC software enable
  FOCUS_DISABLE: bit(9), // focus CPU checking
} as const;

/** Delivery modes, of ICR, LVT and the I/O APIC's entries. */
export const DELIVERY = { FIXED: 0, LOWEST_PRIORITY: 1, SMI: 2, NMI: 4, INIT: 5, STARTUP: 6, EXTINT: 7 } as const;

export const LVT = {
  VECTOR: field(0, 8),
  DELIVERY: field(8, 3),
  DELIVERY_EXTINT: 7 << 8,
  DELIVERY_NMI: 4 << 8,
  DELIVERY_STATUS: bit(12), // read only
  POLARITY_LOW: bit(13), // LINT0, LINT1
  REMOTE_IRR: bit(14), // LINT0, LINT1, read only
  TRIGGER_LEVEL: bit(15), // LINT0, LINT1
  MASKED: bit(16),
  TIMER_ONE_SHOT: 0 << 17,
  TIMER_PERIODIC: 1 << 17,
  TIMER_TSC_DEADLINE: 2 << 17, // where CPUID 1 ECX bit 24 offers it (Intel SDM vol. 3A, "TSC-Deadline Mode")
  TIMER_MODE: 3 << 17,
} as const;

/** "Interrupt Command Register", low half. */
export const ICR = {
  VECTOR: field(0, 8),
  DELIVERY: field(8, 3),
  LOGICAL: bit(11), // destination mode
  DELIVERY_STATUS: bit(12), // read only
  ASSERT: bit(14), // level
  TRIGGER_LEVEL: bit(15),
  SHORTHAND: field(18, 2),
} as const;
export const SHORTHAND = { DESTINATION: 0, SELF: 1, ALL: 2, ALL_BUT_SELF: 3 } as const;

/** "Error Status Register". */
export const ESR = {
  SENT_ACCEPT: bit(2), // nobody accepted what was sent
  RECEIVED_ACCEPT: bit(3),
  SENT_ILLEGAL_VECTOR: bit(5),
  RECEIVED_ILLEGAL_VECTOR: bit(6),
  ILLEGAL_REGISTER: bit(7),
} as const;

/** Vectors below are reserved: an interrupt with one is an error. */
export const FIRST_LEGAL_VECTOR = 16;

/** Destination that means every APIC. */
export const BROADCAST = 0xff;
/** "Destination Format Register", bits 28-31. */
export const DFR = { FLAT: 0xf, CLUSTER: 0x0 } as const;

/** "Divide Configuration Register": bits 0, 1 and 3. */
export const DIVIDE = { 1: 0b1011, 2: 0b0000, 4: 0b0001, 8: 0b0010, 16: 0b0011, 32: 0b1000, 64: 0b1001, 128: 0b1010 } as const;
export type Divisor = keyof typeof DIVIDE;
export const DIVISORS: readonly Divisor[] = [1, 2, 4, 8, 16, 32, 64, 128];

export const VERSION = {
  VERSION: field(0, 8),
  MAX_LVT_ENTRY: field(16, 8),
} as const;

/** IA32_TSC_DEADLINE: the TSC value at which the timer interrupts; reads 0 when it has, 0 disarms it. */
export const TSC_DEADLINE_MSR = 0x6e0;

/** MSR 1Bh. */
export const APIC_BASE_MSR = 0x1b;
export const APIC_BASE = {
  BSC: 1n << 8n, // this is the boot core; read only
  EXTD: 1n << 10n, // x2APIC
  ENABLE: 1n << 11n,
  ADDRESS: 0xf_ffff_ffff_f000n,
} as const;
