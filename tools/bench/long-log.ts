/** A log of a system that ran for long, as its kernel would have written it: for figures and tests that want many records. */
import type { EventDefinition } from '../../kernel/trace/event.ts';
import { EVENTS } from '../../kernel/trace/events.ts';
import { formatLine, HEADER_LINE } from '../../kernel/trace/text.ts';

const EPOCH = 2_000_000_000;
const FRAME = 10_000_000;
const SLOTS = [
  { name: 'controller', start: 0, duration: 3_000_000 },
  { name: 'sensor', start: 3_000_000, duration: 2_000_000 },
  { name: 'display', start: 5_000_000, duration: 5_000_000 },
];

const line = (event: EventDefinition, at: number, values: readonly unknown[]): string => formatLine(event, BigInt(at), 0, values);
const instant = (at: number): bigint => BigInt(EPOCH + at);

/** @param records at least so many; a frame has seven */
export function longLog(records: number): string[] {
  const lines = [HEADER_LINE, line(EVENTS.kernelStart, 5_000_000, ['0.1.0', 'run=system', 2_800_000n])];
  SLOTS.forEach(({ name }, index) => lines.push(line(EVENTS.partitionCreated, 10_000_000 + index, [index, name, 'native', 65_536])));
  lines.push(line(EVENTS.systemStarted, EPOCH - 7_000_000, ['long', instant(0), SLOTS.length, 1]));
  for (let frame = 0; lines.length < records; frame++) {
    const base = frame * FRAME;
    SLOTS.forEach(({ start, duration }, partition) => {
      const nominal = base + start;
      const left = nominal + Math.round(duration * (0.3 + 0.6 * (((frame * 7 + partition * 3) % 11) / 11)));
      const inSlot = nominal + Math.round(duration / 10);
      if (partition === 0) lines.push(line(EVENTS.portOutput, EPOCH + inSlot + 600, [0, 0x80, frame % 2, instant(inSlot)]));
      else lines.push(line(EVENTS.partitionTrace, EPOCH + inSlot, [partition, 1n, BigInt(3_900_000 + ((frame * 37) % 1000))]));
      lines.push(
        line(EVENTS.slotRun, EPOCH + left, [partition, partition, frame, instant(nominal), instant(nominal + (frame % 4)), instant(left)]),
      );
    });
    if (frame % 100 === 50) lines.push(line(EVENTS.healthEvent, EPOCH + base + 9_900_000, [2, 'watchdog', 'warm-reset', `frame ${frame}`]));
    else lines.push(line(EVENTS.log, EPOCH + base + 9_950_000, [`frame ${frame}`]));
  }
  lines.push(line(EVENTS.kernelExit, EPOCH + Math.ceil(records / 7) * FRAME + FRAME, [0x10, 'done']));
  return lines;
}
