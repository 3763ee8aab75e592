/** Intel 82093AA I/O APIC, "Register Description". */
import { bit, field } from './bits.ts';

/** Memory-mapped registers. */
export const IOAPIC = {
  IOREGSEL: 0x00,
  IOWIN: 0x10,
  LENGTH: 0x20,
} as const;

/** Indices written to IOREGSEL. */
export const INDEX = {
  IOAPICID: 0x00,
  IOAPICVER: 0x01,
  IOREDTBL: 0x10, // two indices per entry, low half first
} as const;

export const IOAPICVER = {
  VERSION: field(0, 8),
  MAX_REDIRECTION_ENTRY: field(16, 8), // number of entries - 1
} as const;

/** Low half of a redirection table entry. The high half's bits 24-31 are the destination APIC's ID. */
export const REDIRECTION = {
  INTVEC: field(0, 8),
  INTPOL_LOW: bit(13), // active low
  TRIGGER_LEVEL: bit(15),
  MASKED: bit(16),
} as const;
