/**
 * Puts a program into a partition's memory, in pieces: a partition that is reset is loaded in its own slots, and none of them is to
 * hold the kernel up.
 */
import type { ProgramDescription } from './system.ts';
import type { EntryState } from '../vm/vcpu.ts';
import { PTE } from '../regs/paging.ts';

/** Bytes that one piece moves: some microseconds. */
const PIECE = 16 * 1024;

interface Segment {
  readonly at: number;
  readonly bytes: Uint8Array;
  /** Cleared bytes behind them. */
  readonly zeros?: number;
}

/** What goes where, and how it is entered. */
export interface Image {
  readonly segments: readonly Segment[];
  readonly entry: EntryState;
}

export interface Loading {
  /** Does a piece of the work. @returns whether it is done */
  step(): boolean;
}

/** ELF-64 and ELF-32 (System V ABI, "Object Files"), as far as a loader needs them. */
const ELF_MAGIC = 0x464c_457f;
const PT_LOAD = 1;
const PT_NOTE = 4;
/** Xen, "x86/HVM direct boot ABI". */
const XEN_ELFNOTE_PHYS32_ENTRY = 18;
/** "Xen" and a 0. */
const XEN_NAME = [0x58, 0x65, 0x6e, 0];
const NOTE_HEADER = 12;
const aligned = (size: number, unit = 4): number => Math.ceil(size / unit) * unit;
const START_INFO_MAGIC = 0x336e_c578;
const START_INFO_VERSION = 1;
const E820_RAM = 1;
const E820_RESERVED = 2;
const E820_ACPI = 3;

interface Elf {
  readonly segments: readonly Segment[];
  readonly end: number;
  readonly entry: number;
  readonly pvhEntry: number | undefined;
  readonly is64: boolean;
}

/** @throws RangeError that says what is wrong with it */
export function parseElf(file: Uint8Array, memory: number): Elf {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const within = (offset: number, length: number, what: string): void => {
    if (offset < 0 || length < 0 || offset + length > file.length) throw new RangeError(`ELF: ${what} is cut off at ${file.length} bytes`);
  };
  within(0, 52, 'the header');
  if (view.getUint32(0, true) !== ELF_MAGIC) throw new RangeError('ELF: the file is none');
  const is64 = file[4] === 2;
  if (!is64 && file[4] !== 1) throw new RangeError(`ELF: class ${file[4]} is neither 32 nor 64 bits`);
  if (is64) within(0, 64, 'the header');
  const word = (offset: number): number => (is64 ? Number(view.getBigUint64(offset, true)) : view.getUint32(offset, true));
  const entry = word(24);
  const table = word(is64 ? 32 : 28);
  const entrySize = view.getUint16(is64 ? 54 : 42, true);
  const count = view.getUint16(is64 ? 56 : 44, true);
  within(table, entrySize * count, 'the table of segments');
  const least = is64 ? 56 : 32;
  if (count > 0 && entrySize < least)
    throw new RangeError(`ELF: entries of ${entrySize} bytes in the table of segments; they have ${least}`);
  const segments: Segment[] = [];
  let pvhEntry: number | undefined;
  let end = 0;
  for (let index = 0; index < count; index++) {
    const at = table + index * entrySize;
    const kind = view.getUint32(at, true);
    const offset = word(at + (is64 ? 8 : 4));
    const address = word(at + (is64 ? 24 : 12));
    const fileSize = word(at + (is64 ? 32 : 16));
    const memorySize = word(at + (is64 ? 40 : 20));
    if (kind === PT_LOAD) {
      within(offset, fileSize, `segment ${index}`);
      if (fileSize > memorySize)
        throw new RangeError(`ELF: segment ${index} has ${fileSize} bytes in the file for ${memorySize} in memory`);
      if (address + memorySize > memory)
        throw new RangeError(
          `ELF: segment ${index} ends at 0x${(address + memorySize).toString(16)}, beyond the partition's ${memory} bytes`,
        );
      segments.push({ at: address, bytes: file.subarray(offset, offset + fileSize), zeros: memorySize - fileSize });
      end = Math.max(end, address + memorySize);
    } else if (kind === PT_NOTE) {
      within(offset, fileSize, 'a note');
      for (let note = offset; note + NOTE_HEADER <= offset + fileSize;) {
        const nameSize = view.getUint32(note, true);
        const size = view.getUint32(note + 4, true);
        const name = note + NOTE_HEADER;
        const content = name + aligned(nameSize);
        within(content, size, 'a note');
        // Types are their owner's: another's 18 is something else.
        const isXen = nameSize === XEN_NAME.length && XEN_NAME.every((byte, at) => file[name + at] === byte);
        if (isXen && view.getUint32(note + 8, true) === XEN_ELFNOTE_PHYS32_ENTRY && size >= 4) pvhEntry = view.getUint32(content, true);
        note = content + aligned(size);
      }
    }
  }
  return { segments, end, entry, pvhEntry, is64 };
}

const PAGE = 4096;
const LARGE_PAGE = 2 * 1024 * 1024;
const GIGABYTE = 512 * LARGE_PAGE;
/** Where a PC has its devices: I/O APIC, HPET, local APIC. Two large pages. */
const DEVICES = 0xfec0_0000;
const DEVICES_END = 0xff00_0000;

/** Tables that firmware would have left in memory. */
export interface FirmwareTables {
  /** Guest-physical. */
  readonly at: number;
  readonly bytes: Uint8Array;
  /** ACPI's root pointer. */
  readonly rsdp: number;
}
/** Guest-physical addresses of what a PVH loader hands over: in the first MiB, which the runtime leaves as it is. */
const PVH = { START_INFO: 0x1000, MODULES: 0x1080, MEMORY_MAP: 0x1100, COMMAND_LINE: 0x1800 } as const;

/**
 * One-to-one page tables for 64-bit code, in the last pages of the memory; the time page behind it is within the last large page.
 * @param hasDevices whether virtual devices are to be reached too
 */
function pageTables(memory: number, hasDevices: boolean): { readonly segment: Segment; readonly cr3: number } {
  const ranges: readonly (readonly [from: number, to: number, flags: bigint])[] = [
    [0, memory + PAGE, 0n],
    ...(hasDevices ? [[DEVICES, DEVICES_END, PTE.PCD] as const] : []),
  ];
  const directories = [...new Set(ranges.flatMap(([from, to]) => gigabytes(from, to)))];
  const bytes = new Uint8Array(PAGE * (2 + directories.length));
  const entries = new BigUint64Array(bytes.buffer);
  const at = memory - bytes.length;
  const rights = PTE.P | PTE.RW | PTE.US;
  entries[0] = BigInt(at + PAGE) | rights;
  directories.forEach((directory, index) => {
    entries[512 + directory] = BigInt(at + PAGE * (2 + index)) | rights;
    for (const [from, to, flags] of ranges)
      for (let entry = 0; entry < 512; entry++) {
        const address = directory * GIGABYTE + entry * LARGE_PAGE;
        if (address >= from && address < to) entries[1024 + index * 512 + entry] = BigInt(address) | rights | PTE.PS | flags;
      }
  });
  return { segment: { at, bytes }, cr3: at };
}

/** Numbers of those that a range has a part of. */
function gigabytes(from: number, to: number): number[] {
  const first = Math.floor(from / GIGABYTE);
  return Array.from({ length: Math.ceil(to / GIGABYTE) - first }, (_, index) => first + index);
}

function startInfo(memory: number, commandLine: string, module: Segment | undefined, tables: FirmwareTables | undefined): Segment {
  const bytes = new Uint8Array(PAGE);
  const view = new DataView(bytes.buffer);
  const at = (address: number): number => address - PVH.START_INFO;
  view.setUint32(0, START_INFO_MAGIC, true);
  view.setUint32(4, START_INFO_VERSION, true);
  view.setUint32(12, module ? 1 : 0, true);
  view.setBigUint64(16, BigInt(module ? PVH.MODULES : 0), true);
  view.setBigUint64(24, BigInt(PVH.COMMAND_LINE), true);
  view.setBigUint64(32, BigInt(tables?.rsdp ?? 0), true);
  view.setBigUint64(40, BigInt(PVH.MEMORY_MAP), true);
  if (module) {
    view.setBigUint64(at(PVH.MODULES), BigInt(module.at), true);
    view.setBigUint64(at(PVH.MODULES) + 8, BigInt(module.bytes.length), true);
  }
  const ranges: readonly (readonly [number, number, number])[] = [
    ...(tables ? aroundTables(memory, tables) : [[0, memory, E820_RAM] as const]),
    [memory, PAGE, E820_RESERVED],
  ];
  view.setUint32(48, ranges.length, true);
  ranges.forEach(([address, length, type], index) => {
    const entry = at(PVH.MEMORY_MAP) + index * 24;
    view.setBigUint64(entry, BigInt(address), true);
    view.setBigUint64(entry + 8, BigInt(length), true);
    view.setUint32(entry + 16, type, true);
  });
  for (let index = 0; index < commandLine.length; index++) bytes[at(PVH.COMMAND_LINE) + index] = commandLine.charCodeAt(index) & 0x7f;
  return { at: PVH.START_INFO, bytes };
}

function aroundTables(memory: number, { at, bytes }: FirmwareTables): (readonly [number, number, number])[] {
  const end = at + aligned(bytes.length, PAGE);
  return [
    [0, at, E820_RAM],
    [at, end - at, E820_ACPI],
    [end, memory - end, E820_RAM],
  ];
}

/**
 * Makes a program's image.
 * @param file contents by name in the boot module
 * @param tables of a partition that has virtual devices
 * @throws RangeError that names what is missing, damaged or too large
 */
export function createImage(
  program: ProgramDescription,
  partition: string,
  memory: number,
  file: (name: string) => Uint8Array | undefined,
  tables?: FirmwareTables,
): Image {
  const image = imageOf(program, partition, memory, file, tables);
  if (tables) {
    const clash = image.segments.find(
      ({ at, bytes, zeros = 0 }) => at < tables.at + tables.bytes.length && at + bytes.length + zeros > tables.at,
    );
    if (clash) throw new RangeError(`${program.file}: it has something at 0x${clash.at.toString(16)}, where the ACPI tables are`);
    return { segments: [...image.segments, tables], entry: image.entry };
  }
  return image;
}

function imageOf(
  program: ProgramDescription,
  partition: string,
  memory: number,
  file: (name: string) => Uint8Array | undefined,
  tables: FirmwareTables | undefined,
): Image {
  const hasDevices = tables !== undefined;
  const need = (name: string): Uint8Array => {
    const bytes = file(name);
    if (!bytes) throw new RangeError(`the boot module has no file ${name}`);
    return bytes;
  };
  const timePage = memory;
  switch (program.kind) {
    case 'flat': {
      const bytes = need(program.file);
      const { mode, address, entry } = program;
      const paging = mode === 'long' ? pageTables(memory, hasDevices) : undefined;
      const room = paging ? paging.segment.at : memory;
      if (address + bytes.length > room)
        throw new RangeError(`${program.file}: ${bytes.length} bytes from 0x${address.toString(16)} on do not fit into ${room} bytes`);
      return {
        segments: [{ at: address, bytes }, ...(paging ? [paging.segment] : [])],
        entry: { mode, entry, rdi: timePage, rsi: memory, ...(paging ? { cr3: paging.cr3 } : {}) },
      };
    }
    case 'elf':
    case 'typescript': {
      const isTypescript = program.kind === 'typescript';
      const elf = parseElf(need(isTypescript ? 'runtime.elf' : program.file), memory);
      if (!isTypescript && program.entry === 'plain') {
        const paging = elf.is64 ? pageTables(memory, hasDevices) : undefined;
        if (paging && elf.end > paging.segment.at) throw new RangeError(`${program.file}: it leaves no room for page tables`);
        return {
          segments: [...elf.segments, ...(paging ? [paging.segment] : [])],
          entry: {
            mode: paging ? 'long' : 'protected',
            entry: elf.entry,
            rdi: timePage,
            rsi: memory,
            ...(paging ? { cr3: paging.cr3 } : {}),
          },
        };
      }
      if (elf.pvhEntry === undefined)
        throw new RangeError(`${isTypescript ? 'runtime.elf' : program.file}: no PVH note (XEN_ELFNOTE_PHYS32_ENTRY) says where to enter`);
      if (elf.segments.some(({ at, bytes, zeros = 0 }) => at < PVH.START_INFO + PAGE && at + bytes.length + zeros > PVH.START_INFO))
        throw new RangeError(
          `${isTypescript ? 'runtime.elf' : program.file}: it has something at 0x1000, where a PVH loader puts the start info`,
        );
      let module: Segment | undefined;
      if (isTypescript) {
        const bytes = need(program.file);
        const at = Math.floor((memory - bytes.length) / PAGE) * PAGE;
        if (at < elf.end) throw new RangeError(`${program.file}: ${bytes.length} bytes do not fit behind the runtime into ${memory} bytes`);
        module = { at, bytes };
      }
      return {
        segments: [...elf.segments, startInfo(memory, `partition=${partition}`, module, tables), ...(module ? [module] : [])],
        entry: { mode: 'protected', entry: elf.pvhEntry, rbx: PVH.START_INFO, rdi: timePage, rsi: memory },
      };
    }
  }
}

/**
 * @param clear whether the memory is cleared first: a cold start
 * @param before the first pieces of the work, each as long as an exit at most
 */
export function createLoading(image: Image, memory: Uint8Array, clear: boolean, before: readonly (() => void)[]): Loading {
  let begun = 0;
  let cleared = clear ? 0 : memory.length;
  let segment = 0;
  let done = 0;
  return {
    step: () => {
      if (begun < before.length) {
        before[begun++]!();
        return false;
      }
      if (cleared < memory.length) {
        const end = Math.min(cleared + PIECE, memory.length);
        memory.fill(0, cleared, end);
        cleared = end;
        return false;
      }
      const current = image.segments[segment];
      if (!current) return true;
      const { at, bytes, zeros = 0 } = current;
      const part = done < bytes.length ? bytes.length : bytes.length + zeros;
      const end = Math.min(done + PIECE, part);
      if (done < bytes.length) memory.set(bytes.subarray(done, end), at + done);
      else memory.fill(0, at + done, at + end);
      done = end;
      if (done === bytes.length + zeros) {
        segment++;
        done = 0;
      }
      return segment === image.segments.length;
    },
  };
}
