/** Broken devices and bad arguments in QEMU: told with the reason, and the machine does without, or ends. What lies is in bundles/time.ts. */
import { describe, expect, it } from 'vitest';
import { boot, type BootedRun } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';
import { BUNDLE, figuresOf, RESOLUTION, TICK } from './figures.ts';

describe('bad input', () => {
  const uses = (lie: string, options: Parameters<typeof boot>[0] = {}): Promise<BootedRun> =>
    boot({ bundle: BUNDLE, append: `test=uses lie=${lie}`, name: `time-bad-${lie}-${options.machine ?? 'pc'}`, ...options });
  const absentReason = (run: BootedRun, name: string): string =>
    run.of('machine.absent', ({ device }) => device === name)[0]?.fields.reason ?? '';

  it.each([
    ['hpet-ones', 'at 0xfed00000: its capabilities read all ones'],
    ['hpet-period-0', 'COUNTER_CLK_PERIOD is 0 fs'],
    ['hpet-period-huge', 'COUNTER_CLK_PERIOD is 100000001 fs, not within 1..100000000'],
  ])('%s: there is no HPET, with the reason, and the machine does without', async (lie, reason) => {
    const run = await uses(lie);
    expect(run).toHold();
    expect(absentReason(run, 'hpet')).toContain(reason);
    expect(run.of('time.selected').map(({ fields }) => fields.name)).toEqual(['tsc', 'lapic', 'pm-timer']);
    expect(run.of('use.skipped')).toEqual([]);
  });

  it('a PIT that never ticks: there is none, and the machine does without', async () => {
    const run = await uses('pit-dead');
    expect(run).toHold();
    expect(absentReason(run, 'pit')).toBe('counter 0 does not move');
    expect(run.of('time.selected').map(({ fields }) => fields.name)).toEqual(['tsc', 'lapic', 'hpet']);
    expect(run.of('use.skipped')).toEqual([]);
    const asked = await boot({ bundle: BUNDLE, append: 'test=uses clock=pit lie=pit-dead', name: 'time-bad-pit-asked' });
    expect(asked.isHeld).toBe(false);
    expect(asked.of('kernel.exit')[0]!.fields.reason).toContain('clock=pit: the machine has none');
  });

  it('a PIT that never ticks on a machine with no other reference: no time, with the reason', async () => {
    const run = await uses('pit-dead', { machine: 'microvm' });
    expect(run.outcome).toMatchObject({ kind: 'exit', name: 'FAILED' });
    expect(run.of('kernel.exit')[0]!.fields.reason).toContain('the TSC, which dates everything, could not be measured');
  });

  it.each(['pc', 'microvm'] as const)('a TSC that stands still, on %s: no time, with the reason', async (machine) => {
    const run = await uses('tsc-stands', { machine });
    expect(run.outcome).toMatchObject({ kind: 'exit', name: 'FAILED' });
    expect(run.of('warning').map(({ fields }) => fields.message)).toContain('the TSC stands still');
    expect(run.of('kernel.exit')[0]!.fields.reason).toContain('the TSC, which dates everything, could not be measured');
  });

  it('a local APIC whose timer never interrupts: no time, with the reason; another timer can be asked for', async () => {
    const run = await uses('lapic-silent');
    expect(run.outcome).toMatchObject({ kind: 'exit', name: 'FAILED' });
    expect(run.of('kernel.exit')[0]!.fields.reason).toBe('timer=lapic: its interrupt arrives nowhere');
    const asked = await boot({ bundle: BUNDLE, append: 'test=uses timer=pit lie=lapic-silent', name: 'time-bad-lapic-asked' });
    expect(asked).toHold();
    expect(asked.of('use.skipped')).toEqual([]);
  });

  it.each([
    ['rtc-uip', 'UIP is stuck'],
    ['rtc-bcd', 'Date of the Month (register 07h) reads 1fh, which is no BCD'],
    ['rtc-month-13', 'Month (register 08h) reads 13h, which is not within 1..12'],
  ])('%s: no absolute time, with the reason, and nothing else is missing', async (lie, reason) => {
    const run = await uses(lie);
    expect(run).toHold();
    expect(run.of('time.absolute')).toEqual([]);
    expect(run.of('use.skipped').map(({ fields }) => `${fields.use} ${fields.source}: ${fields.reason}`)).toEqual([
      expect.stringMatching(new RegExp(`^absolute rtc: .*${reason.replaceAll(/[().]/g, '\\$&')}`)),
    ]);
    expect(run.of('interval.recorded').map(({ fields }) => fields.source)).toEqual(['rtc', 'com1']);
  });

  it('an HPET of 32 bits that wraps as clock and timer in one: no deadline is early', async () => {
    const append = 'test=beat clock=hpet timer=hpet count=600 lie=hpet-32';
    const run = await boot({ bundle: BUNDLE, append, name: 'time-hpet-32-both' });
    expect(run).toHold();
    const figures = figuresOf(run);
    expect(figures.get('timer.hpet.beats_missed')).toBe(0);
    expect(figures.get('timer.hpet.beat_lateness_min_ns')).toBeGreaterThanOrEqual(-RESOLUTION['hpet']!);
    // The clock reads slower than the TSC's, and so does the watch's comparison that a beat may fall into.
    expect(figures.get('timer.hpet.beat_lateness_max_ns')).toBeLessThanOrEqual(25_000);
    expect(figures.get('timer.hpet.drift_ns')).toBeLessThanOrEqual(TICK['hpet']! + 200);
  });

  it('an HPET of 32 bits that wraps: its clock does not see it, its timer keeps the beat', async () => {
    const clocks = await boot({ bundle: BUNDLE, append: 'test=clocks count=6 lie=hpet-32', name: 'time-hpet-32-clocks' });
    expect(clocks).toHold();
    expect(clocks.of('machine.device', ({ device }) => device === 'hpet')[0]!.fields.detail).toContain('32 bits');
    const figures = figuresOf(clocks);
    expect(figures.get('clock.hpet.backward_steps')).toBe(0);
    expect(Math.abs(figures.get('clock.hpet.drift_ppm')! * 6_000)).toBeLessThanOrEqual(RESOLUTION['hpet']! + 10);

    const beat = await boot({ bundle: BUNDLE, append: 'test=beat clock=tsc timer=hpet count=600 lie=hpet-32', name: 'time-hpet-32-beat' });
    expect(beat).toHold();
    expect(figuresOf(beat).get('timer.hpet.beats_missed')).toBe(0);
    expect(figuresOf(beat).get('timer.hpet.beat_lateness_min_ns')).toBeGreaterThanOrEqual(0);
    expect(figuresOf(beat).get('timer.hpet.drift_ns')).toBeLessThanOrEqual(TICK['hpet']! + 200);
  });

  it.each(['lapic', 'hpet', 'pit'])('deadlines that no clock shows are refused, and callbacks may arm, on the %s', async (timer) => {
    const run = await boot({ bundle: BUNDLE, append: `test=deadlines clock=tsc timer=${timer}`, name: `time-deadlines-${timer}` });
    expect(run).toHold();
    const cases = run.of('test.case').map(({ fields }) => fields);
    expect(cases).toHaveLength(9);
    expect(cases.filter(({ result }) => result !== 'pass')).toEqual([]);
  });

  it('100,000 timers expire in order, none early, none left', async () => {
    const run = await boot({ bundle: BUNDLE, append: 'test=many count=1000 heap=160M', name: 'time-many' });
    expect(run).toHold();
    const figures = figuresOf(run);
    const counts = ['pending', 'cancelled', 'expired', 'disorder', 'early', 'left'].map((name) => figures.get(`many.${name}`));
    expect(counts).toEqual([50_000, 50_000, 50_000, 0, 0, 0]);
  });
});
