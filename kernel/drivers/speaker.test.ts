import { describe, expect, it } from 'vitest';
import { createPorts } from '../hw/ports.ts';
import { PORT_B } from '../regs/system-control-port-b.ts';
import { createFakeBus } from '../testing/bus.ts';
import { probeSpeaker, SPEAKER_PORT } from './speaker.ts';

/** Port B: the low four bits are as written, the others the machine's. */
function createPortB(first: number, isStuck = false) {
  let value = first;
  const device = { read8: () => 0xb0 | value, write8: (_: number, written: number) => void (value = isStuck ? value : written & 0x0f) };
  const bus = createFakeBus({ ports: [{ base: SPEAKER_PORT, length: 1, device }] });
  return { bus, speaker: probeSpeaker(createPorts(bus.shims, SPEAKER_PORT, 1)), value: () => value };
}

describe('the speaker', () => {
  it('is not there where nobody drives the bus, or the bit does not change', () => {
    expect(probeSpeaker(createPorts(createFakeBus({}).shims, SPEAKER_PORT, 1))).toBeUndefined();
    expect(createPortB(0, true).speaker).toBeUndefined();
    expect(createPortB(PORT_B.SPEAKER_DATA, true).speaker).toBeUndefined();
  });

  it.each([0, PORT_B.TIMER_2_GATE | PORT_B.PARITY_CHECK, 0x0f])('is silent at first, and leaves the rest of port %i alone', (first) => {
    const { speaker, value } = createPortB(first);
    const rest = first & ~PORT_B.SPEAKER_DATA;
    expect(value()).toBe(rest);
    speaker!.set(1);
    expect([value(), speaker!.level()]).toEqual([rest | PORT_B.SPEAKER_DATA, 1]);
    speaker!.set(0);
    expect([value(), speaker!.level()]).toEqual([rest, 0]);
  });

  it('is set by one access', () => {
    const { bus, speaker } = createPortB(1);
    bus.takeAccesses();
    speaker!.set(1);
    expect(bus.takeAccesses()).toEqual(['out 61 3']);
  });
});
