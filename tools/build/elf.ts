/**
 * ELF files of 32 and 64 bits, x86, as far as a loader needs them: System V ABI, "Object Files", and for the entry of a PVH loader
 * Xen's "x86/HVM direct boot ABI". Sections, symbols and relocations are not read.
 */
export interface ElfSegment {
  readonly offset: number;
  /** Physical. */
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

export interface Elf {
  readonly is64: boolean;
  readonly entry: number;
  /** Of a PVH loader, if a note says it. */
  readonly pvhEntry: number | undefined;
  /** What is loaded. */
  readonly segments: readonly ElfSegment[];
}

const MAGIC = 0x464c_457f;
const CLASS = { OFFSET: 4, BITS_32: 1, BITS_64: 2 } as const;
const MACHINE = { OFFSET: 18, I386: 3, X86_64: 62 } as const;
const PT_LOAD = 1;
const PT_NOTE = 4;
const XEN_ELFNOTE_PHYS32_ENTRY = 18;
const NOTE_HEADER = 12;

/** @throws RangeError that says what is wrong with the file, and what is missing of one that was cut */
export function readElf(file: Buffer): Elf {
  const need = (offset: number, length: number, what: string): void => {
    if (offset + length > file.length)
      throw new RangeError(`is cut off: ${what} ends at byte ${offset + length}, the file has ${file.length} bytes`);
  };
  if (file.length < 4 || file.readUInt32LE(0) !== MAGIC) throw new RangeError('is no ELF file');
  need(0, 52, 'its header');
  const is64 = file[CLASS.OFFSET] === CLASS.BITS_64;
  if (!is64 && file[CLASS.OFFSET] !== CLASS.BITS_32) throw new RangeError(`is of class ${file[CLASS.OFFSET]!}, neither 32 nor 64 bits`);
  if (is64) need(0, 64, 'its header');
  const machine = file.readUInt16LE(MACHINE.OFFSET);
  if (machine !== MACHINE.I386 && machine !== MACHINE.X86_64) throw new RangeError(`is for machine ${machine}, not for x86`);

  const word = (offset: number): number => (is64 ? Number(file.readBigUInt64LE(offset)) : file.readUInt32LE(offset));
  const table = word(is64 ? 32 : 28);
  const entrySize = file.readUInt16LE(is64 ? 54 : 42);
  const count = file.readUInt16LE(is64 ? 56 : 44);
  if (count > 0 && entrySize < (is64 ? 56 : 32)) throw new RangeError(`has a table of segments with entries of ${entrySize} bytes`);
  need(table, entrySize * count, 'its table of segments');

  const segments: ElfSegment[] = [];
  let pvhEntry: number | undefined;
  for (let index = 0; index < count; index++) {
    const at = table + index * entrySize;
    const kind = file.readUInt32LE(at);
    const segment: ElfSegment = {
      offset: word(at + (is64 ? 8 : 4)),
      address: word(at + (is64 ? 24 : 12)),
      fileSize: word(at + (is64 ? 32 : 16)),
      memorySize: word(at + (is64 ? 40 : 20)),
    };
    if (kind !== PT_LOAD && kind !== PT_NOTE) continue;
    need(segment.offset, segment.fileSize, `segment ${index}`);
    if (kind === PT_NOTE) pvhEntry ??= pvhEntryOf(file.subarray(segment.offset, segment.offset + segment.fileSize));
    else if (segment.memorySize > 0) segments.push(segment);
  }
  if (segments.length === 0) throw new RangeError('has nothing to load');
  return { is64, entry: word(24), pvhEntry, segments };
}

function pvhEntryOf(notes: Buffer): number | undefined {
  const padded = (length: number): number => (length + 3) & ~3;
  for (let at = 0; at + NOTE_HEADER <= notes.length;) {
    const name = at + NOTE_HEADER;
    const content = name + padded(notes.readUInt32LE(at));
    const length = notes.readUInt32LE(at + 4);
    if (notes.readUInt32LE(at + 8) === XEN_ELFNOTE_PHYS32_ENTRY && length >= 4 && content + 4 <= notes.length)
      return notes.readUInt32LE(content);
    at = content + padded(length);
  }
  return undefined;
}

/** Where it ends in memory, exclusive. */
export const endOf = ({ segments }: Elf): number => Math.max(...segments.map(({ address, memorySize }) => address + memorySize));
