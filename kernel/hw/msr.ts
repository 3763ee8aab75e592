import type { Shims } from './shims.ts';

/** One model-specific register. */
export interface Msr {
  read(): bigint;
  write(value: bigint): void;
}

export function createMsr(shims: Shims, index: number): Msr {
  const { rdmsr, wrmsr } = shims;
  return { read: () => rdmsr(index), write: (value) => wrmsr(index, value) };
}
