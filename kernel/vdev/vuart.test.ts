import { describe, expect, it } from 'vitest';
import { collectInto } from '../testing/expectation.ts';
import { createInterruptPlatform } from '../testing/interrupt-platform.ts';
import { COM1 } from '../regs/pc16550d.ts';
import { uartCases } from './conformance/uart.ts';

describe.each([
  ['that takes no time', false],
  ['that takes its time', true],
])('conformance of one %s', (_, uartTakesTime) => {
  it.each(uartCases(COM1))('$name', ({ run }) => {
    const failures: string[] = [];
    run(createInterruptPlatform({ uartTakesTime }).target, collectInto(failures));
    expect(failures).toEqual([]);
  });
});
