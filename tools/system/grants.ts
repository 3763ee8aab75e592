/** I/O ports that are given to partitions: to one each, and none of the hypervisor's own. */
import { PLATFORM_MEMORY_MIN, PLATFORM_PORTS } from '../../kernel/partition/system.ts';
import type { IoPorts, PartitionFile } from './define.ts';
import { RESERVED_PORTS, RTC_PORTS } from './limits.ts';
import { showPath, type PathPart, type Report } from './problem.ts';

export interface Grant {
  readonly path: readonly PathPart[];
  readonly ports: IoPorts;
}

const PORT_MAX = 0xffff;
const hex = (port: number): string => `${port.toString(16).toUpperCase()}h`;
const range = (first: number, last: number): string => (first === last ? hex(first) : `${hex(first)} to ${hex(last)}`);

export function checkGrants(grants: readonly Grant[], hasRtcInput: boolean, report: Report): void {
  const reserved = hasRtcInput ? [...RESERVED_PORTS, RTC_PORTS] : RESERVED_PORTS;
  grants.forEach(({ path, ports }, index) => {
    const { first } = ports;
    const last = first + (ports.count ?? 1) - 1;
    if (last > PORT_MAX) report(path, `${range(first, last)} goes beyond the last I/O port, ${hex(PORT_MAX)}`);
    for (const own of reserved) {
      if (first <= own.last && last >= own.first)
        report(path, `${range(first, last)} has ports that the hypervisor uses itself: ${range(own.first, own.last)}, ${own.what}`);
    }
    for (const other of grants.slice(0, index)) {
      const from = Math.max(first, other.ports.first);
      const to = Math.min(last, other.ports.first + (other.ports.count ?? 1) - 1);
      if (from <= to) report(path, `${range(from, to)} ${from === to ? 'is' : 'are'} granted twice: also by ${showPath(other.path)}`);
    }
  });
}

/** What a partition with virtual devices can't have besides. */
export function checkPlatform(partition: string, { memory }: PartitionFile<string>, grants: readonly Grant[], report: Report): void {
  if (memory.bytes < PLATFORM_MEMORY_MIN)
    report(['partitions', partition, 'memory'], `${memory.text} leave no room for the ACPI tables of its platform: kib(1024) at least`);
  for (const { path, ports } of grants) {
    const last = ports.first + (ports.count ?? 1) - 1;
    for (const own of Object.values(PLATFORM_PORTS)) {
      const ownLast = own.first + own.count - 1;
      if (ports.first <= ownLast && last >= own.first)
        report(
          path,
          `${range(ports.first, last)} has ports at which the partition's platform has a virtual device: ${range(own.first, ownLast)}`,
        );
    }
  }
}
