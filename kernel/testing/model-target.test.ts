import { describe, expect, it } from 'vitest';
import { instant } from '../time/units.ts';
import { REQUEST } from '../vdev/device.ts';
import { createModelTarget } from './model-target.ts';

describe('the model target', () => {
  it('reads all ones where nothing is, and refuses devices that overlap', () => {
    const target = createModelTarget();
    expect([target.in(0x80, 1), target.in(0x80, 4), target.read(0x1000, 8)]).toEqual([0xff, 0xffff_ffff, 0xffff_ffff_ffff_ffffn]);
    const device = { read: (offset: number) => BigInt(offset), write: () => undefined };
    target.placeMemory(0x1000, 16, device);
    expect(target.read(0x100f, 1)).toBe(15n);
    expect(() => target.placeMemory(0x100f, 1, device)).toThrow(/overlaps/);
  });

  it('takes an edge after the tick that raised it, and says so to the source', () => {
    const target = createModelTarget();
    const line = target.line(4);
    let acknowledged = 0;
    const seen: number[] = [];
    target.clock
      .createTimer({
        name: 'x',
        tick: () => {
          const request = line.pulse(() => acknowledged++);
          seen.push(request);
          return request;
        },
      })
      .start({ origin: instant(10n), numerator: 5n, denominator: 1n });
    target.waitUntil(instant(12n));
    expect([seen, target.takeInterrupts()]).toEqual([[REQUEST.DROPPED], []]);
    target.watch(4, 'edge');
    target.waitUntil(instant(20n));
    expect([seen.slice(1), acknowledged]).toEqual([[REQUEST.ACCEPTED, REQUEST.ACCEPTED], 2]);
    expect(target.takeInterrupts()).toEqual([
      { line: 4, at: 15n },
      { line: 4, at: 20n },
    ]);
  });

  it('interrupts by a level until both of its sources are low, and says that a handler does not take it away', () => {
    const target = createModelTarget();
    const [first, second] = [target.line(16), target.line(16)];
    first.setLevel(true);
    second.setLevel(true);
    let handled = 0;
    target.watch(16, 'level', () => (++handled === 1 ? first : second).setLevel(false));
    expect(target.takeInterrupts()).toHaveLength(2);
    const other = createModelTarget();
    other.line(16).setLevel(true);
    expect(() => other.watch(16, 'level')).toThrow(/without end/);
  });

  it('makes one interrupt of a level on a line that is watched for edges', () => {
    const target = createModelTarget();
    const line = target.line(8);
    target.watch(8, 'edge');
    line.setLevel(true);
    target.in(0, 1);
    target.in(0, 1);
    expect(target.takeInterrupts()).toHaveLength(1);
  });
});
