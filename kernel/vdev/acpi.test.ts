/** The tables as two others read them: the kernel's own reader, and ACPICA's disassembler. The DSDTs are those of "make build". */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dsdtImage } from '../../tools/paths.ts';
import { discoverAcpi, type AcpiTables } from '../acpi/tables.ts';
import { DSDT_FILES } from '../partition/system.ts';
import { FADT, HEADER, RSDP } from '../regs/acpi.ts';
import { placeAcpiTables, type AcpiPlatform, type PlacedAcpi } from './acpi.ts';

const ADDRESS = 0xe_0000;
const IASL_LIMIT_MS = 20_000;
const dsdtOf = (name: string): Uint8Array => Uint8Array.from(readFileSync(dsdtImage(name)));

const place = (changes: Partial<AcpiPlatform> = {}, address = ADDRESS): PlacedAcpi =>
  placeAcpiTables(address, {
    dsdt: dsdtOf(DSDT_FILES.withHpet),
    hpet: { eventTimerBlockId: 0x8086_a201, minimumTick: 0x80 },
    pmTimerIs32Bit: false,
    localApicId: 0,
    ioApicId: 1,
    ...changes,
  });
function placeWithoutHpet(): PlacedAcpi {
  const { address, bytes } = placeAcpiTables(ADDRESS, {
    dsdt: dsdtOf(DSDT_FILES.withoutHpet),
    pmTimerIs32Bit: false,
    localApicId: 0,
    ioApicId: 1,
  });
  return { address, bytes };
}

/** A guest that has nothing but its tables. */
function discover({ address, bytes }: PlacedAcpi, rsdp = 0): AcpiTables {
  const view = (at: number, length: number): DataView => {
    if (at < address || at + length > address + bytes.length) throw new RangeError('not memory');
    return new DataView(bytes.buffer, at - address, length);
  };
  const found = discoverAcpi({ view }, rsdp, [{ address, length: bytes.length }]);
  if (!found.found) throw new Error('no tables');
  return found;
}

beforeAll(() => {
  for (const name of Object.values(DSDT_FILES))
    if (!existsSync(dsdtImage(name))) throw new Error(`${dsdtImage(name)} is missing: run "make build" first`);
});

describe("the kernel's own reader", () => {
  it('finds them by search and by the pointer, with nothing to complain about', () => {
    for (const rsdp of [0, ADDRESS]) {
      const { tables, problems, rsdp: pointer } = discover(place(), rsdp);
      expect(problems).toEqual([]);
      expect(pointer).toMatchObject({ address: ADDRESS, revision: 2, oemId: 'CHRONO' });
      expect(tables.map(({ signature }) => signature)).toEqual(['XSDT', 'FACP', 'APIC', 'HPET']);
      expect(tables.every(({ checksumValid }) => checksumValid)).toBe(true);
    }
  });

  it('is told of the devices as they are', () => {
    const { madt, fadt, hpet } = discover(place({ localApicId: 3, ioApicId: 5, pmTimerIs32Bit: true }));
    expect(madt).toEqual({
      localApicAddress: 0xfee0_0000,
      isPcatCompatible: true,
      processors: [{ uid: 0, apicId: 3, isEnabled: true, isOnlineCapable: false }],
      ioApics: [{ id: 5, address: 0xfec0_0000, gsiBase: 0 }],
      sourceOverrides: [
        { irq: 0, gsi: 2, polarity: 'conforms', trigger: 'conforms' },
        { irq: 9, gsi: 9, polarity: 'high', trigger: 'level' },
      ],
      localApicNmis: [{ processorUid: 'all', lint: 1, polarity: 'conforms', trigger: 'conforms' }],
      skippedEntries: 0,
    });
    expect(fadt).toEqual({
      sciInterrupt: 9,
      pmTimerPort: 0x608,
      pmTimerLength: 4,
      pmTimerIs32Bit: true,
      xPmTimer: { addressSpace: 1, bitWidth: 32, bitOffset: 0, accessSize: 3, address: 0x608 },
      centuryIndex: 0x32,
      bootArchitecture: { hasLegacyDevices: true, has8042: false, hasCmosRtc: true },
    });
    expect(hpet).toEqual({
      eventTimerBlockId: 0x8086_a201,
      addressSpace: 0,
      baseAddress: 0xfed0_0000,
      hpetNumber: 0,
      minimumTick: 0x80,
    });
  });

  it('finds no HPET where there is none', () => {
    const { tables, hpet, problems } = discover(placeWithoutHpet());
    expect([tables.map(({ signature }) => signature), hpet, problems]).toEqual([['XSDT', 'FACP', 'APIC'], undefined, []]);
  });

  it('reads the RSDT where there is no XSDT', () => {
    const placed = place();
    // As ACPI 1.0 has it: the first checksum holds without the rest.
    placed.bytes[RSDP.REVISION] = 0;
    placed.bytes[RSDP.CHECKSUM]! += 2;
    expect(discover(placed).tables.map(({ signature }) => signature)).toEqual(['RSDT', 'FACP', 'APIC', 'HPET']);
  });
});

it('every table begins at a multiple of 64, and an address that is none, or from which they do not fit, is refused', () => {
  const { tables } = discover(place());
  for (const { address } of tables) expect(address % 64).toBe(0);
  for (const address of [1, 0xe_0010, 0x1_0000_0000 - 64]) expect(() => place({}, address)).toThrow(RangeError);
  expect(place({}, 0x1_0000_0000 - 4096).bytes.length).toBeLessThanOrEqual(4096);
});

describe("ACPICA's disassembler", () => {
  const folder = mkdtempSync(join(tmpdir(), 'acpi test '));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** By signature. The FACS and the DSDT are where the FADT says. */
  function tablesOf(placed: PlacedAcpi): Map<string, Uint8Array> {
    const view = new DataView(placed.bytes.buffer);
    const at = (address: number): Uint8Array => {
      const from = address - placed.address;
      return placed.bytes.subarray(from, from + view.getUint32(from + HEADER.LENGTH, true));
    };
    const found = new Map(discover(placed).tables.map(({ signature, address }) => [signature, at(address)]));
    const fadt = found.get('FACP')!;
    const fadtView = new DataView(fadt.buffer, fadt.byteOffset);
    found.set('FACS', at(fadtView.getUint32(FADT.FIRMWARE_CTRL, true)));
    found.set('DSDT', at(fadtView.getUint32(FADT.DSDT, true)));
    found.set('RSDT', at(view.getUint32(RSDP.RSDT_ADDRESS, true)));
    return found;
  }

  function disassemble(name: string, bytes: Uint8Array): string {
    const table = join(folder, `${name}.dat`);
    writeFileSync(table, bytes);
    const { status, stdout, stderr } = spawnSync('iasl', ['-d', table], { timeout: IASL_LIMIT_MS, encoding: 'utf8' });
    expect({
      status,
      complaints: `${stdout}${stderr}`.split('\n').filter((line) => /error|warning|invalid|incorrect|unknown|bad /i.test(line)),
    }).toEqual({
      status: 0,
      complaints: [],
    });
    return readFileSync(join(folder, `${name}.dsl`), 'utf8');
  }

  it('reads each without complaint', () => {
    const tables = tablesOf(place());
    expect([...tables.keys()].sort()).toEqual(['APIC', 'DSDT', 'FACP', 'FACS', 'HPET', 'RSDT', 'XSDT']);
    for (const [signature, bytes] of tables) {
      const text = disassemble(signature, bytes);
      // So it says where a checksum is not right, or a field has a wrong length.
      expect(text, signature).not.toMatch(/\*\*\*\*|should be|Invalid/);
      expect(text, signature).toContain(`"${signature}"`);
    }
  });

  it('complains about one with a wrong byte', () => {
    const bytes = tablesOf(place()).get('HPET')!.slice();
    bytes[HEADER.SIZE]!++;
    expect(() => disassemble('broken', bytes)).toThrow();
  });

  it('sees what our own reader does not look at', () => {
    const text = disassemble('FACP', tablesOf(place()).get('FACP')!);
    for (const line of [
      /PM1A Event Block Address : 00000600/,
      /PM1A Control Block Address : 00000604/,
      /PM Timer Block Address : 00000608/,
      /SMI Command Port : 00000000/,
      /Reset Register Supported \(V2\) : 1/,
      /Hardware Reduced \(V5\) : 0/,
      /32-bit PM Timer \(V1\) : 0/,
      /Address : 0000000000000CF9/,
      /Value to cause reset : 06/,
    ])
      expect(text).toMatch(line);
  });

  it('finds the devices of the platform in the DSDT, the HPET only where there is one', () => {
    const devices = (placed: PlacedAcpi): string[] =>
      [...disassemble('DSDT', tablesOf(placed).get('DSDT')!).matchAll(/EisaId \("(\w+)"\)/g)].map(([, id]) => id!);
    const others = ['PNP0000', 'PNP0100', 'PNP0800', 'PNP0B00', 'PNP0501'];
    expect(devices(place())).toEqual(['PNP0103', ...others]);
    expect(devices(placeWithoutHpet())).toEqual(others);
    const text = disassemble('DSDT', tablesOf(place()).get('DSDT')!);
    expect(text).toMatch(/0xFED00000,\s+\/\/ Address Base\s+0x00000400,\s+\/\/ Address Length/);
    expect(text).toMatch(/Name \(_S5/);
  });
});
