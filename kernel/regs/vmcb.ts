/**
 * AMD64 Architecture Programmer's Manual volume 2 (24593), "Layout of VMCB" and "SVM Intercept Codes": the virtual machine control block,
 * its intercepts and the exit codes. Byte offsets; fields have 64 bits unless said otherwise.
 */
import { bit } from './bits.ts';

export const VMCB = {
  // ---- control area
  INTERCEPT_CR: 0x000, // 32 bits: reads of CR0-15, writes from bit 16
  INTERCEPT_DR: 0x004, // 32 bits, likewise
  INTERCEPT_EXCEPTIONS: 0x008, // 32 bits: by vector
  INTERCEPT_1: 0x00c, // 32 bits
  INTERCEPT_2: 0x010, // 32 bits
  IOPM_BASE_PA: 0x040,
  MSRPM_BASE_PA: 0x048,
  TSC_OFFSET: 0x050,
  GUEST_ASID: 0x058, // 32 bits
  TLB_CONTROL: 0x05c, // 8 bits
  V_INTR: 0x060, // 32 bits: V_TPR, V_IRQ and the rest
  V_INTR_VECTOR: 0x064, // 8 bits
  INTERRUPT_SHADOW: 0x068,
  EXITCODE: 0x070,
  EXITINFO1: 0x078,
  EXITINFO2: 0x080,
  EXITINTINFO: 0x088,
  NP_ENABLE: 0x090,
  EVENTINJ: 0x0a8,
  N_CR3: 0x0b0,
  // ---- state save area
  ES: 0x400, // each segment: selector 16 bits, attributes 16, limit 32, base 64
  CS: 0x410,
  SS: 0x420,
  DS: 0x430,
  FS: 0x440,
  GS: 0x450,
  GDTR: 0x460,
  LDTR: 0x470,
  IDTR: 0x480,
  TR: 0x490,
  CPL: 0x4cb, // 8 bits
  EFER: 0x4d0,
  CR4: 0x548,
  CR3: 0x550,
  CR0: 0x558,
  DR7: 0x560,
  DR6: 0x568,
  RFLAGS: 0x570,
  RIP: 0x578,
  RSP: 0x5d8,
  RAX: 0x5f8,
  CR2: 0x640,
  G_PAT: 0x668,
  LENGTH: 0x1000,
} as const;

/** Within a segment's 16 bytes. */
export const SEGMENT = { SELECTOR: 0, ATTRIBUTES: 2, LIMIT: 4, BASE: 8 } as const;
/** Attributes as the VMCB has them: the descriptor's bits 40-47 and, from bit 8, 52-55. */
export const SEGMENT_ATTRIBUTES = {
  CODE_64: 0xa9b,
  CODE_32: 0xc9b,
  CODE_16: 0x09b,
  DATA_32: 0xc93,
  DATA_16: 0x093,
  LDT: 0x082,
  /** Busy: what a task register holds. */
  TSS: 0x08b,
  /** The one bit of these that says 64-bit code. */
  LONG: bit(9),
  /** The descriptor's D: addresses and operands of 32 bits, in code that is not 64-bit. */
  DEFAULT_32: bit(10),
} as const;

export const INTERCEPT_1 = {
  INTR: bit(0),
  NMI: bit(1),
  SMI: bit(2),
  INIT: bit(3),
  VINTR: bit(4),
  RDTSC: bit(14),
  RDPMC: bit(15),
  CPUID: bit(18),
  INTN: bit(21),
  INVD: bit(22),
  HLT: bit(24),
  INVLPGA: bit(26),
  IOIO_PROT: bit(27),
  MSR_PROT: bit(28),
  TASK_SWITCH: bit(29),
  SHUTDOWN: bit(31),
} as const;

export const INTERCEPT_2 = {
  VMRUN: bit(0),
  VMMCALL: bit(1),
  VMLOAD: bit(2),
  VMSAVE: bit(3),
  STGI: bit(4),
  CLGI: bit(5),
  SKINIT: bit(6),
  RDTSCP: bit(7),
  WBINVD: bit(9),
  MONITOR: bit(10),
  MWAIT: bit(11),
  MWAIT_ARMED: bit(12),
  XSETBV: bit(13),
} as const;

/** TLB_CONTROL: "Flush entire TLB (all entries, all ASIDs) on VMRUN", the one that every CPU has. */
export const TLB_CONTROL_FLUSH_ALL = 1;

export const V_INTR = {
  TPR: 0xff,
  IRQ: bit(8),
  PRIORITY: 0xf << 16,
  IGNORE_TPR: bit(20),
  /** The guest's IF and TPR mask virtual interrupts only; physical ones follow the host's IF. */
  MASKING: bit(24),
} as const;

/** EVENTINJ and EXITINTINFO, low 32 bits; the error code is in the high ones. */
export const EVENT = {
  VECTOR: 0xff,
  TYPE: 7 << 8,
  TYPE_INTERRUPT: 0 << 8,
  TYPE_NMI: 2 << 8,
  TYPE_EXCEPTION: 3 << 8,
  TYPE_SOFTWARE: 4 << 8,
  HAS_ERROR: bit(11),
  VALID: bit(31),
} as const;

export const EXIT_CODE = {
  CR_READ: 0x00,
  CR_WRITE: 0x10,
  DR_READ: 0x20,
  DR_WRITE: 0x30,
  EXCEPTION: 0x40,
  INTR: 0x60,
  NMI: 0x61,
  SMI: 0x62,
  INIT: 0x63,
  VINTR: 0x64,
  RDTSC: 0x6e,
  RDPMC: 0x6f,
  CPUID: 0x72,
  SWINT: 0x75,
  INVD: 0x76,
  PAUSE: 0x77,
  HLT: 0x78,
  INVLPGA: 0x7a,
  IOIO: 0x7b,
  MSR: 0x7c,
  TASK_SWITCH: 0x7d,
  SHUTDOWN: 0x7f,
  VMRUN: 0x80,
  VMMCALL: 0x81,
  VMLOAD: 0x82,
  VMSAVE: 0x83,
  STGI: 0x84,
  CLGI: 0x85,
  SKINIT: 0x86,
  RDTSCP: 0x87,
  WBINVD: 0x89,
  MONITOR: 0x8a,
  MWAIT: 0x8b,
  MWAIT_ARMED: 0x8c,
  XSETBV: 0x8d,
  NPF: 0x400,
  /** -1 in all 64 bits by the manual, in 32 on QEMU 7.2. */
  INVALID: -1,
} as const;

/** EXITINFO1 of IOIO, low 32 bits; EXITINFO2 is the next RIP. */
export const IOIO_INFO = {
  IN: bit(0),
  STRING: bit(2),
  REP: bit(3),
  SIZE_8: bit(4),
  SIZE_16: bit(5),
  SIZE_32: bit(6),
  PORT_SHIFT: 16,
} as const;

/** EXITINFO1 of MSR: 0 for RDMSR, 1 for WRMSR. */
export const MSR_INFO_WRITE = 1;

/** Nested page fault: EXITINFO1, with the bits of a page fault's error code; EXITINFO2 is the guest-physical address. */
export const NPF_INFO = {
  PRESENT: bit(0),
  WRITE: bit(1),
  USER: bit(2),
  RESERVED: bit(3),
  FETCH: bit(4),
  /** In the high 32 bits: the fault was met on the way through the guest's page tables, not at the address they led to. */
  GUEST_TABLES_HIGH: bit(1),
} as const;

/** "SVM Related MSRs". */
export const VM_CR_MSR = 0xc001_0114;
export const VM_CR = { SVMDIS: 1n << 4n } as const;
export const VM_HSAVE_PA_MSR = 0xc001_0117;
export const EFER_MSR = 0xc000_0080;
export const EFER = { SCE: 1n << 0n, LME: 1n << 8n, LMA: 1n << 10n, NXE: 1n << 11n, SVME: 1n << 12n } as const;
