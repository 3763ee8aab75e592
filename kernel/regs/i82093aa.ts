/** Intel 82093AA I/O APIC, "Register Description". */
import { bit, field } from './bits.ts';

export const IOAPIC_ADDRESS = 0xfec0_0000;

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
  IOAPICARB: 0x02,
  IOREDTBL: 0x10, // two indices per entry, low half first
} as const;

/** Of IOAPICID and IOAPICARB. */
export const IOAPICID = {
  ID: field(24, 4),
} as const;

export const IOAPICVER = {
  VERSION: field(0, 8),
  MAX_REDIRECTION_ENTRY: field(16, 8), // number of entries - 1
} as const;

/** Low half of a redirection table entry. The high half's bits 24-31 are the destination: an APIC's ID or a logical one. */
export const REDIRECTION = {
  INTVEC: field(0, 8),
  DELMOD: field(8, 3), // DELIVERY of local-apic.ts
  DESTMOD_LOGICAL: bit(11),
  DELIVS: bit(12), // delivery status, read only
  INTPOL_LOW: bit(13), // active low
  REMOTE_IRR: bit(14), // of level-triggered entries: accepted, and not ended yet; read only
  TRIGGER_LEVEL: bit(15),
  MASKED: bit(16),
} as const;

export const INPUT_COUNT = 24;
