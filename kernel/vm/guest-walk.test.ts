/** Walks with rights. Where an address leads is compared with guest-memory.ts, which does not look at them. */
import { describe, expect, it } from 'vitest';
import { CR0, CR4, PTE, RFLAGS } from '../regs/paging.ts';
import { EFER, VMCB } from '../regs/vmcb.ts';
import { createFakeVcpu } from '../testing/guest.ts';
import { createRandom } from '../testing/random.ts';
import { createGuestMemory } from './guest-memory.ts';
import { createGuestWalk, PAGE_FAULT, type Access } from './guest-walk.ts';

const MEMORY = 0x1_0000;
const { P, RW, US, PS } = PTE;
const A = 1n << 5n;
const D = 1n << 6n;

type Mode = 'flat' | 'legacy' | 'pse' | 'pae' | 'long';
function createGuest(mode: Mode) {
  const vcpu = createFakeVcpu({ mode: mode === 'long' ? 'long' : 'protected', entry: 0x4000, cr3: 0x1000 });
  const { vmcb, vmcb32 } = vcpu;
  vmcb[VMCB.CR3 >> 3] = 0x1000n;
  if (mode !== 'flat') vmcb[VMCB.CR0 >> 3] = vmcb[VMCB.CR0 >> 3]! | CR0.PG;
  if (mode === 'pse') vmcb[VMCB.CR4 >> 3] = CR4.PSE;
  if (mode === 'pae') vmcb[VMCB.CR4 >> 3] = CR4.PAE;
  const memory = createGuestMemory(vcpu, new ArrayBuffer(MEMORY));
  const guestWalk = createGuestWalk(vcpu, memory);
  return { vcpu, vmcb, memory, guestWalk, setCpl: (cpl: number): void => void (vmcb32[VMCB.CPL >> 2] = cpl << 24) };
}

describe('an address leads', () => {
  it.each<Mode>(['flat', 'legacy', 'pse', 'pae', 'long'])('where it does for guest-memory.ts, or out of the memory (%s)', (mode) => {
    const { memory, guestWalk } = createGuest(mode);
    const random = createRandom(3);
    const words = new Uint32Array(memory.bytes.buffer);
    const isNarrow = mode === 'legacy' || mode === 'pse';
    let [inside, outside, missing] = [0, 0, 0];
    for (let round = 0; round < 10_000; round++) {
      if (round % 50 === 0)
        for (let at = 0; at < words.length; at++) {
          const isHigh = !isNarrow && at % 2 === 1;
          // Most entries lead to other tables of so small a memory.
          const page = random.integer(8) === 0 ? random.integer(0x10_0000) : random.integer(MEMORY >> 12);
          words[at] = isHigh
            ? random.integer(16) === 0
              ? random.integer(16)
              : 0
            : (page * 0x1000 + random.integer(0x1000)) | (random.integer(8) === 0 ? 0 : 1);
        }
      const linear = (BigInt(random.integer(0x1_0000)) << 32n) | BigInt(random.integer(mode === 'flat' ? 2 * MEMORY : 0x1_0000_0000));
      const address = mode === 'long' ? BigInt.asUintN(64, BigInt.asIntN(48, linear)) : linear & 0xffff_ffffn;
      const expected = memory.translate(address);
      const { physical } = guestWalk.walk(address, 'fetch');
      if (expected !== undefined) {
        inside++;
        expect(physical).toBe(expected);
      } else if (physical !== undefined) {
        outside++;
        expect(physical).toBeGreaterThanOrEqual(MEMORY);
      } else missing++;
    }
    expect(inside).toBeGreaterThan(50);
    expect(outside).toBeGreaterThan(50);
    if (mode !== 'flat') expect(missing).toBeGreaterThan(50);
  });
});

/** Long mode: one page at 0, by tables at 0x1000 to 0x4000, with these rights at each level from the top. */
function createRights(levels: readonly bigint[]) {
  const guest = createGuest('long');
  const entries = new BigUint64Array(guest.memory.bytes.buffer);
  const entryOf = (level: number): number => (0x1000 * (level + 1)) >> 3;
  levels.forEach((rights, level) => void (entries[entryOf(level)] = BigInt(level === 3 ? 0x8000 : 0x1000 * (level + 2)) | rights));
  return { ...guest, bits: (level: number): bigint => entries[entryOf(level)]! & (A | D) };
}

describe('rights', () => {
  const ALL = P | RW | US;
  it.each([0, 1, 2, 3])('are those that all levels give (%i without)', (level) => {
    for (const [missing, refused] of [
      [RW, ['write']],
      [US, ['read', 'write']],
    ] as const)
      for (const access of ['read', 'write', 'fetch'] as const) {
        const { guestWalk, setCpl } = createRights([0, 1, 2, 3].map((each) => (each === level ? ALL & ~missing : ALL)));
        setCpl(3);
        const isRefused = (refused as readonly Access[]).includes(access);
        const expected = isRefused ? PAGE_FAULT.PRESENT | PAGE_FAULT.USER | (access === 'write' ? PAGE_FAULT.WRITE : 0) : undefined;
        expect(guestWalk.walk(5n, access)).toEqual(isRefused ? { errorCode: expected } : { physical: 0x8005 });
        setCpl(0);
        expect(guestWalk.walk(5n, access)).toEqual({ physical: 0x8005 });
      }
  });

  it('of the supervisor: WP, and SMAP without AC', () => {
    const readOnly = createRights([ALL, ALL, ALL, P]);
    readOnly.vmcb[VMCB.CR0 >> 3] = readOnly.vmcb[VMCB.CR0 >> 3]! | CR0.WP;
    expect(readOnly.guestWalk.walk(0n, 'write')).toEqual({ errorCode: 3 });
    expect(readOnly.guestWalk.walk(0n, 'read')).toEqual({ physical: 0x8000 });
    const user = createRights([ALL, ALL, ALL, ALL]);
    user.vmcb[VMCB.CR4 >> 3] = user.vmcb[VMCB.CR4 >> 3]! | CR4.SMAP;
    expect(user.guestWalk.walk(0n, 'read')).toEqual({ errorCode: 1 });
    user.vmcb[VMCB.RFLAGS >> 3] = 2n | RFLAGS.AC;
    expect(user.guestWalk.walk(0n, 'read')).toEqual({ physical: 0x8000 });
  });

  it.each([0, 1, 2, 3])('there are none where an entry is not present (%i), and FETCH is said with NXE only', (level) => {
    const { guestWalk, setCpl, vmcb } = createRights([0, 1, 2, 3].map((each) => (each === level ? 0n : ALL)));
    expect(guestWalk.walk(0n, 'read')).toEqual({ errorCode: 0 });
    expect(guestWalk.walk(0n, 'fetch')).toEqual({ errorCode: 0 });
    vmcb[VMCB.EFER >> 3] = vmcb[VMCB.EFER >> 3]! | EFER.NXE;
    setCpl(3);
    expect(guestWalk.walk(0n, 'write')).toEqual({ errorCode: 6 });
    expect(guestWalk.walk(0n, 'fetch')).toEqual({ errorCode: 20 });
  });
});

describe('a walk leaves', () => {
  const ALL = P | RW | US;
  const seen = (access: Access): bigint[] => {
    const { guestWalk, bits } = createRights([ALL, ALL, ALL, ALL]);
    guestWalk.walk(0n, access);
    return [0, 1, 2, 3].map(bits);
  };
  it('accessed at every level, dirty at the last one, and nothing for a fetch', () => {
    expect(seen('read')).toEqual([A, A, A, A]);
    expect(seen('write')).toEqual([A, A, A, A | D]);
    expect(seen('fetch')).toEqual([0n, 0n, 0n, 0n]);
  });

  it('nothing at the page that it may not touch', () => {
    const { guestWalk, bits, setCpl } = createRights([ALL, ALL, ALL, P | US]);
    setCpl(3);
    guestWalk.walk(0n, 'write');
    expect(bits(3)).toBe(0n);
  });

  it('the entries that it went by', () => {
    const { guestWalk } = createRights([ALL, ALL, ALL, ALL]);
    guestWalk.walk(0n, 'fetch');
    expect(guestWalk.visited).toEqual([0x1000, 0x2000, 0x3000, 0x4000].map((address) => address >> 2));
    const large = createRights([ALL, ALL, ALL | PS, ALL]);
    expect(large.guestWalk.walk(0x1234n, 'fetch')).toEqual({ physical: 0x1234 });
    expect(large.guestWalk.visited).toHaveLength(3);
  });
});

it('a table outside of the memory is no page fault', () => {
  for (const mode of ['legacy', 'pae', 'long'] as const) {
    const { guestWalk, vmcb } = createGuest(mode);
    vmcb[VMCB.CR3 >> 3] = BigInt(MEMORY);
    expect(guestWalk.walk(0n, 'read')).toEqual({ errorCode: undefined });
    vmcb[VMCB.CR3 >> 3] = 0xffff_f000n;
    expect(guestWalk.walk(0n, 'read')).toEqual({ errorCode: undefined });
  }
});
