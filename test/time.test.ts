/** The machine's time in QEMU: every pair of clock and timer that the rules allow, the rules themselves, and devices that lie. */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boot, type BootedRun } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';

const BUNDLE = 'test/bundles/time.ts';
/** In nanoseconds: what two readings of a clock can be apart without time between them. */
const RESOLUTION: Readonly<Record<string, number>> = { tsc: 1, hpet: 10, 'pm-timer': 280, pit: 839 };
const TICK: Readonly<Record<string, number>> = { lapic: 1, hpet: 10, pit: 839 };
/** The PIT clock takes 9 us to read, and the handler of its tick, which may be under way, 20 us. */
const READING: Readonly<Record<string, number>> = { pit: 25_000 };

function figuresOf(run: BootedRun): Map<string, number> {
  return new Map(run.of('benchmark').map(({ fields }) => [fields.name, fields.value]));
}

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

describe('the uses of time', () => {
  /** QEMU's real-time clock starts with the machine, before the kernel does: by milliseconds of firmware, on microvm by microseconds. */
  function expectAbsolute(run: BootedRun, clock = 'tsc'): void {
    const [absolute] = run.of('time.absolute');
    const { time, instant, uncertainty } = absolute!.fields;
    expect(time).toMatch(/^2026-01-01T00:00:\d\d\.\d{9}Z$/);
    const [, seconds, nanos] = /:(\d\d)\.(\d{9})Z$/.exec(time)!;
    const firmware = BigInt(seconds!) * 1_000_000_000n + BigInt(nanos!) - instant;
    expect(Number(firmware)).toBeGreaterThan(0);
    expect(Number(firmware)).toBeLessThan(20_000_000);
    expect(Number(uncertainty)).toBeLessThan(clock === 'pit' ? 50_000 : 20_000);
  }

  it.each([
    ['pc', [], 'com1'],
    ['q35', ['-serial', 'null'], 'com2'],
  ] as const)('on %s: intervals of RTC and serial line, an output signal, absolute time', async (machine, extra, line) => {
    const run = await boot({ bundle: BUNDLE, machine, extra, append: 'test=uses', name: `time-uses-${machine}` });
    expect(run).toHold();
    const [rtc, serial] = run.of('interval.recorded');
    // 1024 Hz: 976,562.5 ns.
    expect(rtc!.fields).toMatchObject({ source: 'rtc', count: 100, mean: 976_562n });
    expect(Number(rtc!.fields.min)).toBeGreaterThanOrEqual(976_561);
    expect(Number(rtc!.fields.max)).toBeLessThanOrEqual(976_564);

    // Every byte comes with an interrupt of its own, in order; what the kernel made of them is what they are.
    const bytes = run.of('byte.received');
    expect(bytes.map(({ fields }) => fields.byte)).toEqual(Array.from({ length: 101 }, (_, index) => index));
    expect(bytes.every(({ fields }) => fields.dated && fields.source === line)).toBe(true);
    const taken = run.series('byte.received', ({ taken }) => taken);
    expect(taken).toHavePeriod(700_000n, 20n);
    const intervals = taken.samples.slice(1).map(({ value }, index) => Number(value - taken.samples[index]!.value));
    expect(serial!.fields).toMatchObject({ source: line, count: 100 });
    expect(Math.abs(Number(serial!.fields.min) - Math.min(...intervals))).toBeLessThanOrEqual(1);
    expect(Math.abs(Number(serial!.fields.max) - Math.max(...intervals))).toBeLessThanOrEqual(1);

    const edges = run.series('output.edge', ({ nominal, written }) => written - nominal);
    expect(edges).toHaveCount(200);
    expect(edges).toStayWithin(0n, 50n);
    expect(run.series('output.edge', ({ nominal }) => nominal)).toHavePeriod(250_000n, 1n);
    expect(run.of('output.edge').map(({ fields }) => fields.level)).toEqual(Array.from({ length: 200 }, (_, index) => (index + 1) % 2));
    const late = edges.samples.map(({ value }) => Number(value));
    const [signal] = run.of('output.signal');
    expect(signal!.fields).toMatchObject({ output: 'speaker', edges: 200, period: 250_000n });
    expect(Math.abs(Number(signal!.fields['error-max']) - Math.max(...late))).toBeLessThanOrEqual(1);

    expectAbsolute(run);
    expect(run.of('use.skipped')).toEqual([]);
    expect(run.of('interrupt.unexpected')).toEqual([]);
  });

  it.each(['hpet', 'pm-timer', 'pit'])('with clock=%s too', async (clock) => {
    const run = await boot({ bundle: BUNDLE, append: `test=uses clock=${clock} timer=lapic`, name: `time-uses-clock-${clock}` });
    expect(run).toHold();
    expect(run.of('use.skipped')).toEqual([]);
    expect(run.of('interval.recorded').map(({ fields }) => fields.count)).toEqual([100, 100]);
    expect(run.series('output.edge', ({ nominal, written }) => written - nominal)).toStayWithin(0n, 50n);
    // Sending the trace holds the PIT's tick up for several periods.
    expect(run.of('clock.watch')).toEqual([]);
    if (clock === 'pit') expect(run.of('clock.ticks-lost').length).toBeGreaterThan(0);
    expectAbsolute(run, clock);
  });

  it('on microvm, which has not all of it, say what is missing', async () => {
    const run = await boot({ bundle: BUNDLE, machine: 'microvm', append: 'test=uses', name: 'time-uses-microvm' });
    expect(run).toHold();
    expect(run.of('use.skipped').map(({ fields }) => `${fields.use} ${fields.source}`)).toEqual(['output speaker']);
    expectAbsolute(run);
  });

  it('and a legacy-replacing HPET, which cuts the RTC off: its events do not come, its time does', async () => {
    const run = await boot({ bundle: BUNDLE, append: 'test=uses timer=hpet', name: 'time-uses-legacy' });
    expect(run).toHold();
    expect(run.of('use.skipped').map(({ fields }) => `${fields.use} ${fields.source}: ${fields.reason}`)).toEqual([
      'interval rtc: 0 of 100 intervals came',
    ]);
    expect(run.of('interval.recorded').map(({ fields }) => fields.source)).toEqual(['com1']);
    expectAbsolute(run);
  });

  it('without a serial line go on without it', async () => {
    const run = await boot({ bundle: BUNDLE, com1: 'none', append: 'test=uses', name: 'time-uses-no-serial' });
    expect(run).toHold();
    expect(run.of('use.skipped').map(({ fields }) => fields.source)).toEqual(['serial line']);
    expectAbsolute(run);
  });

  describe('with somebody at the other end of COM1', () => {
    let folder = '';
    let server: Server;
    const sockets: Socket[] = [];
    const SENT = 'chronovisor';

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'chronovisor-test-'));
      server = createServer((socket) => {
        sockets.push(socket);
        // One byte each 10 ms of the host's time, once the kernel listens.
        socket.once('data', () => {
          void (async () => {
            for (const byte of SENT) {
              socket.write(byte);
              await new Promise((done) => setTimeout(done, 10));
            }
          })();
        });
      });
      await new Promise<void>((done) => server.listen(join(folder, 'com1'), done));
    });
    afterEach(() => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
      rmSync(folder, { recursive: true });
    });

    it('record its bytes, without icount in about the time that it took to send them', async () => {
      const run = await boot({
        bundle: BUNDLE,
        com1: { socket: join(folder, 'com1') },
        icount: 'off',
        append: `test=bytes count=${SENT.length}`,
        name: 'time-bytes-host',
      });
      expect(run).toHold();
      const bytes = run.of('byte.received');
      expect(String.fromCharCode(...bytes.map(({ fields }) => fields.byte))).toBe(SENT);
      const [recorded] = run.of('interval.recorded');
      const dated = bytes.filter(({ fields }) => fields.dated);
      expect(recorded!.fields.count).toBe(dated.length - 1);
      // 100 ms were slept between the first byte and the last; a busy host makes it more.
      const whole = Number(dated.at(-1)!.fields.taken - dated[0]!.fields.taken);
      expect(whole).toBeGreaterThan(50_000_000);
      expect(whole).toBeLessThan(20_000_000_000);
    });
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

describe('devices that lie', () => {
  const lie = (name: string): Promise<BootedRun> => boot({ bundle: BUNDLE, append: `test=watch lie=${name}`, name: `time-lie-${name}` });
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
    expect(first!.at - FAULT < 1_000_000_000n).toBe(true);
    if (verdict === 'step') expect(run.of('clock.watch')).toHaveLength(1);
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
});
