/** The kernel as a partition's program: drivers, clocks and timers unchanged, on virtual devices. Its trace comes out of its COM1. */
import { beforeAll, describe, expect, it } from 'vitest';
import { parseLine } from '../kernel/trace/text.ts';
import type { EventName, RecordOf } from '../kernel/trace/events.ts';
import { boot, type BootedRun } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';
import { LINE_MAX } from '../kernel/vdev/vuart.ts';
import { RESOLUTION } from './figures.ts';

/** Reading a clock is an exit, and what is read is as old as the way back; starting a timer is some; before a tick the partition is held. Nanoseconds. */
const READING = 30_000;
const STARTING = 150_000;
const HELD = 300_000;

/** Of wall clock, for a busy host: alone the longer of the two takes half a minute. */
const SECONDS = 180;

interface Inner {
  readonly run: BootedRun;
  of<Name extends EventName>(event: Name): RecordOf<Name>['fields'][];
}

async function bootInner(name: 'kernel' | 'pairs'): Promise<Inner> {
  const run = await boot({
    system: `test/systems/virtual-pc/${name}.ts`,
    append: 'idle=halt',
    name: `virtual-pc-${name}`,
    seconds: SECONDS,
  });
  // A line longer than LINE_MAX goes on in the next record.
  const text = run
    .of('partition.console')
    .map(({ fields }) => (fields.text.length < LINE_MAX ? `${fields.text.trimEnd()}\n` : fields.text))
    .join('');
  const records = text.split('\n').flatMap((line) => {
    const parsed = parseLine(line);
    return parsed.kind === 'record' ? [parsed.record] : [];
  });
  return {
    run,
    of: <Name extends EventName>(event: Name) =>
      records.filter((record): record is RecordOf<Name> => record.event === event).map(({ fields }) => fields as RecordOf<Name>['fields']),
  };
}

describe('the demonstration', () => {
  let inner: Inner;
  beforeAll(async () => {
    inner = await bootInner('kernel');
  }, SECONDS * 1000);

  it('ends well', () => {
    expect(inner.run).toHold();
    expect(inner.of('kernel.exit')).toEqual([{ code: 0x10, reason: 'done' }]);
  });

  it('finds all devices, and what ACPI and CPUID tell of them', () => {
    expect(inner.of('machine.cpu')[0]).toMatchObject({ hypervisor: 'Chronovisor', svm: false });
    expect(inner.of('machine.device').map(({ device }) => device)).toEqual(
      expect.arrayContaining(['uart', 'pic', 'lapic', 'ioapic', 'pit', 'hpet', 'pm-timer', 'tsc', 'rtc', 'speaker']),
    );
    expect(inner.of('machine.absent')).toEqual([]);
    expect(inner.of('machine.acpi').map(({ table, checksum }) => `${table} ${checksum}`)).toEqual([
      'XSDT ok',
      'FACP ok',
      'APIC ok',
      'HPET ok',
    ]);
    expect(inner.of('machine.acpi-problem')).toEqual([]);
    expect(inner.of('calibration.agreement').map(({ verdict }) => verdict)).toEqual(['agree', 'agree']);
  });

  it('measures all timers, on time and without drift', () => {
    const intervals = inner.of('timer.interval');
    expect(intervals.map(({ timer }) => timer)).toEqual(['pit', 'hpet', 'lapic']);
    for (const { timer, 'error-min': least, 'error-max': most, spurious } of intervals) {
      // An edge of the PIT from before it was programmed: what a PC has, too.
      expect(spurious, timer).toBeLessThanOrEqual(timer === 'pit' ? 1 : 0);
      expect(Number(least), timer).toBeGreaterThanOrEqual(-STARTING);
      expect(Number(most), timer).toBeLessThanOrEqual(STARTING);
      // All of them by as much, but for one that is due at a slot's end: it comes with the next slot. No drift.
      expect(Number(most) - Number(least), timer).toBeLessThanOrEqual(HELD);
    }
  });

  it('has no clock that drifts', () => {
    const compared = inner.of('clock.compared');
    expect(compared.map(({ clock }) => clock)).toEqual(['tsc', 'hpet', 'pm-timer', 'pit']);
    for (const { clock, offset } of compared) expect(Math.abs(Number(offset)), clock).toBeLessThanOrEqual(READING);
  });
});

describe('pairs of clock and timer', () => {
  let inner: Inner;
  beforeAll(async () => {
    inner = await bootInner('pairs');
  }, SECONDS * 1000);

  it.each(['tsc', 'hpet', 'pm-timer'].flatMap((clock) => ['lapic', 'hpet', 'pit'].map((timer) => [clock, timer] as const)))(
    '%s and %s: never early by more than a reading of the clock, late by no more than the partition is held',
    (clock, timer) => {
      expect(inner.run).toHold();
      const figures = new Map(inner.of('benchmark').map(({ name, value }) => [name, value]));
      expect(figures.get(`pair.${clock}.${timer}.min`)).toBeGreaterThanOrEqual(clock === 'tsc' ? 0 : -RESOLUTION[clock]! - READING);
      expect(figures.get(`pair.${clock}.${timer}.max`)).toBeLessThanOrEqual(HELD);
    },
  );

  it('the PIT as a clock, whose ticks an exit may hide, says that it has lost some', () => {
    expect(inner.of('clock.ticks-lost').map(({ clock }) => clock)).toContain('pit');
    expect(inner.of('interrupt.unexpected')).toEqual([]);
  });
});
