/** What a refused hypercall becomes in TypeScript. */
import { ERROR, HYPERCALL } from '../../kernel/partition/abi.ts';

export type HypercallName = keyof typeof HYPERCALL;
export type ErrorName = keyof typeof ERROR;

/** What a status means, and what to do about it. */
const ADVICE: Readonly<Record<ErrorName, string>> = {
  OK: 'no error',
  UNKNOWN: 'this hypervisor has no such hypercall: run the program on the version that it was built for',
  INVALID: 'an argument is out of its range: compare the values with kernel/partition/abi.ts',
  ADDRESS: "an address is outside of the partition's memory: take buffers from partition.memory",
  PERMISSION: 'only a system partition may: set isSystem in the system file',
  NONE: 'there is no such partition, plan, port or timer: compare with the system file',
  FULL: 'the queue is full, or the message longer than the channel allows: let the reader catch up, or enlarge the channel in the system file',
  EMPTY: 'nothing was written yet, or all of it was read',
  VERSION: 'the program and the hypervisor speak different versions of the interface: build both from one source',
  STATE: 'not in this direction, or not in this state: compare the channel in the system file with the use made of it',
};

function nameOf(table: Readonly<Record<string, number>>, value: number): string | undefined {
  return Object.entries(table).find(([, entry]) => entry === value)?.[0];
}

/** A hypercall returned one of ERROR. `detail` is what the caller wanted of it. */
export class HypercallError extends Error {
  override readonly name = 'HypercallError';
  readonly call: HypercallName | undefined;
  readonly error: ErrorName | undefined;

  constructor(
    number: number,
    readonly status: number,
    readonly detail: string,
  ) {
    const call = nameOf(HYPERCALL, number) as HypercallName | undefined;
    const error = nameOf(ERROR, status) as ErrorName | undefined;
    const advice = error ? ADVICE[error] : 'a status that this version does not know';
    super(`hypercall ${call ?? `0x${number.toString(16)}`}${detail ? ` (${detail})` : ''}: ${error ?? 'unknown'} (${status}): ${advice}`);
    this.call = call;
    this.error = error;
  }
}
