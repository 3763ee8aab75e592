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
import { CR0 } from '../regs/paging.ts';
import { SEGMENT, VMCB } from '../regs/vmcb.ts';
import { createDeviceInstructions, PLACE, WINDOW, type DeviceInstruction, type Operands } from '../testing/device-instructions.ts';
import { createFakeVcpu } from '../testing/guest.ts';
import { createRandom } from '../testing/random.ts';
import type { Width } from '../vdev/device.ts';
import { STATUS_FLAGS } from './arithmetic.ts';
import { createGuestMemory } from './guest-memory.ts';
import { placeOf } from './guest-registers.ts';
import { createMmioInstructions, DONE } from './mmio-instruction.ts';
import { PAGE } from './mmio-operands.ts';
import type { Vcpu } from './vcpu.ts';

const MEMORY = 0x8_0000;
const RIP = VMCB.RIP >> 3;
const RSI = 6;
const RDI = 7;
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
    for (let exits = 0; exits < 10 && vmcb[RIP] === BigInt(PLACE.CODE); exits++) {
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
