/** What guests' exits are called in the trace, by the low byte of their code: of no two that are intercepted is it the same. */
import { EXIT_CODE } from '../regs/vmcb.ts';

export const exitIndex = (code: number): number => code & 0xff;

const NAMES: Readonly<Record<number, string>> = {
  [exitIndex(EXIT_CODE.INTR)]: 'interrupt',
  [exitIndex(EXIT_CODE.VINTR)]: 'interrupt-window',
  [exitIndex(EXIT_CODE.CPUID)]: 'cpuid',
  [exitIndex(EXIT_CODE.HLT)]: 'hlt',
  [exitIndex(EXIT_CODE.IOIO)]: 'io',
  [exitIndex(EXIT_CODE.MSR)]: 'msr',
  [exitIndex(EXIT_CODE.SHUTDOWN)]: 'shutdown',
  [exitIndex(EXIT_CODE.VMMCALL)]: 'hypercall',
  [exitIndex(EXIT_CODE.NPF)]: 'nested-page-fault',
  [exitIndex(EXIT_CODE.INVALID)]: 'invalid',
  [exitIndex(EXIT_CODE.SWINT)]: 'int-n',
  [exitIndex(EXIT_CODE.CR_WRITE) + 4]: 'cr4-write',
  [exitIndex(EXIT_CODE.CR_WRITE) + 8]: 'cr8-write',
  [exitIndex(EXIT_CODE.RDTSC)]: 'rdtsc',
};
export const NAMED_EXITS: readonly number[] = Object.keys(NAMES).map(Number);

export const exitName = (index: number): string =>
  NAMES[index] ??
  (index >= EXIT_CODE.EXCEPTION && index < EXIT_CODE.EXCEPTION + 32
    ? `exception-${index - EXIT_CODE.EXCEPTION}`
    : `0x${index.toString(16)}`);
