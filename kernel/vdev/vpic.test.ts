import { describe, expect, it } from 'vitest';
import { collectInto } from '../testing/expectation.ts';
import { createInterruptPlatform } from '../testing/interrupt-platform.ts';
import { PIC_CASES } from './conformance/pic.ts';

describe('conformance', () => {
  it.each(PIC_CASES)('$name', ({ run }) => {
    const failures: string[] = [];
    run(createInterruptPlatform().target, collectInto(failures));
    expect(failures).toEqual([]);
  });
});
