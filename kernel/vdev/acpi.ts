/**
 * The ACPI tables of a virtual platform (ACPI Specification 6.4, "ACPI Software Programming Model"; IA-PC HPET 1.0a, "The ACPI 2.0 HPET
 * Description Table"), as bytes for one place in the guest's memory: no firmware has a part in it. The DSDT is dsdt.asl, compiled.
 *
 * Not described: PCI, power and sleep buttons, general-purpose events, sleep states but S5, several I/O APICs, x2APIC.
 */
import {
  ACCESS_SIZE,
  ADDRESS_SPACE_IO,
  ADDRESS_SPACE_MEMORY,
  FACS,
  FADT,
  FADT_FLAGS,
  FADT_NO_C2,
  FADT_NO_C3,
  GENERIC_ADDRESS,
  HEADER,
  HPET_TABLE,
  IAPC_BOOT_ARCH,
  INTI,
  MADT,
  MADT_ENTRY,
  MADT_FLAGS,
  MADT_IO_APIC,
  MADT_LOCAL_APIC,
  MADT_LOCAL_APIC_FLAGS,
  MADT_LOCAL_APIC_NMI,
  MADT_SOURCE_OVERRIDE,
  MADT_TYPE,
  RSDP,
  TABLE_SIGNATURE,
} from '../regs/acpi.ts';

/** Where the platform's fixed devices are: those of dsdt.asl are there. */
export const ACPI_PLACES = {
  HPET: 0xfed0_0000,
  IO_APIC: 0xfec0_0000,
  LOCAL_APIC: 0xfee0_0000,
  /** Ports: PM1a event block of 4 bytes, PM1a control of 2, PM timer of 4. */
  PM1A_EVENT: 0x600,
  PM1A_CONTROL: 0x604,
  PM_TIMER: 0x608,
  /** Reset control register, and what resets when it is written. */
  RESET: 0xcf9,
  RESET_VALUE: 6,
  /** GSIs. ISA's IRQ 0 is another one's pin. */
  SCI: 9,
  IRQ_0: 2,
  /** CMOS index of the century. */
  CENTURY: 0x32,
} as const;

export interface AcpiPlatform {
  /** dsdt.asl, compiled: the one with the HPET if there is one. */
  readonly dsdt: Uint8Array;
  /** Absent: no table tells of one. */
  readonly hpet?: {
    /** Low half of its capability register. */
    readonly eventTimerBlockId: number;
    /** "The minimum clock ticks can be set without lost interrupts while the counter is programmed to operate in periodic mode". */
    readonly minimumTick: number;
  };
  /** Whether the PM timer counts 32 bits, not 24. */
  readonly pmTimerIs32Bit: boolean;
  readonly localApicId: number;
  readonly ioApicId: number;
}

export interface PlacedAcpi {
  /** Of the RSDP: where the tables begin. */
  readonly address: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const OEM_ID = 'CHRONO';
const OEM_TABLE_ID = 'PLATFORM';
const CREATOR_ID = 'CHRV';
/** Of tables: none is asked for, but of the FACS; some readers want words to be aligned. */
const ALIGNMENT = FACS.LENGTH;
const ADDRESSES = 2 ** 32;

/** @throws RangeError if `address` is not a multiple of 64, or the tables end above 4 GiB */
export function placeAcpiTables(address: number, platform: AcpiPlatform): PlacedAcpi {
  if (address % ALIGNMENT !== 0) throw new RangeError(`ACPI tables at 0x${address.toString(16)}: not a multiple of ${ALIGNMENT}`);
  const placed: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  let next = address;
  /** @returns where it stands */
  function place(bytes: Uint8Array): number {
    const at = next;
    placed.push({ at, bytes });
    next += Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT;
    return at;
  }
  // It is known before what it leads to.
  place(new Uint8Array(RSDP.LENGTH_V2));
  const facs = place(createFacs());
  const dsdt = place(platform.dsdt);
  const tables = [place(createFadt(facs, dsdt, platform)), place(createMadt(platform))];
  if (platform.hpet) tables.push(place(createHpetTable(platform.hpet)));
  const rsdt = place(createRoot(TABLE_SIGNATURE.RSDT, tables, 4));
  const xsdt = place(createRoot(TABLE_SIGNATURE.XSDT, tables, 8));
  placed[0] = { at: address, bytes: createRsdp(rsdt, xsdt) };

  if (next > ADDRESSES) throw new RangeError(`ACPI tables at 0x${address.toString(16)}: end above 4 GiB`);
  const bytes = new Uint8Array(next - address);
  for (const table of placed) bytes.set(table.bytes, table.at - address);
  return { address, bytes };
}

function createTable(signature: string, length: number, revision: number): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(length));
  putText(view, HEADER.SIGNATURE, signature);
  view.setUint32(HEADER.LENGTH, length, true);
  view.setUint8(HEADER.REVISION, revision);
  putText(view, HEADER.OEM_ID, OEM_ID);
  putText(view, HEADER.OEM_TABLE_ID, OEM_TABLE_ID);
  view.setUint32(HEADER.OEM_REVISION, 1, true);
  putText(view, HEADER.CREATOR_ID, CREATOR_ID);
  view.setUint32(HEADER.CREATOR_REVISION, 1, true);
  return view;
}

/** The bytes, with a checksum such that the first `length` of them add up to 0. */
function summed(view: DataView<ArrayBuffer>, checksum: number, length = view.byteLength): Uint8Array {
  const bytes = new Uint8Array(view.buffer);
  bytes[checksum] = 0;
  bytes[checksum] = -bytes.subarray(0, length).reduce((sum, byte) => sum + byte, 0) & 0xff;
  return bytes;
}

function putText(view: DataView, offset: number, text: string): void {
  for (let index = 0; index < text.length; index++) view.setUint8(offset + index, text.charCodeAt(index));
}

function putAddress(view: DataView, offset: number, space: number, bits: number, accessSize: number, address: number): void {
  view.setUint8(offset + GENERIC_ADDRESS.SPACE_ID, space);
  view.setUint8(offset + GENERIC_ADDRESS.BIT_WIDTH, bits);
  view.setUint8(offset + GENERIC_ADDRESS.ACCESS_SIZE, accessSize);
  view.setBigUint64(offset + GENERIC_ADDRESS.ADDRESS, BigInt(address), true);
}

function createRsdp(rsdt: number, xsdt: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(RSDP.LENGTH_V2));
  putText(view, 0, RSDP.SIGNATURE);
  putText(view, RSDP.OEM_ID, OEM_ID);
  view.setUint8(RSDP.REVISION, 2);
  view.setUint32(RSDP.RSDT_ADDRESS, rsdt, true);
  view.setUint32(RSDP.LENGTH, RSDP.LENGTH_V2, true);
  view.setBigUint64(RSDP.XSDT_ADDRESS, BigInt(xsdt), true);
  // The second one covers the first.
  summed(view, RSDP.CHECKSUM, RSDP.LENGTH_V1);
  return summed(view, RSDP.EXTENDED_CHECKSUM);
}

function createRoot(signature: string, tables: readonly number[], entry: 4 | 8): Uint8Array {
  const view = createTable(signature, HEADER.SIZE + tables.length * entry, 1);
  tables.forEach((table, index) => {
    const at = HEADER.SIZE + index * entry;
    if (entry === 4) view.setUint32(at, table, true);
    else view.setBigUint64(at, BigInt(table), true);
  });
  return summed(view, HEADER.CHECKSUM);
}

function createFacs(): Uint8Array {
  const view = new DataView(new ArrayBuffer(FACS.LENGTH));
  putText(view, HEADER.SIGNATURE, TABLE_SIGNATURE.FACS);
  view.setUint32(FACS.LENGTH_FIELD, FACS.LENGTH, true);
  view.setUint8(FACS.VERSION, FACS.VERSION_ACPI_4);
  return new Uint8Array(view.buffer);
}

function createFadt(facs: number, dsdt: number, { pmTimerIs32Bit }: AcpiPlatform): Uint8Array {
  const view = createTable(TABLE_SIGNATURE.FADT, FADT.LENGTH_V6, FADT.REVISION_ACPI_6);
  view.setUint8(FADT.MINOR_VERSION, 4);
  // The FACS has its 32-bit field alone: that one is to be 0 if the other is not.
  view.setUint32(FADT.FIRMWARE_CTRL, facs, true);
  view.setUint32(FADT.DSDT, dsdt, true);
  view.setBigUint64(FADT.X_DSDT, BigInt(dsdt), true);
  // No SMI_CMD: it is always in ACPI mode.
  view.setUint16(FADT.SCI_INT, ACPI_PLACES.SCI, true);
  const blocks = [
    [FADT.PM1A_EVT_BLK, FADT.PM1_EVT_LEN, FADT.X_PM1A_EVT_BLK, ACPI_PLACES.PM1A_EVENT, 4, ACCESS_SIZE.WORD],
    [FADT.PM1A_CNT_BLK, FADT.PM1_CNT_LEN, FADT.X_PM1A_CNT_BLK, ACPI_PLACES.PM1A_CONTROL, 2, ACCESS_SIZE.WORD],
    [FADT.PM_TMR_BLK, FADT.PM_TMR_LEN, FADT.X_PM_TMR_BLK, ACPI_PLACES.PM_TIMER, 4, ACCESS_SIZE.DWORD],
  ] as const;
  for (const [block, lengthField, extended, port, length, accessSize] of blocks) {
    view.setUint32(block, port, true);
    view.setUint8(lengthField, length);
    putAddress(view, extended, ADDRESS_SPACE_IO, 8 * length, accessSize, port);
  }
  view.setUint16(FADT.P_LVL2_LAT, FADT_NO_C2, true);
  view.setUint16(FADT.P_LVL3_LAT, FADT_NO_C3, true);
  view.setUint8(FADT.CENTURY, ACPI_PLACES.CENTURY);
  view.setUint16(FADT.IAPC_BOOT_ARCH, IAPC_BOOT_ARCH.LEGACY_DEVICES | IAPC_BOOT_ARCH.VGA_NOT_PRESENT, true);
  const flags =
    FADT_FLAGS.WBINVD |
    FADT_FLAGS.PROC_C1 |
    FADT_FLAGS.PWR_BUTTON |
    FADT_FLAGS.SLP_BUTTON |
    FADT_FLAGS.FIX_RTC |
    (pmTimerIs32Bit ? FADT_FLAGS.TMR_VAL_EXT : 0) |
    FADT_FLAGS.RESET_REG_SUP;
  view.setUint32(FADT.FLAGS, flags, true);
  putAddress(view, FADT.RESET_REG, ADDRESS_SPACE_IO, 8, ACCESS_SIZE.BYTE, ACPI_PLACES.RESET);
  view.setUint8(FADT.RESET_VALUE, ACPI_PLACES.RESET_VALUE);
  return summed(view, HEADER.CHECKSUM);
}

const MADT_REVISION = 5;

function createMadt({ localApicId, ioApicId }: AcpiPlatform): Uint8Array {
  const entries = MADT_LOCAL_APIC.LENGTH + MADT_IO_APIC.LENGTH + 2 * MADT_SOURCE_OVERRIDE.LENGTH + MADT_LOCAL_APIC_NMI.LENGTH;
  const view = createTable(TABLE_SIGNATURE.MADT, MADT.ENTRIES + entries, MADT_REVISION);
  view.setUint32(MADT.LOCAL_APIC_ADDRESS, ACPI_PLACES.LOCAL_APIC, true);
  view.setUint32(MADT.FLAGS, MADT_FLAGS.PCAT_COMPAT, true);
  let next: number = MADT.ENTRIES;
  /** @returns where it begins */
  function entry(type: number, length: number): number {
    const at = next;
    view.setUint8(at + MADT_ENTRY.TYPE, type);
    view.setUint8(at + MADT_ENTRY.LENGTH, length);
    next += length;
    return at;
  }
  function override(irq: number, gsi: number, flags: number): void {
    const at = entry(MADT_TYPE.SOURCE_OVERRIDE, MADT_SOURCE_OVERRIDE.LENGTH);
    view.setUint8(at + MADT_SOURCE_OVERRIDE.BUS, MADT_SOURCE_OVERRIDE.BUS_ISA);
    view.setUint8(at + MADT_SOURCE_OVERRIDE.SOURCE, irq);
    view.setUint32(at + MADT_SOURCE_OVERRIDE.GSI, gsi, true);
    view.setUint16(at + MADT_SOURCE_OVERRIDE.FLAGS, flags, true);
  }
  // UID 0, as in the DSDT.
  const localApic = entry(MADT_TYPE.LOCAL_APIC, MADT_LOCAL_APIC.LENGTH);
  view.setUint8(localApic + MADT_LOCAL_APIC.APIC_ID, localApicId);
  view.setUint32(localApic + MADT_LOCAL_APIC.FLAGS, MADT_LOCAL_APIC_FLAGS.ENABLED, true);
  const ioApic = entry(MADT_TYPE.IO_APIC, MADT_IO_APIC.LENGTH);
  view.setUint8(ioApic + MADT_IO_APIC.ID, ioApicId);
  view.setUint32(ioApic + MADT_IO_APIC.ADDRESS, ACPI_PLACES.IO_APIC, true);
  // Flags of 0: as the bus has it, edges that rise.
  override(0, ACPI_PLACES.IRQ_0, 0);
  override(ACPI_PLACES.SCI, ACPI_PLACES.SCI, INTI.ACTIVE_HIGH | INTI.LEVEL);
  const nmi = entry(MADT_TYPE.LOCAL_APIC_NMI, MADT_LOCAL_APIC_NMI.LENGTH);
  view.setUint8(nmi + MADT_LOCAL_APIC_NMI.UID, MADT_LOCAL_APIC_NMI.UID_ALL);
  view.setUint8(nmi + MADT_LOCAL_APIC_NMI.LINT, 1);
  return summed(view, HEADER.CHECKSUM);
}

function createHpetTable({ eventTimerBlockId, minimumTick }: NonNullable<AcpiPlatform['hpet']>): Uint8Array {
  const view = createTable(TABLE_SIGNATURE.HPET, HPET_TABLE.LENGTH, 1);
  view.setUint32(HPET_TABLE.EVENT_TIMER_BLOCK_ID, eventTimerBlockId, true);
  putAddress(view, HPET_TABLE.ADDRESS_SPACE, ADDRESS_SPACE_MEMORY, 64, 0, ACPI_PLACES.HPET);
  view.setUint16(HPET_TABLE.MINIMUM_TICK, minimumTick, true);
  return summed(view, HEADER.CHECKSUM);
}
