/**
 * What it costs to do a guest's instruction on device memory, after the exit and before the entry, in virtual nanoseconds: one instruction is
 * one. The device is a constant; no guest runs.
 */
import { EXIT } from '../../kernel/hw/exit.ts';
import type { Shims } from '../../kernel/hw/shims.ts';
import { findMachine, openTrace } from '../../kernel/machine.ts';
import { CR0 } from '../../kernel/regs/paging.ts';
import { NPF_INFO, SEGMENT_ATTRIBUTES, VMCB } from '../../kernel/regs/vmcb.ts';
import { createFakeVcpu } from '../../kernel/testing/guest.ts';
import { EVENTS } from '../../kernel/trace/events.ts';
import { AREA } from '../../kernel/vm/guest-area.ts';
import { createGuestMemory } from '../../kernel/vm/guest-memory.ts';
import { createMmioInstructions, DONE } from '../../kernel/vm/mmio-instruction.ts';

const TURNS = 1000;
const CODE = 0x4000;
const TABLES = 0x1_0000;
const PAGE = 0x1000;
const HPET = 0xfed0_0000;
const COUNTER = 0xf0;
/** Linear address of the device: what the tables say of it is not asked where one operand lies within a page. */
const DEVICE = 0x2_0000;
const ALL = 7n;

const LOAD = [0x8b, 0x83, COUNTER, 0, 0, 0]; // mov eax, [rbx + 0xf0]
const LOAD_ABSOLUTE = [0x8b, 0x04, 0x25, COUNTER, 0, 2, 0]; // mov eax, [0x200f0]
const STORE = [0x89, 0x83, COUNTER, 0, 0, 0]; // mov [rbx + 0xf0], eax
const EXTEND = [0x48, 0x0f, 0xb6, 0x83, COUNTER, 0, 0, 0]; // movzx rax, byte ptr [rbx + 0xf0]
const OR = [0x83, 0x8b, COUNTER, 0, 0, 0, 1]; // or dword ptr [rbx + 0xf0], 1
const LOAD_32 = [0xa1, COUNTER, 0, 2, 0]; // mov eax, [0x200f0]
const FILL = [0xf3, 0xab]; // rep stosd

export function main(shims: Shims): void {
  const { trace, uart } = openTrace(shims, { serial: 'off', frames: 'auto' });
  findMachine(shims, trace, uart, 'auto');
  const { rdtsc } = shims;
  const vcpu = createFakeVcpu({ mode: 'long', entry: CODE, cr3: TABLES });
  const { area, vmcb, vmcb32 } = vcpu;
  const memory = createGuestMemory(vcpu, new ArrayBuffer(0x2_0000));
  const tables = new BigUint64Array(memory.bytes.buffer);
  for (let level = 0; level < 3; level++) tables[(TABLES + level * PAGE) >> 3] = BigInt(TABLES + (level + 1) * PAGE) | ALL;
  for (let page = 0; page < 0x40; page++)
    tables[((TABLES + 3 * PAGE) >> 3) + page] = BigInt(page < 0x20 ? page * PAGE : HPET + page * PAGE - DEVICE) | ALL;
  const device = { read: () => 1n, write: () => undefined };
  const mmio = createMmioInstructions(vcpu, memory, () => device);

  function measure(name: string, code: readonly number[], info: number, prepare?: () => void): void {
    memory.bytes.set(code, CODE);
    area[AREA.RBX] = BigInt(DEVICE);
    vmcb[VMCB.EXITINFO1 >> 3] = BigInt(info);
    vmcb[VMCB.EXITINFO2 >> 3] = BigInt(HPET + COUNTER);
    const rip = BigInt(CODE);
    vmcb[VMCB.RIP >> 3] = rip;
    area[AREA.RDI] = BigInt(DEVICE + COUNTER);
    if (prepare === undefined) mmio.execute();
    let total = 0n;
    for (let turn = 0; turn < TURNS; turn++) {
      vmcb[VMCB.RIP >> 3] = rip;
      prepare?.();
      const start = rdtsc();
      const outcome = mmio.execute();
      total += rdtsc() - start;
      if (outcome !== DONE) throw new Error(`${name}: ${JSON.stringify(outcome)}`);
    }
    let empty = 0n;
    for (let turn = 0; turn < TURNS; turn++) {
      const start = rdtsc();
      empty += rdtsc() - start;
    }
    trace.record(EVENTS.benchmark, name, Number(total - empty) / TURNS, 'ns');
  }

  measure('mmio.load_ns', LOAD, 0);
  measure('mmio.load_absolute_ns', LOAD_ABSOLUTE, 0);
  measure('mmio.store_ns', STORE, NPF_INFO.WRITE);
  measure('mmio.load_extended_ns', EXTEND, 0);
  measure('mmio.modify_ns', OR, NPF_INFO.WRITE);
  measure('mmio.modify_read_fault_ns', OR, 0);
  let byte = 0;
  const other = (): void => void (memory.bytes[CODE + LOAD.length] = byte ^= 1);
  measure('mmio.decode_load_ns', LOAD, 0, other);
  measure('mmio.decode_modify_ns', OR, NPF_INFO.WRITE, () => void (memory.bytes[CODE + OR.length] = byte ^= 1));
  measure('mmio.string_4_ns', FILL, NPF_INFO.WRITE, () => {
    area[AREA.RCX] = 4n;
    area[AREA.RDI] = BigInt(DEVICE + COUNTER);
  });
  measure('mmio.string_1_ns', FILL, NPF_INFO.WRITE, () => {
    area[AREA.RCX] = 1n;
    area[AREA.RDI] = BigInt(DEVICE + COUNTER);
  });
  new DataView(vmcb.buffer).setUint16(VMCB.CS + 2, SEGMENT_ATTRIBUTES.CODE_32, true);
  measure('mmio.load_compatibility_ns', LOAD_32, 0);
  vmcb[VMCB.CR0 >> 3] = vmcb[VMCB.CR0 >> 3]! & ~CR0.PG;
  vmcb32[VMCB.EFER >> 2] = 0x1000;
  measure('mmio.load_protected_ns', LOAD_32, 0);
  trace.flush();
  shims.exit(EXIT.OK);
}
