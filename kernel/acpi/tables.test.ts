import { describe, expect, it } from 'vitest';
import {
  ADDRESS_SPACE_IO,
  ADDRESS_SPACE_MEMORY,
  FADT,
  FADT_FLAGS,
  GENERIC_ADDRESS,
  HEADER,
  HPET_TABLE,
  IAPC_BOOT_ARCH,
  MADT,
  MADT_TYPE,
  RSDP,
} from '../regs/acpi.ts';
import { ACPI_LIMITS, discoverAcpi } from './tables.ts';
import type { AcpiDiscovery, AcpiTables, AddressRange, PhysicalMemory } from './tables.ts';

// A machine's memory: some regions, and nothing in between.

const EBDA: AddressRange = { address: 0x9_fc00, length: 0x400 };
const BIOS: AddressRange = { address: 0xe_0000, length: 0x2_0000 };
const TABLES: AddressRange = { address: 0x7fe_0000, length: 0x4000 };
const SEARCH = [EBDA, BIOS];

interface FakeMemory extends PhysicalMemory {
  put(address: number, bytes: Uint8Array): void;
  bytes(address: number, length: number): Uint8Array;
  views(): number;
}

function createMemory(regions: readonly AddressRange[] = [EBDA, BIOS, TABLES]): FakeMemory {
  const parts = regions.map((region) => ({ ...region, content: new Uint8Array(region.length) }));
  let views = 0;
  function bytes(address: number, length: number): Uint8Array {
    const part = parts.find((candidate) => address >= candidate.address && address + length <= candidate.address + candidate.length);
    if (part === undefined) throw new RangeError(`view: ${length} bytes at 0x${address.toString(16)} are not memory`);
    return part.content.subarray(address - part.address, address - part.address + length);
  }
  return {
    put: (address, content) => bytes(address, content.length).set(content),
    bytes,
    view(address, length) {
      views++;
      const content = bytes(address, length);
      return new DataView(content.buffer, content.byteOffset, content.byteLength);
    },
    views: () => views,
  };
}

// Tables, byte by byte.

const u8 = (value: number): number[] => [value & 0xff];
const u16 = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
const u32 = (value: number): number[] => [...u16(value), ...u16(value >>> 16)];
const u64 = (value: bigint | number): number[] => [...u32(Number(BigInt(value) & 0xffff_ffffn)), ...u32(Number(BigInt(value) >> 32n))];
const ascii = (characters: string): number[] => [...characters].map((character) => character.charCodeAt(0));
const zeros = (count: number): number[] => new Array<number>(count).fill(0);

/** Sets the byte at `offset` such that the first `length` bytes add up to 0 modulo 256. */
function fixChecksum(bytes: Uint8Array, offset: number, length = bytes.length): Uint8Array {
  bytes[offset] = 0;
  bytes[offset] = -bytes.subarray(0, length).reduce((sum, byte) => sum + byte, 0) & 0xff;
  return bytes;
}

function table(signature: string, body: readonly number[], revision = 1, length = HEADER.SIZE + body.length): Uint8Array {
  const header = [
    ...ascii(signature),
    ...u32(length),
    ...u8(revision),
    0,
    ...ascii('BOCHS '),
    ...ascii('BXPC    '),
    ...u32(1),
    ...ascii('BXPC'),
    ...u32(1),
  ];
  return fixChecksum(Uint8Array.from([...header, ...body]), HEADER.CHECKSUM);
}

function rsdp(rsdt: number, xsdt: bigint | number = 0, revision = 2): Uint8Array {
  const bytes = Uint8Array.from([
    ...ascii(RSDP.SIGNATURE),
    0,
    ...ascii('BOCHS '),
    revision,
    ...u32(rsdt),
    ...u32(RSDP.LENGTH_V2),
    ...u64(xsdt),
    0,
    0,
    0,
    0,
  ]);
  fixChecksum(bytes, RSDP.CHECKSUM, RSDP.LENGTH_V1);
  if (revision < 2) return bytes.slice(0, RSDP.LENGTH_V1);
  return fixChecksum(bytes, RSDP.EXTENDED_CHECKSUM);
}

const rsdt = (addresses: readonly number[]): Uint8Array => table('RSDT', addresses.flatMap(u32));
const xsdt = (addresses: readonly (bigint | number)[]): Uint8Array => table('XSDT', addresses.flatMap(u64));

const localApic = (uid: number, apicId: number, flags: number): number[] => [MADT_TYPE.LOCAL_APIC, 8, uid, apicId, ...u32(flags)];
const ioApic = (id: number, address: number, gsiBase: number): number[] => [MADT_TYPE.IO_APIC, 12, id, 0, ...u32(address), ...u32(gsiBase)];
const sourceOverride = (irq: number, gsi: number, flags: number, bus = 0): number[] => [
  MADT_TYPE.SOURCE_OVERRIDE,
  10,
  bus,
  irq,
  ...u32(gsi),
  ...u16(flags),
];
const localApicNmi = (uid: number, flags: number, lint: number): number[] => [MADT_TYPE.LOCAL_APIC_NMI, 6, uid, ...u16(flags), lint];
const addressOverride = (address: bigint | number): number[] => [MADT_TYPE.ADDRESS_OVERRIDE, 12, 0, 0, ...u64(address)];
const x2Apic = [9, 16, ...zeros(14)];

const madt = (entries: readonly (readonly number[])[], flags = 1): Uint8Array =>
  table('APIC', [...u32(0xfee0_0000), ...u32(flags), ...entries.flat()]);

const USUAL_ENTRIES = [
  localApic(0, 0, 1),
  localApic(1, 1, 0),
  ioApic(0, 0xfec0_0000, 0),
  sourceOverride(0, 2, 0),
  sourceOverride(9, 9, 0x0d),
  localApicNmi(0xff, 0, 1),
];

interface FadtFields {
  port?: number;
  timerLength?: number;
  flags?: number;
  century?: number;
  bootFlags?: number;
  xTimer?: { space: number; address: bigint | number };
  revision?: number;
  length?: number;
}

function fadt(fields: FadtFields = {}): Uint8Array {
  const { port = 0x608, timerLength = 4, flags = 0, century = 0x32, bootFlags = 0x3, xTimer, revision = 3, length = 244 } = fields;
  const bytes = new Uint8Array(244);
  const set = (offset: number, values: readonly number[]): void => bytes.set(values, offset);
  set(0, [...table('FACP', [], revision, length)]);
  set(FADT.SCI_INT, u16(9));
  set(FADT.PM_TMR_BLK, u32(port));
  set(FADT.PM_TMR_LEN, u8(timerLength));
  set(FADT.CENTURY, u8(century));
  set(FADT.IAPC_BOOT_ARCH, u16(bootFlags));
  set(FADT.FLAGS, u32(flags));
  if (xTimer) set(FADT.X_PM_TMR_BLK, [xTimer.space, 32, 0, 3, ...u64(xTimer.address)]);
  return fixChecksum(bytes.slice(0, length), HEADER.CHECKSUM);
}

const hpet = (base: bigint | number = 0xfed0_0000, space: number = ADDRESS_SPACE_MEMORY, number = 0): Uint8Array =>
  table('HPET', [...u32(0x8086_a201), space, 64, 0, 0, ...u64(base), number, ...u16(100), 0]);

// Machines: an RSDP in the BIOS area, an XSDT, and tables 400h bytes apart.

const RSDP_ADDRESS = 0xf_5a40;
const RSDT_ADDRESS = TABLES.address;
const XSDT_ADDRESS = TABLES.address + 0x200;
const slot = (index: number): number => TABLES.address + 0x400 * (index + 1);

function machine(tables: readonly Uint8Array[]): FakeMemory {
  const memory = createMemory();
  const addresses = tables.map((_, index) => slot(index));
  tables.forEach((content, index) => memory.put(slot(index), content));
  memory.put(RSDP_ADDRESS, rsdp(RSDT_ADDRESS, XSDT_ADDRESS));
  memory.put(RSDT_ADDRESS, rsdt(addresses));
  memory.put(XSDT_ADDRESS, xsdt(addresses));
  return memory;
}

const usualMachine = (): FakeMemory => machine([madt(USUAL_ENTRIES), fadt(), hpet()]);

function found(discovery: AcpiDiscovery): AcpiTables {
  if (!discovery.found) throw new Error(`no ACPI: ${discovery.problems.map((problem) => problem.what).join('; ')}`);
  return discovery;
}
const discover = (memory: PhysicalMemory, rsdpAddress: number = RSDP_ADDRESS): AcpiTables =>
  found(discoverAcpi(memory, rsdpAddress, SEARCH));
const discoverTables = (...tables: readonly Uint8Array[]): AcpiTables => discover(machine(tables));
const whats = (discovery: AcpiDiscovery): string[] => discovery.problems.map((problem) => problem.what);

/** One byte of a table, changed after its checksum was made. */
function corrupt(memory: FakeMemory, address: number): void {
  const byte = memory.bytes(address, 1);
  byte[0] = (byte[0] ?? 0) ^ 0x40;
}

describe('a machine as it should be', () => {
  it('has no problems', () => {
    expect(discover(usualMachine()).problems).toEqual([]);
  });

  it('lists the root table and what it points to, in its order', () => {
    expect(discover(usualMachine()).tables).toEqual([
      { signature: 'XSDT', address: XSDT_ADDRESS, length: 60, revision: 1, checksumValid: true },
      { signature: 'APIC', address: slot(0), length: 98, revision: 1, checksumValid: true },
      { signature: 'FACP', address: slot(1), length: 244, revision: 3, checksumValid: true },
      { signature: 'HPET', address: slot(2), length: 56, revision: 1, checksumValid: true },
    ]);
  });
});

describe('RSDP', () => {
  it('is taken from the loader', () => {
    expect(discover(usualMachine()).rsdp).toEqual({ address: RSDP_ADDRESS, revision: 2, oemId: 'BOCHS', from: 'loader' });
  });

  it('may be anywhere if the loader tells it', () => {
    const memory = usualMachine();
    const address = slot(9) + 3;
    memory.put(address, rsdp(RSDT_ADDRESS));
    expect(discover(memory, address).rsdp).toMatchObject({ address, from: 'loader' });
  });

  it('is searched if the loader tells none, and found in a range that is not the first', () => {
    const { rsdp: pointer, problems } = discover(usualMachine(), 0);
    expect(pointer).toMatchObject({ address: RSDP_ADDRESS, from: 'search' });
    expect(problems).toEqual([]);
  });

  it('is taken from the first range that has one', () => {
    const memory = usualMachine();
    memory.put(EBDA.address + 0x20, rsdp(RSDT_ADDRESS));
    expect(discover(memory, 0).rsdp.address).toBe(EBDA.address + 0x20);
  });

  it('is found at the very end of a range', () => {
    const memory = createMemory();
    memory.put(RSDT_ADDRESS, rsdt([]));
    memory.put(BIOS.address + BIOS.length - 32, rsdp(RSDT_ADDRESS, 0, 0));
    expect(discover(memory, 0).rsdp.address).toBe(BIOS.address + BIOS.length - 32);
  });

  it('is found on 16-byte boundaries of a range that does not begin on one', () => {
    const discovery = found(discoverAcpi(usualMachine(), 0, [{ address: RSDP_ADDRESS - 0x33, length: 0x100 }]));
    expect(discovery.rsdp.address).toBe(RSDP_ADDRESS);
  });

  it('is found if no more than its signature is in the range', () => {
    const discovery = found(discoverAcpi(usualMachine(), 0, [{ address: RSDP_ADDRESS - 0x20, length: 0x28 }]));
    expect(discovery.rsdp.address).toBe(RSDP_ADDRESS);
  });

  it('is not found off a 16-byte boundary', () => {
    const memory = createMemory();
    memory.put(RSDP_ADDRESS + 8, rsdp(RSDT_ADDRESS));
    expect(discoverAcpi(memory, 0, SEARCH).found).toBe(false);
  });

  it('is searched if the loader told a wrong address, which is reported', () => {
    const { rsdp: pointer, problems } = discover(usualMachine(), BIOS.address);
    expect(pointer).toMatchObject({ address: RSDP_ADDRESS, from: 'search' });
    expect(problems).toEqual([
      { table: 'RSDP', address: 0xe_0000, what: 'RSDP at 0xe0000 (told by the loader): signature "????????", expected "RSD PTR "' },
    ]);
  });

  it('is searched if the loader told an address beyond memory', () => {
    const { rsdp: pointer, problems } = discover(usualMachine(), 0x4000_0000);
    expect(pointer.from).toBe('search');
    expect(problems).toMatchObject([{ table: 'RSDP', address: 0x4000_0000, what: expect.stringContaining('its 20 bytes are not memory') }]);
  });

  it.each([-16, 1.5, NaN, Infinity, 2 ** 53])('is searched if the loader told %s, which is no address', (told) => {
    const { rsdp: pointer, problems } = discover(usualMachine(), told);
    expect(pointer.from).toBe('search');
    expect(problems).toMatchObject([{ table: 'RSDP', what: expect.stringContaining('not an address') }]);
  });

  it('with a bad checksum is skipped, and the next good one found', () => {
    const memory = usualMachine();
    memory.put(EBDA.address, rsdp(RSDT_ADDRESS));
    corrupt(memory, EBDA.address + RSDP.OEM_ID);
    const { rsdp: pointer, problems } = discover(memory, 0);
    expect(pointer.address).toBe(RSDP_ADDRESS);
    expect(problems).toMatchObject([
      { table: 'RSDP', address: EBDA.address, what: expect.stringMatching(/checksum: the first 20 bytes add up to 0x[c4]0, expected 0x0/) },
    ]);
  });

  it('found wrong at the address the loader told is not reported a second time by the search', () => {
    const memory = usualMachine();
    corrupt(memory, RSDP_ADDRESS + RSDP.OEM_ID);
    const { problems } = discoverAcpi(memory, RSDP_ADDRESS, SEARCH);
    expect(problems.map((problem) => problem.address)).toEqual([RSDP_ADDRESS, 0]);
  });

  it('of revision 0 is 20 bytes, and its RSDT is used', () => {
    const memory = usualMachine();
    memory.put(RSDP_ADDRESS, rsdp(RSDT_ADDRESS, XSDT_ADDRESS, 0));
    const { rsdp: pointer, tables, problems } = discover(memory);
    expect(pointer.revision).toBe(0);
    expect(tables[0]).toMatchObject({ signature: 'RSDT', checksumValid: true });
    expect(problems).toEqual([]);
  });

  it('with a bad extended checksum is good for the RSDT', () => {
    const memory = usualMachine();
    corrupt(memory, RSDP_ADDRESS + RSDP.EXTENDED_CHECKSUM);
    const { tables, problems } = discover(memory);
    expect(tables[0]).toMatchObject({ signature: 'RSDT' });
    expect(problems).toMatchObject([
      { table: 'RSDP', address: RSDP_ADDRESS, what: expect.stringContaining('extended checksum: the 36 bytes add up to') },
    ]);
  });

  it('whose extended part is not memory is good for the RSDT', () => {
    const memory = usualMachine();
    const address = TABLES.address + TABLES.length - RSDP.LENGTH_V1;
    memory.put(address, rsdp(RSDT_ADDRESS).slice(0, RSDP.LENGTH_V1));
    const { tables, problems } = discover(memory, address);
    expect(tables[0]).toMatchObject({ signature: 'RSDT' });
    expect(problems).toMatchObject([{ table: 'RSDP', address, what: expect.stringContaining('its 36 bytes are not memory') }]);
  });

  it('whose XSDT address is beyond 2^53 is good for the RSDT', () => {
    const memory = usualMachine();
    memory.put(RSDP_ADDRESS, rsdp(RSDT_ADDRESS, 2n ** 63n));
    const { tables, problems } = discover(memory);
    expect(tables[0]).toMatchObject({ signature: 'RSDT' });
    expect(problems).toMatchObject([
      { table: 'RSDP', what: expect.stringContaining('XSDT address 0x8000000000000000, expected one below 2^53') },
    ]);
  });

  it('with a length other than 36 is used, and reported', () => {
    const memory = usualMachine();
    const bytes = rsdp(RSDT_ADDRESS, XSDT_ADDRESS);
    bytes[RSDP.LENGTH] = 40;
    memory.put(RSDP_ADDRESS, fixChecksum(bytes, RSDP.EXTENDED_CHECKSUM));
    const { tables, problems } = discover(memory);
    expect(tables[0]).toMatchObject({ signature: 'XSDT' });
    expect(problems).toMatchObject([{ table: 'RSDP', what: expect.stringContaining('length 40, expected 36') }]);
  });

  it('that points to no root table is none', () => {
    const memory = createMemory();
    memory.put(RSDP_ADDRESS, rsdp(0, 0));
    const discovery = discoverAcpi(memory, 0, SEARCH);
    expect(discovery.found).toBe(false);
    expect(discovery.problems[0]).toMatchObject({
      table: 'RSDP',
      address: RSDP_ADDRESS,
      what: expect.stringContaining('neither RSDT nor XSDT'),
    });
  });

  it('nowhere is an answer, which tells where it was searched', () => {
    expect(discoverAcpi(createMemory(), 0, SEARCH)).toEqual({
      found: false,
      problems: [
        {
          table: 'RSDP',
          address: 0,
          what: 'no valid RSDP: the loader told none, searched 0x9fc00 (1024 bytes), 0xe0000 (131072 bytes), expected "RSD PTR " and its checksum',
        },
      ],
    });
  });

  it('nowhere is the answer without ranges', () => {
    expect(whats(discoverAcpi(createMemory(), 0, []))).toEqual([expect.stringContaining('searched nowhere')]);
  });

  it('nowhere is the answer without memory, in few accesses', () => {
    const memory = createMemory([]);
    expect(whats(discoverAcpi(memory, 0, SEARCH))).toEqual([expect.stringContaining('of which 132096 bytes are not readable')]);
    expect(memory.views()).toBeLessThan(500);
  });

  it.each([
    { what: 'its first part', hole: { address: 0xe_0000, length: 0x1_0000 } },
    { what: 'its last part', hole: { address: 0xf_8000, length: 0x8000 } },
    { what: 'what precedes it in its KiB', hole: { address: 0xe_0000, length: RSDP_ADDRESS - 0xe_0000 } },
    { what: 'what follows it in its KiB', hole: { address: RSDP_ADDRESS + 0x30, length: 0x10_0000 - RSDP_ADDRESS - 0x30 } },
  ])('is found in a range where $what is not readable', ({ hole }) => {
    const usual = usualMachine();
    const memory: PhysicalMemory = {
      view(address, length) {
        if (address < hole.address + hole.length && hole.address < address + length) throw new RangeError('a hole');
        return usual.view(address, length);
      },
    };
    expect(discover(memory, 0).rsdp.address).toBe(RSDP_ADDRESS);
  });

  it('is searched in 1 MiB of a range at most', () => {
    const memory = createMemory([{ address: 0, length: 0x40_0000 }]);
    memory.put(0x30_0000, rsdp(RSDT_ADDRESS));
    const discovery = discoverAcpi(memory, 0, [{ address: 0, length: 0x40_0000 }]);
    expect(discovery.found).toBe(false);
    expect(discovery.problems[0]?.what).toContain('only its first 1048576 bytes are searched, not all 4194304');
  });

  it('is not searched by swallowing errors that are not about memory', () => {
    const memory: PhysicalMemory = {
      view() {
        throw new TypeError('a mistake of the caller');
      },
    };
    expect(() => discoverAcpi(memory, 0, SEARCH)).toThrow(TypeError);
  });
});

describe('root table', () => {
  it('is the RSDT if the XSDT has a bad checksum', () => {
    const memory = usualMachine();
    corrupt(memory, XSDT_ADDRESS + HEADER.OEM_ID);
    const { tables, madt: used, problems } = discover(memory);
    expect(tables.slice(0, 2)).toMatchObject([
      { signature: 'XSDT', checksumValid: false },
      { signature: 'RSDT', checksumValid: true },
    ]);
    expect(used).toBeDefined();
    expect(problems).toMatchObject([
      { table: 'XSDT', address: XSDT_ADDRESS, what: expect.stringContaining('checksum: its 60 bytes add up to') },
    ]);
  });

  it('is the RSDT if there is another table in place of the XSDT', () => {
    const memory = usualMachine();
    memory.put(RSDP_ADDRESS, rsdp(RSDT_ADDRESS, slot(2)));
    const { tables, hpet: used, problems } = discover(memory);
    expect(tables.map((entry) => entry.signature)).toEqual(['HPET', 'RSDT', 'APIC', 'FACP', 'HPET']);
    expect(used).toBeDefined();
    expect(problems).toMatchObject([
      { table: 'XSDT', address: slot(2), what: expect.stringContaining('signature "HPET", expected "XSDT"') },
    ]);
  });

  it('is the RSDT if the XSDT is not in memory', () => {
    const memory = usualMachine();
    memory.put(RSDP_ADDRESS, rsdp(RSDT_ADDRESS, 2 ** 40));
    const { tables, problems } = discover(memory);
    expect(tables[0]?.signature).toBe('RSDT');
    expect(problems).toMatchObject([
      { table: 'XSDT', address: 2 ** 40, what: expect.stringContaining('its header of 36 bytes is not memory') },
    ]);
  });

  it('missing leaves an RSDP without tables', () => {
    const memory = createMemory();
    memory.put(RSDP_ADDRESS, rsdp(0x10_0000, 0));
    const { tables, problems } = discover(memory);
    expect(tables).toEqual([]);
    expect(problems).toMatchObject([
      { table: 'RSDT', address: 0x10_0000 },
      { table: 'RSDP', address: RSDP_ADDRESS, what: expect.stringContaining('no root table to be used') },
    ]);
  });

  it('with half an entry at its end is used without that half', () => {
    const memory = usualMachine();
    memory.put(XSDT_ADDRESS, table('XSDT', [...u64(slot(0)), ...u32(slot(1))]));
    const { tables, problems } = discover(memory);
    expect(tables.map((entry) => entry.signature)).toEqual(['XSDT', 'APIC']);
    expect(problems).toMatchObject([
      { table: 'XSDT', what: expect.stringContaining('12 bytes of entries, expected a multiple of 8; the last 4 are not used') },
    ]);
  });

  it('may point beyond memory, which is reported, and the other tables are used', () => {
    const memory = usualMachine();
    memory.put(XSDT_ADDRESS, xsdt([0x40_0000_0000, slot(2)]));
    const { tables, hpet: used, problems } = discover(memory);
    expect(tables).toHaveLength(2);
    expect(used).toBeDefined();
    expect(problems).toEqual([
      {
        table: 'ACPI',
        address: 0x40_0000_0000,
        what: 'table at 0x4000000000: its header of 36 bytes is not memory (view: 36 bytes at 0x4000000000 are not memory)',
      },
    ]);
  });

  it.each([
    { entry: 0n, seen: '0x0' },
    { entry: 2n ** 53n, seen: '0x20000000000000' },
    { entry: 2n ** 64n - 1n, seen: '0xffffffffffffffff' },
  ])('with the entry $seen is reported where that entry is', ({ entry, seen }) => {
    const memory = usualMachine();
    memory.put(XSDT_ADDRESS, xsdt([slot(2), entry]));
    const { hpet: used, problems } = discover(memory);
    expect(used).toBeDefined();
    expect(problems).toEqual([
      {
        table: 'XSDT',
        address: XSDT_ADDRESS + HEADER.SIZE + 8,
        what: `XSDT at 0x7fe0200: entry 1 is ${seen}, expected an address from 1 to 2^53 - 1`,
      },
    ]);
  });

  it('that points to itself is not followed', () => {
    const memory = usualMachine();
    memory.put(XSDT_ADDRESS, xsdt([XSDT_ADDRESS, slot(2)]));
    const { tables, problems } = discover(memory);
    expect(tables.map((entry) => entry.signature)).toEqual(['XSDT', 'HPET']);
    expect(problems).toMatchObject([
      { table: 'XSDT', address: XSDT_ADDRESS, what: expect.stringContaining('entry 0 points to the XSDT itself') },
    ]);
  });

  it('that points to another root table, which points back, does not follow it', () => {
    const memory = usualMachine();
    memory.put(RSDT_ADDRESS, rsdt([XSDT_ADDRESS]));
    memory.put(XSDT_ADDRESS, xsdt([RSDT_ADDRESS, slot(2)]));
    const { tables, problems } = discover(memory);
    expect(tables.map((entry) => entry.signature)).toEqual(['XSDT', 'RSDT', 'HPET']);
    expect(problems).toMatchObject([
      { table: 'RSDT', address: RSDT_ADDRESS, what: expect.stringContaining('listed by the XSDT, expected no root table') },
    ]);
  });

  it('that lists one table twice has it read once', () => {
    const memory = usualMachine();
    memory.put(XSDT_ADDRESS, xsdt([slot(2), slot(2)]));
    const { tables, problems } = discover(memory);
    expect(tables.map((entry) => entry.signature)).toEqual(['XSDT', 'HPET']);
    expect(problems).toMatchObject([
      { table: 'XSDT', what: expect.stringContaining('entry 1 points to 0x7fe0c00 as an earlier one does') },
    ]);
  });

  it('with too many entries is followed for the first ones', () => {
    const region = { address: 0x100_0000, length: 0x10_0000 };
    const memory = createMemory([BIOS, region]);
    const count = ACPI_LIMITS.TABLES + 10;
    const addresses = Array.from({ length: count }, (_, index) => region.address + 0x1_0000 + index * 64);
    for (const address of addresses) memory.put(address, table('SSDT', zeros(8)));
    memory.put(region.address, rsdt(addresses));
    memory.put(RSDP_ADDRESS, rsdp(region.address));
    const { tables, problems } = discover(memory);
    expect(tables).toHaveLength(1 + ACPI_LIMITS.TABLES);
    expect(problems).toMatchObject([{ table: 'RSDT', what: expect.stringContaining('266 entries, expected at most 256') }]);
  });

  it('with very many wrong entries makes a bounded list of problems', () => {
    const memory = usualMachine();
    memory.put(RSDP_ADDRESS, rsdp(slot(4)));
    memory.put(slot(4), rsdt(zeros(200)));
    const { problems } = discover(memory);
    expect(problems).toHaveLength(ACPI_LIMITS.PROBLEMS + 1);
    expect(problems.at(-1)).toEqual({ table: 'ACPI', address: 0, what: '136 more problems, not told one by one' });
  });
});

describe('any table', () => {
  it.each([
    { name: 'MADT', signature: 'APIC', field: 'madt', index: 0 },
    { name: 'FADT', signature: 'FACP', field: 'fadt', index: 1 },
    { name: 'HPET', signature: 'HPET', field: 'hpet', index: 2 },
  ] as const)('with a bad checksum is listed, reported by name and not used: $name', ({ name, signature, field, index }) => {
    const memory = usualMachine();
    corrupt(memory, slot(index) + HEADER.OEM_ID);
    const discovery = discover(memory);
    expect(discovery.tables[index + 1]).toMatchObject({ signature, address: slot(index), checksumValid: false });
    expect(discovery).not.toHaveProperty(field);
    expect(discovery.problems).toEqual([
      {
        table: name,
        address: slot(index),
        what: expect.stringMatching(new RegExp(`^${name} at 0x[0-9a-f]+: checksum: its \\d+ bytes add up to 0x[4c]0, expected 0x0$`)),
      },
    ]);
  });

  it.each([0, 35, ACPI_LIMITS.TABLE_LENGTH + 1, 0xffff_ffff])('of length %i is listed, reported and not used', (length) => {
    const { tables, hpet: used, problems } = discoverTables(table('HPET', zeros(20), 1, length));
    expect(tables[1]).toMatchObject({ signature: 'HPET', length, checksumValid: false });
    expect(used).toBeUndefined();
    expect(problems).toMatchObject([
      { table: 'HPET', address: slot(0), what: expect.stringContaining(`length ${length}, expected 36 to 1048576`) },
    ]);
  });

  it('that ends beyond memory is listed, reported and not used', () => {
    const { tables, problems } = discoverTables(table('HPET', zeros(20), 1, 0x8000));
    expect(tables[1]).toMatchObject({ signature: 'HPET', checksumValid: false });
    expect(problems).toMatchObject([{ table: 'HPET', what: expect.stringContaining('not all of its 32768 bytes are memory') }]);
  });

  it('that overlaps another one is not used', () => {
    const memory = usualMachine();
    // The table around it is valid with another one inside.
    memory.put(slot(0), table('SSDT', [...zeros(64), ...hpet()]));
    memory.put(XSDT_ADDRESS, xsdt([slot(0), slot(0) + HEADER.SIZE + 64]));
    const { tables, hpet: used, problems } = discover(memory);
    expect(tables[2]).toMatchObject({ signature: 'HPET', checksumValid: true });
    expect(used).toBeUndefined();
    expect(problems).toMatchObject([
      { table: 'HPET', what: expect.stringContaining("its 56 bytes overlap the SSDT's 156 at 0x7fe0400, expected tables apart") },
    ]);
  });

  it('of no signature we know is listed only', () => {
    const { tables, problems } = discoverTables(table('WAET', zeros(4)));
    expect(tables[1]).toMatchObject({ signature: 'WAET', checksumValid: true });
    expect(problems).toEqual([]);
  });

  it('is known by its signature, not by its name', () => {
    expect(discoverTables(table('MADT', zeros(8)), table('FADT', zeros(100)))).not.toHaveProperty('madt');
  });

  it('shows what is not printable in its signature as "?"', () => {
    expect(discoverTables(table('A\n\x80~', [])).tables[1]?.signature).toBe('A??~');
  });

  it('counts towards a limit of bytes to add up', () => {
    const length = ACPI_LIMITS.TABLE_LENGTH;
    const big = { address: 0x1000_0000, length: 9 * length };
    const memory = createMemory([BIOS, TABLES, big]);
    const addresses = Array.from({ length: 9 }, (_, index) => big.address + index * length);
    for (const address of addresses) memory.put(address, table('SSDT', [], 1, length));
    memory.put(RSDT_ADDRESS, rsdt(addresses));
    memory.put(RSDP_ADDRESS, rsdp(RSDT_ADDRESS));
    const { tables, problems } = discover(memory);
    expect(tables.filter((entry) => entry.signature === 'SSDT' && entry.checksumValid)).toHaveLength(7);
    expect(problems[0]?.what).toMatch(/length 1048576 after \d+ bytes of other tables, expected at most 8388608 in all; not verified/);
  });

  it.each([
    {
      name: 'MADT',
      tables: [madt([ioApic(1, 0xfec0_0000, 0)]), madt([ioApic(2, 0xfec0_0000, 0)])],
      used: { madt: { ioApics: [{ id: 1 }] } },
    },
    { name: 'FADT', tables: [fadt({ port: 0x608 }), fadt({ port: 0xb008 })], used: { fadt: { pmTimerPort: 0x608 } } },
  ])('that should be the only one: of two the first is used, $name', ({ name, tables, used }) => {
    const discovery = discoverTables(...tables);
    expect(discovery).toMatchObject(used);
    expect(discovery.tables).toHaveLength(3);
    expect(discovery.problems).toMatchObject([
      { table: name, address: slot(1), what: expect.stringContaining('a second one, expected one') },
    ]);
  });

  it('of the HPETs, which may be several: the first is used, and that is no problem', () => {
    const discovery = discoverTables(hpet(0xfed0_0000, 0, 0), hpet(0xfed0_1000, 0, 1));
    expect(discovery.hpet).toMatchObject({ hpetNumber: 0 });
    expect(discovery.tables).toHaveLength(3);
    expect(discovery.problems).toEqual([]);
  });

  it('is the first valid one if an earlier one has a bad checksum', () => {
    const memory = machine([madt([ioApic(1, 0xfec0_0000, 0)]), madt([ioApic(2, 0xfec0_0000, 0)])]);
    corrupt(memory, slot(0) + HEADER.OEM_ID);
    expect(discover(memory).madt).toMatchObject({ ioApics: [{ id: 2 }] });
  });

  it('is the first valid one if an earlier one can not be used for what it says', () => {
    expect(discoverTables(hpet(0), hpet(0xfed0_1000)).hpet).toMatchObject({ baseAddress: 0xfed0_1000 });
  });
});

describe('MADT', () => {
  const read = (...entries: readonly (readonly number[])[]): AcpiTables => discoverTables(madt(entries));

  it('tells the local APIC address', () => {
    expect(read().madt?.localApicAddress).toBe(0xfee0_0000);
  });

  it('tells the 64-bit local APIC address in place of it', () => {
    expect(read(addressOverride(0x12_fee0_0000)).madt?.localApicAddress).toBe(0x12_fee0_0000);
  });

  it.each([
    { address: 0n, seen: '0x0' },
    { address: 2n ** 53n, seen: '0x20000000000000' },
  ])('keeps the 32-bit address if the 64-bit one is $seen', ({ address, seen }) => {
    const { madt: used, problems } = read(addressOverride(address));
    expect(used?.localApicAddress).toBe(0xfee0_0000);
    expect(problems).toMatchObject([{ table: 'MADT', what: expect.stringContaining(`local APIC address ${seen}, expected one from 1`) }]);
  });

  it('uses the first of two 64-bit addresses', () => {
    const { madt: used, problems } = read(addressOverride(0x1000), addressOverride(0x2000));
    expect(used?.localApicAddress).toBe(0x1000);
    expect(problems).toMatchObject([{ table: 'MADT', what: expect.stringContaining('a second local APIC address 0x2000') }]);
  });

  it('reports a local APIC address of 0', () => {
    const { problems } = discoverTables(table('APIC', zeros(8)));
    expect(problems).toMatchObject([{ table: 'MADT', what: expect.stringContaining('local APIC address 0x0') }]);
  });

  it.each([
    { flags: 1, is: true },
    { flags: 0, is: false },
  ])('tells PCAT_COMPAT $flags', ({ flags, is }) => {
    expect(discoverTables(madt([], flags)).madt?.isPcatCompatible).toBe(is);
  });

  it('tells the processors, enabled or not', () => {
    expect(read(localApic(0, 4, 1), localApic(1, 6, 0), localApic(2, 8, 2)).madt?.processors).toEqual([
      { uid: 0, apicId: 4, isEnabled: true, isOnlineCapable: false },
      { uid: 1, apicId: 6, isEnabled: false, isOnlineCapable: false },
      { uid: 2, apicId: 8, isEnabled: false, isOnlineCapable: true },
    ]);
  });

  it('tells the I/O APICs', () => {
    expect(read(ioApic(2, 0xfec0_0000, 0), ioApic(3, 0xfec1_0000, 24)).madt?.ioApics).toEqual([
      { id: 2, address: 0xfec0_0000, gsiBase: 0 },
      { id: 3, address: 0xfec1_0000, gsiBase: 24 },
    ]);
  });

  it('reports an I/O APIC at address 0 and does not use it', () => {
    const { madt: used, problems } = read(ioApic(2, 0, 0));
    expect(used?.ioApics).toEqual([]);
    expect(problems).toMatchObject([{ table: 'MADT', what: expect.stringContaining('I/O APIC 2 has address 0x0') }]);
  });

  it.each([
    { flags: 0b0000, polarity: 'conforms', trigger: 'conforms' },
    { flags: 0b0101, polarity: 'high', trigger: 'edge' },
    { flags: 0b0111, polarity: 'low', trigger: 'edge' },
    { flags: 0b1101, polarity: 'high', trigger: 'level' },
    { flags: 0b1111, polarity: 'low', trigger: 'level' },
    { flags: 0xfff0, polarity: 'conforms', trigger: 'conforms' },
  ])('tells source overrides: flags $flags are $polarity, $trigger', ({ flags, polarity, trigger }) => {
    const { madt: used, problems } = read(sourceOverride(0, 2, flags));
    expect(used?.sourceOverrides).toEqual([{ irq: 0, gsi: 2, polarity, trigger }]);
    expect(problems).toEqual([]);
  });

  it.each([
    { flags: 0b1110, what: 'reserved polarity', polarity: 'conforms', trigger: 'level' },
    { flags: 0b1001, what: 'reserved trigger mode', polarity: 'high', trigger: 'conforms' },
  ])('takes a $what for "conforms", and reports it', ({ flags, what, polarity, trigger }) => {
    const { madt: used, problems } = read(sourceOverride(0, 2, flags));
    expect(used?.sourceOverrides).toEqual([{ irq: 0, gsi: 2, polarity, trigger }]);
    expect(problems).toMatchObject([{ table: 'MADT', what: expect.stringContaining(what) }]);
  });

  it.each([
    { entry: sourceOverride(0, 2, 0, 1), what: 'bus 1, expected 0 (ISA)' },
    { entry: sourceOverride(16, 2, 0), what: 'ISA IRQ 16, expected 0 to 15' },
  ])('does not use a source override of $what', ({ entry, what }) => {
    const { madt: used, problems } = read(entry);
    expect(used?.sourceOverrides).toEqual([]);
    expect(problems).toMatchObject([{ table: 'MADT', what: expect.stringContaining(what) }]);
  });

  it('uses the first of two source overrides of one IRQ', () => {
    const { madt: used, problems } = read(sourceOverride(0, 2, 0), sourceOverride(0, 3, 0));
    expect(used?.sourceOverrides).toMatchObject([{ irq: 0, gsi: 2 }]);
    expect(problems).toMatchObject([{ table: 'MADT', what: expect.stringContaining('a second override of ISA IRQ 0') }]);
  });

  it('tells local APIC NMIs, of one processor or all', () => {
    expect(read(localApicNmi(0xff, 0, 1), localApicNmi(3, 5, 0)).madt?.localApicNmis).toEqual([
      { processorUid: 'all', lint: 1, polarity: 'conforms', trigger: 'conforms' },
      { processorUid: 3, lint: 0, polarity: 'high', trigger: 'edge' },
    ]);
  });

  it('does not use a local APIC NMI of an input that there is not', () => {
    const { madt: used, problems } = read(localApicNmi(0xff, 0, 2));
    expect(used?.localApicNmis).toEqual([]);
    expect(problems).toMatchObject([{ table: 'MADT', what: expect.stringContaining('local interrupt input 2, expected 0 or 1') }]);
  });

  it('counts entries of other types and reads on after them', () => {
    const { madt: used, problems } = read(x2Apic, [0x80, 2], ioApic(2, 0xfec0_0000, 0));
    expect(used?.skippedEntries).toBe(2);
    expect(used?.ioApics).toHaveLength(1);
    expect(problems).toEqual([]);
  });

  it.each([0, 1])('ends at an entry of length %i, and what was read before it is used', (length) => {
    const { madt: used, problems } = read(localApic(0, 0, 1), [MADT_TYPE.IO_APIC, length, ...zeros(10)], localApic(1, 1, 1));
    expect(used?.processors).toHaveLength(1);
    expect(problems).toEqual([
      {
        table: 'MADT',
        address: slot(0),
        what: `MADT at 0x7fe0400: entry of type 1 at offset 52: length ${length}, expected at least 2; no entry is read from here on`,
      },
    ]);
  });

  it('ends at an entry that is longer than what is left of the table', () => {
    const { madt: used, problems } = read(localApic(0, 0, 1), ioApic(2, 0xfec0_0000, 0).slice(0, 8));
    expect(used).toMatchObject({ processors: [{ apicId: 0 }], ioApics: [] });
    expect(problems).toMatchObject([
      { table: 'MADT', what: expect.stringContaining('length 12, expected at most the 8 bytes left in the table') },
    ]);
  });

  it('ends at a single byte', () => {
    const { madt: used, problems } = read(localApic(0, 0, 1), [MADT_TYPE.IO_APIC]);
    expect(used?.processors).toHaveLength(1);
    expect(problems).toMatchObject([{ table: 'MADT', what: expect.stringContaining('entry at offset 52: 1 byte left in the table') }]);
  });

  it('reads on after an entry that is shorter than its type', () => {
    const { madt: used, problems } = read([MADT_TYPE.IO_APIC, 8, ...zeros(6)], localApic(1, 1, 1));
    expect(used).toMatchObject({ ioApics: [], processors: [{ apicId: 1 }] });
    expect(problems).toMatchObject([
      { table: 'MADT', what: expect.stringContaining('entry of type 1 at offset 44: length 8, expected 12') },
    ]);
  });

  it('reads an entry that a later edition made longer', () => {
    const longer = [...localApic(1, 1, 1), 0, 0];
    longer[1] = 10;
    const { madt: used, problems } = read(longer, localApic(2, 2, 1));
    expect(used?.processors.map((processor) => processor.apicId)).toEqual([1, 2]);
    expect(problems).toEqual([]);
  });

  it('too short for its own fields is not used', () => {
    const { madt: used, problems } = discoverTables(table('APIC', zeros(7)));
    expect(used).toBeUndefined();
    expect(problems).toMatchObject([{ table: 'MADT', what: expect.stringContaining(`length 43, expected at least ${MADT.ENTRIES}`) }]);
  });
});

describe('FADT', () => {
  it('tells what it has about time', () => {
    expect(discoverTables(fadt()).fadt).toEqual({
      sciInterrupt: 9,
      pmTimerPort: 0x608,
      pmTimerLength: 4,
      pmTimerIs32Bit: false,
      centuryIndex: 0x32,
      bootArchitecture: { hasLegacyDevices: true, has8042: true, hasCmosRtc: true },
    });
  });

  it('tells a 32-bit PM timer', () => {
    expect(discoverTables(fadt({ flags: FADT_FLAGS.TMR_VAL_EXT })).fadt?.pmTimerIs32Bit).toBe(true);
  });

  it('tells that there is no PM timer', () => {
    const { fadt: used, problems } = discoverTables(fadt({ port: 0, timerLength: 0 }));
    expect(used).toMatchObject({ pmTimerPort: 0, pmTimerLength: 0 });
    expect(problems).toEqual([]);
  });

  it.each([
    { fields: { timerLength: 0 }, what: 'PM_TMR_LEN is 0 for port 0x608, expected 4' },
    { fields: { port: 0xfffd }, what: 'PM_TMR_BLK is port 0xfffd, expected at most 0xfffc' },
    { fields: { port: 0xffff_fffc }, what: 'PM_TMR_BLK is port 0xfffffffc' },
  ])('has no PM timer to be used if $what', ({ fields, what }) => {
    const { fadt: used, problems } = discoverTables(fadt(fields));
    expect(used).toMatchObject({ pmTimerPort: 0, pmTimerLength: 0, sciInterrupt: 9 });
    expect(problems).toMatchObject([{ table: 'FADT', address: slot(0), what: expect.stringContaining(what) }]);
  });

  it('tells the extended PM timer address', () => {
    const { fadt: used, problems } = discoverTables(fadt({ xTimer: { space: ADDRESS_SPACE_IO, address: 0x608 } }));
    expect(used?.xPmTimer).toEqual({ addressSpace: ADDRESS_SPACE_IO, bitWidth: 32, bitOffset: 0, accessSize: 3, address: 0x608 });
    expect(problems).toEqual([]);
  });

  it('tells an extended PM timer address in memory', () => {
    const { fadt: used, problems } = discoverTables(fadt({ xTimer: { space: ADDRESS_SPACE_MEMORY, address: 0x10_fe00_0000 } }));
    expect(used?.xPmTimer).toMatchObject({ addressSpace: ADDRESS_SPACE_MEMORY, address: 0x10_fe00_0000 });
    expect(problems).toEqual([]);
  });

  it('reports two ports that differ, and tells both', () => {
    const { fadt: used, problems } = discoverTables(fadt({ xTimer: { space: ADDRESS_SPACE_IO, address: 0xb008 } }));
    expect(used).toMatchObject({ pmTimerPort: 0x608, xPmTimer: { address: 0xb008 } });
    expect(problems).toMatchObject([
      { table: 'FADT', what: expect.stringContaining('X_PM_TMR_BLK is port 0xb008 and PM_TMR_BLK port 0x608') },
    ]);
  });

  it.each([
    { space: ADDRESS_SPACE_IO, address: 0x1_0608n, what: '0x10608 in address space 1, expected at most 0xfffc' },
    { space: ADDRESS_SPACE_MEMORY, address: 2n ** 60n, what: '0x1000000000000000 in address space 0, expected at most 0x1fffffffffffff' },
  ])('does not use an extended PM timer at $what', ({ space, address, what }) => {
    const { fadt: used, problems } = discoverTables(fadt({ xTimer: { space, address } }));
    expect(used).toBeDefined();
    expect(used).not.toHaveProperty('xPmTimer');
    expect(problems).toMatchObject([{ table: 'FADT', what: expect.stringContaining(what) }]);
  });

  it('has no extended PM timer if it ends before the end of that field', () => {
    const length = FADT.X_PM_TMR_BLK + GENERIC_ADDRESS.LENGTH - 1;
    const { fadt: used, problems } = discoverTables(fadt({ xTimer: { space: ADDRESS_SPACE_IO, address: 0x608 }, length }));
    expect(used).toBeDefined();
    expect(used).not.toHaveProperty('xPmTimer');
    expect(problems).toEqual([]);
  });

  it('tells that there is no century byte', () => {
    const { fadt: used, problems } = discoverTables(fadt({ century: 0 }));
    expect(used?.centuryIndex).toBe(0);
    expect(problems).toEqual([]);
  });

  it('does not use a century index that CMOS has not', () => {
    const { fadt: used, problems } = discoverTables(fadt({ century: 128 }));
    expect(used?.centuryIndex).toBe(0);
    expect(problems).toMatchObject([{ table: 'FADT', what: expect.stringContaining('CENTURY is CMOS index 128, expected at most 127') }]);
  });

  it.each([
    { bootFlags: IAPC_BOOT_ARCH.LEGACY_DEVICES, is: { hasLegacyDevices: true, has8042: false, hasCmosRtc: true } },
    { bootFlags: IAPC_BOOT_ARCH.HAS_8042, is: { hasLegacyDevices: false, has8042: true, hasCmosRtc: true } },
    { bootFlags: IAPC_BOOT_ARCH.CMOS_RTC_NOT_PRESENT, is: { hasLegacyDevices: false, has8042: false, hasCmosRtc: false } },
  ])('tells the boot architecture flags $bootFlags', ({ bootFlags, is }) => {
    expect(discoverTables(fadt({ bootFlags })).fadt?.bootArchitecture).toEqual(is);
  });

  it('of ACPI 1.0 has neither boot flags nor extended PM timer', () => {
    const { fadt: used, problems } = discoverTables(fadt({ revision: 1, length: 116 }));
    expect(used).toEqual({ sciInterrupt: 9, pmTimerPort: 0x608, pmTimerLength: 4, pmTimerIs32Bit: false, centuryIndex: 0x32 });
    expect(problems).toEqual([]);
  });

  it('shorter than that is not used', () => {
    const { fadt: used, problems } = discoverTables(fadt({ length: 115 }));
    expect(used).toBeUndefined();
    expect(problems).toMatchObject([{ table: 'FADT', what: expect.stringContaining('length 115, expected at least 116') }]);
  });
});

describe('HPET', () => {
  it('tells where it is and what it can', () => {
    expect(discoverTables(hpet(0xfed0_0000, ADDRESS_SPACE_MEMORY, 3)).hpet).toEqual({
      eventTimerBlockId: 0x8086_a201,
      addressSpace: ADDRESS_SPACE_MEMORY,
      baseAddress: 0xfed0_0000,
      hpetNumber: 3,
      minimumTick: 100,
    });
  });

  it.each([
    { bytes: hpet(0xfed0, ADDRESS_SPACE_IO), what: 'base address in address space 1, expected 0 (system memory)' },
    { bytes: hpet(0), what: 'base address 0x0, expected one from 1 to 2^53 - 1' },
    { bytes: hpet(2n ** 63n), what: 'base address 0x8000000000000000, expected one' },
    { bytes: table('HPET', zeros(HPET_TABLE.LENGTH - HEADER.SIZE - 1)), what: 'length 55, expected at least 56' },
  ])('is not used with $what', ({ bytes, what }) => {
    const { hpet: used, tables, problems } = discoverTables(bytes);
    expect(used).toBeUndefined();
    expect(tables[1]).toMatchObject({ signature: 'HPET', checksumValid: true });
    expect(problems).toMatchObject([{ table: 'HPET', address: slot(0), what: expect.stringContaining(what) }]);
  });
});

// Damage at random: whatever the bytes, there is an answer, after a bounded number of looks at memory.

/** Mulberry32: numbers from 0 to `limit` - 1, the same ones for the same seed. */
function createRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

function expectSound(discovery: AcpiDiscovery, note: string): void {
  const sound =
    discovery.problems.length <= ACPI_LIMITS.PROBLEMS + 1 &&
    discovery.problems.every((problem) => problem.table !== '' && problem.what.length > 10 && Number.isSafeInteger(problem.address)) &&
    // JSON has null where a number is none.
    !JSON.stringify(discovery).includes('null');
  // Not an expectation each: thousands of those, with a message made for each, are slow.
  if (!sound) expect.fail(`${note}: ${JSON.stringify(discovery)}`);
}

describe('random damage', () => {
  const RANGES: readonly AddressRange[] = [{ address: RSDP_ADDRESS - 0x40, length: 0x100 }];
  const sizes = [RSDP.LENGTH_V2, 48, 60, 98, 244, 56];
  const starts = [RSDP_ADDRESS, RSDT_ADDRESS, XSDT_ADDRESS, slot(0), slot(1), slot(2)];

  /** Damages 1 to 8 bytes, hands the machine over, repairs it. */
  function damage(seed: number, runs: number, repairChecksums: boolean): { outcomes: Set<string>; mostViews: number } {
    const memory = usualMachine();
    const pristine = starts.map((start, index) => memory.bytes(start, sizes[index] ?? 0).slice());
    const random = createRandom(seed);
    const outcomes = new Set<string>();
    let mostViews = 0;
    for (let run = 0; run < runs; run++) {
      for (let left = 1 + random(8); left > 0; left--) {
        const target = random(starts.length);
        const bytes = memory.bytes(starts[target] ?? 0, sizes[target] ?? 0);
        const offset = random(bytes.length);
        // Small values and all ones are where lengths, types and flags have their edges.
        const values = [random(256), random(4), 0, 0xff, (bytes[offset] ?? 0) ^ (1 << random(8))];
        bytes[offset] = values[random(values.length)] ?? 0;
      }
      if (repairChecksums) {
        fixChecksum(memory.bytes(RSDP_ADDRESS, RSDP.LENGTH_V1), RSDP.CHECKSUM);
        fixChecksum(memory.bytes(RSDP_ADDRESS, RSDP.LENGTH_V2), RSDP.EXTENDED_CHECKSUM);
        for (const start of starts.slice(1)) {
          const header = memory.view(start, HEADER.SIZE);
          const length = Math.min(Math.max(HEADER.SIZE, header.getUint32(HEADER.LENGTH, true)), TABLES.address + TABLES.length - start);
          fixChecksum(memory.bytes(start, length), HEADER.CHECKSUM);
        }
      }
      const before = memory.views();
      const discovery = discoverAcpi(memory, random(2) === 0 ? RSDP_ADDRESS : 0, RANGES);
      mostViews = Math.max(mostViews, memory.views() - before);
      expectSound(discovery, `seed ${seed}, run ${run}`);
      const used = discovery.found ? `${discovery.madt ? 'M' : '-'}${discovery.fadt ? 'F' : '-'}${discovery.hpet ? 'H' : '-'}` : 'none';
      outcomes.add(used);
      starts.forEach((start, index) => memory.put(start, pristine[index] ?? new Uint8Array()));
    }
    return { outcomes, mostViews };
  }

  it('of any bytes is survived', () => {
    const { outcomes, mostViews } = damage(1, 5000, false);
    expect(mostViews).toBeLessThan(100);
    expect([...outcomes]).toEqual(expect.arrayContaining(['MFH', '-FH', 'M-H', 'MF-', 'none']));
  });

  it('of any bytes behind checksums that hold is survived', () => {
    const { outcomes, mostViews } = damage(2, 5000, true);
    expect(mostViews).toBeLessThan(2 * ACPI_LIMITS.TABLES + 100);
    expect([...outcomes]).toEqual(expect.arrayContaining(['MFH', '-FH', 'M-H', 'MF-', 'none']));
  });

  it('of a MADT made of nothing but random entries is survived', () => {
    const random = createRandom(3);
    const memory = machine([new Uint8Array(0x400)]);
    for (let run = 0; run < 3000; run++) {
      const body = Array.from({ length: 8 + random(300) }, () => (random(3) === 0 ? random(256) : random(13)));
      memory.put(slot(0), table('APIC', body));
      expectSound(discoverAcpi(memory, RSDP_ADDRESS, []), `run ${run}`);
    }
  });
});
