/** Firmware tables that are wrong, on a machine that boots with them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { boot } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';

const folder = mkdtempSync(join(tmpdir(), 'chronovisor-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** ACPI 6.4, "System Description Table Header", with the body given. */
function table(signature: string, body: Buffer): Buffer {
  const bytes = Buffer.alloc(36 + body.length);
  bytes.write(signature, 0, 'latin1');
  bytes.writeUInt32LE(bytes.length, 4);
  bytes[8] = 1;
  bytes.write('CHRONO', 10, 'latin1');
  body.copy(bytes, 36);
  bytes[9] = (0x100 - (bytes.reduce((sum, byte) => sum + byte, 0) & 0xff)) & 0xff;
  return bytes;
}

/** "The ACPI 2.0 HPET Description Table", for an HPET at `address`. */
function hpetTable(address: number): Buffer {
  const body = Buffer.alloc(20);
  body.writeUInt32LE(0x8086_a201, 0);
  body.writeBigUInt64LE(BigInt(address), 8);
  return table('HPET', body);
}

function acpiTable(name: string, bytes: Buffer): string[] {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return ['-acpitable', `file=${path}`];
}

it.each([
  ['HPET', ['hpet']],
  ['APIC', ['ioapic']],
  ['FACP', ['pm-timer']],
] as const)('a %s table with a wrong checksum is named and not used', async (signature, devices) => {
  const run = await boot({ bundle: 'test/bundles/corrupt-acpi.ts', append: `${signature} count=20` });
  expect(run).toHold();
  expect(run.of('machine.acpi', ({ table }) => table === signature).map(({ fields }) => fields.checksum)).toEqual(['wrong']);
  expect(
    run
      .of('machine.acpi-problem')
      .map(({ fields }) => fields.what)
      .join(),
  ).toMatch(/checksum/);
  expect(run.of('machine.absent').map(({ fields }) => fields.device)).toEqual(devices);
  // What is left is enough for the other timers.
  expect(run.of('timer.interval').length).toBeGreaterThanOrEqual(2);
});

it('an HPET that ACPI names but that is not there is reported absent', async () => {
  const run = await boot({ hpet: false, extra: acpiTable('nowhere', hpetTable(0xfed0_0000)), append: 'run=nothing', name: 'acpi-nowhere' });
  expect(run).toHold();
  const [absent] = run.of('machine.absent', ({ device }) => device === 'hpet');
  expect(absent?.fields.reason).toContain('0xfed00000');
});

it('an HPET that ACPI puts into RAM is reported absent', async () => {
  const run = await boot({ hpet: false, extra: acpiTable('ram', hpetTable(0x20_0000)), append: 'run=nothing', name: 'acpi-ram' });
  expect(run).toHold();
  expect(run.of('machine.absent', ({ device }) => device === 'hpet')).toHaveLength(1);
});
