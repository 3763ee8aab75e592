/** Whether this CPU can run guests, and switching that on (AMD64 Architecture Programmer's Manual volume 2, "Enabling SVM"). */
import { EXTENDED_ECX, EXTENDED_EDX, LEAF, SVM_EDX } from '../regs/cpuid.ts';
import { EFER, EFER_MSR, VM_CR, VM_CR_MSR, VM_HSAVE_PA_MSR } from '../regs/vmcb.ts';

export interface SvmAccess {
  cpuid(leaf: number, subleaf: number): readonly [number, number, number, number];
  rdmsr(index: number): bigint;
  wrmsr(index: number, value: bigint): void;
}

export interface Svm {
  /** Address-space identifiers that there are; 0 is the host's. */
  readonly asids: number;
  readonly hasGigabytePages: boolean;
}

export type SvmResult = { readonly ok: true; readonly svm: Svm } | { readonly ok: false; readonly problem: string };

const ADVICE = 'choose a CPU model with SVM and nested paging (QEMU: --cpu EPYC)';

/** Looks without changing anything. */
export function detectSvm({ cpuid, rdmsr }: Pick<SvmAccess, 'cpuid' | 'rdmsr'>): SvmResult {
  const refuse = (what: string): SvmResult => ({ ok: false, problem: `guests can't run: ${what}` });
  const [highest] = cpuid(LEAF.EXTENDED_MAX, 0);
  const [, , features, moreFeatures] = highest >= LEAF.EXTENDED_FEATURES ? cpuid(LEAF.EXTENDED_FEATURES, 0) : [0, 0, 0, 0];
  if ((features & EXTENDED_ECX.SVM) === 0) return refuse(`CPUID 8000_0001h ECX bit 2 (SVM) is 0; ${ADVICE}`);
  if ((moreFeatures & EXTENDED_EDX.RDTSCP) === 0) return refuse(`CPUID 8000_0001h EDX bit 27 (RDTSCP) is 0; ${ADVICE}`);
  if (highest < LEAF.SVM) return refuse(`CPUID 8000_000Ah, which tells of SVM, is absent; ${ADVICE}`);
  const [, asids, , svmFeatures] = cpuid(LEAF.SVM, 0);
  if ((svmFeatures & SVM_EDX.NESTED_PAGING) === 0) return refuse(`CPUID 8000_000Ah EDX bit 0 (nested paging) is 0; ${ADVICE}`);
  if ((rdmsr(VM_CR_MSR) & VM_CR.SVMDIS) !== 0n)
    return refuse('the firmware has switched SVM off (VM_CR.SVMDIS, MSR C001_0114h); switch it on in its set-up');
  return { ok: true, svm: { asids, hasGigabytePages: (moreFeatures & EXTENDED_EDX.GIGABYTE_PAGES) !== 0 } };
}

/** @param saveArea physical address of a page for the host's state */
export function enableSvm({ rdmsr, wrmsr }: Pick<SvmAccess, 'rdmsr' | 'wrmsr'>, saveArea: number): void {
  wrmsr(EFER_MSR, rdmsr(EFER_MSR) | EFER.SVME);
  wrmsr(VM_HSAVE_PA_MSR, BigInt(saveArea));
}
