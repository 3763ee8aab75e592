/** AMD64 Architecture Programmer's Manual vol. 3, appendix "Obtaining Processor Information Via the CPUID Instruction". */
import { bit, field } from './bits.ts';

export const LEAF = {
  VENDOR: 0x0000_0000,
  FEATURES: 0x0000_0001,
  HYPERVISOR: 0x4000_0000,
  EXTENDED_MAX: 0x8000_0000,
  EXTENDED_FEATURES: 0x8000_0001,
  BRAND: 0x8000_0002, // to 8000_0004h
  POWER: 0x8000_0007,
  SVM: 0x8000_000a,
} as const;

export const FEATURES_EDX = { TSC: bit(4), MSR: bit(5), APIC: bit(9) } as const;
export const FEATURES_ECX = { X2APIC: bit(21), TSC_DEADLINE: bit(24), HYPERVISOR: 0x8000_0000 } as const;
export const FEATURES_EBX = { LOGICAL_PROCESSORS: field(16, 8), LOCAL_APIC_ID: field(24, 8) } as const;
export const EXTENDED_ECX = { SVM: bit(2) } as const;
export const EXTENDED_EDX = { GIGABYTE_PAGES: bit(26), RDTSCP: bit(27) } as const;
export const SVM_EDX = { NESTED_PAGING: bit(0) } as const;
export const POWER_EDX = { TSC_INVARIANT: bit(8) } as const;
