import { expect, it } from 'vitest';
import { CR0 } from '../regs/paging.ts';
import { VMCB } from '../regs/vmcb.ts';
import { createFakeVcpu } from '../testing/guest.ts';
import { AREA } from './guest-area.ts';
import { createGuestMemory } from './guest-memory.ts';
import { createMmioInstructions } from './mmio-instruction.ts';

it('moves', () => {
  const vcpu = createFakeVcpu({ mode: 'long', entry: 0x4000 });
  vcpu.vmcb[VMCB.CR0 >> 3] = vcpu.vmcb[VMCB.CR0 >> 3]! & ~CR0.PG;
  const memory = createGuestMemory(vcpu, new ArrayBuffer(0x10_0000));
  const mmio = createMmioInstructions(vcpu, memory, () => ({ read: (offset) => BigInt(offset) + 0x80000000n, write: () => undefined }));
  memory.bytes.set([0x8b, 0x43, 0xf0], 0x4000);
  vcpu.area[AREA.RBX] = 0xfed0_0100n;
  vcpu.vmcb[VMCB.EXITINFO2 >> 3] = 0xfed0_00f0n;
  for (let i = 0; i < 3; i++) {
    vcpu.vmcb[VMCB.RIP >> 3] = 0x4000n;
    expect(mmio.execute()).toEqual({ kind: 'done' });
    expect(vcpu.area[AREA.RAX]).toBe(0x800000f0n);
    expect(vcpu.vmcb[VMCB.RIP >> 3]).toBe(0x4003n);
  }
});
