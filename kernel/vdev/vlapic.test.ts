import { describe, expect, it } from 'vitest';
import { createInterruptPlatform } from '../testing/interrupt-platform.ts';
import { collectInto } from '../testing/expectation.ts';
import { LAPIC_CASES } from './conformance/lapic.ts';

describe('conformance', () => {
  it.each(LAPIC_CASES)('$name', ({ run }) => {
    const failures: string[] = [];
    run(createInterruptPlatform().target, collectInto(failures));
    expect(failures).toEqual([]);
  });
});
