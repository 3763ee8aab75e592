/** ACPI Specification 6.4, "ACPI Software Programming Model"; the HPET table is of IA-PC HPET 1.0a, "The ACPI 2.0 HPET Description Table". Byte offsets. */

/** "Root System Description Pointer". */
export const RSDP = {
  SIGNATURE: 'RSD PTR ',
  CHECKSUM: 8, // over the first 20 bytes
  OEM_ID: 9,
  REVISION: 15,
  RSDT_ADDRESS: 16,
  LENGTH_V1: 20,
  LENGTH: 20,
  XSDT_ADDRESS: 24,
  EXTENDED_CHECKSUM: 32, // over all 36
  LENGTH_V2: 36,
} as const;

/** "System Description Table Header". */
export const HEADER = {
  SIGNATURE: 0,
  LENGTH: 4,
  REVISION: 8,
  CHECKSUM: 9,
  OEM_ID: 10,
  OEM_TABLE_ID: 16,
  OEM_REVISION: 24,
  CREATOR_ID: 28,
  CREATOR_REVISION: 32,
  SIZE: 36,
} as const;

/** "DESCRIPTION_HEADER Signatures": two of them differ from the table's name. */
export const TABLE_SIGNATURE = {
  RSDT: 'RSDT',
  XSDT: 'XSDT',
  MADT: 'APIC',
  FADT: 'FACP',
  HPET: 'HPET',
  FACS: 'FACS',
  DSDT: 'DSDT',
} as const;

/** "Multiple APIC Description Table". */
export const MADT = { LOCAL_APIC_ADDRESS: 36, FLAGS: 40, ENTRIES: 44 } as const;
export const MADT_FLAGS = { PCAT_COMPAT: 1 } as const;
export const MADT_TYPE = { LOCAL_APIC: 0, IO_APIC: 1, SOURCE_OVERRIDE: 2, LOCAL_APIC_NMI: 4, ADDRESS_OVERRIDE: 5 } as const;
/** "Interrupt Controller Structures": what all of them begin with, then each one's own fields; LENGTH is of that structure. */
export const MADT_ENTRY = { TYPE: 0, LENGTH: 1, HEADER_SIZE: 2 } as const;
export const MADT_LOCAL_APIC = { UID: 2, APIC_ID: 3, FLAGS: 4, LENGTH: 8 } as const;
export const MADT_LOCAL_APIC_FLAGS = { ENABLED: 1, ONLINE_CAPABLE: 2 } as const;
export const MADT_IO_APIC = { ID: 2, ADDRESS: 4, GSI_BASE: 8, LENGTH: 12 } as const;
export const MADT_SOURCE_OVERRIDE = { BUS: 2, SOURCE: 3, GSI: 4, FLAGS: 8, LENGTH: 10, BUS_ISA: 0 } as const;
export const MADT_LOCAL_APIC_NMI = { UID: 2, FLAGS: 3, LINT: 5, LENGTH: 6, UID_ALL: 0xff } as const;
export const MADT_ADDRESS_OVERRIDE = { ADDRESS: 4, LENGTH: 12 } as const;

/** "MPS INTI Flags". */
export const INTI = { POLARITY_MASK: 3, ACTIVE_HIGH: 1, ACTIVE_LOW: 3, TRIGGER_MASK: 0xc, EDGE: 4, LEVEL: 0xc } as const;

/** "Fixed ACPI Description Table". */
export const FADT = {
  FIRMWARE_CTRL: 36,
  DSDT: 40,
  SCI_INT: 46,
  PM1A_EVT_BLK: 56,
  PM1A_CNT_BLK: 64,
  PM_TMR_BLK: 76,
  PM1_EVT_LEN: 88,
  PM1_CNT_LEN: 89,
  PM_TMR_LEN: 91,
  P_LVL2_LAT: 96,
  P_LVL3_LAT: 98,
  CENTURY: 108,
  IAPC_BOOT_ARCH: 109, // reserved in ACPI 1.0
  FLAGS: 112,
  LENGTH_V1: 116, // of ACPI 1.0, the shortest
  RESET_REG: 116,
  RESET_VALUE: 128,
  MINOR_VERSION: 131,
  X_DSDT: 140,
  X_PM1A_EVT_BLK: 148,
  X_PM1A_CNT_BLK: 172,
  X_PM_TMR_BLK: 208,
  LENGTH_V6: 276, // as of ACPI 6.0
  REVISION_ACPI_2: 3, // the table's revision as of ACPI 2.0
  REVISION_ACPI_6: 6,
} as const;
export const FADT_FLAGS = {
  WBINVD: 1 << 0,
  PROC_C1: 1 << 2,
  PWR_BUTTON: 1 << 4, // there is none in the fixed registers
  SLP_BUTTON: 1 << 5, // likewise
  FIX_RTC: 1 << 6, // the RTC's wake status is not in them
  TMR_VAL_EXT: 1 << 8,
  RESET_REG_SUP: 1 << 10,
  HW_REDUCED_ACPI: 1 << 20,
} as const;
/** P_LVL2_LAT and P_LVL3_LAT above 100 and 1000 us: the states C2 and C3 are not supported. */
export const FADT_NO_C2 = 101;
export const FADT_NO_C3 = 1001;
/** "IA-PC Boot Architecture Flags". */
export const IAPC_BOOT_ARCH = { LEGACY_DEVICES: 1 << 0, HAS_8042: 1 << 1, VGA_NOT_PRESENT: 1 << 2, CMOS_RTC_NOT_PRESENT: 1 << 5 } as const;

/** "Firmware ACPI Control Structure": has no checksum, and begins at a multiple of its length. */
export const FACS = { LENGTH_FIELD: 4, VERSION: 32, LENGTH: 64, VERSION_ACPI_4: 2 } as const;
/** "PM1 Status Registers", "PM1 Enable Registers": 16 bits each; bits have the same places in both. Written ones clear a status. */
export const PM1 = {
  TMR: 1 << 0, // the timer's most significant bit changed
  BM_STS: 1 << 4, // bus master (status only)
  GBL: 1 << 5, // the firmware wants attention
  PWRBTN: 1 << 8, // power button
  SLPBTN: 1 << 9, // sleep button
  RTC: 1 << 10, // alarm of the real-time clock
  PCIEXP_WAKE: 1 << 14,
  WAK_STS: 1 << 15, // woke up (status only)
} as const;
/** "PM1 Control Registers", 16 bits. */
export const PM1_CONTROL = {
  SCI_EN: 1 << 0, // events raise SCI, not SMI
  BM_RLD: 1 << 1, // bus masters wake from C3
  GBL_RLS: 1 << 2, // write only: to the firmware
  SLP_TYP_SHIFT: 10,
  SLP_TYP_MASK: 7,
  SLP_EN: 1 << 13, // write only: goes to the state that SLP_TYP names
} as const;
/** "Power Management Timer": 3.579545 MHz. */
export const PM_TIMER_HZ = 3_579_545n;

/** HPET table; the base address is a Generic Address Structure at 40. */
export const HPET_TABLE = {
  EVENT_TIMER_BLOCK_ID: 36,
  ADDRESS_SPACE: 40,
  BASE_ADDRESS: 44,
  HPET_NUMBER: 52,
  MINIMUM_TICK: 53,
  LENGTH: 56,
} as const;
export const ADDRESS_SPACE_MEMORY = 0;
export const ADDRESS_SPACE_IO = 1;
/** "Generic Address Structure". */
export const GENERIC_ADDRESS = { SPACE_ID: 0, BIT_WIDTH: 1, BIT_OFFSET: 2, ACCESS_SIZE: 3, ADDRESS: 4, LENGTH: 12 } as const;
export const ACCESS_SIZE = { BYTE: 1, WORD: 2, DWORD: 3 } as const;
