/** Hardware timers on QEMU's: PIT, HPET and LAPIC under a TSC clock. */
import { describe, expect, it } from 'vitest';
import { boot } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';

describe.each(['pc', 'q35'] as const)('hardware timers on %s', (machine) => {
  it('are never early, and late by a tick and the spread of what arming costs', async () => {
    const run = await boot({ bundle: 'test/bundles/timers.ts', machine, append: '500' });
    expect(run).toHold();
    const figures = new Map(run.of('benchmark').map(({ fields }) => [fields.name, fields.value]));
    const figure = (name: string): number => figures.get(name) ?? NaN;
    for (const timer of ['pit', 'hpet', 'lapic']) {
      const tick = figure(`timer.${timer}.tick_ns`);
      for (const what of ['lateness_min_ns', 'wait_1s_lateness_ns', 'wait_10s_lateness_ns', 'replaced_lateness_ns', 'past_lateness_ns']) {
        expect(figure(`timer.${timer}.${what}`), `${timer} ${what}`).toBeGreaterThanOrEqual(0);
      }
      for (const what of ['lateness_max_ns', 'wait_1s_lateness_ns', 'wait_10s_lateness_ns', 'replaced_lateness_ns']) {
        expect(figure(`timer.${timer}.${what}`), `${timer} ${what}`).toBeLessThanOrEqual(tick + 200);
      }
      expect(figure(`timer.${timer}.past_lateness_ns`)).toBeLessThan(50_000);
      expect(figure(`timer.${timer}.expired_after_disarm`)).toBe(0);
      // At most what was pending when its line was opened.
      expect(figure(`timer.${timer}.needless_interrupts`)).toBeLessThanOrEqual(1);
    }
  });
});
