import { describe, expect, it } from 'vitest';
import { SEGMENT_ATTRIBUTES, VMCB } from '../regs/vmcb.ts';
import { createFakePartition, createFakeTrace } from '../testing/partition.ts';
import { frequency } from '../time/frequency.ts';
import { AREA } from '../vm/guest-area.ts';
import {
  ABI_VERSION,
  BATCH_ENTRY,
  BATCH_MAX,
  CLOCK,
  CLOCK_OPERATION,
  CONSOLE_MAX,
  ERROR,
  HEALTH_ENTRY,
  HYPERCALL,
  LINE,
  PARTITION_STATE,
  PORT_VALID,
  RESET,
  SELF,
  STATUS,
  TIME_PAGE,
  TIMER_PERIOD_MIN,
  TIMERS_MAX,
} from './abi.ts';
import { AFTER, exitIndex } from './exits.ts';
import { createHealthMonitor } from './health-monitor.ts';
import { createHypercalls } from './hypercalls.ts';
import type { Partition } from './partition.ts';
import { createPorts } from './ports.ts';
import { createSystemTime } from './system-time.ts';
import { HEALTH_ACTIONS, HEALTH_EVENTS } from './system.ts';
import { NEVER_DUE } from './virtual-timers.ts';
import { instant, nanos } from '../time/units.ts';

const { READY, IDLE, SUSPENDED, HALTED } = PARTITION_STATE;
const MEMORY = 0x1_0000;
const AT = 0x4000;
const BUFFER = 0x8000;
const VMMCALL = [0x0f, 0x01, 0xd9];
/** Partition 0 manages, 1 does not, 2 is another. */
const SYSTEM = 0;
const USER = 1;
const OTHER = 2;

interface Caller {
  readonly partition: Partition;
  /** @returns status, value */
  call(number: number, a?: bigint | number, b?: bigint | number, c?: bigint | number): [status: number, value: bigint];
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

function create({ mode = 'long', wallOffset }: { mode?: 'long' | 'protected'; wallOffset?: bigint } = {}) {
  let tsc = 0n;
  let looks = 0;
  let looksLeft = Infinity;
  const done: string[] = [];
  const fake = createFakeTrace();
  const partitions = [SYSTEM, USER, OTHER].map((index) =>
    createFakePartition({ index, entry: { mode, entry: AT }, memory: MEMORY, isSystem: index === SYSTEM, rdtsc: () => tsc }),
  );
  const clock = {
    name: 'tsc' as const,
    frequency: frequency(1_000_000_000n, 1n, 'measured', 'test'),
    width: 64,
    resolution: nanos(1n),
    reach: nanos(1n << 62n),
    readingTsc: () => tsc,
    now: () => instant(tsc),
  };
  const time = createSystemTime(() => tsc, clock.frequency, clock, 0n);
  const setState = (partition: Partition, state: number, reason: string): void => {
    partition.state = state;
    done.push(`${partition.index} is ${state} ${reason}`);
  };
  const reset = (partition: Partition, isCold: boolean, reason: string): void => {
    partition.loading = { step: () => true };
    partition.state = READY;
    done.push(`${partition.index} ${isCold ? 'cold' : 'warm'} ${reason}`);
  };
  const health = createHealthMonitor({
    trace: fake.trace,
    now: () => tsc,
    actions: { setState, reset, switchPlan: () => undefined, stop: () => undefined },
  });
  const ports = createPorts(
    [
      { kind: 'queuing', name: 'q', size: 8, depth: 2, from: { partition: USER, port: 'out' }, to: [{ partition: OTHER, port: 'in' }] },
      {
        kind: 'sampling',
        name: 's',
        size: 8,
        validity: 100,
        from: { partition: USER, port: 'sample' },
        to: [{ partition: OTHER, port: 'sample' }],
      },
    ],
    [],
    partitions,
  );
  const { onHypercall } = createHypercalls({
    partitions,
    trace: fake.trace,
    time,
    health,
    ports,
    wallOffset,
    consoleRoom: 100,
    scheduler: {
      setState,
      reset,
      switchPlan: (plan) => {
        done.push(`plan ${plan}`);
        return plan < 3;
      },
      stop: (reason) => done.push(`stop ${reason}`),
      hasTime: () => ++looks <= looksLeft,
      mayDecode: () => true,
      hwClock: ({ frozenAt, hwOffset }) => frozenAt ?? tsc + hwOffset,
      execClock: ({ exec }) => exec,
      refreshClocks: ({ index }) => done.push(`refresh ${index}`),
      settle: () => 0,
    },
  });
  let after = -1;

  function callerOf(index: number): Caller {
    const partition = partitions[index]!;
    const { area, vmcb } = partition.vcpu;
    const { bytes } = partition.memory;
    if (mode === 'long') vmcb[VMCB.CR0 >> 3] = vmcb[VMCB.CR0 >> 3]! & 0x7fff_ffffn;
    bytes.set(VMMCALL, AT);
    return {
      partition,
      bytes,
      view: new DataView(bytes.buffer),
      call: (number, a = 0, b = 0, c = 0) => {
        area[AREA.RAX] = BigInt(number);
        [area[AREA.RDI], area[AREA.RSI], area[AREA.RDX]] = [a, b, c].map((value) => BigInt.asIntN(64, BigInt(value))) as [
          bigint,
          bigint,
          bigint,
        ];
        vmcb[VMCB.RIP >> 3] = BigInt(AT);
        area[AREA.LEFT] = tsc;
        after = onHypercall(partition);
        return [Number(area[AREA.RAX]), area[AREA.RDX]!];
      },
    };
  }

  return {
    system: callerOf(SYSTEM),
    user: callerOf(USER),
    other: callerOf(OTHER),
    onHypercall,
    done,
    health,
    fake,
    setTsc: (value: bigint) => (tsc = value),
    /** `hasTime` says yes so many times more. */
    setLooks: (left: number) => {
      looks = 0;
      looksLeft = left;
    },
    after: () => after,
    moved: ({ partition }: Caller) => Number(partition.vcpu.vmcb[VMCB.RIP >> 3]! - BigInt(AT)),
    names: () => fake.take().map(([name]) => name),
  };
}

const put = ({ bytes }: Caller, at: number, text: string): void =>
  bytes.set(
    [...text].map((letter) => letter.charCodeAt(0)),
    at,
  );

describe('a hypercall', () => {
  it('answers in RAX and RDX, keeps all other registers, and goes on behind it', () => {
    const guest = create();
    const { area } = guest.user.partition.vcpu;
    for (let index = 0; index <= AREA.R15; index++) area[index] = BigInt(1000 + index);
    expect(guest.user.call(HYPERCALL.VERSION, 1, 2, 3)).toEqual([0, BigInt(ABI_VERSION)]);
    expect([area[AREA.RDI], area[AREA.RSI], area[AREA.RCX], area[AREA.RBX], area[AREA.R15]]).toEqual([1n, 2n, 1001n, 1003n, 1015n]);
    expect([guest.moved(guest.user), guest.after()]).toEqual([3, AFTER.RESUME]);
  });

  it('from user mode is #UD, at the instruction', () => {
    const guest = create();
    new DataView(guest.user.partition.vcpu.vmcb.buffer).setUint8(VMCB.CPL, 3);
    guest.user.call(HYPERCALL.HALT, SELF);
    expect([guest.done, guest.moved(guest.user), guest.user.partition.vcpu.vmcb32[VMCB.EVENTINJ >> 2]]).toEqual([[], 0, 0x8000_0306 | 0]);
    expect(guest.user.partition.vcpu.area[AREA.RAX]).toBe(BigInt(HYPERCALL.HALT));
  });

  it('of another version, and one that there is not, say so', () => {
    const { user } = create();
    for (const number of [0, 1, 0x2_0000, 0x2_0001, 0xffff_0001]) expect(user.call(number)[0], number.toString(16)).toBe(ERROR.VERSION);
    const numbers = new Set<number>(Object.values(HYPERCALL));
    for (let low = 0; low < 0x1_0000; low += low < 100 ? 1 : 997) {
      const number = 0x1_0000 | low;
      if (!numbers.has(number)) expect(user.call(number)[0], number.toString(16)).toBe(ERROR.UNKNOWN);
    }
    expect(user.call(0x1_ffff)[0]).toBe(ERROR.UNKNOWN);
  });

  it.each([
    ['SET_TIMER', [TIMERS_MAX, 0, 0], ERROR.NONE],
    ['SET_TIMER', [0xffff, 0, 0], ERROR.NONE],
    ['SET_TIMER', [2 << 16, 0, 0], ERROR.INVALID],
    ['SET_TIMER', [-65536, 0, 0], ERROR.INVALID],
    ['SET_TIMER', [1n << 63n, 0, 0], ERROR.INVALID],
    ['SET_TIMER', [0, -1, 0], ERROR.INVALID],
    ['SET_TIMER', [0, 1n << 62n, 0], ERROR.INVALID],
    ['SET_TIMER', [0, 0, -1], ERROR.INVALID],
    ['SET_TIMER', [0, 0, TIMER_PERIOD_MIN - 1], ERROR.INVALID],
    ['SET_TIMER', [0, 0, 1n << 62n], ERROR.INVALID],
    ['CANCEL_TIMER', [TIMERS_MAX], ERROR.NONE],
    ['CANCEL_TIMER', [-1], ERROR.NONE],
    ['GET_TIME', [3], ERROR.INVALID],
    ['GET_TIME', [1n << 32n], ERROR.INVALID],
    ['GET_TIME', [CLOCK.WALL], ERROR.NONE],
    ['CONSOLE', [MEMORY, 1], ERROR.ADDRESS],
    ['CONSOLE', [MEMORY - 1, 2], ERROR.ADDRESS],
    ['CONSOLE', [-1, 1], ERROR.ADDRESS],
    ['CONSOLE', [-16, 32], ERROR.ADDRESS],
    ['CONSOLE', [0, CONSOLE_MAX + 1], ERROR.INVALID],
    ['CONSOLE', [0, -1], ERROR.INVALID],
    ['HALT', [OTHER], ERROR.PERMISSION],
    ['SUSPEND', [99], ERROR.PERMISSION],
    ['RESUME', [OTHER], ERROR.PERMISSION],
    ['RESUME', [SELF], ERROR.STATE],
    ['RESET', [OTHER, 0], ERROR.PERMISSION],
    ['RESET', [SELF, 2], ERROR.INVALID],
    ['STATUS', [OTHER, 0], ERROR.PERMISSION],
    ['STATUS', [SELF, MEMORY - STATUS.LENGTH + 1], ERROR.ADDRESS],
    ['SWITCH_PLAN', [0], ERROR.PERMISSION],
    ['READ_HEALTH', [0, 40], ERROR.PERMISSION],
    ['CONTROL_CLOCK', [SELF, 0, 0], ERROR.PERMISSION],
    ['STOP', [0], ERROR.PERMISSION],
    ['PORT_OPEN', [0, 0], ERROR.INVALID],
    ['PORT_OPEN', [0, 65], ERROR.INVALID],
    ['PORT_OPEN', [MEMORY - 1, 2], ERROR.ADDRESS],
    ['PORT_OPEN', [0, 4], ERROR.NONE],
    ['PORT_WRITE', [77, 0, 1], ERROR.NONE],
    ['PORT_WRITE', [1n << 32n, 0, 1], ERROR.NONE],
    ['PORT_WRITE', [0, MEMORY, 1], ERROR.ADDRESS],
    ['PORT_WRITE', [0, 0, -1], ERROR.ADDRESS],
    ['PORT_WRITE', [0, 0, 9], ERROR.FULL],
    ['PORT_READ', [0, 0, 8], ERROR.STATE],
    ['PORT_READ', [1, 0, 8], ERROR.NONE],
    ['PORT_READ', [0, MEMORY - 7, 8], ERROR.ADDRESS],
    ['SET_VECTOR_BASE', [31], ERROR.INVALID],
    ['SET_VECTOR_BASE', [225], ERROR.INVALID],
    ['SET_VECTOR_BASE', [-200], ERROR.INVALID],
    ['SEND_INTERRUPT', [3, 8], ERROR.NONE],
    ['SEND_INTERRUPT', [-1, 8], ERROR.NONE],
    ['SEND_INTERRUPT', [OTHER, LINE.FIRST_FREE - 1], ERROR.INVALID],
    ['SEND_INTERRUPT', [OTHER, LINE.COUNT], ERROR.INVALID],
    ['WATCHDOG', [-1], ERROR.INVALID],
    ['WATCHDOG', [1n << 62n], ERROR.INVALID],
    ['BATCH', [0, BATCH_MAX + 1, 0], ERROR.INVALID],
    ['BATCH', [0, -1, 0], ERROR.INVALID],
    ['BATCH', [0, 1, 2], ERROR.INVALID],
    ['BATCH', [0, 1, -1], ERROR.INVALID],
    ['BATCH', [MEMORY - BATCH_ENTRY + 1, 1, 0], ERROR.ADDRESS],
  ] as const satisfies readonly (readonly [keyof typeof HYPERCALL, readonly (number | bigint)[], number])[])(
    '%s %s is refused (%i), and does nothing',
    (name, arguments_, status) => {
      const guest = create();
      const { user, other } = guest;
      const before = user.bytes.slice();
      const [a, b, c] = arguments_ as readonly (number | bigint)[];
      expect(user.call(HYPERCALL[name], a, b, c)[0]).toBe(status);
      expect([guest.done, guest.names()]).toEqual([[], []]);
      expect(Buffer.compare(user.bytes, before)).toBe(0);
      expect([user.partition.timers.armed(), other.partition.interrupts.pending, user.partition.watchdogDue]).toEqual([0, 0, undefined]);
      expect(guest.moved(user)).toBe(3);
    },
  );

  it('of a system partition about one that there is not says so', () => {
    const { system, done } = create();
    for (const number of [HYPERCALL.HALT, HYPERCALL.SUSPEND, HYPERCALL.RESUME, HYPERCALL.RESET, HYPERCALL.STATUS, HYPERCALL.CONTROL_CLOCK])
      for (const which of [3, -1, 1n << 40n]) expect(system.call(number, which)[0]).toBe(ERROR.NONE);
    expect(done).toEqual([]);
  });
});

describe('time', () => {
  it('is of three clocks', () => {
    const { user, setTsc } = create({ wallOffset: 1_700_000_000_000_000_000n });
    setTsc(5_000n);
    user.partition.hwOffset = -1_000n;
    user.partition.exec = 321n;
    expect([CLOCK.HW, CLOCK.EXEC, CLOCK.WALL].map((clock) => user.call(HYPERCALL.GET_TIME, clock))).toEqual([
      [0, 4_000n],
      [0, 321n],
      [0, 1_700_000_000_000_004_000n],
    ]);
  });

  it('arms and cancels timers on two of them', () => {
    const { user, after } = create();
    const { timers } = user.partition;
    expect(user.call(HYPERCALL.SET_TIMER, 5, 1_000, 0)[0]).toBe(0);
    expect(after()).toBe(AFTER.REPLAN);
    expect(user.call(HYPERCALL.SET_TIMER, (TIMERS_MAX - 1) | (CLOCK.EXEC << 16), (1n << 62n) - 1n, TIMER_PERIOD_MIN)[0]).toBe(0);
    expect([timers.nextHw, timers.nextExec, timers.armed()]).toEqual([1_000n, (1n << 62n) - 1n, 2]);
    expect(user.call(HYPERCALL.CANCEL_TIMER, 5)[0]).toBe(0);
    expect([timers.nextHw, timers.armed(), after()]).toEqual([NEVER_DUE, 1, AFTER.REPLAN]);
    expect(user.call(HYPERCALL.CANCEL_TIMER, 5)[0]).toBe(0);
  });

  it('has a watchdog, counted from the call on', () => {
    const { user, setTsc } = create();
    setTsc(700n);
    user.call(HYPERCALL.WATCHDOG, 50);
    expect([user.partition.watchdogDue, user.partition.watchdogInterval]).toEqual([750n, 50n]);
    user.call(HYPERCALL.WATCHDOG, 0);
    expect([user.partition.watchdogDue, user.partition.watchdogInterval]).toEqual([undefined, 0n]);
  });

  it('of others is frozen, moved and let go, and stays where it is in between', () => {
    const { system, other, setTsc, done } = create();
    const { partition } = other;
    const page = (): number => new DataView(partition.page.counts.buffer).getUint32(TIME_PAGE.HW_MULTIPLIER, true);
    const clock = (): bigint => other.call(HYPERCALL.GET_TIME, CLOCK.HW)[1];
    const control = (operation: number, amount = 0n): number => system.call(HYPERCALL.CONTROL_CLOCK, OTHER, operation, amount)[0];
    setTsc(1_000n);
    expect([control(CLOCK_OPERATION.THAW), control(CLOCK_OPERATION.FREEZE), control(CLOCK_OPERATION.FREEZE)]).toEqual([
      ERROR.STATE,
      0,
      ERROR.STATE,
    ]);
    setTsc(9_000n);
    expect([clock(), page()]).toEqual([1_000n, 0]);
    control(CLOCK_OPERATION.OFFSET, 77n);
    expect([clock(), control(CLOCK_OPERATION.THAW), clock()]).toEqual([1_077n, 0, 1_077n]);
    setTsc(9_500n);
    expect([clock(), page() !== 0]).toEqual([1_577n, true]);
    control(CLOCK_OPERATION.OFFSET, -2_000n);
    expect(clock()).toBe(-423n);
    expect([control(3), done.every((each) => each === 'refresh 2')]).toEqual([ERROR.INVALID, true]);
  });

  it('is not moved out of reach, not even in several steps', () => {
    const { system, other } = create();
    const most = (1n << 62n) - 1n;
    const move = (amount: bigint): number => system.call(HYPERCALL.CONTROL_CLOCK, OTHER, CLOCK_OPERATION.OFFSET, amount)[0];
    expect([move(most), move(1n), move(-most), move(-most), move(-1n), move(most)]).toEqual([0, ERROR.INVALID, 0, 0, ERROR.INVALID, 0]);
    expect(other.partition.hwOffset).toBe(0n);
  });
});

describe('states', () => {
  it('are changed by itself, and of others by a system partition', () => {
    const { system, user, other, done, after } = create();
    user.call(HYPERCALL.SUSPEND, SELF);
    expect(after()).toBe(AFTER.REPLAN);
    system.call(HYPERCALL.RESUME, USER);
    user.call(HYPERCALL.HALT, USER);
    system.call(HYPERCALL.SUSPEND, OTHER);
    system.call(HYPERCALL.HALT, OTHER);
    expect(done).toEqual([
      `1 is ${SUSPENDED} by itself`,
      `1 is ${READY} by partition 0`,
      `1 is ${HALTED} by itself`,
      `2 is ${SUSPENDED} by partition 0`,
      `2 is ${HALTED} by partition 0`,
    ]);
    expect([
      system.call(HYPERCALL.HALT, OTHER)[0],
      system.call(HYPERCALL.SUSPEND, OTHER)[0],
      system.call(HYPERCALL.RESUME, OTHER)[0],
    ]).toEqual(new Array(3).fill(ERROR.STATE));
    other.partition.state = IDLE;
    expect([system.call(HYPERCALL.RESUME, OTHER)[0], system.call(HYPERCALL.SUSPEND, OTHER)[0]]).toEqual([ERROR.STATE, 0]);
  });

  it('idle waits for a line, and does not if one is there', () => {
    const { user, after, moved } = create();
    expect(user.call(HYPERCALL.IDLE)[0]).toBe(0);
    expect([user.partition.state, after(), moved(user)]).toEqual([IDLE, AFTER.REPLAN, 3]);
    user.partition.state = READY;
    user.call(HYPERCALL.SET_ENABLED, 1 << 9);
    user.partition.interrupts.raise(9);
    user.call(HYPERCALL.IDLE);
    expect(user.partition.state).toBe(READY);
  });

  it('a reset of itself has no result: what the registers hold is its beginning', () => {
    const guest = create();
    const { user, system, done, after, moved } = guest;
    expect(user.call(HYPERCALL.RESET, SELF, RESET.WARM)[0]).toBe(HYPERCALL.RESET);
    expect([moved(user), after()]).toEqual([0, AFTER.REPLAN]);
    system.call(HYPERCALL.RESET, OTHER, RESET.COLD);
    expect([done, moved(system)]).toEqual([['1 warm by itself', '2 cold by partition 0'], 3]);
  });

  it('are told, with what was counted', () => {
    const { system, user, setTsc } = create();
    setTsc(123n);
    Object.assign(user.partition, { state: IDLE, resets: 4, slots: 5, lateSlots: 6, exec: 7n });
    user.partition.exits[exitIndex(0x81)] = 8;
    user.partition.exits[exitIndex(0x400)] = 20;
    user.partition.exits[exitIndex(0x4d)] = 300;
    expect(system.call(HYPERCALL.STATUS, USER, BUFFER)[0]).toBe(0);
    const { STATE, HW_CLOCK, EXEC_CLOCK, RESETS, EXITS, SLOTS, LATE_SLOTS, HYPERCALLS } = STATUS;
    const fields = [STATE, HW_CLOCK, EXEC_CLOCK, RESETS, EXITS, SLOTS, LATE_SLOTS, HYPERCALLS];
    expect(fields.map((offset) => Number(system.view.getBigInt64(BUFFER + offset, true)))).toEqual([IDLE, 123, 7, 4, 328, 5, 6, 8]);
    expect(system.view.getBigInt64(BUFFER + STATUS.LENGTH, true)).toBe(0n);
    expect(user.call(HYPERCALL.STATUS, SELF, MEMORY - STATUS.LENGTH)[0]).toBe(0);
  });
});

describe('the plan', () => {
  it('is switched by a system partition, to one that there is', () => {
    const { system, done } = create();
    expect([2, 3, -1, 0x1_0000].map((plan) => system.call(HYPERCALL.SWITCH_PLAN, plan)[0])).toEqual([
      0,
      ERROR.NONE,
      ERROR.NONE,
      ERROR.NONE,
    ]);
    expect(done).toEqual(['plan 2', 'plan 3']);
  });

  it('ends with the run', () => {
    const { system, done } = create();
    system.call(HYPERCALL.STOP, 17);
    expect(done).toEqual(['stop partition 0: code 17']);
  });
});

describe('the console', () => {
  it('takes a copy', () => {
    const { user, fake } = create();
    put(user, MEMORY - 5, 'hello');
    expect(user.call(HYPERCALL.CONSOLE, MEMORY - 5, 5)[0]).toBe(0);
    put(user, MEMORY - 5, '.....');
    const [record] = fake.take();
    expect([record?.[0], record?.[1], String.fromCharCode(...(record?.[2] as Uint8Array))]).toEqual(['partition.console', USER, 'hello']);
  });

  it('takes sixteen full lines a slot, and none while the trace is behind', () => {
    const { user, fake, names } = create();
    const statuses = Array.from({ length: 17 }, () => user.call(HYPERCALL.CONSOLE, 0, CONSOLE_MAX)[0]);
    expect(statuses).toEqual([...new Array<number>(16).fill(0), ERROR.FULL]);
    expect(names()).toHaveLength(16);
    user.partition.consoleBytes = 0;
    fake.setPending(101);
    expect(user.call(HYPERCALL.CONSOLE, 0, 1)[0]).toBe(ERROR.FULL);
    fake.setPending(100);
    expect(user.call(HYPERCALL.CONSOLE, 0, 1)[0]).toBe(0);
  });

  it('has a record in the trace beside it', () => {
    const { user, fake, after } = create();
    user.call(HYPERCALL.TRACE, 5, -6);
    expect([fake.take(), after()]).toEqual([[['partition.trace', USER, 5n, -6n]], AFTER.RESUME]);
  });
});

describe('ports', () => {
  it('are opened by name, written and read', () => {
    const { user, other, after, setTsc } = create();
    put(user, BUFFER, 'out');
    put(other, BUFFER, 'in');
    const [openStatus, out] = user.call(HYPERCALL.PORT_OPEN, BUFFER, 3);
    const [, in_] = other.call(HYPERCALL.PORT_OPEN, BUFFER, 2);
    expect(openStatus).toBe(0);
    put(user, BUFFER, 'message!');
    expect(user.call(HYPERCALL.PORT_WRITE, out, BUFFER, 8)[0]).toBe(0);
    expect([after(), other.partition.interrupts.pending]).toEqual([AFTER.REPLAN, 1 << LINE.PORT]);
    expect(other.call(HYPERCALL.PORT_READ, in_, MEMORY - 8, 8)).toEqual([0, BigInt(PORT_VALID | 8)]);
    expect(String.fromCharCode(...other.bytes.subarray(MEMORY - 8))).toBe('message!');
    expect(other.call(HYPERCALL.PORT_READ, in_, 0, 8)).toEqual([ERROR.EMPTY, 0n]);

    put(user, BUFFER, 'sample');
    const [, from] = user.call(HYPERCALL.PORT_OPEN, BUFFER, 6);
    put(other, BUFFER, 'sample');
    const [, to] = other.call(HYPERCALL.PORT_OPEN, BUFFER, 6);
    setTsc(1_000n);
    user.call(HYPERCALL.PORT_WRITE, from, BUFFER, 2);
    setTsc(1_100n);
    expect(other.call(HYPERCALL.PORT_READ, to, BUFFER, 8)).toEqual([0, BigInt(PORT_VALID | 2)]);
    setTsc(1_101n);
    expect(other.call(HYPERCALL.PORT_READ, to, BUFFER, 8)).toEqual([0, 2n]);
  });
});

describe('virtual interrupts', () => {
  it('are enabled by bits, all 32 of them', () => {
    const { user, after } = create();
    user.call(HYPERCALL.SET_ENABLED, 0xffff_ffff);
    expect([user.partition.interrupts.enabled, after()]).toEqual([-1, AFTER.REPLAN]);
    user.call(HYPERCALL.SET_ENABLED, 0x8000_0000);
    user.partition.interrupts.raise(31);
    expect(user.partition.interrupts.isDeliverable()).toBe(true);
  });

  it('come from a base on, and to others', () => {
    const { user, other } = create();
    for (const base of [32, 224]) {
      expect(user.call(HYPERCALL.SET_VECTOR_BASE, base)[0]).toBe(0);
      expect(user.partition.interrupts.vectorBase).toBe(base);
    }
    for (const line of [LINE.FIRST_FREE, LINE.COUNT - 1]) expect(user.call(HYPERCALL.SEND_INTERRUPT, OTHER, line)[0]).toBe(0);
    expect(other.partition.interrupts.pending).toBe((1 << 8) | (1 << 31));
  });
});

describe('health', () => {
  it('is told by a partition, and read by a system partition, as many as there is room for', () => {
    const { system, user, setTsc } = create();
    for (const code of [5n, -1n, 7n]) {
      setTsc(100n + code);
      expect(user.call(HYPERCALL.RAISE_HEALTH, code)[0]).toBe(0);
    }
    expect(system.call(HYPERCALL.READ_HEALTH, BUFFER, 2 * HEALTH_ENTRY.LENGTH + 39)).toEqual([0, 2n]);
    const { AT: at, PARTITION, EVENT, ACTION, DETAIL } = HEALTH_ENTRY;
    const entry = (index: number): bigint[] =>
      [at, PARTITION, EVENT, ACTION, DETAIL].map((offset) => system.view.getBigInt64(BUFFER + index * HEALTH_ENTRY.LENGTH + offset, true));
    const kind = [HEALTH_EVENTS.indexOf('partition-error'), HEALTH_ACTIONS.indexOf('log')].map(BigInt);
    expect([entry(0), entry(1)]).toEqual([
      [105n, 1n, ...kind, 5n],
      [99n, 1n, ...kind, -1n],
    ]);
    expect(system.call(HYPERCALL.READ_HEALTH, BUFFER, MEMORY - BUFFER)).toEqual([0, 1n]);
    expect(system.call(HYPERCALL.READ_HEALTH, BUFFER, 0)).toEqual([0, 0n]);
    expect(system.call(HYPERCALL.READ_HEALTH, BUFFER, MEMORY)[0]).toBe(ERROR.ADDRESS);
  });

  it('is read in pieces of sixteen', () => {
    const { system, user } = create();
    for (let code = 0; code < 20; code++) user.call(HYPERCALL.RAISE_HEALTH, code);
    expect([0, 1].map(() => system.call(HYPERCALL.READ_HEALTH, BUFFER, 0x4000)[1])).toEqual([16n, 4n]);
  });
});

describe('a batch', () => {
  function write({ view }: Caller, entries: readonly (readonly [number, ...(number | bigint)[]])[]): void {
    for (const [index, values] of entries.entries())
      for (const [at, value] of values.entries()) view.setBigInt64(BUFFER + index * BATCH_ENTRY + at * 8, BigInt(value), true);
  }
  const resultOf = ({ view }: Caller, index: number): [number, bigint] => [
    Number(view.getBigInt64(BUFFER + index * BATCH_ENTRY + 40, true)),
    view.getBigInt64(BUFFER + index * BATCH_ENTRY + 48, true),
  ];

  it('does its entries in order, each with its own status and value', () => {
    const { user, setTsc, after } = create();
    setTsc(55n);
    write(user, [
      [HYPERCALL.VERSION],
      [HYPERCALL.GET_TIME, CLOCK.HW],
      [HYPERCALL.GET_TIME, 9],
      [0x1_7777],
      [0x2_0001],
      [HYPERCALL.BATCH, BUFFER, 1],
      [HYPERCALL.SET_TIMER, 3, 1_000, TIMER_PERIOD_MIN],
    ]);
    expect(user.call(HYPERCALL.BATCH, BUFFER, 7)).toEqual([0, 7n]);
    expect([0, 1, 2, 3, 4, 5, 6].map((index) => resultOf(user, index))).toEqual([
      [0, 1n],
      [0, 55n],
      [ERROR.INVALID, 0n],
      [ERROR.UNKNOWN, 0n],
      [ERROR.VERSION, 0n],
      [ERROR.UNKNOWN, 0n],
      [0, 0n],
    ]);
    expect([user.partition.timers.nextHw, after()]).toEqual([1_000n, AFTER.REPLAN]);
  });

  it('is left after eight entries, and begun again where it was', () => {
    const guest = create();
    const { user } = guest;
    const { area } = user.partition.vcpu;
    write(
      user,
      Array.from({ length: 20 }, (_, index) => [HYPERCALL.SET_TIMER, index, 1_000] as const),
    );
    let [, value] = user.call(HYPERCALL.BATCH, BUFFER, 20);
    const seen = [Number(value)];
    while (guest.moved(user) === 0) {
      expect([area[AREA.RAX], guest.after()]).toEqual([BigInt(HYPERCALL.BATCH), AFTER.REPLAN]);
      guest.onHypercall(user.partition);
      value = area[AREA.RDX]!;
      seen.push(Number(value));
    }
    expect(seen).toEqual([8, 16, 20]);
    expect([user.partition.timers.armed(), area[AREA.RAX]]).toEqual([20, 0n]);
  });

  it('is left when the slot has no more time, before the next entry', () => {
    const guest = create();
    write(
      guest.user,
      Array.from({ length: 5 }, (_, index) => [HYPERCALL.SET_TIMER, index, 1_000] as const),
    );
    guest.setLooks(3);
    expect(guest.user.call(HYPERCALL.BATCH, BUFFER, 5)[1]).toBe(3n);
    expect([guest.moved(guest.user), guest.user.partition.timers.armed()]).toEqual([0, 3]);
    guest.setLooks(0);
    guest.onHypercall(guest.user.partition);
    expect(guest.user.partition.timers.armed()).toBe(3);
  });

  it('is left where it gives the CPU away, and does the rest afterwards', () => {
    const guest = create();
    const { user } = guest;
    write(user, [[HYPERCALL.IDLE], [HYPERCALL.SET_TIMER, 1, 1_000]]);
    user.call(HYPERCALL.BATCH, BUFFER, 2);
    expect([user.partition.state, guest.moved(user), user.partition.timers.armed()]).toEqual([IDLE, 0, 0]);
    user.partition.state = READY;
    guest.onHypercall(user.partition);
    expect([guest.moved(user), user.partition.timers.armed(), user.partition.vcpu.area[AREA.RDX]]).toEqual([3, 1, 2n]);
  });

  it('whose last entry gives the CPU away is finished', () => {
    const guest = create();
    write(guest.user, [[HYPERCALL.IDLE]]);
    expect([guest.user.call(HYPERCALL.BATCH, BUFFER, 1), guest.moved(guest.user)]).toEqual([[0, 1n], 3]);
  });

  it('that resets its partition ends there, and leaves its registers alone', () => {
    const guest = create();
    write(guest.user, [
      [HYPERCALL.RESET, SELF, RESET.WARM],
      [HYPERCALL.SET_TIMER, 1, 1_000],
    ]);
    guest.user.call(HYPERCALL.BATCH, BUFFER, 2);
    expect([guest.done, guest.user.partition.timers.armed(), guest.moved(guest.user)]).toEqual([['1 warm by itself'], 0, 0]);
    expect(guest.user.partition.vcpu.area[AREA.RDX]).toBe(0n);
  });

  it('of none is done', () => {
    const { user } = create();
    expect([user.call(HYPERCALL.BATCH, BUFFER, 0), user.call(HYPERCALL.BATCH, MEMORY, 0)]).toEqual([
      [0, 0n],
      [0, 0n],
    ]);
  });
});

describe('from 32-bit code', () => {
  it('registers have 32 bits: EBX is the high half of the second argument, ECX that of the value', () => {
    const { user, setTsc } = create({ mode: 'protected' });
    const { area } = user.partition.vcpu;
    area[AREA.RBX] = 0x7777_7777_0000_0002n;
    user.call(HYPERCALL.SET_TIMER, 0x5555_5555_0000_0003n, 0x6666_6666_0000_0010n, 0x4444_4444_0000_0000n);
    expect(user.partition.timers.nextHw).toBe(0x2_0000_0010n);
    setTsc(0x3_8000_0001n);
    user.call(HYPERCALL.GET_TIME, CLOCK.HW);
    expect([area[AREA.RAX], area[AREA.RDX], area[AREA.RCX]]).toEqual([0n, 0x8000_0001n, 3n]);
  });

  it('a status is negative in 32 bits', () => {
    const { user } = create({ mode: 'protected' });
    expect(user.call(HYPERCALL.GET_TIME, 9)).toEqual([0xffff_fffe, 0n]);
  });

  it('a batch takes the low halves as well', () => {
    const { user } = create({ mode: 'protected' });
    user.view.setBigInt64(BUFFER, BigInt(HYPERCALL.VERSION), true);
    expect(user.call(HYPERCALL.BATCH, 0x1_0000_0000n + BigInt(BUFFER), 0x1_0000_0001n, 0x1_0000_0000n)).toEqual([0, 1n]);
    expect(user.view.getBigInt64(BUFFER + 48, true)).toBe(1n);
  });

  it('compatibility mode is 32-bit code', () => {
    const guest = create();
    new DataView(guest.user.partition.vcpu.vmcb.buffer).setUint16(VMCB.CS + 2, SEGMENT_ATTRIBUTES.CODE_32, true);
    expect(guest.user.call(HYPERCALL.GET_TIME, 9)[0]).toBe(0xffff_fffe);
  });
});
