/** Partitions, one's own and, for system partitions, the others; plans; the end of the run. */
import { CLOCK_OPERATION, HYPERCALL, LINE, PARTITION_STATE, RESET, STATUS } from '../../kernel/partition/abi.ts';
import { instant, nanos, type Instant, type Nanos } from '../../kernel/time/units.ts';
import type { Hypervisor, SharedMemory } from './hypervisor.ts';

export type PartitionState = 'ready' | 'idle' | 'suspended' | 'halted' | 'unknown';

export interface PartitionStatus {
  readonly state: PartitionState;
  readonly hwClock: Instant;
  readonly execClock: Nanos;
  readonly resets: number;
  readonly exits: number;
  readonly slots: number;
  readonly lateSlots: number;
  readonly hypercalls: number;
}

/** A partition by its number. All but sendInterrupt are a system partition's, unless it is itself: HypercallError (PERMISSION). */
export interface PartitionControl {
  readonly number: number;
  status(): PartitionStatus;
  /** It loses the rest of its slot and all further ones, until it is resumed. */
  suspend(): void;
  resume(): void;
  /** For good, unless it is reset. */
  halt(): void;
  /** `cold`: memory is loaded anew, clocks start at the reset. `warm`: memory stays, it enters at its entry again. */
  reset(kind: 'cold' | 'warm'): void;
  /** A virtual interrupt there, on a line from LINE.FIRST_FREE to 31. */
  sendInterrupt(line: number): void;
  /** Experiments on its clocks: they stand, go on, are moved by so many nanoseconds. */
  freezeClock(): void;
  thawClock(): void;
  offsetClock(by: Nanos): void;
}

export interface Management {
  partition(number: number): PartitionControl;
  /** At the end of the major frame; a maintenance plan at once. A system partition's. */
  switchPlan(plan: number): void;
  /** Ends the run of the whole system; code 0 says that all went well. A system partition's. */
  stopRun(code: number): void;
}

const STATES: Readonly<Record<number, PartitionState>> = {
  [PARTITION_STATE.READY]: 'ready',
  [PARTITION_STATE.IDLE]: 'idle',
  [PARTITION_STATE.SUSPENDED]: 'suspended',
  [PARTITION_STATE.HALTED]: 'halted',
};

export function createManagement(hypervisor: Hypervisor, memory: SharedMemory): Management {
  const { address, buffer } = memory.allocate(STATUS.LENGTH);
  const view = new DataView(buffer);
  const field = (offset: number): bigint => view.getBigInt64(offset, true);

  function createControl(number: number): PartitionControl {
    const call = (hypercall: number, argument: number | bigint = 0, value: number | bigint = 0): void =>
      hypervisor.call(hypercall, number, argument, value, 0, () => `partition ${number}`);
    return {
      number,
      status: () => {
        call(HYPERCALL.STATUS, address);
        return {
          state: STATES[Number(field(STATUS.STATE))] ?? 'unknown',
          hwClock: instant(field(STATUS.HW_CLOCK)),
          execClock: nanos(field(STATUS.EXEC_CLOCK)),
          resets: Number(field(STATUS.RESETS)),
          exits: Number(field(STATUS.EXITS)),
          slots: Number(field(STATUS.SLOTS)),
          lateSlots: Number(field(STATUS.LATE_SLOTS)),
          hypercalls: Number(field(STATUS.HYPERCALLS)),
        };
      },
      suspend: () => call(HYPERCALL.SUSPEND),
      resume: () => call(HYPERCALL.RESUME),
      halt: () => call(HYPERCALL.HALT),
      reset: (kind) => call(HYPERCALL.RESET, kind === 'cold' ? RESET.COLD : RESET.WARM),
      sendInterrupt: (line) => {
        if (!Number.isInteger(line) || line < LINE.FIRST_FREE || line >= LINE.COUNT)
          throw new RangeError(`sendInterrupt: line ${line}: expected an integer from ${LINE.FIRST_FREE} to ${LINE.COUNT - 1}`);
        call(HYPERCALL.SEND_INTERRUPT, line);
      },
      freezeClock: () => call(HYPERCALL.CONTROL_CLOCK, CLOCK_OPERATION.FREEZE),
      thawClock: () => call(HYPERCALL.CONTROL_CLOCK, CLOCK_OPERATION.THAW),
      offsetClock: (by) => call(HYPERCALL.CONTROL_CLOCK, CLOCK_OPERATION.OFFSET, by),
    };
  }

  return {
    partition: createControl,
    switchPlan: (plan) => hypervisor.call(HYPERCALL.SWITCH_PLAN, plan, 0, 0, 0, () => `plan ${plan}`),
    stopRun: (code) => hypervisor.call(HYPERCALL.STOP, code),
  };
}
