/** AMD64 Architecture Programmer's Manual volume 2 (24593), "Page Translation and Protection": control bits and table entries. */

/** Control register bits that decide about paging and what a guest may not change. */
export const CR0 = {
  PE: 1n << 0n,
  MP: 1n << 1n,
  EM: 1n << 2n,
  TS: 1n << 3n,
  ET: 1n << 4n,
  NE: 1n << 5n,
  WP: 1n << 16n,
  PG: 1n << 31n,
} as const;
export const CR4 = {
  VME: 1n << 0n,
  PVI: 1n << 1n,
  TSD: 1n << 2n,
  DE: 1n << 3n,
  PSE: 1n << 4n,
  PAE: 1n << 5n,
  MCE: 1n << 6n,
  PGE: 1n << 7n,
  PCE: 1n << 8n,
  OSFXSR: 1n << 9n,
  OSXMMEXCPT: 1n << 10n,
  LA57: 1n << 12n,
  FSGSBASE: 1n << 16n,
  OSXSAVE: 1n << 18n,
  SMEP: 1n << 20n,
  SMAP: 1n << 21n,
} as const;
/** Those that say how addresses are translated: changing one throws away what is translated. */
export const PAGING_CR4 = CR4.PSE | CR4.PAE | CR4.PGE | CR4.SMEP | CR4.SMAP;

/** Page-table entries of 64 bits. */
export const PTE = {
  P: 1n << 0n,
  RW: 1n << 1n,
  US: 1n << 2n,
  PCD: 1n << 4n, // page-level cache disable
  PS: 1n << 7n,
  NX: 1n << 63n,
  ADDRESS: 0x000f_ffff_ffff_f000n,
} as const;

export const RFLAGS = {
  ALWAYS: 1n << 1n,
  TF: 1n << 8n,
  IF: 1n << 9n,
  DF: 1n << 10n,
  RF: 1n << 16n,
  VM: 1n << 17n,
  AC: 1n << 18n,
} as const;
