/** The machine's time in QEMU: every pair of clock and timer that the rules allow, the rules themselves, and devices that lie. */
import { describe, expect, it } from 'vitest';
import { boot, type BootedRun } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';
import { BUNDLE, figuresOf, RESOLUTION, TICK } from './figures.ts';

/** The PIT clock takes 12 us to read, and the handler of its tick, which may be under way, 20 us. */
const READING: Readonly<Record<string, number>> = { pit: 25_000 };

function pairsOf(run: BootedRun): string[] {
  return [...figuresOf(run).keys()].filter((name) => name.endsWith('.min')).map((name) => name.split('.').slice(1, 3).join(' '));
}

describe('pairs of clock and timer', () => {
  const WITHOUT_HPET = ['tsc lapic', 'tsc pit', 'pm-timer lapic', 'pm-timer pit', 'pit lapic'];
  const WITH_HPET = [
    ...['tsc', 'hpet', 'pm-timer'].flatMap((clock) => ['lapic', 'hpet', 'pit'].map((timer) => `${clock} ${timer}`)),
    'pit lapic',
  ];

  it.each([
    ['pc', true, 1, WITH_HPET],
    ['pc', true, 2, WITH_HPET],
    ['pc', false, 1, WITHOUT_HPET],
    ['pc', false, 2, WITHOUT_HPET],
    // Its HPET has interrupts of its own.
    ['q35', true, 1, [...WITH_HPET, 'pit hpet']],
    ['q35', true, 2, [...WITH_HPET, 'pit hpet']],
    ['q35', false, 1, WITHOUT_HPET],
    ['q35', false, 2, WITHOUT_HPET],
    ['microvm', true, 1, ['tsc lapic', 'tsc pit', 'pit lapic']],
    ['microvm', true, 2, ['tsc lapic', 'tsc pit', 'pit lapic']],
  ] as const)(
    'on %s, HPET %s, seed %i: never early by more than the clock can show, late by a tick and 200 ns',
    async (machine, hpet, seed, expected) => {
      const run = await boot({
        bundle: BUNDLE,
        machine,
        hpet,
        seed,
        append: `test=pairs seed=${seed}`,
        name: `time-pairs-${machine}-${hpet}-${seed}`,
      });
      expect(run).toHold();
      expect(pairsOf(run).sort()).toEqual([...expected].sort());
      const figures = figuresOf(run);
      for (const pair of expected) {
        const [clock, timer] = pair.split(' ') as [string, string];
        expect(figures.get(`pair.${clock}.${timer}.min`), pair).toBeGreaterThanOrEqual(clock === 'tsc' ? 0 : -RESOLUTION[clock]!);
        expect(figures.get(`pair.${clock}.${timer}.max`), pair).toBeLessThanOrEqual(
          TICK[timer]! + RESOLUTION[clock]! + 200 + (READING[clock] ?? 0),
        );
      }
      expect(run.of('interrupt.unexpected')).toEqual([]);
      expect(run.of('clock.ticks-lost')).toEqual([]);
    },
  );
});

describe('pairs of clock and timer', () => {
  it.each([
    ['pc', 1],
    ['pc', 2],
    ['q35', 1],
    ['q35', 2],
  ] as const)('on %s with two CPUs, seed %i: the HPET and the local APIC, and no other', async (machine, seed) => {
    const name = `time-pairs-${machine}-two-cpus-${seed}`;
    const run = await boot({ bundle: BUNDLE, machine, cpus: 2, seed, append: `test=pairs seed=${seed}`, name });
    expect(run).toHold();
    expect(pairsOf(run)).toEqual(['hpet lapic']);
    const figures = figuresOf(run);
    expect(figures.get('pair.hpet.lapic.min')).toBeGreaterThanOrEqual(-RESOLUTION['hpet']!);
    expect(figures.get('pair.hpet.lapic.max')).toBeLessThanOrEqual(TICK['lapic']! + RESOLUTION['hpet']! + 200);
  });

  it('live without icount on a busy host, where only wide limits hold', async () => {
    // More machines than cores.
    const names = ['a', 'b', 'c', 'd'].map((name) => `time-pairs-no-icount-${name}`);
    const runs = await Promise.all(
      names.map((name) => boot({ bundle: BUNDLE, machine: 'q35', icount: 'off', append: 'test=pairs', name })),
    );
    for (const run of runs) {
      expect(run).toHold();
      expect(pairsOf(run)).toHaveLength(11);
      for (const [name, value] of figuresOf(run)) {
        // What a measured frequency may be wrong by over the longest wait of 120 ms, and ticks of the PIT clock that a busy host loses; what it makes late.
        if (name.endsWith('.min')) expect(value, name).toBeGreaterThanOrEqual(-10_000_000);
        if (name.endsWith('.max')) expect(value, name).toBeLessThan(10_000_000_000);
      }
    }
  });
});

describe('clocks', () => {
  it.each(['pc', 'q35', 'microvm'] as const)('on %s never go back, and agree over 3 s to a tick', async (machine) => {
    const run = await boot({ bundle: BUNDLE, machine, append: 'test=clocks count=3', name: `time-clocks-${machine}` });
    expect(run).toHold();
    const figures = figuresOf(run);
    const clocks = [...figures.keys()].filter((name) => name.endsWith('.drift_ppm')).map((name) => name.split('.')[1]!);
    expect(clocks).toEqual(machine === 'microvm' ? ['tsc', 'pit'] : ['tsc', 'hpet', 'pm-timer', 'pit']);
    for (const clock of clocks) {
      expect(figures.get(`clock.${clock}.backward_steps`), clock).toBe(0);
      expect(Math.abs(figures.get(`clock.${clock}.drift_ppm`)! * 3_000), clock).toBeLessThanOrEqual(RESOLUTION[clock]! + 10);
    }
  });
});

describe('the shortest interval', () => {
  // Where the counter's low half changes its sign, and where it wraps: the engine is slower there, the comparison is not.
  it.each([0, 0x7fff_0000, 0x8000_0000, 0xffff_0000])('of the HPET is under 5 us, and kept, with its counter at %i', async (counter) => {
    const append = `test=timer clock=tsc timer=hpet count=300 counter=${counter}`;
    const run = await boot({ bundle: BUNDLE, append, name: `time-shortest-${counter}` });
    expect(run).toHold();
    const figures = figuresOf(run);
    expect(figures.get('timer.hpet.min_interval_ns')).toBeLessThan(5_000);
    expect(figures.get('timer.hpet.lateness_min_ns')).toBeGreaterThanOrEqual(0);
    expect(figures.get('timer.hpet.lateness_max_ns')).toBeLessThanOrEqual(210);
    expect(figures.get('timer.hpet.min_interval_lateness_max_ns')).toBeLessThanOrEqual(210);
    expect(figures.get('timer.hpet.wait_1s_lateness_ns')).toBeLessThanOrEqual(210);
  });
});

describe('the local APIC’s timer', () => {
  it.each([2, 4, 8, 16, 32, 64, 128])('counts by %i where it is told to, and is late by its tick', async (divisor) => {
    const append = `test=timer clock=tsc timer=lapic count=200 longest=10 divisor=${divisor}`;
    const run = await boot({ bundle: BUNDLE, append, name: `time-divisor-${divisor}` });
    expect(run).toHold();
    const figures = figuresOf(run);
    const [bounds] = run.of('time.timer');
    // 31 bits.
    expect(Number(bounds!.fields.max) / 2 ** 31).toBeCloseTo(divisor, 3);
    for (const what of ['lateness_max_ns', 'wait_1s_lateness_ns', 'wait_10s_lateness_ns', 'min_interval_lateness_max_ns']) {
      expect(figures.get(`timer.lapic.${what}`), what).toBeGreaterThanOrEqual(0);
      expect(figures.get(`timer.lapic.${what}`), what).toBeLessThanOrEqual(divisor + 200);
    }
    expect(figures.get('timer.lapic.lateness_min_ns')).toBeGreaterThanOrEqual(0);
  });

  it('is in TSC-deadline mode where CPUID offers it, and never early', async () => {
    const append = 'test=timer clock=tsc timer=lapic count=200 longest=10 lie=tsc-deadline';
    const run = await boot({ bundle: BUNDLE, append, name: 'time-tsc-deadline' });
    expect(run).toHold();
    expect(run.of('time.timer')[0]!.fields.route).toBe('local vector table, TSC deadline');
    const figures = figuresOf(run);
    expect(figures.get('timer.lapic.lateness_min_ns')).toBeGreaterThanOrEqual(0);
    // What the emulation of the register takes, on top.
    for (const what of ['lateness_max_ns', 'wait_1s_lateness_ns', 'wait_10s_lateness_ns'])
      expect(figures.get(`timer.lapic.${what}`), what).toBeLessThan(5_000);
    const without = await boot({ bundle: BUNDLE, append: append.replace('lie=tsc-deadline', ''), name: 'time-no-tsc-deadline' });
    expect(without.of('time.timer')[0]!.fields.route).toBe('local vector table');
  });
});

describe('kernel timers', () => {
  it.each(['lapic', 'hpet', 'pit'] as const)('on the %s keep the beat of 1 ms', async (timer) => {
    const run = await boot({ bundle: BUNDLE, append: `test=beat clock=tsc timer=${timer} count=200`, name: `time-beat-${timer}` });
    expect(run).toHold();
    const figures = figuresOf(run);
    expect(figures.get(`timer.${timer}.beats_missed`)).toBe(0);
    expect(figures.get(`timer.${timer}.beat_lateness_min_ns`)).toBeGreaterThanOrEqual(0);
    expect(figures.get(`timer.${timer}.drift_ns`)).toBeLessThanOrEqual(TICK[timer]! + 200);
  });
});

describe('time that is switched off', () => {
  it.each(['pc', 'q35', 'microvm'] as const)('on %s leaves nothing to come, and the hardware to the next', async (machine) => {
    const run = await boot({ bundle: BUNDLE, machine, append: 'test=stop', name: `time-stop-${machine}` });
    expect(run).toHold();
    const figures = figuresOf(run);
    const pairs = [...figures.keys()].filter((name) => name.endsWith('.runs_after'));
    expect(pairs.length).toBeGreaterThanOrEqual(machine === 'microvm' ? 3 : 10);
    for (const name of pairs) {
      expect(figures.get(name), name).toBe(0);
      expect(figures.get(name.replace('runs_after', 'refused')), name).toBe(1);
    }
    expect(run.of('interrupt.unexpected')).toEqual([]);
    // A microvm's ACPI tells a wrong input for the PIT; another one is found each time.
    expect(run.of('warning', ({ message }) => machine !== 'microvm' || !message.startsWith('I/O APIC input 0'))).toEqual([]);
    expect(run.of('clock.watch')).toEqual([]);
  });
});

describe('the rules', () => {
  const demonstration = (append: string, options: Parameters<typeof boot>[0] = {}): Promise<BootedRun> =>
    boot({ append: `count=2 ${append}`, ...options });
  const reasonOf = (run: BootedRun): string => run.of('kernel.exit')[0]?.fields.reason ?? '';
  const chosen = (run: BootedRun): string[] => run.of('time.selected').map(({ fields }) => fields.name);

  it('choose TSC and local APIC on one CPU, watched by the HPET, and say why', async () => {
    const run = await demonstration('');
    expect(run).toHold();
    expect(chosen(run)).toEqual(['tsc', 'lapic', 'hpet']);
    expect(run.of('time.selected')[0]!.fields.reason).toBe('first of tsc, pit');
  });

  it('take what the command line asks for', async () => {
    const run = await demonstration('clock=hpet timer=pit');
    expect(run).toHold();
    expect(chosen(run)).toEqual(['hpet', 'pit', 'tsc']);
  });

  it('choose HPET and local APIC on two CPUs, and nothing else', async () => {
    const run = await demonstration('', { cpus: 2 });
    expect(run).toHold();
    expect(chosen(run)).toEqual(['hpet', 'lapic', 'tsc']);
    const refused = await demonstration('clock=tsc', { cpus: 2 });
    expect(refused.isHeld).toBe(false);
    expect(reasonOf(refused)).toContain('clock=tsc: forbidden by the rule "several CPUs: clock hpet, timer lapic');
  });

  it('have nothing for two CPUs without an HPET', async () => {
    const run = await demonstration('', { cpus: 2, hpet: false });
    expect(run.isHeld).toBe(false);
    expect(reasonOf(run)).toContain('no clock: not hpet');
  });

  it.each([
    ['clock=hpet', 'clock=hpet: the machine has none'],
    ['clock=pit timer=pit', 'counter 0 of the PIT is the clock or the timer, not both'],
    ['clock=sundial', 'clock=sundial: expected one of auto, pit, tsc, hpet, pm-timer'],
  ])('refuse %s on a machine without HPET, with the reason', async (append, reason) => {
    const run = await demonstration(append, { hpet: false });
    expect(run.isHeld).toBe(false);
    expect(reasonOf(run)).toContain(reason);
  });

  it('test the TSC in HLT where the CPU is halted', async () => {
    const run = await demonstration('idle=halt run=nothing');
    expect(run).toHold();
    expect(run.of('machine.tsc')[0]!.fields['in-halt']).toBe('runs');
    const awake = await demonstration('run=nothing');
    expect(awake.of('machine.tsc')[0]!.fields['in-halt']).toBe('untested');
  });
});

describe('frequencies that CPUID tells', () => {
  const told = (run: BootedRun): string[] =>
    run
      .of('calibration.agreement', ({ first, second }) => `${first} ${second}`.includes('CPUID'))
      .map(({ fields: { counter, first, second, verdict } }) => `${counter}: ${first}, ${second}: ${verdict}`);
  const known = (run: BootedRun, clock: string) => run.of('machine.frequency', (fields) => fields.clock === clock)[0]!.fields;
  const lie = (name: string): Promise<BootedRun> => boot({ bundle: BUNDLE, append: `test=none lie=${name}`, name: `time-lie-${name}` });

  it('are none under TCG: QEMU makes the hypervisor leaf 4000_0010h for KVM only, whatever its options ask for', async () => {
    const cpu = 'EPYC,+invtsc,vmware-cpuid-freq=on,tsc-frequency=1000000000';
    const run = await boot({ cpu, append: 'run=nothing', name: 'time-cpuid-freq' });
    expect(run).toHold();
    expect(told(run)).toEqual([]);
    expect(known(run, 'tsc')).toMatchObject({ provenance: 'measured', source: 'tsc against hpet' });
  });

  it('confirm the measured ones, which are the more certain than whole kilohertz', async () => {
    const run = await lie('cpuid-right');
    expect(run).toHold();
    expect(told(run)).toEqual(['tsc: CPUID 40000010h, tsc against hpet: agree', 'lapic: lapic against tsc, CPUID 40000010h: agree']);
    expect(known(run, 'tsc')).toMatchObject({ provenance: 'measured', numerator: 1_000_000_000n });
    expect(run.of('warning')).toEqual([]);
  });

  it('are told to be wrong, and not used, if two references say so', async () => {
    const run = await lie('cpuid-wrong');
    expect(run).toHold();
    expect(told(run)[0]).toBe('tsc: CPUID 40000010h, tsc against hpet: disagree');
    expect(known(run, 'tsc').numerator).toBe(1_000_000_000n);
    expect(run.of('warning').map(({ fields }) => fields.message)).toEqual([
      'CPUID 40000010h tells a frequency of the tsc that is not the measured one',
    ]);
  });

  it('are used where they are exact; one that only the TSC contradicts is uncertain', async () => {
    const run = await lie('cpuid-intel');
    expect(run).toHold();
    expect(told(run)).toEqual(['tsc: CPUID 15h, tsc against hpet: agree', 'lapic: lapic against tsc, CPUID 15h: disagree']);
    expect(known(run, 'tsc')).toMatchObject({ provenance: 'enumerated', source: 'CPUID 15h', numerator: 1_000_000_000n });
    expect(known(run, 'lapic')['uncertainty-ppb']).toBeGreaterThan(900_000_000);
  });
});

describe('devices that lie', () => {
  const lie = (name: string): Promise<BootedRun> =>
    boot({ bundle: BUNDLE, append: `test=watch${name === 'no' ? '' : ` lie=${name}`}`, name: `time-lie-${name}` });
  const FAULT = 2_000_000_000n;

  it.each([
    ['tsc-fast', 'drift', 'tsc'],
    ['tsc-step', 'step', 'tsc'],
    ['tsc-stops', 'stopped', 'tsc'],
    ['hpet-stops', 'stopped', 'hpet'],
  ])('%s is found within a second', async (name, verdict, which) => {
    const run = await lie(name);
    expect(run).toHold();
    const [first] = run.of('clock.watch');
    expect(first?.fields).toMatchObject({ verdict, clock: which });
    expect(Number.isFinite(first!.fields['rate-ppb'])).toBe(true);
    expect(first!.at - FAULT < 1_000_000_000n).toBe(true);
    // What lasts is told once.
    expect(run.of('clock.watch')).toHaveLength(1);
    expect(run.of('clock.agrees')).toEqual([]);
  });

  it('a PIT that stops under its own clock is found, also on microvm, where the TSC is the watch', async () => {
    for (const [machine, against] of [
      ['pc', 'hpet'],
      ['microvm', 'tsc'],
    ] as const) {
      const run = await boot({ bundle: BUNDLE, machine, append: 'test=watch clock=pit lie=pit-stops', name: `time-lie-pit-${machine}` });
      expect(run).toHold();
      expect(run.of('time.selected', ({ what }) => what === 'watch')[0]!.fields.name).toBe(against);
      const [first] = run.of('clock.watch');
      expect(first?.fields).toMatchObject({ verdict: 'stopped', clock: 'pit', against });
      expect(first!.at - FAULT < 1_000_000_000n).toBe(true);
    }
  });

  it('on microvm a TSC that turns fast is found by the PIT clock that it watches', async () => {
    const run = await boot({ bundle: BUNDLE, machine: 'microvm', append: 'test=watch clock=pit lie=tsc-fast', name: 'time-lie-microvm' });
    expect(run).toHold();
    const [first] = run.of('clock.watch');
    expect(first?.fields).toMatchObject({ verdict: 'drift', clock: 'pit', against: 'tsc' });
    expect(first!.at - FAULT < 1_000_000_000n).toBe(true);
  });

  it('nothing is found where nobody lies', async () => {
    const run = await lie('no');
    expect(run).toHold();
    expect(run.of('clock.watch')).toEqual([]);
    expect(run.of('calibration.agreement')[0]!.fields.verdict).toBe('agree');
  });

  it('an HPET that is slow from the start is outvoted by PM timer and PIT', async () => {
    const run = await lie('hpet-slow');
    const [agreement] = run.of('calibration.agreement');
    expect(agreement!.fields).toMatchObject({ first: 'tsc against pm-timer', second: 'tsc against pit', verdict: 'agree' });
    const [tsc] = run.of('machine.frequency', ({ clock }) => clock === 'tsc');
    expect(Math.abs(Number(tsc!.fields.numerator) / Number(tsc!.fields.denominator) / 1e9 - 1)).toBeLessThan(1e-6);
  });

  it('references that disagree, with no third to decide, make the TSC as uncertain as they differ', async () => {
    const run = await lie('hpet-slow,pit-dead');
    expect(run.of('calibration.agreement')[0]!.fields).toMatchObject({ verdict: 'disagree', second: 'tsc against pm-timer' });
    const [tsc] = run.of('machine.frequency', ({ clock }) => clock === 'tsc');
    // A tenth, in parts per billion.
    expect(tsc!.fields['uncertainty-ppb']).toBeGreaterThan(99_000_000);
    expect(run.of('warning').map(({ fields }) => fields.message)).toContainEqual(expect.stringContaining('references of the tsc disagree'));
  });
});
