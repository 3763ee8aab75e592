/**
 * Guests that do what they must not, each beside a partition that looks at its own slots from within: the trace says what happened to the
 * one, and the other one's slots stay where they are.
 */
import { describe, expect, it } from 'vitest';
import { boot, type BootedRun } from '../../tools/harness/boot.ts';
import {
  consoleOf,
  createSystems,
  epochOf,
  exitsOf,
  expectEverySlot,
  expectSlotsExact,
  healthOf,
  START_ERROR_MAX,
  statesOf,
  traced,
} from './support.ts';

const systems = createSystems('bad-guests');

const BAD = 0;
const VICTIM = 1;
const MS = 1_000_000n;
const FRAME = 2n * MS;
/** Trace codes of test/guests/trap.h. */
const GUEST = { DONE: 1n, FAULTS: 2n, WRONG: 3n } as const;
/** Trace codes of test/guests/slot-stamps.S: on the HW clock, the end of a stretch in which it did not run is its slot's start. */
const GAP_END = 17n;
/** From one reading of the TSC in its loop to the next: instructions, each a nanosecond. */
const STAMP_STEP = 20n;

/** In ticks of a nanosecond: shorter ones are the kernel's, which prepares the next slot in the middle of this one. */
const GAP_LEAST = 200_000;

interface BadGuest {
  /** In test/guests, or a path from there. */
  readonly file: string;
  readonly mode?: 'real' | 'protected' | 'long';
  readonly defines?: Readonly<Record<string, string | number>>;
  readonly memory?: string;
  readonly health?: string;
  /** Slots of 1 ms that both get. */
  readonly frames?: number;
  readonly seconds?: number;
}

async function runBeside(name: string, guest: BadGuest): Promise<BootedRun> {
  const { file, mode = 'long', defines = {}, memory = 'kib(128)', health = '{}', frames = 12, seconds = 60 } = guest;
  const program = file.endsWith('.ts')
    ? `typescript('../../../test/guests/${file}')`
    : `native('../../../test/guests/${file}', { mode: '${mode}', defines: ${JSON.stringify(defines)} })`;
  // The victim tells what it saw when it has seen all of its slots: that takes some slots more.
  const gaps = frames - 1;
  const system = systems.place(
    `${name}.ts`,
    `import { defineSystem, kib, mib, ms, native, typescript } from '../../../partitions/define.ts';
     export default defineSystem({
       name: '${name}',
       partitions: {
         bad: { program: ${program}, memory: ${memory}, health: ${health} },
         victim: { program: native('../../../test/guests/slot-stamps.S', { defines: { GAPS: ${gaps}, THRESHOLD: ${GAP_LEAST} } }), memory: kib(${128 + 4 * Math.ceil(gaps / 256)}) },
       },
       plans: { normal: { majorFrame: ms(2), slots: [
         { partition: 'bad', start: ms(0), duration: ms(1) },
         { partition: 'victim', start: ms(1), duration: ms(1) },
       ] } },
       duration: ms(${2 * (frames + 2 + Math.ceil(gaps / 16))}),
     });
     void [kib, mib, typescript];\n`,
  );
  const run = await boot({ system, name: `bad-guest-${name}`, seconds });
  expectVictimExact(run, frames);
  return run;
}

/** Seen from the kernel, and from within. */
function expectVictimExact(run: BootedRun, frames: number): void {
  expectSlotsExact(run);
  const before = run.of('slot.run', ({ partition }) => partition === VICTIM);
  expect(before.length, `slots of the victim in ${run.log}`).toBeGreaterThanOrEqual(frames);
  const epoch = epochOf(run);
  before.forEach(({ fields }, frame) => {
    const off = fields.nominal - epoch - (BigInt(frame) * FRAME + MS);
    expect(off >= -1n && off <= 1n, `slot ${frame} is ${off} ns from its place in ${run.log}`).toBe(true);
  });
  const starts = traced(run, VICTIM, GAP_END);
  expect(starts, `slots that the victim saw in ${run.log}`).toHaveLength(frames - 1);
  starts.forEach((start, index) => {
    const late = start - (BigInt(index + 1) * FRAME + MS);
    expect(late >= 0n && late <= START_ERROR_MAX + STAMP_STEP, `slot ${index + 1} began ${late} ns late by the victim's clock`).toBe(true);
  });
  expect(statesOf(run, VICTIM)).toEqual(['halted: by itself']);
  expect(healthOf(run, VICTIM)).toEqual([]);
}

describe('a guest that', () => {
  it('jumps to where no memory is: halted, with the address', async () => {
    const run = await runBeside('jump-unmapped', { file: 'jump-unmapped.S', mode: 'protected' });
    const what = 'instruction fetch at 0x40000000, which is not its memory, rip 0x40000000';
    expect(healthOf(run, BAD)).toEqual([`memory-violation -> halt: ${what}`]);
    expect(statesOf(run, BAD)).toEqual([`halted: memory-violation: ${what}`]);
    expect(exitsOf(run, BAD)).toEqual({ 'nested-page-fault': 1 });
  });

  it.each([
    ['the local APIC', 'local-apic', 0xfee0_0000],
    ["the hypervisor's image", 'image', 0x10_0000],
    ['what is behind its time page', 'behind', 0x2_1000],
  ])('writes to %s: halted, with the address', async (_, name, address) => {
    const hex = `0x${address.toString(16)}`;
    const run = await runBeside(`write-${name}`, { file: 'write-address.S', mode: 'protected', defines: { ADDRESS: hex } });
    expect(healthOf(run, BAD)).toEqual([
      expect.stringMatching(new RegExp(`^memory-violation -> halt: write at ${hex}, which is not its memory, rip 0x80..$`)),
    ]);
    expect(statesOf(run, BAD)).toHaveLength(1);
    expect(traced(run, BAD, 1n)).toEqual([]);
  });

  it('writes to its time page, which is read-only: halted, and the page is what it was', async () => {
    const run = await runBeside('write-time-page', { file: 'write-time-page.S', mode: 'protected' });
    expect(healthOf(run, BAD)).toEqual([expect.stringMatching(/^memory-violation -> halt: write at 0x20010,/)]);
    expect(traced(run, BAD, 1n)).toEqual([]);
  });

  it('writes where it must not over and over, with a rule that only counts it: in its own slots', async () => {
    const run = await runBeside('write-logged', { file: 'write-address.S', mode: 'protected', health: "{ 'memory-violation': 'log' }" });
    expect(healthOf(run, BAD)).toHaveLength(16);
    expect(exitsOf(run, BAD)['nested-page-fault']).toBeGreaterThan(100);
    expect(statesOf(run, BAD)).toEqual([]);
  });

  it('shuts down by a triple fault: halted', async () => {
    const run = await runBeside('triple-fault', { file: 'triple-fault.S' });
    expect(healthOf(run, BAD)).toEqual(['shutdown -> halt: the guest shut down: a triple fault, most likely']);
    expect(statesOf(run, BAD)).toEqual(['halted: shutdown: the guest shut down: a triple fault, most likely']);
  });

  it.each(['cold-reset', 'warm-reset'])('shuts down again after each %s: in its own slots', async (action) => {
    const run = await runBeside(`triple-fault-${action}`, { file: 'triple-fault.S', health: `{ shutdown: '${action}' }` });
    const events = healthOf(run, BAD);
    expect(events).toHaveLength(16);
    expect(new Set(events)).toEqual(new Set([`shutdown -> ${action}: the guest shut down: a triple fault, most likely`]));
    expect(exitsOf(run, BAD)['shutdown']).toBeGreaterThan(16);
    expect(statesOf(run, BAD)[0]).toMatch(/^ready: (cold|warm) reset: shutdown: /);
  });

  it('executes the instructions of SVM: each is an invalid opcode to it', async () => {
    const run = await runBeside('svm-instructions', { file: 'svm-instructions.c' });
    expect(traced(run, BAD, GUEST.WRONG)).toEqual([]);
    expect(traced(run, BAD, GUEST.DONE)).toEqual([7n]);
    expect(statesOf(run, BAD)).toEqual(['halted: by itself']);
    expect(healthOf(run, BAD)).toEqual([]);
  });

  it('halts with interrupts off, which nothing would end: told, and halted', async () => {
    const run = await runBeside('halt-interrupts-off', { file: 'halt-interrupts-off.S' });
    expect(healthOf(run, BAD)).toEqual(['shutdown -> halt: HLT with interrupts off']);
    expect(statesOf(run, BAD)).toEqual(['halted: shutdown: HLT with interrupts off']);
  });

  it('halts with interrupts off, and is reset each time: begins anew each time', async () => {
    const run = await runBeside('halt-reset', { file: 'halt-interrupts-off.S', health: "{ shutdown: 'warm-reset' }" });
    expect(exitsOf(run, BAD)['hlt']).toBeGreaterThan(20);
    expect(new Set(healthOf(run, BAD))).toEqual(new Set(['shutdown -> warm-reset: HLT with interrupts off']));
  });

  it.each([20260101, 4711])(
    'accesses MSRs and ports at random, 120,000 times, seed %d',
    async (seed) => {
      const accesses = 120_000;
      const run = await runBeside(`fuzz-${seed}`, {
        file: 'fuzz.c',
        defines: { SEED: seed, ACCESSES: accesses },
        health: "{ 'port-misuse': 'log' }",
        frames: 2600,
        seconds: 110,
      });
      expect(traced(run, BAD, GUEST.DONE)).toEqual([BigInt(accesses)]);
      const [faults] = traced(run, BAD, GUEST.FAULTS);
      // A quarter of the accesses are to MSRs, most of which do not exist.
      expect(Number(faults)).toBeGreaterThan(accesses / 5);
      expect(Number(faults)).toBeLessThan(accesses / 4 + 1_000);
      const { io = 0, msr = 0 } = exitsOf(run, BAD);
      expect(io).toBeGreaterThan((accesses * 3) / 4 - 1_000);
      expect(msr).toBeGreaterThan(accesses / 5);
      expect(healthOf(run, BAD)).toHaveLength(16);
      expect(healthOf(run, BAD)[0]).toMatch(/^port-misuse -> log: (IN|OUT) of [124] at port 0x[0-9a-f]+, which it was not given$/);
      expect(statesOf(run, BAD)).toEqual(['halted: by itself']);
    },
    120_000,
  );

  describe('writes reserved bits to control registers', () => {
    const GP = 13n;
    const UD = 6n;
    const NOTHING = 0xffn;
    const raised = (run: BootedRun): bigint[] => Array.from({ length: 13 }, (_, number) => traced(run, BAD, BigInt(64 + number))[0] ?? -1n);

    it('where that harms nobody: a fault of its own, or nothing, and what it may write works', async () => {
      const run = await runBeside('control-registers', { file: 'control-registers.c' });
      expect(traced(run, BAD, GUEST.WRONG)).toEqual([]);
      const [cr0High, ...rest] = raised(run);
      // QEMU drops the upper half of CR0.
      expect(cr0High).toBe(NOTHING);
      expect(rest.slice(0, 6)).toEqual([GP, GP, GP, GP, GP, UD]);
      expect(rest.slice(7)).toEqual([NOTHING, NOTHING, NOTHING, NOTHING, NOTHING]);
      // Of CR4 what its CPUID offers: TSD to PCE, OSFXSR, OSXMMEXCPT, FSGSBASE; no VME and PVI, which QEMU has not.
      expect(rest[6]).toBe(0x1_07fcn);
      expect(traced(run, BAD, GUEST.DONE)).toEqual([13n]);
      expect(statesOf(run, BAD)).toEqual(['halted: by itself']);
    });

    it('so that no guest could be entered, long mode without LME: a fault of its own', async () => {
      const run = await runBeside('lethal-1', { file: 'control-registers.c', defines: { LETHAL: 1 } });
      expect(traced(run, BAD, 77n)).toEqual([GP]);
      expect(healthOf(run, BAD)).toEqual([]);
    });

    it.each([
      [2, 'paging without protection', /^(unexpected-exit|shutdown) -> halt: /],
      [3, 'a page table beyond all memory', /^(unexpected-exit|shutdown|memory-violation) -> halt: /],
      [4, 'not write-through without cache disabled', /^unexpected-exit -> halt: VMRUN refused its state, rip 0x/],
    ] as const)('so that no guest can be entered, %d, %s: halted by a health event', async (lethal, _, event) => {
      const run = await runBeside(`lethal-${lethal}`, { file: 'control-registers.c', defines: { LETHAL: lethal } });
      expect(healthOf(run, BAD)).toEqual([expect.stringMatching(event)]);
      expect(statesOf(run, BAD)).toEqual([expect.stringMatching(/^halted: /)]);
    });

    it('so that no guest can be entered, with a rule that only logs it: told once, and halted', async () => {
      const run = await runBeside('lethal-log', {
        file: 'control-registers.c',
        defines: { LETHAL: 4 },
        health: "{ 'unexpected-exit': 'log' }",
      });
      expect(healthOf(run, BAD)).toEqual([expect.stringMatching(/^unexpected-exit -> log: VMRUN refused its state/)]);
      expect(statesOf(run, BAD)).toEqual(['halted: VMRUN refused its state']);
    });
  });

  it('hides what it does behind prefixes', async () => {
    const run = await runBeside('prefixes', { file: 'prefixes.S', frames: 60 });
    const { cpuid = 0, hypercall = 0 } = exitsOf(run, BAD);
    expect(cpuid).toBeGreaterThan(60 * 5);
    expect(Math.abs(cpuid - hypercall)).toBeLessThanOrEqual(1);
    expect(statesOf(run, BAD)).toEqual([]);
  });

  it.each(['log', 'propagate', 'ignore'])('faults over and over, with a rule for it: %s', async (action) => {
    const run = await runBeside(`faults-${action}`, { file: 'faults.c', health: `{ fault: { 6: '${action}' } }`, frames: 60 });
    expect(exitsOf(run, BAD)['exception-6']).toBeGreaterThan(60 * 10);
    const events = healthOf(run, BAD);
    expect(events).toHaveLength(action === 'ignore' ? 0 : 16);
    for (const event of events) expect(event).toMatch(new RegExp(`^fault -> ${action}: exception 6, error code 0x0, rip 0x8`));
    expect(statesOf(run, BAD)).toEqual([]);
  });

  it('faults once, with a rule that resets it: from the start each time', async () => {
    const run = await runBeside('fault-reset', { file: 'faults.c', health: "{ fault: { 6: 'cold-reset' } }", frames: 24 });
    expect(exitsOf(run, BAD)['exception-6']).toBeGreaterThan(20);
    expect(statesOf(run, BAD).length).toBe(exitsOf(run, BAD)['exception-6']);
  });

  it('passes bad numbers, arguments and pointers to hypercalls: an error each, and nothing else', async () => {
    const calls = 2_000;
    const run = await runBeside('bad-hypercalls', {
      file: 'bad-hypercalls.c',
      defines: { RANDOM_CALLS: calls },
      health: "{ 'partition-error': 'log' }",
      frames: 60,
    });
    expect(traced(run, BAD, GUEST.WRONG)).toEqual([]);
    expect(traced(run, BAD, GUEST.DONE)).toEqual([BigInt(33 + calls)]);
    expect(statesOf(run, BAD)).toEqual(['halted: by itself']);
  });

  it('arms timers 20,000 times, all that there are', async () => {
    const run = await runBeside('many-timers', {
      file: 'million-timers.c',
      defines: { TIMES: 20_000, PERIODIC: 0 },
      frames: 1_600,
      seconds: 110,
    });
    expect(traced(run, BAD, GUEST.WRONG)).toEqual([]);
    expect(traced(run, BAD, GUEST.DONE)).toEqual([20_000n]);
    expect(statesOf(run, BAD)).toEqual(['halted: by itself']);
  }, 120_000);

  it.each([
    ['both clocks', 1],
    ['one clock', 0],
  ])('arms more timers with the shortest period than there is time for, on %s: its own time', async (name, both) => {
    const run = await runBeside(`flood-timers-${name.replace(' ', '-')}`, {
      file: 'million-timers.c',
      defines: { BOTH_CLOCKS: both },
      frames: 200,
    });
    expect(traced(run, BAD, GUEST.WRONG)).toEqual([]);
    expect(traced(run, BAD, GUEST.DONE)).toEqual([]);
    // Most are due when its slot begins: it is entered when some are seen to.
    const isBad = ({ partition }: { readonly partition: number }): boolean => partition === BAD;
    expect(run.of('slot.run', isBad).length + run.of('slot.woken', isBad).length).toBeGreaterThan(200);
  });

  it('throws in TypeScript: told with its stack, and it ends', async () => {
    const run = await runBeside('thrower', {
      file: '../../partitions/health/thrower.ts',
      memory: 'mib(16)',
      health: "{ 'partition-error': 'halt' }",
      frames: 24,
    });
    expect(consoleOf(run, BAD).slice(0, 2)).toEqual(['thrower: about to throw', '! uncaught Error: thrower: on purpose']);
    expect(healthOf(run, BAD)).toEqual(['partition-error -> halt: code 18']);
    expect(statesOf(run, BAD)).toEqual(['halted: partition-error: code 18']);
  });

  it('exhausts its heap in TypeScript: told, and it ends', async () => {
    const run = await runBeside('hoarder', {
      file: '../../partitions/health/hoarder.ts',
      memory: 'mib(16)',
      health: "{ 'partition-error': 'halt' }",
      frames: 24,
    });
    expect(consoleOf(run, BAD)[1]).toMatch(/^! uncaught InternalError: out of memory/);
    expect(healthOf(run, BAD)).toEqual(['partition-error -> halt: code 19']);
  });

  it.each([
    ['console', 'long', '{}'],
    ['hypercalls', 'long', '{}'],
    ['port-io', 'long', "{ 'port-misuse': 'log' }"],
    ['page-faults', 'protected', "{ 'memory-violation': 'ignore' }"],
  ] as const)('floods: %s', async (name, mode, health) => {
    const run = await runBeside(`flood-${name}`, { file: `../../partitions/floods/${name}.S`, mode, health, frames: 60 });
    expectEverySlot(run, BAD, FRAME, [0n], run.of('slot.run', ({ partition }) => partition === BAD).length);
    expect(statesOf(run, BAD)).toEqual([]);
    const [[, count] = ['', 0]] = Object.entries(exitsOf(run, BAD)).sort(([, a], [, b]) => b - a);
    expect(count / 60).toBeGreaterThan(40);
  });
});
