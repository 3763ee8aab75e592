/** AMD64 Architecture Programmer's Manual vol. 2, "Local APIC" (Intel SDM vol. 3A, chapter "APIC", is equal in all of this). */
import { bit, field } from './bits.ts';

export const LAPIC = {
  ID: 0x020, // bits 24-31
  VERSION: 0x030,
  TPR: 0x080,
  EOI: 0x0b0,
  SVR: 0x0f0, // spurious interrupt vector
  IRR: 0x200, // interrupt request, 8 banks of 32 vectors
  BANK_STRIDE: 0x10,
  LVT_TIMER: 0x320,
  LVT_LINT0: 0x350,
  LVT_LINT1: 0x360,
  LVT_ERROR: 0x370,
  TIMER_ICR: 0x380, // initial count
  TIMER_CCR: 0x390, // current count
  TIMER_DCR: 0x3e0, // divide configuration
  LENGTH: 0x400,
} as const;

export const SVR = {
  ENABLE: bit(8), // APIC software enable
} as const;

export const LVT = {
  DELIVERY_EXTINT: 7 << 8,
  DELIVERY_NMI: 4 << 8,
  MASKED: bit(16),
  TIMER_ONE_SHOT: 0 << 17,
  TIMER_PERIODIC: 1 << 17,
  TIMER_TSC_DEADLINE: 2 << 17, // where CPUID 1 ECX bit 24 offers it (Intel SDM vol. 3A, "TSC-Deadline Mode")
  TIMER_MODE: 3 << 17,
} as const;

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
  ENABLE: 1n << 11n,
  ADDRESS: 0xf_ffff_ffff_f000n,
} as const;
