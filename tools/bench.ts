/** Prints the project's figures, one RECORD line each. Virtual time, so the same on every machine, but for what is said to be wall time. */
import { execFileSync, spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { experimentFigures } from './bench/experiment.ts';
import type { Figure } from './bench/figure.ts';
import { logFigures } from './bench/logs.ts';
import { partitionFigures } from './bench/partitions.ts';
import { platformFigures } from './bench/platform.ts';
import { timelineFigures } from './bench/timeline.ts';
import { STATUS } from './errors.ts';
import { boot, type BootedRun } from './harness/boot.ts';
import { buildFolder, projectRoot, runtimeImage } from './paths.ts';

const exceeded: string[] = [];

function print({ name, value, unit, limit, isNeverNegative }: Figure): void {
  if ((limit !== undefined && Math.abs(value) > limit) || (isNeverNegative && value < 0)) exceeded.push(name);
  process.stdout.write(
    `RECORD: ${JSON.stringify({ name, value: Number(value.toFixed(3)), unit, ...(limit === undefined ? {} : { limit }) })}\n`,
  );
}

function mustHold(run: BootedRun): BootedRun {
  if (!run.isHeld) throw new Error(run.ending);
  return run;
}

const limits: Readonly<Record<string, number>> = {
  'shim.call_ns': 200,
  'vlapic.pending_ns': 1_000,
  'vlapic.tpr_write_ns': 4_000,
  'vlapic.accept_acknowledge_eoi_ns': 12_000,
};
for (const bundle of ['costs', 'interrupt-controllers']) {
  const costs = mustHold(await boot({ bundle: `test/bench/${bundle}.ts`, name: `bench-${bundle}` }));
  for (const { fields } of costs.of('benchmark')) {
    const limit = limits[fields.name];
    print({ name: fields.name, value: fields.value, unit: fields.unit, ...(limit === undefined ? {} : { limit }) });
  }
}

const run = mustHold(await boot({ name: 'bench-demonstration' }));
const [start] = run.of('kernel.start');
print({ name: 'boot.entry_to_typescript_ns', value: Number(start!.fields['first-statement']), unit: 'ns', limit: 3_000_000 });
print({ name: 'boot.entry_to_main_ns', value: Number(start!.at), unit: 'ns' });
const latencies = run.of('timer.interrupt').map(({ at, fields }) => Number(at - fields.taken));
print({ name: 'irq.stub_to_handler_ns', value: Math.max(...latencies), unit: 'ns', limit: 4_000 });
print({ name: 'irq.stub_to_handler_jitter_ns', value: Math.max(...latencies) - Math.min(...latencies), unit: 'ns', limit: 1_000 });
for (const { fields: timer } of run.of('timer.start')) {
  const [clock] = run.of('machine.frequency', (fields) => fields.clock === timer.timer);
  const tick = (1e9 * Number(clock!.fields.denominator)) / Number(clock!.fields.numerator);
  const own = run.of('timer.interrupt', (fields) => fields.timer === timer.timer);
  const errors = own.map(({ fields }) => Math.abs(Number(fields.taken - fields.nominal)));
  print({ name: `timer.interval_error_ns.${timer.timer}`, value: Math.max(...errors), unit: 'ns', limit: tick + 200 });
}
for (const { fields } of run.of('machine.frequency', ({ provenance }) => provenance === 'measured')) {
  const hertz = Number(fields.numerator) / Number(fields.denominator);
  // Under icount both run at exactly 1 GHz.
  print({ name: `calibration.${fields.clock}_error_ppm`, value: Math.abs(hertz / 1e9 - 1) * 1e6, unit: 'ppm', limit: 1 });
}

const TICK_NS: Readonly<Record<string, number>> = { lapic: 1, hpet: 10, pit: 839 };
/** Runs the time bundle and prints what it measured, with the bar that `limitOf` has for it. */
async function time(append: string, limitOf: (name: string) => number | undefined): Promise<void> {
  const measured = mustHold(
    await boot({ bundle: 'test/bundles/time.ts', append, seconds: 180, name: `bench-${append.replaceAll(' ', '-')}` }),
  );
  for (const { fields } of measured.of('benchmark')) {
    const limit = limitOf(fields.name);
    print({ name: fields.name, value: fields.value, unit: fields.unit, ...(limit === undefined ? {} : { limit }) });
    // Never early: the other side of the bar.
    if (fields.name.endsWith('lateness_min_ns') && fields.value < 0) exceeded.push(fields.name);
  }
}
/** A tenth of the runs, for tests: the ticks of the clocks weigh more over the shorter time. */
const isShort = process.argv.includes('--short');
const clockSeconds = isShort ? 20 : 100;
const runs = isShort ? 1_000 : 10_000;
await time(`test=clocks count=${clockSeconds}`, (name) =>
  name.endsWith('backward_steps')
    ? 0
    : name.endsWith('drift_ppm')
      ? isShort
        ? 0.05
        : 0.01
      : /(tsc|hpet)\.read_ns$/.test(name)
        ? 1_500
        : undefined,
);
for (const timer of ['lapic', 'hpet', 'pit']) {
  const kept = TICK_NS[timer]! + 200;
  const limitOf = (name: string): number | undefined =>
    /lateness_max_ns$|wait_\d+s_lateness_ns$|drift_ns$/.test(name)
      ? kept
      : name.endsWith('beats_missed')
        ? 0
        : name.endsWith('min_interval_ns') && timer !== 'pit'
          ? 5_000
          : undefined;
  await time(`test=timer clock=tsc timer=${timer} count=${runs} longest=${isShort ? 10 : 100}`, limitOf);
  await time(`test=beat clock=tsc timer=${timer} count=${runs}`, (name) => (name.endsWith('lateness_max_ns') ? undefined : limitOf(name)));
}
await time('test=arming', () => undefined);

/**
 * Calibration without icount, where the machine's time is the host's, against two busy loops there. A frequency is right within 500 ppm, or
 * its uncertainty has to say that it is not.
 */
async function loadedBoots(boots: number, seconds: number): Promise<void> {
  const RIGHT_PPM = 500;
  /** QEMU's local APIC counts the host's clock, at 1 GHz. */
  const LAPIC_HZ = 1e9;
  const loops = [1, 2].map(() => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
  let worst = 0;
  let outside = 0;
  let unnoticed = 0;
  let uncertain = 0;
  let reference = 0;
  try {
    for (let index = 0; index < boots; index++) {
      const name = `bench-loaded-${index}`;
      const run = mustHold(
        await boot({ bundle: 'test/bench/calibration.ts', icount: 'off', append: `seconds=${seconds}`, seconds: 120, name }),
      );
      const figures = new Map(run.of('benchmark').map(({ fields }) => [fields.name, fields.value]));
      const truth: Readonly<Record<string, number>> = { tsc: figures.get('reference.tsc_hz')!, lapic: LAPIC_HZ };
      reference = Math.max(reference, figures.get('reference.uncertainty_ppm')!);
      for (const clock of ['tsc', 'lapic']) {
        const [known] = run.of('machine.frequency', (fields) => fields.clock === clock);
        // Not measured at all is told too: the device is absent then, the TSC "assumed".
        if (!known || known.fields.provenance === 'architectural') {
          uncertain++;
          continue;
        }
        const { numerator, denominator } = known.fields;
        const ppm = Math.abs(Number(numerator) / Number(denominator) / truth[clock]! - 1) * 1e6;
        const toldPpm = known.fields['uncertainty-ppb'] / 1000;
        if (toldPpm > RIGHT_PPM) uncertain++;
        if (ppm > RIGHT_PPM) outside++;
        if (ppm > RIGHT_PPM && ppm > toldPpm) unnoticed++;
        if (ppm > worst) worst = ppm;
      }
    }
  } finally {
    for (const loop of loops) loop.kill('SIGKILL');
  }
  print({ name: 'calibration.loaded_boots', value: boots, unit: 'boots' });
  print({ name: 'calibration.loaded_reference_uncertainty_ppm', value: reference, unit: 'ppm' });
  print({ name: 'calibration.loaded_worst_ppm', value: worst, unit: 'ppm' });
  print({ name: 'calibration.loaded_boots_uncertain', value: uncertain, unit: 'frequencies' });
  print({ name: 'calibration.loaded_boots_outside', value: outside, unit: 'frequencies' });
  print({ name: 'calibration.loaded_boots_outside_unnoticed', value: unnoticed, unit: 'frequencies', limit: 0 });
}
await loadedBoots(isShort ? 3 : 20, isShort ? 1 : 3);

for await (const figure of partitionFigures()) print(figure);
for (const figure of await experimentFigures()) print(figure);
for await (const figure of platformFigures()) print(figure);
for (const figure of await timelineFigures()) print(figure);
for await (const figure of logFigures(isShort ? 100_000 : undefined)) print(figure);

print({ name: 'image.bytes', value: statSync(runtimeImage()).size, unit: 'bytes', limit: 1_500_000 });
print({ name: 'bundle.bytes', value: statSync(join(buildFolder(), 'bundles', 'kernel-main', 'main.tar')).size, unit: 'bytes' });

const began = Date.now();
execFileSync('make', ['-s', 'run'], { cwd: projectRoot(), stdio: 'ignore', timeout: 120_000 });
print({ name: 'run.warm_wall_s', value: (Date.now() - began) / 1000, unit: 's' });

// Only figures in virtual time have limits: a slow machine changes nothing.
if (exceeded.length > 0) {
  process.stderr.write(`bench: above their limits: ${exceeded.join(', ')}\n`);
  process.exitCode = STATUS.FAILED;
}
