/**
 * ACPI table discovery: from the root pointer to the tables that tell where the timers and the interrupt
 * controllers are. ACPI Specification 6.4, "ACPI Software Programming Model"; IA-PC HPET 1.0a for the HPET table.
 *
 * Firmware data is input like any other: whatever is wrong with it becomes a problem in the result, and only
 * what was verified is used. Not read: the DSDT and the FACS (no AML here), and of the MADT whatever is not listed in
 * `Madt` (x2APIC, NMI source and SAPIC entries among them).
 */
import {
  ADDRESS_SPACE_IO,
  ADDRESS_SPACE_MEMORY,
  FADT,
  FADT_FLAGS,
  GENERIC_ADDRESS,
  HEADER,
  HPET_TABLE,
  IAPC_BOOT_ARCH,
  INTI,
  MADT,
  MADT_ADDRESS_OVERRIDE,
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

/** The machine's memory, as far as it is memory. */
export interface PhysicalMemory {
  /**
   * Memory at a physical address. Throws RangeError when not all of the range is memory that may be looked at;
   * any other exception is taken for a mistake of the kernel's own and is not caught here.
   */
  view(address: number, length: number): DataView;
}

/** A range of physical addresses, in bytes. */
export interface AddressRange {
  readonly address: number;
  readonly length: number;
}

/** Something wrong in what the firmware left in memory. */
export interface AcpiProblem {
  /** The document's name of the table ("MADT", not "APIC"); "RSDP" for the root pointer, "ACPI" if no one table is at fault. */
  readonly table: string;
  /** Physical address of that table; of the pointer to it, if the pointer itself can't be used; 0 if there is neither. */
  readonly address: number;
  /** One sentence: what is wrong and where, what was expected, what was seen. */
  readonly what: string;
}

export interface Rsdp {
  readonly address: number;
  /** 0: ACPI 1.0, RSDT only. 2: ACPI 2.0 and later. */
  readonly revision: number;
  /** Without trailing spaces. */
  readonly oemId: string;
  readonly from: 'loader' | 'search';
}

/** A table whose header could be read. */
export interface AcpiTable {
  /** Four characters as in memory ("APIC", "FACP"); what is not printable is shown as "?". */
  readonly signature: string;
  readonly address: number;
  /** As the header says, in bytes: only to be believed when the checksum is valid. */
  readonly length: number;
  readonly revision: number;
  /** False as well when the length makes the checksum impossible to verify. */
  readonly checksumValid: boolean;
}

/** "MPS INTI Flags": "conforms" means as the bus has it, which for ISA is high and edge. */
export type Polarity = 'high' | 'low' | 'conforms';
export type TriggerMode = 'edge' | 'level' | 'conforms';

/** "Processor Local APIC Structure". */
export interface Processor {
  readonly uid: number;
  readonly apicId: number;
  readonly isEnabled: boolean;
  /** Not enabled, but could be; ACPI 6.3 and later, false before. */
  readonly isOnlineCapable: boolean;
}

/** "I/O APIC Structure". */
export interface IoApic {
  readonly id: number;
  readonly address: number;
  /** GSI of its input 0. */
  readonly gsiBase: number;
}

/** "Interrupt Source Override Structure": where an ISA interrupt arrives, if not at the GSI of the same number as high and edge. */
export interface SourceOverride {
  /** ISA IRQ line, 0 to 15. */
  readonly irq: number;
  readonly gsi: number;
  readonly polarity: Polarity;
  readonly trigger: TriggerMode;
}

/** "Local APIC NMI Structure": the local interrupt input that NMI is wired to. */
export interface LocalApicNmi {
  readonly processorUid: number | 'all';
  readonly lint: number;
  readonly polarity: Polarity;
  readonly trigger: TriggerMode;
}

/** "Multiple APIC Description Table". */
export interface Madt {
  /** Of the address override entry if there is one. */
  readonly localApicAddress: number;
  /** PCAT_COMPAT: the machine also has two 8259A, which must be masked before the APICs are used. */
  readonly isPcatCompatible: boolean;
  readonly processors: readonly Processor[];
  readonly ioApics: readonly IoApic[];
  readonly sourceOverrides: readonly SourceOverride[];
  readonly localApicNmis: readonly LocalApicNmi[];
  /** Entries of types not read here. */
  readonly skippedEntries: number;
}

/** "Generic Address Structure". */
export interface GenericAddress {
  /** ADDRESS_SPACE_MEMORY, ADDRESS_SPACE_IO or another one of the document's. */
  readonly addressSpace: number;
  readonly bitWidth: number;
  readonly bitOffset: number;
  /** 0: undefined, 1 to 4: accesses of 8, 16, 32, 64 bits. */
  readonly accessSize: number;
  readonly address: number;
}

/** "IA-PC Boot Architecture Flags". */
export interface BootArchitecture {
  /** LEGACY_DEVICES: there are user-visible devices on an ISA or LPC bus. */
  readonly hasLegacyDevices: boolean;
  readonly has8042: boolean;
  /** CMOS RTC Not Present, turned round. Before ACPI 5.0 the bit was reserved, hence true. */
  readonly hasCmosRtc: boolean;
}

/** "Fixed ACPI Description Table". */
export interface Fadt {
  readonly sciInterrupt: number;
  /** PM_TMR_BLK: port of the power management timer; 0 = absent (or, with a problem reported, unusable). */
  readonly pmTimerPort: number;
  /** In bytes: 4, or 0 with port 0. */
  readonly pmTimerLength: number;
  /** TMR_VAL_EXT: the timer, wherever it is, counts in 32 bits; otherwise 24. */
  readonly pmTimerIs32Bit: boolean;
  /** X_PM_TMR_BLK (ACPI 2.0), absent if its address is 0. Where it is present it replaces PM_TMR_BLK. */
  readonly xPmTimer?: GenericAddress;
  /** CMOS index of the century, 1 to 127; 0 = none. */
  readonly centuryIndex: number;
  /** Absent in an ACPI 1.0 table: nothing is known then, and a PC had all of it. */
  readonly bootArchitecture?: BootArchitecture;
}

/** "The ACPI 2.0 HPET Description Table" of IA-PC HPET 1.0a. */
export interface HpetTable {
  /** Low 32 bits of the device's general capabilities register. */
  readonly eventTimerBlockId: number;
  /** Others are not accepted. */
  readonly addressSpace: typeof ADDRESS_SPACE_MEMORY;
  readonly baseAddress: number;
  readonly hpetNumber: number;
  /** Main counter ticks: shortest period that loses no interrupt in periodic mode. */
  readonly minimumTick: number;
}

export interface AcpiAbsent {
  readonly found: false;
  readonly problems: readonly AcpiProblem[];
}

export interface AcpiTables {
  readonly found: true;
  readonly rsdp: Rsdp;
  /** The root tables that were read, then what the last of them points to, in its order. */
  readonly tables: readonly AcpiTable[];
  readonly madt?: Madt;
  readonly fadt?: Fadt;
  readonly hpet?: HpetTable;
  readonly problems: readonly AcpiProblem[];
}

export type AcpiDiscovery = AcpiAbsent | AcpiTables;

/**
 * Limits on what broken firmware data can make the kernel do. The sizes are far beyond those of real machines,
 * where the longest table that a root table lists is an SSDT of some 100 KiB.
 */
export const ACPI_LIMITS = {
  /** Bytes of one table. */
  TABLE_LENGTH: 1 << 20,
  /** Entries followed of a root table. */
  TABLES: 256,
  /** Bytes summed up for checksums, all tables together. */
  TOTAL_LENGTH: 8 << 20,
  /** Problems told one by one; one more tells how many were not. */
  PROBLEMS: 64,
  /** Bytes searched of one range. */
  SEARCH_LENGTH: 1 << 20,
} as const;

/**
 * Finds and verifies the ACPI tables, and reads those about timers and interrupts: ACPI 6.4, "Finding the RSDP on
 * IA-PC Systems". The XSDT is preferred to the RSDT if the RSDP is of revision 2 or later and all its checksums hold.
 *
 * Of several tables with one signature the first valid one is used. A table whose checksum, length or content
 * is wrong is not used, and is in `problems`.
 *
 * @param rsdpAddress physical address as told by the loader; 0 = not told. If there is no RSDP the ranges are searched.
 * @param searchRanges searched in this order, on 16-byte boundaries, each up to 1 MiB. They may be partly or wholly unreadable.
 * @returns values only; throws nothing but what `memory.view` throws other than RangeError
 */
export function discoverAcpi(memory: PhysicalMemory, rsdpAddress: number, searchRanges: readonly AddressRange[]): AcpiDiscovery {
  const log = createProblemLog();
  const pointer = findRsdp(memory, rsdpAddress, searchRanges, log.report);
  if (pointer === undefined) return { found: false, problems: log.problems() };

  const readTable = createTableReader(memory, log.report);
  const tables: AcpiTable[] = [];
  // The RSDP takes part in the check for overlaps: a "table" on top of it is none.
  const verified: Extent[] = [{ name: 'RSDP', address: pointer.rsdp.address, length: pointer.length }];
  let madt: Madt | undefined;
  let fadt: Fadt | undefined;
  let hpet: HpetTable | undefined;

  const root = readRoot(pointer, readTable, tables, log.report);
  if (root !== undefined) {
    verified.push({ name: root.name, address: root.table.address, length: root.table.length });
    for (const address of rootEntries(root, log.report)) {
      const read = readTable(address);
      if (read === undefined) continue;
      tables.push(read.table);
      if (!isVerified(read)) continue;
      if (isRootSignature(read.table.signature)) {
        log.report(read.name, address, `${at(read)}: listed by the ${root.name}, expected no root table there; it is not followed`);
        continue;
      }
      const other = verified.find((extent) => overlap(extent, read.table));
      if (other !== undefined) {
        log.report(
          read.name,
          address,
          `${at(read)}: its ${read.table.length} bytes overlap the ${other.name}'s ${other.length} at ${hex(other.address)}, expected tables apart`,
        );
        continue;
      }
      verified.push({ name: read.name, address, length: read.table.length });

      // HPETs beyond the first have tables of their own, so a second table is a mistake for the other two only.
      if (read.table.signature === TABLE_SIGNATURE.MADT) madt = onlyOne(madt, read, readMadt, log.report);
      if (read.table.signature === TABLE_SIGNATURE.FADT) fadt = onlyOne(fadt, read, readFadt, log.report);
      if (read.table.signature === TABLE_SIGNATURE.HPET) hpet ??= readHpet(read, log.report);
    }
  }
  return {
    found: true,
    rsdp: pointer.rsdp,
    tables,
    ...(madt && { madt }),
    ...(fadt && { fadt }),
    ...(hpet && { hpet }),
    problems: log.problems(),
  };
}

type Report = (table: string, address: number, what: string) => void;

function createProblemLog(): { report: Report; problems(): readonly AcpiProblem[] } {
  const problems: AcpiProblem[] = [];
  let untold = 0;
  return {
    report(table, address, what) {
      if (problems.length < ACPI_LIMITS.PROBLEMS) problems.push({ table, address, what });
      else untold++;
    },
    problems: () =>
      untold === 0 ? problems : [...problems, { table: 'ACPI', address: 0, what: `${untold} more problems, not told one by one` }],
  };
}

// The root pointer

interface RootPointer {
  readonly rsdp: Rsdp;
  readonly length: number;
  /** 0 = not to be used. */
  readonly rsdtAddress: number;
  readonly xsdtAddress: number;
}

function findRsdp(memory: PhysicalMemory, told: number, ranges: readonly AddressRange[], report: Report): RootPointer | undefined {
  if (told !== 0) {
    const pointer = readRsdp(memory, told, 'loader', report);
    if (pointer !== undefined) return pointer;
  }
  let unreadable = 0;
  for (const range of ranges) {
    let { length } = range;
    if (length > ACPI_LIMITS.SEARCH_LENGTH) {
      const limit = ACPI_LIMITS.SEARCH_LENGTH;
      report('RSDP', range.address, `search range at ${hex(range.address)}: only its first ${limit} bytes are searched, not all ${length}`);
      length = limit;
    }
    for (const part of readableParts(memory, range.address, length)) {
      if (part.view === undefined) unreadable += part.length;
      for (const address of part.view ? signatures(part.address, part.view) : []) {
        if (address === told) continue; // found wrong already
        const pointer = readRsdp(memory, address, 'search', report);
        if (pointer !== undefined) return pointer;
      }
    }
  }
  const searched = ranges.map((range) => `${hex(range.address)} (${range.length} bytes)`).join(', ') || 'nowhere';
  const gap = unreadable === 0 ? '' : `, of which ${unreadable} bytes are not readable`;
  report(
    'RSDP',
    0,
    `no valid RSDP: the loader told ${told === 0 ? 'none' : hex(told)}, searched ${searched}${gap}, expected "${RSDP.SIGNATURE}" and its checksum`,
  );
  return undefined;
}

/** The RSDP is on a 16-byte boundary, and firmware sizes the EBDA in KiB: what is readable ends at neither in between. */
const PARAGRAPH = 16;
const SEARCH_BLOCK = 1024;

interface Part extends AddressRange {
  readonly view?: DataView;
}

/**
 * The parts of a range, those that are not readable without view: all of it at once if that works, else KiB by
 * KiB, and within a KiB that is readable at one of its ends by 16 bytes.
 */
function* readableParts(memory: PhysicalMemory, address: number, length: number): Generator<Part> {
  if (length <= 0) return;
  const whole = look(memory, address, length);
  if (!(whole instanceof RangeError)) {
    yield { address, length, view: whole };
    return;
  }
  let step: number = SEARCH_BLOCK;
  if (length <= SEARCH_BLOCK) {
    if (length <= PARAGRAPH || (!isReadable(memory, address, 1) && !isReadable(memory, address + length - 1, 1))) {
      yield { address, length };
      return;
    }
    step = PARAGRAPH;
  }
  const end = address + length;
  for (let start = address; start < end;) {
    const next = Math.min(end, start - (start % step) + step);
    yield* readableParts(memory, start, next - start);
    start = next;
  }
}

/** Addresses of an RSDP's signature on the 16-byte boundaries of a view of memory. */
function* signatures(address: number, view: DataView): Generator<number> {
  const first = RSDP.SIGNATURE.charCodeAt(0);
  const past = view.byteLength - RSDP.SIGNATURE.length;
  for (let offset = (PARAGRAPH - (address % PARAGRAPH)) % PARAGRAPH; offset <= past; offset += PARAGRAPH) {
    if (view.getUint8(offset) === first && text(view, offset, RSDP.SIGNATURE.length) === RSDP.SIGNATURE) yield address + offset;
  }
}

function readRsdp(memory: PhysicalMemory, address: number, from: Rsdp['from'], report: Report): RootPointer | undefined {
  const where = `RSDP at ${hex(address)} (${from === 'loader' ? 'told by the loader' : 'found by search'})`;
  const problem = (what: string): undefined => void report('RSDP', address, `${where}: ${what}`);

  if (!isAddress(address)) return problem('not an address, expected a whole number from 0 to 2^53 - 1');
  const view = look(memory, address, RSDP.LENGTH_V1);
  if (view instanceof RangeError) return problem(`its ${RSDP.LENGTH_V1} bytes are not memory (${view.message})`);
  const signature = text(view, 0, RSDP.SIGNATURE.length);
  if (signature !== RSDP.SIGNATURE) return problem(`signature "${signature}", expected "${RSDP.SIGNATURE}"`);
  const sum = checksum(view);
  if (sum !== 0) return problem(`checksum: the first ${RSDP.LENGTH_V1} bytes add up to ${hex(sum)}, expected 0x0`);

  const revision = view.getUint8(RSDP.REVISION);
  const rsdtAddress = view.getUint32(RSDP.RSDT_ADDRESS, true);
  const extended = revision >= 2 ? readXsdtAddress(memory, address, problem) : undefined;
  const xsdtAddress = extended ?? 0;
  if (rsdtAddress === 0 && xsdtAddress === 0)
    return problem('neither RSDT nor XSDT address to be used, expected at least one that is not 0');
  const oemId = text(view, RSDP.OEM_ID, 6).trimEnd();
  const length = extended === undefined ? RSDP.LENGTH_V1 : RSDP.LENGTH_V2;
  return { rsdp: { address, revision, oemId, from }, length, rsdtAddress, xsdtAddress };
}

/** The fields that ACPI 2.0 added; undefined if they are not to be trusted. The RSDT can be used then. */
function readXsdtAddress(memory: PhysicalMemory, rsdpAddress: number, problem: (what: string) => undefined): number | undefined {
  const view = look(memory, rsdpAddress, RSDP.LENGTH_V2);
  if (view instanceof RangeError) return problem(`its ${RSDP.LENGTH_V2} bytes are not memory (${view.message})`);
  const sum = checksum(view);
  if (sum !== 0) return problem(`extended checksum: the ${RSDP.LENGTH_V2} bytes add up to ${hex(sum)}, expected 0x0; the XSDT is not used`);
  const length = view.getUint32(RSDP.LENGTH, true);
  // Every edition has 36 bytes, and the checksum holds: worth telling, no reason to turn it down.
  if (length !== RSDP.LENGTH_V2) problem(`length ${length}, expected ${RSDP.LENGTH_V2}`);
  const address = address64(view, RSDP.XSDT_ADDRESS);
  if (address === undefined)
    return problem(`XSDT address ${hex64(view, RSDP.XSDT_ADDRESS)}, expected one below 2^53; the XSDT is not used`);
  return address;
}

// Tables in general

/** A table whose header could be read; `view` is all of it, if the checksum is valid. */
interface ReadTable {
  readonly name: string;
  readonly table: AcpiTable;
  readonly view?: DataView;
}
interface VerifiedTable extends ReadTable {
  readonly view: DataView;
}
const isVerified = (read: ReadTable): read is VerifiedTable => read.view !== undefined;

interface Extent extends AddressRange {
  readonly name: string;
}
const overlap = (a: AddressRange, b: AddressRange): boolean => a.address < b.address + b.length && b.address < a.address + a.length;

/** The document's name for a table: "MADT" for the signature "APIC". */
function documentName(signature: string): string {
  if (signature === TABLE_SIGNATURE.MADT) return 'MADT';
  if (signature === TABLE_SIGNATURE.FADT) return 'FADT';
  return signature;
}
const isRootSignature = (signature: string): boolean => signature === TABLE_SIGNATURE.RSDT || signature === TABLE_SIGNATURE.XSDT;
const at = (read: ReadTable): string => `${read.name} at ${hex(read.table.address)}`;

/** @returns a function that reads one table and verifies it; undefined if its header is not memory */
function createTableReader(memory: PhysicalMemory, report: Report): (address: number, name?: string) => ReadTable | undefined {
  let summed = 0;
  return (address, expectedName = 'ACPI') => {
    const header = look(memory, address, HEADER.SIZE);
    if (header instanceof RangeError) {
      const what = expectedName === 'ACPI' ? 'table' : expectedName;
      report(expectedName, address, `${what} at ${hex(address)}: its header of ${HEADER.SIZE} bytes is not memory (${header.message})`);
      return undefined;
    }
    const signature = text(header, HEADER.SIGNATURE, 4);
    const length = header.getUint32(HEADER.LENGTH, true);
    const revision = header.getUint8(HEADER.REVISION);
    const name = documentName(signature);
    const rejected: ReadTable = { name, table: { signature, address, length, revision, checksumValid: false } };
    const reject = (what: string): ReadTable => {
      report(name, address, `${at(rejected)}: ${what}`);
      return rejected;
    };

    if (length < HEADER.SIZE || length > ACPI_LIMITS.TABLE_LENGTH) {
      return reject(`length ${length}, expected ${HEADER.SIZE} to ${ACPI_LIMITS.TABLE_LENGTH}`);
    }
    if (summed + length > ACPI_LIMITS.TOTAL_LENGTH) {
      return reject(
        `length ${length} after ${summed} bytes of other tables, expected at most ${ACPI_LIMITS.TOTAL_LENGTH} in all; not verified`,
      );
    }
    const view = look(memory, address, length);
    if (view instanceof RangeError) return reject(`not all of its ${length} bytes are memory (${view.message})`);
    summed += length;
    const sum = checksum(view);
    if (sum !== 0) return reject(`checksum: its ${length} bytes add up to ${hex(sum)}, expected 0x0`);
    return { name, table: { ...rejected.table, checksumValid: true }, view };
  };
}

function readRoot(
  pointer: RootPointer,
  readTable: (address: number, name: string) => ReadTable | undefined,
  tables: AcpiTable[],
  report: Report,
): VerifiedTable | undefined {
  for (const [name, address] of [
    [TABLE_SIGNATURE.XSDT, pointer.xsdtAddress],
    [TABLE_SIGNATURE.RSDT, pointer.rsdtAddress],
  ] as const) {
    if (address === 0) continue;
    const read = readTable(address, name);
    if (read === undefined) continue;
    tables.push(read.table);
    if (read.table.signature !== name) {
      report(name, address, `${name} at ${hex(address)}: signature "${read.table.signature}", expected "${name}"`);
    } else if (isVerified(read)) {
      return read;
    }
  }
  report('RSDP', pointer.rsdp.address, `RSDP at ${hex(pointer.rsdp.address)}: no root table to be used, expected a valid XSDT or RSDT`);
  return undefined;
}

/** The usable addresses in a root table, each once, in its order. */
function* rootEntries(root: VerifiedTable, report: Report): Generator<number> {
  const { view, name, table } = root;
  const width = name === TABLE_SIGNATURE.XSDT ? 8 : 4;
  const bytes = table.length - HEADER.SIZE;
  const count = Math.floor(bytes / width);
  if (bytes % width !== 0) {
    report(
      name,
      table.address,
      `${at(root)}: ${bytes} bytes of entries, expected a multiple of ${width}; the last ${bytes % width} are not used`,
    );
  }
  if (count > ACPI_LIMITS.TABLES) {
    report(name, table.address, `${at(root)}: ${count} entries, expected at most ${ACPI_LIMITS.TABLES}; the others are not used`);
  }
  const seen = new Set<number>();
  for (let index = 0; index < Math.min(count, ACPI_LIMITS.TABLES); index++) {
    const offset = HEADER.SIZE + index * width;
    const address = width === 8 ? address64(view, offset) : view.getUint32(offset, true);
    if (address === undefined || address === 0) {
      const seen = address === 0 ? '0x0' : hex64(view, offset);
      report(name, table.address + offset, `${at(root)}: entry ${index} is ${seen}, expected an address from 1 to 2^53 - 1`);
    } else if (address === table.address) {
      report(name, address, `${at(root)}: entry ${index} points to the ${name} itself, expected only other tables`);
    } else if (seen.has(address)) {
      report(name, table.address, `${at(root)}: entry ${index} points to ${hex(address)} as an earlier one does, expected each table once`);
    } else {
      seen.add(address);
      yield address;
    }
  }
}

/** What is in use already, with this table reported as one too many; else what `reader` makes of it. */
function onlyOne<T>(
  used: T | undefined,
  read: VerifiedTable,
  reader: (read: VerifiedTable, report: Report) => T | undefined,
  report: Report,
): T | undefined {
  if (used === undefined) return reader(read, report);
  report(read.name, read.table.address, `${at(read)}: a second one, expected one; the first is used`);
  return used;
}

// The tables read here. Each reader takes a table whose checksum holds; undefined if it can't be used for all that.

function readMadt(read: VerifiedTable, report: Report): Madt | undefined {
  const { view, table } = read;
  const problem = (what: string): undefined => void report('MADT', table.address, `${at(read)}: ${what}`);
  if (table.length < MADT.ENTRIES) return problem(`length ${table.length}, expected at least ${MADT.ENTRIES}`);

  const processors: Processor[] = [];
  const ioApics: IoApic[] = [];
  const sourceOverrides: SourceOverride[] = [];
  const localApicNmis: LocalApicNmi[] = [];
  let addressOverride: number | undefined;
  let skippedEntries = 0;

  for (let offset: number = MADT.ENTRIES; offset < table.length;) {
    const start = offset;
    const left = table.length - start;
    if (left < MADT_ENTRY.HEADER_SIZE) {
      problem(`entry at offset ${start}: ${left} byte left in the table, expected at least ${MADT_ENTRY.HEADER_SIZE}`);
      break;
    }
    const type = view.getUint8(start + MADT_ENTRY.TYPE);
    const length = view.getUint8(start + MADT_ENTRY.LENGTH);
    const entryProblem = (what: string): void => problem(`entry of type ${type} at offset ${start}: ${what}`);
    // Without a length there is no next entry; with 0 the walk would not end.
    if (length < MADT_ENTRY.HEADER_SIZE) {
      entryProblem(`length ${length}, expected at least ${MADT_ENTRY.HEADER_SIZE}; no entry is read from here on`);
      break;
    }
    if (length > left) {
      entryProblem(`length ${length}, expected at most the ${left} bytes left in the table; it is not used`);
      break;
    }
    offset += length;

    const required = structureLength(type);
    if (required === undefined) {
      skippedEntries++;
      continue;
    }
    if (length < required) {
      entryProblem(`length ${length}, expected ${required}; it is not used`);
      continue;
    }
    switch (type) {
      case MADT_TYPE.LOCAL_APIC: {
        const flags = view.getUint32(start + MADT_LOCAL_APIC.FLAGS, true);
        processors.push({
          uid: view.getUint8(start + MADT_LOCAL_APIC.UID),
          apicId: view.getUint8(start + MADT_LOCAL_APIC.APIC_ID),
          isEnabled: (flags & MADT_LOCAL_APIC_FLAGS.ENABLED) !== 0,
          isOnlineCapable: (flags & MADT_LOCAL_APIC_FLAGS.ONLINE_CAPABLE) !== 0,
        });
        break;
      }
      case MADT_TYPE.IO_APIC: {
        const address = view.getUint32(start + MADT_IO_APIC.ADDRESS, true);
        const id = view.getUint8(start + MADT_IO_APIC.ID);
        if (address === 0) entryProblem(`I/O APIC ${id} has address 0x0, expected where it is; it is not used`);
        else ioApics.push({ id, address, gsiBase: view.getUint32(start + MADT_IO_APIC.GSI_BASE, true) });
        break;
      }
      case MADT_TYPE.SOURCE_OVERRIDE: {
        const bus = view.getUint8(start + MADT_SOURCE_OVERRIDE.BUS);
        const irq = view.getUint8(start + MADT_SOURCE_OVERRIDE.SOURCE);
        if (bus !== MADT_SOURCE_OVERRIDE.BUS_ISA) {
          entryProblem(`bus ${bus}, expected ${MADT_SOURCE_OVERRIDE.BUS_ISA} (ISA); it is not used`);
        } else if (irq > LAST_ISA_IRQ) {
          entryProblem(`ISA IRQ ${irq}, expected 0 to ${LAST_ISA_IRQ}; it is not used`);
        } else if (sourceOverrides.some((override) => override.irq === irq)) {
          entryProblem(`a second override of ISA IRQ ${irq}, expected one; the first is used`);
        } else {
          const gsi = view.getUint32(start + MADT_SOURCE_OVERRIDE.GSI, true);
          sourceOverrides.push({ irq, gsi, ...inti(view.getUint16(start + MADT_SOURCE_OVERRIDE.FLAGS, true), entryProblem) });
        }
        break;
      }
      case MADT_TYPE.LOCAL_APIC_NMI: {
        const uid = view.getUint8(start + MADT_LOCAL_APIC_NMI.UID);
        const lint = view.getUint8(start + MADT_LOCAL_APIC_NMI.LINT);
        if (lint > 1) {
          entryProblem(`local interrupt input ${lint}, expected 0 or 1; it is not used`);
        } else {
          const flags = view.getUint16(start + MADT_LOCAL_APIC_NMI.FLAGS, true);
          localApicNmis.push({ processorUid: uid === MADT_LOCAL_APIC_NMI.UID_ALL ? 'all' : uid, lint, ...inti(flags, entryProblem) });
        }
        break;
      }
      case MADT_TYPE.ADDRESS_OVERRIDE: {
        const address = address64(view, start + MADT_ADDRESS_OVERRIDE.ADDRESS);
        if (address === undefined || address === 0) {
          const seen = address === 0 ? '0x0' : hex64(view, start + MADT_ADDRESS_OVERRIDE.ADDRESS);
          entryProblem(`local APIC address ${seen}, expected one from 1 to 2^53 - 1; it is not used`);
        } else if (addressOverride !== undefined) {
          entryProblem(`a second local APIC address ${hex(address)}, expected one; the first is used`);
        } else {
          addressOverride = address;
        }
        break;
      }
    }
  }

  const localApicAddress = addressOverride ?? view.getUint32(MADT.LOCAL_APIC_ADDRESS, true);
  if (localApicAddress === 0) problem('local APIC address 0x0, expected where it is');
  const isPcatCompatible = (view.getUint32(MADT.FLAGS, true) & MADT_FLAGS.PCAT_COMPAT) !== 0;
  return { localApicAddress, isPcatCompatible, processors, ioApics, sourceOverrides, localApicNmis, skippedEntries };
}

const LAST_ISA_IRQ = 15;

/** Bytes of a MADT entry of a type that is read here. */
function structureLength(type: number): number | undefined {
  switch (type) {
    case MADT_TYPE.LOCAL_APIC:
      return MADT_LOCAL_APIC.LENGTH;
    case MADT_TYPE.IO_APIC:
      return MADT_IO_APIC.LENGTH;
    case MADT_TYPE.SOURCE_OVERRIDE:
      return MADT_SOURCE_OVERRIDE.LENGTH;
    case MADT_TYPE.LOCAL_APIC_NMI:
      return MADT_LOCAL_APIC_NMI.LENGTH;
    case MADT_TYPE.ADDRESS_OVERRIDE:
      return MADT_ADDRESS_OVERRIDE.LENGTH;
    default:
      return undefined;
  }
}

/** "MPS INTI Flags". The reserved values are reported and taken for "conforms": losing an override's GSI would be worse. */
function inti(flags: number, problem: (what: string) => void): { polarity: Polarity; trigger: TriggerMode } {
  const polarityBits = flags & INTI.POLARITY_MASK;
  const triggerBits = flags & INTI.TRIGGER_MASK;
  let polarity: Polarity = 'conforms';
  let trigger: TriggerMode = 'conforms';
  if (polarityBits === INTI.ACTIVE_HIGH) polarity = 'high';
  else if (polarityBits === INTI.ACTIVE_LOW) polarity = 'low';
  else if (polarityBits !== 0)
    problem(`flags ${hex(flags)} with a reserved polarity, expected 0, 1 or 3 in bits 0-1; taken for "conforms"`);
  if (triggerBits === INTI.EDGE) trigger = 'edge';
  else if (triggerBits === INTI.LEVEL) trigger = 'level';
  else if (triggerBits !== 0)
    problem(`flags ${hex(flags)} with a reserved trigger mode, expected 0, 1 or 3 in bits 2-3; taken for "conforms"`);
  return { polarity, trigger };
}

/** A PM timer is one register of 32 bits, of which 24 or 32 count. */
const PM_TIMER_BYTES = 4;
const LAST_PM_TIMER_PORT = 0x1_0000 - PM_TIMER_BYTES;
/** The CMOS RAM that a PC's index port can select without touching its NMI mask. */
const LAST_CMOS_INDEX = 127;

function readFadt(read: VerifiedTable, report: Report): Fadt | undefined {
  const { view, table } = read;
  const problem = (what: string): undefined => void report('FADT', table.address, `${at(read)}: ${what}`);
  if (table.length < FADT.LENGTH_V1) return problem(`length ${table.length}, expected at least ${FADT.LENGTH_V1}`);

  let pmTimerPort = view.getUint32(FADT.PM_TMR_BLK, true);
  const pmTimerLength = view.getUint8(FADT.PM_TMR_LEN);
  if (pmTimerPort > LAST_PM_TIMER_PORT) {
    problem(`PM_TMR_BLK is port ${hex(pmTimerPort)}, expected at most ${hex(LAST_PM_TIMER_PORT)}; it is not used`);
    pmTimerPort = 0;
  } else if (pmTimerPort !== 0 && pmTimerLength !== PM_TIMER_BYTES) {
    problem(`PM_TMR_LEN is ${pmTimerLength} for port ${hex(pmTimerPort)}, expected ${PM_TIMER_BYTES}; PM_TMR_BLK is not used`);
    pmTimerPort = 0;
  }

  let centuryIndex = view.getUint8(FADT.CENTURY);
  if (centuryIndex > LAST_CMOS_INDEX) {
    problem(`CENTURY is CMOS index ${centuryIndex}, expected at most ${LAST_CMOS_INDEX}; it is not used`);
    centuryIndex = 0;
  }

  // ACPI 1.0 tables are long enough for the boot flags, but have reserved bytes in their place.
  const bootFlags = table.revision >= FADT.REVISION_ACPI_2 ? view.getUint16(FADT.IAPC_BOOT_ARCH, true) : undefined;
  const xPmTimer = table.revision >= FADT.REVISION_ACPI_2 ? readXPmTimer(view, problem) : undefined;
  if (xPmTimer?.addressSpace === ADDRESS_SPACE_IO && pmTimerPort !== 0 && xPmTimer.address !== pmTimerPort) {
    problem(`X_PM_TMR_BLK is port ${hex(xPmTimer.address)} and PM_TMR_BLK port ${hex(pmTimerPort)}, expected the same`);
  }
  return {
    sciInterrupt: view.getUint16(FADT.SCI_INT, true),
    pmTimerPort,
    pmTimerLength: pmTimerPort === 0 ? 0 : PM_TIMER_BYTES,
    pmTimerIs32Bit: (view.getUint32(FADT.FLAGS, true) & FADT_FLAGS.TMR_VAL_EXT) !== 0,
    ...(xPmTimer && { xPmTimer }),
    centuryIndex,
    ...(bootFlags !== undefined && {
      bootArchitecture: {
        hasLegacyDevices: (bootFlags & IAPC_BOOT_ARCH.LEGACY_DEVICES) !== 0,
        has8042: (bootFlags & IAPC_BOOT_ARCH.HAS_8042) !== 0,
        hasCmosRtc: (bootFlags & IAPC_BOOT_ARCH.CMOS_RTC_NOT_PRESENT) === 0,
      },
    }),
  };
}

function readXPmTimer(view: DataView, problem: (what: string) => undefined): GenericAddress | undefined {
  const start = FADT.X_PM_TMR_BLK;
  if (view.byteLength < start + GENERIC_ADDRESS.LENGTH) return undefined;
  const addressSpace = view.getUint8(start + GENERIC_ADDRESS.SPACE_ID);
  const address = address64(view, start + GENERIC_ADDRESS.ADDRESS);
  if (address === 0) return undefined;
  const last = addressSpace === ADDRESS_SPACE_IO ? LAST_PM_TIMER_PORT : Number.MAX_SAFE_INTEGER;
  if (address === undefined || address > last) {
    return problem(
      `X_PM_TMR_BLK is at ${hex64(view, start + GENERIC_ADDRESS.ADDRESS)} in address space ${addressSpace}, expected at most ${hex(last)}; it is not used`,
    );
  }
  return {
    addressSpace,
    bitWidth: view.getUint8(start + GENERIC_ADDRESS.BIT_WIDTH),
    bitOffset: view.getUint8(start + GENERIC_ADDRESS.BIT_OFFSET),
    accessSize: view.getUint8(start + GENERIC_ADDRESS.ACCESS_SIZE),
    address,
  };
}

function readHpet(read: VerifiedTable, report: Report): HpetTable | undefined {
  const { view, table } = read;
  const problem = (what: string): undefined => void report('HPET', table.address, `${at(read)}: ${what}`);
  if (table.length < HPET_TABLE.LENGTH) return problem(`length ${table.length}, expected at least ${HPET_TABLE.LENGTH}`);
  const addressSpace = view.getUint8(HPET_TABLE.ADDRESS_SPACE);
  if (addressSpace !== ADDRESS_SPACE_MEMORY) {
    return problem(`base address in address space ${addressSpace}, expected ${ADDRESS_SPACE_MEMORY} (system memory)`);
  }
  const baseAddress = address64(view, HPET_TABLE.BASE_ADDRESS);
  if (baseAddress === undefined || baseAddress === 0) {
    const seen = baseAddress === 0 ? '0x0' : hex64(view, HPET_TABLE.BASE_ADDRESS);
    return problem(`base address ${seen}, expected one from 1 to 2^53 - 1`);
  }
  return {
    eventTimerBlockId: view.getUint32(HPET_TABLE.EVENT_TIMER_BLOCK_ID, true),
    addressSpace,
    baseAddress,
    hpetNumber: view.getUint8(HPET_TABLE.HPET_NUMBER),
    minimumTick: view.getUint16(HPET_TABLE.MINIMUM_TICK, true),
  };
}

// Bytes

/** The view, or why there is none. */
function look(memory: PhysicalMemory, address: number, length: number): DataView | RangeError {
  try {
    return memory.view(address, length);
  } catch (error) {
    if (error instanceof RangeError) return error;
    throw error;
  }
}

const isReadable = (memory: PhysicalMemory, address: number, length: number): boolean =>
  !(look(memory, address, length) instanceof RangeError);

const isAddress = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** All bytes modulo 256: 0 if they are as their writer meant them. */
function checksum(view: DataView): number {
  let sum = 0;
  for (const byte of new Uint8Array(view.buffer, view.byteOffset, view.byteLength)) sum += byte; // exact: below 2^53 for any length
  return sum & 0xff;
}

function text(view: DataView, offset: number, length: number): string {
  let characters = '';
  for (let index = offset; index < offset + length; index++) {
    const code = view.getUint8(index);
    characters += code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : '?';
  }
  return characters;
}

/** A 64-bit address as a number, undefined from 2^53 on. */
function address64(view: DataView, offset: number): number | undefined {
  const address = view.getUint32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
  return Number.isSafeInteger(address) ? address : undefined;
}

/** The same for a message, of any value. */
const hex64 = (view: DataView, offset: number): string => `0x${view.getBigUint64(offset, true).toString(16)}`;

const hex = (value: number): string => `0x${value.toString(16)}`;
