/**
 * A fake 8254 (Intel) at 1.193182 MHz. Modelled of counter 0: modes 0 and 2, latching, byte order, the reload. Not
 * modelled: counters 1 and 2, BCD, other modes, read-back, the clock that loading takes.
 */
import { CONTROL, MODE, PIT, PIT_HZ } from '../regs/i8254.ts';
import type { FakeDevice } from './bus.ts';
import { PICOSECONDS_PER_SECOND, type FakeClock } from './clock.ts';

export interface FakePit extends FakeDevice {
  /** Rises of OUT since the count was loaded. */
  interrupts(): bigint;
  /** Ticks of the input since the count was loaded; undefined if it counts nothing. */
  elapsed(): bigint | undefined;
  /** When OUT rises or rose in mode 0, if that has not been taken yet, in picoseconds. */
  expiry(): bigint | undefined;
  take(): void;
}

/** @param isDead nothing clocks it: registers answer, the count stands still */
export function createFakePit(clock: FakeClock, isDead = false): FakePit {
  let mode: number = MODE.INTERRUPT_ON_TERMINAL_COUNT;
  let count: bigint | undefined;
  let loadedAt = 0n;
  let low: number | undefined;
  let latch: number | undefined;
  let readsHigh = false;
  let isTaken = false;

  const now = (): bigint => (isDead ? 0n : clock.ticks(PIT_HZ));
  const elapsed = (): bigint | undefined => (count === undefined ? undefined : now() - loadedAt);
  function value(): number {
    const passed = elapsed();
    if (count === undefined || passed === undefined) return 0;
    // Mode 2 counts from N down to 1; mode 0 to 0 and on through FFFFh.
    const left = mode === MODE.RATE_GENERATOR ? count - (passed % count) : count - passed;
    return Number(BigInt.asUintN(16, left));
  }

  return {
    elapsed,
    expiry: () =>
      count === undefined || mode !== MODE.INTERRUPT_ON_TERMINAL_COUNT || isTaken
        ? undefined
        : ((loadedAt + count + 1n) * PICOSECONDS_PER_SECOND + PIT_HZ - 1n) / PIT_HZ,
    take: () => {
      isTaken = true;
    },
    interrupts: () => {
      const passed = elapsed();
      if (count === undefined || passed === undefined) return 0n;
      return mode === MODE.RATE_GENERATOR ? passed / count : passed > count ? 1n : 0n;
    },
    read8: (offset) => {
      // CONTROL can't be read; counters 1 and 2 are somebody else's.
      if (offset !== PIT.COUNTER_0) return 0xff;
      const whole = latch ?? value();
      const byte = readsHigh ? whole >> 8 : whole & 0xff;
      if (readsHigh) latch = undefined;
      readsHigh = !readsHigh;
      return byte;
    },
    write8: (offset, written) => {
      if (offset === PIT.CONTROL) {
        if (written >> CONTROL.SC.shift !== PIT.COUNTER_0) return;
        if ((written & CONTROL.RW_LSB_MSB) === CONTROL.RW_LATCH) {
          // "If a counter is latched and then, some time later, latched again before the count is read, the second ... is ignored."
          latch ??= value();
          return;
        }
        if ((written & CONTROL.RW_LSB_MSB) !== CONTROL.RW_LSB_MSB || (written & CONTROL.BCD) !== 0)
          throw new Error(`fake 8254: control word ${written.toString(16)} is not modelled`);
        mode = (written >> CONTROL.M.shift) & CONTROL.M.mask;
        count = low = latch = undefined;
        readsHigh = false;
      } else if (offset === PIT.COUNTER_0) {
        if (low === undefined) {
          low = written;
          return;
        }
        const whole = low | (written << 8);
        low = undefined;
        // "A count of 1 is illegal" in mode 2; 0 is 2^16.
        if (mode === MODE.RATE_GENERATOR && whole === 1) throw new Error('fake 8254: a count of 1 is illegal in mode 2');
        count = whole === 0 ? 0x1_0000n : BigInt(whole);
        loadedAt = now();
        isTaken = false;
      }
    },
  };
}
