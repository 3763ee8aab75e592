/** Ports by which a guest's own test drives its interrupt lines, one a GSI, as QEMU's pc-testdev has them: bit 0 of what is written is the level. */
import { bytePorts } from './byte-ports.ts';
import type { InterruptLine, OnMisuse, PortDevice } from './device.ts';

export const LINE_DRIVER_PORT = 0x2000;

/** @param lines by port; where there is none, a write goes nowhere */
export const createLineDriver = (lines: readonly (InterruptLine | undefined)[], onMisuse: OnMisuse): PortDevice =>
  bytePorts(
    'line driver',
    lines.length,
    () => 0xff,
    (offset, value) => lines[offset]?.setLevel((value & 1) !== 0),
    onMisuse,
  );
