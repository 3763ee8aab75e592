import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { buildFolder, projectRoot } from '../tools/paths.ts';

it('every figure of the benchmark is within its limit', () => {
  const { status, stdout, stderr } = spawnSync('node', [join(buildFolder(), 'tools', 'bench.mjs'), '--short'], {
    cwd: projectRoot(),
    encoding: 'utf8',
    timeout: 290_000,
  });
  const records = stdout.split('\n').filter((line) => line.startsWith('RECORD: '));
  const figures = records.map((line) => JSON.parse(line.slice('RECORD: '.length)) as { name: string; value: number; limit?: number });
  expect(figures.filter(({ value, limit }) => limit !== undefined && value > limit)).toEqual([]);
  expect(status, stderr).toBe(0);
  const names = figures.filter(({ limit }) => limit !== undefined).map(({ name }) => name);
  expect(names).toEqual(
    expect.arrayContaining([
      'shim.call_ns',
      'boot.entry_to_typescript_ns',
      'irq.stub_to_handler_ns',
      'irq.stub_to_handler_jitter_ns',
      'timer.interval_error_ns.pit',
      'timer.interval_error_ns.hpet',
      'timer.interval_error_ns.lapic',
      'calibration.tsc_error_ppm',
      ...['tsc', 'hpet', 'pm-timer', 'pit'].flatMap((clock) => [`clock.${clock}.backward_steps`, `clock.${clock}.drift_ppm`]),
      ...['lapic', 'hpet', 'pit'].flatMap((timer) => [`timer.${timer}.lateness_max_ns`, `timer.${timer}.drift_ns`]),
      ...['tsc', 'hpet'].map((clock) => `clock.${clock}.read_ns`),
      ...['lapic', 'hpet'].map((timer) => `timer.${timer}.min_interval_ns`),
      'calibration.loaded_boots_outside_unnoticed',
      'log.report_mib',
      'timeline.open_ms',
      'image.bytes',
    ]),
  );
  expect(figures.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      ...['cpuid', 'io', 'msr', 'npf', 'hlt'].map((reason) => `exit.${reason}_ns`),
      ...['vtimer.near_lateness_ns', 'partition.boot_ns', 'kernel.longest_stretch_ns', 'log.parse_records_per_s', 'log.report_s'],
    ]),
  );
}, 300_000);
