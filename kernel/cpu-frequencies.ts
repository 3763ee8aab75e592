/**
 * Frequencies that CPUID tells: leaves 15h and 16h of Intel's processors (AMD's have them reserved), and the timing leaf of hypervisors. Not
 * used: Intel's table of crystal frequencies by model for a leaf 15h that leaves it out.
 */
import { getField } from './regs/bits.ts';
import { BASE_MHZ, FEATURES_ECX, LEAF } from './regs/cpuid.ts';
import { frequency, type Frequency } from './time/frequency.ts';

export interface EnumeratedFrequencies {
  /** The most certain first; empty if CPUID tells none. */
  readonly tsc: readonly Frequency[];
  /** Of the local APIC's timer with divisor 1. */
  readonly localApic: readonly Frequency[];
}

/** @param vendor as `describeCpu` (cpu.ts) found it */
export function enumerateFrequencies(
  cpuid: (leaf: number, subleaf: number) => readonly [number, number, number, number],
  vendor: string,
): EnumeratedFrequencies {
  const tsc: Frequency[] = [];
  const localApic: Frequency[] = [];
  const [basicMax] = cpuid(LEAF.VENDOR, 0);
  const isIntel = vendor === 'GenuineIntel';

  if (isIntel && basicMax >= LEAF.TSC_RATIO) {
    const [denominator, numerator, crystal] = cpuid(LEAF.TSC_RATIO, 0);
    // "If EBX[31:0] is 0, the TSC/core crystal clock ratio is not enumerated. If ECX is 0, the nominal core crystal clock frequency is not."
    if (denominator !== 0 && numerator !== 0 && crystal !== 0) {
      tsc.push(frequency(BigInt(crystal) * BigInt(numerator), BigInt(denominator), 'enumerated', 'CPUID 15h'));
      // SDM vol. 3A, "APIC Timer": its clock is the core crystal clock where leaf 15h enumerates it.
      localApic.push(frequency(BigInt(crystal), 1n, 'enumerated', 'CPUID 15h'));
    }
  }
  const [, , features] = cpuid(LEAF.FEATURES, 0);
  if ((features & FEATURES_ECX.HYPERVISOR) !== 0) {
    const [hypervisorMax] = cpuid(LEAF.HYPERVISOR, 0);
    // Below 4000_0000h is no leaf of a hypervisor, and from 4001_0000h on they are not the same one's.
    if (hypervisorMax >= LEAF.HYPERVISOR_TIMING && hypervisorMax < LEAF.HYPERVISOR + 0x1_0000) {
      const [tscKhz, localApicKhz] = cpuid(LEAF.HYPERVISOR_TIMING, 0);
      if (tscKhz !== 0) tsc.push(rounded(tscKhz, 1_000, 'CPUID 40000010h'));
      if (localApicKhz !== 0) localApic.push(rounded(localApicKhz, 1_000, 'CPUID 40000010h'));
    }
  }
  if (isIntel && basicMax >= LEAF.PROCESSOR_FREQUENCY) {
    const [base] = cpuid(LEAF.PROCESSOR_FREQUENCY, 0);
    const mhz = getField(base, BASE_MHZ);
    // The TSC counts at the base frequency, to what a megahertz hides.
    if (mhz !== 0) tsc.push(rounded(mhz, 1_000_000, 'CPUID 16h'));
  }
  return { tsc, localApic };
}

/** A whole number of units: rounded or cut off, and so uncertain by one. */
const rounded = (count: number, hertzPerUnit: number, source: string): Frequency =>
  frequency(BigInt(count) * BigInt(hertzPerUnit), 1n, 'enumerated', source, Math.ceil(1e9 / count));
