/** A fake I/O APIC (Intel 82093AA). Modelled: index and window, version, redirection entries, their read-only bits. */
import { INDEX, IOAPIC, REDIRECTION } from '../regs/i82093aa.ts';
import type { FakeDevice } from './bus.ts';

export interface FakeIoApic extends FakeDevice {
  /** An entry's two halves. */
  entry(input: number): { low: number; high: number };
  /** What an edge at an input sends: undefined if the input is masked. */
  raise(input: number): { vector: number; destination: number; isLevel: boolean; isActiveLow: boolean } | undefined;
}

/** Delivery status and remote IRR: the chip's own. */
const READ_ONLY = (1 << 12) | (1 << 14);

export function createFakeIoApic({ inputs = 24, version = 0x11, identity = undefined as number | undefined } = {}): FakeIoApic {
  let index = 0;
  // As a firmware left them: unmasked, vector 8 and up; the read-only bits set.
  const low = Array.from({ length: inputs }, (_, input) => (8 + input) | READ_ONLY);
  const high = Array<number>(inputs).fill(0xab00_0000);
  const entryOf = (): number => (index - INDEX.IOREDTBL) >> 1;
  const isHigh = (): boolean => ((index - INDEX.IOREDTBL) & 1) !== 0;
  const isEntry = (): boolean => index >= INDEX.IOREDTBL && entryOf() < inputs;

  return {
    entry: (input) => ({ low: low[input]!, high: high[input]! }),
    raise: (input) => {
      if ((low[input]! & REDIRECTION.MASKED) !== 0) return undefined;
      return {
        vector: low[input]! & 0xff,
        destination: high[input]! >>> 24,
        isLevel: (low[input]! & REDIRECTION.TRIGGER_LEVEL) !== 0,
        isActiveLow: (low[input]! & REDIRECTION.INTPOL_LOW) !== 0,
      };
    },
    read32: (offset) => {
      if (offset === IOAPIC.IOREGSEL) return index;
      if (offset !== IOAPIC.IOWIN) return 0;
      if (index === INDEX.IOAPICVER) return identity ?? (((inputs - 1) << 16) | version) >>> 0;
      return isEntry() ? (isHigh() ? high : low)[entryOf()]! : 0;
    },
    write32: (offset, value) => {
      if (offset === IOAPIC.IOREGSEL) {
        index = value & 0xff;
        return;
      }
      if (offset !== IOAPIC.IOWIN || !isEntry())
        throw new Error(`fake I/O APIC: a write to index ${index.toString(16)}, where no entry is`);
      if (isHigh()) high[entryOf()] = value;
      else low[entryOf()] = (value & ~READ_ONLY) | (low[entryOf()]! & READ_ONLY);
    },
  };
}
