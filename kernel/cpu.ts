import { getField } from './regs/bits.ts';
import { EXTENDED_ECX, FEATURES_EBX, FEATURES_ECX, FEATURES_EDX, LEAF, POWER_EDX } from './regs/cpuid.ts';

type Cpuid = (leaf: number, subleaf: number) => readonly [number, number, number, number];

/** What CPUID tells of the CPU, as far as the kernel uses it. */
export interface CpuDescription {
  readonly vendor: string;
  readonly brand: string;
  /** Signature of the hypervisor under us, or `none`. */
  readonly hypervisor: string;
  readonly hasTsc: boolean;
  readonly hasLocalApic: boolean;
  readonly hasTscDeadline: boolean;
  /** The TSC runs at one rate in all P-, C- and T-states. */
  readonly hasInvariantTsc: boolean;
  readonly hasSvm: boolean;
  readonly localApicId: number;
}

/** Registers hold text with the first character in the lowest byte. */
function textOf(registers: readonly number[]): string {
  let text = '';
  for (const register of registers) {
    for (let shift = 0; shift < 32; shift += 8) {
      const code = (register >>> shift) & 0xff;
      if (code >= 0x20 && code < 0x7f) text += String.fromCharCode(code);
    }
  }
  return text.trim();
}

export function describeCpu(cpuid: Cpuid): CpuDescription {
  const [, vendorB, vendorC, vendorD] = cpuid(LEAF.VENDOR, 0);
  const [, featuresB, featuresC, featuresD] = cpuid(LEAF.FEATURES, 0);
  const [extendedMax] = cpuid(LEAF.EXTENDED_MAX, 0);
  const extended = extendedMax >= LEAF.EXTENDED_FEATURES ? cpuid(LEAF.EXTENDED_FEATURES, 0) : ([0, 0, 0, 0] as const);
  const power = extendedMax >= LEAF.POWER ? cpuid(LEAF.POWER, 0) : ([0, 0, 0, 0] as const);
  const brand = extendedMax >= LEAF.BRAND + 2 ? [0, 1, 2].flatMap((part) => [...cpuid(LEAF.BRAND + part, 0)]) : [];
  const hypervisor = (featuresC & FEATURES_ECX.HYPERVISOR) !== 0 ? textOf(cpuid(LEAF.HYPERVISOR, 0).slice(1)) : '';
  return {
    vendor: textOf([vendorB, vendorD, vendorC]),
    brand: textOf(brand) || 'unnamed',
    hypervisor: hypervisor || 'none',
    hasTsc: (featuresD & FEATURES_EDX.TSC) !== 0,
    hasLocalApic: (featuresD & FEATURES_EDX.APIC) !== 0,
    hasTscDeadline: (featuresC & FEATURES_ECX.TSC_DEADLINE) !== 0,
    hasInvariantTsc: (power[3] & POWER_EDX.TSC_INVARIANT) !== 0,
    hasSvm: (extended[2] & EXTENDED_ECX.SVM) !== 0,
    localApicId: getField(featuresB, FEATURES_EBX.LOCAL_APIC_ID),
  };
}
