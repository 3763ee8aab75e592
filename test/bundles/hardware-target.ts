/**
 * A target of conformance cases that is hardware: QEMU's on the bare machine, or a partition's virtual devices. Time is the TSC's, which has
 * 1 GHz on both (QEMU with -icount shift=0, and what a partition reads is the machine's plus an offset).
 */
import { probeIoApic } from '../../kernel/drivers/ioapic-82093aa.ts';
import { probeLocalApic } from '../../kernel/drivers/local-apic.ts';
import { PIC_BASE, probePic } from '../../kernel/drivers/pic-8259a.ts';
import { createMmio } from '../../kernel/hw/mmio.ts';
import { createPorts } from '../../kernel/hw/ports.ts';
import type { Shims } from '../../kernel/hw/shims.ts';
import { createDispatcher } from '../../kernel/interrupts/dispatcher.ts';
import { VECTOR } from '../../kernel/interrupts/vectors.ts';
import { IOAPIC, IOAPIC_ADDRESS } from '../../kernel/regs/i82093aa.ts';
import { PIC } from '../../kernel/regs/i8259a.ts';
import { LAPIC, LAPIC_ADDRESS } from '../../kernel/regs/local-apic.ts';
import { instant, nanos, type Instant } from '../../kernel/time/units.ts';
import type { InterruptTarget } from '../../kernel/vdev/conformance/interrupt-target.ts';
import type { Width } from '../../kernel/vdev/device.ts';

/** The local APIC's timer counts nanoseconds on both. */
const BUS_HZ = 1_000_000_000n;
/**
 * From reading the clock to an access, and from an interrupt or the end of a wait to the case's next statement: some calls. In a partition
 * these are exits as well, and before a tick it does not run for a tenth of a millisecond, so that the tick is on time.
 */
const SLACK = { guest: nanos(250_000n), qemu: nanos(10_000n) } as const;
/** Of spinUntil. */
const SPIN_MOST = 1n << 30n;
/** The last part of a wait is spun: what the end of HLT takes comes before it. */
const LEAD = { guest: 200_000n, qemu: 20_000n } as const;
const TIMER_MOST = 0xffff_ffffn;
/** A level that a handler never takes away would interrupt for ever. */
const STORM_MAX = 1000;
const MSR_TSC = 0x10;
const MSR_TSC_ADJUST = 0x3b;

/** "8259 and I/O APIC": a PC has ISA line 0 at input 2. */
const inputOf = (line: number): number => (line === 0 ? 2 : line);

/** Accesses, time and MSRs. A wait spins, and nothing interrupts the CPU but in `takeVector`: what cases of interrupt controllers want. */
export function createQuietTarget(shims: Shims, kind: 'guest' | 'qemu'): InterruptTarget {
  const { rdtsc } = shims;
  /** What cases have added to the TSC. */
  let shift = 0n;
  const ins = { 1: shims.in8, 2: shims.in16, 4: shims.in32 } as const;
  const outs = { 1: shims.out8, 2: shims.out16, 4: shims.out32 } as const;
  const read = (address: number, width: Width): bigint => {
    switch (width) {
      case 1:
        return BigInt(shims.mmioRead8(address));
      case 2:
        return BigInt(shims.mmioRead16(address));
      case 4:
        return BigInt(shims.mmioRead32(address));
      case 8:
        return shims.mmioRead64(address);
    }
  };
  const write = (address: number, width: Width, value: bigint): void => {
    switch (width) {
      case 1:
        return shims.mmioWrite8(address, Number(value));
      case 2:
        return shims.mmioWrite16(address, Number(value));
      case 4:
        return shims.mmioWrite32(address, Number(value));
      case 8:
        return shims.mmioWrite64(address, value);
    }
  };
  return {
    kind,
    slack: SLACK[kind],
    busHz: BUS_HZ,
    in: (port, width) => ins[width](port),
    out: (port, width, value) => outs[width](port, value),
    read,
    write,
    now: () => instant(rdtsc() - shift),
    waitUntil: (at) => {
      const end = at + shift;
      for (let now = rdtsc(); now < end; now = rdtsc()) shims.spinUntil(end - now < SPIN_MOST ? end : now + SPIN_MOST);
    },
    watch: () => {
      throw new Error('this target watches no lines: interrupt controllers are what its cases are about');
    },
    takeInterrupts: () => [],
    takeVector: () => (shims.pollOne() === 0 ? -1 : shims.interruptVector(0)),
    // An NMI is the runtime's end.
    takeNmis: () => 0,
    readMsr: shims.rdmsr,
    writeMsr: (index, value) => {
      const before = rdtsc();
      try {
        shims.wrmsr(index, value);
      } catch (error) {
        if (error instanceof RangeError) return false;
        throw error;
      }
      if (index === MSR_TSC || index === MSR_TSC_ADJUST) shift += rdtsc() - before;
      return true;
    },
    readCr8: () => Number(shims.readCr(8)),
    writeCr8: (value) => shims.writeCr(8, BigInt(value)),
  };
}

/** The same with lines that can be watched, through the I/O APIC. A wait ends by the local APIC's timer: devices' cases leave both alone. */
export function createWatchingTarget(shims: Shims, kind: 'guest' | 'qemu'): InterruptTarget {
  const quiet = createQuietTarget(shims, kind);
  const { rdtsc } = shims;
  const watched = new Map<number, () => void>();
  let taken: { readonly line: number; readonly at: Instant }[] = [];
  let isTaking = false;
  let inARow = 0;

  const dispatcher = createDispatcher(shims, kind === 'qemu' ? 'awake' : 'halt', (vector) => {
    if (vector !== VECTOR.SPURIOUS) throw new Error(`an interrupt of vector ${vector.toString(16)}, which nothing has`);
  });
  probePic(createPorts(shims, PIC_BASE.MASTER, PIC.COUNT), createPorts(shims, PIC_BASE.SLAVE, PIC.COUNT), VECTOR.PIC);
  const localApic = probeLocalApic(createMmio(shims, LAPIC_ADDRESS, LAPIC.LENGTH), VECTOR.SPURIOUS)!;
  const ioApic = probeIoApic(createMmio(shims, IOAPIC_ADDRESS, IOAPIC.LENGTH), 0)!;
  dispatcher.setHandler(VECTOR.LOCAL_TIMER, () => undefined, localApic.endOfInterrupt);

  /** Not within a handler. */
  function guarded(work: () => void): void {
    if (isTaking) return;
    isTaking = true;
    try {
      work();
    } finally {
      isTaking = false;
    }
  }
  function poll(): void {
    if (watched.size > 0) guarded(dispatcher.pollAndDispatch);
  }
  function access<Value>(work: () => Value): Value {
    const value = work();
    poll();
    return value;
  }

  return {
    ...quiet,
    in: (port, width) => access(() => quiet.in(port, width)),
    out: (port, width, value) => access(() => quiet.out(port, width, value)),
    read: (address, width) => access(() => quiet.read(address, width)),
    write: (address, width, value) => access(() => quiet.write(address, width, value)),
    waitUntil: (at) => {
      inARow = 0;
      guarded(() => {
        for (let left = at - rdtsc() - LEAD[kind]; left > 0n; left = at - rdtsc() - LEAD[kind]) {
          localApic.armOneShot(VECTOR.LOCAL_TIMER, Number(left < TIMER_MOST ? left : TIMER_MOST));
          dispatcher.waitAndDispatch();
        }
        localApic.stop();
        quiet.waitUntil(at);
        dispatcher.pollAndDispatch();
      });
    },
    watch: (line, trigger, acknowledge) => {
      const input = inputOf(line);
      const vector = VECTOR.GSI + input;
      watched.set(line, acknowledge ?? (() => undefined));
      dispatcher.setHandler(
        vector,
        (stamp) => {
          if (inARow++ === STORM_MAX) {
            ioApic.mask(input);
            throw new Error(`line ${line} interrupts without end: its handler does not take the level away`);
          }
          taken.push({ line, at: instant(stamp) });
          watched.get(line)!();
        },
        localApic.endOfInterrupt,
      );
      ioApic.setRoute(input, { vector, destination: localApic.id, isLevel: trigger === 'level', isActiveLow: false });
      ioApic.unmask(input);
      poll();
    },
    takeInterrupts: () => {
      inARow = 0;
      poll();
      const seen = taken;
      taken = [];
      return seen;
    },
  };
}
