/** I/O ports that are given to partitions: to one each, and none of the hypervisor's own. */
import type { IoPorts } from './define.ts';
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
