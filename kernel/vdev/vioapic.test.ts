import { describe, expect, it } from 'vitest';
import { collectInto } from '../testing/expectation.ts';
import { createInterruptPlatform } from '../testing/interrupt-platform.ts';
import { IOAPIC_CASES } from './conformance/ioapic.ts';

describe('conformance', () => {
  it.each(IOAPIC_CASES)('$name', ({ run }) => {
    const failures: string[] = [];
    run(createInterruptPlatform().target, collectInto(failures));
    expect(failures).toEqual([]);
  });
});
