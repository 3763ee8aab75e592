/**
 * The timer that ends a guest's run: on the local APIC one store, which the world switch makes at the entry, at an instant that is
 * known beforehand; on others it is started a little before.
 */
import type { OneShot } from '../time/one-shot.ts';
import { AREA } from '../vm/guest-area.ts';
import type { TimerName } from '../time/hw-timer.ts';

export interface SlotTimer {
  readonly name: TimerName;
  /** One interrupt at the TSC value `at`, or a tick before, for a guest that is entered at `from`. Far ones come sooner. */
  armAtEntry(area: BigInt64Array, from: bigint, at: bigint): void;
  /** The same from now on. */
  arm(at: bigint): void;
  disarm(): void;
}

/** Longest run that is asked for, in ticks: within the reach of every counter but the PIT's, which clamps it itself. */
const LONGEST = 0x7fff_0000n;

/**
 * @param register address of the Initial Count Register, the one that starts the timer
 * @param numerator ticks per `denominator` TSC ticks
 */
export function createLocalApicSlotTimer(
  register: number,
  { numerator, denominator }: { readonly numerator: bigint; readonly denominator: bigint },
  rearm: (ticks: number) => void,
  stop: () => void,
  rdtsc: () => bigint,
): SlotTimer {
  const address = BigInt(register);
  const isSame = numerator === denominator;
  const toNumber = Number;

  function inTicks(distance: bigint): bigint {
    const ticks = isSame ? distance : (distance * numerator) / denominator;
    return ticks < 1n ? 1n : ticks > LONGEST ? LONGEST : ticks;
  }

  return {
    name: 'lapic',
    armAtEntry: (area, from, at) => {
      area[AREA.TIMER_VALUE] = inTicks(at - from);
      area[AREA.TIMER_ADDRESS] = address;
    },
    arm: (at) => rearm(toNumber(inTicks(at - rdtsc()))),
    disarm: stop,
  };
}

/** Any other timer: started before the entry, as exact as TypeScript can. */
export function createOneShotSlotTimer(
  oneShot: OneShot,
  { numerator, denominator }: { readonly numerator: bigint; readonly denominator: bigint },
  rdtsc: () => bigint,
): SlotTimer {
  function arm(at: bigint): void {
    const ticks = Number(((at - rdtsc()) * numerator) / denominator);
    oneShot.start(ticks < oneShot.minTicks ? oneShot.minTicks : ticks > oneShot.maxTicks ? oneShot.maxTicks : ticks);
  }
  oneShot.prepare();
  return { name: oneShot.name, armAtEntry: (_area, _from, at) => arm(at), arm, disarm: oneShot.stop };
}
