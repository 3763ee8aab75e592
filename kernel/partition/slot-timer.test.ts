import { expect, it } from 'vitest';
import { AREA, AREA_LENGTH } from '../vm/guest-area.ts';
import { createLocalApicSlotTimer } from './slot-timer.ts';

const REGISTER = 0xfee0_0380;
const EOI = 0xfee0_00b0;

function create(numerator = 1n, denominator = 1n) {
  const armed: number[] = [];
  let tsc = 10_000n;
  const area = new BigInt64Array(AREA_LENGTH / 8);
  const timer = createLocalApicSlotTimer(
    REGISTER,
    EOI,
    { numerator, denominator },
    (ticks) => armed.push(ticks),
    () => tsc,
  );
  return {
    armed,
    timer,
    setTsc: (value: bigint) => (tsc = value),
    /** Ticks that the world switch will store for a run of `length` TSC ticks. */
    atEntry: (length: bigint) => {
      timer.prepareArea(area, 300n);
      timer.armAtEntry(area, 5_000n, 5_000n + length);
      expect([area[AREA.TIMER_ADDRESS], area[AREA.END_ADDRESS]]).toEqual([BigInt(REGISTER), BigInt(EOI)]);
      return area[AREA.TIMER_VALUE];
    },
  };
}

it('counts from the entry on to an instant, in its own ticks, or to the tick before', () => {
  expect(create().atEntry(123_456n)).toBe(123_456n);
  // A TSC of 2.4 GHz, a bus of 100 MHz.
  const slow = create(1n, 24n);
  expect([24n, 47n, 48n, 24_000_000n].map(slow.atEntry)).toEqual([1n, 1n, 2n, 1_000_000n]);
  const fast = create(3n, 2n);
  expect([2n, 3n, 1_000n].map(fast.atEntry)).toEqual([3n, 4n, 1_500n]);
});

it('has a shorter run ready for where interrupts wait, in its own ticks', () => {
  const area = new BigInt64Array(AREA_LENGTH / 8);
  create(1n, 24n).timer.prepareArea(area, 300n);
  expect([area[AREA.TIMER_VALUE_IF_TAKEN], area[AREA.TIMER_ADDRESS]]).toEqual([12n, 0n]);
});

it('is never armed with 0, which would stop it: an instant that has passed comes at once', () => {
  const { atEntry, timer, armed, setTsc } = create();
  expect([0n, -1n, -5_000n].map(atEntry)).toEqual([1n, 1n, 1n]);
  expect(create(1n, 24n).atEntry(23n)).toBe(1n);
  setTsc(20_000n);
  timer.arm(19_999n);
  expect(armed).toEqual([1]);
});

it('comes sooner where the instant is further than it reaches', () => {
  const { atEntry, timer, armed } = create();
  expect(atEntry(1n << 40n)).toBe(0x7fff_0000n);
  timer.arm(1n << 50n);
  expect(armed).toEqual([0x7fff_0000]);
});

it('is armed from now on, and stopped by 0', () => {
  const { timer, armed, setTsc } = create(1n, 4n);
  setTsc(1_000n);
  timer.arm(1_403n);
  timer.disarm();
  expect(armed).toEqual([100, 0]);
});
