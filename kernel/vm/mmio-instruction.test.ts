/**
 * Instructions on device memory. What they do is compared with what this machine's CPU does: mmio-instruction.host.c executes the same
 * instructions, as the machine's assembler writes them, on ordinary memory.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assemble } from '../../tools/harness/assemble.ts';
import { CR0, CR4, PTE, RFLAGS } from '../regs/paging.ts';
import { EFER, EVENT, NPF_INFO, SEGMENT, SEGMENT_ATTRIBUTES, VMCB } from '../regs/vmcb.ts';
import { createDeviceInstructions, PLACE, WINDOW, type DeviceInstruction, type Operands } from '../testing/device-instructions.ts';
import { createFakeVcpu } from '../testing/guest.ts';
import { createRandom } from '../testing/random.ts';
import type { Width } from '../vdev/device.ts';
import { STATUS_FLAGS } from './arithmetic.ts';
import { createGuestMemory } from './guest-memory.ts';
import { MASKS, placeOf, RAX, RBX, RCX, RDI, RSI, RSP } from './guest-registers.ts';
import { decodeInstruction } from './instruction-decode.ts';
import { createMmioInstructions, DONE } from './mmio-instruction.ts';
import { createPageOffset, linearAddress, PAGE } from './mmio-operands.ts';
import { ELEMENTS_MAX } from './mmio-strings.ts';
import type { Vcpu } from './vcpu.ts';

const MEMORY = 0x8_0000;
const RIP = VMCB.RIP >> 3;
const setRegister = (vcpu: Vcpu, number: number, value: bigint): void => {
  const { words, word } = placeOf(vcpu, number);
  words[word] = value;
};
const getRegister = (vcpu: Vcpu, number: number): bigint => {
  const { words, word } = placeOf(vcpu, number);
  return BigInt.asUintN(64, words[word]!);
};

/** A device that is memory, of one page. */
function createMemoryDevice() {
  const bytes = new Uint8Array(PAGE);
  const accesses: string[] = [];
  return {
    bytes,
    accesses,
    read(offset: number, width: Width): bigint {
      accesses.push(`read ${width} at ${offset.toString(16)}`);
      let value = 0n;
      for (let at = width - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[offset + at]!);
      return value;
    },
    write(offset: number, width: Width, value: bigint): void {
      accesses.push(`write ${width} at ${offset.toString(16)}: ${value.toString(16)}`);
      for (let at = 0; at < width; at++) bytes[offset + at] = Number((value >> BigInt(8 * at)) & 0xffn);
    },
  };
}

/** 64-bit code without tables: linear addresses are physical ones. */
function createFlatGuest() {
  const vcpu = createFakeVcpu({ mode: 'long', entry: PLACE.CODE });
  vcpu.vmcb[VMCB.CR0 >> 3] = vcpu.vmcb[VMCB.CR0 >> 3]! & ~CR0.PG;
  const memory = createGuestMemory(vcpu, new ArrayBuffer(MEMORY));
  const device = createMemoryDevice();
  const pages: number[] = [];
  const mmio = createMmioInstructions(vcpu, memory, (page) => {
    pages.push(page);
    return device;
  });
  return { vcpu, memory, device, pages, ...mmio };
}

describe('an instruction on device memory does what the CPU does on memory', () => {
  const SEEDS = [1, 2, 20_260_101];
  const INSTRUCTIONS = 1500;
  const TRIES = 4;
  const LIMIT_MS = 120_000;
  const CASE = 16 * 8 + 2 * 8 + 2 * WINDOW + 16;
  const folder = mkdtempSync(join(tmpdir(), 'mmio test '));
  const program = join(folder, 'native');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  beforeAll(() => {
    const source = fileURLToPath(new URL('./mmio-instruction.host.c', import.meta.url));
    const options = ['-std=gnu11', '-O1', '-no-pie', '-fno-pic', '-Wall', '-Wextra', '-Werror'];
    execFileSync('gcc', [...options, source, '-o', program], { timeout: LIMIT_MS, encoding: 'utf8', stdio: 'pipe' });
  });

  interface Case extends Operands {
    readonly instruction: DeviceInstruction;
    readonly code: Uint8Array;
    readonly deviceBytes: Uint8Array;
    readonly ramBytes: Uint8Array;
  }
  interface Outcome {
    readonly registers: bigint[];
    readonly flags: number;
    readonly deviceBytes: Uint8Array;
    readonly ramBytes: Uint8Array;
  }

  const inHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const shown = ({ registers, flags, deviceBytes, ramBytes }: Outcome, undefinedFlags: number): object => ({
    registers: registers.map((value) => value.toString(16)),
    flags: (flags & STATUS_FLAGS & ~undefinedFlags).toString(16),
    device: inHex(deviceBytes),
    ram: inHex(ramBytes),
  });

  function native(cases: readonly Case[]): Outcome[] {
    const all = Buffer.alloc(cases.length * CASE);
    cases.forEach(({ registers, flags, gsBase, deviceBytes, ramBytes, code }, index) => {
      const at = all.subarray(index * CASE, (index + 1) * CASE);
      registers.forEach((value, number) => at.writeBigUInt64LE(value, 8 * number));
      at.writeBigUInt64LE(BigInt(flags), 128);
      at.writeBigUInt64LE(gsBase, 136);
      at.set(deviceBytes, 144);
      at.set(ramBytes, 144 + WINDOW);
      at.set(code, 144 + 2 * WINDOW);
      at[CASE - 1] = code.length;
    });
    writeFileSync(join(folder, 'cases'), all);
    const { status, stdout } = spawnSync(program, [join(folder, 'cases'), join(folder, 'results')], {
      timeout: LIMIT_MS,
      encoding: 'utf8',
    });
    const stopped = /^case (\d+)/.exec(stdout);
    expect({ status, stdout, at: stopped && cases[Number(stopped[1])]?.instruction.text }).toEqual({ status: 0, stdout: '', at: null });
    const results = readFileSync(join(folder, 'results'));
    return cases.map((_, index) => {
      const at = results.subarray(index * CASE, (index + 1) * CASE);
      return {
        registers: Array.from({ length: 16 }, (_each, number) => at.readBigUInt64LE(8 * number)),
        flags: Number(at.readBigUInt64LE(128)),
        deviceBytes: at.subarray(144, 144 + WINDOW),
        ramBytes: at.subarray(144 + WINDOW, 144 + 2 * WINDOW),
      };
    });
  }

  const guest = createFlatGuest();
  function interpreted({ registers, flags, gsBase, target, deviceBytes, ramBytes, code, instruction }: Case): Outcome {
    const { vcpu, memory, device } = guest;
    const { vmcb, vmcb32 } = vcpu;
    memory.bytes.set(code, PLACE.CODE);
    memory.bytes.set(ramBytes, PLACE.RAM);
    device.bytes.set(deviceBytes, PLACE.DEVICE % PAGE);
    device.accesses.length = 0;
    registers.forEach((value, number) => setRegister(vcpu, number, value));
    vmcb[VMCB.RFLAGS >> 3] = BigInt(flags);
    vmcb[(VMCB.GS + SEGMENT.BASE) >> 3] = gsBase;
    vmcb[RIP] = BigInt(PLACE.CODE);
    const [from, to] = [getRegister(vcpu, RSI), getRegister(vcpu, RDI)];
    for (let exits = 0; exits < 100 && vmcb[RIP] === BigInt(PLACE.CODE); exits++) {
      // Of strings: as far as they have come.
      const moved = exits === 0 ? 0n : BigInt.asIntN(32, getRegister(vcpu, RSI) - from) || BigInt.asIntN(32, getRegister(vcpu, RDI) - to);
      vmcb[VMCB.EXITINFO2 >> 3] = BigInt(target) + moved;
      expect(guest.execute(), instruction.text).toBe(DONE);
    }
    expect(vmcb[RIP] - BigInt(PLACE.CODE), instruction.text).toBe(BigInt(code.length));
    expect(device.accesses.length, instruction.text).toBeGreaterThan(0);
    return {
      registers: registers.map((_, number) => getRegister(vcpu, number)),
      flags: vmcb32[VMCB.RFLAGS >> 2]!,
      deviceBytes: device.bytes.subarray(PLACE.DEVICE % PAGE, (PLACE.DEVICE % PAGE) + WINDOW),
      ramBytes: memory.bytes.subarray(PLACE.RAM, PLACE.RAM + WINDOW),
    };
  }

  it.each(SEEDS)('(seed %i)', { timeout: LIMIT_MS }, (seed) => {
    const random = createRandom(seed);
    const { next } = createDeviceInstructions(random);
    const instructions = Array.from({ length: INSTRUCTIONS }, next);
    const codes = assemble(
      instructions.map(({ text }) => text),
      64,
    );
    const cases: Case[] = instructions.flatMap((instruction, index) =>
      Array.from({ length: TRIES }, () => ({
        ...instruction.operands(codes[index]!.length),
        instruction,
        code: codes[index]!,
        deviceBytes: random.bytes(WINDOW),
        ramBytes: random.bytes(WINDOW),
      })),
    );
    native(cases).forEach((expected, index) => {
      const each = cases[index]!;
      const { text, undefinedFlags } = each.instruction;
      expect(shown(interpreted(each), undefinedFlags), `${text}: ${inHex(each.code)}`).toEqual(shown(expected, undefinedFlags));
    });
  });
});

it('the low bits of an address, which decide about the short way, are those of the address', () => {
  const { vcpu } = createFlatGuest();
  const random = createRandom(5);
  const { next } = createDeviceInstructions(random);
  const instructions = Array.from({ length: 1000 }, next);
  assemble(
    instructions.map(({ text }) => text),
    64,
  ).forEach((code, index) => {
    const { text, operands } = instructions[index]!;
    const decoded = decodeInstruction(code, 8);
    if ('problem' in decoded) throw new Error(text);
    operands(code.length).registers.forEach((value, number) => setRegister(vcpu, number, value));
    vcpu.vmcb[(VMCB.GS + SEGMENT.BASE) >> 3] = BigInt(random.integer(0x1000_0000));
    const behind = BigInt(PLACE.CODE + code.length);
    expect(createPageOffset(vcpu, decoded, behind)(), text).toBe(Number(linearAddress(vcpu, decoded, behind) & 0xfffn));
  });
});

/** Linear pages of the guest with tables, by number. CODE and RAM are in its memory, each page at the same place. */
const CODE = 0x4000;
const RAM = 0x8000;
const DEVICE = 0x2_0000;
/** Where that is in physical memory. */
const DEVICE_PHYSICAL = 0xfed0_0000;
const LEAVES = 0x1_3000;
const { P, RW, US } = PTE;
const ALL = P | RW | US;

/** 64-bit code with tables of four levels for the first 2 MiB: all pages lead to themselves, those from DEVICE on to the device. */
function createPagedGuest() {
  const vcpu = createFakeVcpu({ mode: 'long', entry: CODE, cr3: 0x1_0000 });
  const memory = createGuestMemory(vcpu, new ArrayBuffer(MEMORY));
  const tables = new BigUint64Array(memory.bytes.buffer);
  const devices = new Map<number, ReturnType<typeof createMemoryDevice>>();
  const accesses: string[] = [];
  const deviceOf = (page: number) => {
    let device = devices.get(page);
    if (!device) devices.set(page, (device = createMemoryDevice()));
    return device;
  };
  const mmio = createMmioInstructions(vcpu, memory, (page) => {
    const device = deviceOf(page);
    return {
      read(offset, width) {
        accesses.push(`read ${width} at ${page.toString(16)}:${offset.toString(16)}`);
        return device.read(offset, width);
      },
      write(offset, width, value) {
        accesses.push(`write ${width} at ${page.toString(16)}:${offset.toString(16)}: ${value.toString(16)}`);
        device.write(offset, width, value);
      },
    };
  });
  const setEntry = (table: number, index: number, entry: bigint): void => void (tables[table / 8 + index] = entry);
  const map = (linear: number, physical: number, rights = ALL): void => setEntry(LEAVES, linear / PAGE, BigInt(physical) | rights);
  for (const table of [0x1_0000, 0x1_1000, 0x1_2000]) setEntry(table, 0, BigInt(table + PAGE) | ALL);
  for (let page = 0; page < 512; page++) map(page * PAGE, page * PAGE < DEVICE ? page * PAGE : DEVICE_PHYSICAL + page * PAGE - DEVICE);
  const { vmcb, vmcb32 } = vcpu;
  const set = (number: number, value: bigint | number): void => setRegister(vcpu, number, BigInt(value));
  return {
    vcpu,
    memory,
    accesses,
    map,
    setEntry,
    entryOf: (linear: number): bigint => tables[LEAVES / 8 + linear / PAGE]!,
    deviceBytes: (page = 0): Uint8Array => deviceOf(DEVICE_PHYSICAL / PAGE + page).bytes,
    set,
    get: (number: number): bigint => getRegister(vcpu, number),
    setCpl: (cpl: number): void => void (vmcb32[VMCB.CPL >> 2] = cpl << 24),
    put: (text: string, at = CODE): number => {
      const [code] = assemble([text], 64);
      memory.bytes.set(code!, at);
      vmcb[RIP] = BigInt(at);
      return code!.length;
    },
    /** @param address the fault's, physical */
    execute: (address: number, info = 0) => {
      vmcb[VMCB.EXITINFO1 >> 3] = BigInt(info);
      vmcb[VMCB.EXITINFO2 >> 3] = BigInt(address);
      accesses.length = 0;
      return mmio.execute();
    },
    rip: (): number => Number(vmcb[RIP]),
    cr2: (): bigint => BigInt.asUintN(64, vmcb[VMCB.CR2 >> 3]!),
  };
}

describe('behind an instruction', () => {
  it('the interrupt shadow and RF are over, and nothing else of the flags', () => {
    const { put, execute, vcpu } = createPagedGuest();
    put('mov eax, dword ptr [0x200f0]');
    vcpu.vmcb32[VMCB.INTERRUPT_SHADOW >> 2] = 1;
    vcpu.vmcb[VMCB.RFLAGS >> 3] = 0x202n | RFLAGS.RF;
    expect(execute(DEVICE_PHYSICAL + 0xf0)).toBe(DONE);
    expect(vcpu.vmcb32[VMCB.INTERRUPT_SHADOW >> 2]).toBe(0);
    expect(vcpu.vmcb[VMCB.RFLAGS >> 3]).toBe(0x202n);
  });

  it('there is a trap with TF, after each element of a string', () => {
    const { put, execute, vcpu, rip, set, get } = createPagedGuest();
    const length = put('mov eax, dword ptr [0x200f0]');
    vcpu.vmcb[VMCB.RFLAGS >> 3] = 2n | RFLAGS.TF;
    expect(execute(DEVICE_PHYSICAL + 0xf0)).toEqual({ kind: 'fault', vector: 1 });
    expect(rip()).toBe(CODE + length);
    expect(vcpu.vmcb[VMCB.DR6 >> 3]! & 0x4000n).toBe(0x4000n);
    put('rep stosb');
    set(RCX, 5);
    set(RDI, DEVICE);
    expect(execute(DEVICE_PHYSICAL)).toEqual({ kind: 'fault', vector: 1 });
    expect([rip(), get(RCX)]).toEqual([CODE, 4n]);
  });

  it('without time to make it ready nothing is done; with time for no more it is ready the next time', () => {
    const { vcpu, memory, ...guest } = createFlatGuest();
    memory.bytes.set([0xa1, 0xf0, 0, 0xd0, 0xfe, 0, 0, 0, 0], PLACE.CODE);
    vcpu.vmcb[VMCB.EXITINFO2 >> 3] = 0xfed0_00f0n;
    const [before, accumulator] = [vcpu.vmcb[RIP], getRegister(vcpu, 0)];
    const forbidden = { mayDecode: () => false, hasTime: () => true };
    expect(guest.execute(forbidden)).toEqual({ kind: 'postponed' });
    expect(guest.execute({ mayDecode: () => true, hasTime: () => false })).toEqual({ kind: 'postponed' });
    expect([vcpu.vmcb[RIP], getRegister(vcpu, 0)]).toEqual([before, accumulator]);
    expect(guest.execute(forbidden)).toBe(DONE);
    expect(vcpu.vmcb[RIP]).toBe(before! + 9n);
  });

  it('EIP has 32 bits outside of 64-bit code', () => {
    const { vcpu, memory, ...guest } = createFlatGuest();
    memory.bytes.set([0xa1, 0xf0, 0, 0xd0, 0xfe], 0x100);
    new DataView(vcpu.vmcb.buffer).setUint16(VMCB.CS + 2, SEGMENT_ATTRIBUTES.CODE_32, true);
    vcpu.vmcb[(VMCB.CS + SEGMENT.BASE) >> 3] = 0x103n;
    vcpu.vmcb[RIP] = 0xffff_fffdn;
    vcpu.vmcb[VMCB.EXITINFO2 >> 3] = 0xfed0_00f0n;
    expect(guest.execute()).toBe(DONE);
    expect(vcpu.vmcb[RIP]).toBe(2n);
  });
});

describe('an operand that crosses a page', () => {
  const cross = 'mov dword ptr [rbx], eax';
  it('from RAM into a device is stored in its two parts', () => {
    const { put, execute, set, accesses, memory, map } = createPagedGuest();
    map(DEVICE - PAGE, RAM);
    put(cross);
    set(RAX, 0x4433_2211);
    set(RBX, DEVICE - 1);
    expect(execute(DEVICE_PHYSICAL, NPF_INFO.WRITE)).toBe(DONE);
    expect(accesses).toEqual(['write 2 at fed00:0: 3322', 'write 1 at fed00:2: 44']);
    expect([...memory.bytes.subarray(RAM + PAGE - 1, RAM + PAGE + 1)]).toEqual([0x11, 0]);
  });

  it('from a device into RAM is loaded from both', () => {
    const { put, execute, set, get, accesses, map, memory, deviceBytes } = createPagedGuest();
    map(DEVICE + PAGE, RAM);
    put('mov rax, qword ptr [rbx]');
    set(RBX, DEVICE + PAGE - 3);
    deviceBytes().set([1, 2, 3], PAGE - 3);
    memory.bytes.set([4, 5, 6, 7, 8], RAM);
    expect(execute(DEVICE_PHYSICAL + PAGE - 3)).toBe(DONE);
    expect(get(RAX)).toBe(0x0807_0605_0403_0201n);
    expect(accesses).toEqual(['read 2 at fed00:ffd', 'read 1 at fed00:fff']);
  });

  it('from a device into another one goes to both', () => {
    const { put, execute, set, get, accesses } = createPagedGuest();
    put('mov ax, word ptr [rbx]');
    set(RAX, -1n);
    set(RBX, DEVICE + PAGE - 1);
    expect(execute(DEVICE_PHYSICAL + PAGE - 1)).toBe(DONE);
    expect(accesses).toEqual(['read 1 at fed00:fff', 'read 1 at fed01:0']);
    expect(get(RAX)).toBe(0xffff_ffff_ffff_0000n);
  });

  it('into nothing is a page fault at the second page, and no access', () => {
    const { put, execute, set, accesses, map, cr2, rip } = createPagedGuest();
    map(DEVICE + PAGE, 0, 0n);
    put(cross);
    set(RBX, DEVICE + PAGE - 2);
    expect(execute(DEVICE_PHYSICAL + PAGE - 2, NPF_INFO.WRITE)).toEqual({ kind: 'fault', vector: 14, errorCode: 2 });
    expect(cr2()).toBe(BigInt(DEVICE + PAGE));
    expect([accesses, rip()]).toEqual([[], CODE]);
  });
});

describe('the right to write', () => {
  it.each([
    ['a user', 3, 0n, false, 7],
    ['a supervisor who heeds it', 0, CR0.WP, false, 3],
    ['a supervisor who does not', 0, 0n, true, 0],
  ])('is checked where the fault was that of a read: %s', (_, cpl, wp, isAllowed, errorCode) => {
    const { put, execute, map, accesses, setCpl, vcpu, cr2 } = createPagedGuest();
    map(DEVICE, DEVICE_PHYSICAL, P | US);
    put('or dword ptr [0x20010], 1');
    setCpl(cpl);
    vcpu.vmcb[VMCB.CR0 >> 3] = vcpu.vmcb[VMCB.CR0 >> 3]! | wp;
    expect(execute(DEVICE_PHYSICAL + 0x10)).toEqual(isAllowed ? DONE : { kind: 'fault', vector: 14, errorCode });
    expect(accesses.length).toBe(isAllowed ? 2 : 0);
    if (!isAllowed) expect(cr2()).toBe(0x2_0010n);
    // The CPU has checked it itself.
    put('or dword ptr [0x20010], 1');
    expect(execute(DEVICE_PHYSICAL + 0x10, NPF_INFO.WRITE)).toBe(DONE);
  });

  it('is not asked for by those that only read', () => {
    const { put, execute, map, setCpl } = createPagedGuest();
    map(DEVICE, DEVICE_PHYSICAL, P | US);
    setCpl(3);
    for (const text of ['test dword ptr [0x20010], 1', 'cmp dword ptr [0x20010], 1', 'bt dword ptr [0x20010], 1']) {
      put(text);
      expect(execute(DEVICE_PHYSICAL + 0x10), text).toBe(DONE);
    }
  });
});

describe('of two operands in memory', () => {
  function moving() {
    const guest = createPagedGuest();
    guest.put('movsd');
    guest.set(RSI, DEVICE + 0xf0);
    guest.set(RDI, RAM + 4);
    return guest;
  }

  it('one in RAM leaves its page accessed and dirty', () => {
    const { execute, entryOf, memory, deviceBytes } = moving();
    deviceBytes().set([9, 8, 7, 6], 0xf0);
    expect(execute(DEVICE_PHYSICAL + 0xf0)).toBe(DONE);
    expect([...memory.bytes.subarray(RAM + 4, RAM + 8)]).toEqual([9, 8, 7, 6]);
    expect(entryOf(RAM) & 0x60n).toBe(0x60n);
    expect(entryOf(DEVICE) & 0x60n).toBe(0x20n);
  });

  it.each([
    ['is not there', 0n, 0, 0n, 2],
    ["is the supervisor's", P | RW, 3, 0n, 7],
    ['is not to be written', P | US, 3, 0n, 7],
    ["is the user's, with SMAP", P | RW | US, 0, CR4.SMAP, 3],
  ])('the device is not read if the other one %s', (_, rights, cpl, cr4, errorCode) => {
    const { execute, map, setCpl, vcpu, accesses, cr2, get, rip } = moving();
    map(RAM, RAM, rights);
    setCpl(cpl);
    vcpu.vmcb[VMCB.CR4 >> 3] = vcpu.vmcb[VMCB.CR4 >> 3]! | cr4;
    if (cr4 !== 0n) map(DEVICE, DEVICE_PHYSICAL, P | RW);
    expect(execute(DEVICE_PHYSICAL + 0xf0)).toEqual({ kind: 'fault', vector: 14, errorCode });
    expect([accesses, cr2(), get(RDI), rip()]).toEqual([[], BigInt(RAM + 4), BigInt(RAM + 4), CODE]);
  });

  it('SMAP is off with AC', () => {
    const { execute, map, vcpu } = moving();
    map(DEVICE, DEVICE_PHYSICAL, P | RW);
    vcpu.vmcb[VMCB.CR4 >> 3] = vcpu.vmcb[VMCB.CR4 >> 3]! | CR4.SMAP;
    vcpu.vmcb[VMCB.RFLAGS >> 3] = 2n | RFLAGS.AC;
    expect(execute(DEVICE_PHYSICAL + 0xf0)).toBe(DONE);
  });

  it('one whose address is not canonical is #GP, and #SS on the stack', () => {
    const { execute, set, accesses, put } = moving();
    set(RDI, 0x8000_0000_0000n);
    expect(execute(DEVICE_PHYSICAL + 0xf0)).toEqual({ kind: 'fault', vector: 13, errorCode: 0 });
    put('push qword ptr [0x20010]');
    set(RSP, 0x8000_0000_0008n);
    expect(execute(DEVICE_PHYSICAL + 0x10)).toEqual({ kind: 'fault', vector: 12, errorCode: 0 });
    set(RSP, 0xffff_8000_0000_0008n);
    expect(execute(DEVICE_PHYSICAL + 0x10)).toMatchObject({ kind: 'fault', vector: 14 });
    expect(accesses).toEqual([]);
  });

  it('both may be devices', () => {
    const { execute, set, accesses } = moving();
    set(RDI, DEVICE + PAGE);
    expect(execute(DEVICE_PHYSICAL + 0xf0)).toBe(DONE);
    expect(accesses).toEqual(['read 4 at fed00:f0', 'write 4 at fed01:0: 0']);
  });
});

describe('a repeated one', () => {
  function filling(count: number, direction = 1) {
    const guest = createPagedGuest();
    const length = guest.put('rep stosd');
    guest.set(RCX, count);
    guest.set(RAX, 0x55);
    guest.set(RDI, DEVICE + 0x100);
    guest.vcpu.vmcb[VMCB.RFLAGS >> 3] = direction < 0 ? 2n | RFLAGS.DF : 2n;
    return { ...guest, length };
  }

  it('does a bounded number of elements at an exit, and goes on where it was', () => {
    const { execute, get, rip, accesses, length } = filling(ELEMENTS_MAX + 3);
    expect(execute(DEVICE_PHYSICAL + 0x100, NPF_INFO.WRITE)).toBe(DONE);
    expect([rip(), get(RCX), get(RDI), accesses.length]).toEqual([CODE, 3n, BigInt(DEVICE + 0x100 + 4 * ELEMENTS_MAX), ELEMENTS_MAX]);
    expect(execute(DEVICE_PHYSICAL + 0x100 + 4 * ELEMENTS_MAX, NPF_INFO.WRITE)).toBe(DONE);
    expect([rip(), get(RCX), accesses.length]).toEqual([CODE + length, 0n, 3]);
  });

  it('stops where it leaves the device for RAM, which the CPU does itself', () => {
    const { execute, get, rip, set, map, accesses, memory } = filling(8);
    map(DEVICE + PAGE, RAM);
    set(RDI, DEVICE + PAGE - 8);
    expect(execute(DEVICE_PHYSICAL + PAGE - 8, NPF_INFO.WRITE)).toBe(DONE);
    expect([rip(), get(RCX), accesses.length, memory.bytes[RAM]]).toEqual([CODE, 6n, 2, 0]);
  });

  it('that meets a fault has done what is before it', () => {
    const { execute, get, rip, set, map, cr2 } = filling(8, -1);
    map(DEVICE, DEVICE_PHYSICAL, 0n);
    set(RDI, DEVICE + PAGE + 4);
    expect(execute(DEVICE_PHYSICAL + PAGE + 4, NPF_INFO.WRITE)).toEqual({ kind: 'fault', vector: 14, errorCode: 2 });
    expect([rip(), get(RCX), get(RDI), cr2()]).toEqual([CODE, 6n, BigInt(DEVICE + PAGE - 4), BigInt(DEVICE + PAGE - 4)]);
  });
});

describe('what does not fit is said, with the bytes, and nothing is done', () => {
  it.each([
    ['an operand elsewhere', 'mov eax, dword ptr [0x20010]', 0x20, 0, 'its operand is elsewhere'],
    ['another page', 'mov eax, dword ptr [0x20010]', PAGE + 0x20, 0, 'its operand is elsewhere'],
    ['a string elsewhere', 'stosb', PAGE, 0, 'its operands are elsewhere'],
    ['an instruction that is not decoded', 'movups xmm0, [0x20010]', 0x10, 0, 'it is not one that is done for a guest'],
  ])('%s', (_, text, offset, info, why) => {
    const { put, execute, set, rip, memory, accesses } = createPagedGuest();
    const length = put(text);
    set(RDI, DEVICE);
    const outcome = execute(DEVICE_PHYSICAL + offset, info);
    expect(outcome).toMatchObject({ kind: 'unsupported', why, bytes: [...memory.bytes.subarray(CODE, CODE + 15)] });
    if (!text.startsWith('movups')) expect(outcome).toMatchObject({ read: length });
    expect([rip(), accesses]).toEqual([CODE, []]);
  });

  it('a fault on the way through tables, and one while an event was delivered', () => {
    const { put, execute, vcpu, accesses } = createPagedGuest();
    put('mov eax, dword ptr [0x20010]');
    expect(execute(DEVICE_PHYSICAL + 0x10, 2 ** 33)).toMatchObject({ kind: 'unsupported', read: 0 });
    vcpu.vmcb32[VMCB.EXITINTINFO >> 2] = EVENT.VALID | 32;
    expect(execute(DEVICE_PHYSICAL + 0x10)).toMatchObject({ kind: 'unsupported', read: 0 });
    expect(accesses).toEqual([]);
  });

  it('an instruction in a device', () => {
    const { execute, vcpu } = createPagedGuest();
    vcpu.vmcb[RIP] = BigInt(DEVICE + 0x10);
    expect(execute(DEVICE_PHYSICAL + 0x10, NPF_INFO.FETCH)).toEqual({
      kind: 'unsupported',
      why: 'it is not in memory',
      bytes: [],
      read: 0,
    });
  });

  it('LOCK where there must be none', () => {
    const { execute, put } = createPagedGuest();
    put('.byte 0xf0; mov eax, dword ptr [0x20010]');
    expect(execute(DEVICE_PHYSICAL + 0x10)).toEqual({ kind: 'fault', vector: 6 });
  });
});

describe('an instruction across two pages', () => {
  function crossing() {
    const guest = createPagedGuest();
    guest.put('mov eax, dword ptr [0x20010]', CODE + PAGE - 3);
    // Its second page is elsewhere.
    guest.memory.bytes.copyWithin(0x6000, CODE + PAGE, CODE + PAGE + 16);
    guest.memory.bytes.fill(0x90, CODE + PAGE, CODE + PAGE + 16);
    guest.map(CODE + PAGE, 0x6000);
    guest.deviceBytes()[0x10] = 7;
    return guest;
  }

  it('is read through the tables of both, each time', () => {
    const { execute, get, memory, vcpu, rip } = crossing();
    for (const low of [0x10, 0x18]) {
      memory.bytes[0x6000] = low;
      vcpu.vmcb[RIP] = BigInt(CODE + PAGE - 3);
      expect(execute(DEVICE_PHYSICAL + low)).toBe(DONE);
      expect(get(RAX)).toBe(low === 0x10 ? 7n : 0n);
      expect(rip()).toBe(CODE + PAGE + 4);
    }
  });

  it.each([
    [0, 0n, 0],
    [3, 0n, 4],
    [3, EFER.NXE, 20],
  ])('is a page fault if the second is gone (CPL %i, NXE %i)', (cpl, nxe, errorCode) => {
    const { execute, map, setCpl, vcpu, cr2, rip } = crossing();
    map(CODE + PAGE, 0, 0n);
    setCpl(cpl);
    vcpu.vmcb[VMCB.EFER >> 3] = vcpu.vmcb[VMCB.EFER >> 3]! | nxe;
    expect(execute(DEVICE_PHYSICAL + 0x10)).toEqual({ kind: 'fault', vector: 14, errorCode });
    expect([cr2(), rip()]).toEqual([BigInt(CODE + PAGE), CODE + PAGE - 3]);
  });
});

describe('what is remembered of an instruction is not used', () => {
  const LOAD = 'mov eax, dword ptr [0x20010]';
  const STORE = 'mov dword ptr [0x20010], eax';
  /** The load has been done once; another code page at 0x5000 has the store at the same offset. */
  function remembering() {
    const guest = createPagedGuest();
    guest.put(STORE, 0x5000);
    guest.put(LOAD);
    expect(guest.execute(DEVICE_PHYSICAL + 0x10)).toBe(DONE);
    const again = (): string[] => {
      guest.vcpu.vmcb[RIP] = BigInt(CODE);
      expect(guest.execute(DEVICE_PHYSICAL + 0x10)).toBe(DONE);
      return guest.accesses.map((access) => access.split(' ')[0]!);
    };
    expect(again()).toEqual(['read']);
    return { ...guest, again };
  }

  it('when its bytes have changed', () => {
    const { put, again } = remembering();
    put(STORE);
    expect(again()).toEqual(['write']);
  });

  it('when its page leads elsewhere under the same CR3', () => {
    const { map, again } = remembering();
    map(CODE, 0x5000);
    expect(again()).toEqual(['write']);
    map(CODE, CODE);
    expect(again()).toEqual(['read']);
  });

  it.each([0x1_0000, 0x1_1000, 0x1_2000])('when a table above leads elsewhere (%i)', (table) => {
    const { memory, setEntry, again } = remembering();
    // A copy of the rest of the way, with the other page at its end.
    const copies = 0x1_8000;
    memory.bytes.copyWithin(copies, 0x1_0000, 0x1_4000);
    for (const level of [0, 1, 2]) setEntry(copies + level * PAGE, 0, BigInt(copies + (level + 1) * PAGE) | ALL);
    setEntry(copies + 3 * PAGE, CODE / PAGE, 0x5000n | ALL);
    setEntry(table, 0, BigInt(copies + table - 0x1_0000 + PAGE) | ALL);
    expect(again()).toEqual(['write']);
  });

  it('under another CR3', () => {
    const { memory, setEntry, again, vcpu } = remembering();
    memory.bytes.copyWithin(0x1_8000, 0x1_0000, 0x1_4000);
    for (const level of [0, 1, 2]) setEntry(0x1_8000 + level * PAGE, 0, BigInt(0x1_8000 + (level + 1) * PAGE) | ALL);
    setEntry(0x1_b000, CODE / PAGE, 0x5000n | ALL);
    vcpu.vmcb[VMCB.CR3 >> 3] = 0x1_8000n;
    expect(again()).toEqual(['write']);
  });

  it('in code of another size, without paging, and from another base', () => {
    const { vcpu, again, memory } = remembering();
    const attributes = (value: number): void => new DataView(vcpu.vmcb.buffer).setUint16(VMCB.CS + 2, value, true);
    // In 16-bit code its bytes are others.
    attributes(SEGMENT_ATTRIBUTES.CODE_16);
    vcpu.vmcb[VMCB.EXITINFO2 >> 3] = BigInt(DEVICE_PHYSICAL + 0x10);
    vcpu.vmcb[RIP] = BigInt(CODE);
    expect(() => again()).toThrow();
    attributes(SEGMENT_ATTRIBUTES.CODE_32);
    // mov eax, [0x20010], and the store behind it.
    memory.bytes.set([0xa1, 0x10, 0, 2, 0], CODE);
    memory.bytes.set([0xa3, 0x10, 0, 2, 0], 0x5000);
    expect(again()).toEqual(['read']);
    vcpu.vmcb[(VMCB.CS + SEGMENT.BASE) >> 3] = 0x1000n;
    expect(again()).toEqual(['write']);
    vcpu.vmcb[(VMCB.CS + SEGMENT.BASE) >> 3] = 0n;
    expect(again()).toEqual(['read']);
  });

  it('for another instruction that has its place', () => {
    const { put, again, vcpu, execute, accesses } = remembering();
    put(STORE, CODE + 64);
    vcpu.vmcb[RIP] = BigInt(CODE + 64);
    expect(execute(DEVICE_PHYSICAL + 0x10)).toBe(DONE);
    expect(accesses.join()).toMatch(/^write/);
    expect(again()).toEqual(['read']);
  });
});

describe('in other modes', () => {
  const REAL_DEVICE = 0xf_e000;
  function realGuest(mode: 'real' | 'protected') {
    const vcpu = createFakeVcpu({ mode, entry: 0x7c00 });
    const memory = createGuestMemory(vcpu, new ArrayBuffer(MEMORY));
    const device = createMemoryDevice();
    const mmio = createMmioInstructions(vcpu, memory, () => device);
    return {
      vcpu,
      memory,
      device,
      run(text: string, address: number, bits: 16 | 32) {
        const [code] = assemble([text], bits);
        memory.bytes.set(code!, 0x7c00);
        vcpu.vmcb[VMCB.EXITINFO2 >> 3] = BigInt(address);
        return mmio.execute();
      },
    };
  }

  it('real mode has segments of 16 bytes, offsets that wrap at 64 KiB, and 16-bit strings', () => {
    const { vcpu, device, run, memory } = realGuest('real');
    vcpu.vmcb[(VMCB.DS + SEGMENT.BASE) >> 3] = BigInt(REAL_DEVICE);
    setRegister(vcpu, RBX, 0xffff_fff8n);
    setRegister(vcpu, RSI, 0x20n);
    device.bytes[0x18] = 0x42;
    setRegister(vcpu, RAX, 0x1234_5678n);
    expect(run('mov al, byte ptr [bx + si]', REAL_DEVICE + 0x18, 16)).toBe(DONE);
    expect(getRegister(vcpu, RAX)).toBe(0x1234_5642n);
    vcpu.vmcb[RIP] = 0n;
    vcpu.vmcb[(VMCB.ES + SEGMENT.BASE) >> 3] = 0x3000n;
    device.bytes.set([1, 2, 3, 4], 0x20);
    setRegister(vcpu, RCX, 0xabcd_0002n);
    setRegister(vcpu, RDI, 0xabcd_fffen);
    expect(run('rep movsw', REAL_DEVICE + 0x20, 16)).toBe(DONE);
    expect([getRegister(vcpu, RCX), getRegister(vcpu, RDI), getRegister(vcpu, RSI)]).toEqual([0xabcd_0000n, 0xabcd_0002n, 0x24n]);
    expect([memory.bytes[0x3000 + 0xfffe], memory.bytes[0x3000], memory.bytes[0x3001]]).toEqual([1, 3, 4]);
  });

  it('protected mode adds the base of any segment, in 32 bits, and pushes onto a stack of its size', () => {
    const { vcpu, device, run, memory } = realGuest('protected');
    vcpu.vmcb[(VMCB.DS + SEGMENT.BASE) >> 3] = 0xfed0_0000n;
    device.bytes.set([9, 0, 0, 1], 0xf0);
    setRegister(vcpu, RBX, 0x1_0000_00f0n);
    expect(run('mov eax, dword ptr [ebx]', 0xfed0_00f0, 32)).toBe(DONE);
    expect(getRegister(vcpu, RAX)).toBe(0x0100_0009n);
    vcpu.vmcb[RIP] = 0x7c00n;
    setRegister(vcpu, RSP, 0x2004n);
    expect(run('push dword ptr [ebx]', 0xfed0_00f0, 32)).toBe(DONE);
    expect([getRegister(vcpu, RSP), memory.bytes[0x2000], memory.bytes[0x2003]]).toEqual([0x2000n, 9, 1]);
    // A stack of 16 bits: the rest of ESP stays.
    new DataView(vcpu.vmcb.buffer).setUint16(VMCB.SS + 2, SEGMENT_ATTRIBUTES.DATA_16, true);
    vcpu.vmcb[RIP] = 0x7c00n;
    setRegister(vcpu, RSP, 0x7_0000n);
    expect(run('push dword ptr [ebx]', 0xfed0_00f0, 32)).toBe(DONE);
    expect([getRegister(vcpu, RSP), memory.bytes[0xfffc]]).toEqual([0x7_fffcn, 9]);
  });
});

it('whatever the bytes and registers are, there is an outcome, and only the guest and its devices are changed', () => {
  const random = createRandom(11);
  const { next } = createDeviceInstructions(random);
  const known = assemble(
    Array.from({ length: 400 }, () => next().text),
    64,
  );
  const kinds = new Set<string>();
  const changeable = new Set([VMCB.RIP, VMCB.RFLAGS, VMCB.RSP, VMCB.CR2, VMCB.DR6, VMCB.INTERRUPT_SHADOW].map((offset) => offset >> 3));
  const guest = createPagedGuest();
  const { vcpu, memory, accesses } = guest;
  const [vmcbBefore, areaBefore] = [vcpu.vmcb.slice(), vcpu.area.slice()];
  const memoryBefore = memory.bytes.slice();
  for (let round = 0; round < 20_000; round++) {
    if (round % 500 === 0) memory.bytes.set(memoryBefore);
    vcpu.vmcb.set(vmcbBefore);
    vcpu.area.set(areaBefore);
    const at = random.integer(16) === 0 ? CODE + PAGE - 1 - random.integer(14) : CODE + random.integer(64);
    const code = random.integer(3) === 0 ? random.bytes(15) : known[random.integer(known.length)]!.slice();
    if (random.integer(4) === 0) code[random.integer(code.length)] = random.integer(256);
    memory.bytes.set(code, at);
    const attributes = [SEGMENT_ATTRIBUTES.CODE_16, SEGMENT_ATTRIBUTES.CODE_32, SEGMENT_ATTRIBUTES.CODE_64][random.integer(3)]!;
    new DataView(vcpu.vmcb.buffer).setUint16(VMCB.CS + 2, attributes, true);
    for (let number = 0; number < 16; number++) {
      const wild = random.bytes(8).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
      setRegister(vcpu, number, random.integer(3) === 0 ? wild : BigInt(DEVICE - 64 + random.integer(0x2000)));
    }
    vcpu.vmcb[VMCB.RFLAGS >> 3] = BigInt(2 | random.integer(0x1000));
    vcpu.vmcb[RIP] = BigInt(at);
    const controls = vcpu.vmcb.slice();
    const decoded = decodeInstruction(
      memory.bytes.subarray(at, at + 15),
      attributes === SEGMENT_ATTRIBUTES.CODE_64 ? 8 : attributes === SEGMENT_ATTRIBUTES.CODE_32 ? 4 : 2,
    );
    const target = 'problem' in decoded ? 0n : linearAddress(vcpu, decoded, BigInt(at + decoded.length)) & 0x1f_ffffn;
    const address = DEVICE_PHYSICAL + Math.max(0, Number(target) - DEVICE);
    controls[VMCB.EXITINFO2 >> 3] = BigInt(address);
    controls[VMCB.EXITINFO1 >> 3] = 0n;
    const outcome = guest.execute(address);
    kinds.add(outcome.kind === 'fault' ? `fault ${outcome.vector}` : outcome.kind);
    vcpu.vmcb.forEach((word, index) => {
      if (word !== controls[index] && !changeable.has(index))
        throw new Error(`round ${round}: the VMCB's word ${index.toString(16)} has changed`);
    });
    vcpu.area.forEach((word, index) => {
      if (word !== areaBefore[index] && index > 15) throw new Error(`round ${round}: word ${index} of the area has changed`);
    });
    for (const access of accesses) {
      const [, width, offset, value] = /^\w+ (\d) at \w+:(\w+)(?:: (\w+))?$/.exec(access)!;
      expect(parseInt(offset!, 16) + Number(width)).toBeLessThanOrEqual(PAGE);
      if (value !== undefined) expect(BigInt(`0x${value}`)).toBeLessThanOrEqual(MASKS[Number(width) as Width]);
    }
  }
  expect([...kinds].sort()).toEqual(['done', 'fault 1', 'fault 12', 'fault 13', 'fault 14', 'fault 6', 'unsupported']);
});
