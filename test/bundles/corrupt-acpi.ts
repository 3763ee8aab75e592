/** The kernel on a machine whose firmware got a table wrong: a byte of it is changed before the kernel looks. */
import { discoverAcpi } from '../../kernel/acpi/tables.ts';
import * as demonstration from '../../kernel/demonstration/demonstration.ts';
import type { Shims } from '../../kernel/hw/shims.ts';
import { main as kernelMain } from '../../kernel/main.ts';

/** Word of the command line, before the kernel's own: the signature of the table. */
export function main(shims: Shims): void {
  const [signature, ...rest] = shims.commandLine().split(' ');
  const view = (address: number, length: number): DataView => new DataView(shims.physicalView(address, length));
  const acpi = discoverAcpi({ view }, shims.rsdpAddress(), []);
  const table = acpi.found ? acpi.tables.find((entry) => entry.signature === signature) : undefined;
  if (!table) throw new Error(`there is no table ${signature} to spoil`);
  const bytes = view(table.address, table.length);
  const last = table.length - 1;
  bytes.setUint8(last, bytes.getUint8(last) ^ 0x40);
  // A bundle of its own carries no other programs: the demonstration is part of it.
  kernelMain({ ...shims, commandLine: () => rest.join(' '), loadProgram: () => demonstration });
}
