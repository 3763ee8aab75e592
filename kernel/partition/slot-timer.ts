/**
 * The timer that ends a guest's run: on the local APIC one store, which the world switch makes at the entry, at an instant that is
 * known beforehand; on others it is started a little before.
 */
import { AREA } from '../vm/guest-area.ts';
import type { TimerName } from '../time/hw-timer.ts';

export interface SlotTimer {
  readonly name: TimerName;
  /**
   * Before the first armAtEntry on an area, and after it was put back to its beginning.
   * @param short TSC ticks after which the guest is left again if interrupts were taken while its entry was waited for
   */
  prepareArea(area: BigInt64Array, short: bigint): void;
  /** One interrupt at the TSC value `at`, or a tick before, for a guest that is entered at `from`. Far ones come sooner. */
  armAtEntry(area: BigInt64Array, from: bigint, at: bigint): void;
  /** The same from now on. */
  arm(at: bigint): void;
  /** Stops it; an interrupt that is on its way still comes. */
  disarm(): void;
}

/** Longest run that is asked for, in ticks: within the reach of every counter but the PIT's, which clamps it itself. */
const LONGEST = 0x7fff_0000n;

/**
 * @param register address of the Initial Count Register, the one that starts the timer
 * @param endRegister address of the EOI register: an interrupt of the timer's that was not ended holds the next one back
 * @param numerator ticks per `denominator` TSC ticks
 */
export function createLocalApicSlotTimer(
  register: number,
  endRegister: number,
  { numerator, denominator }: { readonly numerator: bigint; readonly denominator: bigint },
  rearm: (ticks: number) => void,
  rdtsc: () => bigint,
): SlotTimer {
  const address = BigInt(register);
  const endAddress = BigInt(endRegister);
  const isSame = numerator === denominator;
  const toNumber = Number;

  function inTicks(distance: bigint): bigint {
    const ticks = isSame ? distance : (distance * numerator) / denominator;
    return ticks < 1n ? 1n : ticks > LONGEST ? LONGEST : ticks;
  }

  return {
    name: 'lapic',
    prepareArea: (area, short) => {
      area[AREA.END_ADDRESS] = endAddress;
      area[AREA.TIMER_VALUE_IF_TAKEN] = inTicks(short);
    },
    armAtEntry: (area, from, at) => {
      area[AREA.TIMER_VALUE] = inTicks(at - from);
      area[AREA.TIMER_ADDRESS] = address;
    },
    arm: (at) => rearm(toNumber(inTicks(at - rdtsc()))),
    // "Initial Count Register": writing 0 stops the timer.
    disarm: () => rearm(0),
  };
}
