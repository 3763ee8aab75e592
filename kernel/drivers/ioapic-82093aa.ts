/** I/O APIC (Intel 82093AA). Not used: logical destinations, arbitration, delivery modes other than fixed. */
import type { Mmio } from '../hw/mmio.ts';
import { getField } from '../regs/bits.ts';
import { INDEX, IOAPIC, IOAPICVER, REDIRECTION } from '../regs/i82093aa.ts';

export interface Route {
  readonly vector: number;
  /** ID of the local APIC that gets the interrupt. */
  readonly destination: number;
  readonly isLevel: boolean;
  readonly isActiveLow: boolean;
}

export interface IoApic {
  readonly version: number;
  /** Global system interrupt of the first input. */
  readonly gsiBase: number;
  readonly inputCount: number;
  /** Sets an input's route, masked. Inputs are counted from 0. */
  setRoute(input: number, route: Route): void;
  mask(input: number): void;
  unmask(input: number): void;
}

/** @returns undefined if nothing answers. All inputs are masked. */
export function probeIoApic(mmio: Mmio, gsiBase: number): IoApic | undefined {
  function read(index: number): number {
    mmio.write32(IOAPIC.IOREGSEL, index);
    return mmio.read32(IOAPIC.IOWIN);
  }
  function write(index: number, value: number): void {
    mmio.write32(IOAPIC.IOREGSEL, index);
    mmio.write32(IOAPIC.IOWIN, value);
  }
  const identity = read(INDEX.IOAPICVER);
  if (identity === 0 || identity === 0xffff_ffff) return undefined;
  const inputCount = getField(identity, IOAPICVER.MAX_REDIRECTION_ENTRY) + 1;
  const low = (input: number): number => INDEX.IOREDTBL + 2 * input;
  for (let input = 0; input < inputCount; input++) write(low(input), REDIRECTION.MASKED);

  return {
    version: getField(identity, IOAPICVER.VERSION),
    gsiBase,
    inputCount,
    setRoute: (input, { vector, destination, isLevel, isActiveLow }) => {
      // Masked first: between the two halves the entry would be half old, half new.
      write(low(input), REDIRECTION.MASKED);
      write(low(input) + 1, (destination << 24) >>> 0);
      write(
        low(input),
        REDIRECTION.MASKED | vector | (isLevel ? REDIRECTION.TRIGGER_LEVEL : 0) | (isActiveLow ? REDIRECTION.INTPOL_LOW : 0),
      );
    },
    mask: (input) => write(low(input), read(low(input)) | REDIRECTION.MASKED),
    unmask: (input) => write(low(input), read(low(input)) & ~REDIRECTION.MASKED),
  };
}
