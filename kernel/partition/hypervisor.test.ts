import { expect, it } from 'vitest';
import type { Machine } from '../machine.ts';
import { startTime } from './hypervisor.ts';
import type { SystemDescription } from './system.ts';

const SYSTEM = { absoluteTime: false, inputs: [] } as unknown as SystemDescription;

it('a clock whose interrupt arrives nowhere is a problem of the machine, not an error of the kernel', () => {
  const machine = { shims: {}, pit: {}, router: { connectIsa: () => undefined } } as unknown as Machine;
  expect(startTime(machine, SYSTEM, 'pit', () => undefined)).toEqual({ ok: false, problems: ['clock=pit: its interrupt arrives nowhere'] });
});

it('any other error of a clock is not taken for one', () => {
  const router = {
    connectIsa: () => {
      throw new RangeError('broken');
    },
  };
  const machine = { shims: {}, pit: {}, router } as unknown as Machine;
  expect(() => startTime(machine, SYSTEM, 'pit', () => undefined)).toThrow('broken');
});
