/** What tests of the machine's time share: the bundle that puts it to the test, and the figures that it reports. */
import type { BootedRun } from '../tools/harness/boot.ts';

export const BUNDLE = 'test/bundles/time.ts';
/** In nanoseconds: what two readings of a clock can be apart without time between them. */
export const RESOLUTION: Readonly<Record<string, number>> = { tsc: 1, hpet: 10, 'pm-timer': 280, pit: 839 };
export const TICK: Readonly<Record<string, number>> = { lapic: 1, hpet: 10, pit: 839 };

export function figuresOf(run: BootedRun): Map<string, number> {
  return new Map(run.of('benchmark').map(({ fields }) => [fields.name, fields.value]));
}
