/** A system in the hands of a person: what a supervisor sees of it, and may do to it, while it stands still. */
import type { SchedulerCalls } from './hypercalls.ts';
import type { Partition } from './partition.ts';
import type { PlanDescription } from './system.ts';

export interface ConsoleOutput {
  readonly partition: Partition;
  readonly text: Uint8Array;
}

export interface SystemControl {
  readonly name: string;
  readonly partitions: readonly Partition[];
  readonly plans: readonly PlanDescription[];
  readonly calls: SchedulerCalls;
  /** Since the epoch. */
  now(): bigint;
  /** Why it has ended; undefined as long as it can go on. */
  ended(): string | undefined;
  /** Asks it to stand still when the major frame has ended. */
  interrupt(): void;
  /** What its partitions have written since this was last asked; the oldest is forgotten first. */
  takeOutput(): { readonly lines: readonly ConsoleOutput[]; readonly forgotten: number };
}

/**
 * Called while the system stands still: before its first slot, at the end of the major frame in which the instant has come that it returned last,
 * and when the system has ended.
 * @returns the instant until which the system is to run; undefined if it is not to go on
 */
export type Supervisor = (control: SystemControl) => bigint | undefined;
