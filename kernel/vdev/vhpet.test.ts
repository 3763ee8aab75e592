import { describe } from 'vitest';
import { testConformance } from '../../test/conformance.ts';
import { HPET_BASE } from '../regs/ia-pc-hpet.ts';
import { createModelTarget, type ModelTarget } from '../testing/model-target.ts';
import { HPET_CASES } from './conformance/hpet.ts';
import { createVhpet, vhpetLength, type Vhpet, type VhpetOptions } from './vhpet.ts';

function createTarget(options: Partial<VhpetOptions> = {}): ModelTarget & { readonly vhpet: Vhpet } {
  const target = createModelTarget();
  const vhpet = createVhpet({
    clock: target.clock,
    createTimer: target.clock.createTimer,
    input: (input) => target.line(input),
    legacy: { irq0: target.line(0), irq8: target.line(8) },
    ...options,
  });
  target.placeMemory(HPET_BASE, vhpetLength(options.timers ?? 3), vhpet);
  return { ...target, vhpet };
}

// Periods: Xen's of today, QEMU's, Xen's of 2007 on a TSC of 1 GHz, and one that is no whole number of nanoseconds (14.318180 MHz).
describe.each([16_000_000, 10_000_000, 32_000_000, 69_841_279])('the vHPET with a period of %d fs', (periodFs) => {
  testConformance(HPET_CASES, () => createTarget({ periodFs }));
});
describe('the vHPET with 32 timers and FSB delivery', () => {
  testConformance(HPET_CASES, () => createTarget({ timers: 32, sendMessage: () => 0 }));
});
