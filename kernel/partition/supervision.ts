/** A supervisor's hold on a system: between two major frames all of it stands still, its time and its partitions' clocks too. */
import { VMCB } from '../regs/vmcb.ts';
import { EVENTS } from '../trace/events.ts';
import type { Trace } from '../trace/trace.ts';
import type { ConsoleOutput, Supervisor, SystemControl } from './control.ts';
import type { SchedulerCalls } from './hypercalls.ts';
import type { Partition } from './partition.ts';
import type { SystemDescription } from './system.ts';
import type { HoldableTime } from './system-time.ts';

export interface SupervisionParts {
  readonly supervisor: Supervisor;
  readonly system: Pick<SystemDescription, 'name' | 'plans'>;
  readonly partitions: readonly Partition[];
  readonly time: HoldableTime;
  readonly trace: Trace;
  /** What the kernel takes while the system stands counts for nothing. */
  readonly forgetStretch: () => void;
}

export interface Supervision {
  /** The trace as hypercalls see it: what goes to the console goes to the supervisor too. */
  readonly trace: Trace;
  isStanding(): boolean;
  /** Stands before the first slot. @returns why the system does not run, undefined if it does */
  begin(calls: SchedulerCalls): string | undefined;
  /** A frame has ended, nominally at this instant: stands, if it is to. @returns why the system does not go on, undefined if it does */
  betweenFrames(end: bigint): string | undefined;
  /** The system has ended for this reason. */
  end(reason: string): void;
}

/** From there to going on: what is told to all partitions takes some 10 us each, and the first slot's preparation comes then. */
const STAND_AHEAD_NS = 1_000_000n;
/** Lines of output that wait for a person. */
const OUTPUT_MAX = 1000;
const LEFT = 'it was left at the console';

const TSC_OFFSET = VMCB.TSC_OFFSET >> 3;

export function createSupervision(parts: SupervisionParts): Supervision {
  const { supervisor, system, partitions, time, trace, forgetStretch } = parts;
  let calls: SchedulerCalls | undefined;
  /** The frame in which this instant comes is the last one before it stands. */
  let until = 0n;
  let isStanding = false;
  let ended: string | undefined;
  let output: ConsoleOutput[] = [];
  let forgotten = 0;

  const control = (): SystemControl => ({
    name: system.name,
    partitions,
    plans: system.plans,
    calls: calls!,
    now: time.now,
    ended: () => ended,
    interrupt: () => {
      until = time.now();
    },
    takeOutput: () => {
      const taken = { lines: output, forgotten };
      output = [];
      forgotten = 0;
      return taken;
    },
  });

  /** @returns why the system does not go on, undefined if it does */
  function stand(): string | undefined {
    time.hold();
    isStanding = true;
    trace.flush();
    const next = supervisor(control());
    isStanding = false;
    const stood = time.release(time.toTicks(STAND_AHEAD_NS));
    if (next === undefined) return LEFT;
    until = next;
    for (const partition of partitions) {
      const { platform, vcpu } = partition;
      platform?.stood(stood);
      vcpu.vmcb[TSC_OFFSET] = platform?.tscOffset() ?? vcpu.vmcb[TSC_OFFSET]! - stood;
      calls!.refreshClocks(partition);
    }
    forgetStretch();
    return undefined;
  }

  return {
    trace: {
      ...trace,
      record: (event, ...values) => {
        trace.record(event, ...values);
        if (event.id !== EVENTS.partitionConsole.id) return;
        const [partition, text] = values as unknown as [number, Uint8Array];
        output.push({ partition: partitions[partition]!, text });
        if (output.length <= OUTPUT_MAX) return;
        output.shift();
        forgotten++;
      },
    },
    isStanding: () => isStanding,
    begin: (given) => {
      calls = given;
      return stand();
    },
    betweenFrames: (end) => (end < until ? undefined : stand()),
    end: (reason) => {
      if (reason === LEFT) return;
      ended = reason;
      time.hold();
      supervisor(control());
    },
  };
}
