import { describe, expect, it } from 'vitest';
import { VMCB } from '../regs/vmcb.ts';
import { createFakePartition } from '../testing/partition.ts';
import { AREA } from '../vm/guest-area.ts';
import { ELEMENTS_MAX, movePortString } from './port-string.ts';

const PORT = 0x3f8;
const AT = 0x4000;

/** 32-bit code, flat segments, a device that shows 0, 1, 2, ... and remembers what it got. */
function create(code: readonly number[]) {
  const partition = createFakePartition({ entry: { mode: 'protected', entry: AT } });
  const { area, vmcb } = partition.vcpu;
  partition.memory.bytes.set(code, AT);
  const written: string[] = [];
  let shown = 0;
  const platform = {
    in: () => shown++,
    out: (port: number, width: number, value: number) => void written.push(`${port.toString(16)} ${width} ${value.toString(16)}`),
  };
  return {
    area,
    vmcb,
    bytes: partition.memory.bytes,
    written,
    move: (width: 1 | 2 | 4, isIn: boolean, isRepeated: boolean) => movePortString(partition, platform, PORT, width, isIn, isRepeated),
  };
}

describe('OUTS', () => {
  it('writes an element of memory, the lowest byte first, and moves the index', () => {
    const { area, bytes, written, move } = create([0x6f]);
    bytes.set([0x78, 0x56, 0x34, 0x92], 0x100);
    area[AREA.RSI] = 0x100n;
    expect(move(4, false, false)).toBe('over');
    expect(written).toEqual(['3f8 4 92345678']);
    expect(area[AREA.RSI]).toBe(0x104n);
  });

  it('with REP goes on until the count is 0, downwards if DF is set', () => {
    const { area, vmcb, bytes, written, move } = create([0xf3, 0x6e]);
    bytes.set([1, 2, 3], 0x100);
    area[AREA.RSI] = 0x102n;
    area[AREA.RCX] = 3n;
    vmcb[VMCB.RFLAGS >> 3] = 0x402n;
    expect(move(1, false, true)).toBe('over');
    expect(written).toEqual(['3f8 1 3', '3f8 1 2', '3f8 1 1']);
    expect([area[AREA.RSI], area[AREA.RCX]]).toEqual([0xffn, 0n]);
    expect(move(1, false, true)).toBe('over');
    expect(written).toHaveLength(3);
  });

  it('does a part of a long one, and the rest when it is executed again', () => {
    const { area, written, move } = create([0xf3, 0x6e]);
    area[AREA.RSI] = 0x100n;
    area[AREA.RCX] = BigInt(ELEMENTS_MAX + 1);
    expect([move(1, false, true), area[AREA.RCX]]).toEqual(['again', 1n]);
    expect([move(1, false, true), area[AREA.RCX]]).toEqual(['over', 0n]);
    expect(written).toHaveLength(ELEMENTS_MAX + 1);
  });

  it('reads by the segment of its prefix, DS without one', () => {
    for (const [code, expected] of [
      [[0x6e], '3f8 1 11'],
      [[0x64, 0x6e], '3f8 1 22'],
    ] as const) {
      const { area, vmcb, bytes, written, move } = create(code);
      vmcb[(VMCB.DS + 8) >> 3] = 0x1000n;
      vmcb[(VMCB.FS + 8) >> 3] = 0x2000n;
      bytes[0x1010] = 0x11;
      bytes[0x2010] = 0x22;
      area[AREA.RSI] = 0x10n;
      move(1, false, false);
      expect(written).toEqual([expected]);
    }
  });

  it('tells where the guest has no memory, and has done what came before', () => {
    const { area, written, move } = create([0xf3, 0x6e]);
    area[AREA.RSI] = 0xfffen;
    area[AREA.RCX] = 3n;
    expect(move(1, false, true)).toBe(0x1_0000n);
    expect([written.length, area[AREA.RSI], area[AREA.RCX]]).toEqual([2, 0x1_0000n, 1n]);
  });
});

describe('INS', () => {
  it('stores what the port shows by ES, whatever the prefix says', () => {
    const { area, vmcb, bytes, move } = create([0x64, 0xf3, 0x6d]);
    vmcb[(VMCB.ES + 8) >> 3] = 0x1000n;
    area[AREA.RDI] = 0x10n;
    area[AREA.RCX] = 2n;
    bytes.fill(0xff, 0x1010, 0x1014);
    expect(move(2, true, true)).toBe('over');
    expect([...bytes.subarray(0x1010, 0x1014)]).toEqual([0, 0, 1, 0]);
    expect(area[AREA.RDI]).toBe(0x14n);
  });

  it('of 16-bit addresses wraps within them, and leaves the upper halves', () => {
    const { area, move } = create([0x67, 0xf3, 0x6c]);
    area[AREA.RDI] = 0xaaaa_ffffn;
    area[AREA.RCX] = 0xbbbb_0001n;
    expect(move(1, true, true)).toBe('over');
    expect([area[AREA.RDI], area[AREA.RCX]]).toEqual([0xaaaa_0000n, 0xbbbb_0000n]);
  });
});
