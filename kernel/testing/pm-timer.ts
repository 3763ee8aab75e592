/** A fake ACPI power management timer: 3.579545 MHz; above its width it shows whatever the bus has. */
import { PM_TIMER_HZ } from '../regs/acpi.ts';
import type { FakeDevice } from './bus.ts';
import type { FakeClock } from './clock.ts';

export function createFakePmTimer(clock: FakeClock, width: 24 | 32, first = 0n): FakeDevice & { count(): number } {
  const count = (): number => Number(BigInt.asUintN(width, first + clock.ticks(PM_TIMER_HZ)));
  return { count, read32: (offset) => (offset === 0 ? (count() | (width === 24 ? 0xff00_0000 : 0)) >>> 0 : 0xffff_ffff) };
}
