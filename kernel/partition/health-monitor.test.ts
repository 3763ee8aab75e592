import { describe, expect, it } from 'vitest';
import { createFakePartition, createFakeTrace } from '../testing/partition.ts';
import { LINE, PARTITION_STATE } from './abi.ts';
import { createHealthMonitor } from './health-monitor.ts';
import { HEALTH_ACTIONS, HEALTH_DEFAULTS, HEALTH_EVENTS, type HealthAction, type HealthEvent, type HealthRule } from './system.ts';

function create(rules: readonly HealthRule[] = []) {
  const done: string[] = [];
  const fake = createFakeTrace();
  let now = 1000n;
  const health = createHealthMonitor({
    trace: fake.trace,
    now: () => now++,
    actions: {
      setState: ({ index }, state, reason) => done.push(`state ${index} ${state}: ${reason}`),
      reset: ({ index }, isCold, reason) => done.push(`${isCold ? 'cold' : 'warm'} ${index}: ${reason}`),
      switchPlan: (plan) => done.push(`plan ${plan}`),
      stop: (reason) => done.push(`stop: ${reason}`),
    },
  });
  const partitions = [0, 1].map((index) => createFakePartition({ index, health: rules }));
  return {
    health,
    done,
    partitions,
    take: fake.take,
    raise: (event: HealthEvent, detail = 0n, text = 'why', partition = 1) => health.raise(partitions[partition]!, event, detail, text),
  };
}

describe('an action', () => {
  it.each([
    ['ignore', []],
    ['log', []],
    ['propagate', []],
    ['suspend', [`state 1 ${PARTITION_STATE.SUSPENDED}: watchdog: why`]],
    ['halt', [`state 1 ${PARTITION_STATE.HALTED}: watchdog: why`]],
    ['cold-reset', ['cold 1: watchdog: why']],
    ['warm-reset', ['warm 1: watchdog: why']],
    ['switch-plan', ['plan 3']],
    ['stop', ['stop: watchdog: why']],
  ] as const satisfies readonly (readonly [HealthAction, readonly string[]])[])('%s is done, and told', (action, expected) => {
    const { raise, done, partitions } = create([{ event: 'watchdog', action, ...(action === 'switch-plan' ? { plan: 3 } : {}) }]);
    expect(raise('watchdog')).toBe(action);
    expect(done).toEqual(expected);
    expect(partitions[1]!.interrupts.pending).toBe(action === 'propagate' ? 1 << LINE.HEALTH : 0);
    expect(partitions[0]!.interrupts.pending).toBe(0);
  });

  it('covers all there are', () => {
    const actions = ['ignore', 'log', 'propagate', 'suspend', 'halt', 'cold-reset', 'warm-reset', 'switch-plan', 'stop'];
    expect([...HEALTH_ACTIONS].sort()).toEqual(actions.sort());
  });

  it('without a rule is the default', () => {
    for (const event of HEALTH_EVENTS) {
      const { raise, done } = create();
      expect(raise(event)).toBe(HEALTH_DEFAULTS[event]);
      expect(done.length, event).toBe(HEALTH_DEFAULTS[event] === 'log' ? 0 : 1);
    }
  });

  it('of a fault goes by its vector', () => {
    const { raise } = create([
      { event: 'fault', vector: 13, action: 'warm-reset' },
      { event: 'fault', vector: 0, action: 'suspend' },
      { event: 'memory-violation', action: 'log' },
    ]);
    expect([raise('fault', 13n), raise('fault', 0n), raise('fault', 6n), raise('memory-violation', 13n)]).toEqual([
      'warm-reset',
      'suspend',
      'halt',
      'log',
    ]);
  });

  it('propagates exceptions not as a line: who found them injects them', () => {
    for (const event of ['fault', 'memory-violation'] as const) {
      const { raise, partitions } = create([{ event, action: 'propagate' }]);
      expect(raise(event)).toBe('propagate');
      expect(partitions[1]!.interrupts.pending).toBe(0);
    }
  });
});

describe('the log', () => {
  it('is read from the oldest on, each entry once', () => {
    const { raise, health } = create();
    raise('watchdog', 7n, '', 0);
    raise('port-misuse', 0x80n);
    expect(health.read()).toEqual({
      at: 1000n,
      partition: 0,
      event: HEALTH_EVENTS.indexOf('watchdog'),
      action: HEALTH_ACTIONS.indexOf('log'),
      detail: 7n,
    });
    expect(health.read()).toMatchObject({ at: 1001n, partition: 1, event: HEALTH_EVENTS.indexOf('port-misuse'), detail: 0x80n });
    expect(health.read()).toBeUndefined();
    raise('watchdog');
    expect(health.read()).toMatchObject({ at: 1002n });
  });

  it('keeps the last 256', () => {
    const { raise, health } = create();
    for (let count = 0n; count < 300n; count++) raise('watchdog', count);
    for (let count = 44n; count < 300n; count++) if (health.read()?.detail !== count) expect.fail(`${count}`);
    expect(health.read()).toBeUndefined();
    for (let count = 0n; count < 10n; count++) raise('watchdog', count);
    expect(health.read()?.detail).toBe(0n);
  });

  it('has nothing of what is ignored', () => {
    const { raise, health, take } = create([{ event: 'watchdog', action: 'ignore' }]);
    raise('watchdog');
    expect([health.read(), take(), health.untraced()]).toEqual([undefined, [], 0]);
  });

  it('has addresses of 64 bits', () => {
    const { raise, health } = create([{ event: 'memory-violation', action: 'log' }]);
    raise('memory-violation', 0xffff_8000_0000_1000n);
    expect(BigInt.asUintN(64, health.read()!.detail)).toBe(0xffff_8000_0000_1000n);
  });
});

describe('the trace', () => {
  it('has 16 events of each kind from each partition, and counts the others', () => {
    const { raise, health, take, partitions } = create();
    for (let count = 0; count < 20; count++) raise('watchdog', 0n, `w${count}`);
    for (let count = 0; count < 3; count++) raise('port-misuse');
    for (let count = 0; count < 17; count++) raise('watchdog', 0n, 'other', 0);
    const records = take();
    expect(records.filter(([, partition, event]) => partition === 1 && event === 'watchdog').map((record) => record[4])).toEqual(
      Array.from({ length: 16 }, (_, index) => `w${index}`),
    );
    expect([records.length, health.untraced()]).toEqual([16 + 3 + 16, 4 + 1]);
    expect(records[0]).toEqual(['health.event', 1, 'watchdog', 'log', 'w0']);
    // Words that nobody will see need not be made.
    expect([
      health.wantsText(partitions[1]!, 'watchdog'),
      health.wantsText(partitions[1]!, 'port-misuse'),
      health.wantsText(partitions[1]!, 'overrun'),
    ]).toEqual([false, true, true]);
  });

  it('goes on with actions when it says nothing more', () => {
    const { raise, done } = create([{ event: 'watchdog', action: 'warm-reset' }]);
    for (let count = 0; count < 40; count++) raise('watchdog');
    expect(done).toHaveLength(40);
  });
});
