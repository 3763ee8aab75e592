import { describe, expect, it } from 'vitest';
import { CR0, CR4 } from '../regs/paging.ts';
import { EXIT_CODE, VMCB } from '../regs/vmcb.ts';
import { createFakePartition, createFakeTrace, type FakePartitionOptions } from '../testing/partition.ts';
import type { Platform } from '../vdev/platform.ts';
import { AREA } from '../vm/guest-area.ts';
import type { MmioOutcome } from '../vm/mmio-instruction.ts';
import { PARTITION_STATE } from './abi.ts';
import { AFTER, createExitHandlers, EXIT_INDICES, exitIndex, exitName } from './exits.ts';
import { createHealthMonitor } from './health-monitor.ts';
import type { HealthAction, HealthEvent } from './system.ts';

const { READY, IDLE, SUSPENDED, HALTED } = PARTITION_STATE;
const VALID = 0x8000_0000;
const AT = 0x4000;

function create(options: FakePartitionOptions & { rules?: Partial<Record<HealthEvent, HealthAction>> } = {}) {
  const rules = Object.entries(options.rules ?? {}).map(([event, action]) => ({ event: event as HealthEvent, action }));
  const partition = createFakePartition({ ...options, health: [...(options.health ?? []), ...rules] });
  const { vcpu, memory } = partition;
  const { area, vmcb, vmcb32 } = vcpu;
  const view = new DataView(vmcb.buffer);
  const fake = createFakeTrace();
  const accesses: string[] = [];
  const calls: string[] = [];
  const health = createHealthMonitor({
    trace: fake.trace,
    now: () => 0n,
    actions: {
      setState: (which, state) => (which.state = state),
      reset: (which) => {
        which.loading = { step: () => true };
        which.state = READY;
      },
      switchPlan: () => calls.push('switch-plan'),
      stop: () => calls.push('stop'),
    },
  });
  const handlers = createExitHandlers({
    partitions: [partition],
    trace: fake.trace,
    health,
    ports: {
      read: (port, bytes) => {
        accesses.push(`in ${port.toString(16)} ${bytes}`);
        return bytes === 1 ? 0xa1 : bytes === 2 ? 0xa1b2 : 0xa1b2_c3d4;
      },
      write: (port, bytes, value) => accesses.push(`out ${port.toString(16)} ${bytes} ${value.toString(16)}`),
    },
    onHypercall: () => 77,
    onWindow: () => 78,
    halt: (which) => (which.state = HALTED),
    onTscWritten: () => calls.push('tsc'),
    onDevices: () => 79,
    hasTime: () => true,
    mayDecode: () => true,
  });
  return {
    partition,
    area,
    vmcb,
    vmcb32,
    view,
    accesses,
    calls,
    health,
    take: fake.take,
    /** Leaves the guest at an instruction, as the CPU does. @returns what is next */
    exit: (code: number, bytes: readonly number[] = [0x90], info1 = 0n, info2 = 0n): number => {
      memory.bytes.set(bytes, AT);
      vmcb[VMCB.RIP >> 3] = BigInt(AT);
      vmcb[VMCB.EXITCODE >> 3] = BigInt(code);
      vmcb[VMCB.EXITINFO1 >> 3] = info1;
      vmcb[VMCB.EXITINFO2 >> 3] = info2;
      vmcb32[VMCB.INTERRUPT_SHADOW >> 2] = 1;
      return handlers[exitIndex(code)]!(partition);
    },
    moved: () => Number(vmcb[VMCB.RIP >> 3]! - BigInt(AT)),
    shadow: () => vmcb32[VMCB.INTERRUPT_SHADOW >> 2],
    injected: () => view.getUint32(VMCB.EVENTINJ, true),
    events: () => {
      const seen: string[] = [];
      for (const [name, , event, action] of fake.take()) if (name === 'health.event') seen.push(`${String(event)} ${String(action)}`);
      return seen;
    },
  };
}

const GP = (VALID | (3 << 8) | (1 << 11) | 13) >>> 0;
const UD = (VALID | (3 << 8) | 6) >>> 0;
const LONG = { mode: 'long', entry: AT } as const;
/** 64-bit code without its page tables: what is looked for lies where it is. */
function createLong(options: Parameters<typeof create>[0] = {}) {
  const guest = create({ ...options, entry: LONG });
  guest.vmcb[VMCB.CR0 >> 3] = guest.vmcb[VMCB.CR0 >> 3]! & ~CR0.PG;
  return guest;
}

describe('exits', () => {
  it('have names, and a handler for every code there may be', () => {
    expect([0x72, 0x78, 0x00, 0xff, 0x4e, 0x14, 0xbb].map(exitName)).toEqual([
      'cpuid',
      'hlt',
      'nested-page-fault',
      'invalid',
      'exception-14',
      'cr4-write',
      '0xbb',
    ]);
    expect(exitIndex(EXIT_CODE.NPF)).toBe(0);
    expect(new Set(EXIT_INDICES).size).toBe(EXIT_INDICES.length);
    for (const code of [EXIT_CODE.NPF, EXIT_CODE.INVALID, EXIT_CODE.VMMCALL, 0x40, 0x5f, 0x14, 0x18])
      expect(EXIT_INDICES).toContain(exitIndex(code));
  });

  it('for hypercalls and for windows go to whoever knows', () => {
    const { exit } = create();
    expect([exit(EXIT_CODE.VMMCALL), exit(EXIT_CODE.VINTR)]).toEqual([77, 78]);
  });
});

describe('CPUID', () => {
  it('is answered by the low halves of the registers', () => {
    const { exit, area, moved, shadow } = create();
    area[AREA.RAX] = 0x1234_0000_4000_0001n;
    area[AREA.RCX] = -1n << 32n;
    expect(exit(EXIT_CODE.CPUID, [0x0f, 0xa2])).toBe(AFTER.RESUME);
    expect([area[AREA.RAX], area[AREA.RBX], area[AREA.RCX], area[AREA.RDX]]).toEqual([0x4000_0001n, 0n, 0xccn, 0xddn]);
    expect([moved(), shadow()]).toEqual([2, 0]);
  });
});

describe('HLT', () => {
  const setIf = ({ vmcb }: ReturnType<typeof create>, isOn: boolean): void => {
    vmcb[VMCB.RFLAGS >> 3] = isOn ? 0x202n : 2n;
  };

  it('waits for a line', () => {
    const guest = create();
    setIf(guest, true);
    expect(guest.exit(EXIT_CODE.HLT, [0xf4])).toBe(AFTER.REPLAN);
    expect([guest.partition.state, guest.moved(), guest.shadow()]).toEqual([IDLE, 1, 0]);
  });

  it('does not wait if one is there', () => {
    const guest = create();
    setIf(guest, true);
    guest.partition.interrupts.enabled = 2;
    guest.partition.interrupts.raise(1);
    guest.exit(EXIT_CODE.HLT, [0xf4]);
    expect(guest.partition.state).toBe(READY);
  });

  it.each([
    ['halt', HALTED],
    ['suspend', SUSPENDED],
    ['log', IDLE],
    ['ignore', IDLE],
    ['switch-plan', IDLE],
  ] as const)('with interrupts off is an end: %s', (action, state) => {
    const guest = create({ rules: { shutdown: action } });
    setIf(guest, false);
    guest.partition.interrupts.enabled = -1;
    guest.exit(EXIT_CODE.HLT, [0xf4]);
    expect(guest.partition.state).toBe(state);
    // No line wakes what can't take it: it would run on behind its HLT.
    guest.partition.interrupts.raise(3);
    if (state === IDLE) expect(guest.partition.interrupts.isDeliverable()).toBe(false);
  });

  it('with interrupts off, and a reset for it, leaves the partition ready to be loaded', () => {
    const guest = create({ rules: { shutdown: 'cold-reset' } });
    setIf(guest, false);
    guest.exit(EXIT_CODE.HLT, [0xf4]);
    expect([guest.partition.state, guest.partition.loading === undefined]).toEqual([READY, false]);
  });
});

describe('RDMSR and WRMSR', () => {
  it('are by EDX and EAX', () => {
    const { exit, area, moved } = create();
    area[AREA.RCX] = 0xffff_ffff_0000_0277n - (1n << 64n);
    expect(exit(EXIT_CODE.MSR, [0x0f, 0x32])).toBe(AFTER.RESUME);
    expect([area[AREA.RDX], area[AREA.RAX], moved()]).toEqual([0x0007_0406n, 0x0007_0406n, 2]);
    area[AREA.RAX] = -1n << 32n;
    area[AREA.RDX] = 0x5555_5555_0606_0606n;
    exit(EXIT_CODE.MSR, [0x0f, 0x30], 1n);
    exit(EXIT_CODE.MSR, [0x0f, 0x32]);
    expect([area[AREA.RDX], area[AREA.RAX]]).toEqual([0x0606_0606n, 0n]);
  });

  it('of what there is not raise #GP, at the instruction', () => {
    for (const write of [0n, 1n]) {
      const { exit, area, moved, injected } = create();
      area[AREA.RCX] = 0xc001_0114n;
      expect(exit(EXIT_CODE.MSR, [0x0f, 0x30], write)).toBe(AFTER.REPLAN);
      expect([injected(), moved()]).toEqual([GP, 0]);
    }
  });

  it('of the TSC put the time page right', () => {
    const { exit, area, calls } = create();
    area[AREA.RCX] = 0x10n;
    exit(EXIT_CODE.MSR, [0x0f, 0x32]);
    expect(calls).toEqual([]);
    exit(EXIT_CODE.MSR, [0x0f, 0x30], 1n);
    expect(calls).toEqual(['tsc']);
  });
});

describe('IN and OUT', () => {
  const PORTS = {
    ioPorts: [
      { first: 0x80, count: 4, isTraced: true },
      { first: 0x90, count: 2, isTraced: false },
    ],
  };
  const info = (port: number, bytes: 1 | 2 | 4, flags = 0): bigint => BigInt((port << 16) | (bytes << 4) | flags);
  const IN = 1;
  const STRING = 4;
  const REP = 8;
  const RAX = 0x1122_3344_5566_7788n;

  it.each([
    [1, 0x1122_3344_5566_77a1n],
    [2, 0x1122_3344_5566_a1b2n],
    [4, 0xa1b2_c3d4n],
  ] as const)('read %i bytes of a port that was given', (bytes, expected) => {
    const { exit, area, accesses, moved, shadow, take } = create(PORTS);
    area[AREA.RAX] = RAX;
    expect(exit(EXIT_CODE.IOIO, [0xe4, 0x80], info(0x80, bytes, IN), BigInt(AT + 2))).toBe(AFTER.RESUME);
    expect([area[AREA.RAX], accesses, moved(), shadow(), take()]).toEqual([expected, [`in 80 ${bytes}`], 2, 0, []]);
  });

  it.each([
    [1, 0x88],
    [2, 0x7788],
    [4, 0x5566_7788],
  ] as const)('write %i bytes, with an event dated to the exit', (bytes, value) => {
    const { exit, area, accesses, take } = create(PORTS);
    area[AREA.RAX] = RAX;
    area[AREA.LEFT] = 987n;
    exit(EXIT_CODE.IOIO, [0xe6, 0x80], info(0x80, bytes), BigInt(AT + 2));
    expect(accesses).toEqual([`out 80 ${bytes} ${value.toString(16)}`]);
    expect(take()).toEqual([['port.output', 0, 0x80, value, 987n]]);
    expect(area[AREA.RAX]).toBe(RAX);
  });

  it.each([
    [1, 0x1122_3344_5566_77ffn],
    [2, 0x1122_3344_5566_ffffn],
    [4, 0xffff_ffffn],
  ] as const)('read ones where nothing was given (%i bytes), and are told', (bytes, expected) => {
    const { exit, area, accesses, moved, events, partition } = create(PORTS);
    area[AREA.RAX] = RAX;
    expect(exit(EXIT_CODE.IOIO, [0xe4, 0x40], info(0x40, bytes, IN), BigInt(AT + 2))).toBe(AFTER.REPLAN);
    expect([area[AREA.RAX], accesses, moved(), events(), partition.unclaimedAccesses]).toEqual([expected, [], 2, ['port-misuse log'], 1]);
  });

  it('do not reach beyond what was given', () => {
    const { exit, accesses } = create(PORTS);
    for (const [port, bytes] of [
      [0x7f, 1],
      [0x7f, 2],
      [0x82, 4],
      [0x83, 2],
      [0x84, 1],
    ] as const)
      exit(EXIT_CODE.IOIO, [0xee], info(port, bytes), BigInt(AT + 1));
    expect(accesses).toEqual([]);
    exit(EXIT_CODE.IOIO, [0xee], info(0x82, 2), BigInt(AT + 1));
    expect(accesses).toHaveLength(1);
  });

  it('by strings move the registers, and reach no port', () => {
    const { exit, area, accesses, moved, events } = createLong(PORTS);
    const run = (code: readonly number[], flags: number, bytes: 1 | 2 | 4, port = 0x40): void => {
      area[AREA.RSI] = 0x1_0000_1000n;
      area[AREA.RDI] = 0x1_0000_2000n;
      area[AREA.RCX] = 0x1_0000_0003n;
      exit(EXIT_CODE.IOIO, code, info(port, bytes, STRING | flags), BigInt(AT + code.length));
      expect(moved()).toBe(code.length);
    };
    run([0x6e], 0, 1);
    expect([area[AREA.RSI], area[AREA.RDI], area[AREA.RCX]]).toEqual([0x1_0000_1001n, 0x1_0000_2000n, 0x1_0000_0003n]);
    run([0xf3, 0x6f], REP, 4);
    expect([area[AREA.RSI], area[AREA.RDI], area[AREA.RCX]]).toEqual([0x1_0000_1000n + 4n * 0x1_0000_0003n, 0x1_0000_2000n, 0n]);
    run([0xf3, 0x6d], REP | IN, 2);
    expect([area[AREA.RSI], area[AREA.RDI], area[AREA.RCX]]).toEqual([0x1_0000_1000n, 0x1_0000_2000n + 2n * 0x1_0000_0003n, 0n]);
    // 32-bit addresses: the count is ECX, and what is written clears the upper half.
    run([0x67, 0xf3, 0x6e], REP, 1);
    expect([area[AREA.RSI], area[AREA.RCX]]).toEqual([0x1003n, 0n]);
    run([0xf3, 0x6e], REP, 1, 0x80);
    expect(accesses).toEqual([]);
    expect(events()).toEqual(new Array(5).fill('port-misuse log'));
  });

  it('by strings downwards, in code of 16 bits', () => {
    const { exit, area, vmcb } = create({ entry: { mode: 'real', entry: AT } });
    vmcb[VMCB.RFLAGS >> 3] = 0x402n;
    area[AREA.RDI] = 0xdead_0001n;
    area[AREA.RCX] = 0xbeef_0002n;
    vmcb[(VMCB.CS + 8) >> 3] = 0n;
    exit(EXIT_CODE.IOIO, [0xf3, 0x6d], info(0x40, 2, STRING | REP | IN), BigInt(AT + 2));
    expect([area[AREA.RDI], area[AREA.RCX]]).toEqual([0xdead_fffdn, 0xbeef_0000n]);
  });
});

describe('a nested page fault', () => {
  it('is told with what was done where, and by default halts', () => {
    const { exit, partition, take } = create();
    expect(exit(EXIT_CODE.NPF, [0x90], 2n, 0xffff_8000_0000_1000n - (1n << 64n))).toBe(AFTER.REPLAN);
    expect(partition.state).toBe(HALTED);
    expect(take()).toEqual([
      ['health.event', 0, 'memory-violation', 'halt', 'write at 0xffff800000001000, which is not its memory, rip 0x4000'],
    ]);
    exit(EXIT_CODE.NPF, [0x90], 0x10n);
    exit(EXIT_CODE.NPF, [0x90], 0n);
    expect(take().map(([, , , , text]) => String(text).split(' at')[0])).toEqual(['instruction fetch', 'read']);
  });

  it('propagated is a page fault', () => {
    const { exit, injected, vmcb, view, moved } = create({ rules: { 'memory-violation': 'propagate' } });
    exit(EXIT_CODE.NPF, [0x90], 0x1_0000_0006n, 0x123_4567n);
    expect([injected() & 0xff, view.getUint32(VMCB.EVENTINJ + 4, true), vmcb[VMCB.CR2 >> 3], moved()]).toEqual([14, 6, 0x123_4567n, 0]);
  });

  it('propagated to a guest without a stack ends as on a CPU: double fault, then shutdown', () => {
    const { exit, injected, partition, vmcb, vmcb32, events } = create({ rules: { 'memory-violation': 'propagate' } });
    const seen = [0, 1, 2].map(() => {
      exit(EXIT_CODE.NPF, [0x90], 2n, 0x9999_9000n);
      const vector = injected() & 0xff;
      // The guest is entered; its delivery of that makes the next one.
      vmcb[VMCB.EXITINTINFO >> 3] = vmcb[VMCB.EVENTINJ >> 3]!;
      vmcb[VMCB.EVENTINJ >> 3] = 0n;
      return vector;
    });
    expect(seen).toEqual([14, 8, 0]);
    expect([partition.state, vmcb32[VMCB.EVENTINJ >> 2]]).toEqual([HALTED, 0]);
    expect(events()).toEqual(['memory-violation propagate', 'memory-violation propagate', 'memory-violation propagate', 'shutdown halt']);
  });
});

describe('a shutdown', () => {
  it.each(['halt', 'suspend', 'switch-plan'] as const)('leaves nothing to go on with: %s', (action) => {
    const { exit, partition } = create({ rules: { shutdown: action } });
    exit(EXIT_CODE.SHUTDOWN);
    expect(partition.state).toBe(HALTED);
  });

  it.each(['cold-reset', 'warm-reset'] as const)('is ended by a %s', (action) => {
    const { exit, partition } = create({ rules: { shutdown: action } });
    exit(EXIT_CODE.SHUTDOWN);
    expect([partition.state, partition.loading === undefined]).toEqual([READY, false]);
  });
});

describe('an exception that has a rule', () => {
  const rule = (vector: number, action: HealthAction) => ({ health: [{ event: 'fault', vector, action }] as const });

  it.each(['log', 'ignore', 'propagate', 'switch-plan'] as const)('goes to the guest as well: %s', (action) => {
    const { exit, injected, view } = create(rule(13, action));
    exit(EXIT_CODE.EXCEPTION + 13, [0x90], 0x28n);
    expect([injected(), view.getUint32(VMCB.EVENTINJ + 4, true)]).toEqual([GP, 0x28]);
  });

  it.each(['halt', 'suspend', 'cold-reset'] as const)('does not, where that is the end: %s', (action) => {
    const { exit, injected } = create(rule(13, action));
    exit(EXIT_CODE.EXCEPTION + 13);
    expect(injected()).toBe(0);
  });

  it('has an error code where the manual says so, and a page fault its address', () => {
    for (let vector = 0; vector < 32; vector++) {
      const { exit, injected, vmcb } = create(rule(vector, 'log'));
      exit(EXIT_CODE.EXCEPTION + vector, [0x90], 5n, 0x777n);
      expect([injected() & 0xff, (injected() & (1 << 11)) !== 0], `${vector}`).toEqual([
        vector,
        [8, 10, 11, 12, 13, 14, 17].includes(vector),
      ]);
      expect(vmcb[VMCB.CR2 >> 3]).toBe(vector === 14 ? 0x777n : 0n);
    }
  });

  it('of INT3 and INTO returns behind the instruction, of others to it', () => {
    for (const [vector, code, expected] of [
      [3, [0xcc], 1],
      [3, [0x66, 0xcc], 2],
      [4, [0xce], 1],
      [6, [0x0f, 0x0b], 0],
    ] as const) {
      const { exit, moved } = create(rule(vector, 'log'));
      exit(EXIT_CODE.EXCEPTION + vector, code);
      expect(moved(), `${vector}`).toBe(expected);
    }
  });

  it('as a double fault that is only logged does not come back for ever', () => {
    const { exit, injected, partition, vmcb } = create(rule(8, 'log'));
    exit(EXIT_CODE.EXCEPTION + 8);
    expect(injected() & 0xff).toBe(8);
    vmcb[VMCB.EXITINTINFO >> 3] = vmcb[VMCB.EVENTINJ >> 3]!;
    vmcb[VMCB.EVENTINJ >> 3] = 0n;
    exit(EXIT_CODE.EXCEPTION + 13);
    expect(partition.state).toBe(HALTED);
  });
});

describe('INTn, where it is intercepted for the sake of INT3', () => {
  const RULE = { health: [{ event: 'fault', vector: 3, action: 'log' }] as const };

  it.each([
    [[0xcc], 3, 1],
    [[0xcd, 3], 3, 2],
    [[0xcd, 0x80], 0x80, 2],
    [[0x66, 0xcd, 0x21], 0x21, 3],
  ])('%j is a software interrupt %i, injected from behind it', (code, vector, length) => {
    const { exit, injected, moved, events } = create(RULE);
    expect(exit(EXIT_CODE.SWINT, code)).toBe(AFTER.REPLAN);
    expect([injected(), moved()]).toEqual([(VALID | (4 << 8) | vector) >>> 0, length]);
    expect(events()).toEqual(vector === 3 ? ['fault log'] : []);
  });

  it('that halts goes nowhere', () => {
    const { exit, injected, moved, partition } = create({ health: [{ event: 'fault', vector: 3, action: 'halt' }] });
    exit(EXIT_CODE.SWINT, [0xcc]);
    expect([injected(), moved(), partition.state]).toEqual([0, 0, HALTED]);
  });
});

describe('MOV to CR4', () => {
  /** A CPU that offers all there is. */
  const ALL = { cpuid: () => new BigInt64Array(4).fill(0xffff_ffffn) };

  const write = (guest: ReturnType<typeof create>, value: bigint, code = [0x0f, 0x22, 0xe0]): number => {
    guest.area[AREA.RAX] = value;
    guest.view.setUint8(VMCB.TLB_CONTROL, 0);
    return guest.exit(EXIT_CODE.CR_WRITE + 4, code);
  };

  it('takes the bits that a guest may have, and no other', () => {
    for (let bit = 0n; bit < 64n; bit++) {
      const guest = createLong(ALL);
      const isAllowed = [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n, 16n, 20n, 21n].includes(bit);
      const value = BigInt.asIntN(64, CR4.PAE | (1n << bit));
      const before = guest.vmcb[VMCB.CR4 >> 3];
      expect(write(guest, value), `${bit}`).toBe(isAllowed ? AFTER.RESUME : AFTER.REPLAN);
      expect([guest.vmcb[VMCB.CR4 >> 3], guest.injected(), guest.moved()], `${bit}`).toEqual(isAllowed ? [value, 0, 3] : [before, GP, 0]);
    }
  });

  it('takes what the CPUID of the guest offers, and PCE', () => {
    const offers = (leaf: number, register: number, feature: number) => ({
      cpuid: (asked: number) => new BigInt64Array(4).map((_, index) => (asked === leaf && index === register ? 1n << BigInt(feature) : 0n)),
    });
    // APM volume 3, "CPUID Fn0000_0001_EDX", "Fn0000_0007_EBX_x0": VME (which is PVI as well), DE, PSE, TSC, PAE, MCE, PGE, FXSR, SSE; FSGSBASE, SMEP, SMAP.
    for (const [leaf, register, feature, bits] of [
      [1, 3, 1, 0b11],
      [1, 3, 2, 1 << 3],
      [1, 3, 3, 1 << 4],
      [1, 3, 4, 1 << 2],
      [1, 3, 6, 1 << 5],
      [1, 3, 7, 1 << 6],
      [1, 3, 13, 1 << 7],
      [1, 3, 24, 1 << 9],
      [1, 3, 25, 1 << 10],
      [7, 1, 0, 1 << 16],
      [7, 1, 7, 1 << 20],
      [7, 1, 20, 1 << 21],
      [1, 2, 26, 0],
      [7, 2, 16, 0],
    ] as const)
      for (let bit = 0; bit < 32; bit++) {
        const guest = create(offers(leaf, register, feature));
        write(guest, 1n << BigInt(bit));
        expect(guest.injected() === 0, `leaf ${leaf} register ${register} bit ${feature}: CR4 bit ${bit}`).toBe(
          bit === 8 || ((bits >>> bit) & 1) === 1,
        );
      }
  });

  it('takes from every register', () => {
    const REGISTERS = ['RAX', 'RCX', 'RDX', 'RBX', '', 'RBP', 'RSI', 'RDI', 'R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15'] as const;
    for (const [number, name] of REGISTERS.entries()) {
      const guest = createLong(ALL);
      const value = CR4.PAE | CR4.OSFXSR;
      for (let index = 0; index <= AREA.R15; index++) guest.area[index] = -1n;
      guest.vmcb[VMCB.RSP >> 3] = -1n;
      if (name === '') guest.vmcb[VMCB.RSP >> 3] = value;
      else guest.area[AREA[name]] = value;
      guest.exit(EXIT_CODE.CR_WRITE + 4, number < 8 ? [0x0f, 0x22, 0xe0 | number] : [0x41, 0x0f, 0x22, 0xe0 | (number & 7)]);
      expect(guest.vmcb[VMCB.CR4 >> 3], name).toBe(value);
    }
  });

  it('looks at 32 bits outside of 64-bit code', () => {
    const guest = create(ALL);
    write(guest, 0x7777_7777_0000_0010n);
    expect(guest.vmcb[VMCB.CR4 >> 3]).toBe(0x10n);
  });

  it('without PAE is #GP in long mode only', () => {
    const long = createLong(ALL);
    write(long, CR4.OSFXSR);
    expect(long.injected()).toBe(GP);
    const other = create(ALL);
    write(other, CR4.OSFXSR);
    expect([other.injected(), other.vmcb[VMCB.CR4 >> 3]]).toEqual([0, CR4.OSFXSR]);
  });

  it('has translations thrown away where it says how they are made', () => {
    const guest = create(ALL);
    const flushes = [CR4.PGE, CR4.PGE, CR4.PGE | CR4.OSFXSR, CR4.PSE, 0n, CR4.SMEP].map((value) => {
      write(guest, value);
      return guest.view.getUint8(VMCB.TLB_CONTROL);
    });
    expect(flushes).toEqual([1, 0, 0, 1, 1, 1]);
  });

  it('that is none any more is #UD', () => {
    const guest = create(ALL);
    write(guest, 0n, [0x0f, 0x20, 0xe0]);
    expect([guest.injected(), guest.moved()]).toEqual([UD, 0]);
  });
});

describe('MOV to CR8', () => {
  it('sets the priority of 4 bits, and nothing else of its word', () => {
    const { exit, area, view, moved } = createLong();
    for (const value of [15n, 0n, 9n]) {
      area[AREA.RBX] = value;
      expect(exit(EXIT_CODE.CR_WRITE + 8, [0x44, 0x0f, 0x22, 0xc3])).toBe(AFTER.RESUME);
      expect([view.getUint32(VMCB.V_INTR, true), moved()]).toEqual([(1 << 24) | Number(value), 4]);
    }
  });

  it('raises #GP for more', () => {
    for (const value of [16n, -1n, 1n << 32n]) {
      const { exit, area, injected, moved } = createLong();
      area[AREA.RAX] = value;
      exit(EXIT_CODE.CR_WRITE + 8, [0x44, 0x0f, 0x22, 0xc0]);
      expect([injected(), moved()]).toEqual([GP, 0]);
    }
  });

  it('may be LOCK MOV to CR0, in 32-bit code as well', () => {
    const { exit, area, view, moved } = create();
    area[AREA.RDX] = 0x5_0000_0005n;
    exit(EXIT_CODE.CR_WRITE + 8, [0xf0, 0x0f, 0x22, 0xc2]);
    expect([view.getUint8(VMCB.V_INTR), moved()]).toEqual([5, 4]);
  });
});

describe('instructions that the guest does not have', () => {
  it.each(['VMRUN', 'VMLOAD', 'VMSAVE', 'STGI', 'CLGI', 'SKINIT', 'INVLPGA', 'MONITOR', 'MWAIT', 'MWAIT_ARMED', 'XSETBV'] as const)(
    '%s is #UD',
    (name) => {
      const { exit, injected, moved } = create();
      exit(EXIT_CODE[name]);
      expect([injected(), moved()]).toEqual([UD, 0]);
    },
  );

  it('RDPMC is #GP', () => {
    const { exit, injected } = create();
    exit(EXIT_CODE.RDPMC);
    expect(injected()).toBe(GP);
  });

  it('INVD and WBINVD leave the caches of the machine alone', () => {
    const { exit, moved } = create();
    expect([exit(EXIT_CODE.INVD, [0x0f, 0x08]), moved()]).toEqual([AFTER.RESUME, 2]);
    expect([exit(EXIT_CODE.WBINVD, [0x66, 0x0f, 0x09]), moved()]).toEqual([AFTER.RESUME, 3]);
  });
});

describe('an exit that nobody expects', () => {
  it.each([
    ['VMRUN refused', EXIT_CODE.INVALID],
    ['a task switch', EXIT_CODE.TASK_SWITCH],
    ['an unknown code', 0xbb],
  ])('%s is told, and the guest does not leave for it again and again', (_, code) => {
    for (const action of ['ignore', 'log', 'propagate', 'switch-plan', 'halt'] as const) {
      const { exit, partition, events } = create({ rules: { 'unexpected-exit': action } });
      exit(code);
      expect(partition.state, action).toBe(HALTED);
      expect(events()).toEqual(action === 'ignore' ? [] : [`unexpected-exit ${action}`]);
    }
    const { exit, partition } = create({ rules: { 'unexpected-exit': 'cold-reset' } });
    exit(code);
    expect([partition.state, partition.loading === undefined]).toEqual([READY, false]);
  });

  it.each([EXIT_CODE.SMI, EXIT_CODE.INIT, EXIT_CODE.NMI])("%i is the machine's, and the guest goes on", (code) => {
    const { exit, partition, moved } = create({ rules: { 'unexpected-exit': 'log' } });
    exit(code);
    expect([partition.state, moved()]).toEqual([READY, 0]);
  });
});

describe('exits of a partition with virtual devices', () => {
  const ON_DEVICES = 79;
  /** Of a device that has port 40h, and a TSC. */
  function createVirtual(outcome: MmioOutcome = { kind: 'done' }) {
    const done: string[] = [];
    const own: Partial<Platform> = {
      setTsc: (tsc) => done.push(`at ${tsc}`),
      hasPort: (port) => port === 0x40,
      in: (port, width) => {
        done.push(`in ${port.toString(16)} ${width}`);
        return 0x1234_5678;
      },
      out: (port, width, value) => done.push(`out ${port.toString(16)} ${width} ${value.toString(16)}`),
      readTsc: () => 0x12_3456_789an,
      readMsr: (index) => (index === 0x3b ? 5n : undefined),
      writeMsr: (index, value) => (index === 0x3b ? value !== 1n : undefined),
      writeCr8: (value) => done.push(`cr8 ${value}`),
    };
    const guest = createLong({ platform: own as Platform, mmio: { execute: () => outcome }, memory: 0x1_0000 });
    guest.area[AREA.LEFT] = 77n;
    return { ...guest, done };
  }
  const io = (port: number, flags: number): bigint => BigInt((port << 16) | flags);
  const IN_8 = 0x11;
  const OUT_16 = 0x20;

  it('IN and OUT at a port of a device: at the instant of the exit, and then what the devices ask for', () => {
    const guest = createVirtual();
    guest.area[AREA.RAX] = 0x7777_8888_9999_aaaan;
    expect(guest.exit(EXIT_CODE.IOIO, [0xec], io(0x40, IN_8), BigInt(AT + 1))).toBe(ON_DEVICES);
    expect(guest.area[AREA.RAX]).toBe(0x7777_8888_9999_aa78n);
    expect(guest.exit(EXIT_CODE.IOIO, [0x66, 0xef], io(0x40, OUT_16), BigInt(AT + 2))).toBe(ON_DEVICES);
    expect(guest.done).toEqual(['at 77', 'in 40 1', 'at 77', 'out 40 2 aa78']);
    expect([guest.moved(), guest.shadow()]).toEqual([2, 0]);
  });

  it('at a port of nobody: all ones, counted, and no event', () => {
    const guest = createVirtual();
    expect(guest.exit(EXIT_CODE.IOIO, [0xec], io(0x80, IN_8), BigInt(AT + 1))).toBe(AFTER.RESUME);
    expect([guest.area[AREA.RAX]! & 0xffn, guest.partition.unclaimedAccesses, guest.events(), guest.done]).toEqual([0xffn, 1, [], []]);
  });

  it('reads and writes the MSRs that are the devices’, and refuses what they refuse', () => {
    const guest = createVirtual();
    guest.area[AREA.RCX] = 0x3bn;
    expect(guest.exit(EXIT_CODE.MSR, [0x0f, 0x32], 0n)).toBe(AFTER.RESUME);
    expect(guest.area[AREA.RAX]).toBe(5n);
    expect(guest.exit(EXIT_CODE.MSR, [0x0f, 0x30], 1n)).toBe(ON_DEVICES);
    guest.area[AREA.RAX] = 1n;
    guest.exit(EXIT_CODE.MSR, [0x0f, 0x30], 1n);
    expect([guest.injected(), guest.moved()]).toEqual([GP, 0]);
  });

  it.each([
    ['RDTSC', [0x0f, 0x31], 0n],
    ['RDTSCP', [0x0f, 0x01, 0xf9], 9n],
  ] as const)('%s reads the platform’s', (_, bytes, aux) => {
    const guest = createVirtual();
    guest.area[AREA.TSC_AUX] = 9n;
    guest.area[AREA.RCX] = 0n;
    expect(guest.exit(EXIT_CODE.RDTSC, bytes)).toBe(AFTER.RESUME);
    expect([guest.area[AREA.RDX], guest.area[AREA.RAX], guest.area[AREA.RCX], guest.moved()]).toEqual([
      0x12n,
      0x3456_789an,
      aux,
      bytes.length,
    ]);
  });

  it('a write of CR8 goes to the local APIC too', () => {
    const guest = createVirtual();
    guest.area[AREA.RCX] = 3n;
    expect(guest.exit(EXIT_CODE.CR_WRITE + 8, [0x44, 0x0f, 0x22, 0xc1])).toBe(ON_DEVICES);
    expect(guest.done).toEqual(['at 77', 'cr8 3']);
  });

  it.each([
    ['done: what the devices ask for', { kind: 'done' }, ON_DEVICES, 0, []],
    ['postponed: as before', { kind: 'postponed' }, AFTER.REPLAN, 0, []],
    ['a fault of its own', { kind: 'fault', vector: 13, errorCode: 0 }, AFTER.REPLAN, GP, []],
    [
      'not done for guests: an event',
      { kind: 'unsupported', why: 'x', bytes: [0x0f, 0xae], read: 2 },
      AFTER.REPLAN,
      0,
      ['unexpected-exit halt'],
    ],
  ] as const)('an instruction on device memory, %s', (_, outcome, after, injected, events) => {
    const guest = createVirtual(outcome);
    expect(guest.exit(EXIT_CODE.NPF, [0x8b, 0x07], 4n, 0xfed0_00f0n)).toBe(after);
    expect([guest.injected(), guest.moved(), guest.events()]).toEqual([injected, 0, events]);
  });
});
