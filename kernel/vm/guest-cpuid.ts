/**
 * CPUID as a guest sees it: the machine's, without what it can't have (SVM, extended states, topology, a local APIC unless it has a virtual one) and with the
 * hypervisor's leaves.
 */
import { ABI_VERSION, CPUID_LEAF, SIGNATURE } from '../partition/abi.ts';
import { bit } from '../regs/bits.ts';
import { LEAF } from '../regs/cpuid.ts';

type Registers = readonly [number, number, number, number];

export interface GuestIdentity {
  readonly partition: number;
  readonly timePage: number;
  readonly memory: number;
  readonly tscKilohertz: number;
  /** Whether it has a virtual local APIC, whose number is 0. */
  readonly hasLocalApic?: boolean;
}

const SUBLEAVES_KEPT = 16;
const LEAVES_KEPT = 256;

const NOTHING: Registers = [0, 0, 0, 0];
const HIGHEST_BASIC = 0x07;
const HIGHEST_EXTENDED = 0x8000_0008;

/** CPUID 1: no MONITOR, FMA, PCID, x2APIC, TSC-deadline, XSAVE, OSXSAVE, AVX, F16C in ECX; no APIC, MTRR, HTT in EDX. */
const ECX_1_HIDDEN = bit(3) | bit(12) | bit(17) | bit(21) | bit(24) | bit(26) | bit(27) | bit(28) | bit(29);
const ECX_1_HYPERVISOR = 1 << 31;
const EDX_1_HIDDEN = bit(9) | bit(12) | bit(28);
const EDX_APIC = bit(9);
const ECX_TSC_DEADLINE = bit(24);
/** CPUID 7 EBX. */
const EBX_7_TSC_ADJUST = bit(1);
/** Of EBX the brand index and CLFLUSH size, not the APIC's number and count. */
const EBX_1_SHOWN = 0xffff;
/** CPUID 7 EBX: FSGSBASE, BMI1, SMEP, BMI2, ERMS, RDSEED, ADX, SMAP, CLFLUSHOPT, SHA. Nothing with AVX. */
const EBX_7_SHOWN = bit(0) | bit(3) | bit(7) | bit(8) | bit(9) | bit(18) | bit(19) | bit(20) | bit(23) | bit(29);
/**
 * CPUID 8000_0001h ECX: no SVM, extended APIC space, IBS, XOP, SKINIT, WDT, LWP, FMA4, TCE, node number, topology, performance counters,
 * data breakpoint extension and masks, performance time stamp, MWAITX: what is an MSR or an EFER bit that a guest does not have.
 */
const ECX_EXTENDED_HIDDEN =
  bit(2) |
  bit(3) |
  bit(10) |
  bit(11) |
  bit(12) |
  bit(13) |
  bit(15) |
  bit(16) |
  bit(17) |
  bit(19) |
  bit(22) |
  bit(23) |
  bit(24) |
  bit(26) |
  bit(27) |
  bit(28) |
  bit(29) |
  bit(30);
/** No APIC, MTRR, FFXSR (a bit of EFER). */
const EDX_EXTENDED_HIDDEN = bit(9) | bit(12) | bit(25);
/** CPUID 8000_0008h EBX: CLZERO and WBNOINVD; what else there may be are MSRs (SPEC_CTRL, PRED_CMD) and instructions over counters. */
const EBX_SIZES_SHOWN = bit(0) | bit(9);

/** A register's four characters, the first in the lowest byte. */
const textRegister = (text: string): number =>
  (text.charCodeAt(0) | (text.charCodeAt(1) << 8) | (text.charCodeAt(2) << 16) | (text.charCodeAt(3) << 24)) >>> 0;

export function createGuestCpuid(
  host: (leaf: number, subleaf: number) => Registers,
  { partition, timePage, memory, tscKilohertz, hasLocalApic = false }: GuestIdentity,
): (leaf: number, subleaf: number) => BigInt64Array {
  const own: Readonly<Record<number, Registers>> = {
    [CPUID_LEAF.BASE]: [
      CPUID_LEAF.FREQUENCY,
      textRegister(SIGNATURE.slice(0, 4)),
      textRegister(SIGNATURE.slice(4, 8)),
      textRegister(SIGNATURE.slice(8, 12)),
    ],
    [CPUID_LEAF.PARTITION]: [ABI_VERSION, timePage, partition, memory],
    [CPUID_LEAF.FREQUENCY]: [tscKilohertz, 0, 0, 0],
  };

  function look(leaf: number, subleaf: number): Registers {
    if (leaf >= CPUID_LEAF.BASE && leaf < CPUID_LEAF.BASE + 0x100) return own[leaf] ?? NOTHING;
    if (leaf > HIGHEST_BASIC && leaf < LEAF.EXTENDED_MAX) return NOTHING;
    if (leaf > HIGHEST_EXTENDED) return NOTHING;
    const [a, b, c, d] = host(leaf, subleaf);
    switch (leaf) {
      case LEAF.VENDOR:
        return [a < HIGHEST_BASIC ? a : HIGHEST_BASIC, b, c, d];
      case LEAF.FEATURES:
        return [
          a,
          b & EBX_1_SHOWN,
          ((c & ~ECX_1_HIDDEN) | ECX_1_HYPERVISOR | (hasLocalApic ? ECX_TSC_DEADLINE : 0)) >>> 0,
          ((d & ~EDX_1_HIDDEN) | (hasLocalApic ? EDX_APIC : 0)) >>> 0,
        ];
      case 0x05: // MONITOR/MWAIT
      case 0x06: // power management
        return NOTHING;
      case 0x07:
        return subleaf === 0 ? [0, ((b & EBX_7_SHOWN) | (hasLocalApic ? EBX_7_TSC_ADJUST : 0)) >>> 0, 0, 0] : NOTHING;
      case LEAF.EXTENDED_MAX:
        return [a < HIGHEST_EXTENDED ? a : HIGHEST_EXTENDED, b, c, d];
      case LEAF.EXTENDED_FEATURES:
        return [a, b, (c & ~ECX_EXTENDED_HIDDEN) >>> 0, ((d & ~EDX_EXTENDED_HIDDEN) | (hasLocalApic ? EDX_APIC : 0)) >>> 0];
      case HIGHEST_EXTENDED:
        // Address sizes; of ECX no count of cores.
        return [a, b & EBX_SIZES_SHOWN, 0, 0];
      default:
        return [a, b, c, d];
    }
  }

  // Asked for again and again, and always the same: kept as they go into the registers.
  const known = new Map<number, BigInt64Array>();
  return (leaf, subleaf) => {
    const isKept = subleaf < SUBLEAVES_KEPT;
    const key = isKept ? leaf * SUBLEAVES_KEPT + subleaf : -1;
    const kept = known.get(key);
    if (kept) return kept;
    const registers = BigInt64Array.from(look(leaf, subleaf), BigInt);
    // A guest that asks for every leaf there is does not fill the kernel's memory.
    if (isKept && known.size < LEAVES_KEPT) known.set(key, registers);
    return registers;
  };
}
