import { describe, expect, it } from 'vitest';
import { createFakeVcpu } from '../testing/guest.ts';
import { createGuestMemory } from '../vm/guest-memory.ts';
import { resetVcpu } from '../vm/vcpu.ts';
import { createImage, createLoading, parseElf, type Image } from './loader.ts';
import type { ProgramDescription } from './system.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

interface Part {
  readonly type?: number;
  readonly address: number;
  readonly bytes: readonly number[];
  readonly memorySize?: number;
}

/** A note: owner, type, contents. */
function note(owner: string, type: number, content: readonly number[]): number[] {
  const pad = (bytes: readonly number[]): number[] => [...bytes, ...new Array<number>((4 - (bytes.length % 4)) % 4).fill(0)];
  const word = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
  const name = [...owner, '\0'].map((letter) => letter.charCodeAt(0));
  return [...word(name.length), ...word(content.length), ...word(type), ...pad(name), ...pad(content)];
}
const pvhNote = (entry: number): Part => ({ type: 4, address: 0, bytes: note('Xen', 18, [entry & 0xff, entry >>> 8, 0, 0]) });

/** System V ABI, "ELF Header", "Program Header". */
function elf(is64: boolean, entry: number, parts: readonly Part[]): Uint8Array {
  const header = is64 ? 64 : 52;
  const size = is64 ? 56 : 32;
  let offset = header + size * parts.length;
  const file = new Uint8Array(offset + parts.reduce((sum, { bytes }) => sum + bytes.length, 0));
  const view = new DataView(file.buffer);
  const word = (at: number, value: number): void => {
    if (is64) view.setBigUint64(at, BigInt(value), true);
    else view.setUint32(at, value, true);
  };
  file.set([0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, 1, 1]);
  word(24, entry);
  word(is64 ? 32 : 28, header);
  view.setUint16(is64 ? 54 : 42, size, true);
  view.setUint16(is64 ? 56 : 44, parts.length, true);
  parts.forEach(({ type = 1, address, bytes, memorySize = bytes.length }, index) => {
    const at = header + index * size;
    view.setUint32(at, type, true);
    word(at + (is64 ? 8 : 4), offset);
    // Virtual addresses are not looked at.
    word(at + (is64 ? 16 : 8), 0x7777_0000);
    word(at + (is64 ? 24 : 12), address);
    word(at + (is64 ? 32 : 16), bytes.length);
    word(at + (is64 ? 40 : 20), memorySize);
    file.set(bytes, offset);
    offset += bytes.length;
  });
  return file;
}

const PARTS: readonly Part[] = [
  { address: 0x1_0000, bytes: [1, 2, 3, 4, 5] },
  { address: 0x2_0000, bytes: [6, 7], memorySize: 0x100 },
  pvhNote(0x1234),
];

describe.each([true, false])('an ELF file of 64 bits: %s', (is64) => {
  it('is taken apart by its physical addresses', () => {
    const parsed = parseElf(elf(is64, 0x1_0002, PARTS), MIB);
    expect(parsed).toMatchObject({ entry: 0x1_0002, pvhEntry: 0x1234, is64, end: 0x2_0100 });
    expect(parsed.segments.map(({ at, bytes, zeros }) => [at, [...bytes], zeros])).toEqual([
      [0x1_0000, [1, 2, 3, 4, 5], 0],
      [0x2_0000, [6, 7], 0xfe],
    ]);
  });

  it('is refused by a sentence wherever it is cut off', () => {
    const file = elf(is64, 0x1_0002, PARTS);
    for (let length = 0; length < file.length; length++)
      expect(() => parseElf(file.slice(0, length), MIB), `${length}`).toThrow(/^ELF: .* is cut off at \d+ bytes$/);
    expect(() => parseElf(file, MIB)).not.toThrow();
  });

  it('is never more than refused, whatever one of its bytes is', () => {
    const file = elf(is64, 0x1_0002, PARTS);
    for (let at = 0; at < file.length; at++)
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const damaged = file.slice();
        damaged[at] = value;
        try {
          for (const { at: address, bytes, zeros = 0 } of parseElf(damaged, MIB).segments) {
            if (zeros < 0 || address < 0 || address + bytes.length + zeros > MIB)
              expect.fail(`byte ${at} is ${value}: ${address} ${bytes.length} ${zeros}`);
          }
        } catch (error) {
          if (!(error instanceof RangeError) || !error.message.startsWith('ELF: ')) throw error;
        }
      }
  });

  it('ends within the memory', () => {
    expect(() => parseElf(elf(is64, 0, [{ address: 0x1_0000, bytes: [1], memorySize: 0x1_0001 }]), 0x2_0000)).toThrow(
      /segment 0 ends at 0x20001/,
    );
    expect(parseElf(elf(is64, 0, [{ address: 0x1_0000, bytes: [1], memorySize: 0x1_0000 }]), 0x2_0000).end).toBe(0x2_0000);
  });

  it('has no more in the file than in memory', () => {
    expect(() => parseElf(elf(is64, 0, [{ address: 0x1f_fffe, bytes: [1, 2, 3, 4], memorySize: 2 }]), 2 * MIB)).toThrow(
      /4 bytes in the file for 2 in memory/,
    );
  });

  it('has entries of the size that they have', () => {
    const file = elf(is64, 0, PARTS);
    new DataView(file.buffer).setUint16(is64 ? 54 : 42, 8, true);
    expect(() => parseElf(file, MIB)).toThrow(/entries of 8 bytes/);
  });

  it('tells the PVH entry by type and owner, among others', () => {
    const several = [
      ...note('GNU', 18, [9, 9, 9, 9]),
      ...note('Xen', 17, [8, 8, 8, 8]),
      ...note('Xen', 18, [0x34, 0x12, 0, 0]),
      ...note('Xenon', 18, [7, 7, 7, 7]),
    ];
    expect(parseElf(elf(is64, 0, [{ type: 4, address: 0, bytes: several }]), MIB).pvhEntry).toBe(0x1234);
    expect(parseElf(elf(is64, 0, [{ type: 4, address: 0, bytes: note('GNU', 18, [9, 9, 9, 9]) }]), MIB).pvhEntry).toBeUndefined();
    expect(parseElf(elf(is64, 0, [{ type: 4, address: 0, bytes: note('Xen', 18, [9, 9]) }]), MIB).pvhEntry).toBeUndefined();
  });

  it('with a note of an impossible length ends', () => {
    for (const at of [0, 4]) {
      const bytes = note('Xen', 17, [1, 2, 3, 4]);
      bytes.splice(at, 4, 0xf4, 0xff, 0xff, 0xff);
      expect(() => parseElf(elf(is64, 0, [{ type: 4, address: 0, bytes }]), MIB)).toThrow(/a note is cut off/);
    }
  });
});

it('a file of another kind is none', () => {
  expect(() => parseElf(new Uint8Array(100), MIB)).toThrow('ELF: the file is none');
  const file = elf(true, 0, []);
  file[4] = 3;
  expect(() => parseElf(file, MIB)).toThrow(/class 3/);
});

const files =
  (content: Readonly<Record<string, Uint8Array>>) =>
  (name: string): Uint8Array | undefined =>
    content[name];

/** Loads it whole. @returns the memory and how many pieces it took */
function load(image: Image, size: number, isCold: boolean, before = 0xee) {
  const memory = new Uint8Array(size).fill(before);
  let begun = 0;
  const loading = createLoading(image, memory, isCold, [() => begun++]);
  let steps = 1;
  while (!loading.step()) steps++;
  expect(begun).toBe(1);
  return { memory, view: new DataView(memory.buffer), steps };
}

const FLAT: ProgramDescription = { kind: 'flat', file: 'f', address: 0x7c00, entry: 0x7c04, mode: 'real' };
const ELF: ProgramDescription = { kind: 'elf', file: 'f', entry: 'plain' };
const PVH: ProgramDescription = { kind: 'elf', file: 'f', entry: 'pvh' };

describe('a flat program', () => {
  const bytes = Uint8Array.of(1, 2, 3, 4);

  it('is put where it wants to be, and told of the time page and of its memory', () => {
    const image = createImage(FLAT, 'p', 0x1_0000, files({ f: bytes }));
    expect(image.entry).toEqual({ mode: 'real', entry: 0x7c04, rdi: 0x1_0000, rsi: 0x1_0000 });
    const { memory } = load(image, 0x1_0000, true);
    expect([...memory.subarray(0x7bff, 0x7c05)]).toEqual([0, 1, 2, 3, 4, 0]);
  });

  it('fits to its last byte', () => {
    const at = (address: number) => () => createImage({ ...FLAT, address }, 'p', 0x1_0000, files({ f: bytes }));
    expect(at(0xfffc)).not.toThrow();
    expect(at(0xfffd)).toThrow(/f: 4 bytes from 0xfffd on do not fit into 65536 bytes/);
  });

  it.each([64 * KIB, 16 * MIB, 1024 * MIB, 1536 * MIB])(
    'in long mode has page tables that map its memory of %i bytes and the time page one to one',
    (size) => {
      const image = createImage({ ...FLAT, mode: 'long' }, 'p', size, files({ f: bytes }));
      const tables = image.segments[1]!;
      expect(tables.at % 4096).toBe(0);
      expect(tables.at + tables.bytes.length).toBe(size);
      expect(image.entry.cr3).toBe(tables.at);
      // Walked by the same rules as a guest's, in a memory of which only the tables are there.
      const vcpu = createFakeVcpu();
      resetVcpu(vcpu, image.entry);
      const small = Math.min(size, 16 * MIB);
      if (size === small) {
        const { memory } = load(image, size, false);
        const { translate } = createGuestMemory(vcpu, memory.buffer);
        for (const address of [0, 0x7c00, size / 2, size - 1]) expect(translate(BigInt(address))).toBe(address);
      }
      const view = new DataView(tables.bytes.buffer);
      for (const address of [0, 0x7c00, size - 1, size, size + 4095]) {
        const top = view.getBigUint64(0, true);
        const directory = view.getBigUint64(Number((top & ~0xfffn) - BigInt(tables.at)) + Math.floor(address / 2 ** 30) * 8, true);
        const entry = view.getBigUint64(
          Number((directory & ~0xfffn) - BigInt(tables.at)) + (Math.floor(address / 2 ** 21) % 512) * 8,
          true,
        );
        expect([top & 7n, directory & 7n, entry & 0x87n]).toEqual([7n, 7n, 0x87n]);
        expect(Number(entry & ~0x1f_ffffn) + (address % 2 ** 21)).toBe(address);
      }
    },
  );

  it('in long mode leaves room for them', () => {
    const create = (length: number) => () =>
      createImage({ ...FLAT, address: 0, mode: 'long' }, 'p', 0x1_0000, files({ f: new Uint8Array(length) }));
    expect(create(0x1_0000 - 3 * 4096)).not.toThrow();
    expect(create(0x1_0000 - 3 * 4096 + 1)).toThrow(/do not fit/);
  });
});

describe('an ELF program', () => {
  it('entered plainly begins in the mode of its class', () => {
    for (const is64 of [true, false]) {
      const image = createImage(ELF, 'p', MIB, files({ f: elf(is64, 0x1_0002, PARTS) }));
      expect(image.entry).toMatchObject({ mode: is64 ? 'long' : 'protected', entry: 0x1_0002, rdi: MIB, rsi: MIB });
      expect(image.entry.cr3).toBe(is64 ? MIB - 3 * 4096 : undefined);
    }
  });

  it('leaves room for page tables', () => {
    const create = (end: number) => () =>
      createImage(ELF, 'p', MIB, files({ f: elf(true, 0, [{ address: 0, bytes: [1], memorySize: end }]) }));
    expect(create(MIB - 3 * 4096)).not.toThrow();
    expect(create(MIB - 3 * 4096 + 1)).toThrow(/no room for page tables/);
  });

  it('entered by PVH needs the note, and is given the start info as the document has it', () => {
    expect(() => createImage(PVH, 'p', MIB, files({ f: elf(false, 0, [PARTS[0]!]) }))).toThrow(/f: no PVH note/);
    const image = createImage(PVH, 'one', MIB, files({ f: elf(true, 0, PARTS) }));
    expect(image.entry).toEqual({ mode: 'protected', entry: 0x1234, rbx: 0x1000, rdi: MIB, rsi: MIB });
    const { view, memory } = load(image, MIB, true);
    // Xen, "x86/HVM direct boot ABI", struct hvm_start_info.
    const info = image.entry.rbx!;
    expect([view.getUint32(info, true).toString(16), view.getUint32(info + 4, true)]).toEqual(['336ec578', 1]);
    expect([view.getUint32(info + 12, true), view.getBigUint64(info + 16, true)]).toEqual([0, 0n]);
    const line = Number(view.getBigUint64(info + 24, true));
    expect(String.fromCharCode(...memory.subarray(line, memory.indexOf(0, line)))).toBe('partition=one');
    const map = Number(view.getBigUint64(info + 40, true));
    const entries = Array.from({ length: view.getUint32(info + 48, true) }, (_, index) => [
      view.getBigUint64(map + index * 24, true),
      view.getBigUint64(map + index * 24 + 8, true),
      view.getUint32(map + index * 24 + 16, true),
    ]);
    // RAM, and the time page, which is not.
    expect(entries).toEqual([
      [0n, BigInt(MIB), 1],
      [BigInt(MIB), 4096n, 2],
    ]);
  });

  it('entered by PVH leaves the page of the start info alone', () => {
    const create = (address: number, memorySize: number) => () =>
      createImage(PVH, 'p', MIB, files({ f: elf(true, 0, [{ address, bytes: [1], memorySize }, pvhNote(0x5000)]) }));
    expect(create(0x1fff, 1)).toThrow(/at 0x1000/);
    expect(create(0x800, 0x801)).toThrow(/at 0x1000/);
    expect(create(0x800, 0x800)).not.toThrow();
    expect(create(0x2000, 1)).not.toThrow();
  });
});

describe('a program with virtual devices', () => {
  const tables = { at: 0xe_0000, bytes: new Uint8Array(0x1801).fill(9), rsdp: 0xe_0010 };
  const create = (program: ProgramDescription, content: Uint8Array) => createImage(program, 'p', 4 * MIB, files({ f: content }), tables);

  it('in long mode reaches them one to one: I/O APIC, HPET, local APIC, and nothing beside', () => {
    const image = create({ ...FLAT, mode: 'long' }, Uint8Array.of(1));
    const vcpu = createFakeVcpu();
    resetVcpu(vcpu, image.entry);
    const { memory, view } = load(image, 4 * MIB, true);
    expect(createGuestMemory(vcpu, memory.buffer).translate(0x8000n)).toBe(0x8000);
    const top = Number(view.getBigUint64(image.entry.cr3!, true) & ~0xfffn);
    const directory = Number(view.getBigUint64(top + 3 * 8, true) & ~0xfffn);
    const entryOf = (address: number): bigint => view.getBigUint64(directory + (Math.floor(address / 2 ** 21) % 512) * 8, true);
    // Present, writable, of all privileges, uncached, a large page.
    for (const address of [0xfec0_0000, 0xfed0_00f0, 0xfee0_0380, 0xfeff_ffff])
      expect(entryOf(address)).toBe(BigInt(address - (address % 2 ** 21)) | 0x97n);
    for (const address of [0xfebf_ffff, 0xff00_0000]) expect(entryOf(address)).toBe(0n);
    expect([...memory.subarray(0xd_ffff, 0xe_0001), ...memory.subarray(0xe_1800, 0xe_1802)]).toEqual([0, 9, 9, 0]);
  });

  it('is told of the tables by the start info, whose memory map keeps them', () => {
    const image = create(PVH, elf(true, 0, PARTS));
    const { view } = load(image, 4 * MIB, true);
    const info = image.entry.rbx!;
    expect(view.getBigUint64(info + 32, true)).toBe(0xe_0010n);
    const map = Number(view.getBigUint64(info + 40, true));
    const entries = Array.from({ length: view.getUint32(info + 48, true) }, (_, index) =>
      [0, 8].map((at) => Number(view.getBigUint64(map + index * 24 + at, true))).concat(view.getUint32(map + index * 24 + 16, true)),
    );
    expect(entries).toEqual([
      [0, 0xe_0000, 1],
      [0xe_0000, 0x2000, 3],
      [0xe_2000, 4 * MIB - 0xe_2000, 1],
      [4 * MIB, 4096, 2],
    ]);
  });

  it('has nothing of its own where the tables are', () => {
    expect(() => create({ ...FLAT, address: 0xd_ffff }, Uint8Array.of(1, 2))).toThrow(
      /f: it has something at 0xdffff, where the ACPI tables are/,
    );
    expect(() => create({ ...FLAT, address: 0xd_fffe }, Uint8Array.of(1, 2))).not.toThrow();
  });
});

describe('a TypeScript program', () => {
  const program: ProgramDescription = { kind: 'typescript', file: 'm' };
  const runtime = elf(true, 0, [{ address: 0x10_0000, bytes: [1], memorySize: 0x1000 }, pvhNote(0x1234)]);

  it('is the runtime with its module at the end of the memory', () => {
    const module = new Uint8Array(5000).fill(7);
    const image = createImage(program, 'p', 2 * MIB, files({ 'runtime.elf': runtime, m: module }));
    const { view, memory } = load(image, 2 * MIB, true);
    const info = image.entry.rbx!;
    expect(view.getUint32(info + 12, true)).toBe(1);
    const list = Number(view.getBigUint64(info + 16, true));
    const at = Number(view.getBigUint64(list, true));
    expect([at % 4096, view.getBigUint64(list + 8, true)]).toEqual([0, 5000n]);
    expect(at + 5000).toBeLessThanOrEqual(2 * MIB);
    expect(memory.subarray(at, at + 5000).every((byte) => byte === 7)).toBe(true);
  });

  it('says what is missing, and what does not fit', () => {
    const create = (content: Readonly<Record<string, Uint8Array>>) => () => createImage(program, 'p', 2 * MIB, files(content));
    expect(create({ m: new Uint8Array(1) })).toThrow('the boot module has no file runtime.elf');
    expect(create({ 'runtime.elf': runtime })).toThrow('the boot module has no file m');
    expect(create({ 'runtime.elf': runtime, m: new Uint8Array(0xf_f001) })).toThrow(/m: .* do not fit behind the runtime/);
    expect(create({ 'runtime.elf': runtime, m: new Uint8Array(0xf_f000) })).not.toThrow();
  });
});

describe('loading', () => {
  const image: Image = {
    segments: [
      { at: 0x100, bytes: new Uint8Array(200 * KIB).fill(5), zeros: 100 * KIB },
      { at: 0x6_0000, bytes: new Uint8Array(0), zeros: 0 },
      { at: 0x7_0000, bytes: new Uint8Array(0), zeros: 10 },
    ],
    entry: { mode: 'real', entry: 0 },
  };

  it('cold clears the memory, warm leaves what no segment covers', () => {
    for (const isCold of [true, false]) {
      const { memory } = load(image, 512 * KIB, isCold, 0xee);
      const rest = isCold ? 0 : 0xee;
      expect([memory[0xff], memory[0x100], memory[0x100 + 200 * KIB - 1]]).toEqual([rest, 5, 5]);
      // What the program takes for cleared is cleared also by a warm one.
      expect(memory.subarray(0x100 + 200 * KIB, 0x100 + 300 * KIB).every((byte) => byte === 0)).toBe(true);
      expect([memory[0x100 + 300 * KIB], memory[0x6_ffff], memory[0x7_0000], memory[0x7_0009], memory[0x7_000a]]).toEqual([
        rest,
        rest,
        0,
        0,
        rest,
      ]);
    }
  });

  it('moves at most 64 KiB in a piece, after a first one that moves none', () => {
    const memory = new Uint8Array(512 * KIB).fill(0xee);
    const loading = createLoading(image, memory, true, [() => undefined]);
    for (let step = 0, isDone = false; !isDone; step++) {
      const before = memory.slice();
      isDone = loading.step();
      let changed = 0;
      for (const [at, byte] of memory.entries()) if (byte !== before[at]) changed++;
      expect(changed, `piece ${step}`).toBeLessThanOrEqual(step === 0 ? 0 : 64 * KIB);
    }
    expect(memory[0x100]).toBe(5);
  });

  it('of nothing ends', () => {
    expect(load({ segments: [], entry: image.entry }, 4096, false).steps).toBe(2);
  });
});
